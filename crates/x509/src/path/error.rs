//! Why no path was valid.

use serde::Serialize;

/// The kind of rule that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathRule {
    NoPath,
    TooLong,
    BudgetExhausted,
    Malformed,
    Profile,
    Version,
    Signature,
    WeakAlgorithm,
    Validity,
    BasicConstraints,
    PathLength,
    KeyUsage,
    Purpose,
    CriticalExtension,
    NameConstraints,
    Policy,
    NameMismatch,
    Revoked,
    StatusUnknown,
}

/// The failure of the path that came furthest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message} ({clause})")]
pub struct PathError {
    pub rule: PathRule,
    pub clause: &'static str,
    /// Position of the offending certificate on the path: 0 is the target.
    pub index: usize,
    pub message: String,
    /// Paths that were walked to the end.
    pub tried: u32,
}

/// A failure before it is known where on which path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) rule: PathRule,
    pub(super) clause: &'static str,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(rule: PathRule, clause: &'static str, message: impl Into<String>) -> Self {
        Self {
            rule,
            clause,
            message: message.into(),
        }
    }

    pub(super) fn budget(what: &str) -> Self {
        Self::new(
            PathRule::BudgetExhausted,
            "RFC 5280 §8",
            format!("gave up: the certificates demand too many {what}"),
        )
    }

    pub(super) fn at(self, index: usize) -> PathError {
        PathError {
            rule: self.rule,
            clause: self.clause,
            index,
            message: self.message,
            tried: 0,
        }
    }
}

/// `Ok` if it holds.
pub(super) fn ensure(
    holds: bool,
    rule: PathRule,
    clause: &'static str,
    message: &str,
) -> Result<(), Fault> {
    match holds {
        true => Ok(()),
        false => Err(Fault::new(rule, clause, message)),
    }
}
