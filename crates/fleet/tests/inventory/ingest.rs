//! Taking in observations: one row a certificate and a place, history, and nothing that is older or twice does harm.

use access::{Action, Role, Scope};
use agent::observation::{Observation, Outcome, TlsSeen, Version, VersionSeen};
use fleet::Fleet;

use crate::lab::{Lab, at, said, seen, source};
use crate::support::{House, NOW, on_both, rule};

on_both!(
    r16_a_certificate_is_one_record_wherever_it_is_and_a_chain_is_taken_in_whole,
    r16_the_same_batch_twice_changes_when_it_was_last_seen_and_nothing_else,
    r52_a_place_remembers_what_was_there_and_what_is_older_never_overwrites,
    r16_a_place_that_closes_is_gone_and_silence_is_not_absence,
    r16_what_is_no_certificate_is_counted_and_kept_as_the_places_outcome,
    r16_names_that_would_forge_a_line_are_kept_escaped_and_cut,
    r16_what_a_certificate_gets_wrong_is_recorded_as_it_is,
    r37_who_may_not_is_refused_and_that_is_in_the_log,
    r16_two_processes_that_ingest_at_once_lose_nothing,
    r19_batches_that_come_at_once_are_as_if_they_had_come_one_by_one,
);

async fn r16_a_certificate_is_one_record_wherever_it_is_and_a_chain_is_taken_in_whole(
    postgres: bool,
) {
    let (house, lab) = (House::new(postgres).await, Lab::new());
    let root = lab.root("Vendor Root");
    let leaf = lab.leaf("Vendor Root", "pacs.example.org", &[]);
    let batch = [
        seen(at("10.30.0.1", 443), &[&leaf, &root], 2000),
        seen(at("10.30.0.1", 2762), &[&leaf], 1000),
    ];
    let done = house.ingest(&batch).await;
    assert_eq!((done.certificates_new, done.places_new), (2, 2));
    let rows = house
        .rows("SELECT subject, issuer, key, key_bits, signature, is_ca, self_signed, names, how FROM inventory ORDER BY is_ca")
        .await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].text(0).unwrap(), "CN=pacs.example.org,O=Elsewhere");
    assert_eq!(rows[0].text(1).unwrap(), "CN=Vendor Root,O=Elsewhere");
    assert_eq!(rows[0].text(2).unwrap(), "ec-p256");
    assert_eq!(rows[0].int(3).unwrap(), 256);
    assert_eq!(rows[0].text(4).unwrap(), "ecdsa-sha256");
    assert_eq!(
        rows[0].text(7).unwrap(),
        "cn:pacs.example.org\ndns:pacs.example.org"
    );
    assert_eq!(rows[0].text(8).unwrap(), "scan");
    assert_eq!((rows[1].int(5).unwrap(), rows[1].int(6).unwrap()), (1, 1));
    let events = house.events("inventory.ingest").await;
    assert_eq!(events.len(), 1);
    let lines: String = batch
        .iter()
        .map(|seen| seen.line().unwrap() + "\n")
        .collect();
    assert_eq!(
        events[0].digest,
        Some(audit::merkle::sha256(lines.as_bytes()))
    );
}

async fn r16_the_same_batch_twice_changes_when_it_was_last_seen_and_nothing_else(postgres: bool) {
    let (house, lab) = (House::new(postgres).await, Lab::new());
    let _ = lab.root("R");
    let leaf = lab.leaf("R", "a.example.org", &[]);
    let batch = [seen(at("10.30.0.1", 443), &[&leaf], 5000)];
    house.ingest(&batch).await;
    let all = "SELECT c.first_seen, c.touched, p.first_seen, p.changed_at, p.touched, h.first_seen, h.replaced_at, \
        p.last_seen, c.last_seen, h.last_seen FROM inventory c JOIN places p ON p.certificate = c.id \
        JOIN place_history h ON h.place = p.id";
    let before = house.rows(all).await;
    let again = house.ingest(&batch).await;
    assert_eq!((again.certificates_known, again.places_unchanged), (1, 1));
    assert_eq!(house.rows(all).await, before);
    house
        .ingest(&[seen(at("10.30.0.1", 443), &[&leaf], 0)])
        .await;
    let after = house.rows(all).await;
    assert_eq!(after.len(), 1);
    let values = |rows: Vec<store::Row>| rows.into_iter().next().unwrap().into_values();
    let (before, after) = (values(before), values(after));
    assert_eq!(before[..7], after[..7]);
    assert_eq!(after[7..], vec![store::Value::Int(NOW.0); 3][..]);
}

