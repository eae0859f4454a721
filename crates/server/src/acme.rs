//! ACME over HTTPS: turns HTTP into `enroll`'s requests and its replies into HTTP. Dispatched by hand, before the router:
//! an order is six requests, and thousands of machines renew.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use enroll::acme::MAX_BODY;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use crate::Services;
use crate::api::answer::{REQUEST_ID, request_id};
use crate::public::plain;
use crate::reply::Reply;
use crate::request_body::RequestBody;

const REPLAY_NONCE: HeaderName = HeaderName::from_static("replay-nonce");

/// Longest `Host`: a DNS name and a port.
const HOST: usize = 253 + 6;

/// A validator that works from this machine.
pub(crate) fn validate() -> enroll::Validate {
    let validator = agent::control::Validator::new();
    Arc::new(move |check| {
        let validator = validator.clone();
        Box::pin(async move { validator.check(check).await })
    })
}

/// Answers what is below `/acme/`, or gives the request back to whoever knows more paths.
pub(crate) async fn answer(
    services: &Arc<Services>,
    request: Request<Incoming>,
    peer: IpAddr,
) -> Result<Response<Reply>, Request<Incoming>> {
    if !request.uri().path().starts_with("/acme/") {
        return Err(request);
    }
    let (head, body) = request.into_parts();
    let Some(base) = base(services, &head) else {
        return Ok(plain(
            StatusCode::BAD_REQUEST,
            "the request does not say which host it is for (RFC 9110 §7.2)\n",
        ));
    };
    let body = if head.method == Method::POST {
        let patience = Duration::from_secs(services.config.limits.head_seconds);
        match RequestBody::new(body).read(MAX_BODY, patience).await {
            Some(body) => body,
            None => {
                return Ok(plain(
                    StatusCode::REQUEST_TIMEOUT,
                    "the request did not arrive in time\n",
                ));
            }
        }
    } else {
        Bytes::new()
    };
    let now = services.now();
    let id = request_id(&head.headers, now);
    let is_head = head.method == Method::HEAD;
    let request = enroll::Request {
        base: &base,
        path: head.uri.path().strip_prefix("/acme/").unwrap_or_default(),
        query: head.uri.query(),
        content_type: text(&head.headers, header::CONTENT_TYPE),
        accept: text(&head.headers, header::ACCEPT),
        method: head.method,
        body,
        peer,
        request_id: &id,
    };
    let mut reply = services.acme.handle(request, now).await;
    if is_head {
        reply.body = Bytes::new();
    }
    Ok(response(reply, &id))
}

/// The configured URL, or the one by which the client addressed us.
fn base(services: &Services, head: &hyper::http::request::Parts) -> Option<String> {
    if let Some(url) = &services.config.url {
        return Some(url.clone());
    }
    let host = match head.uri.authority() {
        Some(authority) => authority.as_str(),
        None => text(&head.headers, header::HOST)?,
    };
    let harmless =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b'[' | b']');
    let usable = (1..=HOST).contains(&host.len()) && host.bytes().all(harmless);
    usable.then(|| ["https://", host].concat())
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn response(reply: enroll::Reply, id: &str) -> Response<Reply> {
    let mut response = Response::new(Reply::from(reply.body));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Some(content_type) = reply.content_type {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    if let Some(cache_control) = reply.cache_control {
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static(cache_control),
        );
    }
    if let Some(allow) = reply.allow {
        headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    if let Some(seconds) = reply.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    insert(headers, REPLAY_NONCE, reply.nonce);
    insert(headers, header::LOCATION, reply.location);
    for link in reply.links {
        if let Ok(value) = HeaderValue::from_str(&link) {
            headers.append(header::LINK, value);
        }
    }
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, value);
    }
    response
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: Option<String>) {
    if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
        headers.insert(name, value);
    }
}
