//! How machines ask for certificates. ACME today; the room has no listener, reads no clock and fetches nothing: the
//! server hands it requests and the time, and a function that proves control of a name.

pub mod acme;
mod schema;

pub use acme::{Acme, AcmeError, Pruned, Reply, Request, Validate};
pub use schema::MIGRATIONS;
