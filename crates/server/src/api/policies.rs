//! Approval policies over REST (R07).

use std::sync::Arc;

use access::{Action, ApprovalPolicy, Permit, Target};
use axum::routing::get;
use axum::{Json, Router};
use hyper::StatusCode;
use serde::Deserialize;

use crate::Services;
use crate::api::as_of::AsOf;
use crate::api::caller::{Asked, At, Caller, Sent};
use crate::problem::Problem;

pub(super) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/api/v1/approval-policies", get(list).post(create))
        .route(
            "/api/v1/approval-policies/{name}",
            get(show).put(put).delete(remove),
        )
}

/// Which calls need the word of others, and whose.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes access::ApprovalPolicy in the document")]
pub(crate) struct PolicyShape {
    name: String,
    label: Option<String>,
    /// An action of the matrix that changes something, but for approve-requests.
    action: String,
    /// Glob; a call whose profile is not known is caught.
    profile: Option<String>,
    /// Glob; a call whose segment is not known is caught.
    segment: Option<String>,
    /// Only of somebody who may do it by this role.
    asker: Option<String>,
    /// 1 to 8 other people.
    needed: u8,
    /// By which roles people may agree; none: every role that may decide about requests.
    approvers: Option<Vec<String>>,
    /// Hours until it lapses undecided, 1 to 744.
    hours: u32,
    emergency: Option<bool>,
    /// at-approval (the default) or by-asker.
    execute: Option<String>,
    version: Option<u64>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutPolicy {
    /// The version that was read.
    version: u64,
    #[schema(value_type = PolicyShape)]
    policy: ApprovalPolicy,
}

async fn manages(caller: &Caller) -> Result<Permit, Problem> {
    caller
        .permit(Action::ManagePolicies, &Target::default())
        .await
}

/// Policies at the instant that is asked for.
async fn policies(caller: &Caller, asked: &AsOf) -> Result<Vec<ApprovalPolicy>, Problem> {
    caller.may_read(Action::ReadPolicies)?;
    let access = &caller.services.access;
    Ok(match asked.at(caller.now)? {
        Some(at) => access.policies_as_of(at).await?,
        None => access.policies().await?,
    })
}

/// Every approval policy.
#[utoipa::path(get, path = "/api/v1/approval-policies", tag = "requests", params(AsOf),
    responses((status = 200, body = [PolicyShape])))]
pub(crate) async fn list(
    caller: Caller,
    Asked(asked): Asked<AsOf>,
) -> Result<Json<Vec<ApprovalPolicy>>, Problem> {
    Ok(Json(policies(&caller, &asked).await?))
}

/// One approval policy.
#[utoipa::path(get, path = "/api/v1/approval-policies/{name}", tag = "requests", params(("name" = String, Path), AsOf),
    responses((status = 200, body = PolicyShape), (status = 404, body = Problem)))]
pub(crate) async fn show(
    caller: Caller,
    At(name): At<String>,
    Asked(asked): Asked<AsOf>,
) -> Result<Json<ApprovalPolicy>, Problem> {
    let mut all = policies(&caller, &asked).await?.into_iter();
    let found = all.find(|policy| policy.name == name);
    found
        .map(Json)
        .ok_or_else(|| Problem::not_found(format!("there is no approval policy {name}")))
}

/// Makes an approval policy. `docs/approvals.md` explains the fields.
#[utoipa::path(post, path = "/api/v1/approval-policies", tag = "requests", request_body = PolicyShape,
    responses((status = 201, body = PolicyShape), (status = 202, body = crate::api::calls::Waits), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn create(
    caller: Caller,
    Sent(mut policy): Sent<ApprovalPolicy>,
) -> Result<(StatusCode, Json<ApprovalPolicy>), Problem> {
    let permit = manages(&caller).await?;
    policy.version = 0;
    let policy = caller
        .services
        .access
        .put_policy(&permit, policy, caller.now)
        .await?;
    Ok((StatusCode::CREATED, Json(policy)))
}

/// Changes an approval policy in the place of a version that was read.
#[utoipa::path(put, path = "/api/v1/approval-policies/{name}", tag = "requests", params(("name" = String, Path)), request_body = PutPolicy,
    responses((status = 200, body = PolicyShape), (status = 202, body = crate::api::calls::Waits), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn put(
    caller: Caller,
    At(name): At<String>,
    Sent(put): Sent<PutPolicy>,
) -> Result<Json<ApprovalPolicy>, Problem> {
    let permit = manages(&caller).await?;
    let PutPolicy {
        version,
        mut policy,
    } = put;
    if policy.name != name || version == 0 {
        return Err(Problem::malformed(
            "a policy keeps its name, and one that is there has a version above 0",
        ));
    }
    policy.version = version;
    let policy = caller
        .services
        .access
        .put_policy(&permit, policy, caller.now)
        .await?;
    Ok(Json(policy))
}

/// Ends an approval policy; what it caught still waits.
#[utoipa::path(delete, path = "/api/v1/approval-policies/{name}", tag = "requests", params(("name" = String, Path)),
    responses((status = 204), (status = 202, body = crate::api::calls::Waits), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn remove(caller: Caller, At(name): At<String>) -> Result<StatusCode, Problem> {
    let permit = manages(&caller).await?;
    caller
        .services
        .access
        .remove_policy(&permit, &name, caller.now)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
