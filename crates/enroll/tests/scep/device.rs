//! A device that speaks SCEP: one key, one certificate to sign with, one request. The messages are written with `x509::cms`;
//! `interop/check_scep.py` sends ones that another program wrote.

use http::Method;
use keys::Signer;
use x509::cms::{
    Attribute, ContentCipher, DigestAlgorithm, EntityId, EnvelopedData, MessageSignature, SealTo,
    SignedData, SignedDataBuilder, Strength, seal,
};
use x509::{
    Certificate, CsrBuilder, KeyAlgorithm, Name, Oid, SignatureAlgorithm, TbsCertificate, Time,
    assemble, oids, pkcs7,
};
use zeroize::Zeroizing;

use crate::support::{House, NOW, header};

pub(crate) const PKCS_REQ: &str = "19";
pub(crate) const RENEWAL_REQ: &str = "17";
pub(crate) const UPDATE_REQ: &str = "18";
pub(crate) const CERT_POLL: &str = "20";
pub(crate) const GET_CERT: &str = "21";
pub(crate) const GET_CRL: &str = "22";

fn scep(last: &str) -> Oid {
    format!("2.16.840.1.113733.1.9.{last}").parse().unwrap()
}

pub(crate) struct Device {
    pub(crate) serial: String,
    pub(crate) key: Signer,
    pub(crate) certificate: Certificate,
    pub(crate) transaction: String,
    pub(crate) challenge: Option<String>,
    pub(crate) cipher: ContentCipher,
    pub(crate) digest: DigestAlgorithm,
}

/// An answer whose signature, transaction and nonce have been checked.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: String,
    pub(crate) failure: Option<String>,
    pub(crate) why: Option<String>,
    pub(crate) digest: DigestAlgorithm,
    pub(crate) cipher: Option<ContentCipher>,
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) crls: Vec<Vec<u8>>,
}

impl Answer {
    /// The certificate that was asked for.
    pub(crate) fn issued(&self) -> &Certificate {
        assert_eq!(self.status, "0", "{self:?}");
        &self.certificates[0]
    }

    /// failInfo of a failure.
    pub(crate) fn failed(&self) -> &str {
        assert_eq!(self.status, "2", "{self:?}");
        self.failure.as_deref().unwrap()
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.status == "3"
    }
}

pub(crate) fn new_key() -> Signer {
    let (pkcs8, _) = keys::generate_for_subscriber(KeyAlgorithm::Rsa2048).unwrap();
    Signer::from_pkcs8(&pkcs8).unwrap()
}

pub(crate) fn subject(serial: &str) -> Name {
    format!("CN={serial}").parse().unwrap()
}

/// A certificate that a key makes for itself.
pub(crate) fn self_signed(key: &Signer, subject: &Name) -> Certificate {
    signed_by(key, subject, key, subject)
}

pub(crate) fn signed_by(
    key: &Signer,
    subject: &Name,
    issuer_key: &Signer,
    issuer: &Name,
) -> Certificate {
    let algorithm = SignatureAlgorithm::RsaSha256;
    let tbs = TbsCertificate {
        serial: vec![1],
        signature: algorithm,
        issuer: issuer.clone(),
        not_before: Time(NOW.seconds() - 3600),
        not_after: Time(NOW.seconds() + 86_400),
        subject: subject.clone(),
        spki_der: key.public_key().spki_der().to_vec(),
        extensions: Vec::new(),
    }
    .encode();
    let signature = issuer_key.sign(algorithm, &tbs).unwrap();
    Certificate::from_der(&assemble(&tbs, algorithm, &signature)).unwrap()
}

impl Device {
    pub(crate) fn new(serial: &str, challenge: Option<&str>) -> Self {
        let key = new_key();
        Device {
            certificate: self_signed(&key, &subject(serial)),
            transaction: hex::encode(key.public_key().key_id()),
            serial: serial.to_owned(),
            key,
            challenge: challenge.map(str::to_owned),
            cipher: ContentCipher::Aes128Cbc,
            digest: DigestAlgorithm::Sha256,
        }
    }

    /// The same device, which signs with what it was given from now on.
    pub(crate) fn holding(self, certificate: &Certificate, transaction: &str) -> Self {
        Device {
            certificate: certificate.clone(),
            transaction: transaction.to_owned(),
            challenge: None,
            ..self
        }
    }

    /// A request for a key.
    pub(crate) fn csr(&self, key: &Signer) -> Vec<u8> {
        let mut builder = CsrBuilder::new(subject(&self.serial), key.public_key());
        builder.challenge_password.clone_from(&self.challenge);
        let (tbs, algorithm) = (builder.tbs(), SignatureAlgorithm::RsaSha256);
        let signature = key.sign(algorithm, &tbs).unwrap();
        assemble(&tbs, algorithm, &signature)
    }

