//! Revocation by account key, by certificate key and by an account that holds the authorizations (RFC 8555 §7.6).

use audit::Timestamp;

use super::front::Verified;
use super::problem::Problem;
use super::{Acme, Reply};

/// POST revoke-cert. Signed with an account's key (`call.account`) or with any key (`call.jwk`).
pub(crate) async fn post(
    _acme: &Acme,
    _call: &Verified<'_>,
    _now: Timestamp,
) -> Result<Reply, Problem> {
    Err(Problem::internal(&"revocation is not served"))
}
