//! Accounts: made, found, updated, given another key, bound, deactivated (RFC 8555 §7.3).

use http::Method;
use serde_json::{Value, json};

use crate::client::{Answer, BASE, Client, JOSE, Key, b64, binding, thumbprint};
use crate::support::{House, on_both};

on_both!(
    an_account_is_made_once_and_found_again,
    every_algorithm_signs,
    contacts_are_kept_and_changed,
    a_deactivated_account_can_do_nothing,
    a_key_is_changed,
    a_taken_key_is_refused_with_its_account,
    an_external_account_is_bound_and_counted,
    two_at_once_make_one_account,
    another_node_sees_what_happened,
);

async fn an_account_is_made_once_and_found_again(postgres: bool) {
    let house = House::new(postgres).await;
    let client = Client::new(&house.acme, "open", "ES256");
    let only = json!({ "onlyReturnExisting": true });
    let none = client.post("new-account", Some(only.clone())).await;
    assert_eq!((none.status, none.problem()), (400, "accountDoesNotExist"));

    let made = client.post(
        "new-account",
        Some(json!({ "contact": ["mailto:a@b.example"] })),
    );
    let made = made.await;
    assert_eq!(made.status, 201, "{made:?}");
    let url = made.location.clone().unwrap();
    assert_eq!(
        made.body,
        json!({ "status": "valid", "contact": ["mailto:a@b.example"], "orders": format!("{url}/orders") })
    );
    assert!(
        made.links
            .contains(&format!("<{BASE}/acme/open/directory>;rel=\"index\""))
    );

    for wish in [json!({}), only] {
        let found = client.post("new-account", Some(wish)).await;
        assert_eq!(
            (found.status, found.location.as_deref()),
            (200, Some(url.as_str()))
        );
    }
    let events = house.events("acme.account.create").await;
    assert_eq!(events.len(), 1);
    let key = client.key.jwk();
    let canonical = format!(
        r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#,
        key["x"], key["y"]
    );
    let after = events[0].after.as_ref().unwrap();
    assert_eq!(after["thumbprint"], thumbprint(&canonical), "RFC 7638");
    assert!(events[0].actor.id.starts_with("acme-"));
}

/// RFC 8555 §6.2 leaves the list to the server; these are Ward's.
async fn every_algorithm_signs(postgres: bool) {
    let house = House::new(postgres).await;
    for algorithm in ["ES256", "ES384", "ES512", "EdDSA", "RS256"] {
        let client = Client::registered(&house.acme, algorithm).await;
        let shown = client.post(&client.account(), None).await;
        assert_eq!(shown.status, 200, "{algorithm}: {shown:?}");
    }
    // Read again from the database, where only the canonical key is.
    let acme = house.another().await;
    let mut client = Client::registered(&house.acme, "RS256").await;
    client.acme = acme;
    let shown = client.post(&client.account(), None).await;
    assert_eq!(shown.status, 200, "{shown:?}");
}

async fn contacts_are_kept_and_changed(postgres: bool) {
    let house = House::new(postgres).await;
    let client = Client::registered(&house.acme, "ES256").await;
    let wish = json!({ "contact": ["mailto:new@b.example"], "orders": "ignored", "x": 1 });
    let changed = client.post(&client.account(), Some(wish)).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let shown = client.post(&client.account(), None).await;
    assert_eq!(shown.body["contact"], json!(["mailto:new@b.example"]));
    let shown = client.post(&client.account(), Some(json!({}))).await;
    assert_eq!(shown.body["contact"], json!(["mailto:new@b.example"]));

    let table = [
        (json!({ "contact": ["tel:1"] }), "unsupportedContact"),
        (
            json!({ "contact": ["mailto:a@b.example?cc=c@d.example"] }),
            "invalidContact",
        ),
        (json!({ "contact": "mailto:a@b.example" }), "malformed"),
        (json!({ "status": "revoked" }), "malformed"),
    ];
    for (wish, expected) in table {
        let refused = client.post(&client.account(), Some(wish.clone())).await;
        assert_eq!(
            (refused.status, refused.problem()),
            (400, expected),
            "{wish}"
        );
    }
    assert_eq!(house.events("acme.account.update").await.len(), 1);
}

