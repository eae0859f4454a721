//! Requests that wait for another person (R07): certificates, spares, and calls that a policy caught.

use std::sync::Arc;

use access::{Action, Evidence, Execute, Permit, Request, RequestId, RequestState, Target};
use audit::Timestamp;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use crate::Services;
use crate::api::as_of::past;
use crate::api::caller::{Asked, At, Caller, Sent};
use crate::api::calls;
use crate::api::certificates::issued_answer;
use crate::api::shapes::{
    ActorShape, CallShape, CommentShape, DecisionShape, DelegationShape, EvidenceShape, GrantShape,
};
use crate::problem::Problem;

/// So many are read at a time where most are not the caller's.
const AT_ONCE: u32 = 500;

pub(super) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/api/v1/requests", get(list))
        .route("/api/v1/requests/{id}", get(show))
        .route("/api/v1/requests/{id}/approve", post(approve))
        .route("/api/v1/requests/{id}/deny", post(deny))
        .route("/api/v1/requests/{id}/comments", post(comment))
        .route("/api/v1/requests/{id}/delegate", post(delegate))
        .route("/api/v1/requests/{id}/execute", post(execute))
        .route("/api/v1/requests/{id}/emergency", post(emergency))
}

#[derive(Deserialize, Default, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Comment {
    comment: Option<String>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Remark {
    text: String,
    #[serde(default)]
    #[schema(value_type = Vec<EvidenceShape>)]
    evidence: Vec<Evidence>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HandOn {
    /// The id of a person who may decide about it.
    to: String,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Emergency {
    /// Why it cannot wait; others will read it.
    reason: String,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RequestsQuery {
    /// pending, approved, denied, expired, fulfilled, executing, failed, review, reviewed or objected.
    state: Option<String>,
    /// Only those that the caller made.
    mine: Option<bool>,
    /// An instant in RFC 3339: requests as they were then.
    as_of: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// At most so many; 100 if absent, 1000 at most.
    limit: Option<u32>,
}

/// Requests, the newest first.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RequestPage {
    requests: Vec<RequestShape>,
    /// Where the next page begins: send it as `after`. Absent on the last.
    next: Option<String>,
}

/// Who asked, with what they were granted then.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes access::Principal in the document")]
pub(crate) struct RequesterShape {
    actor: ActorShape,
    grants: Vec<GrantShape>,
    token: Option<String>,
}

/// A request and what became of it.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RequestShape {
    id: String,
    /// certificate, spare or call.
    kind: &'static str,
    /// pending, approved, denied, expired, fulfilled, executing, failed, review (made in an emergency, others must look at
    /// it), reviewed or objected.
    state: &'static str,
    /// The profile asked for, or of the call; empty if none.
    profile: String,
    authority: String,
    summary: String,
    names: Vec<String>,
    #[schema(value_type = RequesterShape)]
    requester: access::Principal,
    on_behalf_of: Vec<String>,
    #[schema(value_type = Vec<EvidenceShape>)]
    evidence: Vec<Evidence>,
    /// How many other people must agree.
    needed: u8,
    /// How many have.
    approvals: usize,
    /// Unix milliseconds.
    created: i64,
    /// Unix milliseconds.
    expires: i64,
    #[schema(value_type = Vec<DecisionShape>)]
    decisions: Vec<access::Decision>,
    #[schema(value_type = Vec<CommentShape>)]
    comments: Vec<access::Comment>,
    #[schema(value_type = Vec<DelegationShape>)]
    delegations: Vec<access::Delegation>,
    /// The certificate's SHA-256 once it exists.
    result: Option<String>,
    /// The call that waits, but for its body.
    #[schema(value_type = Option<CallShape>)]
    call: Option<serde_json::Value>,
    /// The caller made it.
    own: bool,
    /// The caller may decide about it: it is open, within the caller's scope, and neither the caller's own nor decided or
    /// handed on by the caller.
    awaits_me: bool,
}

impl Caller {
    fn shown(&self, request: Request) -> RequestShape {
        let state = request.state_at(self.now).name();
        let kind = match (&request.call, fleet::is_release(&request)) {
            (Some(_), _) => "call",
            (None, true) => "spare",
            (None, false) => "certificate",
        };
        let call = request.call.as_ref().map(|call| {
            let mut shown = serde_json::json!(call);
            if let Some(members) = shown.as_object_mut() {
                members.remove("body");
            }
            shown
        });
        RequestShape {
            id: request.id.to_string(),
            kind,
            state,
            approvals: request.approvals(),
            own: self.principal.is_same_holder(request.requester.actor()),
            awaits_me: self
                .may_list(Action::ApproveRequests)
                .is_ok_and(|permit| request.awaits(&permit, self.now)),
            profile: request.profile,
            authority: request.authority,
            summary: request.summary,
            names: request.names,
            requester: request.requester,
            on_behalf_of: request.on_behalf_of,
            evidence: request.evidence,
            needed: request.needed,
            created: request.created,
            expires: request.expires,
            decisions: request.decisions,
            comments: request.comments,
            delegations: request.delegations,
            result: request.result,
            call,
        }
    }

    async fn requests_as_of(&self, at: Timestamp) -> Result<Vec<Request>, Problem> {
        let store = &self.services.store;
        let records = store.records_as_of(access::REQUEST_RECORDS, at).await?;
        let then = records.iter().map(store::Record::parse);
        Ok(then.collect::<Result<Vec<Request>, _>>()?)
    }

    async fn decides(&self) -> Result<Permit, Problem> {
        self.permit(Action::ApproveRequests, &Target::later()).await
    }

    /// The request, if the caller may see it.
    async fn seen(&self, id: &str) -> Result<Request, Problem> {
        let permit = self.may_list(Action::ReadRequests)?;
        let request = self.services.access.request(&parse(id)?).await?;
        match request.is_shown_to(&permit) {
            true => Ok(request),
            false => Err(Problem::not_found(format!("there is no request {id}"))),
        }
    }
}

/// Requests, whatever became of them, the newest first: the caller's own, and those within the caller's scope.
#[utoipa::path(get, path = "/api/v1/requests", tag = "requests", params(RequestsQuery), responses((status = 200, body = RequestPage), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn list(
    caller: Caller,
    Asked(query): Asked<RequestsQuery>,
) -> Result<Json<RequestPage>, Problem> {
    let permit = caller.may_list(Action::ReadRequests)?;
    let access = &caller.services.access;
    let past = past("as_of", query.as_of.as_deref(), caller.now)?;
    let mut after = match query.after.as_deref() {
        Some(id) => Some(access.request(&parse(id)?).await?),
        None => None,
    };
    let mut page = Page::new(&caller, &permit, &query);
    if past.is_some() || query.asks_for_open() {
        let mut all = match past {
            Some(at) => caller.requests_as_of(at).await?,
            None => access.open_requests().await?,
        };
        all.sort_by(|one, other| age(other).cmp(&age(one)));
        all.retain(|one| after.as_ref().is_none_or(|after| age(one) < age(after)));
        page.take(all);
        return Ok(Json(page.done()));
    }
    loop {
        let batch = access.newest_requests(after.as_ref(), AT_ONCE).await?;
        after = batch.last().cloned();
        if after.is_none() || page.take(batch) {
            return Ok(Json(page.done()));
        }
    }
}

