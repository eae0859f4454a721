//! The figures of the overview and the radar (R39): what is counted is what a person counts, after every change, and a past
//! day is shown as it was (R52).

use audit::Timestamp;
use fleet::posture::{Figures, KeptDay, Radar, Share};
use fleet::topology::Under;
use std::sync::Arc;
use store::{Write, params};

use crate::support::{House, NOW, on_both};
use crate::world::{LATER, Row, finding, put, remove, served};

on_both!(
    r39_certificates_are_counted_as_a_person_counts,
    r39_figures_follow_changes,
    r39_findings_and_places_are_in_the_radar,
    r52_a_day_is_kept_and_shown_as_it_was,
    r16_topology_goes_down_level_by_level,
);

async fn at(house: &House, seconds: i64) -> Arc<Figures> {
    let now = Timestamp(NOW.0 + seconds * 1000);
    house.fleet.count_figures(now).await.unwrap()
}

fn some() -> Vec<Row> {
    vec![
        Row {
            phi: true,
            expires: 10,
            segment: Some("icu"),
            risk: 4,
            ..Row::new(1, "CN=one")
        },
        Row {
            criticality: 3,
            expires: 20,
            owner: None,
            segment: Some("icu"),
            risk: 3,
            ..Row::new(2, "CN=two")
        },
        // 22 November and 400 days: December 2027, behind the heat map.
        Row {
            expires: 400,
            key: "rsa",
            bits: 1024,
            ..Row::new(3, "CN=three")
        },
        // Over, and still somewhere.
        Row {
            expires: -5,
            ..Row::new(4, "CN=four")
        },
        // Over, and nowhere: no risk, and not counted.
        Row {
            expires: -5,
            places: 0,
            risk: 0,
            ..Row::new(5, "CN=five")
        },
        // Behind the horizon.
        Row {
            expires: 2000,
            ..Row::new(6, "CN=six")
        },
        Row {
            ca: true,
            expires: 3000,
            ..Row::new(7, "CN=an authority")
        },
    ]
}

async fn r39_certificates_are_counted_as_a_person_counts(postgres: bool) {
    let house = House::new(postgres).await;
    put(&house, &some()).await;
    let figures = at(&house, 0).await;
    let tally = figures.counts.certificates;
    assert_eq!((tally.all, tally.phi, tally.critical), (5, 1, 1));
    assert_eq!((tally.owned, tally.grave, tally.owned_grave), (4, 2, 1));
    assert_eq!((tally.standing, tally.near, tally.near_by_hand), (4, 2, 2));
    assert_eq!((tally.near_critical_by_hand, tally.automated), (1, 0));
    assert_eq!((tally.served, tally.over_served), (5, 1));
    assert_eq!((tally.weak_keys, tally.weak_signatures), (1, 0));
    assert_eq!(
        (tally.risk_critical, tally.risk_high, tally.risk_medium),
        (1, 1, 3)
    );
    let horizon = &figures.horizon;
    let of = |name: &str| {
        let month = horizon.months.iter().find(|month| month.month == name);
        month.unwrap().count
    };
    // 22 November and 10 days is 2 December, and 20 days the 12th.
    assert_eq!(
        (of("2026-11").all, of("2026-12").all, of("2027-12").all),
        (0, 2, 1)
    );
    assert_eq!((of("2026-12").phi, of("2026-12").critical), (1, 1));
    assert_eq!((horizon.over, horizon.later), (1, 1));
    let heat = &figures.heat;
    assert_eq!(heat.weeks.len(), 26);
    let icu = heat
        .rows
        .iter()
        .find(|row| row.segment.as_deref() == Some("icu"));
    let counts: Vec<u64> = icu.unwrap().weeks.iter().map(|week| week.all).collect();
    assert_eq!(counts[..4], [0, 1, 1, 0]);
    assert_eq!(counts.iter().sum::<u64>(), 2);
}

async fn r39_figures_follow_changes(postgres: bool) {
    let house = House::new(postgres).await;
    put(&house, &some()).await;
    // The head tells of the change, as every write of the inventory does.
    let moved = |to: i64| {
        Write::derived().run(
            "UPDATE inventory_head SET touched = $1 WHERE id = 1",
            params![to],
        )
    };
    house.ca.store().commit(moved(1)).await.unwrap();
    assert_eq!(at(&house, 0).await.counts.certificates.phi, 1);
    put(
        &house,
        &[Row {
            phi: true,
            touched: 2,
            ..Row::new(6, "CN=six")
        }],
    )
    .await;
    house.ca.store().commit(moved(2)).await.unwrap();
    assert_eq!(at(&house, 10).await.counts.certificates.phi, 2);
    // Another span is counted apart, and both are summed.
    put(
        &house,
        &[Row {
            phi: true,
            touched: 3,
            ..Row::new(60_000, "CN=far")
        }],
    )
    .await;
    house.ca.store().commit(moved(3)).await.unwrap();
    let figures = at(&house, 20).await;
    let tally = figures.counts.certificates;
    assert_eq!((tally.phi, tally.all), (3, 6));
    // On another day everything is counted anew: one less, and time has passed.
    remove(&house, 1).await;
    let later = house.fleet.count_figures(LATER(15)).await.unwrap();
    assert_eq!(later.counts.certificates.near, 1, "CN=two has 5 days left");
}

