//! Devices in a loop: how many certificates one gets in a day, and what is recorded of the rest (R05, R11).

use audit::{Event, Timestamp};
use enroll::device::{Approval, Devices, For, RegistrationFilter, RegistrationState, Reply};
use fleet::Asset;
use x509::Certificate;

use crate::support::{Asked, DAY, House, Key, NOW, certificate, endpoint, on_both, outcome, text};

on_both!(
    r05_a_device_in_a_loop_is_told_when_it_may_come_again,
    r07_a_device_in_a_loop_does_not_fill_the_queue,
);

const HOUR: i64 = 3_600_000;

async fn enrolled(house: &House, serial: &str, door: &str, at: Timestamp) -> (Asset, Certificate) {
    let found = house.fleet.find_serial(serial, None).await.unwrap();
    let asset = match found.first() {
        Some(asset) => asset.clone(),
        None => house.asset(serial, |_| {}).await,
    };
    let (_, password) = house.right(For::Asset(asset.id.clone()), |_| {}).await;
    let csr = Key::new().request(&format!("serialNumber={serial}"));
    let asked = Asked {
        endpoint: door,
        ..Asked::by_password(&csr, &password)
    };
    let issued = certificate(&house.ask(&asked, at).await);
    (asset, issued)
}

async fn renew(house: &House, certificate: &Certificate, at: Timestamp) -> Reply {
    let csr = Key::new().request("");
    house
        .ask(&Asked::by_certificate(&csr, certificate), at)
        .await
}

fn retry_after(reply: &Reply) -> i64 {
    let mut headers = reply.headers.iter();
    let found = headers.find(|(name, _)| name == "retry-after").unwrap();
    found.1.to_str().unwrap().parse().unwrap()
}

async fn refusals(house: &House) -> Vec<Event> {
    let entries = house.ca.store().events(0, 1_000_000).await.unwrap();
    let events = entries
        .iter()
        .map(|entry| Event::parse(&entry.body).unwrap());
    events
        .filter(|event| event.action == "enrolment.refuse")
        .collect()
}

async fn r05_a_device_in_a_loop_is_told_when_it_may_come_again(postgres: bool) {
    let mut house = House::new(postgres).await;
    let mut door = endpoint("pumps");
    door.limits.per_asset_per_day = 3;
    house.put(door.clone()).await;
    house.put(endpoint("scanners")).await;
    let (asset, mut newest) = enrolled(&house, "SN-1", "pumps", NOW).await;
    for hours in [1, 2] {
        let at = Timestamp(NOW.0 + hours * HOUR);
        newest = certificate(&renew(&house, &newest, at).await);
    }
    // Twelve hours are left of this day (UTC), 21 until the first of the three is a day old.
    let loops = Timestamp(NOW.0 + 3 * HOUR);
    let reply = renew(&house, &newest, loops).await;
    assert_eq!(reply.status, 429, "{}", text(&reply));
    assert!(
        text(&reply).contains("enrolment.limit.asset"),
        "{}",
        text(&reply)
    );
    assert_eq!(retry_after(&reply), 21 * 3600 + 1);
    let size = house.ca.store().log_size().await.unwrap();
    let restarted: Devices = house.second_server().await;
    for devices in [house.devices.clone(), restarted] {
        house.devices = devices;
        for _ in 0..10 {
            assert_eq!(renew(&house, &newest, loops).await.status, 429);
        }
    }
    assert_eq!(house.ca.store().log_size().await.unwrap(), size);
    let events = refusals(&house).await;
    assert_eq!(events.len(), 1);
    let after = events[0].after.as_ref().unwrap();
    assert_eq!(after["asset"], asset.id);
    assert_eq!(after["serial"], "SN-1");

    // Neither another device is stopped by it, nor the same one at another endpoint.
    enrolled(&house, "SN-2", "pumps", loops).await;
    enrolled(&house, "SN-1", "scanners", loops).await;

    // The next day of the calendar it is recorded once more; a day after the first certificate it gets another.
    let tomorrow = Timestamp(NOW.0 + 13 * HOUR);
    for _ in 0..3 {
        assert_eq!(renew(&house, &newest, tomorrow).await.status, 429);
    }
    assert_eq!(refusals(&house).await.len(), 2);
    let again = Timestamp(NOW.0 + DAY + 1000);
    newest = certificate(&renew(&house, &newest, again).await);
    assert_eq!(renew(&house, &newest, again).await.status, 429);
    let filter = RegistrationFilter {
        state: Some(RegistrationState::Refused),
        ..RegistrationFilter::default()
    };
    let listed = house.desk.registrations(&filter).await.unwrap();
    assert_eq!(listed.registrations.len(), 2);
    assert_eq!(
        listed.registrations[0].asset.as_deref(),
        Some(asset.id.as_str())
    );

    door.limits.per_asset_per_day = 0;
    house.put(door).await;
    for _ in 0..5 {
        newest = certificate(&renew(&house, &newest, again).await);
    }
}

async fn r07_a_device_in_a_loop_does_not_fill_the_queue(postgres: bool) {
    let house = House::new(postgres).await;
    let mut door = endpoint("pumps");
    door.approval = Approval::Always;
    door.limits.per_asset_per_day = 2;
    house.put(door).await;
    for serial in ["SN-1", "SN-2"] {
        house.asset(serial, |_| {}).await;
    }
    let ask = async |serial: &str| {
        let csr = Key::new().request(&format!("serialNumber={serial}"));
        let nothing = Asked {
            password: None,
            ..Asked::by_password(&csr, "")
        };
        outcome(&house.ask(&nothing, NOW).await)
    };
    for expected in ["pending", "pending", "limit", "limit"] {
        assert_eq!(ask("SN-1").await, expected);
    }
    assert_eq!(ask("SN-2").await, "pending");
    assert_eq!(house.ca.access().requests().await.unwrap().len(), 3);
    assert_eq!(refusals(&house).await.len(), 1);
}
