//! What a protocol writes along with an issuance stands exactly when the certificate does.

use access::Action;
use ca::{Along, CaError, Gap, IssueRequest, Issued, Outcome};
use store::{StoreError, Write};

use crate::support::{House, NOW, on_both, rule, server};

on_both!(
    both_writes_carry_it,
    a_refused_request_leaves_nothing,
    of_many_at_once_one_becomes_a_certificate,
    a_crash_between_leaves_the_first_half,
    what_changed_meanwhile_stops_the_certificate,
    a_request_that_has_to_wait_is_refused,
);

const KIND: &str = "test-order";

/// A request with a record that is written with the intent and again with the certificate.
fn ordered(order: &'static str) -> IssueRequest {
    let mut request = server("a.example.org");
    request.idempotency_key = Some(order.to_owned());
    request.along = Along::new(
        move |write: Write| write.put_record(KIND, order, 0, &"processing", NOW),
        move |write: Write, sha256| write.put_record(KIND, order, 1, &hex::encode(sha256), NOW),
    );
    request
}

async fn state(house: &House, order: &str) -> Option<String> {
    let record = house.ca.store().record(KIND, order).await.unwrap()?;
    Some(record.parse().unwrap())
}

async fn leaves(house: &House) -> (usize, usize, usize) {
    let store = house.ca.store();
    let count = async |sql: &'static str| store.query(sql, vec![]).await.unwrap().len();
    (
        count("SELECT serial FROM intents").await,
        count("SELECT serial FROM certificates WHERE profile <> 'ca'").await,
        count("SELECT serial FROM revocations").await,
    )
}

async fn both_writes_carry_it(postgres: bool) {
    let house = House::new(postgres).await;
    let issued = house.issue(ordered("one")).await.unwrap();
    assert_eq!(state(&house, "one").await, Some(hex::encode(issued.sha256)));
    let record = house.ca.store().record(KIND, "one").await.unwrap().unwrap();
    assert_eq!(record.version, 2);
}

async fn a_refused_request_leaves_nothing(postgres: bool) {
    let house = House::new(postgres).await;
    let mut request = ordered("one");
    request.names = Some(vec![x509::GeneralName::Uri("urn:nobody".to_owned())]);
    assert_eq!(rule(house.issue(request).await), "names.kind");
    assert_eq!(state(&house, "one").await, None);
    assert_eq!(leaves(&house).await, (0, 0, 0));
}

async fn of_many_at_once_one_becomes_a_certificate(postgres: bool) {
    let house = House::new(postgres).await;
    let tries: Vec<_> = (0..12)
        .map(|_| {
            let permit = house.admin(Action::IssueCertificate);
            let ca = house.ca.clone();
            tokio::spawn(async move { ca.issue(permit, ordered("one"), NOW).await })
        })
        .collect();
    let mut issued: Vec<Issued> = Vec::new();
    for ended in tries {
        match ended.await.unwrap() {
            Ok(Outcome::Issued(one)) => issued.push(*one),
            Ok(Outcome::Pending(id)) => panic!("{id} waits"),
            // The order was there, or its intent was.
            Err(CaError::Store(StoreError::Conflict(_) | StoreError::Duplicate(_))) => {}
            Err(CaError::Refused(refusal)) => {
                assert_eq!(refusal.rule, "idempotency.in-progress");
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(issued.len(), 1);
    let sha256 = hex::encode(issued[0].sha256);
    assert_eq!(state(&house, "one").await, Some(sha256));
    assert_eq!(leaves(&house).await, (0, 1, 0));
}

async fn a_crash_between_leaves_the_first_half(postgres: bool) {
    for gap in [Gap::Intended, Gap::Signed] {
        let house = House::new(postgres).await;
        house.ca.stop_at(gap, false);
        let stopped = house.issue(ordered("one")).await;
        assert!(matches!(stopped, Err(CaError::Interrupted(_))));
        assert_eq!(state(&house, "one").await.as_deref(), Some("processing"));
        assert_eq!(leaves(&house).await, (1, 0, 0));
    }
    let house = House::new(postgres).await;
    house.ca.stop_at(Gap::Recorded, false);
    assert!(house.issue(ordered("one")).await.is_err());
    assert_ne!(state(&house, "one").await.as_deref(), Some("processing"));
    assert_eq!(leaves(&house).await, (0, 1, 0));
}

/// The order is gone when the signature comes: the certificate must not exist, and its serial
/// number counts as revoked.
async fn what_changed_meanwhile_stops_the_certificate(postgres: bool) {
    let house = House::new(postgres).await;
    let mut request = server("a.example.org");
    request.along = Along::new(Ok, |write: Write, sha256| {
        write.put_record(KIND, "gone", 7, &hex::encode(sha256), NOW)
    });
    let stopped = house.issue(request).await;
    assert!(matches!(
        stopped,
        Err(CaError::Store(StoreError::Conflict(_)))
    ));
    assert_eq!(leaves(&house).await, (0, 0, 1));
    assert_eq!(house.events("certificate.void").await.len(), 1);
}

async fn a_request_that_has_to_wait_is_refused(postgres: bool) {
    let house = House::new(postgres).await;
    let mut request = ordered("one");
    request.profile = "code-signing".to_owned();
    assert_eq!(rule(house.issue(request).await), "approval.wait");
    assert_eq!(state(&house, "one").await, None);
}
