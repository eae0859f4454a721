//! How fast: connections evenly apart, and further apart when what is asked stops answering.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::sync;
use tokio::time::{Instant, sleep_until};

/// Answers after which the pace is looked at.
const SAMPLE: u32 = 32;

/// The longest gap that backing off makes on its own.
const SLOWEST: Duration = Duration::from_secs(1);

/// The gap with which backing off begins where no rate is set.
const FIRST_GAP: Duration = Duration::from_millis(2);

/// Timers tick in milliseconds: where the gap is shorter than this, as many go at once as fit into it.
const TICK: Duration = Duration::from_millis(5);

/// Turns for connections, without credit for times when nothing was to do or a timer was late, so that no
/// second sees more of them than the rate.
pub(super) struct Pace {
    set: Duration,
    tick: sync::Mutex<Tick>,
    state: Mutex<State>,
}

/// The tick that is on.
struct Tick {
    began: Instant,
    used: u32,
}

struct State {
    gap: Duration,
    answered: u32,
    hung: u32,
}

impl Pace {
    pub(super) fn new(rate: Option<f64>) -> Self {
        // A rate of nothing would be a wait without end: one connection an hour is as slow as it goes.
        let gap = |rate: f64| Duration::try_from_secs_f64(1.0 / rate.max(1.0 / 3600.0));
        let set = rate.map_or(Duration::ZERO, |rate| gap(rate).unwrap_or(SLOWEST));
        Self {
            set,
            tick: sync::Mutex::new(Tick {
                began: Instant::now(),
                used: 0,
            }),
            state: Mutex::new(State {
                gap: set,
                answered: 0,
                hung: 0,
            }),
        }
    }

    /// Waits for a turn; first come, first served.
    pub(super) async fn turn(&self) {
        if self.gap().is_zero() {
            return;
        }
        let mut tick = self.tick.lock().await;
        let gap = self.gap();
        let length = gap.max(TICK);
        let fit = length.as_nanos() / gap.as_nanos().max(1);
        if u128::from(tick.used) >= fit {
            sleep_until(tick.began + length).await;
        }
        let now = Instant::now();
        if now >= tick.began + length {
            tick.began = now;
            tick.used = 0;
        }
        tick.used += 1;
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
        // So short a gap is the end of backing off.
        state.gap = if gap <= FIRST_GAP { self.set } else { gap };
        state.answered = 0;
        state.hung = 0;
    }

    fn gap(&self) -> Duration {
        self.state.lock().gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_are_a_gap_apart_and_idle_time_gives_no_credit() {
        for (rate, turns, least) in [(100.0, 11, 100), (2000.0, 401, 200)] {
            let pace = Pace::new(Some(rate));
            tokio::time::sleep(Duration::from_millis(50)).await;
            let begun = Instant::now();
            for _ in 0..turns {
                pace.turn().await;
            }
            let took = begun.elapsed();
            assert!(took >= Duration::from_millis(least), "{took:?}");
        }
    }

    #[test]
    fn hanging_slows_down_and_answers_bring_the_pace_back_and_no_further() {
        let pace = Pace::new(Some(100.0));
        (0..SAMPLE * 3).for_each(|_| pace.went(false));
        assert_eq!(pace.gap(), Duration::from_millis(80));
        (0..SAMPLE * 100).for_each(|_| pace.went(false));
        assert_eq!(pace.gap(), SLOWEST);
        (0..SAMPLE * 100).for_each(|_| pace.went(true));
        assert_eq!(pace.gap(), Duration::from_millis(10));
        // Where no rate is set it begins with a small gap, and ends with none.
        let free = Pace::new(None);
        (0..SAMPLE).for_each(|_| free.went(false));
        assert_eq!(free.gap(), FIRST_GAP * 2);
        (0..SAMPLE * 20).for_each(|_| free.went(true));
        assert_eq!(free.gap(), Duration::ZERO);
    }
}
