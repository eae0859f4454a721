//! Values in a search: how they are written, and what they are called when they are not right.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use agent::observation::Version;
use agent::tls::suite;
use x509::Time;

use super::field::Kind;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    Text(String),
    Word(&'static str),
    Number(i64),
    /// Seconds.
    Span(i64),
    Moment(Moment),
    /// Lower-case digits: how the bytes begin.
    Hex(String),
    Network(IpAddr, u8),
    Range(IpAddr, IpAddr),
    Version(Version),
    Suite(u16),
}

/// An instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Unix seconds.
    At(i64),
    /// Seconds from the search on; negative ones have passed.
    FromNow(i64),
}

impl Moment {
    /// Unix seconds, for a search at `now`.
    pub fn seconds(self, now: i64) -> i64 {
        match self {
            Moment::At(at) => at,
            Moment::FromNow(from) => now.saturating_add(from),
        }
    }
}

/// Units of time, the longest first, in seconds. A year is 365 days, as certificates count.
const UNITS: [(&str, i64); 6] = [
    ("y", 31_536_000),
    ("w", 604_800),
    ("d", 86_400),
    ("h", 3_600),
    ("m", 60),
    ("s", 1),
];

/// Longest time that is looked at: a millennium, so that nothing overflows.
const LONGEST: i64 = 1000 * 31_536_000;

/// Units of size.
const SIZES: [(&str, i64); 2] = [("KiB", 1 << 10), ("MiB", 1 << 20)];

impl Literal {
    /// Reads a value of a kind; `Err` says what is accepted.
    pub(super) fn read(kind: Kind, text: &str) -> Result<Literal, String> {
        match kind {
            Kind::Text | Kind::Lines | Kind::Names | Kind::Prose => {
                Ok(Literal::Text(text.to_owned()))
            }
            Kind::Words(words) | Kind::Scale(_, words) => words
                .iter()
                .find(|word| word.eq_ignore_ascii_case(text))
                .map(|word| Literal::Word(word))
                .ok_or_else(|| words.join(", ")),
            Kind::Flag => Err("yes or no".to_owned()),
            Kind::Number => number(text)
                .map(Literal::Number)
                .ok_or_else(|| "a whole number, such as 2048 or 4KiB".to_owned()),
            Kind::Time { .. } => moment(text).map(Literal::Moment).ok_or_else(|| {
                "a date such as 2027-06-30, an instant such as 2027-06-30T12:00:00Z, now, or a time from now such as 30d"
                    .to_owned()
            }),
            Kind::Span => span(text)
                .filter(|seconds| *seconds >= 0)
                .map(Literal::Span)
                .ok_or_else(|| "a length of time, such as 90d, 12h or 2y".to_owned()),
            Kind::Hex => hex(text).ok_or_else(|| "1 to 64 hexadecimal digits".to_owned()),
            Kind::Address => address(text).ok_or_else(|| {
                "an address, a range such as 10.20.0.0/16, or 10.20.0.5-10.20.0.9".to_owned()
            }),
            Kind::Version => version(text)
                .map(Literal::Version)
                .ok_or_else(|| "ssl3, 1.0, 1.1, 1.2, 1.3".to_owned()),
            Kind::Suite => cipher_suite(text).map(Literal::Suite).ok_or_else(|| {
                "IANA's name of a cipher suite, such as TLS_AES_128_GCM_SHA256, or its number, such as 0x1301; `suite ~ CBC` looks for a part of the name"
                    .to_owned()
            }),
        }
    }
}

/// Spaces inside are the quoting's business; a sign is for what has passed.
pub(super) fn moment(text: &str) -> Option<Moment> {
    if text.eq_ignore_ascii_case("now") {
        return Some(Moment::FromNow(0));
    }
    if let Some(seconds) = span(text) {
        return Some(Moment::FromNow(seconds));
    }
    let instant: Option<Time> = match text.len() {
        10 => format!("{text}T00:00:00Z").parse().ok(),
        _ => text.parse().ok(),
    };
    instant.map(|time| Moment::At(time.0))
}

fn span(text: &str) -> Option<i64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (unit, each) = UNITS.iter().find(|(unit, _)| rest.ends_with(unit))?;
    let count = digits(rest.strip_suffix(unit)?)?;
    let seconds = count.checked_mul(*each)?;
    (seconds <= LONGEST).then_some(sign * seconds)
}

fn number(text: &str) -> Option<i64> {
    for (unit, each) in SIZES {
        if let Some(count) = text.strip_suffix(unit) {
            return digits(count)?.checked_mul(each);
        }
    }
    match text.strip_prefix('-') {
        Some(rest) => digits(rest).map(|count| -count),
        None => digits(text),
    }
}

/// Digits and nothing else: `parse` would take a sign.
fn digits(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Colons between the digits, as other programs print them, are left out.
fn hex(text: &str) -> Option<Literal> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let right = (1..=64).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    right.then(|| Literal::Hex(digits.to_ascii_lowercase()))
}