async fn r52_a_place_remembers_what_was_there_and_what_is_older_never_overwrites(postgres: bool) {
    let (house, lab) = (House::new(postgres).await, Lab::new());
    let _ = lab.root("R");
    let [a, b, c] =
        ["a.example.org", "b.example.org", "c.example.org"].map(|name| lab.leaf("R", name, &[]));
    let place = || at("10.30.0.1", 443);
    house.ingest(&[seen(place(), &[&a], 9000)]).await;
    house
        .ingest(&[seen(place(), &[&b], 5000), seen(place(), &[&a], 7000)])
        .await;
    let late = house.ingest(&[seen(place(), &[&a], 6000)]).await;
    assert_eq!(late.older, 1);
    let earlier = house.ingest(&[seen(place(), &[&c], 20_000)]).await;
    assert_eq!((earlier.older, earlier.certificates_new), (1, 1));
    let rows = house
        .rows("SELECT c.names, h.first_seen, h.last_seen, h.replaced_at FROM place_history h JOIN inventory c ON c.id = h.certificate ORDER BY h.first_seen")
        .await;
    let told: Vec<(String, i64, i64, Option<i64>)> = rows
        .iter()
        .map(|row| {
            let ago = |at: i64| NOW.0 - at;
            let name = row
                .text(0)
                .unwrap()
                .split(':')
                .next_back()
                .unwrap()
                .chars()
                .next()
                .unwrap();
            (
                name.to_string(),
                ago(row.int(1).unwrap()),
                ago(row.int(2).unwrap()),
                row.opt_int(3).unwrap().map(ago),
            )
        })
        .collect();
    let expected = [
        ("c".to_owned(), 20_000, 20_000, Some(9000)),
        ("a".to_owned(), 9000, 7000, Some(5000)),
        ("b".to_owned(), 5000, 5000, None),
    ];
    assert_eq!(told, expected);
    let now = house
        .rows("SELECT c.names FROM places p JOIN inventory c ON c.id = p.certificate")
        .await;
    assert_eq!(
        now[0].text(0).unwrap(),
        "cn:b.example.org\ndns:b.example.org"
    );
}

async fn r16_a_place_that_closes_is_gone_and_silence_is_not_absence(postgres: bool) {
    let (house, lab) = (House::new(postgres).await, Lab::new());
    let _ = lab.root("R");
    let leaf = lab.leaf("R", "a.example.org", &[]);
    let place = || at("10.30.0.1", 443);
    let mut first = seen(place(), &[&leaf], 9000);
    first.tls = Some(TlsSeen {
        versions: vec![VersionSeen {
            version: Version::Tls12,
            suites: vec![0xc02f],
            server_order: None,
            complete: false,
        }],
        ..TlsSeen::default()
    });
    house.ingest(&[first]).await;
    let state = "SELECT certificate, gone, outcome, tls FROM places";
    house
        .ingest(&[said(place(), Outcome::Filtered, 8000)])
        .await;
    let silent = house.rows(state).await;
    assert!(silent[0].opt_int(0).unwrap().is_some());
    assert_eq!(silent[0].opt_int(1).unwrap(), None);
    assert_eq!(silent[0].text(2).unwrap(), "filtered");
    assert!(silent[0].text(3).unwrap().contains("tls1.2"));
    let closed = house.ingest(&[said(place(), Outcome::Closed, 7000)]).await;
    assert_eq!(closed.places_gone, 1);
    let gone = house.rows(state).await;
    assert_eq!(gone[0].opt_int(0).unwrap(), None);
    assert_eq!(gone[0].opt_int(1).unwrap(), Some(NOW.0 - 7000));
    let history = house.rows("SELECT replaced_at FROM place_history").await;
    assert_eq!(history[0].int(0).unwrap(), NOW.0 - 7000);
    let nothing = house
        .ingest(&[
            said(at("10.30.0.2", 443), Outcome::Closed, 0),
            said(at("10.30.0.3", 443), Outcome::Filtered, 0),
        ])
        .await;
    assert_eq!((nothing.nothing, nothing.places_new), (2, 0));
    house.ingest(&[seen(place(), &[&leaf], 1000)]).await;
    let back = house.rows(state).await;
    assert!(back[0].opt_int(0).unwrap().is_some() && back[0].opt_int(1).unwrap().is_none());
}

