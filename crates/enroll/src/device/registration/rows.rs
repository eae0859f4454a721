//! Registrations in the store: what was asked, by whom, for which asset, and what became of it.

use audit::{Event, Object, Timestamp};
use serde::Serialize;
use store::{Row, Store, Write, params};

use super::claim::{Protocol, RegistrationState};
use super::{Claim, Transaction};
use crate::device::{DeviceError, RightId};
use crate::random::{NoRandom, random};

/// A registration as it is stored and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Registered {
    /// `g` and hexadecimal digits: the time, then random ones.
    pub id: String,
    pub endpoint: String,
    pub protocol: String,
    /// SHA-256 of the key, where the device has it.
    #[serde(serialize_with = "hex_or_null")]
    pub spki: Option<[u8; 32]>,
    /// SHA-256 of the request.
    #[serde(skip)]
    pub(crate) request: Vec<u8>,
    /// The right that it was asked by; `None` for a renewal.
    pub right: Option<String>,
    /// `None` for a device that was not in the register.
    pub asset: Option<String>,
    /// The serial number that the request is for.
    pub serial: String,
    pub peer: String,
    pub state: RegistrationState,
    /// The request that a person decides.
    pub approval: Option<String>,
    #[serde(serialize_with = "hex_or_null")]
    pub certificate: Option<[u8; 32]>,
    /// Why it was refused.
    pub reason: Option<String>,
    /// Whether the device has said that it has its certificate (CMP): `true`, `false`, or nothing.
    pub confirmed: Option<bool>,
    /// Unix milliseconds.
    pub created: i64,
    pub changed: i64,
    /// When it is forgotten.
    pub expires: i64,
}

fn hex_or_null<S: serde::Serializer>(
    value: &Option<[u8; 32]>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(bytes) => serializer.serialize_str(&hex::encode(bytes)),
        None => serializer.serialize_none(),
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, endpoint, protocol, spki, request, right_id, asset, serial, peer, state, approval, \
             certificate, reason, confirmed, created, changed, expires FROM registrations ",
            $rest
        )
    };
}

/// How long a refusal is remembered.
pub(super) const REMEMBERED_MS: i64 = 7 * 86_400_000;

const BY_TRANSACTION: &str =
    select!("WHERE endpoint = $1 AND protocol = $2 AND transaction_id = $3");
const BY_ID: &str = select!("WHERE id = $1");
const BY_CERTIFICATE: &str = select!("WHERE certificate = $1");
/// A filter that is not given is an empty text.
const PAGE: &str = select!(
    "WHERE (created < $1 OR (created = $1 AND id < $2)) AND ($3 = '' OR endpoint = $3) \
    AND ($4 = '' OR state = $4) AND ($5 = '' OR asset = $5) AND ($6 = '' OR serial = $6) \
    ORDER BY created DESC, id DESC LIMIT $7"
);
const PENDING: &str =
    "SELECT COUNT(*) FROM registrations WHERE endpoint = $1 AND state = 'pending'";
const ADD: &str = "INSERT INTO registrations(id, endpoint, protocol, transaction_id, spki, request, right_id, asset, \
    serial, peer, state, approval, certificate, reason, confirmed, created, changed, expires) \
    VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, NULL, NULL, $14, $14, $15)";
const LEAVE: &str =
    "UPDATE registrations SET transaction_id = NULL WHERE id = $1 AND transaction_id IS NOT NULL";
const LEFT: &str = "the transaction was taken up elsewhere";
const ADD_REFUSED: &str = "INSERT INTO registrations(id, endpoint, protocol, spki, request, asset, serial, peer, state, reason, \
    created, changed, expires) VALUES($1, $2, $3, $4, $5, $6, $7, $8, 'refused', $9, $10, $10, $11)";
const WAITING_SINCE: &str = "SELECT created FROM registrations WHERE endpoint = $1 AND state = 'pending' AND serial = $2 \
    AND created > $3 ORDER BY created DESC LIMIT $4";
const WAITING_AFTER: &str = select!(
    "WHERE state = 'pending' AND (created > $1 OR (created = $1 AND id > $2)) ORDER BY created, id LIMIT 200"
);
const FULFIL: &str = "UPDATE registrations SET state = 'issued', certificate = $2, asset = $3, changed = $4, expires = $5 \
    WHERE id = $1 AND state = 'pending'";
/// What a write says that came too late.
pub(super) const DECIDED: &str = "the registration was decided elsewhere";
const REFUSE: &str = "UPDATE registrations SET state = 'refused', reason = $2, changed = $3, expires = $4 \
    WHERE id = $1 AND state = 'pending'";
const CONFIRM: &str = "UPDATE registrations SET confirmed = $2, changed = $3 WHERE certificate = $1 AND confirmed IS NULL";

/// What to list. Every field narrows.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegistrationFilter {
    pub endpoint: Option<String>,
    pub state: Option<RegistrationState>,
    /// An asset's id.
    pub asset: Option<String>,
    pub serial: Option<String>,
    /// Continue after this: the `next` of the page before.
    pub after: Option<String>,
    /// At most so many; 100 if absent, never more than 1000.
    pub limit: Option<u32>,
}

