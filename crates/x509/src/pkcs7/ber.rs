//! Rewrites BER (X.690 §8) as definite-length encoding, because PKCS#7 bundles from Windows, Java and old HSM tools
//! stream with indefinite lengths and chopped octet strings while every other parser here reads DER only.
//!
//! Definite, primitive elements are copied byte for byte apart from their length octets, so that the signatures over
//! certificates inside a bundle keep verifying.

use thiserror::Error;

/// Nesting allowed: CMS needs about 12 levels; the stack must not depend on the sender.
const MAX_DEPTH: usize = 32;

/// Fragments and elements allowed, so that a bundle of empty fragments costs bounded work.
const MAX_ELEMENTS: usize = 1_000_000;

const CONSTRUCTED: u8 = 0x20;
const OCTET_STRING: u8 = 0x04;
const CONSTRUCTED_OCTET_STRING: u8 = OCTET_STRING | CONSTRUCTED;

/// Why bytes could not be read as BER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BerError {
    /// An element ends after its surroundings do.
    #[error("BER element is truncated at byte {0}")]
    Truncated(usize),
    /// A tag number of 31 or more, which no structure here uses.
    #[error("BER tag at byte {0} uses the high-tag-number form")]
    HighTag(usize),
    /// A reserved length form, a length over 4 GiB or an indefinite primitive.
    #[error("BER length at byte {0} is invalid")]
    Length(usize),
    /// A fragment of an octet string that is something else.
    #[error("BER octet string at byte {0} has a fragment of another type")]
    Fragment(usize),
    /// Bytes follow the outermost element.
    #[error("bytes follow the BER structure at byte {0}")]
    Trailing(usize),
    /// The depth, element or size budget is used up.
    #[error("BER structure exceeds the limit of {0}")]
    Budget(&'static str),
}

/// Rewrites one BER element as DER, refusing input longer than `max_len`.
pub fn to_der(input: &[u8], max_len: usize) -> Result<Vec<u8>, BerError> {
    if input.len() > max_len {
        return Err(BerError::Budget("bytes"));
    }
    let mut normaliser = Normaliser {
        input,
        at: 0,
        elements: 0,
    };
    let mut out = Vec::with_capacity(input.len());
    normaliser.element(input.len(), MAX_DEPTH, &mut out)?;
    if normaliser.at != input.len() {
        return Err(BerError::Trailing(normaliser.at));
    }
    Ok(out)
}

/// The fragments of a constructed octet string joined; `content` is what stands inside it, already definite-length.
/// Serves the implicitly tagged strings (such as encryptedContent `[0]`) that no tag tells apart.
pub fn join_octet_fragments(content: &[u8]) -> Result<Vec<u8>, BerError> {
    let mut normaliser = Normaliser {
        input: content,
        at: 0,
        elements: 0,
    };
    let mut joined = Vec::with_capacity(content.len());
    while normaliser.at < content.len() {
        normaliser.fragment(content.len(), MAX_DEPTH, &mut joined)?;
    }
    Ok(joined)
}

struct Normaliser<'a> {
    input: &'a [u8],
    at: usize,
    elements: usize,
}

/// Tag and content length (`None` = indefinite) of an element.
struct Header {
    tag: u8,
    len: Option<usize>,
}

impl<'a> Normaliser<'a> {
    /// Copies one element that must end at or before `end`.
    fn element(&mut self, end: usize, depth: usize, out: &mut Vec<u8>) -> Result<(), BerError> {
        let header = self.header(end)?;
        if header.tag == CONSTRUCTED_OCTET_STRING {
            let mut joined = Vec::new();
            self.fragments(&header, end, depth, &mut joined)?;
            write_element(OCTET_STRING, &joined, out);
            return Ok(());
        }
        if header.tag & CONSTRUCTED == 0 {
            let content = self.primitive(&header, end)?;
            write_element(header.tag, content, out);
            return Ok(());
        }
        let mut content = Vec::new();
        self.children(&header, end, depth, |inner, end, depth| {
            inner.element(end, depth, &mut content)
        })?;
        write_element(header.tag, &content, out);
        Ok(())
    }

    /// Appends the content of one octet string, primitive or constructed.
    fn fragment(&mut self, end: usize, depth: usize, joined: &mut Vec<u8>) -> Result<(), BerError> {
        let start = self.at;
        let header = self.header(end)?;
        match header.tag {
            OCTET_STRING => joined.extend_from_slice(self.primitive(&header, end)?),
            CONSTRUCTED_OCTET_STRING => self.fragments(&header, end, depth, joined)?,
            _ => return Err(BerError::Fragment(start)),
        }
        Ok(())
    }

    fn fragments(
        &mut self,
        header: &Header,
        end: usize,
        depth: usize,
        joined: &mut Vec<u8>,
    ) -> Result<(), BerError> {
        self.children(header, end, depth, |inner, end, depth| {
            inner.fragment(end, depth, joined)
        })
    }

