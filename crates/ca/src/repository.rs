//! The repository (R12): finding certificates by what is known of them.

use serde::{Deserialize, Serialize};

use crate::{Ca, CaError, Result};

/// A certificate as the repository lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CertificateRow {
    /// The row's number: pages continue after it.
    pub id: i64,
    /// The issuer that signed it.
    pub issuer: String,
    /// Serial number, hex of the INTEGER content octets.
    pub serial: String,
    /// SHA-256 of the DER, hex.
    pub sha256: String,
    /// The profile it was issued under.
    pub profile: String,
    /// The profile's version.
    pub profile_version: u64,
    /// Its subject, RFC 4514.
    pub subject: String,
    /// Its names, `kind:value`.
    pub names: Vec<String>,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
    /// Unix milliseconds.
    pub issued_at: i64,
    /// The CRL shard it belongs to.
    pub shard: i64,
    /// Who asked.
    pub requester: String,
    /// Where it stands.
    pub state: CertificateState,
    /// When it was revoked or held, Unix milliseconds.
    pub revoked_at: Option<i64>,
    /// Why, as RFC 5280 §5.3.1 numbers it.
    pub reason: Option<i64>,
}

/// Where a certificate stands; expiry is a question of the time and answered by the caller's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateState {
    /// Good, or expired.
    Issued,
    /// Revoked for good.
    Revoked,
    /// On hold.
    Held,
}

/// What to list. Every field narrows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CertificateFilter {
    /// This profile.
    pub profile: Option<String>,
    /// This issuer.
    pub issuer: Option<String>,
    /// Subject or a name contains this, case aside.
    pub contains: Option<String>,
    /// Ends before this, Unix seconds.
    pub expires_before: Option<i64>,
    /// Ends at or after this, Unix seconds.
    pub expires_after: Option<i64>,
    /// Stands so.
    pub state: Option<CertificateState>,
    /// Rows after this one: the `next` of the page before.
    pub after: Option<i64>,
    /// At most so many; 100 if absent, never more than 1000.
    pub limit: Option<u32>,
}

/// A page of certificates, the newest first.
#[derive(Clone, Debug, Serialize)]
pub struct CertificatePage {
    /// The rows.
    pub certificates: Vec<CertificateRow>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<i64>,
}

impl Ca {
    /// The certificate with this SHA-256, and its DER.
    pub async fn certificate(
        &self,
        sha256: &[u8; 32],
    ) -> Result<Option<(CertificateRow, Vec<u8>)>> {
        let _ = sha256;
        Err(CaError::Internal("the repository is not built yet"))
    }

    /// The certificate with this serial number (INTEGER content octets) from this issuer.
    pub async fn certificate_by_serial(
        &self,
        issuer: &str,
        serial: &[u8],
    ) -> Result<Option<(CertificateRow, Vec<u8>)>> {
        let _ = (issuer, serial);
        Err(CaError::Internal("the repository is not built yet"))
    }

    /// A page of certificates.
    pub async fn certificates(&self, filter: &CertificateFilter) -> Result<CertificatePage> {
        let _ = filter;
        Err(CaError::Internal("the repository is not built yet"))
    }
}
