//! Findings, waivers, incidents and the inventory of cryptography over REST, and how many findings stand as metrics.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use access::{Action, Permit, Place, Target};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use fleet::cbom::{CbomFilter, MEDIA_TYPE};
use fleet::finding::{Finding, FindingFilter, FindingPage, NewWaiver, Rule, StoredWaiver};
use hyper::StatusCode;
use serde::Deserialize;

use crate::Services;
use crate::api::as_of;
use crate::api::caller::{Asked, At, Caller, Sent};
use crate::problem::Problem;

pub(super) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/api/v1/findings", get(list))
        .route("/api/v1/findings/rules", get(rules))
        .route("/api/v1/findings/{id}", get(show))
        .route("/api/v1/findings/{id}/waive", post(waive).delete(unwaive))
        .route("/api/v1/findings/{id}/close", post(close))
        .route("/api/v1/waivers", get(waivers).post(waive_segment))
        .route("/api/v1/waivers/{id}", delete(remove_waiver))
        .route("/api/v1/inventory/cbom", get(cbom))
}

impl Caller {
    /// A finding within the caller's scope, to be acted on.
    async fn manages_finding(&self, id: &str) -> Result<Permit, Problem> {
        self.could(Action::ManageFindings).await?;
        let finding = self.services.fleet.finding(id, self.now).await?;
        self.permit(Action::ManageFindings, &Target::at(place(&finding)))
            .await
    }
}

/// Where a finding is and whose it is, as scopes of grants know it.
fn place(finding: &Finding) -> Place<'_> {
    Place {
        segment: finding.segment.as_deref(),
        owner: finding.owner.as_deref(),
        ..Place::default()
    }
}

/// Findings, the heaviest first. The query may hold show (open, waived, closed, all), rule, severity (that heavy or
/// heavier), owner (`-`: nobody's), segment, certificate (SHA-256), since, after and limit.
#[utoipa::path(get, path = "/api/v1/findings", tag = "findings",
    params(("show" = Option<String>, Query), ("rule" = Option<String>, Query), ("severity" = Option<String>, Query),
        ("owner" = Option<String>, Query), ("segment" = Option<String>, Query), ("certificate" = Option<String>, Query),
        ("after" = Option<String>, Query), ("limit" = Option<u32>, Query),
        ("since" = Option<String>, Query, description = "RFC 3339: those that were opened then or later"),
        ("as_of" = Option<String>, Query, description = "RFC 3339: findings that stood then, waived or not")),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn list(
    caller: Caller,
    Asked(mut filter): Asked<FindingFilter>,
) -> Result<Json<FindingPage>, Problem> {
    let permit = caller.may_list(Action::ReadInventory)?;
    let fleet = &caller.services.fleet;
    filter.opened_since = as_of::past("since", filter.since.as_deref(), caller.now)?;
    let then = as_of::past("as_of", filter.as_of.as_deref(), caller.now)?;
    let mut page = match then {
        Some(at) => fleet.findings_as_of(&filter, at).await?,
        None => fleet.findings(&filter, caller.now).await?,
    };
    // A page may be shorter for it; `next` is where it was.
    page.findings
        .retain(|finding| permit.covers(&Target::at(place(finding))).is_ok());
    Ok(Json(page))
}

/// Every rule: what is wrong, how much it matters, whose rule it is, what to do.
#[utoipa::path(get, path = "/api/v1/findings/rules", tag = "findings", responses((status = 200, body = [Object])))]
pub(crate) async fn rules(caller: Caller) -> Result<Json<Vec<&'static Rule>>, Problem> {
    caller.may_list(Action::ReadInventory)?;
    Ok(Json(fleet::finding::rules().collect()))
}

