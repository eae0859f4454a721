//! What rooms keep in memory of the database, and when it is read anew.
//!
//! A read takes a while, and a change may be committed meanwhile. Whoever read before it must not put what they found in the
//! place of what somebody read after it: what was acknowledged would be gone again until the next read.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::{Mutex, RwLock};

/// Always there, as one value that is replaced whole.
pub struct Snapshot<T> {
    /// How many reads have begun.
    begun: AtomicU64,
    /// With the number of the read that found it.
    current: RwLock<(u64, Arc<T>)>,
}

impl<T> Snapshot<T> {
    /// Begins with what was read first.
    pub fn new(first: T) -> Self {
        Snapshot {
            begun: AtomicU64::new(0),
            current: RwLock::new((0, Arc::new(first))),
        }
    }

    /// What was found last.
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.current.read().1)
    }

    /// Reads anew by `read`, which must not have begun before. When this returns, [`Snapshot::get`] has what was committed
    /// before the call.
    pub async fn refresh<E>(&self, read: impl Future<Output = Result<T, E>>) -> Result<(), E> {
        let number = self.begun.fetch_add(1, Relaxed) + 1;
        let found = Arc::new(read.await?);
        let mut current = self.current.write();
        if number > current.0 {
            *current = (number, found);
        }
        Ok(())
    }
}

/// There once somebody has asked for it, until it is forgotten.
pub struct Memo<T> {
    /// With how often it was forgotten.
    current: Mutex<(u64, Option<T>)>,
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Memo {
            current: Mutex::new((0, None)),
        }
    }
}

impl<T: Clone> Memo<T> {
    /// What is kept, if `good` says so; otherwise what `read` finds, which is kept unless it is forgotten meanwhile.
    pub async fn get_or_read<E>(
        &self,
        good: impl FnOnce(&T) -> bool,
        read: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let forgotten = {
            let current = self.current.lock();
            if let Some(kept) = current.1.as_ref().filter(|kept| good(kept)) {
                return Ok(kept.clone());
            }
            current.0
        };
        let found = read.await?;
        let mut current = self.current.lock();
        if current.0 == forgotten {
            current.1 = Some(found.clone());
        }
        Ok(found)
    }

    /// What is kept is not so any more.
    pub fn forget(&self) {
        let mut current = self.current.lock();
        current.0 += 1;
        current.1 = None;
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tokio::sync::oneshot;

    use super::*;

    /// A read that ends when it is told what it finds.
    fn slow() -> (
        oneshot::Sender<&'static str>,
        impl Future<Output = Result<&'static str, Infallible>>,
    ) {
        let (end, found) = oneshot::channel();
        (end, async { Ok(found.await.unwrap()) })
    }

    async fn at_once(found: &'static str) -> Result<&'static str, Infallible> {
        Ok(found)
    }

    #[tokio::test]
    async fn a_read_that_began_before_another_does_not_replace_what_that_found() {
        let snapshot = Snapshot::new("first");
        let (end, read) = slow();
        let late = snapshot.refresh(read);
        let change = async {
            snapshot.refresh(at_once("after the change")).await.unwrap();
            end.send("before the change").unwrap();
        };
        let (late, ()) = tokio::join!(late, change);
        late.unwrap();
        assert_eq!(*snapshot.get(), "after the change");
        snapshot.refresh(at_once("later")).await.unwrap();
        assert_eq!(*snapshot.get(), "later");
    }

    #[tokio::test]
    async fn what_was_read_before_it_was_forgotten_is_not_kept() {
        let kept = Memo::default();
        let (end, read) = slow();
        let reader = kept.get_or_read(|_| true, read);
        let change = async {
            kept.forget();
            end.send("before the change").unwrap();
        };
        let (found, ()) = tokio::join!(reader, change);
        assert_eq!(found, Ok("before the change"));
        let next = kept
            .get_or_read(|_| true, at_once("after the change"))
            .await;
        assert_eq!(next, Ok("after the change"));
        let kept_now = kept.get_or_read(|_| true, at_once("never asked")).await;
        assert_eq!(kept_now, Ok("after the change"));
        let stale = kept.get_or_read(|_| false, at_once("read anew")).await;
        assert_eq!(stale, Ok("read anew"));
    }
}