/// RFC 8555 §7.3.6.
async fn a_deactivated_account_can_do_nothing(postgres: bool) {
    let house = House::new(postgres).await;
    let mut client = Client::registered(&house.acme, "ES256").await;
    let path = client.account();
    let gone = client
        .post(&path, Some(json!({ "status": "deactivated" })))
        .await;
    assert_eq!(
        (gone.status, &gone.body["status"]),
        (200, &json!("deactivated"))
    );
    for resource in [path.as_str(), "new-order", "key-change"] {
        let refused = client.post(resource, Some(json!({}))).await;
        assert_eq!(
            (refused.status, refused.problem()),
            (401, "unauthorized"),
            "{resource}"
        );
    }
    client.kid = None;
    let refused = client.post("new-account", Some(json!({}))).await;
    assert_eq!((refused.status, refused.problem()), (401, "unauthorized"));
    assert_eq!(house.events("acme.account.deactivate").await.len(), 1);
}

async fn change(client: &Client, new: &Key, alter: impl FnOnce(&mut Value, &mut Value)) -> Answer {
    let mut header = json!({
        "alg": new.algorithm(), "jwk": new.jwk(), "url": client.url("key-change"),
    });
    let mut payload = json!({ "account": client.kid, "oldKey": client.key.jwk() });
    alter(&mut header, &mut payload);
    let inner = new.jws(&header, &payload.to_string());
    client.post("key-change", Some(inner)).await
}

/// RFC 8555 §7.3.5.
async fn a_key_is_changed(postgres: bool) {
    let house = House::new(postgres).await;
    let mut client = Client::registered(&house.acme, "ES256").await;
    let new = Key::new("RS256");
    type Alter = fn(&mut Value, &mut Value);
    let table: &[(&str, &str, Alter)] = &[
        ("another URL", "malformed", |header, _| {
            header["url"] = json!(format!("{BASE}/acme/open/new-order"))
        }),
        ("a nonce", "malformed", |header, _| {
            header["nonce"] = json!("abcd")
        }),
        ("a kid", "malformed", |header, _| header["kid"] = json!("x")),
        ("no jwk", "malformed", |header, _| {
            drop(header.as_object_mut().unwrap().remove("jwk"))
        }),
        ("another jwk", "malformed", |header, _| {
            header["jwk"] = Key::new("RS256").jwk()
        }),
        ("another account", "malformed", |_, payload| {
            payload["account"] = json!(format!("{BASE}/acme/open/account/x"))
        }),
        ("another old key", "malformed", |_, payload| {
            payload["oldKey"] = Key::new("ES256").jwk()
        }),
        ("no old key", "malformed", |_, payload| {
            drop(payload.as_object_mut().unwrap().remove("oldKey"))
        }),
        ("alg none", "badSignatureAlgorithm", |header, _| {
            header["alg"] = json!("none")
        }),
    ];
    for (what, expected, alter) in table {
        let refused = change(&client, &new, alter).await;
        assert_eq!(
            (refused.status, refused.problem()),
            (400, *expected),
            "{what}: {refused:?}"
        );
    }
    // The inner JWS signed by the old key only.
    let header = json!({ "alg": "ES256", "jwk": new.jwk(), "url": client.url("key-change") });
    let inner = client.key.jws(&header, "{}");
    let refused = client.post("key-change", Some(inner)).await;
    assert_eq!(refused.problem(), "badSignatureAlgorithm", "{refused:?}");

    let done = change(&client, &new, |_, _| ()).await;
    assert_eq!(done.status, 200, "{done:?}");
    let shown = client.post(&client.account(), None).await;
    assert_eq!(
        (shown.status, shown.problem()),
        (400, "badSignatureAlgorithm"),
        "the old key"
    );
    client.key = new;
    let shown = client.post(&client.account(), None).await;
    assert_eq!(shown.status, 200, "the new key: {shown:?}");
    assert_eq!(house.events("acme.account.key-change").await.len(), 1);
}

