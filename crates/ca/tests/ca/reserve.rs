//! Reserved serial numbers: every signature's number is on the disk before it, a certificate is one
//! write, and whatever becomes of a process each number ends as a certificate's, as revoked or unused.

use std::collections::HashSet;

use access::Action;
use audit::Timestamp;
use audit::merkle::sha256;
use ca::{Along, Ca, CaError, Gap, IssueRequest, Issued, Outcome};
use store::{StoreError, Write};

use crate::support::{House, NOW, on_both, server};

on_both!(
    a_certificate_is_one_write_under_a_number_reserved_before,
    blocks_grow_with_use_and_shrink_without,
    many_at_once_never_share_a_number,
    what_a_crash_leaves_of_a_block_is_voided,
    a_number_that_was_not_signed_under_is_used_again,
    a_number_whose_issuance_was_cut_short_is_voided_by_its_own_process,
    blocks_of_the_living_are_left_alone,
    who_was_taken_for_dead_records_nothing,
    who_does_not_keep_its_lease_announces_each_signature,
    a_clean_end_leaves_no_voids,
    of_many_with_one_idempotency_key_one_is_signed,
    two_nodes_with_one_idempotency_key_make_one_certificate,
    both_additions_of_a_protocol_are_in_the_one_write,
    one_addition_in_the_place_of_both_tells_the_second_from_the_first,
    what_changed_meanwhile_voids_the_number,
);

fn after(seconds: i64) -> Timestamp {
    Timestamp(NOW.0 + seconds * 1000)
}

/// A house whose process reserves ahead.
async fn keeping(postgres: bool) -> House {
    let house = House::new(postgres).await;
    house.ca.keep_serials(NOW).await.unwrap();
    house
}

async fn issue(ca: &Ca, request: IssueRequest, now: Timestamp) -> Result<Issued, CaError> {
    let principal = ca.access().local_principal("root");
    let target = access::Target::default();
    let permit = ca
        .access()
        .decide(&principal, Action::IssueCertificate, &target)
        .unwrap();
    match ca.issue(permit, request, now).await? {
        Outcome::Issued(issued) => Ok(*issued),
        Outcome::Pending(id) => panic!("request {id} waits"),
    }
}

async fn count(house: &House, sql: &'static str) -> usize {
    house.ca.store().query(sql, vec![]).await.unwrap().len()
}

/// Blocks, certificates below the hierarchy, revocations; there is never an intent.
async fn counts(house: &House) -> (usize, usize, usize) {
    assert_eq!(count(house, "SELECT serial FROM intents").await, 0);
    (
        count(house, "SELECT id FROM serial_blocks").await,
        count(
            house,
            "SELECT serial FROM certificates WHERE profile <> 'ca'",
        )
        .await,
        count(house, "SELECT serial FROM revocations").await,
    )
}

/// Log and rows fit each other; says how many numbers are reserved and open by the log.
async fn verified(house: &House) -> u64 {
    let store = house.ca.store();
    let key = ca::stored_log_key(store).await.unwrap().unwrap();
    let report = ca::verify_log(store, &key, None, NOW, |_, _| {});
    let report = report.await.unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(report.counts.open_intents, 0);
    report.counts.reserved_serials
}

/// How many numbers each reservation had.
async fn sizes(house: &House) -> Vec<u64> {
    let events = house.events("certificate.reserve").await;
    let size = |event: &audit::Event| event.after.as_ref()?.get("count")?.as_u64();
    events.iter().map(|event| size(event).unwrap()).collect()
}

async fn a_certificate_is_one_write_under_a_number_reserved_before(postgres: bool) {
    let house = keeping(postgres).await;
    let store = house.ca.store();
    let before = store.log_size().await.unwrap();
    let issued = house.issue(server("a.example.org")).await.unwrap();
    assert_eq!(store.log_size().await.unwrap(), before + 2);
    let reserve = house.events("certificate.reserve").await.pop().unwrap();
    let said = reserve.after.unwrap();
    assert_eq!(
        (&said["count"], &said["issuer"]),
        (&4.into(), &"servers".into())
    );
    let rows = store
        .query("SELECT id, serials FROM serial_blocks", vec![])
        .await
        .unwrap();
    assert_eq!(rows[0].text(0).unwrap(), reserve.object.id);
    let mut serials: Vec<&[u8]> = rows[0].blob(1).unwrap().chunks(16).collect();
    assert!(serials.contains(&&issued.serial[..]));
    serials.sort_unstable();
    assert_eq!(
        said["serials_sha256"],
        hex::encode(sha256(&serials.concat()))
    );
    let event = house.events("certificate.issue").await.pop().unwrap();
    assert_eq!(event.after.unwrap()["block"], reserve.object.id);
    // The second has its number already.
    house.issue(server("b.example.org")).await.unwrap();
    assert_eq!(house.events("certificate.issue").await.len(), 6);
    assert_eq!(house.events("certificate.intend").await.len(), 0);
    // The next block may be reserved meanwhile: both counts have to be of one moment.
    let (left, reserved) = loop {
        let reserved = sizes(&house).await;
        let left = verified(&house).await;
        if sizes(&house).await == reserved {
            break (left, reserved);
        }
    };
    assert_eq!(left + 2, reserved.iter().sum::<u64>());
}

