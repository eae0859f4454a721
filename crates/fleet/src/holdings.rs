//! Holdings: which certificate an asset was given, through which endpoint, and when Ward has to revoke it.
//!
//! A holding is written in the write that makes its certificate durable ([`ca::Along`]), so that an asset that is
//! retired meanwhile gets nothing: the row of the asset is counted up only while it is not retired.

use audit::Timestamp;
use ca::CertificateState;
use serde::Serialize;
use store::{Row, Write, params};

use crate::{Fleet, Result};

/// A certificate that is about to be an asset's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHolding {
    /// The asset's id.
    pub asset: String,
    /// The endpoint it came through. An earlier holding of the same asset and endpoint is superseded.
    pub endpoint: String,
    /// "est", "scep", "cmp", "api", …
    pub protocol: String,
    pub held_at: Timestamp,
    /// What becomes of the earlier one.
    pub previous: Previous,
}

/// What becomes of a certificate when its asset has a newer one through the same endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Previous {
    /// It is good until it expires.
    Keep,
    RevokeAtOnce,
    /// It is revoked after so many seconds, so that whoever still uses it can change over.
    RevokeAfter(i64),
}

impl Previous {
    fn due(self, at: Timestamp) -> Option<i64> {
        match self {
            Previous::Keep => None,
            Previous::RevokeAtOnce => Some(at.0),
            Previous::RevokeAfter(seconds) => {
                Some(at.0.saturating_add(seconds.saturating_mul(1000)))
            }
        }
    }
}

/// A certificate that an asset was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holding {
    pub asset: String,
    /// Hex.
    pub sha256: String,
    pub issuer: String,
    /// Hex.
    pub serial: String,
    pub profile: String,
    pub endpoint: String,
    pub protocol: String,
    /// Unix seconds.
    pub not_before: i64,
    pub not_after: i64,
    /// Unix milliseconds.
    pub issued_at: i64,
    pub superseded_at: Option<i64>,
    pub superseded_by: Option<String>,
    /// When it will be revoked, Unix milliseconds, and why.
    pub revoke_due: Option<i64>,
    pub revoke_reason: Option<String>,
    /// When it was revoked or found to be over, as far as the register knows.
    pub ended: Option<i64>,
    /// What its issuer says of it.
    pub state: CertificateState,
    /// Unix seconds.
    pub revoked_at: Option<i64>,
}

const COUNT: &str =
    "UPDATE assets SET holdings = holdings + 1 WHERE id = $1 AND state <> 'retired'";
const RETIRED: &str = "the asset is not in the register, or was retired meanwhile";
const SUPERSEDE: &str = "UPDATE holdings SET superseded_at = $3, superseded_by = $4, \
    revoke_due = CASE WHEN CAST($5 AS BIGINT) IS NULL OR revoke_due < $5 THEN revoke_due ELSE $5 END, \
    revoke_reason = CASE WHEN CAST($5 AS BIGINT) IS NULL THEN revoke_reason ELSE 'superseded' END \
    WHERE asset = $1 AND endpoint = $2 AND superseded_at IS NULL AND ended IS NULL";
const HOLD: &str =
    "INSERT INTO holdings(sha256, asset, endpoint, protocol, held_at) VALUES($1, $2, $3, $4, $5)";

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT h.asset, h.sha256, c.issuer, c.serial, c.profile, h.endpoint, h.protocol, c.not_before, \
             c.not_after, c.issued_at, h.superseded_at, h.superseded_by, h.revoke_due, h.revoke_reason, h.ended, \
             r.reason, r.revoked_at FROM holdings h JOIN certificates c ON c.sha256 = h.sha256 \
             LEFT JOIN revocations r ON r.issuer = c.issuer AND r.serial = c.serial ",
            $rest
        )
    };
}

