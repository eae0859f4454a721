//! Moving the write-ahead log into the database file.
//!
//! SQLite would do it inside the commit that finds the log long, before that commit is answered.
//! Here the writer's thread does it when nobody waits for an answer, four times more rarely. (A thread with
//! a connection of its own was tried: it competes with the writer for the same disk, never
//! catches up with it, and measured slower.)

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rusqlite::Connection;

use crate::Result;

/// How many pages the log gathers before they are moved: 16 MiB.
const MOVE_AFTER: u32 = 4096;

/// The same while many rows come at once: 256 MiB. They touch the same pages of the indexes again and again, and each page
/// is moved once.
const MOVE_AFTER_BULK: u32 = 65_536;

/// Moves what no reader needs to have left where it is, and waits for nobody.
const PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// Watches the length of the log.
pub(crate) struct Checkpointer {
    /// How many pages the log has, as SQLite said at the last commit.
    pages: Arc<AtomicU32>,
    /// How many it had at the last attempt, if it has not started over since.
    tried_at: u32,
}

impl Checkpointer {
    /// Has the writer's connection count its log instead of moving it.
    pub(crate) fn watching(writer: &mut Connection) -> Result<Self> {
        let pages = Arc::new(AtomicU32::new(0));
        let counter = pages.clone();
        writer.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            counter.store(u32::try_from(pages).unwrap_or(0), Relaxed);
            Ok(())
        }))?;
        Ok(Checkpointer { pages, tried_at: 0 })
    }

    /// Whether it is time to move the log; `bulk` says that many rows come at once.
    pub(crate) fn is_due(&mut self, bulk: bool) -> bool {
        let pages = self.pages.load(Relaxed);
        if pages < self.tried_at {
            self.tried_at = 0;
        }
        let least = if bulk { MOVE_AFTER_BULK } else { MOVE_AFTER };
        let next = match self.tried_at {
            0 => least,
            tried => tried.saturating_add(MOVE_AFTER / 4).max(least),
        };
        pages >= next
    }

    /// Moves it. SQLite starts the log over at the next commit, unless a reader still looks at it;
    /// then a while passes before the next attempt.
    pub(crate) fn run(&mut self, writer: &Connection) {
        self.tried_at = self.pages.load(Relaxed);
        if let Err(error) = writer.query_row(PASSIVE, [], |_| Ok(())) {
            tracing::warn!(%error, "the write-ahead log could not be moved into the database");
        }
    }
}
