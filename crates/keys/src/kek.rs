//! Where the key-encrypting key comes from, and how it is changed.
//!
//! `kek.json` in the data directory says which source is in force, the derivation parameters, and
//! a fingerprint per key, so that a wrong passphrase or a lost file is named as such and never
//! becomes garbage. While keys are being re-sealed it lists the former key too; a crash between the
//! steps therefore leaves every record openable.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::KeyError;
use crate::error::io_error;
use crate::seal::Kek;
use crate::secret_file::{self, Readers};

/// The source of the key-encrypting key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "source")]
pub enum KekSource {
    /// 256 random bits in a 0600 file beside the database: protects a copied database, not a copied disk.
    GeneratedFile,
    /// argon2id over the content of a 0600 file.
    PassphraseFile { path: PathBuf },
    /// 256 bits that systemd decrypts for the service (`LoadCredentialEncrypted=`).
    SystemdCredential {
        #[serde(default = "default_credential")]
        name: String,
    },
}

fn default_credential() -> String {
    "ward-kek".to_owned()
}

impl fmt::Display for KekSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GeneratedFile => f.write_str("generated-file"),
            Self::PassphraseFile { path } => write!(f, "passphrase-file:{}", path.display()),
            Self::SystemdCredential { name } => write!(f, "systemd-credential:{name}"),
        }
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected generated-file, passphrase-file:PATH or systemd-credential[:NAME], found {0:?}")]
pub struct BadKekSource(String);

impl FromStr for KekSource {
    type Err = BadKekSource;

    fn from_str(text: &str) -> Result<Self, BadKekSource> {
        let (kind, argument) = text.split_once(':').unwrap_or((text, ""));
        match (kind, argument) {
            ("generated-file", "") => Ok(Self::GeneratedFile),
            ("passphrase-file", path) if !path.is_empty() => Ok(Self::PassphraseFile {
                path: PathBuf::from(path),
            }),
            ("systemd-credential", "") => Ok(Self::SystemdCredential {
                name: default_credential(),
            }),
            ("systemd-credential", name) => Ok(Self::SystemdCredential {
                name: name.to_owned(),
            }),
            _ => Err(BadKekSource(text.to_owned())),
        }
    }
}

/// What `ward status` says about the key-encrypting key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KekStatus {
    pub source: KekSource,
    pub fingerprint: String,
    /// One sentence: what protects the keys, and against what it does not.
    pub strength: String,
    /// Former keys that sealed records may still need.
    pub former: Vec<String>,
    /// Set when the configuration asks for another source than the one in force.
    pub wanted: Option<KekSource>,
}

/// Directories that the sources refer to.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) data: PathBuf,
    pub(crate) credentials: Option<PathBuf>,
}

/// `kek.json`. The first entry is in force; later ones are former keys.
#[derive(Clone, Serialize, Deserialize)]
struct Ledger {
    version: u32,
    keks: Vec<Entry>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Entry {
    fingerprint: String,
    #[serde(flatten)]
    source: KekSource,
    /// Name of the generated file within the data directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    argon2id: Option<Argon2id>,
}

/// Cost parameters, RFC 9106 §4 second recommended option: 64 MiB, three passes, four lanes.
#[derive(Clone, Serialize, Deserialize)]
struct Argon2id {
    salt: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

const LEDGER_FORMAT: u32 = 1;
const GENERATED: &str = "kek";
const SECRET_BYTES: usize = 32;
const SHORTEST_PASSPHRASE: usize = 12;
/// `kek.json` could be edited by somebody: below this the passphrase is cheap to guess, above it
/// start-up would exhaust the machine.
const MEMORY_KIB: std::ops::RangeInclusive<u32> = 19 * 1024..=1024 * 1024;
const PASSES: std::ops::RangeInclusive<u32> = 1..=64;

/// The key-encrypting keys of one data directory, in force and former.
pub(crate) struct KekRing {
    places: Places,
    wanted: KekSource,
    ledger: Ledger,
    current: Kek,
    source: KekSource,
    former: Vec<Kek>,
}

impl KekRing {
    /// Opens what the data directory already uses, or makes a first key from the wanted source.
    pub(crate) fn open(places: Places, wanted: KekSource) -> Result<Self, KeyError> {
        if let Some(ledger) = read_ledger(&places)? {
            return Self::from_ledger(places, wanted, ledger);
        }
        let (entry, _) = Entry::create(&places, &wanted, GENERATED.to_owned())?;
        let ledger = Ledger {
            version: LEDGER_FORMAT,
            keks: vec![entry],
        };
        if secret_file::create(&ledger_path(&places), &ledger.encode()?)? {
            Self::from_ledger(places, wanted, ledger)
        } else {
            // Another process was first; its salt counts.
            Self::open(places, wanted)
        }
    }

