//! Claims × what the register says → who gets a certificate, and which rule refuses the others (R08).

use access::Action;
use audit::Timestamp;
use enroll::device::{For, NamesFrom, SerialField, Unregistered};
use fleet::{AssetState, ClockQuality, Retire};
use x509::ext::{ExtensionValue, SubjectAltName};
use x509::{GeneralName, KeyAlgorithm, oids};

use crate::support::{Asked, House, Key, NOW, certificate, endpoint, on_both, outcome, permit};

on_both!(
    r08_which_claims_get_a_certificate,
    r08_a_certificate_says_what_the_register_knows,
    r05_a_certificate_is_dated_for_the_clock_of_its_device,
    r08_names_of_a_request_have_to_be_known,
    r08_the_serial_number_may_stand_where_the_endpoint_looks,
    r09_a_transaction_is_one_certificate,
    r11_a_retired_device_gets_nothing,
);

/// What the register holds: SN-1 to SN-3 in use, SN-4 put away, SN-5 twice, SN-6 for RSA keys only, SN-9 unknown.
async fn r08_which_claims_get_a_certificate(postgres: bool) {
    let house = House::new(postgres).await;
    house.put(endpoint("pumps")).await;
    let mut waits = endpoint("waits");
    waits.unregistered = Unregistered::Wait;
    house.put(waits).await;
    let own = house.asset("SN-1", |_| {}).await;
    house.asset("SN-2", |_| {}).await;
    house
        .asset("SN-3", |asset| asset.model = "Perfusor".into())
        .await;
    house
        .asset("SN-4", |asset| asset.state = AssetState::Stored)
        .await;
    house.asset("SN-5", |_| {}).await;
    house
        .asset("SN-5", |asset| asset.manufacturer = "Fresenius".into())
        .await;
    house
        .asset("SN-6", |asset| {
            asset.key_types = vec![KeyAlgorithm::Rsa2048]
        })
        .await;
    let asset = || For::Asset(own.id.clone());
    let model = || For::Model {
        manufacturer: "b. braun".into(),
        model: "SPACE".into(),
    };
    let batch = || For::Batch(vec!["SN-1".into(), "SN-4".into(), "SN-9".into()]);
    let table: Vec<(For, &str, &str, &str)> = vec![
        (asset(), "pumps", "serialNumber=SN-1", "issued"),
        (asset(), "pumps", "CN=SN-1", "issued"),
        (asset(), "pumps", "", "issued"),
        (
            asset(),
            "pumps",
            "CN=ward-7-pump,serialNumber=SN-1",
            "issued",
        ),
        (
            asset(),
            "pumps",
            "serialNumber=SN-2",
            "enrolment.serial.other",
        ),
        (asset(), "pumps", "CN=SN-2", "enrolment.serial.other"),
        (
            asset(),
            "pumps",
            "CN=SN-2,serialNumber=SN-1",
            "enrolment.serial.other",
        ),
        (
            asset(),
            "pumps",
            "serialNumber=SN-9",
            "enrolment.serial.other",
        ),
        (batch(), "pumps", "serialNumber=SN-1", "issued"),
        (
            batch(),
            "pumps",
            "serialNumber=SN-2",
            "enrolment.right.scope",
        ),
        (
            batch(),
            "pumps",
            "serialNumber=SN-4",
            "enrolment.asset.state",
        ),
        (
            batch(),
            "pumps",
            "serialNumber=SN-9",
            "enrolment.unregistered",
        ),
        (batch(), "waits", "serialNumber=SN-9", "pending"),
        (
            batch(),
            "waits",
            "serialNumber=SN-8",
            "enrolment.right.scope",
        ),
        (model(), "pumps", "serialNumber=SN-2", "issued"),
        (
            model(),
            "pumps",
            "serialNumber=SN-3",
            "enrolment.right.scope",
        ),
        (model(), "pumps", "serialNumber=SN-5", "issued"),
        (
            For::Any,
            "pumps",
            "serialNumber=SN-5",
            "enrolment.serial.ambiguous",
        ),
        (For::Any, "pumps", "serialNumber=SN-3", "issued"),
        (For::Any, "pumps", "serialNumber=SN-6", "key.asset"),
        (
            For::Any,
            "pumps",
            "serialNumber=SN-9",
            "enrolment.unregistered",
        ),
        (For::Any, "waits", "serialNumber=SN-9", "pending"),
        (For::Any, "pumps", "O=Mercy", "enrolment.serial.none"),
    ];
    for (whose, door, subject, expected) in table {
        let (_, password) = house.right(whose.clone(), |_| {}).await;
        let csr = Key::new().request(subject);
        let asked = Asked {
            endpoint: door,
            ..Asked::by_password(&csr, &password)
        };
        let reply = house.ask(&asked, NOW).await;
        assert_eq!(outcome(&reply), expected, "{whose} at {door}: {subject}");
    }
}

