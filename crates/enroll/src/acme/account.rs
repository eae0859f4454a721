//! Accounts (RFC 8555 §7.1.2, §7.3).

use std::collections::HashMap;
use std::sync::Arc;

use access::Scope;
use audit::{Object, Timestamp};
use parking_lot::RwLock;

use super::front::Verified;
use super::jwk::Jwk;
use super::problem::Problem;
use super::{Acme, Reply};

/// RFC 8555 §7.1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStatus {
    Valid,
    /// Given up by the client.
    Deactivated,
    /// Taken away by an operator.
    Revoked,
}

/// An account, with its key parsed.
pub struct Account {
    pub id: String,
    pub directory: String,
    pub(crate) key: Arc<Jwk>,
    pub contacts: Vec<String>,
    pub status: AccountStatus,
    /// The EAB key that it is bound by.
    pub eab: Option<String>,
    /// What it may ask for: the EAB key's scope when it was bound. The directory limits it further.
    pub scope: Scope,
    /// Names inside the scope need no challenge.
    pub preauthorised: bool,
    pub created: Timestamp,
}

/// Accounts that were used lately.
#[derive(Default)]
pub(crate) struct Accounts {
    known: RwLock<HashMap<String, Arc<Account>>>,
}

impl Accounts {
    /// Forgets what an event is about: an account, or all of them where it is about what binds them.
    pub(crate) fn forget(&self, object: &Object) {
        let mut known = self.known.write();
        match object.kind.as_str() {
            "acme-account" => {
                known.remove(&object.id);
            }
            _ => known.clear(),
        }
    }
}

/// POST new-account.
pub(crate) async fn create(
    _acme: &Acme,
    _call: &Verified<'_>,
    _now: Timestamp,
) -> Result<Reply, Problem> {
    Err(Problem::internal(&"accounts are not served"))
}

/// POST account/{id}.
pub(crate) async fn update(
    _acme: &Acme,
    _call: &Verified<'_>,
    _now: Timestamp,
) -> Result<Reply, Problem> {
    Err(Problem::internal(&"accounts are not served"))
}

/// POST key-change.
pub(crate) async fn change_key(
    _acme: &Acme,
    _call: &Verified<'_>,
    _now: Timestamp,
) -> Result<Reply, Problem> {
    Err(Problem::internal(&"accounts are not served"))
}
