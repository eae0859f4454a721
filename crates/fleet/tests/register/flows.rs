//! The map of systems and flows as records, and its ends among the places that were found, on both databases (R16, R52).

use access::{Action, Role, Scope};
use agent::observation::{How, Observation, Outcome, Place};
use audit::Timestamp;
use fleet::Criticality;
use fleet::flow::{Flow, MapCursor, MapFile, System, SystemKind};
use fleet::inventory::Source;

use crate::support::{DAY, House, NOW, on_both, pump, rule};

on_both!(
    r16_systems_and_flows_are_kept_with_their_versions,
    r16_places_are_followed_and_gaps_found,
    r16_gaps_are_findings_and_close_by_themselves
);

fn ehr() -> System {
    System {
        name: "EHR".to_owned(),
        kind: SystemKind::Ehr,
        phi: true,
        addresses: vec!["10.10.0.7".parse().unwrap()],
        owner: Some("integration".to_owned()),
        ..System::default()
    }
}

fn portal() -> System {
    System {
        name: "Portal".to_owned(),
        patient_facing: true,
        addresses: vec!["10.10.1.0/24".parse().unwrap()],
        ..System::default()
    }
}

fn records() -> Flow {
    Flow {
        name: "EHR interface".to_owned(),
        from: "Portal".to_owned(),
        to: "EHR".to_owned(),
        protocol: "fhir".to_owned(),
        ports: vec![8443],
        ..Flow::default()
    }
}

async fn put(house: &House) {
    let permit = house.permit(Action::ManageFlows);
    let fleet = &house.fleet;
    fleet.put_on_map(&permit, ehr(), 0, NOW).await.unwrap();
    fleet.put_on_map(&permit, portal(), 0, NOW).await.unwrap();
    fleet.put_on_map(&permit, records(), 0, NOW).await.unwrap();
}

async fn see(house: &House, place: Place, outcome: Outcome, at: i64) {
    let permit = house.permit(Action::RunDiscovery);
    let source = Source {
        name: "test".to_owned(),
        scan: None,
    };
    let seen = Observation::new(at, "test", How::Scan, place, outcome);
    house
        .fleet
        .ingest(&permit, &source, &[seen], NOW)
        .await
        .unwrap();
}

fn service(port: u16) -> Place {
    Place::Network {
        address: [10, 10, 0, 7].into(),
        port,
        sni: None,
        starttls: None,
    }
}

fn not_tls() -> Outcome {
    Outcome::NotTls {
        first_bytes: "0b".to_owned(),
    }
}

async fn r16_systems_and_flows_are_kept_with_their_versions(postgres: bool) {
    let house = House::new(postgres).await;
    put(&house).await;
    let permit = house.permit(Action::ManageFlows);
    let later = Timestamp(NOW.0 + DAY);
    let stored = house
        .fleet
        .map_record::<Flow>("EHR interface", None)
        .await
        .unwrap();
    assert_eq!(stored.version, 1);
    let mut changed = stored.is;
    changed.phi = Some(false);
    let now = house
        .fleet
        .put_on_map(&permit, changed, 1, later)
        .await
        .unwrap();
    assert_eq!((now.version, now.is.phi), (2, Some(false)));
    let map = house.fleet.flow_map().await.unwrap();
    assert!(!map.flow("EHR interface").unwrap().1.phi);
    let then = house.fleet.flow_map_as_of(NOW).await.unwrap();
    assert!(then.flow("EHR interface").unwrap().1.phi);
    assert_eq!(house.events("system.create").await.len(), 2);
    assert_eq!(house.events("flow.update").await.len(), 1);
    let taken = house
        .fleet
        .take_from_map::<System>(&permit, "EHR", "", later)
        .await;
    assert_eq!(rule(taken), "map.in-use");
    let fleet = &house.fleet;
    fleet
        .take_from_map::<Flow>(&permit, "EHR interface", "replaced", later)
        .await
        .unwrap();
    fleet
        .take_from_map::<System>(&permit, "EHR", "", later)
        .await
        .unwrap();
    assert!(fleet.map_record::<System>("EHR", None).await.is_err());
    assert!(fleet.map_record::<System>("EHR", Some(NOW)).await.is_ok());
}

