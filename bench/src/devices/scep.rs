//! SCEP (RFC 8894): PKCSReq with a challenge, RenewalReq signed with the certificate that is renewed.

use super::{Error, Key, est, request, serial, subject};
use aws_lc_rs::digest::{SHA256, digest};
use keys::KeyError;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};
use x509::cms::{
    Attribute, CmsError, ContentCipher, DigestAlgorithm, EntityId, EnvelopedData, MessageSignature,
    SealTo, SignedData, SignedDataBuilder, seal,
};
use x509::{
    Certificate, KeyAlgorithm, Oid, SignatureAlgorithm, TbsCertificate, Time, assemble, oids, pkcs7,
};
use zeroize::Zeroizing;

/// RFC 8894 §3.2.1.4.
const PKCS_REQ: &str = "19";
const RENEWAL_REQ: &str = "17";

/// pkiStatus SUCCESS among the signed attributes of an answer (RFC 8894 §3.2.1.3). Servers answer 200 to what they refuse.
pub const SUCCESS: &[u8] = b"\x06\x0a\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x03\x31\x03\x13\x01\x30";

/// Where to, whom messages are sealed for, and what lets devices in.
pub struct Door<'a> {
    pub host: &'a str,
    pub path: &'a str,
    pub challenge: &'a str,
    pub ra: Certificate,
}

/// Whoever signs a message.
struct Sender<'a> {
    key: &'a Key,
    certificate: &'a Certificate,
}

impl Door<'_> {
    /// A PKCSReq, signed with a certificate that the key made for itself.
    pub fn enroll(&self, number: usize, own: &(Key, Certificate)) -> Result<Vec<u8>, Error> {
        let (key, certificate) = own;
        let csr = request(&serial(number), key, Some(self.challenge))?;
        let sender = Sender { key, certificate };
        self.message(PKCS_REQ, &csr, &sender, &transaction(number, "first"))
    }

    /// A RenewalReq for another key, signed with the certificate that is renewed.
    pub fn renew(
        &self,
        number: usize,
        key: &Key,
        certificate: &Certificate,
        next: &Key,
    ) -> Result<Vec<u8>, Error> {
        let csr = request(&serial(number), next, None)?;
        let sender = Sender { key, certificate };
        self.message(RENEWAL_REQ, &csr, &sender, &transaction(number, "second"))
    }

    fn message(
        &self,
        kind: &str,
        csr: &[u8],
        sender: &Sender<'_>,
        transaction: &str,
    ) -> Result<Vec<u8>, Error> {
        let to = SealTo::certificate(&self.ra)?;
        let sealed = seal(oids::DATA, csr, ContentCipher::Aes128Cbc, &[to])?;
        let how = MessageSignature::with(KeyAlgorithm::Rsa2048, DigestAlgorithm::Sha256)
            .ok_or(Error::Unexpected("RSA signs no SHA-256"))?;
        let nonce = digest(&SHA256, transaction.as_bytes());
        let unsigned = SignedDataBuilder::new(oids::DATA, sealed)
            .certificates([sender.certificate])
            .attribute(Attribute::printable(attribute("2")?, kind))
            .attribute(Attribute::printable(attribute("7")?, transaction))
            .attribute(Attribute::octets(attribute("5")?, &nonce.as_ref()[..16]))
            .to_be_signed(EntityId::of(sender.certificate), how)?;
        let signature = sender.key.signer.sign_message(how, unsigned.message())?;
        let body = unsigned.finish(&signature);
        let (host, path) = (self.host, self.path);
        let mut request = format!(
            "POST {path}?operation=PKIOperation HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-pki-message\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        Ok(request)
    }
}

/// The attributes of RFC 8894 §3.2.1 by their last number.
fn attribute(last: &str) -> Result<Oid, Error> {
    let oid = format!("2.16.840.1.113733.1.9.{last}").parse();
    oid.map_err(|_| Error::Unexpected("no object identifier"))
}

/// One for each device and request: a number is enrolled once against a server.
fn transaction(number: usize, stage: &str) -> String {
    let seed = digest(&SHA256, format!("{number} {stage}").as_bytes());
    seed.as_ref()[..16]
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect()
}

/// The pool's keys with certificates that they made for themselves (RFC 8894 §2.2).
pub fn own_certificates(pool: Vec<Key>) -> Result<Vec<(Key, Certificate)>, Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs().cast_signed());
    let own = |key: Key| {
        let algorithm = SignatureAlgorithm::RsaSha256;
        let name = subject("a device")?;
        let tbs = TbsCertificate {
            serial: vec![1],
            signature: algorithm,
            issuer: name.clone(),
            not_before: Time(now - 3600),
            not_after: Time(now + 86_400),
            subject: name,
            spki_der: key.signer.public_key().spki_der().to_vec(),
            extensions: Vec::new(),
        }
        .encode();
        let signature = key.signer.sign(algorithm, &tbs)?;
        let certificate = Certificate::from_der(&assemble(&tbs, algorithm, &signature))?;
        Ok((key, certificate))
    };
    pool.into_iter().map(own).collect()
}

/// The certificate in an answer, which is sealed for `key`.
pub fn issued(key: &Key, signer: &Certificate, answer: &[u8]) -> Result<Certificate, Error> {
    let content = SignedData::parse(answer)?.content;
    let content = content.ok_or(Error::Unexpected("an answer without content"))?;
    let open = |transport: &_, encrypted: &[u8], length| -> Result<Zeroizing<Vec<u8>>, Opening> {
        Ok(key.signer.decipher(transport, encrypted, length)?)
    };
    let plain = EnvelopedData::parse(&content)?.open(signer, open);
    match plain {
        Ok(plain) => est::only(&plain),
        Err(Opening::Cms(error)) => Err(error.into()),
        Err(Opening::Key(error)) => Err(error.into()),
    }
}

#[derive(Debug, thiserror::Error)]
enum Opening {
    #[error(transparent)]
    Cms(#[from] CmsError),
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The certificate that messages are sealed for: what GetCACert (RFC 8894 §4.2) answers first.
pub fn recipient(address: &str, path: &str) -> Result<Certificate, Error> {
    let mut stream = TcpStream::connect(address)?;
    let get = format!(
        "GET {path}?operation=GetCACert HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(get.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let body = end.and_then(|end| answer.get(end + 4..));
    let body = body.ok_or(Error::Unexpected("GetCACert was not answered"))?;
    match Certificate::from_der(body) {
        Ok(only) => Ok(only),
        Err(_) => {
            let found = pkcs7::parse(body)?.certificates.into_iter().next();
            found.ok_or(Error::Unexpected("GetCACert gave no certificate"))
        }
    }
}
