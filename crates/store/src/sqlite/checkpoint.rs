//! Moving the write-ahead log into the database file, off the writer's path.
//!
//! A checkpoint writes and syncs megabytes; done by the writer, as SQLite does by default, it
//! stalls every commit that waits behind it. A thread with a connection of its own does it beside
//! the writer (PASSIVE: it blocks nobody). Because the writer never stops, some frames are always
//! newer than such a checkpoint, and the log could only grow; so when it has grown past a bound,
//! the writer finishes the little that is left between two batches, and SQLite starts the log
//! over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc as threads;

use rusqlite::Connection;

use super::{connect, spawn};
use crate::Result;

/// How many pages the log gathers before the thread moves them: 8 MiB.
const MOVE_AFTER: u32 = 2048;

/// How many pages make the writer finish: 32 MiB.
const FINISH_AFTER: u32 = 4 * MOVE_AFTER;

/// A checkpoint that blocks nobody. It is not an error when it moves less than all.
const PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// The writer's end.
pub(crate) struct Checkpointer {
    /// How many pages the log has, as SQLite said at the last commit.
    pages: Arc<AtomicU32>,
    /// At how many pages the thread is woken next.
    move_at: u32,
    /// At how many pages the writer finishes next.
    finish_at: u32,
    /// The size at the last look: a smaller one means that the log has started over.
    last: u32,
    wake: threads::SyncSender<()>,
}

/// Starts the thread, and has the writer's connection count its log instead of moving it.
pub(crate) fn start(place: &connect::Place, writer: &mut Connection) -> Result<Checkpointer> {
    let pages = Arc::new(AtomicU32::new(0));
    let counter = pages.clone();
    writer.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
        counter.store(u32::try_from(pages).unwrap_or(0), Relaxed);
        Ok(())
    }))?;
    let connection = connect::checkpointer(place)?;
    let (wake, woken) = threads::sync_channel(1);
    spawn("ward-store-checkpoint", move || {
        while woken.recv().is_ok() {
            passive(&connection);
        }
    })?;
    Ok(Checkpointer {
        pages,
        move_at: MOVE_AFTER,
        finish_at: FINISH_AFTER,
        last: 0,
        wake,
    })
}

impl Checkpointer {
    /// Called by the writer between two batches.
    pub(crate) fn after_commit(&mut self, writer: &Connection) {
        let pages = self.pages.load(Relaxed);
        if pages < self.last {
            self.move_at = MOVE_AFTER;
            self.finish_at = FINISH_AFTER;
        }
        self.last = pages;
        if pages >= self.finish_at {
            self.finish_at = pages + MOVE_AFTER;
            self.move_at = pages + MOVE_AFTER;
            passive(writer);
        } else if pages >= self.move_at {
            self.move_at = pages + MOVE_AFTER;
            let _ = self.wake.try_send(());
        }
    }
}

fn passive(connection: &Connection) {
    let moved = connection.query_row(PASSIVE, [], |_| Ok(()));
    if let Err(error) = moved {
        tracing::warn!(%error, "the write-ahead log could not be moved into the database");
    }
}
