//! Retirement (R11): shown first, then everything the asset holds ends, and nothing new can become its own, also not what
//! is under way.

use access::{Action, Role, Scope, Target};
use audit::Timestamp;
use ca::CaError;
use ca::revocation::Revocation;
use fleet::{Asset, AssetState, Previous, Retire};
use store::StoreError;
use x509::crl::Reason;

use crate::support::{DAY, House, NOW, on_both, pump, rule};

on_both!(
    r11_a_dry_run_shows_and_does_nothing,
    r11_what_an_asset_holds_ends_with_it,
    r11_nothing_new_for_what_is_retired,
    r11_a_request_in_flight_loses,
    r11_a_crash_after_the_retirement_forgets_nothing,
    r11_who_may_not_touch_its_certificates_cannot_retire,
    r37_a_clinical_engineer_retires_and_revokes_nothing_else,
    r11_what_is_over_already_is_no_obstacle,
);

fn retire(dry_run: bool) -> Retire {
    Retire {
        reason: "sold".into(),
        dry_run,
    }
}

async fn r11_a_dry_run_shows_and_does_nothing(postgres: bool) {
    let house = House::new(postgres).await;
    let asset = house.pump("SN-1").await;
    house
        .enrol(&asset, "default", Previous::Keep, NOW)
        .await
        .unwrap();
    let permit = house.permit(Action::ManageAssets);
    let shown = house
        .fleet
        .retire(permit, &asset.id, retire(true), NOW)
        .await
        .unwrap();
    assert_eq!(
        (shown.certificates.len(), shown.revoked, shown.dry_run),
        (1, 0, true)
    );
    assert_eq!(shown.asset.asset.state, AssetState::Active);
    assert_eq!(house.states(&asset).await, ["good"]);
    house
        .enrol(&asset, "default", Previous::Keep, NOW)
        .await
        .unwrap();
}

async fn r11_what_an_asset_holds_ends_with_it(postgres: bool) {
    let house = House::new(postgres).await;
    let (asset, other) = (house.pump("SN-1").await, house.pump("SN-2").await);
    for (asset, endpoint) in [(&asset, "wifi"), (&asset, "dicom"), (&other, "wifi")] {
        house
            .enrol(asset, endpoint, Previous::Keep, NOW)
            .await
            .unwrap();
    }
    // One would have been revoked next week anyway.
    house
        .enrol(&asset, "wifi", Previous::RevokeAfter(7 * 86_400), NOW)
        .await
        .unwrap();
    let permit = house.permit(Action::ManageAssets);
    let nameless = Retire {
        reason: " ".into(),
        dry_run: false,
    };
    assert_eq!(
        rule(house.fleet.retire(permit, &asset.id, nameless, NOW).await),
        "asset.retire.reason"
    );
    let permit = house.permit(Action::ManageAssets);
    let retired = house
        .fleet
        .retire(permit, &asset.id, retire(false), NOW)
        .await
        .unwrap();
    assert_eq!((retired.certificates.len(), retired.revoked), (3, 3));
    assert_eq!(house.states(&asset).await, ["cessationOfOperation"; 3]);
    assert_eq!(house.states(&other).await, ["good"]);
    let stored = house.fleet.asset(&asset.id).await.unwrap();
    assert_eq!(
        (stored.version, stored.asset.state),
        (2, AssetState::Retired)
    );
    let event = &house.events("asset.retire").await[1];
    assert_eq!(
        (event.why.as_deref(), &event.object.id),
        (Some("sold"), &asset.id)
    );
    // For good: neither again, nor changed, nor brought back.
    let permit = house.permit(Action::ManageAssets);
    assert_eq!(
        rule(
            house
                .fleet
                .retire(permit, &asset.id, retire(false), NOW)
                .await
        ),
        "asset.retired"
    );
    let permit = house.permit(Action::ManageAssets);
    assert_eq!(
        rule(house.fleet.put(permit, asset.clone(), 2, NOW).await),
        "asset.retired"
    );
    assert_eq!(house.fleet.revoke_due(NOW).await.unwrap(), 0);
    // What comes back is a new asset.
    let back = house.pump("SN-1").await;
    assert_ne!(back.id, asset.id);
    assert_eq!(house.fleet.find("SN-1").await.unwrap().asset.id, back.id);
    house
        .enrol(&back, "wifi", Previous::Keep, NOW)
        .await
        .unwrap();
}

async fn r11_nothing_new_for_what_is_retired(postgres: bool) {
    let house = House::new(postgres).await;
    let asset = house.pump("SN-1").await;
    let permit = house.permit(Action::ManageAssets);
    house
        .fleet
        .retire(permit, &asset.id, retire(false), NOW)
        .await
        .unwrap();
    let refused = house.enrol(&asset, "default", Previous::Keep, NOW).await;
    assert!(
        matches!(refused, Err(CaError::Store(StoreError::Conflict(_)))),
        "{refused:?}"
    );
    assert!(house.fleet.holdings(&asset.id).await.unwrap().is_empty());
    let nobody = Asset {
        id: "a0123456789abcdef".into(),
        ..pump("SN-9")
    };
    assert!(
        house
            .enrol(&nobody, "default", Previous::Keep, NOW)
            .await
            .is_err()
    );
}

