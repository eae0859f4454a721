//! JKS trust stores: the format that Java used before version 9, and that interface engines, PACS consoles and old
//! application servers still load and nothing else.
//!
//! It is written down only in the source of the JDK (`sun.security.provider.JavaKeyStore`): big-endian lengths, names
//! in Java's modified UTF-8, and SHA-1 over the password, a phrase and everything before it at the end. That digest
//! protects against accidents, not attackers, and only private keys are encrypted: the certificates of a key store are
//! there for whoever reads the file, which is what [`contents`] is for. Keys are read past.

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{Context, SHA1_FOR_LEGACY_USE_ONLY},
};

use crate::{Certificate, Error};

const MAGIC: u32 = 0xfeed_feed;
/// JCEKS, of the JCE provider: the same but for how keys are encrypted, and secret keys beside them.
const JCEKS_MAGIC: u32 = 0xcece_cece;
const VERSION: u32 = 2;
const PRIVATE_KEY: u32 = 1;
const TRUSTED_CERTIFICATE: u32 = 2;
/// A sealed Java object, which says its length in Java's serialization only.
const SECRET_KEY: u32 = 3;
const X509: &str = "X.509";

/// What the digest is salted with.
const PHRASE: &[u8] = b"Mighty Aphrodite";

const DIGEST: usize = 20;

/// Largest store read: Java's own, with 150 public roots, has 200 KiB.
pub const MAX_SIZE: usize = 16 << 20;

/// Most entries read.
pub const MAX_ENTRIES: u32 = 10_000;

/// Why a key store was not read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JksError {
    #[error("not a JKS key store")]
    NotJks,
    #[error("the key store ends inside an entry")]
    Truncated,
    #[error("{0} bytes follow the last entry")]
    TrailingData(usize),
    #[error("the key store is larger than the limit of {0}")]
    TooLarge(usize),
    #[error("entry type {0} is unknown")]
    UnknownEntry(u32),
    #[error("a secret key stands before what is left of the key store")]
    SecretKey,
    #[error("an alias is longer than 65,535 bytes, or not Java's UTF-8")]
    BadAlias,
    #[error("the password is wrong, or the file was changed")]
    WrongPassword,
    #[error(transparent)]
    Invalid(#[from] Error),
}

/// A certificate to be trusted, under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedEntry {
    /// Java looks aliases up in lower case.
    pub alias: String,
    /// Unix milliseconds.
    pub created: i64,
    pub certificate: Certificate,
}

/// Everything that a key store shows without its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    pub jceks: bool,
    pub entries: Vec<Entry>,
    /// Why the rest could not be read; what came before is in `entries`.
    pub stopped: Option<JksError>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub alias: String,
    /// Unix milliseconds.
    pub created: i64,
    /// As stored, the key's own first; not parsed.
    pub chain: Vec<Vec<u8>>,
    /// There is a private key with it.
    pub has_key: bool,
}

/// Reads the certificates of a JKS or JCEKS file, those of private keys too. The password is not needed and the digest
/// not checked: this is for finding out what lies on a disk, not for trusting it.
pub fn contents(input: &[u8]) -> Result<Contents, JksError> {
    if input.len() > MAX_SIZE {
        return Err(JksError::TooLarge(MAX_SIZE));
    }
    let at = input.len().checked_sub(DIGEST).ok_or(JksError::NotJks)?;
    let mut r = Bytes(&input[..at]);
    let jceks = match r.u32() {
        Ok(MAGIC) => false,
        Ok(JCEKS_MAGIC) => true,
        _ => return Err(JksError::NotJks),
    };
    let version = r.u32()?;
    if !(1..=VERSION).contains(&version) {
        return Err(JksError::NotJks);
    }
    let count = r.u32()?;
    let mut contents = Contents {
        jceks,
        entries: Vec::new(),
        stopped: (count > MAX_ENTRIES).then_some(JksError::TooLarge(MAX_ENTRIES as usize)),
    };
    for _ in 0..count.min(MAX_ENTRIES) {
        match r.any_entry(version) {
            Ok(entry) => contents.entries.push(entry),
            Err(error) => {
                contents.stopped = Some(error);
                break;
            }
        }
    }
    Ok(contents)
}

/// A key store with trusted certificates only.
pub fn build(entries: &[TrustedEntry], password: &str) -> Result<Vec<u8>, JksError> {
    let mut out = Vec::new();
    out.extend_from_slice(&MAGIC.to_be_bytes());
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&(entries.len() as u32).to_be_bytes());
    for entry in entries {
        out.extend_from_slice(&TRUSTED_CERTIFICATE.to_be_bytes());
        push_text(&mut out, &entry.alias.to_lowercase())?;
        out.extend_from_slice(&entry.created.to_be_bytes());
        push_text(&mut out, X509)?;
        let der = entry.certificate.der();
        out.extend_from_slice(&(der.len() as u32).to_be_bytes());
        out.extend_from_slice(der);
    }
    let digest = digest(password, &out);
    out.extend_from_slice(digest.as_ref());
    Ok(out)
}

