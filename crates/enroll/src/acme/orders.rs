//! Orders and authorizations as they are stored. Every change of state is one statement that names the state it starts
//! from, so that of two requests, or two nodes, one wins in the database and the other sees what became of it.

use agent::control::{ChallengeKind, Identifier};
use audit::{Actor, ActorKind, Event, Object, Timestamp};
use store::{Row, Store, Value, Write, params};
use x509::Time;

use super::accounts::actor_id;
use super::identifier::Wanted;
use super::{Account, AcmeError};
use crate::random::random;

/// The kinds of object that events of orders and authorizations are about.
pub(crate) const ORDER: &str = "acme-order";
pub(crate) const AUTHORIZATION: &str = "acme-authorization";

/// Where an order stands, as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Open,
    Processing,
    Valid,
    Invalid,
}

impl Stored {
    /// As the table has it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Processing => "processing",
            Self::Valid => "valid",
            Self::Invalid => "invalid",
        }
    }
}

/// Where an order stands (RFC 8555 §7.1.6): what is stored, its authorizations and the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderState {
    Pending,
    Ready,
    Processing,
    Valid,
    Invalid,
}

impl OrderState {
    /// As ACME writes it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            OrderState::Pending => "pending",
            OrderState::Ready => "ready",
            OrderState::Processing => "processing",
            OrderState::Valid => "valid",
            OrderState::Invalid => "invalid",
        }
    }
}

/// Where an authorization stands (RFC 8555 §7.1.6). `Processing` is stored only: it shows as pending, with a challenge
/// that is processing. `Expired` shows only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proven {
    Pending,
    Processing,
    Valid,
    Invalid,
    Deactivated,
}

impl Proven {
    fn read(text: &str) -> Option<Self> {
        Some(match text {
            "pending" => Self::Pending,
            "processing" => Self::Processing,
            "valid" => Self::Valid,
            "invalid" => Self::Invalid,
            "deactivated" => Self::Deactivated,
            _ => return None,
        })
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Deactivated => "deactivated",
        }
    }
}

/// An order with its authorizations.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) directory: String,
    pub(crate) stored: Stored,
    pub(crate) profile: String,
    pub(crate) created: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) not_before: Option<Time>,
    pub(crate) not_after: Option<Time>,
    pub(crate) replaces: Option<String>,
    pub(crate) attempt: i64,
    pub(crate) certificate: Option<[u8; 32]>,
    /// A problem document.
    pub(crate) error: Option<String>,
    /// In the order of its identifiers.
    pub(crate) authorizations: Vec<Held>,
}

/// What an order has to know of one of its authorizations.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) name: Wanted,
    pub(crate) status: Proven,
    pub(crate) expires: Timestamp,
    pub(crate) challenge: Option<ChallengeKind>,
    pub(crate) origin: Option<String>,
}

impl Order {
    /// Where it stands now.
    pub(crate) fn state(&self, now: Timestamp) -> OrderState {
        let dead = |held: &Held| {
            held.expires <= now || matches!(held.status, Proven::Invalid | Proven::Deactivated)
        };
        match self.stored {
            Stored::Processing => OrderState::Processing,
            Stored::Valid => OrderState::Valid,
            Stored::Invalid => OrderState::Invalid,
            Stored::Open if self.expires <= now => OrderState::Invalid,
            Stored::Open if self.authorizations.iter().any(dead) => OrderState::Invalid,
            Stored::Open => {
                let proven = |held: &Held| held.status == Proven::Valid;
                match self.authorizations.iter().all(proven) {
                    true => OrderState::Ready,
                    false => OrderState::Pending,
                }
            }
        }
    }

    /// Its names, in the client's order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Wanted> {
        self.authorizations.iter().map(|held| &held.name)
    }

    fn read(rows: &[Row]) -> Result<Option<Self>, AcmeError> {
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let id = row.text(0)?.to_owned();
        let bad = |why: &'static str| AcmeError::Stored {
            kind: "order",
            id: id.clone(),
            why: why.to_owned(),
        };
        let certificate = row.opt_blob(11)?.map(<[u8; 32]>::try_from).transpose();
        Ok(Some(Order {
            account: row.text(1)?.to_owned(),
            directory: row.text(2)?.to_owned(),
            stored: match row.text(3)? {
                "open" => Stored::Open,
                "processing" => Stored::Processing,
                "valid" => Stored::Valid,
                "invalid" => Stored::Invalid,
                _ => return Err(bad("its status")),
            },
            profile: row.text(4)?.to_owned(),
            created: Timestamp(row.int(5)?),
            expires: Timestamp(row.int(6)?),
            not_before: row.opt_int(7)?.map(Time),
            not_after: row.opt_int(8)?.map(Time),
            replaces: row.opt_text(9)?.map(str::to_owned),
            attempt: row.int(10)?,
            certificate: certificate.map_err(|_| bad("its certificate"))?,
            error: row.opt_text(12)?.map(str::to_owned),
            authorizations: rows
                .iter()
                .map(Held::read)
                .collect::<Result<_, AcmeError>>()?,
            id,
        }))
    }
}

