//! What the store measures of itself.

use std::time::Duration;

/// A batch was committed or given up.
pub(crate) fn committed(writes: usize, took: Duration) {
    metrics::histogram!("ward_store_batch_writes").record(writes as f64);
    metrics::histogram!("ward_store_commit_seconds").record(took.as_secs_f64());
}

/// A batch had to be run again because one of its writes failed.
pub(crate) fn retried() {
    metrics::counter!("ward_store_batches_retried_total").increment(1);
}
