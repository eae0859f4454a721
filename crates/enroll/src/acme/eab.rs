//! Keys that bind an account to somebody whom the house knows (RFC 8555 §7.3.4).
//!
//! The record says what a key is good for; its secret is sealed beside it and opened only to check a MAC. How often it
//! was used stands in a table of its own, so that a use is one statement of the write that creates the account, and two
//! accounts at once do not stand in each other's way.

use access::Scope;
use audit::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Write, params};
use zeroize::Zeroizing;

use super::problem::Problem;
use super::{Acme, AcmeError};
use crate::secret;

/// The kind under which EAB keys are kept.
pub const EAB_RECORDS: &str = "acme-eab";

/// An external account binding key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EabKey {
    /// The `kid` that clients send: `e` and sixteen hexadecimal digits.
    pub id: String,
    pub directory: String,
    /// How many accounts it may bind; `None` is any number.
    pub uses: Option<u32>,
    /// Unix milliseconds.
    pub expires: Option<i64>,
    /// What accounts bound by it may ask for.
    pub scope: Scope,
    /// Names inside the scope need no challenge.
    pub preauthorised: bool,
    /// Who answers for it.
    pub owner: String,
    pub note: String,
    /// Labels for the inventory.
    pub asset: Option<String>,
    pub segment: Option<String>,
    /// Unix milliseconds.
    pub revoked: Option<i64>,
    pub created: i64,
    pub created_by: String,
}

impl EabKey {
    /// Why it binds no account now, its uses aside.
    pub fn fault(&self, now: Timestamp) -> Option<&'static str> {
        if self.revoked.is_some() {
            Some("has been revoked")
        } else if self.expires.is_some_and(|end| end <= now.0) {
            Some("has expired")
        } else {
            None
        }
    }

    /// Whether `id` could be one.
    pub(crate) fn is_id(id: &str) -> bool {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        id.strip_prefix('e')
            .is_some_and(|digits| digits.len() == 16 && digits.bytes().all(hex))
    }

    /// What its secret is sealed under, and stored as.
    pub(crate) fn secret_label(&self) -> String {
        format!("acme-eab/{}", self.id)
    }
}

/// A key that may bind an account now.
pub(crate) struct Usable {
    pub(crate) key: EabKey,
    pub(crate) secret: Zeroizing<Vec<u8>>,
}

const USED: &str = "SELECT used FROM acme_eab_uses WHERE kid = $1";
/// Fails where the key is used up, or was revoked since it was read.
const SPEND: &str =
    "UPDATE acme_eab_uses SET used = used + 1 WHERE kid = $1 AND used < $2 AND revoked = 0";

/// Finds the key behind a `kid`, and says why it may not be used.
pub(crate) async fn usable(
    acme: &Acme,
    directory: &str,
    kid: &str,
    now: Timestamp,
) -> Result<Usable, Problem> {
    let refuse = |why: &str| {
        let kid: String = kid.chars().take(64).collect();
        Problem::unauthorized(format!(
            "the external account key {kid:?} {why} (RFC 8555 §7.3.4); ask whoever runs this directory for another"
        ))
    };
    let store = &acme.inner.store;
    let record = match EabKey::is_id(kid) {
        true => store.record(EAB_RECORDS, kid).await?,
        false => None,
    };
    let Some(record) = record else {
        return Err(refuse("is not known"));
    };
    let key: EabKey = record.parse()?;
    if key.directory != directory {
        return Err(refuse("is for another directory"));
    }
    if let Some(fault) = key.fault(now) {
        return Err(refuse(fault));
    }
    let rows = store.look_up(USED, params![kid]).await?;
    let used = rows
        .first()
        .map(|row| row.int(0))
        .transpose()?
        .unwrap_or_default();
    if key.uses.is_some_and(|most| used >= i64::from(most)) {
        return Err(refuse("is used up"));
    }
    match secret::open::<AcmeError>(&acme.inner.ca, &key.secret_label()).await? {
        Some(secret) => Ok(Usable { key, secret }),
        None => Err(refuse("has lost its secret")),
    }
}

impl Usable {
    /// Counts the use in the write that creates the account; if the key was used up or revoked in between, that write is
    /// a conflict.
    pub(crate) fn spend(&self, write: Write) -> Write {
        let most = self.key.uses.map_or(i64::MAX, i64::from);
        let conflict = "the external account key is used up or revoked";
        write.run_expecting(1, SPEND, params![self.key.id.as_str(), most], conflict)
    }
}
