//! One thing for many certificates over REST: what would happen first, then a job (R15).

use std::sync::Arc;

use access::{Action, Target};
use axum::routing::{get, post};
use axum::{Json, Router};
use fleet::bulk::{BlastRadius, BulkAction, Job, JobPage, Planned, Wish};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use axum::response::{IntoResponse, Response};

use crate::Services;
use crate::api::caller::{Asked, At, Caller, Sent};
use crate::problem::Problem;

/// Where many are revoked.
pub(crate) const REVOKE: &str = "/api/v1/bulk/revoke";
/// What that is called where it has to be confirmed.
pub(crate) const MASS_REVOCATION: &str = "mass revocation";

pub(super) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .route(REVOKE, post(revoke))
        .route("/api/v1/bulk/owner", post(owner))
        .route("/api/v1/bulk/tag", post(tag))
        .route("/api/v1/bulk/waive", post(waive))
        .route("/api/v1/jobs", get(jobs))
        .route("/api/v1/jobs/{id}", get(job))
        .route("/api/v1/certificates/{id}/blast-radius", get(blast_radius))
}

/// To what: either `search` or `ids`. What is done: the other fields. Without `digest` nothing is done, and the answer says
/// what would be.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bulk {
    /// In the search language.
    search: Option<String>,
    /// SHA-256 of certificates, in hex.
    #[serde(default)]
    ids: Vec<String>,
    /// Revoke: keyCompromise, affiliationChanged, superseded, cessationOfOperation, …
    reason: Option<String>,
    /// Goes into the log; for a waiver its reason, ten characters and more.
    why: Option<String>,
    /// Owner: who answers for it from now on. Waive: who answers for the waiver.
    owner: Option<String>,
    /// Tag: what to give.
    #[serde(default)]
    tags: Vec<String>,
    /// Tag: what to take.
    #[serde(default)]
    untag: Vec<String>,
    /// Waive: findings of this rule about these certificates.
    rule: Option<String>,
    /// Waive: until when, RFC 3339.
    until: Option<String>,
    /// Of the dry run: have exactly that done.
    digest: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Started {
    job: String,
    /// Where it says how far it is; events of topic `job` tell, too.
    url: String,
}

/// Revokes many: a dry run, or with its `digest` a job.
#[utoipa::path(post, path = "/api/v1/bulk/revoke", tag = "bulk", request_body = Bulk,
    responses((status = 200, body = Planned), (status = 202, body = Started), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn revoke(caller: Caller, Sent(bulk): Sent<Bulk>) -> Result<Response, Problem> {
    go(caller, BulkAction::Revoke, bulk).await
}

/// Gives many an owner, by hand.
#[utoipa::path(post, path = "/api/v1/bulk/owner", tag = "bulk", request_body = Bulk,
    responses((status = 200, body = Planned), (status = 202, body = Started), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn owner(caller: Caller, Sent(bulk): Sent<Bulk>) -> Result<Response, Problem> {
    go(caller, BulkAction::Owner, bulk).await
}

/// Gives many tags, and takes some.
#[utoipa::path(post, path = "/api/v1/bulk/tag", tag = "bulk", request_body = Bulk,
    responses((status = 200, body = Planned), (status = 202, body = Started), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn tag(caller: Caller, Sent(bulk): Sent<Bulk>) -> Result<Response, Problem> {
    go(caller, BulkAction::Tag, bulk).await
}

/// Waives what one rule finds about many.
#[utoipa::path(post, path = "/api/v1/bulk/waive", tag = "bulk", request_body = Bulk,
    responses((status = 200, body = Planned), (status = 202, body = Started), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn waive(caller: Caller, Sent(bulk): Sent<Bulk>) -> Result<Response, Problem> {
    go(caller, BulkAction::Waive, bulk).await
}

async fn go(caller: Caller, action: BulkAction, bulk: Bulk) -> Result<Response, Problem> {
    // Who may not do it need not know what it would do.
    let target = Target::default();
    let permit = caller.permit_unheld(action.needs(), &target).await?;
    let digest = bulk.digest.clone();
    let fleet = &caller.services.fleet;
    let meant = fleet.meant(action, wish(bulk)?, caller.now).await?;
    let Some(digest) = digest else {
        return Ok(Json(fleet.plan(&meant, caller.now).await?).into_response());
    };
    if action == BulkAction::Revoke {
        caller.check_step_up(MASS_REVOCATION)?;
    }
    caller.hold(&permit, &target).await?;
    let job = fleet.start_job(&permit, meant, &digest, caller.now).await?;
    let started = Started {
        url: format!("/api/v1/jobs/{}", job.id),
        job: job.id,
    };
    Ok((StatusCode::ACCEPTED, Json(started)).into_response())
}

fn wish(bulk: Bulk) -> Result<Wish, Problem> {
    let until = bulk.until.map(|text| {
        let time: Result<x509::Time, _> = text.parse();
        time.map(|time| time.0.saturating_mul(1000))
            .map_err(|_| Problem::malformed("until is no instant; send 2027-06-30T00:00:00Z"))
    });
    Ok(Wish {
        search: bulk.search,
        ids: bulk.ids,
        reason: bulk.reason,
        why: bulk.why,
        owner: bulk.owner,
        tags: bulk.tags,
        untag: bulk.untag,
        rule: bulk.rule,
        until: until.transpose()?,
    })
}

/// Jobs, the newest hundred.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "bulk", responses((status = 200, body = [Job])))]
pub(crate) async fn jobs(caller: Caller) -> Result<Json<Vec<Job>>, Problem> {
    caller.may_read(Action::ReadInventory)?;
    Ok(Json(caller.services.fleet.jobs().await?))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Refusals {
    /// The `next` of the page of refusals before.
    after: Option<i64>,
}

/// A job: how far it is, and what was refused in it.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", tag = "bulk", params(("id" = String, Path), Refusals),
    responses((status = 200, body = JobPage), (status = 404, body = Problem)))]
pub(crate) async fn job(
    caller: Caller,
    At(id): At<String>,
    Asked(Refusals { after }): Asked<Refusals>,
) -> Result<Json<JobPage>, Problem> {
    caller.may_read(Action::ReadInventory)?;
    Ok(Json(caller.services.fleet.job_page(&id, after).await?))
}

/// What stops if this certificate ends now: by its SHA-256.
#[utoipa::path(get, path = "/api/v1/certificates/{id}/blast-radius", tag = "bulk", params(("id" = String, Path)),
    responses((status = 200, body = BlastRadius), (status = 404, body = Problem)))]
pub(crate) async fn blast_radius(
    caller: Caller,
    At(id): At<String>,
) -> Result<Json<BlastRadius>, Problem> {
    caller.may_read(Action::ReadInventory)?;
    let fleet = &caller.services.fleet;
    let sha256 = fleet.inventory_certificate(&id).await?.certificate.sha256;
    Ok(Json(fleet.blast_radius(&[sha256], caller.now).await?))
}

/// Goes on with jobs until there is nothing to do.
pub(crate) async fn work(services: Arc<Services>) -> Result<(), fleet::FleetError> {
    /// Items between two looks at whether the server stops.
    const AT_ONCE: u32 = 50;
    services.fleet.work_on_jobs(AT_ONCE, services.now()).await?;
    Ok(())
}
