//! Keys as records (R02): which there are, what they are for, and how each ended. The private halves
//! are `keys`' concern; here is their life: generate → active → retired → destroyed, each an event.

use access::Permit;
use audit::Timestamp;
use keys::{KeyId, KeyRecord, Signer};
use serde::{Deserialize, Serialize};

use crate::{Ca, CaError, Result};

/// The record kind of keys.
pub const KEY_RECORDS: &str = "key";

/// A key as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredKey {
    /// What `keys` needs to use it.
    pub record: KeyRecord,
    /// What it is for: `issuer devices`, `responder devices`, `log`, `tls`.
    pub purpose: String,
    /// Where it stands.
    pub state: KeyState,
}

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// In use.
    Active,
    /// Not used for anything new.
    Retired,
    /// Gone; the record remains.
    Destroyed,
}

impl Ca {
    /// Every key, destroyed ones included.
    pub async fn keys(&self) -> Result<Vec<StoredKey>> {
        Err(CaError::Internal("keys are not built yet"))
    }

    /// A signer for a stored key.
    pub async fn signer(&self, id: &KeyId) -> Result<Signer> {
        let _ = id;
        Err(CaError::Internal("keys are not built yet"))
    }

    /// The signer of the audit log's checkpoints, once `init` has made it.
    pub async fn log_signer(&self) -> Result<Option<Signer>> {
        Err(CaError::Internal("keys are not built yet"))
    }

    /// Takes a key out of use.
    pub async fn retire_key(
        &self,
        permit: Permit,
        id: &KeyId,
        why: &str,
        now: Timestamp,
    ) -> Result<()> {
        let _ = (permit, id, why, now);
        Err(CaError::Internal("keys are not built yet"))
    }

    /// Destroys a retired key: the record remains, the key does not.
    pub async fn destroy_key(
        &self,
        permit: Permit,
        id: &KeyId,
        why: &str,
        now: Timestamp,
    ) -> Result<()> {
        let _ = (permit, id, why, now);
        Err(CaError::Internal("keys are not built yet"))
    }
}
