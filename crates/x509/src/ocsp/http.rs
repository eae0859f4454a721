//! The GET form of a request (RFC 6960 appendix A.1, RFC 5019 §5): base64 in the path, as clients really write it.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::MAX_REQUEST;
use crate::Error;

/// Base64 with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The request in the part of a URL path after the responder's own address.
///
/// Tolerates percent-encoding or none, `+` that became a space on its way, the URL-safe alphabet and missing padding.
pub fn decode_get_path(path: &str) -> Result<Vec<u8>, Error> {
    let encoded = path.trim_start_matches('/').as_bytes();
    if encoded.len() > MAX_REQUEST * 4 {
        return Err(Error::TooLarge {
            what: "OCSP GET path",
            limit: MAX_REQUEST * 4,
        });
    }
    let mut base64 = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let [first, tail @ ..] = rest {
        let (octet, tail) = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => (percent_octet(*high, *low)?, tail),
            (b'%', _) => return Err(malformed()),
            (octet, tail) => (*octet, tail),
        };
        base64.push(match octet {
            b' ' | b'-' => b'+',
            b'_' => b'/',
            other => other,
        });
        rest = tail;
    }
    LENIENT.decode(&base64).map_err(|_| malformed())
}

fn percent_octet(high: u8, low: u8) -> Result<u8, Error> {
    let digit = |c: u8| char::from(c).to_digit(16).ok_or(malformed());
    Ok((digit(high)? << 4 | digit(low)?) as u8)
}

fn malformed() -> Error {
    Error::invalid("OCSP GET path", "it is not percent-encoded base64")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_clients_send() {
        let octets = [0xfb, 0xff, 0xbe, 0x3e, 0xff];
        for path in [
            "+/++Pv8=",
            "/+/++Pv8=",
            "%2B%2F%2b%2BPv8%3D",
            "%2B%2F%2B%2BPv8",
            " /  Pv8=",
            "-_--Pv8",
        ] {
            assert_eq!(decode_get_path(path).unwrap(), octets, "{path}");
        }
    }

    #[test]
    fn refuses_what_is_not_base64() {
        for path in ["%2", "%zz", "a?b", "AAA=A", "%", "\u{e9}"] {
            assert!(decode_get_path(path).is_err(), "{path}");
        }
    }
}