    /// A pkiMessage.
    pub(crate) fn message(&self, kind: &str, content: &[u8], recipient: &Certificate) -> Vec<u8> {
        let to = SealTo::certificate(recipient).unwrap();
        let sealed = seal(oids::DATA, content, self.cipher, &[to]).unwrap();
        self.signed(kind, sealed)
    }

    /// A pkiMessage around something that is meant to be an envelope.
    pub(crate) fn signed(&self, kind: &str, envelope: Vec<u8>) -> Vec<u8> {
        let how = MessageSignature::with(KeyAlgorithm::Rsa2048, self.digest).unwrap();
        let unsigned = SignedDataBuilder::new(oids::DATA, envelope)
            .certificates([&self.certificate])
            .attribute(Attribute::printable(scep("2"), kind))
            .attribute(Attribute::printable(scep("7"), &self.transaction))
            .attribute(Attribute::octets(scep("5"), &[7; 16]))
            .to_be_signed(EntityId::of(&self.certificate), how)
            .unwrap();
        let signature = self.key.sign_message(how, unsigned.message()).unwrap();
        unsigned.finish(&signature)
    }

    /// Asks for a certificate for its own key.
    pub(crate) async fn enrol(&self, house: &House, endpoint: &str) -> Answer {
        let csr = self.csr(&self.key);
        self.ask(house, endpoint, PKCS_REQ, &csr).await
    }

    pub(crate) async fn ask(
        &self,
        house: &House,
        endpoint: &str,
        kind: &str,
        content: &[u8],
    ) -> Answer {
        let chain = house.certificates(endpoint).await;
        let message = self.message(kind, content, &chain[0]);
        self.post(house, endpoint, &message, &chain[0]).await
    }

    pub(crate) async fn post(
        &self,
        house: &House,
        endpoint: &str,
        message: &[u8],
        ra: &Certificate,
    ) -> Answer {
        let path = format!("/scep/{endpoint}/pkiclient.exe");
        let query = Some("operation=PKIOperation");
        let reply = house.send(Method::POST, &path, query, message).await;
        let text = String::from_utf8_lossy(&reply.body);
        assert_eq!(reply.status, 200, "{text}");
        assert_eq!(
            header(&reply, "content-type"),
            Some("application/x-pki-message")
        );
        self.read(&reply.body, ra)
    }

    /// Checks a CertRep and opens it.
    fn read(&self, message: &[u8], ra: &Certificate) -> Answer {
        let signed = SignedData::parse(message).unwrap();
        signed
            .verify(&ra.public_key().unwrap(), Strength::Legacy)
            .unwrap();
        let signer = signed.signer().unwrap();
        let text = |last| signer.signed_attributes.text(&scep(last)).unwrap();
        let octets = |last| signer.signed_attributes.octet_string(&scep(last)).unwrap();
        assert_eq!(text("2").as_deref(), Some("3"));
        assert_eq!(text("7").as_deref(), Some(self.transaction.as_str()));
        assert_eq!(octets("6"), Some(vec![7; 16]));
        assert_eq!(octets("5").map(|nonce| nonce.len()), Some(16));
        let status = text("3").unwrap();
        let content = signed.content.clone().unwrap();
        let (mut cipher, mut certificates, mut crls) = (None, Vec::new(), Vec::new());
        match status.as_str() {
            "0" => {
                let envelope = EnvelopedData::parse(&content).unwrap();
                cipher = Some(envelope.cipher);
                let plain: Result<Zeroizing<Vec<u8>>, ca::RaError> =
                    envelope.open(&self.certificate, |transport, encrypted, length| {
                        Ok(self.key.decipher(transport, encrypted, length)?)
                    });
                let bundle = pkcs7::parse(&plain.unwrap()).unwrap();
                assert_eq!(bundle.signers, 0);
                (certificates, crls) = (bundle.certificates, bundle.crls);
            }
            _ => assert_eq!(content, b""),
        }
        let failure = text("4");
        assert_eq!(failure.is_some(), status == "2");
        let why = "1.3.6.1.5.5.7.24.1".parse().unwrap();
        Answer {
            failure: failure.map(|code| {
                let names = [
                    "badAlg",
                    "badMessageCheck",
                    "badRequest",
                    "badTime",
                    "badCertId",
                ];
                names[code.parse::<usize>().unwrap()].to_owned()
            }),
            why: signer.signed_attributes.text(&why).unwrap(),
            digest: signer.digest,
            status,
            cipher,
            certificates,
            crls,
        }
    }
}
