//! Tokens: made once, kept hashed, refused when wrong, expired or revoked, soon everywhere.

use access::{Access, AccessError, Action, Role, Scope, Target, TokenId};
use audit::{Object, Outcome, Timestamp};
use store::Store;

use crate::support::{Door, NOW, on_both, token};

on_both!(
    a_token_is_made_used_and_revoked,
    secrets_are_not_stored,
    what_is_not_a_token_is_refused,
    an_expired_token_is_refused,
    a_revocation_elsewhere_is_seen_within_a_second,
    guessing_does_not_fill_the_log,
    tokens_that_make_no_sense_are_refused,
    nobody_makes_a_token_wider_than_their_own,
    refused_actions_are_recorded,
);

async fn a_token_is_made_used_and_revoked(postgres: bool) {
    let door = Door::new(postgres).await;
    let new = token("ada", &[Role::Issuer, Role::Auditor]);
    let permit = door.admin(Action::ManageTokens);
    let (id, bearer) = door.access.create_token(permit, new, NOW).await.unwrap();
    assert!(bearer.starts_with(&format!("ward_{id}_")));
    let who = door.access.authenticate(&bearer, NOW).await.unwrap();
    assert_eq!(who.actor().id, format!("ada/{id}"));
    assert!(
        door.access
            .decide(&who, Action::IssueCertificate, &Target::default())
            .is_ok()
    );
    let refused = door
        .access
        .decide(&who, Action::ManageTokens, &Target::default())
        .unwrap_err();
    assert_eq!(
        (refused.rule.as_ref(), refused.accepted.as_deref()),
        ("role", Some("admin"))
    );

    // In mid-use: the next request is refused.
    let permit = door.admin(Action::ManageTokens);
    door.access
        .revoke_token(permit, &id, "left", NOW)
        .await
        .unwrap();
    let refused = door.access.authenticate(&bearer, NOW).await.unwrap_err();
    assert!(
        matches!(&refused, AccessError::Unauthenticated(r) if r.message.contains("revoked")),
        "{refused}"
    );
    let listed = door.access.tokens().await.unwrap();
    assert_eq!(listed[0].revoked, Some(NOW.0));
    assert_eq!(door.events("token.create").await.len(), 1);
    assert_eq!(
        door.events("token.revoke").await[0].why.as_deref(),
        Some("left")
    );
    // Twice is once; what is not there cannot be revoked.
    let permit = door.admin(Action::ManageTokens);
    door.access
        .revoke_token(permit, &id, "again", NOW)
        .await
        .unwrap();
    assert_eq!(door.events("token.revoke").await.len(), 1);
    let unknown = TokenId::parse("t000000000000").unwrap();
    let permit = door.admin(Action::ManageTokens);
    let missing = door
        .access
        .revoke_token(permit, &unknown, "", NOW)
        .await
        .unwrap_err();
    assert!(matches!(
        missing,
        AccessError::NotFound { kind: "token", .. }
    ));
}

async fn secrets_are_not_stored(postgres: bool) {
    let door = Door::new(postgres).await;
    let permit = door.admin(Action::ManageTokens);
    let new = token("ada", &[Role::Issuer]);
    let (_, bearer) = door.access.create_token(permit, new, NOW).await.unwrap();
    let secret = bearer.rsplit('_').next().unwrap();
    let rows = door
        .store
        .query("SELECT body FROM records", vec![])
        .await
        .unwrap();
    assert!(
        rows.iter()
            .all(|row| !row.text(0).unwrap().contains(secret))
    );
    for entry in door.store.events(0, 1000).await.unwrap() {
        let body = String::from_utf8(entry.body).unwrap();
        assert!(
            !body.contains(secret) && !body.contains("secret_sha256"),
            "{body}"
        );
    }
}

async fn what_is_not_a_token_is_refused(postgres: bool) {
    let door = Door::new(postgres).await;
    let permit = door.admin(Action::ManageTokens);
    let new = token("ada", &[Role::Issuer]);
    let (id, bearer) = door.access.create_token(permit, new, NOW).await.unwrap();
    let mut wrong = bearer.as_bytes().to_vec();
    let last = wrong.last_mut().unwrap();
    *last = if *last == b'A' { b'B' } else { b'A' };
    let table = [
        String::new(),
        "ward_".to_owned(),
        format!("ward_{id}_"),
        format!("ward_t000000000000_{}", &bearer[bearer.len() - 43..]),
        format!("Ward_{}", &bearer[5..]),
        String::from_utf8(wrong).unwrap(),
        format!("{}x", bearer.as_str()),
        "x".repeat(100_000),
        format!("ward_tÄÄÄÄÄÄ_{}", &bearer[bearer.len() - 43..]),
    ];
    for attempt in table {
        let refused = door.access.authenticate(&attempt, NOW).await;
        assert!(
            matches!(refused, Err(AccessError::Unauthenticated(_))),
            "{attempt}"
        );
    }
    assert!(door.access.authenticate(&bearer, NOW).await.is_ok());
}

async fn an_expired_token_is_refused(postgres: bool) {
    let door = Door::new(postgres).await;
    let mut new = token("ada", &[Role::Issuer]);
    new.expires = Some(NOW.0 + 1000);
    let permit = door.admin(Action::ManageTokens);
    let (_, bearer) = door.access.create_token(permit, new, NOW).await.unwrap();
    let at = |ms: i64| door.access.authenticate(&bearer, Timestamp(NOW.0 + ms));
    assert!(at(999).await.is_ok());
    assert!(at(1000).await.is_err());
    // A clock that runs back does not bring the cache into confusion.
    assert!(at(-5000).await.is_ok());
}

