//! R36: what somebody with write access to the database can do, and that the verification finds each of it. The
//! changes are made by the store itself, so that each also adds an event of its own; the last checkpoint is older.

use access::Action;
use audit::verify::Kind;
use audit::{Actor, Event, Object};
use ca::revocation::Revocation;
use store::{Value, Write, params};
use x509::crl::Reason;

use crate::support::{House, NOW, on_both, server};

on_both!(
    r36_every_byte_of_a_stored_event_and_certificate_counts,
    r36_rows_that_are_removed_swapped_or_rewritten_are_found,
    r36_a_status_that_is_changed_or_removed_is_found,
);

/// Changes the database behind the log's back.
async fn tamper(house: &House, sql: &'static str, params: Vec<Value>) {
    let event = Event::new(
        NOW,
        Actor::system("test"),
        "test.tamper",
        Object::new("database", "it"),
    );
    let write = Write::new(event).unwrap().run(sql, params);
    house.ca.store().commit(write).await.unwrap();
}

async fn findings(house: &House) -> Vec<Kind> {
    let notary = house.ca.notary().await.unwrap();
    let report = notary.verify(None, NOW, |_, _| {}).await.unwrap();
    report.findings.iter().map(|found| found.kind).collect()
}

/// A house with four certificates, of which two are revoked and one was on hold, and a checkpoint over it all.
async fn house(postgres: bool) -> House {
    let house = House::new(postgres).await;
    let mut issued = Vec::new();
    for name in [
        "a.example.org",
        "b.example.org",
        "c.example.org",
        "d.example.org",
    ] {
        issued.push(house.issue(server(name)).await.unwrap());
    }
    change(&house, &issued[0].sha256, Reason::Superseded).await;
    change(&house, &issued[1].sha256, Reason::CertificateHold).await;
    change(&house, &issued[3].sha256, Reason::KeyCompromise).await;
    let held = house
        .ca
        .find_certificate(&hex::encode(issued[1].sha256))
        .await
        .unwrap();
    let permit = house.admin(Action::RevokeCertificate);
    house
        .ca
        .release(permit, &held, None, None, NOW)
        .await
        .unwrap();
    house
        .ca
        .notary()
        .await
        .unwrap()
        .checkpoint(NOW)
        .await
        .unwrap();
    assert_eq!(findings(&house).await, []);
    house
}

pub(crate) async fn change(house: &House, sha256: &[u8; 32], reason: Reason) {
    let stored = house
        .ca
        .find_certificate(&hex::encode(sha256))
        .await
        .unwrap();
    let revocation = Revocation {
        reason,
        invalid_since: None,
        why: None,
        request_id: None,
    };
    let permit = house.admin(Action::RevokeCertificate);
    house
        .ca
        .revoke(permit, &stored, revocation, NOW)
        .await
        .unwrap();
}

async fn blob(house: &House, sql: &'static str) -> Vec<u8> {
    let rows = house.ca.store().query(sql, vec![]).await.unwrap();
    rows[0].blob(0).unwrap().to_vec()
}

/// An entry under the checkpoint, and the newest certificate.
const BODY: &str = "SELECT body FROM log_events WHERE seq = (SELECT MAX(seq) - 6 FROM log_events)";
const SET_BODY: &str = "UPDATE log_events SET body = $1 WHERE body = $2";
const DER: &str = "SELECT der FROM certificates ORDER BY id DESC LIMIT 1";
const SET_DER: &str = "UPDATE certificates SET der = $1 WHERE der = $2";

async fn r36_every_byte_of_a_stored_event_and_certificate_counts(postgres: bool) {
    let house = house(postgres).await;
    // The PostgreSQL run takes a sample: the rows are compared by the same code.
    let step = if postgres { 17 } else { 1 };
    for (read, write) in [(BODY, SET_BODY), (DER, SET_DER)] {
        let right = blob(&house, read).await;
        for place in (0..right.len()).step_by(step) {
            let mut wrong = right.clone();
            wrong[place] ^= 1 << (place % 8);
            tamper(&house, write, params![&wrong, &right]).await;
            assert_ne!(
                findings(&house).await,
                [],
                "byte {place} of {}",
                right.len()
            );
            tamper(&house, write, params![&right, &wrong]).await;
        }
        for wrong in [
            &right[1..],
            &right[..right.len() - 1],
            &[&right[..], &[0]].concat(),
        ] {
            tamper(&house, write, params![wrong, &right]).await;
            assert_ne!(findings(&house).await, []);
            tamper(&house, write, params![&right, wrong]).await;
        }
    }
    assert_eq!(findings(&house).await, []);
}

