//! The inventory: every certificate that anybody issued, where it lives, whose it is (R16, R17, R21).

mod belong;
mod certificate;
mod desk;
mod events;
mod facts;
pub(crate) mod head;
pub mod import;
mod ingest;
mod issued;
mod link;
mod load;
mod place;
mod renewal;
pub mod rule;
mod settle;
mod spot;
pub(crate) mod step;
mod stored;
mod text;
mod turn;
pub(crate) mod zone;

pub use desk::{Carried, Desk, Imported};
pub use facts::{Assigned, Environment, Facts, PlaceFacts};
pub use ingest::{Beside, Ingested, MOST_OBSERVATIONS, Source};
pub use settle::Settled;
pub(crate) use stored::{keys, many};
pub(crate) use zone::Zones;

/// What the clones of a fleet share.
#[derive(Default)]
pub(crate) struct Shared {
    /// Whoever writes the inventory in this process waits for its turn.
    pub(crate) turns: turn::Turns,
    /// The asset register as it was read last.
    register: parking_lot::Mutex<Option<std::sync::Arc<belong::Register>>>,
    /// How the house stands.
    pub(crate) figures: crate::posture::FigureStore,
    /// How fast certificates are being issued.
    pace: parking_lot::Mutex<issued::Pace>,
    /// Rows that are touched, or changed in the like way, in one write: others have their turn in between.
    pub(crate) marks: step::Step<5_000>,
    /// Certificates that are settled in one write.
    settles: step::Step<256>,
}
