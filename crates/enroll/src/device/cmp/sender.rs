//! Who sent a message, by its protection: the holder of a shared secret (RFC 9810 §5.1.3.1) or of a certificate's key
//! (§5.1.3.3). Whether they may have what they ask for is the registration's business.

pub(super) use audit::merkle::sha256;
use audit::{Actor, ActorKind, Timestamp};
use x509::cmp::{FailInfo, Header, Mac, Message};
use x509::ext::{KeyUsage, SubjectKeyId};
use x509::{AlgorithmIdentifier, Certificate, GeneralName, SignatureAlgorithm};
use zeroize::Zeroizing;

use super::fault::{Fault, Stop};
use crate::device::registration::Proof;
use crate::device::{Devices, Endpoint, Request, RightId};

/// What the protection of a message proves.
pub(super) enum Sender {
    Secret {
        right: RightId,
        secret: Zeroizing<Vec<u8>>,
        mac: Box<Mac>,
        reference: Vec<u8>,
    },
    /// Leaf first. The message is signed with its key; nothing else is known yet.
    Signer { chain: Vec<Certificate> },
    /// No protection at all.
    Nobody,
}

impl Sender {
    /// Verifies the protection. `known` is the certificate that signed the first message of the transaction: later ones
    /// may leave it out (RFC 9483 §3.3).
    pub(super) async fn of(
        devices: &Devices,
        endpoint: &Endpoint,
        message: &Message,
        known: Option<&Certificate>,
        request: &Request<'_>,
        now: Timestamp,
    ) -> Result<Sender, Stop> {
        let (algorithm, protection) = match (&message.header.protection_alg, &message.protection) {
            (Some(algorithm), Some(protection)) => (algorithm, protection),
            (None, None) => return Ok(Sender::Nobody),
            _ => {
                let text = "protectionAlg and protection stand together or not at all";
                return Err(Fault::new(FailInfo::BAD_MESSAGE_CHECK, text).into());
            }
        };
        if Mac::is_mac(algorithm) {
            let mac = Mac::from_identifier(algorithm);
            let mac = mac.map_err(|e| Fault::new(FailInfo::BAD_ALG, e.to_string()))?;
            return by_secret(devices, endpoint, message, mac, protection, request, now).await;
        }
        Ok(by_signature(message, known, algorithm, protection)?)
    }

    /// Tells senders apart: a transaction belongs to whoever began it.
    pub(super) fn identity(&self) -> [u8; 32] {
        let mut text = Vec::new();
        match self {
            Sender::Secret { right, .. } => {
                text.extend_from_slice(b"right ");
                text.extend_from_slice(right.as_str().as_bytes());
            }
            Sender::Signer { chain } => {
                text.extend_from_slice(b"certificate ");
                text.extend(
                    chain
                        .first()
                        .map(|leaf| leaf.fingerprint())
                        .unwrap_or_default(),
                );
            }
            Sender::Nobody => text.extend_from_slice(b"nobody"),
        }
        sha256(&text)
    }

    pub(super) fn leaf(&self) -> Option<&Certificate> {
        match self {
            Sender::Signer { chain } => chain.first(),
            _ => None,
        }
    }

    pub(super) fn is_secret(&self) -> bool {
        matches!(self, Sender::Secret { .. })
    }

    pub(super) fn proof(&self) -> Proof {
        match self {
            Sender::Secret { right, .. } => Proof::Mac(right.clone()),
            Sender::Signer { chain } => Proof::Certificate(chain.clone()),
            Sender::Nobody => Proof::Nothing,
        }
    }

    /// As events name it.
    pub(super) fn actor(&self) -> Actor {
        let id = match self {
            Sender::Secret { right, .. } => format!("right {right}"),
            Sender::Signer { chain } => match chain.first() {
                Some(leaf) => format!("certificate {}", hex::encode(leaf.serial())),
                None => "certificate".to_owned(),
            },
            Sender::Nobody => "nobody".to_owned(),
        };
        Actor::new(ActorKind::Machine, id)
    }
}

