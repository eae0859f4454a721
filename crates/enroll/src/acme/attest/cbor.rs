//! As much CBOR (RFC 8949) as an attestation object is made of: definite lengths, integers, byte and text
//! strings, arrays, maps, the simple values. Borrowed, bounded, nothing after the end.

/// Nested arrays and maps. An attestation object has three levels.
const MAX_DEPTH: u8 = 6;
/// Items, all levels together.
const MAX_ITEMS: u32 = 256;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Int(i64),
    Bytes(&'a [u8]),
    Text(&'a str),
    Array(Vec<Value<'a>>),
    /// In the order it came; no key twice.
    Map(Vec<(Value<'a>, Value<'a>)>),
    /// false, true, null, undefined.
    Simple(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum CborError {
    #[error("it ends too early")]
    Short,
    #[error("something follows it")]
    Trailing,
    #[error("it has something that attestation objects have no use for")]
    Unsupported,
    #[error("a key stands in a map twice")]
    Duplicate,
    #[error("it is nested too deeply or has too many items")]
    Budget,
}

impl<'a> Value<'a> {
    pub(super) fn decode(data: &'a [u8]) -> Result<Value<'a>, CborError> {
        let mut decoder = Decoder {
            rest: data,
            items: 0,
        };
        let value = decoder.value(0)?;
        match decoder.rest {
            [] => Ok(value),
            _ => Err(CborError::Trailing),
        }
    }

    /// The entry of a map under a text key.
    pub(super) fn get(&self, key: &str) -> Option<&Value<'a>> {
        let Value::Map(entries) = self else {
            return None;
        };
        let found = entries.iter().find(|(k, _)| *k == Value::Text(key));
        found.map(|(_, value)| value)
    }

    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn int(&self) -> Option<i64> {
        match self {
            Value::Int(n) => Some(*n),
            _ => None,
        }
    }

    pub(super) fn array(&self) -> Option<&[Value<'a>]> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }
}

struct Decoder<'a> {
    rest: &'a [u8],
    items: u32,
}

impl<'a> Decoder<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], CborError> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(CborError::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn value(&mut self, depth: u8) -> Result<Value<'a>, CborError> {
        self.items += 1;
        if depth > MAX_DEPTH || self.items > MAX_ITEMS {
            return Err(CborError::Budget);
        }
        let (major, argument) = self.head()?;
        let length = || usize::try_from(argument).map_err(|_| CborError::Short);
        let number = || i64::try_from(argument).map_err(|_| CborError::Unsupported);
        Ok(match major {
            0 => Value::Int(number()?),
            1 => Value::Int(-1 - number()?),
            2 => Value::Bytes(self.take(length()?)?),
            3 => {
                let text = str::from_utf8(self.take(length()?)?);
                Value::Text(text.map_err(|_| CborError::Unsupported)?)
            }
            4 => {
                let mut items = Vec::new();
                for _ in 0..argument {
                    items.push(self.value(depth + 1)?);
                }
                Value::Array(items)
            }
            5 => {
                let mut entries: Vec<(Value<'a>, Value<'a>)> = Vec::new();
                for _ in 0..argument {
                    let key = self.value(depth + 1)?;
                    if entries.iter().any(|(k, _)| *k == key) {
                        return Err(CborError::Duplicate);
                    }
                    entries.push((key, self.value(depth + 1)?));
                }
                Value::Map(entries)
            }
            7 if (20..=23).contains(&argument) => {
                Value::Simple(u8::try_from(argument).unwrap_or_default())
            }
            _ => return Err(CborError::Unsupported),
        })
    }

    /// Major type and argument (RFC 8949 §3).
    fn head(&mut self) -> Result<(u8, u64), CborError> {
        let first = *self.take(1)?.first().ok_or(CborError::Short)?;
        let (major, info) = (first >> 5, first & 31);
        let octets = match info {
            0..=23 => return Ok((major, info.into())),
            // A simple value or a float in more octets.
            _ if major == 7 => return Err(CborError::Unsupported),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return Err(CborError::Unsupported),
        };
        let argument = self.take(octets)?;
        Ok((
            major,
            argument.iter().fold(0, |n, b| n << 8 | u64::from(*b)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8949 appendix A.
    #[test]
    fn rfc_8949_examples() {
        for (hex, expected) in [
            ("00", Value::Int(0)),
            ("1818", Value::Int(24)),
            ("1a000f4240", Value::Int(1_000_000)),
            ("20", Value::Int(-1)),
            ("3903e7", Value::Int(-1000)),
            ("f4", Value::Simple(20)),
            ("f6", Value::Simple(22)),
            ("4401020304", Value::Bytes(&[1, 2, 3, 4])),
            ("6449455446", Value::Text("IETF")),
            ("80", Value::Array(vec![])),
            (
                "83010203",
                Value::Array(vec![Value::Int(1), Value::Int(2), Value::Int(3)]),
            ),
            (
                "a201020304",
                Value::Map(vec![
                    (Value::Int(1), Value::Int(2)),
                    (Value::Int(3), Value::Int(4)),
                ]),
            ),
        ] {
            let bytes = hex::decode(hex).unwrap();
            assert_eq!(Value::decode(&bytes), Ok(expected), "{hex}");
        }
    }

    #[test]
    fn what_attestation_objects_do_not_have_is_refused() {
        for (hex, error) in [
            ("", CborError::Short),
            ("44010203", CborError::Short),
            ("5bffffffffffffffff", CborError::Short),
            ("9bffffffffffffffff", CborError::Short),
            ("0000", CborError::Trailing),
            ("f93c00", CborError::Unsupported), // float
            ("5f42010243030405ff", CborError::Unsupported), // indefinite length
            ("c074", CborError::Unsupported),   // tag
            ("61ff", CborError::Unsupported),   // not UTF-8
            ("1bffffffffffffffff", CborError::Unsupported), // beyond i64
            (
                "a2010101 02".replace(' ', "").as_str(),
                CborError::Duplicate,
            ),
            ("8181818181818101", CborError::Budget),
        ] {
            let bytes = hex::decode(hex).unwrap();
            assert_eq!(Value::decode(&bytes), Err(error), "{hex}");
        }
        let wide = [&[0x99, 0x01, 0x00][..], &[0; 256]].concat();
        assert_eq!(Value::decode(&wide), Err(CborError::Budget));
    }
}
