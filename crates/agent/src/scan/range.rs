//! Ranges of addresses, as people write them: `10.30.0.0/16`, `10.30.0.1-10.30.0.99`, `10.30.0.7`, `fd00::/120`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use thiserror::Error;

/// From one address to another, both in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Range {
    first: IpAddr,
    last: IpAddr,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RangeError {
    #[error("`{0}` is no address, no ADDRESS/LENGTH and no FIRST-LAST")]
    Form(String),
    #[error("`{0}`: the last address comes before the first, or is of the other kind")]
    Order(String),
    #[error("`{0}`: bits beyond the prefix length are set; `{1}` may be meant")]
    HostBits(String, Range),
}

impl Range {
    pub fn new(first: IpAddr, last: IpAddr) -> Option<Self> {
        let same = first.is_ipv4() == last.is_ipv4();
        (same && first <= last).then_some(Self { first, last })
    }

    pub fn first(&self) -> IpAddr {
        self.first
    }

    pub fn last(&self) -> IpAddr {
        self.last
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && (self.first..=self.last).contains(&address)
    }

    /// Addresses in it, less one: all of IPv6 has 2^128, which no number here holds.
    pub fn span(&self) -> u128 {
        number(self.last) - number(self.first)
    }

    /// The address `offset` after the first, if it is in the range.
    pub fn at(&self, offset: u128) -> Option<IpAddr> {
        if offset > self.span() {
            return None;
        }
        let number = number(self.first) + offset;
        Some(match self.first {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(u32::try_from(number).ok()?)),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(number)),
        })
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let form = || RangeError::Form(text.to_owned());
        let address = |part: &str| part.trim().parse::<IpAddr>().map_err(|_| form());
        if let Some((first, last)) = text.split_once('-') {
            let order = || RangeError::Order(text.to_owned());
            return Self::new(address(first)?, address(last)?).ok_or_else(order);
        }
        let Some((start, length)) = text.split_once('/') else {
            let only = address(text)?;
            return Ok(Self {
                first: only,
                last: only,
            });
        };
        let start = address(start)?;
        let width = if start.is_ipv4() { 32 } else { 128 };
        let length: u32 = length.trim().parse().map_err(|_| form())?;
        if length > width {
            return Err(form());
        }
        // Shifting by the whole width is no shift.
        let host = u128::MAX
            .checked_shr(128 - (width - length))
            .unwrap_or_default();
        let whole = Self {
            first: start,
            last: start,
        };
        let network = number(start) & !host;
        let from = |number: u128| match start {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(number as u32)),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(number)),
        };
        let range = Self {
            first: from(network),
            last: from(network | host),
        };
        if range.first != whole.first {
            return Err(RangeError::HostBits(text.to_owned(), range));
        }
        Ok(range)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = self.span();
        let host = 128 - span.leading_zeros();
        let aligned = span.wrapping_add(1) & span == 0 && number(self.first) & span == 0;
        if span == 0 {
            write!(f, "{}", self.first)
        } else if aligned {
            let width = if self.first.is_ipv4() { 32 } else { 128 };
            write!(f, "{}/{}", self.first, width - host)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl TryFrom<String> for Range {
    type Error = RangeError;

    fn try_from(text: String) -> Result<Self, RangeError> {
        text.parse()
    }
}

impl From<Range> for String {
    fn from(range: Range) -> Self {
        range.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_written_as_people_do() {
        let table = [
            ("10.30.0.0/16", "10.30.255.255", 65_535),
            ("10.30.0.7", "10.30.0.7", 0),
            ("10.30.0.1-10.30.0.99", "10.30.0.99", 98),
            ("0.0.0.0/0", "255.255.255.255", u128::from(u32::MAX)),
            ("fd00::/120", "fd00::ff", 255),
            ("::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", u128::MAX),
            ("192.0.2.254/31", "192.0.2.255", 1),
        ];
        for (text, last, span) in table {
            let range: Range = text.parse().unwrap();
            assert_eq!(
                (range.last(), range.span()),
                (last.parse().unwrap(), span),
                "{text}"
            );
            assert_eq!(range.to_string(), text);
            assert_eq!(range.at(span), Some(range.last()));
            assert_eq!(
                span.checked_add(1).and_then(|beyond| range.at(beyond)),
                None
            );
            assert!(range.contains(range.first()) && range.contains(range.last()));
        }
        let same: Range = "10.0.0.0-10.0.0.255".parse().unwrap();
        assert_eq!(same.to_string(), "10.0.0.0/24");
        assert!(!same.contains("::".parse().unwrap()));
    }

    #[test]
    fn what_is_no_range_is_refused_with_the_reason() {
        for text in [
            "",
            "10.0.0",
            "10.0.0.0/33",
            "::/129",
            "host",
            "10.0.0.0/",
            "a-b",
            "1.2.3.4/-1",
        ] {
            assert_eq!(
                text.parse::<Range>(),
                Err(RangeError::Form(text.to_owned()))
            );
        }
        for text in ["10.0.0.9-10.0.0.1", "10.0.0.1-::1"] {
            assert_eq!(
                text.parse::<Range>(),
                Err(RangeError::Order(text.to_owned()))
            );
        }
        let error = "10.30.0.7/16".parse::<Range>().unwrap_err().to_string();
        assert!(error.contains("`10.30.0.0/16` may be meant"), "{error}");
    }
}
