//! How the house stands, in counts that are kept: when certificates end and where (horizon, heat map), the Health Radar with
//! its axes and levers (R39), and what the overview of the console asks for. `docs/radar.md` has the formulas.
//!
//! # Invariants
//! - [`Radar::of`] is a pure function of [`Counts`]: the same counts give the same score, on the server and on the page.
//! - No certificate is read to answer anybody: spans of the inventory are counted when something in them was touched, and
//!   the answer is put together from the sums ([`Figures`]).
//! - One day's counts are one version of a record with an event, so that the radar of a past day is what was shown then (R52).

mod axis;
mod gather;
mod horizon;
mod house;
mod keep;
mod lever;
mod radar;
#[cfg(test)]
mod tests;
mod walk;

pub use axis::{AXES, Axis, Part};
pub use gather::{FigureStore, Figures};
pub use horizon::{Heat, HeatCell, HeatRow, Horizon, Month, WEEKS};
pub use house::{House, ListState, WaitingRequest};
pub use keep::{DAY_RECORD, Day, KeptDay};
pub use lever::{Effect, LEVERS, Lever};
pub use radar::{
    CEILING, Counts, Effected, Judged, LeverShown, Link, Pull, Radar, Share, Shown, recomputed,
};
pub use walk::Tally;