/// RFC 8555 §7.3.5: 409 and the account that has the key.
async fn a_taken_key_is_refused_with_its_account(postgres: bool) {
    let house = House::new(postgres).await;
    let client = Client::registered(&house.acme, "ES256").await;
    let other = Client::registered(&house.acme, "EdDSA").await;
    let refused = change(&client, &other.key, |_, _| ()).await;
    assert_eq!(
        (refused.status, &refused.location),
        (409, &other.kid),
        "{refused:?}"
    );
    let refused = change(&client, &client.key, |_, _| ()).await;
    assert_eq!((refused.status, &refused.location), (409, &client.kid));
}

/// RFC 8555 §7.3.4.
async fn an_external_account_is_bound_and_counted(postgres: bool) {
    let house = House::new(postgres).await;
    let (kid, secret) = house.eab("bound", Some(2)).await;
    let url = format!("{BASE}/acme/bound/new-account");
    let client = Client::new(&house.acme, "bound", "ES256");
    let jwk = client.key.jwk();
    let good = || binding(&kid, &secret, &url, &jwk);
    let with =
        |binding: Value| json!({ "termsOfServiceAgreed": true, "externalAccountBinding": binding });

    let refused = client
        .post(
            "new-account",
            Some(json!({ "externalAccountBinding": good() })),
        )
        .await;
    assert_eq!(
        (refused.status, refused.problem()),
        (403, "userActionRequired")
    );
    assert_eq!(refused.body["instance"], "https://mercy.example/terms");
    assert!(
        refused
            .links
            .iter()
            .any(|link| link.contains("rel=\"terms-of-service\""))
    );
    let refused = client
        .post("new-account", Some(json!({ "termsOfServiceAgreed": true })))
        .await;
    assert_eq!(
        (refused.status, refused.problem()),
        (403, "externalAccountRequired")
    );

    let flawed = |alter: fn(&mut Value), payload: &Value| {
        let mut header = json!({ "alg": "HS256", "kid": kid, "url": url });
        alter(&mut header);
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
        crate::client::sealed(&header, &payload.to_string(), |input| {
            aws_lc_rs::hmac::sign(&key, input).as_ref().to_vec()
        })
    };
    let mut cut = good();
    cut["signature"] = json!(b64(&[0; 32]));
    let table = [
        (
            "a wrong MAC",
            "unauthorized",
            binding(&kid, b"guess", &url, &jwk),
        ),
        ("a signature of zeros", "unauthorized", cut),
        (
            "another key id",
            "unauthorized",
            binding("e0123456789abcdef", &secret, &url, &jwk),
        ),
        (
            "another URL",
            "malformed",
            binding(
                &kid,
                &secret,
                &format!("{BASE}/acme/open/new-account"),
                &jwk,
            ),
        ),
        (
            "another key bound",
            "malformed",
            binding(&kid, &secret, &url, &Key::new("ES256").jwk()),
        ),
        (
            "a nonce",
            "malformed",
            flawed(|header| header["nonce"] = json!("abcd"), &jwk),
        ),
        (
            "a signature algorithm",
            "badSignatureAlgorithm",
            flawed(|header| header["alg"] = json!("ES256"), &jwk),
        ),
        (
            "no algorithm",
            "badSignatureAlgorithm",
            flawed(|header| header["alg"] = json!("none"), &jwk),
        ),
        (
            "a jwk",
            "malformed",
            flawed(|header| header["jwk"] = Key::new("ES256").jwk(), &jwk),
        ),
        (
            "no kid",
            "malformed",
            flawed(
                |header| drop(header.as_object_mut().unwrap().remove("kid")),
                &jwk,
            ),
        ),
        ("no JWS", "malformed", json!("x")),
    ];
    for (what, expected, binding) in table {
        let refused = client.post("new-account", Some(with(binding))).await;
        assert_eq!(refused.problem(), expected, "{what}: {refused:?}");
    }

    let bind = async |client: &Client| {
        let jwk = client.key.jwk();
        let wish = with(binding(&kid, &secret, &url, &jwk));
        client.post("new-account", Some(wish)).await
    };
    let made = bind(&client).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.body["termsOfServiceAgreed"], true);
    assert_eq!(
        bind(&client).await.status,
        200,
        "the same account costs no use"
    );
    // One use is left, and three want it at once.
    let clients = ["ES256", "ES256", "EdDSA"].map(|name| Client::new(&house.acme, "bound", name));
    let (one, two, three) = tokio::join!(bind(&clients[0]), bind(&clients[1]), bind(&clients[2]));
    let mut statuses = [one.status, two.status, three.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 403, 403]);
    assert_eq!(house.events("acme.account.create").await.len(), 2);
}

