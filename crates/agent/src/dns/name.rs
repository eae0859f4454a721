//! Domain names as the DNS sees them: labels of octets, compared without regard to ASCII case.

use std::fmt;

/// Most octets of a name on the wire, lengths and root included (RFC 1035 §2.3.4).
const MAX: usize = 255;
const MAX_LABEL: usize = 63;

/// A name in wire form, folded to lower case (RFC 4343), absolute.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Name(Vec<u8>);

/// Text that is no domain name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a domain name (RFC 1035 §2.3.4)")]
pub(crate) struct BadName(pub(crate) String);

impl Name {
    pub(crate) fn root() -> Self {
        Self(vec![0])
    }

    /// From dotted text without escapes; a final dot changes nothing.
    pub(crate) fn parse(text: &str) -> Result<Self, BadName> {
        let bad = || BadName(text.chars().take(MAX).collect());
        let trimmed = text.strip_suffix('.').unwrap_or(text);
        let mut wire = Vec::with_capacity(trimmed.len() + 2);
        for label in trimmed.split('.') {
            let length = u8::try_from(label.len()).map_err(|_| bad())?;
            if label.is_empty() || label.len() > MAX_LABEL || !label.is_ascii() {
                return Err(bad());
            }
            wire.push(length);
            wire.extend(label.bytes().map(|b| b.to_ascii_lowercase()));
        }
        wire.push(0);
        if wire.len() > MAX {
            return Err(bad());
        }
        Ok(Self(wire))
    }

    pub(crate) fn wire(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// The name without its leftmost label; the root's is the root.
    pub(crate) fn parent(&self) -> Name {
        let skip = match self.0.first() {
            Some(&length) if length > 0 => usize::from(length) + 1,
            _ => 0,
        };
        Self(self.0.get(skip..).unwrap_or(&[0]).to_vec())
    }

    fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            let (&length, after) = rest.split_first()?;
            let (label, tail) = after.split_at_checked(usize::from(length))?;
            rest = tail;
            (length > 0).then_some(label)
        })
    }
}

/// Collects labels while a message is read; refuses what does not fit.
#[derive(Default)]
pub(super) struct NameBuilder(Vec<u8>);

impl NameBuilder {
    /// `None` if the name grows past what a name may have.
    pub(super) fn push(&mut self, label: &[u8]) -> Option<()> {
        let length = u8::try_from(label.len()).ok()?;
        if label.is_empty() || label.len() > MAX_LABEL || self.0.len() + label.len() + 2 > MAX {
            return None;
        }
        self.0.push(length);
        self.0.extend(label.iter().map(u8::to_ascii_lowercase));
        Some(())
    }

    pub(super) fn finish(mut self) -> Name {
        self.0.push(0);
        Name(self.0)
    }
}

/// Dotted, without the final dot, with everything unusual as `\DDD` (RFC 1035 §5.1).
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        for (i, label) in self.labels().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            for &b in label {
                if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'*') {
                    write!(f, "{}", char::from(b))?;
                } else {
                    write!(f, "\\{b:03}")?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_goes_in_and_comes_out() {
        let name = Name::parse("_acme-challenge.PACS.Hospital.example.").unwrap();
        assert_eq!(name.to_string(), "_acme-challenge.pacs.hospital.example");
        assert_eq!(
            name,
            Name::parse("_ACME-challenge.pacs.hospital.EXAMPLE").unwrap()
        );
        assert_eq!(name.parent().to_string(), "pacs.hospital.example");
        let root = name.parent().parent().parent().parent();
        assert!(root.is_root());
        assert!(root.parent().is_root());
        assert_eq!(root.to_string(), ".");
    }

    #[test]
    fn rfc_1035_2_3_4_limits() {
        let label = "a".repeat(63);
        assert!(Name::parse(&label).is_ok());
        assert!(Name::parse(&"a".repeat(64)).is_err());
        // 3 × 64 + 62 + 1 = 255 octets on the wire.
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert!(Name::parse(&longest).is_ok());
        assert!(Name::parse(&format!("{longest}a")).is_err());
        for bad in ["", ".", "a..b", ".a", "ä.example"] {
            assert!(Name::parse(bad).is_err(), "{bad}");
        }
    }
}
