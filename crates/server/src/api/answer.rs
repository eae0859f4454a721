//! What every request gets, whatever becomes of it: an id that joins the answer, the log of operations and the audit
//! event; and an event where somebody known tried to change something and was turned away before any rule was asked
//! (a body that cannot be read, an object that is not there).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use access::{Action, Principal, Refusal};
use audit::Timestamp;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, StatusCode};

use crate::Services;
use crate::api::calls;
use crate::problem::Problem;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest `X-Request-Id` that is taken over from the caller.
const LONGEST_ID: usize = 64;

/// Longest part of a path that goes into an event.
const LONGEST_PATH: usize = 120;

/// One request and its answer; lies in the request's extensions.
pub(crate) struct Exchange {
    pub(crate) request_id: String,
    /// Who asked, once that is known.
    pub(crate) principal: OnceLock<Arc<Principal>>,
    /// The body, once a reader has it: what a policy catches is kept with it.
    pub(crate) body: OnceLock<Bytes>,
    /// What other people have agreed to: the policies have had their say.
    pub(crate) agreed: Option<Agreed>,
    /// What a policy caught.
    pub(crate) held: OnceLock<calls::Held>,
}

/// A kept call that is made now, as whoever asked for it; lies in the extensions of a request that Ward makes itself.
#[derive(Clone)]
pub(crate) struct Agreed {
    pub(crate) principal: Arc<Principal>,
    pub(crate) action: Action,
}

tokio::task_local! {
    /// The exchange that the running handler answers.
    static EXCHANGE: Arc<Exchange>;
}

/// The exchange that the running handler answers.
pub(crate) fn exchange() -> Option<Arc<Exchange>> {
    EXCHANGE.try_with(Arc::clone).ok()
}

pub(crate) async fn accompany(
    State(services): State<Arc<Services>>,
    mut request: Request,
    next: Next,
) -> Response {
    let now = services.now();
    let exchange = Arc::new(Exchange {
        request_id: request_id(request.headers(), now),
        principal: OnceLock::new(),
        body: OnceLock::new(),
        agreed: request.extensions_mut().remove::<Agreed>(),
        held: OnceLock::new(),
    });
    let changes = !matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    let attempt = changes.then(|| attempt(&request));
    request.extensions_mut().insert(Arc::clone(&exchange));
    let asked = changes.then(|| calls::Asked::of(&request));
    let mut response = EXCHANGE
        .scope(Arc::clone(&exchange), next.run(request))
        .await;
    if let (Some(asked), true) = (asked, exchange.held.get().is_some()) {
        response = calls::keep(&services, &exchange, asked, now).await;
    }
    if let Some(mut problem) = response.extensions_mut().remove::<Problem>() {
        if let Some(attempt) = attempt
            && let Some(principal) = exchange.principal.get()
            && (400..500).contains(&problem.status)
            && !problem.recorded
        {
            problem = record(&services, &exchange, principal, problem, attempt, now).await;
        }
        problem.request_id = Some(exchange.request_id.as_str().into());
        response = rewritten(response, &problem);
    }
    if let Ok(value) = HeaderValue::from_str(&exchange.request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn attempt(request: &Request) -> String {
    let path = request.uri().path().chars().take(LONGEST_PATH);
    format!("{} {}", request.method(), path.collect::<String>())
}

async fn record(
    services: &Services,
    exchange: &Exchange,
    principal: &Principal,
    problem: Problem,
    attempt: String,
    now: Timestamp,
) -> Problem {
    let refusal = Refusal::new(problem.rule_name(), "REST API", problem.detail.to_string());
    let object = audit::Object::new("request", attempt);
    let id = Some(exchange.request_id.as_str());
    let recorded = services
        .access
        .record_refusal(&refusal, principal, "api.refuse", object, id, now)
        .await;
    match recorded {
        Ok(()) => problem,
        Err(error) => error.into(),
    }
}

/// The answer with this problem for a body; headers such as `Allow` stay.
fn rewritten(response: Response, problem: &Problem) -> Response {
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.status =
        StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Response::from_parts(parts, Body::from(problem.to_json()))
}

/// The caller's own id when it is harmless, else one that is unique in this process.
pub(crate) fn request_id(headers: &HeaderMap, now: Timestamp) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let given = headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    let harmless = |id: &&str| {
        !id.is_empty()
            && id.len() <= LONGEST_ID
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    match given.filter(harmless) {
        Some(id) => id.to_owned(),
        None => format!("{:x}-{:x}", now.0, COUNTER.fetch_add(1, Ordering::Relaxed)),
    }
}