async fn by_secret(
    devices: &Devices,
    endpoint: &Endpoint,
    message: &Message,
    mac: Mac,
    protection: &[u8],
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Sender, Stop> {
    /// Stands in for the secret of a reference that nobody was given, so that it costs the same work.
    const NO_SUCH_SECRET: &[u8] = b"there is no such reference";

    let reference = reference(&message.header);
    let registration = devices.registration();
    if let Err(refusal) = registration.may_try(endpoint, request.peer, now) {
        return Err(Fault::refused(&refusal).into());
    }
    let found = registration
        .shared_secret(endpoint, &reference, now)
        .await?;
    let secret: &[u8] = found
        .as_ref()
        .map_or(NO_SUCH_SECRET, |(_, secret)| secret.as_slice());
    let verified = mac.verify(secret, &message.protected_part(), protection);
    match (found, verified) {
        (Some((right, secret)), Ok(())) => Ok(Sender::Secret {
            right,
            secret,
            mac: Box::new(mac),
            reference,
        }),
        _ => {
            registration.wrong(endpoint, request.peer, now).await;
            Err(Fault::new(
                FailInfo::BAD_MESSAGE_CHECK,
                "the message's protection does not verify",
            )
            .into())
        }
    }
}

/// senderKID (RFC 9483 §3.1); some clients give the reference as the common name of the sender only.
fn reference(header: &Header) -> Vec<u8> {
    if let Some(kid) = &header.sender_kid {
        return kid.clone();
    }
    match &header.sender {
        GeneralName::DirName(name) => name
            .common_name()
            .map(|text| text.as_bytes().to_vec())
            .unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn by_signature(
    message: &Message,
    known: Option<&Certificate>,
    algorithm: &AlgorithmIdentifier,
    protection: &[u8],
) -> Result<Sender, Fault> {
    let Some(algorithm) = SignatureAlgorithm::from_identifier(algorithm) else {
        return Err(Fault::new(
            FailInfo::BAD_ALG,
            "sign with RSA, ECDSA or Ed25519 and SHA-2, or use PasswordBasedMac or PBMAC1",
        ));
    };
    let bad = || {
        Fault::new(
            FailInfo::BAD_MESSAGE_CHECK,
            "the message's protection does not verify",
        )
    };
    let leaf = signer(message).or(known).ok_or_else(bad)?;
    let usage = leaf.ext::<KeyUsage>().map_err(|_| bad())?;
    if usage.is_some_and(|usage| !usage.contains(KeyUsage::DIGITAL_SIGNATURE)) {
        return Err(bad());
    }
    let key = leaf.public_key().map_err(|_| bad())?;
    key.verify(algorithm, &message.protected_part(), protection)
        .map_err(|_| bad())?;
    let mut chain = vec![leaf.clone()];
    chain.extend(message.extra_certs.iter().filter(|c| *c != leaf).cloned());
    Ok(Sender::Signer { chain })
}

/// The certificate that the header points to, otherwise the first one (RFC 9483 §3.3: the signer's comes first).
fn signer(message: &Message) -> Option<&Certificate> {
    let header = &message.header;
    let by_key_id = |certificate: &&Certificate| {
        let id = certificate.ext::<SubjectKeyId>().ok().flatten();
        id.is_some_and(|id| Some(&id.0) == header.sender_kid.as_ref())
    };
    let by_name = |certificate: &&Certificate| {
        matches!(&header.sender, GeneralName::DirName(name)
            if !name.is_empty() && certificate.subject().canonical_eq(name))
    };
    let certificates = &message.extra_certs;
    let found = certificates.iter().find(by_key_id);
    let found = found.or_else(|| certificates.iter().find(by_name));
    found.or_else(|| certificates.first())
}