async fn r08_a_certificate_says_what_the_register_knows(postgres: bool) {
    let house = House::new(postgres).await;
    house.put(endpoint("pumps")).await;
    let asset = house
        .asset("SN-1", |asset| {
            asset.host_names = vec!["pump-1.example.org".into()]
        })
        .await;
    let (_, password) = house.right(For::Asset(asset.id.clone()), |_| {}).await;
    let module = GeneralName::hardware_module_name("1.3.6.1.4.1.99999.7".parse().unwrap(), b"SN-1");
    let names = [module.clone(), GeneralName::Dns("other.example.org".into())];
    let csr = Key::new().request_with(
        "CN=whatever,serialNumber=SN-1",
        [SubjectAltName(names.to_vec()).encode()],
    );
    let issued = certificate(&house.ask(&Asked::by_password(&csr, &password), NOW).await);
    let found = |oid| issued.subject().find(&oid).map(|text| text.into_owned());
    assert_eq!(found(oids::SERIAL_NUMBER).as_deref(), Some("SN-1"));
    assert_eq!(
        found(oids::COMMON_NAME).as_deref(),
        Some("pump-1.example.org")
    );
    let names = issued.ext::<SubjectAltName>().unwrap().unwrap().0;
    // The hardware type is the maker's to say; the name of somebody else is not.
    assert_eq!(
        names,
        [module, GeneralName::Dns("pump-1.example.org".into())]
    );
}

async fn r05_a_certificate_is_dated_for_the_clock_of_its_device(postgres: bool) {
    let house = House::new(postgres).await;
    house.put(endpoint("pumps")).await;
    let mut dates = Vec::new();
    for (serial, clock) in [
        ("SN-1", ClockQuality::Good),
        ("SN-2", ClockQuality::Poor),
        ("SN-3", ClockQuality::None),
    ] {
        let asset = house.asset(serial, |asset| asset.clock = clock).await;
        let (_, password) = house.right(For::Asset(asset.id), |_| {}).await;
        let csr = Key::new().request(&format!("serialNumber={serial}"));
        let later = Timestamp(NOW.0 + 5 * 86_400_000);
        let issued = certificate(&house.ask(&Asked::by_password(&csr, &password), later).await);
        let issuers = house.ca.issuers();
        let issuer = issuers
            .iter()
            .find(|one| one.certificate().subject() == issued.issuer())
            .unwrap();
        dates.push((
            issued.not_before().0 - later.seconds(),
            issued.not_before() == issuer.certificate().not_before(),
            issued.not_after(),
        ));
    }
    assert_eq!((dates[0].0, dates[1].0), (-300, -86_400));
    assert!(dates[2].1, "with its issuer: {:?}", dates[2]);
    // Nobody is served longer for it.
    assert_eq!((dates[1].2, dates[2].2), (dates[0].2, dates[0].2));
}

async fn r08_names_of_a_request_have_to_be_known(postgres: bool) {
    let house = House::new(postgres).await;
    let mut asks = endpoint("pumps");
    asks.names = NamesFrom::Request;
    house.put(asks).await;
    let hosts = |asset: &mut fleet::Asset| {
        asset.host_names = vec!["a.example.org".into(), "b.example.org".into()];
    };
    let asset = house.asset("SN-1", hosts).await;
    let known = GeneralName::Dns("B.example.org".into());
    let unknown = GeneralName::Dns("c.example.org".into());
    for (names, expected) in [
        (vec![known.clone()], "issued"),
        (vec![known, unknown], "enrolment.names"),
    ] {
        let (_, password) = house.right(For::Asset(asset.id.clone()), |_| {}).await;
        let csr = Key::new().request_with("serialNumber=SN-1", [SubjectAltName(names).encode()]);
        let reply = house.ask(&Asked::by_password(&csr, &password), NOW).await;
        assert_eq!(outcome(&reply), expected);
        if expected == "issued" {
            let names = certificate(&reply)
                .ext::<SubjectAltName>()
                .unwrap()
                .unwrap()
                .0;
            assert_eq!(names, [GeneralName::Dns("b.example.org".into())]);
        }
    }
}

