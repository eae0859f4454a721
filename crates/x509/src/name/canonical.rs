//! Names brought to a comparable form (RFC 5280 §7.1, with the string preparation of RFC 4518).

use unicode_normalization::UnicodeNormalization;

use super::Name;

/// One byte string for each relative distinguished name. Attributes within one are sorted, because a
/// SET has no order; every string type compares alike.
pub(super) fn of(name: &Name) -> Vec<Vec<u8>> {
    let mut rdns: Vec<Vec<Vec<u8>>> = Vec::with_capacity(8);
    for attribute in name.attributes() {
        while rdns.len() <= attribute.rdn {
            rdns.push(Vec::new());
        }
        let text = attribute.string().map(|t| prepare(&t));
        let (kind, body) = match &text {
            Some(t) => (0, t.as_bytes()),
            None => (attribute.tag.0, attribute.value),
        };
        let mut out = Vec::with_capacity(attribute.oid.as_bytes().len() + body.len() + 6);
        push(&mut out, attribute.oid.as_bytes());
        out.push(kind);
        push(&mut out, body);
        if let Some(rdn) = rdns.last_mut() {
            rdn.push(out);
        }
    }
    rdns.into_iter().map(join).collect()
}

fn join(mut attributes: Vec<Vec<u8>>) -> Vec<u8> {
    attributes.sort();
    let mut out = vec![];
    push(&mut out, &attributes.concat());
    out
}

/// Length before content, so that no two different lists run together alike.
fn push(out: &mut Vec<u8>, part: &[u8]) {
    out.extend_from_slice(&(part.len() as u32).to_be_bytes());
    out.extend_from_slice(part);
}

/// RFC 4518 §2: map to lower case, normalise to NFKC, drop what is invisible, fold spaces.
fn prepare(text: &str) -> String {
    if text.is_ascii() {
        return fold_spaces(text.bytes().map(|b| char::from(b.to_ascii_lowercase())));
    }
    let mapped: String = text.chars().flat_map(char::to_lowercase).nfkc().collect();
    let visible = mapped.chars().flat_map(char::to_lowercase);
    fold_spaces(visible.filter(|c| !is_mapped_to_nothing(*c)))
}

fn fold_spaces(chars: impl Iterator<Item = char>) -> String {
    let mut out = String::new();
    let mut gap = false;
    for c in chars {
        if c.is_whitespace() {
            gap = !out.is_empty();
            continue;
        }
        if std::mem::take(&mut gap) {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// RFC 4518 §2.2: soft hyphen, joiners, variation selectors, byte order mark.
fn is_mapped_to_nothing(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200d}'
        | '\u{2060}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fffc}')
}
