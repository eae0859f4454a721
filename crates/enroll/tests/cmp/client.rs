//! A device that speaks CMP. Its messages are written with `x509::cmp`, whose octets are held against OpenSSL's in
//! crates/x509/tests/cmp.rs; `interop/check_cmp.py` sends ones that other programs wrote.

use keys::Signer;
use x509::cmp::{
    Body, CertRepMessage, CertResponse, CertStatus, FailInfo, Header, InfoTypeAndValue, Mac,
    Message, Status,
};
use x509::crmf::{Attribute, CertReqMsg, CertTemplate, ProofOfPossession};
use x509::{
    Certificate, GeneralName, KeyAlgorithm, Name, SignatureAlgorithm, TbsCertificate, Time,
    assemble,
};

use crate::support::{House, NOW, header};

pub(crate) const ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::EcdsaSha256;

/// How a message is protected.
#[derive(Clone)]
pub(crate) enum Protect {
    Secret {
        reference: String,
        secret: String,
    },
    Key {
        signer: Signer,
        chain: Vec<Certificate>,
    },
    Nothing,
}

impl From<(String, String)> for Protect {
    fn from((reference, secret): (String, String)) -> Self {
        Protect::Secret { reference, secret }
    }
}

pub(crate) fn new_key() -> Signer {
    let (pkcs8, _) = keys::generate_for_subscriber(KeyAlgorithm::EcdsaP256).unwrap();
    Signer::from_pkcs8(&pkcs8).unwrap()
}

pub(crate) fn subject(serial: &str) -> Name {
    format!("CN={serial}").parse().unwrap()
}

/// One side of a transaction.
pub(crate) struct Talk<'a> {
    pub(crate) house: &'a House,
    pub(crate) path: String,
    pub(crate) protect: Protect,
    pub(crate) transaction: Vec<u8>,
    pub(crate) implicit: bool,
    pub(crate) recip_nonce: Option<Vec<u8>>,
    /// The octets of the last message.
    pub(crate) sent: Vec<u8>,
}

impl<'a> Talk<'a> {
    pub(crate) fn new(house: &'a House, endpoint: &str, protect: impl Into<Protect>) -> Self {
        Talk {
            house,
            path: format!("/.well-known/cmp/p/{endpoint}"),
            protect: protect.into(),
            transaction: random(),
            implicit: false,
            recip_nonce: None,
            sent: Vec::new(),
        }
    }

    pub(crate) fn header(&self) -> Header {
        let me = GeneralName::DirName(subject("device"));
        let mut header = Header::new(me, Header::nobody());
        header.message_time = Some(Time(self.house.now().seconds()));
        header.transaction_id = Some(self.transaction.clone());
        header.sender_nonce = Some(random());
        header.recip_nonce.clone_from(&self.recip_nonce);
        if self.implicit {
            header.general_info = vec![InfoTypeAndValue::implicit_confirm()];
        }
        header
    }

    pub(crate) fn protected(&self, mut header: Header, body: Body) -> Vec<u8> {
        match &self.protect {
            Protect::Nothing => Message::new(header, body).encode(),
            Protect::Secret { reference, secret } => {
                let mac = Mac::password_based(random(), 500);
                header.sender_kid = Some(reference.as_bytes().to_vec());
                header.protection_alg = Some(mac.identifier());
                let mut message = Message::new(header, body);
                let covered = message.protected_part();
                message.protection = Some(mac.compute(secret.as_bytes(), &covered).unwrap());
                message.encode()
            }
            Protect::Key { signer, chain } => {
                header.sender = GeneralName::DirName(chain[0].subject().clone());
                header.protection_alg = Some(ALGORITHM.identifier());
                let mut message = Message::new(header, body);
                let covered = message.protected_part();
                message.protection = Some(signer.sign(ALGORITHM, &covered).unwrap());
                message.extra_certs.clone_from(chain);
                message.encode()
            }
        }
    }

    /// Sends, and checks everything about the answer that a client checks.
    pub(crate) async fn say(&mut self, body: Body) -> Message {
        let header = self.header();
        self.sent = self.protected(header.clone(), body);
        let answer = self.post().await;
        assert_eq!(answer.header.transaction_id, header.transaction_id);
        assert_eq!(answer.header.recip_nonce, header.sender_nonce);
        assert_ne!(answer.header.sender_nonce, None);
        self.check_protection(&answer);
        self.recip_nonce.clone_from(&answer.header.sender_nonce);
        answer
    }

    /// Sends the last message (again).
    pub(crate) async fn post(&self) -> Message {
        let reply = self.house.post(&self.path, &self.sent).await;
        assert_eq!(reply.status, 200);
        assert_eq!(header(&reply, "content-type"), Some("application/pkixcmp"));
        Message::from_der(&reply.body).unwrap()
    }