async fn blocks_grow_with_use_and_shrink_without(postgres: bool) {
    let house = keeping(postgres).await;
    for _ in 0..300 {
        house.issue(server("a.example.org")).await.unwrap();
    }
    let sizes_then = sizes(&house).await;
    assert_eq!(&sizes_then[..6], [4, 8, 16, 32, 64, 128]);
    assert!(sizes_then.iter().all(|size| *size <= 128));
    // What was used up leaves no row behind for long.
    assert!(count(&house, "SELECT id FROM serial_blocks").await <= 4);
    for day in 1..=60 {
        let now = after(20 * day);
        house.ca.keep_serials(now).await.unwrap();
        for _ in 0..20 {
            issue(&house.ca, server("a.example.org"), now)
                .await
                .unwrap();
        }
    }
    // 20 every 20 seconds need no blocks of 128.
    assert!(*sizes(&house).await.last().unwrap() <= 16);
    verified(&house).await;
}

async fn many_at_once_never_share_a_number(postgres: bool) {
    let house = keeping(postgres).await;
    let tasks: Vec<_> = (0..48)
        .map(|_| {
            let ca = house.ca.clone();
            tokio::spawn(async move {
                let mut serials = Vec::new();
                for _ in 0..8 {
                    let issued = issue(&ca, server("a.example.org"), NOW).await.unwrap();
                    serials.push(issued.serial);
                }
                serials
            })
        })
        .collect();
    let mut serials = HashSet::new();
    for task in tasks {
        serials.extend(task.await.unwrap());
    }
    assert_eq!(serials.len(), 48 * 8);
    house.ca.release_serials(NOW).await.unwrap();
    assert_eq!(counts(&house).await, (0, 48 * 8, 0));
    assert_eq!(verified(&house).await, 0);
}

async fn crash(house: &House, gap: Gap) {
    house.ca.stop_at(gap, false);
    let stopped = house.issue(server("a.example.org")).await;
    assert!(matches!(stopped, Err(CaError::Interrupted(_))));
}

async fn what_a_crash_leaves_of_a_block_is_voided(postgres: bool) {
    for (gap, certificates) in [(Gap::Intended, 0), (Gap::Signed, 0), (Gap::Recorded, 1)] {
        for alone in [true, false] {
            let house = keeping(postgres).await;
            crash(&house, gap).await;
            assert_eq!(counts(&house).await, (1, certificates, 0));
            // The lease has not run out: the crash is not known to anybody but a server alone.
            let again = house.again(after(59)).await;
            assert_eq!(counts(&house).await, (1, certificates, 0), "{gap:?}");
            let when = if alone { after(59) } else { after(61) };
            let voided = again.void_abandoned(alone, when).await.unwrap();
            assert_eq!(voided, 4 - certificates, "{gap:?}");
            assert_eq!(counts(&house).await, (0, certificates, voided));
            assert_eq!(house.events("certificate.void").await.len(), voided);
            assert_eq!(again.void_abandoned(alone, when).await.unwrap(), 0);
            again.keep_serials(when).await.unwrap();
            issue(&again, server("a.example.org"), when).await.unwrap();
            verified(&house).await;
        }
    }
}

async fn a_number_that_was_not_signed_under_is_used_again(postgres: bool) {
    let house = keeping(postgres).await;
    for _ in 0..10 {
        crash(&house, Gap::Intended).await;
    }
    assert_eq!(sizes(&house).await, [4]);
    house.issue(server("a.example.org")).await.unwrap();
    house.ca.release_serials(NOW).await.unwrap();
    assert_eq!(counts(&house).await, (0, 1, 0));
    assert_eq!(verified(&house).await, 0);
}

async fn a_number_whose_issuance_was_cut_short_is_voided_by_its_own_process(postgres: bool) {
    let house = keeping(postgres).await;
    crash(&house, Gap::Signed).await;
    crash(&house, Gap::Recorded).await;
    house.ca.keep_serials(after(15)).await.unwrap();
    assert_eq!(count(&house, "SELECT serial FROM revocations").await, 1);
    house.ca.release_serials(after(16)).await.unwrap();
    assert_eq!(counts(&house).await, (0, 1, 1));
    assert_eq!(verified(&house).await, 0);
}

