//! What must hold for every message before anybody looks at who sent it (RFC 9483 §3.5, RFC 9811 §3).

use http::Method;
use http::header::{ALLOW, HeaderValue};
use x509::Time;
use x509::cmp::{Body, CMP2000, CMP2021, FailInfo, Header, MAX_SIZE};

use super::fault::Fault;
use crate::device::{CmpPolicy, Reply, Request};

pub(super) const MEDIA_TYPE: &str = "application/pkixcmp";

/// A clock that shows an earlier year was never set. No message of today was made before.
const NEVER_SET: Time = Time(1_577_836_800);

/// Fewest octets of a transaction identifier or nonce. RFC 9483 §3.1 asks for 16; older clients send 8.
const FEWEST: usize = 8;

/// What a URL may say a message is for (RFC 9483 §6.1).
const OPERATIONS: [(&str, &[&str]); 10] = [
    ("initialization", &["ir"]),
    ("certification", &["cr"]),
    ("keyupdate", &["kur"]),
    ("pkcs10", &["p10cr"]),
    ("revocation", &["rr"]),
    ("getcacerts", &["genm"]),
    ("getrootupdate", &["genm"]),
    ("getcertreqtemplate", &["genm"]),
    ("getcrls", &["genm"]),
    ("p10cr", &["p10cr"]),
];

/// The operation that the path names; `None` if there is no such one.
pub(super) fn operation(rest: &str) -> Option<Option<&'static [&'static str]>> {
    if rest.is_empty() {
        return Some(None);
    }
    let found = OPERATIONS.iter().find(|(label, _)| *label == rest);
    found.map(|(_, bodies)| Some(*bodies))
}

/// Refuses what is no CMP over HTTP: RFC 9811 §3.2 has POST and one media type.
pub(super) fn over_http(request: &Request<'_>) -> Result<(), Reply> {
    if request.method != Method::POST {
        return Err(Reply::empty(405).header(ALLOW, HeaderValue::from_static("POST")));
    }
    let media_type = request.content_type.unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case(MEDIA_TYPE) {
        return Err(Reply::empty(415));
    }
    match request.body.len() > MAX_SIZE {
        true => Err(Reply::empty(413)),
        false => Ok(()),
    }
}

/// A message that fits the URL it came to. What continues a transaction comes to the URL that began it.
pub(super) fn fits(body: &Body, operation: Option<&[&str]>) -> Result<(), Fault> {
    let continues = matches!(
        body,
        Body::CertConf(_) | Body::PollReq(_) | Body::Error(_) | Body::Nested
    );
    match operation {
        Some(bodies) if !continues && !bodies.contains(&body.name()) => Err(Fault::bad_request(
            "this URL is for another kind of message (RFC 9483 §6.1)",
        )),
        _ => Ok(()),
    }
}

/// Version, identifiers and time (RFC 9483 §3.5).
pub(super) fn check(
    header: &Header,
    body: &Body,
    policy: &CmpPolicy,
    now: Time,
) -> Result<(), Fault> {
    if !matches!(header.version, CMP2000 | CMP2021) {
        return Err(Fault::new(
            FailInfo::UNSUPPORTED_VERSION,
            "versions 2 and 3 of CMP are spoken here",
        ));
    }
    let long_enough = |octets: &Option<Vec<u8>>| octets.as_ref().map_or(0, Vec::len) >= FEWEST;
    if !long_enough(&header.transaction_id) {
        return Err(Fault::new(
            FailInfo::BAD_DATA_FORMAT,
            "a transactionID of 16 random octets is needed",
        ));
    }
    if !long_enough(&header.sender_nonce) {
        return Err(Fault::new(
            FailInfo::BAD_SENDER_NONCE,
            "a senderNonce of 16 random octets is needed",
        ));
    }
    let continues = matches!(body, Body::CertConf(_) | Body::PollReq(_) | Body::Error(_));
    match (&header.recip_nonce, continues) {
        (None, true) => Err(Fault::new(
            FailInfo::BAD_RECIPIENT_NONCE,
            "recipNonce must repeat our senderNonce",
        )),
        (Some(_), false) => Err(Fault::new(
            FailInfo::BAD_RECIPIENT_NONCE,
            "the first message of a transaction answers none: recipNonce must be absent",
        )),
        _ => Ok(()),
    }?;
    check_time(header.message_time, policy, now)
}

fn check_time(sent: Option<Time>, policy: &CmpPolicy, now: Time) -> Result<(), Fault> {
    let (Some(sent), Some(tolerance)) = (sent, policy.clock_tolerance) else {
        return Ok(());
    };
    let off = sent.0.abs_diff(now.0);
    match sent >= NEVER_SET && off > u64::from(tolerance) {
        true => Err(Fault::new(
            FailInfo::BAD_TIME,
            "messageTime is too far from the time here; leave it out if there is no clock",
        )),
        false => Ok(()),
    }
}

/// Whether a message could be sent again by somebody who listened, after the registration has stopped to recognise it (a
/// day): its time says nothing, or says that it is from the future. Such a one is remembered longer.
pub(super) fn is_replayable(header: &Header, policy: &CmpPolicy, now: Time) -> bool {
    const DAY: i64 = 86_400;

    match (header.message_time, policy.clock_tolerance) {
        (Some(sent), Some(tolerance)) if sent >= NEVER_SET => {
            sent.plus_seconds(i64::from(tolerance)) > now.plus_seconds(DAY)
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device without a clock says 1970 or nothing; one with a wrong clock is told so.
    #[test]
    fn the_clock_of_a_device() {
        let policy = CmpPolicy::default();
        let now = Time(1_800_000_000);
        let table = [
            (None, true),
            (Some(Time(0)), true),
            (Some(Time(315_532_800)), true),
            (Some(now), true),
            (Some(now.plus_seconds(-40_000)), true),
            (Some(now.plus_days(-1)), false),
            (Some(now.plus_days(2)), false),
            (Some(now.plus_days(-30)), false),
        ];
        for (sent, good) in table {
            assert_eq!(check_time(sent, &policy, now).is_ok(), good, "{sent:?}");
        }
    }

    #[test]
    fn what_can_be_replayed_is_known() {
        let policy = CmpPolicy::default();
        let now = Time(1_800_000_000);
        let at = |message_time| Header {
            message_time,
            ..Header::new(Header::nobody(), Header::nobody())
        };
        let table = [
            (None, true),
            (Some(Time(0)), true),
            (Some(now), false),
            (Some(now.plus_seconds(60)), false),
            (Some(now.plus_seconds(43_200)), false),
            (Some(now.plus_seconds(43_201)), true),
        ];
        for (sent, replayable) in table {
            assert_eq!(
                is_replayable(&at(sent), &policy, now),
                replayable,
                "{sent:?}"
            );
        }
    }
}
