//! Certificate and CRL extensions (RFC 5280 §4.2, §5.2, §5.3), typed both ways.
//!
//! Reading tolerates what deployed authorities get wrong without changing the meaning (an encoded
//! FALSE, long lengths); writing follows X.690 to the bit.

use crate::{
    Error, Oid,
    der::{self, Reader, Writer},
};

mod access;
mod basic;
mod constraints;
mod crl;
mod policy;
mod vendor;

pub use access::{
    AccessDescription, AuthorityInfoAccess, CrlDistributionPoints, DistributionPoint,
    DistributionPointName, FreshestCrl, IssuingDistributionPoint, ReasonFlags, SubjectInfoAccess,
};
pub use basic::{
    AuthorityKeyId, BasicConstraints, ExtKeyUsage, IssuerAltName, KeyUsage, SubjectAltName,
    SubjectKeyId,
};
pub use constraints::{Constraint, GeneralSubtree, IpRange, NameConstraints};
pub use crl::{CertificateIssuer, CrlNumber, CrlReason, DeltaCrlIndicator, InvalidityDate};
pub use policy::{
    CertificatePolicies, InhibitAnyPolicy, PolicyConstraints, PolicyInformation, PolicyMappings,
    PolicyQualifier,
};
pub use vendor::{MsSid, OcspNoCheck, TlsFeature};

/// An extension as it stands: an identifier, a flag and bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Extension {
    pub oid: Oid,
    pub critical: bool,
    pub value: Vec<u8>,
}

impl Extension {
    pub fn with_critical(mut self, critical: bool) -> Self {
        self.critical = critical;
        self
    }

    /// DER of the Extension SEQUENCE; `critical` is left out when FALSE (X.690 §11.5).
    pub fn write(&self, w: &mut Writer) {
        w.sequence(|w| {
            w.oid(&self.oid);
            if self.critical {
                w.boolean(true);
            }
            w.octet_string(&self.value);
        });
    }

    pub fn read(r: &mut Reader<'_>) -> Result<Extension, Error> {
        let raw = RawExtension::read(r)?;
        Ok(Extension {
            oid: raw.oid,
            critical: raw.critical,
            value: raw.value.to_vec(),
        })
    }
}

/// An extension still in the bytes it was read from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawExtension<'a> {
    pub(crate) oid: Oid,
    pub(crate) critical: bool,
    pub(crate) value: &'a [u8],
}

impl<'a> RawExtension<'a> {
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, der::Error> {
        let mut inner = r.sequence()?;
        let oid = inner.oid()?;
        let critical = inner.boolean_default_false()?;
        let value = inner.octet_string()?;
        inner.finish()?;
        Ok(RawExtension {
            oid,
            critical,
            value,
        })
    }
}

/// An extension this crate gives a type to.
pub trait ExtensionValue: Sized {
    const OID: Oid;
    /// Whether `encode` marks it critical; change it with [`Extension::with_critical`].
    const CRITICAL: bool;

    /// From the content of extnValue.
    fn parse(value: &[u8]) -> Result<Self, Error>;

    /// The content of extnValue.
    fn encode_value(&self) -> Vec<u8>;

    fn encode(&self) -> Extension {
        Extension {
            oid: Self::OID,
            critical: Self::CRITICAL,
            value: self.encode_value(),
        }
    }
}

/// An extension of some other authority's making.
pub fn private(oid: Oid, value: Vec<u8>) -> Extension {
    Extension {
        oid,
        critical: false,
        value,
    }
}

/// Reads all of `value` as one element by `f`.
fn whole<'a, T>(
    value: &'a [u8],
    f: impl FnOnce(&mut Reader<'a>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut r = Reader::new(value).tolerant();
    let out = f(&mut r)?;
    r.finish()?;
    Ok(out)
}

/// Reads all of `value` as one SEQUENCE, whose content `f` must use up.
fn whole_sequence<'a, T>(
    value: &'a [u8],
    f: impl FnOnce(&mut Reader<'a>) -> Result<T, Error>,
) -> Result<T, Error> {
    whole(value, |r| {
        let mut inner = r.sequence()?;
        let out = f(&mut inner)?;
        inner.finish()?;
        Ok(out)
    })
}

/// Reads all of `value` as SEQUENCE OF.
fn whole_list<'a, T>(
    value: &'a [u8],
    mut f: impl FnMut(&mut Reader<'a>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    whole_sequence(value, |r| {
        let mut out = Vec::new();
        while !r.is_empty() {
            out.push(f(r)?);
        }
        Ok(out)
    })
}

/// A non-negative INTEGER's content as u32; numbers beyond mean "no limit" wherever this is used.
fn saturating_u32(content: &[u8]) -> Result<u32, Error> {
    match content {
        [] => Err(der::Error::Integer.into()),
        [first, ..] if first & 0x80 != 0 => Err(der::Error::Integer.into()),
        magnitude => {
            let significant = magnitude.iter().skip_while(|b| **b == 0).count();
            let fits = magnitude.get(magnitude.len() - significant..);
            let number = fits.map(der::parse_u64).and_then(Result::ok);
            Ok(number.and_then(|n| n.try_into().ok()).unwrap_or(u32::MAX))
        }
    }
}
