//! Agents of segments (R17): a ticket that is good once, certificates that renew and end, orders within signed limits, and
//! batches that are taken once. On both databases.

use std::collections::BTreeSet;

use access::{Action, Role, Scope};
use agent::observation::{How, Observation, Outcome, Place};
use agent::relay::{Draft, Poll, Queue, Said};
use agent::scan::Cursor;
use audit::Timestamp;
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use fleet::agents::{AgentState, Invitation, KnownAgent, NewOrder};
use fleet::scan::{ScanFilter, ScanState, Wanted};
use fleet::{FleetError, Segment};
use x509::{Certificate, CsrBuilder, PublicKey, SignatureAlgorithm};

use crate::support::{DAY, House, NOW, on_both, rule};

on_both!(
    r17_a_ticket_is_good_for_one_key,
    r17_a_certificate_renews_and_ends,
    r17_orders_keep_to_what_is_signed,
    r17_a_batch_is_taken_once,
    r17_a_schedule_becomes_an_order_and_is_listed_as_a_scan,
);

/// A key that an agent made, and its request.
fn request() -> String {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let spki: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
    let public = PublicKey::from_spki_der(spki.as_ref()).unwrap();
    // What it calls itself does not matter.
    let tbs = CsrBuilder::new("CN=root".parse().unwrap(), &public).tbs();
    let signature = key.sign(&SystemRandom::new(), &tbs).unwrap();
    let der = x509::assemble(&tbs, SignatureAlgorithm::EcdsaSha256, signature.as_ref());
    x509::pem::encode("CERTIFICATE REQUEST", &der)
}

fn leaf(chain: &str) -> Certificate {
    Certificate::from_pem(chain.as_bytes()).unwrap()
}

fn invitation(name: &str) -> Invitation {
    Invitation {
        name: name.to_owned(),
        segment: "icu".to_owned(),
        note: String::new(),
        expires: NOW.0 + DAY,
        lifetime: None,
        core: "https://ward.example.org:8443".to_owned(),
    }
}

async fn segment(house: &House, signed: bool) {
    let permit = house.permit(Action::ManageSegments);
    let segment = Segment {
        name: "icu".to_owned(),
        ranges: vec!["10.30.4.0/24".parse().unwrap()],
        ports: vec!["443".to_owned(), "2575".to_owned()],
        rate: 20.0,
        relay: Some("icu-1".to_owned()),
        hours: vec!["always".parse().unwrap()],
        ..Segment::default()
    };
    let before = house.fleet.segment("icu").await.map_or(0, |it| it.version);
    let stored = house
        .fleet
        .put_segment(permit, segment, before, NOW)
        .await
        .unwrap();
    if signed {
        let second = house
            .person("dr-chen", Role::Approver, Scope::default())
            .await;
        let permit = house.permit_of(&second, Action::SignSegments);
        house
            .fleet
            .sign_segment(permit, "icu", stored.version, "", NOW)
            .await
            .unwrap();
    }
}

async fn enrolled(house: &House, name: &str) -> (KnownAgent, agent::relay::Ticket, Certificate) {
    let permit = house.permit(Action::RunDiscovery);
    let (_, ticket) = house
        .fleet
        .invite_agent(permit, invitation(name), NOW)
        .await
        .unwrap();
    let given = house
        .fleet
        .enrol_agent(name, &ticket.token, &request(), None, NOW)
        .await
        .unwrap();
    let certificate = leaf(&given.chain);
    let known = house
        .fleet
        .agent_of(certificate.der(), None, NOW)
        .await
        .unwrap();
    (known, ticket, certificate)
}

async fn r17_a_ticket_is_good_for_one_key(postgres: bool) {
    let house = House::new(postgres).await;
    segment(&house, false).await;
    let permit = house.permit(Action::RunDiscovery);
    let (stored, ticket) = house
        .fleet
        .invite_agent(permit, invitation("icu-1"), NOW)
        .await
        .unwrap();
    assert_eq!(stored.agent.state, AgentState::Invited);
    assert_eq!(ticket.ceiling.ranges, ["10.30.4.0/24".parse().unwrap()]);
    let (fleet, csr) = (&house.fleet, request());
    for (name, token, at) in [
        ("icu-1", "wardagent_00", NOW),
        ("icu-2", ticket.token.as_str(), NOW),
        ("icu-1", ticket.token.as_str(), Timestamp(NOW.0 + DAY)),
    ] {
        let refused = fleet.enrol_agent(name, token, &csr, None, at).await;
        assert_eq!(rule(refused), "agent.ticket");
    }
    let given = fleet
        .enrol_agent("icu-1", &ticket.token, &csr, None, NOW)
        .await
        .unwrap();
    // The answer was lost: the same key may ask again, and another may not.
    let again = fleet
        .enrol_agent("icu-1", &ticket.token, &csr, None, NOW)
        .await
        .unwrap();
    assert_eq!(given, again);
    let other = fleet
        .enrol_agent("icu-1", &ticket.token, &request(), None, NOW)
        .await;
    assert_eq!(rule(other), "agent.ticket");
    let certificate = leaf(&given.chain);
    assert_eq!(
        certificate.subject().to_string().split(',').next(),
        Some("CN=icu-1")
    );
    // Both ends are in it (RFC 5280 §4.1.2.5).
    let life = certificate.not_after().0 - certificate.not_before().0 + 1;
    assert_eq!(life, 30 * 86_400);
    let known = fleet.agent_of(certificate.der(), None, NOW).await.unwrap();
    assert_eq!(known.stored.agent.state, AgentState::Active);
    assert_eq!(
        house
            .events("agent.enrol")
            .await
            .iter()
            .filter(|it| it.digest.is_some())
            .count(),
        1
    );
}

