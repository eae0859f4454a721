//! The console: files that were built by npm and lie in the binary, served on the HTTPS listener beside the API.
//!
//! A navigation of a browser to an address that is nobody else's gets the page, which draws the screen of that address. All
//! other unknown paths stay what they were: a problem document (RFC 9457).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use crate::public::{insert, typed};
use crate::reply::Reply;

/// One file of the console, compressed ahead where that saves something.
struct File {
    path: &'static str,
    /// Strong validator, quoted (RFC 9110 §8.8.3).
    tag: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

/// Sorted by path; empty if the console was not built.
const FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/console.rs"));

/// What the page's own nonce replaces.
const NONCE: &str = "WARD-NONCE";

/// Paths below which no screen lives: what is unknown there is answered by whoever serves them.
const NOT_SCREENS: &[&str] = &[
    "/api/",
    "/auth/",
    "/log/",
    "/acme/",
    "/static/",
    "/.well-known/",
];

/// Answers what is the console's, or gives the request back.
pub(crate) fn answer<B>(request: Request<B>) -> Result<Response<Reply>, Request<B>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(request);
    }
    let path = request.uri().path();
    if path == "/" || path == "/index.html" || is_navigation(path, request.headers()) {
        return Ok(page());
    }
    match FILES.binary_search_by(|file| file.path.cmp(path)) {
        Ok(found) => Ok(file(&FILES[found], request.headers())),
        Err(_) => Err(request),
    }
}

/// A person opened an address that can only be a screen's. Programs that accept anything (`*/*`) get no HTML.
fn is_navigation(path: &str, headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let wants_html = text(header::ACCEPT).is_some_and(|accept| accept.contains("text/html"));
    // Browsers say what a request is for; older ones say nothing.
    let navigates =
        text(HeaderName::from_static("sec-fetch-mode")).is_none_or(|mode| mode == "navigate");
    let is_screen = !NOT_SCREENS.iter().any(|taken| path.starts_with(taken)) && path != "/metrics";
    // Ids of people have dots.
    let is_file = !path.starts_with("/settings/")
        && path
            .rsplit('/')
            .next()
            .is_some_and(|last| last.contains('.'));
    wants_html && navigates && is_screen && !is_file
}

/// The page with a nonce of its own, and the rules that the browser then holds it to.
fn page() -> Response<Reply> {
    let Some(page) = FILES.iter().find(|file| file.path == "/index.html") else {
        return not_built();
    };
    let Some(nonce) = nonce() else {
        return crate::public::unavailable(&"no random numbers for a nonce");
    };
    let html = String::from_utf8_lossy(page.plain).replace(NONCE, &nonce);
    let mut response = typed(Bytes::from(html), "text/html; charset=utf-8");
    // Styles are written at run time by Mantine and React, in elements with the nonce. Scripts are files and nothing else.
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data: blob:; \
         font-src 'self'; connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'"
    );
    harden(response.headers_mut(), &policy);
    insert(response.headers_mut(), header::CACHE_CONTROL, "no-store");
    response
}

/// 128 random bits (CSP Level 3 §7.1).
fn nonce() -> Option<String> {
    let mut bytes = [0_u8; 16];
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.secure_random.fill(&mut bytes).ok()?;
    Some(STANDARD.encode(bytes))
}

