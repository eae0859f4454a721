//! A pkiMessage (RFC 8894 §3.2): read, measured against the endpoint's policy, and its signature verified. What is in its
//! envelope is another matter (`envelope`).

use std::borrow::Cow;

use x509::cms::{CmsError, DigestAlgorithm, EnvelopedData, SignedData, SignerInfo, Strength};
use x509::der::{self, Reader, Tag};
use x509::{Certificate, PublicKey, PublicKeyKind, oids};

use super::attributes::{FailInfo, MESSAGE_TYPE, MessageType, SENDER_NONCE, TRANSACTION_ID};

/// Longest transactionID kept: a SHA-512 in hexadecimal is half of it.
const MAX_TRANSACTION: usize = 256;
/// Longest nonce sent back; RFC 8894 §3.2.1.5 has 16 octets.
const MAX_NONCE: usize = 64;
/// Smallest RSA key that signs, under whatever policy: no answer can be encrypted for a smaller one, nor is one ever certified.
const MIN_BITS: u32 = 2048;

/// What an answer has to repeat.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    /// transactionID as text.
    pub(crate) transaction: String,
    /// transactionID as it was written, which need not be a PrintableString.
    pub(crate) transaction_der: Vec<u8>,
    pub(crate) sender_nonce: Option<Vec<u8>>,
    /// What the request was digested with, and the answer will be.
    pub(crate) digest: DigestAlgorithm,
}

/// A message whose signature holds. Whether its signer may ask for anything is not decided yet.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) kind: MessageType,
    pub(crate) header: Header,
    pub(crate) signer: Certificate,
    pub(crate) signer_key: PublicKey,
    /// The other certificates of the message.
    pub(crate) others: Vec<Certificate>,
    pub(crate) envelope: EnvelopedData,
    /// What only the legacy policy admitted.
    pub(crate) legacy: Vec<&'static str>,
}

/// Why a message is not acted on.
#[derive(Debug)]
pub(crate) enum Unread {
    /// Not even a transaction to answer in.
    Unreadable(String),
    Failed(Box<Failed>),
}

/// A message that gets a CertRep with a failure.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) header: Header,
    pub(crate) info: FailInfo,
    /// For the client too: it says nothing but what the client itself sent.
    pub(crate) text: Cow<'static, str>,
}

/// Reads a message and verifies its signature.
pub(crate) fn read(message: &[u8], legacy: bool) -> Result<Message, Unread> {
    let unreadable = |error: CmsError| Unread::Unreadable(error.to_string());
    let signed = SignedData::parse(message).map_err(unreadable)?;
    let signer = signed.signer().map_err(unreadable)?;
    let header = header(signer).map_err(unreadable)?;
    let believed = match believe(&signed, signer, legacy) {
        Ok(believed) => believed,
        Err((info, text)) => return Err(Unread::Failed(Box::new(Failed { header, info, text }))),
    };
    let others = signed.certificates.iter();
    let others = others.filter(|other| **other != believed.signer).cloned();
    Ok(Message {
        kind: believed.kind,
        header,
        others: others.collect(),
        signer: believed.signer,
        signer_key: believed.key,
        envelope: believed.envelope,
        legacy: believed.used,
    })
}

/// Without a transactionID there is nothing to answer to. A missing senderNonce is forgiven: there is then none to repeat.
fn header(signer: &SignerInfo) -> Result<Header, CmsError> {
    let attributes = &signer.signed_attributes;
    let missing = CmsError::MissingAttribute(TRANSACTION_ID);
    let bad = CmsError::BadAttribute(TRANSACTION_ID);
    let transaction = attributes.text(&TRANSACTION_ID)?.ok_or(missing.clone())?;
    if transaction.is_empty() || transaction.len() > MAX_TRANSACTION {
        return Err(bad);
    }
    let nonce = attributes.octet_string(&SENDER_NONCE)?;
    if nonce.as_ref().is_some_and(|nonce| nonce.len() > MAX_NONCE) {
        return Err(CmsError::BadAttribute(SENDER_NONCE));
    }
    Ok(Header {
        transaction,
        transaction_der: attributes.value(&TRANSACTION_ID)?.ok_or(missing)?.to_vec(),
        sender_nonce: nonce,
        digest: signer.digest,
    })
}