async fn r17_a_certificate_renews_and_ends(postgres: bool) {
    let house = House::new(postgres).await;
    segment(&house, false).await;
    let (known, _, first) = enrolled(&house, "icu-1").await;
    let (_, _, other) = enrolled(&house, "icu-2").await;
    let fleet = &house.fleet;
    let later = Timestamp(NOW.0 + 20 * DAY);
    let csr = request();
    let given = fleet.renew_agent(&known, &csr, later).await.unwrap();
    let second = leaf(&given.chain);
    // Until the new one is used, either is the agent's: the answer may be lost.
    let known = fleet.agent_of(first.der(), None, later).await.unwrap();
    assert_eq!(fleet.renew_agent(&known, &csr, later).await.unwrap(), given);
    fleet.agent_of(second.der(), None, later).await.unwrap();
    assert_eq!(
        rule(fleet.agent_of(first.der(), None, later).await),
        "agent.unknown"
    );
    // Nor is one of another's, or one that has expired.
    fleet.agent_of(other.der(), None, NOW).await.unwrap();
    let past = Timestamp(NOW.0 + 31 * DAY);
    assert_eq!(
        rule(fleet.agent_of(other.der(), None, past).await),
        "agent.unknown"
    );

    let permit = house.permit(Action::RunDiscovery);
    let revoked = fleet
        .revoke_agent(permit, "icu-1", "stolen", later)
        .await
        .unwrap();
    assert_eq!(revoked.agent.state, AgentState::Revoked);
    assert_eq!(
        rule(fleet.agent_of(second.der(), None, later).await),
        "agent.unknown"
    );
    let stored = house
        .ca
        .certificate(&second.fingerprint())
        .await
        .unwrap()
        .unwrap();
    let status = house.ca.status(&stored).await.unwrap();
    assert!(
        matches!(status, ca::revocation::Status::Revoked { .. }),
        "{status:?}"
    );
    fleet.agent_of(other.der(), None, NOW).await.unwrap();
}

