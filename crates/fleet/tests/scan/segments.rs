//! Limits: written by one, signed by another, gone with every change.

use access::{Action, Role, Scope};
use agent::scan::Exclusion;
use audit::Timestamp;
use fleet::scan::NewScan;
use fleet::{Criticality, Segment, SignedLimits};

use crate::segment;
use crate::support::{DAY, House, NOW, on_both, pump, rule};

on_both!(
    r17_limits_hold_once_a_second_person_has_signed_them,
    r17_a_change_of_limits_takes_the_signature_back,
    r17_whoever_had_a_hand_in_limits_cannot_sign_them,
    r17_an_inner_segment_keeps_the_outer_out_also_when_it_is_gone,
    r17_life_support_and_models_that_must_not_be_touched_are_not,
    r17_limits_that_are_carried_away_are_signed_and_end,
    r17_more_than_the_limits_is_refused_by_the_limit,
    r17_a_segment_with_an_agent_is_left_to_it,
    r17_what_is_no_limit_is_refused,
);

async fn r17_limits_hold_once_a_second_person_has_signed_them(postgres: bool) {
    let house = House::new(postgres).await;
    let ann = house.person("ann", Role::Issuer, Scope::default()).await;
    let bob = house.person("bob", Role::Approver, Scope::default()).await;
    let permit = house.permit_of(&ann, Action::ManageSegments);
    let icu = segment("icu", "10.30.0.0/16", 443);
    let stored = house.fleet.put_segment(permit, icu, 0, NOW).await.unwrap();
    assert_eq!(stored.signature(), None);
    assert_eq!(
        rule(house.fleet.scan_limits("icu", NOW).await),
        "segment.unsigned"
    );
    let again = house.person("ann", Role::Admin, Scope::default()).await;
    let permit = house.permit_of(&again, Action::SignSegments);
    let signed = house.fleet.sign_segment(permit, "icu", 1, "", NOW).await;
    assert_eq!(rule(signed), "segment.second-person");
    let permit = house.permit_of(&bob, Action::SignSegments);
    let signed = house.fleet.sign_segment(permit, "icu", 2, "", NOW).await;
    assert_eq!(rule(signed), "segment.version");
    let permit = house.permit_of(&bob, Action::SignSegments);
    house
        .fleet
        .sign_segment(permit, "icu", 1, "ok", NOW)
        .await
        .unwrap();
    let limits = house.fleet.scan_limits("icu", NOW).await.unwrap();
    assert_eq!(limits.rate, Some(200.0));
    assert_eq!(limits.ports, [(443, 443)]);
    assert_eq!(limits.per_device, 1);
    assert_eq!(house.events("segment.sign").await.len(), 3);
}

async fn r17_a_change_of_limits_takes_the_signature_back(postgres: bool) {
    let house = House::new(postgres).await;
    let stored = house.signed(segment("icu", "10.30.0.0/16", 443)).await;
    let mut owned = stored.segment.clone();
    owned.owner = Some("biomed".to_owned());
    let permit = house.permit(Action::ManageSegments);
    let stored = house
        .fleet
        .put_segment(permit, owned, stored.version, NOW)
        .await
        .unwrap();
    assert!(stored.signature().is_some(), "an owner is no limit");
    let changes: [fn(&mut Segment); 8] = [
        |one| one.rate = 201.0,
        |one| one.ports.push("8443".to_owned()),
        |one| one.ranges.push("10.31.0.0/16".parse().unwrap()),
        |one| one.hours.clear(),
        |one| one.silent = 9,
        |one| one.life_support = true,
        |one| one.pause_ms = 5,
        |one| {
            one.never_models.insert("Drip 3".to_owned());
        },
    ];
    for change in changes {
        let stored = house.fleet.segment("icu").await.unwrap();
        let mut changed = stored.segment.clone();
        change(&mut changed);
        let permit = house.permit(Action::ManageSegments);
        let stored = house
            .fleet
            .put_segment(permit, changed.clone(), stored.version, NOW)
            .await
            .unwrap();
        assert_eq!(stored.signature(), None, "{:?}", stored.segment);
        assert_eq!(
            rule(house.fleet.limits_now("icu").await),
            "segment.unsigned"
        );
        house.signed(changed).await;
    }
}

async fn r17_whoever_had_a_hand_in_limits_cannot_sign_them(postgres: bool) {
    let house = House::new(postgres).await;
    let ann = house.person("ann", Role::Admin, Scope::default()).await;
    let bob = house.person("bob", Role::Admin, Scope::default()).await;
    let mut icu = segment("icu", "10.30.0.0/16", 443);
    let permit = house.permit_of(&ann, Action::ManageSegments);
    house
        .fleet
        .put_segment(permit, icu.clone(), 0, NOW)
        .await
        .unwrap();
    // Bob changes a trifle, so that Ann could sign what is hers but for that.
    icu.rate = 199.0;
    let permit = house.permit_of(&bob, Action::ManageSegments);
    house.fleet.put_segment(permit, icu, 1, NOW).await.unwrap();
    for person in [&ann, &bob] {
        let permit = house.permit_of(person, Action::SignSegments);
        let signed = house.fleet.sign_segment(permit, "icu", 2, "", NOW).await;
        assert_eq!(rule(signed), "segment.second-person");
    }
}

