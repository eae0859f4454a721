//! What the agent and the core say to each other, whatever carries it.

use super::batch::Batch;
use super::order::Signed;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// "What is there to do?" The core may keep the question until there is something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// Orders that the agent has and has not ended.
    pub holds: Vec<String>,
    /// How many seconds the core may wait before it says that there is nothing.
    pub wait: u64,
    /// How far the core's clock was ahead of the agent's when they last spoke, in milliseconds.
    pub clock: i64,
    /// What waits in the agent's queue.
    pub batches: u64,
    pub bytes: u64,
    /// The agent's version.
    pub version: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Polled {
    /// Unix milliseconds: what the agent goes by.
    pub now: i64,
    /// Orders that the agent does not hold.
    pub orders: Vec<Signed>,
    /// Orders that it holds and that are over.
    pub stop: Vec<String>,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Every batch up to this one is stored.
    pub sequence: u64,
    /// It had been before.
    pub repeated: bool,
}

/// A certificate: of the agent's own, then its issuer's and what is above, the root left out. PEM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    pub chain: String,
    /// Of all of Ward's own roots, as they are now.
    pub roots: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CoreError {
    /// It cannot be reached, or cannot do it now. To be tried again.
    #[error("the core cannot be reached: {0}")]
    Away(String),
    /// The agent is none of the core's, or no longer.
    #[error("the core does not know this agent any more: {0}")]
    Unknown(String),
    /// It says no, and will again.
    #[error("the core refuses: {0}")]
    Refused(String),
}

/// The core, as the agent sees it.
pub trait Core: Send + Sync {
    fn poll(&self, poll: &Poll) -> impl Future<Output = Result<Polled, CoreError>> + Send;

    fn hand_over(&self, batch: &Batch) -> impl Future<Output = Result<Taken, CoreError>> + Send;

    /// Renews the agent's certificate where two thirds of its life are over by `now`. Says whether it did.
    fn renew(&self, now: i64) -> impl Future<Output = Result<bool, CoreError>> + Send;
}
