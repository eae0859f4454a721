//! The DER codec (X.690 §10, §11): a bounded, zero-copy [`Reader`] and a [`Writer`].
//!
//! Reading never recurses on its own and never allocates in proportion to a length found in the input.
//! The depth budget is carried by nested readers. Deployed devices emit sloppy encodings, so a reader
//! can be made tolerant of non-minimal lengths; every other leniency is a separately named function.

use crate::{Oid, Time};

/// Depth of nesting that is followed. The deepest honest structure (a CMS message holding certificates
/// with policy qualifiers) needs about 20 levels.
pub const MAX_DEPTH: u8 = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the data ends inside an element")]
    Truncated,
    #[error("{0} bytes follow the end of the structure")]
    TrailingData(usize),
    #[error("expected {expected}, found {found}")]
    UnexpectedTag { expected: Tag, found: Tag },
    #[error("tag numbers above 30 are not used by any structure read here")]
    HighTagNumber,
    #[error("indefinite length is not DER (X.690 §10.1)")]
    IndefiniteLength,
    #[error("length not in its shortest form (X.690 §10.1)")]
    NonMinimalLength,
    #[error("length does not fit in this machine or limit")]
    LengthTooLarge,
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("larger than the limit of {0} bytes")]
    TooLarge(usize),
    #[error("BOOLEAN must be one octet, 00 or FF (X.690 §11.1)")]
    Boolean,
    #[error("INTEGER is empty, negative, padded or too large here")]
    Integer,
    #[error("BIT STRING has a wrong count of unused bits or non-zero padding (X.690 §11.2)")]
    BitString,
    #[error("malformed OBJECT IDENTIFIER")]
    Oid,
    #[error("malformed NULL")]
    Null,
    #[error("malformed or non-DER time (RFC 5280 §4.1.2.5)")]
    Time,
    #[error("malformed character string")]
    String,
    #[error("an element encoded with its DEFAULT value (X.690 §11.5)")]
    EncodedDefault,
    #[error("more than {0} elements")]
    TooMany(usize),
}

/// A one-octet identifier. High tag numbers are refused by the reader, so one octet is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub u8);

impl Tag {
    pub const BOOLEAN: Tag = Tag(0x01);
    pub const INTEGER: Tag = Tag(0x02);
    pub const BIT_STRING: Tag = Tag(0x03);
    pub const OCTET_STRING: Tag = Tag(0x04);
    pub const NULL: Tag = Tag(0x05);
    pub const OID: Tag = Tag(0x06);
    pub const ENUMERATED: Tag = Tag(0x0a);
    pub const UTF8_STRING: Tag = Tag(0x0c);
    pub const NUMERIC_STRING: Tag = Tag(0x12);
    pub const PRINTABLE_STRING: Tag = Tag(0x13);
    pub const TELETEX_STRING: Tag = Tag(0x14);
    pub const IA5_STRING: Tag = Tag(0x16);
    pub const UTC_TIME: Tag = Tag(0x17);
    pub const GENERALIZED_TIME: Tag = Tag(0x18);
    pub const VISIBLE_STRING: Tag = Tag(0x1a);
    pub const UNIVERSAL_STRING: Tag = Tag(0x1c);
    pub const BMP_STRING: Tag = Tag(0x1e);
    pub const SEQUENCE: Tag = Tag(0x30);
    pub const SET: Tag = Tag(0x31);

    /// `[n]` over a primitive value (IMPLICIT).
    pub const fn context(n: u8) -> Tag {
        Tag(0x80 | (n & 0x1f))
    }

    /// `[n]` over a constructed value (EXPLICIT, or IMPLICIT over SEQUENCE, SET or CHOICE).
    pub const fn context_constructed(n: u8) -> Tag {
        Tag(0xa0 | (n & 0x1f))
    }

