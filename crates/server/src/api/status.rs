//! How old everything is, and what needs attention: for people (`/api/v1/status`) and for Prometheus (`/metrics`).

use std::sync::Arc;

use access::Action;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::header;
use serde::Serialize;

use crate::Services;
use crate::api::caller::Caller;
use crate::problem::Problem;

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct StatusView {
    version: &'static str,
    now: String,
    log_size: u64,
    #[schema(value_type = Object)]
    state: ca::StatusReport,
}

/// What runs, how old it is, what needs attention.
#[utoipa::path(get, path = "/api/v1/status", tag = "status", responses((status = 200, body = StatusView)))]
pub(crate) async fn show(caller: Caller) -> Result<Json<StatusView>, Problem> {
    caller.may_read(Action::ReadStatus)?;
    Ok(Json(StatusView {
        version: env!("CARGO_PKG_VERSION"),
        now: caller.now.to_string(),
        log_size: caller.services.store.log_size().await?,
        state: caller.services.ca.status_report(caller.now).await?,
    }))
}

/// Prometheus text. Figures about Ward, none about certificates' subjects.
pub(crate) async fn metrics(State(services): State<Arc<Services>>) -> Response {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        services.metrics.render(),
    )
        .into_response()
}

/// Ages that only a look at the database tells.
pub(crate) async fn record_gauges(services: &Services) -> Result<(), ca::CaError> {
    let now = services.now().seconds();
    for list in services.ca.published_lists().await? {
        let (issuer, kind) = (list.name.issuer, list.name.kind.to_string());
        let labels = [("issuer", issuer), ("list", kind)];
        metrics::gauge!("ward_crl_age_seconds", &labels).set((now - list.this_update.0) as f64);
        metrics::gauge!("ward_crl_next_update_seconds", &labels)
            .set((list.next_update.0 - now) as f64);
        metrics::gauge!("ward_crl_entries", &labels).set(list.entries as f64);
    }
    metrics::gauge!("ward_log_size").set(services.store.log_size().await? as f64);
    Ok(())
}
