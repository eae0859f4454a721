//! Authorizations (RFC 8555 §7.1.4, §7.4.1, §7.5).

use audit::Timestamp;

use super::front::Verified;
use super::problem::Problem;
use super::{Acme, Reply};

/// POST new-authz.
pub(crate) async fn create(
    _acme: &Acme,
    _call: &Verified<'_>,
    _now: Timestamp,
) -> Result<Reply, Problem> {
    Err(Problem::internal(&"authorizations are not served"))
}

/// POST authz/{id}: shows it, or gives it up (§7.5.2).
pub(crate) async fn post(
    _acme: &Acme,
    _call: &Verified<'_>,
    _id: &str,
    _now: Timestamp,
) -> Result<Reply, Problem> {
    Err(Problem::not_found("there is no such authorization"))
}
