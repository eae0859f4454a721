//! Making a root: its key goes to the carried directory, or stays because somebody said so (R01).

use audit::Timestamp;
use keys::{Backend, Signer};
use x509::{KeyAlgorithm, Name};

use super::certify::{self, Wanted};
use super::{Constraints, IssuerRecord, IssuerState, carried};
use crate::init::RootKey;
use crate::keyrecords::StoredKey;
use crate::profile::Duration;
use crate::{Ca, CaError, Result};

/// A root on its way into the database.
pub(crate) struct MadeRoot {
    pub(crate) record: IssuerRecord,
    pub(crate) signer: Signer,
    pub(crate) stored: Option<StoredKey>,
    pub(crate) files: Vec<std::path::PathBuf>,
}

impl Ca {
    /// A new self-signed root and where its key went.
    #[allow(clippy::too_many_arguments)]
    pub(crate) async fn make_root(
        &self,
        name: &str,
        generation: u32,
        base_url: &str,
        subject: Name,
        algorithm: KeyAlgorithm,
        validity: Duration,
        root_key: &RootKey,
        now: Timestamp,
    ) -> Result<MadeRoot> {
        let id = if generation == 1 {
            name.to_owned()
        } else {
            format!("{name}-g{generation}")
        };
        let backend = match root_key {
            RootKey::Carry(_) => Backend::Software,
            RootKey::KeepOnline(backend) => backend.clone(),
        };
        let key = self.generate_key(algorithm, &backend, &id, now).await?;
        let signer = self.keyring().load(&key)?;
        let wanted = Wanted {
            subject,
            key: signer.public_key(),
            path_length: None,
            constraints: &Constraints::default(),
            validity,
            base_url,
        };
        let certificate = certify::root(&wanted, &signer, now)?.sign(&signer)?;
        let mut record = IssuerRecord {
            id: id.clone(),
            authority: name.to_owned(),
            generation,
            state: IssuerState::Active,
            key: Some(key.id.clone()),
            algorithm,
            certificate,
            cross: Vec::new(),
            parent: None,
            foreign_chain: Vec::new(),
        };
        let RootKey::Carry(carry) = root_key else {
            let stored = Some(StoredKey::new(key, format!("issuer {id}")));
            return Ok(MadeRoot {
                record,
                signer,
                stored,
                files: Vec::new(),
            });
        };
        record.key = None;
        record.state = IssuerState::Offline;
        let (keyring, passphrase, exported) = (
            self.keyring().clone(),
            carry.passphrase.clone(),
            key.clone(),
        );
        let pem = tokio::task::spawn_blocking(move || {
            keyring.export_pkcs8_encrypted(&exported, &passphrase)
        })
        .await
        .map_err(|_| CaError::Interrupted("writing the root key"))??;
        let key_file = carried::key_path(carry, &id);
        carried::write_new(&key_file, pem.as_bytes(), true)?;
        let certificate_file = carry.directory.join(format!("{id}.pem"));
        carried::write_new(
            &certificate_file,
            record.certificate.to_pem().as_bytes(),
            false,
        )?;
        Ok(MadeRoot {
            record,
            signer,
            stored: None,
            files: vec![key_file, certificate_file],
        })
    }
}
