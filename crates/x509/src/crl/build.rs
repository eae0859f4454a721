//! Builds CRLs of any size: entries arrive as bytes encoded once, at revocation, and land in one buffer that also
//! becomes the signed CRL. A million entries (about 40 MB) therefore cost one allocation of that size.

use crate::{
    Error, Extension, Name, SignatureAlgorithm, Time,
    der::{Tag, Writer},
};

/// Room for signature algorithm and signature after the TBS: RSA-4096 takes about 540 octets.
const SIGNATURE_ROOM: usize = 640;

/// The header of a CRL to be signed (RFC 5280 §5.1.2). Version 2 always.
#[derive(Debug, Clone)]
pub struct TbsCrl {
    pub issuer: Name,
    pub signature: SignatureAlgorithm,
    pub this_update: Time,
    pub next_update: Time,
    pub extensions: Vec<Extension>,
}

/// A complete tbsCertList, in a buffer with room left for what signing adds.
#[derive(Debug, Clone)]
pub struct UnsignedCrl {
    /// `[room for the outer header][tbsCertList][spare capacity for algorithm and signature]`
    buffer: Vec<u8>,
    start: usize,
    signature: SignatureAlgorithm,
}

impl TbsCrl {
    /// Puts header and entries together. `entries` are outputs of [`super::encode_entry`], one or many per item, and
    /// `entries_len` is the sum of their lengths; anything else is an error.
    pub fn encode<B: AsRef<[u8]>>(
        &self,
        entries: impl IntoIterator<Item = B>,
        entries_len: usize,
    ) -> Result<UnsignedCrl, Error> {
        let prefix = self.prefix();
        let suffix = self.suffix();
        let list_header = match entries_len {
            0 => Vec::new(), // RFC 5280 §5.1.2.6: absent when nothing is revoked
            len => header(Tag::SEQUENCE, len),
        };
        let tbs_len = prefix.len() + list_header.len() + entries_len + suffix.len();
        let tbs_header = header(Tag::SEQUENCE, tbs_len);
        let outer = header(Tag::SEQUENCE, tbs_len + tbs_header.len() + SIGNATURE_ROOM);

        let start = outer.len();
        let mut buffer = Vec::with_capacity(start + tbs_header.len() + tbs_len + SIGNATURE_ROOM);
        buffer.extend_from_slice(&outer);
        buffer.extend_from_slice(&tbs_header);
        buffer.extend_from_slice(&prefix);
        buffer.extend_from_slice(&list_header);
        let entries_start = buffer.len();
        for entry in entries {
            buffer.extend_from_slice(entry.as_ref());
            if buffer.len() - entries_start > entries_len {
                return Err(wrong_total());
            }
        }
        if buffer.len() - entries_start != entries_len {
            return Err(wrong_total());
        }
        buffer.extend_from_slice(&suffix);
        Ok(UnsignedCrl {
            buffer,
            start,
            signature: self.signature,
        })
    }

    /// Everything of TBSCertList before revokedCertificates.
    fn prefix(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.integer(&[1]);
        w.raw(&self.signature.algorithm_identifier_der());
        w.raw(self.issuer.der());
        w.time(self.this_update);
        w.time(self.next_update);
        w.finish()
    }

    /// Everything after revokedCertificates: crlExtensions `[0] EXPLICIT`.
    fn suffix(&self) -> Vec<u8> {
        let mut w = Writer::new();
        if !self.extensions.is_empty() {
            w.nested(Tag::context_constructed(0), |w| {
                w.sequence(|w| {
                    for extension in &self.extensions {
                        extension.write(w);
                    }
                });
            });
        }
        w.finish()
    }
}

impl UnsignedCrl {
    /// The bytes to sign.
    pub fn tbs(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// The CRL in DER, in the buffer that held the TBS.
    pub fn assemble(self, signature: &[u8]) -> Vec<u8> {
        let mut buffer = self.buffer;
        let mut tail = Writer::new();
        tail.raw(&self.signature.algorithm_identifier_der());
        tail.bit_string_octets(signature);
        buffer.extend_from_slice(&tail.finish());
        let outer = header(Tag::SEQUENCE, buffer.len() - self.start);
        // The header almost always has the foreseen length; where not, the content moves once.
        buffer.splice(..self.start, outer);
        buffer
    }
}

/// Tag and length octets of an element whose content is written elsewhere.
fn header(tag: Tag, len: usize) -> Vec<u8> {
    let mut out = vec![tag.0];
    let octets = len.to_be_bytes();
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    if len >= 0x80 {
        out.push(0x80 | (octets.len() - zeros) as u8);
    }
    out.extend(octets.iter().skip(zeros.min(octets.len() - 1)));
    out
}

fn wrong_total() -> Error {
    Error::Invalid {
        what: "CRL entries",
        why: "their lengths do not add up to the length announced",
    }
}
