//! Transactions that outlast a message: they wait for a person, or for the device's word on its certificate. They are in
//! the database, so a restart in their middle does no harm.

use audit::{Actor, Event, Object, Outcome, Timestamp};
use store::{Row, Store, StoreError, Write, params};
use x509::Certificate;

use super::fault::Stop;
use crate::device::DeviceError;

/// What transactions are called in the log.
pub(super) const OBJECT: &str = "cmp-transaction";
const ELSEWHERE: &str = "the transaction has gone on";

/// How long an answered transaction is remembered, for devices that lost the answer.
const KEPT_MS: i64 = 86_400_000;
/// How long somebody may take to decide before the transaction is forgotten. The registration has its own end.
const WAITING_MS: i64 = 90 * 86_400_000;

/// What began it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ir,
    Cr,
    P10cr,
    Kur,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Kind::Ir => "ir",
            Kind::Cr => "cr",
            Kind::P10cr => "p10cr",
            Kind::Kur => "kur",
        }
    }

    fn parse(text: &str) -> Option<Kind> {
        let all = [Kind::Ir, Kind::Cr, Kind::P10cr, Kind::Kur];
        all.into_iter().find(|kind| kind.as_str() == text)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Somebody has to decide.
    Waiting,
    /// The device has to confirm.
    Unconfirmed,
    Done,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Unconfirmed => "unconfirmed",
            State::Done => "done",
        }
    }

    fn parse(text: &str) -> Option<State> {
        let all = [State::Waiting, State::Unconfirmed, State::Done];
        all.into_iter().find(|state| state.as_str() == text)
    }
}

/// A transaction.
#[derive(Clone, Debug)]
pub(super) struct Transaction {
    pub(super) endpoint: String,
    pub(super) id: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) state: State,
    /// Who began it ([`super::sender::Sender::identity`]).
    pub(super) sender: [u8; 32],
    /// The certificate that signed its first message.
    pub(super) signer: Option<Certificate>,
    /// SHA-256 of the newest message, and what was answered to it.
    pub(super) request_sha256: [u8; 32],
    pub(super) answer: Vec<u8>,
    /// Our senderNonce in that answer.
    pub(super) nonce: Vec<u8>,
    pub(super) cert_req_id: i64,
    pub(super) implicit_confirm: bool,
    pub(super) certificate: Option<[u8; 32]>,
    pub(super) confirm_by: Option<Timestamp>,
    pub(super) created: Timestamp,
    /// Not forgotten before: its first message could be sent again by anybody.
    pub(super) keep_until: Option<Timestamp>,
}

const COLUMNS: &str = "SELECT endpoint, transaction_id, kind, state, sender, signer, request_sha256, answer, nonce, \
    cert_req_id, implicit_confirm, certificate, confirm_by, created FROM cmp_transactions \
    WHERE endpoint = $1 AND transaction_id = $2";

const OVERDUE: &str = "SELECT endpoint, transaction_id, kind, state, sender, signer, request_sha256, answer, nonce, \
    cert_req_id, implicit_confirm, certificate, confirm_by, created FROM cmp_transactions \
    WHERE state = 'unconfirmed' AND confirm_by <= $1 ORDER BY confirm_by LIMIT 1000";

const INSERT: &str = "INSERT INTO cmp_transactions(endpoint, transaction_id, kind, state, sender, signer, \
    request_sha256, answer, nonce, cert_req_id, implicit_confirm, certificate, confirm_by, created, expires) \
    VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";

const UPDATE: &str = "UPDATE cmp_transactions SET state = $4, request_sha256 = $5, answer = $6, nonce = $7, \
    certificate = $8, confirm_by = $9, expires = CASE WHEN expires > $10 THEN expires ELSE $10 END \
    WHERE endpoint = $1 AND transaction_id = $2 AND state = $3";

pub(super) async fn find(
    store: &Store,
    endpoint: &str,
    id: &[u8],
) -> Result<Option<Transaction>, DeviceError> {
    let rows = store.query(COLUMNS, params![endpoint, id]).await?;
    rows.first().map(read).transpose()
}

/// Those whose device should have confirmed by now.
pub(super) async fn overdue(
    store: &Store,
    now: Timestamp,
) -> Result<Vec<Transaction>, DeviceError> {
    let rows = store.query(OVERDUE, params![now]).await?;
    rows.iter().map(read).collect()
}

