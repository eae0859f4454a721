//! Building requests: for our own subordinate authorities, for renewals and for tests.

use crate::{
    Extension, Name, PublicKey,
    der::{self, Tag, Writer},
    oids,
};

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
            let mut attributes = self.attributes();
            attributes.sort();
            w.nested(Tag::context_constructed(0), |w| {
                for attribute in &attributes {
                    w.raw(attribute);
                }
            });
        });
        w.finish()
    }

    fn attributes(&self) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        if !self.extensions.is_empty() {
            out.push(der::sequence(|w| {
                w.oid(&oids::EXTENSION_REQUEST).set(|w| {
                    w.sequence(|w| self.extensions.iter().for_each(|e| e.write(w)));
                });
            }));
        }
        if let Some(password) = &self.challenge_password {
            out.push(der::sequence(|w| {
                w.oid(&oids::CHALLENGE_PASSWORD).set(|w| {
                    w.utf8_string(password);
                });
            }));
        }
        out
    }
}