async fn r16_what_is_no_certificate_is_counted_and_kept_as_the_places_outcome(postgres: bool) {
    let (house, lab) = (House::new(postgres).await, Lab::new());
    let _ = lab.root("R");
    let leaf = lab.leaf("R", "a.example.org", &[]);
    let cut = &leaf[..leaf.len() - 1];
    let done = house
        .ingest(&[
            seen(at("10.30.0.1", 443), &[cut], 0),
            seen(at("10.30.0.2", 443), &[&leaf, b"no certificate"], 0),
        ])
        .await;
    assert_eq!(
        (done.unreadable, done.certificates_new, done.places_new),
        (2, 1, 2)
    );
    let rows = house
        .rows("SELECT outcome, certificate, chain FROM places ORDER BY place")
        .await;
    assert_eq!(rows[0].text(0).unwrap(), "unreadable");
    assert_eq!(rows[0].opt_int(1).unwrap(), None);
    assert_eq!(rows[0].blob(2).unwrap(), audit::merkle::sha256(cut));
    assert_eq!(rows[1].text(0).unwrap(), "certificate");
    assert_eq!(rows[1].blob(2).unwrap().len(), 64);
}

async fn r16_names_that_would_forge_a_line_are_kept_escaped_and_cut(postgres: bool) {
    let (house, lab) = (House::new(postgres).await, Lab::new());
    let _ = lab.root("R");
    let hostile = "x\u{1b}[2J\r\n\u{202e}=cmd|' /C calc'!A0";
    let subject = format!("/CN={}", hostile.replace('/', "\\/"));
    let leaf = lab.leaf("R", "h.example.org", &["-utf8", "-subj", &subject]);
    let place = agent::observation::Place::File {
        host: "engine\u{7}".to_owned(),
        path: format!("/{}\n", "a".repeat(10_000)),
        alias: Some("\0".to_owned()),
    };
    house.ingest(&[seen(place, &[&leaf], 0)]).await;
    let rows = house
        .rows("SELECT c.subject, c.names, p.host, p.path, p.alias, p.place FROM inventory c JOIN places p ON p.certificate = c.id")
        .await;
    for column in 0..6 {
        let text = rows[0].text(column).unwrap();
        let bare = |c: char| c == '\u{202e}' || (c.is_control() && c != '\n');
        assert!(!text.contains(bare), "{column}: {text:?}");
        assert!(text.len() < 5000);
    }
    assert!(
        rows[0].text(0).unwrap().contains("\\u{202e}"),
        "{:?}",
        rows[0].text(0)
    );
}

async fn r16_what_a_certificate_gets_wrong_is_recorded_as_it_is(postgres: bool) {
    let (house, lab) = (House::new(postgres).await, Lab::new());
    let _ = lab.root("R");
    let more = ["-newkey", "rsa:1024", "-sha1", "-days", "36500"];
    let weak = lab.leaf("R", "old.example.org", &more);
    house
        .ingest(&[seen(at("10.30.0.1", 443), &[&weak], 0)])
        .await;
    let rows = house
        .rows("SELECT key, key_bits, signature, not_after - not_before FROM inventory")
        .await;
    assert_eq!(rows[0].text(0).unwrap(), "rsa");
    assert_eq!(rows[0].int(1).unwrap(), 1024);
    assert_eq!(rows[0].text(2).unwrap(), "ecdsa-sha1");
    assert_eq!(rows[0].int(3).unwrap(), 36_500 * 86_400);
}

