//! Name constraints (RFC 5280 §4.2.1.10): the subtrees an authority may name things in.

use std::{fmt, net::IpAddr, str::FromStr};

use super::{ExtensionValue, whole_sequence};
use crate::{
    Error, Name, Oid, der,
    der::{Reader, Tag, Writer},
    general_name::{constructed, primitive, read_other, text, write_other},
    oids,
};

/// What a subtree is rooted at (RFC 5280 §4.2.1.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constraint {
    Dns(String),
    Email(String),
    Uri(String),
    Ip(IpRange),
    DirName(Name),
    RegisteredId(Oid),
    Other { type_id: Oid, value_der: Vec<u8> },
    X400(Vec<u8>),
    Ediparty(Vec<u8>),
}

impl Constraint {
    fn read(r: &mut Reader<'_>) -> Result<Self, Error> {
        let e = r.element()?;
        Ok(match e.tag {
            Tag(0xa0) => {
                let (type_id, value) = read_other(r.descend(e.value)?)?;
                Constraint::Other {
                    type_id,
                    value_der: value.to_vec(),
                }
            }
            Tag(0x81) => Constraint::Email(text(e)?),
            Tag(0x82) => Constraint::Dns(text(e)?),
            Tag(0xa3) => Constraint::X400(e.value.to_vec()),
            Tag(0xa4) => Constraint::DirName(Name::from_der(e.value)?),
            Tag(0xa5) => Constraint::Ediparty(e.value.to_vec()),
            Tag(0x86) => Constraint::Uri(text(e)?),
            Tag(0x87) => Constraint::Ip(IpRange::from_octets(e.value)?),
            Tag(0x88) => Constraint::RegisteredId(Oid::from_content(e.value)?),
            _ => return Err(Error::invalid("GeneralSubtree", "unknown kind of name")),
        })
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Constraint::Other { type_id, value_der } => write_other(w, type_id, value_der),
            Constraint::Email(s) => primitive(w, 1, s.as_bytes()),
            Constraint::Dns(s) => primitive(w, 2, s.as_bytes()),
            Constraint::X400(v) => constructed(w, 3, v),
            Constraint::DirName(n) => constructed(w, 4, n.der()),
            Constraint::Ediparty(v) => constructed(w, 5, v),
            Constraint::Uri(s) => primitive(w, 6, s.as_bytes()),
            Constraint::Ip(range) => primitive(w, 7, &range.to_octets()),
            Constraint::RegisteredId(o) => primitive(w, 8, o.as_bytes()),
        }
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Constraint::Dns(s) => write!(f, "DNS:{s}"),
            Constraint::Email(s) => write!(f, "email:{s}"),
            Constraint::Uri(s) => write!(f, "URI:{s}"),
            Constraint::Ip(r) => write!(f, "IP:{r}"),
            Constraint::DirName(n) => write!(f, "DirName:{n}"),
            Constraint::RegisteredId(o) => write!(f, "RID:{o}"),
            Constraint::Other { type_id, value_der } => {
                write!(f, "otherName:{type_id}:{}", hex::encode(value_der))
            }
            Constraint::X400(v) => write!(f, "X400:{}", hex::encode(v)),
            Constraint::Ediparty(v) => write!(f, "EDIParty:{}", hex::encode(v)),
        }
    }
}

/// Address and mask, 4 or 16 octets each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpRange {
    pub address: Vec<u8>,
    pub mask: Vec<u8>,
}

impl IpRange {
    pub fn from_octets(octets: &[u8]) -> Result<Self, Error> {
        if octets.len() != 8 && octets.len() != 32 {
            return Err(Error::invalid("iPAddress range", "must be 8 or 32 octets"));
        }
        let (address, mask) = octets.split_at(octets.len() / 2);
        Ok(Self {
            address: address.to_vec(),
            mask: mask.to_vec(),
        })
    }

    /// A network and the length of its prefix, as in `10.0.0.0/8`.
    pub fn from_prefix(network: IpAddr, length: u8) -> Result<Self, Error> {
        let address = address_octets(network);
        if usize::from(length) > address.len() * 8 {
            return Err(Error::invalid(
                "iPAddress range",
                "the prefix is longer than the address",
            ));
        }
        let mask: Vec<u8> = (0..address.len())
            .map(|i| match usize::from(length).saturating_sub(i * 8) {
                n @ 0..=7 => !(0xffu8 >> n),
                _ => 0xff,
            })
            .collect();
        let network = address.iter().zip(&mask).map(|(a, m)| a & m).collect();
        Ok(Self {
            address: network,
            mask,
        })
    }

    pub fn to_octets(&self) -> Vec<u8> {
        [self.address.as_slice(), &self.mask].concat()
    }

