//! Assets: registered, checked, found, changed; every version stays (R08, R52).

use access::{Action, Role, Scope};
use audit::Timestamp;
use fleet::{Asset, AssetFilter, AssetState, Criticality, FleetError, Kind, Udi};
use store::StoreError;

use crate::support::{House, NOW, on_both, pump, rule};

on_both!(
    r08_an_asset_is_found_by_what_people_know_of_it,
    r08_a_label_finds_its_device_in_every_form,
    r08_what_cannot_be_an_asset_is_refused,
    r08_one_asset_is_one_record,
    r52_every_version_stays,
    r37_who_may_not_is_refused,
    pages_narrow_and_go_on,
);

async fn r08_an_asset_is_found_by_what_people_know_of_it(postgres: bool) {
    let house = House::new(postgres).await;
    let asset = Asset {
        udi: Some(Udi::parse("(01)51022222233336(21)SN-4711").unwrap()),
        host_names: vec![
            " Pump7.ICU.example.org. ".into(),
            "pump7.icu.example.org".into(),
        ],
        source: Some("CMMS-99".into()),
        owner: Some("  ".into()),
        ..pump(" SN-4711 ")
    };
    let stored = house.put(asset).await.unwrap();
    assert_eq!(
        (stored.version, stored.asset.serial.as_str()),
        (1, "SN-4711")
    );
    assert_eq!(stored.asset.host_names, ["pump7.icu.example.org"]);
    assert_eq!(stored.asset.owner, None);
    let id = stored.asset.id.clone();
    for text in [id.as_str(), "SN-4711", " SN-4711 ", "CMMS-99"] {
        assert_eq!(house.fleet.find(text).await.unwrap(), stored, "{text}");
    }
    let serials = |manufacturer: Option<&'static str>| {
        let fleet = house.fleet.clone();
        async move { fleet.find_serial(" SN-4711", manufacturer).await.unwrap() }
    };
    assert_eq!(serials(None).await, std::slice::from_ref(&stored.asset));
    assert_eq!(serials(Some("FLUIDIC ")).await.len(), 1);
    assert_eq!(serials(Some("Other")).await.len(), 0);
    // Serial numbers differ by case; nothing is found by nothing.
    for nobody in ["sn-4711", "SN-471", ""] {
        assert!(
            house
                .fleet
                .find_serial(nobody, None)
                .await
                .unwrap()
                .is_empty(),
            "{nobody}"
        );
    }
    assert_eq!(
        house.fleet.find_udi("51022222233336").await.unwrap().len(),
        1
    );
    // Another maker may use the same serial number; then it does not name one asset.
    let other = Asset {
        manufacturer: "Other".into(),
        ..pump("SN-4711")
    };
    house.put(other).await.unwrap();
    assert_eq!(rule(house.fleet.find("SN-4711").await), "asset.ambiguous");
    assert!(matches!(
        house.fleet.find("nobody").await,
        Err(FleetError::NotFound { .. })
    ));
}

async fn r08_what_cannot_be_an_asset_is_refused(postgres: bool) {
    let house = House::new(postgres).await;
    let table: [(&str, Asset); 9] = [
        ("asset.serial.missing", pump("  ")),
        ("asset.serial", pump(&"9".repeat(65))),
        ("asset.serial", pump("12\u{7}34")),
        (
            "asset.text",
            Asset {
                model: "x".repeat(201),
                ..pump("1")
            },
        ),
        (
            "asset.text",
            Asset {
                site: Some("a\nb".into()),
                ..pump("1")
            },
        ),
        (
            "asset.host-name",
            Asset {
                host_names: vec!["a b".into()],
                ..pump("1")
            },
        ),
        (
            "asset.host-name",
            Asset {
                host_names: vec!["-a.example".into()],
                ..pump("1")
            },
        ),
        (
            "asset.retire",
            Asset {
                state: AssetState::Retired,
                ..pump("1")
            },
        ),
        (
            "asset.udi.serial",
            Asset {
                udi: Some(Udi::parse("(01)51022222233336(21)2").unwrap()),
                ..pump("1")
            },
        ),
    ];
    let cases = table.len();
    for (expected, asset) in table {
        assert_eq!(rule(house.put(asset).await), expected);
    }
    assert_eq!(
        house.events("asset.create").await.len(),
        cases,
        "refusals are recorded"
    );
    // The twins: software has no label, and the UDI of the right device passes.
    let service = Asset {
        kind: Kind::Service,
        ..pump("")
    };
    house.put(service.clone()).await.unwrap();
    house.put(service).await.unwrap();
    let udi = Udi::parse("(01)51022222233336(21)1").unwrap();
    house
        .put(Asset {
            udi: Some(udi),
            ..pump("1")
        })
        .await
        .unwrap();
}

