//! Text from outside, made fit to be kept and shown: a name in a certificate or a path on a host is whatever somebody
//! wrote there. Control characters and those that turn the direction of writing are escaped, so that nothing forges a
//! line or moves a cursor; what is too long is cut, with a mark by which two that differ still do.

use std::borrow::Cow;

/// Longest name, host or path that is kept whole: a path may be as long as a system lets it be (PATH_MAX, 4096), but
/// nobody reads that.
pub(crate) const LONGEST: usize = 1000;

/// `text`, escaped and at most [`LONGEST`] bytes long.
pub(crate) fn clean(text: &str) -> String {
    let escaped = escaped(text);
    match escaped.len() > LONGEST {
        true => cut(&escaped),
        false => escaped.into_owned(),
    }
}

fn escaped(text: &str) -> Cow<'_, str> {
    if !text.chars().any(hides) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match hides(c) {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Control characters; marks, embeddings, overrides and isolates of bidirectional text (Unicode TR 36 §3.4); what has
/// no width.
fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The beginning and the SHA-256 of the whole.
fn cut(text: &str) -> String {
    let hash = hex::encode(&audit::merkle::sha256(text.as_bytes())[..8]);
    let end = text.floor_char_boundary(LONGEST - 20);
    format!("{}…{hash}", &text[..end])
}

/// As one word: what would end it (space) and the sign of this escape are written as in a URL, so that words set one
/// beside another can be told apart again.
pub(crate) fn word(text: &str) -> String {
    text.replace('%', "%25").replace(' ', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_kept_text_moves_a_cursor_or_turns_a_line() {
        let cases = [
            ("pump-1.example.org", "pump-1.example.org"),
            ("Müller", "Müller"),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\r\nb", "a\\r\\nb"),
            ("gpj.\u{202e}exe", "gpj.\\u{202e}exe"),
        ];
        for (from, to) in cases {
            assert_eq!(clean(from), to);
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_still_differs() {
        let (one, other) = ("a".repeat(10_000), "a".repeat(9_999));
        assert!(clean(&one).len() <= LONGEST);
        assert_ne!(clean(&one), clean(&other));
        let wide = "ü".repeat(10_000);
        assert!(clean(&wide).len() <= LONGEST);
    }
}
