//! Spares (R24): prepared, asked for, approved by somebody else, released once, revoked when nobody used them.

use std::process::Command;

use access::{Action, RequestId, Role, Scope};
use audit::Timestamp;
use fleet::{Asset, NewSpare, Previous, ReleasedSpare, Retire, Spare, SpareState};

use crate::support::{DAY, House, NOW, on_both, rule};

on_both!(
    r24_two_people_release_a_spare_once,
    r24_nobody_releases_alone,
    r24_what_nobody_used_is_revoked,
    r24_what_was_used_is_not_revoked,
    r24_a_spare_ends_with_its_asset,
    r24_spares_have_profiles_whose_keys_are_made_here,
    r24_of_two_releases_one_gets_it,
    r02_a_spare_survives_a_new_key_encrypting_key,
);

async fn prepare(house: &House, asset: &Asset) -> Spare {
    let new = NewSpare {
        asset: asset.id.clone(),
        profile: "device-ldevid".into(),
        unused_after: NOW.0 + 30 * DAY,
        algorithm: None,
        note: "locker 4".into(),
    };
    let permit = house.permit(Action::ManageAssets);
    house.fleet.prepare_spare(permit, new, NOW).await.unwrap()
}

async fn ask(house: &House, spare: &Spare) -> RequestId {
    let permit = house.permit(Action::ManageAssets);
    let asked = house
        .fleet
        .request_spare(permit, &spare.id, "Tom Tech", "pump fell", NOW)
        .await;
    asked.unwrap().id
}

async fn approve(house: &House, request: &RequestId) {
    let second = house.person("ada", Role::Approver, Scope::default()).await;
    let permit = house.permit_of(&second, Action::ApproveRequests);
    house
        .fleet
        .approve_spare(permit, request, Some("seen"), NOW)
        .await
        .unwrap();
}

async fn release(house: &House, spare: &Spare) -> Result<ReleasedSpare, fleet::FleetError> {
    let permit = house.permit(Action::ManageAssets);
    house.fleet.release_spare(permit, &spare.id, NOW).await
}

async fn r24_spares_have_profiles_whose_keys_are_made_here(postgres: bool) {
    let house = House::new(postgres).await;
    let asset = house.pump("SN-4711").await;
    for (profile, expected) in [
        ("sdc-provider", Some("key.on-server")),
        ("device-rsa", None),
        ("device-small", None),
    ] {
        let new = NewSpare {
            asset: asset.id.clone(),
            profile: profile.into(),
            unused_after: NOW.0 + 30 * DAY,
            algorithm: None,
            note: String::new(),
        };
        let permit = house.permit(Action::ManageAssets);
        let prepared = house.fleet.prepare_spare(permit, new, NOW).await;
        match expected {
            None => assert_eq!(prepared.unwrap().state, SpareState::Prepared, "{profile}"),
            Some(expected) => assert_eq!(rule(prepared), expected, "{profile}"),
        }
    }
}

