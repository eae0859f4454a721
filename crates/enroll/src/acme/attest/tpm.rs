//! The format `tpm` (WebAuthn §8.3): a TPM 2.0 certified the key with its attestation key (AK), whose
//! certificate says which TPM, and so which device, it is.

use aws_lc_rs::digest::{self, digest};
use x509::{Certificate, GeneralName, Oid, PublicKey, SignatureAlgorithm, der, oids};

use super::{AttestError, Attested, Format, cbor::Value, chain};

/// tcg-kp-AIKCertificate.
const AIK_CERTIFICATE: Oid = Oid::from_bytes(&[0x67, 0x81, 5, 8, 3]);
/// tpmManufacturer, tpmModel, tpmVersion (TCG EK Credential Profile §3.2.9).
const TPM_MANUFACTURER: Oid = Oid::from_bytes(&[0x67, 0x81, 5, 2, 1]);
const TPM_MODEL: Oid = Oid::from_bytes(&[0x67, 0x81, 5, 2, 2]);
const TPM_VERSION: Oid = Oid::from_bytes(&[0x67, 0x81, 5, 2, 3]);

/// TPM_GENERATED_VALUE and TPM_ST_ATTEST_CERTIFY (TPM 2.0 part 2, §6.2, §6.9).
const GENERATED: u32 = 0xff54_4347;
const ATTEST_CERTIFY: u16 = 0x8017;
/// Object attributes (part 2, §8.3.2) that together mean: made in this TPM and never leaves it.
const HARDWARE_BOUND: u32 = 1 << 1 | 1 << 4 | 1 << 5;
const NULL: u16 = 0x0010;

/// Verifies the statement; `signed` is what the challenge wants attested.
pub(super) fn verify(
    statement: &Value<'_>,
    signed: &[u8],
    roots: &[x509::path::TrustAnchor],
    now: x509::Time,
) -> Result<Attested, AttestError> {
    let malformed = |what| AttestError::Malformed(what);
    if statement.get("ver").and_then(Value::text) != Some("2.0") {
        return Err(AttestError::Refused("ver is not \"2.0\"".to_owned()));
    }
    let bytes = |key: &'static str| {
        statement
            .get(key)
            .and_then(Value::bytes)
            .ok_or(malformed(key))
    };
    let (cert_info, pub_area, signature) = (bytes("certInfo")?, bytes("pubArea")?, bytes("sig")?);
    let algorithm = statement
        .get("alg")
        .and_then(Value::int)
        .ok_or(malformed("alg"))?;
    let algorithm = cose_algorithm(algorithm)?;

    let chain = chain::read(statement)?;
    let aik = chain.first().ok_or(malformed("x5c"))?;
    chain::validate(&chain, roots, &[AIK_CERTIFICATE], now)?;
    check_aik(aik)?;
    let key = aik.public_key().map_err(|_| malformed("x5c"))?;
    key.verify(algorithm, cert_info, signature)
        .map_err(|e| AttestError::Refused(format!("the signature of certInfo: {e}")))?;

    let info = CertifyInfo::read(cert_info).ok_or(malformed("certInfo"))?;
    if info.extra_data != digest(hash_of(algorithm)?, signed).as_ref() {
        let what = "certInfo.extraData is not the hash of the key authorization";
        return Err(AttestError::Refused(what.to_owned()));
    }
    let public = PublicArea::read(pub_area).ok_or(malformed("pubArea"))?;
    let hash = hash_by_id(public.name_algorithm).ok_or(malformed("pubArea"))?;
    let mut name = public.name_algorithm.to_be_bytes().to_vec();
    name.extend(digest(hash, pub_area).as_ref());
    if info.name != name {
        let what = "certInfo certifies another key than pubArea";
        return Err(AttestError::Refused(what.to_owned()));
    }
    Ok(Attested {
        format: Format::Tpm,
        key: public.key,
        hardware_bound: public.attributes & HARDWARE_BOUND == HARDWARE_BOUND,
        identifiers: chain::identifiers(aik),
        chain,
    })
}

/// WebAuthn §8.3.1. Dates and signatures were part of the path.
fn check_aik(aik: &Certificate) -> Result<(), AttestError> {
    let refused = |what: &str| Err(AttestError::Refused(format!("the AK's certificate {what}")));
    if aik.version() != 3 {
        return refused("is not of version 3");
    }
    if !aik.subject().is_empty() {
        return refused("has a subject");
    }
    let basic: Option<x509::ext::BasicConstraints> = aik.ext().unwrap_or_default();
    if basic.is_none_or(|b| b.ca) {
        return refused("does not say that it is no authority's");
    }
    // The path lets a certificate without purposes serve for all; this one must name its own.
    let purposes: Option<x509::ext::ExtKeyUsage> = aik.ext().unwrap_or_default();
    if !purposes.is_some_and(|p| p.contains(&AIK_CERTIFICATE)) {
        return refused("is not for the purpose tcg-kp-AIKCertificate");
    }
    let names: Option<x509::ext::SubjectAltName> = aik.ext().unwrap_or_default();
    let names = names.unwrap_or_default().0;
    let says = |oid: Oid| {
        names.iter().any(|n| match n {
            GeneralName::DirName(name) => name.attributes().any(|a| a.oid == oid),
            _ => false,
        })
    };
    if ![TPM_MANUFACTURER, TPM_MODEL, TPM_VERSION]
        .into_iter()
        .all(says)
    {
        return refused("does not name the TPM's manufacturer, model and version");
    }
    Ok(())
}

