//! Orders (RFC 8555 §7.1.3, §7.4): made, shown, listed.

use agent::control::ChallengeKind;
use audit::{Object, Outcome, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use store::{StoreError, Write, params};
use x509::Time;

use super::front::Verified;
use super::identifier::{Wanted, Written, read, together};
use super::limits::Spend;
use super::orders::{self, Authorization, Order, OrderState, Proven, Stored};
use super::problem::{ErrorType, Problem};
use super::{Account, Acme, Directory, Reply, policy, replaced};

/// Orders on one page of a list.
const PAGE: usize = 100;

/// RFC 8555 §7.4, RFC 9773 §5, draft-ietf-acme-profiles §4.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewOrder {
    identifiers: Vec<Written>,
    #[serde(default)]
    not_before: Option<String>,
    #[serde(default)]
    not_after: Option<String>,
    #[serde(default)]
    replaces: Option<String>,
    #[serde(default)]
    profile: Option<String>,
}

/// RFC 8555 §7.1.3.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View<'a> {
    status: &'static str,
    expires: String,
    identifiers: Vec<agent::control::Identifier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<String>,
    profile: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Box<RawValue>>,
    authorizations: Vec<String>,
    finalize: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
}

/// The order as it goes out.
pub(crate) fn view(call: &Verified<'_>, order: &Order, status: u16, now: Timestamp) -> Reply {
    let state = order.state(now);
    let url = call.url(&format!("order/{}", order.id));
    let authorization = |position| {
        let id = orders::authorization_id(&order.id, position);
        call.url(&format!("authz/{id}"))
    };
    let view = View {
        status: state.as_str(),
        expires: shown(order.expires),
        identifiers: order.names().map(Wanted::written).collect(),
        not_before: order.not_before.as_ref().map(Time::to_string),
        not_after: order.not_after.as_ref().map(Time::to_string),
        profile: &order.profile,
        replaces: order.replaces.as_deref(),
        error: order.error.clone().and_then(raw),
        authorizations: (0..)
            .zip(&order.authorizations)
            .map(|(position, _)| authorization(position))
            .collect(),
        finalize: format!("{url}/finalize"),
        certificate: order
            .certificate
            .map(|sha256| call.url(&format!("certificate/{}", hex::encode(sha256)))),
    };
    let reply = Reply::json(status, &view).location(url);
    match state {
        OrderState::Processing => reply.retry_after(1),
        _ => reply,
    }
}

/// A stored problem document.
pub(crate) fn raw(document: String) -> Option<Box<RawValue>> {
    RawValue::from_string(document).ok()
}

/// RFC 3339, in seconds.
pub(crate) fn shown(time: Timestamp) -> String {
    Time(time.seconds()).to_string()
}

/// POST new-order.
pub(crate) async fn create(
    acme: &Acme,
    call: &Verified<'_>,
    now: Timestamp,
) -> Result<Reply, Problem> {
    let wish: NewOrder = call.parse()?;
    let (account, directory) = (call.account()?, &call.directory);
    let names = read(&wish.identifiers)?;
    let profile = policy::profile(acme, directory, account, wish.profile.as_deref())?;
    let outside = policy::outside(directory, account, &profile, &names);
    if !outside.is_empty() {
        return Err(refuse(acme, call, &names, together(outside), now).await?);
    }
    let (not_before, not_after) = policy::dates(
        &profile,
        wish.not_before.as_deref(),
        wish.not_after.as_deref(),
        now,
    )?;
    let replaces = match &wish.replaces {
        Some(id) => Some(replaced::check(acme, account, id, &names).await?),
        None => None,
    };
    let authorizations = authorizations(acme, directory, account, &names, now).await?;
    spend(acme, call, &names, &authorizations, replaces.is_some(), now)?;
    let order = Order {
        id: orders::new_id(now)?,
        account: account.id.clone(),
        directory: directory.name.clone(),
        stored: Stored::Open,
        profile: profile.name().to_owned(),
        created: now,
        expires: lifetime(directory, &authorizations, now),
        not_before,
        not_after,
        replaces,
        attempt: 0,
        certificate: None,
        error: None,
        authorizations: authorizations.iter().map(Authorization::held).collect(),
    };
    let made = insert(acme, call, &order, authorizations, now).await;
    if made.is_err() {
        acme.inner.lately.forget(&order.id);
        let pending = pending(&order);
        acme.inner.limits.settled(directory, &account.id, pending);
    }
    made?;
    count(&order, "new");
    Ok(view(call, &order, 201, now))
}

