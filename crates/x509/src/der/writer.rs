//! Writing DER: definite lengths in shortest form, nothing else.

use super::Tag;
use crate::{Oid, Time};

/// Builds DER. Nested elements are written in place and their length is fixed up when they close.
#[derive(Debug, Default, Clone)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn with_capacity(n: usize) -> Self {
        Self {
            out: Vec::with_capacity(n),
        }
    }

    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    pub fn len(&self) -> usize {
        self.out.len()
    }

    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Appends bytes that are already encoded.
    pub fn raw(&mut self, der: &[u8]) -> &mut Self {
        self.out.extend_from_slice(der);
        self
    }

    pub fn element(&mut self, tag: Tag, value: &[u8]) -> &mut Self {
        self.out.push(tag.0);
        push_length(&mut self.out, value.len());
        self.out.extend_from_slice(value);
        self
    }

    pub fn nested(&mut self, tag: Tag, body: impl FnOnce(&mut Writer)) -> &mut Self {
        self.out.push(tag.0);
        self.out.push(0);
        let start = self.out.len();
        body(self);
        let length = self.out.len() - start;
        if let (Some(slot), true) = (self.out.get_mut(start - 1), length < 0x80) {
            *slot = length as u8;
            return self;
        }
        let mut header = Vec::with_capacity(5);
        push_length(&mut header, length);
        self.out.splice(start - 1..start, header);
        self
    }

    pub fn sequence(&mut self, body: impl FnOnce(&mut Writer)) -> &mut Self {
        self.nested(Tag::SEQUENCE, body)
    }

    /// A SET as written; for SET OF with several members use [`Writer::set_of`].
    pub fn set(&mut self, body: impl FnOnce(&mut Writer)) -> &mut Self {
        self.nested(Tag::SET, body)
    }

    /// SET OF: members sorted by their encodings (X.690 §11.6).
    pub fn set_of(&mut self, mut members: Vec<Vec<u8>>) -> &mut Self {
        members.sort();
        self.set(|w| {
            for m in &members {
                w.raw(m);
            }
        })
    }

    pub fn boolean(&mut self, value: bool) -> &mut Self {
        self.element(Tag::BOOLEAN, &[if value { 0xff } else { 0 }])
    }

    /// INTEGER content octets as given.
    pub fn integer(&mut self, content: &[u8]) -> &mut Self {
        self.element(Tag::INTEGER, content)
    }

    /// A non-negative INTEGER from its big-endian magnitude, brought to shortest form.
    pub fn unsigned(&mut self, magnitude: &[u8]) -> &mut Self {
        let content = unsigned_content(magnitude);
        self.element(Tag::INTEGER, &content)
    }

    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.unsigned(&value.to_be_bytes())
    }

    pub fn enumerated(&mut self, value: u8) -> &mut Self {
        self.element(Tag::ENUMERATED, &[value])
    }

    pub fn bit_string_octets(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.push(Tag::BIT_STRING.0);
        push_length(&mut self.out, bytes.len() + 1);
        self.out.push(0);
        self.out.extend_from_slice(bytes);
        self
    }

    pub fn octet_string(&mut self, bytes: &[u8]) -> &mut Self {
        self.element(Tag::OCTET_STRING, bytes)
    }

    pub fn null(&mut self) -> &mut Self {
        self.element(Tag::NULL, &[])
    }

    pub fn oid(&mut self, oid: &Oid) -> &mut Self {
        self.element(Tag::OID, oid.as_bytes())
    }

    pub fn utf8_string(&mut self, s: &str) -> &mut Self {
        self.element(Tag::UTF8_STRING, s.as_bytes())
    }

    pub fn ia5_string(&mut self, s: &str) -> &mut Self {
        self.element(Tag::IA5_STRING, s.as_bytes())
    }

    /// UTCTime through 2049, GeneralizedTime after (RFC 5280 §4.1.2.5).
    pub fn time(&mut self, t: Time) -> &mut Self {
        let (tag, text) = t.to_x509();
        self.element(tag, text.as_bytes())
    }

    pub fn generalized_time(&mut self, t: Time) -> &mut Self {
        self.element(Tag::GENERALIZED_TIME, t.to_generalized().as_bytes())
    }
}

/// INTEGER content for a non-negative number given as a big-endian magnitude.
pub fn unsigned_content(magnitude: &[u8]) -> Vec<u8> {
    let zeros = magnitude.iter().take_while(|b| **b == 0).count();
    let significant = magnitude.get(zeros..).unwrap_or_default();
    let mut content = Vec::with_capacity(significant.len() + 1);
    if significant.first().is_none_or(|b| b & 0x80 != 0) {
        content.push(0);
    }
    content.extend_from_slice(significant);
    content
}

/// BIT STRING content of a named bit list: trailing zero bits removed (X.690 §11.2.2).
/// Bit 0 of `bits` is ASN.1 bit 0.
pub fn named_bits_content(bits: u16) -> Vec<u8> {
    if bits == 0 {
        return vec![0];
    }
    let highest = 15 - bits.leading_zeros() as usize;
    let mut content = vec![0u8; 2 + highest / 8];
    content[0] = 7 - (highest % 8) as u8;
    for n in (0..=highest).filter(|n| bits & (1 << n) != 0) {
        content[1 + n / 8] |= 0x80 >> (n % 8);
    }
    content
}

/// One element on its own.
pub fn encode(tag: Tag, value: &[u8]) -> Vec<u8> {
    let mut w = Writer::with_capacity(value.len() + 6);
    w.element(tag, value);
    w.finish()
}

/// One SEQUENCE on its own.
pub fn sequence(body: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut w = Writer::new();
    w.sequence(body);
    w.finish()
}

fn push_length(out: &mut Vec<u8>, length: usize) {
    if length < 0x80 {
        out.push(length as u8);
        return;
    }
    let octets = length.to_be_bytes();
    let zeros = octets.iter().take_while(|b| **b == 0).count();
    out.push(0x80 | (octets.len() - zeros) as u8);
    out.extend(octets.iter().skip(zeros));
}
