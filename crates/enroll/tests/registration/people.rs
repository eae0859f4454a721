//! Requests that wait for somebody: put before people, approved by a second person, fetched by the device (R07).

use access::{Action, RequestId, RequestState};
use audit::Timestamp;
use enroll::device::{Approval, For, RegistrationFilter, RegistrationState, Right, Unregistered};

use crate::support::{
    Asked, DAY, House, Key, NOW, certificate, endpoint, on_both, outcome, permit, text,
};

on_both!(
    r07_an_unregistered_device_waits_for_a_second_person,
    r07_a_registered_device_waits_where_a_person_always_decides,
    r07_a_denied_device_stays_denied,
    r07_what_was_decided_while_the_server_was_down_is_taken_up,
    r07_whoever_made_the_right_does_not_approve,
    r07_a_profile_may_ask_for_people,
    r07_a_right_is_counted_when_the_certificate_is,
);

/// A house where a device that is in no register waits, and a right for one device.
async fn where_strangers_wait(postgres: bool) -> (House, Right, String) {
    let house = House::new(postgres).await;
    let mut waits = endpoint("pumps");
    waits.unregistered = Unregistered::Wait;
    house.put(waits).await;
    let (right, password) = house.right(For::Any, |_| {}).await;
    (house, right, password)
}

/// A device asks for the first time, and is told to wait. Gives what it sent.
async fn pending(house: &House, serial: &str, password: &str) -> Vec<u8> {
    let csr = Key::new().request(&format!("serialNumber={serial}"));
    let reply = house.ask(&Asked::by_password(&csr, password), NOW).await;
    assert_eq!(outcome(&reply), "pending");
    assert!(reply.headers.iter().any(|(name, _)| name == "retry-after"));
    csr
}

