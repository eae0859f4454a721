//! The certificates of a statement, and what the first of them says.

use x509::{
    Certificate, GeneralName, Oid, Time,
    der::Reader,
    ext::SubjectAltName,
    path::{self, PathOptions, Profile, TrustAnchor},
};

use super::{AttestError, DeviceIdentifier, cbor::Value};

/// Certificates in `x5c`. Manufacturers' chains have two to four.
const MAX_CHAIN: usize = 8;
/// id-on-permanentIdentifier (RFC 4043 §2).
const PERMANENT_IDENTIFIER: Oid = Oid::from_bytes(&[0x2b, 6, 1, 5, 5, 7, 8, 3]);

/// `x5c`: the attestation certificate, then those that lead to a root.
pub(super) fn read(statement: &Value<'_>) -> Result<Vec<Certificate>, AttestError> {
    let bad = || AttestError::Malformed("x5c");
    let items = statement
        .get("x5c")
        .and_then(Value::array)
        .ok_or_else(bad)?;
    if items.is_empty() || items.len() > MAX_CHAIN {
        return Err(bad());
    }
    let read = |v: &Value<'_>| Certificate::from_der(v.bytes()?).ok();
    items.iter().map(|v| read(v).ok_or_else(bad)).collect()
}

/// Whether the chain leads to one of `roots`, for `purposes`.
pub(super) fn validate(
    chain: &[Certificate],
    roots: &[TrustAnchor],
    purposes: &[Oid],
    now: Time,
) -> Result<(), AttestError> {
    let (first, rest) = chain.split_first().ok_or(AttestError::Malformed("x5c"))?;
    if roots.is_empty() {
        let what = "no attestation root is configured for this format";
        return Err(AttestError::Refused(what.to_owned()));
    }
    let options = PathOptions {
        // Manufacturers leave out what RFC 5280 §4 wants, key identifiers for example.
        profile: Profile::Algorithm,
        purposes: purposes.to_vec(),
        ..PathOptions::at(now)
    };
    path::validate(first, rest, roots, &options)
        .map_err(|e| AttestError::Refused(format!("the attestation certificate: {e}")))?;
    Ok(())
}

/// Device names in subjectAltName: RFC 4043 and RFC 4108.
pub(super) fn identifiers(certificate: &Certificate) -> Vec<DeviceIdentifier> {
    let names: Option<SubjectAltName> = certificate.ext().unwrap_or_default();
    names
        .unwrap_or_default()
        .0
        .iter()
        .filter_map(identifier)
        .collect()
}

fn identifier(name: &GeneralName) -> Option<DeviceIdentifier> {
    if let Some((kind, serial)) = name.as_hardware_module_name() {
        let serial = String::from_utf8(serial).ok()?;
        return Some(DeviceIdentifier::HardwareModule { serial, kind });
    }
    let GeneralName::Other { type_id, value_der } = name else {
        return None;
    };
    if *type_id != PERMANENT_IDENTIFIER {
        return None;
    }
    let mut inner = Reader::new(value_der).sequence().ok()?;
    let value = inner.value(x509::der::Tag::UTF8_STRING).ok()?;
    let assigner = match inner.is_empty() {
        true => None,
        false => Some(inner.oid().ok()?),
    };
    inner.finish().ok()?;
    Some(DeviceIdentifier::Permanent {
        value: String::from_utf8(value.to_vec()).ok()?,
        assigner,
    })
}
