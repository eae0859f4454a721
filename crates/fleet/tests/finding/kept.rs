//! Findings as rows: opened, closed, waived; the incident. On both databases.

use access::{Action, Role, Scope};
use audit::Timestamp;
use fleet::finding::{
    Finding, FindingFilter, INCIDENT, Judged, MISISSUANCE, NewWaiver, Severity, Show,
};
use fleet::inventory::Facts;
use fleet::{FleetError, Previous};
use store::{Write, params};

use crate::support::{DAY, House, on_both, rule};
use crate::world::{facts, young};

on_both!(
    r19_findings_open_close_and_keep_their_age,
    r03_a_waiver_has_an_owner_a_reason_and_an_end,
    r03_a_waiver_that_says_too_little_is_refused_and_recorded,
    r20_misissuance_is_an_event_an_alert_and_nobody_closes_it_unseen,
    r20_what_the_ca_knows_is_no_incident,
);

/// A certificate in which nothing is wrong but what is said.
fn spoiled(id: i64, spoil: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = facts("sound");
    facts.id = id;
    facts.assigned.segment = Some("imaging".to_owned());
    spoil(&mut facts);
    facts
}

fn ownerless(facts: &mut Facts) {
    facts.assigned.owner = None;
}

impl House {
    /// Settles as the inventory does; the house's own root is not that of these certificates.
    async fn settle(&self, batch: &[Facts], now: Timestamp) -> Vec<Judged> {
        let mut judge = self.fleet.judge().await.unwrap();
        judge.policy = crate::world::policy();
        let found = self.fleet.find_in(&judge, batch, Write::derived(), now);
        let (write, judged) = found.await.unwrap();
        self.ca.store().commit(write).await.unwrap();
        judged
    }

    async fn found(&self, show: Show, now: Timestamp) -> Vec<Finding> {
        let filter = FindingFilter {
            show,
            ..FindingFilter::default()
        };
        self.fleet.findings(&filter, now).await.unwrap().findings
    }

    async fn waived(&self, new: NewWaiver, now: Timestamp) -> Result<String, FleetError> {
        let permit = self.permit(Action::ManageFindings);
        let stored = self.fleet.waive(permit, new, now).await?;
        Ok(stored.waiver.id)
    }
}

fn later(now: Timestamp, days: i64) -> Timestamp {
    Timestamp(now.0 + days * DAY)
}

