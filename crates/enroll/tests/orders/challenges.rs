//! Validation: at once, behind the client's back, once only, and by another node when this one is gone.

use std::time::Duration;

use agent::control::{FailureKind, Rules};
use enroll::acme::Directory;
use serde_json::json;

use crate::client::csr;
use crate::support::{DAY, House, door, on_both};
use crate::world::Does;

on_both!(
    a_failure_ends_authorization_and_order,
    r09_a_late_responder_is_waited_for,
    a_failure_that_stays_is_final_in_the_end,
    rfc8555_8_2_a_processing_challenge_tells_of_its_failure,
    one_attempt_for_each_authorization,
    many_answers_at_once_are_one_validation,
    an_authorization_is_given_up,
    a_dead_nodes_validation_is_taken_up,
    what_nobody_can_want_is_not_taken_up,
    caa_is_asked_for_where_it_counts,
    r09_servers_that_hang_hold_up_their_own_account_only,
);

async fn a_failure_ends_authorization_and_order(postgres: bool) {
    let table = [
        (FailureKind::Dns, "dns"),
        (FailureKind::Connection, "connection"),
        (FailureKind::Tls, "tls"),
        (FailureKind::Unauthorized, "unauthorized"),
        (FailureKind::IncorrectResponse, "incorrectResponse"),
        (FailureKind::Caa, "caa"),
    ];
    let house = House::new(postgres).await;
    let client = house.client().await;
    for (kind, error) in table {
        house
            .world
            .says("bad.example.org", Does::Fails(kind, false));
        let order = client
            .new_order(&["good.example.org", "bad.example.org"])
            .await
            .ok(201);
        client.prove(&order).await;
        let urls: Vec<&str> = order.json["authorizations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|url| url.as_str().unwrap())
            .collect();
        assert_eq!(client.get(urls[0]).await.text("status"), "valid");
        let failed = client.get(urls[1]).await;
        assert_eq!(failed.text("status"), "invalid");
        let challenges = failed.json["challenges"].as_array().unwrap();
        assert_eq!(challenges.len(), 1);
        assert_eq!(challenges[0]["status"], "invalid");
        let found = challenges[0]["error"]["type"].as_str().unwrap();
        assert_eq!(found, format!("urn:ietf:params:acme:error:{error}"));
        let order = client.get(&order.location()).await;
        assert_eq!(order.text("status"), "invalid");
        let problem = &order.json["error"]["subproblems"][0];
        assert_eq!(problem["identifier"]["value"], "bad.example.org");
        let late = client
            .finalize(
                &order.location(),
                &csr(&["good.example.org", "bad.example.org"]),
            )
            .await;
        assert_eq!(late.error(), "orderNotReady");
    }
    let failed = house.events("acme.authorization.invalid").await;
    assert_eq!(failed.len(), table.len());
    assert!(
        failed
            .iter()
            .all(|event| event.outcome == audit::Outcome::Failed)
    );
    assert_eq!(house.certificates().await, 0);
}

async fn r09_a_late_responder_is_waited_for(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let slow = Does::ProvesAfter(Duration::from_millis(1200));
    for (name, does) in [
        ("slow.example.org", slow),
        ("flaky.example.org", Does::FailsFirst(3)),
    ] {
        house.world.says(name, does);
        let order = client.new_order(&[name]).await.ok(201);
        let url = order.json["authorizations"][0].as_str().unwrap();
        let challenge = client.answer(&client.get(url).await).await.ok(200);
        assert_eq!(challenge.text("status"), "processing");
        assert_eq!(challenge.reply.retry_after, Some(1));
        let shown = client.get(url).await;
        assert_eq!(shown.text("status"), "pending");
        assert_eq!(shown.json["challenges"][0]["status"], "processing");
        assert_eq!(shown.json["challenges"][1]["status"], "pending");
        assert_eq!(
            client.get(&order.location()).await.text("status"),
            "pending"
        );
        assert_eq!(client.wait(url, "pending").await.text("status"), "valid");
        client
            .finalize(&order.location(), &csr(&[name]))
            .await
            .ok(200);
    }
    house.check().await;
}

async fn a_failure_that_stays_is_final_in_the_end(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    house.world.says(
        "down.example.org",
        Does::Fails(FailureKind::Connection, true),
    );
    let order = client.new_order(&["down.example.org"]).await.ok(201);
    client.prove(&order).await;
    let ended = client.get(&order.location()).await;
    assert_eq!(ended.text("status"), "invalid");
    // Once at first, and once after each pause.
    assert_eq!(house.world.asked().len(), 6);
    // One that hangs ends too.
    house
        .put(Directory {
            validation: Rules {
                timeout_ms: 300,
                ..Rules::default()
            },
            ..door("brisk")
        })
        .await;
    let client = house.client_of("brisk").await;
    house.world.says("hangs.example.org", Does::Hangs);
    let order = client.new_order(&["hangs.example.org"]).await.ok(201);
    client.prove(&order).await;
    assert_eq!(
        client.get(&order.location()).await.text("status"),
        "invalid"
    );
}

async fn rfc8555_8_2_a_processing_challenge_tells_of_its_failure(postgres: bool) {
    let house = House::new(postgres).await;
    house.acme.set_pause(60_000);
    let client = house.client().await;
    house.world.says(
        "down.example.org",
        Does::Fails(FailureKind::Connection, true),
    );
    let order = client.new_order(&["down.example.org"]).await.ok(201);
    let url = order.json["authorizations"][0].as_str().unwrap();
    let challenge = client.answer(&client.get(url).await).await.ok(200);
    assert_eq!(challenge.text("status"), "processing");
    assert_eq!(
        challenge.json["error"]["type"],
        "urn:ietf:params:acme:error:connection"
    );
}

async fn one_attempt_for_each_authorization(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    house.world.says(
        "a.example.org",
        Does::Fails(FailureKind::Unauthorized, false),
    );
    let order = client.new_order(&["a.example.org"]).await.ok(201);
    let url = order.json["authorizations"][0].as_str().unwrap();
    let authorization = client.get(url).await;
    client.answer(&authorization).await.ok(200);
    house.world.says("a.example.org", Does::Proves);
    // Neither this challenge nor another brings it back.
    for challenge in authorization.json["challenges"].as_array().unwrap() {
        let challenge = challenge["url"].as_str().unwrap();
        let again = client.post(challenge, Some(json!({}))).await.ok(200);
        assert_ne!(again.text("status"), "valid");
    }
    assert_eq!(client.get(url).await.text("status"), "invalid");
    assert_eq!(house.world.asked().len(), 1);
    // What the body says does not matter, as long as it is an object (§7.5.1).
    let order = client.new_order(&["a.example.org"]).await.ok(201);
    let url = order.json["authorizations"][0].as_str().unwrap();
    let challenge = client.get(url).await.json["challenges"][0]["url"]
        .as_str()
        .unwrap()
        .to_owned();
    for payload in [json!([]), json!("x"), json!(null)] {
        let answer = client.post(&challenge, Some(payload.clone())).await;
        assert_eq!(answer.error(), "malformed", "{payload}");
    }
    let more = json!({ "keyAuthorization": "old clients send it" });
    assert_eq!(
        client.post(&challenge, Some(more)).await.text("status"),
        "valid"
    );
    let unknown = challenge.replace("http-01", "device-attest-01");
    assert_eq!(client.post(&unknown, Some(json!({}))).await.status, 404);
}

async fn many_answers_at_once_are_one_validation(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    house.world.says(
        "a.example.org",
        Does::ProvesAfter(Duration::from_millis(100)),
    );
    let order = client.new_order(&["a.example.org"]).await.ok(201);
    let url = order.json["authorizations"][0].as_str().unwrap();
    let authorization = std::sync::Arc::new(client.get(url).await);
    let answers: Vec<_> = (0..16)
        .map(|_| {
            let (client, authorization) = (client.at(&house.acme), authorization.clone());
            tokio::spawn(async move { client.answer(&authorization).await })
        })
        .collect();
    for answer in answers {
        let answer = answer.await.unwrap().ok(200);
        assert_eq!(answer.text("status"), "valid");
    }
    assert_eq!(house.events("acme.authorization.valid").await.len(), 1);
}

async fn an_authorization_is_given_up(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let give_up = || Some(json!({ "status": "deactivated" }));
    // Pending, and proven: either way the order comes to nothing.
    for prove in [false, true] {
        let order = client
            .new_order(&["a.example.org", "b.example.org"])
            .await
            .ok(201);
        if prove {
            client.prove(&order).await;
        }
        let url = order.json["authorizations"][1].as_str().unwrap();
        let given = client.post(url, give_up()).await.ok(200);
        assert_eq!(given.text("status"), "deactivated");
        assert_eq!(client.get(url).await.text("status"), "deactivated");
        // Twice is as good as once.
        client.post(url, give_up()).await.ok(200);
        let order = client.get(&order.location()).await;
        assert_eq!(order.text("status"), "invalid");
        assert_eq!(
            order.json["error"]["type"],
            "urn:ietf:params:acme:error:unauthorized"
        );
        // It cannot be answered any more.
        let challenge = client.answer(&given).await;
        assert_ne!(challenge.text("status"), "valid");
    }
    // A certificate that exists stays.
    let order = client.ready(&["c.example.org"]).await;
    client
        .finalize(&order, &csr(&["c.example.org"]))
        .await
        .ok(200);
    let url = client.get(&order).await.json["authorizations"][0]
        .as_str()
        .unwrap()
        .to_owned();
    client.post(&url, give_up()).await.ok(200);
    assert_eq!(client.get(&order).await.text("status"), "valid");
    let other = json!({ "status": "valid" });
    assert_eq!(client.post(&url, Some(other)).await.error(), "malformed");
    assert_eq!(
        client.post(&url, Some(json!({}))).await.error(),
        "malformed"
    );
    assert_eq!(house.events("acme.authorization.deactivate").await.len(), 3);
}

async fn a_dead_nodes_validation_is_taken_up(postgres: bool) {
    let house = House::new(postgres).await;
    house
        .put(Directory {
            validation: Rules {
                timeout_ms: 1500,
                ..Rules::default()
            },
            ..door("brisk")
        })
        .await;
    let client = house.client_of("brisk").await;
    house.world.says("a.example.org", Does::Hangs);
    let order = client.new_order(&["a.example.org"]).await.ok(201);
    let url = order.json["authorizations"][0].as_str().unwrap();
    let challenge = client.answer(&client.get(url).await).await.ok(200);
    assert_eq!(challenge.text("status"), "processing");
    // The node hangs for good; what it may say later does not count.
    house.world.says("a.example.org", Does::Proves);
    let (acme, _) = house.another().await;
    if postgres {
        // While the other may live, its work is its own.
        acme.resume(house.now()).await.unwrap();
        assert_eq!(client.get(url).await.text("status"), "pending");
        house.pass(60_000);
    }
    client.turn_to(&acme);
    acme.resume(house.now()).await.unwrap();
    assert_eq!(client.wait(url, "pending").await.text("status"), "valid");
    let asked = house.world.asked();
    assert_eq!(asked[0].key_authorization, asked[1].key_authorization);
    assert_eq!(asked[1].account_url, client.kid());
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(client.get(url).await.text("status"), "valid");
    client
        .finalize(&order.location(), &csr(&["a.example.org"]))
        .await
        .ok(200);
    assert_eq!(house.events("acme.authorization.resume").await.len(), 1);
    assert_eq!(house.events("acme.authorization.invalid").await.len(), 0);
    house.check().await;
}

async fn what_nobody_can_want_is_not_taken_up(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    house.world.says("a.example.org", Does::Hangs);
    let order = client.new_order(&["a.example.org"]).await.ok(201);
    let url = order.json["authorizations"][0].as_str().unwrap();
    client.answer(&client.get(url).await).await.ok(200);
    let gone = json!({ "status": "deactivated" });
    client.post(&client.kid(), Some(gone)).await.ok(200);
    house.pass(DAY);
    let (acme, _) = house.another().await;
    acme.resume(house.now()).await.unwrap();
    assert_eq!(house.world.asked().len(), 1);
    assert_eq!(
        house
            .count("SELECT 1 FROM acme_authorizations WHERE status = 'processing'")
            .await,
        0
    );
}

async fn caa_is_asked_for_where_it_counts(postgres: bool) {
    let house = House::new(postgres).await;
    house
        .put(Directory {
            caa_identities: vec!["ca.mercy.example".to_owned()],
            ..door("public")
        })
        .await;
    let client = house.client_of("public").await;
    client.ready(&["*.example.org"]).await;
    let asked = house.world.asked();
    let caa = asked[0].caa.clone().unwrap();
    assert_eq!(caa.identities, ["ca.mercy.example"]);
    assert!(caa.wildcard && asked[0].wildcard);
    assert_eq!(caa.validation_method, "dns-01");
    assert_eq!(caa.account_url, client.kid());
    house.client().await.ready(&["b.example.org"]).await;
    assert!(house.world.asked()[1].caa.is_none());
}

async fn r09_servers_that_hang_hold_up_their_own_account_only(postgres: bool) {
    let house = House::new(postgres).await;
    house
        .put(Directory {
            validation: Rules {
                timeout_ms: 8000,
                ..Rules::default()
            },
            ..door("brisk")
        })
        .await;
    let (loud, quiet) = (
        house.client_of("brisk").await,
        house.client_of("brisk").await,
    );
    let mut challenges = Vec::new();
    for half in 0..2 {
        let names: Vec<String> = (0..70)
            .map(|i| format!("h{half}-{i}.example.org"))
            .collect();
        for name in &names {
            house.world.says(name, Does::Hangs);
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let order = loud.new_order(&names).await.ok(201);
        for url in order.json["authorizations"].as_array().unwrap() {
            let shown = loud.get(url.as_str().unwrap()).await.ok(200);
            challenges.push(
                shown.json["challenges"][0]["url"]
                    .as_str()
                    .unwrap()
                    .to_owned(),
            );
        }
    }
    let answers: Vec<_> = challenges
        .into_iter()
        .map(|url| {
            let client = loud.at(&house.acme);
            tokio::spawn(async move { client.post(&url, Some(json!({}))).await })
        })
        .collect();
    let (mut processing, mut refused) = (0, 0);
    for answer in answers {
        let answer = answer.await.unwrap();
        match answer.status {
            200 => processing += 1,
            _ => {
                assert_eq!((answer.status, answer.error()), (429, "rateLimited"));
                assert!(answer.reply.retry_after.is_some());
                refused += 1;
            }
        }
    }
    assert_eq!((processing, refused), (128, 12));
    house.world.says(
        "slow.example.org",
        Does::ProvesAfter(Duration::from_millis(700)),
    );
    quiet.certify(&["slow.example.org"]).await;
    // What hung ends, and there is room again.
    house.world.says(
        "late.example.org",
        Does::ProvesAfter(Duration::from_millis(700)),
    );
    let order = loud.new_order(&["late.example.org"]).await.ok(201);
    let url = order.json["authorizations"][0].as_str().unwrap();
    let authorization = loud.get(url).await;
    for _ in 0..100 {
        if loud.answer(&authorization).await.status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(loud.wait(url, "pending").await.text("status"), "valid");
}
