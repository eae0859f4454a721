//! Whose a certificate is, over REST (R21): ordered rules, what is said by hand.

use std::sync::Arc;

use access::{Action, Permit, Target};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use fleet::inventory::rule::{Gift, OwnerRule, StoredHand, StoredRule, Trial, Tried};
use hyper::StatusCode;
use serde::Deserialize;

use crate::Services;
use crate::api::caller::{At, Caller, Sent};
use crate::problem::Problem;

pub(super) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/api/v1/owner-rules", get(rules).post(create_rule))
        .route(
            "/api/v1/owner-rules/{name}",
            get(rule).put(put_rule).delete(remove_rule).post(test_rules),
        )
        .route("/api/v1/owner-rules/{name}/move", post(move_rule))
        .route("/api/v1/inventory/{sha256}/owner", put(set_owner))
}

async fn manages(caller: &Caller) -> Result<Permit, Problem> {
    caller
        .permit(Action::ManageInventory, &Target::default())
        .await
}

/// Owner rules, in the order in which they are tried.
#[utoipa::path(get, path = "/api/v1/owner-rules", tag = "inventory", responses((status = 200, body = [Object])))]
pub(crate) async fn rules(caller: Caller) -> Result<Json<Vec<StoredRule>>, Problem> {
    caller.may_read(Action::ReadInventory)?;
    Ok(Json(caller.services.fleet.owner_rules().await?))
}

/// One owner rule.
#[utoipa::path(get, path = "/api/v1/owner-rules/{name}", tag = "inventory", params(("name" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn rule(
    caller: Caller,
    At(name): At<String>,
) -> Result<Json<StoredRule>, Problem> {
    caller.may_read(Action::ReadInventory)?;
    Ok(Json(caller.services.fleet.owner_rule(&name).await?))
}

/// Adds an owner rule (`name`, `position`, `when`, `give`, `note`); position 0 puts it behind all others.
#[utoipa::path(post, path = "/api/v1/owner-rules", tag = "inventory", request_body = Object,
    responses((status = 201, body = Object), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn create_rule(
    caller: Caller,
    Sent(rule): Sent<OwnerRule>,
) -> Result<(StatusCode, Json<StoredRule>), Problem> {
    let permit = manages(&caller).await?;
    let fleet = &caller.services.fleet;
    let stored = fleet.put_owner_rule(&permit, rule, 0, caller.now).await?;
    Ok((StatusCode::CREATED, Json(stored)))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutRule {
    /// The version that was read; anything else in force is a conflict.
    version: u64,
    /// As it was read, with changes.
    #[schema(value_type = Object)]
    rule: OwnerRule,
}

/// Changes an owner rule in the place of a version that was read.
#[utoipa::path(put, path = "/api/v1/owner-rules/{name}", tag = "inventory", params(("name" = String, Path)), request_body = PutRule,
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn put_rule(
    caller: Caller,
    At(name): At<String>,
    Sent(PutRule { version, mut rule }): Sent<PutRule>,
) -> Result<Json<StoredRule>, Problem> {
    let permit = manages(&caller).await?;
    let stands = standing(&caller, &name, version).await?;
    if !rule.name.is_empty() && rule.name != stands.rule.name {
        return Err(Problem::malformed("a rule keeps its name"));
    }
    rule.name = stands.rule.name;
    let fleet = &caller.services.fleet;
    let stored = fleet.put_owner_rule(&permit, rule, version, caller.now);
    Ok(Json(stored.await?))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MoveRule {
    /// The version that was read.
    version: u64,
    /// The smallest is tried first.
    position: i64,
}

/// Changes the position of an owner rule and nothing else.
#[utoipa::path(post, path = "/api/v1/owner-rules/{name}/move", tag = "inventory", params(("name" = String, Path)), request_body = MoveRule,
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn move_rule(
    caller: Caller,
    At(name): At<String>,
    Sent(MoveRule { version, position }): Sent<MoveRule>,
) -> Result<Json<StoredRule>, Problem> {
    let permit = manages(&caller).await?;
    let mut rule = standing(&caller, &name, version).await?.rule;
    rule.position = position;
    let fleet = &caller.services.fleet;
    let stored = fleet.put_owner_rule(&permit, rule, version, caller.now);
    Ok(Json(stored.await?))
}

async fn standing(caller: &Caller, name: &str, version: u64) -> Result<StoredRule, Problem> {
    let stands = caller.services.fleet.owner_rule(name).await?;
    match stands.version == version {
        true => Ok(stands),
        false => Err(Problem::conflict("the rule has changed since it was read")),
    }
}

/// Ends an owner rule; what it gave is settled anew.
#[utoipa::path(delete, path = "/api/v1/owner-rules/{name}", tag = "inventory", params(("name" = String, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn remove_rule(
    caller: Caller,
    At(name): At<String>,
) -> Result<StatusCode, Problem> {
    let permit = manages(&caller).await?;
    let fleet = &caller.services.fleet;
    fleet.remove_owner_rule(&permit, &name, caller.now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says by hand whose a certificate is, in the place of what was said by hand before; `{}` takes it back.
#[utoipa::path(put, path = "/api/v1/inventory/{sha256}/owner", tag = "inventory", params(("sha256" = String, Path)), request_body = Object,
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn set_owner(
    caller: Caller,
    At(sha256): At<String>,
    Sent(gift): Sent<Gift>,
) -> Result<Json<StoredHand>, Problem> {
    let permit = manages(&caller).await?;
    let hash = hash(&sha256)?;
    let fleet = &caller.services.fleet;
    fleet.set_by_hand(&permit, &hash, gift, caller.now).await?;
    Ok(Json(fleet.hand_set(&hash).await?))
}

/// What rules are tried on: one of both.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TryRules {
    /// Of a certificate in the inventory, all 64 hex digits.
    sha256: Option<String>,
    /// Any certificate, as PEM.
    certificate: Option<String>,
}

/// Which owner rule matches a certificate, and why not those before it. Nothing is changed.
#[utoipa::path(post, path = "/api/v1/owner-rules/test", tag = "inventory", request_body = TryRules,
    responses((status = 200, body = Object), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn test_rules(
    caller: Caller,
    At(name): At<String>,
    Sent(wanted): Sent<TryRules>,
) -> Result<Json<Tried>, Problem> {
    caller.may_read(Action::ReadInventory)?;
    // A rule may have any name, `test` too: it is read, changed and ended under the same path.
    if name != "test" {
        return Err(Problem::method(
            "rules are tried by POST to /api/v1/owner-rules/test",
        ));
    }
    let trial = match (wanted.sha256, wanted.certificate) {
        (Some(sha256), None) => Trial::Known(hash(&sha256)?),
        (None, Some(pem)) => {
            let certificate = x509::Certificate::from_pem(pem.as_bytes());
            let certificate =
                certificate.map_err(|error| Problem::malformed(format!("certificate: {error}")))?;
            Trial::Given(Box::new(certificate))
        }
        _ => return Err(Problem::malformed("send either `sha256` or `certificate`")),
    };
    Ok(Json(caller.services.fleet.try_owner_rules(&trial).await?))
}

fn hash(sha256: &str) -> Result<[u8; 32], Problem> {
    let bytes = hex::decode(sha256).ok();
    let hash = bytes.and_then(|bytes| bytes.try_into().ok());
    hash.ok_or_else(|| Problem::malformed("sha256: send all 64 hex digits"))
}