async fn r17_orders_keep_to_what_is_signed(postgres: bool) {
    let house = House::new(postgres).await;
    segment(&house, false).await;
    let (known, ticket, _) = enrolled(&house, "icu-1").await;
    let fleet = &house.fleet;
    let order = async |wanted: NewOrder| {
        let permit = house.permit(Action::RunDiscovery);
        fleet.order_agent(permit, "icu-1", wanted, NOW).await
    };
    assert_eq!(rule(order(NewOrder::default()).await), "segment.unsigned");
    segment(&house, true).await;
    let (other, ..) = enrolled(&house, "icu-2").await;
    let permit = house.permit(Action::RunDiscovery);
    let not_its = fleet
        .order_agent(permit, "icu-2", NewOrder::default(), NOW)
        .await;
    assert_eq!(rule(not_its), "segment.relay");
    drop(other);
    let wanted = |range: &str, port: &str| NewOrder {
        ranges: vec![range.parse().unwrap()],
        ports: vec![port.to_owned()],
        ..NewOrder::default()
    };
    assert_eq!(
        rule(order(wanted("10.30.5.0/24", "443")).await),
        "segment.ranges"
    );
    assert_eq!(
        rule(order(wanted("10.30.4.0/25", "22")).await),
        "segment.ports"
    );
    let given = order(wanted("10.30.4.0/25", "443")).await.unwrap();
    assert_eq!((given.state.as_str(), given.total), ("open", 128));

    let ask = async |holds: &[&String]| {
        let poll = Poll {
            holds: holds.iter().map(|id| (*id).clone()).collect(),
            ..Poll::default()
        };
        fleet.poll_agent(&known, &poll, NOW).await.unwrap()
    };
    let polled = ask(&[]).await;
    let key: [u8; 32] = hex(&ticket.order_key).try_into().unwrap();
    let opened = polled.orders[0].open(&key).unwrap();
    assert_eq!(opened.id, given.id);
    assert_eq!(
        opened.check("icu-1", &ticket.ceiling, NOW.0).unwrap().len(),
        128
    );
    assert!(ask(&[&given.id]).await.orders.is_empty());
    assert_eq!(fleet.agent_order(&given.id).await.unwrap().state, "taken");

    // When the limits change, what was ordered within those of before is over.
    let permit = house.permit(Action::ManageSegments);
    let stored = fleet.segment("icu").await.unwrap();
    let mut slower = stored.segment;
    slower.rate = 1.0;
    fleet
        .put_segment(permit, slower, stored.version, NOW)
        .await
        .unwrap();
    assert_eq!(
        ask(&[&given.id]).await.stop,
        std::slice::from_ref(&given.id)
    );
    assert_eq!(fleet.agent_order(&given.id).await.unwrap().state, "stopped");
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .map(|digit| (digit as char).to_digit(16).unwrap() as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn seen(address: &str) -> String {
    let place = Place::Network {
        address: address.parse().unwrap(),
        port: 443,
        sni: None,
        starttls: None,
    };
    Observation::new(NOW.0, "agent icu-1", How::Scan, place, Outcome::Closed)
        .line()
        .unwrap()
}

async fn r17_a_batch_is_taken_once(postgres: bool) {
    let house = House::new(postgres).await;
    segment(&house, true).await;
    let (known, _, _) = enrolled(&house, "icu-1").await;
    let fleet = &house.fleet;
    let permit = house.permit(Action::RunDiscovery);
    let order = fleet
        .order_agent(permit, "icu-1", NewOrder::default(), NOW)
        .await
        .unwrap();
    let folder = house.directory.path().join("queue");
    let mut queue = Queue::open(&folder, "icu-1", &[1; 32], 0).unwrap();
    let draft = |order: &str, said: Vec<Said>, addresses: &[&str]| Draft {
        order: order.to_owned(),
        cursor: None,
        said,
        lines: addresses.iter().map(|address| seen(address)).collect(),
    };
    let silent = Said::Silent {
        model: Some("Drip 3".to_owned()),
        address: "10.30.4.9".parse().unwrap(),
        port: 443,
    };
    let ended = Said::Ended {
        how: "done".to_owned(),
        probed: 3,
        excluded: 1,
        stopped: 0,
    };
    queue
        .push(&draft(&order.id, vec![], &["10.30.4.1", "10.30.4.2"]))
        .unwrap();
    let first = queue.oldest().unwrap().unwrap();
    queue
        .push(&draft(&order.id, vec![silent], &["10.30.4.9"]))
        .unwrap();
    let take = async |body: &[u8]| fleet.take_batch(&known, body.to_vec(), NOW).await;

    let taken = take(&first.body).await.unwrap();
    assert_eq!((taken.sequence, taken.repeated), (1, false));
    let again = take(&first.body).await.unwrap();
    assert_eq!((again.sequence, again.repeated), (1, true));
    // Another under its number: a copy of the agent's folder.
    let changed = String::from_utf8(first.body.clone())
        .unwrap()
        .replace("10.30.4.2", "10.30.4.3");
    assert_eq!(rule(take(changed.as_bytes()).await), "agent.batch-changed");
    queue.handed_over(1).unwrap();

    let second = queue.oldest().unwrap().unwrap();
    let forged = String::from_utf8(second.body.clone()).unwrap();
    let chain = forged.replace(&second.head.previous, &"0".repeat(64));
    assert_eq!(rule(take(chain.as_bytes()).await), "agent.batch-chain");
    let missing = forged.replace("\"sequence\":2", "\"sequence\":3");
    assert_eq!(rule(take(missing.as_bytes()).await), "agent.batch-missing");
    let outside = forged.replace("10.30.4.9\",\"port", "10.31.0.9\",\"port");
    assert_eq!(rule(take(outside.as_bytes()).await), "agent.batch-place");
    let nobody = forged.replace(&order.id, "o0");
    assert_eq!(rule(take(nobody.as_bytes()).await), "agent.batch-order");
    let another = forged.replace("\"agent\":\"icu-1\"", "\"agent\":\"icu-2\"");
    assert_eq!(rule(take(another.as_bytes()).await), "agent.batch-agent");
    take(&second.body).await.unwrap();
    queue.handed_over(2).unwrap();
    assert_eq!(house.events("scan.silenced").await.len(), 1);
    assert_eq!(fleet.alerts_due().await.unwrap().len(), 1);

    queue.push(&draft(&order.id, vec![ended], &[])).unwrap();
    let last = queue.oldest().unwrap().unwrap();
    // Two at once, as after a line that broke: one write.
    let (one, other) = tokio::join!(take(&last.body), take(&last.body));
    let known_now = |result: &Result<_, FleetError>| {
        result.is_ok()
            || matches!(
                result,
                Err(FleetError::Store(store::StoreError::Conflict(_)))
            )
    };
    assert!(known_now(&one) && known_now(&other), "{one:?} {other:?}");
    assert!(take(&last.body).await.unwrap().repeated);
    let handed = fleet.handed_over(&known.stored.agent).await.unwrap();
    assert_eq!(
        (handed.batches, handed.observations, handed.newest),
        (3, 3, 3)
    );
    let over = fleet.agent_order(&order.id).await.unwrap();
    assert_eq!(over.state, "done");
    let coverage = fleet.coverage(Some("icu"), Timestamp(0)).await.unwrap();
    assert_eq!(
        (coverage.segments[0].looked_at, coverage.segments[0].never),
        (256, 0)
    );
    assert_eq!(house.events("inventory.ingest").await.len(), 3);
}

async fn r17_a_schedule_becomes_an_order_and_is_listed_as_a_scan(postgres: bool) {
    let house = House::new(postgres).await;
    let fleet = &house.fleet;
    segment(&house, true).await;
    let stored = fleet.segment("icu").await.unwrap();
    let mut daily = stored.segment;
    daily.every_hours = Some(24);
    let permit = house.permit(Action::ManageSegments);
    fleet
        .put_segment(permit, daily, stored.version, NOW)
        .await
        .unwrap();
    // Nobody has enrolled: nothing is due, and nobody is refused.
    assert_eq!(fleet.scans_wanted(NOW).await.unwrap(), []);
    let (known, _, _) = enrolled(&house, "icu-1").await;
    let wanted = Wanted {
        segment: "icu".to_owned(),
        agent: Some("icu-1".to_owned()),
    };
    assert_eq!(
        fleet.scans_wanted(NOW).await.unwrap(),
        std::slice::from_ref(&wanted)
    );
    let permit = house.permit(Action::RunDiscovery);
    let order = fleet
        .order_agent(permit, "icu-1", NewOrder::default(), NOW)
        .await
        .unwrap();
    assert_eq!(fleet.scans_wanted(NOW).await.unwrap(), []);
    let listed = fleet.scans(&ScanFilter::default()).await.unwrap().scans;
    let [scan] = listed.as_slice() else {
        panic!("{listed:?}")
    };
    assert_eq!(
        (scan.id.as_str(), scan.state, scan.scanner.as_str()),
        (order.id.as_str(), ScanState::Queued, "agent icu-1")
    );
    assert_eq!((scan.done, scan.total), (0, 512));

    // The hours end in the middle: five places have their outcome.
    let targets = scan.plan.targets().unwrap();
    let mut cursor = Cursor::new(&targets, &scan.plan.seed);
    (0..5).for_each(|position| cursor.done(position));
    let places: BTreeSet<_> = cursor
        .targets(&targets, &scan.plan.seed)
        .map(|target| target.address)
        .collect();
    let folder = house.directory.path().join("queue");
    let mut queue = Queue::open(&folder, "icu-1", &[1; 32], 0).unwrap();
    let window = Said::Ended {
        how: "window".to_owned(),
        probed: 5,
        excluded: 0,
        stopped: 0,
    };
    let draft = Draft {
        order: order.id.clone(),
        cursor: Some(cursor),
        said: vec![window],
        lines: Vec::new(),
    };
    queue.push(&draft).unwrap();
    let batch = queue.oldest().unwrap().unwrap();
    fleet.take_batch(&known, batch.body, NOW).await.unwrap();
    let found = fleet.coverage(Some("icu"), Timestamp(0)).await.unwrap();
    let looked_at = places.len() as u64;
    assert_eq!(found.segments[0].looked_at, looked_at);
    assert_eq!(found.segments[0].never, 256 - looked_at);
    assert_eq!(found.segments[0].looked[0].by, "biomed");
    let shown = fleet.scan_or_order(&order.id).await.unwrap();
    assert_eq!((shown.state, shown.done), (ScanState::Stopped, 5));

    // Not again before its time, and then again.
    let soon = Timestamp(NOW.0 + DAY - 1);
    assert_eq!(fleet.scans_wanted(soon).await.unwrap(), []);
    let due = Timestamp(NOW.0 + DAY);
    assert_eq!(fleet.scans_wanted(due).await.unwrap(), [wanted]);
}