    fn from_ledger(places: Places, wanted: KekSource, ledger: Ledger) -> Result<Self, KeyError> {
        let path = ledger_path(&places);
        let (first, rest) = ledger.keks.split_first().ok_or(KeyError::SecretFile {
            path,
            problem: "lists no key-encrypting key",
        })?;
        let (current, source) = first.load_recorded_or_moved(&places, &wanted)?;
        let mut former = Vec::new();
        for entry in rest {
            match entry.load(&places, &entry.source) {
                Ok(kek) => former.push(kek),
                Err(error) => tracing::warn!(
                    fingerprint = entry.fingerprint,
                    %error,
                    "a former key-encrypting key is not available; keys still sealed under it will not open"
                ),
            }
        }
        Ok(Self {
            places,
            wanted,
            ledger,
            current,
            source,
            former,
        })
    }

    /// This ring anew, if another process has changed the key since. A server must neither miss a
    /// rotation that a command made beside it, nor go on sealing under a key that was dropped.
    pub(crate) fn changed_elsewhere(&self) -> Result<Option<Self>, KeyError> {
        let fingerprints = |ledger: &Ledger| -> Vec<String> {
            ledger
                .keks
                .iter()
                .map(|entry| entry.fingerprint.clone())
                .collect()
        };
        match read_ledger(&self.places)? {
            Some(ledger) if fingerprints(&ledger) != fingerprints(&self.ledger) => {
                Self::from_ledger(self.places.clone(), self.wanted.clone(), ledger).map(Some)
            }
            _ => Ok(None),
        }
    }

    pub(crate) fn current(&self) -> &Kek {
        &self.current
    }

    /// The key with the fingerprint that something sealed names.
    pub(crate) fn find(&self, fingerprint: &str) -> Result<&Kek, KeyError> {
        std::iter::once(&self.current)
            .chain(&self.former)
            .find(|kek| kek.fingerprint() == fingerprint)
            .ok_or_else(|| KeyError::WrongKek {
                given: self.source.to_string(),
                expected: fingerprint.to_owned(),
                found: self.current.fingerprint().to_owned(),
            })
    }

    /// Puts a new key in force and keeps the one it replaces until [`Self::forget_former`].
    pub(crate) fn rotate(&self, source: &KekSource) -> Result<Self, KeyError> {
        let mut suffix = [0; 4];
        aws_lc_rs::rand::fill(&mut suffix).map_err(|_| KeyError::Crypto("random numbers"))?;
        let file = format!("{GENERATED}-{}", hex::encode(suffix));
        let (entry, kek) = Entry::create(&self.places, source, file)?;
        let mut ledger = self.ledger.clone();
        if kek.fingerprint() != self.current.fingerprint() {
            // Where the replaced key was really found, should its file have moved.
            if let Some(replaced) = ledger.keks.first_mut() {
                replaced.source = self.source.clone();
            }
            ledger.keks.insert(0, entry);
            secret_file::replace(&ledger_path(&self.places), &ledger.encode()?)?;
        }
        Self::from_ledger(self.places.clone(), source.clone(), ledger)
    }

    /// Drops former keys and overwrites their generated files.
    pub(crate) fn forget_former(&self) -> Result<Self, KeyError> {
        let mut ledger = self.ledger.clone();
        let former = ledger.keks.split_off(1);
        secret_file::replace(&ledger_path(&self.places), &ledger.encode()?)?;
        for file in former.iter().filter_map(|entry| entry.file.as_deref()) {
            secret_file::shred(&self.places.data.join(file))?;
        }
        Self::from_ledger(self.places.clone(), self.wanted.clone(), ledger)
    }

