//! People and their tokens: revoked in mid-use, expired, asked twice, approving themselves (R07, R11, R37).

use std::time::{Duration, Instant};

use access::{Action, NewToken, Role, Scope, TokenId};
use serde_json::json;

use crate::support::permit;
use crate::wire::Secure;
use crate::{Target, problem, refusal};

/// R37: over a connection that stays open, so that nothing remembered by it can help.
#[tokio::test(flavor = "multi_thread")]
async fn r37_a_token_removed_in_mid_use_ends_within_a_second() {
    let target = Target::start().await;
    let token = target
        .ward
        .token("leaver", &[Role::Issuer], Scope::default())
        .await;
    let id = TokenId::parse(token.split('_').nth(1).unwrap()).unwrap();
    let mut connection = Secure::connect(&target.ward).await;
    for _ in 0..3 {
        let (status, _) = connection.get("/api/v1/certificates", &token).await;
        assert_eq!(status, 200);
    }
    let may = permit(&target.ward.access, Action::ManageTokens);
    let now = server::wall_clock();
    // As another process would do it: past this one's cache.
    let elsewhere = access::Access::open(target.ward.ca.store().clone());
    elsewhere
        .revoke_token(may, &id, "left the house", now)
        .await
        .unwrap();
    let revoked = Instant::now();
    loop {
        let (status, _) = connection.get("/api/v1/certificates", &token).await;
        if status == 401 {
            break;
        }
        assert_eq!(status, 200);
        assert!(revoked.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let body = json!({ "profile": "server-tls", "csr": target.ward.csr("web.example.org").await });
    let answer = target
        .post(
            "/api/v1/certificates",
            &token,
            "late",
            body.to_string().as_bytes(),
        )
        .await;
    drop(problem(&answer, 401, "unauthenticated").expect("a revoked token"));
    assert!(answer.body.contains("revoked"), "{answer:?}");
    assert_eq!(failures(&target, id.as_str()).await, 1);
    target.assert_unharmed(0).await;
    target.ward.stop().await;
}

/// Recorded once in ten seconds, however often it is tried: a guesser must not fill the log.
async fn failures(target: &Target, token: &str) -> usize {
    let store = target.ward.ca.store();
    let entries = store.events(0, 10_000).await.unwrap();
    let of_token = entries.iter().filter(|entry| {
        let event: serde_json::Value = serde_json::from_slice(&entry.body).unwrap();
        event["action"] == "token.authenticate"
            && event["object"]["id"] == token
            && event["outcome"] == "refused"
    });
    of_token.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_an_expired_token_and_tokens_that_cannot_be() {
    let target = Target::start().await;
    let new = NewToken {
        name: "brief".into(),
        person: false,
        roles: vec![Role::Issuer],
        scope: Scope::default(),
        expires: Some(server::wall_clock().0 + 300),
    };
    let may = permit(&target.ward.access, Action::ManageTokens);
    let now = server::wall_clock();
    let created = target.ward.access.create_token(may, new, now).await;
    let (id, token) = created.unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let answer = target
        .post("/api/v1/certificates", &token, "expired", b"{}")
        .await;
    drop(problem(&answer, 401, "unauthenticated").expect("an expired token"));
    assert!(answer.body.contains("expired"), "{answer:?}");
    assert_eq!(failures(&target, id.as_str()).await, 1);

    let admin = target
        .ward
        .token("admin", &[Role::Admin], Scope::default())
        .await;
    let narrow: Scope = serde_json::from_value(json!({ "profiles": ["server-tls"] })).unwrap();
    let narrow = target.ward.token("narrow", &[Role::Admin], narrow).await;
    let table = [
        (
            "no days",
            &admin,
            json!({ "name": "x", "roles": ["issuer"], "days": 0 }),
            403,
            "token.expires",
        ),
        (
            "no role",
            &admin,
            json!({ "name": "x", "roles": [], "days": 1 }),
            403,
            "token.roles",
        ),
        (
            "a name with a line feed",
            &admin,
            json!({ "name": "x\ny", "roles": ["issuer"], "days": 1 }),
            403,
            "token.name",
        ),
        (
            "a name with a slash",
            &admin,
            json!({ "name": "root/x", "roles": ["issuer"], "days": 1 }),
            403,
            "token.name",
        ),
        (
            "a wider scope than one's own",
            &narrow,
            json!({ "name": "x", "roles": ["issuer"], "days": 1 }),
            403,
            "token.scope",
        ),
        (
            "an issuer making tokens",
            &target.issuer,
            json!({ "name": "x", "roles": ["admin"], "days": 1 }),
            403,
            "role",
        ),
    ];
    for (number, (what, token, body, status, rule)) in table.iter().enumerate() {
        let id = format!("token-{number}");
        let answer = target
            .post("/api/v1/tokens", token, &id, body.to_string().as_bytes())
            .await;
        refusal(&answer, *status, rule, "").expect(what);
        target.logged(&id, rule).await.expect(what);
    }
    target.assert_unharmed(0).await;
    target.ward.stop().await;
}

async fn ask(target: &Target, token: &str, name: &str) -> String {
    let body = json!({
        "profile": "hie-gateway",
        "csr": target.ward.csr(name).await,
        "names": [format!("dns:{name}")],
        "evidence": [{ "kind": "ticket", "text": "CHG-1" }],
    });
    let answer = target
        .post(
            "/api/v1/certificates",
            token,
            "ask",
            body.to_string().as_bytes(),
        )
        .await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()["request"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn r07_approvals_cannot_be_gone_around() {
    let target = Target::start().await;
    let both = [Role::Issuer, Role::Approver];
    let asker = target.ward.token("ann", &both, Scope::default()).await;
    let other_of_asker = target.ward.token("ann", &both, Scope::default()).await;
    let second = target
        .ward
        .token("ben", &[Role::Approver], Scope::default())
        .await;
    let request = ask(&target, &asker, "hie.example.org").await;
    let path = |verb: &str| format!("/api/v1/requests/{request}/{verb}");
    let table = [
        ("one's own request", &asker, "approve", 403, "request.own"),
        (
            "with one's other token",
            &other_of_asker,
            "approve",
            403,
            "request.own",
        ),
        ("without the role", &target.issuer, "approve", 403, "role"),
    ];
    for (number, (what, token, verb, status, rule)) in table.iter().enumerate() {
        let id = format!("approve-{number}");
        let answer = target.post(&path(verb), token, &id, b"{}").await;
        refusal(&answer, *status, rule, "").expect(what);
        target.logged(&id, rule).await.expect(what);
    }
    let denied = target.post(&path("deny"), &second, "deny", b"{}").await;
    assert_eq!(denied.status, 200, "{denied:?}");
    for verb in ["approve", "deny"] {
        let id = format!("after-{verb}");
        let answer = target.post(&path(verb), &second, &id, b"{}").await;
        refusal(&answer, 403, "request.state", "").unwrap();
        target
            .logged(&id, "request.state")
            .await
            .expect("after denial");
    }
    target.assert_unharmed(0).await;
    target.ward.stop().await;
}

/// Two say yes in the same moment: one certificate, not two, whoever wins.
#[tokio::test(flavor = "multi_thread")]
async fn r07_one_request_is_issued_once_however_many_approve_it_at_once() {
    let target = Target::start().await;
    let asker = target
        .ward
        .token("ann", &[Role::Issuer], Scope::default())
        .await;
    let mut approvers = Vec::new();
    for name in ["ben", "cho", "dee", "eli"] {
        approvers.push(
            target
                .ward
                .token(name, &[Role::Approver], Scope::default())
                .await,
        );
    }
    let request = ask(&target, &asker, "hie.example.org").await;
    let path = format!("/api/v1/requests/{request}/approve");
    let (a, b, c, d) = tokio::join!(
        target.post(&path, &approvers[0], "yes-0", b"{}"),
        target.post(&path, &approvers[1], "yes-1", b"{}"),
        target.post(&path, &approvers[2], "yes-2", b"{}"),
        target.post(&path, &approvers[3], "yes-3", b"{}"),
    );
    let answers = [a, b, c, d];
    let issued = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(issued, 1, "{answers:?}");
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        match answer.status {
            403 => assert_eq!(answer.json()["rule"], "request.state", "{answer:?}"),
            _ => drop(problem(answer, 409, "conflict").expect("a vote that came too late")),
        }
    }
    target.assert_unharmed(1).await;
    target.ward.stop().await;
}

/// R11: whoever asked must still be allowed to when the last yes comes.
#[tokio::test(flavor = "multi_thread")]
async fn r11_a_request_dies_with_its_askers_token() {
    let target = Target::start().await;
    let asker = target
        .ward
        .token("ann", &[Role::Issuer], Scope::default())
        .await;
    let second = target
        .ward
        .token("ben", &[Role::Approver], Scope::default())
        .await;
    let request = ask(&target, &asker, "hie.example.org").await;
    let id = TokenId::parse(asker.split('_').nth(1).unwrap()).unwrap();
    let may = permit(&target.ward.access, Action::ManageTokens);
    let now = server::wall_clock();
    target
        .ward
        .access
        .revoke_token(may, &id, "left", now)
        .await
        .unwrap();
    let path = format!("/api/v1/requests/{request}/approve");
    let answer = target.post(&path, &second, "orphan", b"{}").await;
    refusal(&answer, 403, "requester.token", "").unwrap();
    target
        .logged("orphan", "requester.token")
        .await
        .expect("the asker is gone");
    target.assert_unharmed(0).await;
    target.ward.stop().await;
}
