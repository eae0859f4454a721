//! Finalize: every way in which a request can differ from its order, more than one at once, and crashes in every gap.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use audit::Timestamp;
use ca::Gap;
use serde_json::json;
use x509::ext::{BasicConstraints, ExtensionValue, KeyUsage, TlsFeature};
use x509::{GeneralName, KeyAlgorithm};

use crate::client::{Client, b64, csr, csr_of, general, signed};
use crate::support::{DAY, House, on_both};

on_both!(
    rfc8555_7_4_a_request_that_differs_from_its_order_is_refused,
    requests_that_clients_really_send_are_accepted,
    weak_broken_and_outdated_requests_are_refused,
    a_key_that_was_compromised_is_refused,
    an_order_is_finalized_once,
    many_finalize_at_once_and_there_is_one_certificate,
    a_crash_in_any_gap_is_made_good,
    where_numbers_are_reserved_an_order_is_open_until_it_is_valid,
    many_finalize_at_once_under_reserved_numbers,
    an_order_that_cannot_be_fulfilled_after_a_crash_ends,
    r09_a_change_of_policy_reaches_orders_that_are_ready,
    must_staple_is_asked_for_in_the_request,
);

fn names(list: &[&str]) -> Vec<GeneralName> {
    list.iter().map(|name| general(name)).collect()
}

async fn rfc8555_7_4_a_request_that_differs_from_its_order_is_refused(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let ordered = ["a.example.org", "*.b.example.org", "10.20.0.9"];
    let url = client.ready(&ordered).await;
    let email = GeneralName::Email("a@example.org".to_owned());
    let uri = GeneralName::Uri("https://a.example.org".to_owned());
    let with = |extra: GeneralName| [names(&ordered), vec![extra]].concat();
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("extra name", csr_of("", with(general("c.example.org")))),
        ("extra address", csr_of("", with(general("10.20.0.10")))),
        ("missing name", csr_of("", names(&ordered[1..]))),
        ("missing address", csr_of("", names(&ordered[..2]))),
        ("no name at all", csr_of("", vec![])),
        (
            "wildcard instead of its base",
            csr_of("", names(&["*.a.example.org", ordered[1], ordered[2]])),
        ),
        (
            "base instead of its wildcard",
            csr_of("", names(&[ordered[0], "b.example.org", ordered[2]])),
        ),
        (
            "common name that is none of them",
            csr_of("CN=c.example.org", names(&ordered)),
        ),
        (
            "common name for a person",
            csr_of("CN=Jane Doe", names(&ordered)),
        ),
        (
            "two common names, one foreign",
            csr_of("CN=a.example.org+CN=c.example.org", names(&ordered)),
        ),
        (
            "address in the common name only",
            csr_of("CN=10.20.0.9", names(&ordered[..2])),
        ),
        (
            "address as dns",
            csr_of(
                "",
                vec![
                    general(ordered[0]),
                    general(ordered[1]),
                    GeneralName::Dns("10.20.0.9".to_owned()),
                ],
            ),
        ),
        ("mail address", csr_of("", with(email))),
        ("URI", csr_of("", with(uri))),
        (
            "user principal name",
            csr_of("", with(GeneralName::upn("a@example.org"))),
        ),
    ];
    for (what, csr) in table {
        let answer = client.finalize(&url, &csr).await;
        assert_eq!(
            (answer.status, answer.error()),
            (400, "badCSR"),
            "{what}: {}",
            answer.json
        );
        assert_eq!(client.get(&url).await.text("status"), "ready", "{what}");
    }
    assert_eq!(house.certificates().await, 0);
    // The twin.
    client.finalize(&url, &csr(&ordered)).await.ok(200);
    house.check().await;
}

