//! The snapshot of what changes rarely: settings, authorities, issuers, profiles. Readers hold an
//! `Arc` of it; a change makes a new one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use keys::{KeyRecord, Keyring, Signer};
use store::{Store, params};
use x509::ext::{AuthorityKeyId, BasicConstraints, ExtensionValue, SubjectKeyId};
use x509::{Certificate, Extension, SignatureAlgorithm, Time};

use crate::authority::{AUTHORITY_RECORDS, Authority, ISSUER_RECORDS, IssuerRecord};
use crate::issuance::{Partitions, Templates};
use crate::keyrecords::{KEY_RECORDS, StoredKey};
use crate::profile::{self, Profiles};
use crate::settings::{SETTINGS_RECORDS, Settings};
use crate::{CaError, Result};

pub(crate) struct State {
    pub(crate) mark: Mark,
    pub(crate) settings: Option<Arc<Settings>>,
    pub(crate) authorities: BTreeMap<String, Authority>,
    pub(crate) issuers: BTreeMap<String, Arc<Issuer>>,
    pub(crate) profiles: Profiles,
    /// SubjectPublicKeyInfo of every CA key: nobody else may be certified with one of these.
    pub(crate) ca_keys: BTreeSet<Vec<u8>>,
}

/// An issuer with what signing and publishing need at hand.
pub struct Issuer {
    record: IssuerRecord,
    key: Option<KeyRecord>,
    keyring: Keyring,
    /// Filled at first use: a token that is away now may be back later.
    signer: OnceLock<Signer>,
    chain: Arc<[Certificate]>,
    key_id: Vec<u8>,
    path_length: Option<u32>,
    pub(crate) templates: Templates,
    pub(crate) partitions: Arc<Partitions>,
}

impl Issuer {
    /// Its id: what URLs and rows call it.
    pub fn name(&self) -> &str {
        &self.record.id
    }

    /// The issuer's record.
    pub fn record(&self) -> &IssuerRecord {
        &self.record
    }

    /// Its CA certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.record.certificate
    }

    /// Its certificate and those above it, the root left out (unless it is the root).
    pub fn chain(&self) -> &Arc<[Certificate]> {
        &self.chain
    }

    /// Its key's record; `None` when the key is not here.
    pub fn key(&self) -> Option<&KeyRecord> {
        self.key.as_ref()
    }

    /// What signs for it; `None` when the key was carried away or its token cannot be reached.
    pub fn signer(&self) -> Option<&Signer> {
        if let Some(signer) = self.signer.get() {
            return Some(signer);
        }
        match self.keyring.load(self.key.as_ref()?) {
            Ok(signer) => Some(self.signer.get_or_init(|| signer)),
            Err(error) => {
                tracing::warn!(issuer = self.name(), %error, "the key cannot be used");
                None
            }
        }
    }

    /// How it signs.
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.record.algorithm.default_signature()
    }

    /// The key identifier in its certificate.
    pub fn key_id(&self) -> &[u8] {
        &self.key_id
    }

    /// The authorityKeyIdentifier of what it signs.
    pub fn authority_key_id(&self) -> Extension {
        AuthorityKeyId::from_key_id(&self.key_id).encode()
    }

    /// How many CAs may stand below it; `None` is any number.
    pub fn path_length(&self) -> Option<u32> {
        self.path_length
    }

    /// Its end.
    pub fn not_after(&self) -> Time {
        self.certificate().not_after()
    }
}

/// Changes whenever a record of the snapshot does: how many versions there are, and how many of
/// them are in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(i64, i64);

const MARK: &str = "SELECT COUNT(*), COALESCE(SUM(CASE WHEN valid_to IS NULL THEN 1 ELSE 0 END), 0) \
    FROM records WHERE kind IN ('settings', 'authority', 'issuer', 'profile', 'key')";

pub(crate) async fn mark(store: &Store) -> Result<Mark> {
    let rows = store.query(MARK, params![]).await?;
    let row = rows.first().ok_or(CaError::Damaged("records"))?;
    Ok(Mark(row.int(0)?, row.int(1)?))
}

