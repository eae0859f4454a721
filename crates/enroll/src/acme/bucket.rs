//! Token buckets: how much of something was used lately, in one number each.
//!
//! A bucket is the generic cell rate algorithm: it remembers the instant at which it will be full again, so that
//! taking, giving back and asking are a comparison and an addition. A table holds a bounded number of buckets in two
//! generations; when the younger is full the older is forgotten, which costs nothing on the way and forgets the longest
//! unused first. Whoever makes a table overflow loosens limits for a while; nobody can fill the memory.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use audit::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// So many in so long, all at once or spread out. Written `300/3h`; `off` limits nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// 0: no limit.
    count: u32,
    seconds: u32,
}

/// Units of a period.
const UNITS: [(char, u32); 4] = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];
/// Longer periods would not survive restarts anyway.
const LONGEST: u32 = 30 * 86_400;
const MOST: u32 = 100_000_000;

impl Rate {
    /// No limit.
    pub const OFF: Rate = Rate {
        count: 0,
        seconds: 1,
    };

    /// `count` in `seconds`.
    pub const fn new(count: u32, seconds: u32) -> Self {
        Rate { count, seconds }
    }

    pub const fn is_off(self) -> bool {
        self.count == 0
    }

    /// The time in which `amount` grow back, in microseconds. What is asked for at once never costs more than all.
    fn cost(self, amount: u32) -> i64 {
        let period = i64::from(self.seconds) * 1_000_000;
        period * i64::from(amount.min(self.count)) / i64::from(self.count.max(1))
    }

    fn period(self) -> i64 {
        i64::from(self.seconds) * 1_000_000
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_off() {
            return f.write_str("off");
        }
        let unit = UNITS
            .iter()
            .find(|(_, unit)| self.seconds.is_multiple_of(*unit));
        let (letter, unit) = unit.copied().unwrap_or(('s', 1));
        match self.seconds / unit {
            1 => write!(f, "{}/{letter}", self.count),
            several => write!(f, "{}/{several}{letter}", self.count),
        }
    }
}

/// A text that is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no rate; a rate is `300/3h`, `10/m` or `off`: 1 to 100000000 in 1s to 30d")]
pub struct BadRate(String);

impl FromStr for Rate {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Self, BadRate> {
        if text == "off" {
            return Ok(Rate::OFF);
        }
        let bad = || BadRate(text.chars().take(40).collect());
        let (count, period) = text.split_once('/').ok_or_else(bad)?;
        let letter = period.chars().last().ok_or_else(bad)?;
        let (_, unit) = UNITS
            .iter()
            .find(|(known, _)| *known == letter)
            .ok_or_else(bad)?;
        let several = period.strip_suffix(letter).unwrap_or_default();
        let several = if several.is_empty() { "1" } else { several };
        let number = |text: &str| text.parse::<u32>().ok().filter(|_| is_digits(text));
        let count = number(count).ok_or_else(bad)?;
        let seconds = number(several).and_then(|several| several.checked_mul(*unit));
        let seconds = seconds.ok_or_else(bad)?;
        match (1..=MOST).contains(&count) && (1..=LONGEST).contains(&seconds) {
            true => Ok(Rate { count, seconds }),
            false => Err(bad()),
        }
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

const SHARDS: usize = 16;
/// Buckets of a generation and shard: 16 × 2 × 8192 in all, about 8 MB at the most.
const GENERATION: usize = 8192;

/// Many buckets, by key.
pub(crate) struct Buckets {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    /// Key → when the bucket is full again, Unix microseconds.
    young: HashMap<u64, i64>,
    old: HashMap<u64, i64>,
}

impl Default for Buckets {
    fn default() -> Self {
        Buckets {
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }
}

impl Buckets {
    /// A key that nobody outside can aim at.
    pub(crate) fn key(&self, of: impl Hash) -> u64 {
        self.hasher.hash_one(of)
    }

    /// Takes `amount` (0 only asks); an error is the number of seconds after which it would be there.
    pub(crate) fn take(
        &self,
        key: u64,
        rate: Rate,
        amount: u32,
        now: Timestamp,
    ) -> Result<(), u64> {
        if rate.is_off() {
            return Ok(());
        }
        let now = now.0.saturating_mul(1000);
        let mut shard = self.shard(key).lock();
        let full = shard.full(key).filter(|full| *full > now).unwrap_or(now);
        // Whoever only asks wants to know whether there is at least one.
        let wanted = full + rate.cost(amount.max(1));
        let excess = wanted - now - rate.period();
        // A clock that was set back, or a limit that was lowered, must not lock anybody out for longer than a period.
        if excess > 0 && excess <= rate.period() {
            return Err((excess.unsigned_abs()).div_ceil(1_000_000));
        }
        if amount > 0 {
            let start = if excess > 0 { now } else { full };
            shard.put(key, start + rate.cost(amount));
        }
        Ok(())
    }

