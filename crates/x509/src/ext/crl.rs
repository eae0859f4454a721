//! Extensions of CRLs and their entries (RFC 5280 §5.2, §5.3).

use super::{ExtensionValue, basic::general_names, whole, whole_list};
use crate::{
    Error, GeneralName, Oid, Time,
    der::{self, Reader, Tag, Writer},
    oids,
};

/// INTEGER content octets, non-negative, at most 20 (RFC 5280 §5.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlNumber(pub Vec<u8>);

impl CrlNumber {
    pub fn from_u64(n: u64) -> Self {
        Self(der::unsigned_content(&n.to_be_bytes()))
    }

    /// The number, if it fits.
    pub fn to_u64(&self) -> Option<u64> {
        number(&self.0)
    }
}

impl ExtensionValue for CrlNumber {
    const OID: Oid = oids::CRL_NUMBER;
    const CRITICAL: bool = false;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        whole(value, read_number).map(Self)
    }

    fn encode_value(&self) -> Vec<u8> {
        der::encode(Tag::INTEGER, &self.0)
    }
}

/// BaseCRLNumber, as [`CrlNumber`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaCrlIndicator(pub Vec<u8>);

impl DeltaCrlIndicator {
    pub fn from_u64(n: u64) -> Self {
        Self(der::unsigned_content(&n.to_be_bytes()))
    }

    pub fn to_u64(&self) -> Option<u64> {
        number(&self.0)
    }
}

impl ExtensionValue for DeltaCrlIndicator {
    const OID: Oid = oids::DELTA_CRL_INDICATOR;
    const CRITICAL: bool = true;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        whole(value, read_number).map(Self)
    }

    fn encode_value(&self) -> Vec<u8> {
        der::encode(Tag::INTEGER, &self.0)
    }
}

fn read_number(r: &mut Reader<'_>) -> Result<Vec<u8>, Error> {
    match r.integer()? {
        [first, ..] if first & 0x80 != 0 => Err(der::Error::Integer.into()),
        content => Ok(content.to_vec()),
    }
}

fn number(content: &[u8]) -> Option<u64> {
    let zeros = content.iter().take_while(|b| **b == 0).count();
    der::parse_u64(content.get(zeros..)?).ok()
}

/// The code of RFC 5280 §5.3.1; `crl::Reason` gives it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrlReason(pub u8);

impl ExtensionValue for CrlReason {
    const OID: Oid = oids::CRL_REASON;
    const CRITICAL: bool = false;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        whole(value, |r| Ok(Self(r.enumerated()?)))
    }

    fn encode_value(&self) -> Vec<u8> {
        der::encode(Tag::ENUMERATED, &[self.0])
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidityDate(pub Time);

impl ExtensionValue for InvalidityDate {
    const OID: Oid = oids::INVALIDITY_DATE;
    const CRITICAL: bool = false;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        whole(value, |r| Ok(Self(r.generalized_time()?)))
    }

    fn encode_value(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.generalized_time(self.0);
        w.finish()
    }
}

/// Who issued the certificates of an indirect CRL, from this entry on (RFC 5280 §5.3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateIssuer(pub Vec<GeneralName>);

impl ExtensionValue for CertificateIssuer {
    const OID: Oid = oids::CERTIFICATE_ISSUER;
    const CRITICAL: bool = true;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        whole_list(value, GeneralName::read).map(Self)
    }

    fn encode_value(&self) -> Vec<u8> {
        general_names(&self.0)
    }
}
