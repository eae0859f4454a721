//! The repository (R12): finding certificates by what is known of them. Pages continue after a key,
//! so that the hundredth page costs what the first does.

use serde::{Deserialize, Serialize, Serializer};
use store::{Row, Value, params};
use x509::Time;

use crate::{Ca, CaError, Result};

/// A certificate as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredCertificate {
    /// The row's number: pages continue after it.
    pub id: i64,
    /// The issuer that signed it.
    pub issuer: String,
    /// INTEGER content octets; hex in JSON.
    #[serde(serialize_with = "as_hex")]
    pub serial: Vec<u8>,
    /// What it is known by; hex in JSON.
    #[serde(serialize_with = "as_hex")]
    pub sha256: [u8; 32],
    /// The profile it was issued under; `ca` for CA certificates that no profile made.
    pub profile: String,
    /// The profile's version.
    pub profile_version: u64,
    /// Its subject, RFC 4514.
    pub subject: String,
    /// Its names, `kind:value`.
    pub names: Vec<String>,
    /// From when it is valid, Unix seconds.
    pub not_before: Time,
    /// Until when, Unix seconds.
    pub not_after: Time,
    /// When it was issued, Unix milliseconds.
    pub issued_at: i64,
    /// The CRL partition it belongs to.
    pub partition: u32,
    /// Who asked.
    pub requester: String,
    /// Where it stands.
    pub state: CertificateState,
    /// When it was revoked or held, Unix seconds.
    pub revoked_at: Option<i64>,
    /// Why, as RFC 5280 §5.3.1 numbers it.
    pub reason: Option<i64>,
    /// The certificate; not in JSON, and empty in lists.
    #[serde(skip)]
    pub der: Vec<u8>,
}

fn as_hex<S: Serializer>(bytes: impl AsRef<[u8]>, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&hex::encode(bytes))
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
    /// Rows before this one: the `next` of the page before.
    pub after: Option<i64>,
    /// At most so many; 100 if absent, never more than 1000.
    pub limit: Option<u32>,
}

/// A page of certificates, the newest first.
#[derive(Clone, Debug, Serialize)]
pub struct CertificatePage {
    /// The rows.
    pub certificates: Vec<StoredCertificate>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<i64>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, c.issuer, c.serial, c.sha256, c.profile, c.profile_version, c.subject, \
             c.names, c.not_before, c.not_after, c.issued_at, c.partition, c.requester, \
             r.reason, r.revoked_at",
            $rest
        )
    };
}

const BY_SHA256: &str = select!(
    ", c.der FROM certificates c \
    LEFT JOIN revocations r ON r.issuer = c.issuer AND r.serial = c.serial WHERE c.sha256 = $1"
);
const BY_SERIAL: &str = select!(
    ", c.der FROM certificates c \
    LEFT JOIN revocations r ON r.issuer = c.issuer AND r.serial = c.serial \
    WHERE c.issuer = $1 AND c.serial = $2"
);
/// A filter that is not given is an empty text or an extreme: one statement serves every
/// combination, walking backwards from the page's key until the page is full.
const PAGE: &str = select!(
    " FROM certificates c \
    LEFT JOIN revocations r ON r.issuer = c.issuer AND r.serial = c.serial \
    WHERE c.id < $1 AND ($2 = '' OR c.profile = $2) AND ($3 = '' OR c.issuer = $3) \
    AND ($4 = '' OR LOWER(c.subject) LIKE $4 ESCAPE '!' OR LOWER(c.names) LIKE $4 ESCAPE '!') \
    AND c.not_after < $5 AND c.not_after >= $6 \
    AND ($7 = '' OR ($7 = 'issued' AND (r.reason IS NULL OR r.reason = 8)) \
        OR ($7 = 'held' AND r.reason = 6) \
        OR ($7 = 'revoked' AND r.reason <> 6 AND r.reason <> 8)) \
    ORDER BY c.id DESC LIMIT $8"
);

const COUNTS: &str = "SELECT issuer, COUNT(*) FROM certificates GROUP BY issuer ORDER BY issuer";

