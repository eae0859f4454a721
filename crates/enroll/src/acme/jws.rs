//! Signed requests (RFC 8555 §6.2): flattened JWS, as strict as the standard allows.

use std::sync::Arc;

use audit::Timestamp;

use super::front::Verified;
use super::problem::Problem;
use super::{Acme, Directory, Request};

/// Who may sign for a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signer {
    /// A key in `jwk`.
    Key,
    /// An account in `kid`.
    Account,
    Either,
}

/// Checks everything about a signed request that does not depend on what it asks for.
pub(crate) async fn verify<'a>(
    _acme: &Acme,
    _request: &'a Request<'a>,
    _directory: &Arc<Directory>,
    _signer: Signer,
    _now: Timestamp,
) -> Result<Verified<'a>, Problem> {
    Err(Problem::internal(&"signed requests are not served"))
}
