//! A line on standard error that counts, for work that takes long, when somebody is looking.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Often enough to look alive, seldom enough to cost nothing.
const EVERY: Duration = Duration::from_millis(200);

pub(crate) struct Progress {
    what: &'static str,
    is_shown: bool,
    last: Instant,
    has_drawn: bool,
}

impl Progress {
    pub(crate) fn new(what: &'static str) -> Self {
        Self {
            what,
            is_shown: std::io::stderr().is_terminal(),
            last: Instant::now(),
            has_drawn: false,
        }
    }

    pub(crate) fn at(&mut self, done: u64, of: u64) {
        if !self.is_shown || self.last.elapsed() < EVERY {
            return;
        }
        self.last = Instant::now();
        self.has_drawn = true;
        // A terminal that went away does not stop the work.
        let _ = write!(std::io::stderr(), "\r{} {done} of {of}  ", self.what);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.has_drawn {
            let _ = write!(std::io::stderr(), "\r{:60}\r", "");
        }
    }
}