async fn r08_one_asset_is_one_record(postgres: bool) {
    let house = House::new(postgres).await;
    let first = house.pump("SN-1").await;
    let again = Asset {
        manufacturer: "FLUIDIC".into(),
        ..pump("SN-1")
    };
    assert_eq!(rule(house.put(again).await), "asset.duplicate");
    let sourced = Asset {
        source: Some("C-1".into()),
        ..pump("SN-2")
    };
    house.put(sourced.clone()).await.unwrap();
    let twin = Asset {
        serial: "SN-3".into(),
        ..sourced
    };
    let refused = house.put(twin).await.unwrap_err();
    assert_eq!(refused.refusal().unwrap().rule, "asset.duplicate");
    // A change does not become a duplicate either, and a stale one is a conflict.
    let moved = Asset {
        id: first.id.clone(),
        ..pump("SN-2")
    };
    let permit = house.permit(Action::ManageAssets);
    assert_eq!(
        rule(house.fleet.put(permit, moved, 1, NOW).await),
        "asset.duplicate"
    );
    for version in [2, 7] {
        let permit = house.permit(Action::ManageAssets);
        let stale = house.fleet.put(permit, first.clone(), version, NOW).await;
        let conflict = matches!(stale, Err(FleetError::Store(StoreError::Conflict(_))));
        assert!(conflict, "version {version}: {stale:?}");
    }
}

async fn r52_every_version_stays(postgres: bool) {
    let house = House::new(postgres).await;
    let mut asset = house.pump("SN-1").await;
    for (version, site) in [(1, "North"), (2, "South")] {
        asset.site = Some(site.into());
        let later = Timestamp(NOW.0 + i64::try_from(version).unwrap() * 1000);
        let permit = house.permit(Action::ManageAssets);
        let stored = house
            .fleet
            .put(permit, asset.clone(), version, later)
            .await
            .unwrap();
        assert_eq!(stored.version, version + 1);
    }
    let history = house.fleet.history(&asset.id).await.unwrap();
    assert_eq!(history.len(), 3);
    let at = |ms| house.fleet.asset_as_of(&asset.id, Timestamp(NOW.0 + ms));
    assert_eq!(at(500).await.unwrap().asset.site, None);
    assert_eq!(at(1500).await.unwrap().asset.site.as_deref(), Some("North"));
    assert_eq!(at(9999).await.unwrap().asset.site.as_deref(), Some("South"));
    assert!(at(-1).await.is_err());
    let events = house.events("asset.update").await;
    assert_eq!(events.len(), 2);
    assert_eq!(events[1].before.as_ref().unwrap()["site"], "North");
    // Another process sees the same.
    let elsewhere = house.elsewhere().await;
    assert_eq!(elsewhere.find("SN-1").await.unwrap().version, 3);
}

async fn r37_who_may_not_is_refused(postgres: bool) {
    let house = House::new(postgres).await;
    let auditor = house.person("ada", Role::Auditor, Scope::default()).await;
    let permit = house.permit_of(&auditor, Action::ReadAssets);
    assert_eq!(
        rule(house.fleet.put(permit, pump("1"), 0, NOW).await),
        "permit.action"
    );
    let issuer = house.person("ines", Role::Issuer, Scope::default()).await;
    let permit = house.permit_of(&issuer, Action::ManageAssets);
    house.fleet.put(permit, pump("1"), 0, NOW).await.unwrap();
}

