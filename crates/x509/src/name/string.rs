//! The character string types that names use (X.690 §8.23, RFC 5280 §4.1.2.4).

use std::borrow::Cow;

use crate::der::Tag;

/// Text of a character string; `None` for other types and malformed content. TeletexString is read as
/// Latin-1, as every implementation does in practice.
pub fn decode(tag: Tag, value: &[u8]) -> Option<Cow<'_, str>> {
    match tag {
        Tag::UTF8_STRING => std::str::from_utf8(value).ok().map(Cow::Borrowed),
        Tag::PRINTABLE_STRING | Tag::IA5_STRING | Tag::NUMERIC_STRING | Tag::VISIBLE_STRING => {
            let text = std::str::from_utf8(value).ok()?;
            text.is_ascii().then_some(Cow::Borrowed(text))
        }
        Tag::TELETEX_STRING => Some(value.iter().map(|b| char::from(*b)).collect()),
        Tag::BMP_STRING => {
            let (units, rest) = value.as_chunks::<2>();
            let text = String::from_utf16(
                &units
                    .iter()
                    .map(|u| u16::from_be_bytes(*u))
                    .collect::<Vec<_>>(),
            );
            text.ok().filter(|_| rest.is_empty()).map(Cow::Owned)
        }
        Tag::UNIVERSAL_STRING => {
            let (units, rest) = value.as_chunks::<4>();
            let text = units.iter().map(|u| char::from_u32(u32::from_be_bytes(*u)));
            text.collect::<Option<String>>()
                .filter(|_| rest.is_empty())
                .map(Cow::Owned)
        }
        _ => None,
    }
}

/// The alphabet of PrintableString (X.680 §41.4).
pub(crate) fn is_printable(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&b))
}