/// COSE algorithms (RFC 9053 §2, RFC 8812 §2). RS1, RSA with SHA-1, is the one TPMs used once; it is out.
fn cose_algorithm(id: i64) -> Result<SignatureAlgorithm, AttestError> {
    Ok(match id {
        -7 => SignatureAlgorithm::EcdsaSha256,
        -35 => SignatureAlgorithm::EcdsaSha384,
        -36 => SignatureAlgorithm::EcdsaSha512,
        -37 => SignatureAlgorithm::RsaPssSha256,
        -38 => SignatureAlgorithm::RsaPssSha384,
        -39 => SignatureAlgorithm::RsaPssSha512,
        -257 => SignatureAlgorithm::RsaSha256,
        -258 => SignatureAlgorithm::RsaSha384,
        -259 => SignatureAlgorithm::RsaSha512,
        other => {
            let what = format!("signature algorithm {other} is not accepted");
            return Err(AttestError::Refused(what));
        }
    })
}

fn hash_of(algorithm: SignatureAlgorithm) -> Result<&'static digest::Algorithm, AttestError> {
    use SignatureAlgorithm as S;
    match algorithm {
        S::EcdsaSha256 | S::RsaSha256 | S::RsaPssSha256 => Ok(&digest::SHA256),
        S::EcdsaSha384 | S::RsaSha384 | S::RsaPssSha384 => Ok(&digest::SHA384),
        S::EcdsaSha512 | S::RsaSha512 | S::RsaPssSha512 => Ok(&digest::SHA512),
        _ => Err(AttestError::Malformed("alg")),
    }
}

/// TPM_ALG_ID (part 2, §6.3) of the hashes that may name an object.
fn hash_by_id(id: u16) -> Option<&'static digest::Algorithm> {
    match id {
        0x000b => Some(&digest::SHA256),
        0x000c => Some(&digest::SHA384),
        0x000d => Some(&digest::SHA512),
        _ => None,
    }
}

/// TPMS_ATTEST of type certify (part 2, §10.12.12).
struct CertifyInfo<'a> {
    extra_data: &'a [u8],
    name: &'a [u8],
}

impl<'a> CertifyInfo<'a> {
    fn read(data: &'a [u8]) -> Option<Self> {
        let mut r = Reader(data);
        if r.u32()? != GENERATED || r.u16()? != ATTEST_CERTIFY {
            return None;
        }
        r.sized()?; // qualifiedSigner
        let extra_data = r.sized()?;
        r.take(8 + 4 + 4 + 1)?; // clockInfo
        r.take(8)?; // firmwareVersion
        let name = r.sized()?;
        r.sized()?; // qualifiedName
        r.0.is_empty().then_some(Self { extra_data, name })
    }
}

/// TPMT_PUBLIC (part 2, §12.2.4) of an RSA or an ECC key.
struct PublicArea {
    name_algorithm: u16,
    attributes: u32,
    key: PublicKey,
}

impl PublicArea {
    fn read(data: &[u8]) -> Option<Self> {
        let mut r = Reader(data);
        let kind = r.u16()?;
        let (name_algorithm, attributes) = (r.u16()?, r.u32()?);
        r.sized()?; // authPolicy
        if r.u16()? != NULL {
            r.take(4)?; // symmetric: keyBits, mode
        }
        let spki = match kind {
            0x0001 => rsa(&mut r)?,
            0x0023 => ecc(&mut r)?,
            _ => return None,
        };
        let key = PublicKey::from_spki_der(&spki).ok()?;
        r.0.is_empty().then_some(Self {
            name_algorithm,
            attributes,
            key,
        })
    }
}

fn rsa(r: &mut Reader<'_>) -> Option<Vec<u8>> {
    match r.u16()? {
        NULL | 0x0015 => {}
        0x0014 | 0x0016 | 0x0017 => drop(r.u16()?), // RSASSA, RSAPSS, OAEP with a hash
        _ => return None,
    }
    r.u16()?; // keyBits
    let exponent = match r.u32()? {
        0 => 65_537,
        other => other,
    };
    let modulus = r.sized()?;
    let key = der::sequence(|w| {
        w.unsigned(modulus).u64(exponent.into());
    });
    Some(der::sequence(|w| {
        w.sequence(|w| {
            w.oid(&oids::RSA_ENCRYPTION).null();
        });
        w.bit_string_octets(&key);
    }))
}

fn ecc(r: &mut Reader<'_>) -> Option<Vec<u8>> {
    match r.u16()? {
        NULL => {}
        0x001a => drop(r.u32()?), // ECDAA: hash, count
        0x0018 | 0x0019 | 0x001b..=0x001d => drop(r.u16()?),
        _ => return None,
    }
    let (curve, size) = match r.u16()? {
        3 => (oids::P256, 32),
        4 => (oids::P384, 48),
        5 => (oids::P521, 66),
        _ => return None,
    };
    if r.u16()? != NULL {
        r.u16()?; // key derivation: hash
    }
    let mut point = vec![4];
    for coordinate in [r.sized()?, r.sized()?] {
        // TPMs leave leading zeros out.
        let missing = usize::checked_sub(size, coordinate.len())?;
        point.extend(std::iter::repeat_n(0, missing));
        point.extend(coordinate);
    }
    Some(der::sequence(|w| {
        w.sequence(|w| {
            w.oid(&oids::EC_PUBLIC_KEY).oid(&curve);
        });
        w.bit_string_octets(&point);
    }))
}

/// Big-endian, as TPMs marshal.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    /// A TPM2B.
    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(length.into())
    }
}

/// Reads `data` as each of the structures.
pub(super) fn exercise(data: &[u8]) {
    let info = CertifyInfo::read(data);
    assert!(info.is_none_or(|i| i.extra_data.len() + i.name.len() <= data.len()));
    let _ = PublicArea::read(data).map(|p| (p.attributes, p.key.weakness()));
}
