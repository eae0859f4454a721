//! How many checks run at once: so many that sockets never run out, and of one account only a part, so
//! that one whose servers all hang does not keep the others waiting.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Two or three sockets each, within the 1,024 files that a process has by default.
const ALL: usize = 256;
/// Of one account: four accounts that hang are needed to fill all places.
const EACH: usize = 64;
/// Accounts remembered before those without a check are forgotten.
const MAX_ACCOUNTS: usize = 1024;

pub(super) struct Places {
    all: Arc<Semaphore>,
    accounts: Mutex<HashMap<Box<str>, Arc<Semaphore>>>,
}

/// Given back when dropped.
pub(super) struct Place {
    _own: Option<OwnedSemaphorePermit>,
    _all: Option<OwnedSemaphorePermit>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(ALL)),
            accounts: Mutex::default(),
        }
    }
}

impl Places {
    /// Waits for a place of the account's own first, so that it does not hold one of everybody's.
    pub(super) async fn take(&self, account: &str) -> Place {
        let own = self.of(account).acquire_owned().await;
        let all = self.all.clone().acquire_owned().await;
        // Neither is ever closed.
        Place {
            _own: own.ok(),
            _all: all.ok(),
        }
    }

    fn of(&self, account: &str) -> Arc<Semaphore> {
        let mut accounts = self.accounts.lock();
        if let Some(own) = accounts.get(account) {
            return own.clone();
        }
        if accounts.len() >= MAX_ACCOUNTS {
            // A check under way, or waiting, holds the account's semaphore too.
            accounts.retain(|_, own| Arc::strong_count(own) > 1);
        }
        let own = Arc::new(Semaphore::new(EACH));
        accounts.insert(account.into(), own.clone());
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_account_that_hangs_leaves_places_for_others() {
        let places = Places::default();
        let mut held = Vec::new();
        for _ in 0..EACH {
            held.push(places.take("a").await);
        }
        let waits = tokio::time::timeout(std::time::Duration::from_millis(20), places.take("a"));
        assert!(waits.await.is_err());
        places.take("b").await;
        held.pop();
        places.take("a").await;
    }

    #[tokio::test]
    async fn accounts_without_checks_are_forgotten() {
        let places = Places::default();
        let held = places.take("held").await;
        for i in 0..3 * MAX_ACCOUNTS {
            places.take(&i.to_string()).await;
        }
        let accounts = places.accounts.lock();
        assert!(accounts.len() <= MAX_ACCOUNTS + 1, "{}", accounts.len());
        assert!(accounts.contains_key("held"));
        drop(held);
    }
}