async fn r19_findings_open_close_and_keep_their_age(postgres: bool) {
    let house = House::new(postgres).await;
    let (wrong, right) = (spoiled(1, ownerless), spoiled(1, |_| {}));
    let now = young(&wrong);
    let judged = house.settle(std::slice::from_ref(&wrong), now).await;
    let medium = Severity::Medium as i64;
    assert_eq!(
        judged,
        [Judged {
            open: 1,
            worst: medium
        }]
    );
    let first = house.found(Show::Open, now).await;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].rule, "owner.none");
    let log = house.ca.store().log_size().await.unwrap();

    house
        .settle(std::slice::from_ref(&wrong), later(now, 3))
        .await;
    let again = house.found(Show::Open, later(now, 3)).await;
    assert_eq!((again[0].opened, again[0].seen), (now.0, later(now, 3).0));
    assert_eq!(again[0].id, first[0].id);

    let judged = house.settle(&[right], later(now, 4)).await;
    assert_eq!(judged, [Judged::default()]);
    assert_eq!(house.found(Show::Open, later(now, 4)).await, []);
    let closed = house.found(Show::Closed, later(now, 4)).await;
    assert_eq!(closed[0].closed, Some(later(now, 4).0));
    // A day later it is a new one with the same name.
    house.settle(&[wrong], later(now, 9)).await;
    let reopened = house.found(Show::Open, later(now, 9)).await;
    assert_eq!(reopened[0].id, first[0].id);
    assert_eq!(reopened[0].opened, later(now, 9).0);
    assert_eq!(
        house.ca.store().log_size().await.unwrap(),
        log,
        "all of it follows"
    );

    let open = house.fleet.open_findings(later(now, 9)).await.unwrap();
    assert_eq!(
        (open.len(), open[0].count, open[0].owner.as_str()),
        (1, 1, "")
    );

    // What is wrong with a place goes on when its certificate changes, in whichever order the two are looked at.
    let old_tls = |id: i64| {
        spoiled(id, |it| {
            it.places[0].tls.as_mut().unwrap().compression = Some(1)
        })
    };
    let gone = spoiled(2, |it| it.places.clear());
    house.settle(&[old_tls(2)], later(now, 10)).await;
    house.settle(&[gone], later(now, 11)).await;
    house
        .settle(&[old_tls(3)], Timestamp(later(now, 11).0 + 1000))
        .await;
    let found = house.found(Show::Open, later(now, 11)).await;
    let compression: Vec<_> = found
        .iter()
        .filter(|one| one.rule == "tls.compression")
        .collect();
    assert_eq!(compression.len(), 1);
    assert_eq!(compression[0].opened, later(now, 10).0);

    // Pages follow each other without losing one.
    let many: Vec<Facts> = (10..40)
        .map(|id| {
            spoiled(id, |it| {
                it.sha256[0] = id as u8;
                it.places.clear();
                it.assigned.owner = None;
                it.key_elsewhere = vec!["a1".to_owned(), "a2".to_owned()];
            })
        })
        .collect();
    house.settle(&many, later(now, 12)).await;
    let all = house.found(Show::Open, later(now, 12)).await;
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let filter = FindingFilter {
            after: after.clone(),
            limit: Some(7),
            ..FindingFilter::default()
        };
        let page = house.fleet.findings(&filter, later(now, 12)).await.unwrap();
        paged.extend(page.findings);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, all);
    assert!(all.is_sorted_by(|a, b| a.severity >= b.severity));
    let filter = FindingFilter {
        opened_since: Some(later(now, 12)),
        ..FindingFilter::default()
    };
    let new = house.fleet.findings(&filter, later(now, 12)).await.unwrap();
    let opened = |one: &&Finding| one.opened >= later(now, 12).0;
    assert_eq!(new.findings.len(), all.iter().filter(opened).count());
    assert!(!new.findings.is_empty() && new.findings.len() < all.len());
    assert_eq!(
        all.iter().filter(|one| one.rule == "key.shared").count(),
        30
    );
}

fn wish(finding: &str, now: Timestamp) -> NewWaiver {
    NewWaiver {
        finding: Some(finding.to_owned()),
        owner: "radiology".to_owned(),
        reason: "the scanner is replaced in spring".to_owned(),
        until: later(now, 100).0,
        ..NewWaiver::default()
    }
}

async fn r03_a_waiver_has_an_owner_a_reason_and_an_end(postgres: bool) {
    let house = House::new(postgres).await;
    let wrong = spoiled(1, ownerless);
    let batch = std::slice::from_ref(&wrong);
    let now = young(&wrong);
    house.settle(batch, now).await;
    let id = house.found(Show::Open, now).await.remove(0).id;

    let waiver = house.waived(wish(&id, now), now).await.unwrap();
    assert_eq!(house.found(Show::Open, now).await, []);
    let judged = house.settle(batch, later(now, 1)).await;
    assert_eq!(judged, [Judged::default()]);
    let waived = house.found(Show::Waived, later(now, 1)).await;
    assert_eq!(waived[0].waived_until, Some(later(now, 100).0));
    let event = house.events("waiver.create").await.remove(0);
    assert_eq!(event.object.id, waiver);
    assert_eq!(
        event.why.as_deref(),
        Some("the scanner is replaced in spring")
    );

    // It ends by itself: in lists at once, and in the records by the next round.
    let over = later(now, 101);
    assert_eq!(house.found(Show::Open, over).await.len(), 1);
    assert_eq!(house.fleet.end_waivers(over).await.unwrap(), 1);
    assert_eq!(house.fleet.end_waivers(over).await.unwrap(), 0);
    assert_eq!(house.fleet.waivers().await.unwrap(), []);
    assert_eq!(house.events("waiver.end").await.len(), 1);

    // All of a rule in a segment: what is there, and what comes.
    let segment = NewWaiver {
        finding: None,
        rule: Some("owner.none".to_owned()),
        segment: Some("imaging".to_owned()),
        ..wish("", now)
    };
    let by_segment = house.waived(segment, now).await.unwrap();
    let new = spoiled(2, |it| (it.sha256, it.assigned.owner) = ([5; 32], None));
    let elsewhere = spoiled(3, |it| {
        (it.sha256, it.assigned.owner) = ([6; 32], None);
        it.assigned.segment = Some("icu".to_owned());
    });
    let judged = house.settle(&[wrong.clone(), new, elsewhere], now).await;
    assert_eq!(
        judged.iter().map(|one| one.open).collect::<Vec<_>>(),
        [0, 0, 1]
    );
    let permit = house.permit(Action::ManageFindings);
    let back = house
        .fleet
        .unwaive(permit, &by_segment, "it was replaced", now)
        .await;
    assert_eq!(back.unwrap().waiver.id, by_segment);
    assert_eq!(house.events("waiver.remove").await.len(), 1);
    let judged = house.settle(batch, now).await;
    assert_eq!(judged[0].open, 1);
}

