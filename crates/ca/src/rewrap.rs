//! Changing the key-encrypting key: every software key and every secret that other rooms keep as
//! [`SECRET_RECORDS`] is sealed again, and only then is the old key forgotten (R02).

use access::{Action, Permit};
use audit::{Event, Object, Timestamp};
use keys::{KekSource, KeyRecord, LabelledSecret};
use serde_json::json;
use store::Write;

use crate::keyrecords::{KEY_RECORDS, StoredKey};
use crate::{Ca, CaError, Result};

/// The kind under which any room stores a sealed secret: the record's id is the label that it opens
/// under, its body the [`keys::SealedSecret`] alone.
pub const SECRET_RECORDS: &str = "secret";

impl Ca {
    /// Puts a new key-encrypting key in force; says how many keys and secrets were sealed again. A run that was cut off leaves
    /// every key openable and can be repeated.
    pub async fn rewrap_keys(
        &self,
        permit: Permit,
        new: &KekSource,
        now: Timestamp,
    ) -> Result<usize> {
        permit.require(Action::ManageKeys)?;
        let (stored, secrets) = (self.sealed_keys().await?, self.sealed_secrets().await?);
        let before = self.keyring().kek_status();
        let records: Vec<KeyRecord> = stored.iter().map(|(key, _)| key.record.clone()).collect();
        let labelled: Vec<LabelledSecret> = secrets.iter().map(|(it, _)| it.clone()).collect();
        let (keyring, source) = (self.keyring().clone(), new.clone());
        // A passphrase takes argon2 a second of work.
        let resealed =
            tokio::task::spawn_blocking(move || keyring.rewrap(&records, &labelled, &source));
        let (resealed, resealed_secrets) = resealed
            .await
            .map_err(|_| CaError::Interrupted("sealing keys"))??;

        let after = self.keyring().kek_status();
        let object = Object::new("kek", after.fingerprint.as_str());
        let event = Event::new(now, permit.actor().clone(), "key.rewrap", object)
            .before(json!({ "source": before.source.to_string(), "fingerprint": before.fingerprint }))
            .after(json!({ "source": after.source.to_string(), "fingerprint": after.fingerprint, "keys": stored.len(), "secrets": secrets.len() }));
        let mut write = Write::new(event)?;
        for ((key, version), record) in stored.iter().zip(resealed) {
            let key = StoredKey {
                record,
                ..key.clone()
            };
            write = write.put_record(KEY_RECORDS, key.record.id.as_str(), *version, &key, now)?;
        }
        for ((_, version), (label, sealed)) in secrets.iter().zip(resealed_secrets) {
            write = write.put_record(SECRET_RECORDS, &label, *version, &sealed, now)?;
        }
        self.store().commit(write).await?;
        // Read anew: a key that was made in the meantime counts as well.
        let records: Vec<KeyRecord> = self
            .sealed_keys()
            .await?
            .into_iter()
            .map(|(key, _)| key.record)
            .collect();
        let labelled: Vec<LabelledSecret> = self
            .sealed_secrets()
            .await?
            .into_iter()
            .map(|(secret, _)| secret)
            .collect();
        self.keyring().finish_rewrap(&records, &labelled)?;
        self.refresh().await?;
        Ok(stored.len() + secrets.len())
    }

    async fn sealed_keys(&self) -> Result<Vec<(StoredKey, u64)>> {
        let mut sealed = Vec::new();
        for record in self.store().records(KEY_RECORDS).await? {
            let key: StoredKey = record.parse()?;
            if key.record.sealed.is_some() {
                sealed.push((key, record.version));
            }
        }
        Ok(sealed)
    }

    async fn sealed_secrets(&self) -> Result<Vec<(LabelledSecret, u64)>> {
        let mut sealed = Vec::new();
        for record in self.store().records(SECRET_RECORDS).await? {
            let secret = record.parse()?;
            sealed.push(((record.id, secret), record.version));
        }
        Ok(sealed)
    }
}