/// What the newest come first by.
fn age(request: &Request) -> (i64, &str) {
    (request.created, request.id.as_str())
}

/// A page that fills: what the caller may see of what comes, and asked for.
struct Page<'a> {
    caller: &'a Caller,
    permit: &'a Permit,
    query: &'a RequestsQuery,
    limit: usize,
    found: Vec<RequestShape>,
    is_full: bool,
}

impl<'a> Page<'a> {
    fn new(caller: &'a Caller, permit: &'a Permit, query: &'a RequestsQuery) -> Self {
        Page {
            caller,
            permit,
            query,
            limit: query.limit.unwrap_or(100).clamp(1, 1000) as usize,
            found: Vec::new(),
            is_full: false,
        }
    }

    /// Whether more came than fits: the page is full then.
    fn take(&mut self, requests: Vec<Request>) -> bool {
        for request in requests {
            if !request.is_shown_to(self.permit) {
                continue;
            }
            let shown = self.caller.shown(request);
            if !self.query.fits(&shown) {
                continue;
            }
            if self.found.len() == self.limit {
                self.is_full = true;
                return true;
            }
            self.found.push(shown);
        }
        false
    }

    fn done(self) -> RequestPage {
        let last = self.found.last().filter(|_| self.is_full);
        RequestPage {
            next: last.map(|shown| shown.id.clone()),
            requests: self.found,
        }
    }
}

