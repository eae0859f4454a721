//! New orders: which are accepted, which are refused and how, what they look like, who sees them.

use access::{NamePattern, Scope};
use enroll::acme::{Directory, Offer};
use serde_json::{Value, json};

use crate::client::{csr, general};
use crate::support::{DAY, House, door, on_both};

on_both!(
    rfc8555_7_4_from_names_to_a_certificate,
    every_kind_of_name_in_one_order,
    refused_names_are_named_one_by_one,
    r09_directory_account_and_profile_limit_the_names,
    r09_profiles_are_chosen_by_name,
    dates_within_the_profile,
    r09_preauthorised_names_need_no_challenge,
    rfc8555_7_4_1_proof_ahead_of_an_order,
    proofs_are_reused_where_the_directory_says_so,
    rfc9773_5_one_order_replaces_a_certificate,
    orders_are_listed_in_pages,
    nobody_sees_the_orders_of_others,
    an_order_expires,
);

async fn rfc8555_7_4_from_names_to_a_certificate(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let order = client.new_order(&["PACS.example.org"]).await.ok(201);
    assert_eq!(order.text("status"), "pending");
    assert_eq!(
        order.json["identifiers"],
        json!([{ "type": "dns", "value": "pacs.example.org" }])
    );
    assert_eq!(order.text("expires"), "2026-11-29T12:00:00Z");
    assert_eq!(order.text("profile"), "server-tls");
    assert_eq!(
        order.text("finalize"),
        format!("{}/finalize", order.location())
    );
    let url = order.json["authorizations"][0].as_str().unwrap();
    let authorization = client.get(url).await.ok(200);
    assert_eq!(authorization.text("status"), "pending");
    assert_eq!(
        authorization.json["identifier"],
        json!({ "type": "dns", "value": "pacs.example.org" })
    );
    assert!(authorization.json.get("wildcard").is_none());
    let kinds: Vec<&str> = authorization.json["challenges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|challenge| challenge["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["http-01", "dns-01", "tls-alpn-01", "dns-account-01"]
    );
    assert_eq!(authorization.reply.retry_after, Some(1));
    // Not ready: RFC 8555 §7.4.
    let early = client
        .finalize(&order.location(), &csr(&["pacs.example.org"]))
        .await;
    assert_eq!((early.status, early.error()), (403, "orderNotReady"));
    let challenge = client.answer(&authorization).await.ok(200);
    assert_eq!(challenge.text("status"), "valid");
    assert_eq!(challenge.text("validated"), "2026-11-22T12:00:00Z");
    assert_eq!(challenge.link("up").as_deref(), Some(url));
    let asked = house.world.asked();
    let token = challenge.text("token");
    assert_eq!(asked[0].token, token);
    assert_eq!(
        asked[0].key_authorization,
        format!("{token}.{}", client.thumbprint())
    );
    assert_eq!(asked[0].account_url, client.kid());
    let proven = client.get(url).await.ok(200);
    assert_eq!(proven.text("status"), "valid");
    assert_eq!(proven.text("expires"), "2026-12-22T12:00:00Z");
    assert_eq!(proven.json["challenges"].as_array().unwrap().len(), 1);
    let ready = client.get(&order.location()).await.ok(200);
    assert_eq!(ready.text("status"), "ready");
    let done = client
        .finalize(&order.location(), &csr(&["pacs.example.org"]))
        .await
        .ok(200);
    assert_eq!(done.text("status"), "valid");
    assert_eq!(done.location(), order.location());
    let leaf = client.leaf(&done.text("certificate")).await;
    let names: x509::ext::SubjectAltName = leaf.ext().unwrap().unwrap();
    assert_eq!(names.0, [general("pacs.example.org")]);
    // What happened, happened in the log.
    let issued = house.events("certificate.issue").await.pop().unwrap();
    let evidence = issued.after.unwrap()["evidence"].clone();
    assert_eq!(evidence[0]["text"], client.account());
    assert_eq!(evidence[2]["kind"], "acme-http-01");
    let actor = format!("acme-{}", client.account());
    for action in ["acme.order.create", "acme.authorization.valid"] {
        let event = house.events(action).await.pop().unwrap();
        assert_eq!(event.actor.id, actor, "{action}");
    }
    house.check().await;
}

