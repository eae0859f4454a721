//! What passes along the map, circles and size, and which places are whose ends (R16).

use std::time::Instant;

use agent::observation::Place;

use super::gap::judge;
use super::*;

fn system(name: &str) -> System {
    System {
        name: name.to_owned(),
        ..System::default()
    }
}

fn flow(name: &str, from: &str, to: &str) -> Flow {
    Flow {
        name: name.to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
        ..Flow::default()
    }
}

fn at(text: &str) -> Vec<Range> {
    vec![text.parse().unwrap()]
}

fn service(address: &str, port: u16, sni: Option<&str>) -> Place {
    Place::Network {
        address: address.parse().unwrap(),
        port,
        sni: sni.map(str::to_owned),
        starttls: None,
    }
}

fn named(map: &Map, place: &Place, asset: Option<&str>) -> Vec<String> {
    let found = map.at(place, asset).into_iter();
    let mut names: Vec<String> = found
        .map(|at| format!("{} {} {}", at.kind.name(), map.name_of(at), at.side.name()))
        .collect();
    names.sort();
    names
}

#[test]
fn r16_phi_passes_over_flows_in_both_directions_unless_somebody_says_no() {
    let ehr = System {
        phi: true,
        kind: SystemKind::Ehr,
        ..system("EHR")
    };
    let silent = Flow {
        phi: Some(false),
        ..flow("time", "EHR", "clock")
    };
    let map = Map::new(
        vec![
            ehr,
            system("portal"),
            system("engine"),
            system("clock"),
            system("alone"),
        ],
        // The portal calls the record, which gives it what it shows.
        vec![
            flow("records", "portal", "EHR"),
            flow("orders", "engine", "portal"),
            silent,
        ],
    );
    let phi = |name: &str| map.system(name).unwrap().1.phi;
    assert_eq!(
        ["EHR", "portal", "engine", "clock", "alone"].map(phi),
        [true, true, true, false, false]
    );
    let (_, records) = map.flow("records").unwrap();
    assert!(records.phi && records.ehr);
    assert_eq!(records.passed.as_deref(), Some("PHI from EHR"));
    let (_, orders) = map.flow("orders").unwrap();
    assert!(
        orders.phi && !orders.ehr,
        "EHR integrations are those at the record itself"
    );
    assert!(!map.flow("time").unwrap().1.phi);
}

#[test]
fn r16_a_flow_that_carries_phi_says_so_of_both_its_ends() {
    let said = Flow {
        phi: Some(true),
        ..flow("results", "analyser", "engine")
    };
    let map = Map::new(vec![system("analyser"), system("engine")], vec![said]);
    for name in ["analyser", "engine"] {
        let (_, known) = map.system(name).unwrap();
        assert!(known.phi);
        assert_eq!(known.passed.as_deref(), Some("PHI from results"));
    }
    assert_eq!(map.flow("results").unwrap().1.passed, None);
}

#[test]
fn r16_criticality_and_patients_pass_to_what_is_needed_and_not_back() {
    let pumps = System {
        criticality: Criticality::LifeSupport,
        depends_on: vec!["gateway".to_owned()],
        ..system("pumps")
    };
    let portal = System {
        patient_facing: true,
        ..system("portal")
    };
    let map = Map::new(
        vec![
            pumps,
            portal,
            system("gateway"),
            system("directory"),
            system("reports"),
        ],
        vec![
            flow("logon", "gateway", "directory"),
            flow("sign in", "portal", "directory"),
            flow("figures", "reports", "directory"),
        ],
    );
    let known = |name: &str| map.system(name).unwrap().1;
    assert_eq!(known("gateway").criticality, Criticality::LifeSupport);
    assert_eq!(known("directory").criticality, Criticality::LifeSupport);
    assert!(known("directory").patient_facing);
    assert_eq!(known("reports").criticality, Criticality::Medium);
    assert!(!known("reports").patient_facing && !known("gateway").patient_facing);
    assert_eq!(
        known("directory").passed.as_deref(),
        Some("needed by patient-facing portal; life-support for pumps")
    );
    let (_, logon) = map.flow("logon").unwrap();
    assert_eq!(logon.criticality, Criticality::LifeSupport);
    assert_eq!(
        map.flow("figures").unwrap().1.criticality,
        Criticality::Medium
    );
}