async fn two_at_once_make_one_account(postgres: bool) {
    let house = House::new(postgres).await;
    let client = Client::new(&house.acme, "open", "ES256");
    let ask = || client.post("new-account", Some(json!({})));
    let answers = tokio::join!(ask(), ask(), ask(), ask());
    let answers = [answers.0, answers.1, answers.2, answers.3];
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 1, "{answers:?}");
    assert!(
        answers
            .iter()
            .all(|answer| answer.location == answers[0].location)
    );
    assert_eq!(house.events("acme.account.create").await.len(), 1);
}

/// A node that had the account at hand learns of the new key at once, of a deactivation from the log.
async fn another_node_sees_what_happened(postgres: bool) {
    let house = House::new(postgres).await;
    let mut client = Client::registered(&house.acme, "ES256").await;
    let mut there = Client::new(&house.another().await, "open", "ES256");
    there.kid = client.kid.clone();
    std::mem::swap(&mut there.key, &mut client.key);
    let path = there.account();
    assert_eq!(there.post(&path, None).await.status, 200);
    std::mem::swap(&mut there.key, &mut client.key);

    let new = Key::new("ES384");
    assert_eq!(change(&client, &new, |_, _| ()).await.status, 200);
    there.key = new;
    let shown = there.post(&path, None).await;
    assert_eq!(shown.status, 200, "{shown:?}");

    let gone = there
        .post(&path, Some(json!({ "status": "deactivated" })))
        .await;
    assert_eq!(gone.status, 200);
    std::mem::swap(&mut there.key, &mut client.key);
    for event in house.events("acme.account.deactivate").await {
        house.acme.observe(&event).await;
    }
    let refused = client.post(&path, None).await;
    assert_eq!(refused.status, 401, "{refused:?}");
}

/// RFC 8555 §7.1.1, §7.2 and what every answer carries (§6.5.1, §7.1).
#[tokio::test]
async fn the_directory_and_its_nonces_ask_for_no_signature() {
    let house = House::new(false).await;
    let client = Client::new(&house.acme, "bound", "ES256");
    let index = client.send(Method::GET, "directory", None, "").await;
    assert_eq!(index.status, 200);
    let url = |rest: &str| format!("{BASE}/acme/bound/{rest}");
    assert_eq!(
        index.body,
        json!({
            "newNonce": url("new-nonce"),
            "newAccount": url("new-account"),
            "newOrder": url("new-order"),
            "newAuthz": url("new-authz"),
            "revokeCert": url("revoke-cert"),
            "keyChange": url("key-change"),
            "renewalInfo": url("renewal-info"),
            "meta": {
                "termsOfService": "https://mercy.example/terms",
                "externalAccountRequired": true,
                "profiles": { "server-tls": "web servers" },
            },
        })
    );
    for (method, status) in [(Method::HEAD, 200), (Method::GET, 204)] {
        let fresh = client.send(method, "new-nonce", None, "").await;
        assert_eq!(
            (fresh.status, fresh.reply.cache_control),
            (status, Some("no-store"))
        );
        assert!(fresh.nonce.is_some());
        assert_eq!(
            fresh.links,
            [format!("<{}>;rel=\"index\"", url("directory"))]
        );
    }
    for (method, path, allow) in [
        (Method::POST, "new-nonce", "GET, HEAD"),
        (Method::POST, "directory", "GET, HEAD"),
        (Method::GET, "new-account", "POST"),
        (Method::PUT, "new-order", "POST"),
        (Method::GET, "order/abc", "POST"),
    ] {
        let refused = client.send(method, path, JOSE, "").await;
        assert_eq!(
            (refused.status, refused.reply.allow),
            (405, Some(allow)),
            "{path}"
        );
        assert_eq!(refused.problem(), "malformed");
    }
    for path in [
        "",
        "nothing",
        "account",
        "order/a/b",
        "directory/x",
        "certificate/ab/x",
    ] {
        let missing = client.send(Method::POST, path, JOSE, "").await;
        assert_eq!(missing.status, 404, "{path}");
    }
}