impl RequestsQuery {
    fn fits(&self, shown: &RequestShape) -> bool {
        let state = self.state.as_deref();
        state.is_none_or(|state| state == shown.state) && (shown.own || self.mine != Some(true))
    }

    /// Whether nothing that is over can fit, which is most of what was ever asked for.
    fn asks_for_open(&self) -> bool {
        let named = |state: &RequestState| self.state.as_deref() == Some(state.name());
        [
            RequestState::Pending,
            RequestState::Approved,
            RequestState::Executing,
            RequestState::Review,
        ]
        .iter()
        .any(named)
    }
}

/// One request. `result` is the certificate's SHA-256 once it exists.
#[utoipa::path(get, path = "/api/v1/requests/{id}", tag = "requests", params(("id" = String, Path)),
    responses((status = 200, body = RequestShape), (status = 404, body = Problem)))]
pub(crate) async fn show(
    caller: Caller,
    At(id): At<String>,
) -> Result<Json<RequestShape>, Problem> {
    let request = caller.seen(&id).await?;
    Ok(Json(caller.shown(request)))
}

/// Approves, or closes the review of what was done in an emergency. The last approval that is needed issues, or makes the
/// call; nobody approves what they asked for. What takes a step-up to do takes one to agree to.
#[utoipa::path(post, path = "/api/v1/requests/{id}/approve", tag = "requests", params(("id" = String, Path)),
    request_body = Comment,
    responses((status = 200, body = RequestShape), (status = 201, body = Object), (status = 202, body = Object), (status = 403, body = Problem)))]
pub(crate) async fn approve(
    caller: Caller,
    At(id): At<String>,
    Sent(said): Sent<Comment>,
) -> Result<Response, Problem> {
    let permit = caller.decides().await?;
    let id = parse(&id)?;
    let comment = said.comment.as_deref();
    let waiting = caller.services.access.request(&id).await?;
    if let Some(call) = &waiting.call {
        if let Some(what) = calls::high_risk(call) {
            caller.check_step_up(&format!("agree to {what}"))?;
        }
        return approve_call(&caller, permit, &id, comment).await;
    }
    if fleet::is_release(&waiting) {
        // Nothing is issued: whoever asked fetches the spare.
        let released = caller
            .services
            .fleet
            .approve_spare(permit, &id, comment, caller.now);
        return Ok((StatusCode::OK, Json(released.await?)).into_response());
    }
    let outcome = caller
        .services
        .ca
        .approve(permit, &id, comment, caller.now)
        .await?;
    Ok(issued_answer(outcome))
}

async fn approve_call(
    caller: &Caller,
    permit: Permit,
    id: &RequestId,
    comment: Option<&str>,
) -> Result<Response, Problem> {
    let access = &caller.services.access;
    access.approve(permit, id, comment, caller.now).await?;
    let request = access.request(id).await?;
    let at_once = |call: &access::Call| call.execute == Execute::AtApproval;
    let due = request.state == RequestState::Approved && request.call.as_ref().is_some_and(at_once);
    if !due {
        return Ok(Json(caller.shown(request)).into_response());
    }
    let system = access.system_principal("approvals");
    match calls::make(&caller.services, &system, id, None).await {
        Ok(request) => Ok(Json(caller.shown(request)).into_response()),
        // The server's own loop was faster.
        Err(_) => Ok(Json(caller.shown(access.request(id).await?)).into_response()),
    }
}

