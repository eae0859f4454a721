//! Trust bundles: what they hold before, during and after a rotation, in every format (R27, R28, R52).

use access::{Action, Role, Scope};
use audit::Timestamp;
use ca::{Carry, ParentKey};
use fleet::FleetError;
use fleet::bundle::{Bundles, Definition, Format, STORE_PASSWORD};
use store::StoreError;
use x509::{Certificate, jks, pem, pkcs7, pkcs12};
use zeroize::Zeroizing;

use crate::support::{DAY, House, NOW, on_both};

on_both!(
    r28_every_format_holds_the_same_anchors,
    r28_a_bundle_follows_a_rotation_and_keeps_its_past,
    r28_what_cannot_be_a_bundle_is_refused,
    r28_a_removed_bundle_is_published_no_more,
);

fn devices() -> Definition {
    Definition {
        name: "devices".into(),
        audience: "Pumps".into(),
        authorities: vec!["devices".into()],
        ..Definition::default()
    }
}

fn later(days: i64) -> Timestamp {
    Timestamp(NOW.0 + days * DAY)
}

async fn r28_every_format_holds_the_same_anchors(postgres: bool) {
    let house = House::new(postgres).await;
    let bundles = Bundles::open(house.ca.clone());
    let permit = || house.permit(Action::ManageAuthorities);
    let root = house.ca.issuer("root").unwrap().certificate().clone();
    let stored = bundles.create(permit(), &devices(), NOW).await.unwrap();
    assert_eq!(stored.bundle.certificates, std::slice::from_ref(&root));
    let single = bundles.published("devices", None).await.unwrap();
    assert_eq!(single.file(Format::Der), Some(root.der()));

    let both = Definition {
        issuers: true,
        authorities: vec!["devices".into(), "servers".into()],
        ..devices()
    };
    let stored = bundles.set(permit(), &both, None, NOW).await.unwrap();
    assert_eq!((stored.version, stored.bundle.certificates.len()), (2, 3));
    let certificates = &stored.bundle.certificates;
    let published = bundles.published("devices", None).await.unwrap();
    let file = |format| published.file(format).unwrap();
    let by_pem: Vec<Certificate> = pem::decode_all(file(Format::Pem))
        .unwrap()
        .iter()
        .map(|block| Certificate::from_der(&block.der).unwrap())
        .collect();
    assert_eq!(&by_pem, certificates);
    let by_p7b = pkcs7::parse(file(Format::P7b)).unwrap();
    assert_eq!(&by_p7b.certificates, certificates);
    let by_jks = jks::parse(file(Format::Jks), Some(STORE_PASSWORD)).unwrap();
    let by_jks: Vec<_> = by_jks.into_iter().map(|entry| entry.certificate).collect();
    assert_eq!(&by_jks, certificates);
    let by_p12 = pkcs12::parse(file(Format::P12), STORE_PASSWORD).unwrap();
    let by_p12: Vec<_> = by_p12
        .certificates
        .into_iter()
        .map(|bag| bag.certificate)
        .collect();
    assert_eq!(&by_p12, certificates);
    assert_eq!(published.file(Format::Der), None, "DER holds no list");

    let first = bundles.published("devices", Some(1)).await.unwrap();
    assert_eq!(first.file(Format::Pem), single.file(Format::Pem));
    let none = bundles.published("devices", Some(3)).await;
    assert!(matches!(none, Err(FleetError::NotFound { .. })));
}

async fn r28_a_bundle_follows_a_rotation_and_keeps_its_past(postgres: bool) {
    let house = House::new(postgres).await;
    let bundles = Bundles::open(house.ca.clone());
    let permit = || house.permit(Action::ManageAuthorities);
    let first = bundles.create(permit(), &devices(), NOW).await.unwrap();
    assert_eq!(bundles.follow(NOW).await.unwrap(), 0, "nothing has changed");

    let key = ParentKey::Carried(Carry {
        directory: house.directory.path().join("stick"),
        passphrase: Zeroizing::new("correct horse battery staple".to_owned()),
    });
    let rotated = house
        .ca
        .rotate_authority(permit(), "root", key, None, None, later(1));
    rotated.await.unwrap();
    assert_eq!(bundles.follow(later(1)).await.unwrap(), 1);
    let second = bundles.bundle("devices").await.unwrap();
    assert_eq!(second.version, 2);
    let new = house.ca.issuer("root-g2").unwrap().certificate().clone();
    let old = first.bundle.certificates[0].clone();
    assert_eq!(second.bundle.certificates.len(), 2);
    assert!(second.bundle.certificates.contains(&new) && second.bundle.certificates.contains(&old));
    assert_eq!(bundles.follow(later(1)).await.unwrap(), 0);
    assert_eq!(bundles.version("devices", 1).await.unwrap(), first);

    // What has ended goes; the last good bundle stays rather than an empty one.
    let after_both = Timestamp(new.not_after().0.max(old.not_after().0) * 1000 + DAY);
    assert_eq!(bundles.follow(after_both).await.unwrap(), 0);
}

