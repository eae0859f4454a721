//! `ward init`: the first hierarchy, from a small answers file.

use std::path::PathBuf;

use access::{Action, Permit, Refusal};
use audit::note::VerifierKey;
use audit::{Actor, Event, Object, Timestamp};
use keys::{Backend, Signer};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Write;
use x509::{KeyAlgorithm, PublicKey};
use zeroize::Zeroizing;

use crate::authority::certify::{self, Parent, Wanted, ca_name, default_title};
use crate::authority::rows::{put_authority, put_certificate, put_issuer};
use crate::authority::{
    Constraints, IssuerRecord, IssuerState, authority_of, carried, root_authority, rootcrl,
};
use crate::keyrecords::StoredKey;
use crate::profile::{Duration, is_slug};
use crate::settings::{SETTINGS_RECORDS, Settings};
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
    /// Builds the first hierarchy, in one commit. Refuses if there is one.
    pub async fn init(
        &self,
        permit: Permit,
        answers: &Answers,
        root_key: RootKey,
        now: Timestamp,
    ) -> Result<InitReport> {
        permit.require(Action::ManageAuthorities)?;
        if let Err(refusal) = self.check_answers(answers) {
            let object = Object::new("settings", "hierarchy");
            return Err(self
                .refuse(
                    refusal,
                    permit.principal(),
                    "hierarchy.init",
                    object,
                    None,
                    now,
                )
                .await);
        }
        let builder = Builder {
            ca: self,
            answers,
            actor: permit.actor().clone(),
            now,
        };
        let report = builder.build(&root_key).await?;
        self.refresh().await?;
        Ok(report)
    }

    fn check_answers(&self, answers: &Answers) -> Result<(), Refusal> {
        if self.settings().is_some() {
            return Err(Refusal::new("init.twice", "R01", "there is a hierarchy already")
                .accepted("`ward ca create` for another authority, an empty data directory for another hierarchy"));
        }
        let url = &answers.base_url;
        let host = url.strip_prefix("http://").unwrap_or_default();
        if host.is_empty() || host.ends_with('/') || !url.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Refusal::new(
                "init.base-url",
                "RFC 5280 §4.2.1.13, §8",
                format!(
                    "`{url}` cannot be where CRLs are published: fetching them must not need TLS"
                ),
            )
            .accepted("http://host[:port][/path] without a slash at the end"));
        }
        let mut names = vec![answers.root.name.as_str()];
        names.extend(
            answers
                .authorities
                .iter()
                .map(|authority| authority.name.as_str()),
        );
        for (position, name) in names.iter().enumerate() {
            let twice = names.iter().take(position).any(|before| before == name);
            if !is_slug(name) || twice || name.ends_with("-delta") {
                return Err(Refusal::new(
                    "init.name",
                    "docs/profiles.md",
                    format!(
                        "`{}` cannot be the name of an authority here",
                        name.escape_default()
                    ),
                )
                .accepted("1 to 40 of a-z, 0-9 and -, beginning with a letter, each once"));
            }
        }
        let limit = Duration::days(25 * 366);
        let lengths = answers
            .authorities
            .iter()
            .map(|authority| authority.validity);
        if lengths
            .chain([answers.root.validity])
            .any(|length| length > limit || length < Duration::days(1))
        {
            return Err(Refusal::new(
                "init.validity",
                "NIST SP 800-57pt1r5 §5.3.6",
                "a CA lasts 1 day to 25 years",
            ));
        }
        Ok(())
    }
}

/// Builds a hierarchy: everything is made in memory, written to the carried directory, and then
/// committed at once. If the commit fails the carried files belong to nothing and can be thrown away.
struct Builder<'a> {
    ca: &'a Ca,
    answers: &'a Answers,
    actor: Actor,
    now: Timestamp,
}

/// A root that has been made.
struct Root {
    record: IssuerRecord,
    signer: Signer,
    stored: Option<StoredKey>,
    files: Vec<PathBuf>,
}

