//! Rights: counted, ended, guessed at; manufacturers' certificates (R07).

use access::Action;
use audit::Timestamp;
use enroll::device::{Credential, For, NewCredential, SerialField};
use proptest::prelude::*;
use x509::ext::{BasicConstraints, ExtensionValue, KeyUsage};
use x509::{Certificate, Name, SignatureAlgorithm, TbsCertificate, Time};

use crate::support::{
    Asked, DAY, House, Key, NOW, certificate, endpoint, is_hashed, on_both, outcome, permit, text,
};

on_both!(
    r07_a_password_used_twice_at_once_gives_one_certificate,
    r08_a_device_that_lost_its_answer_asks_anew_with_its_key,
    r08_a_device_that_asks_anew_leaves_its_batch_their_uses,
    r07_what_is_over_opens_nothing,
    r07_whoever_guesses_learns_nothing_and_is_held_up,
    r07_a_manufacturers_certificate_is_a_right,
    r07_a_secret_is_kept_as_little_as_can_be,
);

async fn r07_a_password_used_twice_at_once_gives_one_certificate(postgres: bool) {
    let house = House::new(postgres).await;
    house.put(endpoint("pumps")).await;
    let asset = house.asset("SN-1", |_| {}).await;
    let (right, password) = house.right(For::Asset(asset.id.clone()), |_| {}).await;
    let requests: Vec<Vec<u8>> = (0..6)
        .map(|_| Key::new().request("serialNumber=SN-1"))
        .collect();
    let mut tasks = Vec::new();
    for csr in requests {
        let (house, password) = (house.clone(), password.clone());
        tasks.push(tokio::spawn(async move {
            outcome(&house.ask(&Asked::by_password(&csr, &password), NOW).await)
        }));
    }
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes.sort();
    assert_eq!(
        outcomes,
        [
            "issued", "unknown", "unknown", "unknown", "unknown", "unknown"
        ]
    );
    assert_eq!(house.issued().await, 1);
    assert_eq!(
        house
            .desk
            .right(right.id.as_str())
            .await
            .unwrap()
            .state(NOW),
        "used up"
    );
}

/// The answer was lost, and the request with it: another one for the same key, whose ECDSA signature differs.
async fn r08_a_device_that_lost_its_answer_asks_anew_with_its_key(postgres: bool) {
    let house = House::new(postgres).await;
    house.put(endpoint("pumps")).await;
    let asset = house.asset("SN-1", |_| {}).await;
    let (right, password) = house.right(For::Asset(asset.id.clone()), |_| {}).await;
    let (key, other) = (Key::new(), Key::new());
    let anew = || key.request("serialNumber=SN-1");
    let csr = anew();
    let first = certificate(&house.ask(&Asked::by_password(&csr, &password), NOW).await);
    let later = |ms: i64| Timestamp(NOW.0 + ms);
    let asked = |csr: Vec<u8>, at: Timestamp| {
        let (house, password) = (house.clone(), password.clone());
        async move { house.ask(&Asked::by_password(&csr, &password), at).await }
    };
    assert_ne!(anew(), csr);
    let again = certificate(&asked(anew(), later(DAY - 1)).await);
    assert_eq!(again, first, "the same certificate");
    assert_eq!(house.issued().await, 1);
    assert_eq!(house.desk.right(right.id.as_str()).await.unwrap().used, 1);
    let refused = [
        ("another key", other.request("serialNumber=SN-1"), NOW),
        ("another device", key.request("serialNumber=SN-2"), NOW),
        ("a day later", anew(), later(DAY)),
    ];
    for (what, csr, at) in refused {
        assert_eq!(outcome(&asked(csr, at).await), "unknown", "{what}");
    }
    house.revoke(&first).await;
    assert_eq!(outcome(&asked(anew(), NOW).await), "unknown", "revoked");
}