async fn r17_an_inner_segment_keeps_the_outer_out_also_when_it_is_gone(postgres: bool) {
    let house = House::new(postgres).await;
    house.signed(segment("icu", "10.30.0.0/16", 443)).await;
    let campus = segment("campus", "10.0.0.0/8", 443);
    house.signed(campus.clone()).await;
    let out = |limits: &agent::scan::Limits| {
        let inner = "10.30.0.0/16".parse().unwrap();
        limits
            .exclude
            .iter()
            .any(|out: &Exclusion| out.range == inner)
    };
    assert!(out(&house.fleet.scan_limits("campus", NOW).await.unwrap()));
    let permit = house.permit(Action::ManageSegments);
    house
        .fleet
        .remove_segment(permit, "icu", "renamed", NOW)
        .await
        .unwrap();
    assert!(out(&house.fleet.scan_limits("campus", NOW).await.unwrap()));
    let mut again = campus;
    again.rate = 100.0;
    house.signed(again).await;
    assert!(!out(&house.fleet.scan_limits("campus", NOW).await.unwrap()));
    let crossing = segment("ward-3", "10.255.0.0-11.0.0.9", 443);
    let permit = house.permit(Action::ManageSegments);
    let put = house.fleet.put_segment(permit, crossing, 0, NOW).await;
    assert_eq!(rule(put), "segment.overlap");
}

async fn r17_life_support_and_models_that_must_not_be_touched_are_not(postgres: bool) {
    let house = House::new(postgres).await;
    let mut icu = segment("icu", "127.0.0.0/8", 443);
    house.signed(icu.clone()).await;
    let mut ventilator = pump("V-1");
    ventilator.criticality = Criticality::LifeSupport;
    ventilator.segment = Some("icu".to_owned());
    let stored = house.put(ventilator).await.unwrap();
    // Nobody knows where it is: then nobody knows where not to go.
    assert_eq!(
        rule(house.fleet.limits_now("icu").await),
        "segment.unplaced"
    );
    // Elsewhere by the register, it may still have been carried here: that is told, and holds nothing up.
    let mut away = segment("theatre", "10.9.0.0/24", 443);
    away.life_support = false;
    house.signed(away).await;
    let found = house.fleet.coverage(Some("theatre"), NOW).await.unwrap();
    let [astray] = found.segments[0].astray.as_slice() else {
        panic!("{:?}", found.segments[0].astray)
    };
    assert_eq!(
        (astray.serial.as_str(), astray.segment.as_deref()),
        ("V-1", Some("icu"))
    );
    let mut placed = stored.asset;
    placed.host_names = vec!["localhost".to_owned()];
    let permit = house.permit(Action::ManageAssets);
    let stored = house
        .fleet
        .put(permit, placed, stored.version, NOW)
        .await
        .unwrap();
    let now = house.fleet.limits_now("theatre").await.unwrap();
    assert_eq!(now.astray, [], "its address is known");
    let limits = house.fleet.limits_now("icu").await.unwrap().limits;
    let here = "127.0.0.1".parse().unwrap();
    assert!(
        limits
            .exclude
            .iter()
            .any(|out| out.range.contains(here) && out.rule.contains("life support"))
    );
    // As one of a model that is never touched.
    let mut lesser = stored.asset;
    lesser.criticality = Criticality::Low;
    let permit = house.permit(Action::ManageAssets);
    house
        .fleet
        .put(permit, lesser, stored.version, NOW)
        .await
        .unwrap();
    icu.never_models.insert("Drip 3".to_owned());
    house.signed(icu).await;
    let limits = house.fleet.limits_now("icu").await.unwrap().limits;
    assert!(limits.never.contains("Drip 3"));
    assert!(
        limits
            .models
            .iter()
            .any(|at| at.range.contains(here) && at.model == "Drip 3")
    );
}

async fn r17_limits_that_are_carried_away_are_signed_and_end(postgres: bool) {
    let house = House::new(postgres).await;
    let until = Timestamp(NOW.0 + DAY);
    let export = async || {
        let permit = house.permit(Action::RunDiscovery);
        house.fleet.export_limits(permit, "icu", until, NOW).await
    };
    let permit = house.permit(Action::ManageSegments);
    let icu = segment("icu", "10.30.0.0/16", 443);
    house
        .fleet
        .put_segment(permit, icu.clone(), 0, NOW)
        .await
        .unwrap();
    assert_eq!(rule(export().await), "segment.unsigned");
    house.signed(icu).await;
    let file = export().await.unwrap();
    let key = house.ca.notary().await.unwrap().verifier_key().clone();
    let limits = SignedLimits::open(&file, &key).unwrap();
    assert_eq!(limits.segment, "icu");
    assert_eq!(limits.open_until(NOW).unwrap(), until);
    assert_eq!(
        limits.open_until(until).unwrap_err().rule,
        "segment.limits-ended"
    );
    assert!(limits.open_until(Timestamp(NOW.0 - 1)).is_err());
    // Nobody gives himself more.
    let forged = file.replace("\"rate\":200.0", "\"rate\":900.0");
    assert_ne!(forged, file);
    assert!(SignedLimits::open(&forged, &key).is_err());
    let checkpoint = house
        .ca
        .notary()
        .await
        .unwrap()
        .checkpoint(NOW)
        .await
        .unwrap();
    assert!(SignedLimits::open(&format!("{{}}\n{checkpoint}"), &key).is_err());
}

