//! R36: what somebody with write access to the database could do to the log, and that the
//! verifier finds each of it and names it.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests are tests.

mod sample;

use audit::merkle::Frontier;
use audit::verify::{Kind, Report, Verifier};
use audit::{Actor, Event, Object, Outcome, Timestamp, merkle};
use sample::Log;

type Row = (u64, Vec<u8>, Vec<u8>);

/// What a database holds of a log.
struct Database {
    log: Log,
    rows: Vec<Row>,
    certificates: Vec<(Vec<u8>, Vec<u8>)>,
    checkpoints: Vec<String>,
    head: (u64, Vec<u8>),
}

impl Database {
    fn new() -> Self {
        let log = Log::new(60);
        let rows = log.entries.iter().enumerate().map(|(seq, (body, _))| {
            let leaf = merkle::leaf_hash(body).to_vec();
            (seq as u64, body.clone(), leaf)
        });
        let ders = log.entries.iter().filter_map(|(_, der)| der.clone());
        Database {
            rows: rows.collect(),
            certificates: ders
                .map(|der| (merkle::sha256(&der).to_vec(), der))
                .collect(),
            checkpoints: vec![log.checkpoint(20), log.checkpoint(50)],
            head: (60, log.frontier(60).encode()),
            log,
        }
    }

    fn verify(&self) -> Report {
        let mut verifier = Verifier::new();
        for (number, note) in self.checkpoints.iter().enumerate() {
            let name = format!("checkpoint {number}");
            verifier.checkpoint(&name, note, &self.log.key).unwrap();
        }
        for (seq, body, leaf) in &self.rows {
            verifier.event(*seq, body, Some(leaf));
        }
        for (digest, der) in &self.certificates {
            verifier.certificate("a row", der, Some(digest));
        }
        verifier.head(self.head.0, &self.head.1);
        verifier.finish(None)
    }

    /// Writes the row's leaf hash, and the head, so that they fit what the bodies have become.
    fn cover_up(&mut self) {
        let mut frontier = Frontier::new();
        for (_, body, leaf) in &mut self.rows {
            *leaf = merkle::leaf_hash(body).to_vec();
            frontier.append(merkle::leaf_hash(body));
        }
        self.head = (self.rows.len() as u64, frontier.encode());
    }
}

/// The kinds and entries that were found after `tamper`.
fn found(tamper: impl FnOnce(&mut Database)) -> Vec<(Kind, Option<u64>)> {
    let mut database = Database::new();
    tamper(&mut database);
    let findings = database.verify().findings;
    findings
        .into_iter()
        .map(|finding| (finding.kind, finding.seq))
        .collect()
}

#[test]
fn r36_an_untouched_log_verifies() {
    let report = Database::new().verify();
    assert_eq!(report.findings, []);
    assert_eq!(report.counts.events, 60);
    assert_eq!(report.counts.certificates, 10);
    assert_eq!(report.counts.checkpoints, 2);
    assert!(report.is_ok());
}

#[test]
fn r36_an_edited_body_is_found_and_named() {
    let edit = |d: &mut Database| d.rows[30].1[37] ^= 1;
    let kinds = found(edit);
    assert_eq!(kinds[0], (Kind::LeafDisagrees, Some(30)));
    assert!(kinds.contains(&(Kind::RootDisagrees, Some(20))));
    // With the leaf and the head rewritten, the signed checkpoints still find it, and tell
    // between which two of them it happened.
    let kinds = found(|d| {
        edit(d);
        d.cover_up();
    });
    assert_eq!(kinds, [(Kind::RootDisagrees, Some(20))]);
    // After the last checkpoint only the head speaks.
    let kinds = found(|d| {
        d.rows[55].1[37] ^= 1;
        d.rows[55].2 = merkle::leaf_hash(&d.rows[55].1).to_vec();
    });
    assert_eq!(kinds, [(Kind::HeadDisagrees, None)]);
}

#[test]
fn r36_an_edited_leaf_hash_is_found() {
    assert_eq!(
        found(|d| d.rows[3].2[0] ^= 1),
        [(Kind::LeafDisagrees, Some(3))]
    );
    assert_eq!(
        found(|d| d.rows[3].2.clear()),
        [(Kind::LeafDisagrees, Some(3))]
    );
}

#[test]
fn r36_a_deleted_row_is_found() {
    let kinds = found(|d| {
        d.rows.remove(33);
    });
    assert_eq!(kinds[0], (Kind::MissingEntry, Some(33)));
    assert!(kinds.contains(&(Kind::HeadDisagrees, None)));
    let kinds = found(|d| {
        d.rows.remove(33);
        for (seq, row) in d.rows.iter_mut().enumerate() {
            row.0 = seq as u64;
        }
        d.cover_up();
    });
    assert_eq!(kinds, [(Kind::RootDisagrees, Some(20))]);
}

#[test]
fn r36_truncation_is_found() {
    let kinds = found(|d| {
        d.rows.truncate(47);
        d.cover_up();
        d.certificates.pop();
        d.certificates.pop();
    });
    assert!(kinds.contains(&(Kind::Truncated, Some(47))), "{kinds:?}");
    let kinds = found(|d| d.rows.clear());
    assert_eq!(
        kinds
            .iter()
            .filter(|(kind, _)| *kind == Kind::Truncated)
            .count(),
        2
    );
}

