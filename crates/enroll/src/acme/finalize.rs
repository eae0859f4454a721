//! Finalizing an order (RFC 8555 §7.4).

use audit::Timestamp;

use super::front::Verified;
use super::problem::Problem;
use super::{Acme, AcmeError, Reply};

/// POST order/{id}/finalize.
pub(crate) async fn post(
    _acme: &Acme,
    _call: &Verified<'_>,
    _id: &str,
    _now: Timestamp,
) -> Result<Reply, Problem> {
    Err(Problem::not_found("there is no such order"))
}

/// Issues again for orders whose issuance was cut short.
pub(crate) async fn resume(_acme: &Acme, _now: Timestamp) -> Result<(), AcmeError> {
    Ok(())
}