async fn requests_that_clients_really_send_are_accepted(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let ordered = ["a.example.org", "b.example.org"];
    let table: Vec<(&str, Vec<u8>)> = vec![
        (
            "another order",
            csr_of("", names(&["b.example.org", "a.example.org"])),
        ),
        (
            "capitals",
            csr_of("", names(&["A.Example.org", "b.EXAMPLE.org"])),
        ),
        (
            "common name repeats one",
            csr_of("CN=b.example.org", names(&ordered)),
        ),
        (
            "common name stands in for one",
            csr_of("CN=A.example.org", names(&ordered[1..])),
        ),
        (
            "a name twice",
            csr_of(
                "",
                names(&["a.example.org", "b.example.org", "a.example.org"]),
            ),
        ),
        (
            "an organization nobody asked for",
            csr_of("O=Somebody,C=US", names(&ordered)),
        ),
    ];
    for (what, csr) in table {
        let url = client.ready(&ordered).await;
        let done = client.finalize(&url, &csr).await;
        assert_eq!(done.status, 200, "{what}: {}", done.json);
        let leaf = client.leaf(&done.text("certificate")).await;
        let certified: x509::ext::SubjectAltName = leaf.ext().unwrap().unwrap();
        assert_eq!(certified.0, names(&ordered), "{what}");
        assert!(
            leaf.subject().to_string().ends_with("O=Mercy Hospital"),
            "{what}"
        );
    }
    // Only the common name, as acme-tiny's guide once had it; and a request for an address.
    let url = client.ready(&["c.example.org"]).await;
    client
        .finalize(&url, &csr_of("CN=c.example.org", vec![]))
        .await
        .ok(200);
    let url = client.ready(&["10.20.0.9"]).await;
    client
        .finalize(&url, &csr_of("CN=10.20.0.9", names(&["10.20.0.9"])))
        .await
        .ok(200);
}

async fn a_key_that_was_compromised_is_refused(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let ordered = ["a.example.org"];
    let (pkcs8, _) = keys::generate_for_subscriber(KeyAlgorithm::EcdsaP256).unwrap();
    let request = signed("", names(&ordered), &pkcs8, |builder| builder);
    let url = client.ready(&ordered).await;
    let done = client.finalize(&url, &request).await.ok(200);
    let leaf = client.leaf(&done.text("certificate")).await;
    // Whoever shows the key may say that it was stolen (RFC 8555 §7.6).
    let clock = Arc::new(AtomicI64::new(house.now().0));
    let thief = Client::with_key(&house.acme, "open", clock, &pkcs8);
    let payload = json!({ "certificate": b64(leaf.der()), "reason": 1 });
    thief
        .post(&thief.url("revoke-cert"), Some(payload))
        .await
        .ok(200);
    let url = client.ready(&ordered).await;
    let answer = client.finalize(&url, &request).await;
    assert_eq!((answer.status, answer.error()), (400, "badCSR"));
    let detail = answer.text("detail");
    assert!(detail.contains("keyCompromise"), "{detail}");
    // The order waits for a better request.
    assert_eq!(client.get(&url).await.text("status"), "ready");
    client.finalize(&url, &csr(&ordered)).await.ok(200);
    house.check().await;
}

