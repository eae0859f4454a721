//! Every reader, used to the full on bytes that may be anything.
//!
//! The fuzz targets under `fuzz/` and the property tests call these functions: a reader must neither
//! panic nor take long, whatever it is given, and what it read must survive being written again. They
//! are public for that reason only.

mod containers;

use crate::{
    Certificate, CertificationRequest, Extension, GeneralName, KeyAlgorithm, Name, PublicKey, dns,
    ext::{self, ExtensionValue},
    key::AlgorithmIdentifier,
    name::decode_string,
    pem,
};

pub use containers::{cmp, cms, crl, describe, jks, ocsp_request, ocsp_response, pkcs7, pkcs12};

/// Reads a certificate and asks it everything.
pub fn certificate(data: &[u8]) {
    let Ok(c) = Certificate::from_der(data) else {
        return;
    };
    assert_eq!(c.der(), data);
    for part in [c.tbs_der(), c.serial(), c.spki_der(), c.signature()] {
        assert!(part.len() <= data.len());
    }
    name(c.issuer().der());
    name(c.subject().der());
    let _ = (c.version(), c.is_valid_at(c.not_before()));
    let _ = (c.not_before().to_x509(), c.not_after().to_string());
    let _ = (c.fingerprint(), c.is_self_issued(), c.encoding_issues());
    for e in c.extensions() {
        extension(e);
    }
    key(c.spki_der());
    if let Ok(k) = c.public_key() {
        let _ = c.verify_signed_by(&k);
        let _ = c.verify_signed_by_legacy(&k);
    }
    let again = Certificate::from_pem(c.to_pem().as_bytes());
    assert_eq!(again.as_ref(), Ok(&c));
}

/// Reads a request and asks it everything.
pub fn csr(data: &[u8]) {
    let Ok(r) = CertificationRequest::from_der(data) else {
        return;
    };
    assert!(KeyAlgorithm::of(r.public_key()).is_some());
    name(r.subject().der());
    for e in r.extensions() {
        extension(e);
    }
    let _ = (r.challenge_password(), r.signature_algorithm());
    let _ = r.verify_proof_of_possession();
    let _ = r.verify_proof_of_possession_legacy();
    let again = CertificationRequest::from_pem(r.to_pem().as_bytes());
    assert_eq!(again.map(|a| a.der().to_vec()), Ok(data.to_vec()));
}

/// Takes text apart and puts every block together again.
pub fn pem(data: &[u8]) {
    for block in pem::decode_all(data).unwrap_or_default() {
        let text = pem::encode(&block.label, &block.der);
        let again = pem::decode_all(text.as_bytes());
        assert_eq!(again.as_deref(), Ok([block].as_slice()));
    }
    let _ = (pem::is_pem(data), Certificate::from_pem(data));
}

/// Reads a name as DER and as text, and a GeneralName, a string and a DNS name.
pub fn name(data: &[u8]) {
    if let Ok(n) = Name::from_der(data) {
        assert!(n.canonical_eq(&n) && n.is_within(&n) && n.is_within(&Name::empty()));
        let _ = (n.to_string(), n.common_name(), n.is_empty());
        if let Ok(again) = n.to_string().parse::<Name>() {
            let _ = again.canonical_eq(&n);
        }
    }
    general_name(data);
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(n) = text.parse::<Name>() {
            assert_eq!(Name::from_der(n.der()).as_ref(), Ok(&n));
            assert_eq!(n.to_string().parse::<Name>().as_ref(), Ok(&n));
        }
        let _ = (dns::check(text), text.parse::<crate::Oid>());
        let _ = (text.parse::<crate::Time>(), text.parse::<ext::IpRange>());
    }
    if let [tag, value @ ..] = data {
        let _ = decode_string(crate::der::Tag(*tag), value);
    }
}

/// Reads a public key and looks for every weakness.
pub fn key(data: &[u8]) {
    let _ = AlgorithmIdentifier::from_der(data)
        .map(|id| crate::SignatureAlgorithm::from_identifier(&id));
    let Ok(k) = PublicKey::from_spki_der(data) else {
        return;
    };
    assert_eq!(k.spki_der(), data);
    let _ = (k.kind(), k.key_id(), k.weakness(), k.has_exact_parameters());
    for alg in crate::SignatureAlgorithm::ALL {
        let _ = k.verify(alg, data, data);
        let _ = k.verify_legacy(&alg.identifier(), data, data);
    }
}

/// Reads the bytes as the content of every extension there is a type for.
pub fn any_extension(value: &[u8]) {
    for (_, read) in EXTENSIONS {
        read(value);
    }
}

fn extension(e: &Extension) {
    for (_, read) in EXTENSIONS.iter().filter(|(oid, _)| *oid == e.oid) {
        read(&e.value);
    }
}

fn general_name(data: &[u8]) {
    let mut r = crate::der::Reader::new(data);
    if let Ok(n) = GeneralName::read(&mut r) {
        let _ = (n.to_string(), n.as_upn(), n.as_srv());
        let _ = n.as_hardware_module_name();
        let mut w = crate::der::Writer::new();
        n.write(&mut w);
        let again = GeneralName::read(&mut crate::der::Reader::new(&w.finish()));
        assert_eq!(again, Ok(n));
    }
}

type Read = fn(&[u8]);

macro_rules! table {
    ($($t:ident),* $(,)?) => {
        const EXTENSIONS: &[(crate::Oid, Read)] = &[$((ext::$t::OID, round_trip::<ext::$t>)),*];
    };
}

table! {
    BasicConstraints, KeyUsage, ExtKeyUsage, SubjectAltName, IssuerAltName, SubjectKeyId,
    AuthorityKeyId, NameConstraints, CertificatePolicies, PolicyMappings, PolicyConstraints,
    InhibitAnyPolicy, AuthorityInfoAccess, SubjectInfoAccess, CrlDistributionPoints, FreshestCrl,
    IssuingDistributionPoint, CrlNumber, DeltaCrlIndicator, CrlReason, InvalidityDate,
    CertificateIssuer, OcspNoCheck, TlsFeature, MsSid,
}

/// What was read, written again, reads as the same thing and is then a fixed point of writing.
fn round_trip<T: ExtensionValue>(value: &[u8]) {
    let Ok(parsed) = T::parse(value) else {
        return;
    };
    let written = parsed.encode_value();
    let again = T::parse(&written).map(|t| t.encode_value());
    assert_eq!(again.as_ref(), Ok(&written), "{:?}", T::OID);
}