#[tokio::test]
async fn r16_what_is_wrong_is_refused_and_recorded() {
    let house = House::new(false).await;
    put(&house).await;
    let permit = house.permit(Action::ManageFlows);
    let bad_flow = |change: fn(&mut Flow)| {
        let mut flow = Flow {
            name: "other".to_owned(),
            ..records()
        };
        change(&mut flow);
        flow
    };
    let cases = [
        (
            bad_flow(|flow| flow.to = "nowhere".to_owned()),
            "map.system",
        ),
        (bad_flow(|flow| flow.to = flow.from.clone()), "flow.ends"),
        (bad_flow(|flow| flow.ports = vec![0]), "flow.port"),
        (
            bad_flow(|flow| flow.protocol = "HL7 v2".to_owned()),
            "flow.protocol",
        ),
        (
            bad_flow(|flow| flow.name = "a\u{1b}[2J".to_owned()),
            "map.name",
        ),
        (bad_flow(|flow| flow.name = String::new()), "map.name"),
        (bad_flow(|flow| flow.name = "a/b".to_owned()), "map.name"),
        (
            bad_flow(|flow| flow.server_name = Some("no host".to_owned())),
            "map.host",
        ),
        (bad_flow(|flow| flow.note = "x".repeat(2001)), "map.text"),
        (
            bad_flow(|flow| flow.ports = (1..=1001).collect()),
            "map.ends",
        ),
        (records(), "map.duplicate"),
    ];
    let count = cases.len();
    for (flow, expected) in cases {
        let put = house.fleet.put_on_map(&permit, flow, 0, NOW).await;
        assert_eq!(rule(put), expected);
    }
    assert_eq!(house.events("flow.create").await.len(), 1 + count);
    // The twin that is accepted.
    house
        .fleet
        .put_on_map(&permit, bad_flow(|_| ()), 0, NOW)
        .await
        .unwrap();
    let own = System {
        depends_on: vec!["EHR".to_owned()],
        ..ehr()
    };
    assert_eq!(
        rule(house.fleet.put_on_map(&permit, own, 1, NOW).await),
        "system.depends-on"
    );
    let auditor = house.person("ada", Role::Admin, Scope::default()).await;
    let wrong = house.permit_of(&auditor, Action::ManageAssets);
    assert_eq!(
        rule(house.fleet.put_on_map(&wrong, portal(), 1, NOW).await),
        "permit.action"
    );
}

#[tokio::test]
async fn r16_the_map_goes_to_a_file_and_back() {
    let house = House::new(false).await;
    let permit = house.permit(Action::ManageFlows);
    let fleet = &house.fleet;
    let asset = house.put(pump("SN-1")).await.unwrap().asset;
    let mut with_asset = ehr();
    with_asset.assets = vec!["SN-1".to_owned()];
    let file = MapFile {
        systems: vec![with_asset, portal()],
        flows: vec![records()],
    };
    let would = fleet
        .import_map(&permit, file.clone(), true, NOW)
        .await
        .unwrap();
    assert_eq!((would.added.len(), would.dry_run), (3, true));
    assert!(fleet.flow_map().await.unwrap().is_empty());
    fleet.import_map(&permit, file, false, NOW).await.unwrap();
    let exported = fleet.export_map().await.unwrap();
    assert_eq!(exported.systems[0].assets, [asset.id]);
    let again = fleet
        .import_map(&permit, exported.clone(), false, NOW)
        .await
        .unwrap();
    assert_eq!(
        (again.added.len(), again.changed.len(), again.unchanged),
        (0, 0, 3)
    );
    // One that is wrong keeps all of them out.
    let mut broken = exported;
    broken.systems[1].name = "New".to_owned();
    broken.flows[0].to = "nowhere".to_owned();
    assert_eq!(
        rule(fleet.import_map(&permit, broken, false, NOW).await),
        "map.system"
    );
    assert_eq!(fleet.flow_map().await.unwrap().systems().len(), 2);
}