async fn r03_a_waiver_that_says_too_little_is_refused_and_recorded(postgres: bool) {
    let house = House::new(postgres).await;
    let wrong = spoiled(1, ownerless);
    let now = young(&wrong);
    house.settle(std::slice::from_ref(&wrong), now).await;
    let id = house.found(Show::Open, now).await.remove(0).id;
    let good = || wish(&id, now);
    let all_of_it = |rule: &str, segment: Option<&str>| NewWaiver {
        finding: None,
        rule: Some(rule.to_owned()),
        segment: segment.map(str::to_owned),
        ..good()
    };
    let table = [
        (
            "waiver.owner",
            NewWaiver {
                owner: " ".to_owned(),
                ..good()
            },
        ),
        (
            "waiver.reason",
            NewWaiver {
                reason: "later".to_owned(),
                ..good()
            },
        ),
        (
            "waiver.until",
            NewWaiver {
                until: now.0,
                ..good()
            },
        ),
        (
            "waiver.until",
            NewWaiver {
                until: later(now, 367).0,
                ..good()
            },
        ),
        (
            "waiver.scope",
            NewWaiver {
                segment: Some("icu".to_owned()),
                ..good()
            },
        ),
        ("waiver.scope", all_of_it("owner.none", None)),
        ("waiver.rule", all_of_it("owner.nobody", Some("icu"))),
        ("waiver.incident", all_of_it(MISISSUANCE, Some("icu"))),
    ];
    let tries = table.len();
    for (expected, new) in table {
        assert_eq!(rule(house.waived(new, now).await), expected);
    }
    let events = house.events("waiver.create").await;
    assert_eq!(events.len(), tries, "each no is in the log");
    assert_eq!(house.found(Show::Open, now).await.len(), 1);
    // Its twin, by somebody who may; and somebody who may not.
    house.waived(good(), now).await.unwrap();
    let reader = house
        .person("reader", Role::Auditor, Scope::default())
        .await;
    let access = house.ca.access();
    let target = access::Target::default();
    assert!(
        access
            .decide(&reader, Action::ManageFindings, &target)
            .is_err()
    );
    let permit = house.permit(Action::ReadInventory);
    assert_eq!(
        rule(house.fleet.waive(permit, good(), now).await),
        "permit.action"
    );
}

/// A place row as a scan leaves it.
async fn shown(house: &House, certificate: i64, gone: Option<i64>) {
    const PLACE: &str = "INSERT INTO places(id, place, kind, certificate, chain, outcome, detail, first_seen, last_seen, \
        changed_at, gone, seen_by, touched) VALUES(77, '10.10.0.7:443', 'network', $1, $2, 'certificate', '', 1, 1, 1, $3, 'scan', 1) \
        ON CONFLICT(id) DO UPDATE SET gone = excluded.gone";
    let row = params![certificate, Vec::<u8>::new(), gone];
    let write = Write::derived().run(PLACE, row);
    house.ca.store().commit(write).await.unwrap();
}

