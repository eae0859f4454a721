//! PKCS #12 (RFC 7292): a private key and its certificates in one file under a password, for whatever installs
//! credentials that way: Windows, Java, load balancers, modality consoles.
//!
//! Written with PBES2 and HMAC-SHA256 only. The key passes through as PKCS #8 that nothing here looks into, and what
//! held it is wiped.

mod cipher;
mod kdf;
mod read;
mod write;

pub use cipher::MAX_ITERATIONS;
pub use read::{CertificateBag, KeyBag, Outline, Pfx, outline, parse, parse_within};
pub use write::{Contents, DEFAULT_ITERATIONS, TrustedCertificate, build, build_trust_store};

use crate::{Error, Oid, der};

/// Largest file read: keystores with hundreds of entries stay below 1 MiB.
pub const MAX_SIZE: usize = 16 << 20;

/// Oracle's attribute that makes Java take a certificate without key as a trust anchor, 2.16.840.1.113894.746875.1.1
const TRUSTED_KEY_USAGE: Oid =
    Oid::from_bytes(&[96, 134, 72, 1, 134, 249, 102, 173, 202, 123, 1, 1]);

/// Why a PKCS #12 file was not written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Pkcs12Error {
    #[error("the password is wrong, or the file was changed")]
    WrongPassword,
    #[error(
        "the file is encrypted with {0}, which is not supported; export it again with AES: openssl pkcs12 -export -certpbe AES-256-CBC -keypbe AES-256-CBC"
    )]
    Cipher(String),
    #[error("{0} iterations are more than one file may cost")]
    Iterations(u64),
    #[error("malformed PKCS #12: {0}")]
    Malformed(&'static str),
    #[error("the cryptographic library refused an operation")]
    Crypto,
    #[error(transparent)]
    Invalid(#[from] Error),
}

impl From<der::Error> for Pkcs12Error {
    fn from(error: der::Error) -> Self {
        Self::Invalid(error.into())
    }
}