    pub(crate) fn status(&self) -> KekStatus {
        KekStatus {
            source: self.source.clone(),
            strength: strength(&self.source, self.ledger.keks.first()),
            fingerprint: self.current.fingerprint().to_owned(),
            former: self
                .ledger
                .keks
                .iter()
                .skip(1)
                .map(|entry| entry.fingerprint.clone())
                .collect(),
            wanted: (self.source != self.wanted).then(|| self.wanted.clone()),
        }
    }
}

impl Entry {
    /// Makes a key from a source that was not in use before.
    fn create(places: &Places, source: &KekSource, file: String) -> Result<(Self, Kek), KeyError> {
        let mut entry = Self {
            fingerprint: String::new(),
            source: source.clone(),
            file: None,
            argon2id: None,
        };
        match source {
            KekSource::GeneratedFile => {
                let secret = random_secret()?;
                let text = Zeroizing::new(hex::encode(secret.as_ref()));
                secret_file::create(&places.data.join(&file), text.as_bytes())?;
                entry.file = Some(file);
            }
            KekSource::PassphraseFile { .. } => entry.argon2id = Some(Argon2id::fresh()?),
            KekSource::SystemdCredential { .. } => {}
        }
        let kek = entry.derive(places, source)?;
        kek.fingerprint().clone_into(&mut entry.fingerprint);
        Ok((entry, kek))
    }

    /// The source that the ledger records, else the configured one when it is of the same kind:
    /// a passphrase file may have moved, a credential may have been renamed.
    fn load_recorded_or_moved(
        &self,
        places: &Places,
        wanted: &KekSource,
    ) -> Result<(Kek, KekSource), KeyError> {
        let recorded = self.load(places, &self.source);
        let same_kind = std::mem::discriminant(&self.source) == std::mem::discriminant(wanted);
        match recorded {
            Ok(kek) => Ok((kek, self.source.clone())),
            Err(_) if same_kind && self.source != *wanted => {
                Ok((self.load(places, wanted)?, wanted.clone()))
            }
            Err(error) => Err(error),
        }
    }

    /// Derives the key again and insists that it is the same one.
    fn load(&self, places: &Places, source: &KekSource) -> Result<Kek, KeyError> {
        let kek = self.derive(places, source)?;
        if kek.fingerprint() == self.fingerprint {
            return Ok(kek);
        }
        Err(KeyError::WrongKek {
            given: source.to_string(),
            expected: self.fingerprint.clone(),
            found: kek.fingerprint().to_owned(),
        })
    }

    fn derive(&self, places: &Places, source: &KekSource) -> Result<Kek, KeyError> {
        match source {
            KekSource::GeneratedFile => {
                let path = places.data.join(self.file.as_deref().unwrap_or(GENERATED));
                let text = read_present(&path, Readers::Owner)?;
                Kek::from_secret(decode_secret(&path, &text)?.as_ref())
            }
            KekSource::PassphraseFile { path } => {
                let text = read_present(path, Readers::Owner)?;
                let passphrase = text.trim_ascii_end();
                if passphrase.len() < SHORTEST_PASSPHRASE {
                    return Err(KeyError::WeakPassphrase {
                        found: passphrase.len(),
                        least: SHORTEST_PASSPHRASE,
                    });
                }
                let parameters = self.argon2id.as_ref().ok_or(KeyError::SecretFile {
                    path: ledger_path(places),
                    problem: "has no argon2id parameters for the passphrase",
                })?;
                Kek::from_secret(parameters.stretch(places, passphrase)?.as_ref())
            }
            KekSource::SystemdCredential { name } => {
                let path = credential_path(places, name)?;
                let text = read_present(&path, Readers::OwnerAndGroup)?;
                Kek::from_secret(decode_secret(&path, &text)?.as_ref())
            }
        }
    }
}

impl Argon2id {
    fn fresh() -> Result<Self, KeyError> {
        let mut salt = [0; 16];
        aws_lc_rs::rand::fill(&mut salt).map_err(|_| KeyError::Crypto("random numbers"))?;
        Ok(Self {
            salt: hex::encode(salt),
            memory_kib: 64 * 1024,
            passes: 3,
            lanes: 4,
        })
    }

