//! One check while it runs: its clock, who answers its questions, what it has found so far.

use super::{ChallengeKind, Proof, Rules};
use crate::{deadline::Deadline, dns::Resolver};

pub(super) struct Attempt<'a> {
    pub(super) resolver: &'a Resolver,
    pub(super) deadline: Deadline,
    pub(super) proof: Proof,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(resolver: &'a Resolver, rules: &Rules, kind: ChallengeKind) -> Self {
        Self {
            resolver,
            deadline: rules.deadline(),
            proof: Proof {
                kind,
                addresses: Vec::new(),
                urls: Vec::new(),
                names: Vec::new(),
                resolver: None,
                caa: None,
                elapsed_ms: 0,
            },
        }
    }

    pub(super) fn finish(mut self) -> Proof {
        let elapsed = self.deadline.elapsed().as_millis();
        self.proof.elapsed_ms = u64::try_from(elapsed).unwrap_or(u64::MAX);
        self.proof
    }
}