impl Held {
    /// Columns 13 to 19.
    fn read(row: &Row) -> Result<Self, AcmeError> {
        Ok(Held {
            name: read_name(row, 13)?,
            status: read_status(row, 16)?,
            expires: Timestamp(row.int(17)?),
            challenge: read_kind(row.opt_text(18)?),
            origin: row.opt_text(19)?.map(str::to_owned),
        })
    }
}

/// An authorization.
#[derive(Clone, Debug)]
pub(crate) struct Authorization {
    /// The order, or itself if it stands alone.
    pub(crate) batch: String,
    pub(crate) position: i64,
    pub(crate) alone: bool,
    pub(crate) account: String,
    pub(crate) directory: String,
    pub(crate) name: Wanted,
    pub(crate) status: Proven,
    pub(crate) expires: Timestamp,
    pub(crate) token: String,
    pub(crate) challenges: Vec<ChallengeKind>,
    /// The one that was tried.
    pub(crate) challenge: Option<ChallengeKind>,
    pub(crate) validated: Option<Timestamp>,
    pub(crate) origin: Option<String>,
    pub(crate) account_url: Option<String>,
    pub(crate) attempt: i64,
    /// A problem document.
    pub(crate) error: Option<String>,
}

impl Authorization {
    /// A pending one with a token of its own.
    pub(crate) fn new(
        account: &Account,
        name: Wanted,
        challenges: Vec<ChallengeKind>,
        expires: Timestamp,
    ) -> Result<Self, AcmeError> {
        Ok(Authorization {
            batch: String::new(),
            position: 0,
            alone: false,
            account: account.id.clone(),
            directory: account.directory.clone(),
            name,
            status: Proven::Pending,
            expires,
            token: token()?,
            challenges,
            challenge: None,
            validated: None,
            origin: None,
            account_url: None,
            attempt: 0,
            error: None,
        })
    }

    /// How URLs and events call it.
    pub(crate) fn id(&self) -> String {
        authorization_id(&self.batch, self.position)
    }

    pub(crate) fn object(&self) -> Object {
        Object::new(AUTHORIZATION, self.id())
    }

    /// As an order sees it.
    pub(crate) fn held(&self) -> Held {
        Held {
            name: self.name.clone(),
            status: self.status,
            expires: self.expires,
            challenge: self.challenge,
            origin: self.origin.clone(),
        }
    }

    fn read(row: &Row) -> Result<Self, AcmeError> {
        let challenges = row.text(12)?.split(',').filter(|kind| !kind.is_empty());
        Ok(Authorization {
            batch: row.text(0)?.to_owned(),
            position: row.int(1)?,
            alone: row.int(2)? != 0,
            account: row.text(3)?.to_owned(),
            directory: row.text(4)?.to_owned(),
            name: read_name(row, 5)?,
            status: read_status(row, 8)?,
            expires: Timestamp(row.int(9)?),
            token: row.text(10)?.to_owned(),
            attempt: row.int(11)?,
            challenges: challenges
                .filter_map(|kind| read_kind(Some(kind)))
                .collect(),
            challenge: read_kind(row.opt_text(13)?),
            validated: row.opt_int(14)?.map(Timestamp),
            origin: row.opt_text(15)?.map(str::to_owned),
            account_url: row.opt_text(16)?.map(str::to_owned),
            error: row.opt_text(17)?.map(str::to_owned),
        })
    }

    /// Adds it to a write.
    pub(crate) fn insert(&self, write: Write) -> Write {
        let challenges: Vec<&str> = self.challenges.iter().map(|kind| kind.as_str()).collect();
        let (kind, value) = stored_name(&self.name);
        write.run(
            INSERT_AUTHORIZATION,
            params![
                self.batch.as_str(),
                self.position,
                self.alone,
                self.account.as_str(),
                self.directory.as_str(),
                kind,
                value,
                self.name.wildcard,
                self.status.as_str(),
                self.expires,
                self.token.as_str(),
                challenges.join(","),
                self.challenge.map(ChallengeKind::as_str),
                self.validated,
                self.origin.clone(),
            ],
        )
    }
}

