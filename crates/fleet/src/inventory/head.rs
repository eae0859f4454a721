//! The head of the inventory: how often it was changed and which numbers are given. Every write of it moves the head
//! from where it was read, so that of two who read the same rows and write at once one fails and reads again; numbers
//! of rows are known before they are written, and nobody who follows `touched` misses a change that was slow to commit.

use std::time::Duration;

use store::{Store, StoreError, Write, params};

use crate::{FleetError, Result};

/// How often a write is made anew when another process was faster.
pub(crate) const ATTEMPTS: u32 = 50;

const READ: &str =
    "SELECT touched, certificates, places, settled, issued, log FROM inventory_head WHERE id = 1";
const MOVE: &str = "UPDATE inventory_head SET touched = $1, certificates = $2, places = $3, settled = $4, issued = $5, \
    log = $6 WHERE id = 1 AND touched = $7";
const MOVED: &str = "the inventory has changed since it was read";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// Counts up with every write.
    pub(crate) touched: i64,
    /// The newest number of a certificate, and of a place.
    pub(crate) certificates: i64,
    pub(crate) places: i64,
    /// Up to which change everything is settled.
    pub(crate) settled: i64,
    /// Up to which row of the CA's certificates they are in here.
    pub(crate) issued: i64,
    /// Up to which event of the log it was looked for what concerns the inventory.
    pub(crate) log: i64,
}

impl Head {
    pub(crate) async fn read(store: &Store) -> Result<Head> {
        let rows = store.look_up(READ, vec![]).await?;
        let row = rows
            .first()
            .ok_or(FleetError::Damaged("the inventory has no head"))?;
        Ok(Head {
            touched: row.int(0)?,
            certificates: row.int(1)?,
            places: row.int(2)?,
            settled: row.int(3)?,
            issued: row.int(4)?,
            log: row.int(5)?,
        })
    }

    /// The head for the next write.
    pub(crate) fn next(self) -> Head {
        Head {
            touched: self.touched + 1,
            ..self
        }
    }

    /// Adds to `write` that the head moves from `before` to here.
    pub(crate) fn moved(self, before: Head, write: Write) -> Write {
        let params = params![
            self.touched,
            self.certificates,
            self.places,
            self.settled,
            self.issued,
            self.log,
            before.touched
        ];
        write.run_expecting(1, MOVE, params, MOVED)
    }
}

/// Whether a write failed because another was faster, and should be made anew. Waits a moment if so.
pub(crate) async fn again(error: &StoreError, attempt: u32) -> bool {
    let again = match error {
        StoreError::Conflict(what) => *what == MOVED,
        StoreError::Duplicate(_) => true,
        _ => false,
    };
    if again && attempt < ATTEMPTS {
        tokio::time::sleep(Duration::from_millis(u64::from(attempt.min(20)))).await;
        return true;
    }
    false
}
