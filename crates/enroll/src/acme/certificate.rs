//! Download of certificates and their alternate chains (RFC 8555 §7.4.2).

use audit::Timestamp;

use super::front::Verified;
use super::problem::Problem;
use super::{Acme, Reply};

/// POST-as-GET certificate/{hex sha256}[/{n}].
pub(crate) async fn show(
    _acme: &Acme,
    _call: &Verified<'_>,
    _sha256: &str,
    _chain: usize,
    _now: Timestamp,
) -> Result<Reply, Problem> {
    Err(Problem::not_found("there is no such certificate"))
}