fn read_name(row: &Row, first: usize) -> Result<Wanted, AcmeError> {
    let value = row.text(first + 1)?;
    let identifier = match row.text(first)? {
        "ip" => value.parse().ok().map(Identifier::Ip),
        _ => Some(Identifier::Dns(value.to_owned())),
    };
    Ok(Wanted {
        identifier: identifier.ok_or_else(|| damaged(row, "its address"))?,
        wildcard: row.int(first + 2)? != 0,
    })
}

fn read_status(row: &Row, column: usize) -> Result<Proven, AcmeError> {
    Proven::read(row.text(column)?).ok_or_else(|| damaged(row, "its status"))
}

fn damaged(row: &Row, why: &'static str) -> AcmeError {
    AcmeError::Stored {
        kind: "authorization",
        id: row.text(0).unwrap_or_default().to_owned(),
        why: why.to_owned(),
    }
}

fn read_kind(text: Option<&str>) -> Option<ChallengeKind> {
    text.and_then(|kind| kind.parse().ok())
}

/// How names stand in the table.
pub(crate) fn stored_name(name: &Wanted) -> (&'static str, String) {
    let kind = match name.identifier {
        Identifier::Dns(_) => "dns",
        Identifier::Ip(_) => "ip",
    };
    (kind, name.identifier.to_string())
}

macro_rules! order {
    ($rest:literal) => {
        concat!(
            "SELECT o.id, o.account, o.directory, o.status, o.profile, o.created, o.expires, o.not_before, o.not_after, \
             o.replaces, o.attempt, o.certificate, o.error, \
             a.kind, a.value, a.wildcard, a.status, a.expires, a.challenge, a.origin \
             FROM acme_orders o JOIN acme_authorizations a ON a.batch = o.id ",
            $rest
        )
    };
}

macro_rules! authorization {
    ($rest:literal) => {
        concat!(
            "SELECT batch, position, alone, account, directory, kind, value, wildcard, status, expires, token, attempt, \
             challenges, challenge, validated, origin, account_url, error FROM acme_authorizations ",
            $rest
        )
    };
}

const ORDER_BY_ID: &str = order!("WHERE o.id = $1 ORDER BY a.position");
const AUTHORIZATION_BY_ID: &str = authorization!("WHERE batch = $1 AND position = $2");
const ALONE: &str = authorization!(
    "WHERE account = $1 AND alone = 1 AND status = 'valid' AND expires > $2 ORDER BY expires DESC LIMIT 1000"
);
const HELD: &str = authorization!(
    "WHERE account = $1 AND value = $2 AND status = 'valid' AND expires > $3 AND kind = $4 AND wildcard = $5 \
     ORDER BY expires DESC LIMIT 1"
);
const LEFT_BEHIND: &str = authorization!(
    "WHERE status = 'processing' AND busy_until <= $1 ORDER BY busy_until LIMIT 1000"
);

const INSERT_ORDER: &str = "INSERT INTO acme_orders(id, account, directory, status, profile, created, expires, \
    not_before, not_after, replaces, attempt) VALUES($1, $2, $3, 'open', $4, $5, $6, $7, $8, $9, 0)";
const INSERT_AUTHORIZATION: &str = "INSERT INTO acme_authorizations(batch, position, alone, account, directory, kind, \
    value, wildcard, status, expires, token, challenges, challenge, validated, origin, attempt) \
    VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 0)";

impl Order {
    /// Adds a new order with its authorizations to a write.
    pub(crate) fn insert(&self, write: Write, authorizations: &[Authorization]) -> Write {
        let write = write.run(
            INSERT_ORDER,
            params![
                self.id.as_str(),
                self.account.as_str(),
                self.directory.as_str(),
                self.profile.as_str(),
                self.created,
                self.expires,
                self.not_before.map(|time| time.0),
                self.not_after.map(|time| time.0),
                self.replaces.clone(),
            ],
        );
        authorizations
            .iter()
            .fold(write, |write, authorization| authorization.insert(write))
    }
}

/// An order by its id.
pub(crate) async fn order(store: &Store, id: &str) -> Result<Option<Order>, AcmeError> {
    Order::read(&store.look_up(ORDER_BY_ID, params![id]).await?)
}

