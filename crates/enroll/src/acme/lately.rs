//! Orders that were made here and nobody has begun to finalize, as this process left them. A client looks at a new order,
//! its authorizations and its challenges within a second, and each look into the database costs more than what is done
//! with what it finds.
//!
//! Only a server that is alone remembers: nobody else changes its orders. What is remembered is shown, and says what to
//! validate; it decides nothing. Every change of state names in its statement the state it starts from, and whoever
//! finalizes an order reads it from the database.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::orders::{self, Authorization, Order};

/// Authorizations that are remembered at most, of all orders together: some megabytes.
const MOST: usize = 4096;

/// See the module.
pub(crate) struct Lately(Option<Mutex<Known>>);

#[derive(Default)]
struct Known {
    by_id: HashMap<String, (Order, Vec<Authorization>)>,
    authorizations: usize,
}

impl Lately {
    /// `alone`: no other server works on this database.
    pub(crate) fn new(alone: bool) -> Self {
        Lately(alone.then(Mutex::default))
    }

    /// Remembers an order that was just stored.
    pub(crate) fn made(&self, order: &Order, authorizations: Vec<Authorization>) {
        let Some(known) = &self.0 else { return };
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
        let Some(known) = &self.0 else { return };
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
        let Some(known) = &self.0 else { return };
        let mut known = known.lock();
        if let Some((_, all)) = known.by_id.remove(id) {
            known.authorizations -= all.len();
        }
    }

    /// An order that is remembered.
    pub(crate) fn order(&self, id: &str) -> Option<Order> {
        let known = self.0.as_ref()?.lock();
        known.by_id.get(id).map(|(order, _)| order.clone())
    }

    /// An authorization that is remembered, by the id that URLs have.
    pub(crate) fn authorization(&self, id: &str) -> Option<Authorization> {
        let (batch, position) = orders::parse_authorization_id(id)?;
        let known = self.0.as_ref()?.lock();
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
