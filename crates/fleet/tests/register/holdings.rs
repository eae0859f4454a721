//! Holdings: what an asset was given, what that supersedes and when it is revoked; dates by life and clock (R05, R11).

use audit::Timestamp;
use fleet::{Asset, ClockQuality, Previous};
use x509::Certificate;

use crate::support::{DAY, House, NOW, on_both, pump};

on_both!(
    what_is_superseded_is_revoked_as_the_policy_says,
    endpoints_do_not_disturb_each_other,
    r05_no_certificate_outlives_its_asset,
    r05_a_device_without_a_clock_finds_its_certificate_valid,
    r11_many_that_are_due_are_revoked_and_each_once,
);

async fn what_is_superseded_is_revoked_as_the_policy_says(postgres: bool) {
    let house = House::new(postgres).await;
    let asset = house.pump("SN-1").await;
    let week = Previous::RevokeAfter(7 * 86_400);
    for (at, previous) in [
        (0, Previous::Keep),
        (1, Previous::Keep),
        (2, week),
        (3, Previous::RevokeAtOnce),
    ] {
        let now = Timestamp(NOW.0 + at * 1000);
        house.enrol(&asset, "default", previous, now).await.unwrap();
    }
    let later = |ms| Timestamp(NOW.0 + 3000 + ms);
    assert_eq!(house.fleet.revoke_due(later(0)).await.unwrap(), 1);
    assert_eq!(
        house.states(&asset).await,
        ["good", "superseded", "good", "good"]
    );
    assert_eq!(house.fleet.revoke_due(later(0)).await.unwrap(), 0);
    assert_eq!(house.fleet.revoke_due(later(6 * DAY)).await.unwrap(), 0);
    assert_eq!(house.fleet.revoke_due(later(7 * DAY)).await.unwrap(), 1);
    assert_eq!(
        house.states(&asset).await,
        ["good", "superseded", "superseded", "good"]
    );
    let live = house.fleet.live_holdings(&asset.id, NOW).await.unwrap();
    assert_eq!(live.len(), 2, "the first was kept on purpose");
    let holdings = house.fleet.holdings(&asset.id).await.unwrap();
    assert_eq!(
        holdings[1].superseded_by.as_ref(),
        Some(&holdings[0].sha256)
    );
    assert!(holdings[1].ended.is_some() && holdings[0].ended.is_none());
}

async fn endpoints_do_not_disturb_each_other(postgres: bool) {
    let house = House::new(postgres).await;
    let (pump, other) = (house.pump("SN-1").await, house.pump("SN-2").await);
    let at_once = Previous::RevokeAtOnce;
    for (asset, endpoint) in [(&pump, "wifi"), (&pump, "dicom"), (&other, "wifi")] {
        house.enrol(asset, endpoint, at_once, NOW).await.unwrap();
    }
    assert_eq!(house.fleet.revoke_due(NOW).await.unwrap(), 0);
    house.enrol(&pump, "wifi", at_once, NOW).await.unwrap();
    assert_eq!(house.fleet.revoke_due(NOW).await.unwrap(), 1);
    let live = house.fleet.live_holdings(&pump.id, NOW).await.unwrap();
    assert_eq!(live.len(), 2);
    assert_eq!(house.states(&other).await, ["good"]);
}

async fn r05_no_certificate_outlives_its_asset(postgres: bool) {
    let house = House::new(postgres).await;
    let ends = NOW.seconds() + 90 * 86_400;
    let asset = Asset {
        service_life_ends: Some(ends),
        ..pump("SN-1")
    };
    let asset = house.put(asset).await.unwrap().asset;
    let issued = house
        .enrol(&asset, "default", Previous::Keep, NOW)
        .await
        .unwrap();
    assert_eq!(issued.not_after.0, ends);
    let past = Timestamp((ends + 1) * 1000);
    let refused = house
        .enrol(&asset, "default", Previous::Keep, past)
        .await
        .unwrap_err();
    assert_eq!(refused.refusal().unwrap().rule, "validity.over");
}

async fn r05_a_device_without_a_clock_finds_its_certificate_valid(postgres: bool) {
    let house = House::new(postgres).await;
    let mut dates = Vec::new();
    for (serial, clock) in [
        ("1", ClockQuality::Good),
        ("2", ClockQuality::Poor),
        ("3", ClockQuality::None),
    ] {
        let asset = house
            .put(Asset {
                clock,
                ..pump(serial)
            })
            .await
            .unwrap()
            .asset;
        // A month after the hierarchy was made.
        let now = Timestamp(NOW.0 + 30 * DAY);
        let issued = house
            .enrol(&asset, "default", Previous::Keep, now)
            .await
            .unwrap();
        Certificate::from_der(&issued.der).unwrap();
        dates.push((
            issued.not_before.0 - now.seconds(),
            issued.not_after.0 - now.seconds(),
        ));
    }
    let [good, poor, none] = dates[..] else {
        panic!()
    };
    assert_eq!(good.0, -300);
    assert_eq!(poor.0, -86_400);
    let issuer = house
        .ca
        .issuers()
        .into_iter()
        .find(|issuer| issuer.name().starts_with("devices"))
        .unwrap();
    assert_eq!(
        none.0 + NOW.seconds() + 30 * 86_400,
        issuer.certificate().not_before().0
    );
    assert_eq!(
        (poor.1, none.1),
        (good.1, good.1),
        "dating back serves nobody longer"
    );
}

async fn r11_many_that_are_due_are_revoked_and_each_once(postgres: bool) {
    let house = House::new(postgres).await;
    let asset = house.pump("SN-1").await;
    for at in 0..40 {
        let now = Timestamp(NOW.0 + at);
        house
            .enrol(&asset, "default", Previous::RevokeAtOnce, now)
            .await
            .unwrap();
    }
    // Two nodes do it at the same time.
    let now = Timestamp(NOW.0 + 1000);
    let other = house.elsewhere().await;
    let (one, two) = tokio::join!(house.fleet.revoke_due(now), other.revoke_due(now));
    assert!(one.unwrap() + two.unwrap() >= 39);
    assert_eq!(house.events("certificate.revoke").await.len(), 39);
    let states = house.states(&asset).await;
    assert_eq!(states[0], "good");
    assert!(
        states[1..].iter().all(|state| state == "superseded"),
        "{states:?}"
    );
}
