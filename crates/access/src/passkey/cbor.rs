//! As much CBOR (RFC 8949) as an authenticator sends (CTAP 2.2 §8: definite lengths, no tags, few levels), with budgets.
//! Nothing is copied but what is asked for.

/// Levels of arrays and maps. CTAP2 allows four; attestation statements need one more around them.
const DEPTH: u8 = 6;
/// Items of one message, however deep.
const ITEMS: u32 = 256;

/// What cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("CBOR: {0}")]
pub(crate) struct BadCbor(&'static str);

/// An item. Maps keep their order; keys that come twice are an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    Integer(i64),
    Bytes(&'a [u8]),
    Text(&'a str),
    Array(Vec<Item<'a>>),
    Map(Vec<(Item<'a>, Item<'a>)>),
    /// false, true, null, undefined: nothing here asks which.
    Simple,
}

impl<'a> Item<'a> {
    /// The value of an integer key.
    pub(crate) fn at(&self, key: i64) -> Option<&Item<'a>> {
        self.find(&Item::Integer(key))
    }

    /// The value of a text key.
    pub(crate) fn named(&self, key: &str) -> Option<&Item<'a>> {
        self.find(&Item::Text(key))
    }

    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Item::Integer(value) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Item::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&'a str> {
        match self {
            Item::Text(text) => Some(text),
            _ => None,
        }
    }

    fn find(&self, key: &Item<'_>) -> Option<&Item<'a>> {
        let Item::Map(pairs) = self else {
            return None;
        };
        pairs
            .iter()
            .find(|(found, _)| found == key)
            .map(|(_, value)| value)
    }
}

/// The first item of `bytes`, and what follows it.
pub(crate) fn first(bytes: &[u8]) -> Result<(Item<'_>, &[u8]), BadCbor> {
    let mut reader = Reader {
        rest: bytes,
        items: 0,
    };
    let item = reader.item(0)?;
    Ok((item, reader.rest))
}

/// The only item of `bytes`.
pub(crate) fn only(bytes: &[u8]) -> Result<Item<'_>, BadCbor> {
    match first(bytes)? {
        (item, []) => Ok(item),
        _ => Err(BadCbor("octets after the end")),
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    items: u32,
}

impl<'a> Reader<'a> {
    fn item(&mut self, depth: u8) -> Result<Item<'a>, BadCbor> {
        self.items += 1;
        if depth > DEPTH || self.items > ITEMS {
            return Err(BadCbor(
                "deeper or longer than an authenticator's messages are",
            ));
        }
        let [head] = *self.take(1)? else {
            return Err(BadCbor("cut off"));
        };
        let (major, info) = (head >> 5, head & 0x1f);
        if major == 7 {
            // Simple values alone: no authenticator sends floats.
            return match info {
                20..=23 => Ok(Item::Simple),
                _ => Err(BadCbor("a float or an unassigned value")),
            };
        }
        let argument = self.argument(info)?;
        match major {
            0 => integer(argument, |value| value),
            1 => integer(argument, |value| -1 - value),
            2 => Ok(Item::Bytes(self.take(length(argument)?)?)),
            3 => {
                let text = std::str::from_utf8(self.take(length(argument)?)?);
                text.map(Item::Text)
                    .map_err(|_| BadCbor("text that is not UTF-8"))
            }
            4 => {
                let count = length(argument)?;
                let mut items = Vec::new();
                for _ in 0..count {
                    items.push(self.item(depth + 1)?);
                }
                Ok(Item::Array(items))
            }
            5 => self.map(length(argument)?, depth),
            _ => Err(BadCbor("a tag")),
        }
    }

    fn map(&mut self, count: usize, depth: u8) -> Result<Item<'a>, BadCbor> {
        let mut pairs: Vec<(Item<'a>, Item<'a>)> = Vec::new();
        for _ in 0..count {
            let key = self.item(depth + 1)?;
            if pairs.iter().any(|(other, _)| *other == key) {
                return Err(BadCbor("a key that comes twice"));
            }
            pairs.push((key, self.item(depth + 1)?));
        }
        Ok(Item::Map(pairs))
    }

    fn argument(&mut self, info: u8) -> Result<u64, BadCbor> {
        let width = match info {
            0..=23 => return Ok(info.into()),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return Err(BadCbor("an indefinite length")),
        };
        let octets = self.take(width)?;
        Ok(octets
            .iter()
            .fold(0, |value, octet| value << 8 | u64::from(*octet)))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], BadCbor> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(BadCbor("cut off"))?;
        self.rest = rest;
        Ok(taken)
    }
}

fn integer<'a>(argument: u64, make: impl Fn(i64) -> i64) -> Result<Item<'a>, BadCbor> {
    let value = i64::try_from(argument).map_err(|_| BadCbor("an integer beyond 63 bits"))?;
    Ok(Item::Integer(make(value)))
}

fn length(argument: u64) -> Result<usize, BadCbor> {
    usize::try_from(argument).map_err(|_| BadCbor("a length beyond memory"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8949, appendix A.
    #[test]
    fn the_examples_of_the_rfc() {
        let read = |hex: &str| hex::decode(hex).map(|bytes| format!("{:?}", only(&bytes)));
        let table = [
            ("00", "Ok(Integer(0))"),
            ("1818", "Ok(Integer(24))"),
            ("1903e8", "Ok(Integer(1000))"),
            ("1b000000e8d4a51000", "Ok(Integer(1000000000000))"),
            ("3863", "Ok(Integer(-100))"),
            ("3903e7", "Ok(Integer(-1000))"),
            ("4401020304", "Ok(Bytes([1, 2, 3, 4]))"),
            ("6449455446", "Ok(Text(\"IETF\"))"),
            (
                "83010203",
                "Ok(Array([Integer(1), Integer(2), Integer(3)]))",
            ),
            (
                "a201020304",
                "Ok(Map([(Integer(1), Integer(2)), (Integer(3), Integer(4))]))",
            ),
            ("f4", "Ok(Simple)"),
        ];
        for (hex, expected) in table {
            assert_eq!(read(hex).as_deref(), Ok(expected), "{hex}");
        }
        let wrong = [
            "",
            "18",
            "1bffffffffffffffff",
            "5f42010243030405ff",
            "9f01ff",
            "c11a514b67b0",
            "f90000",
            "a201020103",
            "0000",
            "5bffffffffffffffff",
            "9affffffff",
            "8181818181818181",
            "61ff",
        ];
        for hex in wrong {
            assert!(read(hex).is_ok_and(|text| text.starts_with("Err")), "{hex}");
        }
    }
}
