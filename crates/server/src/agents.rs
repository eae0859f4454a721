//! The door of agents: enrolment by a ticket, and everything else by the certificate that stands in the agent's record.
//! Dispatched by hand, before the router: who asks is known by TLS, which no route of the API sees.
//!
//! Nothing is decided once for a connection: each request is asked whose it is, and a question that waits for orders asks
//! again before each look, so that a revoked agent hears of it within a second.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use agent::relay::{BATCH_LIMIT, Poll};
use audit::Timestamp;
use bytes::Bytes;
use fleet::FleetError;
use fleet::agents::KnownAgent;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Services;
use crate::api::answer::{REQUEST_ID, request_id};
use crate::listener::Peer;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_body::RequestBody;

const PREFIX: &str = "/agent/v1/";
/// Most bytes of anything that is no batch.
const BODY: usize = 64 * 1024;
/// How long a question may wait for orders.
const LONGEST_WAIT: u64 = 60;
/// Between two looks for orders.
const LOOK: Duration = Duration::from_secs(1);
/// For a batch of 8 MiB over a bad line.
const PATIENCE: Duration = Duration::from_secs(60);

/// When each agent last asked, and what it said of itself.
pub(crate) type Seen = Mutex<HashMap<String, (Timestamp, Poll)>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrol {
    agent: String,
    token: String,
    csr: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Renew {
    csr: String,
}

/// Answers what is below `/agent/v1/`, or gives the request back to whoever knows more paths.
pub(crate) async fn answer(
    services: &Arc<Services>,
    request: Request<Incoming>,
    peer: &Peer,
) -> Result<Response<Reply>, Request<Incoming>> {
    let Some(verb) = request.uri().path().strip_prefix(PREFIX) else {
        return Err(request);
    };
    let id = request_id(request.headers(), services.now());
    let verb = verb.to_owned();
    let answered = match answered(services, &verb, request, peer, &id).await {
        Ok(body) => response(StatusCode::OK, "application/json", body),
        Err(mut problem) => {
            problem.request_id = Some(id.as_str().into());
            let status =
                StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            response(status, "application/problem+json", problem.to_json())
        }
    };
    Ok(with_id(answered, &id))
}

async fn answered(
    services: &Arc<Services>,
    verb: &str,
    request: Request<Incoming>,
    peer: &Peer,
    id: &str,
) -> Result<Vec<u8>, Problem> {
    let limit = match verb {
        "enrol" | "renew" | "orders" => BODY,
        "results" => BATCH_LIMIT,
        _ => {
            return Err(Problem::not_found(
                "agents ask for enrol, renew, orders and results",
            ));
        }
    };
    let (head, body) = request.into_parts();
    if head.method != Method::POST {
        return Err(Problem::method("agents ask by POST"));
    }
    if verb == "enrol" {
        let body = read(body, limit).await?;
        let (services, id) = (Arc::clone(services), id.to_owned());
        return to_its_end(async move {
            let asked: Enrol = parsed(&body)?;
            let now = services.now();
            let given = services
                .fleet
                .enrol_agent(&asked.agent, &asked.token, &asked.csr, Some(&id), now)
                .await;
            json(&given.map_err(|error| refused(error, StatusCode::FORBIDDEN))?)
        })
        .await;
    }
    // Whose request it is comes before its body.
    let known = who(services, peer, id).await?;
    let body = read(body, limit).await?;
    let (services, peer, id, verb) = (
        Arc::clone(services),
        peer.clone(),
        id.to_owned(),
        verb.to_owned(),
    );
    match verb.as_str() {
        "orders" => orders(&services, &peer, &id, known, parsed(&body)?).await,
        "renew" => {
            to_its_end(async move {
                let asked: Renew = parsed(&body)?;
                let given = services
                    .fleet
                    .renew_agent(&known, &asked.csr, services.now())
                    .await;
                json(&given.map_err(|error| refused(error, StatusCode::UNPROCESSABLE_ENTITY))?)
            })
            .await
        }
        _ => {
            to_its_end(async move {
                let taken = services
                    .fleet
                    .take_batch(&known, body.to_vec(), services.now())
                    .await;
                json(&taken.map_err(|error| refused(error, StatusCode::UNPROCESSABLE_ENTITY))?)
            })
            .await
        }
    }
}

/// What there is to do, as soon as there is something.
async fn orders(
    services: &Services,
    peer: &Peer,
    id: &str,
    first: KnownAgent,
    poll: Poll,
) -> Result<Vec<u8>, Problem> {
    let mut left = poll.wait.min(LONGEST_WAIT);
    let mut known = first;
    loop {
        let now = services.now();
        let polled = services.fleet.poll_agent(&known, &poll, now).await;
        let polled = polled.map_err(|error| refused(error, StatusCode::UNPROCESSABLE_ENTITY))?;
        if left == 0 || !polled.orders.is_empty() || !polled.stop.is_empty() {
            note(services, &known, &poll, now);
            return json(&polled);
        }
        left -= 1;
        tokio::time::sleep(LOOK).await;
        known = who(services, peer, id).await?;
    }
}

/// What can be said of an agent's state from its questions.
fn note(services: &Services, known: &KnownAgent, poll: &Poll, now: Timestamp) {
    let name = known.stored.agent.name.clone();
    let gauge = |metric: &'static str, value: f64| {
        metrics::gauge!(metric, "agent" => name.clone()).set(value)
    };
    gauge("ward_agent_seen_seconds", now.0 as f64 / 1000.0);
    gauge(
        "ward_agent_clock_offset_seconds",
        poll.clock as f64 / 1000.0,
    );
    gauge("ward_agent_queue_bytes", poll.bytes as f64);
    services
        .seen_agents
        .lock()
        .insert(name, (now, poll.clone()));
}