#[test]
fn r16_a_flow_has_a_criticality_of_its_own_and_gives_it_to_who_answers() {
    let alarm = Flow {
        criticality: Some(Criticality::High),
        ..flow("alarms", "ward", "pager")
    };
    let low = |name: &str| System {
        criticality: Criticality::Low,
        ..system(name)
    };
    let map = Map::new(vec![low("ward"), low("pager")], vec![alarm]);
    assert_eq!(map.flow("alarms").unwrap().1.criticality, Criticality::High);
    assert_eq!(
        map.system("pager").unwrap().1.criticality,
        Criticality::High
    );
    assert_eq!(map.system("ward").unwrap().1.criticality, Criticality::Low);
}

#[test]
fn r16_circles_end() {
    let a = System {
        phi: true,
        criticality: Criticality::High,
        patient_facing: true,
        ..system("a")
    };
    let flows = vec![
        flow("ab", "a", "b"),
        flow("bc", "b", "c"),
        flow("ca", "c", "a"),
    ];
    let map = Map::new(vec![a, system("b"), system("c")], flows);
    for name in ["a", "b", "c"] {
        let (_, known) = map.system(name).unwrap();
        assert!(known.phi && known.patient_facing && known.criticality == Criticality::High);
    }
}

/// The largest map that is accepted, as one ring with chords: all of it is reached from one system.
#[test]
fn r16_the_largest_map_is_drawn_within_a_second() {
    let count = MOST_SYSTEMS;
    let mut systems: Vec<System> = (0..count).map(|n| system(&format!("s{n}"))).collect();
    systems[0].phi = true;
    systems[0].criticality = Criticality::LifeSupport;
    let flows = (0..MOST_FLOWS).map(|n| {
        let (from, to) = (n % count, (n % count * 7 + n / count + 1) % count);
        flow(&format!("f{n}"), &format!("s{from}"), &format!("s{to}"))
    });
    let flows: Vec<Flow> = flows.collect();
    let begun = Instant::now();
    let map = Map::new(systems, flows);
    let took = begun.elapsed();
    assert!(map.system("s9999").unwrap().1.phi);
    // A debug build on a busy machine; a walk that is not linear takes minutes.
    assert!(took.as_secs() < 10, "{took:?}");
}

#[test]
fn r16_which_places_are_whose() {
    let ehr = System {
        hosts: vec!["ehr.mercy.example".to_owned()],
        addresses: at("10.10.0.7"),
        ..system("EHR")
    };
    let pacs = System {
        hosts: vec!["*.pacs.mercy.example".to_owned()],
        addresses: at("10.10.1.0/24"),
        ..system("PACS")
    };
    let site = System {
        addresses: at("10.10.0.0/16"),
        ..system("site")
    };
    let pumps = System {
        assets: vec!["a0123".to_owned()],
        ..system("pumps")
    };
    let fhir = Flow {
        ports: vec![8443],
        ..flow("FHIR", "pumps", "EHR")
    };
    let virtual_host = Flow {
        ports: vec![443],
        server_name: Some("dicom.pacs.mercy.example".to_owned()),
        ..flow("DICOMweb", "EHR", "PACS")
    };
    let map = Map::new(vec![ehr, pacs, site, pumps], vec![fhir, virtual_host]);
    let is = |place: Place, asset: Option<&str>, names: &[&str]| {
        assert_eq!(named(&map, &place, asset), names, "{place:?}");
    };
    is(
        service("10.10.0.7", 8443, None),
        None,
        &[
            "flow FHIR server",
            "system EHR server",
            "system site server",
        ],
    );
    is(
        service("10.10.0.7", 443, None),
        None,
        &["system EHR server", "system site server"],
    );
    is(
        service("10.10.1.9", 443, Some("DICOM.pacs.mercy.example")),
        None,
        &[
            "flow DICOMweb server",
            "system PACS server",
            "system site server",
        ],
    );
    is(
        service("10.10.1.9", 443, Some("other.pacs.mercy.example")),
        None,
        &["system PACS server", "system site server"],
    );
    is(
        service("192.0.2.1", 443, Some("a.b.pacs.mercy.example")),
        None,
        &["system PACS server"],
    );
    is(
        service("192.0.2.1", 443, Some("pacs.mercy.example")),
        None,
        &[],
    );
    is(
        service("192.0.2.1", 443, None),
        Some("a0123"),
        &["system pumps server"],
    );
    let client = Place::Client {
        address: "172.16.0.9".parse().unwrap(),
        server: "10.10.0.7".parse().unwrap(),
        port: 8443,
    };
    is(
        client.clone(),
        Some("a0123"),
        &["flow FHIR client", "system pumps client"],
    );
    is(client, None, &[]);
    let file = Place::File {
        host: "EHR.mercy.example".to_owned(),
        path: "/etc/ssl/a.pem".to_owned(),
        alias: None,
    };
    is(file, None, &["system EHR server"]);
}

