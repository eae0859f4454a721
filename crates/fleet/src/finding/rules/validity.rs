//! When it begins and ends, and for how long it lasts (R05, R18, R22).

use x509::{Time, oids};

use super::{Look, Rule, Severity::*, of_certificate, words};
use crate::RenewalMethod;
use crate::finding::anchors::Origin;

const DAY: i64 = 86_400;

pub(super) static RULES: &[Rule] = &[
    of_certificate(
        High,
        ("expired.in-use", "ended, and still shown"),
        "RFC 5280 §4.1.2.5; R17",
        "renew it now; a peer that checks refuses it already, and one that does not check is a finding of its own",
        expired_in_use,
    ),
    of_certificate(
        Low,
        ("expired.kept", "ended, and still in a file"),
        "RFC 5280 §4.1.2.5",
        "remove the file or the entry, or renew it if something still loads it",
        expired_kept,
    ),
    of_certificate(
        High,
        ("expiring.30", "ends within 30 days"),
        "R18, R22",
        "renew it now",
        |look| expiring(look, 0, 30),
    ),
    of_certificate(
        Medium,
        ("expiring.60", "ends within 60 days"),
        "R22",
        "plan its renewal into the next maintenance window",
        |look| expiring(look, 30, 60),
    ),
    of_certificate(
        Low,
        ("expiring.90", "ends within 90 days"),
        "R22",
        "make sure that somebody or something will renew it",
        |look| expiring(look, 60, 90),
    ),
    of_certificate(
        Medium,
        ("validity.future", "shown before it begins"),
        "RFC 5280 §4.1.2.5",
        "check the clocks of issuer and device",
        not_yet,
    ),
    of_certificate(
        Low,
        ("validity.long", "valid for longer than policy allows"),
        "R05; NIST SP 800-52r2 §3.2.1",
        "renew it from a profile with a shorter life; record an exception where the device leaves no choice",
        too_long,
    ),
    of_certificate(
        Medium,
        (
            "validity.public",
            "publicly trusted, and valid for longer than browsers take",
        ),
        "CA/B Forum BR §6.3.2 (ballot SC-081v3)",
        "renew it by ACME; public certificates live for 200 days, for 100 from 15 March 2027, for 47 from 15 March 2029",
        too_long_in_public,
    ),
    of_certificate(
        Medium,
        (
            "validity.outlives-asset",
            "valid beyond the service life of its asset",
        ),
        "R05",
        "revoke it when the asset goes, and correct whichever of the two dates is wrong",
        outlives,
    ),
];

fn expired_in_use(look: &Look<'_>) -> Option<String> {
    let ended = ended(look)?;
    let places = look.is_shown().then(|| words::places(look.shown_at()))?;
    Some(format!("ended {ended} ago, shown at {places}"))
}

fn expired_kept(look: &Look<'_>) -> Option<String> {
    let ended = ended(look)?;
    let kept = !look.is_shown() && !look.facts.places.is_empty();
    kept.then(|| {
        let places = words::places(look.facts.places.iter());
        format!("ended {ended} ago, lies in {places}")
    })
}

fn ended(look: &Look<'_>) -> Option<String> {
    let since = look.now.0 - look.certificate().not_after().0;
    (since > 0).then(|| words::days(since))
}

/// Of what nobody shows or keeps, only our own is waited for: what an import names may be long gone.
fn expiring(look: &Look<'_>, after: i64, within: i64) -> Option<String> {
    let facts = look.facts;
    let in_use = match look.is_leaf() {
        true => !facts.places.is_empty() || facts.recorded,
        false => facts.recorded,
    };
    if !in_use || facts.revoked.is_some() {
        return None;
    }
    let left = look.certificate().not_after().0 - look.now.0;
    let due = left >= 0 && window(look, after) < left && left <= window(look, within);
    // The last instant itself belongs to the first window.
    (due || (left == 0 && after == 0)).then(|| format!("{} left", words::days(left)))
}

/// Days before the end, in seconds. What Ward issued for less than 270 days is renewed in the last third of its life:
/// there the windows shrink with it, or a certificate of a day would be overdue at birth.
fn window(look: &Look<'_>, days: i64) -> i64 {
    let life = life(look);
    let short = look.facts.recorded && life < 270 * DAY;
    match short {
        true => life * days / 270,
        false => days * DAY,
    }
}

fn life(look: &Look<'_>) -> i64 {
    let certificate = look.certificate();
    let (from, to) = (certificate.not_before().0, certificate.not_after().0);
    to.saturating_sub(from)
}

fn not_yet(look: &Look<'_>) -> Option<String> {
    let ahead = look.certificate().not_before().0 - look.now.0;
    (ahead > 0 && look.is_shown()).then(|| format!("begins in {}", words::days(ahead)))
}

/// IEEE 802.1AR's initial device identifiers have no end by design; they are for onboarding and are shown to nobody else.
fn too_long(look: &Look<'_>) -> Option<String> {
    let endless = look.certificate().not_after() == Time::NO_EXPIRY && !look.is_shown();
    if look.is_ca || endless {
        return None;
    }
    let asset = look.facts.assigned.asset.as_ref();
    let (limit, why) = match asset.map(|asset| asset.renewal) {
        Some(RenewalMethod::Automatic) => {
            (look.policy.longest_automatic_days, "that renews by itself")
        }
        Some(RenewalMethod::Manual | RenewalMethod::Spare) => {
            (look.policy.longest_manual_days, "that is renewed by hand")
        }
        None => (look.policy.longest_days, "of which no asset is known"),
    };
    let days = life(look) / DAY;
    (days > limit).then(|| format!("{days} days; {limit} for something {why}"))
}

/// What a public CA may issue depends on the day it issues (BR §6.3.2).
fn too_long_in_public(look: &Look<'_>) -> Option<String> {
    let server = look
        .certificate()
        .ext::<x509::ext::ExtKeyUsage>()
        .ok()
        .flatten()
        .is_some_and(|usage| usage.contains(&oids::EKU_SERVER_AUTH));
    let ours = look.facts.authority.is_some() || look.facts.self_signed;
    if look.is_ca || !server || ours {
        return None;
    }
    let limit = match look.certificate().not_before().0 {
        // 15 March 2029, 2027, 2026, and 1 September 2020.
        1_868_227_200.. => 47,
        1_805_068_800.. => 100,
        1_773_532_800.. => 200,
        1_598_918_400.. => 398,
        _ => 825,
    };
    let days = life(look) / DAY;
    // Anchors are looked up last: it may cost a signature.
    let over = days > limit && look.policy.anchors.of(look.facts) == Some(Origin::Public);
    over.then(|| format!("{days} days; {limit} when it was issued"))
}

fn outlives(look: &Look<'_>) -> Option<String> {
    let end = look.facts.assigned.asset.as_ref()?.service_life_ends?;
    let over = look.certificate().not_after().0 - end;
    (over > 0).then(|| format!("ends {} after its asset does", words::days(over)))
}
