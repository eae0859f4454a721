//! The registration authority of an authority: the RSA key and certificate with which Ward talks to devices over SCEP
//! and CMP. The issuer's own key opens no envelopes and signs no messages, so it may live in slow hardware and be
//! elliptic.

use std::sync::Arc;

use audit::Timestamp;
use keys::Signer;
use x509::Certificate;

use crate::{Ca, CaError, Result};

/// The registration authority of one authority.
#[derive(Debug)]
pub struct Ra {
    pub authority: String,
    /// What devices encrypt to and whose signatures they verify.
    pub certificate: Certificate,
    /// The issuer's certificate and what is above it, the root left out.
    pub chain: Vec<Certificate>,
    pub signer: Signer,
    /// Earlier ones that have not ended: devices keep the certificate that they once fetched.
    pub former: Vec<RaKey>,
}

/// A key of a registration authority, with its certificate.
#[derive(Clone, Debug)]
pub struct RaKey {
    pub certificate: Certificate,
    pub signer: Signer,
}

impl Ca {
    /// The registration authority of an authority; its key and certificate are made when they are first asked for,
    /// and renewed in good time.
    pub async fn registration_authority(
        &self,
        authority: &str,
        _now: Timestamp,
    ) -> Result<Arc<Ra>> {
        Err(CaError::not_found("registration authority", authority))
    }
}
