//! When a certificate should be renewed (RFC 9773 §4.2): a function of the certificate, the policy and what happened to
//! it, without clock or database, so that maintenance windows can feed it later.

use audit::merkle::sha256;
use serde::{Deserialize, Serialize};

/// When renewal is suggested, in percent of a certificate's life. A directory has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RenewalPolicy {
    /// The window begins after this much of the life.
    pub after: u8,
    /// So much earlier or later: certificates that were issued together do not come back together.
    pub spread: u8,
    /// The window lasts this long.
    pub length: u8,
    /// How often clients ask again, seconds (RFC 9773 §4.3).
    pub poll: u64,
    /// A page that says why, in the house's words.
    pub explanation: Option<String>,
}

impl Default for RenewalPolicy {
    /// Two thirds into the life, as clients without RFC 9773 do; over before a fifth of it is left.
    fn default() -> Self {
        RenewalPolicy {
            after: 64,
            spread: 6,
            length: 10,
            poll: 6 * 3600,
            explanation: None,
        }
    }
}

/// A value that makes no window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("renewal.{field}: {accepted}")]
pub(crate) struct BadPolicy {
    pub field: &'static str,
    pub accepted: &'static str,
}

impl RenewalPolicy {
    pub(crate) fn validate(&self) -> Result<(), BadPolicy> {
        let check = |sound: bool, field, accepted| match sound {
            true => Ok(()),
            false => Err(BadPolicy { field, accepted }),
        };
        check(
            (1..=95).contains(&self.after),
            "after",
            "1 to 95 percent of the life",
        )?;
        check(self.length >= 1, "length", "at least 1 percent of the life")?;
        let end = u32::from(self.after) + u32::from(self.spread) + u32::from(self.length);
        check(
            end <= 98,
            "length",
            "after, spread and length together are at most 98 percent, so that there is time for another try",
        )?;
        check(
            (60..=86_400).contains(&self.poll),
            "poll",
            "60 seconds to a day (RFC 9773 §4.3.2 lets clients ignore anything else)",
        )
    }
}

/// What renewal depends on, of a certificate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Renewable<'a> {
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
    /// What tells it from its siblings: its serial number.
    pub serial: &'a [u8],
    /// Since when it is revoked, Unix seconds. A hold is no revocation: it may end.
    pub revoked: Option<i64>,
    /// Since when an operator wants it replaced, Unix seconds.
    pub recalled: Option<i64>,
}

/// What the house knows about the thing that a certificate is on: nothing yet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asset {}

/// From when until when, Unix seconds; the end is always later than the beginning (RFC 9773 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub start: i64,
    pub end: i64,
}

/// How far before the event the window of a lost certificate lies: clients pick an instant inside and find it past.
const PAST: i64 = 3600;

/// The window for a certificate.
pub(crate) fn window(
    certificate: &Renewable<'_>,
    policy: &RenewalPolicy,
    _asset: Option<Asset>,
    now: i64,
) -> Window {
    let lost = match (certificate.revoked, certificate.recalled) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    if let Some(since) = lost {
        let end = since.min(now).saturating_sub(1);
        return Window {
            start: end.saturating_sub(PAST),
            end,
        };
    }
    let life = certificate
        .not_after
        .saturating_sub(certificate.not_before)
        .max(2);
    let percent = |share: u8| (i128::from(life) * i128::from(share) / 100) as i64;
    let spread = percent(policy.spread);
    let start = certificate.not_before + percent(policy.after) + jitter(certificate.serial, spread);
    // Inside the life whatever the policy says, and never empty.
    let start = start.clamp(certificate.not_before, certificate.not_before + life - 2);
    let end = (start + percent(policy.length).max(1)).min(certificate.not_before + life);
    Window { start, end }
}

/// A number from 0 to `most` that belongs to this serial number for ever.
fn jitter(serial: &[u8], most: i64) -> i64 {
    let digest = sha256(serial);
    let mut eight = [0; 8];
    eight.copy_from_slice(&digest[..8]);
    let drawn = u64::from_be_bytes(eight) % (most.unsigned_abs() + 1);
    i64::try_from(drawn).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policies() -> impl Strategy<Value = RenewalPolicy> {
        (1..=95_u8, 0..=97_u8, 1..=97_u8)
            .prop_map(|(after, spread, length)| RenewalPolicy {
                after,
                spread,
                length,
                ..RenewalPolicy::default()
            })
            .prop_filter("sound", |policy| policy.validate().is_ok())
    }

    proptest! {
        /// RFC 9773 §4.2: the end is after the start; a window outside the life would be of no use.
        #[test]
        fn the_window_lies_inside_the_life(
            not_before in 0..4_000_000_000_i64,
            life in 2..3_200_000_000_i64,
            serial in proptest::collection::vec(any::<u8>(), 1..21),
            policy in policies(),
            now in 0..9_000_000_000_i64,
        ) {
            let certificate = Renewable { not_before, not_after: not_before + life, serial: &serial, revoked: None, recalled: None };
            let found = window(&certificate, &policy, None, now);
            prop_assert!(found.start < found.end);
            prop_assert!(found.start >= not_before && found.end <= not_before + life, "{found:?}");
            prop_assert_eq!(found, window(&certificate, &policy, None, now + 1), "it does not wander");
        }

        /// RFC 9773 §4.2: "a window entirely in the past" asks for renewal at once.
        #[test]
        fn what_is_lost_should_have_been_renewed_already(
            since in 0..4_000_000_000_i64,
            later in 0..1_000_000_i64,
            recalled in any::<bool>(),
            policy in policies(),
        ) {
            let certificate = Renewable {
                not_before: since - 1000, not_after: since + 10_000_000, serial: b"1",
                revoked: (!recalled).then_some(since), recalled: recalled.then_some(since),
            };
            for now in [since, since + later, since - later] {
                let found = window(&certificate, &policy, None, now);
                prop_assert!(found.start < found.end && found.end < now.min(since), "{found:?}");
            }
        }
    }

    /// R50: ten thousand certificates of one minute do not come back in one minute.
    #[test]
    fn a_fleet_spreads_evenly() {
        const DAY: i64 = 86_400;
        let policy = RenewalPolicy::default();
        let mut days = [0_u32; 6];
        for number in 0..10_000_u32 {
            let serial = number.to_be_bytes();
            let certificate = Renewable {
                not_before: 0,
                not_after: 100 * DAY,
                serial: &serial,
                revoked: None,
                recalled: None,
            };
            let found = window(&certificate, &policy, None, 0);
            days[usize::try_from(found.start / DAY - 64).unwrap().min(5)] += 1;
        }
        assert!(
            days.iter().all(|count| (1400..=1950).contains(count)),
            "{days:?}"
        );
    }

    #[test]
    fn policies_that_leave_no_time_are_refused() {
        let policy = |after, spread, length| RenewalPolicy {
            after,
            spread,
            length,
            ..RenewalPolicy::default()
        };
        assert!(policy(66, 0, 10).validate().is_ok());
        for bad in [
            policy(0, 0, 10),
            policy(96, 0, 1),
            policy(66, 0, 0),
            policy(80, 10, 9),
        ] {
            assert!(bad.validate().is_err(), "{bad:?}");
        }
        let hurried = RenewalPolicy {
            poll: 5,
            ..RenewalPolicy::default()
        };
        assert!(hurried.validate().is_err());
    }
}