/// An authorization by the id that URLs have.
pub(crate) async fn authorization(
    store: &Store,
    id: &str,
) -> Result<Option<Authorization>, AcmeError> {
    let Some((batch, position)) = parse_authorization_id(id) else {
        return Ok(None);
    };
    one(store, AUTHORIZATION_BY_ID, params![batch, position]).await
}

/// Those that an account got ahead of any order and that stand.
pub(crate) async fn alone(
    store: &Store,
    account: &str,
    now: Timestamp,
) -> Result<Vec<Authorization>, AcmeError> {
    many(store, ALONE, params![account, now]).await
}

/// The one for exactly this name that stands longest.
pub(crate) async fn held(
    store: &Store,
    account: &str,
    name: &Wanted,
    now: Timestamp,
) -> Result<Option<Authorization>, AcmeError> {
    let (kind, value) = stored_name(name);
    one(
        store,
        HELD,
        params![account, value, now, kind, name.wildcard],
    )
    .await
}

/// Validations whose node has not been heard of by `now`.
pub(crate) async fn left_behind(
    store: &Store,
    now: Timestamp,
) -> Result<Vec<Authorization>, AcmeError> {
    many(store, LEFT_BEHIND, params![now]).await
}

async fn one(
    store: &Store,
    sql: &'static str,
    params: Vec<Value>,
) -> Result<Option<Authorization>, AcmeError> {
    let rows = store.look_up(sql, params).await?;
    rows.first().map(Authorization::read).transpose()
}

async fn many(
    store: &Store,
    sql: &'static str,
    params: Vec<Value>,
) -> Result<Vec<Authorization>, AcmeError> {
    let rows = store.look_up(sql, params).await?;
    rows.iter().map(Authorization::read).collect()
}

/// `{batch}-{position}`.
pub(crate) fn authorization_id(batch: &str, position: i64) -> String {
    format!("{batch}-{position}")
}

pub(crate) fn parse_authorization_id(id: &str) -> Option<(&str, i64)> {
    let (batch, position) = id.split_once('-')?;
    let canonical = position == "0" || !position.starts_with(['0', '+', '-']);
    let position = position.parse().ok().filter(|_| canonical)?;
    Some((batch, position))
}

/// A new id: 48 bits of time, so that index inserts stay local and ids sort by age, and 80 random bits.
pub(crate) fn new_id(now: Timestamp) -> Result<String, AcmeError> {
    let mut bytes: [u8; 16] = random()?;
    let time = now.0.max(0).to_be_bytes();
    bytes[..6].copy_from_slice(&time[2..]);
    Ok(hex::encode(bytes))
}

/// The first id that an order of `time` can have.
pub(crate) fn first_id(time: Timestamp) -> String {
    let time = time.0.max(0).to_be_bytes();
    format!("{}{:020}", hex::encode(&time[2..]), 0)
}

/// 192 random bits in base64url: RFC 8555 §8 asks for 128.
fn token() -> Result<String, AcmeError> {
    use base64::Engine;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random::<24>()?))
}

/// An event of something that an account did.
pub(crate) fn event(
    account: &str,
    action: &'static str,
    object: Object,
    request_id: &str,
    now: Timestamp,
) -> Event {
    let actor = Actor::new(ActorKind::Machine, actor_id(account));
    let event = Event::new(now, actor, action, object);
    match request_id {
        "" => event,
        id => event.request_id(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_are_read_strictly() {
        let early = new_id(Timestamp(1_795_348_800_000)).unwrap();
        let late = new_id(Timestamp(1_795_348_800_001)).unwrap();
        assert!(early < late);
        assert!(first_id(Timestamp(1_795_348_800_000)) <= early);
        assert!(early < first_id(Timestamp(1_795_348_800_001)));
        assert_eq!(early.len(), 32);
        let id = authorization_id(&early, 7);
        assert_eq!(parse_authorization_id(&id), Some((early.as_str(), 7)));
        for bad in [
            "", "abc", "abc-", "abc-07", "abc-+7", "abc--7", "abc-x", "abc-7-1",
        ] {
            assert_eq!(parse_authorization_id(bad), None, "{bad}");
        }
    }

    #[test]
    fn tokens_have_enough_entropy_and_the_right_letters() {
        let token = token().unwrap();
        assert_eq!(token.len(), 32);
        assert!(
            token
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        );
    }
}
