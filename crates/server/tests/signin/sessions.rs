//! Sessions: where they end, what they may not be used for, and what protects them.

use std::time::Duration;

use access::{Action, Grant, PersonState, Profile, Role};
use serde_json::json;

use crate::House;
use crate::support::permit;

#[tokio::test(flavor = "multi_thread")]
async fn r37_signed_out_is_out_wherever_the_cookie_is() {
    let house = House::start().await;
    let (mut browser, mut authenticator) = house.at_work("jo", &[Role::Auditor]).await;
    let stolen = browser.cookie.clone();
    let set = browser.delete("/api/v1/session").await;
    assert_eq!(set.status, 204);
    assert!(set.cookies()[0].contains("Max-Age=0"));
    assert!(browser.cookie.is_none());
    browser.cookie = stolen;
    let answer = browser.get("/api/v1/session").await;
    assert_eq!(answer.status, 401);
    assert!(answer.text.contains("ended"), "{answer:?}");
    for forged in ["", "x", &"A".repeat(43), &"A".repeat(4000)] {
        browser.cookie = Some(forged.to_owned());
        assert_eq!(browser.get("/api/v1/session").await.status, 401, "{forged}");
    }
    let ended = house.events("session.end").await;
    assert_eq!(ended.len(), 1);
    assert!(
        ended[0]["actor"]["id"]
            .as_str()
            .unwrap()
            .starts_with("jo/s")
    );
    assert!(!house.events("session.refuse").await.is_empty());
    // Everywhere at once.
    let (mut here, mut there) = (house.browser(), house.browser());
    here.sign_in(&mut authenticator).await;
    there.sign_in(&mut authenticator).await;
    let listed = here.get("/api/v1/sessions").await;
    let listed = listed.body.as_array().unwrap();
    let working = listed.iter().filter(|session| session["purpose"] == "work");
    assert_eq!(working.count(), 2, "{listed:?}");
    assert_eq!(
        here.delete("/api/v1/sessions").await.body["ended"],
        2,
        "and the link's"
    );
    assert_eq!(there.get("/api/v1/session").await.status, 401);
    assert_eq!(here.get("/api/v1/session").await.status, 200);
    house.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_sessions_end_idle_and_after_a_day_and_beyond_their_number() {
    let house = House::with(|config| {
        config.sign_in.sessions.idle_ms = 3_000;
        config.sign_in.sessions.absolute_ms = 8_000;
        config.sign_in.sessions.most = 2;
    })
    .await;
    let (mut first, mut authenticator) = house.at_work("jo", &[Role::Auditor]).await;
    let (mut second, mut third) = (house.browser(), house.browser());
    second.sign_in(&mut authenticator).await;
    third.sign_in(&mut authenticator).await;
    assert_eq!(
        first.get("/api/v1/session").await.status,
        401,
        "the oldest makes room"
    );
    // Used, it stays beyond its idle time; asked about in the background it does not; at its end it ends used or not.
    second.extra.push("X-Ward-Background: 1".to_owned());
    let begun = std::time::Instant::now();
    let (mut idle, mut absolute) = (None, None);
    while begun.elapsed() < Duration::from_secs(30) && absolute.is_none() {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let (one, other) = (
            second.get("/api/v1/session").await,
            third.get("/api/v1/session").await,
        );
        if one.status == 401 {
            idle.get_or_insert((begun.elapsed(), one.text));
        }
        if other.status == 401 {
            absolute.get_or_insert((begun.elapsed(), other.text));
        }
    }
    let (idle, absolute) = (idle.unwrap(), absolute.unwrap());
    assert!(
        idle.1.contains("idle") && idle.0 < absolute.0,
        "{idle:?} {absolute:?}"
    );
    assert!(
        absolute.1.contains("reached its end") && absolute.0 > Duration::from_secs(6),
        "{absolute:?}"
    );
    house.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_a_page_of_another_origin_changes_nothing() {
    let house = House::start().await;
    let (mut browser, _) = house.at_work("jo", &[Role::Admin]).await;
    let invite = json!({ "person": "jo" });
    let (csrf, origin) = (browser.csrf.clone(), browser.origin.clone());
    let evil = Some("https://evil.example".to_owned());
    let site = |value: &str| vec![format!("Sec-Fetch-Site: {value}")];
    let table = [
        ("no value", None, origin.clone(), vec![], "csrf.token"),
        (
            "another value",
            Some("A".repeat(43)),
            origin.clone(),
            vec![],
            "csrf.token",
        ),
        ("another origin", csrf.clone(), evil, vec![], "csrf.origin"),
        ("no origin", csrf.clone(), None, vec![], "csrf.origin"),
        (
            "null",
            csrf.clone(),
            Some("null".to_owned()),
            vec![],
            "csrf.origin",
        ),
        (
            "another site",
            csrf.clone(),
            origin.clone(),
            site("cross-site"),
            "csrf.site",
        ),
        (
            "a neighbour",
            csrf.clone(),
            origin.clone(),
            site("same-site"),
            "csrf.site",
        ),
    ];
    for (what, csrf, origin, extra, rule) in table {
        (browser.csrf, browser.origin, browser.extra) = (csrf, origin, extra);
        let answer = browser.post("/api/v1/invitations", &invite).await;
        assert_eq!(
            (answer.status, answer.rule()),
            (403, rule),
            "{what}: {answer:?}"
        );
    }
    (browser.csrf, browser.origin, browser.extra) = (csrf, origin, site("same-origin"));
    assert_eq!(
        browser.post("/api/v1/invitations", &invite).await.status,
        201
    );
    assert_eq!(house.events("api.refuse").await.len(), 7);
    // Nor does it sign its reader in as somebody else.
    let mut other = house.browser();
    other.origin = Some("https://evil.example".to_owned());
    assert_eq!(
        other
            .post("/api/v1/sign-in/passkey/start", &json!({}))
            .await
            .rule(),
        "csrf.origin"
    );
    // Two proofs of two people are none.
    let token = house
        .ward
        .token("ci", &[Role::Issuer], Default::default())
        .await;
    browser.extra = vec![format!("Authorization: Bearer {token}")];
    assert_eq!(browser.get("/api/v1/session").await.status, 400);
    assert_eq!(browser.get("/api/v1/certificates").await.status, 400);
    browser.extra.clear();
    let twice = format!(
        "{}; __Host-ward-session={}",
        browser.cookie.clone().unwrap(),
        "A".repeat(43)
    );
    browser.cookie = Some(twice);
    assert_eq!(browser.get("/api/v1/session").await.status, 400);
    house.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_what_is_taken_away_counts_at_the_next_request() {
    let house = House::start().await;
    let (mut browser, _) = house.at_work("jo", &[Role::Auditor]).await;
    assert_eq!(browser.get("/api/v1/audit/events").await.status, 200);
    let access = &house.ward.access;
    let may = permit(access, Action::ManagePeople);
    let person = access.person("jo").await.unwrap();
    let profile = Profile {
        name: person.name,
        email: person.email,
        grants: vec![Grant::everywhere(Role::ReadOnly)],
        groups: Vec::new(),
    };
    let now = server::wall_clock();
    access
        .change_person(&may, "jo", person.version, profile, now)
        .await
        .unwrap();
    assert_eq!(browser.get("/api/v1/audit/events").await.status, 403);
    assert_eq!(browser.get("/api/v1/certificates").await.status, 200);
    access
        .set_person_state(&may, "jo", PersonState::Suspended, "left the house", now)
        .await
        .unwrap();
    assert_eq!(browser.get("/api/v1/certificates").await.status, 401);
    house.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_high_risk_waits_for_a_step_up_and_the_cookie_is_bound() {
    let house = House::start().await;
    let (mut browser, mut authenticator) = house.at_work("jo", &[Role::Admin]).await;
    // As if the sign-in were of this morning.
    let codes = browser
        .post("/api/v1/session/recovery-codes", &json!({}))
        .await;
    let code = codes.body["codes"][0].as_str().unwrap().to_owned();
    let mut recovered = house.browser();
    let answer = recovered
        .post(
            "/api/v1/sign-in/recovery",
            &json!({ "person": "jo", "code": code }),
        )
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let cookie = answer.cookies()[0].to_owned();
    for attribute in [
        "__Host-ward-session=",
        "; Secure",
        "; HttpOnly",
        "; SameSite=Strict",
        "; Path=/",
    ] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    let token = json!({ "name": "ci", "roles": ["issuer"], "days": 1 });
    let answer = recovered.post("/api/v1/tokens", &token).await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.body["type"], "urn:ward:problem:step-up-required");
    assert_eq!(recovered.step_up(&mut authenticator).await.status, 200);
    assert_eq!(recovered.post("/api/v1/tokens", &token).await.status, 201);
    house.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r07_to_agree_to_what_is_high_risk_takes_a_step_up() {
    let house = House::start().await;
    let (mut asker, _) = house.at_work("jo", &[Role::Admin]).await;
    let (mut fresh, mut authenticator) = house.at_work("ben", &[Role::Approver]).await;
    for action in ["manage-people", "revoke-certificate", "manage-inventory"] {
        let policy = json!({"name": action, "action": action, "needed": 1, "hours": 24});
        let made = asker.post("/api/v1/approval-policies", &policy).await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    let (one, digest) = ("ab".repeat(32), "cd".repeat(32));
    let group = json!({"name": "nurses", "label": "Nurses"});
    let revoke = json!({"ids": [one], "reason": "superseded", "why": "INC-4711", "digest": digest});
    let tag = json!({"ids": [one], "tags": ["ward-3"], "digest": digest});
    let mut approve = Vec::new();
    for (path, body) in [
        ("/api/v1/groups", group),
        ("/api/v1/bulk/revoke", revoke),
        ("/api/v1/bulk/tag", tag),
    ] {
        let held = asker.post(path, &body).await;
        assert_eq!(held.status, 202, "{held:?}");
        approve.push(format!("{}/approve", held.body["url"].as_str().unwrap()));
    }
    // As if the sign-in were of this morning.
    let codes = fresh
        .post("/api/v1/session/recovery-codes", &json!({}))
        .await;
    let mut approver = house.browser();
    let back = json!({ "person": "ben", "code": codes.body["codes"][0] });
    let back = approver.post("/api/v1/sign-in/recovery", &back).await;
    assert_eq!(back.status, 200, "{back:?}");

    for high in &approve[..2] {
        let answer = approver.post(high, &json!({})).await;
        assert_eq!(answer.status, 403, "{answer:?}");
        assert_eq!(answer.body["type"], "urn:ward:problem:step-up-required");
        let url = high.trim_end_matches("/approve");
        assert_eq!(approver.get(url).await.body["state"], "pending");
    }
    assert_eq!(approver.post(&approve[2], &json!({})).await.status, 200);
    assert_eq!(approver.step_up(&mut authenticator).await.status, 200);
    for high in &approve[..2] {
        let answer = approver.post(high, &json!({})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    house.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_answers_tell_browsers_to_be_strict() {
    let house = House::start().await;
    let mut browser = house.browser();
    let page = browser.get("/").await;
    for (name, part) in [
        ("content-security-policy", "frame-ancestors 'none'"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("permissions-policy", "geolocation=()"),
    ] {
        assert!(
            page.header(name).is_some_and(|value| value.contains(part)),
            "{name}: {page:?}"
        );
    }
    let policy = page.header("content-security-policy").unwrap();
    let script = policy
        .split(';')
        .find(|part| part.trim().starts_with("script-src"));
    assert!(
        script.is_none_or(|script| !script.contains("unsafe")),
        "{policy}"
    );
    let data = browser.get("/api/v1/sign-in").await;
    assert_eq!(data.header("x-content-type-options"), Some("nosniff"));
    assert!(
        data.header("content-security-policy")
            .unwrap()
            .contains("default-src 'none'")
    );
    house.ward.stop().await;
}
