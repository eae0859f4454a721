//! Building certificates: the bytes to sign, and the bytes with their signature.

use crate::{
    Extension, Name, SignatureAlgorithm, Time,
    der::{Tag, Writer},
};

/// A certificate before it is signed; always version 3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TbsCertificate {
    /// INTEGER content octets: positive, shortest form, at most 20.
    pub serial: Vec<u8>,
    pub signature: SignatureAlgorithm,
    pub issuer: Name,
    pub not_before: Time,
    pub not_after: Time,
    pub subject: Name,
    pub spki_der: Vec<u8>,
    pub extensions: Vec<Extension>,
}

impl TbsCertificate {
    /// The exact bytes to sign.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(1024);
        w.sequence(|w| {
            w.nested(Tag::context_constructed(0), |w| {
                w.u64(2);
            });
            w.integer(&self.serial);
            w.raw(&self.signature.algorithm_identifier_der());
            w.raw(self.issuer.der());
            w.sequence(|w| {
                w.time(self.not_before).time(self.not_after);
            });
            w.raw(self.subject.der());
            w.raw(&self.spki_der);
            if !self.extensions.is_empty() {
                w.nested(Tag::context_constructed(3), |w| {
                    w.sequence(|w| self.extensions.iter().for_each(|e| e.write(w)));
                });
            }
        });
        w.finish()
    }
}

/// `SEQUENCE { tbs, AlgorithmIdentifier, BIT STRING }`: certificates, CRLs, requests and basic OCSP
/// responses without certificates are all put together this way.
pub fn assemble(tbs: &[u8], alg: SignatureAlgorithm, signature: &[u8]) -> Vec<u8> {
    let mut w = Writer::with_capacity(tbs.len() + signature.len() + 64);
    w.sequence(|w| {
        w.raw(tbs);
        w.raw(&alg.algorithm_identifier_der());
        w.bit_string_octets(signature);
    });
    w.finish()
}
