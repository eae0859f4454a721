//! What needs somebody today, for whoever asks: only what they may see, and what they may act on before the rest.

use access::{Action, Request};
use audit::Timestamp;
use fleet::finding::Severity;
use fleet::posture::{Figures, Link};
use serde::Serialize;

use crate::api::caller::Caller;

/// Something that needs somebody.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Need {
    /// Stable: `requests`, `incidents`, …
    id: &'static str,
    #[schema(value_type = String)]
    severity: Severity,
    count: u64,
    /// One sentence.
    text: String,
    link: Link,
    /// The caller may do something about it.
    mine: bool,
}

/// What there is, the worst first; of equal weight, what the caller may act on first.
pub(super) fn needs(caller: &Caller, figures: &Figures, since: Timestamp) -> Vec<Need> {
    let may = |action: Action| caller.may_read(action).is_ok();
    let mut needs = requests(caller, figures);
    needs.extend(house(figures, &may));
    needs.extend(certificates(figures, &may));
    needs.extend(findings(figures, since, may(Action::ManageFindings)));
    needs.retain(|need| need.count > 0);
    needs.sort_by_key(|need| std::cmp::Reverse((need.severity, need.mine, need.count)));
    needs
}

fn requests(caller: &Caller, figures: &Figures) -> Vec<Need> {
    let waiting = &figures.house.waiting;
    let own = |request: &&Request| caller.principal.is_same_holder(request.requester.actor());
    let for_me: Vec<&Request> = match caller.may_list(Action::ApproveRequests) {
        Ok(permit) => waiting
            .iter()
            .filter(|one| one.awaits(&permit, caller.now))
            .collect(),
        Err(_) => Vec::new(),
    };
    let mine = waiting.iter().filter(own).count() as u64;
    let oldest = for_me.first().map_or(0, |one| {
        caller
            .now
            .0
            .saturating_sub(one.created)
            .div_euclid(86_400_000)
    });
    let severity = if oldest >= 3 {
        Severity::High
    } else {
        Severity::Medium
    };
    let count = for_me.len() as u64;
    let age = match oldest {
        0 => "the oldest since today".to_owned(),
        1 => "the oldest for a day".to_owned(),
        days => format!("the oldest for {days} days"),
    };
    vec![
        Need {
            id: "requests",
            severity,
            count,
            text: format!(
                "{} for your word, {age}.",
                some(count, "request waits", "requests wait")
            ),
            link: Link::to("/requests").with("show", "for-me"),
            mine: true,
        },
        Need {
            id: "own-requests",
            severity: Severity::Note,
            count: mine,
            text: format!(
                "{} for somebody else's word.",
                some(mine, "request of yours waits", "requests of yours wait")
            ),
            link: Link::to("/requests").with("show", "mine"),
            mine: false,
        },
    ]
}

fn house(figures: &Figures, may: &dyn Fn(Action) -> bool) -> Vec<Need> {
    let (house, counts) = (&figures.house, &figures.counts);
    let missing = counts.by_hand.saturating_sub(counts.with_spare);
    let lists = house.overdue.len() as u64;
    let away = house.away.len() as u64;
    let unsigned = house.unsigned.len() as u64;
    let gaps = house.gaps.len() as u64;
    vec![
        Need {
            id: "lists",
            severity: Severity::Critical,
            count: lists,
            text: format!(
                "{} past its next update: relying parties refuse, or do not look.",
                some(lists, "revocation list is", "revocation lists are")
            ),
            link: Link::to("/authorities"),
            mine: may(Action::PublishStatus),
        },
        Need {
            id: "responders",
            severity: Severity::High,
            count: house.responders.len() as u64,
            text: format!(
                "The OCSP responder of {} has no certificate for long any more.",
                named(&house.responders)
            ),
            link: Link::to("/authorities"),
            mine: may(Action::ManageAuthorities),
        },
        Need {
            id: "silenced",
            severity: Severity::High,
            count: house.silenced,
            text: format!(
                "{} answering while a scan looked at it, within a week.",
                some(house.silenced, "device stopped", "devices stopped")
            ),
            link: Link::to("/discovery").with("tab", "scans"),
            mine: may(Action::RunDiscovery),
        },
        Need {
            id: "agents",
            severity: Severity::Medium,
            count: away,
            text: format!("Nothing has come for an hour from {}.", named(&house.away)),
            link: Link::to("/discovery").with("tab", "agents"),
            mine: may(Action::RunDiscovery),
        },
        Need {
            id: "limits",
            severity: Severity::Medium,
            count: unsigned,
            text: format!(
                "The limits of {} wait for a signature: nothing is looked at there.",
                named(&house.unsigned)
            ),
            link: Link::to("/discovery").with("tab", "segments"),
            mine: may(Action::SignSegments),
        },
        Need {
            id: "spares",
            severity: Severity::High,
            count: missing,
            text: format!(
                "{} renewed by hand without a spare.",
                some(missing, "critical device is", "critical devices are")
            ),
            link: Link::by_hand(),
            mine: may(Action::ManageAssets),
        },
        Need {
            id: "flows",
            severity: Severity::High,
            count: gaps,
            text: format!(
                "{} of health information without a certificate in force.",
                some(gaps, "flow is", "flows are")
            ),
            link: Link::to("/topology").with("flows", "gaps"),
            mine: may(Action::ManageInventory),
        },
    ]
}

