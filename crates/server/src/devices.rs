//! EST, SCEP and CMP: turns HTTP into `enroll`'s requests and its replies into HTTP. Dispatched by hand, before the router:
//! thousands of devices renew in one night, and what they send is not what a router would call well formed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use audit::{Actor, Event, Object};
use bytes::Bytes;
use enroll::device::{Devices, Network, Request as Asked, Tls};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;
use store::Write;

use crate::Services;
use crate::api::answer::{REQUEST_ID, request_id};
use crate::config::Legacy;
use crate::listener::{Door, Peer};
use crate::public::plain;
use crate::reply::Reply;
use crate::request_body::RequestBody;

/// Most bytes of a request. A CSR of 64 KiB, the largest that is read, is 88 KiB in base64 and little more as CMS.
const BODY: usize = 128 * 1024;

/// Where EST lives (RFC 7030 §3.2.2, RFC 8615): never without TLS (RFC 7030 §3.3).
const EST: &str = "/.well-known/est";

/// Answers on the HTTPS listener, or gives the request back to whoever knows more paths.
pub(crate) async fn answer(
    services: &Arc<Services>,
    request: Request<Incoming>,
    peer: &Peer,
) -> Result<Response<Reply>, Request<Incoming>> {
    if !Devices::answers(request.uri().path()) {
        return Err(request);
    }
    Ok(handled(services, request, peer, None).await)
}

/// `door` is the legacy listener that a request came in by.
async fn handled(
    services: &Arc<Services>,
    request: Request<Incoming>,
    peer: &Peer,
    door: Option<Arc<LegacyDoor>>,
) -> Response<Reply> {
    let (head, body) = request.into_parts();
    let body = if head.method == Method::POST {
        let patience = Duration::from_secs(services.config.limits.head_seconds);
        match RequestBody::new(body).read(BODY, patience).await {
            Some(body) if body.len() <= BODY => body,
            Some(_) => {
                return plain(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "the request is larger than 128 KiB\n",
                );
            }
            None => {
                return plain(
                    StatusCode::REQUEST_TIMEOUT,
                    "the request did not arrive in time\n",
                );
            }
        }
    } else {
        Bytes::new()
    };
    let (services, peer) = (Arc::clone(services), peer.clone());
    // Not within the connection: what a device has begun is decided to its end even if its line breaks. Otherwise its next
    // request would be decided beside the commit of this one, and take another use of its right for the same key.
    let decided = tokio::spawn(async move { decide(&services, &head, body, &peer, door).await });
    match decided.await {
        Ok((reply, id)) => response(reply, &id),
        Err(error) => {
            tracing::error!(%error, "a device's request came to no end");
            plain(StatusCode::SERVICE_UNAVAILABLE, "try again later\n")
        }
    }
}

/// The reply, and the id of the request.
async fn decide(
    services: &Services,
    head: &Parts,
    body: Bytes,
    peer: &Peer,
    door: Option<Arc<LegacyDoor>>,
) -> (enroll::device::Reply, String) {
    let now = services.now();
    let id = request_id(&head.headers, now);
    let listener = match &door {
        None => enroll::device::Listener::Main,
        Some(door) => enroll::device::Listener::Legacy {
            name: &door.listener.segment,
            endpoints: &door.listener.endpoints,
        },
    };
    let asked = Asked {
        path: head.uri.path(),
        query: head.uri.query(),
        content_type: text(&head.headers, header::CONTENT_TYPE),
        accept: text(&head.headers, header::ACCEPT),
        authorization: text(&head.headers, header::AUTHORIZATION),
        method: head.method.clone(),
        body,
        tls: peer.tls.as_ref().map(|session| Tls {
            peer: session.chain.as_deref().unwrap_or_default(),
            version: session.version,
            suite: session.suite.as_deref(),
        }),
        listener,
        peer: peer.address,
        request_id: &id,
    };
    let mut reply = services.devices.handle(asked, now).await;
    if head.method == Method::HEAD {
        reply.body = Bytes::new();
    }
    (reply, id)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn response(reply: enroll::device::Reply, id: &str) -> Response<Reply> {
    let mut response = Response::new(Reply::from(reply.body));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.extend(reply.headers);
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, value);
    }
    response
}

/// A listener for devices that cannot do TLS as it is today. Over old TLS it knows what the HTTPS listener knows; over plain
/// HTTP SCEP and CMP, whose messages protect themselves. Of the endpoints it knows its own, and nothing else is there.
pub(crate) struct LegacyDoor {
    pub(crate) services: Arc<Services>,
    pub(crate) listener: Legacy,
}

impl Door for LegacyDoor {
    async fn answer(self: &Arc<Self>, request: Request<Incoming>, peer: Peer) -> Response<Reply> {
        let path = request.uri().path();
        let is_plain = peer.tls.is_none();
        if !Devices::answers(path) || (is_plain && path.starts_with(EST)) {
            return plain(
                StatusCode::NOT_FOUND,
                match is_plain {
                    true => {
                        "SCEP and CMP for devices without TLS are answered here, and nothing else\n"
                    }
                    false => {
                        "EST, SCEP and CMP for old devices are answered here, and nothing else\n"
                    }
                },
            );
        }
        handled(&self.services, request, &peer, Some(Arc::clone(self))).await
    }
}

/// That old protocols are answered is for the record, at every start, with all that is weak about them.
pub(crate) async fn record_opening(
    services: &Services,
    listener: &Legacy,
    address: SocketAddr,
) -> Result<(), store::StoreError> {
    let tls = listener.tls.as_ref().map(|tls| {
        let suites: Vec<_> = tls.options.suites.iter().map(|suite| suite.name).collect();
        json!({
            "min_version": tls.options.min_version.name(),
            "suites": suites,
            "sha1": tls.options.sha1,
            "library": oldtls::library().ok(),
        })
    });
    let networks: Vec<_> = listener.networks.iter().map(Network::to_string).collect();
    let event = Event::new(
        services.now(),
        Actor::system("listener"),
        "listener.legacy",
        Object::new("listener", &listener.segment),
    )
    .after(json!({
        "address": address.to_string(),
        "endpoints": listener.endpoints,
        "networks": networks,
        "tls": tls.unwrap_or(json!(false)),
    }));
    services.store.commit(Write::new(event)?).await?;
    tracing::warn!(
        segment = listener.segment,
        %address,
        endpoints = listener.endpoints.join(","),
        "devices are answered here {}",
        match &listener.tls {
            None => "over plain HTTP: SCEP and CMP only".to_owned(),
            Some(tls) => format!("over {} and with old suites", tls.options.min_version),
        }
    );
    Ok(())
}