    pub const fn is_constructed(self) -> bool {
        self.0 & 0x20 != 0
    }
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match *self {
            Tag::BOOLEAN => "BOOLEAN",
            Tag::INTEGER => "INTEGER",
            Tag::BIT_STRING => "BIT STRING",
            Tag::OCTET_STRING => "OCTET STRING",
            Tag::NULL => "NULL",
            Tag::OID => "OBJECT IDENTIFIER",
            Tag::ENUMERATED => "ENUMERATED",
            Tag::UTF8_STRING => "UTF8String",
            Tag::PRINTABLE_STRING => "PrintableString",
            Tag::TELETEX_STRING => "TeletexString",
            Tag::IA5_STRING => "IA5String",
            Tag::UTC_TIME => "UTCTime",
            Tag::GENERALIZED_TIME => "GeneralizedTime",
            Tag::BMP_STRING => "BMPString",
            Tag::SEQUENCE => "SEQUENCE",
            Tag::SET => "SET",
            Tag(t) if t & 0xc0 == 0x80 => return write!(f, "[{}]", t & 0x1f),
            Tag(t) => return write!(f, "tag 0x{t:02x}"),
        };
        f.write_str(name)
    }
}

/// One element: its tag, its content and the whole of its encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    pub tag: Tag,
    pub value: &'a [u8],
    pub raw: &'a [u8],
}

impl<'a> Element<'a> {
    /// A reader over the content, one level down from nothing: use [`Reader::nested`] where depth counts.
    pub fn reader(&self) -> Reader<'a> {
        Reader::new(self.value)
    }
}

/// BIT STRING content with the unused bits of the last octet counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BitString<'a> {
    pub unused: u8,
    pub bytes: &'a [u8],
}

impl BitString<'_> {
    /// Bit `n`, counted from the most significant bit of the first octet, as ASN.1 names them.
    pub fn bit(&self, n: usize) -> bool {
        self.bytes
            .get(n / 8)
            .is_some_and(|b| b & (0x80 >> (n % 8)) != 0)
    }
}

#[derive(Debug, Clone)]
pub struct Reader<'a> {
    data: &'a [u8],
    pos: usize,
    depth: u8,
    tolerant: bool,
}

