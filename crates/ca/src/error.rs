//! What can go wrong in the CA. Callers tell apart what they answer differently.

use access::{AccessError, Refusal};
use keys::KeyError;
use store::StoreError;

/// A failure of the CA.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// A rule forbids it; recorded in the log.
    #[error("{0}")]
    Refused(Refusal),
    /// There is no such thing.
    #[error("there is no {kind} {id}")]
    NotFound {
        /// "authority", "issuer", "profile", "certificate", "key", "request".
        kind: &'static str,
        /// What was looked for.
        id: String,
    },
    /// The door refused or failed.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key could not be made, found or used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Something that was stored cannot be read any more.
    #[error("stored {kind} {id}: {why}")]
    Stored {
        /// "authority", "issuer", "profile", …
        kind: &'static str,
        /// Which one.
        id: String,
        /// What the reader said.
        why: String,
    },
    /// A file of the offline root could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Bytes that Ward made break a rule: nothing was signed.
    #[error("lint: {0}")]
    Lint(String),
    /// The key of this issuer is not here: it was carried away, or its token is gone.
    #[error("the key of {0} is not here")]
    Offline(String),
    /// Work was cut short by a shutdown; intents are voided at the next start.
    #[error("interrupted: {0}")]
    Interrupted(&'static str),
    /// A row contradicts itself or the log.
    #[error("damaged: {0}; run `ward audit verify`")]
    Damaged(&'static str),
    /// An X.509 object could not be read or made.
    #[error(transparent)]
    X509(#[from] x509::Error),
    /// The audit log refused.
    #[error(transparent)]
    Audit(#[from] audit::Error),
    /// Something that cannot be: a mistake in Ward.
    #[error("internal: {0}")]
    Internal(&'static str),
}

/// A result of the CA.
pub type Result<T, E = CaError> = std::result::Result<T, E>;

impl From<Refusal> for CaError {
    fn from(refusal: Refusal) -> Self {
        CaError::Refused(refusal)
    }
}

impl CaError {
    /// The refusal inside, whichever room refused.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            CaError::Refused(refusal)
            | CaError::Access(
                AccessError::Refused(refusal) | AccessError::Unauthenticated(refusal),
            ) => Some(refusal),
            _ => None,
        }
    }

    pub(crate) fn not_found(kind: &'static str, id: impl Into<String>) -> Self {
        CaError::NotFound {
            kind,
            id: id.into(),
        }
    }

    pub(crate) fn stored(kind: &'static str, id: &str, why: impl std::fmt::Display) -> Self {
        CaError::Stored {
            kind,
            id: id.to_owned(),
            why: why.to_string(),
        }
    }
}