impl State {
    /// Reads the snapshot. Counters of partitions live on across snapshots.
    pub(crate) async fn load(
        store: &Store,
        keyring: &Keyring,
        before: Option<&State>,
    ) -> Result<State> {
        // Taken first: a change while reading is noticed by the next look.
        let mark = mark(store).await?;
        let settings = match store.record(SETTINGS_RECORDS, "hierarchy").await? {
            Some(record) => Some(Arc::new(record.parse()?)),
            None => None,
        };
        let mut authorities = BTreeMap::new();
        for record in store.records(AUTHORITY_RECORDS).await? {
            authorities.insert(record.id.clone(), record.parse()?);
        }
        let mut keys = BTreeMap::new();
        for record in store.records(KEY_RECORDS).await? {
            let stored: StoredKey = record.parse()?;
            if stored.is_usable() {
                keys.insert(record.id.clone(), stored.record);
            }
        }
        let mut records: BTreeMap<String, IssuerRecord> = BTreeMap::new();
        for record in store.records(ISSUER_RECORDS).await? {
            records.insert(record.id.clone(), record.parse()?);
        }
        let mut issuers = BTreeMap::new();
        for record in records.values() {
            let known = before.and_then(|state| state.issuers.get(&record.id));
            let issuer = issuer(record, &records, &keys, keyring, known)?;
            issuers.insert(record.id.clone(), Arc::new(issuer));
        }
        let profiles = profile::read_versions(store.records(profile::PROFILE_RECORDS).await?)?
            .into_iter()
            .map(|version| (version.profile.name().to_owned(), Arc::new(version)))
            .collect();
        let ca_keys = records
            .values()
            .map(|record| record.certificate.spki_der().to_vec())
            .collect();
        Ok(State {
            mark,
            settings,
            authorities,
            issuers,
            profiles,
            ca_keys,
        })
    }
}

fn issuer(
    record: &IssuerRecord,
    all: &BTreeMap<String, IssuerRecord>,
    keys: &BTreeMap<String, KeyRecord>,
    keyring: &Keyring,
    before: Option<&Arc<Issuer>>,
) -> Result<Issuer> {
    let unreadable = |error: x509::Error| CaError::stored("issuer", &record.id, error);
    let key_id = match record
        .certificate
        .ext::<SubjectKeyId>()
        .map_err(unreadable)?
    {
        Some(key_id) => key_id.0,
        None => record
            .certificate
            .public_key()
            .map_err(unreadable)?
            .key_id()
            .to_vec(),
    };
    let constraints = record.certificate.ext::<BasicConstraints>();
    let key = record.key.as_ref().and_then(|id| keys.get(id.as_str()));
    Ok(Issuer {
        record: record.clone(),
        key: key.cloned(),
        keyring: keyring.clone(),
        signer: OnceLock::new(),
        chain: chain(record, all).into(),
        key_id,
        path_length: constraints
            .map_err(unreadable)?
            .and_then(|found| found.path_len),
        templates: Templates::default(),
        partitions: before.map_or_else(Arc::default, |known| Arc::clone(&known.partitions)),
    })
}

/// The issuer's certificate and its parents' without the root: clients have the root or do not
/// trust it (RFC 8446 §4.4.2 lets it be left out).
fn chain(issuer: &IssuerRecord, all: &BTreeMap<String, IssuerRecord>) -> Vec<Certificate> {
    let mut chain = vec![issuer.certificate.clone()];
    let mut at = issuer;
    // The path length of a hospital's hierarchy is 2 or 3; a cycle in the records must not hang.
    for _ in 0..8 {
        let Some(parent) = at.parent.as_ref().and_then(|id| all.get(id)) else {
            chain.extend(at.foreign_chain.iter().cloned());
            break;
        };
        if parent.parent.is_none() && parent.foreign_chain.is_empty() {
            // Whoever trusts only the root before this one needs its cross-certificate.
            chain.extend(parent.cross.last().cloned());
            break;
        }
        chain.push(parent.certificate.clone());
        at = parent;
    }
    chain
}