fn certificates(figures: &Figures, may: &dyn Fn(Action) -> bool) -> Vec<Need> {
    let tally = &figures.counts.certificates;
    let mine = may(Action::IssueCertificate);
    let over = tally.over_served;
    let ends = tally.near_critical_by_hand;
    vec![
        Need {
            id: "critical",
            severity: Severity::Critical,
            count: tally.risk_critical,
            text: format!(
                "{} health information and {} less than 30 days: renew now.",
                some(
                    tally.risk_critical,
                    "certificate protects",
                    "certificates protect"
                ),
                if tally.risk_critical == 1 {
                    "has"
                } else {
                    "have"
                }
            ),
            link: Link::inventory("risk = critical"),
            mine,
        },
        Need {
            id: "expired",
            severity: Severity::High,
            count: over,
            text: format!(
                "{} over or revoked and still in use.",
                some(over, "certificate is", "certificates are")
            ),
            link: Link::inventory("(expired or revoked) and places > 0"),
            mine,
        },
        Need {
            id: "critical-by-hand",
            severity: Severity::High,
            count: ends,
            text: format!(
                "{} of critical things within 30 days, and a person has to renew.",
                some(ends, "certificate ends", "certificates end")
            ),
            link: Link::inventory(
                "criticality >= high and not expired and expires < 30d and not automated",
            ),
            mine,
        },
        Need {
            id: "high",
            severity: Severity::Medium,
            count: tally.risk_high,
            text: format!(
                "{} patient-facing, of the health record or of health information: automate renewal.",
                some(tally.risk_high, "certificate is", "certificates are")
            ),
            link: Link::inventory("risk = high"),
            mine: false,
        },
        Need {
            id: "unowned",
            severity: Severity::Low,
            count: tally.all.saturating_sub(tally.owned),
            text: format!(
                "Nobody answers for {}.",
                some(
                    tally.all.saturating_sub(tally.owned),
                    "certificate",
                    "certificates"
                )
            ),
            link: Link::inventory("unowned"),
            mine: may(Action::ManageInventory),
        },
    ]
}

fn findings(figures: &Figures, since: Timestamp, mine: bool) -> Vec<Need> {
    let incidents = figures.counts.found(&[fleet::finding::MISISSUANCE]);
    let (new, worst) = figures.house.opened_since(since);
    vec![
        Need {
            id: "incidents",
            severity: Severity::Critical,
            count: incidents,
            text: format!(
                "{} open: a certificate under one of our keys that we did not issue.",
                some(incidents, "incident is", "incidents are")
            ),
            link: Link::to("/findings").with("rule", fleet::finding::MISISSUANCE),
            mine,
        },
        Need {
            id: "new-findings",
            severity: worst.unwrap_or(Severity::Note).min(Severity::Medium),
            count: new,
            text: format!(
                "{} new since your last visit, the worst {}.",
                some(new, "finding is", "findings are"),
                worst.unwrap_or(Severity::Note)
            ),
            link: Link::to("/findings").with("since", since.to_string()),
            mine,
        },
    ]
}

/// `3 requests wait`.
fn some(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The first three, and how many more.
fn named(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
    match names.len().saturating_sub(3) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