async fn blocks_of_the_living_are_left_alone(postgres: bool) {
    let house = keeping(postgres).await;
    house.issue(server("a.example.org")).await.unwrap();
    for round in 1..6 {
        let (then, now) = (after(round * 45 - 5), after(round * 45));
        house.ca.keep_serials(then).await.unwrap();
        // A command beside the server, and another node.
        let again = house.again(now).await;
        assert_eq!(again.void_abandoned(false, now).await.unwrap(), 0);
        assert!(counts(&house).await.0 > 0);
    }
    issue(&house.ca, server("b.example.org"), after(225))
        .await
        .unwrap();
    assert_eq!(house.events("certificate.void").await.len(), 0);
    assert_eq!(house.events("certificate.intend").await.len(), 0);
    verified(&house).await;
}

async fn who_was_taken_for_dead_records_nothing(postgres: bool) {
    let house = keeping(postgres).await;
    house.issue(server("a.example.org")).await.unwrap();
    let again = house.again(NOW).await;
    let voided = again.void_abandoned(true, NOW).await.unwrap();
    assert_eq!(voided, 3);
    let late = house.issue(server("b.example.org")).await;
    assert!(
        matches!(late, Err(CaError::Store(StoreError::Conflict(_)))),
        "{late:?}"
    );
    let (_, certificates, revoked) = counts(&house).await;
    assert_eq!((certificates, revoked), (1, voided));
    // It goes on with another block.
    house.issue(server("c.example.org")).await.unwrap();
    house.ca.release_serials(NOW).await.unwrap();
    assert_eq!(counts(&house).await, (0, 2, voided));
    assert_eq!(house.events("certificate.void").await.len(), voided);
    assert_eq!(verified(&house).await, 0);
}

async fn who_does_not_keep_its_lease_announces_each_signature(postgres: bool) {
    let house = keeping(postgres).await;
    house.issue(server("a.example.org")).await.unwrap();
    assert_eq!(house.events("certificate.intend").await.len(), 0);
    issue(&house.ca, server("b.example.org"), after(55))
        .await
        .unwrap();
    assert_eq!(house.events("certificate.intend").await.len(), 1);
    // Others may have ended its blocks meanwhile: it begins anew, and gives back what is left of them.
    house.ca.keep_serials(after(80)).await.unwrap();
    assert_eq!(counts(&house).await, (0, 2, 0));
    issue(&house.ca, server("c.example.org"), after(80))
        .await
        .unwrap();
    assert_eq!(house.events("certificate.intend").await.len(), 1);
    verified(&house).await;
}

async fn a_clean_end_leaves_no_voids(postgres: bool) {
    let house = keeping(postgres).await;
    for used in [1, 3, 4, 30] {
        for _ in 0..used {
            house.issue(server("a.example.org")).await.unwrap();
        }
        house.ca.release_serials(NOW).await.unwrap();
        assert_eq!(count(&house, "SELECT id FROM serial_blocks").await, 0);
        assert_eq!(count(&house, "SELECT name FROM leases").await, 0);
        let again = house.again(NOW).await;
        assert_eq!(again.void_abandoned(true, NOW).await.unwrap(), 0);
        house.ca.keep_serials(NOW).await.unwrap();
    }
    assert_eq!(counts(&house).await, (0, 38, 0));
    assert_eq!(verified(&house).await, 0);
}

fn with_key(key: &str) -> IssueRequest {
    let mut request = server("a.example.org");
    request.idempotency_key = Some(key.to_owned());
    request
}

async fn of_many_with_one_idempotency_key_one_is_signed(postgres: bool) {
    let house = keeping(postgres).await;
    let tries: Vec<_> = (0..12)
        .map(|_| {
            let ca = house.ca.clone();
            tokio::spawn(async move { issue(&ca, with_key("one"), NOW).await })
        })
        .collect();
    let mut issued = 0;
    for ended in tries {
        match ended.await.unwrap() {
            Ok(_) => issued += 1,
            Err(error) => {
                let rule = error.refusal().expect("a refusal").rule.to_string();
                // Each has a key of its own, so that one who comes later reuses the name.
                let expected = ["idempotency.in-progress", "idempotency.reused"];
                assert!(expected.contains(&rule.as_str()), "{rule}");
            }
        }
    }
    assert_eq!(issued, 1);
    let (_, certificates, voided) = counts(&house).await;
    assert_eq!((certificates, voided), (1, 0));
    verified(&house).await;
}

