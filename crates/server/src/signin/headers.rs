//! What browsers are told about every answer over HTTPS (OWASP Secure Headers): pages load nothing from outside, run no
//! script that is written into them, and are shown in nobody's frame.

use hyper::HeaderMap;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};

/// For pages that bring no policy of their own, which are text and links. The console's is in `console`.
const PAGE: &str =
    "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// For everything else: data is not a page, whatever a browser makes of it.
const DATA: &str = "default-src 'none'; frame-ancestors 'none'";
/// Two years (RFC 6797 §6.1); not for neighbours in the domain, which are not Ward's to speak for.
const TRANSPORT: &str = "max-age=63072000";
/// The camera is for reading the barcode on a device.
const PERMISSIONS: &str = "camera=(self), microphone=(), geolocation=(), payment=(), usb=(), \
    publickey-credentials-get=(self), publickey-credentials-create=(self)";

/// Adds them to an answer over HTTPS. A policy that a page brings itself stays.
pub(crate) fn secure(headers: &mut HeaderMap, is_local: bool) {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let is_page = kind.is_some_and(|kind| kind.starts_with("text/html"));
    let policy = if is_page { PAGE } else { DATA };
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(policy));
    put(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(headers, REFERRER_POLICY, "no-referrer");
    // A machine's own `localhost` has other servers than Ward, on other ports.
    if !is_local {
        put(headers, STRICT_TRANSPORT_SECURITY, TRANSPORT);
    }
    if is_page {
        put(
            headers,
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        );
        put(
            headers,
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        );
        put(
            headers,
            HeaderName::from_static("permissions-policy"),
            PERMISSIONS,
        );
    }
}

/// For answers that are one person's.
pub(crate) fn no_store(headers: &mut HeaderMap) {
    put(headers, CACHE_CONTROL, "no-store");
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
