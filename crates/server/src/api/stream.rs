//! `GET /api/v1/events/stream`: what happens, as server-sent events (the HTML standard, §9.2), so that screens need not ask.
//!
//! The permission is asked for each topic, and anew while the stream lasts: it ends when its session or token does, and a
//! role that is taken away counts within fifteen seconds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use audit::Event;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use hyper::StatusCode;
use hyper::http::request::Parts;
use serde::Deserialize;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Instant, timeout_at};

use crate::Services;
use crate::api::caller::{Asked, Caller};
use crate::events::{self, Counted, Hub, MOST_OF_ONE, Notice};
use crate::problem::Problem;

/// A line that means nothing, so that nobody in between takes the connection for dead; and the permissions asked anew.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Events that a stream is given to catch up; who was away for longer looks anew.
const MOST_MISSED: u64 = 5_000;
const PAGE: u64 = 512;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Streamed {
    /// Topics with commas between: certificate, authority, profile, request, asset, finding, inventory, flow, scan, agent,
    /// job, enrolment, token, log. All that the caller may read if absent.
    topics: Option<String>,
    /// As `Last-Event-ID`, for clients that cannot send headers.
    last_event_id: Option<u64>,
    /// `false`: what was missed, and the end. For programs that ask from time to time.
    follow: Option<bool>,
}

/// What happens, as it happens: `id` is the number in the log, `event` the topic, `data` JSON with `action`, `object`,
/// `outcome` and `at`. `scan` and `job` also tell progress, without an id. `event: reset` says that too much was missed: ask
/// for everything anew. A comment comes every 15 seconds.
#[utoipa::path(get, path = "/api/v1/events/stream", tag = "events", params(Streamed,
        ("Last-Event-ID" = Option<u64>, Header, description = "The last id that was received: what came after it is sent first")),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 400, body = Problem),
        (status = 403, body = Problem), (status = 429, body = Problem)))]
pub(crate) async fn stream(
    State(services): State<Arc<Services>>,
    request: Request,
) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    // Watching is no use of a session: it lies idle all the same.
    parts
        .headers
        .insert(crate::signin::BACKGROUND, HeaderValue::from_static("1"));
    let caller = Caller::from_request_parts(&mut parts, &services).await?;
    let Asked(asked) = Asked::<Streamed>::from_request_parts(&mut parts, &services).await?;
    let topics = wanted(&caller, asked.topics.as_deref())?;
    let header = parts.headers.get("last-event-id");
    let header = header.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let from = header.or(asked.last_event_id);
    let holder = access::holder(&caller.principal.actor().id).to_owned();
    let Some(counted) = Hub::enter(&services, &holder) else {
        return Err(too_many());
    };
    let Some(notices) = services.events.listen() else {
        return Err(Problem::unavailable("the server is stopping"));
    };
    let size = services.store.log_size().await?;
    let (next, reset) = match from {
        Some(last) if last < size && size - last - 1 <= MOST_MISSED => (last + 1, false),
        // A number that is not there yet is another log's.
        Some(last) if last + 1 != size => (size, true),
        _ => (size, false),
    };
    let listener = Listener {
        caller,
        parts,
        topics,
        notices,
        next,
        missed: next < size,
        pending: greeting(size, reset),
        checked: Instant::now(),
        follow: asked.follow.unwrap_or(true),
        _counted: counted,
    };
    let pieces = unfold(listener, |mut listener| async move {
        let piece = listener.piece().await?;
        Some((Ok::<Bytes, std::convert::Infallible>(piece), listener))
    });
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// How long to wait before coming again, and where the log is: whoever reconnects at once misses nothing.
fn greeting(size: u64, reset: bool) -> String {
    let mut text = "retry: 2000\n".to_owned();
    if let Some(last) = size.checked_sub(1) {
        text.push_str(&format!("id: {last}\n"));
    }
    let event = if reset { "reset" } else { "hello" };
    text.push_str(&format!("event: {event}\ndata: {{}}\n\n"));
    text
}