async fn r08_a_device_that_asks_anew_leaves_its_batch_their_uses(postgres: bool) {
    let house = House::new(postgres).await;
    house.put(endpoint("pumps")).await;
    let serials = ["SN-1", "SN-2", "SN-3"];
    for serial in serials {
        house.asset(serial, |_| {}).await;
    }
    let batch = For::Batch(serials.map(str::to_owned).to_vec());
    let (right, password) = house.right(batch, |_| {}).await;
    let mut tasks = Vec::new();
    for serial in serials {
        let key = Key::new();
        for _ in 0..4 {
            let (house, password) = (house.clone(), password.clone());
            let csr = key.request(&format!("serialNumber={serial}"));
            tasks.push(tokio::spawn(async move {
                certificate(&house.ask(&Asked::by_password(&csr, &password), NOW).await)
            }));
        }
    }
    let mut given = std::collections::HashSet::new();
    for task in tasks {
        given.insert(task.await.unwrap().fingerprint());
    }
    assert_eq!(given.len(), serials.len(), "one for each key");
    assert_eq!(house.issued().await, serials.len());
    assert_eq!(house.desk.right(right.id.as_str()).await.unwrap().used, 3);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    /// A right never gives more certificates than it counts, whoever asks at once, over one server or two.
    #[test]
    fn r07_a_right_gives_at_most_what_it_counts(uses in 1_u32..5, asks in 1_usize..9, repeats in 1_usize..3) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
        let (issued, used) = runtime.block_on(async {
            let house = House::new(false).await;
            house.put(endpoint("pumps")).await;
            let other = House { devices: house.second_server().await, ..house.clone() };
            for device in 0..asks {
                house.asset(&format!("SN-{device}"), |_| {}).await;
            }
            let (right, password) = house.right(For::Any, |new| new.uses = Some(uses)).await;
            let mut tasks = Vec::new();
            for device in 0..asks {
                let csr = Key::new().request(&format!("serialNumber=SN-{device}"));
                for repeat in 0..repeats {
                    let house = if repeat % 2 == 0 { house.clone() } else { other.clone() };
                    let (csr, password) = (csr.clone(), password.clone());
                    tasks.push(tokio::spawn(async move {
                        house.ask(&Asked::by_password(&csr, &password), NOW).await.status
                    }));
                }
            }
            for task in tasks {
                task.await.unwrap();
            }
            (house.issued().await, house.desk.right(right.id.as_str()).await.unwrap().used)
        });
        prop_assert_eq!(issued, asks.min(uses as usize));
        prop_assert_eq!(used, issued as u64);
    }
}

async fn r07_what_is_over_opens_nothing(postgres: bool) {
    let house = House::new(postgres).await;
    house.put(endpoint("pumps")).await;
    house.put(endpoint("scanners")).await;
    let asset = house.asset("SN-1", |_| {}).await;
    let whose = || For::Asset(asset.id.clone());
    let csr = || Key::new().request("serialNumber=SN-1");
    let (_, good) = house.right(whose(), |_| {}).await;
    let (revoked, gone) = house.right(whose(), |_| {}).await;
    let by = permit(&house.ca, "root", Action::ManageEnrolment);
    house
        .desk
        .revoke_right(by, revoked.id.as_str(), "label lost", NOW)
        .await
        .unwrap();
    let (_, short) = house
        .right(whose(), |new| new.expires = Some(NOW.0 + DAY))
        .await;
    let (_, elsewhere) = house
        .right(whose(), |new| new.endpoint = Some("scanners".into()))
        .await;
    let (user, of_user) = house
        .right(whose(), |new| {
            new.credential = NewCredential::HttpPassword {
                user: Some("pump".into()),
            };
        })
        .await;
    assert!(matches!(user.credential, Credential::HttpPassword { .. }));
    let later = Timestamp(NOW.0 + 2 * DAY);
    let table = [
        (gone.as_str(), "pump", NOW, "unknown"),
        (short.as_str(), "pump", later, "unknown"),
        (elsewhere.as_str(), "pump", NOW, "unknown"),
        (of_user.as_str(), "nurse", NOW, "unknown"),
        ("0123456789ABCDEFGHJKMNPQRS", "pump", NOW, "unknown"),
        ("", "pump", NOW, "unknown"),
        (of_user.as_str(), "pump", NOW, "issued"),
        (short.as_str(), "pump", NOW, "issued"),
        (good.as_str(), "pump", NOW, "issued"),
        (good.as_str(), "pump", NOW, "unknown"),
    ];
    for (password, user, at, expected) in table {
        let csr = csr();
        let asked = Asked {
            user,
            ..Asked::by_password(&csr, password)
        };
        assert_eq!(
            outcome(&house.ask(&asked, at).await),
            expected,
            "{password} of {user}"
        );
    }
}

