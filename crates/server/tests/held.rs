//! A call that a policy holds back: what may be asked meanwhile, who decides, and that it is made once (R07, R35).

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::time::Duration;

use access::{Role, Scope};
use serde_json::{Value, json};
use support::Ward;

/// The answer to a call that must have this status.
async fn told(
    ward: &Ward,
    token: &str,
    call: (&str, &str),
    body: Option<&Value>,
    is: u16,
) -> Value {
    let (status, answer) = ward.curl(call.0, call.1, Some(token), body).await;
    assert_eq!(status, is, "{call:?}: {answer}");
    answer
}

async fn until(ward: &Ward, token: &str, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..200 {
        let answer = told(ward, token, ("GET", path), None, 200).await;
        if holds(&answer) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    panic!("{path} did not become what it should")
}

#[tokio::test(flavor = "multi_thread")]
async fn r07_a_mass_revocation_under_a_policy_is_looked_at_freely_and_done_by_two() {
    const POLICIES: &str = "/api/v1/approval-policies";
    const REVOKE: (&str, &str) = ("POST", "/api/v1/bulk/revoke");
    const FOUND: &str = "/api/v1/inventory?q=name+~+gateway";
    let ward = Ward::start().await;
    let admin = ward.token("ada", &[Role::Admin], Scope::default()).await;
    let security = ward.token("sam", &[Role::Security], Scope::default()).await;
    let approver = ward.token("ben", &[Role::Approver], Scope::default()).await;
    for name in ["gateway-1.mercy.example", "gateway-2.mercy.example"] {
        let body = json!({"profile": "server-tls", "csr": ward.csr(name).await});
        told(
            &ward,
            &admin,
            ("POST", "/api/v1/certificates"),
            Some(&body),
            201,
        )
        .await;
    }
    let count = |answer: &Value, revoked: bool| {
        let all = answer["certificates"].as_array().unwrap();
        all.iter()
            .filter(|one| one["revoked"].is_null() != revoked)
            .count()
    };
    until(&ward, &admin, FOUND, |answer| count(answer, false) == 2).await;
    let policy =
        json!({"name": "revocation", "action": "revoke-certificate", "needed": 1, "hours": 24});
    told(&ward, &admin, ("POST", POLICIES), Some(&policy), 201).await;

    // To look is not held, and leaves nothing behind.
    let mut bulk = json!({"search": "name ~ gateway", "reason": "superseded", "why": "INC-4711"});
    let dry = told(&ward, &security, REVOKE, Some(&bulk), 200).await;
    let waiting = ("GET", "/api/v1/requests");
    assert_eq!(told(&ward, &security, waiting, None, 200).await, json!([]));

    bulk["digest"] = dry["digest"].clone();
    let held = told(&ward, &security, REVOKE, Some(&bulk), 202).await;
    let approve = format!(
        "/api/v1/requests/{}/approve",
        held["request"].as_str().unwrap()
    );
    let found = told(&ward, &admin, ("GET", FOUND), None, 200).await;
    assert_eq!(count(&found, true), 0, "{found}");
    // Nobody decides about their own request.
    told(&ward, &security, ("POST", &approve), Some(&json!({})), 403).await;
    told(&ward, &approver, ("POST", &approve), Some(&json!({})), 200).await;
    until(&ward, &admin, FOUND, |answer| count(answer, true) == 2).await;
    // It is decided; a second word does nothing.
    let late = told(&ward, &approver, ("POST", &approve), Some(&json!({})), 403).await;
    assert_eq!(late["rule"], "request.state");
    ward.stop().await;
}
