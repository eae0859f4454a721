//! Revocation by whoever may (RFC 8555 §7.6).

use ca::CertificateState;
use serde_json::json;

use crate::client::{Client, b64, general, signed};
use crate::support::{DAY, House, on_both};

on_both!(
    by_the_account_that_was_issued_it,
    by_an_account_that_holds_every_name,
    by_whoever_has_its_key,
    what_cannot_be_revoked_and_why,
    many_at_once_revoke_it_once,
);

async fn state(house: &House, leaf: &x509::Certificate) -> (CertificateState, Option<i64>) {
    let stored = house
        .ca
        .certificate(&leaf.fingerprint())
        .await
        .unwrap()
        .unwrap();
    (stored.state, stored.reason)
}

async fn revoke(
    client: &Client,
    leaf: &x509::Certificate,
    reason: Option<i64>,
) -> crate::client::Answer {
    let mut payload = json!({ "certificate": b64(leaf.der()) });
    if let Some(reason) = reason {
        payload["reason"] = json!(reason);
    }
    client.post(&client.url("revoke-cert"), Some(payload)).await
}

async fn by_the_account_that_was_issued_it(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    for (asked, stored) in [
        (None, 0),
        (Some(0), 0),
        (Some(1), 1),
        (Some(3), 3),
        (Some(4), 4),
        (Some(5), 5),
    ] {
        let leaf = client.leaf(&client.certify(&["a.example.org"]).await).await;
        for wrong in [2, 6, 7, 8, 9, 10, 11, -1, 1 << 40] {
            let answer = revoke(&client, &leaf, Some(wrong)).await;
            assert_eq!(
                (answer.status, answer.error()),
                (400, "badRevocationReason"),
                "{wrong}"
            );
        }
        let answer = revoke(&client, &leaf, asked).await.ok(200);
        assert!(answer.reply.body.is_empty());
        assert_eq!(
            state(&house, &leaf).await,
            (CertificateState::Revoked, Some(stored))
        );
        let again = revoke(&client, &leaf, Some(1)).await;
        assert_eq!((again.status, again.error()), (400, "alreadyRevoked"));
    }
    let event = house.events("certificate.revoke").await.pop().unwrap();
    assert_eq!(event.actor.id, format!("acme-{}", client.account()));
}

async fn by_an_account_that_holds_every_name(postgres: bool) {
    let house = House::new(postgres).await;
    let (client, other) = (house.client().await, house.client().await);
    let names = ["a.example.org", "*.b.example.org", "10.20.0.9"];
    let leaf = client.leaf(&client.certify(&names).await).await;
    let answer = revoke(&other, &leaf, None).await;
    assert_eq!((answer.status, answer.error()), (403, "unauthorized"));
    // Some of them are not enough, nor is the base of a wildcard.
    other
        .ready(&["a.example.org", "b.example.org", "10.20.0.9"])
        .await;
    assert_eq!(revoke(&other, &leaf, None).await.error(), "unauthorized");
    other.ready(&["*.b.example.org"]).await;
    // Nor proofs that are too old.
    house.pass(31 * DAY);
    assert_eq!(revoke(&other, &leaf, None).await.error(), "unauthorized");
    other.ready(&names).await;
    revoke(&other, &leaf, Some(4)).await.ok(200);
    assert_eq!(
        state(&house, &leaf).await,
        (CertificateState::Revoked, Some(4))
    );
}

async fn by_whoever_has_its_key(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let holder = Client::new(&house.acme, "open", Default::default());
    let pkcs8 = holder.pkcs8.clone();
    let holder = Client::with_key(&house.acme, "open", clock(&house), &pkcs8);
    let url = client.ready(&["a.example.org"]).await;
    let request = signed("", vec![general("a.example.org")], &pkcs8, |builder| {
        builder
    });
    let done = client.finalize(&url, &request).await.ok(200);
    let leaf = client.leaf(&done.text("certificate")).await;
    let stranger = Client::new(&house.acme, "open", clock(&house));
    assert_eq!(revoke(&stranger, &leaf, None).await.error(), "unauthorized");
    revoke(&client, &leaf, Some(4)).await.ok(200);
    // It turns out that the key was stolen: whoever shows it may say so.
    assert_eq!(
        revoke(&holder, &leaf, Some(4)).await.error(),
        "alreadyRevoked"
    );
    revoke(&holder, &leaf, Some(1)).await.ok(200);
    assert_eq!(
        state(&house, &leaf).await,
        (CertificateState::Revoked, Some(1))
    );
    assert_eq!(
        revoke(&holder, &leaf, Some(1)).await.error(),
        "alreadyRevoked"
    );
    let event = house.events("certificate.revoke").await.pop().unwrap();
    assert!(event.actor.id.starts_with("acme-key-"));
}

fn clock(house: &House) -> std::sync::Arc<std::sync::atomic::AtomicI64> {
    std::sync::Arc::new(std::sync::atomic::AtomicI64::new(house.now().0))
}

async fn what_cannot_be_revoked_and_why(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let leaf = client.leaf(&client.certify(&["a.example.org"]).await).await;
    let url = client.url("revoke-cert");
    let pem = leaf.to_pem();
    for payload in [
        json!({}),
        json!({ "certificate": 7 }),
        json!({ "certificate": pem }),
        json!({ "certificate": b64(b"no DER") }),
        json!({ "certificate": b64(leaf.der()), "reason": "keyCompromise" }),
    ] {
        let answer = client.post(&url, Some(payload.clone())).await;
        assert_eq!(
            (answer.status, answer.error()),
            (400, "malformed"),
            "{payload}"
        );
    }
    // One byte of it changed: another certificate, which nobody issued.
    let mut other = leaf.der().to_vec();
    *other.last_mut().unwrap() ^= 1;
    let answer = client
        .post(&url, Some(json!({ "certificate": b64(&other) })))
        .await;
    assert_eq!((answer.status, answer.error()), (404, "malformed"));
    let authority = house.ca.issuer("servers").unwrap();
    let answer = revoke(&client, authority.certificate(), None).await;
    assert_eq!(answer.status, 404);
    house.pass(91 * DAY);
    assert_eq!(revoke(&client, &leaf, None).await.error(), "unauthorized");
}

async fn many_at_once_revoke_it_once(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let leaf = client.leaf(&client.certify(&["a.example.org"]).await).await;
    let tries: Vec<_> = (0..8)
        .map(|_| {
            let (client, leaf) = (client.at(&house.acme), leaf.clone());
            tokio::spawn(async move { revoke(&client, &leaf, Some(4)).await })
        })
        .collect();
    let mut done = 0;
    for answer in tries {
        let answer = answer.await.unwrap();
        match answer.status {
            200 => done += 1,
            _ => assert_eq!(answer.error(), "alreadyRevoked"),
        }
    }
    assert_eq!(done, 1);
    assert_eq!(house.events("certificate.revoke").await.len(), 1);
}
