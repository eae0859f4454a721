//! The table of R18 and nothing else.
//!
//! | Priority | Criteria | Action |
//! | --- | --- | --- |
//! | Critical | PHI-handling systems with certificates that expire in less than 30 days | renew now |
//! | High | patient-facing systems, EHR integrations | automate renewal |
//! | Medium | internal systems, non-PHI | schedule renewal |
//! | Low | development, test environments | document and plan |
//!
//! What the table leaves open is decided so that ignorance never makes a risk smaller: the first row that holds counts, but
//! for Low, which needs a word from somebody (everything is internal until it is said to be a test); a system with PHI and
//! more than 30 days is not "non-PHI", so it is High; life support is patient-facing whoever forgot to say so; and what
//! has ended and is nowhere any more is no risk.

use serde::Serialize;

/// Less than this before its end, a certificate of a system with PHI is critical: 30 days, in seconds.
pub const SOON: i64 = 30 * 86_400;

/// How bad it is. As in the column `risk`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// It has ended, or was revoked, and is nowhere.
    None,
    Low,
    Medium,
    High,
    Critical,
}

impl Level {
    pub const ALL: [Level; 5] = [
        Level::None,
        Level::Low,
        Level::Medium,
        Level::High,
        Level::Critical,
    ];

    /// As it is written in commands, searches, metrics and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Level::None => "none",
            Level::Low => "low",
            Level::Medium => "medium",
            Level::High => "high",
            Level::Critical => "critical",
        }
    }

    /// As in the column.
    pub const fn number(self) -> i64 {
        self as i64
    }

    /// From the column.
    pub fn from_number(number: i64) -> Option<Level> {
        Level::ALL
            .into_iter()
            .find(|level| level.number() == number)
    }

    /// What R18 says to do.
    pub const fn action(self) -> &'static str {
        match self {
            Level::None => "nothing to do",
            Level::Low => "document and plan",
            Level::Medium => "schedule renewal",
            Level::High => "automate renewal",
            Level::Critical => "renew now",
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Level::None => "None",
            Level::Low => "Low",
            Level::Medium => "Medium",
            Level::High => "High",
            Level::Critical => "Critical",
        })
    }
}

/// What the level depends on: as much of a certificate as its columns hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Light {
    /// Until its end; negative afterwards.
    pub seconds_left: i64,
    pub phi: bool,
    pub patient_facing: bool,
    pub ehr: bool,
    pub life_support: bool,
    /// Somebody said that it serves development or tests.
    pub test: bool,
    /// Revoked for good: a hold (RFC 5280 §5.3.1, reason 6) may be released.
    pub revoked: bool,
    /// It is served, or lies, somewhere.
    pub somewhere: bool,
}

impl Light {
    /// The row of the table. [`super::all`] says the same in SQL; a test holds the two together.
    pub const fn level(&self) -> Level {
        let over = self.seconds_left < 0 || self.revoked;
        if over && !self.somewhere {
            Level::None
        } else if self.phi && self.seconds_left < SOON {
            Level::Critical
        } else if self.phi || self.patient_facing || self.ehr || self.life_support {
            Level::High
        } else if self.test {
            Level::Low
        } else {
            Level::Medium
        }
    }
}
