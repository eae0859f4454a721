//! Failed sign-ins, counted by where they come from and which ceremony failed, never by the name that was tried: a name
//! can be typed by anybody, and a lock on it would lock out its owner (R37).
//!
//! What is right is let through whatever was counted, except for recovery codes, which are the one secret that people
//! type: they wait. Nothing here is written down; it is of one process, and a restart forgets it.

use std::collections::HashMap;
use std::net::IpAddr;

use audit::Timestamp;
use parking_lot::Mutex;

/// Failures that are answered at once; the next wait.
const FREE: u32 = 10;
/// The shortest and the longest wait. It doubles with each failure more.
const FIRST_WAIT_MS: i64 = 2_000;
const LONGEST_WAIT_MS: i64 = 60_000;
/// Failures are forgotten after this long without another.
const MEMORY_MS: i64 = 10 * 60_000;
/// Sources remembered at once; the one that has been quiet longest makes room.
const SOURCES: usize = 8192;

/// Counters of one process.
#[derive(Default)]
pub struct Throttle(Mutex<HashMap<(IpAddr, &'static str), Counter>>);

#[derive(Clone, Copy)]
struct Counter {
    failures: u32,
    last: i64,
    /// Failures that no event tells of yet.
    untold: u64,
    told: i64,
}

impl Throttle {
    /// How many seconds `source` has to wait before its next try of `ceremony` is looked at; `None`: it need not.
    pub fn wait(&self, source: IpAddr, ceremony: &'static str, now: Timestamp) -> Option<u64> {
        let counters = self.0.lock();
        let counter = counters.get(&(network(source), ceremony))?;
        let over = counter.failures.checked_sub(FREE)?;
        let wait = FIRST_WAIT_MS
            .saturating_mul(1_i64 << over.min(16))
            .min(LONGEST_WAIT_MS);
        let left = counter.last.saturating_add(wait).saturating_sub(now.0);
        (left > 0).then(|| u64::try_from(left.div_euclid(1000) + 1).unwrap_or(1))
    }

    /// Counts a failure. Gives how many have gathered since the last event, if it is time for one: the first ten of a
    /// source one by one, then one event in ten seconds, so that whoever guesses cannot fill the log.
    pub fn failed(&self, source: IpAddr, ceremony: &'static str, now: Timestamp) -> Option<u64> {
        let mut counters = self.0.lock();
        make_room(&mut counters, now);
        let counter = counters
            .entry((network(source), ceremony))
            .or_insert(Counter {
                failures: 0,
                last: now.0,
                untold: 0,
                told: i64::MIN,
            });
        counter.failures = counter.failures.saturating_add(1);
        counter.last = now.0;
        counter.untold += 1;
        let due = counter.failures <= FREE || now.0.saturating_sub(counter.told) >= 10_000;
        due.then(|| {
            counter.told = now.0;
            std::mem::take(&mut counter.untold)
        })
    }

    /// Forgets the failures of a source that has come in.
    pub fn succeeded(&self, source: IpAddr, ceremony: &'static str) {
        self.0.lock().remove(&(network(source), ceremony));
    }
}

fn make_room(counters: &mut HashMap<(IpAddr, &'static str), Counter>, now: Timestamp) {
    if counters.len() < SOURCES {
        return;
    }
    counters.retain(|_, counter| now.0.saturating_sub(counter.last) < MEMORY_MS);
    if counters.len() >= SOURCES {
        let quietest = counters.iter().min_by_key(|(_, counter)| counter.last);
        if let Some(key) = quietest.map(|(key, _)| *key) {
            counters.remove(&key);
        }
    }
}

/// An IPv6 host has a /64 to choose addresses from (RFC 4291 §2.5.4).
fn network(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(address) => {
            let prefix = u128::from(address) & (u128::MAX << 64);
            IpAddr::V6(prefix.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap_or(IpAddr::from([127, 0, 0, 1]))
    }

    #[test]
    fn r37_a_source_that_guesses_waits_and_others_do_not() {
        let throttle = Throttle::default();
        let (guesser, other) = (address("10.0.0.9"), address("10.0.0.10"));
        let now = Timestamp(1_000_000);
        for _ in 0..FREE {
            assert!(throttle.wait(guesser, "recovery", now).is_none());
            assert_eq!(throttle.failed(guesser, "recovery", now), Some(1));
        }
        assert_eq!(throttle.wait(guesser, "recovery", now), Some(3));
        assert!(throttle.wait(other, "recovery", now).is_none());
        assert!(throttle.wait(guesser, "passkey", now).is_none());
        // Past the wait the next is looked at, and the wait after it is longer; the log hears of it in sum.
        let later = Timestamp(now.0 + FIRST_WAIT_MS + 1);
        assert!(throttle.wait(guesser, "recovery", later).is_none());
        assert_eq!(throttle.failed(guesser, "recovery", later), None);
        assert_eq!(throttle.wait(guesser, "recovery", later), Some(5));
        let much_later = Timestamp(later.0 + 10_000);
        assert_eq!(throttle.failed(guesser, "recovery", much_later), Some(2));
        throttle.succeeded(guesser, "recovery");
        assert!(throttle.wait(guesser, "recovery", much_later).is_none());
    }

    #[test]
    fn addresses_of_one_network_are_one_source() {
        let throttle = Throttle::default();
        let now = Timestamp(5);
        for host in 0..FREE {
            throttle.failed(address(&format!("2001:db8::{host:x}")), "recovery", now);
        }
        assert!(
            throttle
                .wait(address("2001:db8::ffff"), "recovery", now)
                .is_some()
        );
        assert!(
            throttle
                .wait(address("2001:db8:0:1::1"), "recovery", now)
                .is_none()
        );
    }
}
