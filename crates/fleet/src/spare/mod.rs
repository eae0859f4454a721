//! Spares (R24): certificates with keys that are made ahead for devices that must not wait. A spare's PKCS#12 is under a
//! random password, and the password is sealed apart under the key-encrypting key; two people release it, once, to a named
//! technician; what nobody has used by its date is revoked.
//!
//! Neither half opens anything alone: the PKCS#12 is erased when the spare ends, so that the sealed passwords, whose
//! versions are kept like those of all records, open nothing that still exists.

mod prepare;
mod release;

use std::str::FromStr;

use audit::Timestamp;
use serde::Serialize;
use store::{Row, Write, params};

use crate::{Fleet, FleetError, Result, UnknownWord};

pub use prepare::NewSpare;
pub use release::{ReleasedSpare, is_release};

/// Where a spare stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpareState {
    /// Its certificate is issued, its key not yet put away.
    Preparing,
    /// Waits to be needed.
    Prepared,
    /// Somebody has it.
    Released,
    /// Revoked or expired.
    Ended,
}

impl SpareState {
    /// As it is stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            SpareState::Preparing => "preparing",
            SpareState::Prepared => "prepared",
            SpareState::Released => "released",
            SpareState::Ended => "ended",
        }
    }
}

impl FromStr for SpareState {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let all = [
            SpareState::Preparing,
            SpareState::Prepared,
            SpareState::Released,
            SpareState::Ended,
        ];
        let found = all.into_iter().find(|state| state.name() == text);
        found.ok_or_else(|| UnknownWord {
            text: text.chars().take(40).collect(),
            what: "state of a spare",
            accepted: all.map(SpareState::name).join(", "),
        })
    }
}

/// A spare, without what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spare {
    /// `s` and sixteen hex digits.
    pub id: String,
    pub asset: String,
    pub state: SpareState,
    pub profile: String,
    /// Of its certificate, hex.
    pub sha256: String,
    /// Unix milliseconds.
    pub prepared_at: i64,
    pub prepared_by: String,
    /// When it is revoked unless somebody has it by then, Unix milliseconds.
    pub unused_after: i64,
    /// The request to release it.
    pub request: Option<String>,
    /// To whom.
    pub technician: Option<String>,
    pub released_at: Option<i64>,
    pub released_by: Option<String>,
    pub ended: Option<i64>,
    pub note: String,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, asset, state, profile, sha256, prepared_at, prepared_by, unused_after, request, technician, \
             released_at, released_by, ended, note FROM spares ",
            $rest
        )
    };
}

const BY_ID: &str = select!("WHERE id = $1");
/// A filter that is not given is an empty text.
const LIST: &str = select!(
    "WHERE ($1 = '' OR asset = $1) AND ($2 = '' OR state = $2) ORDER BY prepared_at DESC, id LIMIT 1000"
);
const ERASE: &str =
    "UPDATE spares SET state = 'ended', p12 = NULL, ended = $2 WHERE id = $1 AND ended IS NULL";

/// What the holdings of spares have for an endpoint: each its own, so that none supersedes another.
const ENDPOINT: &str = "spare/";

impl Fleet {
    /// A spare.
    pub async fn spare(&self, id: &str) -> Result<Spare> {
        let rows = self.store().look_up(BY_ID, params![id]).await?;
        match rows.first() {
            Some(row) => read(row),
            None => Err(FleetError::not_found("spare", id)),
        }
    }

    /// Spares, the newest first: of an asset, in a state, or all.
    pub async fn spares(
        &self,
        asset: Option<&str>,
        state: Option<SpareState>,
    ) -> Result<Vec<Spare>> {
        let state = state.map(SpareState::name).unwrap_or_default();
        let params = params![asset.unwrap_or_default(), state];
        let rows = self.store().query(LIST, params).await?;
        rows.iter().map(read).collect()
    }
}

/// A spare whose certificate ends, and the version of its sealed password if that is still there.
#[derive(Clone)]
pub(crate) struct Erased {
    id: String,
    secret: Option<u64>,
}

/// Which spare a holding is, if it is one.
pub(crate) async fn erased(fleet: &Fleet, endpoint: &str) -> Result<Option<Erased>> {
    let Some(id) = endpoint.strip_prefix(ENDPOINT) else {
        return Ok(None);
    };
    Ok(Some(Erased {
        id: id.to_owned(),
        secret: sealed_version(fleet, id).await?,
    }))
}

/// Adds to a write that what is in a spare is no more.
pub(crate) fn erase(write: Write, erased: Option<Erased>, now: Timestamp) -> Write {
    let Some(Erased { id, secret }) = erased else {
        return write;
    };
    let write = write.run(ERASE, params![id.as_str(), now]);
    match secret {
        Some(version) => write.remove_record(ca::SECRET_RECORDS, &label(&id), version, now),
        None => write,
    }
}

async fn sealed_version(fleet: &Fleet, id: &str) -> Result<Option<u64>> {
    let record = fleet.store().record(ca::SECRET_RECORDS, &label(id)).await?;
    Ok(record.map(|record| record.version))
}

fn label(id: &str) -> String {
    format!("{ENDPOINT}{id}")
}

fn read(row: &Row) -> Result<Spare> {
    let state = row.text(2)?.parse();
    let state = state.map_err(|_| FleetError::Damaged("spares.state"))?;
    let text = |column| Ok::<_, FleetError>(row.opt_text(column)?.map(str::to_owned));
    Ok(Spare {
        id: row.text(0)?.to_owned(),
        asset: row.text(1)?.to_owned(),
        state,
        profile: row.text(3)?.to_owned(),
        sha256: hex::encode(row.blob(4)?),
        prepared_at: row.int(5)?,
        prepared_by: row.text(6)?.to_owned(),
        unused_after: row.int(7)?,
        request: text(8)?,
        technician: text(9)?,
        released_at: row.opt_int(10)?,
        released_by: text(11)?,
        ended: row.opt_int(12)?,
        note: row.text(13)?.to_owned(),
    })
}
