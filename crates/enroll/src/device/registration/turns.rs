//! One after the other: requests of one transaction, requests for one key, and uses of one counted right, take turns
//! within this process, so that a device that repeats itself makes no signatures for nothing. The database decides between
//! nodes.

use std::hash::{BuildHasher, Hash, RandomState};

use tokio::sync::{Mutex, MutexGuard};

use crate::device::RightId;

/// Strangers wait for each other only where their hashes meet.
const STRIPES: usize = 1024;

pub(super) struct Turns {
    hasher: RandomState,
    transactions: Vec<Mutex<()>>,
    keys: Vec<Mutex<()>>,
    rights: Vec<Mutex<()>>,
}

impl Default for Turns {
    fn default() -> Self {
        let stripes = || (0..STRIPES).map(|_| Mutex::new(())).collect();
        Turns {
            hasher: RandomState::new(),
            transactions: stripes(),
            keys: stripes(),
            rights: stripes(),
        }
    }
}

impl Turns {
    /// Waits for a transaction. Taken before a key's and a right's, never after.
    pub(super) async fn take(&self, transaction: &[u8]) -> MutexGuard<'_, ()> {
        self.stripe(&self.transactions, transaction).lock().await
    }

    /// Waits for a key, by its SHA-256. Taken before a right's, never after.
    pub(super) async fn take_key(&self, spki: &[u8; 32]) -> MutexGuard<'_, ()> {
        self.stripe(&self.keys, spki).lock().await
    }

    /// Waits for a right.
    pub(super) async fn take_right(&self, right: &RightId) -> MutexGuard<'_, ()> {
        self.stripe(&self.rights, right).lock().await
    }

    fn stripe<'a>(&self, stripes: &'a [Mutex<()>], key: impl Hash) -> &'a Mutex<()> {
        &stripes[(self.hasher.hash_one(key) % STRIPES as u64) as usize]
    }
}
