//! PKCS #7 bundles and the outside of PKCS #12 files as JSON.

use serde_json::{Value, json};

use super::{Kind, extension, object::certificate_value, status};
use crate::{Error, pkcs7, pkcs12};

/// Certificates and CRLs shown in full.
const MAX_MEMBERS: usize = 1000;

pub(super) fn pkcs7(input: &[u8]) -> Result<Value, Error> {
    let bundle = pkcs7::parse(input)?;
    let shown = bundle.certificates.iter().take(MAX_MEMBERS);
    let crl = |der: &Vec<u8>| {
        status::crl(der).unwrap_or_else(|e| json!({"kind": "unreadable", "error": e.to_string()}))
    };
    Ok(json!({
        "kind": Kind::Pkcs7.name(),
        "contentType": extension::oid(&bundle.content_type),
        "contentSize": bundle.content.map(|content| content.len()),
        "signers": bundle.signers,
        "certificateCount": bundle.certificates.len(),
        "certificates": shown.map(certificate_value).collect::<Vec<_>>(),
        "crls": bundle.crls.iter().take(MAX_MEMBERS).map(crl).collect::<Vec<_>>(),
        "size": input.len(),
    }))
}

/// What is visible without the password.
pub(super) fn pkcs12(input: &[u8]) -> Result<Value, Error> {
    let outline = pkcs12::outline(input).map_err(|error| match error {
        pkcs12::Pkcs12Error::Invalid(error) => error,
        pkcs12::Pkcs12Error::Malformed(why) => Error::invalid("PKCS #12", why),
        _ => Error::invalid("PKCS #12", "it cannot be read"),
    })?;
    Ok(json!({
        "kind": Kind::Pkcs12.name(),
        "mac": outline.mac.map(|(digest, iterations)| json!({"digest": digest, "iterations": iterations})),
        "parts": outline.parts,
        "size": input.len(),
    }))
}