    fn stretch(
        &self,
        places: &Places,
        passphrase: &[u8],
    ) -> Result<Zeroizing<[u8; SECRET_BYTES]>, KeyError> {
        let refuse = |problem| KeyError::SecretFile {
            path: ledger_path(places),
            problem,
        };
        let salt = hex::decode(&self.salt).map_err(|_| refuse("the salt is not hexadecimal"))?;
        if !MEMORY_KIB.contains(&self.memory_kib) || !PASSES.contains(&self.passes) {
            return Err(refuse("argon2id costs are outside the accepted range"));
        }
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(SECRET_BYTES))
            .map_err(|_| refuse("argon2id parameters are not valid"))?;
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        // Its working memory would let somebody skip the work, so it is wiped too.
        let mut memory = Zeroizing::new(vec![Block::default(); params.block_count()]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(passphrase, &salt, secret.as_mut(), &mut memory[..])
            .map_err(|_| refuse("argon2id parameters are not valid"))?;
        Ok(secret)
    }
}

impl Ledger {
    fn encode(&self) -> Result<Vec<u8>, KeyError> {
        serde_json::to_vec_pretty(self).map_err(|_| KeyError::Crypto("encoding kek.json"))
    }
}

fn ledger_path(places: &Places) -> PathBuf {
    places.data.join("kek.json")
}

fn read_ledger(places: &Places) -> Result<Option<Ledger>, KeyError> {
    let path = ledger_path(places);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("cannot read", &path)(error)),
    };
    let ledger: Ledger = serde_json::from_slice(&bytes).map_err(|_| KeyError::SecretFile {
        path,
        problem: "is not a description of key-encrypting keys",
    })?;
    if ledger.version == LEDGER_FORMAT {
        Ok(Some(ledger))
    } else {
        Err(KeyError::UnknownFormat(ledger.version))
    }
}

fn credential_path(places: &Places, name: &str) -> Result<PathBuf, KeyError> {
    let directory = places
        .credentials
        .as_ref()
        .ok_or_else(|| KeyError::SecretFile {
            path: PathBuf::from(name),
            problem: "no systemd credentials: CREDENTIALS_DIRECTORY is not set (see docs/keys.md)",
        })?;
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        return Err(KeyError::SecretFile {
            path: PathBuf::from(name),
            problem: "not the name of a credential",
        });
    }
    Ok(directory.join(name))
}

fn read_present(path: &Path, readers: Readers) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    secret_file::read(path, readers).map_err(|error| match error {
        KeyError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            KeyError::KekMissing {
                path: path.to_owned(),
            }
        }
        other => other,
    })
}

/// 32 bytes, raw or as 64 hexadecimal digits.
fn decode_secret(path: &Path, text: &[u8]) -> Result<Zeroizing<[u8; SECRET_BYTES]>, KeyError> {
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    if text.len() == SECRET_BYTES {
        secret.copy_from_slice(text);
        return Ok(secret);
    }
    hex::decode_to_slice(text.trim_ascii(), secret.as_mut()).map_err(|_| KeyError::SecretFile {
        path: path.to_owned(),
        problem: "must hold 32 random bytes, raw or as 64 hexadecimal digits (openssl rand -hex 32)",
    })?;
    Ok(secret)
}

fn random_secret() -> Result<Zeroizing<[u8; SECRET_BYTES]>, KeyError> {
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    aws_lc_rs::rand::fill(secret.as_mut()).map_err(|_| KeyError::Crypto("random numbers"))?;
    Ok(secret)
}

fn strength(source: &KekSource, entry: Option<&Entry>) -> String {
    match source {
        KekSource::GeneratedFile => "256 random bits in a 0600 file beside the data: protects a copied database, not a copied data directory".to_owned(),
        KekSource::PassphraseFile { .. } => match entry.and_then(|entry| entry.argon2id.as_ref()) {
            Some(cost) => format!(
                "passphrase through argon2id ({} MiB, {} passes, {} lanes): as strong as the passphrase",
                cost.memory_kib / 1024,
                cost.passes,
                cost.lanes
            ),
            None => "passphrase: as strong as the passphrase".to_owned(),
        },
        KekSource::SystemdCredential { .. } => "256 bits decrypted by systemd for this service alone: bound to this machine, and to its TPM where it has one".to_owned(),
    }
}
