//! What relying parties fetch without credentials: OCSP, CRLs, issuer certificates, trust bundles, the log's checkpoint and
//! tiles.
//!
//! Plain HTTP on purpose: status must be reachable before any trust exists, and everything here is signed (RFC 5280 §8).
//! Dispatch is by hand: these are the hottest paths, and there are few of them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use crate::Services;
use crate::reply::Reply;

/// RFC 6960 sets no limit; 256 requests of one message fit in this.
const OCSP_BODY: usize = 64 * 1024;

/// Seconds that HTTP caches may keep an OCSP answer: a revocation is seen through any of them after this.
const OCSP_CACHE: i64 = 300;

/// Answers a public path, or gives the request back to whoever knows more paths.
pub(crate) async fn answer(
    services: &Arc<Services>,
    request: Request<Incoming>,
) -> Result<Response<Reply>, Request<Incoming>> {
    let path = request.uri().path();
    if let Some(rest) = path
        .strip_prefix("/ocsp")
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
    {
        return match *request.method() {
            Method::POST if rest.len() <= 1 => Ok(ocsp_post(services, request).await),
            Method::GET if rest.len() > 1 => Ok(ocsp_get(services, &rest[1..]).await),
            _ => Ok(plain(
                StatusCode::METHOD_NOT_ALLOWED,
                "OCSP is POST /ocsp or GET /ocsp/{base64} (RFC 6960 A.1)\n",
            )),
        };
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Err(request);
    }
    if let Some(name) = path.strip_prefix("/crl/") {
        return Ok(crl(services, name, request.headers()).await);
    }
    if let Some(name) = path.strip_prefix("/aia/") {
        return Ok(issuer_certificate(services, name));
    }
    if let Some(rest) = path.strip_prefix("/bundles/") {
        return Ok(crate::bundles::answer(services, rest, request.headers()).await);
    }
    match path {
        "/healthz" => Ok(plain(StatusCode::OK, "ok\n")),
        "/readyz" => Ok(ready(services).await),
        _ => Err(request),
    }
}

async fn ocsp_post(services: &Arc<Services>, request: Request<Incoming>) -> Response<Reply> {
    let body = Limited::new(request.into_body(), OCSP_BODY).collect();
    let patience = Duration::from_secs(services.config.limits.head_seconds);
    let Ok(body) = tokio::time::timeout(patience, body).await else {
        return plain(
            StatusCode::REQUEST_TIMEOUT,
            "the request did not arrive in time\n",
        );
    };
    let Ok(body) = body else {
        return ocsp_reply(Bytes::from_static(&x509::ocsp::errors::MALFORMED_REQUEST));
    };
    let body = body.to_bytes();
    let now = services.now();
    if let Some(prepared) = services.ca.prepared_ocsp(&body, now) {
        return ocsp_reply(prepared.der.clone());
    }
    ocsp_reply(services.ca.ocsp(&body, now).await.der())
}

/// RFC 5019 §5: the request is base64 in the path, and the answer may live in caches until it is replaced.
async fn ocsp_get(services: &Arc<Services>, encoded: &str) -> Response<Reply> {
    let Ok(der) = x509::ocsp::decode_get_path(encoded) else {
        return ocsp_reply(Bytes::from_static(&x509::ocsp::errors::MALFORMED_REQUEST));
    };
    let now = services.now();
    let answer = match services.ca.prepared_ocsp(&der, now) {
        Some(prepared) => ca::ocsp::Answer::Prepared(prepared),
        None => services.ca.ocsp(&der, now).await,
    };
    let mut response = ocsp_reply(answer.der());
    if let ca::ocsp::Answer::Prepared(prepared) = &answer {
        let seconds = (prepared.next_update.0 - now.seconds()).clamp(0, OCSP_CACHE);
        let headers = response.headers_mut();
        insert(
            headers,
            header::CACHE_CONTROL,
            &format!("max-age={seconds}, public, no-transform, must-revalidate"),
        );
        insert(headers, header::ETAG, &prepared.etag);
        insert(
            headers,
            header::LAST_MODIFIED,
            &http_date(prepared.this_update.0),
        );
        insert(headers, header::EXPIRES, &http_date(prepared.next_update.0));
    }
    response
}

fn ocsp_reply(der: Bytes) -> Response<Reply> {
    typed(der, "application/ocsp-response")
}

/// `/crl/{issuer}.crl`, `/crl/{issuer}-delta.crl`, `/crl/{issuer}/{partition}.crl`.
async fn crl(services: &Arc<Services>, name: &str, headers: &hyper::HeaderMap) -> Response<Reply> {
    let Some(list) = ca::crl::ListName::parse_path(name) else {
        return not_found();
    };
    let list = match services.ca.crl(&list).await {
        Ok(Some(list)) => list,
        Ok(None) => return not_found(),
        Err(error) => return unavailable(&error),
    };
    let etag = format!("\"{}\"", hex::encode(&list.sha256[..16]));
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == etag.as_bytes())
    {
        let mut response = Response::new(Reply::from(Bytes::new()));
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        insert(response.headers_mut(), header::ETAG, &etag);
        return response;
    }
    // A revocation replaces the list at any moment, so caches may keep it only briefly.
    let mut response = typed(list.der.clone(), "application/pkix-crl");
    let headers = response.headers_mut();
    insert(
        headers,
        header::CACHE_CONTROL,
        "max-age=60, public, must-revalidate",
    );
    insert(headers, header::ETAG, &etag);
    insert(
        headers,
        header::LAST_MODIFIED,
        &http_date(list.this_update.0),
    );
    insert(headers, header::EXPIRES, &http_date(list.next_update.0));
    response
}

/// `/aia/{issuer}.cer`: one DER certificate (RFC 5280 §4.2.2.1).
fn issuer_certificate(services: &Arc<Services>, name: &str) -> Response<Reply> {
    let issuer = name
        .strip_suffix(".cer")
        .and_then(|id| services.ca.issuer(id).ok());
    match issuer {
        Some(issuer) => typed(
            Bytes::copy_from_slice(issuer.certificate().der()),
            "application/pkix-cert",
        ),
        None => not_found(),
    }
}

/// Ready when the database answers; a load balancer takes the node out otherwise.
async fn ready(services: &Arc<Services>) -> Response<Reply> {
    match services.store.log_size().await {
        Ok(_) => plain(StatusCode::OK, "ready\n"),
        Err(error) => unavailable(&error),
    }
}

pub(crate) fn typed(body: Bytes, content_type: &'static str) -> Response<Reply> {
    let mut response = Response::new(Reply::from(body));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

pub(crate) fn plain(status: StatusCode, text: &'static str) -> Response<Reply> {
    let mut response = typed(
        Bytes::from_static(text.as_bytes()),
        "text/plain; charset=utf-8",
    );
    *response.status_mut() = status;
    response
}

pub(crate) fn not_found() -> Response<Reply> {
    plain(StatusCode::NOT_FOUND, "not found\n")
}

pub(crate) fn unavailable(error: &dyn std::fmt::Display) -> Response<Reply> {
    tracing::error!(%error, "a public document cannot be served");
    plain(StatusCode::SERVICE_UNAVAILABLE, "temporarily unavailable\n")
}

pub(crate) fn insert(headers: &mut hyper::HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// RFC 9110 §5.6.7 IMF-fixdate.
pub(crate) fn http_date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map(|instant| instant.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
        .unwrap_or_default()
}