    /// Calls `each` for every child of a constructed element, up to its length or its end-of-contents octets.
    fn children(
        &mut self,
        header: &Header,
        end: usize,
        depth: usize,
        mut each: impl FnMut(&mut Self, usize, usize) -> Result<(), BerError>,
    ) -> Result<(), BerError> {
        let depth = depth.checked_sub(1).ok_or(BerError::Budget("nesting"))?;
        match header.len {
            Some(len) => {
                let stop = self.at + len;
                while self.at < stop {
                    each(self, stop, depth)?;
                }
            }
            None => {
                while !self.end_of_contents(end)? {
                    each(self, end, depth)?;
                }
            }
        }
        Ok(())
    }

    fn end_of_contents(&mut self, end: usize) -> Result<bool, BerError> {
        match self.input.get(self.at..end.min(self.at + 2)) {
            Some([0, 0]) => {
                self.at += 2;
                Ok(true)
            }
            Some([_, _]) => Ok(false),
            _ => Err(BerError::Truncated(self.at)),
        }
    }

    fn primitive(&mut self, header: &Header, end: usize) -> Result<&'a [u8], BerError> {
        let len = header.len.ok_or(BerError::Length(self.at))?;
        let content = self
            .input
            .get(self.at..(self.at + len).min(end))
            .ok_or(BerError::Truncated(self.at))?;
        self.at += len;
        Ok(content)
    }

    /// Reads tag and length; a definite length is checked against `end`.
    fn header(&mut self, end: usize) -> Result<Header, BerError> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(BerError::Budget("elements"));
        }
        let start = self.at;
        let tag = self.byte(end)?;
        if tag & 0x1f == 0x1f {
            return Err(BerError::HighTag(start));
        }
        let len = match self.byte(end)? {
            0x80 if tag & CONSTRUCTED != 0 => None,
            short @ 0..=0x7f => Some(usize::from(short)),
            long @ 0x81..=0x84 => {
                let mut len = 0usize;
                for _ in 0..long & 0x7f {
                    len = (len << 8) | usize::from(self.byte(end)?);
                }
                Some(len)
            }
            _ => return Err(BerError::Length(start)),
        };
        if len.is_some_and(|len| len > end - self.at) {
            return Err(BerError::Truncated(start));
        }
        Ok(Header { tag, len })
    }

    fn byte(&mut self, end: usize) -> Result<u8, BerError> {
        if self.at >= end {
            return Err(BerError::Truncated(self.at));
        }
        let byte = self.input[self.at];
        self.at += 1;
        Ok(byte)
    }
}

fn write_element(tag: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    let len = content.len();
    if len < 0x80 {
        out.push(len as u8);
    } else {
        let octets = len.to_be_bytes();
        let skip = octets.iter().take_while(|octet| **octet == 0).count();
        out.push(0x80 | (octets.len() - skip) as u8);
        out.extend_from_slice(&octets[skip..]);
    }
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Examples worked by hand from X.690 §8.1.3 and §8.7.3.
    #[test]
    fn rewrites_indefinite_and_fragmented() {
        let table: &[(&[u8], &[u8])] = &[
            (
                &[0x30, 0x80, 0x02, 0x01, 0x05, 0, 0],
                &[0x30, 0x03, 0x02, 0x01, 0x05],
            ),
            (
                &[0x24, 0x80, 0x04, 1, b'a', 0x24, 3, 0x04, 1, b'b', 0, 0],
                &[0x04, 2, b'a', b'b'],
            ),
            (
                &[0x30, 0x81, 0x03, 0x02, 0x01, 0x05],
                &[0x30, 0x03, 0x02, 0x01, 0x05],
            ),
            (&[0xa0, 0x80, 0x30, 0x80, 0, 0, 0, 0], &[0xa0, 2, 0x30, 0]),
        ];
        for (ber, der) in table {
            assert_eq!(to_der(ber, 1024).unwrap(), *der);
        }
    }

    #[test]
    fn refuses_what_is_not_ber() {
        let table: &[(&[u8], BerError)] = &[
            (&[], BerError::Truncated(0)),
            (&[0x30, 0x80], BerError::Truncated(2)),
            (&[0x04, 0x80, 0, 0], BerError::Length(0)),
            (&[0x24, 3, 0x02, 1, 1], BerError::Fragment(2)),
            (&[0x30, 0, 0], BerError::Trailing(2)),
            (&[0x1f, 0x20, 0], BerError::HighTag(0)),
            (&[0x30, 0x85, 0, 0, 0, 0, 1], BerError::Length(0)),
            (&[0x04, 2, 1], BerError::Truncated(0)),
        ];
        for (ber, error) in table {
            assert_eq!(to_der(ber, 1024), Err(*error), "{ber:?}");
        }
        let deep: Vec<u8> = [0x30, 0x80].repeat(MAX_DEPTH + 1);
        assert_eq!(to_der(&deep, 1024), Err(BerError::Budget("nesting")));
        assert_eq!(to_der(&[0x30, 0], 1), Err(BerError::Budget("bytes")));
    }
}