impl Transaction {
    /// Stores a new one. `false` says that there is one of that name.
    pub(super) async fn open(
        &self,
        store: &Store,
        actor: Actor,
        now: Timestamp,
    ) -> Result<bool, DeviceError> {
        let event = self.event("enrolment.cmp.open", actor, now);
        let write = Write::new(event)?.routine().run(
            INSERT,
            params![
                self.endpoint.as_str(),
                self.id.as_slice(),
                self.kind.as_str(),
                self.state.as_str(),
                self.sender,
                self.signer.as_ref().map(|signer| signer.der().to_vec()),
                self.request_sha256,
                self.answer.as_slice(),
                self.nonce.as_slice(),
                self.cert_req_id,
                self.implicit_confirm,
                self.certificate,
                self.confirm_by,
                self.created,
                self.expires(now),
            ],
        );
        match store.commit(write).await {
            Ok(_) => Ok(true),
            Err(StoreError::Duplicate(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Stores what became of one that was in state `from`. `false` says that somebody was faster.
    pub(super) async fn advance(
        &self,
        store: &Store,
        from: State,
        event: Event,
        now: Timestamp,
    ) -> Result<bool, DeviceError> {
        let write = Write::new(event)?.routine().run_expecting(
            1,
            UPDATE,
            params![
                self.endpoint.as_str(),
                self.id.as_slice(),
                from.as_str(),
                self.state.as_str(),
                self.request_sha256,
                self.answer.as_slice(),
                self.nonce.as_slice(),
                self.certificate,
                self.confirm_by,
                self.expires(now),
            ],
            ELSEWHERE,
        );
        match store.commit(write).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn event(&self, action: &'static str, actor: Actor, now: Timestamp) -> Event {
        let object = Object::new(OBJECT, hex::encode(&self.id));
        let after = serde_json::json!({
            "endpoint": self.endpoint,
            "kind": self.kind.as_str(),
            "state": self.state.as_str(),
            "certificate": self.certificate.map(hex::encode),
        });
        Event::new(now, actor, action, object)
            .outcome(Outcome::Done)
            .after(after)
    }

    /// Never before the device has had its time.
    fn expires(&self, now: Timestamp) -> Timestamp {
        let kept = match self.state {
            State::Waiting => WAITING_MS,
            State::Unconfirmed | State::Done => KEPT_MS,
        };
        let from = self.confirm_by.map_or(now.0, |by| by.0.max(now.0));
        let usual = from.saturating_add(kept);
        Timestamp(self.keep_until.map_or(usual, |until| until.0.max(usual)))
    }

    /// Where somebody else was faster: what they answered, if it was to the same message.
    pub(super) async fn settled(
        &self,
        store: &Store,
        request_sha256: &[u8; 32],
    ) -> Result<Option<Vec<u8>>, Stop> {
        let now = find(store, &self.endpoint, &self.id).await?;
        let same = now.filter(|now| now.request_sha256 == *request_sha256);
        Ok(same.map(|now| now.answer))
    }
}

/// Removes what nobody can come back to. Certificates and registrations stay.
pub(super) async fn prune(store: &Store, now: Timestamp) -> Result<u64, DeviceError> {
    const COUNT: &str =
        "SELECT count(*) FROM cmp_transactions WHERE expires <= $1 AND state <> 'unconfirmed'";
    const DELETE: &str =
        "DELETE FROM cmp_transactions WHERE expires <= $1 AND state <> 'unconfirmed'";

    let rows = store.query(COUNT, params![now]).await?;
    let gone = match rows.first() {
        Some(row) => u64::try_from(row.int(0)?).unwrap_or_default(),
        None => 0,
    };
    if gone == 0 {
        return Ok(0);
    }
    let object = Object::new(OBJECT, "expired");
    let event = Event::new(now, Actor::system("enroll"), "enrolment.cmp.prune", object)
        .after(serde_json::json!({ "removed": gone }));
    store
        .commit(Write::new(event)?.routine().run(DELETE, params![now]))
        .await?;
    Ok(gone)
}

fn read(row: &Row) -> Result<Transaction, DeviceError> {
    let id = row.blob(1)?.to_vec();
    let broken = |why: &str| DeviceError::Stored {
        kind: "CMP transaction",
        id: hex::encode(&id),
        why: why.to_owned(),
    };
    let digest = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).map_err(|_| broken("a digest"));
    Ok(Transaction {
        endpoint: row.text(0)?.to_owned(),
        kind: Kind::parse(row.text(2)?).ok_or_else(|| broken("kind"))?,
        state: State::parse(row.text(3)?).ok_or_else(|| broken("state"))?,
        sender: digest(row.blob(4)?)?,
        signer: row.opt_blob(5)?.map(Certificate::from_der).transpose()?,
        request_sha256: digest(row.blob(6)?)?,
        answer: row.blob(7)?.to_vec(),
        nonce: row.blob(8)?.to_vec(),
        cert_req_id: row.int(9)?,
        implicit_confirm: row.int(10)? != 0,
        certificate: row.opt_blob(11)?.map(digest).transpose()?,
        confirm_by: row.opt_int(12)?.map(Timestamp),
        created: Timestamp(row.int(13)?),
        keep_until: None,
        id,
    })
}
