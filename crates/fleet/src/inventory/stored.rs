//! The rows of the inventory as they are read before a batch is written, and the statements that write it.

use std::collections::{BTreeSet, HashMap};

use store::{Row, Store, Value, params};

use super::ingest::Wanted;
use super::spot::State;
use crate::Result;

pub(crate) const ADD_CERTIFICATE: &str = "INSERT INTO inventory(id, sha256, der, spki, subject, issuer, serial, names, \
    key, key_bits, signature, not_before, not_after, is_ca, self_signed, public, authority, recorded, revoked, first_seen, \
    last_seen, how, places, tags, criticality, phi, patient_facing, risk, findings, touched, settled) \
    VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, \
    $24, $25, $26, $27, $28, $29, $30, $31)";
pub(crate) const ADD_NAME: &str =
    "INSERT INTO inventory_names(name, certificate) VALUES($1, $2) ON CONFLICT DO NOTHING";
pub(crate) const CHANGE_CERTIFICATE: &str = "UPDATE inventory SET first_seen = $2, last_seen = $3, how = $4, \
    recorded = $5, authority = $6, revoked = $7, touched = $8 WHERE id = $1";
pub(crate) const SEE_CERTIFICATE: &str = "UPDATE inventory SET last_seen = $2 WHERE id = $1";
pub(crate) const TOUCH_CERTIFICATE: &str = "UPDATE inventory SET touched = $2 WHERE id = $1";

pub(crate) const ADD_PLACE: &str = "INSERT INTO places(id, place, kind, address, ip, port, sni, starttls, host, path, alias, \
    segment, certificate, chain, outcome, detail, tls, file, first_seen, last_seen, changed_at, gone, seen_by, touched) \
    VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)";
pub(crate) const CHANGE_PLACE: &str = "UPDATE places SET certificate = $2, chain = $3, outcome = $4, detail = $5, \
    tls = $6, file = $7, first_seen = $8, last_seen = $9, changed_at = $10, gone = $11, seen_by = $12, touched = $13 \
    WHERE id = $1";
pub(crate) const SEE_PLACE: &str =
    "UPDATE places SET first_seen = $2, last_seen = $3, seen_by = $4 WHERE id = $1";

pub(crate) const ADD_HISTORY: &str = "INSERT INTO place_history(place, certificate, first_seen, last_seen, replaced_at) \
    VALUES($1, $2, $3, $4, $5)";
pub(crate) const ADD_EARLIER: &str = "INSERT INTO place_history(place, certificate, first_seen, last_seen, replaced_at) \
    VALUES($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
pub(crate) const SEE_HISTORY: &str =
    "UPDATE place_history SET last_seen = $2 WHERE place = $1 AND replaced_at IS NULL";
pub(crate) const CLOSE_HISTORY: &str = "UPDATE place_history SET last_seen = $2, replaced_at = $3 WHERE place = $1 AND replaced_at IS NULL";

/// Any number of keys, for [`many`].
pub(crate) fn keys() -> &'static str {
    "$*"
}

/// Asks for many keys at once.
pub(crate) async fn many(
    store: &Store,
    sql: &'static str,
    keys: impl Iterator<Item = Value>,
) -> Result<Vec<Row>> {
    Ok(store.find(sql, keys.collect()).await?)
}

const KNOWN_CERTIFICATES: &str = "SELECT sha256, id, first_seen, last_seen, how, recorded, authority, revoked \
    FROM inventory WHERE sha256 IN ($*)";
const KNOWN_PLACES: &str = "SELECT place, id, certificate, chain, outcome, detail, tls, file, gone, first_seen, last_seen, \
    changed_at, seen_by, touched FROM places WHERE place IN ($*)";

/// A certificate that is in the inventory.
#[derive(Clone, Debug)]
pub(crate) struct KnownCertificate {
    pub(crate) id: i64,
    first_seen: i64,
    last_seen: i64,
    how: String,
    recorded: bool,
    authority: Option<String>,
    revoked: Option<i64>,
}

