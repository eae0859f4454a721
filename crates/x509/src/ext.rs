//! Certificate and CRL extensions (RFC 5280 §4.2, §5.2, §5.3), typed both ways.

use crate::{
    Error, GeneralName, Name, Oid, Time,
    der::{Reader, Writer},
    oids,
};

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
        let mut inner = r.sequence()?;
        let oid = inner.oid()?;
        let critical = inner.boolean_default_false()?;
        let value = inner.octet_string()?.to_vec();
        inner.finish()?;
        Ok(Extension {
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BasicConstraints {
    pub ca: bool,
    pub path_len: Option<u32>,
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

    pub const fn contains(self, other: KeyUsage) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for KeyUsage {
    type Output = KeyUsage;

    fn bitor(self, other: KeyUsage) -> KeyUsage {
        KeyUsage(self.0 | other.0)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExtKeyUsage(pub Vec<Oid>);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubjectAltName(pub Vec<GeneralName>);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IssuerAltName(pub Vec<GeneralName>);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubjectKeyId(pub Vec<u8>);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthorityKeyId {
    pub key_id: Option<Vec<u8>>,
    pub issuer: Option<Vec<GeneralName>>,
    /// INTEGER content octets.
    pub serial: Option<Vec<u8>>,
}

/// What a subtree is rooted at (RFC 5280 §4.2.1.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constraint {
    Dns(String),
    Email(String),
    Uri(String),
    Ip(IpRange),
    DirName(Name),
    RegisteredId(Oid),
    Other { type_id: Oid, value_der: Vec<u8> },
    X400(Vec<u8>),
    Ediparty(Vec<u8>),
}

/// Address and mask, 4 or 16 octets each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpRange {
    pub address: Vec<u8>,
    pub mask: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneralSubtree {
    pub base: Constraint,
    pub minimum: u64,
    pub maximum: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameConstraints {
    pub permitted: Vec<GeneralSubtree>,
    pub excluded: Vec<GeneralSubtree>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyQualifier {
    Cps(String),
    /// explicitText, if present; noticeRef is dropped when parsed.
    UserNotice(Option<String>),
    Other {
        oid: Oid,
        value_der: Vec<u8>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyInformation {
    pub policy: Oid,
    pub qualifiers: Vec<PolicyQualifier>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CertificatePolicies(pub Vec<PolicyInformation>);

/// Pairs of issuerDomainPolicy and subjectDomainPolicy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyMappings(pub Vec<(Oid, Oid)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PolicyConstraints {
    pub require_explicit: Option<u32>,
    pub inhibit_mapping: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InhibitAnyPolicy(pub u32);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessDescription {
    pub method: Oid,
    pub location: GeneralName,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthorityInfoAccess(pub Vec<AccessDescription>);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubjectInfoAccess(pub Vec<AccessDescription>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DistributionPointName {
    Full(Vec<GeneralName>),
    /// Complete attributes (AttributeTypeAndValue elements) to append to the CRL issuer's name.
    RelativeToIssuer(Vec<Vec<u8>>),
}

/// ReasonFlags: bit `n` of the inner number is ASN.1 bit `n` (RFC 5280 §4.2.1.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct ReasonFlags(pub u16);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DistributionPoint {
    pub name: Option<DistributionPointName>,
    pub reasons: Option<ReasonFlags>,
    pub crl_issuer: Vec<GeneralName>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CrlDistributionPoints(pub Vec<DistributionPoint>);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FreshestCrl(pub Vec<DistributionPoint>);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IssuingDistributionPoint {
    pub name: Option<DistributionPointName>,
    pub only_user_certs: bool,
    pub only_ca_certs: bool,
    pub only_some_reasons: Option<ReasonFlags>,
    pub indirect_crl: bool,
    pub only_attribute_certs: bool,
}

/// INTEGER content octets, non-negative, at most 20 (RFC 5280 §5.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlNumber(pub Vec<u8>);

/// BaseCRLNumber, as [`CrlNumber`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaCrlIndicator(pub Vec<u8>);

/// The code of RFC 5280 §5.3.1; `crl::Reason` gives it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrlReason(pub u8);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidityDate(pub Time);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateIssuer(pub Vec<GeneralName>);

/// RFC 6960 §4.2.2.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OcspNoCheck;

/// RFC 7633: TLS extensions the server must offer; 5 is status_request ("must staple").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFeature(pub Vec<u16>);

/// Microsoft's NTDS_CA_SECURITY_EXT: the account's SID in text form, `S-1-5-21-…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MsSid(pub String);

macro_rules! unfinished {
    ($($t:ty, $oid:expr, $critical:expr;)*) => {$(
        impl ExtensionValue for $t {
            const OID: Oid = $oid;
            const CRITICAL: bool = $critical;

            fn parse(_value: &[u8]) -> Result<Self, Error> {
                Err(Error::invalid("extension", "not readable yet"))
            }

            fn encode_value(&self) -> Vec<u8> {
                Vec::new()
            }
        }
    )*};
}

unfinished! {
    BasicConstraints, oids::BASIC_CONSTRAINTS, true;
    KeyUsage, oids::KEY_USAGE, true;
    ExtKeyUsage, oids::EXT_KEY_USAGE, false;
    SubjectAltName, oids::SUBJECT_ALT_NAME, false;
    IssuerAltName, oids::ISSUER_ALT_NAME, false;
    SubjectKeyId, oids::SUBJECT_KEY_IDENTIFIER, false;
    AuthorityKeyId, oids::AUTHORITY_KEY_IDENTIFIER, false;
    NameConstraints, oids::NAME_CONSTRAINTS, true;
    CertificatePolicies, oids::CERTIFICATE_POLICIES, false;
    PolicyMappings, oids::POLICY_MAPPINGS, true;
    PolicyConstraints, oids::POLICY_CONSTRAINTS, true;
    InhibitAnyPolicy, oids::INHIBIT_ANY_POLICY, true;
    AuthorityInfoAccess, oids::AUTHORITY_INFO_ACCESS, false;
    SubjectInfoAccess, oids::SUBJECT_INFO_ACCESS, false;
    CrlDistributionPoints, oids::CRL_DISTRIBUTION_POINTS, false;
    FreshestCrl, oids::FRESHEST_CRL, false;
    IssuingDistributionPoint, oids::ISSUING_DISTRIBUTION_POINT, true;
    CrlNumber, oids::CRL_NUMBER, false;
    DeltaCrlIndicator, oids::DELTA_CRL_INDICATOR, true;
    CrlReason, oids::CRL_REASON, false;
    InvalidityDate, oids::INVALIDITY_DATE, false;
    CertificateIssuer, oids::CERTIFICATE_ISSUER, true;
    OcspNoCheck, oids::OCSP_NO_CHECK, false;
    TlsFeature, oids::TLS_FEATURE, false;
    MsSid, oids::MS_SID_EXTENSION, false;
}
