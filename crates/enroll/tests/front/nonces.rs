//! Nonces: none accepted twice, none that is valid refused (RFC 8555 §6.5).

use std::collections::HashSet;

use http::Method;
use serde_json::json;

use crate::client::{Client, JOSE};
use crate::support::{House, on_both};

on_both!(
    a_nonce_is_good_once,
    nonces_outlive_the_server,
    one_of_many_at_once_wins,
);

async fn a_nonce_is_good_once(postgres: bool) {
    let house = House::new(postgres).await;
    let client = Client::registered(&house.acme, "ES256").await;
    let header = client.header(&client.account()).await;
    let body = client.key.jws(&header, "").to_string();
    let send = || async {
        client
            .send(Method::POST, &client.account(), JOSE, &body)
            .await
    };
    let first = send().await;
    assert_eq!(first.status, 200, "{first:?}");
    let again = send().await;
    assert_eq!((again.status, again.problem()), (400, "badNonce"));

    // The nonce that came with the refusal is good, and so is each that came with an answer.
    let mut nonce = again.nonce.unwrap();
    let mut seen = HashSet::new();
    for _ in 0..5 {
        assert!(seen.insert(nonce.clone()));
        let mut header = header.clone();
        header["nonce"] = json!(nonce);
        let body = client.key.jws(&header, "").to_string();
        let answer = client
            .send(Method::POST, &client.account(), JOSE, &body)
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        nonce = answer.nonce.unwrap();
    }
}

/// On SQLite the server is started anew while the old one lives, as after `kill -9`; on PostgreSQL it is another node.
async fn nonces_outlive_the_server(postgres: bool) {
    let house = House::new(postgres).await;
    let mut client = Client::registered(&house.acme, "ES256").await;
    let path = client.account();
    let unused = client.header(&path).await;
    let used = client.key.jws(&client.header(&path).await, "").to_string();
    assert_eq!(
        client.send(Method::POST, &path, JOSE, &used).await.status,
        200
    );

    client.acme = house.another().await;
    let unused = client.key.jws(&unused, "").to_string();
    let accepted = client.send(Method::POST, &path, JOSE, &unused).await;
    assert_eq!(accepted.status, 200, "{accepted:?}");
    for body in [&used, &unused] {
        let refused = client.send(Method::POST, &path, JOSE, body).await;
        assert_eq!(refused.problem(), "badNonce");
    }
}

async fn one_of_many_at_once_wins(postgres: bool) {
    let house = House::new(postgres).await;
    let there = match postgres {
        true => house.another().await,
        false => house.acme.clone(),
    };
    let client = Client::registered(&house.acme, "ES256").await;
    let mut other = Client::new(&there, "open", "ES256");
    other.kid = client.kid.clone();
    let path = client.account();
    for _ in 0..20 {
        let body = client.key.jws(&client.header(&path).await, "").to_string();
        let ask = |client: &Client| {
            let (acme, kid, path, body) = (
                client.acme.clone(),
                client.kid.clone(),
                path.clone(),
                body.clone(),
            );
            let mut sender = Client::new(&acme, "open", "EdDSA");
            sender.kid = kid;
            tokio::spawn(async move { sender.send(Method::POST, &path, JOSE, &body).await.status })
        };
        let sent = [&client, &other, &client, &other].map(ask);
        let mut won = 0;
        for answer in sent {
            won += usize::from(answer.await.unwrap() == 200);
        }
        assert_eq!(won, 1);
    }
}

/// RFC 8555 §6.5.2: what is no base64url is malformed; what is, and is not ours, is a bad nonce.
#[tokio::test]
async fn foreign_nonces_are_told_from_nonsense() {
    let house = House::new(false).await;
    let client = Client::registered(&house.acme, "ES256").await;
    let elsewhere = House::new(false).await;
    let foreign = Client::new(&elsewhere.acme, "open", "ES256").nonce().await;
    let genuine = client.nonce().await;
    let mut flipped = genuine.clone().into_bytes();
    flipped[3] = if flipped[3] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    let table = [
        ("of another server", foreign.as_str(), "badNonce"),
        ("altered", &flipped, "badNonce"),
        ("shortened", &genuine[..20], "badNonce"),
        ("short", "AAAA", "badNonce"),
        ("empty", "", "badNonce"),
        ("long", &"A".repeat(400), "badNonce"),
        ("padded", &format!("{genuine}=="), "malformed"),
        ("of the other alphabet", "+/+/", "malformed"),
        ("with a space", "AAA A", "malformed"),
    ];
    for (what, nonce, expected) in table {
        let mut header = client.header(&client.account()).await;
        header["nonce"] = json!(nonce);
        let body = client.key.jws(&header, "").to_string();
        let refused = client
            .send(Method::POST, &client.account(), JOSE, &body)
            .await;
        assert_eq!(
            (refused.status, refused.problem()),
            (400, expected),
            "{what}"
        );
        assert!(
            refused.nonce.is_some(),
            "{what}: a fresh one comes with the refusal"
        );
    }
    // Nobody without the key can use a nonce up.
    let header = client.header(&client.account()).await;
    let mut spoiled = client.key.jws(&header, "");
    let good = spoiled.to_string();
    spoiled["signature"] = json!(crate::client::b64(&[7; 64]));
    let refused = client
        .send(Method::POST, &client.account(), JOSE, &spoiled.to_string())
        .await;
    assert_eq!(refused.problem(), "malformed");
    let accepted = client
        .send(Method::POST, &client.account(), JOSE, &good)
        .await;
    assert_eq!(accepted.status, 200);
}
