//! What can go wrong in the fleet. Callers tell apart what they answer differently.

use access::{AccessError, Refusal};
use ca::CaError;
use store::StoreError;

/// A failure of the fleet.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// A rule forbids it; recorded in the log.
    #[error("{0}")]
    Refused(Refusal),
    /// There is no such thing.
    #[error("there is no {kind} {id}")]
    NotFound {
        /// "asset", "spare".
        kind: &'static str,
        /// What was looked for.
        id: String,
    },
    /// The door refused or failed.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The CA refused or failed.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system's random generator failed.
    #[error("no random bytes")]
    Random,
    /// A row contradicts itself.
    #[error("damaged: {0}; run `ward audit verify`")]
    Damaged(&'static str),
}

/// A result of the fleet.
pub type Result<T, E = FleetError> = std::result::Result<T, E>;

impl From<crate::search::SearchError> for FleetError {
    fn from(error: crate::search::SearchError) -> Self {
        FleetError::Refused(error.into())
    }
}

impl From<Refusal> for FleetError {
    fn from(refusal: Refusal) -> Self {
        FleetError::Refused(refusal)
    }
}

impl FleetError {
    /// The refusal inside, whichever room refused.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            FleetError::Refused(refusal) => Some(refusal),
            FleetError::Access(
                AccessError::Refused(refusal) | AccessError::Unauthenticated(refusal),
            ) => Some(refusal),
            FleetError::Ca(error) => error.refusal(),
            _ => None,
        }
    }

    pub(crate) fn not_found(kind: &'static str, id: &str) -> Self {
        FleetError::NotFound {
            kind,
            id: id.chars().take(64).collect(),
        }
    }
}
