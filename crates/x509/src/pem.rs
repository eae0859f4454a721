//! PEM armour (RFC 7468), read leniently and written strictly.
//!
//! Reading takes what people paste: text around the blocks, any line length, stray white space,
//! missing padding, RFC 1421 headers. Writing is RFC 7468 §2 to the letter.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};

use crate::Error;

pub const CERTIFICATE: &str = "CERTIFICATE";
pub const CERTIFICATE_REQUEST: &str = "CERTIFICATE REQUEST";
pub const X509_CRL: &str = "X509 CRL";
pub const PKCS7: &str = "PKCS7";
pub const CMS: &str = "CMS";
pub const PUBLIC_KEY: &str = "PUBLIC KEY";

/// Labels under which certificates are found (RFC 7468 §5.1 and OpenSSL's own).
pub const CERTIFICATE_LABELS: [&str; 3] = [CERTIFICATE, "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];
/// RFC 7468 §7 and the label of older clients.
pub const REQUEST_LABELS: [&str; 2] = [CERTIFICATE_REQUEST, "NEW CERTIFICATE REQUEST"];

/// Largest text read: a CRL of a million entries is about 40 MB of DER.
pub const MAX_TEXT: usize = 64 * 1024 * 1024;
/// Most blocks read from one text; system trust stores hold about 150.
pub const MAX_BLOCKS: usize = 10_000;

/// Bytes behind a line of 64 characters.
const LINE: usize = 48;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// One armoured block: its label and the bytes inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub label: String,
    pub der: Vec<u8>,
}

/// RFC 7468 §2: 64-column lines between the boundary lines.
pub fn encode(label: &str, der: &[u8]) -> String {
    let lines = der.len().div_ceil(LINE);
    let mut out = String::with_capacity(lines * 65 + 2 * label.len() + 40);
    out.extend([BEGIN, label, DASHES, "\n"]);
    let mut line = [0; 64];
    for bytes in der.chunks(LINE) {
        // It always fits, and base64 is ASCII.
        let length = STANDARD.encode_slice(bytes, &mut line).unwrap_or_default();
        out.extend(str::from_utf8(&line[..length]));
        out.push('\n');
    }
    out.extend([END, label, DASHES, "\n"]);
    out
}

/// Whether the bytes are armoured text rather than DER.
pub fn is_pem(data: &[u8]) -> bool {
    data.windows(BEGIN.len())
        .take(64 * 1024)
        .any(|w| w == BEGIN.as_bytes())
}

/// Every block in the text, in order. Text outside the blocks is explanatory and skipped.
pub fn decode_all(text: &[u8]) -> Result<Vec<Block>, Error> {
    if text.len() > MAX_TEXT {
        return Err(Error::TooLarge {
            what: "PEM text",
            limit: MAX_TEXT,
        });
    }
    let text = String::from_utf8_lossy(text);
    let mut blocks = Vec::new();
    let mut rest = text.as_ref();
    while let Some((_, after)) = rest.split_once(BEGIN) {
        if blocks.len() >= MAX_BLOCKS {
            return Err(Error::TooLarge {
                what: "number of PEM blocks",
                limit: MAX_BLOCKS,
            });
        }
        let (block, tail) = decode_block(after)?;
        blocks.push(block);
        rest = tail;
    }
    Ok(blocks)
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

/// Text from just behind `-----BEGIN ` on.
fn decode_block(text: &str) -> Result<(Block, &str), Error> {
    let (label, after) = text
        .split_once(DASHES)
        .filter(|(label, _)| label.len() <= 64 && !label.contains(['\n', '\r']))
        .ok_or(Error::invalid("PEM", "the BEGIN line is malformed"))?;
    let (body, after) = after
        .split_once(END)
        .ok_or(Error::invalid("PEM", "a block has no END line"))?;
    let (end_label, after) = after
        .split_once(DASHES)
        .ok_or(Error::invalid("PEM", "the END line is malformed"))?;
    if end_label.trim() != label.trim() {
        return Err(Error::invalid("PEM", "BEGIN and END lines do not match"));
    }
    let body = skip_headers(body);
    let mut compact = String::with_capacity(body.len());
    compact.extend(body.split_ascii_whitespace());
    let der = LENIENT
        .decode(compact)
        .map_err(|_| Error::invalid("PEM", "the body is not base64"))?;
    let label = label.trim().to_owned();
    Ok((Block { label, der }, after))
}

/// RFC 1421 §4.4 headers, which old tools write before an empty line.
fn skip_headers(body: &str) -> &str {
    if !body.contains(':') {
        return body;
    }
    let blank = body.find("\n\n").or_else(|| body.find("\r\n\r\n"));
    blank.and_then(|i| body.get(i..)).unwrap_or(body)
}
