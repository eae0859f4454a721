//! Why a key operation was refused or failed. No variant carries key material, a passphrase or a
//! PIN; paths, labels and identifiers are all that a message may name.

use std::io;
use std::path::PathBuf;

use x509::{KeyAlgorithm, SignatureAlgorithm};

use crate::record::KeyId;

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("{what} {path}: {source}", path = .path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(
        "{path} can be read by others (mode {mode:04o}); secrets need mode 0600: chmod 600 {path}",
        path = .path.display()
    )]
    Permissions { path: PathBuf, mode: u32 },
    #[error("{path}: {problem}", path = .path.display())]
    SecretFile {
        path: PathBuf,
        problem: &'static str,
    },
    #[error("the key-encrypting key {path} is missing; keys that are sealed under it open with nothing else, so restore it from its backup", path = .path.display())]
    KekMissing { path: PathBuf },
    #[error(
        "wrong key-encrypting key: the keys are sealed under {expected}, the {given} gives {found}"
    )]
    WrongKek {
        given: String,
        expected: String,
        found: String,
    },
    #[error("keys are still sealed under the former key-encrypting key: {0} of them")]
    KekInUse(usize),
    #[error("key {0}: the sealed record was altered, or belongs to another key")]
    Tampered(KeyId),
    #[error("secret {0}: what is stored was altered, or belongs to another label")]
    TamperedSecret(String),
    #[error("key {0} was destroyed")]
    Destroyed(KeyId),
    #[error("key {0} has no sealed key material")]
    NothingSealed(KeyId),
    #[error("the record was written in format {0}, which this version does not read")]
    UnknownFormat(u32),
    #[error("a {key} key cannot make {signature} signatures")]
    WrongAlgorithm {
        key: KeyAlgorithm,
        signature: SignatureAlgorithm,
    },
    #[error("a {0} key opens no envelopes; an RSA key does")]
    CannotDecipher(KeyAlgorithm),
    #[error("a {0} key makes no RSA signatures")]
    NoLegacySignature(KeyAlgorithm),
    #[error("an encrypted key of {found} octets; this RSA key takes {expected}")]
    CiphertextLength { expected: usize, found: usize },
    #[error("key {0} lives in a token and cannot leave it")]
    NotExportable(KeyId),
    #[error("the private key was not accepted: {0}")]
    BadPrivateKey(&'static str),
    #[error("the passphrase is too short: {found} characters, at least {least} are needed")]
    WeakPassphrase { found: usize, least: usize },
    #[error("the passphrase does not open this key")]
    WrongPassphrase,
    #[error("encrypted key: {0}")]
    BadEncryptedKey(&'static str),
    #[error("the cryptographic library refused: {0}")]
    Crypto(&'static str),

    #[error("no PKCS#11 token labelled {0:?} is configured")]
    UnknownToken(String),
    #[error("PKCS#11 module {path}: {problem}", path = .path.display())]
    Module { path: PathBuf, problem: String },
    #[error("token {token:?} is not available: {problem}")]
    Unavailable { token: String, problem: String },
    #[error("token {token:?}: all {sessions} sessions stayed busy for {waited_ms} ms")]
    Busy {
        token: String,
        sessions: usize,
        waited_ms: u64,
    },
    #[error("token {token:?} refused the PIN in {file}; it will not be tried again until that file changes, so that the token does not lock", file = .file.display())]
    PinRefused { token: String, file: PathBuf },
    #[error("token {token:?} has locked its user PIN; its security officer must unlock it")]
    PinLocked { token: String },
    #[error("token {token:?} holds no key {id}")]
    NoSuchKey { token: String, id: KeyId },
    #[error("token {token:?} cannot do {what}")]
    Unsupported { token: String, what: String },
    #[error("token {token:?} did something it must not: {problem}")]
    Misbehaved {
        token: String,
        problem: &'static str,
    },
    #[error(
        "this process was forked after it opened the PKCS#11 module; open the key ring again in a fresh process"
    )]
    Forked,
}

impl KeyError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Busy { .. })
    }
}

/// Attaches what was being done, and to which file, to an I/O error.
pub(crate) fn io_error(
    what: &'static str,
    path: &std::path::Path,
) -> impl FnOnce(io::Error) -> KeyError {
    move |source| KeyError::Io {
        what,
        path: path.to_owned(),
        source,
    }
}