fn harden(headers: &mut HeaderMap, policy: &str) {
    insert(headers, header::CONTENT_SECURITY_POLICY, policy);
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(self), publickey-credentials-get=(self), publickey-credentials-create=(self), geolocation=(), \
             microphone=(), payment=(), usb=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

fn not_built() -> Response<Reply> {
    let html = include_bytes!("console/not-built.html");
    let mut response = typed(Bytes::from_static(html), "text/html; charset=utf-8");
    harden(
        response.headers_mut(),
        "default-src 'none'; frame-ancestors 'none'",
    );
    insert(response.headers_mut(), header::CACHE_CONTROL, "no-store");
    response
}

fn file(file: &File, headers: &HeaderMap) -> Response<Reply> {
    let is_known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == file.tag.as_bytes());
    let (body, encoding) = encoded(file, headers);
    let body = if is_known { &[] } else { body };
    let mut response = typed(Bytes::from_static(body), media_type(file.path));
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    if let Some(encoding) = encoding.filter(|_| !is_known) {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    insert(headers, header::ETAG, file.tag);
    insert(headers, header::VARY, "accept-encoding");
    insert(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // Names of assets hold a hash of their content, so they never change.
    let caching = match file.path.starts_with("/static/") {
        true => "public, max-age=31536000, immutable",
        false => "public, max-age=3600",
    };
    insert(headers, header::CACHE_CONTROL, caching);
    response
}

/// The smallest form that the browser takes. A weight of zero is a no (RFC 9110 §12.4.2).
fn encoded(file: &File, headers: &HeaderMap) -> (&'static [u8], Option<&'static str>) {
    let accepted = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let takes = |name: &str| {
        accepted.split(',').any(|each| {
            let (coding, weight) = each.split_once(';').unwrap_or((each, ""));
            let weight = weight.trim().trim_start_matches("q=");
            coding.trim().eq_ignore_ascii_case(name) && !matches!(weight, "0" | "0.0" | "0.00")
        })
    };
    match (file.brotli, file.gzip) {
        (Some(brotli), _) if takes("br") => (brotli, Some("br")),
        (_, Some(gzip)) if takes("gzip") => (gzip, Some("gzip")),
        _ => (file.plain, None),
    }
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        Some("png") => "image/png",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn asked(method: Method, path: &str, accept: &str) -> Option<StatusCode> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT, accept)
            .body(())
            .unwrap();
        answer(request).ok().map(|response| response.status())
    }

    #[test]
    fn people_get_the_page_and_programs_what_they_got_before() {
        let html = "text/html,application/xhtml+xml,*/*;q=0.8";
        let page = Some(StatusCode::OK);
        assert_eq!(asked(Method::GET, "/", "*/*"), page);
        for screen in [
            "/inventory/4f0a91",
            "/assets/a1b2",
            "/settings/people/jo.doe",
        ] {
            assert_eq!(asked(Method::GET, screen, html), page, "{screen}");
        }
        assert_eq!(asked(Method::GET, "/inventory/4f0a91", "*/*"), None);
        assert_eq!(asked(Method::POST, "/inventory", html), None);
        for path in [
            "/api/v1/nothing",
            "/auth/oidc/x/start",
            "/log/tile/x",
            "/metrics",
            "/static/gone.js",
            "/favicon.ico",
        ] {
            assert_eq!(asked(Method::GET, path, html), None, "{path}");
        }
    }

    #[test]
    fn the_page_brings_a_policy_and_is_kept_by_nobody() {
        let request = Request::builder().uri("/").body(()).unwrap();
        let page = answer(request).ok().unwrap();
        let text = |name| page.headers().get(name).and_then(|v| v.to_str().ok());
        let policy = text(header::CONTENT_SECURITY_POLICY).unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(text(header::CACHE_CONTROL), Some("no-store"));
    }

    #[test]
    fn the_smallest_form_that_is_taken_is_sent() {
        const FILE: File = File {
            path: "/x.js",
            tag: "\"1\"",
            plain: b"plain",
            brotli: Some(b"br"),
            gzip: Some(b"gz"),
        };
        let chosen = |accepted: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
            encoded(&FILE, &headers).1
        };
        // RFC 9110 §12.5.3: names in any case, a weight of zero is a no.
        assert_eq!(chosen("gzip, deflate, BR"), Some("br"));
        assert_eq!(chosen("gzip, br;q=0"), Some("gzip"));
        assert_eq!(chosen("identity"), None);
    }
}
