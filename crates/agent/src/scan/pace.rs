//! How fast: one connection a slot, slots evenly apart, and further apart when what is asked stops answering.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Answers after which the pace is looked at.
const SAMPLE: u32 = 32;

/// The longest gap that backing off makes on its own.
const SLOWEST: Duration = Duration::from_secs(1);

/// The gap with which backing off begins where no rate is set.
const FIRST_GAP: Duration = Duration::from_millis(2);

/// Slots for connections. Evenly spaced, without credit for times when nothing was to do, so that no second
/// sees more of them than the rate.
pub(super) struct Pace {
    set: Duration,
    state: Mutex<State>,
}

struct State {
    next: Instant,
    gap: Duration,
    answered: u32,
    hung: u32,
}

impl Pace {
    pub(super) fn new(rate: Option<f64>) -> Self {
        // A rate of nothing would be a wait without end: one connection an hour is as slow as it goes.
        let slot = |rate: f64| Duration::try_from_secs_f64(1.0 / rate.max(1.0 / 3600.0));
        let set = rate.map_or(Duration::ZERO, |rate| slot(rate).unwrap_or(SLOWEST));
        Self {
            set,
            state: Mutex::new(State {
                next: Instant::now(),
                gap: set,
                answered: 0,
                hung: 0,
            }),
        }
    }

    /// Waits for a slot.
    pub(super) async fn turn(&self) {
        let slot = {
            let mut state = self.state.lock();
            let now = Instant::now();
            if state.gap.is_zero() {
                return;
            }
            let slot = state.next.max(now);
            state.next = slot + state.gap;
            slot
        };
        sleep_until(slot).await;
    }

    /// A conversation was answered, or hung. Many hung ones mean that the network or what is in it is busy:
    /// half the speed, and back by a tenth at a time.
    pub(super) fn went(&self, answered: bool) {
        let mut state = self.state.lock();
        let counter = if answered {
            &mut state.answered
        } else {
            &mut state.hung
        };
        *counter += 1;
        if state.answered + state.hung < SAMPLE {
            return;
        }
        let slower = state.hung * 4 > SAMPLE;
        let gap = if slower {
            (state.gap.max(FIRST_GAP) * 2).min(SLOWEST.max(self.set))
        } else {
            (state.gap * 10 / 11).max(self.set)
        };
        state.gap = if gap <= FIRST_GAP { self.set } else { gap };
        state.answered = 0;
        state.hung = 0;
    }
}
