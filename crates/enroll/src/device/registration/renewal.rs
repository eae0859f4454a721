//! What a renewal is held to: when, and with which key (R05).

use audit::Timestamp;
use x509::Time;

use super::claim::{Claim, Holder};
use super::stop::{Stop, refusal};
use crate::device::RenewalKey;

pub(super) fn check(claim: &Claim, holder: &Holder, now: Timestamp) -> Result<(), Stop> {
    let policy = &claim.endpoint.renewal;
    let (begin, end) = (
        holder.certificate.not_before().0,
        holder.certificate.not_after().0,
    );
    let life = end.saturating_sub(begin);
    let from = begin.saturating_add(life / 100 * i64::from(policy.from));
    if now.seconds() < from {
        return Err(refusal(
            "enrolment.renewal.early",
            format!("the certificate is good until {}", Time(end)),
        )
        .accepted(format!("a renewal from {} on", Time(from)))
        .into());
    }
    let same = claim
        .key()
        .map(|key| key.spki_der() == holder.certificate.spki_der());
    match (policy.key, same) {
        (RenewalKey::New, Some(true)) => Err(refusal(
            "enrolment.renewal.key",
            "the request has the key of the certificate that it renews",
        )
        .accepted("a new key")
        .into()),
        (RenewalKey::Same, Some(false) | None) => Err(refusal(
            "enrolment.renewal.key",
            "the request has another key than the certificate that it renews",
        )
        .accepted("the same key")
        .into()),
        _ => Ok(()),
    }
}
