//! Which DNS names may stand in a certificate (RFC 5280 §4.2.1.6, RFC 1034 §3.5, RFC 5890 §2.3.1).
//!
//! A certificate is read by people in logs and dialogues, so besides the grammar this refuses names
//! that are made to look like other names: labels that mix scripts, or that spell a Latin word in
//! letters of another script (UTS #39 §5).

mod punycode;
mod script;

/// Why a name was refused, and by which clause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({clause})")]
pub struct DnsError {
    /// Stable short name of the rule.
    pub rule: &'static str,
    pub clause: &'static str,
    pub message: String,
}

impl DnsError {
    fn new(rule: &'static str, clause: &'static str, message: impl Into<String>) -> Self {
        Self {
            rule,
            clause,
            message: message.into(),
        }
    }
}

/// A name fit for a dNSName. A wildcard must be the whole leftmost label, with at least two labels
/// after it (RFC 6125 §6.4.3, CA/Browser Forum BR §3.2.2.6). Names of one label are allowed: this is
/// a private authority, and devices have them.
pub fn check(name: &str) -> Result<(), DnsError> {
    if name.is_empty() {
        return Err(DnsError::new(
            "dns-empty",
            "RFC 5280 §4.2.1.6",
            "the name is empty",
        ));
    }
    if !name.is_ascii() {
        return Err(DnsError::new(
            "dns-charset",
            "RFC 5280 §4.2.1.6",
            format!("{name:?} is not ASCII; write international labels as A-labels (xn--…)"),
        ));
    }
    if name.len() > 253 {
        return Err(DnsError::new(
            "dns-length",
            "RFC 1034 §3.1",
            "the name is longer than 253 octets",
        ));
    }
    if name.parse::<std::net::Ipv4Addr>().is_ok() {
        return Err(DnsError::new(
            "dns-address",
            "RFC 5280 §4.2.1.6",
            format!("{name} is an address; name it as iPAddress"),
        ));
    }
    match name.strip_prefix("*.") {
        Some(base) => check_wildcard_base(name, base)?,
        None => name.split('.').try_for_each(check_label)?,
    }
    check_top_label(name)
}

