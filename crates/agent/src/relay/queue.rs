//! What waits for the core, on the agent's disk: one file a batch, each with a code over it that only this agent can make,
//! each naming the one before.
//!
//! # Invariants
//! - What [`Queue::push`] has taken is on the disk. A crash leaves a batch whole or not there.
//! - A batch is removed only after the core has said that it is stored; that it has is on the disk first. If a crash comes
//!   before, the batch is sent again under its number, and the core knows it.
//! - Nothing is dropped: a queue that is full takes nothing, and the scan waits.
//! - The newest batch stays, handed over or not: it holds where the scan goes on and what the next batch names.
//!
//! Whoever can write to the folder and not read the key can change nothing unseen: a batch that was changed, taken out,
//! put in or swapped is told when the queue is opened or the batch is read. Whoever can read the key is the agent.

use super::batch::{BATCH_LIMIT, BadBatch, Batch, Draft, hex, unhex};
use super::disk;
use crate::scan::Cursor;
use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A queue has room for some of the largest batches, or a scan could wait for ever.
pub const LEAST_LIMIT: u64 = 4 * BATCH_LIMIT as u64;

/// How the name of a batch ends.
const BATCH: &str = "batch";
/// Says which batch is the newest, and which the core has taken.
const MARKS: &str = "marks";
/// `mac `, the code in hex, a line feed.
const SEAL: usize = 4 + 64 + 1;
/// The marks are a line.
const MARKS_LIMIT: u64 = 1024;

