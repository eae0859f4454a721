//! The log over HTTP: events for those who may read them, hashes and checkpoints for everybody (C2SP tlog-tiles).

use std::sync::Arc;

use access::{Action, Refusal};
use audit::tile::{Kind, Path as TilePath};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::{StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::Services;
use crate::api::caller::{Asked, At, Caller};
use crate::api::events_found::{Look, began, shown};
use crate::problem::Problem;

/// Events in one answer at most.
const PAGE: u64 = 1000;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// First event, and those after it; the newest events when absent.
    pub(super) from: Option<u64>,
    /// At most this many, up to 1000.
    limit: Option<u64>,
    /// Only events before this number, the newest first: the `next` of the page before.
    pub(super) before: Option<u64>,
    /// Part of who did it: kind or id.
    pub(super) actor: Option<String>,
    /// What was done: `certificate.issue`, or `certificate` for everything of that sort.
    pub(super) action: Option<String>,
    /// Part of what it was done to: kind or id.
    pub(super) object: Option<String>,
    /// done, refused or failed.
    pub(super) outcome: Option<String>,
    /// Not before this instant (RFC 3339).
    pub(super) since: Option<String>,
    /// Not after this instant.
    pub(super) until: Option<String>,
    /// The log as it was then.
    pub(super) as_of: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Events {
    /// Number of events in the log; with `as_of`, of then.
    size: u64,
    #[schema(value_type = Vec<Object>)]
    events: Vec<serde_json::Value>,
    /// When the log began, in Unix milliseconds; absent while it is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    began: Option<i64>,
    /// Asked for the newest first: where to go on, as `before`; absent if there is nothing older.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
    /// Asked for the newest first: how many events were looked at for this page.
    #[serde(skip_serializing_if = "Option::is_none")]
    looked_at: Option<u64>,
}

/// Events in the order in which they happened; with `before`, a filter or `as_of`, the newest first, and as many as are
/// found among 20,000: `next` goes on.
#[utoipa::path(get, path = "/api/v1/audit/events", tag = "audit", params(EventsQuery),
    responses((status = 200, body = Events), (status = 400, body = Problem), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn events(
    caller: Caller,
    Asked(query): Asked<EventsQuery>,
) -> Result<Json<Events>, Problem> {
    caller.may_read(Action::ReadAudit)?;
    let limit = query.limit.unwrap_or(100).min(PAGE);
    let store = &caller.services.store;
    let look = Look::parse(&query, caller.now)?;
    let began = began(store).await?;
    let Some(look) = look else {
        let size = store.log_size().await?;
        let from = query.from.unwrap_or_else(|| size.saturating_sub(limit));
        let entries = store.events(from, limit).await?;
        return Ok(Json(Events {
            size,
            events: entries.iter().map(shown).collect(),
            began,
            next: None,
            looked_at: None,
        }));
    };
    let found = look.back(store, limit).await?;
    Ok(Json(Events {
        size: found.size,
        events: found.events,
        began,
        next: found.next,
        looked_at: Some(found.looked_at),
    }))
}

/// Inclusion proof of one event.
#[utoipa::path(get, path = "/api/v1/audit/proofs/{seq}", tag = "audit", params(("seq" = u64, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn prove(
    caller: Caller,
    At(seq): At<u64>,
) -> Result<Json<ca::log::InclusionProof>, Problem> {
    caller.may_read(Action::ReadAudit)?;
    match caller
        .services
        .ca
        .notary()
        .await?
        .prove(seq, caller.now)
        .await?
    {
        Some(proof) => Ok(Json(proof)),
        None => Err(Problem::not_found(format!("the log has no event {seq}"))),
    }
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct GrowthQuery {
    /// Size of the earlier checkpoint; 0, of which everything is a continuation, if absent.
    from: Option<u64>,
    /// Size of the later one; all there is if absent.
    to: Option<u64>,
}

/// Consistency proof: that the log of an earlier checkpoint is the beginning of the log of now (RFC 6962 §2.1.2).
#[utoipa::path(get, path = "/api/v1/audit/consistency", tag = "audit", params(GrowthQuery),
    responses((status = 200, body = Object), (status = 400, body = Problem), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn prove_growth(
    caller: Caller,
    Asked(query): Asked<GrowthQuery>,
) -> Result<Json<ca::log::ConsistencyProof>, Problem> {
    caller.may_read(Action::ReadAudit)?;
    let from = query.from.unwrap_or_default();
    let notary = caller.services.ca.notary().await?;
    match notary.prove_growth(from, query.to, caller.now).await? {
        Some(proof) => Ok(Json(proof)),
        None => {
            let size = caller.services.store.log_size().await?;
            let refusal = Refusal::new(
                "audit.longer",
                "docs/audit.md (prove it in the browser)",
                format!("the log never had {} entries", query.to.unwrap_or(from).max(from)),
            )
            .accepted(format!("a size up to {size}; a longer checkpoint is of another log, or this one was cut off"));
            Err(Problem::refused(StatusCode::UNPROCESSABLE_ENTITY, &refusal))
        }
    }
}

pub(crate) async fn checkpoint(State(services): State<Arc<Services>>) -> Result<Response, Problem> {
    Ok(text(
        services
            .ca
            .notary()
            .await?
            .checkpoint(services.now())
            .await?,
    ))
}

pub(crate) async fn verifier_key(
    State(services): State<Arc<Services>>,
) -> Result<Response, Problem> {
    Ok(text(format!(
        "{}\n",
        services.ca.notary().await?.verifier_key()
    )))
}

/// Hash tiles. They never change once full; partial ones are addressed by their width, so neither do they.
pub(crate) async fn tile(
    State(services): State<Arc<Services>>,
    At(rest): At<String>,
) -> Result<Response, Problem> {
    let path = parse(&rest)?;
    if path.kind == Kind::Entries {
        return Err(Problem::not_found(
            "entry bundles name people and devices: HTTPS with a token that may read-audit",
        ));
    }
    send(&services, path).await
}

/// Entry bundles: the events themselves.
pub(crate) async fn entries(caller: Caller, At(rest): At<String>) -> Result<Response, Problem> {
    caller.may_read(Action::ReadAudit)?;
    send(&caller.services, parse(&format!("entries/{rest}"))?).await
}

fn parse(rest: &str) -> Result<TilePath, Problem> {
    format!("tile/{rest}")
        .parse()
        .map_err(|_| Problem::not_found("not a tile path of C2SP tlog-tiles"))
}

async fn send(services: &Services, path: TilePath) -> Result<Response, Problem> {
    match services.ca.notary().await?.tile(path).await? {
        Some(bytes) => {
            let headers = [
                (header::CONTENT_TYPE, "application/octet-stream"),
                (header::CACHE_CONTROL, "max-age=31536000, immutable"),
            ];
            Ok((headers, bytes).into_response())
        }
        None => Err(Problem::not_found("the log is not that long")),
    }
}

fn text(body: String) -> Response {
    (
        [
            (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
            (header::CACHE_CONTROL, "no-cache"),
        ],
        body,
    )
        .into_response()
}