async fn r08_the_serial_number_may_stand_where_the_endpoint_looks(postgres: bool) {
    let house = House::new(postgres).await;
    house.asset("SN-1", |_| {}).await;
    let module = GeneralName::hardware_module_name("1.3.6.1.4.1.99999.7".parse().unwrap(), b"SN-1");
    let link = GeneralName::Uri("https://id.gs1.org/01/09506000134352/21/SN-1".into());
    let san = |name: &GeneralName| SubjectAltName(vec![name.clone()]).encode();
    let requests = [
        ("CN=SN-1", None, SerialField::CommonName),
        ("serialNumber=SN-1", None, SerialField::SubjectSerialNumber),
        ("", Some(san(&module)), SerialField::HardwareModule),
        ("", Some(san(&link)), SerialField::Udi),
    ];
    for place in SerialField::ALL {
        let mut looks = endpoint("pumps");
        looks.serial_from = vec![place];
        house.put(looks).await;
        for (subject, extension, stands) in &requests {
            let (_, password) = house.right(For::Any, |_| {}).await;
            let csr = match extension {
                Some(extension) => Key::new().request_with(subject, [extension.clone()]),
                None => Key::new().request(subject),
            };
            let reply = house.ask(&Asked::by_password(&csr, &password), NOW).await;
            let expected = match place == *stands {
                true => "issued",
                false => "enrolment.serial.none",
            };
            assert_eq!(outcome(&reply), expected, "{place:?}: {stands:?}");
        }
    }
}

async fn r09_a_transaction_is_one_certificate(postgres: bool) {
    let house = House::new(postgres).await;
    house.put(endpoint("pumps")).await;
    let asset = house.asset("SN-1", |_| {}).await;
    let (_, password) = house.right(For::Asset(asset.id.clone()), |_| {}).await;
    let csr = Key::new().request("serialNumber=SN-1");
    let asked = Asked::by_password(&csr, &password);
    let asked = || house.ask(&asked, NOW);
    let (a, b, c) = tokio::join!(asked(), asked(), asked());
    let first = certificate(&a);
    assert_eq!(
        [certificate(&b), certificate(&c)],
        [first.clone(), first.clone()]
    );
    assert_eq!(certificate(&asked().await), first);
    assert_eq!((house.issued().await, house.live(&asset).await), (1, 1));
    // A device that has lost its key and was given another password: the newest certificate stays.
    let (_, another) = house.right(For::Asset(asset.id.clone()), |_| {}).await;
    let csr = Key::new().request("serialNumber=SN-1");
    let second = certificate(&house.ask(&Asked::by_password(&csr, &another), NOW).await);
    assert_ne!(second, first);
    assert_eq!((house.issued().await, house.live(&asset).await), (2, 1));
    let due = house.fleet.revoke_due(NOW).await.unwrap();
    assert_eq!(due, 1, "the first is revoked as superseded at once");
    let first = house
        .ca
        .certificate(&first.fingerprint())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (first.state, first.reason),
        (ca::CertificateState::Revoked, Some(4))
    );
}

async fn r11_a_retired_device_gets_nothing(postgres: bool) {
    let house = House::new(postgres).await;
    house.put(endpoint("pumps")).await;
    let asset = house.asset("SN-1", |_| {}).await;
    let (_, password) = house.right(For::Any, |new| new.uses = Some(5)).await;
    let csr = Key::new().request("serialNumber=SN-1");
    let issued = certificate(&house.ask(&Asked::by_password(&csr, &password), NOW).await);
    let permit = permit(&house.ca, "root", Action::ManageAssets);
    let retire = Retire {
        reason: "scrapped".into(),
        dry_run: false,
    };
    house
        .fleet
        .retire(permit, &asset.id, retire, NOW)
        .await
        .unwrap();
    let csr = Key::new().request("serialNumber=SN-1");
    let by_password = house.ask(&Asked::by_password(&csr, &password), NOW).await;
    assert_eq!(outcome(&by_password), "enrolment.asset.state");
    let renewal = house.ask(&Asked::by_certificate(&csr, &issued), NOW).await;
    assert_eq!(outcome(&renewal), "unknown", "its certificate is revoked");
    assert_eq!(house.issued().await, 1);
}
