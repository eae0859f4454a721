//! Renewals: when, with which key, under which names, by which certificate (R05, R11).

use audit::Timestamp;
use enroll::device::{For, Previous, RenewalKey};
use x509::ext::SubjectAltName;
use x509::{Certificate, Time};

use crate::support::{Asked, DAY, House, Key, NOW, certificate, endpoint, on_both, outcome, text};

on_both!(
    r05_when_a_certificate_may_be_renewed,
    r05_which_key_a_renewal_may_have,
    r05_a_renewal_keeps_its_names,
    r11_which_certificates_renew_nothing,
    r05_what_becomes_of_the_one_before,
);

/// A pump with a certificate of 730 days.
async fn enrolled(house: &House, serial: &str) -> (fleet::Asset, Key, Certificate) {
    let hosts = |asset: &mut fleet::Asset| {
        asset.host_names = vec![format!("{}.example.org", serial.to_lowercase())];
    };
    let asset = house.asset(serial, hosts).await;
    let (_, password) = house.right(For::Asset(asset.id.clone()), |_| {}).await;
    let key = Key::new();
    let csr = key.request(&format!("serialNumber={serial}"));
    let issued = certificate(&house.ask(&Asked::by_password(&csr, &password), NOW).await);
    (asset, key, issued)
}

async fn r05_when_a_certificate_may_be_renewed(postgres: bool) {
    let house = House::new(postgres).await;
    let mut late = endpoint("pumps");
    late.renewal.from = 50;
    late.renewal.grace = 30 * 86_400;
    house.put(late).await;
    let table = [
        (0, "enrolment.renewal.early"),
        (360, "enrolment.renewal.early"),
        (366, "issued"),
        (725, "issued"),
        (735, "issued"),
        (759, "issued"),
        (761, "unknown"),
    ];
    let mut all = Vec::new();
    for (days, expected) in table {
        let (_, _, issued) = enrolled(&house, &format!("SN-{days}")).await;
        let end = issued.not_after().0 > NOW.seconds() + 729 * 86_400;
        assert!(end, "the profile gives 730 days");
        all.push((days, expected, issued));
    }
    for (days, expected, issued) in all {
        let csr = Key::new().request("");
        let then = Timestamp(NOW.0 + days * DAY);
        let reply = house.ask(&Asked::by_certificate(&csr, &issued), then).await;
        assert_eq!(outcome(&reply), expected, "after {days} days");
        if expected == "enrolment.renewal.early" {
            let life = issued.not_after().0 - issued.not_before().0;
            let half = Time(issued.not_before().0 + life / 2).to_string();
            let (day, words) = (&half[..10], text(&reply));
            assert!(words.contains(day), "{words}: {half}");
        }
    }
}

async fn r05_which_key_a_renewal_may_have(postgres: bool) {
    let house = House::new(postgres).await;
    let table = [
        (RenewalKey::Either, true, "issued"),
        (RenewalKey::Either, false, "issued"),
        (RenewalKey::New, true, "enrolment.renewal.key"),
        (RenewalKey::New, false, "issued"),
        (RenewalKey::Same, true, "issued"),
        (RenewalKey::Same, false, "enrolment.renewal.key"),
    ];
    for (at, (policy, same, expected)) in table.into_iter().enumerate() {
        let mut door = endpoint("pumps");
        door.renewal.key = policy;
        house.put(door).await;
        let (_, key, issued) = enrolled(&house, &format!("SN-{at}")).await;
        let key = if same { key } else { Key::new() };
        // Other bytes than the first request's, or it would be the same request.
        let csr = key.request("O=again");
        let reply = house.ask(&Asked::by_certificate(&csr, &issued), NOW).await;
        assert_eq!(outcome(&reply), expected, "{policy:?}, same key: {same}");
    }
}

