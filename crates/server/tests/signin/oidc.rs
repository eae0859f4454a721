//! OpenID Connect: what is taken, OpenID Connect Core 1.0 §3.1.3.7 one violated step at a time, and who is let in.

use access::{Action, Grant, Group, Link, Role};
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};
use server::config::{Config, Oidc};
use store::{Write, params};

use crate::House;
use crate::authenticator::{Authenticator, encoded};
use crate::browser::{Answer, Browser};
use crate::provider::Provider;
use crate::support::permit;

fn configured(config: &mut Config, provider: &Provider, by_email: bool, groups: bool) {
    config.sign_in.oidc = vec![Oidc {
        name: "idp".to_owned(),
        label: "Mercy Hospital".to_owned(),
        issuer: provider.issuer.clone(),
        client_id: "ward".to_owned(),
        client_secret_file: None,
        scopes: vec!["openid".to_owned()],
        groups_claim: groups.then(|| "groups".to_owned()),
        links_by_email: by_email,
    }];
}

async fn house(provider: &Provider, by_email: bool, groups: bool) -> House {
    House::with(|config| configured(config, provider, by_email, groups)).await
}

/// Query fields of where the browser is sent.
async fn begun(browser: &mut Browser<'_>, next: &str) -> Vec<(String, String)> {
    let answer = browser
        .get(&format!("/auth/oidc/idp/start?next={next}"))
        .await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let cookie = answer.cookies()[0].to_owned();
    assert!(
        cookie.contains("SameSite=Lax") && cookie.contains("HttpOnly") && cookie.contains("Secure"),
        "{cookie}"
    );
    let url = answer.header("location").unwrap().to_owned();
    let (_, query) = url.split_once('?').unwrap();
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn of(fields: &[(String, String)], name: &str) -> String {
    fields
        .iter()
        .find(|(found, _)| found == name)
        .unwrap()
        .1
        .clone()
}

/// A whole sign-in, in which the provider says what `spoil` makes of a good token.
async fn signed_in(
    browser: &mut Browser<'_>,
    provider: &Provider,
    spoil: impl FnOnce(&mut Value),
) -> Answer {
    let fields = begun(browser, "/inventory").await;
    let mut claims = provider.claims(&of(&fields, "nonce"));
    spoil(&mut claims);
    provider.says(&claims);
    callback(browser, &of(&fields, "state")).await
}

async fn callback(browser: &mut Browser<'_>, state: &str) -> Answer {
    browser
        .get(&format!("/auth/oidc/idp/callback?code=c0de&state={state}"))
        .await
}

async fn link(house: &House, person: &str) {
    let access = &house.ward.access;
    let may = permit(access, Action::ManagePeople);
    let link = Link {
        provider: "idp".to_owned(),
        subject: "subject-1".to_owned(),
    };
    access
        .link_person(&may, person, link, server::wall_clock())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_a_linked_person_comes_in_with_pkce_state_and_nonce() {
    let provider = Provider::start().await;
    let house = house(&provider, false, false).await;
    house.person("jo", &[Role::Security]).await;
    link(&house, "jo").await;
    let mut browser = house.browser();
    let fields = begun(&mut browser, "/inventory").await;
    assert_eq!(of(&fields, "response_type"), "code");
    assert_eq!(of(&fields, "code_challenge_method"), "S256");
    provider.says(&provider.claims(&of(&fields, "nonce")));
    let flow = browser.oidc_cookie.clone();
    let answer = callback(&mut browser, &of(&fields, "state")).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some("/inventory")),
        "{answer:?}"
    );
    assert!(browser.oidc_cookie.is_none());
    let session = browser.get("/api/v1/session").await;
    assert_eq!(
        (&session.body["person"]["id"], &session.body["via"]),
        (&json!("jo"), &json!("oidc:idp"))
    );
    assert_eq!(session.body["stepped_up_until"], Value::Null);
    // RFC 7636 §4.6: the verifier that came is what the challenge was made of.
    let asked = provider.asked();
    let verifier = asked[0]
        .split('&')
        .find_map(|pair| pair.strip_prefix("code_verifier="))
        .unwrap();
    assert_eq!(
        encoded(digest(&SHA256, verifier.as_bytes()).as_ref()),
        of(&fields, "code_challenge")
    );
    // The same answer a second time, with the cookie that was kept.
    let mut replayed = house.browser();
    replayed.oidc_cookie = flow;
    let answer = callback(&mut replayed, &of(&fields, "state")).await;
    assert_eq!(answer.status, 403);
    assert!(answer.text.contains("sign-in.replay"), "{answer:?}");
    assert!(answer.header("content-security-policy").is_some());
    // In another browser, and with another state.
    let fields = begun(&mut browser, "/").await;
    assert!(
        callback(&mut house.browser(), &of(&fields, "state"))
            .await
            .text
            .contains("oidc.state")
    );
    assert!(
        callback(&mut browser, "other")
            .await
            .text
            .contains("oidc.state")
    );
    // A page elsewhere is not gone to.
    let fields = begun(&mut browser, "//evil.example").await;
    provider.says(&provider.claims(&of(&fields, "nonce")));
    assert_eq!(
        callback(&mut browser, &of(&fields, "state"))
            .await
            .header("location"),
        Some("/")
    );
    house.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_a_token_with_one_wrong_thing_is_none() {
    let provider = Provider::start().await;
    let house = house(&provider, false, false).await;
    house.person("jo", &[Role::Security]).await;
    link(&house, "jo").await;
    let now = server::wall_clock().seconds();
    let table = [
        ("iss", json!("https://evil.example"), "oidc.issuer"),
        ("aud", json!("another-client"), "oidc.audience"),
        ("azp", json!("another-client"), "oidc.authorized-party"),
        ("nonce", json!("AAAA"), "oidc.nonce"),
        ("exp", json!(now - 70), "oidc.time"),
        ("iat", json!(now + 90), "oidc.time"),
        ("nbf", json!(now + 90), "oidc.time"),
        ("sub", Value::Null, "oidc.subject"),
        ("sub", json!("subject-2"), "sign-in.unknown"),
    ];
    for (claim, value, rule) in table {
        let mut browser = house.browser();
        let answer = signed_in(&mut browser, &provider, |claims| {
            claims[claim] = value.clone()
        })
        .await;
        assert_eq!(answer.status, 403, "{claim} = {value}: {answer:?}");
        assert!(answer.text.contains(rule), "{claim} = {value}: {answer:?}");
        assert!(browser.cookie.is_none());
    }
    for (header, rule) in [
        (json!({ "alg": "none" }), "oidc.algorithm"),
        (json!({ "alg": "HS256", "kid": "k1" }), "oidc.algorithm"),
        (json!({ "alg": "RS256", "kid": "k1" }), "oidc.key"),
        (json!({ "alg": "ES256", "kid": "k2" }), "oidc.key"),
    ] {
        let mut browser = house.browser();
        let fields = begun(&mut browser, "/").await;
        provider.says_with(&header, &provider.claims(&of(&fields, "nonce")));
        let answer = callback(&mut browser, &of(&fields, "state")).await;
        assert!(
            answer.status == 403 && answer.text.contains(rule),
            "{header}: {answer:?}"
        );
    }
    // Keys are not fetched again for each token with an unknown one.
    assert_eq!(provider.fetched(), 1);
    // Clocks within a minute of each other.
    let mut browser = house.browser();
    let answer = signed_in(&mut browser, &provider, |claims| {
        claims["exp"] = json!(now - 20);
        claims["iat"] = json!(now + 20);
    })
    .await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert!(house.events("session.refuse").await.len() >= 10);
    house.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_an_address_links_only_where_it_may_and_is_verified() {
    let provider = Provider::start().await;
    let by_email = house(&provider, true, false).await;
    by_email.person("jo", &[Role::Security]).await;
    for (verified, status) in [
        (Value::Null, 403),
        (json!("true"), 403),
        (json!(false), 403),
        (json!(true), 303),
    ] {
        let answer = signed_in(&mut by_email.browser(), &provider, |claims| {
            claims["email"] = json!("Jo@Example.org");
            claims["email_verified"] = verified.clone();
        })
        .await;
        assert_eq!(answer.status, status, "{verified}: {answer:?}");
    }
    // From now on by subject, whatever the address is.
    let answer = signed_in(&mut by_email.browser(), &provider, |claims| {
        claims["email"] = json!("other@example.org")
    })
    .await;
    assert_eq!(answer.status, 303);
    // Somebody else with the same address at the provider is not the same person.
    let answer = signed_in(&mut by_email.browser(), &provider, |claims| {
        claims["sub"] = json!("subject-2");
        claims["email"] = json!("jo@example.org");
        claims["email_verified"] = json!(true);
    })
    .await;
    assert_eq!(answer.status, 403);
    by_email.ward.stop().await;
    let by_subject = house(&provider, false, false).await;
    by_subject.person("jo", &[Role::Security]).await;
    let answer = signed_in(&mut by_subject.browser(), &provider, |claims| {
        claims["email"] = json!("jo@example.org");
        claims["email_verified"] = json!(true);
    })
    .await;
    assert!(
        answer.status == 403 && answer.text.contains("sign-in.unknown"),
        "{answer:?}"
    );
    by_subject.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_groups_of_the_provider_let_in_and_are_as_they_are_at_each_sign_in() {
    let provider = Provider::start().await;
    let house = house(&provider, false, true).await;
    let access = &house.ward.access;
    let group = Group {
        name: "soc".to_owned(),
        label: "Security operations".to_owned(),
        grants: vec![Grant::everywhere(Role::Security)],
        claims: vec!["grp-soc".to_owned()],
        version: 0,
    };
    let may = permit(access, Action::ManagePeople);
    access
        .put_group(&may, group, server::wall_clock())
        .await
        .unwrap();
    let answer = signed_in(&mut house.browser(), &provider, |claims| {
        claims["groups"] = json!(["other"])
    })
    .await;
    assert_eq!(answer.status, 403);
    let mut browser = house.browser();
    let answer = signed_in(&mut browser, &provider, |claims| {
        claims["groups"] = json!(["grp-soc", "other"])
    })
    .await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let session = browser.get("/api/v1/session").await;
    assert_eq!(session.body["person"]["id"], "jo.doe");
    assert_eq!(session.body["grants"], json!([{ "role": "security" }]));
    // Out of the group at the provider: known, and may do nothing.
    let mut later = house.browser();
    let answer = signed_in(&mut later, &provider, |claims| claims["groups"] = json!([])).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert_eq!(later.get("/api/v1/session").await.body["grants"], json!([]));
    assert_eq!(later.get("/api/v1/certificates").await.status, 403);
    assert_eq!(
        browser.get("/api/v1/certificates").await.status,
        403,
        "the earlier session too"
    );
    house.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r08_a_first_passkey_is_made_soon_after_signing_in_or_not() {
    const SIX_MINUTES_AGO: &str = "UPDATE sessions SET since = since - 360000";
    let provider = Provider::start().await;
    let house = house(&provider, false, false).await;
    house.person("jo", &[Role::Security]).await;
    link(&house, "jo").await;
    let mut taken = house.browser();
    signed_in(&mut taken, &provider, |_| ()).await;
    // Its answer has what a page sends along with every change.
    taken.get("/api/v1/session").await;
    let aged = Write::derived().run(SIX_MINUTES_AGO, params![]);
    house.ward.ca.store().commit(aged).await.unwrap();
    let mut authenticator = Authenticator::new(&house.origin);
    let refused = taken.register(&mut authenticator).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(refused.body["rule"], "session.fresh", "{refused:?}");
    assert!(refused.text.contains("sign out, sign in again"));

    let mut fresh = house.browser();
    signed_in(&mut fresh, &provider, |_| ()).await;
    fresh.get("/api/v1/session").await;
    assert_eq!(fresh.register(&mut authenticator).await.status, 201);
    // From the second on a step-up is asked for, however fresh the sign-in is.
    let mut second = Authenticator::new(&house.origin);
    let refused = fresh.register(&mut second).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(refused.body["rule"], "session.step-up", "{refused:?}");
    house.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_whoever_is_refused_is_told_whom_to_ask_and_text_is_never_markup() {
    let provider = Provider::start().await;
    let hostile = "<script>alert(1)</script> & \"R&D\", 'ext 4711'";
    let house = House::with(|config| {
        configured(config, &provider, false, false);
        config.sign_in.contact = Some(hostile.to_owned());
    })
    .await;
    let ways = house.browser().get("/api/v1/sign-in").await;
    assert_eq!(ways.body["contact"], hostile);
    let shown = "<p>Ask: &lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;R&amp;D&quot;, &#39;ext 4711&#39;</p>";
    // Nobody here is linked to what the provider says; and there is no other provider.
    let mut stranger = house.browser();
    let refused = signed_in(&mut stranger, &provider, |_| ()).await;
    let unknown = stranger.get("/auth/oidc/none/start").await;
    for (answer, status) in [(refused, 403), (unknown, 404)] {
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.text.contains(shown), "{answer:?}");
        assert!(!answer.text.contains("<script"), "{answer:?}");
    }
    house.ward.stop().await;
}
