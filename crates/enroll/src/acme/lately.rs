//! Orders that were made here and nobody has begun to finalize, as this process left them. A client looks at a new order,
//! its authorizations and its challenges within a second, and each look into the database costs more than what is done
//! with what it finds.
//!
//! Only a server that is alone remembers: nobody else changes its orders. What is remembered is shown, and says what to
//! validate and what to issue; whether it still holds is decided by the statement that changes it, which names the state
//! it starts from. An order that does not stand as it is remembered any more gets no certificate.
//!
//! Certificates never change, so that any server may remember them until they have been fetched.

use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;

use super::orders::{self, Authorization, Order};

/// Authorizations that are remembered at most, of all orders together: some megabytes.
const MOST: usize = 4096;
/// Certificates that are remembered at most: about a megabyte.
const MOST_CERTIFICATES: usize = 512;

/// See the module.
pub(crate) struct Lately {
    known: Option<Mutex<Known>>,
    issued: Mutex<HashMap<[u8; 32], Fresh>>,
}

#[derive(Default)]
struct Known {
    by_id: HashMap<String, (Order, Vec<Authorization>)>,
    authorizations: usize,
    /// Accounts that were seen to have no authorization ahead of an order.
    none_ahead: HashSet<String>,
    /// Accounts that have asked for one: they are looked up, always.
    some_ahead: HashSet<String>,
}

/// A certificate that nobody has fetched yet.
pub(crate) struct Fresh {
    pub(crate) account: String,
    pub(crate) issuer: String,
    pub(crate) der: Vec<u8>,
}

impl Lately {
    /// `alone`: no other server works on this database.
    pub(crate) fn new(alone: bool) -> Self {
        Lately {
            known: alone.then(Mutex::default),
            issued: Mutex::default(),
        }
    }

    /// Remembers a certificate that was just stored.
    pub(crate) fn issued(&self, sha256: [u8; 32], certificate: Fresh) {
        let mut issued = self.issued.lock();
        if issued.len() >= MOST_CERTIFICATES {
            issued.clear();
        }
        issued.insert(sha256, certificate);
    }

    /// A certificate for its account that fetches it: clients do so once.
    pub(crate) fn fetch(&self, sha256: &[u8; 32], account: &str) -> Option<Fresh> {
        let mut issued = self.issued.lock();
        let own = issued.get(sha256)?.account == account;
        own.then(|| issued.remove(sha256))?
    }

    /// Whether it is known that an account has no authorization ahead of an order.
    pub(crate) fn has_none_ahead(&self, account: &str) -> bool {
        let known = self.known.as_ref().map(Mutex::lock);
        known.is_some_and(|known| known.none_ahead.contains(account))
    }

    /// The database says that it has none.
    pub(crate) fn found_none_ahead(&self, account: &str) {
        let Some(known) = &self.known else { return };
        let mut known = known.lock();
        if known.some_ahead.len() >= MOST || known.some_ahead.contains(account) {
            return;
        }
        if known.none_ahead.len() >= MOST {
            known.none_ahead.clear();
        }
        known.none_ahead.insert(account.to_owned());
    }

    /// It is about to get one. Before that is stored: a look of before then cannot be remembered after it.
    pub(crate) fn goes_ahead(&self, account: &str) {
        let Some(known) = &self.known else { return };
        let mut known = known.lock();
        known.none_ahead.remove(account);
        if known.some_ahead.len() < MOST {
            known.some_ahead.insert(account.to_owned());
        }
    }

    /// Remembers an order that was just stored.
    pub(crate) fn made(&self, order: &Order, authorizations: Vec<Authorization>) {
        let Some(known) = &self.known else { return };
        let mut known = known.lock();
        if known.authorizations + authorizations.len() > MOST {
            *known = Known::default();
        }
        if authorizations.len() <= MOST {
            known.authorizations += authorizations.len();
            let id = order.id.clone();
            known.by_id.insert(id, (order.clone(), authorizations));
        }
    }

    /// Takes over what has become of an authorization, as it was just stored.
    pub(crate) fn settled(&self, authorization: &Authorization) {
        let Some(known) = &self.known else { return };
        let Ok(position) = usize::try_from(authorization.position) else {
            return;
        };
        let mut known = known.lock();
        let Some((order, all)) = known.by_id.get_mut(&authorization.batch) else {
            return;
        };
        if let (Some(held), Some(one)) = (
            order.authorizations.get_mut(position),
            all.get_mut(position),
        ) {
            *held = authorization.held();
            one.clone_from(authorization);
        }
    }

    /// Forgets an order: before it is changed in any other way.
    pub(crate) fn forget(&self, id: &str) {
        let Some(known) = &self.known else { return };
        let mut known = known.lock();
        if let Some((_, all)) = known.by_id.remove(id) {
            known.authorizations -= all.len();
        }
    }

    /// An order that is remembered.
    pub(crate) fn order(&self, id: &str) -> Option<Order> {
        let known = self.known.as_ref()?.lock();
        known.by_id.get(id).map(|(order, _)| order.clone())
    }