/// Whether two names are the same to the DNS: case does not matter (RFC 4343 §3).
pub fn eq(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

fn check_wildcard_base(name: &str, base: &str) -> Result<(), DnsError> {
    if base.split('.').count() < 2 {
        return Err(DnsError::new(
            "dns-wildcard-scope",
            "CA/Browser Forum BR §3.2.2.6",
            format!("{name} covers everything below a top-level label"),
        ));
    }
    base.split('.').try_for_each(check_label)
}

fn check_label(label: &str) -> Result<(), DnsError> {
    if label.is_empty() {
        return Err(DnsError::new(
            "dns-label-empty",
            "RFC 1034 §3.1",
            "the name has an empty label (a leading, trailing or double dot)",
        ));
    }
    if label.len() > 63 {
        return Err(DnsError::new(
            "dns-label-length",
            "RFC 1034 §3.1",
            format!("the label {label:?} is longer than 63 octets"),
        ));
    }
    if label.contains('*') {
        return Err(DnsError::new(
            "dns-wildcard-place",
            "RFC 6125 §6.4.3",
            "a wildcard must be the whole leftmost label",
        ));
    }
    if label
        .bytes()
        .any(|b| !b.is_ascii_alphanumeric() && b != b'-')
    {
        return Err(DnsError::new(
            "dns-label-charset",
            "RFC 1034 §3.5",
            format!("the label {label:?} holds something other than letters, digits and hyphens"),
        ));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(DnsError::new(
            "dns-label-hyphen",
            "RFC 1034 §3.5",
            format!("the label {label:?} begins or ends with a hyphen"),
        ));
    }
    match label.get(..4) {
        Some(prefix) if prefix.eq_ignore_ascii_case("xn--") => {
            check_a_label(label, label.get(4..).unwrap_or_default())
        }
        Some(prefix) if prefix.ends_with("--") => Err(DnsError::new(
            "dns-label-reserved",
            "RFC 5890 §2.3.1",
            format!("the label {label:?} has hyphens in third and fourth place but is no A-label"),
        )),
        _ => Ok(()),
    }
}

fn check_a_label(label: &str, encoded: &str) -> Result<(), DnsError> {
    let decoded = punycode::decode(&encoded.to_ascii_lowercase());
    let Some(text) = decoded.filter(|t| !t.is_empty() && !t.is_ascii()) else {
        return Err(DnsError::new(
            "dns-a-label",
            "RFC 5890 §2.3.2.1, RFC 3492",
            format!("{label} is not a valid A-label"),
        ));
    };
    if text.chars().any(script::is_disallowed) || text.chars().any(char::is_uppercase) {
        return Err(DnsError::new(
            "dns-u-label",
            "RFC 5892 §2",
            format!("{label} decodes to characters that domain names do not have"),
        ));
    }
    if script::is_mixed(&text) {
        return Err(DnsError::new(
            "dns-mixed-script",
            "UTS #39 §5.2",
            format!("{label} decodes to {text:?}, which mixes scripts"),
        ));
    }
    if script::spells_latin(&text) {
        return Err(DnsError::new(
            "dns-confusable",
            "UTS #39 §4",
            format!("{label} decodes to {text:?}, which can be taken for a Latin word"),
        ));
    }
    Ok(())
}

/// A name whose last label is all digits is read as an address by software (RFC 1123 §2.1).
fn check_top_label(name: &str) -> Result<(), DnsError> {
    let top = name.rsplit('.').next().unwrap_or_default();
    if !top.is_empty() && top.bytes().all(|b| b.is_ascii_digit()) {
        return Err(DnsError::new(
            "dns-top-label",
            "RFC 1123 §2.1",
            format!("the last label of {name} is a number"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn names_that_may_be_certified() {
        for name in [
            "pump-17.ward3.hospital.example",
            "PACS",
            "*.devices.hospital.example",
            "a.b",
            "xn--bcher-kva.example",
            "xn--fiqs8s.example",
            "1password.example",
            "xn--mnchen-3ya.de",
            "7.example",
            // Latin with Kana is how Japanese is written (UTS #39 §5.2, highly restrictive).
            "xn--t-mfutbzh.example",
            "xn--80adxhks.example",
        ] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        assert_eq!(check(&["a"; 127].join(".")), Ok(()));
    }

    #[test]
    fn names_that_may_not_be_certified_and_why() {
        let long_label = "a".repeat(64) + ".example";
        let long_name = ["abcdefg"; 32].join(".");
        let cases: &[(&str, &str)] = &[
            ("", "dns-empty"),
            (".", "dns-label-empty"),
            ("a..b", "dns-label-empty"),
            ("host.example.", "dns-label-empty"),
            ("infusion_pump.example", "dns-label-charset"),
            ("a b.example", "dns-label-charset"),
            ("a\0.example", "dns-label-charset"),
            ("-a.example", "dns-label-hyphen"),
            ("a-.example", "dns-label-hyphen"),
            ("bücher.example", "dns-charset"),
            ("10.0.0.1", "dns-address"),
            ("host.123", "dns-top-label"),
            ("*", "dns-wildcard-place"),
            ("*.example", "dns-wildcard-scope"),
            ("a.*.example.org", "dns-wildcard-place"),
            ("p*.hospital.example", "dns-wildcard-place"),
            ("*.*.hospital.example", "dns-wildcard-place"),
            ("ab--c.example", "dns-label-reserved"),
            ("xn--.example", "dns-label-hyphen"),
            ("xn--99999999999.example", "dns-a-label"),
            // Cyrillic "а" in Latin "apple", and all of it in Cyrillic.
            ("xn--pple-43d.com", "dns-mixed-script"),
            ("xn--80ak6aa92e.com", "dns-confusable"),
            (&long_label, "dns-label-length"),
            (&long_name, "dns-length"),
        ];
        for (name, rule) in cases {
            assert_eq!(check(name).map_err(|e| e.rule), Err(*rule), "{name:?}");
        }
    }
}