async fn r16_places_are_followed_and_gaps_found(postgres: bool) {
    let house = House::new(postgres).await;
    put(&house).await;
    let fleet = &house.fleet;
    let rules = async || {
        let map = fleet.flow_map().await.unwrap();
        let gaps = fleet.flow_gaps(&map, NOW).await.unwrap();
        let gaps = gaps.into_iter();
        gaps.map(|gap| (gap.rule, gap.owner.unwrap_or_default()))
            .collect::<Vec<_>>()
    };
    let mut cursor = MapCursor::default();
    fleet.follow_map(&mut cursor).await.unwrap();
    assert_eq!(rules().await, [("flow.unknown", "integration".to_owned())]);
    see(&house, service(8443), not_tls(), NOW.0).await;
    see(&house, service(22), not_tls(), NOW.0).await;
    let done = fleet.follow_map(&mut cursor).await.unwrap();
    // The system at both ports, the flow at its own.
    assert_eq!((done.places, done.added, done.removed), (2, 3, 0));
    assert_eq!(
        rules().await,
        [("flow.plaintext", "integration".to_owned())]
    );
    assert_eq!(fleet.follow_map(&mut cursor).await.unwrap().places, 0);
    let map = fleet.flow_map().await.unwrap();
    let guarded = fleet
        .flow_guarded(&map, "EHR interface", NOW)
        .await
        .unwrap();
    assert_eq!(guarded.guards[0].place, "10.10.0.7:8443");
    assert_eq!(guarded.known.criticality, Criticality::Medium);
    let permit = house.permit(Action::ManageFlows);
    let other_port = Flow {
        ports: vec![22],
        phi: Some(false),
        ..records()
    };
    fleet.put_on_map(&permit, other_port, 1, NOW).await.unwrap();
    let done = fleet.follow_map(&mut cursor).await.unwrap();
    assert_eq!((done.places, done.added, done.removed), (2, 1, 1));
    assert!(rules().await.is_empty());
}

async fn r16_gaps_are_findings_and_close_by_themselves(postgres: bool) {
    let house = House::new(postgres).await;
    put(&house).await;
    let fleet = &house.fleet;
    let mut cursor = MapCursor::default();
    let standing = async || {
        let sql = "SELECT rule, subject, owner FROM findings WHERE closed IS NULL ORDER BY rule";
        let rows = house.ca.store().query(sql, vec![]).await.unwrap();
        let rows = rows.iter().map(|row| {
            let text = |column: usize| row.text(column).unwrap().to_owned();
            (text(0), text(1), text(2))
        });
        rows.collect::<Vec<_>>()
    };
    let finding = |rule: &str| {
        let text = |text: &str| text.to_owned();
        vec![(text(rule), text("flow EHR interface"), text("integration"))]
    };
    fleet.follow_flows(&mut cursor, NOW).await.unwrap();
    assert_eq!(standing().await, finding("flow.unknown"));
    see(&house, service(8443), not_tls(), NOW.0).await;
    fleet.follow_flows(&mut cursor, NOW).await.unwrap();
    assert_eq!(standing().await, finding("flow.plaintext"));
    let permit = house.permit(Action::ManageFlows);
    let tunnel = Flow {
        protected_by: Some("IPsec between north and south".to_owned()),
        ..records()
    };
    fleet.put_on_map(&permit, tunnel, 1, NOW).await.unwrap();
    fleet.follow_flows(&mut cursor, NOW).await.unwrap();
    assert!(standing().await.is_empty());
}

#[tokio::test]
async fn r16_calls_that_were_seen_are_on_the_map_or_not() {
    let house = House::new(false).await;
    put(&house).await;
    for port in [8443, 9000] {
        let call = Place::Client {
            address: [10, 10, 1, 9].into(),
            server: [10, 10, 0, 7].into(),
            port,
        };
        let outcome = Outcome::Garbage {
            what: "no certificate".to_owned(),
        };
        see(&house, call, outcome, NOW.0).await;
    }
    let map = house.fleet.flow_map().await.unwrap();
    let calls = house.fleet.observed_calls(&map, false).await.unwrap();
    assert_eq!(calls.len(), 2);
    let off = house.fleet.observed_calls(&map, true).await.unwrap();
    assert_eq!((off.len(), off[0].port), (1, 9000));
    assert_eq!(
        (off[0].from[0].as_str(), off[0].to[0].as_str()),
        ("Portal", "EHR")
    );
}