    /// An authorization that is remembered, by the id that URLs have.
    pub(crate) fn authorization(&self, id: &str) -> Option<Authorization> {
        let (batch, position) = orders::parse_authorization_id(id)?;
        let known = self.known.as_ref()?.lock();
        let (_, all) = known.by_id.get(batch)?;
        all.get(usize::try_from(position).ok()?).cloned()
    }
}

#[cfg(test)]
mod tests {
    use agent::control::Identifier;
    use audit::Timestamp;

    use super::super::identifier::Wanted;
    use super::super::orders::{Proven, Stored};
    use super::*;

    fn authorizations(batch: &str, count: i64) -> Vec<Authorization> {
        let one = |position| Authorization {
            batch: batch.to_owned(),
            position,
            alone: false,
            account: "a".to_owned(),
            directory: "d".to_owned(),
            name: Wanted {
                identifier: Identifier::Dns(format!("n{position}.example")),
                wildcard: false,
            },
            status: Proven::Pending,
            expires: Timestamp(1000),
            token: "t".to_owned(),
            challenges: Vec::new(),
            challenge: None,
            validated: None,
            origin: None,
            account_url: None,
            attempt: 0,
            error: None,
        };
        (0..count).map(one).collect()
    }

    fn made(lately: &Lately, id: &str, count: i64) {
        let all = authorizations(id, count);
        let order = Order {
            id: id.to_owned(),
            account: "a".to_owned(),
            directory: "d".to_owned(),
            stored: Stored::Open,
            profile: "p".to_owned(),
            created: Timestamp(0),
            expires: Timestamp(1000),
            not_before: None,
            not_after: None,
            replaces: None,
            attempt: 0,
            certificate: None,
            error: None,
            authorizations: all.iter().map(Authorization::held).collect(),
        };
        lately.made(&order, all);
    }

    #[test]
    fn what_was_settled_shows_in_the_order_and_what_was_forgotten_nowhere() {
        let lately = Lately::new(true);
        made(&lately, "one", 2);
        let mut proven = lately.authorization("one-1").unwrap();
        proven.status = Proven::Valid;
        lately.settled(&proven);
        let held = lately.order("one").unwrap().authorizations;
        let states: Vec<Proven> = held.iter().map(|held| held.status).collect();
        assert_eq!(states, [Proven::Pending, Proven::Valid]);
        let shown = lately.authorization("one-1").unwrap();
        assert_eq!(shown.status, Proven::Valid);
        lately.forget("one");
        lately.settled(&proven);
        assert!(lately.order("one").is_none() && lately.authorization("one-1").is_none());
    }

    #[test]
    fn who_asked_for_an_authorization_ahead_of_orders_is_always_looked_up() {
        let lately = Lately::new(true);
        assert!(!lately.has_none_ahead("a"), "nobody has looked");
        lately.found_none_ahead("a");
        assert!(lately.has_none_ahead("a") && !lately.has_none_ahead("b"));
        lately.goes_ahead("a");
        // Somebody who looked before it was stored is late.
        lately.found_none_ahead("a");
        assert!(!lately.has_none_ahead("a"));
        for account in 0..2 * MOST {
            lately.found_none_ahead(&account.to_string());
            lately.goes_ahead(&format!("x{account}"));
        }
        let known = lately.known.as_ref().unwrap().lock();
        assert!(known.none_ahead.len() <= MOST && known.some_ahead.len() <= MOST);
        drop(known);
        lately.found_none_ahead("c");
        assert!(!lately.has_none_ahead("c"), "too many to tell");
        let among_others = Lately::new(false);
        among_others.found_none_ahead("a");
        assert!(!among_others.has_none_ahead("a"));
    }

    #[test]
    fn a_certificate_is_for_its_account_and_once() {
        let lately = Lately::new(false);
        let fresh = || Fresh {
            account: "a".to_owned(),
            issuer: "i".to_owned(),
            der: vec![1],
        };
        lately.issued([1; 32], fresh());
        assert!(lately.fetch(&[2; 32], "a").is_none() && lately.fetch(&[1; 32], "b").is_none());
        assert_eq!(lately.fetch(&[1; 32], "a").unwrap().der, [1]);
        assert!(lately.fetch(&[1; 32], "a").is_none());
        for number in 0..=MOST_CERTIFICATES {
            let mut sha256 = [0; 32];
            sha256[..8].copy_from_slice(&number.to_be_bytes());
            lately.issued(sha256, fresh());
        }
        assert!(lately.issued.lock().len() <= MOST_CERTIFICATES);
    }

    #[test]
    fn memory_is_bounded_and_a_server_among_others_remembers_nothing() {
        let lately = Lately::new(true);
        let most = i64::try_from(MOST).unwrap();
        made(&lately, "one", most);
        assert!(lately.order("one").is_some());
        made(&lately, "two", 1);
        assert!(lately.order("one").is_none() && lately.order("two").is_some());
        made(&lately, "huge", most + 1);
        assert!(lately.order("huge").is_none());
        let among_others = Lately::new(false);
        made(&among_others, "one", 1);
        assert!(among_others.order("one").is_none());
    }
}
