//! Keys in PKCS#11 tokens (HSMs, smart cards, SoftHSM2): generated there, never let out.
//!
//! A [`Token`] is found by its label. Sessions are pooled and bounded; a lost token is dropped and
//! taken up again when it returns, and everything in between is a typed error.

mod attributes;
mod config;
mod decipher;
mod fault;
mod module;
mod pool;
mod token;

pub use config::{Pkcs11Config, TokenStatus};
pub(crate) use token::{Token, TokenKey};
