//! The format `apple` as Apple's managed devices use it with ACME (Apple Platform Deployment, Managed
//! Device Attestation): Apple's servers certify the key themselves, with the device's names and a
//! freshness code in extensions.
//!
//! The freshness code is the SHA-256 of the token: Apple signs before anybody knows the account's key, so
//! the attestation is not bound to the account (draft-ietf-acme-device-attest §5).

use aws_lc_rs::digest::{SHA256, digest};
use x509::{Certificate, Oid};

use super::{AttestError, Attested, DeviceIdentifier, Format, cbor::Value, chain};

/// 1.2.840.113635.100.8.9.1, …8.9.2 and …8.11.1. Their values are bare octets, not DER.
const SERIAL_NUMBER: Oid = apple(&[9, 1]);
const UDID: Oid = apple(&[9, 2]);
const FRESHNESS_CODE: Oid = apple(&[11, 1]);

const fn apple(last: &[u8; 2]) -> Oid {
    Oid::from_bytes(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x63, 100, 8, last[0], last[1]])
}

pub(super) fn verify(
    statement: &Value<'_>,
    token: &str,
    roots: &[x509::path::TrustAnchor],
    now: x509::Time,
) -> Result<Attested, AttestError> {
    let chain = chain::read(statement)?;
    let leaf = chain.first().ok_or(AttestError::Malformed("x5c"))?;
    chain::validate(&chain, roots, &[], now)?;
    let expected = digest(&SHA256, token.as_bytes());
    if value(leaf, FRESHNESS_CODE) != Some(expected.as_ref()) {
        let what = "the certificate's freshness code is not the SHA-256 of the token";
        return Err(AttestError::Refused(what.to_owned()));
    }
    let named = [SERIAL_NUMBER, UDID].into_iter().filter_map(|oid| {
        let text = String::from_utf8(value(leaf, oid)?.to_vec()).ok()?;
        Some(DeviceIdentifier::Permanent {
            value: text,
            assigner: None,
        })
    });
    Ok(Attested {
        format: Format::Apple,
        key: leaf
            .public_key()
            .map_err(|_| AttestError::Malformed("x5c"))?,
        // Apple attests keys of the Secure Enclave only.
        hardware_bound: true,
        identifiers: named.collect(),
        chain,
    })
}

fn value(certificate: &Certificate, oid: Oid) -> Option<&[u8]> {
    let found = certificate.extensions().iter().find(|e| e.oid == oid)?;
    Some(&found.value)
}
