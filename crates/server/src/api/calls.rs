//! Calls that a policy catches (R07): kept instead of made, answered with 202, and made once when enough people agree,
//! as whoever asked, with permissions decided anew at that moment.

use std::pin::Pin;
use std::sync::Arc;

use access::{AccessError, changes};
use access::{
    ApprovalPolicy, Caught, Change, LARGEST_CALL, Permit, Principal, Refusal, RequestId, Target,
    Where,
};
use audit::Timestamp;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::{Json, http};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use hyper::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tower::ServiceExt;

use crate::Services;
use crate::api::answer::{Agreed, Exchange, REQUEST_ID, exchange};
use crate::api::bulk;
use crate::problem::Problem;

/// Most bytes of an answer that are looked at.
const ANSWER: usize = 1 << 20;

/// What a policy caught, and what was known of it then.
pub(crate) struct Held {
    policy: ApprovalPolicy,
    principal: Arc<Principal>,
    profile: Option<String>,
    segment: Option<String>,
}

/// A call as it came, but for its body.
pub(crate) struct Asked {
    method: Method,
    path: String,
    length: u64,
}

/// The answer to a call that waits for other people.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Waits {
    /// The request that was made of it.
    request: String,
    /// Where it can be looked at.
    url: String,
    /// The policy that caught it.
    policy: String,
    /// How many other people must agree.
    needed: u8,
    /// When it lapses, Unix milliseconds.
    expires: i64,
    /// Whether the asker may go ahead in an emergency: `POST {url}/emergency`.
    emergency: bool,
}

impl Asked {
    pub(crate) fn of(request: &Request) -> Self {
        let length = request.headers().get(CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
        let path = request.uri().path_and_query();
        Asked {
            method: request.method().clone(),
            path: path.map_or_else(String::new, |path| path.as_str().to_owned()),
            length: length.unwrap_or_default(),
        }
    }
}

/// Asks the policies about what is allowed; what they catch is not done now.
pub(crate) async fn hold(
    services: &Services,
    permit: &Permit,
    target: &Target<'_>,
    now: Timestamp,
) -> Result<(), Problem> {
    let Some(exchange) = exchange() else {
        return Ok(());
    };
    if agreed_to(permit.action()) {
        return Ok(());
    }
    let Some(policy) = services.access.caught(permit, target, now).await? else {
        return Ok(());
    };
    let segment = match target.place {
        Where::At(place) => place.segment.map(str::to_owned),
        Where::Anywhere | Where::Later => None,
    };
    let held = Held {
        policy,
        principal: Arc::clone(permit.principal()),
        profile: target.profile.map(str::to_owned),
        segment,
    };
    exchange.held.set(held).ok();
    Err(Problem::held())
}

/// Whether this is a call that others have agreed to, and for this action.
pub(crate) fn agreed_to(action: access::Action) -> bool {
    let exchange = exchange();
    let agreed = exchange
        .as_ref()
        .and_then(|exchange| exchange.agreed.as_ref());
    agreed.is_some_and(|agreed| agreed.action == action)
}

/// What is high-risk in a call: whoever agrees to it does it as much as whoever asked, and nobody is asked when it is made.
pub(crate) fn high_risk(call: &access::Call) -> Option<&'static str> {
    let path = call.path.split('?').next();
    if path == Some(bulk::REVOKE) {
        return Some(bulk::MASS_REVOCATION);
    }
    access::needs_step_up(call.action).then_some(call.action.name())
}