/// Forms of the GS1 General Specifications (printed, as a scanner sends it, Digital Link); the check digit is theirs too.
async fn r08_a_label_finds_its_device_in_every_form(postgres: bool) {
    let house = House::new(postgres).await;
    let labelled = |serial: &str| Asset {
        udi: Some(Udi::parse(&format!("(01)51022222233336(21){serial}")).unwrap()),
        ..pump(serial)
    };
    for asset in [labelled("SN-1"), labelled("SN-2"), pump("SN-3")] {
        house.put(asset).await.unwrap();
    }
    let other = Asset {
        udi: Some(Udi::parse("(01)00885074016405(21)SN-1").unwrap()),
        model: "Pole".to_owned(),
        ..pump("SN-1")
    };
    house.put(other).await.unwrap();
    let found = async |udi: &str, state: Option<AssetState>| {
        let filter = AssetFilter {
            udi: Some(udi.to_owned()),
            state,
            ..AssetFilter::default()
        };
        let now = house.fleet.assets(&filter).await?;
        let then = house.fleet.assets_as_of(&filter, NOW).await?;
        assert_eq!(now.assets, then.assets, "{udi}");
        let mut serials: Vec<String> = now.assets.into_iter().map(|it| it.asset.serial).collect();
        serials.sort();
        Ok::<_, FleetError>(serials)
    };
    for form in [
        "(01)51022222233336(21)SN-1",
        "0151022222233336\u{1d}21SN-1",
        "https://id.gs1.org/01/51022222233336/21/SN-1",
    ] {
        assert_eq!(found(form, None).await.unwrap(), ["SN-1"], "{form}");
    }
    assert_eq!(
        found("(01)51022222233336", None).await.unwrap(),
        ["SN-1", "SN-2"]
    );
    // Registered without its UDI: the serial number is enough.
    assert_eq!(
        found("(01)51022222233336(21)SN-3", None).await.unwrap(),
        ["SN-3"]
    );
    assert!(
        found("(01)51022222233336(21)SN-9", None)
            .await
            .unwrap()
            .is_empty()
    );
    let retired = Some(AssetState::Retired);
    assert!(
        found("(01)51022222233336(21)SN-1", retired)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        rule(found("(01)51022222233337(21)SN-1", None).await),
        "asset.udi"
    );
}

async fn pages_narrow_and_go_on(postgres: bool) {
    let house = House::new(postgres).await;
    for at in 0..7 {
        let criticality = match at % 2 {
            0 => Criticality::LifeSupport,
            _ => Criticality::Low,
        };
        let asset = Asset {
            criticality,
            site: Some(format!("Site 100%_{}", at % 3)),
            ..pump(&format!("SN-{at}"))
        };
        house.put(asset).await.unwrap();
    }
    let count = async |filter: AssetFilter| house.fleet.assets(&filter).await.unwrap().assets.len();
    let filter = AssetFilter::default;
    assert_eq!(count(filter()).await, 7);
    assert_eq!(
        count(AssetFilter {
            criticality: Some(Criticality::LifeSupport),
            ..filter()
        })
        .await,
        4
    );
    assert_eq!(
        count(AssetFilter {
            site: Some("Site 100%_1".into()),
            ..filter()
        })
        .await,
        2
    );
    assert_eq!(
        count(AssetFilter {
            contains: Some("%_2".into()),
            ..filter()
        })
        .await,
        2
    );
    assert_eq!(
        count(AssetFilter {
            contains: Some("FLUIDIC".into()),
            ..filter()
        })
        .await,
        7
    );
    assert_eq!(
        count(AssetFilter {
            contains: Some("100__".into()),
            ..filter()
        })
        .await,
        0
    );
    assert_eq!(
        count(AssetFilter {
            kind: Some(Kind::Server),
            ..filter()
        })
        .await,
        0
    );
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = AssetFilter {
            limit: Some(3),
            after,
            ..filter()
        };
        let page = house.fleet.assets(&page).await.unwrap();
        seen.extend(page.assets.into_iter().map(|stored| stored.asset.serial));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    seen.sort();
    let all: Vec<String> = (0..7).map(|at| format!("SN-{at}")).collect();
    assert_eq!(seen, all);
}
