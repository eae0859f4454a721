//! Why a claim comes to nothing, and what of that its sender learns.

use access::Refusal;

use crate::device::DeviceError;

pub(super) enum Stop {
    /// A rule forbids it: the sender is told which, and so is the log.
    No(Refusal),
    /// As `No`; it is in the log already, or does not belong there.
    Recorded(Refusal),
    /// As `Recorded`; the sender may come again after so many seconds.
    Later(Refusal, u32),
    /// The sender is nobody whom we know. They learn that and no more; the log learns why.
    Unknown(String),
    /// Another request, or another node, was faster with the same transaction.
    Elsewhere,
    /// Another request, or another node, was faster with the last use of a right.
    Spent,
    Failed(DeviceError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Stop::No(refusal)
    }
}

impl From<DeviceError> for Stop {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::Refused(refusal) => Stop::No(refusal),
            error => Stop::Failed(error),
        }
    }
}

macro_rules! failures {
    ($($error:ty),*) => {
        $(impl From<$error> for Stop {
            fn from(error: $error) -> Self {
                DeviceError::from(error).into()
            }
        })*
    };
}

failures!(
    store::StoreError,
    fleet::FleetError,
    ca::CaError,
    access::AccessError,
    audit::Error,
    x509::Error,
    crate::random::NoRandom
);

/// What everybody is told whom we do not know, whatever the reason: a guess must not become a better guess.
pub(crate) fn unknown() -> Refusal {
    Refusal::new(
        "enrolment.credential",
        "docs/enrolment.md",
        "this credential is not known here, or may not be used any more",
    )
    .accepted("a credential of a right to enrol that is in force at this endpoint")
}

pub(super) fn refusal(rule: &'static str, message: impl Into<String>) -> Refusal {
    Refusal::new(rule, "docs/enrolment.md", message)
}