    /// Gives `amount` back.
    pub(crate) fn give_back(&self, key: u64, rate: Rate, amount: u32) {
        if rate.is_off() || amount == 0 {
            return;
        }
        let mut shard = self.shard(key).lock();
        if let Some(full) = shard.full(key) {
            shard.put(key, full - rate.cost(amount));
        }
    }

    fn shard(&self, key: u64) -> &Mutex<Shard> {
        &self.shards[(key % SHARDS as u64) as usize]
    }
}

impl Shard {
    fn full(&self, key: u64) -> Option<i64> {
        self.young.get(&key).or_else(|| self.old.get(&key)).copied()
    }

    fn put(&mut self, key: u64, full: i64) {
        if self.young.len() >= GENERATION && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, full);
    }
}

/// One holder of addresses: an IPv4 address, or an IPv6 /64, since whoever has one of those has all of them.
pub(crate) fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let bits = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(bits))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_written_as_they_are_read() {
        let table = [
            ("300/3h", Some((300, 10_800)), "300/3h"),
            ("10/m", Some((10, 60)), "10/m"),
            ("10/60s", Some((10, 60)), "10/m"),
            ("5/90s", Some((5, 90)), "5/90s"),
            ("1/7d", Some((1, 604_800)), "1/7d"),
            ("off", Some((0, 1)), "off"),
            ("0/1h", None, ""),
            ("10", None, ""),
            ("10/", None, ""),
            ("10/0s", None, ""),
            ("-1/h", None, ""),
            ("+1/h", None, ""),
            ("10/31d", None, ""),
            ("10/1w", None, ""),
            ("99999999999/h", None, ""),
        ];
        for (text, expected, shown) in table {
            let rate = text.parse::<Rate>().ok();
            assert_eq!(
                rate.map(|rate| (rate.count, rate.seconds)),
                expected,
                "{text}"
            );
            if let Some(rate) = rate {
                assert_eq!(rate.to_string(), shown);
            }
        }
    }

    #[test]
    fn a_bucket_gives_a_burst_then_a_steady_rate() {
        let buckets = Buckets::default();
        let (key, rate) = (buckets.key("a"), Rate::new(10, 100));
        let at = |seconds: i64| Timestamp(1_800_000_000_000 + seconds * 1000);
        for _ in 0..10 {
            assert_eq!(buckets.take(key, rate, 1, at(0)), Ok(()));
        }
        assert_eq!(buckets.take(key, rate, 1, at(0)), Err(10));
        assert_eq!(buckets.take(key, rate, 0, at(0)), Err(10), "asking");
        assert_eq!(buckets.take(key, rate, 1, at(9)), Err(1));
        assert_eq!(buckets.take(key, rate, 1, at(10)), Ok(()));
        assert_eq!(buckets.take(key, rate, 1, at(10)), Err(10));
        assert_eq!(
            buckets.take(buckets.key("b"), rate, 1, at(10)),
            Ok(()),
            "another bucket is another's"
        );
        buckets.give_back(key, rate, 3);
        for _ in 0..3 {
            assert_eq!(buckets.take(key, rate, 1, at(10)), Ok(()));
        }
        assert_eq!(buckets.take(key, rate, 1, at(10)), Err(10));
        assert_eq!(buckets.take(key, rate, 10, at(1000)), Ok(()), "full again");
        assert_eq!(
            buckets.take(key, rate, 1_000_000, at(2000)),
            Ok(()),
            "more than all costs all"
        );
        assert_eq!(buckets.take(key, rate, 1, at(2000)), Err(10));
        assert_eq!(
            buckets.take(key, rate, 1, at(0)),
            Ok(()),
            "a clock that was set back locks nobody out"
        );
    }

    #[test]
    fn a_flood_of_keys_does_not_fill_the_memory() {
        let buckets = Buckets::default();
        let rate = Rate::new(1, 3600);
        let now = Timestamp(1_800_000_000_000);
        for key in 0..1_000_000_u64 {
            assert_eq!(buckets.take(key, rate, 1, now), Ok(()));
        }
        let kept: usize = buckets
            .shards
            .iter()
            .map(|shard| {
                let shard = shard.lock();
                shard.young.len() + shard.old.len()
            })
            .sum();
        assert!(kept <= 2 * SHARDS * GENERATION, "{kept}");
        assert_eq!(buckets.take(999_999, rate, 1, now), Err(3600));
    }
}
