//! Whose turn it is to write the inventory, among those of this process; those of other processes meet at its head.
//!
//! Batches come one after another, and to plan one takes a third as long as to write it. So a batch is planned while the
//! one before it is being written: against the head that that one will leave, if it writes nothing that the other reads.
//! When its turn to write has come, it looks whether the head was left as it was promised.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit};

use super::head::Head;

/// How many batches are read at once: of many that come together the first should soon be ready to be written.
const READ_AT_ONCE: usize = 2;

/// The turns of a process: to read what came, then to plan, then to write.
pub(crate) struct Turns {
    reading: Semaphore,
    planning: Mutex<()>,
    /// The head that the last one left, if it was a batch that was written.
    writing: Mutex<Option<Head>>,
    /// The batch that is being written.
    ahead: parking_lot::Mutex<Option<Ahead>>,
    hasher: RandomState,
}

/// What the next may take for granted: the head that a batch leaves, and what it writes.
struct Ahead {
    head: Head,
    written: Keys,
}

/// Certificates and places as hashes (two that are taken for one only make somebody wait), and up to when what was seen
/// there must not have been read before: always, or until it was seen last, if nothing else is written.
pub(crate) type Keys = HashMap<u64, i64>;

/// Of what is written whole.
pub(crate) const ALWAYS: i64 = i64::MAX;

/// Nobody else of this process plans or writes the inventory.
pub(crate) struct Alone<'a> {
    _planning: MutexGuard<'a, ()>,
    _writing: MutexGuard<'a, Option<Head>>,
}

/// Nobody else writes it.
pub(crate) struct Writing<'a> {
    turns: &'a Turns,
    /// Nobody else plans either, until it is said what will be written.
    planning: Option<MutexGuard<'a, ()>>,
    left: MutexGuard<'a, Option<Head>>,
}

/// Nobody else plans.
pub(crate) struct Planning<'a> {
    turns: &'a Turns,
    guard: MutexGuard<'a, ()>,
}

impl Default for Turns {
    fn default() -> Self {
        Turns {
            reading: Semaphore::new(READ_AT_ONCE),
            planning: Mutex::default(),
            writing: Mutex::default(),
            ahead: parking_lot::Mutex::default(),
            hasher: RandomState::default(),
        }
    }
}

impl Turns {
    /// For what needs nothing but the batch itself. (Nobody closes it: there is always a permit.)
    pub(crate) async fn read(&self) -> Option<SemaphorePermit<'_>> {
        self.reading.acquire().await.ok()
    }

    /// For a write that is planned and written in one turn.
    pub(crate) async fn alone(&self) -> Alone<'_> {
        let planning = self.planning.lock().await;
        let mut writing = self.writing.lock().await;
        *writing = None;
        Alone {
            _planning: planning,
            _writing: writing,
        }
    }

    pub(crate) async fn plan(&self) -> Planning<'_> {
        Planning {
            turns: self,
            guard: self.planning.lock().await,
        }
    }

    /// The hash of a certificate's SHA-256, or of a place's text.
    pub(crate) fn key(&self, of: &[u8]) -> u64 {
        self.hasher.hash_one(of)
    }
}

impl<'a> Planning<'a> {
    /// The head that the batch which is being written will leave, if it writes nothing that matters to one with these keys
    /// and when each was seen last.
    pub(crate) fn ahead(&self, mut keys: impl Iterator<Item = (u64, i64)>) -> Option<Head> {
        let ahead = self.turns.ahead.lock();
        let ahead = ahead.as_ref()?;
        let apart =
            keys.all(|(key, last)| ahead.written.get(&key).is_none_or(|until| last >= *until));
        apart.then_some(ahead.head)
    }

    /// Waits for the turn to write. Says the head that the last batch left, if nobody else has had a turn since.
    pub(crate) async fn write(self) -> (Writing<'a>, Option<Head>) {
        let mut left = self.turns.writing.lock().await;
        let head = left.take();
        let writing = Writing {
            turns: self.turns,
            planning: Some(self.guard),
            left,
        };
        (writing, head)
    }
}

impl Writing<'_> {
    /// Lets the next plan: against `head`, and without `written`.
    pub(crate) fn begins(&mut self, head: Head, written: Keys) {
        *self.turns.ahead.lock() = Some(Ahead { head, written });
        self.planning = None;
    }

    /// It is written.
    pub(crate) fn leaves(mut self, head: Head) {
        *self.left = Some(head);
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        *self.turns.ahead.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(touched: i64) -> Head {
        Head {
            touched,
            ..Head::default()
        }
    }

    #[tokio::test]
    async fn what_the_one_before_writes_is_not_planned_ahead() {
        let turns = Turns::default();
        let (mut writing, left) = turns.plan().await.write().await;
        assert_eq!(left, None, "nobody was before");
        writing.begins(head(1), Keys::from([(10, ALWAYS), (20, 500)]));
        let next = turns.plan().await;
        // (keys with when they were seen last, the head to plan against)
        let cases = [
            (vec![], Some(head(1))),
            (vec![(30, 0)], Some(head(1))),
            (vec![(30, 0), (10, 900)], None),
            (vec![(20, 499)], None),
            (vec![(20, 500)], Some(head(1))),
        ];
        for (keys, ahead) in cases {
            assert_eq!(next.ahead(keys.iter().copied()), ahead, "{keys:?}");
        }
        writing.leaves(head(1));
        let (writing, left) = next.write().await;
        assert_eq!(left, Some(head(1)));
        drop(writing);
        let next = turns.plan().await;
        assert_eq!(
            next.ahead(std::iter::empty()),
            None,
            "nothing is being written"
        );
        let (_, left) = next.write().await;
        assert_eq!(left, None, "the one before failed");
    }

    #[tokio::test]
    async fn a_head_is_forgotten_once_somebody_had_a_turn_alone() {
        let turns = Turns::default();
        let (mut writing, _) = turns.plan().await.write().await;
        writing.begins(head(1), Keys::new());
        writing.leaves(head(1));
        drop(turns.alone().await);
        let (_, left) = turns.plan().await.write().await;
        assert_eq!(left, None);
    }
}