/// Counts what became of an order.
pub(crate) fn count(order: &Order, what: &'static str) {
    metrics::counter!("ward_acme_orders_total", "directory" => order.directory.clone(), "status" => what)
        .increment(1);
}

/// A refusal by policy is an event: somebody asks for names that are not theirs.
async fn refuse(
    acme: &Acme,
    call: &Verified<'_>,
    names: &[Wanted],
    problem: Problem,
    now: Timestamp,
) -> Result<Problem, Problem> {
    let account = call.account()?;
    let object = Object::new("acme-account", account.id.as_str());
    let why: Vec<&str> = problem
        .subproblems
        .iter()
        .take(10)
        .map(|sub| sub.detail.as_str())
        .collect();
    let event = orders::event(
        &account.id,
        "acme.order.create",
        object,
        call.request.request_id,
        now,
    )
    .outcome(Outcome::Refused)
    .why(why.join("; "))
    .after(json!({ "directory": call.directory.name, "names": texts(names) }));
    acme.inner.store.commit(Write::new(event)?).await?;
    Ok(problem)
}

fn texts(names: &[Wanted]) -> Vec<String> {
    names.iter().map(Wanted::text).collect()
}

/// One authorization for each name: pending, or valid by what the account has already.
async fn authorizations(
    acme: &Acme,
    directory: &Directory,
    account: &Account,
    names: &[Wanted],
    now: Timestamp,
) -> Result<Vec<Authorization>, Problem> {
    let expires = later(now, directory.order_lifetime);
    let alone = match names
        .iter()
        .all(|name| policy::preauthorised(account, name))
    {
        true => Vec::new(),
        false => ahead(acme, account, now).await?,
    };
    let mut all = Vec::with_capacity(names.len());
    for name in names {
        if policy::preauthorised(account, name) {
            all.push(by_policy(account, name.clone(), expires)?);
            continue;
        }
        let ahead = alone.iter().find(|ahead| ahead.name == *name);
        let found = match ahead {
            Some(ahead) => Some(ahead.clone()),
            None => reusable(acme, directory, account, name, now).await?,
        };
        all.push(match found {
            Some(found) => by_proof(account, found)?,
            None => {
                let challenges = offered(directory, name)?;
                Authorization::new(account, name.clone(), challenges, expires)?
            }
        });
    }
    Ok(all)
}

/// What the account has proved ahead of any order.
async fn ahead(
    acme: &Acme,
    account: &Account,
    now: Timestamp,
) -> Result<Vec<Authorization>, Problem> {
    let lately = &acme.inner.lately;
    if lately.has_none_ahead(&account.id) {
        return Ok(Vec::new());
    }
    let found = orders::alone(&acme.inner.store, &account.id, now).await?;
    if found.is_empty() {
        lately.found_none_ahead(&account.id);
    }
    Ok(found)
}

/// Valid because an operator has given the account this name (R09).
pub(crate) fn by_policy(
    account: &Account,
    name: Wanted,
    expires: Timestamp,
) -> Result<Authorization, Problem> {
    let key = account.eab.as_deref().unwrap_or_default();
    let mut born = Authorization::new(account, name, Vec::new(), expires)?;
    born.status = Proven::Valid;
    born.origin = Some(format!("preauthorised:{key}"));
    Ok(born)
}

/// Valid because the account has proved it before.
fn by_proof(account: &Account, found: Authorization) -> Result<Authorization, Problem> {
    let id = found.id();
    let mut born = Authorization::new(account, found.name, found.challenges, found.expires)?;
    born.status = Proven::Valid;
    born.challenge = found.challenge;
    born.validated = found.validated;
    born.origin = found.origin.or(Some(format!("authorization:{id}")));
    Ok(born)
}

