//! Segments, scans and coverage over REST.

use std::sync::Arc;

use access::{Action, Permit, Target};
use audit::Timestamp;
use axum::routing::{get, post};
use axum::{Json, Router};
use fleet::scan::{NewScan, Scan, ScanFilter, ScanPage};
use fleet::{CoverageReport, Fleet, Segment, StoredSegment};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use crate::Services;
use crate::api::as_of::AsOf;
use crate::api::caller::{Asked, At, Caller, Sent, in_segment};
use crate::problem::Problem;

impl Caller {
    fn scanned(&self) -> &Fleet {
        &self.services.fleet
    }

    /// A scan of a segment within the caller's scope, to be acted on.
    async fn runs(&self, id: &str) -> Result<Permit, Problem> {
        self.could(Action::RunDiscovery).await?;
        let scan = self.scanned().scan_or_order(id).await?;
        self.permit_in(Action::RunDiscovery, &scan.segment).await
    }

    fn sees_segment(&self, name: &str) -> Result<(), Problem> {
        self.may_see(Action::ReadInventory, &in_segment(name))
    }
}

/// Whether what is in `segment` is within the scope that `permit` is for.
fn within(permit: &Permit, segment: &str) -> bool {
    permit.covers(&Target::at(in_segment(segment))).is_ok()
}

pub(crate) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/api/v1/segments", get(segments).post(create_segment))
        .route(
            "/api/v1/segments/{name}",
            get(segment).put(put_segment).delete(remove_segment),
        )
        .route("/api/v1/segments/{name}/history", get(segment_history))
        .route("/api/v1/segments/{name}/sign", post(sign_segment))
        .route("/api/v1/scans", get(scans).post(start_scan))
        .route("/api/v1/scans/{id}", get(scan))
        .route("/api/v1/scans/{id}/stop", post(stop_scan))
        .route("/api/v1/scans/{id}/resume", post(resume_scan))
        .route("/api/v1/coverage", get(coverage))
}

#[derive(Serialize)]
pub(crate) struct Shown {
    #[serde(flatten)]
    stored: StoredSegment,
    /// The signature is one of these limits: scans may be made.
    in_force: bool,
}

impl From<StoredSegment> for Shown {
    fn from(stored: StoredSegment) -> Self {
        Shown {
            in_force: stored.signature().is_some(),
            stored,
        }
    }
}

/// Every segment with its limits.
#[utoipa::path(get, path = "/api/v1/segments", tag = "discovery", params(AsOf),
    responses((status = 200, body = [Object]), (status = 422, body = Problem)))]
pub(crate) async fn segments(
    caller: Caller,
    Asked(asked): Asked<AsOf>,
) -> Result<Json<Vec<Shown>>, Problem> {
    let permit = caller.may_list(Action::ReadInventory)?;
    let mut segments = match asked.at(caller.now)? {
        Some(at) => caller.scanned().segments_as_of(at).await?,
        None => caller.scanned().segments().await?,
    };
    segments.retain(|stored| within(&permit, &stored.segment.name));
    Ok(Json(segments.into_iter().map(Shown::from).collect()))
}

/// Makes a segment; what is left out allows nothing. `docs/discovery-active.md` explains the fields.
#[utoipa::path(post, path = "/api/v1/segments", tag = "discovery", request_body = Object,
    responses((status = 201, body = Object), (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn create_segment(
    caller: Caller,
    Sent(segment): Sent<Segment>,
) -> Result<(StatusCode, Json<Shown>), Problem> {
    let permit = caller
        .permit_in(Action::ManageSegments, &segment.name)
        .await?;
    let stored = caller
        .scanned()
        .put_segment(permit, segment, 0, caller.now)
        .await?;
    Ok((StatusCode::CREATED, Json(stored.into())))
}

/// One segment.
#[utoipa::path(get, path = "/api/v1/segments/{name}", tag = "discovery", params(("name" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn segment(caller: Caller, At(name): At<String>) -> Result<Json<Shown>, Problem> {
    caller.sees_segment(&name)?;
    Ok(Json(caller.scanned().segment(&name).await?.into()))
}

/// Every version of a segment, the oldest first.
#[utoipa::path(get, path = "/api/v1/segments/{name}/history", tag = "discovery", params(("name" = String, Path)),
    responses((status = 200, body = [Object]), (status = 404, body = Problem)))]
