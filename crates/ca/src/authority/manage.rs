//! What can be done to authorities: create, rotate, cross-sign, retire.

use access::Permit;
use audit::Timestamp;
use keys::Backend;
use x509::{Certificate, KeyAlgorithm};

use crate::authority::{Constraints, Issuer};
use crate::init::{AuthorityAnswers, Carry};
use crate::profile::Duration;
use crate::{Ca, CaError, Result};

/// Where the key that signs a new CA certificate comes from.
#[derive(Clone, Debug)]
pub enum ParentKey {
    /// The parent's key is in the keyring.
    Online,
    /// The parent's key was carried away and is back for this.
    Carried(Carry),
}

/// A certificate for somebody else's CA, or for our own new root by the old one.
#[derive(Clone, Debug)]
pub struct CrossSign {
    /// The certificate whose subject and key are to be certified.
    pub subject: Certificate,
    /// What it may name.
    pub constraints: Constraints,
    /// How many CAs may stand below it.
    pub path_length: u32,
    /// How long.
    pub validity: Duration,
}

impl Ca {
    /// Makes a new authority below `parent`.
    pub async fn create_authority(
        &self,
        permit: Permit,
        parent: &str,
        parent_key: ParentKey,
        answers: &AuthorityAnswers,
        now: Timestamp,
    ) -> Result<Issuer> {
        let _ = (permit, parent, parent_key, answers, now);
        Err(CaError::Internal("authorities are not built yet"))
    }

    /// Makes a new generation of an authority: new key, new certificate, beside the old one, which
    /// keeps its status services. Nothing that was issued is signed again.
    pub async fn rotate_authority(
        &self,
        permit: Permit,
        name: &str,
        parent_key: ParentKey,
        algorithm: Option<KeyAlgorithm>,
        backend: Option<Backend>,
        now: Timestamp,
    ) -> Result<Issuer> {
        let _ = (permit, name, parent_key, algorithm, backend, now);
        Err(CaError::Internal("authorities are not built yet"))
    }

    /// Certifies another CA's key under constraints.
    pub async fn cross_sign(
        &self,
        permit: Permit,
        by: &str,
        key: ParentKey,
        cross: &CrossSign,
        now: Timestamp,
    ) -> Result<Certificate> {
        let _ = (permit, by, key, cross, now);
        Err(CaError::Internal("authorities are not built yet"))
    }

    /// Ends issuance by an authority; its status goes on.
    pub async fn retire_authority(
        &self,
        permit: Permit,
        name: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<()> {
        let _ = (permit, name, why, now);
        Err(CaError::Internal("authorities are not built yet"))
    }
}
