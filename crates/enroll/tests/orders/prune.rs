//! What is deleted, when, and what stays.

use serde_json::json;

use crate::client::csr;
use crate::support::{DAY, House, on_both};

on_both!(
    r09_what_ended_long_ago_is_deleted_and_counted,
    certificates_outlive_their_orders,
    two_that_prune_at_once_delete_once,
);

async fn r09_what_ended_long_ago_is_deleted_and_counted(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    for i in 0..7 {
        client
            .new_order(&[&format!("h{i}.example.org"), "x.example.org"])
            .await
            .ok(201);
    }
    let ahead = json!({ "identifier": { "type": "dns", "value": "ahead.example.org" } });
    client
        .post(&client.url("new-authz"), Some(ahead))
        .await
        .ok(201);
    // Proven, so that it counts for a month.
    client.ready(&["proven.example.org"]).await;
    let rows = async || {
        (
            house.count("SELECT id FROM acme_orders").await,
            house.count("SELECT batch FROM acme_authorizations").await,
        )
    };
    assert_eq!(rows().await, (8, 16));
    for (days, expected) in [
        (8, (8, 16)),
        (28, (8, 16)),
        (2, (0, 1)),
        (21, (0, 1)),
        (2, (0, 0)),
    ] {
        house.pass(days * DAY);
        let before = rows().await;
        let pruned = house.acme.prune(house.now()).await.unwrap();
        assert_eq!(rows().await, expected);
        let after = rows().await;
        assert_eq!(pruned.orders as usize, before.0 - after.0);
        assert_eq!(pruned.authorizations as usize, before.1 - after.1);
    }
    let events = house.events("acme.prune").await;
    let counted: Vec<_> = events
        .iter()
        .map(|event| {
            (
                event.object.id.as_str(),
                event.after.as_ref().unwrap()["deleted"].clone(),
            )
        })
        .collect();
    let expected = [
        ("orders", json!(8)),
        ("authorizations", json!(15)),
        ("authorizations", json!(1)),
    ];
    assert_eq!(counted, expected);
}

async fn certificates_outlive_their_orders(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let order = client.ready(&["a.example.org"]).await;
    let done = client
        .finalize(&order, &csr(&["a.example.org"]))
        .await
        .ok(200);
    house.pass(80 * DAY);
    house.acme.prune(house.now()).await.unwrap();
    assert_eq!(client.get(&order).await.status, 404);
    // Still there for whom it was issued, and still theirs to revoke.
    let leaf = client.leaf(&done.text("certificate")).await;
    let payload = json!({ "certificate": crate::client::b64(leaf.der()) });
    client
        .post(&client.url("revoke-cert"), Some(payload))
        .await
        .ok(200);
}

async fn two_that_prune_at_once_delete_once(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    for i in 0..20 {
        client
            .new_order(&[&format!("h{i}.example.org")])
            .await
            .ok(201);
    }
    house.pass(60 * DAY);
    let (other, _) = house.another().await;
    let (one, two) = tokio::join!(house.acme.prune(house.now()), other.prune(house.now()));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.orders + two.orders, 20);
    house.acme.prune(house.now()).await.unwrap();
    assert_eq!(
        house.count("SELECT batch FROM acme_authorizations").await,
        0
    );
    let counted: u64 = house
        .events("acme.prune")
        .await
        .iter()
        .map(|event| event.after.as_ref().unwrap()["deleted"].as_u64().unwrap())
        .sum();
    assert_eq!(counted, 40);
}