    /// Errors to strangers have none; the rest is protected as the request was (RFC 9483 §3.2).
    fn check_protection(&self, answer: &Message) {
        let (Some(algorithm), Some(protection)) =
            (&answer.header.protection_alg, &answer.protection)
        else {
            assert_eq!(
                answer.body.name(),
                "error",
                "only errors go without protection"
            );
            return;
        };
        let covered = answer.protected_part();
        match &self.protect {
            Protect::Secret { reference, secret } => {
                let mac = Mac::from_identifier(algorithm).unwrap();
                mac.verify(secret.as_bytes(), &covered, protection).unwrap();
                assert_eq!(
                    answer.header.sender_kid.as_deref(),
                    Some(reference.as_bytes())
                );
            }
            Protect::Key { .. } | Protect::Nothing => {
                let ra = &answer.extra_certs[0];
                let key = ra.public_key().unwrap();
                key.verify_with(algorithm, &covered, protection).unwrap();
                let issued = |issuer: &&std::sync::Arc<ca::Issuer>| {
                    let key = issuer.certificate().public_key().unwrap();
                    ra.verify_signed_by(&key).is_ok()
                };
                let issuers = self.house.ca.issuers();
                assert!(issuers.iter().any(|issuer| issued(&issuer)));
            }
        }
    }

    /// Confirms the certificate, or rejects it.
    pub(crate) async fn confirm(&mut self, certificate: &Certificate, accepted: bool) -> Message {
        let status = match accepted {
            true => None,
            false => Some(x509::cmp::StatusInfo::of(Status::Rejection)),
        };
        let hash = digest(certificate.der());
        self.say(Body::CertConf(vec![CertStatus {
            cert_hash: hash,
            cert_req_id: 0,
            status,
            hash_alg: None,
        }]))
        .await
    }
}

/// SHA-256, or SHA-384 where the issuer signs with P-384.
fn digest(der: &[u8]) -> Vec<u8> {
    use aws_lc_rs::digest::{SHA256, SHA384, digest};
    let certificate = Certificate::from_der(der).unwrap();
    let algorithm = SignatureAlgorithm::from_identifier(&certificate.signature_algorithm());
    match algorithm {
        Some(SignatureAlgorithm::EcdsaSha384) => digest(&SHA384, der).as_ref().to_vec(),
        Some(SignatureAlgorithm::EcdsaSha256 | SignatureAlgorithm::RsaSha256) => {
            digest(&SHA256, der).as_ref().to_vec()
        }
        other => panic!("signed with {other:?}"),
    }
}

/// A request with a good proof.
pub(crate) fn request(key: &Signer, subject: Name, controls: Vec<Attribute>) -> CertReqMsg {
    let template = CertTemplate {
        subject: Some(subject),
        spki_der: Some(key.public_key().spki_der().to_vec()),
        ..CertTemplate::default()
    };
    let request = CertReqMsg::new(0, template, controls);
    let signature = key.sign(ALGORITHM, request.request_der()).unwrap();
    request.with_proof(ProofOfPossession::Signature {
        input: None,
        algorithm: ALGORITHM.identifier(),
        signature,
    })
}

pub(crate) fn ir(key: &Signer, serial: &str) -> Body {
    Body::Ir(vec![request(key, subject(serial), vec![])])
}

pub(crate) fn response(message: &Message) -> &CertResponse {
    let (Body::Ip(reply) | Body::Cp(reply) | Body::Kup(reply)) = &message.body else {
        panic!("{:?}", message.body);
    };
    &reply.responses[0]
}

pub(crate) fn reply(message: &Message) -> &CertRepMessage {
    let (Body::Ip(reply) | Body::Cp(reply) | Body::Kup(reply)) = &message.body else {
        panic!("{:?}", message.body);
    };
    reply
}

/// The certificate that was given.
pub(crate) fn given(message: &Message) -> Certificate {
    let response = response(message);
    assert!(response.status.status.is_granted(), "{response:?}");
    response.certificate.clone().unwrap()
}

/// The bits of a refusal, wherever it stands.
pub(crate) fn refused(message: &Message) -> Vec<&'static str> {
    let status = match &message.body {
        Body::Error(error) => &error.status,
        Body::Rp(reply) => &reply.statuses[0],
        _ => &response(message).status,
    };
    assert_eq!(status.status, Status::Rejection, "{:?}", message.body);
    status.fail.unwrap_or(FailInfo(0)).names()
}

/// A certificate for `key` by `issuer_key`; a CA's if it signs itself.
pub(crate) fn certificate(
    key: &Signer,
    subject: &str,
    issuer_key: &Signer,
    issuer: &str,
) -> Certificate {
    use x509::ext::{BasicConstraints, ExtensionValue};
    let extensions = match subject == issuer {
        true => vec![
            BasicConstraints {
                ca: true,
                path_len: None,
            }
            .encode(),
        ],
        false => Vec::new(),
    };
    let tbs = TbsCertificate {
        serial: vec![0x11; 8],
        signature: ALGORITHM,
        issuer: issuer.parse().unwrap(),
        not_before: Time(NOW.seconds() - 86_400),
        not_after: Time(NOW.seconds() + 10 * 365 * 86_400),
        subject: subject.parse().unwrap(),
        spki_der: key.public_key().spki_der().to_vec(),
        extensions,
    }
    .encode();
    let signature = issuer_key.sign(ALGORITHM, &tbs).unwrap();
    Certificate::from_der(&assemble(&tbs, ALGORITHM, &signature)).unwrap()
}

pub(crate) fn random() -> Vec<u8> {
    let mut octets = vec![0; 16];
    aws_lc_rs::rand::fill(&mut octets).unwrap();
    octets
}