#[test]
fn r16_observed_calls_are_on_the_map_or_not() {
    let here = |name: &str, address: &str| System {
        addresses: at(address),
        ..system(name)
    };
    let flows = vec![Flow {
        ports: vec![2762],
        ..flow("store", "modality", "PACS")
    }];
    let map = Map::new(
        vec![here("modality", "10.0.0.0/24"), here("PACS", "10.0.1.1")],
        flows,
    );
    let call = |port| {
        map.call(
            "10.0.0.5".parse().unwrap(),
            "10.0.1.1".parse().unwrap(),
            port,
        )
    };
    assert_eq!(call(2762), (vec!["modality"], vec!["PACS"], true));
    assert_eq!(call(443), (vec!["modality"], vec!["PACS"], false));
}

const NOW: audit::Timestamp = audit::Timestamp(1_795_348_800_000);
const DAY: i64 = 86_400;

fn guard(outcome: &str, days_left: Option<i64>) -> Guard {
    let now = NOW.0 / 1000;
    Guard {
        place_id: 7,
        side: Side::Server,
        place: "10.0.1.1:443".to_owned(),
        outcome: outcome.to_owned(),
        sha256: days_left.map(|_| "ab".repeat(32)),
        subject: days_left.map(|_| "CN=pacs".to_owned()),
        not_before: days_left.map(|_| now - 365 * DAY),
        not_after: days_left.map(|days| now + days * DAY),
        revoked: false,
        risk: None,
    }
}

/// Each gap beside the flow that has none of it.
#[test]
fn r16_gaps() {
    let phi = Flow {
        phi: Some(true),
        ..flow("images", "modality", "PACS")
    };
    let rules = |flow: &Flow, guards: &[Guard]| -> Vec<&'static str> {
        let map = Map::new(vec![system("modality"), system("PACS")], vec![flow.clone()]);
        let (flow, known) = map.flow("images").unwrap();
        let gaps = judge(&map, flow, &known, guards, NOW);
        gaps.into_iter().map(|gap| gap.rule).collect()
    };
    let good = guard("certificate", Some(90));
    assert_eq!(rules(&phi, std::slice::from_ref(&good)), [""; 0]);
    assert_eq!(rules(&phi, &[]), ["flow.unknown"]);
    assert_eq!(rules(&phi, &[guard("closed", None)]), ["flow.unknown"]);
    assert_eq!(rules(&phi, &[guard("not-tls", None)]), ["flow.plaintext"]);
    assert_eq!(
        rules(&phi, &[good.clone(), guard("not-tls", None)]),
        ["flow.plaintext"]
    );
    assert_eq!(
        rules(&phi, &[guard("no-certificate", None)]),
        ["flow.unprotected"]
    );
    assert_eq!(
        rules(&phi, &[guard("certificate", Some(-1))]),
        ["flow.expired"]
    );
    let revoked = Guard {
        revoked: true,
        ..good.clone()
    };
    assert_eq!(rules(&phi, &[revoked]), ["flow.expired"]);
    let early = Guard {
        not_before: Some(NOW.0 / 1000 + DAY),
        ..good.clone()
    };
    assert_eq!(rules(&phi, &[early]), ["flow.expired"]);
    let none = Flow {
        phi: Some(false),
        ..phi.clone()
    };
    assert_eq!(rules(&none, &[guard("not-tls", None)]), [""; 0]);
    let tunnel = Flow {
        protected_by: Some("IPsec".to_owned()),
        ..phi.clone()
    };
    assert_eq!(rules(&tunnel, &[guard("not-tls", None)]), [""; 0]);
    let mutual = Flow {
        mutual: true,
        ..phi.clone()
    };
    assert_eq!(
        rules(&mutual, std::slice::from_ref(&good)),
        ["flow.no-client-certificate"]
    );
    let client = Guard {
        side: Side::Client,
        ..good.clone()
    };
    assert_eq!(rules(&mutual, &[good.clone(), client.clone()]), [""; 0]);
    let ended = Guard {
        not_after: Some(NOW.0 / 1000 - DAY),
        ..client
    };
    assert_eq!(rules(&mutual, &[good, ended]), ["flow.expired"]);
}