async fn r24_two_people_release_a_spare_once(postgres: bool) {
    let house = House::new(postgres).await;
    let asset = house.pump("SN-4711").await;
    let spare = prepare(&house, &asset).await;
    assert_eq!(spare.state, SpareState::Prepared);
    approve(&house, &ask(&house, &spare).await).await;
    let released = release(&house, &spare).await.unwrap();
    assert_eq!(released.spare.state, SpareState::Released);
    assert_eq!(released.spare.technician.as_deref(), Some("Tom Tech"));
    assert!(released.password.len() >= 26);
    // OpenSSL opens it with that password and no other, and the key is that of the certificate.
    let file = house.directory.path().join("spare.p12");
    std::fs::write(&file, released.p12.as_slice()).unwrap();
    let open = |password: &str| {
        let ran = Command::new("openssl")
            .args([
                "pkcs12",
                "-nodes",
                "-passin",
                &format!("pass:{password}"),
                "-in",
            ])
            .arg(&file)
            .output()
            .expect("openssl is needed");
        (
            ran.status.success(),
            String::from_utf8_lossy(&ran.stdout).into_owned(),
        )
    };
    let (opens, contents) = open(&released.password);
    assert!(
        opens && contents.contains("PRIVATE KEY") && contents.contains("SN-4711"),
        "{contents}"
    );
    assert!(!open("wrong").0);
    // It is there once.
    assert_eq!(rule(release(&house, &spare).await), "spare.state");
    let rows = house
        .ca
        .store()
        .query("SELECT id FROM spares WHERE p12 IS NOT NULL", vec![])
        .await
        .unwrap();
    assert!(rows.is_empty());
    assert!(
        house
            .ca
            .store()
            .records(ca::SECRET_RECORDS)
            .await
            .unwrap()
            .iter()
            .all(|secret| !secret.id.starts_with("spare/"))
    );
    for action in [
        "spare.prepare",
        "spare.request",
        "request.approve",
        "spare.release",
        "request.fulfil",
    ] {
        assert!(!house.events(action).await.is_empty(), "{action}");
    }
    // No event has the password.
    let entries = house.ca.store().events(0, 100_000).await.unwrap();
    let has = |body: &[u8]| String::from_utf8_lossy(body).contains(released.password.as_str());
    assert!(!entries.iter().any(|entry| has(&entry.body)));
}

async fn r24_nobody_releases_alone(postgres: bool) {
    let house = House::new(postgres).await;
    let spare = prepare(&house, &house.pump("SN-1").await).await;
    assert_eq!(rule(release(&house, &spare).await), "spare.approval");
    let request = ask(&house, &spare).await;
    assert_eq!(rule(release(&house, &spare).await), "spare.approval");
    // Whoever asked cannot agree, and nobody asks twice.
    let own = house.permit(Action::ApproveRequests);
    assert_eq!(
        rule(house.fleet.approve_spare(own, &request, None, NOW).await),
        "request.own"
    );
    let permit = house.permit(Action::ManageAssets);
    let again = house
        .fleet
        .request_spare(permit, &spare.id, "Eve", "because", NOW)
        .await;
    assert_eq!(rule(again), "spare.requested");
    approve(&house, &request).await;
    // Somebody else's request is not theirs to collect, and an approval is not for ever.
    let other = house.person("ines", Role::Issuer, Scope::default()).await;
    let permit = house.permit_of(&other, Action::ManageAssets);
    assert_eq!(
        rule(house.fleet.release_spare(permit, &spare.id, NOW).await),
        "spare.requester"
    );
    let permit = house.permit(Action::ManageAssets);
    let late = Timestamp(NOW.0 + 8 * DAY);
    assert_eq!(
        rule(house.fleet.release_spare(permit, &spare.id, late).await),
        "spare.approval"
    );
    release(&house, &spare).await.unwrap();
    // A denial ends a request; another can follow.
    let spare = prepare(&house, &house.pump("SN-2").await).await;
    let request = ask(&house, &spare).await;
    let second = house.person("bo", Role::Approver, Scope::default()).await;
    let permit = house.permit_of(&second, Action::ApproveRequests);
    house
        .ca
        .access()
        .deny(permit, &request, None, NOW)
        .await
        .unwrap();
    assert_eq!(rule(release(&house, &spare).await), "spare.approval");
    ask(&house, &spare).await;
    let permit = house.permit(Action::ManageAssets);
    assert_eq!(
        rule(
            house
                .fleet
                .request_spare(permit, &spare.id, " ", "why", NOW)
                .await
        ),
        "spare.technician"
    );
}

