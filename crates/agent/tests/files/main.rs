//! Certificates in files (R16): stores that OpenSSL and keytool made, configurations as people write them, folders made
//! to hurt.

#![cfg(test)]

mod configuration;
mod made;
mod stores;
mod walk;
