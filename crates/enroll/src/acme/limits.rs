//! Limits that keep one client from hurting the rest: a bucket for each account, address and directory.
//!
//! They are kept in memory, by each node for itself: two nodes let through up to twice as much, a restart forgets. That
//! is enough against loops, costs no write, and cannot stop anybody for longer than a period.

use std::net::IpAddr;

use audit::Timestamp;
use serde::{Deserialize, Serialize};

use super::bucket::{Buckets, Rate, network};
use super::problem::{ErrorType, Problem};
use super::{Account, Directory};

macro_rules! limits {
    ($($(#[$doc:meta])* $field:ident = $rate:expr;)*) => {
        /// What a directory lets one account, one address and all together do. `docs/acme.md` explains each.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Limits {
            $($(#[$doc])* pub $field: Rate,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Limits { $($field: $rate,)* }
            }
        }

        impl Limits {
            /// Nothing is limited: for measurements.
            pub const OFF: Limits = Limits { $($field: Rate::OFF,)* };

            /// Every limit by name.
            pub fn all(&self) -> Vec<(&'static str, Rate)> {
                vec![$((stringify!($field), self.$field),)*]
            }
        }
    };
}

limits! {
    /// Requests from one address (IPv6: one /64), of any kind.
    requests_per_address = Rate::new(2_000, 10);
    /// Signed requests of one account.
    requests_per_account = Rate::new(1_000, 10);
    /// Requests to the directory.
    requests = Rate::new(20_000, 10);
    new_accounts_per_address = Rate::new(100, 3600);
    new_accounts = Rate::new(1_000, 3600);
    new_orders_per_account = Rate::new(2_000, 3600);
    new_orders = Rate::new(20_000, 3600);
    /// Orders of one account for exactly the same names: what a client in a loop makes.
    same_names_per_account = Rate::new(50, 3600);
    /// Validations that failed, of one account.
    failed_validations_per_account = Rate::new(200, 3600);
    /// Names in orders of one account that nobody has proved or disproved yet.
    pending_authorizations_per_account = Rate::new(2_000, 24 * 3600);
}

/// What has been used up.
#[derive(Default)]
pub(crate) struct Counters {
    buckets: Buckets,
}

/// What a request would cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spend {
    /// Any request, before its signature is looked at.
    Request,
    /// A request whose signature is good.
    Signed,
    NewAccount,
    NewOrder {
        names: usize,
    },
    /// A challenge to be validated.
    Challenge,
    Finalize,
    Revoke,
}

/// One bucket and what is taken out of it.
struct Draw<'a> {
    limit: &'static str,
    rate: Rate,
    whose: Whose<'a>,
    amount: u32,
}

#[derive(Clone, Copy, Hash)]
enum Whose<'a> {
    Everybody,
    Address(IpAddr),
    Account(&'a str),
    /// An account's, for one set of names.
    Names(&'a str, &'a [String]),
}

impl Counters {
    /// Refuses with `rateLimited` and `Retry-After`, or counts.
    pub(crate) fn spend(
        &self,
        directory: &Directory,
        account: Option<&Account>,
        peer: IpAddr,
        spend: Spend,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let limits = &directory.limits;
        let address = Whose::Address(network(peer));
        let account = account.map(|account| Whose::Account(&account.id));
        let draw = |limit, rate, whose| Draw {
            limit,
            rate,
            whose,
            amount: 1,
        };
        match (spend, account) {
            (Spend::Request, _) => self.draw(
                directory,
                &[
                    draw("requests_per_address", limits.requests_per_address, address),
                    draw("requests", limits.requests, Whose::Everybody),
                ],
                now,
            ),
            (Spend::NewAccount, _) => self.draw(
                directory,
                &[
                    draw(
                        "new_accounts_per_address",
                        limits.new_accounts_per_address,
                        address,
                    ),
                    draw("new_accounts", limits.new_accounts, Whose::Everybody),
                ],
                now,
            ),
            (Spend::Signed, Some(account)) => {
                let limit = limits.requests_per_account;
                self.draw(
                    directory,
                    &[draw("requests_per_account", limit, account)],
                    now,
                )
            }
            (Spend::NewOrder { names }, Some(account)) => {
                let pending = Draw {
                    amount: u32::try_from(names).unwrap_or(u32::MAX),
                    ..draw(
                        "pending_authorizations_per_account",
                        limits.pending_authorizations_per_account,
                        account,
                    )
                };
                let orders = limits.new_orders_per_account;
                self.draw(
                    directory,
                    &[
                        draw("new_orders_per_account", orders, account),
                        draw("new_orders", limits.new_orders, Whose::Everybody),
                        pending,
                    ],
                    now,
                )
            }
            (Spend::Challenge, Some(account)) => {
                // Only asks: a validation costs something once it has failed.
                let failures = Draw {
                    amount: 0,
                    ..draw(
                        "failed_validations_per_account",
                        limits.failed_validations_per_account,
                        account,
                    )
                };
                self.draw(directory, &[failures], now)
            }
            (Spend::Finalize | Spend::Revoke, _) | (_, None) => Ok(()),
        }
    }

    /// Counts an order for these names (`kind:value`, sorted); its renewal by `replaces` need not be counted.
    pub(crate) fn same_names(
        &self,
        directory: &Directory,
        account: &Account,
        names: &[String],
        now: Timestamp,
    ) -> Result<(), Problem> {
        let draw = Draw {
            limit: "same_names_per_account",
            rate: directory.limits.same_names_per_account,
            whose: Whose::Names(&account.id, names),
            amount: 1,
        };
        self.draw(directory, &[draw], now)
    }

