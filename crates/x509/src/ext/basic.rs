//! Who the certificate is for and what its key may do (RFC 5280 §4.2.1.1–3, 6, 7, 9, 12).

use super::{ExtensionValue, saturating_u32, whole, whole_list, whole_sequence};
use crate::{
    Error, GeneralName, Oid,
    der::{self, Tag, Writer},
    oids,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BasicConstraints {
    pub ca: bool,
    pub path_len: Option<u32>,
}

impl ExtensionValue for BasicConstraints {
    const OID: Oid = oids::BASIC_CONSTRAINTS;
    const CRITICAL: bool = true;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        whole_sequence(value, |r| {
            let ca = r.boolean_default_false()?;
            let path_len = match r.is_empty() {
                true => None,
                false => Some(saturating_u32(r.integer_lenient()?)?),
            };
            Ok(Self { ca, path_len })
        })
    }

    fn encode_value(&self) -> Vec<u8> {
        der::sequence(|w| {
            if self.ca {
                w.boolean(true);
            }
            if let Some(n) = self.path_len {
                w.u64(n.into());
            }
        })
    }
}

/// Bit `n` of the inner number is bit `n` of the ASN.1 named bit list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct KeyUsage(pub u16);

impl KeyUsage {
    pub const DIGITAL_SIGNATURE: KeyUsage = KeyUsage(1 << 0);
    pub const NON_REPUDIATION: KeyUsage = KeyUsage(1 << 1);
    pub const KEY_ENCIPHERMENT: KeyUsage = KeyUsage(1 << 2);
    pub const DATA_ENCIPHERMENT: KeyUsage = KeyUsage(1 << 3);
    pub const KEY_AGREEMENT: KeyUsage = KeyUsage(1 << 4);
    pub const KEY_CERT_SIGN: KeyUsage = KeyUsage(1 << 5);
    pub const CRL_SIGN: KeyUsage = KeyUsage(1 << 6);
    pub const ENCIPHER_ONLY: KeyUsage = KeyUsage(1 << 7);
    pub const DECIPHER_ONLY: KeyUsage = KeyUsage(1 << 8);

    /// Every bit with its name in RFC 5280 §4.2.1.3.
    pub const NAMES: [(KeyUsage, &'static str); 9] = [
        (Self::DIGITAL_SIGNATURE, "digitalSignature"),
        (Self::NON_REPUDIATION, "nonRepudiation"),
        (Self::KEY_ENCIPHERMENT, "keyEncipherment"),
        (Self::DATA_ENCIPHERMENT, "dataEncipherment"),
        (Self::KEY_AGREEMENT, "keyAgreement"),
        (Self::KEY_CERT_SIGN, "keyCertSign"),
        (Self::CRL_SIGN, "cRLSign"),
        (Self::ENCIPHER_ONLY, "encipherOnly"),
        (Self::DECIPHER_ONLY, "decipherOnly"),
    ];

    pub const fn contains(self, other: KeyUsage) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Names of the bits that are set, in order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let set = Self::NAMES
            .iter()
            .filter(move |(bit, _)| self.contains(*bit));
        set.map(|(_, name)| *name)
    }

    pub fn by_name(name: &str) -> Option<KeyUsage> {
        let found = Self::NAMES
            .iter()
            .find(|(_, n)| n.eq_ignore_ascii_case(name));
        found.map(|(bit, _)| *bit)
    }
}

impl std::ops::BitOr for KeyUsage {
    type Output = KeyUsage;

    fn bitor(self, other: KeyUsage) -> KeyUsage {
        KeyUsage(self.0 | other.0)
    }
}

impl ExtensionValue for KeyUsage {
    const OID: Oid = oids::KEY_USAGE;
    const CRITICAL: bool = true;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        whole(value, |r| Ok(Self(named_bits(r.value(Tag::BIT_STRING)?)?)))
    }

    fn encode_value(&self) -> Vec<u8> {
        der::encode(Tag::BIT_STRING, &der::named_bits_content(self.0))
    }
}

