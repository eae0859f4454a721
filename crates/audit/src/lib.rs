//! The audit log: what an event is, the Merkle tree that its bytes become leaves of, the signed
//! checkpoints that fix the tree, and the verifier that an outsider can run (R36).
//!
//! The room is pure: it opens no database and no socket, reads no clock and holds no private key.
//! Signing is a closure that the caller passes in; time is an argument; only `export` touches
//! files. That is what lets the verifier be built and trusted on its own.
//!
//! Formats are public ones: RFC 6962 §2.1 for the tree and its proofs, C2SP `tlog-tiles`,
//! `tlog-checkpoint` and `signed-note` for what is published.

mod error;
mod event;
pub mod export;
mod folder;
pub mod merkle;
pub mod note;
pub mod proof;
mod reservations;
pub mod tile;
mod time;
pub mod verify;

pub use error::Error;
pub use event::{Actor, ActorKind, Event, MAX_BODY, Object, Outcome, Sealed};
pub use time::Timestamp;

/// A SHA-256 value: of a leaf, of a node, or of an artefact.
pub type Hash = [u8; 32];
