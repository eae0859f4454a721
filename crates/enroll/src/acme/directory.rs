//! A directory: one door of the ACME server, with its own authority, profiles, challenges and limits (RFC 8555 §7.1.1).

use std::collections::HashMap;
use std::sync::Arc;

use access::NamePattern;
use agent::control::{ChallengeKind, Rules};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use store::Store;

use super::{AcmeError, Limits};

/// The kind under which directories are kept.
pub const DIRECTORY_RECORDS: &str = "acme-directory";

/// Whether an account must be bound to somebody whom the house knows (RFC 8555 §7.3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExternalAccount {
    #[default]
    Required,
    Optional,
    Off,
}

/// A profile that orders may name (draft-ietf-acme-profiles). Its ACME name is Ward's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    pub profile: String,
    #[serde(default)]
    pub description: String,
}

/// When renewal is suggested (RFC 9773).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RenewalPolicy {}

/// A directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Directory {
    pub name: String,
    /// `None`: the profile's own.
    pub authority: Option<String>,
    /// The first is the default.
    pub profiles: Vec<Offer>,
    pub external_account: ExternalAccount,
    pub challenges: Vec<ChallengeKind>,
    /// Empty means any.
    pub names: Vec<NamePattern>,
    pub wildcards: bool,
    pub terms_of_service: Option<String>,
    pub website: Option<String>,
    /// Empty: CAA is not checked.
    pub caa_identities: Vec<String>,
    pub validation: Rules,
    /// Seconds.
    pub order_lifetime: u64,
    /// Seconds; counts for revocation as well (RFC 8555 §7.6).
    pub authorization_lifetime: u64,
    /// Seconds for which a proof serves further orders; 0: every order proves anew.
    pub reuse: u64,
    pub limits: Limits,
    pub renewal: RenewalPolicy,
    pub enabled: bool,
}

impl Default for Directory {
    fn default() -> Self {
        Directory {
            name: String::new(),
            authority: None,
            profiles: Vec::new(),
            external_account: ExternalAccount::Required,
            challenges: ChallengeKind::ALL.to_vec(),
            names: Vec::new(),
            wildcards: true,
            terms_of_service: None,
            website: None,
            caa_identities: Vec::new(),
            validation: Rules::default(),
            order_lifetime: 7 * 86_400,
            authorization_lifetime: 30 * 86_400,
            reuse: 0,
            limits: Limits::default(),
            renewal: RenewalPolicy::default(),
            enabled: true,
        }
    }
}

/// All directories, as one snapshot that is swapped whole.
pub(crate) struct Directories {
    current: RwLock<Arc<HashMap<String, Arc<Directory>>>>,
}

impl Directories {
    pub(crate) async fn load(store: &Store) -> Result<Self, AcmeError> {
        Ok(Directories {
            current: RwLock::new(Arc::new(read(store).await?)),
        })
    }

    /// Reads anew.
    pub(crate) async fn refresh(&self, store: &Store) -> Result<(), AcmeError> {
        let read = Arc::new(read(store).await?);
        *self.current.write() = read;
        Ok(())
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<Directory>> {
        self.current.read().get(name).cloned()
    }
}

async fn read(store: &Store) -> Result<HashMap<String, Arc<Directory>>, AcmeError> {
    let mut all = HashMap::new();
    for record in store.records(DIRECTORY_RECORDS).await? {
        let directory: Directory =
            serde_json::from_str(&record.body).map_err(|error| AcmeError::Stored {
                kind: "directory",
                id: record.id.clone(),
                why: error.to_string(),
            })?;
        all.insert(record.id, Arc::new(directory));
    }
    Ok(all)
}
