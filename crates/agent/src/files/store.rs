//! Key stores in binary: which kind a file is by its first bytes, and what it holds.

use std::borrow::Cow;

use x509::{
    Certificate,
    der::{Reader, Tag},
    jks, pem, pkcs7, pkcs12,
};

use super::{
    Look,
    key::{self, Key},
    pem as text,
};
use crate::observation::FileFormat;

/// Certificates of one serialized store of Windows.
const MAX_SST: usize = 10_000;

/// What a file holds.
#[derive(Default)]
pub(super) struct Store {
    pub(super) entries: Vec<Entry>,
    /// Keys that nothing in the file says whose they are.
    pub(super) keys: Vec<Key>,
    /// Parts that could not be read, though they say what they are.
    pub(super) damage: Option<String>,
}

/// Certificates that belong together, in their order.
pub(super) struct Entry {
    pub(super) alias: Option<String>,
    pub(super) certificates: Vec<Certificate>,
    /// Whether a private key is stored with it, and encrypted.
    pub(super) key: Option<Key>,
    /// They are one chain, and need not be put into chains.
    pub(super) is_chain: bool,
}

/// How reading a file ended.
pub(super) enum Held {
    Store(FileFormat, Store),
    /// A key store that no password opened; how many were tried.
    Locked(FileFormat, usize),
    Damaged(FileFormat, String),
    /// No store at all.
    Nothing,
}

/// The kind of a store, by how it begins; DER needs a closer look.
pub(super) fn kind(head: &[u8]) -> Option<FileFormat> {
    match head {
        [0xfe, 0xed, 0xfe, 0xed, ..] => Some(FileFormat::Jks),
        [0xce, 0xce, 0xce, 0xce, ..] => Some(FileFormat::Jceks),
        [0, 0, 0, 0, b'C', b'E', b'R', b'T', ..] => Some(FileFormat::Sst),
        // SEQUENCE with a length of its own, or an indefinite one (BER).
        [0x30, 0x80..=0x84, ..] => Some(FileFormat::Der),
        _ if is_log(head) => Some(FileFormat::CtEntries),
        _ if pem::is_pem(head) => Some(FileFormat::Pem),
        _ => None,
    }
}

/// Whether a file begins as entries of a log do: `{"entries":[{"leaf_input":` with any white space (RFC 6962 §4.6).
pub fn is_log(head: &[u8]) -> bool {
    let start = head.iter().filter(|b| !b.is_ascii_whitespace()).take(25);
    start
        .copied()
        .collect::<Vec<u8>>()
        .starts_with(b"{\"entries\":[{\"")
}

/// Reads a store of the kind that its first bytes say.
pub(super) fn read(bytes: &[u8], kind: FileFormat, look: &Look) -> Held {
    match kind {
        FileFormat::Jks | FileFormat::Jceks => java(bytes, kind),
        FileFormat::Sst => windows(bytes),
        FileFormat::Der => der(bytes, look),
        FileFormat::Pem => armoured(bytes),
        _ => Held::Nothing,
    }
}

fn armoured(bytes: &[u8]) -> Held {
    let found = text::read(bytes);
    let nothing = found.certificates.is_empty() && found.keys.is_empty();
    if nothing && found.damaged == 0 {
        return Held::Nothing;
    }
    let damage =
        (found.damaged > 0).then(|| format!("{} blocks are no certificates", found.damaged));
    if nothing {
        return Held::Damaged(FileFormat::Pem, damage.unwrap_or_default());
    }
    let mut store = Store::certificates(found.certificates);
    store.keys = found.keys;
    store.damage = damage;
    Held::Store(FileFormat::Pem, store)
}

/// A certificate, a bundle, a key store, a key; or anything else in ASN.1.
fn der(bytes: &[u8], look: &Look) -> Held {
    if let Ok(certificate) = Certificate::from_der(bytes) {
        return Held::Store(FileFormat::Der, Store::certificates(vec![certificate]));
    }
    if let Ok(bundle) = pkcs7::parse(bytes)
        && !bundle.certificates.is_empty()
    {
        return Held::Store(FileFormat::Pkcs7, Store::certificates(bundle.certificates));
    }
    if begins_as_pkcs12(bytes) {
        return windows_and_java(bytes, look);
    }
    if key::is_encrypted_pkcs8(bytes) {
        return Held::Store(FileFormat::Der, Store::key(Key::encrypted()));
    }
    let key = Key::from_der(zeroize::Zeroizing::new(bytes.to_vec()));
    match key.public {
        Some(_) => Held::Store(FileFormat::Der, Store::key(key)),
        None => Held::Nothing,
    }
}

/// Version 3 and a ContentInfo (RFC 7292 §4), also where the file ends too early to be read.
fn begins_as_pkcs12(bytes: &[u8]) -> bool {
    let header = match bytes {
        [0x30, 0x80, ..] => 2,
        [0x30, more @ 0x81..=0x84, ..] => 2 + usize::from(more & 0x7f),
        _ => return false,
    };
    let mut pfx = Reader::new(bytes.get(header..).unwrap_or_default()).tolerant();
    pfx.u64() == Ok(3) && pfx.peek() == Some(Tag::SEQUENCE)
}

