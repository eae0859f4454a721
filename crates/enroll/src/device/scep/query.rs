//! What a request asks for (RFC 8894 §4.1), read from the query as it was sent.
//!
//! Clients disagree about how base64 goes into a query: Cisco routers wrap it with `%0A`, Apple's leave `+` as it is, and
//! proxies turn that into a space. So the query is taken undecoded and every one of these means the same bytes.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Largest pkiMessage read: a request of 64 KiB (the limit of PKCS #10 here) in an envelope in a signature, with a chain of
/// certificates beside it.
pub(crate) const MAX_MESSAGE: usize = 160 * 1024;

/// Base64 of the largest message, each character percent-encoded.
const MAX_QUERY: usize = MAX_MESSAGE / 3 * 4 * 3;

/// Padding may be missing: it often is when `=` was not encoded.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The operations of RFC 8894 §3.5, §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    GetCaCaps,
    GetCaCert,
    GetNextCaCert,
    PkiMessage,
}

impl Operation {
    /// Case does not matter: old clients write `GetCACaps` in every way.
    fn parse(text: &str) -> Option<Self> {
        [
            ("GetCACaps", Self::GetCaCaps),
            ("GetCACert", Self::GetCaCert),
            ("GetNextCACert", Self::GetNextCaCert),
            ("PKIOperation", Self::PkiMessage),
            // Of drafts before GetCACert could answer with a chain; some clients still ask it first.
            ("GetCACertChain", Self::GetCaCert),
        ]
        .into_iter()
        .find(|(name, _)| text.trim().eq_ignore_ascii_case(name))
        .map(|(_, operation)| operation)
    }

    /// The name in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::GetCaCaps => "GetCACaps",
            Self::GetCaCert => "GetCACert",
            Self::GetNextCaCert => "GetNextCACert",
            Self::PkiMessage => "PKIOperation",
        }
    }
}

/// Why a query cannot be followed; the client is told in HTTP, since there is no transaction to answer in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadQuery {
    #[error("the query names no operation (RFC 8894 §4.1)")]
    NoOperation,
    #[error(
        "there is no such operation; this server knows GetCACaps, GetCACert, GetNextCACert and PKIOperation"
    )]
    UnknownOperation,
    #[error("PKIOperation came without a message")]
    NoMessage,
    #[error("the message is not base64")]
    NotBase64,
    #[error("the message is too large")]
    TooLarge,
}

/// The operation of a query.
pub(crate) fn operation(query: Option<&str>) -> Result<Operation, BadQuery> {
    let raw = parameter(query, "operation").ok_or(BadQuery::NoOperation)?;
    let text = percent_decoded(raw);
    let text = std::str::from_utf8(&text).map_err(|_| BadQuery::UnknownOperation)?;
    Operation::parse(text).ok_or(BadQuery::UnknownOperation)
}

/// The pkiMessage of a PKIOperation: the body of a POST, or the query's `message`.
pub(crate) fn message(query: Option<&str>, body: &[u8]) -> Result<Vec<u8>, BadQuery> {
    if !body.is_empty() {
        return posted(body);
    }
    let raw = parameter(query, "message").ok_or(BadQuery::NoMessage)?;
    if raw.len() > MAX_QUERY {
        return Err(BadQuery::TooLarge);
    }
    from_text(&percent_decoded(raw))
}

/// A body is the message itself; a few clients send it as base64 there too.
fn posted(body: &[u8]) -> Result<Vec<u8>, BadQuery> {
    match body.first() {
        _ if body.len() > MAX_MESSAGE * 2 => Err(BadQuery::TooLarge),
        Some(0x30) if body.len() > MAX_MESSAGE => Err(BadQuery::TooLarge),
        Some(0x30) => Ok(body.to_vec()),
        _ => from_text(body),
    }
}

/// Base64 with whatever whitespace. A space is a `+` that a form decoder took for one, unless that gives no message; then it
/// is what surrounds the text, or what wraps it.
fn from_text(text: &[u8]) -> Result<Vec<u8>, BadQuery> {
    let trimmed = text.trim_ascii();
    let readings = [(text, Some(b'+')), (trimmed, Some(b'+')), (trimmed, None)];
    let mut read = Err(BadQuery::NoMessage);
    for (text, space) in readings {
        read = decoded(text, space);
        if read.as_deref().is_ok_and(is_whole) {
            break;
        }
    }
    let message = read?;
    match message.len() {
        0 => Err(BadQuery::NoMessage),
        length if length > MAX_MESSAGE => Err(BadQuery::TooLarge),
        _ => Ok(message),
    }
}

fn decoded(text: &[u8], space: Option<u8>) -> Result<Vec<u8>, BadQuery> {
    let mut clean = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b' ' => clean.extend(space),
            // Of the alphabet for URLs (RFC 4648 §5).
            b'-' => clean.push(b'+'),
            b'_' => clean.push(b'/'),
            b'\t' | b'\r' | b'\n' | 0x0b | 0x0c | 0 => {}
            other => clean.push(*other),
        }
    }
    while clean.last() == Some(&b'=') {
        clean.pop();
    }
    BASE64.decode(clean).map_err(|_| BadQuery::NotBase64)
}

