//! How machines ask for certificates: ACME for hosts; EST, SCEP and CMP for devices. The room has no listener, reads no
//! clock and fetches nothing: the server hands it requests and the time, and functions that prove control of a name or
//! ask a webhook.

pub mod acme;
mod desk;
pub mod device;
mod random;
mod schema;
mod secret;

pub use acme::{Acme, AcmeError, Pruned, Reply, Request, Validate};
pub use schema::MIGRATIONS;
