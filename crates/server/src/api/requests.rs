//! Requests that wait for another person (R07).

use access::{Action, Request, RequestId, Target};
use axum::Json;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use serde::Deserialize;

use crate::api::as_of::AsOf;
use crate::api::caller::{Asked, At, Caller, Sent};
use crate::api::certificates::issued_answer;
use crate::problem::Problem;

#[derive(Deserialize, Default, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Comment {
    comment: Option<String>,
}

/// All requests, whatever became of them.
#[utoipa::path(get, path = "/api/v1/requests", tag = "requests", params(AsOf),
    responses((status = 200, body = [Object]), (status = 422, body = Problem)))]
pub(crate) async fn list(
    caller: Caller,
    Asked(asked): Asked<AsOf>,
) -> Result<Json<Vec<Request>>, Problem> {
    caller.may_read(Action::ReadRequests)?;
    let Some(at) = asked.at(caller.now)? else {
        return Ok(Json(caller.services.access.requests().await?));
    };
    let store = &caller.services.store;
    let records = store.records_as_of(access::REQUEST_RECORDS, at).await?;
    let then = records.iter().map(store::Record::parse);
    Ok(Json(then.collect::<Result<_, _>>()?))
}

/// One request. `result` is the certificate's SHA-256 once it exists.
#[utoipa::path(get, path = "/api/v1/requests/{id}", tag = "requests", params(("id" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn show(caller: Caller, At(id): At<String>) -> Result<Json<Request>, Problem> {
    caller.may_read(Action::ReadRequests)?;
    Ok(Json(caller.services.access.request(&parse(&id)?).await?))
}

/// Approves. The last approval that is needed issues; nobody approves what they asked for.
#[utoipa::path(post, path = "/api/v1/requests/{id}/approve", tag = "requests", params(("id" = String, Path)),
    request_body = Comment,
    responses((status = 200, body = Object), (status = 201, body = Object), (status = 202, body = Object), (status = 403, body = Problem)))]
pub(crate) async fn approve(
    caller: Caller,
    At(id): At<String>,
    Sent(said): Sent<Comment>,
) -> Result<Response, Problem> {
    let permit = caller
        .permit(Action::ApproveRequests, &Target::default())
        .await?;
    let id = parse(&id)?;
    let waiting = caller.services.access.request(&id).await?;
    if fleet::is_release(&waiting) {
        // Nothing is issued: whoever asked fetches the spare.
        let comment = said.comment.as_deref();
        let released = caller
            .services
            .fleet
            .approve_spare(permit, &id, comment, caller.now);
        return Ok((StatusCode::OK, Json(released.await?)).into_response());
    }
    let outcome = caller
        .services
        .ca
        .approve(permit, &id, said.comment.as_deref(), caller.now)
        .await?;
    Ok(issued_answer(outcome))
}

/// Denies for good.
#[utoipa::path(post, path = "/api/v1/requests/{id}/deny", tag = "requests", params(("id" = String, Path)),
    request_body = Comment, responses((status = 200, body = Object), (status = 403, body = Problem)))]
pub(crate) async fn deny(
    caller: Caller,
    At(id): At<String>,
    Sent(said): Sent<Comment>,
) -> Result<Response, Problem> {
    let permit = caller
        .permit(Action::ApproveRequests, &Target::default())
        .await?;
    let request = caller
        .services
        .access
        .deny(permit, &parse(&id)?, said.comment.as_deref(), caller.now)
        .await?;
    Ok((StatusCode::OK, Json(request)).into_response())
}

fn parse(id: &str) -> Result<RequestId, Problem> {
    RequestId::parse(id).ok_or_else(|| Problem::not_found(format!("`{id}` is no request id")))
}