fn windows_and_java(bytes: &[u8], look: &Look) -> Held {
    let mut left = look.limits.iterations;
    let given = look.passwords.iter().map(|p| Cow::Borrowed(p.as_str()));
    let passwords = std::iter::once(Cow::Borrowed("")).chain(given);
    let cost = iterations(bytes);
    let mut tried = 0;
    for password in passwords {
        // Each password costs what the file asks for.
        if tried > 0 && cost > left {
            break;
        }
        tried += 1;
        match pkcs12::parse_within(bytes, &password, left) {
            Ok(pfx) => return Held::Store(FileFormat::Pkcs12, opened(pfx)),
            Err(pkcs12::Pkcs12Error::WrongPassword) => left = left.saturating_sub(cost),
            Err(error) => return Held::Damaged(FileFormat::Pkcs12, error.to_string()),
        }
    }
    Held::Locked(FileFormat::Pkcs12, tried)
}

/// Iterations that one password costs at least.
fn iterations(bytes: &[u8]) -> u64 {
    let outline = pkcs12::outline(bytes).ok();
    outline
        .and_then(|o| o.mac)
        .map_or(0, |(_, iterations)| iterations)
}

fn opened(pfx: pkcs12::Pfx) -> Store {
    let mut store = Store::default();
    let mut owned: Vec<Vec<u8>> = Vec::new();
    for bag in &pfx.keys {
        let Some(own) = pfx.certificate_of(bag) else {
            store.keys.push(Key::from_der(bag.pkcs8.clone()));
            continue;
        };
        owned.push(own.certificate.der().to_vec());
        let name = own.friendly_name.as_ref().or(bag.friendly_name.as_ref());
        store.entries.push(Entry {
            alias: name.cloned(),
            certificates: vec![own.certificate.clone()],
            key: Some(Key::from_der(bag.pkcs8.clone())),
            is_chain: true,
        });
    }
    for bag in pfx.certificates {
        if !owned.iter().any(|der| der == bag.certificate.der()) {
            store.entries.push(Entry {
                alias: bag.friendly_name,
                certificates: vec![bag.certificate],
                key: None,
                is_chain: true,
            });
        }
    }
    // The issuers behind a leaf with its key are its chain.
    if let [own, issuers @ ..] = store.entries.as_mut_slice()
        && own.key.is_some()
        && issuers.iter().all(|e| e.key.is_none() && e.alias.is_none())
    {
        let rest = issuers
            .iter_mut()
            .flat_map(|e| std::mem::take(&mut e.certificates));
        own.certificates.extend(rest);
        store.entries.truncate(1);
    }
    store
}

fn java(bytes: &[u8], kind: FileFormat) -> Held {
    let contents = match jks::contents(bytes) {
        Ok(contents) => contents,
        Err(error) => return Held::Damaged(kind, error.to_string()),
    };
    let mut store = Store::default();
    let mut damaged = 0;
    for entry in contents.entries {
        let read: Vec<_> = entry
            .chain
            .iter()
            .map(|der| Certificate::from_der(der))
            .collect();
        let certificates: Vec<_> = read.into_iter().flatten().collect();
        damaged += entry.chain.len() - certificates.len();
        store.entries.push(Entry {
            alias: Some(entry.alias),
            certificates,
            key: entry.has_key.then(Key::encrypted),
            is_chain: true,
        });
    }
    let stopped = contents.stopped.map(|error| error.to_string());
    let damage = (damaged > 0).then(|| format!("{damaged} entries are no certificates"));
    store.damage = stopped.or(damage);
    match (store.entries.is_empty(), store.damage) {
        (true, Some(damage)) => Held::Damaged(kind, damage),
        (_, damage) => Held::Store(kind, Store { damage, ..store }),
    }
}

/// A serialized store: a header, then properties and certificates, each with identifier, encoding and length
/// (MS documentation of CertSaveStore; little-endian).
fn windows(bytes: &[u8]) -> Held {
    const CERTIFICATE: u32 = 32;
    let mut certificates = Vec::new();
    let mut rest = bytes.get(8..).unwrap_or_default();
    let mut damage = None;
    while let Some((head, after)) = rest.split_first_chunk::<12>() {
        let number =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (property, length) = (number(0), number(8) as usize);
        if property == 0 {
            break;
        }
        let Some((value, after)) = after.split_at_checked(length) else {
            damage = Some("the store ends inside an element".to_owned());
            break;
        };
        rest = after;
        if property == CERTIFICATE {
            match Certificate::from_der(value) {
                Ok(certificate) => certificates.push(certificate),
                Err(error) => damage = Some(error.to_string()),
            }
        }
        if certificates.len() == MAX_SST {
            damage = Some(format!("more than {MAX_SST} certificates"));
            break;
        }
    }
    match (certificates.is_empty(), damage) {
        (true, Some(damage)) => Held::Damaged(FileFormat::Sst, damage),
        (_, damage) => {
            let store = Store::certificates(certificates);
            Held::Store(FileFormat::Sst, Store { damage, ..store })
        }
    }
}

impl Store {
    fn certificates(certificates: Vec<Certificate>) -> Self {
        let entry = Entry {
            alias: None,
            certificates,
            key: None,
            is_chain: false,
        };
        Self {
            entries: vec![entry],
            ..Self::default()
        }
    }

    fn key(key: Key) -> Self {
        Self {
            keys: vec![key],
            ..Self::default()
        }
    }
}
