//! GS1 Digital Link URIs (GS1 Digital Link Standard: URI Syntax §4): `https://id.gs1.org/01/…/21/…?17=…`, under any host.

use super::gs1::Reading;
use super::{Udi, UdiError};

/// What may qualify a GTIN in the path, in this order (§4.8).
const QUALIFIERS: [&str; 4] = ["22", "10", "21", "235"];
/// What the query may add to it.
const ATTRIBUTES: [&str; 11] = [
    "11", "13", "15", "16", "17", "20", "240", "241", "30", "37", "7003",
];

/// Reads what stands behind `https://`.
pub(super) fn parse(rest: &str) -> Result<Udi, UdiError> {
    let rest = rest.split('#').next().unwrap_or_default();
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut segments = place
        .split('/')
        .skip(1)
        .filter(|segment| !segment.is_empty());
    // A host may keep its links under a path of its own.
    if !segments.any(|segment| segment == "01") {
        return Err(UdiError::NoDevice);
    }
    let mut reading = Reading::default();
    let gtin = decoded(segments.next().ok_or(UdiError::NoDevice)?)?;
    if !matches!(gtin.len(), 8 | 12 | 13 | 14) {
        return Err(UdiError::Length("GTIN (01)"));
    }
    reading.take("01", &format!("{gtin:0>14}"))?;
    let mut from = 0;
    while let Some(ai) = segments.next() {
        let place = QUALIFIERS.iter().skip(from).position(|one| *one == ai);
        let place = place.ok_or_else(|| UdiError::Trailing(ai.chars().take(20).collect()))?;
        from += place + 1;
        let value = segments.next().ok_or(UdiError::Length("the link"))?;
        reading.take(ai, &decoded(value)?)?;
    }
    for (ai, value) in query
        .split(['&', ';'])
        .filter_map(|pair| pair.split_once('='))
    {
        // Other parameters are the host's own business.
        if ATTRIBUTES.contains(&ai) {
            reading.take(ai, &decoded(value)?)?;
        }
    }
    reading.finish()
}

/// The link of one device.
pub(super) fn write(gtin: &str, serial: &str) -> String {
    let mut link = format!("https://id.gs1.org/01/{gtin}/21/");
    for byte in serial.bytes() {
        // RFC 3986 §2.3.
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => link.push(char::from(byte)),
            false => link.push_str(&format!("%{byte:02X}")),
        }
    }
    link
}

/// Percent decoding (RFC 3986 §2.1).
fn decoded(text: &str) -> Result<String, UdiError> {
    let bad = || UdiError::Character("the link");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (code, behind) = rest.split_at_checked(2).ok_or_else(bad)?;
        let code = std::str::from_utf8(code).map_err(|_| bad())?;
        // `from_str_radix` would take a sign.
        if !code.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(bad());
        }
        bytes.push(u8::from_str_radix(code, 16).map_err(|_| bad())?);
        rest = behind;
    }
    String::from_utf8(bytes).map_err(|_| bad())
}
