//! What can go wrong behind the door and at the desk.

use access::Refusal;

use crate::random::NoRandom;

/// Why devices cannot be served, or an operator's act failed.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// A rule forbids it; recorded in the log.
    #[error("{0}")]
    Refused(Refusal),
    /// There is no such thing.
    #[error("there is no {kind} {id}")]
    NotFound {
        /// "enrolment endpoint", "enrolment right", "registration".
        kind: &'static str,
        /// What was looked for.
        id: String,
    },
    #[error(transparent)]
    Access(access::AccessError),
    #[error(transparent)]
    Fleet(fleet::FleetError),
    #[error(transparent)]
    Ca(ca::CaError),
    #[error(transparent)]
    Store(#[from] store::StoreError),
    #[error(transparent)]
    Key(#[from] keys::KeyError),
    #[error(transparent)]
    Audit(#[from] audit::Error),
    #[error(transparent)]
    X509(#[from] x509::Error),
    /// Something that was stored cannot be read any more.
    #[error("stored {kind} {id}: {why}")]
    Stored {
        kind: &'static str,
        id: String,
        why: String,
    },
    /// Another node works on the same transaction.
    #[error("the same request is being worked on; try again")]
    Busy,
    /// The system's random generator failed.
    #[error("no random bytes")]
    Random,
}

impl DeviceError {
    /// There is no such thing.
    pub(crate) fn not_found(kind: &'static str, id: &str) -> Self {
        DeviceError::NotFound {
            kind,
            id: id.chars().take(64).collect(),
        }
    }
}

impl From<Refusal> for DeviceError {
    fn from(refusal: Refusal) -> Self {
        DeviceError::Refused(refusal)
    }
}

impl From<NoRandom> for DeviceError {
    fn from(_: NoRandom) -> Self {
        DeviceError::Random
    }
}

impl From<ca::CaError> for DeviceError {
    fn from(error: ca::CaError) -> Self {
        match error.refusal() {
            Some(refusal) => DeviceError::Refused(refusal.clone()),
            None => DeviceError::Ca(error),
        }
    }
}

impl From<access::AccessError> for DeviceError {
    fn from(error: access::AccessError) -> Self {
        match error {
            access::AccessError::Refused(refusal) => DeviceError::Refused(refusal),
            other => DeviceError::Access(other),
        }
    }
}

impl From<fleet::FleetError> for DeviceError {
    fn from(error: fleet::FleetError) -> Self {
        match error {
            fleet::FleetError::Refused(refusal) => DeviceError::Refused(refusal),
            fleet::FleetError::NotFound { kind, id } => DeviceError::NotFound { kind, id },
            fleet::FleetError::Store(error) => DeviceError::Store(error),
            fleet::FleetError::Ca(error) => error.into(),
            fleet::FleetError::Access(error) => error.into(),
            fleet::FleetError::Random => DeviceError::Random,
            error => DeviceError::Fleet(error),
        }
    }
}
