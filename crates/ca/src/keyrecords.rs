//! Keys as records (R02): which there are, what they are for, and how each ended. The private halves
//! are `keys`' concern; here is their life: generate → active → retired → destroyed, each an event.

use access::{Action, Permit, Refusal};
use audit::{Actor, Event, Object, Timestamp};
use keys::{Backend, KeyId, KeyRecord, Signer};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Write;
use x509::KeyAlgorithm;

use crate::authority::IssuerState;
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

impl StoredKey {
    /// A key that has just been made.
    pub fn new(record: KeyRecord, purpose: impl Into<String>) -> Self {
        StoredKey {
            record,
            purpose: purpose.into(),
            state: KeyState::Active,
        }
    }

    pub(crate) fn is_usable(&self) -> bool {
        self.state != KeyState::Destroyed
    }

    /// Adds to `write` that this key was made.
    pub fn put_new(&self, write: Write, actor: Actor, now: Timestamp) -> Result<Write> {
        let id = self.record.id.as_str();
        let event = Event::new(now, actor, "key.generate", Object::new("key", id))
            .after(self.public_facts());
        Ok(write
            .event(event)?
            .put_record(KEY_RECORDS, id, 0, self, now)?)
    }

    fn public_facts(&self) -> serde_json::Value {
        json!({
            "purpose": self.purpose,
            "state": self.state,
            "algorithm": self.record.algorithm,
            "backend": self.record.backend,
            "public_key_sha256": hex::encode(audit::merkle::sha256(&self.record.spki_der)),
        })
    }
}

impl Ca {
    /// Makes a key without storing it: [`StoredKey::put_new`] does, in the write that gives it a
    /// purpose. Tokens and RSA take their time, so it runs off the threads that answer requests.
    pub async fn generate_key(
        &self,
        algorithm: KeyAlgorithm,
        backend: &Backend,
        label: &str,
        now: Timestamp,
    ) -> Result<KeyRecord> {
        let (keyring, backend, label) = (self.keyring().clone(), backend.clone(), label.to_owned());
        let made = tokio::task::spawn_blocking(move || {
            keyring.generate(algorithm, &backend, &label, now.0.div_euclid(1000))
        });
        Ok(made
            .await
            .map_err(|_| CaError::Interrupted("key generation"))??)
    }

    /// Every key, destroyed ones included.
    pub async fn keys(&self) -> Result<Vec<StoredKey>> {
        let records = self.store().records(KEY_RECORDS).await?;
        records
            .iter()
            .map(|record| record.parse().map_err(CaError::from))
            .collect()
    }

    /// A signer for a stored key.
    pub async fn signer(&self, id: &KeyId) -> Result<Signer> {
        let (stored, _) = self.stored_key(id).await?;
        Ok(self.keyring().load(&stored.record)?)
    }

    /// The signer of the audit log's checkpoints, once `init` has made it.
    pub async fn log_signer(&self) -> Result<Option<Signer>> {
        match self.settings() {
            Some(settings) => self.signer(&settings.log_key).await.map(Some),
            None => Ok(None),
        }
    }

    /// Takes a key out of use. A key that an active issuer signs with, or the log, is refused.
    pub async fn retire_key(
        &self,
        permit: Permit,
        id: &KeyId,
        why: &str,
        now: Timestamp,
    ) -> Result<()> {
        permit.require(Action::ManageKeys)?;
        if let Some(user) = self.user_of(id, false) {
            return Err(self
                .refuse_key(&permit, "key.retire", "key.in-use", id, &user, now)
                .await);
        }
        let (mut stored, version) = self.stored_key(id).await?;
        if stored.state != KeyState::Active {
            return Ok(());
        }
        stored.state = KeyState::Retired;
        self.put_key(&permit, "key.retire", &stored, version, why, now)
            .await
    }

    /// Destroys a retired key: the record remains, the key does not. A key that still signs status
    /// for anybody is refused.
    pub async fn destroy_key(
        &self,
        permit: Permit,
        id: &KeyId,
        why: &str,
        now: Timestamp,
    ) -> Result<()> {
        permit.require(Action::ManageKeys)?;
        let (mut stored, version) = self.stored_key(id).await?;
        if let Some(user) = self.user_of(id, true) {
            return Err(self
                .refuse_key(&permit, "key.destroy", "key.in-use", id, &user, now)
                .await);
        }
        if stored.state == KeyState::Active {
            let why = "active: it has to be retired first";
            return Err(self
                .refuse_key(&permit, "key.destroy", "key.active", id, why, now)
                .await);
        }
        if stored.state == KeyState::Destroyed {
            return Ok(());
        }
        // The key goes first: a record that says "destroyed" while the key lives would be a lie;
        // one that says "retired" of a key that is gone is put right by doing this again.
        let (keyring, record) = (self.keyring().clone(), stored.record.clone());
        stored.record = tokio::task::spawn_blocking(move || keyring.destroy(&record))
            .await
            .map_err(|_| CaError::Interrupted("key destruction"))??;
        stored.state = KeyState::Destroyed;
        self.put_key(&permit, "key.destroy", &stored, version, why, now)
            .await
    }

    /// Who needs the key; with `status`, also those who only sign CRLs with it.
    fn user_of(&self, id: &KeyId, status: bool) -> Option<String> {
        if self
            .settings()
            .is_some_and(|settings| settings.log_key == *id)
        {
            return Some("the audit log signs with it".to_owned());
        }
        let state = self.state();
        state
            .issuers
            .values()
            .find(|issuer| {
                issuer.record().key.as_ref() == Some(id)
                    && (status || issuer.record().state == IssuerState::Active)
            })
            .map(|issuer| format!("the issuer {} signs with it", issuer.name()))
    }

    async fn refuse_key(
        &self,
        permit: &Permit,
        action: &'static str,
        rule: &'static str,
        id: &KeyId,
        why: &str,
        now: Timestamp,
    ) -> CaError {
        let refusal = Refusal::new(rule, "R02", format!("key {id}: {why}"));
        let object = Object::new("key", id.as_str());
        self.refuse(refusal, permit.principal(), action, object, None, now)
            .await
    }

    async fn stored_key(&self, id: &KeyId) -> Result<(StoredKey, u64)> {
        let record = self.store().record(KEY_RECORDS, id.as_str()).await?;
        let record = record.ok_or_else(|| CaError::not_found("key", id.as_str()))?;
        Ok((record.parse()?, record.version))
    }

    async fn put_key(
        &self,
        permit: &Permit,
        action: &'static str,
        stored: &StoredKey,
        version: u64,
        why: &str,
        now: Timestamp,
    ) -> Result<()> {
        let id = stored.record.id.as_str();
        let event = Event::new(now, permit.actor().clone(), action, Object::new("key", id))
            .why(why)
            .after(stored.public_facts());
        let write = Write::new(event)?.put_record(KEY_RECORDS, id, version, stored, now)?;
        self.store().commit(write).await?;
        self.refresh().await
    }
}
