//! What both databases' writers share: the queue's jobs, and the tree head that a batch carries
//! from its first event to its last.

use audit::{Sealed, Timestamp, merkle::Frontier};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{Committed, Result, Row, StoreError, Write};

/// How many writes share a transaction at most. More would not raise throughput (an fsync is
/// spread thin enough at 64) and would make the first of them wait.
pub(crate) const MAX_BATCH: usize = 256;

/// How many writes may wait before callers wait to be let in.
pub(crate) const QUEUE: usize = 4 * MAX_BATCH;

/// A write on its way to the writer.
pub(crate) struct Job {
    pub(crate) write: Write,
    pub(crate) reply: oneshot::Sender<Result<Committed>>,
}

/// Takes what is waiting behind `first`, without waiting for more.
pub(crate) fn gather(first: Job, queue: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let mut batch = vec![first];
    while batch.len() < MAX_BATCH {
        match queue.try_recv() {
            Ok(job) => batch.push(job),
            Err(_) => break,
        }
    }
    batch
}

/// Splits jobs into writes and the ends that wait for them.
pub(crate) fn split(batch: Vec<Job>) -> (Vec<Write>, Vec<oneshot::Sender<Result<Committed>>>) {
    batch.into_iter().map(|job| (job.write, job.reply)).unzip()
}

/// The jobs again that were split.
pub(crate) fn join(
    writes: Vec<Write>,
    replies: Vec<oneshot::Sender<Result<Committed>>>,
) -> Vec<Job> {
    let jobs = writes.into_iter().zip(replies);
    jobs.map(|(write, reply)| Job { write, reply }).collect()
}

/// Tells the callers; one that has gone away is not an error, its write stands all the same.
pub(crate) fn answer(
    replies: Vec<oneshot::Sender<Result<Committed>>>,
    outcomes: Vec<Result<Committed>>,
) {
    for (reply, outcome) in replies.into_iter().zip(outcomes) {
        let _ = reply.send(outcome);
    }
}

/// What this process knows of the log's growth.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Growth {
    /// How many events the log has.
    pub(crate) size: u64,
    /// How many of them followers have to look at: those from here on are routine writes of this
    /// process.
    pub(crate) notable: u64,
}

impl Growth {
    /// A batch of this process took the log from `before` to `size` events. What stands between
    /// what was known and `before` is another process's.
    fn wrote(&mut self, before: u64, size: u64, routine: bool) {
        if size <= self.size {
            return;
        }
        if before > self.size {
            self.notable = before;
        }
        if !routine {
            self.notable = size;
        }
        self.size = size;
    }

    /// The log was seen to have `size` events: those that are new may be anybody's.
    fn found(&mut self, size: u64) {
        if size > self.size {
            *self = Growth {
                size,
                notable: size,
            };
        }
    }
}

/// After a commit: wakes those who follow the log, if there is something for them to read.
pub(crate) fn announce(growth: &watch::Sender<Growth>, batch: &[Write], before: u64, size: u64) {
    let routine = batch.iter().all(|write| write.routine);
    tell(growth, |known| known.wrote(before, size, routine));
}

/// After a look at the log's size.
pub(crate) fn announce_found(growth: &watch::Sender<Growth>, size: u64) {
    tell(growth, |known| known.found(size));
}

fn tell(growth: &watch::Sender<Growth>, learn: impl FnOnce(&mut Growth)) {
    growth.send_if_modified(|known| {
        let notable = known.notable;
        learn(known);
        known.notable > notable
    });
}

/// The head of the log as read inside a transaction, and what the transaction adds to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    frontier: Frontier,
}

impl Head {
    /// Reads the two columns `size` and `frontier`, which must agree.
    pub(crate) fn read(size: i64, frontier: &[u8]) -> Result<Self> {
        let frontier = Frontier::decode(frontier)?;
        if i64::try_from(frontier.size()) != Ok(size) {
            let held = frontier.size();
            return Err(StoreError::Corrupt(format!(
                "the log's head says {size} events and its frontier {held}"
            )));
        }
        Ok(Head { frontier })
    }

    /// The head of an empty log.
    pub(crate) fn empty() -> Self {
        Head {
            frontier: Frontier::new(),
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The number that the next event gets.
    pub(crate) fn next_seq(&self) -> i64 {
        self.frontier.size().cast_signed()
    }

    pub(crate) fn append(&mut self, event: &Sealed) {
        self.frontier.append(event.leaf);
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        self.frontier.encode()
    }

    pub(crate) fn into_frontier(self) -> Frontier {
        self.frontier
    }
}

/// Reads the head.
pub(crate) const HEAD: &str = "SELECT size, frontier FROM log_head WHERE id = 1";

/// Moves the head.
pub(crate) const MOVE_HEAD: &str = "UPDATE log_head SET size = $1, frontier = $2 WHERE id = 1";

/// Makes the head of a new database.
pub(crate) const MAKE_HEAD: &str = "INSERT INTO log_head(id, size, frontier) VALUES(1, $1, $2)";

/// One entry of the log as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its number, counted from 0: the index of its leaf.
    pub seq: u64,
    /// The event's exact bytes.
    pub body: Vec<u8>,
    /// The stored leaf hash. It is what the tree was built from; whether it matches `body` is
    /// for the verifier to find out.
    pub leaf: audit::Hash,
}

impl LogEntry {
    pub(crate) fn read(row: &Row) -> Result<Self> {
        Ok(LogEntry {
            seq: row.count(0)?,
            body: row.blob(1)?.to_vec(),
            leaf: row.hash(2)?,
        })
    }
}

/// A signed checkpoint as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The size of the tree that it signs.
    pub size: u64,
    /// When it was saved.
    pub saved_at: Timestamp,
    /// The signed note.
    pub note: String,
}

impl Checkpoint {
    pub(crate) fn read(row: &Row) -> Result<Self> {
        Ok(Checkpoint {
            size: row.count(0)?,
            saved_at: Timestamp(row.int(1)?),
            note: row.text(2)?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Growth;

    /// (what happens: before, size, routine; or a look at the size) → (size, notable)
    #[test]
    fn only_routine_writes_of_this_process_are_not_worth_reading() {
        let mut growth = Growth::default();
        let mut after = |step: &dyn Fn(&mut Growth)| {
            step(&mut growth);
            (growth.size, growth.notable)
        };
        let first_look = after(&|growth| growth.found(10));
        assert_eq!(first_look, (10, 10), "what was there before");
        let routine = after(&|growth| growth.wrote(10, 14, true));
        assert_eq!(routine, (14, 10), "ours, routine");
        let look = after(&|growth| growth.found(14));
        assert_eq!(look, (14, 10), "a look that finds what is known");
        let other = after(&|growth| growth.wrote(14, 15, false));
        assert_eq!(other, (15, 15), "ours, not routine");
        let foreign = after(&|growth| growth.wrote(18, 20, true));
        assert_eq!(foreign, (20, 18), "another process wrote three before ours");
        let seen = after(&|growth| growth.found(22));
        assert_eq!(seen, (22, 22), "another process wrote two");
        let late = after(&|growth| growth.wrote(20, 22, true));
        assert_eq!(late, (22, 22), "ours, but somebody looked first");
    }
}