impl Ca {
    /// The certificate with this SHA-256.
    pub async fn certificate(&self, sha256: &[u8; 32]) -> Result<Option<StoredCertificate>> {
        let rows = self.store().look_up(BY_SHA256, params![*sha256]).await?;
        rows.first().map(read_with_der).transpose()
    }

    /// The certificate with this serial number (INTEGER content octets) from this issuer.
    pub async fn certificate_by_serial(
        &self,
        issuer: &str,
        serial: &[u8],
    ) -> Result<Option<StoredCertificate>> {
        let rows = self
            .store()
            .look_up(BY_SERIAL, params![issuer, serial])
            .await?;
        rows.first().map(read_with_der).transpose()
    }

    /// A page of certificates, the newest first.
    pub async fn certificates(&self, filter: &CertificateFilter) -> Result<CertificatePage> {
        let limit = i64::from(filter.limit.unwrap_or(100).clamp(1, 1000));
        let rows = self.store().query(PAGE, page_params(filter, limit)).await?;
        let certificates = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        let full = i64::try_from(certificates.len()).is_ok_and(|found| found == limit);
        let next = certificates.last().filter(|_| full).map(|last| last.id);
        Ok(CertificatePage { certificates, next })
    }

    /// How many certificates each issuer has signed. Reads an index to its end: for reports, not
    /// for hot paths.
    pub async fn certificate_counts(&self) -> Result<Vec<(String, u64)>> {
        let rows = self.store().query(COUNTS, params![]).await?;
        rows.iter()
            .map(|row| Ok((row.text(0)?.to_owned(), row.int(1)?.unsigned_abs())))
            .collect()
    }
}

fn page_params(filter: &CertificateFilter, limit: i64) -> Vec<Value> {
    let contains = filter.contains.as_deref().unwrap_or_default();
    let pattern = if contains.is_empty() {
        String::new()
    } else {
        let escaped = contains
            .to_lowercase()
            .replace('!', "!!")
            .replace('%', "!%")
            .replace('_', "!_");
        format!("%{escaped}%")
    };
    let state = match filter.state {
        None => "",
        Some(CertificateState::Issued) => "issued",
        Some(CertificateState::Held) => "held",
        Some(CertificateState::Revoked) => "revoked",
    };
    params![
        filter.after.unwrap_or(i64::MAX),
        filter.profile.clone().unwrap_or_default(),
        filter.issuer.clone().unwrap_or_default(),
        pattern,
        filter.expires_before.unwrap_or(i64::MAX),
        filter.expires_after.unwrap_or(i64::MIN),
        state,
        limit,
    ]
}

fn read_with_der(row: &Row) -> Result<StoredCertificate> {
    let mut certificate = read(row)?;
    certificate.der = row.blob(15)?.to_vec();
    Ok(certificate)
}

fn read(row: &Row) -> Result<StoredCertificate> {
    let names = row.text(7)?;
    let reason = row.opt_int(13)?;
    let state = match reason {
        None | Some(8) => CertificateState::Issued,
        Some(6) => CertificateState::Held,
        Some(_) => CertificateState::Revoked,
    };
    let ended = state != CertificateState::Issued;
    let sha256 = row.blob(3)?;
    Ok(StoredCertificate {
        id: row.int(0)?,
        issuer: row.text(1)?.to_owned(),
        serial: row.blob(2)?.to_vec(),
        sha256: sha256
            .try_into()
            .map_err(|_| CaError::Damaged("certificates.sha256"))?,
        profile: row.text(4)?.to_owned(),
        profile_version: row.int(5)?.unsigned_abs(),
        subject: row.text(6)?.to_owned(),
        names: names.lines().map(str::to_owned).collect(),
        not_before: Time(row.int(8)?),
        not_after: Time(row.int(9)?),
        issued_at: row.int(10)?,
        partition: u32::try_from(row.int(11)?).unwrap_or(u32::MAX),
        requester: row.text(12)?.to_owned(),
        state,
        revoked_at: row.opt_int(14)?.filter(|_| ended),
        reason: reason.filter(|_| ended),
        der: Vec::new(),
    })
}