/// Keeps what a policy has caught, and says so.
pub(crate) async fn keep(
    services: &Arc<Services>,
    exchange: &Exchange,
    asked: Asked,
    now: Timestamp,
) -> Response {
    let Some(held) = exchange.held.get() else {
        return Problem::held().into_response();
    };
    match kept(services, exchange, held, asked, now).await {
        Ok(waits) => {
            let location = [(LOCATION, waits.url.clone())];
            (StatusCode::ACCEPTED, location, Json(waits)).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

async fn kept(
    services: &Arc<Services>,
    exchange: &Exchange,
    held: &Held,
    asked: Asked,
    now: Timestamp,
) -> Result<Waits, Problem> {
    let body = exchange.body.get();
    let text = body
        .map(|body| String::from_utf8(body.to_vec()))
        .transpose();
    let (Ok(text), true) = (text, body.is_some() || asked.length == 0) else {
        return Err(too_large(held));
    };
    let body = text.unwrap_or_default();
    if body.len() > LARGEST_CALL {
        return Err(too_large(held));
    }
    let diff = diff(
        services,
        &held.principal,
        (&asked, &body),
        &exchange.request_id,
    )
    .await;
    let caught = Caught {
        policy: held.policy.clone(),
        method: asked.method.to_string(),
        path: asked.path,
        body,
        profile: held.profile.clone(),
        segment: held.segment.clone(),
        diff,
    };
    let access = &services.access;
    let request = access.keep_call(&held.principal, caught, &exchange.request_id, now);
    let request = request.await?;
    Ok(Waits {
        url: format!("/api/v1/requests/{}", request.id),
        request: request.id.to_string(),
        policy: held.policy.name.clone(),
        needed: request.needed,
        expires: request.expires,
        emergency: held.policy.emergency,
    })
}

fn too_large(held: &Held) -> Problem {
    let text = format!(
        "the policy {} catches this, and it cannot be kept until others agree",
        held.policy.name
    );
    let refusal = Refusal::new("request.call", "approval policy", text)
        .accepted(format!("a JSON body of at most {LARGEST_CALL} bytes"));
    let mut problem = Problem::refused(StatusCode::UNPROCESSABLE_ENTITY, &refusal);
    problem.recorded = false;
    problem
}

/// What will change: what the caller would read there now beside what the call says. `PUT` bodies are
/// `{version, noun: {…}}`; of other calls the body itself is what there is to see.
async fn diff(
    services: &Arc<Services>,
    principal: &Arc<Principal>,
    (asked, body): (&Asked, &str),
    request_id: &str,
) -> Vec<Change> {
    let sent: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    if !matches!(asked.method, Method::PUT | Method::DELETE) {
        return changes(&Value::Null, &sent);
    }
    let path = asked.path.split('?').next().unwrap_or_default();
    let agreed = Agreed {
        principal: Arc::clone(principal),
        action: access::Action::ReadStatus,
    };
    let (status, there) =
        dispatch(Arc::clone(services), agreed, request_id, ("GET", path, "")).await;
    let there: Value = match status {
        200 => serde_json::from_slice(&there).unwrap_or(Value::Null),
        _ => Value::Null,
    };
    if asked.method == Method::DELETE {
        return changes(&there, &Value::Null);
    }
    let noun = sent
        .as_object()
        .and_then(|sent| sent.iter().find(|(_, value)| value.is_object()));
    match noun {
        Some((noun, value)) => changes(there.get(noun).unwrap_or(&there), value),
        None => changes(&there, &sent),
    }
}

type Answered = Pin<Box<dyn Future<Output = (u16, Bytes)> + Send>>;

/// Asks Ward's own API, as `agreed` says. Boxed, because the API answers by way of this module.
fn dispatch(
    services: Arc<Services>,
    agreed: Agreed,
    request_id: &str,
    (method, path, body): (&str, &str, &str),
) -> Answered {
    let request = http::Request::builder()
        .header(REQUEST_ID, request_id)
        .method(method)
        .uri(path)
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, body.len())
        .extension(agreed)
        .body(Body::from(body.to_owned()));
    Box::pin(async move {
        let Ok(request) = request else {
            return (400, Bytes::new());
        };
        let response = match super::router(services).oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), ANSWER).await;
        (status, body.unwrap_or_default())
    })
}

/// Takes a call, makes it, and writes down what came of it. Once taken it goes on to its end, also where whoever asks does
/// not wait for the answer: a browser that goes away must not cut it off.
pub(crate) async fn make(
    services: &Arc<Services>,
    by: &Arc<Principal>,
    id: &RequestId,
    emergency: Option<&str>,
) -> Result<access::Request, AccessError> {
    let (services, by, made) = (Arc::clone(services), Arc::clone(by), id.clone());
    let emergency = emergency.map(str::to_owned);
    let making = tokio::spawn(async move {
        let (access, now) = (&services.access, services.now());
        let taken = access
            .begin_call(&by, &made, emergency.as_deref(), now)
            .await?;
        let Some(call) = &taken.call else {
            return Ok(taken);
        };
        let (status, body) = answered(&services, &taken, call).await;
        let body = String::from_utf8_lossy(&body);
        access.end_call(&made, status, &body, services.now()).await
    });
    match making.await {
        Ok(made) => made,
        Err(error) => Err(AccessError::Record {
            kind: "request",
            id: id.to_string(),
            why: error.to_string(),
        }),
    }
}

/// What the API says to a call now, by the permissions that its asker has now. Events that it makes bear the request's id.
async fn answered(
    services: &Arc<Services>,
    taken: &access::Request,
    call: &access::Call,
) -> (u16, Bytes) {
    let access = &services.access;
    let principal = match access.principal_now(&taken.requester, services.now()).await {
        Ok(principal) => principal,
        Err(error) => return (403, Bytes::from(error.to_string())),
    };
    let agreed = Agreed {
        principal,
        action: call.action,
    };
    let asked = (call.method.as_str(), call.path.as_str(), call.body.as_str());
    dispatch(Arc::clone(services), agreed, taken.id.as_str(), asked).await
}

/// Makes the calls that enough people have agreed to; somebody else's server may have taken one meanwhile.
pub(crate) async fn make_due(services: &Arc<Services>) -> Result<(), AccessError> {
    let system = services.access.system_principal("approvals");
    for id in services.access.calls_due(services.now()).await? {
        match make(services, &system, &id, None).await {
            Ok(_) => {}
            Err(AccessError::Refused(_) | AccessError::Store(store::StoreError::Conflict(_))) => {
                tracing::debug!(request = %id, "the call was taken by somebody else");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
