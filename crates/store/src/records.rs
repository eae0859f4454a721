//! Records whose every version is kept, with the interval in which it was true, so that any view
//! can be asked as of any instant (R52).
//!
//! A version is true from `valid_from` up to, not including, `valid_to`; the current one has no
//! end. The intervals of a record never overlap, and never run backwards even when the clock
//! does: a version cannot end before it began.

use audit::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Result, Row, Store, StoreError, Write, params};

/// A version of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What sort of thing it is: "profile", "authority", …
    pub kind: String,
    /// Which one.
    pub id: String,
    /// 1, 2, 3 …; a record that was removed and made anew counts on.
    pub version: u64,
    /// From when it was true.
    pub valid_from: Timestamp,
    /// Until when; `None` while it is.
    pub valid_to: Option<Timestamp>,
    /// JSON.
    pub body: String,
}

impl Record {
    /// Reads the body.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.body).map_err(|error| {
            let (kind, id, version) = (&self.kind, &self.id, self.version);
            StoreError::Value(format!("{kind} {id} version {version}: {error}"))
        })
    }

    fn read(row: &Row) -> Result<Self> {
        Ok(Record {
            kind: row.text(0)?.to_owned(),
            id: row.text(1)?.to_owned(),
            version: row.count(2)?,
            valid_from: Timestamp(row.int(3)?),
            valid_to: row.opt_int(4)?.map(Timestamp),
            body: row.text(5)?.to_owned(),
        })
    }
}

const CURRENT: &str = "SELECT kind, id, version, valid_from, valid_to, body FROM records \
    WHERE kind = $1 AND id = $2 AND valid_to IS NULL";
const AS_OF: &str = "SELECT kind, id, version, valid_from, valid_to, body FROM records \
    WHERE kind = $1 AND id = $2 AND valid_from <= $3 AND (valid_to IS NULL OR valid_to > $3)";
const ALL_CURRENT: &str = "SELECT kind, id, version, valid_from, valid_to, body FROM records \
    WHERE kind = $1 AND valid_to IS NULL ORDER BY id";
const ALL_AS_OF: &str = "SELECT kind, id, version, valid_from, valid_to, body FROM records \
    WHERE kind = $1 AND valid_from <= $2 AND (valid_to IS NULL OR valid_to > $2) ORDER BY id";
const VERSIONS: &str = "SELECT kind, id, version, valid_from, valid_to, body FROM records \
    WHERE kind = $1 AND id = $2 ORDER BY version";

const CLOSE: &str = "UPDATE records \
    SET valid_to = CASE WHEN valid_from > $4 THEN valid_from ELSE $4 END \
    WHERE kind = $1 AND id = $2 AND version = $3 AND valid_to IS NULL";
const FOLLOW: &str = "INSERT INTO records(kind, id, version, valid_from, valid_to, body) \
    SELECT kind, id, version + 1, valid_to, NULL, $4 FROM records \
    WHERE kind = $1 AND id = $2 AND version = $3";
const BEGIN: &str = "INSERT INTO records(kind, id, version, valid_from, valid_to, body) \
    SELECT $1, $2, COALESCE(MAX(version), 0) + 1, \
        CASE WHEN MAX(valid_to) > $3 THEN MAX(valid_to) ELSE CAST($3 AS BIGINT) END, NULL, $4 \
    FROM records WHERE kind = $1 AND id = $2 HAVING COUNT(*) = COUNT(valid_to)";

impl Store {
    /// The current version of a record.
    pub async fn record(&self, kind: &str, id: &str) -> Result<Option<Record>> {
        let rows = self.look_up(CURRENT, params![kind, id]).await?;
        rows.first().map(Record::read).transpose()
    }

    /// The version that was true at `at`.
    pub async fn record_as_of(
        &self,
        kind: &str,
        id: &str,
        at: Timestamp,
    ) -> Result<Option<Record>> {
        self.one(AS_OF, params![kind, id, at], Record::read).await
    }

    /// The current version of every record of a kind, by id.
    pub async fn records(&self, kind: &str) -> Result<Vec<Record>> {
        self.all(ALL_CURRENT, params![kind], Record::read).await
    }

    /// The records of a kind as they were at `at`, by id.
    pub async fn records_as_of(&self, kind: &str, at: Timestamp) -> Result<Vec<Record>> {
        self.all(ALL_AS_OF, params![kind, at], Record::read).await
    }

    /// Every version of a record, the oldest first.
    pub async fn record_versions(&self, kind: &str, id: &str) -> Result<Vec<Record>> {
        self.all(VERSIONS, params![kind, id], Record::read).await
    }
}

impl Write {
    /// Adds a version to a record. `expected_version` is the one that the caller read, and 0 for
    /// a record that must not be there; if it is another by now, the write is a conflict.
    pub fn put_record(
        self,
        kind: &str,
        id: &str,
        expected_version: u64,
        body: &impl Serialize,
        now: Timestamp,
    ) -> Result<Self> {
        let body = serde_json::to_string(body)
            .map_err(|error| StoreError::Value(format!("{kind} {id}: {error}")))?;
        if expected_version == 0 {
            let there = "a record with this name is there already";
            return Ok(self.run_expecting(1, BEGIN, params![kind, id, now, body], there));
        }
        let version = expected_version.cast_signed();
        Ok(self
            .remove_record(kind, id, expected_version, now)
            .run(FOLLOW, params![kind, id, version, body]))
    }

    /// Ends the current version of a record; its history stays.
    #[must_use]
    pub fn remove_record(
        self,
        kind: &str,
        id: &str,
        expected_version: u64,
        now: Timestamp,
    ) -> Self {
        let version = expected_version.cast_signed();
        self.run_expecting(
            1,
            CLOSE,
            params![kind, id, version, now],
            "the record has changed since it was read",
        )
    }
}