async fn a_revocation_elsewhere_is_seen_within_a_second(postgres: bool) {
    let door = Door::new(postgres).await;
    let permit = door.admin(Action::ManageTokens);
    let new = token("ada", &[Role::Issuer]);
    let (id, bearer) = door.access.create_token(permit, new, NOW).await.unwrap();
    let here = |ms: i64| door.access.authenticate(&bearer, Timestamp(NOW.0 + ms));
    assert!(here(0).await.is_ok());
    let elsewhere = Access::open(Store::open(&door.url, access::MIGRATIONS).await.unwrap());
    let permit = door.admin(Action::ManageTokens);
    elsewhere
        .revoke_token(permit, &id, "left", NOW)
        .await
        .unwrap();
    assert!(here(999).await.is_ok(), "cached");
    assert!(here(1000).await.is_err());
    // The log feed makes it at once.
    let permit = door.admin(Action::ManageTokens);
    let new = token("ben", &[Role::Issuer]);
    let (id, bearer) = door.access.create_token(permit, new, NOW).await.unwrap();
    assert!(door.access.authenticate(&bearer, NOW).await.is_ok());
    let permit = door.admin(Action::ManageTokens);
    elsewhere
        .revoke_token(permit, &id, "left", NOW)
        .await
        .unwrap();
    let event = door.events("token.revoke").await.pop().unwrap();
    door.access.observe(&event);
    assert!(door.access.authenticate(&bearer, NOW).await.is_err());
}

async fn guessing_does_not_fill_the_log(postgres: bool) {
    let door = Door::new(postgres).await;
    for n in 0..50 {
        let guess = format!("ward_t{n:012}_{}", "A".repeat(43));
        assert!(door.access.authenticate(&guess, NOW).await.is_err());
    }
    let recorded = door.events("token.authenticate").await;
    assert_eq!(recorded.len(), 1);
    assert_eq!(recorded[0].outcome, Outcome::Refused);
    let later = Timestamp(NOW.0 + 10_000);
    assert!(door.access.authenticate("nonsense", later).await.is_err());
    let recorded = door.events("token.authenticate").await;
    assert_eq!(recorded[1].after.as_ref().unwrap()["failures"], 50);
}

async fn tokens_that_make_no_sense_are_refused(postgres: bool) {
    let door = Door::new(postgres).await;
    let mut expired = token("ada", &[Role::Issuer]);
    expired.expires = Some(NOW.0);
    let table = [
        ("token.name", token("", &[Role::Issuer])),
        ("token.name", token("a/b", &[Role::Issuer])),
        ("token.name", token("a b", &[Role::Issuer])),
        ("token.name", token(&"a".repeat(65), &[Role::Issuer])),
        ("token.roles", token("ada", &[])),
        ("token.expires", expired),
    ];
    for (rule, new) in table {
        let permit = door.admin(Action::ManageTokens);
        match door.access.create_token(permit, new, NOW).await {
            Err(AccessError::Refused(refusal)) => assert_eq!(refusal.rule, rule),
            _ => panic!("{rule}"),
        }
    }
    // A permit for something else makes no token.
    let permit = door.admin(Action::ReadStatus);
    let new = token("ada", &[Role::Admin]);
    assert!(door.access.create_token(permit, new, NOW).await.is_err());
    assert!(door.access.tokens().await.unwrap().is_empty());
}

async fn nobody_makes_a_token_wider_than_their_own(postgres: bool) {
    let door = Door::new(postgres).await;
    let scope = Scope {
        profiles: vec!["server-*".to_owned()],
        ..Scope::default()
    };
    let mut new = token("ward-admin", &[Role::Admin]);
    new.scope = scope.clone();
    let permit = door.admin(Action::ManageTokens);
    let (_, bearer) = door.access.create_token(permit, new, NOW).await.unwrap();
    let limited = door.access.authenticate(&bearer, NOW).await.unwrap();
    let permit = door.permit(&limited, Action::ManageTokens);
    let wide = door
        .access
        .create_token(permit, token("x", &[Role::Issuer]), NOW)
        .await;
    assert!(matches!(wide, Err(AccessError::Refused(r)) if r.rule == "token.scope"));
    let mut same = token("x", &[Role::Issuer]);
    same.scope = scope;
    let permit = door.permit(&limited, Action::ManageTokens);
    assert!(door.access.create_token(permit, same, NOW).await.is_ok());
}

async fn refused_actions_are_recorded(postgres: bool) {
    let door = Door::new(postgres).await;
    let permit = door.admin(Action::ManageTokens);
    let new = token("eve", &[Role::ReadOnly]);
    let (_, bearer) = door.access.create_token(permit, new, NOW).await.unwrap();
    let eve = door.access.authenticate(&bearer, NOW).await.unwrap();
    let target = Target {
        profile: Some("server-tls"),
        ..Target::default()
    };
    let refused = door
        .access
        .permit(&eve, Action::IssueCertificate, &target, Some("req-1"), NOW)
        .await;
    assert!(matches!(refused, Err(AccessError::Refused(_))));
    let event = door.events("issue-certificate").await.pop().unwrap();
    assert_eq!(event.outcome, Outcome::Refused);
    assert_eq!(event.object, Object::new("profile", "server-tls"));
    assert_eq!(event.request_id.as_deref(), Some("req-1"));
    assert!(event.why.unwrap().contains("accepted: admin, ra-officer"));
}