/// One SEQUENCE and nothing after it, or one of indefinite length.
fn is_whole(der: &[u8]) -> bool {
    match der {
        [0x30, 0x80, ..] => true,
        [0x30, short @ 0..=0x7f, rest @ ..] => rest.len() == usize::from(*short),
        [0x30, long @ 0x81..=0x84, rest @ ..] => {
            let count = usize::from(long & 0x7f);
            let Some((length, rest)) = rest.split_at_checked(count) else {
                return false;
            };
            let length = length
                .iter()
                .fold(0usize, |sum, byte| (sum << 8) | usize::from(*byte));
            rest.len() == length
        }
        _ => false,
    }
}

/// The raw value of a parameter: the first with this name, whatever its case.
fn parameter<'q>(query: Option<&'q str>, name: &str) -> Option<&'q str> {
    query?.split('&').find_map(|part| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// `%` and two hexadecimal digits become their octet; everything else stays, `+` too.
fn percent_decoded(raw: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = raw.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A SEQUENCE whose base64 holds `+`, `/` and padding.
    const DER: &[u8] = &[0x30, 0x06, 0xfb, 0xef, 0xbe, 0xff, 0xff, 0xfe];
    const TEXT: &str = "MAb7777///4=";

    #[test]
    fn rfc8894_4_1_operations() {
        let table = [
            ("operation=GetCACaps", Ok(Operation::GetCaCaps)),
            ("operation=GetCACert&message=", Ok(Operation::GetCaCert)),
            (
                "operation=GetCACert&message=any%20thing&x",
                Ok(Operation::GetCaCert),
            ),
            ("message=ca&operation=GetCACert", Ok(Operation::GetCaCert)),
            ("operation=GetNextCACert", Ok(Operation::GetNextCaCert)),
            ("Operation=pkioperation", Ok(Operation::PkiMessage)),
            ("operation=%50KIOperation", Ok(Operation::PkiMessage)),
            ("operation=GetCACertChain", Ok(Operation::GetCaCert)),
            ("operation=Delete", Err(BadQuery::UnknownOperation)),
            ("operation=%ff", Err(BadQuery::UnknownOperation)),
            ("operation", Err(BadQuery::UnknownOperation)),
            ("message=x", Err(BadQuery::NoOperation)),
            ("", Err(BadQuery::NoOperation)),
        ];
        for (query, expected) in table {
            assert_eq!(operation(Some(query)), expected, "{query}");
        }
        assert_eq!(operation(None), Err(BadQuery::NoOperation));
    }

    #[test]
    fn r09_every_way_of_writing_base64_in_a_query() {
        let table = [
            TEXT,
            "MAb7777%2F%2F%2F4%3D",
            "MAb7777%2f%2f%2f4%3d",
            "MAb7777///4",
            "MAb7%0A777///%0A4=%0A",
            "MAb7%0D%0A777///4=%0D%0A",
            "%20MAb7777///4=%20",
            "MAb7777%09///4=",
            "MAb7777___4=",
        ];
        for text in table {
            let query = format!("operation=PKIOperation&message={text}");
            assert_eq!(message(Some(&query), b"").as_deref(), Ok(DER), "{text}");
        }
    }

    #[test]
    fn r09_a_plus_that_became_a_space_is_a_plus() {
        let der = [0x30, 0x07, 0x00, 0xfb, 0xef, 0xbe, 0xfb, 0xef, 0xbe];
        for written in [
            "MAcA++++++++",
            "MAcA        ",
            "MAcA%20%20%20%20%20%20%20%20",
            "MAcA%2B%2B%2B%2B%2B%2B%2B%2B",
            "MAcA--------",
            "MAcA%0A++++ +++",
        ] {
            let query = format!("operation=PKIOperation&message={written}");
            let read = message(Some(&query), b"");
            assert_eq!(read.as_deref(), Ok(&der[..]), "{written}");
        }
        // Spaces that only separate: taking them for signs would give no message.
        let query = "message=MAb7 777/ //4=";
        assert_eq!(message(Some(query), b"").as_deref(), Ok(DER));
    }

    #[test]
    fn a_body_is_the_message_in_octets_or_base64() {
        assert_eq!(message(None, DER).as_deref(), Ok(DER));
        assert_eq!(message(Some("message=AAAA"), DER).as_deref(), Ok(DER));
        assert_eq!(message(None, b"MAb7777/\r\n//4=\r\n").as_deref(), Ok(DER));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let table: [(Option<&str>, &[u8], BadQuery); 7] = [
            (None, b"", BadQuery::NoMessage),
            (Some("operation=PKIOperation"), b"", BadQuery::NoMessage),
            (Some("message="), b"", BadQuery::NoMessage),
            (Some("message=%0A%20"), b"", BadQuery::NoMessage),
            (Some("message=M%"), b"", BadQuery::NotBase64),
            (Some("message=!!!!"), b"", BadQuery::NotBase64),
            (None, b"<html>", BadQuery::NotBase64),
        ];
        for (query, body, error) in table {
            assert_eq!(message(query, body), Err(error), "{query:?}");
        }
        let large = [&[0x30][..], &vec![0; MAX_MESSAGE]].concat();
        assert_eq!(message(None, &large), Err(BadQuery::TooLarge));
        let query = format!("message={}", "A".repeat(MAX_QUERY + 1));
        assert_eq!(message(Some(&query), b""), Err(BadQuery::TooLarge));
    }
}