async fn r07_whoever_guesses_learns_nothing_and_is_held_up(postgres: bool) {
    let house = House::new(postgres).await;
    let mut narrow = endpoint("pumps");
    narrow.limits.wrong_per_peer = "3/10m".parse().unwrap();
    house.put(narrow).await;
    let asset = house.asset("SN-1", |_| {}).await;
    let (used_up, spent) = house.right(For::Asset(asset.id.clone()), |_| {}).await;
    let csr = Key::new().request("serialNumber=SN-1");
    certificate(&house.ask(&Asked::by_password(&csr, &spent), NOW).await);
    assert_eq!(house.desk.right(used_up.id.as_str()).await.unwrap().used, 1);
    let (_, good) = house.right(For::Asset(asset.id.clone()), |_| {}).await;
    let csr = Key::new().request("serialNumber=SN-1");
    let mut answers = Vec::new();
    for guess in ["AAAAAAAAAAAAAAAAAAAAAAAAAA", spent.as_str(), "x"] {
        let reply = house.ask(&Asked::by_password(&csr, guess), NOW).await;
        assert_eq!(reply.status, 401);
        answers.push((reply.headers.clone(), reply.body.clone()));
    }
    answers.dedup();
    assert_eq!(
        answers.len(),
        1,
        "a wrong, a used and a silly password look alike"
    );
    let held_up = house.ask(&Asked::by_password(&csr, &good), NOW).await;
    assert_eq!(outcome(&held_up), "limit", "even with the right password");
    let elsewhere = Asked {
        peer: "192.0.2.8",
        ..Asked::by_password(&csr, &good)
    };
    assert_eq!(outcome(&house.ask(&elsewhere, NOW).await), "issued");
}

/// IEEE 802.1AR §8.7: an IDevID has no end, 99991231235959Z.
async fn r07_a_manufacturers_certificate_is_a_right(postgres: bool) {
    const FOREVER: Time = Time(253_402_300_799);
    let house = House::new(postgres).await;
    house.put(endpoint("pumps")).await;
    house.asset("SN-1", |_| {}).await;
    house
        .asset("SN-2", |asset| asset.model = "Perfusor".into())
        .await;
    let (maker, rival, device) = (Key::new(), Key::new(), Key::new());
    let root = self_issued(&maker, "O=B. Braun,CN=Device Root", FOREVER);
    let wrong = self_issued(&rival, "O=B. Braun,CN=Device Root", FOREVER);
    let (right, none) = house
        .right(
            For::Model {
                manufacturer: "B. Braun".into(),
                model: "Space".into(),
            },
            |new| {
                new.credential = NewCredential::Vendor {
                    anchors: vec![root.to_pem()],
                    serial_field: SerialField::SubjectSerialNumber,
                };
            },
        )
        .await;
    assert_eq!((none.as_str(), right.uses, right.expires), ("", None, None));
    let idevid = |by: &Key, serial: &str, end: Time| {
        let subject = format!("O=B. Braun,serialNumber={serial}");
        certified(by, root.subject(), &subject, &device, end, Vec::new())
    };
    let table = [
        (
            "its own",
            idevid(&maker, "SN-1", FOREVER),
            "serialNumber=SN-1",
            "issued",
        ),
        (
            "its own, for another",
            idevid(&maker, "SN-1", FOREVER),
            "serialNumber=SN-2",
            "enrolment.serial.other",
        ),
        (
            "of another model",
            idevid(&maker, "SN-2", FOREVER),
            "serialNumber=SN-2",
            "enrolment.right.scope",
        ),
        (
            "of an unknown device",
            idevid(&maker, "SN-9", FOREVER),
            "serialNumber=SN-9",
            "enrolment.unregistered",
        ),
        (
            "expired",
            idevid(&maker, "SN-1", Time(NOW.seconds() - 1)),
            "serialNumber=SN-1",
            "unknown",
        ),
        (
            "of an impostor",
            idevid(&rival, "SN-1", FOREVER),
            "serialNumber=SN-1",
            "unknown",
        ),
    ];
    for (what, idevid, subject, expected) in table {
        let csr = Key::new().request(subject);
        let asked = Asked {
            operation: "simpleenroll",
            ..Asked::by_certificate(&csr, &idevid)
        };
        let reply = house.ask(&asked, NOW).await;
        assert_eq!(outcome(&reply), expected, "{what}: {}", text(&reply));
    }
    // An anchor that the sender brings along is none.
    let csr = Key::new().request("serialNumber=SN-1");
    let mut asked = Asked::by_certificate(&csr, &idevid(&rival, "SN-1", FOREVER));
    asked.chain.push(wrong);
    assert_eq!(outcome(&house.ask(&asked, NOW).await), "unknown");
}