    /// Authorizations that are pending no more: valid, invalid, deactivated or expired.
    pub(crate) fn settled(&self, directory: &Directory, account: &str, names: usize) {
        let limit = "pending_authorizations_per_account";
        let key = self.key(directory, limit, Whose::Account(account));
        let rate = directory.limits.pending_authorizations_per_account;
        let names = u32::try_from(names).unwrap_or(u32::MAX);
        self.buckets.give_back(key, rate, names);
    }

    /// A validation that failed for good.
    pub(crate) fn failed_validation(&self, directory: &Directory, account: &str, now: Timestamp) {
        let limit = "failed_validations_per_account";
        let key = self.key(directory, limit, Whose::Account(account));
        let rate = directory.limits.failed_validations_per_account;
        // Whoever is over the limit already is told so at the next challenge.
        let _ = self.buckets.take(key, rate, 1, now);
    }

    fn draw(
        &self,
        directory: &Directory,
        draws: &[Draw<'_>],
        now: Timestamp,
    ) -> Result<(), Problem> {
        for (position, draw) in draws.iter().enumerate() {
            let key = self.key(directory, draw.limit, draw.whose);
            let Err(seconds) = self.buckets.take(key, draw.rate, draw.amount, now) else {
                continue;
            };
            // What is refused has cost nothing.
            for taken in &draws[..position] {
                let key = self.key(directory, taken.limit, taken.whose);
                self.buckets.give_back(key, taken.rate, taken.amount);
            }
            metrics::counter!("ward_acme_rate_limited_total", "directory" => directory.name.clone(), "limit" => draw.limit)
                .increment(1);
            return Err(limited(directory, draw, seconds));
        }
        Ok(())
    }

    fn key(&self, directory: &Directory, limit: &'static str, whose: Whose<'_>) -> u64 {
        self.buckets.key((&directory.name, limit, whose))
    }
}

/// RFC 8555 §6.6: says which limit, and when the same request would be accepted.
fn limited(directory: &Directory, draw: &Draw<'_>, seconds: u64) -> Problem {
    let whose = match draw.whose {
        Whose::Everybody => "everybody".to_owned(),
        Whose::Address(address) => address.to_string(),
        Whose::Account(id) => format!("account {id}"),
        Whose::Names(id, _) => format!("account {id} and these names"),
    };
    tracing::debug!(directory = %directory.name, limit = draw.limit, whose, "an ACME client is held back");
    Problem::new(
        ErrorType::RateLimited,
        format!(
            "the limit {} of directory {} is {} and used up by {whose}; the same request will be accepted in {seconds} s (RFC 8555 §6.6)",
            draw.limit, directory.name, draw.rate
        ),
    )
    .retry_after(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(change: impl FnOnce(&mut Limits)) -> Directory {
        let mut directory = Directory {
            name: "servers".to_owned(),
            ..Directory::default()
        };
        change(&mut directory.limits);
        directory
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp(1_800_000_000_000 + seconds * 1000)
    }

    #[test]
    fn addresses_have_their_own_and_ipv6_a_common_one_per_network() {
        let directory = directory(|limits| limits.requests_per_address = "2/10s".parse().unwrap());
        let counters = Counters::default();
        let ask = |peer: &str| {
            counters.spend(
                &directory,
                None,
                peer.parse().unwrap(),
                Spend::Request,
                at(0),
            )
        };
        for peer in [
            "10.0.0.1",
            "10.0.0.1",
            "::ffff:10.0.0.2",
            "10.0.0.2",
            "2001:db8::1",
            "2001:db8::2",
        ] {
            assert_eq!(ask(peer), Ok(()), "{peer}");
        }
        for peer in ["10.0.0.1", "::ffff:10.0.0.2", "2001:db8::3"] {
            let problem = ask(peer).unwrap_err();
            assert_eq!(
                (problem.kind, problem.status),
                (ErrorType::RateLimited, 429),
                "RFC 8555 §6.6"
            );
            assert_eq!(problem.retry_after, Some(5), "{peer}");
            assert!(
                problem.detail.contains("requests_per_address") && problem.detail.contains("2/10s"),
                "{}",
                problem.detail
            );
        }
        assert_eq!(ask("2001:db8:0:1::1"), Ok(()));
    }

    #[test]
    fn a_refusal_by_one_limit_costs_the_others_nothing() {
        let directory = directory(|limits| {
            limits.new_accounts_per_address = "10/1h".parse().unwrap();
            limits.new_accounts = "1/1h".parse().unwrap();
        });
        let counters = Counters::default();
        let ask = |peer: &str, now| {
            counters.spend(
                &directory,
                None,
                peer.parse().unwrap(),
                Spend::NewAccount,
                now,
            )
        };
        assert_eq!(ask("10.0.0.1", at(0)), Ok(()));
        for _ in 0..100 {
            assert!(ask("10.0.0.1", at(1)).is_err());
        }
        assert_eq!(ask("10.0.0.1", at(3601)), Ok(()));
    }

    #[test]
    fn the_defaults_are_written_as_rates_and_read_back() {
        let json = serde_json::to_string(&Limits::default()).unwrap();
        assert!(
            json.contains(r#""new_orders_per_account":"2000/h""#),
            "{json}"
        );
        assert_eq!(
            serde_json::from_str::<Limits>(&json).unwrap(),
            Limits::default()
        );
        let partial = r#"{"same_names_per_account":"off"}"#;
        assert!(
            serde_json::from_str::<Limits>(partial)
                .unwrap()
                .same_names_per_account
                .is_off()
        );
        assert!(serde_json::from_str::<Limits>(r#"{"orders":"1/h"}"#).is_err());
        assert!(Limits::OFF.all().iter().all(|(_, rate)| rate.is_off()));
    }
}
