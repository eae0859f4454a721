//! Whose a certificate is, over REST (R21): ordered rules, what is said by hand; and observations carried here (R17).

use std::sync::Arc;
use std::time::Duration;

use access::{Action, Permit, Target};
use agent::observation::{LINE_LIMIT, Observation};
use axum::body::Body;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use fleet::inventory::rule::{Gift, OwnerRule, StoredHand, StoredRule};
use fleet::inventory::{Ingested, Source};
use futures_util::StreamExt;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use crate::Services;
use crate::api::caller::{Asked, At, Caller, Sent};
use crate::problem::Problem;

/// What one request may bring, and how long it may take over it.
const MOST_BYTES: usize = 256 << 20;
const PATIENCE: Duration = Duration::from_secs(600);
/// Observations that are taken in at once, and bytes of their lines.
const BATCH: usize = 2_000;
const BATCH_BYTES: usize = 8 << 20;
/// Bad lines that are told one by one.
const TOLD: usize = 20;

pub(super) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/api/v1/owner-rules", get(rules).post(create_rule))
        .route(
            "/api/v1/owner-rules/{name}",
            get(rule).put(put_rule).delete(remove_rule),
        )
        .route("/api/v1/owner-rules/{name}/move", post(move_rule))
        .route("/api/v1/inventory/{sha256}/owner", put(set_owner))
        .route("/api/v1/inventory/observations", post(observations))
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
    let bytes = hex::decode(&sha256).ok();
    let hash: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
    let hash = hash.ok_or_else(|| Problem::malformed("sha256: send all 64 hex digits"))?;
    let fleet = &caller.services.fleet;
    fleet.set_by_hand(&permit, &hash, gift, caller.now).await?;
    Ok(Json(fleet.hand_set(&hash).await?))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Carried {
    /// Where they come from, as the inventory will say; `rest` if absent.
    source: Option<String>,
    /// Only says what would happen.
    #[serde(default)]
    dry_run: bool,
}

/// What became of the lines: the counts, and the lines that are no observations.
#[derive(Default, Serialize)]
pub(crate) struct TakenIn {
    #[serde(flatten)]
    counts: Ingested,
    bad: u64,
    /// The first twenty of them.
    bad_lines: Vec<String>,
}

/// Takes in observations, a line of JSON each, as `ward discover … --out` writes them: at most 256 MiB, 4 MiB a line,
/// ten minutes. They are taken in as they come: what breaks off leaves the batches before it, and may be sent again.
#[utoipa::path(post, path = "/api/v1/inventory/observations", tag = "inventory", params(Carried),
    request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 408, body = Problem),
        (status = 413, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn observations(
    caller: Caller,
    Asked(carried): Asked<Carried>,
    body: Body,
) -> Result<Json<TakenIn>, Problem> {
    let mut desk = Desk {
        permit: manages(&caller).await?,
        source: Source {
            name: carried.source.unwrap_or_else(|| "rest".to_owned()),
            scan: None,
        },
        dry_run: carried.dry_run,
        caller,
        batch: Vec::new(),
        bytes: 0,
        number: 0,
        taken: TakenIn::default(),
    };
    let late = || Problem::too_slow(format!("it did not come within {} s", PATIENCE.as_secs()));
    let deadline = Instant::now() + PATIENCE;
    let (mut pieces, mut rest, mut total) = (body.into_data_stream(), Vec::new(), 0_usize);
    while let Some(piece) = timeout_at(deadline, pieces.next())
        .await
        .map_err(|_| late())?
    {
        let piece = piece.map_err(|error| Problem::malformed(error.to_string()))?;
        total = total.saturating_add(piece.len());
        if total > MOST_BYTES {
            return Err(Problem::too_large(format!(
                "a request has at most {MOST_BYTES} bytes"
            )));
        }
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            rest.extend_from_slice(part);
            if rest.len() > LINE_LIMIT {
                return Err(Problem::too_large(format!(
                    "line {}: lines have at most {LINE_LIMIT} bytes",
                    desk.number + 1
                )));
            }
            if part.ends_with(b"\n") {
                desk.line(&rest).await?;
                rest.clear();
            }
        }
    }
    desk.line(&rest).await?;
    desk.take_in().await?;
    Ok(Json(desk.taken))
}

/// Collects lines to batches.
struct Desk {
    caller: Caller,
    permit: Permit,
    source: Source,
    dry_run: bool,
    batch: Vec<Observation>,
    bytes: usize,
    number: u64,
    taken: TakenIn,
}

impl Desk {
    async fn line(&mut self, line: &[u8]) -> Result<(), Problem> {
        self.number += 1;
        let text = String::from_utf8_lossy(line);
        if text.trim().is_empty() {
            return Ok(());
        }
        match Observation::read(text.trim()) {
            Ok(seen) => self.batch.push(seen),
            Err(error) => {
                self.taken.bad += 1;
                if self.taken.bad_lines.len() < TOLD {
                    let told = format!("line {}: {error}", self.number);
                    // An error may quote what was sent.
                    self.taken.bad_lines.push(told.chars().take(300).collect());
                }
            }
        }
        self.bytes += line.len();
        if self.batch.len() >= BATCH || self.bytes >= BATCH_BYTES {
            self.take_in().await?;
        }
        Ok(())
    }

    async fn take_in(&mut self) -> Result<(), Problem> {
        let batch = std::mem::take(&mut self.batch);
        self.bytes = 0;
        if batch.is_empty() {
            return Ok(());
        }
        let fleet = &self.caller.services.fleet;
        let now = self.caller.now;
        self.taken.counts += match self.dry_run {
            true => fleet.weigh(&batch, now).await?,
            false => {
                fleet
                    .ingest(&self.permit, &self.source, &batch, now)
                    .await?
            }
        };
        Ok(())
    }
}