/// Enrolments and the retirement race; whichever order the database gives them, nothing live is left.
async fn r11_a_request_in_flight_loses(postgres: bool) {
    let house = House::new(postgres).await;
    for round in 0..4 {
        let asset = house.pump(&format!("SN-{round}")).await;
        let mut tasks = Vec::new();
        for at in 0..8 {
            let permit = house.permit(Action::IssueCertificate);
            let endpoint = format!("door-{at}");
            let request = house.request(&asset, &endpoint, Previous::Keep, NOW);
            let ca = house.ca.clone();
            tasks.push(tokio::spawn(async move {
                ca.issue(permit, request, NOW).await.is_ok()
            }));
        }
        // The other node retires.
        let other = house.elsewhere().await;
        let permit = house.permit(Action::ManageAssets);
        other
            .retire(permit, &asset.id, retire(false), NOW)
            .await
            .unwrap();
        let mut won = 0;
        for task in tasks {
            won += usize::from(task.await.unwrap());
        }
        house.fleet.revoke_due(NOW).await.unwrap();
        let holdings = house.fleet.holdings(&asset.id).await.unwrap();
        assert_eq!(holdings.len(), won);
        assert!(
            house
                .fleet
                .live_holdings(&asset.id, NOW)
                .await
                .unwrap()
                .is_empty()
        );
    }
}

async fn r11_a_crash_after_the_retirement_forgets_nothing(postgres: bool) {
    let house = House::new(postgres).await;
    let asset = house.pump("SN-1").await;
    house
        .enrol(&asset, "default", Previous::Keep, NOW)
        .await
        .unwrap();
    let permit = house.permit(Action::ManageAssets);
    // The caller goes away while the first revocation is under way.
    let ran = house.fleet.retire(permit, &asset.id, retire(false), NOW);
    let _ = tokio::time::timeout(std::time::Duration::from_millis(3), ran).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let state = house.fleet.asset(&asset.id).await.unwrap().asset.state;
    if state == AssetState::Active {
        let permit = house.permit(Action::ManageAssets);
        house
            .fleet
            .retire(permit, &asset.id, retire(false), NOW)
            .await
            .unwrap();
    }
    house.elsewhere().await.revoke_due(NOW).await.unwrap();
    assert_eq!(house.states(&asset).await, ["cessationOfOperation"]);
}

async fn r11_who_may_not_touch_its_certificates_cannot_retire(postgres: bool) {
    let house = House::new(postgres).await;
    let asset = house.pump("SN-1").await;
    house
        .enrol(&asset, "default", Previous::Keep, NOW)
        .await
        .unwrap();
    let scope = Scope {
        profiles: vec!["server-*".into()],
        ..Scope::default()
    };
    let web = house.person("web", Role::Issuer, scope).await;
    let permit = house.permit_of(&web, Action::ManageAssets);
    let refused = rule(
        house
            .fleet
            .retire(permit, &asset.id, retire(false), NOW)
            .await,
    );
    assert!(refused.starts_with("scope"), "{refused}");
    assert_eq!(house.states(&asset).await, ["good"]);
    assert_eq!(
        house.fleet.asset(&asset.id).await.unwrap().asset.state,
        AssetState::Active
    );
    let scope = Scope {
        profiles: vec!["device-*".into()],
        ..Scope::default()
    };
    let biomed = house.person("biomed", Role::Issuer, scope).await;
    let permit = house.permit_of(&biomed, Action::ManageAssets);
    house
        .fleet
        .retire(permit, &asset.id, retire(false), NOW)
        .await
        .unwrap();
}

/// What a device holds ends with it, whoever may end the device; that is no way to any other certificate.
async fn r37_a_clinical_engineer_retires_and_revokes_nothing_else(postgres: bool) {
    let house = House::new(postgres).await;
    let (asset, other) = (house.pump("SN-1").await, house.pump("SN-2").await);
    for pump in [&asset, &other] {
        house
            .enrol(pump, "default", Previous::Keep, NOW)
            .await
            .unwrap();
    }
    let nora = house
        .person("nora", Role::ClinicalEngineering, Scope::default())
        .await;
    let may = house
        .ca
        .access()
        .decide(&nora, Action::RevokeCertificate, &Target::default());
    assert!(may.is_err());
    let permit = house.permit_of(&nora, Action::ManageAssets);
    let retired = house
        .fleet
        .retire(permit, &asset.id, retire(false), NOW)
        .await
        .unwrap();
    assert_eq!(retired.revoked, 1);
    assert_eq!(house.states(&asset).await, ["cessationOfOperation"]);
    assert_eq!(house.states(&other).await, ["good"]);
    let events = house.events("asset.retire").await;
    assert!(
        events
            .iter()
            .any(|event| event.actor.id.starts_with("nora/")),
        "the retirement is hers"
    );
}

async fn r11_what_is_over_already_is_no_obstacle(postgres: bool) {
    let house = House::new(postgres).await;
    let asset = house.pump("SN-1").await;
    let revoked = house
        .enrol(&asset, "wifi", Previous::Keep, NOW)
        .await
        .unwrap();
    let stored = house
        .ca
        .certificate(&revoked.sha256)
        .await
        .unwrap()
        .unwrap();
    let stolen = Revocation {
        reason: Reason::KeyCompromise,
        invalid_since: None,
        why: None,
        request_id: None,
    };
    let permit = house.permit(Action::RevokeCertificate);
    house.ca.revoke(permit, &stored, stolen, NOW).await.unwrap();
    house
        .enrol(&asset, "dicom", Previous::Keep, NOW)
        .await
        .unwrap();
    // Long after both have expired.
    let later = Timestamp(NOW.0 + 800 * DAY);
    let permit = house.permit(Action::ManageAssets);
    let retired = house
        .fleet
        .retire(permit, &asset.id, retire(false), later)
        .await
        .unwrap();
    assert_eq!(retired.certificates.len(), 0);
    assert_eq!(house.fleet.revoke_due(later).await.unwrap(), 2);
    assert_eq!(house.states(&asset).await, ["good", "keyCompromise"]);
    assert_eq!(house.fleet.revoke_due(later).await.unwrap(), 0);
}
