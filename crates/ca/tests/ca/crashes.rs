//! What a crash in each gap of the cycle leaves behind, and what start-up makes of it.

use access::Action;
use audit::Timestamp;
use ca::{CaError, Gap};

use x509::crl::Reason;

use crate::support::{House, NOW, on_both, server};
use crate::tamper::change;

on_both!(
    after_the_intent_it_is_voided,
    after_the_signature_it_is_voided,
    after_the_record_the_certificate_stands,
    an_intent_that_was_voided_meanwhile_cannot_become_a_certificate,
    an_intent_that_may_be_under_way_is_left_alone,
    r13_a_revocation_before_a_crash_is_published_after_it,
);

async fn crash(house: &House, gap: Gap) {
    house.ca.stop_at(gap, false);
    let permit = house.admin(Action::IssueCertificate);
    let stopped = house.ca.issue(permit, server("a.example.org"), NOW).await;
    assert!(matches!(stopped, Err(CaError::Interrupted(_))));
}

/// Serial numbers in intents, in certificates below the hierarchy, in revocations.
async fn counts(house: &House) -> (usize, usize, usize) {
    let store = house.ca.store();
    let count = async |sql: &'static str| store.query(sql, vec![]).await.unwrap().len();
    (
        count("SELECT serial FROM intents").await,
        count("SELECT serial FROM certificates WHERE profile <> 'ca'").await,
        count("SELECT serial FROM revocations").await,
    )
}

async fn voided(house: &House) {
    assert_eq!(counts(house).await, (1, 0, 0));
    // The next start, a minute and more later.
    let later = Timestamp(NOW.0 + 61_000);
    let again = house.again(later).await;
    assert_eq!(counts(house).await, (0, 0, 1));
    let intent = house.events("certificate.intend").await.pop().unwrap();
    let void = house.events("certificate.void").await.pop().unwrap();
    assert_eq!(intent.object, void.object);
    // Nothing is left to do, and issuance goes on.
    assert_eq!(again.void_abandoned(true, later).await.unwrap(), 0);
    house.issue(server("a.example.org")).await.unwrap();
    let mut verifier = audit::verify::Verifier::new();
    for entry in house.ca.store().events(0, 10_000).await.unwrap() {
        verifier.event(entry.seq, &entry.body, Some(&entry.leaf));
    }
    let report = verifier.finish(None);
    let open = report
        .findings
        .iter()
        .filter(|f| f.kind == audit::verify::Kind::OpenIntent);
    assert_eq!(open.count(), 0);
}

async fn after_the_intent_it_is_voided(postgres: bool) {
    let house = House::new(postgres).await;
    crash(&house, Gap::Intended).await;
    voided(&house).await;
}

async fn after_the_signature_it_is_voided(postgres: bool) {
    let house = House::new(postgres).await;
    crash(&house, Gap::Signed).await;
    voided(&house).await;
}

async fn after_the_record_the_certificate_stands(postgres: bool) {
    let house = House::new(postgres).await;
    crash(&house, Gap::Recorded).await;
    assert_eq!(counts(&house).await, (0, 1, 0));
    house.again(Timestamp(NOW.0 + 61_000)).await;
    assert_eq!(counts(&house).await, (0, 1, 0));
    assert_eq!(house.events("certificate.void").await.len(), 0);
}

/// Two nodes: one is slow, the other takes it for dead. The slow one must not succeed after all.
async fn an_intent_that_was_voided_meanwhile_cannot_become_a_certificate(postgres: bool) {
    let house = House::new(postgres).await;
    crash(&house, Gap::Signed).await;
    assert_eq!(house.ca.void_abandoned(true, NOW).await.unwrap(), 1);
    let serial = house
        .events("certificate.void")
        .await
        .pop()
        .unwrap()
        .object
        .id;
    let event = audit::Event::new(
        NOW,
        audit::Actor::system("late"),
        "certificate.issue",
        audit::Object::new("certificate", serial.as_str()),
    );
    let write = store::Write::new(event).unwrap().run_expecting(
        1,
        "DELETE FROM intents WHERE serial = $1",
        store::params![hex::decode(&serial).unwrap()],
        "voided",
    );
    let late = house.ca.store().commit(write).await;
    assert!(matches!(late, Err(store::StoreError::Conflict(_))));
}

async fn an_intent_that_may_be_under_way_is_left_alone(postgres: bool) {
    let house = House::new(postgres).await;
    crash(&house, Gap::Intended).await;
    let soon = Timestamp(NOW.0 + 30_000);
    let again = house.again(soon).await;
    assert_eq!(counts(&house).await, (1, 0, 0));
    // A server that holds the lock knows that it is alone.
    assert_eq!(again.void_abandoned(true, soon).await.unwrap(), 1);
    assert_eq!(counts(&house).await, (0, 0, 1));
}

async fn r13_a_revocation_before_a_crash_is_published_after_it(postgres: bool) {
    let house = House::new(postgres).await;
    let issued = house.issue(server("a.example.org")).await.unwrap();
    house.ca.publish_due(NOW).await.unwrap();
    change(&house, &issued.sha256, Reason::KeyCompromise).await;
    // Another process has seen nothing of it.
    let later = Timestamp(NOW.0 + 5_000);
    let again = house.again(later).await;
    let name = ca::crl::ListName::parse_path("servers/0.crl").unwrap();
    again.publish_due(later).await.unwrap();
    assert_eq!(again.crl(&name).await.unwrap().unwrap().entries, 0);
    again.mark_overtaken().await.unwrap();
    again.publish_due(later).await.unwrap();
    assert_eq!(again.crl(&name).await.unwrap().unwrap().entries, 1);
}