async fn waiting(house: &House) -> access::Request {
    let mut requests = house.ca.access().requests().await.unwrap();
    requests.retain(|request| request.state_at(NOW) == RequestState::Pending);
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

async fn approve(house: &House, who: &str, id: &RequestId) -> Result<ca::Outcome, ca::CaError> {
    let permit = permit(&house.ca, who, Action::ApproveRequests);
    house
        .ca
        .approve(permit, id, Some("seen on ward 7"), NOW)
        .await
}

async fn r07_an_unregistered_device_waits_for_a_second_person(postgres: bool) {
    let (house, right, password) = where_strangers_wait(postgres).await;
    let csr = pending(&house, "SN-77", &password).await;
    let asked = Asked::by_password(&csr, &password);
    assert_eq!(
        outcome(&house.ask(&asked, NOW).await),
        "pending",
        "asked again, it waits once"
    );
    let request = waiting(&house).await;
    assert!(request.summary.contains("SN-77") && request.summary.contains("NOT in the register"));
    assert!(
        house
            .fleet
            .find_serial("SN-77", None)
            .await
            .unwrap()
            .is_empty()
    );

    approve(&house, "sister", &request.id).await.unwrap();
    assert_eq!(
        house.issued().await,
        0,
        "issued when the device comes back for it"
    );
    let issued = certificate(&house.ask(&asked, NOW).await);
    assert_eq!(certificate(&house.ask(&asked, NOW).await), issued);
    let asset = house
        .fleet
        .find_serial("SN-77", None)
        .await
        .unwrap()
        .remove(0);
    assert!(asset.note.contains(request.id.as_str()), "{}", asset.note);
    assert_eq!(house.live(&asset).await, 1);
    assert_eq!(house.desk.right(right.id.as_str()).await.unwrap().used, 1);
    let request = house.ca.access().request(&request.id).await.unwrap();
    assert_eq!(request.state, RequestState::Fulfilled);
    assert_eq!(request.result, Some(hex::encode(issued.fingerprint())));
    let page = house
        .desk
        .registrations(&RegistrationFilter::default())
        .await
        .unwrap();
    let row = &page.registrations[0];
    assert_eq!(row.state, RegistrationState::Issued);
    assert_eq!(row.asset.as_deref(), Some(asset.id.as_str()));
    assert_eq!(row.certificate, Some(issued.fingerprint()));
}

async fn r07_a_registered_device_waits_where_a_person_always_decides(postgres: bool) {
    let house = House::new(postgres).await;
    let mut always = endpoint("pumps");
    always.approval = Approval::Always;
    house.put(always).await;
    let asset = house.asset("SN-1", |_| {}).await;
    let (_, password) = house.right(For::Asset(asset.id.clone()), |_| {}).await;
    let csr = pending(&house, "SN-1", &password).await;
    let asked = Asked::by_password(&csr, &password);
    approve(&house, "sister", &waiting(&house).await.id)
        .await
        .unwrap();
    let issued = certificate(&house.ask(&asked, NOW).await);
    // The first enrolment waits; a renewal is of a device that somebody has looked at.
    let csr = Key::new().request("serialNumber=SN-1");
    let renewal = house.ask(&Asked::by_certificate(&csr, &issued), NOW).await;
    assert_eq!(outcome(&renewal), "issued");
}

async fn r07_a_denied_device_stays_denied(postgres: bool) {
    let (house, _, password) = where_strangers_wait(postgres).await;
    let csr = pending(&house, "SN-77", &password).await;
    let asked = Asked::by_password(&csr, &password);
    let id = waiting(&house).await.id;
    let permit = permit(&house.ca, "sister", Action::ApproveRequests);
    let denied = house
        .ca
        .access()
        .deny(permit, &id, Some("no such pump"), NOW);
    denied.await.unwrap();
    for _ in 0..2 {
        let reply = house.ask(&asked, NOW).await;
        assert_eq!(outcome(&reply), "enrolment.denied");
        assert!(text(&reply).contains("no such pump"));
    }
    // One that nobody looks at in time ends too.
    let csr = pending(&house, "SN-78", &password).await;
    let asked = Asked::by_password(&csr, &password);
    let late = Timestamp(NOW.0 + 15 * DAY);
    assert_eq!(outcome(&house.ask(&asked, late).await), "enrolment.denied");
    assert_eq!(house.issued().await, 0);
    let forgotten = house
        .devices
        .prune(Timestamp(NOW.0 + 60 * DAY))
        .await
        .unwrap();
    assert_eq!(forgotten, 2);
}

async fn r07_whoever_made_the_right_does_not_approve(postgres: bool) {
    let (house, _, password) = where_strangers_wait(postgres).await;
    let csr = pending(&house, "SN-77", &password).await;
    let asked = Asked::by_password(&csr, &password);
    let id = waiting(&house).await.id;
    let own = approve(&house, "root", &id).await.unwrap_err();
    assert_eq!(own.refusal().unwrap().rule, "request.own");
    assert_eq!(outcome(&house.ask(&asked, NOW).await), "pending");
    approve(&house, "sister", &id).await.unwrap();
    assert_eq!(outcome(&house.ask(&asked, NOW).await), "issued");
}

async fn r07_a_profile_may_ask_for_people(postgres: bool) {
    let house = House::new(postgres).await;
    let stands = house.ca.profile("device-ldevid").unwrap();
    let toml = include_str!("../../../ca/profiles/device-ldevid.toml");
    assert_eq!(stands.profile.approvals(), 0);
    let two = toml.replace("approvals = 0", "approvals = 2");
    let by = permit(&house.ca, "root", Action::ManageProfiles);
    house.ca.put_profile(by, &two, NOW).await.unwrap();
    house.put(endpoint("pumps")).await;
    let asset = house.asset("SN-1", |_| {}).await;
    let (_, password) = house.right(For::Asset(asset.id.clone()), |_| {}).await;
    let csr = pending(&house, "SN-1", &password).await;
    let asked = Asked::by_password(&csr, &password);
    let id = waiting(&house).await.id;
    approve(&house, "sister", &id).await.unwrap();
    assert_eq!(
        outcome(&house.ask(&asked, NOW).await),
        "pending",
        "two have to agree"
    );
    approve(&house, "engineer", &id).await.unwrap();
    assert_eq!(outcome(&house.ask(&asked, NOW).await), "issued");
}

async fn r07_a_right_is_counted_when_the_certificate_is(postgres: bool) {
    let (house, right, password) = where_strangers_wait(postgres).await;
    let used = async || house.desk.right(right.id.as_str()).await.unwrap().used;
    let mut requests = Vec::new();
    for serial in ["SN-77", "SN-78"] {
        requests.push(pending(&house, serial, &password).await);
    }
    assert_eq!(used().await, 0);
    for request in house.ca.access().requests().await.unwrap() {
        approve(&house, "sister", &request.id).await.unwrap();
    }
    let mut outcomes = Vec::new();
    for csr in &requests {
        outcomes.push(outcome(
            &house.ask(&Asked::by_password(csr, &password), NOW).await,
        ));
    }
    assert_eq!(outcomes, ["issued", "unknown"], "the right was for one");
    assert_eq!((used().await, house.issued().await), (1, 1));
}

/// The server is down while people decide: nothing is issued without the device, and what was decided against stands in
/// nobody's way.
async fn r07_what_was_decided_while_the_server_was_down_is_taken_up(postgres: bool) {
    let mut house = House::new(postgres).await;
    let mut waits = endpoint("pumps");
    waits.approval = Approval::Always;
    waits.limits.pending = 3;
    house.put(waits).await;
    let serials = ["SN-1", "SN-2", "SN-3", "SN-4"];
    let mut requests = Vec::new();
    for serial in serials {
        house.asset(serial, |_| {}).await;
        requests.push(Key::new().request(&format!("serialNumber={serial}")));
    }
    let asked = |at: usize| Asked {
        password: None,
        ..Asked::by_password(&requests[at], "")
    };
    for (at, expected) in ["pending", "pending", "pending", "limit"]
        .into_iter()
        .enumerate()
    {
        assert_eq!(outcome(&house.ask(&asked(at), NOW).await), expected);
    }
    let all = house.ca.access().requests().await.unwrap();
    let of = |serial: &str| {
        let named = format!("serial number {serial},");
        let mut found = all
            .iter()
            .filter(|request| request.summary.contains(&named));
        found.next().unwrap().id.clone()
    };
    approve(&house, "sister", &of("SN-1")).await.unwrap();
    let (boss, id) = (
        permit(&house.ca, "sister", Action::ApproveRequests),
        of("SN-2"),
    );
    let denied = house.ca.access().deny(boss, &id, Some("no such pump"), NOW);
    denied.await.unwrap();

    house.devices = house.second_server().await;
    let states = async |now: Timestamp| {
        house.devices.prune(now).await.unwrap();
        let filter = RegistrationFilter::default();
        let mut all = house
            .desk
            .registrations(&filter)
            .await
            .unwrap()
            .registrations;
        all.sort_by(|a, b| a.serial.cmp(&b.serial));
        let state = |row: enroll::device::Registered| (row.serial, row.state.as_str());
        all.into_iter().map(state).collect::<Vec<_>>()
    };
    let expected = |list: &[(&str, &'static str)]| -> Vec<(String, &'static str)> {
        list.iter()
            .map(|(serial, state)| ((*serial).to_owned(), *state))
            .collect()
    };
    let after_restart = [
        ("SN-1", "pending"),
        ("SN-2", "refused"),
        ("SN-3", "pending"),
    ];
    assert_eq!(states(NOW).await, expected(&after_restart));
    assert_eq!(house.issued().await, 0);
    for (at, expected) in ["issued", "enrolment.denied", "pending", "pending"]
        .into_iter()
        .enumerate()
    {
        assert_eq!(outcome(&house.ask(&asked(at), NOW).await), expected, "{at}");
    }
    let fifteen_days = Timestamp(NOW.0 + 15 * DAY);
    let late = states(fifteen_days).await;
    let undecided = [("SN-1", "issued"), ("SN-3", "refused"), ("SN-4", "refused")];
    assert_eq!(late, expected(&undecided), "SN-2 is forgotten after a week");
}