fn address(text: &str) -> Option<Literal> {
    if let Some((address, prefix)) = text.split_once('/') {
        let address: IpAddr = address.parse().ok()?;
        let prefix = u8::try_from(digits(prefix)?).ok()?;
        let (first, _) = bounds(address, prefix)?;
        return Some(Literal::Network(from_octets(first, address), prefix));
    }
    if let Some((first, last)) = text.split_once('-') {
        let (first, last): (IpAddr, IpAddr) = (first.parse().ok()?, last.parse().ok()?);
        let right = first.is_ipv4() == last.is_ipv4() && first <= last;
        return right.then_some(Literal::Range(first, last));
    }
    let address: IpAddr = text.parse().ok()?;
    let prefix = if address.is_ipv4() { 32 } else { 128 };
    Some(Literal::Network(address, prefix))
}

/// As the column `ip` has it.
pub(super) fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// First and last address of a network; `None` if the prefix is longer than an address.
pub(super) fn bounds(address: IpAddr, prefix: u8) -> Option<([u8; 16], [u8; 16])> {
    let prefix = match address {
        IpAddr::V4(_) => prefix.checked_add(96)?,
        IpAddr::V6(_) => prefix,
    };
    let host = match prefix {
        0 => u128::MAX,
        1..=128 => u128::MAX.checked_shr(prefix.into()).unwrap_or(0),
        _ => return None,
    };
    let bits = u128::from_be_bytes(octets(address));
    Some(((bits & !host).to_be_bytes(), (bits | host).to_be_bytes()))
}

fn from_octets(octets: [u8; 16], like: IpAddr) -> IpAddr {
    let address = Ipv6Addr::from(octets);
    match (like, address.to_ipv4_mapped()) {
        (IpAddr::V4(_), Some(four)) => IpAddr::V4(four),
        _ => IpAddr::V6(address),
    }
}

fn version(text: &str) -> Option<Version> {
    let text = text.to_ascii_lowercase();
    let text = text.strip_prefix("tls").unwrap_or(&text);
    Some(match text {
        "ssl3" | "ssl3.0" => Version::Ssl3,
        "1.0" => Version::Tls10,
        "1.1" => Version::Tls11,
        "1.2" => Version::Tls12,
        "1.3" => Version::Tls13,
        _ => return None,
    })
}

fn cipher_suite(text: &str) -> Option<u16> {
    if let Some(code) = text.strip_prefix("0x") {
        return u16::from_str_radix(code, 16).ok();
    }
    let mut known = suite::all();
    known
        .find(|suite| suite.name.eq_ignore_ascii_case(text))
        .map(|suite| suite.code)
}

/// As `agent::observation::TlsSeen` writes a version in JSON.
pub(super) fn version_in_json(version: Version) -> &'static str {
    match version {
        Version::Ssl3 => "ssl3.0",
        Version::Tls10 => "tls1.0",
        Version::Tls11 => "tls1.1",
        Version::Tls12 => "tls1.2",
        Version::Tls13 => "tls1.3",
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Text(text) => quoted(f, text),
            Literal::Word(word) => f.write_str(word),
            Literal::Number(number) => write!(f, "{number}"),
            Literal::Span(seconds) => length(f, *seconds),
            Literal::Moment(moment) => moment.fmt(f),
            Literal::Hex(digits) => f.write_str(digits),
            Literal::Network(address, prefix) => match (address, prefix) {
                (IpAddr::V4(_), 32) | (IpAddr::V6(_), 128) => write!(f, "{address}"),
                _ => write!(f, "{address}/{prefix}"),
            },
            Literal::Range(first, last) => write!(f, "{first}-{last}"),
            Literal::Version(Version::Ssl3) => f.write_str("ssl3"),
            Literal::Version(version) => f.write_str(&version_in_json(*version)[3..]),
            Literal::Suite(code) => match suite::suite(*code) {
                Some(suite) => f.write_str(suite.name),
                None => write!(f, "0x{code:04x}"),
            },
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::At(at) => Time(*at).fmt(f),
            Moment::FromNow(0) => f.write_str("now"),
            Moment::FromNow(seconds) => length(f, *seconds),
        }
    }
}

/// In the longest unit that leaves nothing over.
fn length(f: &mut fmt::Formatter<'_>, seconds: i64) -> fmt::Result {
    let whole = UNITS
        .iter()
        .find(|(_, each)| seconds != 0 && seconds % each == 0);
    let (unit, each) = whole.unwrap_or(&("s", 1));
    write!(f, "{}{unit}", seconds / each)
}

/// Plain where it reads back as one word, else in quotes.
fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let plain = !text.is_empty()
        && text.chars().all(super::token::is_word)
        && !super::token::is_keyword(text);
    if plain {
        return f.write_str(text);
    }
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    write!(f, "\"{text}\"")
}