/// One finding.
#[utoipa::path(get, path = "/api/v1/findings/{id}", tag = "findings", params(("id" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn show(caller: Caller, At(id): At<String>) -> Result<Json<Finding>, Problem> {
    caller.may_list(Action::ReadInventory)?;
    let finding = caller.services.fleet.finding(&id, caller.now).await?;
    caller.may_see(Action::ReadInventory, &place(&finding))?;
    Ok(Json(finding))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaiveFinding {
    /// Who answers for it.
    owner: String,
    /// Ten characters and more.
    reason: String,
    /// RFC 3339, within a year.
    until: String,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaiveSegment {
    rule: String,
    segment: String,
    /// Who answers for it.
    owner: String,
    /// Ten characters and more.
    reason: String,
    /// RFC 3339, within a year.
    until: String,
}

fn milliseconds(text: &str) -> Result<i64, Problem> {
    let time: Result<x509::Time, _> = text.parse();
    let time = time.map_err(|_| {
        Problem::malformed("until is no instant; send 2027-06-30T00:00:00Z".to_owned())
    })?;
    Ok(time.0.saturating_mul(1000))
}

/// Waives one finding for a while. Incidents are not waived.
#[utoipa::path(post, path = "/api/v1/findings/{id}/waive", tag = "findings", params(("id" = String, Path)),
    request_body = WaiveFinding,
    responses((status = 201, body = Object), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn waive(
    caller: Caller,
    At(id): At<String>,
    Sent(wanted): Sent<WaiveFinding>,
) -> Result<(StatusCode, Json<StoredWaiver>), Problem> {
    let permit = caller.manages_finding(&id).await?;
    let new = NewWaiver {
        finding: Some(id),
        owner: wanted.owner,
        reason: wanted.reason,
        until: milliseconds(&wanted.until)?,
        ..NewWaiver::default()
    };
    let stored = caller.services.fleet.waive(permit, new, caller.now).await?;
    Ok((StatusCode::CREATED, Json(stored)))
}

/// Takes the waiver of a finding back.
#[utoipa::path(delete, path = "/api/v1/findings/{id}/waive", tag = "findings", params(("id" = String, Path)),
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn unwaive(
    caller: Caller,
    At(id): At<String>,
) -> Result<Json<StoredWaiver>, Problem> {
    let permit = caller.manages_finding(&id).await?;
    let fleet = &caller.services.fleet;
    Ok(Json(fleet.unwaive(permit, &id, "", caller.now).await?))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloseIncident {
    /// What came of it; goes into the log.
    reason: String,
}

/// Closes an incident, once nothing shows its certificate any more.
#[utoipa::path(post, path = "/api/v1/findings/{id}/close", tag = "findings", params(("id" = String, Path)),
    request_body = CloseIncident,
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn close(
    caller: Caller,
    At(id): At<String>,
    Sent(wanted): Sent<CloseIncident>,
) -> Result<Json<Finding>, Problem> {
    let permit = caller.manages_finding(&id).await?;
    let fleet = &caller.services.fleet;
    let closed = fleet.close_incident(permit, &id, &wanted.reason, caller.now);
    Ok(Json(closed.await?))
}

/// Waivers in force.
#[utoipa::path(get, path = "/api/v1/waivers", tag = "findings", responses((status = 200, body = [Object])))]
pub(crate) async fn waivers(caller: Caller) -> Result<Json<Vec<StoredWaiver>>, Problem> {
    caller.may_read(Action::ReadInventory)?;
    Ok(Json(caller.services.fleet.waivers().await?))
}

/// Waives everything that one rule finds in one segment, for a while.
#[utoipa::path(post, path = "/api/v1/waivers", tag = "findings", request_body = WaiveSegment,
    responses((status = 201, body = Object), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn waive_segment(
    caller: Caller,
    Sent(wanted): Sent<WaiveSegment>,
) -> Result<(StatusCode, Json<StoredWaiver>), Problem> {
    let permit = caller
        .permit_in(Action::ManageFindings, &wanted.segment)
        .await?;
    let new = NewWaiver {
        finding: None,
        rule: Some(wanted.rule),
        segment: Some(wanted.segment),
        owner: wanted.owner,
        reason: wanted.reason,
        until: milliseconds(&wanted.until)?,
    };
    let stored = caller.services.fleet.waive(permit, new, caller.now).await?;
    Ok((StatusCode::CREATED, Json(stored)))
}

/// Takes a waiver back.
#[utoipa::path(delete, path = "/api/v1/waivers/{id}", tag = "findings", params(("id" = String, Path)),
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn remove_waiver(
    caller: Caller,
    At(id): At<String>,
) -> Result<Json<StoredWaiver>, Problem> {
    let permit = caller
        .permit(Action::ManageFindings, &Target::default())
        .await?;
    let fleet = &caller.services.fleet;
    Ok(Json(fleet.unwaive(permit, &id, "", caller.now).await?))
}

/// The inventory of cryptography as CycloneDX 1.6, at most 10,000 certificates; the query may hold segment, owner and limit.
/// `ward inventory cbom` writes any number.
#[utoipa::path(get, path = "/api/v1/inventory/cbom", tag = "findings",
    params(("segment" = Option<String>, Query), ("owner" = Option<String>, Query), ("limit" = Option<u32>, Query)),
    responses((status = 200, content_type = "application/vnd.cyclonedx+json", body = Object)))]
pub(crate) async fn cbom(
    caller: Caller,
    Asked(mut filter): Asked<CbomFilter>,
) -> Result<impl IntoResponse, Problem> {
    const MOST: u32 = 10_000;
    caller.may_read(Action::ReadInventory)?;
    filter.limit = Some(filter.limit.unwrap_or(MOST).min(MOST));
    let mut document = String::new();
    let mut cbom = caller.services.fleet.cbom(filter, caller.now);
    while let Some(piece) = cbom.next().await? {
        document.push_str(&piece);
    }
    let headers = [
        (CONTENT_TYPE, MEDIA_TYPE),
        (CONTENT_DISPOSITION, "attachment; filename=\"cbom.json\""),
    ];
    Ok((headers, document))
}

/// How many findings stand, by rule, weight and owner (R16). A line that is gone is set to zero, not left as it was.
pub(crate) async fn record_gauges(services: &Services) -> Result<(), fleet::FleetError> {
    type Line = (String, &'static str, String, bool);
    static TOLD: Mutex<Option<HashSet<Line>>> = Mutex::new(None);
    let mut now: HashSet<Line> = HashSet::new();
    for open in services.fleet.open_findings(services.now()).await? {
        let line = (open.rule, open.severity.name(), open.owner, open.waived);
        set_gauge(&line, open.count as f64);
        now.insert(line);
    }
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    for gone in told.iter().flatten().filter(|line| !now.contains(line)) {
        set_gauge(gone, 0.0);
    }
    *told = Some(now);
    Ok(())
}

fn set_gauge((rule, severity, owner, waived): &(String, &'static str, String, bool), count: f64) {
    let labels = [
        ("rule", rule.clone()),
        ("severity", (*severity).to_owned()),
        ("owner", owner.clone()),
        ("waived", if *waived { "yes" } else { "no" }.to_owned()),
    ];
    metrics::gauge!("ward_findings_open", &labels).set(count);
}
