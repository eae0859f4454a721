//! Renewal information (RFC 9773).

use audit::Timestamp;

use super::problem::Problem;
use super::{Acme, Directory, Reply};

/// GET renewal-info/{certid}: no signature, no nonce.
pub(crate) async fn show(
    _acme: &Acme,
    _directory: &Directory,
    _certificate_id: &str,
    _now: Timestamp,
) -> Result<Reply, Problem> {
    Err(Problem::not_found("there is no such certificate"))
}
