//! How much of a long work goes into one write, so that nobody else's write waits long behind it: by how long the last
//! one took on this machine, with this disk and these neighbours.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// How long a step should take: behind it, and behind another in the same transaction, others wait less than 100 ms.
const WANTED: Duration = Duration::from_millis(25);
/// Rows of the first step.
const FIRST: u32 = 256;
/// Rows of a step at least: below that, what each write costs anyway is most of it.
const LEAST: u32 = 32;

/// Rows of the next step, `MOST` of them at most.
pub(crate) struct Step<const MOST: u32>(AtomicU32);

impl<const MOST: u32> Default for Step<MOST> {
    fn default() -> Self {
        Step(AtomicU32::new(FIRST.min(MOST)))
    }
}

impl<const MOST: u32> Step<MOST> {
    /// How many rows the next step has.
    pub(crate) fn rows(&self) -> u32 {
        self.0.load(Relaxed)
    }

    /// A step of `rows` took so long. What was slow makes the next at most four times smaller, what was quick at most
    /// twice as large; a small one that was quick says nothing of a large one.
    pub(crate) fn took(&self, rows: u32, spent: Duration) {
        let now = self.rows();
        let fits = f64::from(rows) * WANTED.as_secs_f64() / spent.as_secs_f64().max(1e-6);
        // Cut off at both ends, so that it is in range.
        let fits = fits.clamp(f64::from(now) / 4.0, f64::from(now) * 2.0) as u32;
        let says_something = spent > WANTED && rows > 0;
        if says_something || rows.saturating_mul(2) >= now {
            self.0.store(fits.clamp(LEAST.min(MOST), MOST), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_as_large_as_its_time_allows() {
        let step = Step::<5_000>::default();
        for _ in 0..20 {
            // A tenth of a millisecond a row.
            step.took(step.rows(), Duration::from_micros(100) * step.rows());
        }
        assert_eq!(step.rows(), 250);
        step.took(250, Duration::from_secs(3));
        assert_eq!(step.rows(), 62);
        step.took(1, Duration::from_micros(1));
        assert_eq!(step.rows(), 62, "one quick row says nothing of many");
        for _ in 0..20 {
            step.took(step.rows(), Duration::from_micros(1));
        }
        assert_eq!(step.rows(), 5_000);
        for _ in 0..20 {
            step.took(step.rows(), Duration::from_secs(60));
        }
        assert_eq!(step.rows(), LEAST);
    }
}
