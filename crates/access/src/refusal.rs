//! The one shape of "no". A refusal names the rule, where the rule stands, what is wrong, and what
//! would be accepted; whoever answers a caller has nothing to add. Secrets never appear in it.

use std::borrow::Cow;
use std::fmt;

use audit::{Actor, Event, Object, Outcome, Timestamp};
use serde::Serialize;

/// Longest message in bytes.
const LONGEST: usize = 1000;

/// Why something is not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// A stable name for the rule: "names.dns.pattern", "role", "csr.proof-of-possession".
    pub rule: Cow<'static, str>,
    /// Where the rule stands: "RFC 5280 §4.2.1.6", "profile server-tls v3", "token scope".
    pub source: Cow<'static, str>,
    /// What is wrong with this request, in one sentence.
    pub message: String,
    /// What would be accepted instead, if that can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
}

impl Refusal {
    /// A refusal by `rule`, which stands in `source`.
    pub fn new(
        rule: impl Into<Cow<'static, str>>,
        source: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Refusal {
            rule: rule.into(),
            source: source.into(),
            message: shortened(message.into()),
            accepted: None,
        }
    }

    /// Says what would be accepted.
    #[must_use]
    pub fn accepted(mut self, accepted: impl Into<String>) -> Self {
        self.accepted = Some(accepted.into());
        self
    }

    /// The event of this refusal: what was attempted by whom on what. Every refused state change
    /// is recorded with it.
    pub fn event(
        &self,
        time: Timestamp,
        actor: Actor,
        action: impl Into<Cow<'static, str>>,
        object: Object,
    ) -> Event {
        Event::new(time, actor, action, object)
            .outcome(Outcome::Refused)
            .why(self.to_string())
    }
}

/// A refusal quotes what it refuses, and that can be as long as a request's body.
fn shortened(mut message: String) -> String {
    if message.len() > LONGEST {
        message.truncate(message.floor_char_boundary(LONGEST));
        message.push('…');
    }
    message
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}; {}]", self.message, self.rule, self.source)?;
        match &self.accepted {
            Some(accepted) => write!(f, "; accepted: {accepted}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}