const OF_ASSET: &str = select!("WHERE h.asset = $1 ORDER BY h.held_at DESC, c.id DESC");
/// 8 is removeFromCRL: a hold that was released. 6 is a hold, which has not ended.
const LIVE: &str = select!(
    "WHERE h.asset = $1 AND h.ended IS NULL AND c.not_after >= $2 \
    AND (r.reason IS NULL OR r.reason = 8 OR r.reason = 6) ORDER BY h.held_at DESC, c.id DESC"
);
const SINCE: &str = "SELECT held_at FROM holdings WHERE asset = $1 AND held_at > $3 AND endpoint = $2 \
    ORDER BY held_at DESC LIMIT $4";
const BY_SHA256: &str = select!("WHERE h.sha256 = $1");

impl Fleet {
    /// Adds to `write`, which makes the certificate with this SHA-256 durable, that an asset holds it. The write is a
    /// conflict if the asset is retired by then.
    pub fn hold(write: Write, new: &NewHolding, sha256: &[u8; 32]) -> store::Result<Write> {
        let at = new.held_at;
        let superseded = params![
            new.asset.as_str(),
            new.endpoint.as_str(),
            at,
            *sha256,
            new.previous.due(at)
        ];
        let held = params![
            *sha256,
            new.asset.as_str(),
            new.endpoint.as_str(),
            new.protocol.as_str(),
            at
        ];
        Ok(write
            .run_expecting(1, COUNT, params![new.asset.as_str()], RETIRED)
            .run(SUPERSEDE, superseded)
            .run(HOLD, held))
    }

    /// What an asset was given, the newest first.
    pub async fn holdings(&self, asset: &str) -> Result<Vec<Holding>> {
        let rows = self.store().query(OF_ASSET, params![asset]).await?;
        rows.iter().map(read).collect()
    }

    /// What an asset holds that is neither revoked nor expired, the newest first.
    pub async fn live_holdings(&self, asset: &str, now: Timestamp) -> Result<Vec<Holding>> {
        let params = params![asset, now.seconds()];
        let rows = self.store().look_up(LIVE, params).await?;
        rows.iter().map(read).collect()
    }

    /// When an asset was given certificates through an endpoint since a moment, the newest first, at most so many.
    pub async fn held_since(
        &self,
        asset: &str,
        endpoint: &str,
        since: Timestamp,
        most: u32,
    ) -> Result<Vec<i64>> {
        let params = params![asset, endpoint, since, i64::from(most)];
        let rows = self.store().look_up(SINCE, params).await?;
        Ok(rows
            .iter()
            .map(|row| row.int(0))
            .collect::<store::Result<_>>()?)
    }

    /// Who holds a certificate, and how they came by it; `None` if it is no asset's.
    pub async fn holding(&self, sha256: &[u8; 32]) -> Result<Option<Holding>> {
        let rows = self.store().look_up(BY_SHA256, params![*sha256]).await?;
        rows.first().map(read).transpose()
    }
}

fn read(row: &Row) -> Result<Holding> {
    let state = match row.opt_int(15)? {
        None | Some(8) => CertificateState::Issued,
        Some(6) => CertificateState::Held,
        Some(_) => CertificateState::Revoked,
    };
    Ok(Holding {
        asset: row.text(0)?.to_owned(),
        sha256: hex::encode(row.blob(1)?),
        issuer: row.text(2)?.to_owned(),
        serial: hex::encode(row.blob(3)?),
        profile: row.text(4)?.to_owned(),
        endpoint: row.text(5)?.to_owned(),
        protocol: row.text(6)?.to_owned(),
        not_before: row.int(7)?,
        not_after: row.int(8)?,
        issued_at: row.int(9)?,
        superseded_at: row.opt_int(10)?,
        superseded_by: row.opt_blob(11)?.map(hex::encode),
        revoke_due: row.opt_int(12)?,
        revoke_reason: row.opt_text(13)?.map(str::to_owned),
        ended: row.opt_int(14)?,
        state,
        revoked_at: row
            .opt_int(16)?
            .filter(|_| state != CertificateState::Issued),
    })
}
