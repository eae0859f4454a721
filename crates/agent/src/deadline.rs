//! Two clocks against slowness: one for a whole check, one for each step of it.

use std::{fmt, future::Future, time::Duration};

use tokio::time::{Instant, timeout_at};

/// When a check ends, and how long one of its steps may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    start: Instant,
    end: Instant,
    step: Duration,
}

/// A step took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Late {
    /// The whole check is over, not only the step.
    pub(crate) over: bool,
    after: Duration,
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.over {
            " for the whole check"
        } else {
            ""
        };
        let millis = self.after.as_millis();
        if millis.is_multiple_of(1000) {
            write!(f, "no answer within {} s{whole}", millis / 1000)
        } else {
            write!(f, "no answer within {millis} ms{whole}")
        }
    }
}

impl Deadline {
    pub(crate) fn new(whole: Duration, step: Duration) -> Self {
        let start = Instant::now();
        Self {
            start,
            end: start + whole,
            step,
        }
    }

    /// The same end with shorter steps.
    pub(crate) fn with_step(self, step: Duration) -> Self {
        Self {
            step: step.min(self.step),
            ..self
        }
    }

    pub(crate) fn step(&self) -> Duration {
        self.step
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) async fn run<T>(&self, step: impl Future<Output = T>) -> Result<T, Late> {
        let step_end = Instant::now() + self.step;
        let over = self.end <= step_end;
        let after = if over {
            self.end - self.start
        } else {
            self.step
        };
        timeout_at(step_end.min(self.end), step)
            .await
            .map_err(|_| Late { over, after })
    }
}