/// A proof of an earlier order that the directory still takes.
async fn reusable(
    acme: &Acme,
    directory: &Directory,
    account: &Account,
    name: &Wanted,
    now: Timestamp,
) -> Result<Option<Authorization>, Problem> {
    if directory.reuse == 0 {
        return Ok(None);
    }
    let oldest = later(now, 0).0 - milliseconds(directory.reuse);
    let found = orders::held(&acme.inner.store, &account.id, name, now).await?;
    Ok(found.filter(|found| found.validated.is_some_and(|at| at.0 >= oldest)))
}

/// The challenges that this directory offers for a name.
pub(crate) fn offered(directory: &Directory, name: &Wanted) -> Result<Vec<ChallengeKind>, Problem> {
    let suits = |kind: &ChallengeKind| kind.suits(&name.identifier, name.wildcard);
    let kinds: Vec<ChallengeKind> = directory.challenges.iter().copied().filter(suits).collect();
    if kinds.is_empty() {
        let detail = format!(
            "no challenge of this directory can prove control of {} (RFC 8555 §8, RFC 8738 §4)",
            name.value()
        );
        let problem = name.problem(ErrorType::RejectedIdentifier, detail);
        return Err(together(vec![problem]));
    }
    Ok(kinds)
}

fn pending(order: &Order) -> usize {
    let pending = |held: &&orders::Held| held.status == Proven::Pending;
    order.authorizations.iter().filter(pending).count()
}

fn spend(
    acme: &Acme,
    call: &Verified<'_>,
    names: &[Wanted],
    authorizations: &[Authorization],
    renewal: bool,
    now: Timestamp,
) -> Result<(), Problem> {
    let (account, directory) = (call.account()?, &call.directory);
    let limits = &acme.inner.limits;
    if !renewal {
        let mut texts = texts(names);
        texts.sort_unstable();
        limits.same_names(directory, account, &texts, now)?;
    }
    let pending = authorizations
        .iter()
        .filter(|one| one.status == Proven::Pending)
        .count();
    limits.spend(
        directory,
        Some(account),
        call.request.peer,
        Spend::NewOrder { names: pending },
        now,
    )
}

/// An order ends with the first of its authorizations.
fn lifetime(directory: &Directory, authorizations: &[Authorization], now: Timestamp) -> Timestamp {
    let own = later(now, directory.order_lifetime);
    let first = authorizations.iter().map(|one| one.expires).min();
    first.map_or(own, |first| first.min(own))
}

pub(crate) fn later(now: Timestamp, seconds: u64) -> Timestamp {
    Timestamp(now.0.saturating_add(milliseconds(seconds)))
}

fn milliseconds(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX)
}

async fn insert(
    acme: &Acme,
    call: &Verified<'_>,
    order: &Order,
    mut authorizations: Vec<Authorization>,
    now: Timestamp,
) -> Result<(), Problem> {
    for (position, authorization) in (0..).zip(&mut authorizations) {
        authorization.batch.clone_from(&order.id);
        authorization.position = position;
    }
    // Before it is stored: from then on somebody may change it.
    acme.inner.lately.made(order, authorizations.clone());
    let commit = async || -> Result<(), StoreError> {
        let write = creation(call, order, &authorizations, now)?;
        let write = order.insert(write, &authorizations).routine();
        acme.inner.store.commit(write).await.map(drop)
    };
    match commit().await {
        // The one index that can be in the way is that of replaced certificates.
        Err(StoreError::Duplicate(_)) if order.replaces.is_some() => {
            let freed = match &order.replaces {
                Some(id) => replaced::free(acme, id, now).await?,
                None => false,
            };
            if !freed {
                return Err(replaced::already());
            }
            match commit().await {
                Err(StoreError::Duplicate(_)) => Err(replaced::already()),
                other => Ok(other?),
            }
        }
        other => Ok(other?),
    }
}

