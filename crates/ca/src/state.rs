//! The snapshot of what changes rarely: settings, authorities, issuers, profiles. Readers hold an
//! `Arc` of it; a change makes a new one.

use std::collections::BTreeMap;
use std::sync::Arc;

use keys::KeyRecord;
use store::{Store, params};
use x509::Certificate;

use crate::authority::{AUTHORITY_RECORDS, Authority, ISSUER_RECORDS, Issuer};
use crate::keyrecords::{KEY_RECORDS, StoredKey};
use crate::profile::{self, Profiles};
use crate::settings::{SETTINGS_RECORDS, Settings};
use crate::{CaError, Result};

pub(crate) struct State {
    pub(crate) mark: Mark,
    pub(crate) settings: Option<Settings>,
    pub(crate) authorities: BTreeMap<String, Authority>,
    pub(crate) issuers: BTreeMap<String, Arc<LoadedIssuer>>,
    pub(crate) profiles: Profiles,
}

/// An issuer with what signing and publishing need at hand.
pub struct LoadedIssuer {
    issuer: Issuer,
    key: Option<KeyRecord>,
    chain: Arc<[Certificate]>,
}

impl LoadedIssuer {
    /// The issuer's record.
    pub fn record(&self) -> &Issuer {
        &self.issuer
    }

    /// Its CA certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.issuer.certificate
    }

    /// Its certificate and those above it, the root left out (unless it is the root).
    pub fn chain(&self) -> &Arc<[Certificate]> {
        &self.chain
    }

    /// Its key's record; `None` when the key is not here.
    pub fn key(&self) -> Option<&KeyRecord> {
        self.key.as_ref()
    }
}

/// Changes whenever a record of the snapshot does: how many versions there are, and the latest end
/// or beginning of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(i64, i64);

const MARK: &str = "SELECT COUNT(*), COALESCE(SUM(CASE WHEN valid_to IS NULL THEN 1 ELSE 0 END), 0) \
    FROM records WHERE kind IN ('settings', 'authority', 'issuer', 'profile', 'key')";

pub(crate) async fn mark(store: &Store) -> Result<Mark> {
    let rows = store.query(MARK, params![]).await?;
    let row = rows.first().ok_or(CaError::Internal("no count"))?;
    Ok(Mark(row.int(0)?, row.int(1)?))
}

impl State {
    pub(crate) async fn load(store: &Store) -> Result<State> {
        // Taken first: a change while reading is noticed by the next look.
        let mark = mark(store).await?;
        let settings = match store.record(SETTINGS_RECORDS, "hierarchy").await? {
            Some(record) => Some(record.parse()?),
            None => None,
        };
        let mut authorities = BTreeMap::new();
        for record in store.records(AUTHORITY_RECORDS).await? {
            authorities.insert(record.id.clone(), record.parse()?);
        }
        let mut keys = BTreeMap::new();
        for record in store.records(KEY_RECORDS).await? {
            let stored: StoredKey = record.parse()?;
            keys.insert(record.id.clone(), stored.record);
        }
        let mut records: BTreeMap<String, Issuer> = BTreeMap::new();
        for record in store.records(ISSUER_RECORDS).await? {
            records.insert(record.id.clone(), record.parse()?);
        }
        let issuers = records
            .values()
            .map(|issuer| (issuer.id.clone(), Arc::new(loaded(issuer, &records, &keys))))
            .collect();
        let profiles = profile::read_versions(store.records(profile::PROFILE_RECORDS).await?)?
            .into_iter()
            .map(|version| (version.profile.name().to_owned(), Arc::new(version)))
            .collect();
        Ok(State {
            mark,
            settings,
            authorities,
            issuers,
            profiles,
        })
    }
}

fn loaded(
    issuer: &Issuer,
    all: &BTreeMap<String, Issuer>,
    keys: &BTreeMap<String, KeyRecord>,
) -> LoadedIssuer {
    LoadedIssuer {
        issuer: issuer.clone(),
        key: issuer
            .key
            .as_ref()
            .and_then(|id| keys.get(id.as_str()))
            .cloned(),
        chain: chain(issuer, all).into(),
    }
}

/// The issuer's certificate and its parents' without the root: clients have the root or do not
/// trust it (RFC 8446 §4.4.2 lets it be left out).
fn chain(issuer: &Issuer, all: &BTreeMap<String, Issuer>) -> Vec<Certificate> {
    let mut chain = vec![issuer.certificate.clone()];
    let mut at = issuer;
    // The path length of a hospital's hierarchy is 2 or 3; a cycle in the records must not hang.
    for _ in 0..8 {
        let Some(parent) = at.parent.as_ref().and_then(|id| all.get(id)) else {
            chain.extend(at.foreign_chain.iter().cloned());
            break;
        };
        if parent.parent.is_none() && parent.foreign_chain.is_empty() {
            break;
        }
        chain.push(parent.certificate.clone());
        at = parent;
    }
    chain
}