impl<'a> Reader<'a> {
    /// A strict reader: only shortest-form definite lengths.
    pub fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            pos: 0,
            depth: 0,
            tolerant: false,
        }
    }

    /// A strict reader over input that must not exceed `limit` bytes.
    pub fn with_limit(data: &'a [u8], limit: usize) -> Result<Self, Error> {
        if data.len() > limit {
            return Err(Error::TooLarge(limit));
        }
        Ok(Self::new(data))
    }

    /// Accepts lengths that are not in shortest form, as OpenSSL and deployed devices do.
    pub fn tolerant(mut self) -> Self {
        self.tolerant = true;
        self
    }

    pub fn is_empty(&self) -> bool {
        self.pos >= self.data.len()
    }

    /// Offset of the next element in the bytes this reader was made from.
    pub fn position(&self) -> usize {
        self.pos
    }

    pub fn remaining(&self) -> &'a [u8] {
        self.data.get(self.pos..).unwrap_or_default()
    }

    pub fn peek(&self) -> Option<Tag> {
        self.data.get(self.pos).map(|t| Tag(*t))
    }

    /// Ends a structure: anything left over is an error.
    pub fn finish(self) -> Result<(), Error> {
        match self.remaining().len() {
            0 => Ok(()),
            n => Err(Error::TrailingData(n)),
        }
    }

    /// The next element of any tag.
    #[inline]
    pub fn element(&mut self) -> Result<Element<'a>, Error> {
        let rest = self.data.get(self.pos..).unwrap_or_default();
        let (tag, header, length) = self.header(rest)?;
        let end = header.checked_add(length).ok_or(Error::LengthTooLarge)?;
        let raw = rest.get(..end).ok_or(Error::Truncated)?;
        let value = raw.get(header..).ok_or(Error::Truncated)?;
        self.pos += end;
        Ok(Element { tag, value, raw })
    }

    #[inline]
    fn header(&self, rest: &[u8]) -> Result<(Tag, usize, usize), Error> {
        let [tag, first, tail @ ..] = rest else {
            return Err(Error::Truncated);
        };
        if tag & 0x1f == 0x1f {
            return Err(Error::HighTagNumber);
        }
        if *first < 0x80 {
            return Ok((Tag(*tag), 2, usize::from(*first)));
        }
        let count = usize::from(first & 0x7f);
        if count == 0 {
            return Err(Error::IndefiniteLength);
        }
        let octets = tail.get(..count).ok_or(Error::Truncated)?;
        let significant = octets.iter().skip_while(|b| **b == 0);
        let mut length = 0usize;
        for (i, octet) in significant.enumerate() {
            if i >= 4 {
                return Err(Error::LengthTooLarge);
            }
            length = (length << 8) | usize::from(*octet);
        }
        if !self.tolerant && (octets.first() == Some(&0) || length < 0x80) {
            return Err(Error::NonMinimalLength);
        }
        Ok((Tag(*tag), 2 + count, length))
    }

    /// The next element, which must have this tag.
    #[inline]
    pub fn expect(&mut self, tag: Tag) -> Result<Element<'a>, Error> {
        match self.peek() {
            None => Err(Error::Truncated),
            Some(found) if found != tag => Err(Error::UnexpectedTag {
                expected: tag,
                found,
            }),
            Some(_) => self.element(),
        }
    }

    /// The content of the next element, which must have this tag.
    #[inline]
    pub fn value(&mut self, tag: Tag) -> Result<&'a [u8], Error> {
        Ok(self.expect(tag)?.value)
    }

    /// The next element if it has this tag.
    pub fn optional(&mut self, tag: Tag) -> Result<Option<Element<'a>>, Error> {
        if self.peek() == Some(tag) {
            return self.element().map(Some);
        }
        Ok(None)
    }

    /// Opens a constructed element; the new reader is one level deeper.
    pub fn nested(&mut self, tag: Tag) -> Result<Reader<'a>, Error> {
        let value = self.value(tag)?;
        self.descend(value)
    }

    pub fn optional_nested(&mut self, tag: Tag) -> Result<Option<Reader<'a>>, Error> {
        if self.peek() == Some(tag) {
            return self.nested(tag).map(Some);
        }
        Ok(None)
    }

    pub fn sequence(&mut self) -> Result<Reader<'a>, Error> {
        self.nested(Tag::SEQUENCE)
    }

    pub fn set(&mut self) -> Result<Reader<'a>, Error> {
        self.nested(Tag::SET)
    }

    /// A reader one level deeper over `value`, which was obtained from this reader.
    pub fn descend(&self, value: &'a [u8]) -> Result<Reader<'a>, Error> {
        if self.depth >= MAX_DEPTH {
            return Err(Error::TooDeep);
        }
        Ok(Reader {
            data: value,
            pos: 0,
            depth: self.depth + 1,
            tolerant: self.tolerant,
        })
    }

    pub fn boolean(&mut self) -> Result<bool, Error> {
        parse_boolean(self.value(Tag::BOOLEAN)?)
    }

    /// `BOOLEAN DEFAULT FALSE`. An encoded FALSE is wrong DER; a tolerant reader takes it.
    pub fn boolean_default_false(&mut self) -> Result<bool, Error> {
        match self.optional(Tag::BOOLEAN)? {
            None => Ok(false),
            Some(e) => match e.value {
                [0xff] => Ok(true),
                [0] if self.tolerant => Ok(false),
                [0] => Err(Error::EncodedDefault),
                [_] if self.tolerant => Ok(true),
                _ => Err(Error::Boolean),
            },
        }
    }

    /// INTEGER content octets as they stand: possibly negative, padded or long; never empty.
    pub fn integer_lenient(&mut self) -> Result<&'a [u8], Error> {
        match self.value(Tag::INTEGER)? {
            [] => Err(Error::Integer),
            v => Ok(v),
        }
    }

    /// INTEGER content octets, in shortest form (X.690 §8.3.2), of either sign.
    pub fn integer(&mut self) -> Result<&'a [u8], Error> {
        let value = self.integer_lenient()?;
        if !is_minimal_integer(value) {
            return Err(Error::Integer);
        }
        Ok(value)
    }

    /// Magnitude of a non-negative INTEGER in shortest form, without a leading zero octet.
    pub fn unsigned(&mut self) -> Result<&'a [u8], Error> {
        match self.integer()? {
            [0, tail @ ..] if !tail.is_empty() => Ok(tail),
            [first, ..] if first & 0x80 != 0 => Err(Error::Integer),
            v => Ok(v),
        }
    }

    pub fn u64(&mut self) -> Result<u64, Error> {
        parse_u64(self.unsigned()?)
    }

    /// ENUMERATED content, which every structure read here keeps within one octet.
    pub fn enumerated(&mut self) -> Result<u8, Error> {
        match self.value(Tag::ENUMERATED)? {
            [v] if *v < 0x80 => Ok(*v),
            _ => Err(Error::Integer),
        }
    }

    pub fn bit_string(&mut self) -> Result<BitString<'a>, Error> {
        parse_bit_string(self.value(Tag::BIT_STRING)?)
    }

    /// A BIT STRING that holds whole octets, such as a key or a signature.
    pub fn bit_string_octets(&mut self) -> Result<&'a [u8], Error> {
        match self.bit_string()? {
            BitString { unused: 0, bytes } => Ok(bytes),
            _ => Err(Error::BitString),
        }
    }

    pub fn octet_string(&mut self) -> Result<&'a [u8], Error> {
        self.value(Tag::OCTET_STRING)
    }

    pub fn null(&mut self) -> Result<(), Error> {
        match self.value(Tag::NULL)? {
            [] => Ok(()),
            _ => Err(Error::Null),
        }
    }

    pub fn oid(&mut self) -> Result<Oid, Error> {
        Oid::from_content(self.value(Tag::OID)?)
    }

    /// Time as RFC 5280 §4.1.2.5 writes it: UTCTime or GeneralizedTime, seconds present, `Z`.
    pub fn time(&mut self) -> Result<Time, Error> {
        let e = self.element()?;
        Time::from_element(e)
    }

    pub fn generalized_time(&mut self) -> Result<Time, Error> {
        Time::from_element(self.expect(Tag::GENERALIZED_TIME)?)
    }
}

pub fn parse_boolean(value: &[u8]) -> Result<bool, Error> {
    match value {
        [0] => Ok(false),
        [0xff] => Ok(true),
        _ => Err(Error::Boolean),
    }
}

pub fn parse_u64(magnitude: &[u8]) -> Result<u64, Error> {
    if magnitude.len() > 8 {
        return Err(Error::Integer);
    }
    Ok(magnitude
        .iter()
        .fold(0, |acc, b| (acc << 8) | u64::from(*b)))
}

/// Content octets of a BIT STRING; padding bits must be zero (X.690 §11.2.1).
pub fn parse_bit_string(value: &[u8]) -> Result<BitString<'_>, Error> {
    let [unused, bytes @ ..] = value else {
        return Err(Error::BitString);
    };
    let padding = match bytes.last() {
        None if *unused == 0 => 0,
        Some(last) if *unused < 8 => last & !(0xffu8 << unused),
        _ => return Err(Error::BitString),
    };
    if padding != 0 {
        return Err(Error::BitString);
    }
    Ok(BitString {
        unused: *unused,
        bytes,
    })
}

pub fn is_minimal_integer(value: &[u8]) -> bool {
    !matches!(value, [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..])
}

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
