//! Certificates, requests and public keys as JSON.

use serde_json::{Value, json};

use super::{Kind, extension, text::escape};
use crate::{
    AlgorithmIdentifier, Certificate, CertificationRequest, Error, KeyAlgorithm, Name, PublicKey,
    PublicKeyKind,
};

pub(super) fn certificate(der: &[u8]) -> Result<Value, Error> {
    Ok(certificate_value(&Certificate::from_der(der)?))
}

pub(super) fn certificate_value(certificate: &Certificate) -> Value {
    let issues: Vec<Value> = certificate
        .encoding_issues()
        .iter()
        .map(|issue| json!({"rule": issue.rule, "clause": issue.clause, "message": escape(&issue.message)}))
        .collect();
    json!({
        "kind": Kind::Certificate.name(),
        "version": certificate.version(),
        "serial": hex_colon(certificate.serial()),
        "subject": name(certificate.subject()),
        "issuer": name(certificate.issuer()),
        "notBefore": certificate.not_before().to_string(),
        "notAfter": certificate.not_after().to_string(),
        "publicKey": match certificate.public_key() {
            Ok(key) => key_value(&key),
            Err(error) => json!({"error": error.to_string()}),
        },
        "extensions": extension::describe_all(certificate.extensions()),
        "signatureAlgorithm": algorithm(&certificate.signature_algorithm()),
        "encodingIssues": issues,
        "sha256": hex::encode(certificate.fingerprint()),
        "size": certificate.der().len(),
    })
}

/// Requests are read strictly; one that is refused is shown with the reason.
pub(super) fn request(der: &[u8]) -> Result<Value, Error> {
    let request = match CertificationRequest::from_der(der) {
        Ok(request) => request,
        Err(refusal) => {
            return Ok(json!({
                "kind": Kind::CertificationRequest.name(),
                "refused": {
                    "rule": refusal.rule,
                    "clause": refusal.clause,
                    "message": escape(&refusal.message),
                    "accepted": refusal.accepted,
                },
                "size": der.len(),
            }));
        }
    };
    Ok(json!({
        "kind": Kind::CertificationRequest.name(),
        "subject": name(request.subject()),
        "publicKey": key_value(request.public_key()),
        "extensions": extension::describe_all(request.extensions()),
        "challengePassword": request.challenge_password().is_some(),
        "proofOfPossession": match request.verify_proof_of_possession() {
            Ok(()) => "verified".to_owned(),
            Err(refusal) => escape(&refusal.to_string()),
        },
        "size": der.len(),
    }))
}

pub(super) fn public_key(der: &[u8]) -> Result<Value, Error> {
    let key = PublicKey::from_spki_der(der)?;
    let mut value = key_value(&key);
    if let Value::Object(fields) = &mut value {
        fields.insert("kind".into(), json!(Kind::PublicKey.name()));
    }
    Ok(value)
}

fn key_value(key: &PublicKey) -> Value {
    let (family, bits, detail) = match key.kind() {
        PublicKeyKind::Rsa { bits, exponent } => ("RSA".to_owned(), Some(bits), json!(exponent)),
        PublicKeyKind::Ec { curve, bits } => ("EC".to_owned(), Some(bits), extension::oid(&curve)),
        PublicKeyKind::Ed25519 => ("Ed25519".to_owned(), None, Value::Null),
        PublicKeyKind::Other(oid) => {
            let name = oid.name().map_or_else(|| oid.to_string(), str::to_owned);
            (name, None, Value::Null)
        }
    };
    let is_rsa = matches!(key.kind(), PublicKeyKind::Rsa { .. });
    let (exponent, curve) = match is_rsa {
        true => (detail, Value::Null),
        false => (Value::Null, detail),
    };
    json!({
        "type": family,
        "algorithm": KeyAlgorithm::of(key),
        "bits": bits,
        "exponent": exponent,
        "curve": curve,
        "keyId": hex_colon(&key.key_id()),
        "weakness": key.weakness().map(|w| w.to_string()),
    })
}

pub(super) fn name(name: &Name) -> String {
    escape(&name.to_string())
}

pub(super) fn algorithm(id: &AlgorithmIdentifier) -> Value {
    extension::oid(&id.oid)
}

/// `0a:1b:2c`, as serial numbers and key identifiers are usually compared by eye.
pub(super) fn hex_colon(octets: &[u8]) -> String {
    let pairs: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    pairs.join(":")
}
