//! The log over HTTP: events for those who may read them, hashes and checkpoints for everybody (C2SP tlog-tiles).

use std::sync::Arc;

use access::Action;
use audit::tile::{Kind, Path as TilePath};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::header;
use serde::{Deserialize, Serialize};

use crate::Services;
use crate::api::caller::{Asked, At, Caller};
use crate::problem::Problem;

/// Events in one answer at most.
const PAGE: u64 = 1000;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// First event; the newest events when absent.
    from: Option<u64>,
    /// At most this many, up to 1000.
    limit: Option<u64>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Events {
    /// Number of events in the log.
    size: u64,
    #[schema(value_type = Vec<Object>)]
    events: Vec<serde_json::Value>,
}

/// Events in the order in which they happened.
#[utoipa::path(get, path = "/api/v1/audit/events", tag = "audit", params(EventsQuery),
    responses((status = 200, body = Events), (status = 403, body = Problem)))]
pub(crate) async fn events(
    caller: Caller,
    Asked(query): Asked<EventsQuery>,
) -> Result<Json<Events>, Problem> {
    caller.may_read(Action::ReadAudit)?;
    let size = caller.services.store.log_size().await?;
    let limit = query.limit.unwrap_or(100).min(PAGE);
    let from = query.from.unwrap_or_else(|| size.saturating_sub(limit));
    let entries = caller.services.store.events(from, limit).await?;
    let events = entries.iter().map(|entry| {
        let mut event: serde_json::Value = serde_json::from_slice(&entry.body).unwrap_or_default();
        if let Some(fields) = event.as_object_mut() {
            fields.insert("seq".into(), entry.seq.into());
        }
        event
    });
    Ok(Json(Events {
        size,
        events: events.collect(),
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