#[test]
fn r36_rows_out_of_order_or_twice_are_found() {
    let kinds = found(|d| d.rows.swap(10, 11));
    assert!(
        kinds.contains(&(Kind::RepeatedEntry, Some(10))),
        "{kinds:?}"
    );
    let kinds = found(|d| {
        let (left, right) = d.rows.split_at_mut(11);
        std::mem::swap(&mut left[10].1, &mut right[0].1);
        d.cover_up();
    });
    assert!(kinds.contains(&(Kind::RootDisagrees, Some(0))), "{kinds:?}");
    let kinds = found(|d| {
        let row = d.rows[12].clone();
        d.rows.insert(13, row);
    });
    assert_eq!(kinds, [(Kind::RepeatedEntry, Some(12))]);
}

#[test]
fn r36_a_checkpoint_of_another_key_or_tree_is_found() {
    let kinds = found(|d| {
        d.checkpoints[1] = d.checkpoints[1].replace("example/log", "example/lag");
    });
    assert_eq!(kinds, [(Kind::BadCheckpoint, None)]);
    let kinds = found(|d| d.checkpoints.push(d.log.sign(60, [1; 32])));
    assert_eq!(kinds, [(Kind::RootDisagrees, Some(50))]);
    let mut verifier = Verifier::new();
    let log = Log::new(3);
    verifier.event(0, &log.entries[0].0, None);
    let late = verifier.checkpoint("late", &log.checkpoint(0), &log.key);
    assert!(
        late.is_err(),
        "a checkpoint that cannot be compared is not passed over"
    );
}

#[test]
fn r36_a_stored_certificate_that_differs_is_found() {
    let kinds = found(|d| d.certificates[0].1[3] ^= 1);
    assert_eq!(kinds[0], (Kind::CertificateDisagrees, Some(1)));
    let kinds = found(|d| {
        let (digest, der) = &mut d.certificates[0];
        der[3] ^= 1;
        *digest = merkle::sha256(der).to_vec();
    });
    assert_eq!(
        kinds,
        [
            (Kind::MissingCertificate, Some(1)),
            (Kind::UnloggedCertificate, None)
        ]
    );
    let kinds = found(|d| d.certificates[0].0[0] ^= 1);
    assert_eq!(
        kinds,
        [
            (Kind::CertificateDisagrees, None),
            (Kind::MissingCertificate, Some(1))
        ]
    );
    let kinds = found(|d| {
        d.certificates.remove(2);
    });
    assert_eq!(kinds, [(Kind::MissingCertificate, Some(11))]);
    let kinds = found(|d| {
        let row = d.certificates[2].clone();
        d.certificates.push(row.clone());
        d.certificates.push(row);
    });
    assert_eq!(kinds, [(Kind::UnloggedCertificate, None); 2]);
}

#[test]
fn r36_certificates_may_come_before_their_events() {
    let database = Database::new();
    let mut verifier = Verifier::new();
    for (digest, der) in database.certificates.iter().rev() {
        verifier.certificate("a row", der, Some(digest));
    }
    for (seq, body, leaf) in &database.rows {
        verifier.event(*seq, body, Some(leaf));
    }
    let report = verifier.finish(None);
    assert!(report.is_ok(), "{:?}", report.findings);
    assert_eq!(report.counts.certificates, 10);
}

fn certificate_event(at: i64, action: &'static str, outcome: Outcome) -> Vec<u8> {
    let object = Object::new("certificate", "01");
    let event = Event::new(Timestamp(at), Actor::system("t"), action, object);
    event.outcome(outcome).seal().unwrap().body
}

#[test]
fn r36_a_signature_that_was_announced_must_be_accounted_for() {
    use Outcome::{Done, Refused};
    let intend = || certificate_event(5, "certificate.intend", Done);
    let void = || certificate_event(6, "certificate.void", Done);
    let issue = |outcome| certificate_event(7, "certificate.issue", outcome);
    type Case<'a> = (Vec<Vec<u8>>, Option<i64>, &'a [Kind]);
    let cases: [Case<'_>; 7] = [
        (vec![intend()], None, &[Kind::OpenIntent]),
        (vec![intend()], Some(5), &[]),
        (vec![intend()], Some(6), &[Kind::OpenIntent]),
        (vec![intend(), void()], None, &[]),
        (
            vec![intend(), intend(), void()],
            None,
            &[Kind::RepeatedIntent],
        ),
        (vec![intend(), issue(Refused)], None, &[Kind::OpenIntent]),
        (vec![intend(), issue(Done)], None, &[Kind::NoDigest]),
    ];
    for (number, (bodies, since, expected)) in cases.into_iter().enumerate() {
        let mut verifier = Verifier::new();
        for (seq, body) in bodies.iter().enumerate() {
            verifier.event(seq as u64, body, None);
        }
        let report = verifier.finish(since.map(Timestamp));
        let kinds: Vec<Kind> = report.findings.iter().map(|finding| finding.kind).collect();
        assert_eq!(kinds, expected, "case {number}");
    }
}

