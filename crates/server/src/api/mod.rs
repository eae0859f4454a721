//! REST `/api/v1`: read the request, ask `access` for a permit, hand it to the room that acts, say what came of it.

mod acme;
mod agents;
pub(crate) mod answer;
mod as_of;
mod assets;
mod audit_log;
mod authorities;
pub(crate) mod bulk;
mod bundles;
pub(crate) mod caller;
mod calls;
mod certificates;
mod enrolment;
mod error;
mod events_found;
pub(crate) mod findings;
mod flows;
mod imports;
mod inventory;
mod openapi;
mod overview;
mod owners;
mod people;
mod policies;
mod profiles;
mod requests;
mod review;
mod scans;
mod shapes;
pub(crate) mod status;
mod stream;
mod tokens;
mod topology;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post};

use crate::Services;
use crate::problem::Problem;
pub(crate) use calls::make_due as make_due_calls;

/// What HTTPS serves beside the public documents.
pub(crate) fn router(services: Arc<Services>) -> Router {
    let limit = DefaultBodyLimit::max(services.config.limits.body_bytes);
    Router::new()
        .route(
            "/api/v1/certificates",
            post(certificates::issue).get(certificates::list),
        )
        .route("/api/v1/certificates/{id}", get(certificates::show))
        .route(
            "/api/v1/certificates/{id}/revoke",
            post(certificates::revoke),
        )
        .route("/api/v1/certificates/{id}/hold", post(certificates::hold))
        .route(
            "/api/v1/certificates/{id}/release",
            post(certificates::release),
        )
        .route("/api/v1/authorities", get(authorities::list))
        .route("/api/v1/authorities/{name}", get(authorities::show))
        .route("/api/v1/issuers", get(authorities::issuers))
        .route("/api/v1/crls", get(authorities::crls))
        .route("/api/v1/crls/{issuer}/publish", post(authorities::publish))
        .route("/api/v1/profiles", get(profiles::list))
        .route("/api/v1/profiles/{name}", get(profiles::show))
        .merge(requests::routes())
        .merge(people::routes())
        .merge(policies::routes())
        .route("/api/v1/access-review", get(review::show))
        .route("/api/v1/tokens", get(tokens::list).post(tokens::create))
        .route("/api/v1/tokens/{id}", delete(tokens::revoke))
        .merge(acme_routes())
        .merge(enrolment_routes())
        .merge(asset_routes())
        .merge(bundle_routes())
        .merge(findings::routes())
        .merge(scans::routes())
        .merge(inventory_routes())
        .merge(owners::routes())
        .merge(imports::routes())
        .merge(agent_routes())
        .merge(flows::routes())
        .merge(overview::routes())
        .merge(bulk::routes())
        .merge(crate::signin::routes())
        .route("/api/v1/topology", get(topology::topology))
        .route("/api/v1/events/stream", get(stream::stream))
        .route("/api/v1/audit/events", get(audit_log::events))
        .route("/api/v1/audit/proofs/{seq}", get(audit_log::prove))
        .route("/api/v1/audit/consistency", get(audit_log::prove_growth))
        .route("/api/v1/status", get(status::show))
        .route("/api/v1/openapi.json", get(openapi::document))
        .route("/log/tile/entries/{*rest}", get(audit_log::entries))
        .merge(public_routes())
        .method_not_allowed_fallback(wrong_method)
        .layer(limit)
        .layer(axum::middleware::from_fn(as_of::guard))
        .layer(from_fn_with_state(Arc::clone(&services), answer::accompany))
        .with_state(services)
}

fn asset_routes() -> Router<Arc<Services>> {
    let table = DefaultBodyLimit::max(fleet::LARGEST_FILE);
    Router::new()
        .route("/api/v1/assets", get(assets::list).post(assets::create))
        .route("/api/v1/assets/import", post(assets::import).layer(table))
        .route("/api/v1/assets/export", get(assets::export))
        .route("/api/v1/assets/{id}", get(assets::show).put(assets::change))
        .route("/api/v1/assets/{id}/history", get(assets::history))
        .route("/api/v1/assets/{id}/holdings", get(assets::holdings))
        .route("/api/v1/assets/{id}/retire", post(assets::retire))
        .route(
            "/api/v1/spares",
            get(assets::spares).post(assets::prepare_spare),
        )
        .route("/api/v1/spares/{id}", get(assets::spare))
        .route("/api/v1/spares/{id}/request", post(assets::request_spare))
        .route("/api/v1/spares/{id}/release", post(assets::release_spare))
        .route("/api/v1/spares/{id}/revoke", post(assets::revoke_spare))
}