#[derive(Debug, Error)]
pub enum QueueError {
    #[error("the queue has {waiting} bytes that wait for the core, and its limit is {limit}")]
    Full { waiting: u64, limit: u64 },
    #[error(
        "{file} in the queue {what}: it was changed outside of the agent; nothing of it was handed over. Keep the folder for whoever looks into it, and enrol the agent anew"
    )]
    Tampered { file: String, what: &'static str },
    #[error("the queue: {0}")]
    Batch(#[from] BadBatch),
    #[error("the queue's folder: {0}")]
    Disk(#[from] io::Error),
}

/// Batches that wait.
pub struct Queue {
    folder: PathBuf,
    agent: String,
    key: hmac::Key,
    limit: u64,
    /// Numbers and sizes of those that the core has not taken, the oldest first.
    waiting: VecDeque<(u64, u64)>,
    bytes: u64,
    taken: u64,
    newest: Option<Newest>,
}

/// The last batch that was written.
struct Newest {
    sequence: u64,
    sha256: [u8; 32],
    order: String,
    cursor: Option<Cursor>,
    ended: bool,
}

/// Under a code like a batch's, so that neither the newest batch nor what the core has taken can be taken back unseen.
#[derive(Default, Serialize, Deserialize)]
struct Marks {
    taken: u64,
    newest: u64,
    mac: String,
}

impl Marks {
    fn text(&self) -> String {
        format!("taken {} newest {}", self.taken, self.newest)
    }
}

impl Queue {
    /// Opens or makes a queue, and holds every batch in it against its code and its neighbour.
    pub fn open(
        folder: &Path,
        agent: &str,
        key: &[u8; 32],
        limit: u64,
    ) -> Result<Self, QueueError> {
        disk::folder(folder)?;
        let mut queue = Self::closed(folder, agent, key, limit);
        let marks = queue.marks()?;
        let taken = marks.taken;
        queue.taken = taken;
        let mut numbers = queue.numbers()?;
        numbers.sort_unstable();
        let next = |newest: &Option<Newest>| newest.as_ref().map(|newest| newest.sequence + 1);
        for sequence in numbers {
            let batch = queue.read(sequence)?;
            // All that were taken but the newest may have been removed.
            let follows = match next(&queue.newest) {
                Some(next) => next == sequence || sequence <= taken,
                None => sequence <= taken + 1,
            };
            let names = queue
                .newest
                .as_ref()
                .filter(|newest| newest.sequence + 1 == sequence);
            let named = names.is_none_or(|newest| batch.head.previous == hex(&newest.sha256));
            let begins = sequence != 1 || batch.head.previous.is_empty();
            if !follows || !named || !begins {
                return Err(tampered(
                    &name(sequence),
                    "does not follow the batch before it",
                ));
            }
            if sequence > taken {
                queue.wait(sequence, batch.body.len());
            }
            queue.newest = Some(Newest::of(&batch));
        }
        // A crash may come between a batch and its mark, never the other way about.
        if queue.newest() < marks.newest.max(taken) {
            return Err(tampered(&name(marks.newest.max(taken)), "is missing"));
        }
        queue.tidy()?;
        Ok(queue)
    }

    /// Batches that wait, their bytes, and the number of the newest: without touching anything, beside an agent that runs.
    pub fn look(
        folder: &Path,
        agent: &str,
        key: &[u8; 32],
    ) -> Result<(usize, u64, u64), QueueError> {
        let queue = Self::closed(folder, agent, key, 0);
        let taken = queue.marks()?.taken;
        let (mut count, mut bytes, mut newest) = (0, 0, taken);
        for path in files(folder)? {
            let Some(number) = number(&path).filter(|number| *number > taken) else {
                continue;
            };
            // It may have been handed over since it was listed.
            let Ok(found) = std::fs::metadata(&path) else {
                continue;
            };
            count += 1;
            bytes += found.len().saturating_sub(SEAL as u64);
            newest = newest.max(number);
        }
        Ok((count, bytes, newest))
    }

    fn closed(folder: &Path, agent: &str, key: &[u8; 32], limit: u64) -> Self {
        Self {
            folder: folder.to_owned(),
            agent: agent.to_owned(),
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            limit: limit.max(LEAST_LIMIT),
            waiting: VecDeque::new(),
            bytes: 0,
            taken: 0,
            newest: None,
        }
    }

    /// Writes a batch. When this returns, it is on the disk.
    pub fn push(&mut self, draft: &Draft) -> Result<u64, QueueError> {
        let sequence = self.newest.as_ref().map_or(0, |newest| newest.sequence) + 1;
        let previous = self.newest.as_ref().map(|newest| hex(&newest.sha256));
        let previous = previous.unwrap_or_default();
        let batch = Batch::new(&self.agent, sequence, &previous, draft)?;
        let size = batch.body.len() as u64;
        if !self.waiting.is_empty() && self.bytes + size > self.limit {
            return Err(QueueError::Full {
                waiting: self.bytes,
                limit: self.limit,
            });
        }
        let seal = format!("mac {}\n", self.mac(&batch.body));
        disk::put(&self.path(sequence), &[&batch.body, seal.as_bytes()])?;
        self.mark(self.taken, sequence)?;
        let before = self.newest.replace(Newest::of(&batch));
        self.wait(sequence, batch.body.len());
        // The newest of those that were taken has done its duty.
        if let Some(before) = before.filter(|before| before.sequence <= self.taken) {
            disk::remove(&self.path(before.sequence))?;
        }
        Ok(sequence)
    }

    /// The batch to be handed over next.
    pub fn oldest(&self) -> Result<Option<Batch>, QueueError> {
        match self.waiting.front() {
            Some((sequence, _)) => self.read(*sequence).map(Some),
            None => Ok(None),
        }
    }

    /// The core has stored every batch up to this one.
    pub fn handed_over(&mut self, sequence: u64) -> Result<(), QueueError> {
        let sequence = sequence.min(self.newest());
        if sequence <= self.taken {
            return Ok(());
        }
        self.mark(sequence, self.newest())?;
        self.taken = sequence;
        let newest = self.newest();
        while let Some((first, size)) = self.waiting.front().copied() {
            if first > sequence {
                break;
            }
            self.waiting.pop_front();
            self.bytes -= size;
            if newest != first {
                disk::remove(&self.path(first))?;
            }
        }
        Ok(())
    }

    /// Where the scan of an order goes on, if the newest batch is one of its.
    pub fn cursor(&self, order: &str) -> Option<Cursor> {
        let newest = self.newest.as_ref().filter(|newest| newest.order == order);
        newest.and_then(|newest| newest.cursor.clone())
    }

    /// Whether the newest batch ends this order.
    pub fn has_ended(&self, order: &str) -> bool {
        let newest = self.newest.as_ref();
        newest.is_some_and(|newest| newest.order == order && newest.ended)
    }

    /// How many batches wait, and how many bytes they have.
    pub fn waiting(&self) -> (usize, u64) {
        (self.waiting.len(), self.bytes)
    }

    /// The number of the newest batch; 0 if there was none yet.
    pub fn newest(&self) -> u64 {
        self.newest.as_ref().map_or(0, |newest| newest.sequence)
    }

    fn wait(&mut self, sequence: u64, size: usize) {
        self.waiting.push_back((sequence, size as u64));
        self.bytes += size as u64;
    }

    /// Numbers of the batches that are there. What a crash left unfinished is removed, and what else lies there is not ours.
    fn numbers(&self) -> Result<Vec<u64>, QueueError> {
        let mut numbers = Vec::new();
        for path in files(&self.folder)? {
            let ending = path.extension().and_then(|ending| ending.to_str());
            match ending {
                Some(disk::UNFINISHED) => disk::remove(&path)?,
                Some(BATCH) => {
                    let shown = path.file_name().unwrap_or_default().to_string_lossy();
                    let number = number(&path);
                    numbers.push(
                        number.ok_or_else(|| tampered(&shown, "is no batch of this agent's"))?,
                    );
                }
                _ => {}
            }
        }
        Ok(numbers)
    }

    fn read(&self, sequence: u64) -> Result<Batch, QueueError> {
        let name = name(sequence);
        let limit = (BATCH_LIMIT + SEAL) as u64;
        let whole = disk::read(&self.folder.join(&name), limit)?;
        let mut body = whole.ok_or_else(|| tampered(&name, "is missing"))?;
        let wrong = || tampered(&name, "does not fit its code");
        let end = body.len().checked_sub(SEAL).ok_or_else(wrong)?;
        let seal = body.split_off(end);
        let mac = std::str::from_utf8(&seal).ok();
        let mac = mac.and_then(|seal| seal.strip_prefix("mac ")?.strip_suffix('\n'));
        if !mac.is_some_and(|mac| self.fits(&body, mac)) {
            return Err(wrong());
        }
        let batch = Batch::read(body)?;
        // The code is good for any name.
        match batch.head.sequence == sequence && batch.head.agent == self.agent {
            true => Ok(batch),
            false => Err(tampered(&name, "is another batch under this name")),
        }
    }

    fn marks(&self) -> Result<Marks, QueueError> {
        let Some(line) = disk::read(&self.folder.join(MARKS), MARKS_LIMIT)? else {
            return Ok(Marks::default());
        };
        let marks: Option<Marks> = serde_json::from_slice(&line).ok();
        let marks = marks.filter(|marks| self.fits(marks.text().as_bytes(), &marks.mac));
        marks.ok_or_else(|| tampered(MARKS, "do not fit their code"))
    }

    fn mark(&self, taken: u64, newest: u64) -> Result<(), QueueError> {
        let mut marks = Marks {
            taken,
            newest,
            mac: String::new(),
        };
        marks.mac = self.mac(marks.text().as_bytes());
        let line = serde_json::to_vec(&marks).map_err(io::Error::other)?;
        Ok(disk::put(&self.folder.join(MARKS), &[&line])?)
    }

    /// Removes what a crash left of those that were taken.
    fn tidy(&mut self) -> Result<(), QueueError> {
        for sequence in self.numbers()? {
            if sequence <= self.taken && sequence != self.newest() {
                disk::remove(&self.path(sequence))?;
            }
        }
        Ok(())
    }

    fn mac(&self, bytes: &[u8]) -> String {
        hex(hmac::sign(&self.key, bytes).as_ref())
    }

    fn fits(&self, bytes: &[u8], mac: &str) -> bool {
        unhex::<32>(mac).is_some_and(|mac| hmac::verify(&self.key, bytes, &mac).is_ok())
    }

    fn path(&self, sequence: u64) -> PathBuf {
        self.folder.join(name(sequence))
    }
}

impl Newest {
    fn of(batch: &Batch) -> Self {
        let ends = |said: &super::Said| {
            matches!(
                said,
                super::Said::Ended { .. } | super::Said::Refused { .. }
            )
        };
        Self {
            sequence: batch.head.sequence,
            sha256: batch.sha256(),
            order: batch.head.order.clone(),
            cursor: batch.head.cursor.clone(),
            ended: batch.head.said.iter().any(ends),
        }
    }
}

/// So that a listing of the folder is in order.
fn name(sequence: u64) -> String {
    format!("{sequence:020}.{BATCH}")
}

/// The number that a file's name says, if it is one that [`name`] gives.
fn number(path: &Path) -> Option<u64> {
    let found = path.file_name()?.to_str()?;
    let number: u64 = found.strip_suffix(BATCH)?.strip_suffix('.')?.parse().ok()?;
    (number > 0 && name(number) == found).then_some(number)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, QueueError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let paths = entries.map(|entry| Ok(entry?.path()));
    paths.collect()
}

fn tampered(file: &str, what: &'static str) -> QueueError {
    QueueError::Tampered {
        file: file.to_owned(),
        what,
    }
}
