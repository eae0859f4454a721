//! The PHI data-flow map (R16): systems, what they exchange, and which certificate protects each exchange.

mod protects;

pub use protects::{MapKind, Protects, Side};
