//! Trust bundles: which authorities an audience trusts, in the formats that its machines read, at addresses that never
//! change what they say (R28, R27).
//!
//! A bundle is a record that names authorities and holds the certificates that this came to; every version is kept.
//! When an authority rotates, the bundle follows with a new version in which the old and the new anchor stand side by
//! side, until the old one ends. Nothing in a bundle is secret: the passwords of its key stores are public.

mod files;
mod manage;
mod resolve;

use std::collections::BTreeMap;
use std::sync::Arc;

use audit::Timestamp;
use ca::Ca;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use store::{Record, Store};
use x509::Certificate;

pub use files::{Format, Published, STORE_PASSWORD};
pub use manage::Preview;

use crate::{FleetError, Result};

/// The kind under which bundles are kept.
pub const BUNDLE_RECORDS: &str = "trust-bundle";

/// Most certificates in one bundle.
pub const MAX_CERTIFICATES: usize = 500;

/// What a bundle is to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Definition {
    /// Part of its addresses.
    pub name: String,
    /// Whose machines it is for.
    pub audience: String,
    /// Authorities of this Ward: of each, the roots that it hangs on.
    pub authorities: Vec<String>,
    /// The issuing CAs as well, for machines that need them at hand.
    pub issuers: bool,
    /// Anchors of others, as PEM.
    #[serde(with = "pem_list")]
    pub foreign: Vec<Certificate>,
}

/// A version of a bundle: what was asked for, and what that came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    pub definition: Definition,
    #[serde(with = "pem_list")]
    pub certificates: Vec<Certificate>,
}

/// A bundle with the number of its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredBundle {
    pub version: u64,
    /// Since when it is so, Unix milliseconds.
    pub since: i64,
    pub bundle: Bundle,
}

/// Files at hand, by bundle and version.
type Kept = BTreeMap<(String, u64), Arc<Published>>;

/// The bundles. Cheap to clone.
#[derive(Clone)]
pub struct Bundles {
    ca: Ca,
    published: Arc<Mutex<Kept>>,
}

impl Bundles {
    pub fn open(ca: Ca) -> Self {
        Self {
            ca,
            published: Arc::default(),
        }
    }

    /// Every bundle in force, by name.
    pub async fn list(&self) -> Result<Vec<StoredBundle>> {
        let records = self.store().records(BUNDLE_RECORDS).await?;
        records.iter().map(read).collect()
    }

    /// The version in force.
    pub async fn bundle(&self, name: &str) -> Result<StoredBundle> {
        match self.store().record(BUNDLE_RECORDS, name).await? {
            Some(record) => read(&record),
            None => Err(FleetError::not_found("bundle", name)),
        }
    }

    /// Every version, the oldest first.
    pub async fn versions(&self, name: &str) -> Result<Vec<StoredBundle>> {
        let records = self.store().record_versions(BUNDLE_RECORDS, name).await?;
        match records.is_empty() {
            true => Err(FleetError::not_found("bundle", name)),
            false => records.iter().map(read).collect(),
        }
    }

    /// One version, also of those that are past. Those of a bundle that was removed are not published any more.
    pub async fn version(&self, name: &str, version: u64) -> Result<StoredBundle> {
        let current = self.bundle(name).await?;
        if current.version == version {
            return Ok(current);
        }
        let versions = self.versions(name).await?;
        let mut versions = versions.into_iter();
        versions
            .find(|stored| stored.version == version)
            .ok_or_else(|| FleetError::not_found("bundle version", &format!("{name} v{version}")))
    }

    fn store(&self) -> &Store {
        self.ca.store()
    }

    /// The certificates that a definition comes to now.
    fn resolve(&self, definition: &Definition, now: Timestamp) -> Result<Vec<Certificate>> {
        resolve::certificates(&self.ca, definition, now)
    }
}

fn read(record: &Record) -> Result<StoredBundle> {
    Ok(StoredBundle {
        version: record.version,
        since: record.valid_from.0,
        bundle: record.parse()?,
    })
}

/// Certificates as a list of PEM texts.
mod pem_list {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use x509::Certificate;

    pub(super) fn serialize<S: Serializer>(
        certificates: &[Certificate],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(certificates.iter().map(Certificate::to_pem))
    }

    /// Each text may hold several certificates, as a file of anchors does.
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Certificate>, D::Error> {
        let mut certificates = Vec::new();
        for text in Vec::<String>::deserialize(deserializer)? {
            let blocks = x509::pem::decode_all(text.as_bytes()).map_err(D::Error::custom)?;
            if blocks.is_empty() {
                return Err(D::Error::custom("an anchor is not a PEM certificate"));
            }
            for block in blocks {
                certificates.push(Certificate::from_der(&block.der).map_err(D::Error::custom)?);
            }
        }
        Ok(certificates)
    }
}
