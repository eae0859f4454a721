//! `ward init`: the first hierarchy, from a small answers file.

use std::path::PathBuf;

use access::Permit;
use audit::Timestamp;
use keys::Backend;
use serde::{Deserialize, Serialize};
use x509::KeyAlgorithm;
use zeroize::Zeroizing;

use crate::authority::Constraints;
use crate::profile::Duration;
use crate::{Ca, CaError, Result};

/// What the hierarchy shall look like; every field has a default but the organisation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Answers {
    /// The hospital's name, as it stands in certificates.
    pub organization: String,
    /// Its country, two letters.
    #[serde(default)]
    pub country: Option<String>,
    /// Where CA certificates, CRLs and OCSP are published: plain HTTP (RFC 5280 §8).
    #[serde(default = "default_base_url")]
    pub base_url: String,
    /// The root.
    #[serde(default)]
    pub root: RootAnswers,
    /// The issuing CAs.
    #[serde(default = "default_authorities")]
    pub authorities: Vec<AuthorityAnswers>,
}

/// The offline root.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct RootAnswers {
    /// Its name.
    pub name: String,
    /// Its common name; made from the organisation if absent.
    pub title: Option<String>,
    /// Its key.
    pub algorithm: KeyAlgorithm,
    /// How long it lasts.
    pub validity: Duration,
}

/// An issuing CA.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AuthorityAnswers {
    /// Its name: part of URLs.
    pub name: String,
    /// Its common name; made from organisation and name if absent.
    #[serde(default)]
    pub title: Option<String>,
    /// What it is for; its name if absent.
    #[serde(default)]
    pub purpose: Option<String>,
    /// Its key.
    #[serde(default = "default_issuing_algorithm")]
    pub algorithm: KeyAlgorithm,
    /// Where its key lives.
    #[serde(default = "default_backend")]
    pub backend: Backend,
    /// How long it lasts.
    #[serde(default = "default_issuing_validity")]
    pub validity: Duration,
    /// How many CAs may stand below it.
    #[serde(default)]
    pub path_length: u32,
    /// What it may name.
    #[serde(default)]
    pub constraints: Constraints,
    /// How many certificates share a CRL shard; 0 does not partition.
    #[serde(default)]
    pub crl_shard: u32,
}

fn default_base_url() -> String {
    "http://pki.example.org".to_owned()
}

fn default_issuing_algorithm() -> KeyAlgorithm {
    KeyAlgorithm::EcdsaP256
}

fn default_backend() -> Backend {
    Backend::Software
}

fn default_issuing_validity() -> Duration {
    Duration::days(10 * 365)
}

impl Default for RootAnswers {
    fn default() -> Self {
        RootAnswers {
            name: "root".to_owned(),
            title: None,
            algorithm: KeyAlgorithm::EcdsaP384,
            validity: Duration::days(20 * 365),
        }
    }
}

fn default_authorities() -> Vec<AuthorityAnswers> {
    ["servers", "devices", "people"]
        .into_iter()
        .map(AuthorityAnswers::new)
        .collect()
}

impl AuthorityAnswers {
    /// An authority with every default.
    pub fn new(name: &str) -> Self {
        AuthorityAnswers {
            name: name.to_owned(),
            title: None,
            purpose: None,
            algorithm: default_issuing_algorithm(),
            backend: default_backend(),
            validity: default_issuing_validity(),
            path_length: 0,
            constraints: Constraints::default(),
            crl_shard: 0,
        }
    }
}

impl Answers {
    /// The defaults for an organisation.
    pub fn new(organization: impl Into<String>) -> Self {
        Answers {
            organization: organization.into(),
            country: None,
            base_url: default_base_url(),
            root: RootAnswers::default(),
            authorities: default_authorities(),
        }
    }

    /// Reads an answers file (TOML); the error says the line.
    pub fn parse(toml: &str) -> Result<Self, String> {
        toml::from_str(toml).map_err(|error| error.to_string())
    }
}

/// Where a root key is carried: a directory (a memory stick, mounted) and the passphrase of the
/// encrypted PKCS#8 file in it.
#[derive(Clone, Debug)]
pub struct Carry {
    /// The directory; made if it is not there.
    pub directory: PathBuf,
    /// The passphrase, at least twelve characters.
    pub passphrase: Zeroizing<String>,
}

/// What to do with the root's private key.
#[derive(Clone, Debug)]
pub enum RootKey {
    /// Write it, encrypted, to where it can be carried away, and keep nothing.
    Carry(Carry),
    /// Keep it in the keyring. Somebody said so explicitly; `ward status` says so ever after.
    KeepOnline(Backend),
}

/// What `init` made.
#[derive(Clone, Debug, Serialize)]
pub struct InitReport {
    /// Every issuer: id, subject, SHA-256 of its certificate.
    pub issuers: Vec<InitIssuer>,
    /// The files written for the root: key, certificate, CRL.
    pub root_files: Vec<PathBuf>,
    /// The verification key of the audit log, in the form of C2SP signed-note.
    pub log_key: String,
}

/// One issuer in an [`InitReport`].
#[derive(Clone, Debug, Serialize)]
pub struct InitIssuer {
    /// Its id.
    pub id: String,
    /// Its subject.
    pub subject: String,
    /// SHA-256 of its certificate, hex.
    pub sha256: String,
}

impl Ca {
    /// Builds the first hierarchy. Refuses if there is one.
    pub async fn init(
        &self,
        permit: Permit,
        answers: &Answers,
        root_key: RootKey,
        now: Timestamp,
    ) -> Result<InitReport> {
        let _ = (permit, answers, root_key, now);
        Err(CaError::Internal("init is not built yet"))
    }
}