/// The first sixteen bits of a named bit list, where bit `n` of the result is ASN.1 bit `n`. Trailing
/// zero bits and dirty padding, which encoders get wrong often, do not matter.
pub(super) fn named_bits(content: &[u8]) -> Result<u16, Error> {
    let [unused @ 0..=7, bytes @ ..] = content else {
        return Err(der::Error::BitString.into());
    };
    let count = (bytes.len() * 8)
        .checked_sub(usize::from(*unused))
        .ok_or(der::Error::BitString)?;
    let bits = der::BitString { unused: 0, bytes };
    let set = (0..count.min(16)).filter(|n| bits.bit(*n));
    Ok(set.fold(0, |acc, n| acc | 1 << n))
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExtKeyUsage(pub Vec<Oid>);

impl ExtKeyUsage {
    pub fn contains(&self, purpose: &Oid) -> bool {
        self.0.contains(purpose)
    }
}

impl ExtensionValue for ExtKeyUsage {
    const OID: Oid = oids::EXT_KEY_USAGE;
    const CRITICAL: bool = false;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        whole_list(value, |r| Ok(r.oid()?)).map(Self)
    }

    fn encode_value(&self) -> Vec<u8> {
        der::sequence(|w| {
            for purpose in &self.0 {
                w.oid(purpose);
            }
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubjectAltName(pub Vec<GeneralName>);

impl ExtensionValue for SubjectAltName {
    const OID: Oid = oids::SUBJECT_ALT_NAME;
    const CRITICAL: bool = false;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        whole_list(value, GeneralName::read).map(Self)
    }

    fn encode_value(&self) -> Vec<u8> {
        general_names(&self.0)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IssuerAltName(pub Vec<GeneralName>);

impl ExtensionValue for IssuerAltName {
    const OID: Oid = oids::ISSUER_ALT_NAME;
    const CRITICAL: bool = false;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        whole_list(value, GeneralName::read).map(Self)
    }

    fn encode_value(&self) -> Vec<u8> {
        general_names(&self.0)
    }
}

pub(super) fn general_names(names: &[GeneralName]) -> Vec<u8> {
    der::sequence(|w| write_names(w, names))
}

pub(super) fn write_names(w: &mut Writer, names: &[GeneralName]) {
    for name in names {
        name.write(w);
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubjectKeyId(pub Vec<u8>);

impl ExtensionValue for SubjectKeyId {
    const OID: Oid = oids::SUBJECT_KEY_IDENTIFIER;
    const CRITICAL: bool = false;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        whole(value, |r| Ok(Self(r.octet_string()?.to_vec())))
    }

    fn encode_value(&self) -> Vec<u8> {
        der::encode(Tag::OCTET_STRING, &self.0)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthorityKeyId {
    pub key_id: Option<Vec<u8>>,
    pub issuer: Option<Vec<GeneralName>>,
    /// INTEGER content octets.
    pub serial: Option<Vec<u8>>,
}

impl AuthorityKeyId {
    /// The form RFC 5280 §4.2.1.1 asks of conforming authorities: the key identifier alone.
    pub fn from_key_id(key_id: &[u8]) -> Self {
        Self {
            key_id: Some(key_id.to_vec()),
            ..Self::default()
        }
    }
}

impl ExtensionValue for AuthorityKeyId {
    const OID: Oid = oids::AUTHORITY_KEY_IDENTIFIER;
    const CRITICAL: bool = false;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        whole_sequence(value, |r| {
            let key_id = r.optional(Tag::context(0))?.map(|e| e.value.to_vec());
            let issuer = r
                .optional_nested(Tag::context_constructed(1))?
                .map(GeneralName::read_all)
                .transpose()?;
            let serial = r.optional(Tag::context(2))?.map(|e| e.value.to_vec());
            Ok(Self {
                key_id,
                issuer,
                serial,
            })
        })
    }

    fn encode_value(&self) -> Vec<u8> {
        der::sequence(|w| {
            if let Some(id) = &self.key_id {
                w.element(Tag::context(0), id);
            }
            if let Some(names) = &self.issuer {
                w.nested(Tag::context_constructed(1), |w| write_names(w, names));
            }
            if let Some(serial) = &self.serial {
                w.element(Tag::context(2), serial);
            }
        })
    }
}
