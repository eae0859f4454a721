//! One message and its answer: protected as the request was (RFC 9483 §3.2), with nonces that belong together.

use std::sync::Arc;

use audit::Timestamp;
use ca::{Issuer, Ra};
use x509::cmp::{Body, Header, InfoTypeAndValue, Message};
use x509::ext::SubjectKeyId;
use x509::{Certificate, GeneralName, Time};

use super::fault::Stop;
use super::sender::{Sender, sha256};
use crate::device::{Chain, DeviceError, Devices, Endpoint, Request};

/// Octets of a nonce and of a salt.
const NONCE: usize = 16;

/// A message whose sender is known, on its way to an answer.
pub(super) struct Exchange<'a> {
    pub(super) devices: &'a Devices,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) request: &'a Request<'a>,
    pub(super) now: Timestamp,
    pub(super) message: Message,
    /// SHA-256 of the message.
    pub(super) sha256: [u8; 32],
    pub(super) sender: Sender,
}

/// What is said beside the body.
#[derive(Default)]
pub(super) struct Beside {
    pub(super) info: Vec<InfoTypeAndValue>,
    /// Certificates that the client may need beside the signer's.
    pub(super) chain: Vec<Certificate>,
    /// Our senderNonce, where it says something.
    pub(super) nonce: Option<Vec<u8>>,
}

/// An answer, and the senderNonce in it.
pub(super) struct Answer {
    pub(super) der: Vec<u8>,
    pub(super) nonce: Vec<u8>,
}

impl Exchange<'_> {
    pub(super) fn header(&self) -> &Header {
        &self.message.header
    }

    pub(super) fn transaction_id(&self) -> &[u8] {
        self.header().transaction_id.as_deref().unwrap_or_default()
    }

    pub(super) fn store(&self) -> &store::Store {
        self.devices.ca().store()
    }

    pub(super) fn issuer(&self) -> Result<Arc<Issuer>, DeviceError> {
        self.devices.issuer(&self.endpoint)
    }

    /// Builds and protects the answer.
    pub(super) async fn answer(&self, body: Body, beside: Beside) -> Result<Answer, Stop> {
        let issuer = self.issuer()?;
        let nonce = match beside.nonce {
            Some(nonce) => nonce,
            None => random()?,
        };
        let mut header = answering(self.header(), self.now);
        header.sender_nonce = Some(nonce.clone());
        header.general_info = beside.info;
        let message = match &self.sender {
            Sender::Nobody => {
                // Who knows nothing of us can still check what a certificate of ours has signed.
                let ra = self.registration_authority(&issuer).await?;
                signed(header, body, &ra, self.endpoint.chain, beside.chain).await?
            }
            Sender::Signer { .. } => {
                let ra = self.registration_authority(&issuer).await?;
                signed(header, body, &ra, self.endpoint.chain, beside.chain).await?
            }
            Sender::Secret {
                secret,
                mac,
                reference,
                ..
            } => {
                let mac = mac.with_salt(random()?);
                header.sender = GeneralName::DirName(issuer.certificate().subject().clone());
                header.sender_kid = Some(reference.clone());
                header.protection_alg = Some(mac.identifier());
                let mut message = Message::new(header, body);
                message.protection = Some(mac.compute(secret, &message.protected_part())?);
                message.extra_certs = beside.chain;
                message
            }
        };
        Ok(Answer {
            der: message.encode(),
            nonce,
        })
    }

    async fn registration_authority(&self, issuer: &Issuer) -> Result<Arc<Ra>, DeviceError> {
        let authority = &issuer.record().authority;
        let ca = self.devices.ca();
        Ok(ca.registration_authority(authority, self.now).await?)
    }
}

