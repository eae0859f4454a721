//! Idempotency keys of requests that this process is working on: the second of two is turned away
//! before anything is signed for it. What another node works on shows when it is recorded.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

/// The keys.
#[derive(Default)]
pub(crate) struct Underway(Mutex<HashSet<String>>);

/// The work on one of them; over when this is dropped.
pub(super) struct Work {
    underway: Arc<Underway>,
    key: String,
}

impl Underway {
    /// `None` if somebody is at it.
    pub(super) fn begin(self: &Arc<Self>, key: &str) -> Option<Work> {
        self.0.lock().insert(key.to_owned()).then(|| Work {
            underway: Arc::clone(self),
            key: key.to_owned(),
        })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.underway.0.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_worked_on_once_at_a_time() {
        let underway = Arc::new(Underway::default());
        let work = underway.begin("a");
        assert!(work.is_some() && underway.begin("b").is_some());
        assert!(underway.begin("a").is_none());
        drop(work);
        assert!(underway.begin("a").is_some());
        assert!(underway.0.lock().is_empty());
    }
}
