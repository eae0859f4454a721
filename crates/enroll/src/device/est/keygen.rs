//! `serverkeygen`: a key that is made here, handed out once and kept nowhere (RFC 7030 §4.4).

use access::Refusal;
use ca::GeneratedKey;
use http::header::{CACHE_CONTROL, HeaderValue};
use x509::der::{Reader, Tag};
use x509::{CertificationRequest, KeyAlgorithm, Oid};
use zeroize::Zeroizing;

use super::{CERTS_ONLY, body};
use crate::device::Reply;

/// id-aa-decryptKeyID and id-aa-asymmDecryptKeyID (RFC 7030 §4.4.1): the device wants its key encrypted for another of its
/// keys.
const ENCRYPTED_FOR: [(Oid, &str); 2] = [
    (
        Oid::from_bytes(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 0x10, 2, 37]),
        "DecryptKeyIdentifier",
    ),
    (
        Oid::from_bytes(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 0x10, 2, 54]),
        "AsymmetricDecryptKeyIdentifier",
    ),
];

/// Stands in no base64, so no part can contain it.
const BOUNDARY: &str = "--ward-serverkeygen";

/// The kind of key that the request's own shows, and nothing else of it counts (RFC 7030 §4.4.1).
pub(super) fn algorithm(request: &CertificationRequest) -> Option<KeyAlgorithm> {
    KeyAlgorithm::of(request.public_key())
}

/// A key is handed out under TLS and no second layer: a device that demands one is told so rather than ignored
/// (RFC 7030 §4.4.1.1, §4.4.1.2).
pub(super) fn refuse_encryption(request: &CertificationRequest) -> Result<(), Refusal> {
    let asked = attributes(request.tbs_der()).unwrap_or_default();
    let found = ENCRYPTED_FOR.iter().find(|(oid, _)| asked.contains(oid));
    match found {
        None => Ok(()),
        Some((_, name)) => Err(Refusal::new(
            "est.key-encryption",
            "RFC 7030 §4.4.1",
            format!("{name} names a key that is not known here"),
        )
        .accepted(
            "a request without it: the key comes in the clear inside TLS, and is kept nowhere",
        )),
    }
}

/// The types of the request's attributes. Their syntax was checked when the request was read.
fn attributes(info: &[u8]) -> Option<Vec<Oid>> {
    let mut info = Reader::new(info).sequence().ok()?;
    info.u64().ok()?;
    // Subject and key.
    info.element().ok()?;
    info.element().ok()?;
    let mut list = info.optional_nested(Tag::context_constructed(0)).ok()??;
    let mut types = Vec::new();
    while !list.is_empty() {
        types.push(list.sequence().ok()?.oid().ok()?);
    }
    Some(types)
}

/// Two parts: PKCS #8, and the certificate as `simpleenroll` has it (RFC 7030 §4.4.2). `None` if the key is not there.
pub(super) fn answer(key: Option<&GeneratedKey>, certificates: &[u8]) -> Option<Reply> {
    let Some(GeneratedKey::Pem(pem)) = key else {
        return None;
    };
    let pkcs8 = x509::pem::decode_first(pem.as_bytes(), &["PRIVATE KEY"]);
    let pkcs8 = Zeroizing::new(pkcs8.ok()?);
    let key = Zeroizing::new(body::encode(&pkcs8, "\r\n"));
    let certificates = body::encode(certificates, "\r\n");
    let part = |content_type: &str, base64: &str| {
        format!(
            "--{BOUNDARY}\r\nContent-Type: {content_type}\r\nContent-Transfer-Encoding: base64\r\n\r\n{base64}"
        )
    };
    let key = Zeroizing::new(part("application/pkcs8", &key));
    let certificates = part(CERTS_ONLY, &certificates);
    let whole = [key.as_str(), &certificates, "--", BOUNDARY, "--\r\n"].concat();
    let reply = Reply::typed(
        200,
        "multipart/mixed; boundary=\"--ward-serverkeygen\"",
        whole.into_bytes(),
    );
    Some(reply.header(CACHE_CONTROL, HeaderValue::from_static("no-store")))
}
