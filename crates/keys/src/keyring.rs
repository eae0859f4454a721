//! The ring of keys of one data directory: makes, loads, re-seals, exports and destroys them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, MutexGuard};
use x509::{KeyAlgorithm, PublicKey};
use zeroize::Zeroizing;

use crate::kek::{KekRing, KekSource, KekStatus, Places};
use crate::pkcs11::{Pkcs11Config, Token, TokenKey, TokenStatus};
use crate::record::{Backend, KeyId, KeyRecord, KeyUse, SealedSecret};
use crate::signer::{Loaded, Signer};
use crate::software::SoftwareKey;
use crate::{KeyError, offline};

#[derive(Clone, Debug)]
pub struct KeyringConfig {
    /// Holds `kek.json` and, for [`KekSource::GeneratedFile`], the key itself.
    pub data_dir: PathBuf,
    pub kek: KekSource,
    /// Where systemd puts credentials.
    pub credentials_dir: Option<PathBuf>,
    pub pkcs11: Vec<Pkcs11Config>,
}

impl KeyringConfig {
    /// A generated key-encrypting key, no tokens, credentials where systemd says.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            kek: KekSource::GeneratedFile,
            credentials_dir: std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
            pkcs11: Vec::new(),
        }
    }
}

/// A sealed secret with the label that it opens under.
pub type LabelledSecret = (String, SealedSecret);

#[derive(Clone)]
pub struct Keyring(Arc<Inner>);

struct Inner {
    kek: Mutex<KekRing>,
    tokens: Vec<Arc<Token>>,
    /// Live signers, so that a key is in memory once and destroying it stops all of them.
    loaded: Mutex<HashMap<KeyId, Weak<Loaded>>>,
}

impl Keyring {
    /// Opens the key-encrypting key, making one at the first start. Tokens are contacted when they
    /// are first needed: what needs no token works while a token is away.
    pub fn open(config: KeyringConfig) -> Result<Self, KeyError> {
        exclude_memory_from_core_dumps();
        let places = Places {
            data: config.data_dir,
            credentials: config.credentials_dir,
        };
        Ok(Self(Arc::new(Inner {
            kek: Mutex::new(KekRing::open(places, config.kek)?),
            tokens: config
                .pkcs11
                .into_iter()
                .map(|token| Arc::new(Token::new(token)))
                .collect(),
            loaded: Mutex::default(),
        })))
    }

    /// What protects the software keys, for `ward status`.
    pub fn kek_status(&self) -> KekStatus {
        self.0.kek.lock().status()
    }

    /// Every configured token and whether it can be used now.
    pub fn token_status(&self) -> Vec<TokenStatus> {
        self.0.tokens.iter().map(|token| token.status()).collect()
    }

    /// Makes a key. `now` is Unix seconds, for the record.
    pub fn generate(
        &self,
        algorithm: KeyAlgorithm,
        backend: &Backend,
        label: &str,
        now: i64,
    ) -> Result<KeyRecord, KeyError> {
        self.generate_for(KeyUse::Sign, algorithm, backend, label, now)
    }

    /// Makes a key for more than signing. In software any RSA key can decipher; a token has to be told.
    pub fn generate_for(
        &self,
        usage: KeyUse,
        algorithm: KeyAlgorithm,
        backend: &Backend,
        label: &str,
        now: i64,
    ) -> Result<KeyRecord, KeyError> {
        match backend {
            Backend::Software => self.seal(&SoftwareKey::generate(algorithm)?, label, now),
            Backend::Pkcs11 { token } => {
                let id = KeyId::random()?;
                let public = self.token(token)?.generate(usage, algorithm, &id, label)?;
                Ok(KeyRecord {
                    id,
                    algorithm,
                    backend: backend.clone(),
                    spki_der: public.spki_der().to_vec(),
                    sealed: None,
                    label: label.to_owned(),
                    created: now,
                })
            }
        }
    }

    /// Takes in a software key that was made elsewhere. Known-weak keys are refused.
    pub fn seal_import(&self, pkcs8: &[u8], label: &str, now: i64) -> Result<KeyRecord, KeyError> {
        let key = SoftwareKey::from_pkcs8(pkcs8)?;
        if key.public_key()?.weakness().is_some() {
            return Err(KeyError::BadPrivateKey(
                "the key is of a kind known to be weak",
            ));
        }
        self.seal(&key, label, now)
    }

