//! Authorizations (RFC 8555 §7.1.4, §7.4.1, §7.5): shown, made ahead of an order, given up.

use agent::control::{ChallengeKind, Identifier};
use audit::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use store::{StoreError, Write, params};

use super::front::Verified;
use super::identifier::{Written, read_one, together};
use super::limits::Spend;
use super::order::{by_policy, later, offered, raw, shown};
use super::orders::{self, Authorization, Proven};
use super::problem::{ErrorType, Problem, Sub};
use super::{Acme, Reply, policy};

/// RFC 8555 §7.1.4.
#[derive(Serialize)]
struct View {
    identifier: Identifier,
    status: &'static str,
    expires: String,
    challenges: Vec<ChallengeView>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    wildcard: bool,
}

/// RFC 8555 §8.
#[derive(Serialize)]
pub(crate) struct ChallengeView {
    #[serde(rename = "type")]
    kind: &'static str,
    url: String,
    status: &'static str,
    token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    validated: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Box<RawValue>>,
}

/// One challenge as it goes out.
pub(crate) fn challenge_view(
    call: &Verified<'_>,
    authorization: &Authorization,
    kind: ChallengeKind,
) -> ChallengeView {
    let tried = authorization.challenge == Some(kind);
    let status = match authorization.status {
        Proven::Processing if tried => "processing",
        Proven::Valid if tried => "valid",
        Proven::Invalid if tried => "invalid",
        _ => "pending",
    };
    let id = authorization.id();
    ChallengeView {
        kind: kind.as_str(),
        url: call.url(&format!("challenge/{id}/{kind}")),
        status,
        token: authorization.token.clone(),
        validated: authorization.validated.filter(|_| tried).map(shown),
        error: authorization.error.clone().filter(|_| tried).and_then(raw),
    }
}

/// RFC 8555 §7.1.6.
fn status(authorization: &Authorization, now: Timestamp) -> &'static str {
    let over = authorization.expires <= now;
    match authorization.status {
        Proven::Valid if over => "expired",
        Proven::Pending | Proven::Processing if over => "invalid",
        Proven::Pending | Proven::Processing => "pending",
        other => other.as_str(),
    }
}

fn view(call: &Verified<'_>, authorization: &Authorization, code: u16, now: Timestamp) -> Reply {
    let undecided = matches!(
        authorization.status,
        Proven::Pending | Proven::Processing | Proven::Deactivated
    );
    // RFC 8555 §7.1.4: of a decided one, the challenge that was tried.
    let kinds = authorization
        .challenges
        .iter()
        .filter(|kind| undecided || authorization.challenge == Some(**kind));
    let view = View {
        identifier: authorization.name.identifier.clone(),
        status: status(authorization, now),
        expires: shown(authorization.expires),
        challenges: kinds
            .map(|kind| challenge_view(call, authorization, *kind))
            .collect(),
        wildcard: authorization.name.wildcard,
    };
    let reply = Reply::json(code, &view);
    match authorization.status {
        // Whoever polls may come again soon (§7.5.1).
        Proven::Pending | Proven::Processing => reply.retry_after(1),
        _ => reply,
    }
}

/// The caller's own authorization.
pub(crate) async fn own(
    acme: &Acme,
    call: &Verified<'_>,
    id: &str,
) -> Result<Authorization, Problem> {
    let account = call.account()?;
    let found = match acme.inner.lately.authorization(id) {
        Some(found) => Some(found),
        None => orders::authorization(&acme.inner.store, id).await?,
    };
    match found {
        Some(found) if found.directory != call.directory.name => Err(unknown()),
        Some(found) if found.account != account.id => Err(Problem::unauthorized(
            "this authorization belongs to another account (RFC 8555 §7.5)",
        )),
        Some(found) => Ok(found),
        None => Err(unknown()),
    }
}

fn unknown() -> Problem {
    Problem::not_found("there is no such authorization")
}

/// POST authz/{id}: shows it, or gives it up (§7.5.2).
pub(crate) async fn post(
    acme: &Acme,
    call: &Verified<'_>,
    id: &str,
    now: Timestamp,
) -> Result<Reply, Problem> {
    /// §7.5.2; other members are nobody's.
    #[derive(Deserialize)]
    struct Update {
        status: String,
    }

    let authorization = own(acme, call, id).await?;
    if call.is_post_as_get() {
        return Ok(view(call, &authorization, 200, now));
    }
    let update: Update = call.parse()?;
    if update.status != "deactivated" {
        return Err(Problem::malformed(
            "the one thing a client can do to an authorization is to deactivate it (RFC 8555 §7.5.2)",
        ));
    }
    let given_up = deactivate(acme, call, authorization, now).await?;
    Ok(view(call, &given_up, 200, now))
}