impl Builder<'_> {
    async fn build(&self, root_key: &RootKey) -> Result<InitReport> {
        let log_key = self.log_key().await?;
        let origin = log_origin(&self.answers.base_url);
        let verifier = verifier_key(&origin, &log_key)?;
        let root = self.root(root_key).await?;
        let (settings, mut write) = self.settings(&log_key, origin, root_key)?;
        write = log_key.put_new(write, self.actor.clone(), self.now)?;
        let mut issuers = vec![shown(&root.record)];
        for answers in &self.answers.authorities {
            let (record, key) = self.authority(&root, answers).await?;
            write = key.put_new(write, self.actor.clone(), self.now)?;
            write = put_certificate(
                write,
                &record.certificate,
                &root.record.id,
                &self.actor,
                self.now,
            )?;
            write = put_issuer(write, &record, &self.actor, self.now)?;
            let authority = authority_of(&record, answers, Some(root.record.authority.clone()));
            write = put_authority(
                write,
                &authority,
                0,
                "authority.create",
                None,
                &self.actor,
                self.now,
            )?;
            issuers.push(shown(&record));
        }
        let key_id = root.signer.public_key().key_id();
        let crl = rootcrl::sign(
            &root.record.id,
            &root.record.certificate,
            &key_id,
            &root.signer,
            &[],
            self.now,
        )?;
        write = self.put_root(write, &root, settings.root_online)?;
        write = crl.put(write, &self.actor, self.now)?;
        let mut root_files = root.files;
        if let RootKey::Carry(carry) = root_key {
            let path = carry.directory.join(format!("{}.crl", root.record.id));
            carried::write_new(&path, &crl.der, false)?;
            root_files.push(path);
        }
        self.ca.store().commit(write).await?;
        Ok(InitReport {
            issuers,
            root_files,
            log_key: verifier,
        })
    }

    async fn log_key(&self) -> Result<StoredKey> {
        let record = self
            .ca
            .generate_key(
                KeyAlgorithm::Ed25519,
                &Backend::Software,
                "audit log",
                self.now,
            )
            .await?;
        Ok(StoredKey::new(record, "log"))
    }

    fn settings(
        &self,
        log_key: &StoredKey,
        log_origin: String,
        root_key: &RootKey,
    ) -> Result<(Settings, Write)> {
        let settings = Settings {
            organization: self.answers.organization.clone(),
            country: self.answers.country.clone(),
            base_url: self.answers.base_url.clone(),
            log_key: log_key.record.id.clone(),
            log_origin,
            root_online: matches!(root_key, RootKey::KeepOnline(_)),
        };
        let event = Event::new(
            self.now,
            self.actor.clone(),
            "hierarchy.init",
            Object::new("settings", "hierarchy"),
        )
        .after(json!(settings));
        let write =
            Write::new(event)?.put_record(SETTINGS_RECORDS, "hierarchy", 0, &settings, self.now)?;
        Ok((settings, write))
    }

    async fn root(&self, root_key: &RootKey) -> Result<Root> {
        let wanted = &self.answers.root;
        let title = wanted
            .title
            .clone()
            .unwrap_or_else(|| default_title(&self.answers.organization, "Root CA", 1));
        let subject = ca_name(
            self.answers.country.as_deref(),
            &self.answers.organization,
            &title,
        )?;
        let made = self
            .ca
            .make_root(
                &wanted.name,
                1,
                &self.answers.base_url,
                subject,
                wanted.algorithm,
                wanted.validity,
                root_key,
                self.now,
            )
            .await?;
        Ok(Root {
            record: made.record,
            signer: made.signer,
            stored: made.stored,
            files: made.files,
        })
    }

    fn put_root(&self, mut write: Write, root: &Root, online: bool) -> Result<Write> {
        if let Some(key) = &root.stored {
            write = key.put_new(write, self.actor.clone(), self.now)?;
        }
        write = put_certificate(
            write,
            &root.record.certificate,
            &root.record.id,
            &self.actor,
            self.now,
        )?;
        write = put_issuer(write, &root.record, &self.actor, self.now)?;
        let authority = root_authority(&root.record, online);
        put_authority(
            write,
            &authority,
            0,
            "authority.create",
            None,
            &self.actor,
            self.now,
        )
    }

    async fn authority(
        &self,
        root: &Root,
        answers: &AuthorityAnswers,
    ) -> Result<(IssuerRecord, StoredKey)> {
        let key = self
            .ca
            .generate_key(answers.algorithm, &answers.backend, &answers.name, self.now)
            .await?;
        let public = PublicKey::from_spki_der(&key.spki_der)?;
        let wanted = Wanted {
            subject: self.ca.authority_name(
                self.answers.country.as_deref(),
                &self.answers.organization,
                answers,
                1,
            )?,
            key: &public,
            path_length: Some(answers.path_length),
            constraints: &answers.constraints,
            validity: answers.validity,
            base_url: &self.answers.base_url,
        };
        let key_id = root.signer.public_key().key_id();
        let parent = Parent {
            id: &root.record.id,
            certificate: &root.record.certificate,
            key_id: &key_id,
            crl_url: format!("{}/crl/{}.crl", self.answers.base_url, root.record.id),
            ocsp: false,
        };
        let unsigned = certify::below(&wanted, &parent, root.record.algorithm, self.now)?;
        let record = IssuerRecord {
            id: answers.name.clone(),
            authority: answers.name.clone(),
            generation: 1,
            state: IssuerState::Active,
            key: Some(key.id.clone()),
            algorithm: answers.algorithm,
            certificate: unsigned.sign(&root.signer)?,
            cross: Vec::new(),
            parent: Some(root.record.id.clone()),
            foreign_chain: Vec::new(),
        };
        Ok((
            record,
            StoredKey::new(key, format!("issuer {}", answers.name)),
        ))
    }
}

fn shown(record: &IssuerRecord) -> InitIssuer {
    InitIssuer {
        id: record.id.clone(),
        subject: record.certificate.subject().to_string(),
        sha256: hex::encode(record.certificate.fingerprint()),
    }
}

/// The log's origin: a URL without its scheme, as C2SP tlog-checkpoint asks.
fn log_origin(base_url: &str) -> String {
    let host = base_url.trim_start_matches("http://");
    format!("{host}/log")
}

fn verifier_key(origin: &str, key: &StoredKey) -> Result<String> {
    let public = PublicKey::from_spki_der(&key.record.spki_der)?;
    let bytes: [u8; 32] = public
        .key_bytes()
        .try_into()
        .map_err(|_| CaError::Internal("the log key is no Ed25519 key"))?;
    Ok(VerifierKey::new(origin, bytes)?.to_string())
}