async fn r07_a_secret_is_kept_as_little_as_can_be(postgres: bool) {
    let house = House::new(postgres).await;
    let (right, password) = house.right(For::Any, |_| {}).await;
    assert!(is_hashed(&right, &password));
    assert_eq!(right.expires, Some(NOW.0 + 30 * DAY));
    let (shared, secret) = house
        .right(For::Any, |new| new.credential = NewCredential::SharedSecret)
        .await;
    for (record, secret) in [(right.id.as_str(), password), (shared.id.as_str(), secret)] {
        assert_eq!(secret.len(), 26, "128 bits");
        let stored = house
            .ca
            .store()
            .record(enroll::device::RIGHT_RECORDS, record)
            .await;
        assert!(!stored.unwrap().unwrap().body.contains(&secret));
    }
    let label = format!("enrolment-right/{}", shared.id);
    let sealed = house
        .ca
        .store()
        .record(ca::SECRET_RECORDS, &label)
        .await
        .unwrap();
    assert!(sealed.is_some());
    let by = permit(&house.ca, "root", Action::ManageEnrolment);
    house
        .desk
        .revoke_right(by, shared.id.as_str(), "over", NOW)
        .await
        .unwrap();
    let sealed = house
        .ca
        .store()
        .record(ca::SECRET_RECORDS, &label)
        .await
        .unwrap();
    assert!(sealed.is_none(), "what nobody can use any more is not kept");
}

fn self_issued(key: &Key, name: &str, end: Time) -> Certificate {
    let authority = vec![
        BasicConstraints {
            ca: true,
            path_len: None,
        }
        .encode(),
        KeyUsage::KEY_CERT_SIGN.encode(),
    ];
    let name: Name = name.parse().unwrap();
    certified(key, &name, &name.to_string(), key, end, authority)
}

fn certified(
    by: &Key,
    issuer: &Name,
    subject: &str,
    key: &Key,
    end: Time,
    extensions: Vec<x509::Extension>,
) -> Certificate {
    let tbs = TbsCertificate {
        serial: vec![1, 2, 3],
        signature: SignatureAlgorithm::EcdsaSha256,
        issuer: issuer.clone(),
        not_before: Time(NOW.seconds() - 86_400 * 900),
        not_after: end,
        subject: subject.parse().unwrap(),
        spki_der: key.public.spki_der().to_vec(),
        extensions,
    };
    Certificate::from_der(&by.sign(&tbs.encode())).unwrap()
}