const DEACTIVATE: &str = "UPDATE acme_authorizations SET status = 'deactivated', busy_until = NULL \
    WHERE batch = $1 AND position = $2 AND status IN ('pending', 'processing', 'valid')";
const END_ORDER: &str =
    "UPDATE acme_orders SET status = 'invalid', error = $2 WHERE id = $1 AND status = 'open'";

/// An order that still needs it comes to nothing.
async fn deactivate(
    acme: &Acme,
    call: &Verified<'_>,
    mut authorization: Authorization,
    now: Timestamp,
) -> Result<Authorization, Problem> {
    let decided = matches!(authorization.status, Proven::Invalid | Proven::Deactivated);
    if decided {
        return match authorization.status {
            Proven::Deactivated => Ok(authorization),
            _ => Err(Problem::malformed(
                "the authorization is invalid already (RFC 8555 §7.1.6)",
            )),
        };
    }
    let action = "acme.authorization.deactivate";
    let event = orders::event(
        &authorization.account,
        action,
        authorization.object(),
        call.request.request_id,
        now,
    )
    .after(json!({ "name": authorization.name.text() }));
    let given_up = Problem::unauthorized(format!(
        "the authorization for {} was deactivated (RFC 8555 §7.5.2)",
        authorization.name.value()
    ));
    let write = Write::new(event)?.run_expecting(
        1,
        DEACTIVATE,
        params![authorization.batch.as_str(), authorization.position],
        "the authorization is decided",
    );
    let write = write.run(
        END_ORDER,
        params![authorization.batch.as_str(), given_up.text()],
    );
    acme.inner.lately.forget(&authorization.batch);
    match acme.inner.store.commit(write).await {
        Ok(_) => {
            if authorization.status != Proven::Valid {
                let limits = &acme.inner.limits;
                limits.settled(&call.directory, &authorization.account, 1);
            }
            authorization.status = Proven::Deactivated;
            Ok(authorization)
        }
        // It was decided meanwhile, here or on another node.
        Err(StoreError::Conflict(_)) => own(acme, call, &authorization.id()).await,
        Err(error) => Err(error.into()),
    }
}

/// RFC 8555 §7.4.1.
#[derive(Deserialize)]
struct NewAuthorization {
    identifier: Written,
}

/// POST new-authz: proof ahead of any order.
pub(crate) async fn create(
    acme: &Acme,
    call: &Verified<'_>,
    now: Timestamp,
) -> Result<Reply, Problem> {
    let wish: NewAuthorization = call.parse()?;
    let (account, directory) = (call.account()?, &call.directory);
    let name = read_one(&wish.identifier).map_err(|problem| together(vec![problem]))?;
    if name.wildcard {
        let detail = "wildcards cannot be authorized ahead of an order (RFC 8555 §7.4.1)";
        let problem: Sub = name.problem(ErrorType::Malformed, detail);
        return Err(together(vec![problem]));
    }
    let profile = policy::profile(acme, directory, account, None)?;
    let names = std::slice::from_ref(&name);
    let outside = policy::outside(directory, account, &profile, names);
    if !outside.is_empty() {
        return Err(together(outside));
    }
    let spend = Spend::NewOrder { names: 1 };
    let peer = call.request.peer;
    acme.inner
        .limits
        .spend(directory, Some(account), peer, spend, now)?;
    let expires = later(now, directory.order_lifetime);
    let mut authorization = match policy::preauthorised(account, &name) {
        true => by_policy(account, name, expires)?,
        false => {
            let challenges = offered(directory, &name)?;
            Authorization::new(account, name, challenges, expires)?
        }
    };
    authorization.batch = orders::new_id(now)?;
    authorization.alone = true;
    let event = orders::event(
        &account.id,
        "acme.authorization.create",
        authorization.object(),
        call.request.request_id,
        now,
    );
    let mut after =
        json!({ "name": authorization.name.text(), "status": authorization.status.as_str() });
    if let Some(origin) = &authorization.origin {
        after["origin"] = json!(origin);
    }
    let write = Write::new(event.after(after))?;
    let write = authorization.insert(write).routine();
    acme.inner.lately.goes_ahead(&account.id);
    acme.inner.store.commit(write).await?;
    let url = call.url(&format!("authz/{}", authorization.id()));
    Ok(view(call, &authorization, 201, now).location(url))
}