/// An event about a certificate or a block of serial numbers, with what it says.
fn saying(action: &'static str, object: &str, after: serde_json::Value) -> Vec<u8> {
    let object = Object::new("any", object);
    let event = Event::new(Timestamp(5), Actor::system("t"), action, object).after(after);
    let event = match action {
        "certificate.issue" => event.digest(merkle::sha256(b"der")),
        _ => event,
    };
    event.seal().unwrap().body
}

#[test]
fn r36_every_serial_number_was_reserved_and_every_reservation_is_accounted_for() {
    use serde_json::json;
    let hash = |serials: &[&[u8]]| hex::encode(merkle::sha256(&serials.concat()));
    let reserve = |count: u64, hash: String| {
        let after = json!({"issuer": "i", "partition": 0, "count": count, "serials_sha256": hash});
        saying("certificate.reserve", "b", after)
    };
    let two = || reserve(2, hash(&[b"\x01", b"\x02"]));
    let issue = |serial, block: Option<&str>| {
        let after = json!({"issuer": "i", "profile": "p", "block": block});
        saying("certificate.issue", serial, after)
    };
    let void = |serial, issuer: &str| {
        let after = json!({"issuer": issuer, "block": "b"});
        saying("certificate.void", serial, after)
    };
    let back =
        |unused: serde_json::Value| saying("certificate.unreserve", "b", json!({"unused": unused}));
    let ceremony = saying(
        "certificate.issue",
        "09",
        json!({"issuer": "root", "profile": "ca"}),
    );
    type Case<'a> = (&'a str, Vec<Vec<u8>>, &'a [Kind], u64);
    let no = &[Kind::ReservationDisagrees][..];
    let cases: Vec<Case<'_>> = vec![
        ("open", vec![two()], &[], 2),
        ("one used", vec![two(), issue("02", Some("b"))], &[], 1),
        (
            "used up",
            vec![two(), issue("02", Some("b")), void("01", "i")],
            &[],
            0,
        ),
        (
            "used up, row gone",
            vec![
                two(),
                issue("02", Some("b")),
                void("01", "i"),
                back(json!([])),
            ],
            &[],
            0,
        ),
        ("given back", vec![two(), back(json!(["01", "02"]))], &[], 0),
        (
            "used and given back",
            vec![two(), issue("02", Some("b")), back(json!(["01"]))],
            &[],
            0,
        ),
        ("neither", vec![issue("02", None)], &[Kind::NotReserved], 0),
        ("of an authority, in a ceremony", vec![ceremony], &[], 0),
        (
            "a block that is not there",
            vec![issue("02", Some("b"))],
            &[Kind::NotReserved],
            0,
        ),
        (
            "after its end",
            vec![two(), back(json!(["01", "02"])), issue("02", Some("b"))],
            &[Kind::NotReserved],
            0,
        ),
        (
            "another number",
            vec![two(), issue("03", Some("b")), void("01", "i")],
            no,
            0,
        ),
        (
            "another number given back",
            vec![two(), issue("02", Some("b")), back(json!(["03"]))],
            no,
            0,
        ),
        (
            "one forgotten",
            vec![two(), issue("02", Some("b")), back(json!([]))],
            no,
            0,
        ),
        (
            "one too many",
            vec![two(), back(json!(["01", "02", "03"]))],
            no,
            0,
        ),
        (
            "used twice",
            vec![two(), void("02", "i"), void("02", "i")],
            no,
            1,
        ),
        (
            "used and unused",
            vec![two(), void("02", "i"), back(json!(["02", "01"]))],
            no,
            1,
        ),
        ("another issuer", vec![two(), void("02", "j")], no, 2),
        ("reserved twice", vec![two(), two()], no, 2),
        ("of nothing", vec![reserve(0, hash(&[]))], no, 0),
        (
            "given back out of nothing",
            vec![back(json!(["01"]))],
            no,
            0,
        ),
        ("given back unnamed", vec![two(), back(json!(null))], no, 2),
    ];
    for (what, bodies, expected, left) in cases {
        let mut verifier = Verifier::new();
        for (seq, body) in bodies.iter().enumerate() {
            verifier.event(seq as u64, body, None);
        }
        verifier.certificate("a row", b"der", None);
        let report = verifier.finish(None);
        let mut kinds: Vec<Kind> = report.findings.iter().map(|finding| finding.kind).collect();
        // The row that stands for every issuance is not what is tested here.
        kinds.retain(|kind| *kind != Kind::UnloggedCertificate);
        assert_eq!(kinds, expected, "{what}: {:?}", report.findings);
        assert_eq!(report.counts.reserved_serials, left, "{what}");
    }
}

#[test]
fn a_hopeless_log_does_not_fill_the_memory_with_findings() {
    let mut verifier = Verifier::new();
    for seq in 0..1500 {
        verifier.event(seq, b"not an event", Some(&[0; 32]));
    }
    let report = verifier.finish(None);
    assert_eq!(report.findings.len(), 1000);
    assert_eq!(report.more_findings, 2000);
}