async fn r05_a_renewal_keeps_its_names(postgres: bool) {
    let house = House::new(postgres).await;
    house.put(endpoint("pumps")).await;
    let (_, _, first) = enrolled(&house, "SN-1").await;
    enrolled(&house, "SN-2").await;
    for (subject, expected) in [
        ("CN=something else,OU=ICU", "issued"),
        ("serialNumber=SN-1", "issued"),
        ("serialNumber=SN-2", "enrolment.serial.other"),
        ("CN=SN-2", "enrolment.serial.other"),
    ] {
        let csr = Key::new().request(subject);
        let reply = house.ask(&Asked::by_certificate(&csr, &first), NOW).await;
        assert_eq!(outcome(&reply), expected, "{subject}");
        if expected == "issued" {
            let renewed = certificate(&reply);
            assert_eq!(renewed.subject(), first.subject());
            let names = |c: &Certificate| c.ext::<SubjectAltName>().unwrap();
            assert_eq!(names(&renewed), names(&first));
        }
    }
}

async fn r11_which_certificates_renew_nothing(postgres: bool) {
    let house = House::new(postgres).await;
    house.put(endpoint("pumps")).await;
    house.put(endpoint("scanners")).await;
    let (_, key, issued) = enrolled(&house, "SN-1").await;
    let csr = Key::new().request("");
    let asked = Asked::by_certificate(&csr, &issued);
    let elsewhere = Asked {
        endpoint: "scanners",
        ..asked.clone()
    };
    assert_eq!(
        outcome(&house.ask(&elsewhere, NOW).await),
        "enrolment.renewal.endpoint"
    );
    // The same names and key, signed by itself.
    let foreign = x509::TbsCertificate {
        serial: issued.serial().to_vec(),
        signature: x509::SignatureAlgorithm::EcdsaSha256,
        issuer: issued.issuer().clone(),
        not_before: issued.not_before(),
        not_after: issued.not_after(),
        subject: issued.subject().clone(),
        spki_der: issued.spki_der().to_vec(),
        extensions: issued.extensions().to_vec(),
    };
    let foreign = Certificate::from_der(&key.sign(&foreign.encode())).unwrap();
    let forged = Asked::by_certificate(&csr, &foreign);
    assert_eq!(outcome(&house.ask(&forged, NOW).await), "unknown");
    let after = Timestamp((issued.not_after().0 + 1) * 1000);
    assert_eq!(
        outcome(&house.ask(&asked, after).await),
        "unknown",
        "no grace"
    );
    house.revoke(&issued).await;
    assert_eq!(outcome(&house.ask(&asked, NOW).await), "unknown");
    assert_eq!(house.issued().await, 1);
}

async fn r05_what_becomes_of_the_one_before(postgres: bool) {
    let house = House::new(postgres).await;
    // Time does not run back: the shortest first.
    let table = [
        (Previous::RevokeAfter(86_400), 0, "issued"),
        (Previous::RevokeAtOnce, 0, "unknown"),
        (Previous::RevokeAfter(86_400), 2, "unknown"),
        (Previous::Keep, 100, "issued"),
    ];
    let mut all = Vec::new();
    for (at, (previous, days, expected)) in table.into_iter().enumerate() {
        let mut door = endpoint("pumps");
        door.renewal.previous = previous;
        house.put(door).await;
        let (asset, _, first) = enrolled(&house, &format!("SN-{at}")).await;
        let csr = Key::new().request("");
        let second = house.ask(&Asked::by_certificate(&csr, &first), NOW).await;
        assert!(certificate(&second).not_before() <= Time(NOW.seconds()));
        assert_eq!(house.live(&asset).await, 1);
        all.push((previous, days, expected, first));
    }
    for (previous, days, expected, first) in all {
        let then = Timestamp(NOW.0 + days * DAY);
        house.fleet.revoke_due(then).await.unwrap();
        // A device that lost the answer still has the first.
        let csr = Key::new().request("");
        let again = house.ask(&Asked::by_certificate(&csr, &first), then).await;
        assert_eq!(outcome(&again), expected, "{previous:?} after {days} days");
    }
}