/// What seeing it again changes.
pub(crate) struct Update {
    pub(crate) first_seen: i64,
    pub(crate) last_seen: i64,
    how: String,
    recorded: bool,
    authority: Option<String>,
    revoked: Option<i64>,
    /// More than when it was last seen.
    pub(crate) is_more: bool,
}

impl Update {
    pub(crate) fn row(&self, id: i64, touched: i64) -> Vec<Value> {
        params![
            id,
            self.first_seen,
            self.last_seen,
            self.how.as_str(),
            self.recorded,
            self.authority.clone(),
            self.revoked,
            touched
        ]
    }
}

impl KnownCertificate {
    pub(crate) fn seen(&self, wanted: &Wanted<'_>) -> Option<Update> {
        let mut how: BTreeSet<&str> = self.how.split(',').collect();
        how.extend(wanted.how.iter().copied());
        let how: Vec<&str> = how.into_iter().collect();
        let (authority, revoked) = match &wanted.recorded {
            Some((authority, revoked)) => (Some(authority.clone()), *revoked),
            None => (self.authority.clone(), self.revoked),
        };
        let mut update = Update {
            first_seen: self.first_seen.min(wanted.first),
            last_seen: self.last_seen.max(wanted.last),
            how: how.join(","),
            recorded: self.recorded || wanted.recorded.is_some(),
            authority,
            revoked,
            is_more: false,
        };
        update.is_more = update.first_seen != self.first_seen
            || update.how != self.how
            || update.recorded != self.recorded
            || update.authority != self.authority
            || update.revoked != self.revoked;
        (update.is_more || update.last_seen != self.last_seen).then_some(update)
    }
}

pub(crate) async fn known_certificates(
    store: &Store,
    keys: &[[u8; 32]],
) -> Result<HashMap<[u8; 32], KnownCertificate>> {
    let keys = keys.iter().map(|sha256| Value::from(*sha256));
    let rows = many(store, KNOWN_CERTIFICATES, keys).await?;
    let mut known = HashMap::with_capacity(rows.len());
    for row in rows {
        let Ok(sha256) = row.blob(0)?.try_into() else {
            continue;
        };
        let certificate = KnownCertificate {
            id: row.int(1)?,
            first_seen: row.int(2)?,
            last_seen: row.int(3)?,
            how: row.text(4)?.to_owned(),
            recorded: row.int(5)? != 0,
            authority: row.opt_text(6)?.map(str::to_owned),
            revoked: row.opt_int(7)?,
        };
        known.insert(sha256, certificate);
    }
    Ok(known)
}

/// A place that is in the inventory.
#[derive(Clone, Debug)]
pub(crate) struct KnownPlace {
    pub(crate) id: i64,
    pub(crate) state: State,
    pub(crate) first_seen: i64,
    pub(crate) last_seen: i64,
    pub(crate) changed_at: i64,
    pub(crate) seen_by: String,
    pub(crate) touched: i64,
}

pub(crate) async fn known_places(
    store: &Store,
    places: &[&str],
) -> Result<HashMap<String, KnownPlace>> {
    let keys = places.iter().map(|place| Value::from(*place));
    let rows = many(store, KNOWN_PLACES, keys).await?;
    let mut known = HashMap::with_capacity(rows.len());
    for row in rows {
        let place = KnownPlace {
            id: row.int(1)?,
            state: State {
                certificate: row.opt_int(2)?,
                chain: row.blob(3)?.to_vec(),
                outcome: (row.text(4)?.to_owned(), row.text(5)?.to_owned()),
                tls: parsed(row.opt_text(6)?),
                file: parsed(row.opt_text(7)?),
                gone: row.opt_int(8)?,
            },
            first_seen: row.int(9)?,
            last_seen: row.int(10)?,
            changed_at: row.int(11)?,
            seen_by: row.text(12)?.to_owned(),
            touched: row.int(13)?,
        };
        known.insert(row.text(0)?.to_owned(), place);
    }
    Ok(known)
}

/// JSON of this room's own, or of an older form that is not known any more: then nobody has looked.
pub(crate) fn parsed<T: serde::de::DeserializeOwned>(text: Option<&str>) -> Option<T> {
    serde_json::from_str(text?).ok()
}
