//! Where a scan is, so that it can go on another day.

use super::order::Order;
use super::target::{Target, Targets};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use thiserror::Error;

/// Which targets are done: all before a position, and some after it. Advanced by whoever has stored a
/// report, so that what it says done is on their disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// By which the targets are known again.
    mark: String,
    seed: String,
    total: u64,
    before: u64,
    ahead: BTreeSet<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("this cursor belongs to other targets or another seed")]
pub struct CursorError;

impl Cursor {
    /// At the beginning.
    pub fn new(targets: &Targets, seed: &[u8; 32]) -> Self {
        Self {
            mark: hex(&targets.mark()),
            seed: hex(seed),
            total: targets.len(),
            before: 0,
            ahead: BTreeSet::new(),
        }
    }

    /// Whether it is one of this scan.
    pub fn check(&self, targets: &Targets, seed: &[u8; 32]) -> Result<(), CursorError> {
        let fits = self.mark == hex(&targets.mark()) && self.seed == hex(seed);
        fits.then_some(()).ok_or(CursorError)
    }

    /// The report at `position` is stored.
    pub fn done(&mut self, position: u64) {
        if position < self.before {
            return;
        }
        self.ahead.insert(position);
        while self.ahead.remove(&self.before) {
            self.before += 1;
        }
    }

    pub fn is_done(&self, position: u64) -> bool {
        position < self.before || self.ahead.contains(&position)
    }

    /// Targets that are done, and all there are.
    pub fn progress(&self) -> (u64, u64) {
        (self.before + self.ahead.len() as u64, self.total)
    }

    /// The targets that are done; none if the cursor belongs to others.
    pub fn targets<'a>(
        &'a self,
        targets: &'a Targets,
        seed: &[u8; 32],
    ) -> impl Iterator<Item = Target> + 'a {
        let order = Order::new(targets.len(), seed);
        let end = match self.check(targets, seed) {
            Ok(()) => (self.before, &self.ahead),
            Err(_) => (0, const { &BTreeSet::new() }),
        };
        let positions = (0..end.0).chain(end.1.iter().copied());
        positions.filter_map(move |position| targets.at(order.at(position)?))
    }

    /// The first position that may not be done.
    pub(super) fn first(&self) -> u64 {
        self.before
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
