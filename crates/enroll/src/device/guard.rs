//! Limits against guessing: wrong credentials are counted by address and by endpoint, and beyond a limit nothing is
//! looked at any more. Kept in memory, by each node for itself, as ACME's limits are: credentials have 128 random bits, so
//! this protects the log and the database, not the secrets.

use std::net::IpAddr;

use access::Refusal;
use audit::Timestamp;

use super::Endpoint;
use crate::acme::Rate;
use crate::acme::bucket::{Buckets, network};

#[derive(Default)]
pub(crate) struct Guard {
    wrong: Buckets,
    questions: Buckets,
    recorded: Buckets,
}

impl Guard {
    /// Refuses whoever has been wrong too often.
    pub(crate) fn check(
        &self,
        endpoint: &Endpoint,
        peer: IpAddr,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let (by_peer, by_endpoint) = self.keys(endpoint, peer);
        let limits = &endpoint.limits;
        let peer = self.wrong.take(by_peer, limits.wrong_per_peer, 0, now);
        let all = self.wrong.take(by_endpoint, limits.wrong, 0, now);
        match peer.and(all) {
            Ok(()) => Ok(()),
            Err(seconds) => Err(Refusal::new(
                "enrolment.limit",
                "docs/enrolment.md",
                "too many wrong credentials",
            )
            .accepted(format!("another attempt after {seconds} s"))),
        }
    }

    /// Counts a wrong credential.
    pub(crate) fn wrong(&self, endpoint: &Endpoint, peer: IpAddr, now: Timestamp) {
        let (by_peer, by_endpoint) = self.keys(endpoint, peer);
        let limits = &endpoint.limits;
        // Whoever is over the limit has been refused before this.
        let _ = self.wrong.take(by_peer, limits.wrong_per_peer, 1, now);
        let _ = self.wrong.take(by_endpoint, limits.wrong, 1, now);
    }

    /// Whether a webhook may be asked once more within this minute.
    pub(crate) fn may_ask(&self, endpoint: &Endpoint, per_minute: u32, now: Timestamp) -> bool {
        let rate = Rate::new(per_minute, 60);
        let key = self.questions.key(endpoint.name.as_str());
        self.questions.take(key, rate, 1, now).is_ok()
    }

    /// Whether a refusal of this address still goes into the log: a device in a loop must not fill it.
    pub(crate) fn may_record(&self, endpoint: &Endpoint, peer: IpAddr, now: Timestamp) -> bool {
        /// Enough to see what is wrong.
        const RECORDED: Rate = Rate::new(60, 600);
        let key = self.recorded.key((endpoint.name.as_str(), network(peer)));
        self.recorded.take(key, RECORDED, 1, now).is_ok()
    }

    fn keys(&self, endpoint: &Endpoint, peer: IpAddr) -> (u64, u64) {
        let name = endpoint.name.as_str();
        (
            self.wrong.key((name, network(peer))),
            self.wrong.key((name, "everybody")),
        )
    }
}
