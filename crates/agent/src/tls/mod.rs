//! TLS as far as looking needs it: a ClientHello of our own making and a reader of what comes back (R17, R19).
//!
//! Not a TLS implementation. A library that can be trusted with secrets refuses what is to be found here:
//! SSL 3.0, export suites, RSA key exchange, broken servers. This one has no secret to keep, so it asks for
//! anything, reads up to the certificate and leaves. It never sends a Finished, and it verifies nothing:
//! what it saw is what was sent.
//!
//! Without I/O: [`Client`] takes bytes and says what to send.

pub mod alert;
pub(crate) mod bytes;
pub mod client;
mod exercise;
pub(crate) mod handshake;
pub mod hello;
pub mod record;
mod schedule;
mod seen;
pub mod suite;

pub use client::{Client, Goal, Step};
pub use exercise::exercise;
pub use hello::{Hello, KeyShares};
pub use seen::Seen;

use thiserror::Error;

/// Bytes that one conversation may receive: a certificate of 1 MiB, which is 250 times a large one, and what is around it.
pub const BYTES_LIMIT: usize = (1 << 20) + (64 << 10);

/// Certificates in one chain. Real ones have five.
pub const CHAIN_LIMIT: usize = 200;

/// Why a conversation ended before it showed what was wanted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    #[error("not TLS: begins with {0:02x?}")]
    NotTls(Vec<u8>),
    #[error("alert {}", alert::name(*description))]
    Alert { level: u8, description: u8 },
    #[error("{0}")]
    Garbage(String),
    #[error("{what}: more than {limit}")]
    TooLarge { what: &'static str, limit: usize },
    /// The server keeps to the protocol, but there is no certificate to be had this way.
    #[error("{0}")]
    NoCertificate(String),
}

impl Fault {
    pub(crate) fn garbage(what: impl Into<String>) -> Self {
        Self::Garbage(what.into())
    }
}