pub(crate) async fn segment_history(
    caller: Caller,
    At(name): At<String>,
) -> Result<Json<Vec<StoredSegment>>, Problem> {
    caller.sees_segment(&name)?;
    Ok(Json(caller.scanned().segment_versions(&name).await?))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutSegment {
    /// The version that was read; anything else in force is a conflict.
    version: u64,
    /// As it was read, with changes.
    #[schema(value_type = Object)]
    segment: Segment,
}

/// Changes a segment in the place of a version that was read. A change of limits takes the signature back.
#[utoipa::path(put, path = "/api/v1/segments/{name}", tag = "discovery", params(("name" = String, Path)), request_body = PutSegment,
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn put_segment(
    caller: Caller,
    At(name): At<String>,
    Sent(wanted): Sent<PutSegment>,
) -> Result<Json<Shown>, Problem> {
    let permit = caller.permit_in(Action::ManageSegments, &name).await?;
    let PutSegment { version, segment } = wanted;
    if segment.name != name {
        return Err(Problem::malformed("a segment keeps its name"));
    }
    let stands = caller.scanned().segment(&name).await?;
    if stands.version != version || version == 0 {
        return Err(Problem::conflict(
            "the segment has changed since it was read",
        ));
    }
    let stored = caller
        .scanned()
        .put_segment(permit, segment, version, caller.now)
        .await?;
    Ok(Json(stored.into()))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Why {
    /// Goes into the log.
    why: Option<String>,
}

/// Takes a segment away.
#[utoipa::path(delete, path = "/api/v1/segments/{name}", tag = "discovery", params(("name" = String, Path), Why),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn remove_segment(
    caller: Caller,
    At(name): At<String>,
    Asked(Why { why }): Asked<Why>,
) -> Result<StatusCode, Problem> {
    let permit = caller.permit_in(Action::ManageSegments, &name).await?;
    let why = why.unwrap_or_default();
    caller
        .scanned()
        .remove_segment(permit, &name, &why, caller.now)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignSegment {
    /// The version that was read.
    version: u64,
    #[serde(default)]
    note: String,
}

/// Signs limits off that somebody else wrote.
#[utoipa::path(post, path = "/api/v1/segments/{name}/sign", tag = "discovery", params(("name" = String, Path)), request_body = SignSegment,
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn sign_segment(
    caller: Caller,
    At(name): At<String>,
    Sent(SignSegment { version, note }): Sent<SignSegment>,
) -> Result<Json<Shown>, Problem> {
    let permit = caller.permit_in(Action::SignSegments, &name).await?;
    let stored = caller
        .scanned()
        .sign_segment(permit, &name, version, &note, caller.now)
        .await?;
    Ok(Json(stored.into()))
}

/// Scans, and orders of agents, the newest first.
#[utoipa::path(get, path = "/api/v1/scans", tag = "discovery",
    params(("segment" = Option<String>, Query), ("after" = Option<String>, Query), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = Object)))]
pub(crate) async fn scans(
    caller: Caller,
    Asked(filter): Asked<ScanFilter>,
) -> Result<Json<ScanPage>, Problem> {
    let permit = caller.may_list(Action::ReadInventory)?;
    let mut page = caller.scanned().scans(&filter).await?;
    // A page may be shorter for it; `next` is where it was.
    page.scans.retain(|scan| within(&permit, &scan.segment));
    Ok(Json(page))
}

/// Has a segment looked at, within its limits: at once, or when its hours come. Only `segment` is needed; `ranges`, `hosts`,
/// `ports`, `names`, `depth` and `rate` narrow it.
#[utoipa::path(post, path = "/api/v1/scans", tag = "discovery", request_body = Object,
    responses((status = 202, body = Object), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn start_scan(
    caller: Caller,
    Sent(new): Sent<NewScan>,
) -> Result<(StatusCode, Json<Scan>), Problem> {
    let permit = caller.permit_in(Action::RunDiscovery, &new.segment).await?;
    let scan = caller
        .scanned()
        .start_scan(&permit, new, caller.now)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(scan)))
}

/// One scan, or one order of an agent: `done` of `total` targets have their outcome.
#[utoipa::path(get, path = "/api/v1/scans/{id}", tag = "discovery", params(("id" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn scan(caller: Caller, At(id): At<String>) -> Result<Json<Scan>, Problem> {
    caller.may_list(Action::ReadInventory)?;
    let scan = caller.scanned().scan_or_order(&id).await?;
    caller.sees_segment(&scan.segment)?;
    Ok(Json(scan))
}

/// Ends a scan. It can be resumed.
#[utoipa::path(post, path = "/api/v1/scans/{id}/stop", tag = "discovery", params(("id" = String, Path), Why),
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn stop_scan(
    caller: Caller,
    At(id): At<String>,
    Asked(Why { why }): Asked<Why>,
) -> Result<Json<Scan>, Problem> {
    let permit = caller.runs(&id).await?;
    let why = why.unwrap_or_default();
    let stopped = caller
        .scanned()
        .stop_scan(&permit, &id, &why, caller.now)
        .await?;
    Ok(Json(stopped))
}

/// Has a scan go on where it was, within the limits of now.
#[utoipa::path(post, path = "/api/v1/scans/{id}/resume", tag = "discovery", params(("id" = String, Path)),
    responses((status = 202, body = Object), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn resume_scan(
    caller: Caller,
    At(id): At<String>,
) -> Result<(StatusCode, Json<Scan>), Problem> {
    let permit = caller.runs(&id).await?;
    let scan = caller
        .scanned()
        .resume_scan(&permit, &id, None, caller.now)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(scan)))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CoverageQuery {
    /// One segment; all if absent.
    segment: Option<String>,
    /// What was looked at longer ago is stale; 30 if absent.
    days: Option<u32>,
    /// How many ranges of each sort are named; 100 if absent, at most 10,000. `shortened` says that there are more.
    ranges: Option<u32>,
}

/// Which addresses of each segment were looked at, when, by which scan, and which never.
#[utoipa::path(get, path = "/api/v1/coverage", tag = "discovery", params(CoverageQuery),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn coverage(
    caller: Caller,
    Asked(query): Asked<CoverageQuery>,
) -> Result<Json<CoverageReport>, Problem> {
    let permit = caller.may_list(Action::ReadInventory)?;
    let ranges = usize::try_from(query.ranges.unwrap_or(100)).unwrap_or(usize::MAX);
    let days = i64::from(query.days.unwrap_or(30));
    let since = Timestamp(caller.now.0 - days * 86_400_000);
    let mut found = caller
        .scanned()
        .coverage_named(query.segment.as_deref(), since, ranges)
        .await?;
    if permit.places().is_some() {
        found
            .segments
            .retain(|covered| within(&permit, &covered.segment));
        found.outside = 0;
    }
    Ok(Json(found))
}
