//! TLS as devices spoke it before forward secrecy and authenticated encryption: TLS 1.2, and 1.0 and 1.1 where somebody
//! says so by name, with CBC suites and RSA key exchange. rustls has none of these, by choice.
//!
//! The protocol is OpenSSL 3's, of the system, found and loaded when the first [`Acceptor`] is made: Ward neither links
//! nor ships it, and a Ward that has no such listener never touches it. This room is a narrow safe door in front of
//! it: an acceptor made of a certificate, its key and [`Options`], and streams that it makes of connections. Bytes go in
//! and out by memory, so the library sees no socket, and runs none of our code but a verdict of one line.
//!
//! As on the HTTPS listener, a client is asked for a certificate and needs none, any chain passes whose key the client
//! holds, and whose it is and what it may is judged elsewhere. Renegotiation, compression, tickets, resumption, and keys
//! agreed on without authentication do not exist here.
//!
//! `unsafe` is in four files: `library` (what is called, with its exact types), `owned` (what is freed), `context` (an
//! acceptor's settings) and `connection` (one connection, without input or output). `stream` and everything else is
//! ordinary Rust.

mod connection;
mod context;
mod library;
mod options;
mod owned;
mod stream;

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

use connection::{Connection, Step};
use context::Context;
pub use options::{Options, SUITES, Suite, Version};
pub use stream::Stream;

/// Most bytes that a client may send before the handshake is done: its largest chain ([`CHAIN_BYTES`]) and everything
/// else, several times over.
const HANDSHAKE_BYTES: usize = 128 * 1024;

/// Most bytes of a client's certificates.
const CHAIN_BYTES: usize = 64 * 1024;

/// What a handshake reads at once.
const CHUNK: usize = 4 * 1024;

/// Why there is no acceptor, or no connection.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "OpenSSL 3 of this system cannot be loaded ({0}): install the package libssl3 (Debian, Ubuntu; libssl3t64 in newer ones), openssl-libs (Fedora, RHEL) or libopenssl3 (SUSE)"
    )]
    Missing(String),
    #[error("OpenSSL of this system is {0}, and only 3.x is known here")]
    WrongVersion(String),
    #[error("{library} has no suite {suite}: it was built without it")]
    NoSuite {
        library: String,
        suite: &'static str,
    },
    #[error("OpenSSL refuses {what}: {reason}")]
    Setup { what: &'static str, reason: String },
    #[error("the handshake failed: {0}")]
    Handshake(String),
    #[error("the client sent more than {HANDSHAKE_BYTES} bytes and the handshake was not done")]
    TooLong,
    #[error("the client went away in the handshake")]
    Gone,
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("the connection: {0}")]
    Io(io::ErrorKind),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::Io(error.kind())
    }
}

/// What a listener shows and proves itself with.
pub struct Identity {
    /// Leaf first, DER. RSA: the suites here know no other.
    pub chain: Vec<Vec<u8>>,
    /// PKCS#8, DER. The library takes a copy and wipes it when the acceptor goes.
    pub key: Zeroizing<Vec<u8>>,
}

/// What a handshake learnt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The client's certificates in DER as it sent them, leaf first; empty if it sent none. It holds the leaf's key;
    /// nothing else was checked.
    pub chain: Vec<Vec<u8>>,
    pub version: Version,
    /// OpenSSL's name of the suite.
    pub suite: String,
}

/// Takes connections. Cheap to clone.
#[derive(Clone)]
pub struct Acceptor(Arc<Context>);

impl Acceptor {
    /// Loads the library if nobody has yet.
    pub fn new(identity: &Identity, options: &Options) -> Result<Self, Error> {
        Context::new(library::get()?, identity, options).map(|context| Self(Arc::new(context)))
    }

    /// Runs the handshake. How long it may take is for the caller to say; how many bytes is said here.
    pub async fn accept<I>(&self, mut io: I) -> Result<Stream<I>, Error>
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        let mut connection = Connection::new(Arc::clone(&self.0))?;
        let mut buffer = vec![0; CHUNK];
        let mut left = HANDSHAKE_BYTES;
        loop {
            let step = connection.handshake();
            // Also what says why it failed.
            let answer = connection.output();
            if !answer.is_empty() {
                io.write_all(&answer).await?;
                io.flush().await?;
            }
            match step? {
                Step::Done(()) => return Ok(Stream::new(io, connection)),
                Step::Closed => return Err(Error::Gone),
                Step::WantsInput => {}
            }
            let read = io.read(&mut buffer).await?;
            if read == 0 {
                return Err(Error::Gone);
            }
            left = left.checked_sub(read).ok_or(Error::TooLong)?;
            connection.input(&buffer[..read])?;
        }
    }
}

/// Name and version of the system's OpenSSL, as it says them; an error where there is none. For the record.
pub fn library() -> Result<String, Error> {
    library::get().map(|library| library.version.clone())
}