async fn two_nodes_with_one_idempotency_key_make_one_certificate(postgres: bool) {
    let house = keeping(postgres).await;
    let other = house.again(NOW).await;
    other.keep_serials(NOW).await.unwrap();
    for round in 0..8 {
        let key = format!("order-{round}");
        let (one, two) = tokio::join!(
            issue(&house.ca, with_key(&key), NOW),
            issue(&other, with_key(&key), NOW)
        );
        assert!(one.is_ok() || two.is_ok());
        assert!(one.is_err() || two.is_err(), "their keys differ");
    }
    for ca in [&house.ca, &other] {
        ca.release_serials(NOW).await.unwrap();
    }
    let (blocks, certificates, voided) = counts(&house).await;
    assert_eq!((blocks, certificates), (0, 8));
    assert_eq!(voided, house.events("certificate.void").await.len());
    assert_eq!(verified(&house).await, 0);
}

const KIND: &str = "test-order";

async fn both_additions_of_a_protocol_are_in_the_one_write(postgres: bool) {
    let house = keeping(postgres).await;
    house.issue(server("a.example.org")).await.unwrap();
    let store = house.ca.store();
    let ordered = || {
        let mut request = server("a.example.org");
        request.along = Along::new(
            |write: Write| write.put_record(KIND, "one", 0, &"processing", NOW),
            |write: Write, sha256| write.put_record(KIND, "one", 1, &hex::encode(sha256), NOW),
        );
        request
    };
    // Before the record there is nothing.
    for gap in [Gap::Intended, Gap::Signed] {
        house.ca.stop_at(gap, false);
        assert!(house.issue(ordered()).await.is_err());
        assert!(store.record(KIND, "one").await.unwrap().is_none());
    }
    let issued = house.issue(ordered()).await.unwrap();
    let record = store.record(KIND, "one").await.unwrap().unwrap();
    assert_eq!(record.version, 2);
    assert_eq!(
        record.parse::<String>().unwrap(),
        hex::encode(issued.sha256)
    );
}

/// Two nodes at one order: the addition lets one through, and the key need not be kept for it. An intent has its own.
async fn one_addition_in_the_place_of_both_tells_the_second_from_the_first(postgres: bool) {
    const KEYS: &str = "SELECT idempotency FROM certificates WHERE idempotency IS NOT NULL";
    let house = keeping(postgres).await;
    let other = house.again(NOW).await;
    other.keep_serials(NOW).await.unwrap();
    let ordered = || {
        let mut request = with_key("order");
        request.along = Along::new(Ok, |write: Write, sha256| {
            write.put_record(KIND, "one", 0, &hex::encode(sha256), NOW)
        })
        .or_at_once(|write: Write, sha256| {
            write.put_record(KIND, "one", 0, &hex::encode(sha256), NOW)
        });
        request
    };
    let (one, two) = tokio::join!(
        issue(&house.ca, ordered(), NOW),
        issue(&other, ordered(), NOW)
    );
    assert!(one.is_ok() != two.is_ok());
    let issued = one.or(two).unwrap();
    let store = house.ca.store();
    let record = store.record(KIND, "one").await.unwrap().unwrap();
    assert_eq!(
        record.parse::<String>().unwrap(),
        hex::encode(issued.sha256)
    );
    assert!(store.query(KEYS, vec![]).await.unwrap().is_empty());
    for ca in [&house.ca, &other] {
        ca.release_serials(NOW).await.unwrap();
    }
    let (_, certificates, voided) = counts(&house).await;
    assert_eq!((certificates, voided), (1, 1));
    assert_eq!(verified(&house).await, 0);
}

async fn what_changed_meanwhile_voids_the_number(postgres: bool) {
    let house = keeping(postgres).await;
    let mut request = server("a.example.org");
    request.along = Along::new(
        |write: Write| write.put_record(KIND, "gone", 6, &"processing", NOW),
        |write: Write, sha256| write.put_record(KIND, "gone", 7, &hex::encode(sha256), NOW),
    );
    let stopped = house.issue(request).await;
    assert!(matches!(
        stopped,
        Err(CaError::Store(StoreError::Conflict(_)))
    ));
    let (_, certificates, voided) = counts(&house).await;
    assert_eq!((certificates, voided), (0, 1));
    assert!(store_is_empty(&house).await);
    house.ca.release_serials(NOW).await.unwrap();
    assert_eq!(counts(&house).await, (0, 0, 1));
    assert_eq!(verified(&house).await, 0);
}

async fn store_is_empty(house: &House) -> bool {
    let record = house.ca.store().record(KIND, "gone").await.unwrap();
    record.is_none()
}
