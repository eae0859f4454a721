//! Certification requests (PKCS #10, RFC 2986): read strictly, because a subscriber can be told what
//! to change, and a refusal that names its rule is worth more than a guess.

use crate::{
    Error, Extension, Name, PublicKey,
    der::{Tag, Writer},
    ext::ExtensionValue,
    oids, pem,
};

/// Largest request read: 1000 names of 60 octets fit with room.
pub const MAX_SIZE: usize = 64 * 1024;
/// Names in subject and subjectAltName together.
pub const MAX_NAMES: usize = 1000;
/// Extensions asked for; the longest list seen from real clients has 12.
pub const MAX_EXTENSIONS: usize = 32;

/// A refusal a subscriber can act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} [{rule}, {clause}]")]
pub struct CsrError {
    /// Stable short name of the rule.
    pub rule: &'static str,
    /// Where the rule comes from.
    pub clause: &'static str,
    pub message: String,
    /// What would be accepted instead.
    pub accepted: Option<&'static str>,
}

/// A request that passed every check but the signature: see
/// [`CertificationRequest::verify_proof_of_possession`].
#[derive(Debug, Clone)]
pub struct CertificationRequest {
    der: Vec<u8>,
    subject: Name,
    key: PublicKey,
    extensions: Vec<Extension>,
    challenge_password: Option<String>,
}

impl CertificationRequest {
    pub fn from_der(_der: &[u8]) -> Result<Self, CsrError> {
        Err(CsrError {
            rule: "csr-syntax",
            clause: "RFC 2986 §4",
            message: "requests are not read yet".into(),
            accepted: None,
        })
    }

    pub fn from_pem(text: &[u8]) -> Result<Self, CsrError> {
        let labels = pem::REQUEST_LABELS;
        let der = pem::decode_first(text, &labels).map_err(|e| CsrError {
            rule: "csr-pem",
            clause: "RFC 7468 §7",
            message: e.to_string(),
            accepted: Some("one PEM block labelled CERTIFICATE REQUEST"),
        })?;
        Self::from_der(&der)
    }

    pub fn der(&self) -> &[u8] {
        &self.der
    }

    pub fn subject(&self) -> &Name {
        &self.subject
    }

    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// Extensions asked for in the extensionRequest attribute.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    pub fn ext<T: ExtensionValue>(&self) -> Result<Option<T>, Error> {
        let found = self.extensions.iter().find(|e| e.oid == T::OID);
        found.map(|e| T::parse(&e.value)).transpose()
    }

    /// RFC 2985 §5.4.1.
    pub fn challenge_password(&self) -> Option<&str> {
        self.challenge_password.as_deref()
    }

    /// The requester signed this request with the key in it (RFC 2986 §4.2); SHA-2 only.
    pub fn verify_proof_of_possession(&self) -> Result<(), CsrError> {
        Err(CsrError {
            rule: "csr-signature",
            clause: "RFC 2986 §4.2",
            message: "requests are not verified yet".into(),
            accepted: None,
        })
    }
}

/// Builds the part of a request that is signed; put the request together with [`crate::assemble`].
#[derive(Debug, Clone)]
pub struct CsrBuilder {
    pub subject: Name,
    pub spki_der: Vec<u8>,
    pub extensions: Vec<Extension>,
    pub challenge_password: Option<String>,
}

impl CsrBuilder {
    pub fn new(subject: Name, key: &PublicKey) -> Self {
        Self {
            subject,
            spki_der: key.spki_der().to_vec(),
            extensions: Vec::new(),
            challenge_password: None,
        }
    }

    pub fn extension(mut self, extension: Extension) -> Self {
        self.extensions.push(extension);
        self
    }

    pub fn challenge_password(mut self, password: impl Into<String>) -> Self {
        self.challenge_password = Some(password.into());
        self
    }

    /// CertificationRequestInfo, the exact bytes to sign.
    pub fn tbs(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(1024);
        w.sequence(|w| {
            w.u64(0).raw(self.subject.der()).raw(&self.spki_der);
            let mut attributes = Writer::new();
            attributes.set_of(self.attributes());
            let encoded = attributes.finish();
            w.raw(&retag(encoded, Tag::context_constructed(0)));
        });
        w.finish()
    }

    fn attributes(&self) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        if !self.extensions.is_empty() {
            out.push(crate::der::sequence(|w| {
                w.oid(&oids::EXTENSION_REQUEST).set(|w| {
                    w.sequence(|w| self.extensions.iter().for_each(|e| e.write(w)));
                });
            }));
        }
        if let Some(password) = &self.challenge_password {
            out.push(crate::der::sequence(|w| {
                w.oid(&oids::CHALLENGE_PASSWORD).set(|w| {
                    w.utf8_string(password);
                });
            }));
        }
        out
    }
}

fn retag(mut element: Vec<u8>, tag: Tag) -> Vec<u8> {
    if let Some(first) = element.first_mut() {
        *first = tag.0;
    }
    element
}