type Failure = (FailInfo, Cow<'static, str>);

struct Believed {
    kind: MessageType,
    signer: Certificate,
    key: PublicKey,
    envelope: EnvelopedData,
    used: Vec<&'static str>,
}

/// Policy first, then the signature, then the shape of the envelope.
fn believe(signed: &SignedData, signer: &SignerInfo, legacy: bool) -> Result<Believed, Failure> {
    let kind = signer.signed_attributes.text(&MESSAGE_TYPE);
    let kind = kind
        .ok()
        .flatten()
        .and_then(|text| MessageType::parse(&text));
    let kind = kind.ok_or((
        FailInfo::BadRequest,
        "messageType is not one that a client sends (RFC 8894 §3.2.1.2)".into(),
    ))?;
    let certificate = signed.signer_certificate().ok().flatten().ok_or((
        FailInfo::BadMessageCheck,
        "the message does not carry its signer's certificate (RFC 8894 §3.1)".into(),
    ))?;
    let mut used = Vec::new();
    if signer.digest.is_legacy() {
        used.push(signer.digest.name());
    }
    let key = certificate.public_key().map_err(|_| {
        let text = "the signer's key cannot be read";
        (FailInfo::BadAlg, text.into())
    })?;
    check_key(&key)?;
    let strength = if legacy {
        Strength::Legacy
    } else {
        Strength::Current
    };
    admit(&used, legacy)?;
    signed.verify(&key, strength).map_err(|error| match error {
        CmsError::Legacy(_) | CmsError::Invalid(x509::Error::Unsupported { .. }) => {
            (FailInfo::BadAlg, error.to_string().into())
        }
        _ => (
            FailInfo::BadMessageCheck,
            "the message's signature does not hold".into(),
        ),
    })?;
    let envelope = envelope(signed)?;
    if envelope.cipher.is_legacy() {
        used.push(envelope.cipher.name());
        admit(&used, legacy)?;
    }
    Ok(Believed {
        kind,
        signer: certificate.clone(),
        key,
        envelope,
        used,
    })
}

/// SCEP encrypts its answer for the signer's key, so it must be RSA (RFC 8894 §3.1), and one that is worth encrypting for.
fn check_key(key: &PublicKey) -> Result<(), Failure> {
    match key.kind() {
        PublicKeyKind::Rsa { bits, .. } if bits >= MIN_BITS => Ok(()),
        PublicKeyKind::Rsa { .. } => Err((
            FailInfo::BadAlg,
            "RSA keys below 2048 bits are not accepted".into(),
        )),
        _ => Err((
            FailInfo::BadAlg,
            "SCEP messages are signed with RSA keys, for which the answer is encrypted".into(),
        )),
    }
}

fn admit(used: &[&'static str], legacy: bool) -> Result<(), Failure> {
    match used.first() {
        Some(name) if !legacy => Err((
            FailInfo::BadAlg,
            format!(
                "{name} is not accepted at this endpoint; AES, SHA-256 and RSA from 2048 bits are"
            )
            .into(),
        )),
        _ => Ok(()),
    }
}

fn envelope(signed: &SignedData) -> Result<EnvelopedData, Failure> {
    let none = || {
        let text = "there is no enveloped content (RFC 8894 §3.1)";
        (FailInfo::BadMessageCheck, text.into())
    };
    if signed.content_type != oids::DATA && signed.content_type != oids::ENVELOPED_DATA {
        return Err(none());
    }
    let content = signed.content.as_deref().ok_or_else(none)?;
    let content = with_type(content);
    EnvelopedData::parse(&content).map_err(|error| match error {
        CmsError::Invalid(x509::Error::Unsupported { .. }) => {
            (FailInfo::BadAlg, error.to_string().into())
        }
        _ => none(),
    })
}

/// The content is a ContentInfo (RFC 8894 §3.2.3). Some clients leave that out and send the EnvelopedData itself, which
/// begins with a version, not with an object identifier.
fn with_type(content: &[u8]) -> Cow<'_, [u8]> {
    let mut reader = Reader::new(content).tolerant();
    let first = reader.sequence().ok().and_then(|fields| fields.peek());
    if first != Some(Tag::INTEGER) {
        return Cow::Borrowed(content);
    }
    Cow::Owned(der::sequence(|w| {
        w.oid(&oids::ENVELOPED_DATA);
        w.nested(Tag::context_constructed(0), |w| {
            w.raw(content);
        });
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// See `tests/arbitrary_scep.rs` for where they come from.
    const AES: &[u8] = include_bytes!("../../../tests/scep_messages/aes-sha256.der");
    const BER: &[u8] = include_bytes!("../../../tests/scep_messages/ber.der");
    const OLD: &[u8] = include_bytes!("../../../tests/scep_messages/3des-md5-v1.der");
    const SHORT: &[u8] = include_bytes!("../../../tests/scep_messages/rsa-1024.der");

    #[test]
    fn rfc8894_3_2_a_message_is_read() {
        for message in [AES, BER] {
            for legacy in [false, true] {
                let read = read(message, legacy).unwrap();
                assert_eq!(read.kind, MessageType::PkcsReq);
                assert_eq!(read.header.transaction.len(), 32);
                assert_eq!(read.header.sender_nonce.as_ref().unwrap().len(), 16);
                assert_eq!(read.header.digest, DigestAlgorithm::Sha256);
                assert_eq!(read.legacy, Vec::<&str>::new());
                assert_eq!(read.envelope.cipher.name(), "AES-128-CBC");
            }
        }
    }

    #[test]
    fn r09_old_algorithms_need_the_legacy_policy() {
        let Err(Unread::Failed(failed)) = read(OLD, false) else {
            panic!("3DES and MD5 were accepted");
        };
        assert_eq!(failed.info, FailInfo::BadAlg);
        assert_eq!(failed.header.digest, DigestAlgorithm::Md5);
        let message = read(OLD, true).unwrap();
        assert_eq!(message.legacy, ["MD5", "3DES"]);
        assert_eq!(message.signer.version(), 1);
    }

    #[test]
    fn r03_a_short_key_signs_nothing() {
        for legacy in [false, true] {
            let Err(Unread::Failed(failed)) = read(SHORT, legacy) else {
                panic!("a key of 1024 bits was accepted");
            };
            assert_eq!(failed.info, FailInfo::BadAlg);
        }
    }

    /// Each octet of the content and of the signature counts.
    #[test]
    fn a_changed_message_fails_its_check() {
        let content = AES.windows(2).position(|two| two == [0x80, 0x82]).unwrap() + 100;
        for at in [content, AES.len() - 1] {
            let mut changed = AES.to_vec();
            changed[at] ^= 1;
            let Err(Unread::Failed(failed)) = read(&changed, false) else {
                panic!("a changed message was believed");
            };
            assert_eq!(failed.info, FailInfo::BadMessageCheck, "{at}");
        }
    }

    #[test]
    fn what_is_no_message_has_no_answer() {
        for bytes in [&b""[..], b"0", &AES[..AES.len() - 1], &AES[50..], b"<html>"] {
            assert!(matches!(read(bytes, true), Err(Unread::Unreadable(_))));
        }
    }
}
