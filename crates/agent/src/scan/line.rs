//! One TCP connection to a device that may be fragile: opened with a time limit, and left the way the
//! protocols say, so that it is not the scanner whom the device has to survive.

use super::starttls::Wrap;
use super::target::Target;
use crate::observation::Outcome;
use crate::tls::{Client, Fault, Step};
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

/// A read's worth: a flight with an ordinary chain is one or two of these.
const READ: usize = 8 << 10;

/// How long to listen after our FIN. Closing a socket that has unread data in it sends a RST, which some
/// devices take for an attack; so what still comes is read, for as long as a reader of alerts needs to hang up.
const LINGER: Duration = Duration::from_millis(250);

/// Bytes of an answer from which on it takes one of the places for large ones. Ordinary chains have a tenth.
const LARGE: usize = 64 << 10;

/// And how much.
const LINGER_BYTES: usize = 256 << 10;

/// A connection, and until when it may take.
pub(super) struct Line {
    stream: TcpStream,
    end: Instant,
    limit: Duration,
    /// Framing of a protocol that carries TLS in its own packets.
    pub(super) wrap: Option<Wrap>,
    /// The other side has closed.
    closed: bool,
    /// Its place among the large answers, if it is one.
    pub(super) place: Option<OwnedSemaphorePermit>,
}

/// Why there is no more to be had from a connection.
#[derive(Debug)]
pub(super) enum End {
    Fault(Fault),
    /// Nothing, or nothing whole, within the time.
    Hung(Duration),
    /// STARTTLS was declined in the protocol's own words.
    Declined(String),
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl End {
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Hung(after) => Outcome::Hung {
                after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
            },
            Self::Declined(why) => Outcome::NoCertificate { why },
            Self::Fault(fault) => match fault {
                Fault::NotTls(bytes) => Outcome::NotTls {
                    first_bytes: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
                },
                Fault::Alert { level, description } => Outcome::Alert { level, description },
                Fault::Garbage(what) => Outcome::Garbage { what },
                Fault::TooLarge { what, limit } => Outcome::TooLarge {
                    what: what.to_owned(),
                    limit: limit as u64,
                },
                Fault::NoCertificate(why) => Outcome::NoCertificate { why },
            },
        }
    }
}

impl Line {
    /// Connects. The error is the target's outcome.
    pub(super) async fn open(
        target: &Target,
        connect: Duration,
        answer: Duration,
    ) -> Result<Self, Outcome> {
        let to = SocketAddr::new(target.address, target.port);
        match timeout(connect, TcpStream::connect(to)).await {
            Err(_) => Err(Outcome::Filtered),
            Ok(Err(error)) => Err(refused(&error)),
            Ok(Ok(stream)) => {
                // A hello that waits for an acknowledgement of what was said before it is a hello late; a first word never
                // waits.
                if target.starttls.is_some() {
                    let _ = stream.set_nodelay(true);
                }
                Ok(Self {
                    stream,
                    end: Instant::now() + answer,
                    limit: answer,
                    wrap: None,
                    closed: false,
                    place: None,
                })
            }
        }
    }

    /// Holds the conversation until it is done or over. What was seen stays in `client` either way. Only so many
    /// answers may be large at a time (`large`); waiting for a place among them is none of the server's time.
    pub(super) async fn talk(
        &mut self,
        client: &mut Client,
        first: &[u8],
        early: &[u8],
        large: &Arc<Semaphore>,
    ) -> Result<(), End> {
        self.send(first).await?;
        let mut step = client.receive(early)?;
        let mut buffer = vec![0; READ];
        loop {
            match step {
                Step::Done => return Ok(()),
                Step::Send(bytes) => {
                    self.send(&bytes).await?;
                    // What came with it is still to be read.
                    step = client.receive(&[])?;
                    continue;
                }
                Step::More => {}
            }
            let got = self.read(&mut buffer).await?;
            if got == 0 {
                return Err(client.closed().into());
            }
            let bytes = buffer.get(..got).unwrap_or_default();
            step = match &mut self.wrap {
                None => client.receive(bytes)?,
                Some(wrap) => client.receive(&wrap.open(bytes)?)?,
            };
            if self.place.is_none() && client.received() > LARGE {
                let begun = Instant::now();
                self.place = Arc::clone(large).acquire_owned().await.ok();
                self.end += begun.elapsed();
            }
        }
    }

    /// Reads what there is; 0 at the end.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, End> {
        match timeout_at(self.end, self.stream.read(buffer)).await {
            Err(_) => Err(End::Hung(self.limit)),
            Ok(Ok(got)) => {
                self.closed |= got == 0;
                Ok(got)
            }
            Ok(Err(error)) => Err(self.broken(&error)),
        }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), End> {
        let wrapped = self.wrap.as_ref().map(|wrap| wrap.seal(bytes));
        let bytes = wrapped.as_deref().unwrap_or(bytes);
        match timeout_at(self.end, self.stream.write_all(bytes)).await {
            Err(_) => Err(End::Hung(self.limit)),
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.broken(&error)),
        }
    }

    fn broken(&mut self, error: &io::Error) -> End {
        self.closed = true;
        let what = match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                "the connection was reset".to_owned()
            }
            _ => format!("the connection broke: {error}"),
        };
        End::Fault(Fault::Garbage(what))
    }

    /// Leaves `last` with the kernel, to go out in one packet with the FIN that follows: the device is woken once. How
    /// much of it was taken.
    fn with_fin(&self, last: &[u8]) -> usize {
        let send = || SockRef::from(&self.stream).send_with_flags(last, libc::MSG_MORE);
        let taken = self.stream.try_io(Interest::WRITABLE, send);
        taken.unwrap_or_default()
    }

    /// Takes leave: a last word, FIN, and an ear for the other side's.
    pub(super) async fn leave(mut self, farewell: &[u8]) {
        if self.closed {
            return;
        }
        let last = Instant::now() + LINGER;
        let wrapped = self.wrap.as_ref().map(|wrap| wrap.seal(farewell));
        let farewell = wrapped.as_deref().unwrap_or(farewell);
        let gone = async {
            let said = self.with_fin(farewell);
            let rest = farewell.get(said..).unwrap_or_default();
            self.stream.write_all(rest).await?;
            self.stream.shutdown().await?;
            let mut buffer = [0; 2 << 10];
            let mut read = 0;
            while read < LINGER_BYTES {
                match self.stream.read(&mut buffer).await? {
                    0 => break,
                    got => read += got,
                }
            }
            io::Result::Ok(())
        };
        // Nobody is left to tell if it fails.
        let _ = timeout_at(last, gone).await;
    }
}

fn refused(error: &io::Error) -> Outcome {
    use io::ErrorKind as K;
    let why = error.to_string();
    match error.kind() {
        K::ConnectionRefused | K::ConnectionReset | K::ConnectionAborted => Outcome::Closed,
        K::TimedOut => Outcome::Filtered,
        K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown | K::PermissionDenied => {
            Outcome::Unreachable { why }
        }
        // No descriptors, no local ports: our trouble, and no word about the device.
        _ => Outcome::Failed { why },
    }
}