async fn r17_more_than_the_limits_is_refused_by_the_limit(postgres: bool) {
    let house = House::new(postgres).await;
    house.signed(segment("icu", "10.30.0.0/16", 443)).await;
    let start = async |change: fn(&mut NewScan)| {
        let mut new = NewScan {
            segment: "icu".to_owned(),
            ..NewScan::default()
        };
        change(&mut new);
        let permit = house.permit(Action::RunDiscovery);
        rule(
            house
                .fleet
                .start_scan(&permit, new, NOW)
                .await
                .map(|scan| -> () { panic!("{scan:?}") }),
        )
    };
    assert_eq!(start(|new| new.rate = Some(200.5)).await, "segment.rate");
    assert_eq!(start(|new| new.rate = Some(f64::NAN)).await, "segment.rate");
    assert_eq!(
        start(|new| new.ports = vec!["443,444".to_owned()]).await,
        "segment.ports"
    );
    assert_eq!(
        start(|new| new.ranges = vec!["10.0.0.0/8".parse().unwrap()]).await,
        "segment.ranges"
    );
    assert_eq!(
        start(|new| new.hosts = vec!["localhost".to_owned()]).await,
        "segment.ranges"
    );
    assert_eq!(
        start(|new| new.depth = Some(agent::scan::Depth::Suites)).await,
        "segment.depth"
    );
    let refused = house.events("scan.start").await;
    assert_eq!(refused.len(), 6);
    let why = refused[0].why.clone().unwrap_or_default();
    assert!(
        why.contains("signed by safety") && why.contains("at most 200"),
        "{why}"
    );
    let permit = house.permit(Action::RunDiscovery);
    let new = NewScan {
        segment: "icu".to_owned(),
        ranges: vec!["10.30.7.0/24".parse().unwrap()],
        rate: Some(200.0),
        ..NewScan::default()
    };
    let scan = house.fleet.start_scan(&permit, new, NOW).await.unwrap();
    assert_eq!((scan.done, scan.total), (0, 256));
}

async fn r17_a_segment_with_an_agent_is_left_to_it(postgres: bool) {
    let house = House::new(postgres).await;
    let mut icu = segment("icu", "10.30.0.0/16", 443);
    icu.relay = Some("icu-1".to_owned());
    icu.every_hours = Some(24);
    house.signed(icu).await;
    let permit = house.permit(Action::RunDiscovery);
    let new = NewScan {
        segment: "icu".to_owned(),
        ..NewScan::default()
    };
    let refused = house.fleet.start_scan(&permit, new, NOW).await;
    assert_eq!(rule(refused.map(drop)), "segment.relay");
    assert!(house.fleet.scans_wanted(NOW).await.unwrap().is_empty());
}

/// Makes limits wrong.
type Spoil = fn(&mut Segment);

async fn r17_what_is_no_limit_is_refused(postgres: bool) {
    let house = House::new(postgres).await;
    let table: [(&str, Spoil); 10] = [
        ("segment.name", |one| one.name = "ICU 1".to_owned()),
        ("segment.ranges", |one| one.ranges.clear()),
        ("segment.overlap", |one| {
            one.ranges.push("10.30.4.0/24".parse().unwrap())
        }),
        ("segment.ports", |one| one.ports = vec!["https".to_owned()]),
        ("segment.raw-print", |one| {
            one.ports = vec!["9000-9200".to_owned()]
        }),
        ("segment.rate", |one| one.rate = 0.0),
        ("segment.rate", |one| one.rate = f64::INFINITY),
        ("segment.zone", |one| {
            one.zone = "Europe/Atlantis".to_owned()
        }),
        ("segment.per-device", |one| one.per_device = 0),
        ("segment.text", |one| {
            one.owner = Some("a\u{1b}[2J".to_owned())
        }),
    ];
    for (expected, change) in table {
        let mut icu = segment("icu", "10.30.0.0/16", 443);
        change(&mut icu);
        let permit = house.permit(Action::ManageSegments);
        assert_eq!(
            rule(house.fleet.put_segment(permit, icu, 0, NOW).await),
            expected
        );
    }
    assert!(house.fleet.segments().await.unwrap().is_empty());
}
