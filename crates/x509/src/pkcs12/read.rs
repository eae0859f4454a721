//! Reads PFX files: the whole with its password, or the outline without.

use aws_lc_rs::{digest, hmac};
use zeroize::Zeroizing;

use super::{
    MAX_ITERATIONS, MAX_SIZE, Pkcs12Error,
    cipher::{self, Budget},
    kdf::{self, Purpose},
};
use crate::{
    AlgorithmIdentifier, Certificate, Oid,
    der::{Reader, Tag},
    oids, pkcs7,
};

/// Bags in one file.
const MAX_BAGS: usize = 10_000;

/// A certificate nested in safeContentsBags; one level is already rare.
const MAX_NESTING: usize = 4;

/// safeContentsBag, 1.2.840.113549.1.12.10.1.6
const SAFE_CONTENTS_BAG: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 12, 10, 1, 6]);

/// What a PFX holds, in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct Pfx {
    pub keys: Vec<KeyBag>,
    pub certificates: Vec<CertificateBag>,
    /// The file has a MAC and it matched.
    pub authenticated: bool,
}

#[derive(Clone)]
pub struct KeyBag {
    /// PKCS #8 in DER.
    pub pkcs8: Zeroizing<Vec<u8>>,
    pub friendly_name: Option<String>,
    pub local_key_id: Option<Vec<u8>>,
}

impl std::fmt::Debug for KeyBag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyBag({:?})", self.friendly_name)
    }
}

#[derive(Debug, Clone)]
pub struct CertificateBag {
    pub certificate: Certificate,
    pub friendly_name: Option<String>,
    pub local_key_id: Option<Vec<u8>>,
}

impl Pfx {
    /// The certificate of a key: by localKeyID, otherwise the only one there is.
    pub fn certificate_of(&self, key: &KeyBag) -> Option<&CertificateBag> {
        let named = self
            .certificates
            .iter()
            .find(|c| c.local_key_id.is_some() && c.local_key_id == key.local_key_id);
        match (named, self.certificates.as_slice()) {
            (None, [only]) => Some(only),
            (named, _) => named,
        }
    }
}

/// What anybody can see of a PFX.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The digest of the MAC and its iterations.
    pub mac: Option<(String, u64)>,
    /// One line a part: how it is encrypted and which kinds of bag stand open.
    pub parts: Vec<String>,
}

/// Reads a PFX in DER or BER: checks its MAC and decrypts it.
pub fn parse(input: &[u8], password: &str) -> Result<Pfx, Pkcs12Error> {
    parse_within(input, password, MAX_ITERATIONS)
}

/// As [`parse`], for files from strangers: at most so many iterations of key derivation for the whole file.
pub fn parse_within(input: &[u8], password: &str, iterations: u64) -> Result<Pfx, Pkcs12Error> {
    let der = normalised(input)?;
    let file = File::read(&der)?;
    let mut budget = Budget(iterations);
    let mut reading = Reading {
        password,
        budget: &mut budget,
        pfx: Pfx::default(),
        bags: 0,
    };
    if let Some(mac) = &file.mac {
        mac.check(&file.authenticated_safe, password, reading.budget)?;
        reading.pfx.authenticated = true;
    }
    let safe = normalised(&file.authenticated_safe)?;
    let mut parts = Reader::new(&safe).tolerant().sequence()?;
    while !parts.is_empty() {
        match Part::read(&mut parts)? {
            Part::Plain(safe_contents) => reading.safe_contents(&safe_contents, MAX_NESTING)?,
            Part::Encrypted(algorithm, ciphertext) => {
                let safe_contents =
                    cipher::decrypt(&algorithm, password, &ciphertext, reading.budget)?;
                reading.safe_contents(&safe_contents, MAX_NESTING)?;
            }
            Part::Other(kind) => return Err(Pkcs12Error::Cipher(cipher::cipher_name(&kind))),
        }
    }
    Ok(reading.pfx)
}

/// What a PFX shows without its password.
pub fn outline(input: &[u8]) -> Result<Outline, Pkcs12Error> {
    let der = normalised(input)?;
    let file = File::read(&der)?;
    let safe = normalised(&file.authenticated_safe)?;
    let mut list = Reader::new(&safe).tolerant().sequence()?;
    let mut parts = Vec::new();
    while !list.is_empty() {
        if parts.len() == MAX_BAGS {
            return Err(Pkcs12Error::Malformed("too many parts"));
        }
        parts.push(match Part::read(&mut list)? {
            Part::Plain(contents) => format!("in the clear: {}", bag_kinds(&contents)?),
            Part::Encrypted(algorithm, _) => {
                format!("encrypted: {}", cipher::describe(&algorithm))
            }
            Part::Other(kind) => cipher::cipher_name(&kind),
        });
    }
    let mac = file
        .mac
        .map(|mac| (cipher::cipher_name(&mac.algorithm), mac.iterations));
    Ok(Outline { mac, parts })
}