async fn r36_rows_that_are_removed_swapped_or_rewritten_are_found(postgres: bool) {
    let cases: [(&str, Kind); 13] = [
        ("DELETE FROM log_events WHERE seq = 5", Kind::MissingEntry),
        (
            "UPDATE log_events SET leaf = (SELECT leaf FROM log_events WHERE seq = 4) WHERE seq = 5",
            Kind::LeafDisagrees,
        ),
        (
            "UPDATE log_events SET body = (SELECT body FROM log_events AS o WHERE o.seq = 9 - log_events.seq), \
             leaf = (SELECT leaf FROM log_events AS o WHERE o.seq = 9 - log_events.seq) WHERE seq IN (4, 5)",
            Kind::RootDisagrees,
        ),
        (
            "DELETE FROM certificates WHERE profile = 'server-tls'",
            Kind::MissingCertificate,
        ),
        (
            "UPDATE certificates SET der = (SELECT der FROM certificates AS o WHERE o.id <> certificates.id \
             AND o.profile = 'server-tls' ORDER BY o.id LIMIT 1) WHERE profile = 'server-tls'",
            Kind::CertificateDisagrees,
        ),
        (
            "UPDATE certificates SET issuer = 'people' WHERE profile = 'server-tls'",
            Kind::RowDisagrees,
        ),
        (
            "UPDATE certificates SET serial = sha256 WHERE profile = 'server-tls'",
            Kind::RowDisagrees,
        ),
        (
            "UPDATE certificates SET subject = 'CN=nobody' WHERE profile = 'server-tls'",
            Kind::RowDisagrees,
        ),
        (
            "UPDATE certificates SET names = 'dns:x' WHERE profile = 'server-tls'",
            Kind::RowDisagrees,
        ),
        (
            "UPDATE certificates SET profile = 'ca' WHERE profile = 'server-tls'",
            Kind::RowDisagrees,
        ),
        (
            "UPDATE certificates SET not_after = not_after + 1 WHERE profile = 'server-tls'",
            Kind::RowDisagrees,
        ),
        (
            "UPDATE certificates SET partition = 7 WHERE profile = 'server-tls'",
            Kind::RowDisagrees,
        ),
        (
            "UPDATE certificates SET requester = 'somebody' WHERE profile = 'server-tls'",
            Kind::RowDisagrees,
        ),
    ];
    for (sql, kind) in cases {
        let house = house(postgres).await;
        tamper(&house, sql, vec![]).await;
        let found = findings(&house).await;
        assert!(found.contains(&kind), "{sql}: {found:?}");
    }
}

async fn r36_a_status_that_is_changed_or_removed_is_found(postgres: bool) {
    for sql in [
        "DELETE FROM revocations WHERE reason = 4",
        "DELETE FROM revocations WHERE reason = 8",
        "DELETE FROM compromised_keys",
        "UPDATE compromised_keys SET spki_sha256 = (SELECT sha256 FROM certificates WHERE names = 'dns:c.example.org')",
        "UPDATE revocations SET reason = 8 WHERE reason = 4",
        "UPDATE revocations SET reason = 1 WHERE reason = 4",
        "UPDATE revocations SET issuer = 'people' WHERE reason = 4",
        "INSERT INTO revocations(issuer, serial, partition, reason, revoked_at, changed_at, expires) \
         SELECT issuer, serial, 0, 4, 0, 0, 0 FROM certificates WHERE names = 'dns:c.example.org'",
    ] {
        let house = house(postgres).await;
        tamper(&house, sql, vec![]).await;
        let found = findings(&house).await;
        assert!(found.contains(&Kind::StatusDisagrees), "{sql}: {found:?}");
    }
}
