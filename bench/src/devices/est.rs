//! EST (RFC 7030): simpleenroll with a password, simplereenroll with the certificate that is renewed.

use super::drive::Identity;
use super::{Error, Key, request, serial};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509::{Certificate, KeyAlgorithm, pkcs7};

/// A device's first request, and the key that it is for.
pub struct Prepared {
    pub key: Key,
    pub request: Vec<u8>,
}

/// Where to, and with which password (`user:password`).
pub struct Door<'a> {
    pub host: &'a str,
    pub path: &'a str,
    pub login: &'a str,
}

impl Door<'_> {
    /// A simpleenroll for a new P-256 key.
    pub fn enroll(&self, number: usize) -> Result<Prepared, Error> {
        let login = STANDARD.encode(self.login);
        self.ask(
            number,
            "simpleenroll",
            &format!("Authorization: Basic {login}\r\n"),
        )
    }

    /// A simplereenroll for a new P-256 key. TLS says who asks.
    pub fn reenroll(&self, number: usize) -> Result<Prepared, Error> {
        self.ask(number, "simplereenroll", "Connection: close\r\n")
    }

    fn ask(&self, number: usize, operation: &str, headers: &str) -> Result<Prepared, Error> {
        let key = Key::generate(KeyAlgorithm::EcdsaP256)?;
        let body = STANDARD.encode(request(&serial(number), &key, None)?);
        let (host, path) = (self.host, self.path);
        let request = format!(
            "POST {path}/{operation} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/pkcs10\r\n\
             Content-Transfer-Encoding: base64\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Ok(Prepared {
            key,
            request: request.into_bytes(),
        })
    }
}

/// The certificate of an answer, and its key, as TLS shows them.
pub fn identity(key: &Key, answer: &[u8]) -> Result<Identity, Error> {
    let text: Vec<u8> = answer
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let bundle = STANDARD.decode(text);
    let bundle = bundle.map_err(|_| Error::Unexpected("an EST answer is no base64"))?;
    let certificate = only(&bundle)?;
    Identity::new(certificate.der(), &key.pkcs8)
}

/// The one certificate of a certs-only message.
pub(crate) fn only(bundle: &[u8]) -> Result<Certificate, Error> {
    let found = pkcs7::parse(bundle)?.certificates;
    let first = found.into_iter().next();
    first.ok_or(Error::Unexpected("an answer without a certificate"))
}