/// The trusted certificates of a key store. Without a password it is read all the same, as Java does, and not checked.
pub fn parse(input: &[u8], password: Option<&str>) -> Result<Vec<TrustedEntry>, JksError> {
    if input.len() > MAX_SIZE {
        return Err(JksError::TooLarge(MAX_SIZE));
    }
    let at = input.len().checked_sub(DIGEST);
    let (data, stated) = at
        .and_then(|at| input.split_at_checked(at))
        .ok_or(JksError::NotJks)?;
    let mut r = Bytes(data);
    if r.u32() != Ok(MAGIC) {
        return Err(JksError::NotJks);
    }
    let version = r.u32()?;
    if !(1..=VERSION).contains(&version) {
        return Err(JksError::NotJks);
    }
    if let Some(password) = password {
        let found = digest(password, data);
        verify_slices_are_equal(found.as_ref(), stated).map_err(|_| JksError::WrongPassword)?;
    }
    let count = r.u32()?;
    if count > MAX_ENTRIES {
        return Err(JksError::TooLarge(MAX_ENTRIES as usize));
    }
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.extend(r.entry(version)?);
    }
    match r.0.len() {
        0 => Ok(entries),
        more => Err(JksError::TrailingData(more)),
    }
}

/// The password as two octets a character, the phrase, the data.
fn digest(password: &str, data: &[u8]) -> aws_lc_rs::digest::Digest {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for unit in password.encode_utf16() {
        context.update(&unit.to_be_bytes());
    }
    context.update(PHRASE);
    context.update(data);
    context.finish()
}

/// As `DataOutputStream.writeUTF` does: zero takes two octets, and what is outside the basic plane is written as the
/// two surrogates.
fn push_text(out: &mut Vec<u8>, text: &str) -> Result<(), JksError> {
    let mut bytes = Vec::with_capacity(text.len());
    for unit in text.encode_utf16() {
        let low = 0x80 | (unit & 0x3f) as u8;
        match unit {
            1..=0x7f => bytes.push(unit as u8),
            0 | 0x80..=0x7ff => bytes.extend([0xc0 | (unit >> 6) as u8, low]),
            _ => bytes.extend([
                0xe0 | (unit >> 12) as u8,
                0x80 | ((unit >> 6) & 0x3f) as u8,
                low,
            ]),
        }
    }
    let length = u16::try_from(bytes.len()).map_err(|_| JksError::BadAlias)?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&bytes);
    Ok(())
}

fn read_text(bytes: &[u8]) -> Option<String> {
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let follow = |octet: u8| (octet & 0xc0 == 0x80).then_some(u16::from(octet & 0x3f));
    while let [first, tail @ ..] = rest {
        let first = *first;
        let (unit, after) = match (first, tail) {
            (1..=0x7f, tail) => (u16::from(first), tail),
            (0xc0..=0xdf, [second, tail @ ..]) => {
                (u16::from(first & 0x1f) << 6 | follow(*second)?, tail)
            }
            (0xe0..=0xef, [second, third, tail @ ..]) => {
                let high = u16::from(first & 0x0f) << 12;
                (high | follow(*second)? << 6 | follow(*third)?, tail)
            }
            _ => return None,
        };
        units.push(unit);
        rest = after;
    }
    String::from_utf16(&units).ok()
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], JksError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(JksError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self, octets: usize) -> Result<u64, JksError> {
        let bytes = self.take(octets)?;
        Ok(bytes.iter().fold(0, |acc, b| acc << 8 | u64::from(*b)))
    }

    fn u32(&mut self) -> Result<u32, JksError> {
        Ok(self.number(4)? as u32)
    }

    fn text(&mut self) -> Result<String, JksError> {
        let length = self.number(2)? as usize;
        read_text(self.take(length)?).ok_or(JksError::BadAlias)
    }

    fn block(&mut self) -> Result<&'a [u8], JksError> {
        let length = self.u32()? as usize;
        self.take(length)
    }

    /// One entry, if it is a trusted certificate.
    fn entry(&mut self, version: u32) -> Result<Option<TrustedEntry>, JksError> {
        let entry = self.any_entry(version)?;
        let [der] = entry.chain.as_slice() else {
            return Ok(None);
        };
        if entry.has_key {
            return Ok(None);
        }
        Ok(Some(TrustedEntry {
            certificate: Certificate::from_der(der)?,
            alias: entry.alias,
            created: entry.created,
        }))
    }

    fn any_entry(&mut self, version: u32) -> Result<Entry, JksError> {
        let kind = self.u32()?;
        let mut entry = Entry {
            alias: self.text()?,
            created: self.number(8)? as i64,
            chain: Vec::new(),
            has_key: kind == PRIVATE_KEY,
        };
        let certificates = match kind {
            TRUSTED_CERTIFICATE => 1,
            PRIVATE_KEY => {
                self.block()?;
                self.u32()?
            }
            SECRET_KEY => return Err(JksError::SecretKey),
            other => return Err(JksError::UnknownEntry(other)),
        };
        for _ in 0..certificates {
            let der = self.certificate(version)?;
            if der.is_empty() {
                return Err(JksError::Truncated);
            }
            entry.chain.push(der.to_vec());
        }
        Ok(entry)
    }

    /// Version 1 did not say what kind of certificate it is.
    fn certificate(&mut self, version: u32) -> Result<&'a [u8], JksError> {
        if version > 1 {
            self.text()?;
        }
        self.block()
    }
}