/// A page of registrations, the newest first.
#[derive(Clone, Debug, Serialize)]
pub struct RegistrationPage {
    pub registrations: Vec<Registered>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

pub(super) async fn by_transaction(
    store: &Store,
    endpoint: &str,
    protocol: Protocol,
    transaction: &Transaction,
) -> Result<Option<Registered>, DeviceError> {
    let params = params![endpoint, protocol.as_str(), transaction.bytes()];
    let rows = store.look_up(BY_TRANSACTION, params).await?;
    Ok(rows.first().map(read).transpose()?)
}

pub(crate) async fn by_id(store: &Store, id: &str) -> Result<Option<Registered>, DeviceError> {
    let rows = store.look_up(BY_ID, params![id]).await?;
    Ok(rows.first().map(read).transpose()?)
}

pub(super) async fn by_certificate(
    store: &Store,
    sha256: &[u8; 32],
) -> Result<Option<Registered>, DeviceError> {
    let rows = store.look_up(BY_CERTIFICATE, params![*sha256]).await?;
    Ok(rows.first().map(read).transpose()?)
}

/// A page, the newest first.
pub(crate) async fn page(
    store: &Store,
    filter: &RegistrationFilter,
) -> Result<RegistrationPage, DeviceError> {
    let limit = i64::from(filter.limit.unwrap_or(100).clamp(1, 1000));
    let start = filter.after.as_deref().and_then(|text| {
        let (created, id) = text.split_once('-')?;
        Some((created.parse::<i64>().ok()?, id.to_owned()))
    });
    let (created, id) = start.unwrap_or((i64::MAX, String::new()));
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let state = filter
        .state
        .map(RegistrationState::as_str)
        .unwrap_or_default();
    let params = params![
        created,
        id,
        text(&filter.endpoint),
        state,
        text(&filter.asset),
        text(&filter.serial),
        limit
    ];
    let rows = store.query(PAGE, params).await?;
    let registrations = rows.iter().map(read).collect::<store::Result<Vec<_>>>()?;
    let full = i64::try_from(registrations.len()).is_ok_and(|found| found == limit);
    let last = registrations.last().filter(|_| full);
    let next = last.map(|last| format!("{}-{}", last.created, last.id));
    Ok(RegistrationPage {
        registrations,
        next,
    })
}

pub(super) async fn pending(store: &Store, endpoint: &str) -> Result<u32, DeviceError> {
    let rows = store.query(PENDING, params![endpoint]).await?;
    let count = rows.first().map_or(Ok(0), |row| row.int(0))?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// When requests for a device were made since a moment that wait for somebody, the newest first, at most so many.
pub(super) async fn waiting_since(
    store: &Store,
    endpoint: &str,
    serial: &str,
    since: Timestamp,
    most: u32,
) -> Result<Vec<i64>, DeviceError> {
    let rows = store.query(
        WAITING_SINCE,
        params![endpoint, serial, since, i64::from(most)],
    );
    let rows = rows.await?;
    Ok(rows
        .iter()
        .map(|row| row.int(0))
        .collect::<store::Result<_>>()?)
}

/// Requests that wait for somebody, the oldest first: those after one of them.
pub(super) async fn waiting_after(
    store: &Store,
    (created, id): &(i64, String),
) -> Result<Vec<Registered>, DeviceError> {
    let rows = store.query(WAITING_AFTER, params![*created, id.as_str()]);
    let rows = rows.await?;
    Ok(rows.iter().map(read).collect::<store::Result<_>>()?)
}

/// A new id: 48 bits of time, so that inserts stay local, and 48 random ones.
pub(super) fn new_id(now: Timestamp) -> Result<String, NoRandom> {
    let mut bytes: [u8; 12] = random()?;
    let time = now.0.max(0).to_be_bytes();
    bytes[..6].copy_from_slice(&time[2..]);
    Ok(format!("g{}", hex::encode(bytes)))
}

/// A registration that is about to be written.
#[derive(Clone)]
pub(super) struct New {
    pub(super) id: String,
    pub(super) endpoint: String,
    pub(super) protocol: Protocol,
    pub(super) transaction: Option<Vec<u8>>,
    pub(super) spki: Option<[u8; 32]>,
    pub(super) request: [u8; 32],
    pub(super) right: Option<RightId>,
    pub(super) asset: Option<String>,
    pub(super) serial: String,
    pub(super) peer: String,
    /// The registration that the transaction belonged to before.
    pub(super) follows: Option<String>,
}

impl New {
    pub(super) fn of(claim: &Claim, id: String, serial: String) -> Self {
        New {
            id,
            endpoint: claim.endpoint.name.clone(),
            protocol: claim.protocol,
            transaction: Some(claim.transaction.bytes().to_vec()),
            spki: claim.spki_sha256(),
            request: claim.digest(),
            right: None,
            asset: None,
            serial,
            peer: claim.peer.to_canonical().to_string(),
            follows: None,
        }
    }

    fn add(
        &self,
        write: Write,
        state: RegistrationState,
        approval: Option<&str>,
        certificate: Option<[u8; 32]>,
        (now, expires): (Timestamp, i64),
    ) -> Write {
        let write = match &self.follows {
            Some(id) => write.run_expecting(1, LEAVE, params![id.as_str()], LEFT),
            None => write,
        };
        write.run(
            ADD,
            params![
                self.id.as_str(),
                self.endpoint.as_str(),
                self.protocol.as_str(),
                self.transaction.clone(),
                self.spki,
                self.request,
                self.right.as_ref().map(|right| right.as_str().to_owned()),
                self.asset.clone(),
                self.serial.as_str(),
                self.peer.as_str(),
                state.as_str(),
                approval.map(str::to_owned),
                certificate,
                now,
                expires
            ],
        )
    }

    /// Adds it as issued to the write that makes the certificate.
    pub(super) fn issued(
        &self,
        write: Write,
        sha256: &[u8; 32],
        now: Timestamp,
        expires: i64,
    ) -> Write {
        self.add(
            write,
            RegistrationState::Issued,
            None,
            Some(*sha256),
            (now, expires),
        )
    }

    /// Adds it as refused from the beginning.
    pub(super) fn refused(&self, write: Write, reason: &str, now: Timestamp) -> Write {
        write.run(
            ADD_REFUSED,
            params![
                self.id.as_str(),
                self.endpoint.as_str(),
                self.protocol.as_str(),
                self.spki,
                self.request,
                self.asset.clone(),
                self.serial.as_str(),
                self.peer.as_str(),
                reason,
                now,
                now.0.saturating_add(REMEMBERED_MS)
            ],
        )
    }

    /// Adds it as pending to the write that puts it before a person.
    pub(super) fn pending(
        &self,
        write: Write,
        approval: &str,
        now: Timestamp,
        expires: i64,
    ) -> Write {
        let state = RegistrationState::Pending;
        self.add(write, state, Some(approval), None, (now, expires))
    }
}

const OVER: &str = "SELECT COUNT(*) FROM registrations WHERE expires <= $1";
const FORGET: &str = "DELETE FROM registrations WHERE expires <= $1";

/// Forgets registrations whose certificates ended long ago, and what was refused; says how many.
pub(crate) async fn prune(ca: &ca::Ca, now: Timestamp) -> Result<u64, DeviceError> {
    let rows = ca.store().query(OVER, params![now]).await?;
    let count = rows.first().map_or(Ok(0), |row| row.int(0))?.unsigned_abs();
    if count > 0 {
        let actor = ca.access().system_principal("enrolment");
        let object = Object::new("registration", "past");
        let event = Event::new(now, actor.actor().clone(), "enrolment.prune", object)
            .after(serde_json::json!({ "forgotten": count }));
        let write = Write::new(event)?.run(FORGET, params![now]);
        ca.store().commit(write).await?;
    }
    Ok(count)
}

/// Makes a pending one issued, in the write that makes the certificate.
pub(super) fn fulfil(
    write: Write,
    id: &str,
    sha256: &[u8; 32],
    asset: &str,
    now: Timestamp,
    expires: i64,
) -> Write {
    write.run_expecting(
        1,
        FULFIL,
        params![id, *sha256, asset, now, expires],
        DECIDED,
    )
}

/// Makes a pending one refused.
pub(super) fn refuse(write: Write, id: &str, reason: &str, now: Timestamp, expires: i64) -> Write {
    write.run_expecting(1, REFUSE, params![id, reason, now, expires], DECIDED)
}

/// Notes what the device says about its certificate.
pub(super) fn confirm(write: Write, sha256: &[u8; 32], accepted: bool, now: Timestamp) -> Write {
    write.run(CONFIRM, params![*sha256, accepted, now])
}

fn read(row: &Row) -> store::Result<Registered> {
    let bytes = |found: Option<&[u8]>| found.and_then(|bytes| bytes.try_into().ok());
    Ok(Registered {
        id: row.text(0)?.to_owned(),
        endpoint: row.text(1)?.to_owned(),
        protocol: row.text(2)?.to_owned(),
        spki: bytes(row.opt_blob(3)?),
        request: row.blob(4)?.to_vec(),
        right: row.opt_text(5)?.map(str::to_owned),
        asset: row.opt_text(6)?.map(str::to_owned),
        serial: row.text(7)?.to_owned(),
        peer: row.text(8)?.to_owned(),
        state: RegistrationState::read(row.text(9)?),
        approval: row.opt_text(10)?.map(str::to_owned),
        certificate: bytes(row.opt_blob(11)?),
        reason: row.opt_text(12)?.map(str::to_owned),
        confirmed: row.opt_int(13)?.map(|confirmed| confirmed != 0),
        created: row.int(14)?,
        changed: row.int(15)?,
        expires: row.int(16)?,
    })
}
