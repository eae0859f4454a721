//! What Ward does out in the network, from wherever it stands: in the server, in a command, or in an agent inside
//! a segment.
//!
//! Two things: proving that somebody controls an identifier ([`control`]), and finding certificates
//! ([`observation`], [`tls`], [`scan`], [`capture`], [`files`]), also where only a [`relay`] can look. No database, no
//! policy: what is allowed comes in as a value, what was found goes out as one.

pub mod capture;
pub mod control;
mod deadline;
mod dns;
pub mod files;
pub mod observation;
pub mod relay;
pub mod scan;
pub mod tls;
