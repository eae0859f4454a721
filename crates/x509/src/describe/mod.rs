//! What a file is and what it says, for people and for scripts: anything in DER, PEM or bare base64 that this crate
//! reads.
//!
//! Text out of a file never reaches a terminal raw: control and bidirectional characters, with which a name can
//! pretend to be another, are written as escapes in the JSON value already.

mod container;
mod extension;
mod kind;
mod object;
mod status;
mod text;

use serde_json::{Value, json};

use crate::{Error, pem};

pub use kind::Kind;
pub(crate) use kind::der_or_base64;
pub use text::{escape, render_text};

/// Objects described from one PEM file.
const MAX_BLOCKS: usize = 1000;

/// Describes one object, or every block of a PEM file as `{"kind": "bundle", "items": […]}`.
pub fn describe(input: &[u8]) -> Result<Value, Error> {
    if !pem::is_pem(input) {
        return describe_der(&der_or_base64(input)?);
    }
    let mut blocks = pem::decode_all(input)?;
    let omitted = blocks.len().saturating_sub(MAX_BLOCKS);
    blocks.truncate(MAX_BLOCKS);
    let mut items = blocks
        .iter()
        .map(|block| describe_block(&block.label, &block.der));
    if blocks.len() == 1 && omitted == 0 {
        return items.next().unwrap_or_else(|| Err(nothing_found()));
    }
    let items: Vec<Value> = items
        .map(|item| item.unwrap_or_else(|e| json!({"kind": "unreadable", "error": e.to_string()})))
        .collect();
    if items.is_empty() {
        return Err(nothing_found());
    }
    Ok(json!({"kind": "bundle", "items": items, "omitted": omitted}))
}

fn describe_block(label: &str, der: &[u8]) -> Result<Value, Error> {
    if label.ends_with("PRIVATE KEY") {
        return Ok(private_key(label));
    }
    describe_der(der)
}

fn describe_der(der: &[u8]) -> Result<Value, Error> {
    match Kind::of(der)? {
        Kind::Certificate => object::certificate(der),
        Kind::CertificationRequest => object::request(der),
        Kind::PublicKey => object::public_key(der),
        Kind::Crl => status::crl(der),
        Kind::OcspRequest => status::ocsp_request(der),
        Kind::OcspResponse => status::ocsp_response(der),
        Kind::Pkcs7 => container::pkcs7(der),
        Kind::Pkcs12 => container::pkcs12(der),
        Kind::PrivateKey => Ok(private_key("PRIVATE KEY")),
    }
}

/// Private keys are named, never opened.
fn private_key(label: &str) -> Value {
    json!({"kind": "privateKey", "label": escape(label), "note": "private keys are not shown"})
}

fn nothing_found() -> Error {
    Error::invalid("PEM", "there is no block in it")
}