/// Denies for good, or objects to what was done in an emergency.
#[utoipa::path(post, path = "/api/v1/requests/{id}/deny", tag = "requests", params(("id" = String, Path)),
    request_body = Comment, responses((status = 200, body = RequestShape), (status = 403, body = Problem)))]
pub(crate) async fn deny(
    caller: Caller,
    At(id): At<String>,
    Sent(said): Sent<Comment>,
) -> Result<Json<RequestShape>, Problem> {
    let permit = caller.decides().await?;
    let request = caller
        .services
        .access
        .deny(permit, &parse(&id)?, said.comment.as_deref(), caller.now)
        .await?;
    Ok(Json(caller.shown(request)))
}

/// Says something about a request, with what supports it.
#[utoipa::path(post, path = "/api/v1/requests/{id}/comments", tag = "requests", params(("id" = String, Path)), request_body = Remark,
    responses((status = 200, body = RequestShape), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn comment(
    caller: Caller,
    At(id): At<String>,
    Sent(said): Sent<Remark>,
) -> Result<Json<RequestShape>, Problem> {
    let request = caller.seen(&id).await?;
    let own = caller.principal.is_same_holder(request.requester.actor());
    if !own {
        caller.decides().await?;
    }
    let access = &caller.services.access;
    let request = access.comment(
        &caller.principal,
        &request.id,
        &said.text,
        said.evidence,
        caller.now,
    );
    Ok(Json(caller.shown(request.await?)))
}

/// Hands the decision to another person who may make it; the caller decides no more.
#[utoipa::path(post, path = "/api/v1/requests/{id}/delegate", tag = "requests", params(("id" = String, Path)), request_body = HandOn,
    responses((status = 200, body = RequestShape), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn delegate(
    caller: Caller,
    At(id): At<String>,
    Sent(hand): Sent<HandOn>,
) -> Result<Json<RequestShape>, Problem> {
    let permit = caller.decides().await?;
    let access = &caller.services.access;
    let request = access
        .delegate(&permit, &parse(&id)?, &hand.to, caller.now)
        .await?;
    Ok(Json(caller.shown(request)))
}

/// Makes an approved call, once; only whoever asked.
#[utoipa::path(post, path = "/api/v1/requests/{id}/execute", tag = "requests", params(("id" = String, Path)),
    responses((status = 200, body = RequestShape), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn execute(
    caller: Caller,
    At(id): At<String>,
) -> Result<Json<RequestShape>, Problem> {
    let request = caller.seen(&id).await?;
    let made = calls::make(&caller.services, &caller.principal, &request.id, None).await?;
    Ok(Json(caller.shown(made)))
}

/// Makes a pending call at once, with a reason, where its policy knows emergencies; others must look at it afterwards.
#[utoipa::path(post, path = "/api/v1/requests/{id}/emergency", tag = "requests", params(("id" = String, Path)), request_body = Emergency,
    responses((status = 200, body = RequestShape), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn emergency(
    caller: Caller,
    At(id): At<String>,
    Sent(said): Sent<Emergency>,
) -> Result<Json<RequestShape>, Problem> {
    let request = caller.seen(&id).await?;
    let reason = Some(said.reason.as_str());
    let made = calls::make(&caller.services, &caller.principal, &request.id, reason).await?;
    Ok(Json(caller.shown(made)))
}

fn parse(id: &str) -> Result<RequestId, Problem> {
    RequestId::parse(id).ok_or_else(|| Problem::not_found(format!("`{id}` is no request id")))
}
