//! Accounts as they are stored, and those that were used lately with their keys parsed.

use std::collections::HashMap;
use std::sync::Arc;

use access::{Access, Principal, Scope};
use audit::{Object, Timestamp};
use parking_lot::RwLock;
use store::{Row, Store, StoreError, Write, params};

use super::AcmeError;
use super::jwk::Jwk;

/// How many accounts are kept at hand; a hospital has some thousands.
const CACHE: usize = 16_384;

/// RFC 8555 §7.1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStatus {
    Valid,
    /// Given up by the client.
    Deactivated,
    /// Taken away by an operator.
    Revoked,
}

impl AccountStatus {
    /// As ACME writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            AccountStatus::Valid => "valid",
            AccountStatus::Deactivated => "deactivated",
            AccountStatus::Revoked => "revoked",
        }
    }
}

/// An account, with its key parsed.
#[derive(Clone)]
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
    /// When the terms of service were agreed to.
    pub terms_agreed: Option<Timestamp>,
    pub created: Timestamp,
}

/// The kind of object that events of accounts are about.
pub(crate) const OBJECT: &str = "acme-account";

impl Account {
    /// The object of events.
    pub(crate) fn object(&self) -> Object {
        Object::new(OBJECT, self.id.as_str())
    }

    /// Who it is at the door.
    pub(crate) fn principal(&self, access: &Access) -> Arc<Principal> {
        access.enrolled_principal(&actor_id(&self.id), self.scope.clone())
    }

    /// SHA-256 of the key (RFC 7638).
    pub fn thumbprint(&self) -> [u8; 32] {
        self.key.thumbprint
    }

    /// The public key as JSON.
    pub fn jwk(&self) -> &str {
        &self.key.canonical
    }

    fn read(row: &Row) -> Result<Self, AcmeError> {
        let id = row.text(0)?.to_owned();
        let bad = |why: &dyn std::fmt::Display| AcmeError::Stored {
            kind: "account",
            id: id.clone(),
            why: why.to_string(),
        };
        Ok(Account {
            directory: row.text(1)?.to_owned(),
            key: Jwk::stored(row.text(2)?)
                .map(Arc::new)
                .ok_or_else(|| bad(&"its key"))?,
            contacts: serde_json::from_str(row.text(3)?).map_err(|error| bad(&error))?,
            status: match row.text(4)? {
                "valid" => AccountStatus::Valid,
                "deactivated" => AccountStatus::Deactivated,
                "revoked" => AccountStatus::Revoked,
                _ => return Err(bad(&"its status")),
            },
            eab: row.opt_text(5)?.map(str::to_owned),
            scope: serde_json::from_str(row.text(6)?).map_err(|error| bad(&error))?,
            preauthorised: row.int(7)? != 0,
            terms_agreed: row.opt_int(8)?.map(Timestamp),
            created: Timestamp(row.int(9)?),
            id,
        })
    }

    /// Adds the account to a write; that its key has none yet must hold when it is applied.
    pub(crate) fn insert(&self, write: Write) -> Result<Write, AcmeError> {
        let json = |value: serde_json::Result<String>| {
            value.map_err(|error| AcmeError::Stored {
                kind: "account",
                id: self.id.clone(),
                why: error.to_string(),
            })
        };
        Ok(write.run_expecting(
            1,
            INSERT,
            params![
                self.id.as_str(),
                self.directory.as_str(),
                self.key.thumbprint,
                self.key.canonical.as_str(),
                json(serde_json::to_string(&self.contacts))?,
                self.status.as_str(),
                self.eab.clone(),
                json(serde_json::to_string(&self.scope))?,
                self.preauthorised,
                self.terms_agreed.map(|at| at.0),
                self.created.0,
            ],
            KEY_TAKEN,
        ))
    }
}

/// What stands in the way of a second account with one key.
pub(crate) const KEY_TAKEN: &str = "the key has an account already";

/// The id of an account's actor.
pub(crate) fn actor_id(account: &str) -> String {
    format!("acme-{account}")
}

const INSERT: &str = "INSERT INTO acme_accounts(id, directory, thumbprint, jwk, contacts, status, eab, scope, \
    preauthorised, terms_agreed, created) VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
    ON CONFLICT DO NOTHING";
const BY_ID: &str = "SELECT id, directory, jwk, contacts, status, eab, scope, preauthorised, terms_agreed, created \
    FROM acme_accounts WHERE id = $1";
const BY_KEY: &str = "SELECT id, directory, jwk, contacts, status, eab, scope, preauthorised, terms_agreed, created \
    FROM acme_accounts WHERE directory = $1 AND thumbprint = $2";

const HAS_KEY: &str = "SELECT 1 FROM acme_accounts WHERE thumbprint = $1 LIMIT 1";

/// Accounts that were used lately.
#[derive(Default)]
pub(crate) struct Accounts {
    cache: RwLock<Cache>,
}

#[derive(Default)]
struct Cache {
    known: HashMap<String, Arc<Account>>,
    /// How often something was forgotten: what was read before and arrives after is not kept.
    forgotten: u64,
}

impl Accounts {
    /// The account `id`, and whether it was read just now.
    pub(crate) async fn find(
        &self,
        store: &Store,
        id: &str,
    ) -> Result<Option<(Arc<Account>, bool)>, AcmeError> {
        if let Some(known) = self.cache.read().known.get(id) {
            return Ok(Some((Arc::clone(known), false)));
        }
        Ok(self.read(store, id).await?.map(|account| (account, true)))
    }

    /// Reads the account `id` as it is now.
    pub(crate) async fn read(
        &self,
        store: &Store,
        id: &str,
    ) -> Result<Option<Arc<Account>>, AcmeError> {
        let before = self.cache.read().forgotten;
        let rows = store.look_up(BY_ID, params![id]).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let account = Arc::new(Account::read(row)?);
        let mut cache = self.cache.write();
        if cache.forgotten == before {
            if cache.known.len() >= CACHE {
                cache.known.clear();
            }
            cache.known.insert(account.id.clone(), Arc::clone(&account));
        }
        Ok(Some(account))
    }

    /// Forgets what an event is about: an account, or all of them where it is about what binds them.
    pub(crate) fn forget(&self, object: &Object) {
        let mut cache = self.cache.write();
        cache.forgotten += 1;
        match object.kind.as_str() {
            OBJECT => {
                cache.known.remove(&object.id);
            }
            _ => cache.known.clear(),
        }
    }
}

/// The account of a directory that has a key.
pub(crate) async fn by_key(
    store: &Store,
    directory: &str,
    thumbprint: &[u8; 32],
) -> Result<Option<Account>, AcmeError> {
    let rows = store
        .look_up(BY_KEY, params![directory, thumbprint])
        .await?;
    rows.first().map(Account::read).transpose()
}

/// Whether an account of any directory has a key, or had it when it ended.
pub(crate) async fn has_key(store: &Store, thumbprint: &[u8; 32]) -> Result<bool, AcmeError> {
    Ok(!store
        .look_up(HAS_KEY, params![thumbprint])
        .await?
        .is_empty())
}

/// Whether a write failed because the key has an account.
pub(crate) fn is_key_taken(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Conflict(KEY_TAKEN) | StoreError::Duplicate(_)
    )
}