async fn weak_broken_and_outdated_requests_are_refused(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let ordered = ["a.example.org"];
    let url = client.ready(&ordered).await;
    let (pkcs8, _) = keys::generate_for_subscriber(KeyAlgorithm::EcdsaP256).unwrap();
    let good = signed("", names(&ordered), &pkcs8, |builder| builder);
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    let authority = signed("", names(&ordered), &pkcs8, |builder| {
        builder.extension(
            BasicConstraints {
                ca: true,
                path_len: None,
            }
            .encode(),
        )
    });
    let signs = signed("", names(&ordered), &pkcs8, |builder| {
        builder.extension(KeyUsage::KEY_CERT_SIGN.encode())
    });
    let table: Vec<(&str, Vec<u8>)> = vec![
        (
            "the account's own key",
            signed("", names(&ordered), &client.pkcs8, |builder| builder),
        ),
        ("signature of somebody else", forged),
        ("CA:true", authority),
        ("keyCertSign", signs),
        ("RSA of 1024 bits", openssl(&["-newkey", "rsa:1024"])),
        ("SHA-1", openssl(&["-newkey", "rsa:2048", "-sha1"])),
        (
            "another curve",
            openssl(&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"]),
        ),
        (
            "an Ed25519 key, which the profile has not",
            openssl(&["-newkey", "ed25519"]),
        ),
        ("a certificate", b"0\x820\x82".to_vec()),
        ("nothing", vec![]),
        ("no DER", b"not DER".to_vec()),
        ("trailing bytes", [good.clone(), vec![0]].concat()),
        (
            "too many names",
            csr_of(
                "",
                (0..600)
                    .map(|i| general(&format!("h{i}.example.org")))
                    .collect(),
            ),
        ),
    ];
    for (what, csr) in table {
        let answer = client.finalize(&url, &csr).await;
        assert_eq!(
            (answer.status, answer.error()),
            (400, "badCSR"),
            "{what}: {}",
            answer.json
        );
    }
    let finalize = format!("{url}/finalize");
    let pem = "-----BEGIN CERTIFICATE REQUEST-----".to_owned();
    for payload in [
        json!({}),
        json!({ "csr": 1 }),
        json!({ "csr": pem }),
        json!({ "csr": "a+b/" }),
        json!({ "csr": format!("{}=", b64(&good)) }),
    ] {
        let answer = client.post(&finalize, Some(payload.clone())).await;
        assert_eq!(answer.error(), "malformed", "{payload}");
    }
    assert_eq!(client.get(&url).await.text("status"), "ready");
    assert_eq!(house.certificates().await, 0);
    client.finalize(&url, &good).await.ok(200);
    house.check().await;
}

/// A request that only another program makes.
fn openssl(options: &[&str]) -> Vec<u8> {
    let ran = std::process::Command::new("openssl")
        .args([
            "req",
            "-new",
            "-nodes",
            "-keyout",
            "/dev/stderr",
            "-outform",
            "DER",
        ])
        .args([
            "-subj",
            "/CN=a.example.org",
            "-addext",
            "subjectAltName=DNS:a.example.org",
        ])
        .args(options)
        .output()
        .expect("openssl is needed");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    ran.stdout
}

async fn an_order_is_finalized_once(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let url = client.ready(&["a.example.org"]).await;
    let request = csr(&["a.example.org"]);
    let done = client.finalize(&url, &request).await.ok(200);
    for again in [request, csr(&["a.example.org"])] {
        let answer = client.finalize(&url, &again).await;
        assert_eq!((answer.status, answer.error()), (403, "orderNotReady"));
    }
    let order = client.get(&url).await;
    assert_eq!(order.text("certificate"), done.text("certificate"));
    assert_eq!(house.certificates().await, 1);
}

async fn many_finalize_at_once_and_there_is_one_certificate(postgres: bool) {
    one_certificate(House::new(postgres).await).await;
}

async fn many_finalize_at_once_under_reserved_numbers(postgres: bool) {
    let house = House::new(postgres).await;
    house.ca.keep_serials(house.now()).await.unwrap();
    one_certificate(house).await;
}

async fn one_certificate(house: House) {
    let client = house.client().await;
    for _ in 0..3 {
        let url = client.ready(&["a.example.org"]).await;
        let before = house.certificates().await;
        let tries: Vec<_> = (0..12)
            .map(|_| {
                let (client, url) = (client.at(&house.acme), url.clone());
                tokio::spawn(async move { client.finalize(&url, &csr(&["a.example.org"])).await })
            })
            .collect();
        let mut valid = 0;
        for answer in tries {
            let answer = answer.await.unwrap();
            match (answer.status, answer.text("status").as_str()) {
                (200, "valid") => valid += 1,
                (200, "processing") => {}
                _ => assert_eq!(
                    (answer.status, answer.error()),
                    (403, "orderNotReady"),
                    "{}",
                    answer.json
                ),
            }
        }
        assert!(valid >= 1);
        assert_eq!(client.get(&url).await.text("status"), "valid");
        assert_eq!(house.certificates().await, before + 1);
    }
    assert_eq!(house.count("SELECT serial FROM intents").await, 0);
    house.check().await;
}

async fn a_crash_in_any_gap_is_made_good(postgres: bool) {
    for (gap, voids) in [(Gap::Intended, 1), (Gap::Signed, 1), (Gap::Recorded, 0)] {
        let house = House::new(postgres).await;
        let client = house.client().await;
        let url = client.ready(&["a.example.org"]).await;
        house.ca.stop_at(gap, false);
        let answer = client
            .finalize(&url, &csr(&["a.example.org"]))
            .await
            .ok(200);
        let expected = if voids == 1 { "processing" } else { "valid" };
        assert_eq!(answer.text("status"), expected, "{gap:?}");
        house.check().await;
        // Another process: after a restart it knows that it is alone; another node waits until the first is surely gone.
        let (acme, ca) = house.another().await;
        client.turn_to(&acme);
        if postgres {
            acme.resume(house.now()).await.unwrap();
            assert_eq!(client.get(&url).await.text("status"), expected, "{gap:?}");
            house.pass(91_000);
        }
        // An intent in the way is voided first.
        acme.resume(house.now()).await.unwrap();
        ca.void_abandoned(!postgres, house.now()).await.unwrap();
        house.pass(91_000);
        acme.resume(house.now()).await.unwrap();
        let order = client.get(&url).await;
        assert_eq!(order.text("status"), "valid", "{gap:?}");
        let leaf = client.leaf(&order.text("certificate")).await;
        assert!(leaf.not_after().0 > house.now().0 / 1000);
        assert_eq!(
            house.events("certificate.void").await.len(),
            voids,
            "{gap:?}"
        );
        assert_eq!(house.certificates().await, 1);
        acme.resume(Timestamp(house.now().0 + DAY)).await.unwrap();
        assert_eq!(house.certificates().await, 1);
        house.check().await;
    }
}

async fn where_numbers_are_reserved_an_order_is_open_until_it_is_valid(postgres: bool) {
    for (gap, voids) in [(Gap::Intended, 0), (Gap::Signed, 1), (Gap::Recorded, 0)] {
        let house = House::new(postgres).await;
        house.ca.keep_serials(house.now()).await.unwrap();
        let client = house.client().await;
        let url = client.ready(&["a.example.org"]).await;
        house.ca.stop_at(gap, false);
        let answer = client.finalize(&url, &csr(&["a.example.org"])).await;
        let stored = client.get(&url).await.text("status");
        match gap {
            Gap::Recorded => assert_eq!((answer.status, stored.as_str()), (200, "valid")),
            _ => {
                assert_eq!((answer.status, stored.as_str()), (503, "ready"), "{gap:?}");
                let again = client.finalize(&url, &csr(&["a.example.org"])).await;
                assert_eq!(again.ok(200).text("status"), "valid", "{gap:?}");
            }
        }
        house.ca.release_serials(house.now()).await.unwrap();
        assert_eq!(
            house.events("certificate.void").await.len(),
            voids,
            "{gap:?}"
        );
        assert_eq!(house.certificates().await, 1);
        assert_eq!(house.events("certificate.intend").await.len(), 0);
        house.check().await;
    }
}

async fn an_order_that_cannot_be_fulfilled_after_a_crash_ends(postgres: bool) {
    let house = House::new(postgres).await;
    // One whose account is gone, and one that has expired meanwhile.
    for expires in [false, true] {
        let client = house.client().await;
        let url = client.ready(&["a.example.org"]).await;
        house.ca.stop_at(Gap::Intended, false);
        client
            .finalize(&url, &csr(&["a.example.org"]))
            .await
            .ok(200);
        if expires {
            house.pass(8 * DAY);
        } else {
            let gone = json!({ "status": "deactivated" });
            client.post(&client.kid(), Some(gone)).await.ok(200);
            house.pass(DAY);
        }
        let (acme, ca) = house.another().await;
        ca.void_abandoned(false, house.now()).await.unwrap();
        acme.resume(house.now()).await.unwrap();
        assert_eq!(
            house
                .count("SELECT id FROM acme_orders WHERE status = 'processing'")
                .await,
            0
        );
    }
    assert_eq!(
        house
            .count("SELECT id FROM acme_orders WHERE status = 'invalid'")
            .await,
        2
    );
    assert_eq!(house.events("acme.order.invalid").await.len(), 2);
    assert_eq!(house.certificates().await, 0);
}

async fn r09_a_change_of_policy_reaches_orders_that_are_ready(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let url = client.ready(&["a.example.org"]).await;
    let mut narrower = crate::support::door("open");
    narrower.names = vec![access::NamePattern::parse("b.example.org").unwrap()];
    let permit = crate::support::admin(&house.ca, access::Action::ManageEnrolment);
    house
        .desk
        .put_directory(permit, narrower, 1, house.now())
        .await
        .unwrap();
    let (acme, _) = house.another().await;
    client.turn_to(&acme);
    let answer = client.finalize(&url, &csr(&["a.example.org"])).await;
    assert_eq!((answer.status, answer.error()), (403, "rejectedIdentifier"));
    assert_eq!(house.certificates().await, 0);
}

async fn must_staple_is_asked_for_in_the_request(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let (pkcs8, _) = keys::generate_for_subscriber(KeyAlgorithm::EcdsaP256).unwrap();
    let wish = |builder: x509::CsrBuilder| builder.extension(TlsFeature(vec![5]).encode());
    let url = client.ready(&["a.example.org"]).await;
    let done = client
        .finalize(&url, &signed("", names(&["a.example.org"]), &pkcs8, wish))
        .await
        .ok(200);
    let leaf = client.leaf(&done.text("certificate")).await;
    assert!(leaf.ext::<TlsFeature>().unwrap().is_some());
    let plain = client.certify(&["b.example.org"]).await;
    let leaf = client.leaf(&plain).await;
    assert!(leaf.ext::<TlsFeature>().unwrap().is_none());
}
