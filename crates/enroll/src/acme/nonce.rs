//! Nonces (RFC 8555 §6.5).

use std::path::Path;

use audit::Timestamp;
use store::Store;

use super::AcmeError;
use super::problem::Problem;

pub(crate) struct Nonces {}

impl Nonces {
    pub(crate) fn open(
        _store: &Store,
        _data_dir: &Path,
        _alone: bool,
        _now: Timestamp,
    ) -> Result<Self, AcmeError> {
        Ok(Nonces {})
    }

    /// A nonce that nobody has had.
    pub(crate) fn issue(&self, _now: Timestamp) -> Result<String, Problem> {
        Err(Problem::internal(&"nonces are not served"))
    }

    /// Forgets those too old to be offered again.
    pub(crate) async fn prune(&self, _now: Timestamp) -> Result<u64, AcmeError> {
        Ok(0)
    }
}
