//! Making SignedData with one signer. The private key stays with the caller: the bytes to sign are handed out, the
//! signature comes back.

use super::{Attribute, CmsError, EntityId, MessageSignature};
use crate::{
    Certificate, Oid,
    der::{self, Tag, Writer},
    oids,
};

/// Collects what goes into a message.
#[derive(Debug, Clone)]
pub struct SignedDataBuilder {
    content_type: Oid,
    content: Vec<u8>,
    detached: bool,
    certificates: Vec<Vec<u8>>,
    crls: Vec<Vec<u8>>,
    attributes: Vec<Attribute>,
}

impl SignedDataBuilder {
    pub fn new(content_type: Oid, content: impl Into<Vec<u8>>) -> Self {
        Self {
            content_type,
            content: content.into(),
            detached: false,
            certificates: Vec::new(),
            crls: Vec::new(),
            attributes: Vec::new(),
        }
    }

    /// The content is digested but not carried.
    pub fn detached(mut self) -> Self {
        self.detached = true;
        self
    }

    /// Certificates to carry, in this order.
    pub fn certificates<'a>(
        mut self,
        certificates: impl IntoIterator<Item = &'a Certificate>,
    ) -> Self {
        let ders = certificates.into_iter().map(|c| c.der().to_vec());
        self.certificates.extend(ders);
        self
    }

    /// A CRL in DER to carry.
    pub fn crl(mut self, der: impl Into<Vec<u8>>) -> Self {
        self.crls.push(der.into());
        self
    }

    /// A signed attribute beside contentType and messageDigest, which are added without being asked for.
    pub fn attribute(mut self, attribute: Attribute) -> Self {
        self.attributes.push(attribute);
        self
    }

    /// Fixes everything but the signature. Two attributes of one type are refused.
    pub fn to_be_signed(
        mut self,
        signer: EntityId,
        how: MessageSignature,
    ) -> Result<ToBeSigned, CmsError> {
        let digest = how.digest().digest(&self.content);
        let mut kind = Writer::new();
        kind.oid(&self.content_type);
        self.attributes
            .push(Attribute::new(oids::CONTENT_TYPE, kind.finish()));
        self.attributes
            .push(Attribute::octets(oids::MESSAGE_DIGEST, &digest));
        for (n, attribute) in self.attributes.iter().enumerate() {
            let earlier = self.attributes.iter().take(n);
            if earlier.into_iter().any(|other| other.oid == attribute.oid) {
                return Err(CmsError::DuplicateAttribute(attribute.oid));
            }
        }
        let mut w = Writer::new();
        w.set_of(self.attributes.iter().map(Attribute::encode).collect());
        Ok(ToBeSigned {
            signed: w.finish(),
            parts: self,
            signer,
            how,
        })
    }
}

/// A message that lacks its signature.
#[derive(Debug, Clone)]
pub struct ToBeSigned {
    parts: SignedDataBuilder,
    signer: EntityId,
    how: MessageSignature,
    /// The attributes as a SET OF.
    signed: Vec<u8>,
}

impl ToBeSigned {
    /// The bytes to sign: the attributes as a SET OF in DER (RFC 5652 §5.4).
    pub fn message(&self) -> &[u8] {
        &self.signed
    }

    pub fn signature(&self) -> MessageSignature {
        self.how
    }

    /// The complete ContentInfo.
    pub fn finish(self, signature: &[u8]) -> Vec<u8> {
        let parts = &self.parts;
        der::sequence(|w| {
            w.oid(&oids::SIGNED_DATA);
            w.nested(Tag::context_constructed(0), |w| {
                w.sequence(|w| {
                    w.u64(self.version());
                    w.set(|w| self.how.digest().identifier().write(w));
                    self.write_content(w);
                    write_members(w, Tag::context_constructed(0), &parts.certificates);
                    write_members(w, Tag::context_constructed(1), &parts.crls);
                    w.set(|w| self.write_signer(w, signature));
                });
            });
        })
    }

    /// RFC 5652 §5.1: 3 for other content than data, or for a signer named by key; 1 otherwise.
    fn version(&self) -> u64 {
        let by_key = matches!(self.signer, EntityId::SubjectKeyId(_));
        match self.parts.content_type == oids::DATA && !by_key {
            true => 1,
            false => 3,
        }
    }

    fn write_content(&self, w: &mut Writer) {
        w.sequence(|w| {
            w.oid(&self.parts.content_type);
            if !self.parts.detached {
                w.nested(Tag::context_constructed(0), |w| {
                    w.octet_string(&self.parts.content);
                });
            }
        });
    }

    fn write_signer(&self, w: &mut Writer, signature: &[u8]) {
        w.sequence(|w| {
            w.u64(match self.signer {
                EntityId::IssuerAndSerial { .. } => 1,
                EntityId::SubjectKeyId(_) => 3,
            });
            self.signer.write(w);
            self.how.digest().identifier().write(w);
            // IMPLICIT: the same octets under another tag.
            let members = self.parts.attributes.iter().map(Attribute::encode);
            let mut members: Vec<_> = members.collect();
            members.sort();
            write_members(w, Tag::context_constructed(0), &members);
            self.how.identifier().write(w);
            w.octet_string(signature);
        });
    }
}

fn write_members(w: &mut Writer, tag: Tag, members: &[Vec<u8>]) {
    if members.is_empty() {
        return;
    }
    w.nested(tag, |w| {
        for member in members {
            w.raw(member);
        }
    });
}
