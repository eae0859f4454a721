//! Text that people will read in a certificate: no control characters, nothing invisible, no words
//! that mix alphabets so as to look like another word (Unicode TR 39 §5.1, "mixed-script").

use access::Refusal;

/// Refuses text that deceives its reader.
pub(crate) fn check_text(text: &str) -> Result<(), Refusal> {
    let refuse = |rule: &'static str, source: &'static str, why: &str| {
        Refusal::new(rule, source, format!("`{}`: {why}", text.escape_default()))
    };
    if text.chars().any(char::is_control) {
        let why = "a control character (an embedded NUL ends the name for some readers)";
        return Err(
            refuse("text.control", "RFC 5280 §7.1, CVE-2009-2408", why).accepted("printable text")
        );
    }
    if text.chars().any(is_invisible) {
        return Err(refuse(
            "text.invisible",
            "Unicode TR 36 §2.5",
            "an invisible character",
        )
        .accepted("visible text without direction marks"));
    }
    let mixed = text
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| scripts(word) > 1);
    if mixed {
        return Err(refuse(
            "text.confusable",
            "Unicode TR 39 §5.1",
            "a word mixes alphabets",
        )
        .accepted("each word in one alphabet"));
    }
    if text.trim() != text || text.is_empty() {
        return Err(refuse(
            "text.blank",
            "RFC 5280 §4.1.2.4",
            "empty, or blank at an end",
        )
        .accepted("text without blanks around it"));
    }
    Ok(())
}

/// Characters that have no width or turn the direction of what follows.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{180E}'
        | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFD}' | '\u{E0000}'..='\u{E0FFF}')
}

/// How many of the alphabets whose letters look alike occur in a word.
fn scripts(word: &str) -> usize {
    let latin = |c: char| c.is_ascii_alphabetic() || ('\u{00C0}'..='\u{024F}').contains(&c);
    let greek = |c: char| ('\u{0370}'..='\u{03FF}').contains(&c);
    let cyrillic = |c: char| ('\u{0400}'..='\u{052F}').contains(&c);
    let armenian = |c: char| ('\u{0530}'..='\u{058F}').contains(&c);
    let cherokee = |c: char| ('\u{13A0}'..='\u{13FF}').contains(&c);
    let has = |of: &dyn Fn(char) -> bool| usize::from(word.chars().any(of));
    has(&latin) + has(&greek) + has(&cyrillic) + has(&armenian) + has(&cherokee)
}

#[cfg(test)]
mod tests {
    use super::check_text;

    #[test]
    fn text_that_deceives_is_refused() {
        let table = [
            ("Pump 7, ICU", None),
            ("Krankenhaus Zürich", None),
            ("Больница №1", None),
            ("Νοσοκομείο Alpha", None),
            ("pacs\0.evil.org", Some("text.control")),
            ("pa\u{200b}cs", Some("text.invisible")),
            ("pacs\u{202e}gro", Some("text.invisible")),
            ("р\u{0430}cs", Some("text.confusable")),
            ("ex\u{0430}mple.org", Some("text.confusable")),
            (" pacs", Some("text.blank")),
            ("", Some("text.blank")),
        ];
        for (text, rule) in table {
            let refused = check_text(text)
                .err()
                .map(|refusal| refusal.rule.into_owned());
            assert_eq!(refused.as_deref(), rule, "{text:?}");
        }
    }
}