    /// Whether the address lies in this range; an address of the other family never does.
    pub fn contains(&self, address: &IpAddr) -> bool {
        let octets = address_octets(*address);
        octets.len() == self.address.len()
            && self.mask.len() == self.address.len()
            && std::iter::zip(&octets, &self.address)
                .zip(&self.mask)
                .all(|((a, n), m)| a & m == n & m)
    }

    /// Length of the prefix if the mask is contiguous (RFC 4632 §3.1).
    pub fn prefix(&self) -> Option<u8> {
        let ones: u32 = self.mask.iter().map(|b| b.count_ones()).sum();
        let leading = self.mask.iter().take_while(|b| **b == 0xff).count();
        let next = self.mask.get(leading).map_or(0, |b| b.leading_ones());
        (leading as u32 * 8 + next == ones).then_some(ones as u8)
    }
}

fn address_octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    }
}

fn to_address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.ok()
        .or_else(|| <[u8; 16]>::try_from(octets).map(IpAddr::from).ok())
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (
            to_address(&self.address),
            self.prefix(),
            to_address(&self.mask),
        ) {
            (Some(a), Some(p), _) => write!(f, "{a}/{p}"),
            (Some(a), None, Some(m)) => write!(f, "{a}/{m}"),
            _ => write!(f, "{}", hex::encode(self.to_octets())),
        }
    }
}

impl FromStr for IpRange {
    type Err = Error;

    /// `10.0.0.0/8`, `2001:db8::/32`, or a single address.
    fn from_str(s: &str) -> Result<Self, Error> {
        const BAD: Error = Error::Invalid {
            what: "iPAddress range",
            why: "must read ADDRESS/PREFIX",
        };
        let (address, prefix) = match s.split_once('/') {
            Some((a, p)) => (a, Some(p)),
            None => (s, None),
        };
        let address: IpAddr = address.parse().map_err(|_| BAD)?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let length = prefix.map_or(Ok(whole), |p| p.parse().map_err(|_| BAD))?;
        Self::from_prefix(address, length)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneralSubtree {
    pub base: Constraint,
    pub minimum: u64,
    pub maximum: Option<u64>,
}

impl GeneralSubtree {
    /// The only form RFC 5280 allows: minimum 0, maximum absent.
    pub fn new(base: Constraint) -> Self {
        Self {
            base,
            minimum: 0,
            maximum: None,
        }
    }

    fn read_list(mut r: Reader<'_>) -> Result<Vec<Self>, Error> {
        let mut out = Vec::new();
        while !r.is_empty() {
            let mut inner = r.sequence()?;
            let base = Constraint::read(&mut inner)?;
            let minimum = base_distance(inner.optional(Tag::context(0))?)?;
            let maximum = base_distance(inner.optional(Tag::context(1))?)?;
            inner.finish()?;
            out.push(Self {
                base,
                minimum: minimum.unwrap_or(0),
                maximum,
            });
        }
        Ok(out)
    }

    fn write(&self, w: &mut Writer) {
        w.sequence(|w| {
            self.base.write(w);
            if self.minimum != 0 {
                primitive(w, 0, &der::unsigned_content(&self.minimum.to_be_bytes()));
            }
            if let Some(n) = self.maximum {
                primitive(w, 1, &der::unsigned_content(&n.to_be_bytes()));
            }
        });
    }
}

fn base_distance(e: Option<der::Element<'_>>) -> Result<Option<u64>, Error> {
    match e.map(|e| e.value) {
        None => Ok(None),
        Some([]) => Err(der::Error::Integer.into()),
        Some([first, ..]) if first & 0x80 != 0 => Err(der::Error::Integer.into()),
        Some([0, tail @ ..]) => Ok(Some(der::parse_u64(tail)?)),
        Some(v) => Ok(Some(der::parse_u64(v)?)),
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameConstraints {
    pub permitted: Vec<GeneralSubtree>,
    pub excluded: Vec<GeneralSubtree>,
}

impl ExtensionValue for NameConstraints {
    const OID: Oid = oids::NAME_CONSTRAINTS;
    const CRITICAL: bool = true;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        whole_sequence(value, |r| {
            let permitted = r.optional_nested(Tag::context_constructed(0))?;
            let excluded = r.optional_nested(Tag::context_constructed(1))?;
            let read = |list: Option<Reader<'_>>| {
                list.map(GeneralSubtree::read_list)
                    .transpose()
                    .map(Option::unwrap_or_default)
            };
            Ok(Self {
                permitted: read(permitted)?,
                excluded: read(excluded)?,
            })
        })
    }

    fn encode_value(&self) -> Vec<u8> {
        der::sequence(|w| {
            for (n, list) in [(0, &self.permitted), (1, &self.excluded)] {
                if !list.is_empty() {
                    w.nested(Tag::context_constructed(n), |w| {
                        list.iter().for_each(|s| s.write(w));
                    });
                }
            }
        })
    }
}
