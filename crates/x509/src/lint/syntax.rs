//! Spelling of the texts inside names: hosts, mailboxes, URIs, PrintableString.

/// A host name in preferred name syntax (RFC 1034 §3.5 as changed by RFC 1123 §2.1), without final dot.
pub(super) fn is_host_name(s: &[u8]) -> bool {
    !s.is_empty() && s.len() <= 253 && s.split(|b| *b == b'.').all(is_label) && !is_dotted_quad(s)
}

/// A host name whose leftmost label may be `*` (RFC 9525 §6.3).
pub(super) fn is_host_name_or_wildcard(s: &[u8]) -> bool {
    match s {
        [b'*', b'.', rest @ ..] => is_host_name(rest) && rest.contains(&b'.'),
        _ => is_host_name(s),
    }
}

pub(super) fn is_dotted_quad(s: &[u8]) -> bool {
    std::str::from_utf8(s).is_ok_and(|s| s.parse::<std::net::Ipv4Addr>().is_ok())
}

fn is_label(label: &[u8]) -> bool {
    let ends_well = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    label.len() <= 63
        && ends_well(label.first())
        && ends_well(label.last())
        && label
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || *b == b'-')
}

/// `Local-part "@" Domain` (RFC 5321 §4.1.2), ASCII, dot-string local part.
pub(super) fn is_mailbox(s: &[u8]) -> bool {
    let Some(at) = s.iter().rposition(|b| *b == b'@') else {
        return false;
    };
    let (local, domain) = (
        s.get(..at).unwrap_or_default(),
        s.get(at + 1..).unwrap_or_default(),
    );
    let atext = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(b);
    let dot_string = local
        .split(|b| *b == b'.')
        .all(|a| !a.is_empty() && a.iter().all(atext));
    let quoted = matches!(local, [b'"', .., b'"']) && local.iter().all(|b| (32..127).contains(b));
    local.len() <= 64 && (dot_string || quoted) && is_host_name(domain)
}

/// An absolute URI: a scheme, something after it, and no characters that URIs lack (RFC 3986 §3).
/// Where there is an authority its host must not be empty (RFC 5280 §4.2.1.6).
pub(super) fn is_absolute_uri(s: &[u8]) -> bool {
    let Some(colon) = s.iter().position(|b| *b == b':') else {
        return false;
    };
    let (scheme, rest) = (
        s.get(..colon).unwrap_or_default(),
        s.get(colon + 1..).unwrap_or_default(),
    );
    let scheme_ok = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b));
    let text_ok = rest
        .iter()
        .all(|b| b.is_ascii_graphic() && !b"<>\"{}|\\^`".contains(b));
    scheme_ok && !rest.is_empty() && text_ok && authority(s).is_none_or(|a| !host_of(a).is_empty())
}

/// The scheme, in the case in which it stands.
pub(super) fn scheme(uri: &[u8]) -> &[u8] {
    uri.split(|b| *b == b':').next().unwrap_or_default()
}

fn authority(uri: &[u8]) -> Option<&[u8]> {
    let start = uri.windows(3).position(|w| w == b"://")? + 3;
    uri.get(start..)?.split(|b| b"/?#".contains(b)).next()
}

fn host_of(authority: &[u8]) -> &[u8] {
    let host = authority.rsplit(|b| *b == b'@').next().unwrap_or_default();
    match host.first() {
        Some(b'[') => host,
        _ => host.split(|b| *b == b':').next().unwrap_or_default(),
    }
}

/// The alphabet of PrintableString (X.680 §41.4).
pub(super) fn is_printable_string(s: &[u8]) -> bool {
    s.iter()
        .all(|b| b.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(b))
}

/// For messages: what could be text, with the rest escaped.
pub(super) fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
