//! Reading DER: bounded, zero-copy, with every forgiveness named.

use std::ops::Range;

use super::{BitString, Element, Error, MAX_DEPTH, Tag};
use crate::{Oid, Time};

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
    pub fn finish(&self) -> Result<(), Error> {
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

/// Where `part`, a subslice of `whole`, lies in it. A slice from elsewhere gives the empty range.
pub(crate) fn range_in(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    match start <= whole.len() && part.len() <= whole.len() - start {
        true => start..start + part.len(),
        false => 0..0,
    }
}
