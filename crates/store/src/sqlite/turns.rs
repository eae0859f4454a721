//! Whose turn it is to write.
//!
//! Where writes come one by one, each is written on its caller's thread: to hand it to another
//! thread, and to be woken with the answer, costs more than its statements. Where they come faster
//! they are the writer thread's, which makes one transaction of all that have come meanwhile;
//! then a caller's turn would only make the transactions smaller. So one caller at most waits for
//! the disk on a thread of the runtime, and never for long: writes that are large, a disk that is
//! slow, another process's transaction and the moving of the write-ahead log are the writer
//! thread's as well.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::{Semaphore, oneshot};

use super::writer::{Patience, Writer};
use crate::{
    Committed, Result, StoreError, Write,
    batch::{self, Job},
    metric,
};

/// A disk on which a batch takes longer is too slow for callers.
const QUICK: Duration = Duration::from_millis(1);

/// A write with more bytes is not a caller's.
const SMALL: usize = 64 * 1024;

/// The writer and what waits for it.
pub(crate) struct Turns {
    writer: Mutex<Writer>,
    waiting: Mutex<Waiting>,
    /// Tells the thread that something in `waiting` is for it.
    call: Condvar,
    room: Semaphore,
    /// Whether the last batch was one write, soon over, with none behind it.
    calm: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// There is something else for the thread to do.
    called: bool,
    /// No more will come.
    closed: bool,
}

impl Turns {
    pub(crate) fn new(writer: Writer) -> Arc<Self> {
        Arc::new(Turns {
            writer: Mutex::new(writer),
            waiting: Mutex::default(),
            call: Condvar::new(),
            room: Semaphore::new(batch::QUEUE),
            calm: AtomicBool::new(true),
        })
    }

    /// Applies a write; nobody need wait for the answer.
    pub(crate) async fn commit(&self, write: Write) -> Result<Committed> {
        let stopped = || StoreError::Unavailable("its writer has stopped".to_owned());
        let room = self.room.acquire().await.map_err(|_| stopped())?;
        room.forget();
        let here = self.calm.load(Relaxed) && write.bytes() <= SMALL;
        let (reply, answer) = oneshot::channel();
        let first = {
            let mut waiting = self.waiting.lock();
            waiting.jobs.push_back(Job { write, reply });
            waiting.jobs.len() == 1
        };
        // Behind others a write waits for whoever takes them.
        match (first, here) {
            (true, true) => self.take_turn(),
            (true, false) => drop(self.call.notify_one()),
            (false, _) => {}
        }
        answer.await.map_err(|_| stopped())?
    }

    /// Writes what waits, unless somebody is writing: he looks again when he has finished.
    fn take_turn(&self) {
        let Some(mut writer) = self.writer.try_lock() else {
            return;
        };
        let left = self.batch(&mut writer, Patience::None);
        let called = left.is_some() || writer.log_is_long();
        drop(writer);
        let mut waiting = self.waiting.lock();
        for job in left.into_iter().flatten().rev() {
            waiting.jobs.push_front(job);
        }
        waiting.called |= called;
        if waiting.called || !waiting.jobs.is_empty() {
            self.call.notify_one();
        }
    }

    /// The thread: writes what callers have left to it, until there will be no more.
    pub(crate) fn run(&self) {
        while self.called() {
            let mut writer = self.writer.lock();
            self.batch(&mut writer, Patience::Full);
            if writer.log_is_long() {
                writer.move_log();
            }
        }
    }

    /// Waits for something to do.
    fn called(&self) -> bool {
        let mut waiting = self.waiting.lock();
        while waiting.jobs.is_empty() && !waiting.called {
            if waiting.closed {
                return false;
            }
            self.call.wait(&mut waiting);
        }
        waiting.called = false;
        true
    }

    /// Ends the thread once it has nothing left to do.
    pub(crate) fn close(&self) {
        self.waiting.lock().closed = true;
        self.call.notify_one();
    }

    /// Makes one transaction of what waits, and answers after the fsync. Gives it back if there was
    /// no patience to wait for another process.
    fn batch(&self, writer: &mut Writer, patience: Patience) -> Option<Vec<Job>> {
        let jobs: Vec<Job> = {
            let mut waiting = self.waiting.lock();
            let count = waiting.jobs.len().min(batch::MAX_BATCH);
            waiting.jobs.drain(..count).collect()
        };
        if jobs.is_empty() {
            return None;
        }
        let started = Instant::now();
        let (writes, replies) = batch::split(jobs);
        let outcomes = writer.process(&writes, patience);
        let took = started.elapsed();
        let none_behind = self.waiting.lock().jobs.is_empty();
        let calm = none_behind && writes.len() == 1 && took < QUICK;
        self.calm.store(calm, Relaxed);
        if patience == Patience::None && outcomes.iter().all(busy) {
            return Some(batch::join(writes, replies));
        }
        self.room.add_permits(writes.len());
        metric::committed(writes.len(), took);
        batch::answer(replies, outcomes);
        None
    }
}

fn busy(outcome: &Result<Committed>) -> bool {
    matches!(outcome, Err(StoreError::Busy(_)))
}
