//! Requests that a page of another origin makes a browser send (CSRF). Three things hold them off, each enough by itself:
//! the session's cookie is `SameSite=Strict`, what changes something must come from a page of this origin, and it must
//! carry a value that only such a page can have read.

use access::csrf_of;
use hyper::header::{HOST, ORIGIN};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode};
use subtle::ConstantTimeEq;

use crate::problem::Problem;

const CSRF: &str = "x-ward-csrf";
/// Fetch Metadata Request Headers §2.3; no page can set it.
const FETCH_SITE: &str = "sec-fetch-site";

/// Whether a method changes nothing (RFC 9110 §9.2.1).
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Refuses a state-changing request of a session that lacks the session's own value, or comes from elsewhere.
pub(crate) fn check_csrf(parts: &Parts, secret: &str, origin: &str) -> Result<(), Problem> {
    if is_safe(&parts.method) {
        return Ok(());
    }
    check_origin(parts, origin)?;
    let offered = text(&parts.headers, CSRF).unwrap_or_default();
    let expected = csrf_of(secret);
    match bool::from(offered.as_bytes().ct_eq(expected.as_bytes())) {
        true => Ok(()),
        false => Err(refused(
            "csrf.token",
            "the header X-Ward-CSRF is missing or not this session's",
            "the `csrf` of GET /api/v1/session",
        )),
    }
}

/// Refuses what a page of another origin sent, and what says nothing of where it comes from.
pub(crate) fn check_origin(parts: &Parts, origin: &str) -> Result<(), Problem> {
    let accepted =
        "a request by a page of this Ward: `Origin` and `Sec-Fetch-Site: same-origin` say so";
    let site = text(&parts.headers, FETCH_SITE);
    if site.is_some_and(|site| site != "same-origin") {
        return Err(refused(
            "csrf.site",
            "the request comes from another site",
            accepted,
        ));
    }
    match text(&parts.headers, ORIGIN) {
        // A page that tells nobody where it is may be of this origin all the same; the browser has said so above.
        Some("null") if site.is_some() => Ok(()),
        Some(from) if from == origin || Some(from) == own_origin(parts).as_deref() => Ok(()),
        Some(_) => Err(refused(
            "csrf.origin",
            "the request comes from another origin",
            accepted,
        )),
        None if site.is_some() => Ok(()),
        None => Err(refused(
            "csrf.origin",
            "the request does not say which page it comes from",
            accepted,
        )),
    }
}

/// As the browser addresses this listener, which may be by another name than the configured one.
fn own_origin(parts: &Parts) -> Option<String> {
    let authority = parts.uri.authority().map(|authority| authority.as_str());
    let host = authority.or_else(|| text(&parts.headers, HOST))?;
    Some(format!("https://{host}"))
}

pub(crate) fn text(headers: &HeaderMap, name: impl hyper::header::AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn refused(rule: &'static str, message: &'static str, accepted: &'static str) -> Problem {
    let refusal =
        access::Refusal::new(rule, "R37: cross-origin requests", message).accepted(accepted);
    let mut problem = Problem::refused(StatusCode::FORBIDDEN, &refusal);
    // Nobody has written it down yet; whoever accompanies the request does.
    problem.recorded = false;
    problem
}