async fn r39_findings_and_places_are_in_the_radar(postgres: bool) {
    let house = House::new(postgres).await;
    put(&house, &some()).await;
    for (id, address) in [(1, "10.10.0.1"), (2, "10.10.0.2")] {
        served(&house, id, id, address, 443, Some("{}")).await;
    }
    finding(&house, "f1", "tls.version", 4, 1, false, None).await;
    finding(&house, "f2", "self-signed", 3, 2, false, Some(30)).await;
    finding(&house, "f3", "self-signed", 3, 3, true, None).await;
    let figures = at(&house, 0).await;
    let counts = &figures.counts;
    assert_eq!(
        counts.found(&["tls.version", "self-signed"]),
        2,
        "the third is closed"
    );
    assert_eq!(counts.waived.get("self-signed"), Some(&1));
    let radar = Radar::of(counts);
    let part = |id: &str| {
        let mut parts = radar.axes.iter().flat_map(|axis| &axis.parts);
        parts.find(|part| part.id == id).unwrap().share
    };
    assert_eq!(part("tls.version"), Share { have: 1, of: 2 });
    assert_eq!(part("trust.issuers"), Share { have: 4, of: 5 });
    assert_eq!(part("coverage.hosts"), Share { have: 0, of: 2 });
    // Opened ten days ago; the waived one is not new to anybody.
    let house = &figures.house;
    assert_eq!(house.opened_since(LATER(-11)).0, 1);
    assert_eq!(house.opened_since(LATER(-9)).0, 0);
}

async fn r52_a_day_is_kept_and_shown_as_it_was(postgres: bool) {
    let house = House::new(postgres).await;
    put(&house, &some()).await;
    assert!(house.fleet.keep_day(NOW).await.unwrap());
    assert!(!house.fleet.keep_day(NOW).await.unwrap(), "once a day");
    put(
        &house,
        &[Row {
            phi: true,
            touched: 9,
            ..Row::new(8, "CN=eight")
        }],
    )
    .await;
    assert!(house.fleet.keep_day(LATER(1)).await.unwrap());
    let phi = async |days: i64| match house.fleet.day_as_of(LATER(days)).await.unwrap() {
        KeptDay::Kept(day) => Some(day.counts.certificates.phi),
        KeptDay::None { since } => {
            assert_eq!(since, Some(NOW.0));
            None
        }
    };
    assert_eq!(
        (phi(-1).await, phi(0).await, phi(1).await),
        (None, Some(1), Some(2))
    );
    assert_eq!(house.events("posture.record").await.len(), 2);
}

async fn r16_topology_goes_down_level_by_level(postgres: bool) {
    let house = House::new(postgres).await;
    let mut pump = crate::support::pump("SN-1");
    pump.segment = Some("icu".to_owned());
    let pump = house.put(pump).await.unwrap().asset;
    let mut rows = some();
    rows[0].asset = Some(pump.id.clone());
    rows[1].asset = Some(pump.id.clone());
    put(&house, &rows).await;
    served(&house, 1, 1, "10.10.0.1", 443, None).await;
    house.fleet.count_figures(NOW).await.unwrap();
    let below = async |under: &str, after: Option<String>, limit: Option<u32>| {
        let asked = Under {
            under: (!under.is_empty()).then(|| under.to_owned()),
            after,
            limit,
            ..Under::default()
        };
        house.fleet.topology(&asked, NOW).await
    };
    let sites = below("", None, None).await.unwrap().nodes;
    assert_eq!(sites.len(), 1, "no segment has a site");
    assert_eq!(
        (sites[0].certificates, sites[0].worst, sites[0].phi),
        (5, "critical", true)
    );
    let segments = below(&sites[0].id, None, None).await.unwrap().nodes;
    let icu = segments.iter().find(|node| node.label == "icu").unwrap();
    assert_eq!(
        (icu.id.as_str(), icu.certificates, icu.worst),
        ("segment:icu", 2, "critical")
    );
    let assets = below("segment:icu", None, None).await.unwrap().nodes;
    assert_eq!(
        (assets[0].kind, assets[0].certificates, assets[0].phi),
        ("asset", 2, true)
    );
    // One is served, one is nowhere; a page at a time.
    let first = below(&assets[0].id, None, Some(1)).await.unwrap();
    assert_eq!(
        (first.nodes[0].kind, first.nodes[0].label.as_str()),
        ("service", "10.10.0.1:443")
    );
    let second = below(&assets[0].id, first.next, Some(1)).await.unwrap();
    assert_eq!(
        (second.nodes[0].kind, second.nodes[0].worst),
        ("certificate", "high")
    );
    let last = below(&assets[0].id, second.next, Some(1)).await.unwrap();
    assert!(last.nodes.is_empty() && last.next.is_none());
    assert_eq!(
        crate::support::rule(below("nonsense", None, None).await),
        "topology.under"
    );
    // What was below a segment on a past day is not kept; sites are, as the day had them.
    house.fleet.keep_day(NOW).await.unwrap();
    let then = async |under: Option<&str>| {
        let asked = Under {
            under: under.map(str::to_owned),
            as_of: Some(NOW),
            ..Under::default()
        };
        house.fleet.topology(&asked, LATER(3)).await
    };
    assert_eq!(
        crate::support::rule(then(Some("segment:icu")).await),
        "topology.as-of"
    );
    assert_eq!(then(None).await.unwrap().nodes[0].certificates, 5);
    let flows = house.fleet.topology_flows(None, None, NOW).await.unwrap();
    assert!(flows.edges.is_empty() && flows.next.is_none());
}