/// Signs with the registration authority's key; its certificate comes first in extraCerts (RFC 9483 §3.3).
async fn signed(
    mut header: Header,
    body: Body,
    ra: &Ra,
    of_ra: Chain,
    chain: Vec<Certificate>,
) -> Result<Message, DeviceError> {
    let certificate = &ra.certificate;
    let algorithm = ra.signer.algorithm().default_signature();
    header.sender = GeneralName::DirName(certificate.subject().clone());
    header.sender_kid = certificate.ext::<SubjectKeyId>()?.map(|id| id.0);
    header.protection_alg = Some(algorithm.identifier());
    let mut message = Message::new(header, body);
    let covered = message.protected_part();
    let signature = match ra.signer.is_blocking() {
        false => ra.signer.sign(algorithm, &covered)?,
        true => {
            let signer = ra.signer.clone();
            let signing = tokio::task::spawn_blocking(move || signer.sign(algorithm, &covered));
            signing.await.map_err(|_| DeviceError::Random)??
        }
    };
    message.protection = Some(signature);
    message.extra_certs.push(certificate.clone());
    for other in of_ra.part(&ra.chain).iter().cloned().chain(chain) {
        if !message.extra_certs.contains(&other) {
            message.extra_certs.push(other);
        }
    }
    Ok(message)
}

/// The header of an answer, before its protection: to whoever asked, in their transaction and version.
fn answering(request: &Header, now: Timestamp) -> Header {
    let mut header = Header::new(Header::nobody(), request.sender.clone());
    header.version = request.version;
    header.message_time = Some(Time(now.seconds()));
    header.transaction_id.clone_from(&request.transaction_id);
    header.recip_nonce.clone_from(&request.sender_nonce);
    header
}

/// An answer to somebody who has proved nothing: unprotected, because a signature would be work that anybody can make
/// us do (RFC 9483 §3.6.4 leaves it open for errors).
pub(super) fn unprotected(request: Option<&Header>, body: Body, now: Timestamp) -> Vec<u8> {
    let nobody = Header::new(Header::nobody(), Header::nobody());
    let mut header = answering(request.unwrap_or(&nobody), now);
    if !matches!(header.version, 2 | 3) {
        header.version = 3;
    }
    header.sender_nonce = random().ok();
    Message::new(header, body).encode()
}

/// A senderNonce that can be recognised as ours in this transaction without being stored: 64 random bits, and as many
/// that follow from them and the nonce that is stored. Polling would otherwise write at each question.
pub(super) fn polling_nonce(stored: &[u8]) -> Result<Vec<u8>, DeviceError> {
    let mut nonce = random()?;
    let tag = polling_tag(stored, &nonce);
    for (octet, tag) in nonce.iter_mut().skip(NONCE / 2).zip(tag) {
        *octet = tag;
    }
    Ok(nonce)
}

/// Whether a recipNonce repeats the stored nonce or one made of it.
pub(super) fn repeats(recip_nonce: Option<&Vec<u8>>, stored: &[u8]) -> bool {
    let Some(sent) = recip_nonce else {
        return false;
    };
    let made = || {
        let tag = polling_tag(stored, sent);
        sent.len() == NONCE && sent.iter().skip(NONCE / 2).eq(tag.iter().take(NONCE / 2))
    };
    sent == stored || made()
}

fn polling_tag(stored: &[u8], nonce: &[u8]) -> [u8; 32] {
    let mut input = stored.to_vec();
    input.extend(nonce.iter().take(NONCE / 2));
    sha256(&input)
}

pub(super) fn random() -> Result<Vec<u8>, DeviceError> {
    Ok(crate::random::random::<NONCE>()?.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_of_polling_belong_to_their_transaction() {
        let (one, other) = (random().unwrap(), random().unwrap());
        let made = polling_nonce(&one).unwrap();
        assert!(repeats(Some(&made), &one));
        assert!(repeats(Some(&one), &one));
        assert!(!repeats(Some(&made), &other));
        assert!(!repeats(Some(&other), &one));
        assert!(!repeats(None, &one));
        assert_ne!(made, polling_nonce(&one).unwrap());
    }
}