fn normalised(input: &[u8]) -> Result<Vec<u8>, Pkcs12Error> {
    if input.len() > MAX_SIZE {
        return Err(Pkcs12Error::Malformed("larger than 16 MiB"));
    }
    Ok(pkcs7::normalised(input)?)
}

/// The outer structure.
struct File {
    authenticated_safe: Vec<u8>,
    mac: Option<Mac>,
}

struct Mac {
    algorithm: Oid,
    value: Vec<u8>,
    salt: Vec<u8>,
    iterations: u64,
}

impl File {
    fn read(der: &[u8]) -> Result<Self, Pkcs12Error> {
        let mut outer = Reader::new(der).tolerant();
        let mut pfx = outer.sequence()?;
        outer.finish()?;
        if pfx.u64()? != 3 {
            return Err(Pkcs12Error::Malformed("the version is not 3"));
        }
        let mut content_info = pfx.sequence()?;
        let kind = content_info.oid()?;
        if kind != oids::DATA {
            return Err(Pkcs12Error::Malformed(
                "it is protected by public keys, not by a password",
            ));
        }
        let mut explicit = content_info.nested(Tag::context_constructed(0))?;
        // The MAC covers exactly these octets, which may be BER in themselves.
        let authenticated_safe = explicit.octet_string()?;
        let mac = match pfx.optional_nested(Tag::SEQUENCE)? {
            Some(mac) => Some(Mac::read(mac)?),
            None => None,
        };
        pfx.finish()?;
        Ok(Self {
            authenticated_safe: authenticated_safe.to_vec(),
            mac,
        })
    }
}

impl Mac {
    fn read(mut fields: Reader<'_>) -> Result<Self, Pkcs12Error> {
        let mut digest_info = fields.sequence()?;
        let algorithm = AlgorithmIdentifier::read(&mut digest_info)?.oid;
        let value = digest_info.octet_string()?.to_vec();
        let salt = fields.octet_string()?.to_vec();
        let iterations = match fields.is_empty() {
            true => 1,
            false => fields.u64()?,
        };
        Ok(Self {
            algorithm,
            value,
            salt,
            iterations,
        })
    }

    fn check(
        &self,
        content: &[u8],
        password: &str,
        budget: &mut Budget,
    ) -> Result<(), Pkcs12Error> {
        let (hash, hmac_with) = match self.algorithm {
            oids::SHA1 => (
                &digest::SHA1_FOR_LEGACY_USE_ONLY,
                hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            ),
            oids::SHA224 => (&digest::SHA224, hmac::HMAC_SHA224),
            oids::SHA256 => (&digest::SHA256, hmac::HMAC_SHA256),
            oids::SHA384 => (&digest::SHA384, hmac::HMAC_SHA384),
            oids::SHA512 => (&digest::SHA512, hmac::HMAC_SHA512),
            other => return Err(Pkcs12Error::Cipher(cipher::cipher_name(&other))),
        };
        for password in kdf::password_forms(password) {
            let count = budget.take(self.iterations, 1)?;
            let len = hash.output_len();
            let key = kdf::derive(hash, Purpose::Mac, &password, &self.salt, count, len);
            let key = hmac::Key::new(hmac_with, &key);
            if hmac::verify(&key, content, &self.value).is_ok() {
                return Ok(());
            }
        }
        Err(Pkcs12Error::WrongPassword)
    }
}

/// A ContentInfo of the AuthenticatedSafe.
enum Part {
    Plain(Vec<u8>),
    Encrypted(AlgorithmIdentifier, Vec<u8>),
    Other(Oid),
}

impl Part {
    fn read(list: &mut Reader<'_>) -> Result<Self, Pkcs12Error> {
        let mut info = list.sequence()?;
        let kind = info.oid()?;
        let mut content = info.nested(Tag::context_constructed(0))?;
        match kind {
            oids::DATA => Ok(Part::Plain(content.octet_string()?.to_vec())),
            oids::ENCRYPTED_DATA => {
                let mut encrypted = content.sequence()?;
                encrypted.u64()?;
                let mut inner = encrypted.sequence()?;
                inner.oid()?;
                let algorithm = AlgorithmIdentifier::read(&mut inner)?;
                Ok(Part::Encrypted(algorithm, implicit_octets(&mut inner)?))
            }
            other => Ok(Part::Other(other)),
        }
    }
}

/// `[0] IMPLICIT OCTET STRING`, whole or in the fragments of streaming writers.
fn implicit_octets(inner: &mut Reader<'_>) -> Result<Vec<u8>, Pkcs12Error> {
    if let Some(fragments) = inner.optional(Tag::context_constructed(0))? {
        return pkcs7::join_octet_fragments(fragments.value)
            .map_err(|_| Pkcs12Error::Malformed("the encrypted content is fragmented wrongly"));
    }
    Ok(inner.value(Tag::context(0))?.to_vec())
}

/// What accumulates while bags are read.
struct Reading<'a> {
    password: &'a str,
    budget: &'a mut Budget,
    pfx: Pfx,
    bags: usize,
}

