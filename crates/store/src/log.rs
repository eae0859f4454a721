//! The log as its readers see it: its head, its entries, its checkpoints, and its size as the
//! one change feed of the house.

use std::ops::Range;
use std::time::Duration;

use audit::{Timestamp, merkle::Frontier};
use tokio::time::{Instant, timeout_at};

use crate::{
    Checkpoint, LogEntry, Result, Store, StoreError, Write,
    batch::{self, Head},
    params,
};

/// How often the database is asked whether another process has written to it.
const POLL: Duration = Duration::from_millis(150);

const SIZE: &str = "SELECT size FROM log_head WHERE id = 1";
const EVENTS: &str = "SELECT seq, body, leaf FROM log_events WHERE seq >= $1 ORDER BY seq LIMIT $2";
const LEAVES: &str = "SELECT leaf FROM log_events WHERE seq >= $1 ORDER BY seq LIMIT $2";
const SAVE_CHECKPOINT: &str = "INSERT INTO log_checkpoints(size, saved_at, note) \
    VALUES($1, $2, $3) \
    ON CONFLICT(size) DO UPDATE SET saved_at = excluded.saved_at, note = excluded.note";
const NEWEST_CHECKPOINT: &str =
    "SELECT size, saved_at, note FROM log_checkpoints ORDER BY size DESC LIMIT 1";
const CHECKPOINTS: &str =
    "SELECT size, saved_at, note FROM log_checkpoints WHERE size >= $1 ORDER BY size LIMIT $2";

impl Store {
    /// The tree's frontier: its size and what its root is computed from.
    pub async fn log_head(&self) -> Result<Frontier> {
        let rows = self.query(batch::HEAD, Vec::new()).await?;
        let row = rows.first().ok_or_else(head_missing)?;
        Ok(Head::read(row.int(0)?, row.blob(1)?)?.into_frontier())
    }

    /// How many events the log has.
    pub async fn log_size(&self) -> Result<u64> {
        let rows = self.query(SIZE, Vec::new()).await?;
        let size = rows.first().ok_or_else(head_missing)?.count(0)?;
        batch::announce_found(&self.inner.growth, size);
        Ok(size)
    }

    /// At most `limit` entries from number `from` on, in order. Rows that are missing are simply
    /// not there: the caller compares numbers.
    pub async fn events(&self, from: u64, limit: u64) -> Result<Vec<LogEntry>> {
        let params = params![from.cast_signed(), limit.cast_signed()];
        self.all(EVENTS, params, LogEntry::read).await
    }

    /// The leaf hashes of at most `limit` entries from number `from` on.
    pub async fn leaves(&self, from: u64, limit: u64) -> Result<Vec<audit::Hash>> {
        let params = params![from.cast_signed(), limit.cast_signed()];
        self.all(LEAVES, params, |row| row.hash(0)).await
    }

    /// Waits until a follower who has seen the first `seen` events has some to read, whichever
    /// process wrote them, and says which; after `timeout`, or when the log has grown by nothing
    /// but routine writes of this process ([`Write::routine`]), the range is empty. Its end is
    /// what the follower has seen then.
    pub async fn follow(&self, seen: u64, timeout: Duration) -> Result<Range<u64>> {
        let deadline = Instant::now() + timeout;
        let mut growth = self.inner.growth.subscribe();
        loop {
            let next_look = deadline.min(Instant::now() + POLL);
            let told = growth.wait_for(|known| known.notable > seen);
            let told = match timeout_at(next_look, told).await {
                Ok(Ok(known)) => Some(known.notable),
                _ => None,
            };
            if let Some(notable) = told {
                return Ok(seen..notable);
            }
            self.log_size().await?;
            let known = *self.inner.growth.borrow();
            if known.notable > seen {
                return Ok(seen..known.notable);
            }
            if known.size > seen || Instant::now() >= deadline {
                return Ok(known.size..known.size);
            }
        }
    }

    /// What a follower who looks now and then and has seen the first `seen` events has to read, as [`Store::follow`]
    /// says it: an empty range where there is nothing but routine writes of this process, its end what he has seen then.
    pub async fn unread(&self, seen: u64) -> Result<Range<u64>> {
        self.log_size().await?;
        let known = *self.inner.growth.borrow();
        Ok(match known.notable > seen {
            true => seen..known.notable,
            false => known.size.max(seen)..known.size.max(seen),
        })
    }

    /// Stores a signed checkpoint. It has no event of its own: it is a signature over the log,
    /// and whoever alters it only breaks that signature.
    pub async fn save_checkpoint(&self, size: u64, note: &str, now: Timestamp) -> Result<()> {
        let params = params![size.cast_signed(), now, note];
        self.submit(Write::bookkeeping(SAVE_CHECKPOINT, params))
            .await?;
        Ok(())
    }

    /// The checkpoint of the largest tree.
    pub async fn newest_checkpoint(&self) -> Result<Option<Checkpoint>> {
        self.one(NEWEST_CHECKPOINT, Vec::new(), Checkpoint::read)
            .await
    }

    /// At most `limit` checkpoints of trees of `from_size` and more, the smallest first.
    pub async fn checkpoints(&self, from_size: u64, limit: u64) -> Result<Vec<Checkpoint>> {
        let params = params![from_size.cast_signed(), limit.cast_signed()];
        self.all(CHECKPOINTS, params, Checkpoint::read).await
    }
}

fn head_missing() -> StoreError {
    StoreError::Corrupt("the log has no head".to_owned())
}
