//! Passkeys: what is taken, and WebAuthn Level 3 §7.1 and §7.2 one violated step at a time.

use access::Role;
use serde_json::json;

use crate::House;
use crate::authenticator::{Authenticator, UP, UV, encoded};

#[tokio::test(flavor = "multi_thread")]
async fn r37_a_passkey_signs_in_and_steps_up_each_time_under_another_cookie() {
    let house = House::start().await;
    let (mut browser, mut authenticator) = house.at_work("jo", &[Role::Admin]).await;
    let session = browser.get("/api/v1/session").await;
    assert_eq!(session.status, 200);
    assert_eq!(session.body["person"]["id"], "jo");
    assert_eq!(session.body["via"], "passkey");
    assert_eq!(session.body["grants"], json!([{ "role": "admin" }]));
    assert!(
        session.body["actions"]
            .as_array()
            .unwrap()
            .contains(&json!("manage-people"))
    );
    assert_eq!(session.header("cache-control"), Some("no-store"));
    let first = browser.cookie.clone().unwrap();
    let stepped = browser.step_up(&mut authenticator).await;
    assert_eq!(stepped.status, 200, "{stepped:?}");
    let second = browser.cookie.clone().unwrap();
    assert_ne!(first, second);
    assert_eq!(browser.get("/api/v1/session").await.status, 200);
    // R37: the value of before the step-up is worth nothing.
    browser.cookie = Some(first.clone());
    assert_eq!(browser.get("/api/v1/session").await.status, 401);
    // Another sign-in in the same browser takes nothing over from what is there (session fixation).
    browser.cookie = Some("A".repeat(43));
    assert_eq!(browser.sign_in(&mut authenticator).await.status, 200);
    let third = browser.cookie.clone().unwrap();
    assert!(third != second && third != "A".repeat(43));
    assert!(!house.log_mentions(&[&first, &second, &third]).await);
    let begun = house.events("session.begin").await;
    assert_eq!(begun.len(), 3, "a link and two passkeys: {begun:?}");
    assert_eq!(house.events("session.step-up").await.len(), 1);
    house.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_an_assertion_with_one_wrong_thing_is_none() {
    let house = House::start().await;
    let mut authenticator = house.enrolled("jo", &[Role::Auditor]).await;
    let mut browser = house.browser();
    type Break = fn(&mut Authenticator);
    let table: [(&str, Break, &str); 9] = [
        (
            "another origin",
            |a| a.origin = "https://ward.evil.example".into(),
            "passkey.origin",
        ),
        (
            "another port",
            |a| a.origin = "https://localhost:1".into(),
            "passkey.origin",
        ),
        (
            "another site",
            |a| a.rp_id = Some("evil.example".into()),
            "passkey.rp",
        ),
        (
            "no user verification",
            |a| a.flags = UP,
            "passkey.user-verification",
        ),
        (
            "nobody there",
            |a| a.flags = UV,
            "passkey.user-verification",
        ),
        (
            "another challenge",
            |a| a.challenge = Some(encoded(&[7; 32])),
            "passkey.challenge",
        ),
        (
            "a frame in another page",
            |a| a.cross_origin = true,
            "passkey.cross-origin",
        ),
        (
            "a registration",
            |a| a.kind = Some("webauthn.create"),
            "passkey.type",
        ),
        (
            "a counter going backwards",
            |a| a.counter = 1,
            "passkey.counter",
        ),
    ];
    assert_eq!(browser.sign_in(&mut authenticator).await.status, 200);
    for (what, spoil, rule) in table {
        let before = (authenticator.origin.clone(), authenticator.counter);
        spoil(&mut authenticator);
        let mut other = house.browser();
        let answer = other.sign_in(&mut authenticator).await;
        assert_eq!(
            (answer.status, answer.rule()),
            (403, rule),
            "{what}: {answer:?}"
        );
        assert!(other.cookie.is_none(), "{what}");
        (authenticator.origin, authenticator.counter) = before;
        authenticator.flags = UP | UV;
        authenticator.rp_id = None;
        authenticator.challenge = None;
        authenticator.cross_origin = false;
        authenticator.kind = None;
    }
    // Failures of a source do not keep out whoever has the right key.
    assert_eq!(browser.sign_in(&mut authenticator).await.status, 200);
    let refused = house.events("session.refuse").await;
    assert_eq!(refused.len(), 9);
    assert!(
        refused
            .iter()
            .all(|event| event["outcome"] == "refused" && event["actor"]["id"] == "unknown")
    );
    house.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_a_ceremony_is_finished_once_by_whoever_began_it() {
    let house = House::start().await;
    let (mut browser, mut authenticator) = house.at_work("jo", &[Role::Auditor]).await;
    let (mut other, mut others) = house.at_work("kim", &[Role::Auditor]).await;
    let finish = house
        .browser()
        .assertion("/api/v1/sign-in/passkey/start", &mut authenticator)
        .await;
    let mut fresh = house.browser();
    assert_eq!(
        fresh
            .post("/api/v1/sign-in/passkey/finish", &finish)
            .await
            .status,
        200
    );
    // The counter has the first word where there is one; the ceremony is claimed either way.
    let again = house
        .browser()
        .post("/api/v1/sign-in/passkey/finish", &finish)
        .await;
    assert!(
        again.status == 403 && ["sign-in.replay", "passkey.counter"].contains(&again.rule()),
        "{again:?}"
    );
    // A step-up's assertion is no sign-in, and of one session only.
    let stepping = browser
        .assertion("/api/v1/session/step-up/start", &mut authenticator)
        .await;
    let answer = house
        .browser()
        .post("/api/v1/sign-in/passkey/finish", &stepping)
        .await;
    assert_eq!((answer.status, answer.rule()), (403, "sign-in.ceremony"));
    let answer = other
        .post("/api/v1/session/step-up/finish", &stepping)
        .await;
    assert_eq!((answer.status, answer.rule()), (403, "sign-in.session"));
    // Somebody else's passkey does not step up this session.
    let started = browser
        .post("/api/v1/session/step-up/start", &json!({}))
        .await;
    let credential = others.get(&started.body["publicKey"]);
    let finish = json!({ "ceremony": started.body["ceremony"], "credential": credential });
    let answer = browser
        .post("/api/v1/session/step-up/finish", &finish)
        .await;
    assert_eq!((answer.status, answer.rule()), (403, "passkey.person"));
    for ceremony in ["", "a.b", "e30.AAAA"] {
        let forged = json!({ "ceremony": ceremony, "credential": finish["credential"] });
        let answer = house
            .browser()
            .post("/api/v1/sign-in/passkey/finish", &forged)
            .await;
        assert_eq!(
            (answer.status, answer.rule()),
            (403, "sign-in.ceremony"),
            "{ceremony}"
        );
    }
    house.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_passkeys_are_registered_by_their_person_and_end_with_a_removal() {
    let house = House::start().await;
    let (mut browser, mut authenticator) = house.at_work("jo", &[Role::Auditor]).await;
    // A registration for another site or without verification is none.
    for (flags, rp_id, rule) in [
        (UP, None, "passkey.user-verification"),
        (UP | UV, Some("evil.example"), "passkey.rp"),
    ] {
        let mut wrong = Authenticator::new(&house.origin);
        (wrong.flags, wrong.rp_id) = (flags, rp_id.map(str::to_owned));
        let answer = browser.register(&mut wrong).await;
        assert_eq!((answer.status, answer.rule()), (403, rule));
    }
    let mut second = Authenticator::new(&house.origin);
    assert_eq!(browser.register(&mut second).await.status, 201);
    // The same credential is nobody's new one.
    let mut thief = house.at_work("kim", &[Role::Auditor]).await.0;
    let handle = second.handle.clone();
    assert_eq!(thief.register(&mut second).await.status, 409);
    second.handle = handle;
    let listed = browser.get("/api/v1/session/passkeys").await;
    assert_eq!(listed.body.as_array().unwrap().len(), 2);
    let first = &listed.body[usize::from(listed.body[0]["used"].is_null())];
    let path = format!("/api/v1/session/passkeys/{}", first["id"].as_str().unwrap());
    assert_eq!(thief.delete(&path).await.status, 404);
    assert_eq!(browser.delete(&path).await.status, 204);
    let answer = house.browser().sign_in(&mut authenticator).await;
    assert_eq!((answer.status, answer.rule()), (403, "passkey.unknown"));
    assert_eq!(house.browser().sign_in(&mut second).await.status, 200);
    house.ward.stop().await;
}
