//! PEM as it lies around: several blocks, text and garbage between them, one of them broken.

use x509::{Certificate, der::Reader, pem, pkcs7};
use zeroize::Zeroizing;

use super::key::Key;

/// What a text holds.
#[derive(Default)]
pub(super) struct Text {
    pub(super) certificates: Vec<Certificate>,
    pub(super) keys: Vec<Key>,
    /// Blocks that say they are certificates and are not.
    pub(super) damaged: usize,
}

const BEGIN: &[u8] = b"-----BEGIN ";

/// Reads block by block, so that a broken one costs itself only.
pub(super) fn read(text: &[u8]) -> Text {
    let mut found = Text::default();
    let starts: Vec<usize> = starts(text).take(pem::MAX_BLOCKS).collect();
    for (n, start) in starts.iter().enumerate() {
        let end = starts.get(n + 1).copied().unwrap_or(text.len());
        let block = text.get(*start..end).unwrap_or_default();
        let label = label(block);
        let is_key = label.ends_with("PRIVATE KEY");
        if is_key && (label.starts_with("ENCRYPTED") || has_encryption_header(block)) {
            found.keys.push(Key::encrypted());
            continue;
        }
        let wanted = is_key
            || pem::CERTIFICATE_LABELS.contains(&label.as_str())
            || [pem::PKCS7, pem::CMS].contains(&label.as_str());
        if !wanted {
            continue;
        }
        let decoded = pem::decode_all(block)
            .ok()
            .and_then(|blocks| blocks.into_iter().next());
        match decoded {
            None => found.damaged += 1,
            Some(block) if is_key => found.keys.push(Key::from_der(Zeroizing::new(block.der))),
            Some(block) => found.take(&block),
        }
    }
    found
}

impl Text {
    fn take(&mut self, block: &pem::Block) {
        let read = match block.label.as_str() {
            pem::PKCS7 | pem::CMS => pkcs7::parse(&block.der)
                .map(|bundle| bundle.certificates)
                .ok(),
            // OpenSSL puts what it trusts the certificate for behind it.
            "TRUSTED CERTIFICATE" => {
                let first = Reader::new(&block.der)
                    .tolerant()
                    .element()
                    .map(|e| e.raw)
                    .ok();
                first
                    .and_then(|der| Certificate::from_der(der).ok())
                    .map(|c| vec![c])
            }
            _ => Certificate::from_der(&block.der).map(|c| vec![c]).ok(),
        };
        match read {
            Some(certificates) => self.certificates.extend(certificates),
            None => self.damaged += 1,
        }
    }
}

fn starts(text: &[u8]) -> impl Iterator<Item = usize> {
    text.windows(BEGIN.len())
        .enumerate()
        .filter(|(_, w)| *w == BEGIN)
        .map(|(at, _)| at)
}

fn label(block: &[u8]) -> String {
    let rest = block.get(BEGIN.len()..).unwrap_or_default();
    let label = rest
        .iter()
        .take(64)
        .take_while(|b| !matches!(b, b'-' | b'\n' | b'\r'));
    label
        .map(|b| char::from(*b))
        .collect::<String>()
        .trim()
        .to_owned()
}

/// RFC 1421 §4.6.1.1, as OpenSSL writes old encrypted keys.
fn has_encryption_header(block: &[u8]) -> bool {
    const HEADER: &[u8] = b"Proc-Type: 4,ENCRYPTED";
    let head = block.get(..256).unwrap_or(block);
    head.windows(HEADER.len()).any(|w| w == HEADER)
}
