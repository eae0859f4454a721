//! The API described in OpenAPI 3.1, from the same types and paths that serve it. A golden file holds it still.

mod answers;

use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};

use answers::Answers;

use super::{
    acme, agents, assets, audit_log, authorities, bulk, bundles, certificates, enrolment, findings,
    flows, imports, inventory, overview, owners, people, policies, profiles, requests, review,
    scans, status, stream, tokens, topology,
};
use crate::problem::Problem;
use crate::signin::oidc::flow;
use crate::signin::{certificate, passkeys, session, ways};

#[derive(OpenApi)]
#[openapi(
    info(title = "Ward", description = "A hospital's certificate authority.", license(name = "Apache-2.0", identifier = "Apache-2.0")),
    paths(
        certificates::issue, certificates::list, certificates::show, certificates::revoke, certificates::hold,
        certificates::release, authorities::list, authorities::show, authorities::issuers, authorities::crls, authorities::publish,
        profiles::list, profiles::show, requests::list, requests::show, requests::approve, requests::deny, requests::comment, requests::delegate,
        requests::execute, requests::emergency, people::list, people::create, people::show, people::change, people::suspend,
        people::resume, people::leave, people::groups, people::create_group, people::group, people::put_group,
        people::remove_group, people::roles, policies::list, policies::create, policies::show, policies::put, policies::remove,
        review::show,
        tokens::create, tokens::list, tokens::revoke, acme::directories, acme::directory, acme::create_directory,
        acme::put_directory, acme::remove_directory, acme::create_eab, acme::eab_keys, acme::eab_key, acme::revoke_eab,
        acme::accounts, acme::account, acme::deactivate, acme::orders, acme::order, acme::recall, acme::recalls, acme::end_recall,
        enrolment::endpoints, enrolment::endpoint, enrolment::create_endpoint, enrolment::put_endpoint,
        enrolment::remove_endpoint, enrolment::rights, enrolment::right, enrolment::create_right, enrolment::revoke_right,
        enrolment::registrations, enrolment::registration,
        assets::list, assets::create, assets::show, assets::change, assets::history, assets::holdings, assets::retire,
        assets::import, assets::export, assets::spares, assets::prepare_spare, assets::spare, assets::request_spare,
        assets::release_spare, assets::revoke_spare,
        agents::list, agents::show, agents::invite, agents::revoke, agents::orders, agents::order, agents::stop,
        bundles::list, bundles::show, bundles::versions, bundles::create, bundles::put, bundles::remove,
        findings::list, findings::rules, findings::show, findings::waive, findings::unwaive, findings::close,
        findings::waivers, findings::waive_segment, findings::remove_waiver, findings::cbom,
        scans::segments, scans::create_segment, scans::segment, scans::segment_history, scans::put_segment,
        scans::remove_segment, scans::sign_segment, scans::scans, scans::start_scan, scans::scan, scans::stop_scan,
        scans::resume_scan, scans::coverage,
        inventory::list, inventory::show, inventory::places, inventory::keys, inventory::issuers, inventory::views,
        inventory::view, inventory::save_view, inventory::remove_view, inventory::export,
        owners::rules, owners::rule, owners::create_rule, owners::put_rule, owners::move_rule, owners::remove_rule,
        owners::set_owner, owners::test_rules, imports::observations, imports::import,
        flows::systems, flows::create_system, flows::system, flows::put_system, flows::remove_system, flows::flows,
        flows::create_flow, flows::flow, flows::put_flow, flows::remove_flow, flows::gaps, flows::calls, flows::export,
        flows::import, flows::risk, flows::explain,
        bulk::revoke, bulk::owner, bulk::tag, bulk::waive, bulk::jobs, bulk::job, bulk::blast_radius,
        overview::overview, overview::radar, topology::topology, stream::stream,
        ways::show, ways::recovery, ways::invitation, ways::recovery_state, ways::recovery_codes, ways::invite,
        passkeys::start, passkeys::finish, passkeys::step_up_start, passkeys::step_up_finish, passkeys::list,
        passkeys::register_start, passkeys::register_finish, passkeys::remove, certificate::sign_in,
        session::show, session::sign_out, session::list, session::end, session::end_others, flow::start, flow::callback,
        audit_log::events, audit_log::prove, audit_log::prove_growth, status::show,
    ),
    components(schemas(Problem)),
    modifiers(&Bearer, &Answers),
    security(("bearer" = []), ("session" = [], "csrf" = []))
)]
struct Document;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme(
            "bearer",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        );
        components.add_security_scheme(
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("__Host-ward-session"))),
        );
        components.add_security_scheme(
            "csrf",
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
                "X-Ward-CSRF",
                "`csrf` of GET /api/v1/session; with a session's cookie, in what changes something",
            ))),
        );
    }
}

/// The document; it names no secret and needs no token.
pub(crate) async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(described())
}

/// What the document says.
pub(super) fn described() -> utoipa::openapi::OpenApi {
    Document::openapi()
}