fn creation(
    call: &Verified<'_>,
    order: &Order,
    authorizations: &[Authorization],
    now: Timestamp,
) -> Result<Write, StoreError> {
    let mut after = json!({
        "directory": order.directory,
        "profile": order.profile,
        "names": order.names().map(Wanted::text).collect::<Vec<_>>(),
    });
    if let Some(replaces) = &order.replaces {
        after["replaces"] = json!(replaces);
    }
    let object = || Object::new(orders::ORDER, order.id.as_str());
    let id = call.request.request_id;
    let created = orders::event(&order.account, "acme.order.create", object(), id, now);
    let mut write = Write::new(created.after(after))?;
    // Names that need no challenge here say why.
    let mut born: Vec<(&str, Vec<String>)> = Vec::new();
    for one in authorizations {
        let Some(origin) = one.origin.as_deref() else {
            continue;
        };
        match born.iter_mut().find(|(known, _)| *known == origin) {
            Some((_, names)) => names.push(one.name.text()),
            None => born.push((origin, vec![one.name.text()])),
        }
    }
    for (origin, names) in born {
        let action = "acme.authorization.valid";
        let event = orders::event(&order.account, action, object(), id, now);
        write = write.event(event.after(json!({ "origin": origin, "names": names })))?;
    }
    Ok(write)
}

/// The caller's own order, to be finalized: as it is remembered if it is ready, else from the database.
pub(crate) async fn to_finalize(
    acme: &Acme,
    call: &Verified<'_>,
    id: &str,
    now: Timestamp,
) -> Result<Order, Problem> {
    match acme.inner.lately.order(id) {
        Some(order) if order.state(now) == OrderState::Ready => owned(call, Some(order)),
        _ => own(acme, call, id).await,
    }
}

/// The caller's own order, from the database.
pub(crate) async fn own(acme: &Acme, call: &Verified<'_>, id: &str) -> Result<Order, Problem> {
    owned(call, orders::order(&acme.inner.store, id).await?)
}

fn owned(call: &Verified<'_>, found: Option<Order>) -> Result<Order, Problem> {
    let account = call.account()?;
    match found {
        Some(order) if order.directory != call.directory.name => Err(unknown()),
        Some(order) if order.account != account.id => Err(Problem::unauthorized(
            "this order belongs to another account (RFC 8555 §7.4)",
        )),
        Some(order) => Ok(order),
        None => Err(unknown()),
    }
}

fn unknown() -> Problem {
    Problem::not_found("there is no such order")
}

/// POST-as-GET order/{id}.
pub(crate) async fn show(
    acme: &Acme,
    call: &Verified<'_>,
    id: &str,
    now: Timestamp,
) -> Result<Reply, Problem> {
    let order = match acme.inner.lately.order(id) {
        Some(order) => owned(call, Some(order))?,
        None => own(acme, call, id).await?,
    };
    Ok(view(call, &order, 200, now))
}

/// RFC 8555 §7.1.2.1.
#[derive(Serialize)]
struct List {
    orders: Vec<String>,
}

const OWN: &str = "SELECT id FROM acme_orders WHERE account = $1 AND id < $2 AND status <> 'invalid' \
    AND (status <> 'open' OR expires > $3) ORDER BY id DESC LIMIT $4";
/// After every id.
const END: &str = "g";

/// POST-as-GET account/{id}/orders, the newest first. The account is the caller's own: `front` has checked that. Orders
/// that came to nothing are left out (RFC 8555 §7.1.2.1 SHOULD NOT).
pub(crate) async fn list(
    acme: &Acme,
    call: &Verified<'_>,
    now: Timestamp,
) -> Result<Reply, Problem> {
    let account = call.account()?;
    let cursor = match call.request.query {
        None => END,
        Some(query) => cursor(query).ok_or_else(|| {
            Problem::malformed("the query is not one that a link of ours has (RFC 8555 §7.1.2.1)")
        })?,
    };
    let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let rows = acme
        .inner
        .store
        .query(OWN, params![account.id.as_str(), cursor, now, limit])
        .await?;
    let mut ids = Vec::with_capacity(rows.len());
    for row in &rows {
        ids.push(row.text(0)?);
    }
    let more = ids.len() > PAGE;
    ids.truncate(PAGE);
    let list = List {
        orders: ids
            .iter()
            .map(|id| call.url(&format!("order/{id}")))
            .collect(),
    };
    let reply = Reply::json(200, &list);
    Ok(match ids.last().filter(|_| more) {
        Some(last) => {
            let next = format!("account/{}/orders?cursor={last}", account.id);
            reply.link(&call.url(&next), "next")
        }
        None => reply,
    })
}

/// `cursor={order}`.
fn cursor(query: &str) -> Option<&str> {
    let id = query.strip_prefix("cursor=")?;
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (id.len() == 32 && id.bytes().all(hex)).then_some(id)
}