async fn every_kind_of_name_in_one_order(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let names = [
        "a.example.org",
        "*.icu.example.org",
        "icu.example.org",
        "10.20.0.9",
        "2001:db8::9",
    ];
    let order = client.new_order(&names).await.ok(201);
    let mut kinds = Vec::new();
    for url in order.json["authorizations"].as_array().unwrap() {
        let authorization = client.get(url.as_str().unwrap()).await.ok(200);
        let offered: Vec<Value> = authorization.json["challenges"]
            .as_array()
            .unwrap()
            .iter()
            .map(|challenge| challenge["type"].clone())
            .collect();
        kinds.push((
            authorization.json["identifier"]["value"]
                .as_str()
                .unwrap()
                .to_owned(),
            authorization.json["wildcard"] == json!(true),
            json!(offered).to_string(),
        ));
    }
    let all = r#"["http-01","dns-01","tls-alpn-01","dns-account-01"]"#;
    let dns = r#"["dns-01","dns-account-01"]"#;
    let direct = r#"["http-01","tls-alpn-01"]"#;
    let expected = [
        ("a.example.org", false, all),
        ("icu.example.org", true, dns),
        ("icu.example.org", false, all),
        ("10.20.0.9", false, direct),
        ("2001:db8::9", false, direct),
    ];
    for (found, expected) in kinds.iter().zip(expected) {
        assert_eq!((found.0.as_str(), found.1, found.2.as_str()), expected);
    }
    client.prove(&order).await;
    let done = client
        .finalize(&order.location(), &csr(&names))
        .await
        .ok(200);
    let leaf = client.leaf(&done.text("certificate")).await;
    let certified: x509::ext::SubjectAltName = leaf.ext().unwrap().unwrap();
    assert_eq!(certified.0, names.map(general));
}

