//! Another certificate in place of one: whose, when, and whose not.

use enroll::device::{Endpoint, Renewal};
use x509::Certificate;

use crate::device::{Device, PKCS_REQ, RENEWAL_REQ, new_key, signed_by, subject};
use crate::support::{DAY, House, endpoint, on_both};

on_both!(
    rfc8894_2_4_a_renewal_by_either_message,
    r11_a_revoked_certificate_renews_nothing,
    r05_an_expired_certificate_renews_within_grace,
    r05_who_is_too_early_learns_when_to_come,
    r09_a_foreign_certificate_renews_nothing,
    r08_a_renewal_is_of_the_same_device,
    r05_a_device_in_a_loop_learns_what_stops_it,
);

async fn enrolled(house: &House, serial: &str) -> (Device, Certificate) {
    let password = house.password(&[serial]).await;
    let device = Device::new(serial, Some(&password));
    let issued = device.enrol(house, "pumps").await.issued().clone();
    (
        device.holding(&issued, &format!("renewal-{serial}")),
        issued,
    )
}

/// RenewalReq, and PKCSReq signed with the certificate to be renewed as older clients have it; with a new key and the same.
async fn rfc8894_2_4_a_renewal_by_either_message(postgres: bool) {
    let house = House::new(postgres).await;
    for (n, (kind, same)) in [(RENEWAL_REQ, false), (PKCS_REQ, false), (RENEWAL_REQ, true)]
        .into_iter()
        .enumerate()
    {
        let (device, first) = enrolled(&house, &format!("SN-{}", n + 1)).await;
        house.pass(1000);
        let key = if same { device.key.clone() } else { new_key() };
        let answer = device.ask(&house, "pumps", kind, &device.csr(&key)).await;
        let renewed = answer.issued();
        assert_ne!(renewed.serial(), first.serial());
        assert!(renewed.subject().canonical_eq(first.subject()));
        assert_eq!(renewed.spki_der(), key.public_key().spki_der());
    }
}

async fn r11_a_revoked_certificate_renews_nothing(postgres: bool) {
    let house = House::new(postgres).await;
    let (device, first) = enrolled(&house, "SN-1").await;
    house.revoke(&first).await;
    for kind in [RENEWAL_REQ, PKCS_REQ] {
        let csr = device.csr(&new_key());
        let answer = device.ask(&house, "pumps", kind, &csr).await;
        assert_eq!(
            (answer.failed(), answer.why.as_deref()),
            ("badRequest", None)
        );
    }
    // A new password is a new beginning, whatever the message is signed with.
    let again = Device {
        challenge: Some(house.password(&["SN-1"]).await),
        transaction: "again".to_owned(),
        ..device
    };
    let csr = again.csr(&new_key());
    again.ask(&house, "pumps", PKCS_REQ, &csr).await.issued();
}

async fn r05_an_expired_certificate_renews_within_grace(postgres: bool) {
    let house = House::new(postgres).await;
    let (device, first) = enrolled(&house, "SN-1").await;
    let life = (first.not_after().0 - first.not_before().0) * 1000;
    house.pass(life + 10 * DAY);
    let csr = device.csr(&new_key());
    let late = device.ask(&house, "pumps", RENEWAL_REQ, &csr).await;
    assert_eq!(late.failed(), "badRequest");
    let patient = Endpoint {
        renewal: Renewal {
            grace: 30 * 86_400,
            ..Renewal::default()
        },
        ..endpoint("pumps")
    };
    house.put(patient).await;
    let answer = device.ask(&house, "pumps", RENEWAL_REQ, &csr).await;
    assert!(answer.issued().not_after() > first.not_after());
}

/// `renewal.from`: after half of the certificate's life, and not a second before.
async fn r05_who_is_too_early_learns_when_to_come(postgres: bool) {
    let house = House::new(postgres).await;
    let mut door = endpoint("pumps");
    door.renewal.from = 50;
    house.put(door).await;
    let (device, first) = enrolled(&house, "SN-1").await;
    let half = (first.not_after().0 - first.not_before().0) / 2 + first.not_before().0;
    let csr = device.csr(&new_key());
    for kind in [RENEWAL_REQ, PKCS_REQ] {
        let answer = device.ask(&house, "pumps", kind, &csr).await;
        assert_eq!(answer.failed(), "badRequest");
        let why = answer.why.unwrap();
        let day = x509::Time(half).to_string();
        assert!(why.contains("enrolment.renewal.early"), "{why}");
        assert!(why.contains(&day[..10]), "{why}: {day}");
    }
    house.pass((half - house.now().seconds() + 60) * 1000);
    device
        .ask(&house, "pumps", RENEWAL_REQ, &csr)
        .await
        .issued();
}

async fn r09_a_foreign_certificate_renews_nothing(postgres: bool) {
    let house = House::new(postgres).await;
    let (device, first) = enrolled(&house, "SN-1").await;
    let forger = new_key();
    let issuer = house.ca.issuer("devices").unwrap();
    let forged = [
        // It says that we issued it.
        signed_by(
            &device.key,
            first.subject(),
            &forger,
            issuer.certificate().subject(),
        ),
        signed_by(&device.key, first.subject(), &forger, &subject("Other CA")),
    ];
    for certificate in forged {
        let holder = Device {
            certificate,
            ..Device::new("SN-1", None)
        };
        let holder = Device {
            key: device.key.clone(),
            ..holder
        };
        for kind in [RENEWAL_REQ, PKCS_REQ] {
            let csr = holder.csr(&new_key());
            let answer = holder.ask(&house, "pumps", kind, &csr).await;
            assert_eq!(answer.failed(), "badRequest");
        }
    }
    // A certificate of ours that is no device's: the registration authority's issuer itself.
    let own = device
        .ask(&house, "pumps", RENEWAL_REQ, &device.csr(&new_key()))
        .await;
    own.issued();
}

async fn r08_a_renewal_is_of_the_same_device(postgres: bool) {
    let house = House::new(postgres).await;
    let (device, _) = enrolled(&house, "SN-1").await;
    let thief = Device {
        serial: "SN-2".to_owned(),
        ..device
    };
    let csr = thief.csr(&new_key());
    let answer = thief.ask(&house, "pumps", RENEWAL_REQ, &csr).await;
    // Either it is refused, or the names stay those of the certificate that signed: nobody becomes SN-2.
    if answer.status == "0" {
        let serial = answer.issued().subject().find(&x509::oids::SERIAL_NUMBER);
        assert_eq!(serial.unwrap(), "SN-1");
    } else {
        assert_eq!(answer.failed(), "badRequest");
    }
}

/// RFC 8894 §3.2.1.4 has no failInfo for "later": the words say it.
async fn r05_a_device_in_a_loop_learns_what_stops_it(postgres: bool) {
    let house = House::new(postgres).await;
    let mut door = endpoint("pumps");
    door.limits.per_asset_per_day = 1;
    house.put(door).await;
    let (device, _) = enrolled(&house, "SN-1").await;
    for _ in 0..2 {
        let csr = device.csr(&new_key());
        let answer = device.ask(&house, "pumps", RENEWAL_REQ, &csr).await;
        assert_eq!(answer.failed(), "badRequest");
        let why = answer.why.unwrap();
        assert!(
            why.contains("enrolment.limit.asset") && why.contains("from 20"),
            "{why}"
        );
    }
    assert_eq!(house.events("enrolment.refuse").await.len(), 1);
    house.pass(DAY + 1000);
    let csr = device.csr(&new_key());
    device
        .ask(&house, "pumps", RENEWAL_REQ, &csr)
        .await
        .issued();
}
