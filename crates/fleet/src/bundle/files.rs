//! A version of a bundle as files: PEM, DER, PKCS #7, and the two key stores of Java.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;

use audit::merkle::sha256;
use serde::Serialize;
use x509::jks::{self, TrustedEntry};
use x509::pkcs12::{self, TrustedCertificate};
use x509::{Certificate, pkcs7};

use super::{Bundles, StoredBundle};
use crate::{FleetError, Result};

/// Of both key stores. Java insists on one; there is nothing in them to protect.
pub const STORE_PASSWORD: &str = "changeit";

/// Stretching a password that everybody knows would only keep devices busy.
const ITERATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(2047);

/// Versions whose files are kept at hand.
const KEPT: usize = 64;

/// What machines read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Pem,
    /// Only of a bundle with one certificate: DER holds no list.
    Der,
    P7b,
    Jks,
    P12,
}

impl Format {
    pub const ALL: [Self; 5] = [Self::Pem, Self::Der, Self::P7b, Self::Jks, Self::P12];

    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Pem => "pem",
            Self::Der => "der",
            Self::P7b => "p7b",
            Self::Jks => "jks",
            Self::P12 => "p12",
        }
    }

    /// RFC 8555 §9.1, RFC 2585 §4.1, RFC 5751 §3.2.2, and what Java and RFC 7292's readers are sent.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Pem => "application/pem-certificate-chain",
            Self::Der => "application/pkix-cert",
            Self::P7b => "application/x-pkcs7-certificates",
            Self::Jks => "application/x-java-keystore",
            Self::P12 => "application/x-pkcs12",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.suffix())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|format| format.suffix() == text);
        found.ok_or_else(|| format!("{text:?} is no format: pem, der, p7b, jks or p12"))
    }
}

/// The files of one version, made once: a key store in PKCS #12 takes milliseconds and has a salt.
#[derive(Debug)]
pub struct Published {
    pub stored: StoredBundle,
    files: Vec<(Format, Vec<u8>)>,
}

impl Published {
    pub fn file(&self, format: Format) -> Option<&[u8]> {
        let mut files = self.files.iter();
        let found = files.find(|(candidate, _)| *candidate == format);
        found.map(|(_, bytes)| bytes.as_slice())
    }

    /// What can be fetched, with its digest.
    pub fn formats(&self) -> impl Iterator<Item = (Format, [u8; 32])> {
        self.files
            .iter()
            .map(|(format, bytes)| (*format, sha256(bytes)))
    }
}

impl Bundles {
    /// The files of a version, or of the one in force.
    pub async fn published(&self, name: &str, version: Option<u64>) -> Result<Arc<Published>> {
        let stored = match version {
            Some(version) => self.version(name, version).await?,
            None => self.bundle(name).await?,
        };
        let key = (name.to_owned(), stored.version);
        if let Some(published) = self.published.lock().get(&key) {
            return Ok(Arc::clone(published));
        }
        let made = Arc::new(publish(stored)?);
        let mut kept = self.published.lock();
        if kept.len() >= KEPT {
            kept.clear();
        }
        Ok(Arc::clone(kept.entry(key).or_insert(made)))
    }
}

fn publish(stored: StoredBundle) -> Result<Published> {
    let certificates = &stored.bundle.certificates;
    let names: Vec<String> = certificates.iter().map(alias).collect();
    let entries: Vec<TrustedEntry> = certificates
        .iter()
        .zip(&names)
        .map(|(certificate, alias)| TrustedEntry {
            alias: alias.clone(),
            created: stored.since,
            certificate: certificate.clone(),
        })
        .collect();
    let trusted: Vec<TrustedCertificate<'_>> = certificates
        .iter()
        .zip(&names)
        .map(|(certificate, friendly_name)| TrustedCertificate {
            certificate,
            friendly_name,
        })
        .collect();
    let pem: String = certificates.iter().map(pem_with_name).collect();
    let none: [&[u8]; 0] = [];
    let failed = |_| FleetError::Damaged("a trust bundle cannot be written");
    let jks = jks::build(&entries, STORE_PASSWORD).map_err(failed)?;
    let p12 = pkcs12::build_trust_store(&trusted, STORE_PASSWORD, ITERATIONS)
        .map_err(|_| FleetError::Damaged("a trust bundle cannot be written"))?;
    let mut files = vec![
        (Format::Pem, pem.into_bytes()),
        (
            Format::P7b,
            pkcs7::build(certificates.iter().map(Certificate::der), none),
        ),
        (Format::Jks, jks),
        (Format::P12, p12.to_vec()),
    ];
    if let [only] = certificates.as_slice() {
        files.push((Format::Der, only.der().to_vec()));
    }
    Ok(Published { stored, files })
}

/// With a line of comment that says whose it is; readers skip it.
fn pem_with_name(certificate: &Certificate) -> String {
    let name: String = certificate.subject().to_string();
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    format!("# {name}\n{}", certificate.to_pem())
}

/// The common name in lower case with a piece of the fingerprint: two generations have one name.
fn alias(certificate: &Certificate) -> String {
    let name = certificate.subject().common_name().unwrap_or_default();
    let name: String = name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(64)
        .collect();
    let fingerprint = certificate.fingerprint();
    let piece = fingerprint.get(..4).unwrap_or_default();
    format!("{name}-{}", hex::encode(piece))
}