async fn refused_names_are_named_one_by_one(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let many: Vec<String> = (0..101).map(|i| format!("h{i}.example.org")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let table: [(&[&str], &str, usize); 7] = [
        (&[], "malformed", 0),
        (&many, "malformed", 0),
        (&["a_b.example.org"], "malformed", 1),
        (&["a.example.org."], "malformed", 1),
        (
            &["a.example.org", "xn--80ak6aa92e.com"],
            "rejectedIdentifier",
            1,
        ),
        (&["*.org", "xn--pple-43d.com"], "rejectedIdentifier", 2),
        (&["*.org", "a..b"], "compound", 2),
    ];
    for (names, error, problems) in table {
        let answer = client.new_order(names).await;
        assert_eq!(answer.error(), error, "{names:?}: {}", answer.json);
        let found = answer.json["subproblems"].as_array().map_or(0, Vec::len);
        assert_eq!(found, problems, "{names:?}");
    }
    let table = [
        json!({}),
        json!({ "identifiers": "a.example.org" }),
        json!({ "identifiers": [{ "type": "dns" }] }),
        json!({ "identifiers": [{ "type": "dns", "value": 7 }] }),
        json!([]),
    ];
    for payload in table {
        let answer = client
            .post(&client.url("new-order"), Some(payload.clone()))
            .await;
        assert_eq!(
            (answer.status, answer.error()),
            (400, "malformed"),
            "{payload}"
        );
    }
    let other = json!({ "identifiers": [{ "type": "permanent-identifier", "value": "x" }] });
    let answer = client.post(&client.url("new-order"), Some(other)).await;
    assert_eq!(answer.error(), "unsupportedIdentifier");
    assert_eq!(house.count("SELECT id FROM acme_orders").await, 0);
    // The twin: a hundred names are accepted.
    client.new_order(&many[1..]).await.ok(201);
}

async fn r09_directory_account_and_profile_limit_the_names(postgres: bool) {
    let house = House::new(postgres).await;
    house
        .put(Directory {
            names: vec![NamePattern::parse(".icu.example.org").unwrap()],
            wildcards: false,
            ..door("icu")
        })
        .await;
    let client = house.client_of("icu").await;
    let names = [
        "a.icu.example.org",
        "b.example.org",
        "*.x.icu.example.org",
        "10.0.0.1",
    ];
    let answer = client.new_order(&names).await;
    assert_eq!((answer.status, answer.error()), (403, "rejectedIdentifier"));
    let problems = answer.json["subproblems"].as_array().unwrap();
    let whose: Vec<&str> = problems
        .iter()
        .map(|problem| problem["identifier"]["value"].as_str().unwrap())
        .collect();
    assert_eq!(whose, &names[1..]);
    let refused = house.events("acme.order.create").await.pop().unwrap();
    assert_eq!(refused.outcome, audit::Outcome::Refused);
    client.new_order(&["a.icu.example.org"]).await.ok(201);
    // The account's own scope.
    let scope = Scope {
        names: vec![NamePattern::parse("*.lab.example.org").unwrap()],
        ..Scope::default()
    };
    let bound = house.bound("open", scope, false).await;
    let answer = bound.new_order(&["a.example.org"]).await;
    assert_eq!(answer.error(), "rejectedIdentifier");
    bound.new_order(&["a.lab.example.org"]).await.ok(201);
    // More addresses than the profile holds.
    let many: Vec<String> = (0..21).map(|i| format!("10.0.0.{i}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let open = house.client().await;
    assert_eq!(open.new_order(&many).await.error(), "rejectedIdentifier");
    open.new_order(&many[1..]).await.ok(201);
}

async fn r09_profiles_are_chosen_by_name(postgres: bool) {
    let house = House::new(postgres).await;
    let offers = ["server-tls", "api-tls"].map(|profile| Offer {
        profile: profile.to_owned(),
        description: String::new(),
    });
    house
        .put(Directory {
            profiles: offers.to_vec(),
            ..door("two")
        })
        .await;
    let client = house.client_of("two").await;
    let profile = |name: &str| json!({ "profile": name });
    let names = ["a.example.org"];
    assert_eq!(client.new_order(&names).await.text("profile"), "server-tls");
    let chosen = client
        .new_order_with(&names, profile("api-tls"))
        .await
        .ok(201);
    assert_eq!(chosen.text("profile"), "api-tls");
    let unknown = client.new_order_with(&names, profile("dicom-node")).await;
    assert_eq!((unknown.status, unknown.error()), (400, "invalidProfile"));
    // An account that may use the second only gets it without asking.
    let scope = Scope {
        profiles: vec!["api-*".to_owned()],
        ..Scope::default()
    };
    let bound = house.bound("two", scope, false).await;
    assert_eq!(
        bound.new_order(&names).await.ok(201).text("profile"),
        "api-tls"
    );
    let foreign = bound.new_order_with(&names, profile("server-tls")).await;
    assert_eq!(foreign.error(), "invalidProfile");
}

async fn dates_within_the_profile(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let names = ["a.example.org"];
    let dates = |begin: Option<&str>, end: Option<&str>| {
        let mut more = json!({});
        if let Some(begin) = begin {
            more["notBefore"] = json!(begin);
        }
        if let Some(end) = end {
            more["notAfter"] = json!(end);
        }
        more
    };
    let refused = [
        (Some("tomorrow"), None),
        (None, Some("2026-13-01T00:00:00Z")),
        (Some("2026-11-01T00:00:00Z"), None),
        (Some("2027-11-01T00:00:00Z"), None),
        (None, Some("2026-11-22T11:00:00Z")),
        (None, Some("2036-11-22T11:00:00Z")),
        (Some("2026-12-01T00:00:00Z"), Some("2026-11-30T00:00:00Z")),
    ];
    for (begin, end) in refused {
        let answer = client.new_order_with(&names, dates(begin, end)).await;
        assert_eq!(answer.error(), "malformed", "{begin:?} {end:?}");
    }
    let accepted = [
        (
            None,
            Some("2026-12-24T18:00:00Z"),
            None,
            Some("2026-12-24T18:00:00Z"),
        ),
        (
            None,
            Some("2026-12-24T18:00:00+01:00"),
            None,
            Some("2026-12-24T17:00:00Z"),
        ),
        (
            None,
            Some("2027-12-25T11:59:58.5Z"),
            None,
            Some("2027-12-25T11:59:58Z"),
        ),
        (
            Some("2026-11-22T12:00:00Z"),
            None,
            Some("2026-11-22T12:00:00Z"),
            None,
        ),
        (
            Some("2026-12-01T00:00:00Z"),
            Some("2026-12-02T00:00:00Z"),
            Some("2026-12-01T00:00:00Z"),
            Some("2026-12-02T00:00:00Z"),
        ),
    ];
    for (begin, end, not_before, not_after) in accepted {
        let order = client
            .new_order_with(&names, dates(begin, end))
            .await
            .ok(201);
        assert_eq!(order.json["notBefore"].as_str(), not_before);
        assert_eq!(order.json["notAfter"].as_str(), not_after);
        client.prove(&order).await;
        house.pass(2000);
        let done = client
            .finalize(&order.location(), &csr(&names))
            .await
            .ok(200);
        let leaf = client.leaf(&done.text("certificate")).await;
        if let Some(end) = not_after {
            assert_eq!(leaf.not_after().to_string(), end);
        }
        if not_after == Some("2026-12-24T18:00:00Z") {
            let backdated = house.now().0 / 1000 - leaf.not_before().0;
            assert_eq!(backdated, 300, "clocks that are slow accept it at once");
        }
        if let Some("2026-12-01T00:00:00Z") = not_before {
            assert_eq!(leaf.not_before().to_string(), "2026-12-01T00:00:00Z");
        }
    }
}

async fn r09_preauthorised_names_need_no_challenge(postgres: bool) {
    let house = House::new(postgres).await;
    let scope = Scope {
        names: vec![
            NamePattern::parse(".pumps.example.org").unwrap(),
            NamePattern::parse("10.20.0.0/16").unwrap(),
        ],
        ..Scope::default()
    };
    let client = house.bound("open", scope.clone(), true).await;
    let names = ["p1.pumps.example.org", "10.20.0.9"];
    let order = client.new_order(&names).await.ok(201);
    assert_eq!(order.text("status"), "ready");
    let url = order.json["authorizations"][0].as_str().unwrap();
    let authorization = client.get(url).await.ok(200);
    assert_eq!(authorization.text("status"), "valid");
    assert_eq!(authorization.json["challenges"], json!([]));
    let event = house
        .events("acme.authorization.valid")
        .await
        .pop()
        .unwrap();
    let after = event.after.unwrap();
    assert!(
        after["origin"]
            .as_str()
            .unwrap()
            .starts_with("preauthorised:")
    );
    assert_eq!(
        after["names"],
        json!(["dns:p1.pumps.example.org", "ip:10.20.0.9"])
    );
    client
        .finalize(&order.location(), &csr(&names))
        .await
        .ok(200);
    let issued = house.events("certificate.issue").await.pop().unwrap();
    let evidence = issued.after.unwrap()["evidence"].to_string();
    assert!(evidence.contains("acme-preauthorised:"), "{evidence}");
    assert!(house.world.asked().is_empty());
    // Beyond the scope nothing is given, and a scope alone gives nothing.
    assert_eq!(
        client.new_order(&["x.example.org"]).await.error(),
        "rejectedIdentifier"
    );
    let bound = house.bound("open", scope, false).await;
    let order = bound.new_order(&["p1.pumps.example.org"]).await.ok(201);
    assert_eq!(order.text("status"), "pending");
}

async fn rfc8555_7_4_1_proof_ahead_of_an_order(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let ahead = |value: &str| json!({ "identifier": { "type": "dns", "value": value } });
    let url = client.url("new-authz");
    let made = client
        .post(&url, Some(ahead("a.example.org")))
        .await
        .ok(201);
    assert_eq!(made.text("status"), "pending");
    let location = made.location();
    // Before it is proven it serves nothing.
    assert_eq!(
        client.new_order(&["a.example.org"]).await.text("status"),
        "pending"
    );
    client.answer(&made).await.ok(200);
    assert_eq!(client.get(&location).await.text("status"), "valid");
    let order = client.new_order(&["a.example.org"]).await.ok(201);
    assert_eq!(order.text("status"), "ready");
    client
        .finalize(&order.location(), &csr(&["a.example.org"]))
        .await
        .ok(200);
    // Not another name, not a wildcard, not another account, not for ever.
    let mixed = client.new_order(&["a.example.org", "b.example.org"]).await;
    assert_eq!(mixed.text("status"), "pending");
    assert_eq!(
        client.new_order(&["*.a.example.org"]).await.text("status"),
        "pending"
    );
    let other = house.client().await;
    assert_eq!(
        other.new_order(&["a.example.org"]).await.text("status"),
        "pending"
    );
    let foreign = other.get(&location).await;
    assert_eq!((foreign.status, foreign.error()), (403, "unauthorized"));
    house.pass(31 * DAY);
    assert_eq!(client.get(&location).await.text("status"), "expired");
    assert_eq!(
        client.new_order(&["a.example.org"]).await.text("status"),
        "pending"
    );
    for (value, error) in [
        ("*.example.org", "malformed"),
        ("a_b", "malformed"),
        ("xn--80ak6aa92e.com", "rejectedIdentifier"),
    ] {
        let answer = client.post(&url, Some(ahead(value))).await;
        assert_eq!(answer.error(), error, "{value}");
    }
}

async fn proofs_are_reused_where_the_directory_says_so(postgres: bool) {
    let house = House::new(postgres).await;
    house
        .put(Directory {
            reuse: 3600,
            ..door("lenient")
        })
        .await;
    for (directory, second) in [("open", "pending"), ("lenient", "ready")] {
        let client = house.client_of(directory).await;
        client.certify(&["a.example.org"]).await;
        let again = client.new_order(&["a.example.org"]).await.ok(201);
        assert_eq!(again.text("status"), second, "{directory}");
    }
    let client = house.client_of("lenient").await;
    client.certify(&["a.example.org"]).await;
    // A reused proof does not become younger by being reused.
    house.pass(1_800_000);
    assert_eq!(
        client.new_order(&["a.example.org"]).await.text("status"),
        "ready"
    );
    house.pass(1_801_000);
    assert_eq!(
        client.new_order(&["a.example.org"]).await.text("status"),
        "pending"
    );
}

async fn rfc9773_5_one_order_replaces_a_certificate(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let url = client.certify(&["a.example.org", "b.example.org"]).await;
    let leaf = client.leaf(&url).await;
    let key_id: x509::ext::AuthorityKeyId = leaf.ext().unwrap().unwrap();
    let id = format!(
        "{}.{}",
        crate::client::b64(key_id.key_id.unwrap()),
        crate::client::b64(leaf.serial())
    );
    let replaces = |id: &str| json!({ "replaces": id });
    let table = [
        ("nonsense", "malformed"),
        ("AAAA.AAAA", "malformed"),
        (&format!("{id}="), "malformed"),
    ];
    for (id, error) in table {
        let answer = client
            .new_order_with(&["a.example.org"], replaces(id))
            .await;
        assert_eq!(answer.error(), error, "{id}");
    }
    let stranger = house.client().await;
    let answer = stranger
        .new_order_with(&["a.example.org"], replaces(&id))
        .await;
    assert_eq!((answer.status, answer.error()), (403, "unauthorized"));
    let unrelated = client
        .new_order_with(&["c.example.org"], replaces(&id))
        .await;
    assert_eq!(unrelated.error(), "malformed");
    // The first order that came to nothing is not in the way.
    let failing = client
        .new_order_with(&["a.example.org"], replaces(&id))
        .await
        .ok(201);
    let authorization = failing.json["authorizations"][0].as_str().unwrap();
    client
        .post(authorization, Some(json!({ "status": "deactivated" })))
        .await
        .ok(200);
    assert_eq!(
        client.get(&failing.location()).await.text("status"),
        "invalid"
    );
    let order = client
        .new_order_with(&["a.example.org"], replaces(&id))
        .await
        .ok(201);
    assert_eq!(order.text("replaces"), id);
    let second = client
        .new_order_with(&["a.example.org"], replaces(&id))
        .await;
    assert_eq!((second.status, second.error()), (409, "alreadyReplaced"));
    // Nor is one that has expired.
    house.pass(8 * DAY);
    let order = client
        .new_order_with(&["a.example.org"], replaces(&id))
        .await
        .ok(201);
    client.prove(&order).await;
    client
        .finalize(&order.location(), &csr(&["a.example.org"]))
        .await
        .ok(200);
    house.pass(60 * DAY);
    let third = client
        .new_order_with(&["a.example.org"], replaces(&id))
        .await;
    assert_eq!(third.error(), "alreadyReplaced");
}

async fn orders_are_listed_in_pages(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let list = format!("{}/orders", client.kid());
    let empty = client.get(&list).await.ok(200);
    assert_eq!(empty.json, json!({ "orders": [] }));
    let mut made = Vec::new();
    for i in 0..205 {
        house.pass(1);
        made.push(
            client
                .new_order(&[&format!("h{i}.example.org")])
                .await
                .ok(201)
                .location(),
        );
    }
    made.reverse();
    // One that came to nothing is left out.
    let order = client.get(&made[3]).await;
    let authorization = order.json["authorizations"][0].as_str().unwrap().to_owned();
    client
        .post(&authorization, Some(json!({ "status": "deactivated" })))
        .await
        .ok(200);
    made.remove(3);
    let (mut found, mut next, mut pages) = (Vec::new(), Some(list.clone()), 0);
    while let Some(url) = next {
        let page = client.get(&url).await.ok(200);
        found.extend(
            page.json["orders"]
                .as_array()
                .unwrap()
                .iter()
                .map(|url| url.as_str().unwrap().to_owned()),
        );
        next = page.link("next");
        pages += 1;
    }
    assert_eq!((pages, found), (3, made));
    for query in ["cursor=", "cursor=zz", "page=2", "cursor=0' OR 1"] {
        let answer = client.get(&format!("{list}?{query}")).await;
        assert_eq!(answer.error(), "malformed", "{query}");
    }
    let other = house.client().await;
    assert_eq!(other.get(&list).await.error(), "unauthorized");
}

async fn nobody_sees_the_orders_of_others(postgres: bool) {
    let house = House::new(postgres).await;
    house.put(door("second")).await;
    let (client, other) = (house.client().await, house.client().await);
    let order = client.new_order(&["a.example.org"]).await.ok(201);
    let authorization = order.json["authorizations"][0].as_str().unwrap().to_owned();
    let challenge = client.get(&authorization).await.json["challenges"][0]["url"]
        .as_str()
        .unwrap()
        .to_owned();
    for url in [order.location(), authorization.clone(), challenge.clone()] {
        let answer = other.get(&url).await;
        assert_eq!(
            (answer.status, answer.error()),
            (403, "unauthorized"),
            "{url}"
        );
        assert_eq!(client.get(&url).await.status, 200);
    }
    let answer = other.post(&challenge, Some(json!({}))).await;
    assert_eq!(answer.error(), "unauthorized");
    let answer = other
        .post(&authorization, Some(json!({ "status": "deactivated" })))
        .await;
    assert_eq!(answer.error(), "unauthorized");
    let answer = other
        .finalize(&order.location(), &csr(&["a.example.org"]))
        .await;
    assert_eq!(answer.error(), "unauthorized");
    // Through another directory it is not there.
    let elsewhere = house.client_of("second").await;
    let url = order.location().replace("/open/", "/second/");
    assert_eq!(elsewhere.get(&url).await.status, 404);
    for path in [
        "order/0",
        "order/'",
        "authz/0-0",
        "authz/x",
        "challenge/x/http-01",
        "certificate/00",
    ] {
        let answer = client.get(&client.url(path)).await;
        assert_eq!(
            (answer.status, answer.error()),
            (404, "malformed"),
            "{path}"
        );
    }
}

async fn an_order_expires(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let pending = client.new_order(&["a.example.org"]).await.ok(201);
    let ready = client.ready(&["b.example.org"]).await;
    let authorization = pending.json["authorizations"][0].as_str().unwrap();
    let challenge = client.get(authorization).await;
    house.pass(7 * DAY);
    assert_eq!(
        client.get(&pending.location()).await.text("status"),
        "invalid"
    );
    assert_eq!(client.get(&ready).await.text("status"), "invalid");
    assert_eq!(client.get(authorization).await.text("status"), "invalid");
    assert_eq!(client.answer(&challenge).await.error(), "malformed");
    let late = client.finalize(&ready, &csr(&["b.example.org"])).await;
    assert_eq!((late.status, late.error()), (403, "orderNotReady"));
    assert_eq!(house.certificates().await, 0);
}
