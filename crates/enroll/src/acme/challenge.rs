//! Challenges (RFC 8555 §7.5.1, §8).

use agent::control::ChallengeKind;
use audit::Timestamp;

use super::front::Verified;
use super::problem::Problem;
use super::{Acme, AcmeError, Reply};

/// POST challenge/{authorization}/{kind}: shows it, or asks for validation.
pub(crate) async fn post(
    _acme: &Acme,
    _call: &Verified<'_>,
    _authorization: &str,
    _kind: ChallengeKind,
    _now: Timestamp,
) -> Result<Reply, Problem> {
    Err(Problem::not_found("there is no such challenge"))
}

/// Takes up validations that were under way.
pub(crate) async fn resume(_acme: &Acme, _now: Timestamp) -> Result<(), AcmeError> {
    Ok(())
}
