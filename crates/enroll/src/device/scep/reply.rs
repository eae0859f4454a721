//! CertRep (RFC 8894 §3.3.2.1): signed by the registration authority, in the digest of the request.

use ca::RaKey;
use keys::Signer;
use x509::cms::{
    Attribute, ContentCipher, DigestAlgorithm, EntityId, MessageSignature, SignedDataBuilder,
};
use x509::{Certificate, KeyAlgorithm, oids};

use super::attributes::{
    FAILURE, FailInfo, MESSAGE_TYPE, MessageType, PENDING, PKI_STATUS, RECIPIENT_NONCE,
    SENDER_NONCE, SUCCESS, TRANSACTION_ID,
};
use super::message::Header;
use super::{Fault, envelope};
use crate::random::random;

/// What a message is answered with.
#[derive(Debug)]
pub(super) enum Answer {
    /// Certificates or a CRL: a SignedData that signs nothing.
    Success(Vec<u8>),
    /// Come again with the same transaction.
    Pending,
    /// No; the sentence is for the client.
    Failure(FailInfo, Option<String>),
}

impl Answer {
    /// A failure about which nothing more is said.
    pub(super) const fn bare(info: FailInfo) -> Self {
        Answer::Failure(info, None)
    }
}

/// The CertRep, signed with `key`. `to` is for whom content is sealed, and how.
pub(super) async fn cert_rep(
    key: &RaKey,
    header: &Header,
    answer: Answer,
    to: Option<(&Certificate, ContentCipher)>,
    digest: DigestAlgorithm,
) -> Result<Vec<u8>, Fault> {
    let (status, content, more) = match (answer, to) {
        (Answer::Success(content), Some((signer, cipher))) => {
            let sealed = envelope::sealed(&content, signer, cipher)?;
            (SUCCESS, Some(sealed), Vec::new())
        }
        (Answer::Success(_), None) => (FAILURE, None, FailInfo::BadRequest.attributes(None)),
        (Answer::Pending, _) => (PENDING, None, Vec::new()),
        (Answer::Failure(info, text), _) => (FAILURE, None, info.attributes(text.as_deref())),
    };
    // A pending or failed answer has no pkcsPKIEnvelope (RFC 8894 §3.2.2). Its eContent is an empty OCTET STRING rather than
    // absent: what OpenSSL's PKCS7_verify (certmonger, sscep) is given without content, it calls detached and cannot read.
    let builder = SignedDataBuilder::new(oids::DATA, content.unwrap_or_default());
    let mut builder = builder
        .certificates([&key.certificate])
        .attribute(Attribute::printable(MESSAGE_TYPE, MessageType::CERT_REP))
        .attribute(Attribute::printable(PKI_STATUS, status))
        .attribute(Attribute::new(
            TRANSACTION_ID,
            header.transaction_der.clone(),
        ))
        // RFC 8894 §3.2.1.5.
        .attribute(Attribute::octets(SENDER_NONCE, &random::<16>()?));
    if let Some(nonce) = &header.sender_nonce {
        builder = builder.attribute(Attribute::octets(RECIPIENT_NONCE, nonce));
    }
    for attribute in more {
        builder = builder.attribute(attribute);
    }
    let how = MessageSignature::with(key.signer.algorithm(), digest).ok_or(Fault::NoSignature)?;
    let unsigned = builder.to_be_signed(EntityId::of(&key.certificate), how)?;
    let signature = match key.signer.is_blocking() {
        false => key.signer.sign_message(how, unsigned.message())?,
        true => {
            let (signer, message) = (key.signer.clone(), unsigned.message().to_vec());
            let sign = move || signer.sign_message(how, &message);
            let signed = tokio::task::spawn_blocking(sign).await;
            signed.map_err(|_| Fault::Interrupted)??
        }
    };
    Ok(unsigned.finish(&signature))
}

/// A SignedData by an issuer itself, in the digest that suits its key.
pub(super) async fn signed_by_issuer(
    builder: SignedDataBuilder,
    certificate: &Certificate,
    signer: &Signer,
) -> Result<Vec<u8>, Fault> {
    let algorithm = signer.algorithm();
    let digest = match algorithm {
        KeyAlgorithm::EcdsaP384 => DigestAlgorithm::Sha384,
        KeyAlgorithm::EcdsaP521 | KeyAlgorithm::Ed25519 => DigestAlgorithm::Sha512,
        _ => DigestAlgorithm::Sha256,
    };
    let how = MessageSignature::with(algorithm, digest).ok_or(Fault::NoSignature)?;
    let unsigned = builder.to_be_signed(EntityId::of(certificate), how)?;
    let (signer, message) = (signer.clone(), unsigned.message().to_vec());
    let sign = move || signer.sign_message(how, &message);
    // It may live in a token; nobody is in a hurry here.
    let signature = tokio::task::spawn_blocking(sign)
        .await
        .map_err(|_| Fault::Interrupted)??;
    Ok(unsigned.finish(&signature))
}