async fn who(services: &Services, peer: &Peer, id: &str) -> Result<KnownAgent, Problem> {
    let chain = peer
        .tls
        .as_ref()
        .and_then(|session| session.chain.as_deref());
    let Some(leaf) = chain.and_then(<[Vec<u8>]>::first) else {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "urn:ward:problem:unauthenticated",
            "A certificate is required",
            "show the agent's certificate in TLS",
        ));
    };
    let known = services
        .fleet
        .agent_of(leaf, Some(id), services.now())
        .await;
    known.map_err(|error| refused(error, StatusCode::UNAUTHORIZED))
}

/// Not within the connection: what has begun is decided to its end even if the agent's line breaks.
async fn to_its_end(
    work: impl Future<Output = Result<Vec<u8>, Problem>> + Send + 'static,
) -> Result<Vec<u8>, Problem> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => Err(Problem::internal(&error)),
    }
}

async fn read(body: Incoming, limit: usize) -> Result<Bytes, Problem> {
    match RequestBody::new(body).read(limit, PATIENCE).await {
        Some(body) if body.len() <= limit => Ok(body),
        Some(_) => Err(Problem::too_large(format!("at most {limit} bytes"))),
        None => Err(Problem::too_slow(format!(
            "the body did not come within {} s",
            PATIENCE.as_secs()
        ))),
    }
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::malformed(error.to_string()))
}

fn json(answer: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(answer).map_err(|error| Problem::internal(&error))
}

/// A refusal in the status that tells the agent what to do about it: 401 to give up, other 4xx to wait for a person.
fn refused(error: FleetError, status: StatusCode) -> Problem {
    match error.refusal() {
        Some(refusal) => Problem::refused(status, refusal),
        None => match error {
            FleetError::Store(error) => match Problem::from(error) {
                // The agent asks again, and finds what became of it.
                problem if problem.status == StatusCode::CONFLICT.as_u16() => {
                    Problem::unavailable(problem.detail.into_string())
                }
                problem => problem,
            },
            other => other.into(),
        },
    }
}

fn response(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response<Reply> {
    let mut response = Response::new(Reply::from(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn with_id(mut response: Response<Reply>, id: &str) -> Response<Reply> {
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}
