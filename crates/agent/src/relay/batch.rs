//! A batch: what is written to the agent's disk at once and handed over at once. Text: a head in JSON on the first line,
//! then an observation a line, so that it can be looked at with anything, and sent as it lies.
//!
//! The head says where in the sequence the batch stands and the SHA-256 of the one before, so that the core sees if one is
//! missing or another has taken its place; and how far the scan is with it, so that what is on the disk and where the scan
//! goes on after a crash can never disagree.

use crate::observation::{Form, LineError, Observation};
use crate::scan::{Cursor, Summary};
use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use thiserror::Error;

/// Most bytes of a batch: the longest line of an observation and as much again for its head and neighbours.
pub const BATCH_LIMIT: usize = 2 * crate::observation::LINE_LIMIT;

/// Most observations of a batch: what the core takes in with one write.
pub const BATCH_OBSERVATIONS: usize = 512;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    pub v: Form,
    pub agent: String,
    /// 1, 2, 3 …
    pub sequence: u64,
    /// SHA-256 of the batch before, in hex; empty in the first.
    pub previous: String,
    /// The order that it belongs to.
    pub order: String,
    /// How far the scan is with this batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<Said>,
    /// How many lines follow.
    pub observations: usize,
}

/// What an agent has to say beside what it saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Said {
    /// A device no longer answers since it was asked: somebody should go and look.
    Silent {
        model: Option<String>,
        address: IpAddr,
        port: u16,
    },
    /// There will be no more of this order: `done`, `window`, `stopped`, `expired`.
    Ended {
        how: String,
        #[serde(default)]
        probed: u64,
        #[serde(default)]
        excluded: u64,
        #[serde(default)]
        stopped: u64,
    },
    /// The order was not begun.
    Refused { why: String },
}

impl Said {
    pub(super) fn ended(how: &str, summary: &Summary) -> Self {
        Self::Ended {
            how: how.to_owned(),
            probed: summary.probed,
            excluded: summary.excluded,
            stopped: summary.stopped,
        }
    }
}

/// What goes into a batch, its place in the sequence aside.
#[derive(Clone, Debug)]
pub struct Draft {
    pub order: String,
    pub cursor: Option<Cursor>,
    pub said: Vec<Said>,
    /// Each as [`Observation::line`] gives it.
    pub lines: Vec<String>,
}

/// A batch as it lies on the disk and goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub head: Head,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadBatch {
    #[error("a batch of {0} bytes; they have at most {BATCH_LIMIT}")]
    TooLarge(usize),
    #[error("a batch is text in UTF-8, each line with its line feed")]
    NotText,
    #[error("the head of the batch: {0}")]
    Head(String),
    #[error(
        "{found} observations, and the head says {told}; at most {BATCH_OBSERVATIONS} go together"
    )]
    Count { found: usize, told: usize },
    #[error("line {line} of the batch: {error}")]
    Line { line: usize, error: LineError },
}

impl Batch {
    pub(super) fn new(
        agent: &str,
        sequence: u64,
        previous: &str,
        draft: &Draft,
    ) -> Result<Self, BadBatch> {
        let head = Head {
            v: Form,
            agent: agent.to_owned(),
            sequence,
            previous: previous.to_owned(),
            order: draft.order.clone(),
            cursor: draft.cursor.clone(),
            said: draft.said.clone(),
            observations: draft.lines.len(),
        };
        let first =
            serde_json::to_string(&head).map_err(|error| BadBatch::Head(error.to_string()))?;
        let bytes = draft.lines.iter().map(|line| line.len() + 1).sum::<usize>();
        let mut body = Vec::with_capacity(first.len() + 1 + bytes);
        for line in std::iter::once(&first).chain(&draft.lines) {
            body.extend_from_slice(line.as_bytes());
            body.push(b'\n');
        }
        match body.len() > BATCH_LIMIT {
            true => Err(BadBatch::TooLarge(body.len())),
            false => Ok(Self { head, body }),
        }
    }

    /// Reads the head; the observations are read by [`Batch::observations`].
    pub fn read(body: Vec<u8>) -> Result<Self, BadBatch> {
        if body.len() > BATCH_LIMIT {
            return Err(BadBatch::TooLarge(body.len()));
        }
        let text = std::str::from_utf8(&body).map_err(|_| BadBatch::NotText)?;
        let first = text.strip_suffix('\n').ok_or(BadBatch::NotText)?;
        let first = first.lines().next().unwrap_or_default();
        let head: Head =
            serde_json::from_str(first).map_err(|error| BadBatch::Head(error.to_string()))?;
        let found = body.iter().filter(|byte| **byte == b'\n').count() - 1;
        let told = head.observations;
        if found != told || found > BATCH_OBSERVATIONS {
            return Err(BadBatch::Count { found, told });
        }
        Ok(Self { head, body })
    }

    /// What was seen.
    pub fn observations(&self) -> Result<Vec<Observation>, BadBatch> {
        let text = std::str::from_utf8(&self.body).map_err(|_| BadBatch::NotText)?;
        let lines = text.lines().enumerate().skip(1);
        let read = lines.map(|(line, text)| {
            Observation::read(text).map_err(|error| BadBatch::Line {
                line: line + 1,
                error,
            })
        });
        read.collect()
    }

    /// By which the next batch, and the core, know this one.
    pub fn sha256(&self) -> [u8; 32] {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, &self.body).as_ref());
        sha256
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}
