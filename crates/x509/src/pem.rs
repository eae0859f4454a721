//! PEM armour (RFC 7468), read leniently and written strictly.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::Error;

pub const CERTIFICATE: &str = "CERTIFICATE";
pub const CERTIFICATE_REQUEST: &str = "CERTIFICATE REQUEST";
pub const X509_CRL: &str = "X509 CRL";
pub const PKCS7: &str = "PKCS7";
pub const PUBLIC_KEY: &str = "PUBLIC KEY";

/// One armoured block: its label and the bytes inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub label: String,
    pub der: Vec<u8>,
}

/// RFC 7468 §2: 64-column lines between the boundary lines.
pub fn encode(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut out = String::with_capacity(body.len() + body.len() / 64 + 2 * label.len() + 40);
    out.push_str(&format!("-----BEGIN {label}-----\n"));
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = tail;
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// Every block in the text, in order.
pub fn decode_all(_text: &[u8]) -> Result<Vec<Block>, Error> {
    Err(Error::invalid("PEM", "not readable yet"))
}

/// The first block whose label is one of `labels`.
pub fn decode_first(text: &[u8], labels: &[&str]) -> Result<Vec<u8>, Error> {
    let found = decode_all(text)?
        .into_iter()
        .find(|b| labels.contains(&b.label.as_str()));
    found
        .map(|b| b.der)
        .ok_or(Error::invalid("PEM", "no block of the expected kind"))
}
