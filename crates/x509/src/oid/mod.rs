//! Object identifiers (X.690 §8.19) and the registry of those this crate knows by name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::der::Error;

mod registry;

use registry::NAMES;
pub use registry::oids;

/// Longest content kept. Active Directory's generated template identifiers reach 40 octets.
const MAX: usize = 63;

/// An OBJECT IDENTIFIER, held in place so that it is `Copy` and constants can be patterns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Oid {
    length: u8,
    bytes: [u8; MAX],
}

impl Oid {
    /// From content octets known to be right, for constants. Longer input is cut, which a constant
    /// never is.
    pub const fn from_bytes(content: &[u8]) -> Oid {
        let mut bytes = [0; MAX];
        let mut i = 0;
        while i < content.len() && i < MAX {
            bytes[i] = content[i];
            i += 1;
        }
        Oid {
            length: i as u8,
            bytes,
        }
    }

    /// From the content octets of an OBJECT IDENTIFIER.
    pub fn from_content(content: &[u8]) -> Result<Oid, Error> {
        let starts_padded = |i: usize| i == 0 || content.get(i - 1).is_some_and(|b| b & 0x80 == 0);
        let padded = (0..content.len()).any(|i| content.get(i) == Some(&0x80) && starts_padded(i));
        match content.last() {
            Some(last) if last & 0x80 == 0 && content.len() <= MAX && !padded => {
                Ok(Oid::from_bytes(content))
            }
            _ => Err(Error::Oid),
        }
    }

    /// From arcs, such as `&[2, 5, 4, 3]`.
    pub fn from_arcs(arcs: &[u128]) -> Result<Oid, Error> {
        let [first @ 0..=2, second, rest @ ..] = arcs else {
            return Err(Error::Oid);
        };
        if *first < 2 && *second > 39 {
            return Err(Error::Oid);
        }
        let joined = (first * 40).checked_add(*second).ok_or(Error::Oid)?;
        let mut content = Vec::with_capacity(24);
        for arc in std::iter::once(&joined).chain(rest) {
            push_base128(&mut content, *arc);
        }
        Oid::from_content(&content)
    }

    /// The content octets, without tag and length.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }

    /// The customary name, if this crate knows one.
    pub fn name(&self) -> Option<&'static str> {
        name(self)
    }
}

/// The customary name of an identifier, such as `serverAuth`.
pub fn name(oid: &Oid) -> Option<&'static str> {
    NAMES.iter().find(|(o, _)| o == oid).map(|(_, n)| *n)
}

/// The identifier behind a customary name; the inverse of [`name`].
pub fn by_name(name: &str) -> Option<Oid> {
    let found = NAMES.iter().find(|(_, n)| n.eq_ignore_ascii_case(name));
    found.map(|(o, _)| *o)
}

impl fmt::Display for Oid {
    /// Dotted decimal. Arcs too large for 128 bits are written as `#` and their octets in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for group in self.as_bytes().split_inclusive(|b| b & 0x80 == 0) {
            let value = group.iter().try_fold(0u128, |acc, b| {
                Some(acc.checked_mul(128)? | u128::from(b & 0x7f))
            });
            match (value, first) {
                (None, _) => write!(f, ".#{}", hex::encode(group))?,
                (Some(v), false) => write!(f, ".{v}")?,
                (Some(v), true) => {
                    let top = (v / 40).min(2);
                    write!(f, "{top}.{}", v - top * 40)?;
                }
            }
            first = false;
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(n) => write!(f, "{self} ({n})"),
            None => write!(f, "{self}"),
        }
    }
}

impl FromStr for Oid {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self, Error> {
        let arcs = s
            .split('.')
            .map(|a| match a.as_bytes() {
                [b'0'] => Ok(0),
                [b'1'..=b'9', ..] => a.parse::<u128>().map_err(|_| Error::Oid),
                _ => Err(Error::Oid),
            })
            .collect::<Result<Vec<u128>, Error>>()?;
        Oid::from_arcs(&arcs)
    }
}

impl Serialize for Oid {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Oid {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn push_base128(out: &mut Vec<u8>, value: u128) {
    let groups = (128 - value.leading_zeros()).div_ceil(7).max(1);
    for i in (0..groups).rev() {
        let more = if i > 0 { 0x80 } else { 0 };
        out.push(((value >> (7 * i)) & 0x7f) as u8 | more);
    }
}