impl Reading<'_> {
    fn safe_contents(&mut self, ber: &[u8], depth: usize) -> Result<(), Pkcs12Error> {
        let der = Zeroizing::new(normalised(ber)?);
        let mut outer = Reader::new(&der).tolerant();
        let mut bags = outer.sequence()?;
        outer.finish()?;
        while !bags.is_empty() {
            self.bags += 1;
            if self.bags > MAX_BAGS {
                return Err(Pkcs12Error::Malformed("too many bags"));
            }
            self.bag(bags.sequence()?, depth)?;
        }
        Ok(())
    }

    fn bag(&mut self, mut bag: Reader<'_>, depth: usize) -> Result<(), Pkcs12Error> {
        let kind = bag.oid()?;
        let mut value = bag.nested(Tag::context_constructed(0))?;
        let attributes = Attributes::read(bag.optional_nested(Tag::SET)?)?;
        match kind {
            oids::KEY_BAG => {
                let pkcs8 = value.expect(Tag::SEQUENCE)?.raw.to_vec();
                self.push_key(Zeroizing::new(pkcs8), attributes);
            }
            oids::SHROUDED_KEY_BAG => {
                let mut shrouded = value.sequence()?;
                let algorithm = AlgorithmIdentifier::read(&mut shrouded)?;
                let ciphertext = shrouded.octet_string()?;
                let pkcs8 = cipher::decrypt(&algorithm, self.password, ciphertext, self.budget)?;
                self.push_key(pkcs8, attributes);
            }
            oids::CERT_BAG => self.certificate(value.sequence()?, attributes)?,
            SAFE_CONTENTS_BAG => {
                let depth = depth
                    .checked_sub(1)
                    .ok_or(Pkcs12Error::Malformed("bags are nested too deeply"))?;
                self.safe_contents(value.expect(Tag::SEQUENCE)?.raw, depth)?;
            }
            _ => {} // CRLs and secrets are not for this reader.
        }
        Ok(())
    }

    fn push_key(&mut self, pkcs8: Zeroizing<Vec<u8>>, attributes: Attributes) {
        self.pfx.keys.push(KeyBag {
            pkcs8,
            friendly_name: attributes.friendly_name,
            local_key_id: attributes.local_key_id,
        });
    }

    fn certificate(
        &mut self,
        mut bag: Reader<'_>,
        attributes: Attributes,
    ) -> Result<(), Pkcs12Error> {
        if bag.oid()? != oids::X509_CERTIFICATE_BAG {
            return Ok(()); // SDSI certificates never came to be.
        }
        let mut explicit = bag.nested(Tag::context_constructed(0))?;
        let certificate = Certificate::from_der(explicit.octet_string()?)?;
        self.pfx.certificates.push(CertificateBag {
            certificate,
            friendly_name: attributes.friendly_name,
            local_key_id: attributes.local_key_id,
        });
        Ok(())
    }
}

#[derive(Default)]
struct Attributes {
    friendly_name: Option<String>,
    local_key_id: Option<Vec<u8>>,
}

impl Attributes {
    fn read(set: Option<Reader<'_>>) -> Result<Self, Pkcs12Error> {
        let mut attributes = Self::default();
        let Some(mut set) = set else {
            return Ok(attributes);
        };
        while !set.is_empty() {
            let mut attribute = set.sequence()?;
            let kind = attribute.oid()?;
            let mut values = attribute.set()?;
            match kind {
                oids::FRIENDLY_NAME if !values.is_empty() => {
                    let bmp = values.value(Tag::BMP_STRING)?;
                    let units = bmp
                        .chunks_exact(2)
                        .map(|pair| pair.iter().fold(0, |u, b| (u << 8) | u16::from(*b)));
                    let text = char::decode_utf16(units)
                        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
                        .collect();
                    attributes.friendly_name = Some(text);
                }
                oids::LOCAL_KEY_ID if !values.is_empty() => {
                    attributes.local_key_id = Some(values.octet_string()?.to_vec());
                }
                _ => {}
            }
        }
        Ok(attributes)
    }
}

/// The kinds of the bags in unencrypted contents.
fn bag_kinds(safe_contents: &[u8]) -> Result<String, Pkcs12Error> {
    let der = normalised(safe_contents)?;
    let mut bags = Reader::new(&der).tolerant().sequence()?;
    let mut kinds = Vec::new();
    while !bags.is_empty() && kinds.len() < MAX_BAGS {
        let mut bag = bags.sequence()?;
        let kind = bag.oid()?;
        let mut text = cipher::cipher_name(&kind);
        if kind == oids::SHROUDED_KEY_BAG {
            let mut value = bag.nested(Tag::context_constructed(0))?;
            let algorithm = AlgorithmIdentifier::read(&mut value.sequence()?)?;
            text = format!("{text} ({})", cipher::describe(&algorithm));
        }
        kinds.push(text);
    }
    Ok(kinds.join(", "))
}
