//! Closed-loop load generators that cost the measured server as little of the machine as they can.
//!
//! Generator and server share two cores, so a general HTTP client would mostly measure itself. Where a
//! request can be prepared, it is bytes prepared beforehand, and of an answer only status and length are read.

pub mod acme;
pub mod devices;
pub mod http;
pub mod inventory;
pub mod load;
pub mod process;
pub mod responder;
pub mod tls;

use std::time::Duration;

/// The latency, in microseconds, below which this share of sorted latencies lies.
pub fn percentile(sorted: &[u32], share: f64) -> Duration {
    let index = (sorted.len() as f64 * share) as usize;
    let last = sorted.len().saturating_sub(1);
    let micros = sorted.get(index.min(last)).copied().unwrap_or_default();
    Duration::from_micros(micros.into())
}