    /// Makes a record ready to sign. The public key of the record is what signatures verify under.
    pub fn load(&self, record: &KeyRecord) -> Result<Signer, KeyError> {
        let mut loaded = self.0.loaded.lock();
        if let Some(live) = loaded.get(&record.id).and_then(Weak::upgrade)
            && live.is_for(&record.spki_der)
        {
            return Ok(Signer(live));
        }
        let signer = match &record.backend {
            Backend::Software => self.unseal(record)?,
            Backend::Pkcs11 { token } => {
                let key = TokenKey::new(Arc::clone(self.token(token)?), record.id.clone());
                let public = public_key(record)?;
                Signer::token(record.id.clone(), record.algorithm, public, key)
            }
        };
        loaded.retain(|_, live| live.strong_count() > 0);
        loaded.insert(record.id.clone(), Arc::downgrade(&signer.0));
        Ok(signer)
    }

    /// A key for the purpose that `label` names, derived from the key-encrypting key: the same on
    /// every node that shares it, another one after it was changed, stored nowhere.
    pub fn derive(&self, label: &str) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        self.kek()?.current().derive(label)
    }

    /// Seals a secret for the database. `label` says whose it is; [`Self::open_secret`] insists on it.
    pub fn seal_secret(&self, label: &str, secret: &[u8]) -> Result<SealedSecret, KeyError> {
        self.kek()?.current().seal_secret(label, secret)
    }

    /// The secret that was sealed under `label`.
    pub fn open_secret(
        &self,
        label: &str,
        sealed: &SealedSecret,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.kek()?.find(&sealed.kek)?.open_secret(label, sealed)
    }

    /// First half of a change of the key-encrypting key: puts `new` in force and returns records
    /// and secrets sealed under it, for the caller to store. Until [`Self::finish_rewrap`] both
    /// keys are kept, so that a crash in between leaves old and new ones openable.
    pub fn rewrap(
        &self,
        records: &[KeyRecord],
        secrets: &[LabelledSecret],
        new: &KekSource,
    ) -> Result<(Vec<KeyRecord>, Vec<LabelledSecret>), KeyError> {
        let mut kek = self.kek()?;
        // Everything must open before anything changes.
        let opened: Vec<_> = records
            .iter()
            .map(|record| match &record.sealed {
                Some(sealed) => kek.find(&sealed.kek)?.open(record, sealed).map(Some),
                None => Ok(None),
            })
            .collect::<Result<_, _>>()?;
        let opened_secrets: Vec<_> = secrets
            .iter()
            .map(|(label, sealed)| kek.find(&sealed.kek)?.open_secret(label, sealed))
            .collect::<Result<_, _>>()?;
        *kek = kek.rotate(new)?;
        let reseal = |record: &KeyRecord, pkcs8: Option<&Zeroizing<Vec<u8>>>| {
            let seal = |pkcs8: &Zeroizing<Vec<u8>>| {
                kek.current()
                    .seal(&record.id, record.algorithm, &record.spki_der, pkcs8)
            };
            Ok(KeyRecord {
                sealed: pkcs8.map(seal).transpose()?,
                ..record.clone()
            })
        };
        let records = records
            .iter()
            .zip(&opened)
            .map(|(record, pkcs8)| reseal(record, pkcs8.as_ref()))
            .collect::<Result<_, KeyError>>()?;
        let secrets = secrets
            .iter()
            .zip(&opened_secrets)
            .map(|((label, _), secret)| {
                Ok((label.clone(), kek.current().seal_secret(label, secret)?))
            })
            .collect::<Result<_, KeyError>>()?;
        Ok((records, secrets))
    }

    /// Second half: forgets former keys, once every stored record and secret is under the new one.
    pub fn finish_rewrap(
        &self,
        records: &[KeyRecord],
        secrets: &[LabelledSecret],
    ) -> Result<(), KeyError> {
        let mut kek = self.kek()?;
        let current = kek.current().fingerprint();
        let behind = records
            .iter()
            .filter_map(|record| record.sealed.as_ref())
            .map(|sealed| &sealed.kek)
            .chain(secrets.iter().map(|(_, sealed)| &sealed.kek))
            .filter(|sealed_under| *sealed_under != current)
            .count();
        if behind > 0 {
            return Err(KeyError::KekInUse(behind));
        }
        *kek = kek.forget_former()?;
        Ok(())
    }

    /// Destroys a key: in the token, or by forgetting its sealed form. Signers already handed out
    /// stop at once. Returns the record to keep: who and what, without any key.
    pub fn destroy(&self, record: &KeyRecord) -> Result<KeyRecord, KeyError> {
        if let Backend::Pkcs11 { token } = &record.backend {
            self.token(token)?.destroy(&record.id)?;
        }
        if let Some(live) = self
            .0
            .loaded
            .lock()
            .remove(&record.id)
            .and_then(|w| w.upgrade())
        {
            live.mark_destroyed();
        }
        Ok(KeyRecord {
            sealed: None,
            ..record.clone()
        })
    }

    /// A software key as an encrypted PEM file, to be carried away. Keys in tokens stay there.
    pub fn export_pkcs8_encrypted(
        &self,
        record: &KeyRecord,
        passphrase: &str,
    ) -> Result<String, KeyError> {
        if record.backend != Backend::Software {
            return Err(KeyError::NotExportable(record.id.clone()));
        }
        offline::encrypt(&self.load(record)?.to_pkcs8()?, passphrase)
    }

    fn seal(&self, key: &SoftwareKey, label: &str, now: i64) -> Result<KeyRecord, KeyError> {
        let public = key.public_key()?;
        let algorithm = KeyAlgorithm::of(&public).ok_or(KeyError::BadPrivateKey(
            "a key of this kind or size is not used",
        ))?;
        let id = KeyId::random()?;
        let spki_der = public.spki_der().to_vec();
        let sealed = self
            .kek()?
            .current()
            .seal(&id, algorithm, &spki_der, &key.to_pkcs8()?)?;
        Ok(KeyRecord {
            id,
            algorithm,
            backend: Backend::Software,
            spki_der,
            sealed: Some(sealed),
            label: label.to_owned(),
            created: now,
        })
    }

    fn unseal(&self, record: &KeyRecord) -> Result<Signer, KeyError> {
        let sealed = record
            .sealed
            .as_ref()
            .ok_or_else(|| KeyError::NothingSealed(record.id.clone()))?;
        let pkcs8 = self.kek()?.find(&sealed.kek)?.open(record, sealed)?;
        let key = SoftwareKey::from_pkcs8(&pkcs8)?;
        let public = key.public_key()?;
        if public.spki_der() != record.spki_der
            || KeyAlgorithm::of(&public) != Some(record.algorithm)
        {
            return Err(KeyError::Tampered(record.id.clone()));
        }
        Ok(Signer::software(
            record.id.clone(),
            record.algorithm,
            public,
            key,
        ))
    }

    /// The key-encrypting keys as they stand on disk now. Needed to load and make keys, not to sign.
    fn kek(&self) -> Result<MutexGuard<'_, KekRing>, KeyError> {
        let mut kek = self.0.kek.lock();
        if let Some(changed) = kek.changed_elsewhere()? {
            *kek = changed;
        }
        Ok(kek)
    }

    fn token(&self, label: &str) -> Result<&Arc<Token>, KeyError> {
        self.0
            .tokens
            .iter()
            .find(|token| token.label() == label)
            .ok_or_else(|| KeyError::UnknownToken(label.to_owned()))
    }
}

/// A key pair for a subscriber: handed over once as PKCS#8, never sealed, never stored.
pub fn generate_for_subscriber(
    algorithm: KeyAlgorithm,
) -> Result<(Zeroizing<Vec<u8>>, PublicKey), KeyError> {
    let key = SoftwareKey::generate(algorithm)?;
    Ok((key.to_pkcs8()?, key.public_key()?))
}

fn public_key(record: &KeyRecord) -> Result<PublicKey, KeyError> {
    let public = PublicKey::from_spki_der(&record.spki_der)
        .map_err(|_| KeyError::Tampered(record.id.clone()))?;
    if KeyAlgorithm::of(&public) == Some(record.algorithm) {
        Ok(public)
    } else {
        Err(KeyError::Tampered(record.id.clone()))
    }
}

/// Keeps this process's memory out of core dumps (core(5), `coredump_filter`). The systemd unit
/// sets `LimitCORE=0` as well; where /proc is not writable this is all that is lost.
fn exclude_memory_from_core_dumps() {
    if let Err(error) = std::fs::write("/proc/self/coredump_filter", "0") {
        tracing::debug!(%error, "memory is not excluded from core dumps");
    }
}
