//! Errors as RFC 7030 §4.2.3 has them: a status, and a text for whoever looks into the device's log.

use access::Refusal;

use super::credentials;
use crate::device::{DeviceError, Endpoint, Reply};

/// When a device may try again after a failure of ours, in seconds.
const LATER: u32 = 60;

pub(super) fn text(status: u16, reason: &str) -> Reply {
    Reply::typed(
        status,
        "text/plain; charset=utf-8",
        [reason.as_bytes(), b"\n"].concat(),
    )
}

/// Whoever is not known learns that, and no more; whoever is learns the rule.
pub(super) fn refused(refusal: &Refusal, endpoint: &Endpoint) -> Reply {
    match refusal.rule.as_ref() {
        rule if is_about_credentials(rule) => credentials::challenge(&endpoint.name),
        rule if rule.starts_with("enrolment.limit") => {
            text(429, &refusal.to_string()).retry_after(LATER)
        }
        rule if is_about_the_request(rule) => text(400, &refusal.to_string()),
        _ => text(403, &refusal.to_string()),
    }
}

fn is_about_credentials(rule: &str) -> bool {
    rule.starts_with("enrolment.credential")
}

/// Rules on the bytes and the key, which another request from the same device could meet.
fn is_about_the_request(rule: &str) -> bool {
    let prefixes = ["csr", "est.", "key.", "names.", "subject."];
    prefixes.iter().any(|prefix| rule.starts_with(prefix))
}

/// A failure of ours: the log knows which.
pub(super) fn failed(error: &DeviceError, endpoint: &Endpoint) -> Reply {
    if let DeviceError::Refused(refusal) = error {
        return refused(refusal, endpoint);
    }
    tracing::error!(%error, endpoint = endpoint.name, "EST request failed");
    text(503, "this cannot be done now").retry_after(LATER)
}
