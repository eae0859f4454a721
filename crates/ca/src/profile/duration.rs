//! Durations of profiles: `15m`, `12h`, `90d`, `2y` (a year has 365 days).

use std::fmt;

use serde::{Serialize, Serializer};

/// A positive number of whole seconds that remembers nothing but its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(i64);

const UNITS: [(char, i64); 4] = [('y', 365 * 86_400), ('d', 86_400), ('h', 3600), ('m', 60)];
/// A century; nothing that Ward issues lasts longer.
const LONGEST: i64 = 100 * 365 * 86_400;

impl Duration {
    /// So many seconds.
    pub const fn seconds(seconds: i64) -> Self {
        Duration(seconds)
    }

    /// So many days.
    pub const fn days(days: i64) -> Self {
        Duration(days * 86_400)
    }

    /// Its length in seconds.
    pub const fn as_seconds(self) -> i64 {
        self.0
    }

    /// Reads a number and a unit.
    pub fn parse(text: &str) -> Option<Self> {
        let unit = text.chars().last()?;
        let (_, factor) = UNITS.into_iter().find(|(known, _)| *known == unit)?;
        let digits = text.strip_suffix(unit)?;
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let seconds = digits.parse::<i64>().ok()?.checked_mul(factor)?;
        (0..=LONGEST)
            .contains(&seconds)
            .then_some(Duration(seconds))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Days stay days: 730d says more exactly what was meant than 2y.
        for (unit, factor) in UNITS.into_iter().skip(1) {
            if self.0 % factor == 0 {
                return write!(f, "{}{unit}", self.0 / factor);
            }
        }
        write!(f, "{}s", self.0)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Duration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Duration::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("a duration is 15m, 12h, 90d or 2y"))
    }
}

#[cfg(test)]
mod tests {
    use super::Duration;

    #[test]
    fn durations() {
        let table = [
            ("15m", Some(900), "15m"),
            ("12h", Some(43_200), "12h"),
            ("24h", Some(86_400), "1d"),
            ("90d", Some(7_776_000), "90d"),
            ("2y", Some(63_072_000), "730d"),
            ("", None, ""),
            ("d", None, ""),
            ("-1d", None, ""),
            ("1w", None, ""),
            ("101y", None, ""),
            ("99999999999999999999d", None, ""),
        ];
        for (text, seconds, shown) in table {
            let parsed = Duration::parse(text);
            assert_eq!(parsed.map(Duration::as_seconds), seconds, "{text}");
            if let Some(parsed) = parsed {
                assert_eq!(parsed.to_string(), shown);
            }
        }
    }
}