async fn r24_what_nobody_used_is_revoked(postgres: bool) {
    let house = House::new(postgres).await;
    let asset = house.pump("SN-1").await;
    let spare = prepare(&house, &asset).await;
    let due = |days| Timestamp(NOW.0 + days * DAY);
    assert_eq!(house.fleet.revoke_due(due(29)).await.unwrap(), 0);
    approve(&house, &ask(&house, &spare).await).await;
    assert_eq!(house.fleet.revoke_due(due(30)).await.unwrap(), 1);
    assert_eq!(house.states(&asset).await, ["cessationOfOperation"]);
    let ended = house.fleet.spare(&spare.id).await.unwrap();
    assert_eq!(ended.state, SpareState::Ended);
    assert_eq!(rule(release(&house, &spare).await), "spare.state");
    let rows = house
        .ca
        .store()
        .query("SELECT id FROM spares WHERE p12 IS NOT NULL", vec![])
        .await
        .unwrap();
    assert!(rows.is_empty());
    let bad = NewSpare {
        asset: asset.id,
        profile: "device-ldevid".into(),
        unused_after: NOW.0,
        algorithm: None,
        note: String::new(),
    };
    let permit = house.permit(Action::ManageAssets);
    assert_eq!(
        rule(house.fleet.prepare_spare(permit, bad, NOW).await),
        "spare.unused-after"
    );
}

async fn r24_what_was_used_is_not_revoked(postgres: bool) {
    let house = House::new(postgres).await;
    let asset = house.pump("SN-1").await;
    let spare = prepare(&house, &asset).await;
    approve(&house, &ask(&house, &spare).await).await;
    release(&house, &spare).await.unwrap();
    assert_eq!(
        house
            .fleet
            .revoke_due(Timestamp(NOW.0 + 60 * DAY))
            .await
            .unwrap(),
        0
    );
    assert_eq!(house.states(&asset).await, ["good"]);
    // Spares and what a device enrols for itself leave each other alone.
    house
        .enrol(&asset, "default", Previous::RevokeAtOnce, NOW)
        .await
        .unwrap();
    assert_eq!(house.fleet.revoke_due(NOW).await.unwrap(), 0);
    let permit = house.permit(Action::ManageAssets);
    let ended = house
        .fleet
        .revoke_spare(permit, &spare.id, NOW)
        .await
        .unwrap();
    assert_eq!(ended.state, SpareState::Ended);
    assert_eq!(house.states(&asset).await, ["good", "cessationOfOperation"]);
}

async fn r24_a_spare_ends_with_its_asset(postgres: bool) {
    let house = House::new(postgres).await;
    let asset = house.pump("SN-1").await;
    let (spare, other) = (prepare(&house, &asset).await, prepare(&house, &asset).await);
    approve(&house, &ask(&house, &spare).await).await;
    let permit = house.permit(Action::ManageAssets);
    let sold = Retire {
        reason: "sold".into(),
        dry_run: false,
    };
    house
        .fleet
        .retire(permit, &asset.id, sold, NOW)
        .await
        .unwrap();
    for spare in [&spare, &other] {
        assert_eq!(
            house.fleet.spare(&spare.id).await.unwrap().state,
            SpareState::Ended
        );
        assert_eq!(rule(release(&house, spare).await), "spare.state");
    }
    assert_eq!(house.states(&asset).await, ["cessationOfOperation"; 2]);
}

async fn r24_of_two_releases_one_gets_it(postgres: bool) {
    let house = House::new(postgres).await;
    let spare = prepare(&house, &house.pump("SN-1").await).await;
    approve(&house, &ask(&house, &spare).await).await;
    let elsewhere = house.elsewhere().await;
    let permit = house.permit(Action::ManageAssets);
    let (one, two) = tokio::join!(
        release(&house, &spare),
        elsewhere.release_spare(permit, &spare.id, NOW)
    );
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
    assert_eq!(
        house
            .events("spare.release")
            .await
            .iter()
            .filter(|event| event.outcome == audit::Outcome::Done)
            .count(),
        1
    );
}

async fn r02_a_spare_survives_a_new_key_encrypting_key(postgres: bool) {
    let house = House::new(postgres).await;
    let spare = prepare(&house, &house.pump("SN-1").await).await;
    let permit = house.permit(Action::ManageKeys);
    let new = keys::KekSource::GeneratedFile;
    house.ca.rewrap_keys(permit, &new, NOW).await.unwrap();
    approve(&house, &ask(&house, &spare).await).await;
    release(&house, &spare).await.unwrap();
}