async fn r20_misissuance_is_an_event_an_alert_and_nobody_closes_it_unseen(postgres: bool) {
    let house = House::new(postgres).await;
    let mut copied = spoiled(1, |it| it.authority = Some("servers".to_owned()));
    let now = young(&copied);
    copied.places[0].last_seen = now.0;
    let batch = std::slice::from_ref(&copied);
    let judged = house.settle(batch, now).await;
    let critical = Severity::Critical as i64;
    assert_eq!(
        judged,
        [Judged {
            open: 1,
            worst: critical
        }]
    );
    house.settle(batch, later(now, 1)).await;
    let events = house.events(INCIDENT).await;
    assert_eq!(
        events.len(),
        1,
        "it is one incident however often it is seen"
    );
    assert_eq!(events[0].object.id, hex::encode(copied.sha256));
    let alerts = house.fleet.alerts_due().await.unwrap();
    assert_eq!(alerts.len(), 1);
    assert!(
        alerts[0].body.contains("10.10.0.7:443"),
        "{}",
        alerts[0].body
    );
    let refused = Err("status 503".to_owned());
    house
        .fleet
        .alert_told(&alerts[0], refused, now)
        .await
        .unwrap();
    assert_eq!(house.fleet.alerts_due().await.unwrap()[0].attempts, 1);
    house
        .fleet
        .alert_told(&alerts[0], Ok(()), now)
        .await
        .unwrap();
    assert_eq!(house.fleet.alerts_due().await.unwrap(), []);

    let incident = house.fleet.incidents(false, now).await.unwrap().remove(0);
    assert_eq!(incident.severity, Severity::Critical);
    assert_eq!(
        rule(house.waived(wish(&incident.id, now), now).await),
        "waiver.incident"
    );
    // Not by itself: neither when the record turns up nor when the place is gone.
    let mut quiet = copied.clone();
    (quiet.authority, quiet.places) = (None, Vec::new());
    house.settle(&[quiet], later(now, 2)).await;
    assert_eq!(house.fleet.incidents(false, now).await.unwrap().len(), 1);

    let close = async |reason: &str| {
        let permit = house.permit(Action::ManageFindings);
        let at = later(now, 3);
        house
            .fleet
            .close_incident(permit, &incident.id, reason, at)
            .await
    };
    shown(&house, 1, None).await;
    assert_eq!(
        rule(close("the key was rotated, INC-2041").await),
        "incident.in-use"
    );
    shown(&house, 1, Some(now.0)).await;
    assert_eq!(rule(close("done").await), "incident.reason");
    let closed = close("the key was rotated, INC-2041").await.unwrap();
    assert_eq!(closed.closed, Some(later(now, 3).0));
    assert_eq!(
        rule(close("the key was rotated, INC-2041").await),
        "incident.open"
    );
    // The two that were refused, the one that was done, and the one that came too late.
    assert_eq!(house.events("incident.close").await.len(), 4);

    // What was seen before the end stays over; what is seen after it is a new one.
    house.settle(batch, later(now, 4)).await;
    assert_eq!(house.events(INCIDENT).await.len(), 1);
    copied.places[0].last_seen = later(now, 5).0;
    house.settle(&[copied], later(now, 5)).await;
    assert_eq!(house.events(INCIDENT).await.len(), 2);
    assert_eq!(house.fleet.alerts_due().await.unwrap().len(), 1);
}

/// The inventory may be a moment behind the CA.
async fn r20_what_the_ca_knows_is_no_incident(postgres: bool) {
    let house = House::new(postgres).await;
    let asset = house.pump("SN-1").await;
    let now = crate::support::NOW;
    let issued = house
        .enrol(&asset, "default", Previous::Keep, now)
        .await
        .unwrap();
    let known = |certificate: x509::Certificate| {
        spoiled(1, |it| {
            it.sha256 = certificate.fingerprint();
            it.certificate = std::sync::Arc::new(certificate);
            it.authority = Some("devices".to_owned());
        })
    };
    let own = house.ca.issuers().first().unwrap().certificate().clone();
    let issued = x509::Certificate::from_der(&issued.der).unwrap();
    for certificate in [issued, own] {
        house.settle(&[known(certificate)], now).await;
        assert_eq!(house.fleet.incidents(true, now).await.unwrap(), []);
    }
    assert!(house.events(INCIDENT).await.is_empty());
}
