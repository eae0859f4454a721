//! The only room where a private key is touched (R02).
//!
//! A key lives either in software, as PKCS#8 sealed under a key-encrypting key, or in a PKCS#11
//! token that never lets it out. Callers see a [`KeyRecord`] (what the database keeps), a
//! [`Signer`] (bytes in, signature out) and a [`Keyring`] that turns one into the other.
//! Secrets have no `Debug` and no `Display`, and their memory is wiped when it is released.
//! Nothing here decides *what* is signed, reads a wall clock or knows a database.

mod decipher;
mod error;
mod kek;
mod keyring;
pub mod offline;
mod pkcs11;
mod record;
mod seal;
mod secret_file;
mod signer;
mod software;

pub use error::KeyError;
pub use kek::{KekSource, KekStatus};
pub use keyring::{Keyring, KeyringConfig, LabelledSecret, generate_for_subscriber};
pub use pkcs11::{Pkcs11Config, TokenStatus};
pub use record::{Backend, KeyId, KeyRecord, KeyUse, SealedKey, SealedSecret};
pub use signer::Signer;