async fn r28_what_cannot_be_a_bundle_is_refused(postgres: bool) {
    let house = House::new(postgres).await;
    let bundles = Bundles::open(house.ca.clone());
    let permit = || house.permit(Action::ManageAuthorities);
    let issued = house.pump("SN-1").await;
    let leaf = house
        .enrol(&issued, "e", fleet::Previous::Keep, NOW)
        .await
        .unwrap();
    let leaf = Certificate::from_der(&leaf.der).unwrap();
    let root = house.ca.issuer("root").unwrap().certificate().clone();
    let ended = Timestamp(root.not_after().0 * 1000 + DAY);
    let cases = [
        (
            "bundle.name",
            Definition {
                name: "../x".into(),
                ..devices()
            },
            NOW,
        ),
        (
            "bundle.name",
            Definition {
                name: String::new(),
                ..devices()
            },
            NOW,
        ),
        (
            "bundle.audience",
            Definition {
                audience: "a\nb".into(),
                ..devices()
            },
            NOW,
        ),
        (
            "bundle.authority",
            Definition {
                authorities: vec!["none".into()],
                ..devices()
            },
            NOW,
        ),
        (
            "bundle.size",
            Definition {
                authorities: vec![],
                ..devices()
            },
            NOW,
        ),
        (
            "bundle.anchor-ca",
            Definition {
                foreign: vec![leaf],
                ..devices()
            },
            NOW,
        ),
        (
            "bundle.anchor-expired",
            Definition {
                foreign: vec![root.clone()],
                ..devices()
            },
            ended,
        ),
    ];
    for (rule, definition, now) in cases {
        let refused = bundles
            .create(permit(), &definition, now)
            .await
            .unwrap_err();
        assert_eq!(
            refused.refusal().map(|r| r.rule.to_string()).as_deref(),
            Some(rule)
        );
        assert!(bundles.preview(&definition, now).await.is_err());
    }
    let auditor = house
        .person("auditor", Role::Auditor, Scope::default())
        .await;
    let reading = house.permit_of(&auditor, Action::ReadAuthorities);
    let refused = bundles.create(reading, &devices(), NOW).await.unwrap_err();
    assert!(refused.refusal().is_some());
    assert_eq!(bundles.list().await.unwrap(), []);

    bundles.create(permit(), &devices(), NOW).await.unwrap();
    let twice = bundles.create(permit(), &devices(), NOW).await;
    assert!(matches!(
        twice,
        Err(FleetError::Store(StoreError::Conflict(_)))
    ));
    let stale = bundles.set(permit(), &devices(), Some(7), NOW).await;
    assert!(matches!(
        stale,
        Err(FleetError::Store(StoreError::Conflict(_)))
    ));
}

async fn r28_a_removed_bundle_is_published_no_more(postgres: bool) {
    let house = House::new(postgres).await;
    let bundles = Bundles::open(house.ca.clone());
    let permit = || house.permit(Action::ManageAuthorities);
    bundles.create(permit(), &devices(), NOW).await.unwrap();
    bundles.published("devices", None).await.unwrap();
    bundles
        .remove(permit(), "devices", "over", later(1))
        .await
        .unwrap();
    for version in [None, Some(1)] {
        let gone = bundles.published("devices", version).await;
        assert!(matches!(gone, Err(FleetError::NotFound { .. })));
    }
    // Made anew it counts on, so that no address ever says two things.
    let again = bundles
        .create(permit(), &devices(), later(2))
        .await
        .unwrap();
    assert_eq!(again.version, 2);
}
