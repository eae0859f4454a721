//! The scanner: knocks, asks one question and leaves (R17).
//!
//! Two stages for every target: a connection, and on it one hello whose handshake is never completed. What
//! it may do comes in as [`Limits`], a value that it cannot exceed; what it saw goes out as observations,
//! one for every target whatever happened, through a bounded channel. In between it keeps to what fragile
//! devices stand: one connection at a time, taken leave of, and none to a model of which one fell silent.

mod ask;
mod cursor;
pub mod exercise;
mod limits;
mod line;
mod order;
mod pace;
mod plan;
mod probe;
mod range;
mod run;
mod starttls;
mod target;

pub use cursor::{Cursor, CursorError};
pub use limits::{Exclusion, Limits, ModelAt};
pub use plan::{Planned, plan};
pub use range::{Range, RangeError};
pub use run::{Ended, Report, Summary, run};
pub use target::{Service, Target, TargetError, Targets, resolve};

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// How much is asked of a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// One handshake, aborted after the certificate; up to three more if the server declines the first.
    #[default]
    Certificate,
    /// And one connection for every other version.
    Versions,
    /// And one for every suite of every version.
    Suites,
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// For a connection to be accepted.
    pub connect: Duration,
    /// For one connection from then on.
    pub answer: Duration,
    /// For all connections to one target; waiting for our own pace does not count.
    pub target: Duration,
    /// Between two connections to one device.
    pub pause: Duration,
    /// After which a device whose model is known is asked whether it is still there.
    pub check_after: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            answer: Duration::from_secs(5),
            target: Duration::from_secs(60),
            pause: Duration::ZERO,
            check_after: Duration::from_millis(200),
        }
    }
}

/// What the time is, in Unix milliseconds: scans read no clock of their own.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How a scan is run.
#[derive(Clone)]
pub struct Config {
    /// Goes into every observation.
    pub from: String,
    pub depth: Depth,
    pub timing: Timing,
    pub limits: Limits,
    /// Targets in work at once. Each takes a file descriptor and some 10 KiB, or 200 KiB if its answer is not
    /// small; no more than 32 answers at a time may be larger than that.
    pub concurrency: usize,
    /// From which the order of targets and every hello follow.
    pub seed: [u8; 32],
    pub clock: Clock,
}