async fn r37_who_may_not_is_refused_and_that_is_in_the_log(postgres: bool) {
    let house = House::new(postgres).await;
    let auditor = house
        .person("auditor", Role::Auditor, Scope::default())
        .await;
    let permit = house.permit_of(&auditor, Action::ReadInventory);
    let done = house.fleet.ingest(&permit, &source(), &[], NOW).await;
    assert_eq!(rule(done), "permit.action");
    assert_eq!(house.events("inventory.ingest").await.len(), 1);
}

async fn r16_two_processes_that_ingest_at_once_lose_nothing(postgres: bool) {
    let (house, lab) = (House::new(postgres).await, Lab::new());
    let _ = lab.root("R");
    let leaf = lab.leaf("R", "a.example.org", &[]);
    let other = house.elsewhere().await;
    let take = async |fleet: &Fleet, third: u8| {
        for turn in 0..20u8 {
            let address = format!("10.30.{third}.{turn}");
            let batch = [seen(at(&address, 443), &[&leaf], 0)];
            let permit = house.permit(Action::RunDiscovery);
            fleet.ingest(&permit, &source(), &batch, NOW).await.unwrap();
        }
    };
    tokio::join!(take(&house.fleet, 1), take(&other, 2));
    let rows = house
        .rows("SELECT COUNT(*), COUNT(DISTINCT id), COUNT(certificate) FROM places")
        .await;
    for column in 0..3 {
        assert_eq!(rows[0].int(column).unwrap(), 40);
    }
    let head = house
        .rows("SELECT touched, certificates, places FROM inventory_head")
        .await;
    assert_eq!(
        [0, 1, 2].map(|column| head[0].int(column).unwrap()),
        [40, 1, 40]
    );
}

/// Each batch is too large to be written on its caller's thread, so that the next is planned meanwhile. All have the root,
/// every third the same leaf; neighbours have places in common, where the one seen later stays.
async fn r19_batches_that_come_at_once_are_as_if_they_had_come_one_by_one(postgres: bool) {
    let lab = Lab::new();
    let root = lab.root("R");
    let leaf = |number: usize| lab.leaf("R", &format!("leaf-{number}.example.org"), &[]);
    let leaves: Vec<Vec<u8>> = (0..5).map(leaf).collect();
    let batch = |number: usize| -> Vec<Observation> {
        let leaf = &leaves[if number.is_multiple_of(3) {
            0
        } else {
            number % 5
        }];
        let places = number * 300..number * 300 + 400;
        let one = |place: usize| {
            let address = format!("10.31.{}.{}", place / 250, place % 250);
            let ago = (12 - number) * 1000 + place % 7;
            seen(at(&address, 443), &[leaf, &root], ago as i64)
        };
        places.map(one).collect()
    };
    let (together, apart) = (House::new(postgres).await, House::new(postgres).await);
    let calls = (0..12).map(|number| {
        let (fleet, permit) = (
            together.fleet.clone(),
            together.permit(Action::RunDiscovery),
        );
        let batch = batch(number);
        tokio::spawn(async move { fleet.ingest(&permit, &source(), &batch, NOW).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    for number in 0..12 {
        apart.ingest(&batch(number)).await;
    }
    for sql in [
        "SELECT sha256, first_seen, last_seen, how FROM inventory ORDER BY sha256",
        "SELECT p.place, i.sha256, p.first_seen, p.last_seen, p.outcome FROM places p \
            JOIN inventory i ON i.id = p.certificate ORDER BY p.place",
        "SELECT certificates, places, touched FROM inventory_head",
        "SELECT COUNT(*), COUNT(DISTINCT id), MAX(id) FROM places",
        "SELECT COUNT(*), COUNT(DISTINCT id), MAX(id) FROM inventory",
    ] {
        let (one, other) = (together.rows(sql).await, apart.rows(sql).await);
        assert_eq!(one, other, "{sql}");
    }
    assert_eq!(together.events("inventory.ingest").await.len(), 12);
}