fn too_many() -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "urn:ward:problem:too-many-streams",
        "There are too many streams",
        format!("one person or machine has at most {MOST_OF_ONE} at a time; end one"),
    )
}

/// The topics that are asked for, if all of them are ones and the caller may read one of them.
fn wanted(caller: &Caller, text: Option<&str>) -> Result<BTreeSet<&'static str>, Problem> {
    let mut topics = BTreeSet::new();
    match text {
        None => topics.extend(events::topics()),
        Some(text) => {
            for asked in text.split(',') {
                let known = events::topics().find(|known| *known == asked.trim());
                let Some(known) = known else {
                    let all: Vec<&str> = events::topics().collect();
                    return Err(Problem::malformed(format!("topics are {}", all.join(", "))));
                };
                topics.insert(known);
            }
        }
    }
    let mut refused = None;
    let readable = topics.iter().any(|topic| {
        let read = caller.may_read(events::needs(topic));
        let may = read.is_ok();
        refused = refused.take().or(read.err());
        may
    });
    match (readable, refused) {
        (false, Some(problem)) => Err(problem),
        _ => Ok(topics),
    }
}

/// One stream.
struct Listener {
    caller: Caller,
    /// The request, to ask again who it is.
    parts: Parts,
    topics: BTreeSet<&'static str>,
    notices: broadcast::Receiver<Arc<Notice>>,
    /// The number of the next event of the log.
    next: u64,
    /// There is something in the log that the queue did not bring.
    missed: bool,
    pending: String,
    checked: Instant,
    follow: bool,
    _counted: Counted,
}

impl Listener {
    /// The next piece of the body; `None` at the end.
    async fn piece(&mut self) -> Option<Bytes> {
        loop {
            if !self.pending.is_empty() {
                return Some(Bytes::from(std::mem::take(&mut self.pending)));
            }
            if self.checked.elapsed() >= HEARTBEAT && !self.still_may().await {
                return None;
            }
            if self.missed {
                self.catch_up().await?;
                continue;
            }
            if !self.follow {
                return None;
            }
            let until = self.checked + HEARTBEAT;
            match timeout_at(until, self.notices.recv()).await {
                Ok(Ok(notice)) => self.take(&notice),
                Ok(Err(RecvError::Lagged(_))) => self.missed = true,
                Ok(Err(RecvError::Closed)) => return None,
                Err(_) => self.pending.push_str(": still here\n\n"),
            }
        }
    }

    /// Whoever was let in may still be.
    async fn still_may(&mut self) -> bool {
        self.checked = Instant::now();
        let services = Arc::clone(&self.caller.services);
        match Caller::from_request_parts(&mut self.parts, &services).await {
            Ok(caller) => {
                self.caller = caller;
                let mut topics = self.topics.iter();
                topics.any(|topic| self.caller.may_read(events::needs(topic)).is_ok())
            }
            Err(_) => false,
        }
    }

    fn take(&mut self, notice: &Notice) {
        if let Some(seq) = notice.seq {
            // The log told of it already.
            if seq < self.next {
                return;
            }
            if seq > self.next {
                self.missed = true;
                return;
            }
            self.next = seq + 1;
        }
        self.tell(notice);
    }

    fn tell(&mut self, notice: &Notice) {
        let concerns = self.topics.contains(notice.topic);
        if concerns && self.caller.may_read(notice.needs).is_ok() {
            if let Some(seq) = notice.seq {
                self.pending.push_str(&format!("id: {seq}\n"));
            }
            let (topic, data) = (notice.topic, &notice.data);
            self.pending
                .push_str(&format!("event: {topic}\ndata: {data}\n\n"));
        }
    }

    /// Reads what the queue did not bring from the log itself.
    async fn catch_up(&mut self) -> Option<()> {
        let store = &self.caller.services.store;
        let entries = store.events(self.next, PAGE).await.ok()?;
        self.missed = entries.len() as u64 == PAGE;
        for entry in entries {
            self.next = entry.seq + 1;
            if let Ok(event) = Event::parse(&entry.body) {
                self.tell(&events::notice(entry.seq, &event));
            }
        }
        Some(())
    }
}
