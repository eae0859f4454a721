//! Proof of control of an identifier: http-01 and dns-01 (RFC 8555 §8.3, §8.4), tls-alpn-01 (RFC 8737),
//! dns-account-01 (draft-ietf-acme-dns-account-label), for names and addresses (RFC 8738), and CAA
//! (RFC 8659, RFC 8657).
//!
//! The other side is hostile until proven otherwise: it chooses where names point, what servers answer
//! and how slowly. So every address is vetted by [`Rules`] before it is connected to, every step has a
//! time and a size, and nothing is believed but what the challenge asks for.

mod check;
mod network;
mod rules;

pub use check::{
    CaaQuery, ChallengeKind, Check, Failure, FailureKind, Identifier, Proof, UnknownChallenge,
};
pub use network::{BadNetwork, Network};
pub use rules::{BadRules, Rules};

/// Runs checks. Cheap to clone; one a process is enough.
#[derive(Clone, Default)]
pub struct Validator {}

impl Validator {
    pub fn new() -> Self {
        Self::default()
    }

    /// Tries once to prove control. Whether and when to try again is the caller's decision
    /// ([`Failure::retry`] says whether it could help).
    pub async fn check(&self, check: Check) -> Result<Proof, Failure> {
        Err(Failure::new(
            FailureKind::Connection,
            format!("{} is not built in yet", check.kind),
        ))
    }

    /// Asks only whether CAA lets one of `query.identities` issue for `name` (a DNS name without
    /// `*.`); `Ok` holds the names whose records decided, empty if there are none.
    pub async fn caa(
        &self,
        name: &str,
        _query: &CaaQuery,
        _rules: &Rules,
    ) -> Result<Vec<String>, Failure> {
        Err(Failure::new(
            FailureKind::Caa,
            format!("CAA of {name} cannot be asked for yet"),
        ))
    }
}
