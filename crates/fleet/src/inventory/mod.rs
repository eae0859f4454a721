//! The inventory: every certificate that anybody issued, where it lives, whose it is (R16, R17, R21).

mod facts;

pub use facts::{Assigned, Environment, Facts, PlaceFacts};
