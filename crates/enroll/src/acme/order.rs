//! Orders (RFC 8555 §7.1.3, §7.4).

use audit::Timestamp;

use super::front::Verified;
use super::problem::Problem;
use super::{Acme, AcmeError, Reply};

/// POST new-order.
pub(crate) async fn create(
    _acme: &Acme,
    _call: &Verified<'_>,
    _now: Timestamp,
) -> Result<Reply, Problem> {
    Err(Problem::internal(&"orders are not served"))
}

/// POST-as-GET order/{id}.
pub(crate) async fn show(
    _acme: &Acme,
    _call: &Verified<'_>,
    _id: &str,
    _now: Timestamp,
) -> Result<Reply, Problem> {
    Err(Problem::not_found("there is no such order"))
}

/// POST-as-GET account/{id}/orders (RFC 8555 §7.1.2.1). The account is the caller's own: `front` has checked that.
pub(crate) async fn list(
    _acme: &Acme,
    _call: &Verified<'_>,
    _now: Timestamp,
) -> Result<Reply, Problem> {
    Err(Problem::internal(&"orders are not served"))
}

/// Removes what nobody can use any more: how many orders and authorizations.
pub(crate) async fn prune(_acme: &Acme, _now: Timestamp) -> Result<(u64, u64), AcmeError> {
    Ok((0, 0))
}