fn acme_routes() -> Router<Arc<Services>> {
    Router::new()
        .route(
            "/api/v1/acme/directories",
            get(acme::directories).post(acme::create_directory),
        )
        .route(
            "/api/v1/acme/directories/{name}",
            get(acme::directory)
                .put(acme::put_directory)
                .delete(acme::remove_directory),
        )
        .route(
            "/api/v1/acme/eab-keys",
            get(acme::eab_keys).post(acme::create_eab),
        )
        .route("/api/v1/acme/eab-keys/{id}", get(acme::eab_key))
        .route("/api/v1/acme/eab-keys/{id}/revoke", post(acme::revoke_eab))
        .route("/api/v1/acme/accounts", get(acme::accounts))
        .route("/api/v1/acme/accounts/{id}", get(acme::account))
        .route(
            "/api/v1/acme/accounts/{id}/deactivate",
            post(acme::deactivate),
        )
        .route("/api/v1/acme/orders", get(acme::orders))
        .route("/api/v1/acme/orders/{id}", get(acme::order))
        .route(
            "/api/v1/acme/recalls",
            get(acme::recalls).post(acme::recall),
        )
        .route("/api/v1/acme/recalls/{id}", delete(acme::end_recall))
}

fn agent_routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/api/v1/agents", get(agents::list).post(agents::invite))
        .route("/api/v1/agents/{name}", get(agents::show))
        .route("/api/v1/agents/{name}/revoke", post(agents::revoke))
        .route(
            "/api/v1/agents/{name}/orders",
            get(agents::orders).post(agents::order),
        )
        .route("/api/v1/agent-orders/{id}/stop", post(agents::stop))
}

fn bundle_routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/api/v1/bundles", get(bundles::list).post(bundles::create))
        .route(
            "/api/v1/bundles/{name}",
            get(bundles::show).put(bundles::put).delete(bundles::remove),
        )
        .route("/api/v1/bundles/{name}/versions", get(bundles::versions))
}

fn inventory_routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/api/v1/inventory", get(inventory::list))
        .route("/api/v1/inventory/{sha256}", get(inventory::show))
        .route("/api/v1/inventory/keys", get(inventory::keys))
        .route("/api/v1/inventory/issuers", get(inventory::issuers))
        .route("/api/v1/inventory/export", get(inventory::export))
        .route(
            "/api/v1/inventory/views",
            get(inventory::views).post(inventory::save_view),
        )
        .route(
            "/api/v1/inventory/views/{name}",
            get(inventory::view).delete(inventory::remove_view),
        )
        .route("/api/v1/places", get(inventory::places))
}

fn enrolment_routes() -> Router<Arc<Services>> {
    Router::new()
        .route(
            "/api/v1/enrolment/endpoints",
            get(enrolment::endpoints).post(enrolment::create_endpoint),
        )
        .route(
            "/api/v1/enrolment/endpoints/{name}",
            get(enrolment::endpoint)
                .put(enrolment::put_endpoint)
                .delete(enrolment::remove_endpoint),
        )
        .route(
            "/api/v1/enrolment/rights",
            get(enrolment::rights).post(enrolment::create_right),
        )
        .route("/api/v1/enrolment/rights/{id}", get(enrolment::right))
        .route(
            "/api/v1/enrolment/rights/{id}/revoke",
            post(enrolment::revoke_right),
        )
        .route(
            "/api/v1/enrolment/registrations",
            get(enrolment::registrations),
        )
        .route(
            "/api/v1/enrolment/registrations/{id}",
            get(enrolment::registration),
        )
}

/// What plain HTTP serves beside the hot public documents: the log's hashes, nothing that needs a token.
pub(crate) fn public_router(services: Arc<Services>) -> Router {
    public_routes()
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(&services), answer::accompany))
        .with_state(services)
}

fn public_routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/log/checkpoint", get(audit_log::checkpoint))
        .route("/log/vkey", get(audit_log::verifier_key))
        .route("/log/tile/{*rest}", get(audit_log::tile))
        .route("/metrics", get(status::metrics))
        .fallback(async || {
            Problem::not_found(
                "no such path; /api/v1/openapi.json on the HTTPS port lists what there is",
            )
        })
}

/// The `Allow` header says which methods there are.
async fn wrong_method() -> Problem {
    Problem::method("see the `Allow` header and /api/v1/openapi.json")
}
