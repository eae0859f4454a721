//! A call that a policy holds back: what may be asked meanwhile, who decides, and that it is made once (R07, R35).

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::time::Duration;

use access::{RequestId, Role, Scope};
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
    // Where to look when nobody knows what a call has done.
    let made = events(&ward, |event| event["request"] == held["request"]).await;
    assert!(!made.is_empty(), "{held}");
    // It is decided; a second word does nothing.
    let late = told(&ward, &approver, ("POST", &approve), Some(&json!({})), 403).await;
    assert_eq!(late["rule"], "request.state");
    ward.stop().await;
}

async fn events(ward: &Ward, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    let entries = ward.ca.store().events(0, 10_000).await.unwrap();
    let parsed = entries
        .iter()
        .map(|entry| serde_json::from_slice::<Value>(&entry.body).unwrap());
    parsed.filter(wanted).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn r07_a_call_that_a_stop_cut_off_is_told_as_what_nobody_knows() {
    const GROUPS: (&str, &str) = ("POST", "/api/v1/groups");
    let ward = Ward::start().await;
    let admin = ward.token("ada", &[Role::Admin], Scope::default()).await;
    let approver = ward.token("ben", &[Role::Approver], Scope::default()).await;
    let policy = json!({"name": "people", "action": "manage-people", "needed": 1, "hours": 24, "execute": "by-asker"});
    let policies = ("POST", "/api/v1/approval-policies");
    told(&ward, &admin, policies, Some(&policy), 201).await;
    let group = json!({"name": "nurses", "label": "Nurses"});
    let held = told(&ward, &admin, GROUPS, Some(&group), 202).await;
    let url = held["url"].as_str().unwrap();
    let approve = format!("{url}/approve");
    told(&ward, &approver, ("POST", &approve), Some(&json!({})), 200).await;

    // A server took it, and was gone before it had made it.
    let id = RequestId::parse(held["request"].as_str().unwrap()).unwrap();
    let system = ward.access.system_principal("approvals");
    let taken = ward
        .access
        .begin_call(&system, &id, None, server::wall_clock());
    taken.await.unwrap();
    let making = told(&ward, &admin, ("GET", url), None, 200).await;
    assert_eq!(making["state"], "executing");
    let ward = Ward::serve(ward.stop().await, "", |_| ()).await;

    let over = told(&ward, &admin, ("GET", url), None, 200).await;
    assert_eq!(over["state"], "failed", "{over}");
    assert_eq!(over["call"]["outcome"]["status"], 0, "{over}");
    let said = over["call"]["outcome"]["body"].as_str().unwrap();
    assert!(
        said.contains("nobody knows whether it was done") && said.contains(id.as_str()),
        "{said}"
    );
    let ended = events(&ward, |event| event["action"] == "request.cut-off").await;
    assert_eq!(ended.len(), 1, "{ended:?}");
    // It is not made again, neither by itself nor by whoever asked.
    let execute = format!("{url}/execute");
    let again = told(&ward, &admin, ("POST", &execute), Some(&json!({})), 403).await;
    assert_eq!(again["rule"], "request.state");
    ward.stop().await;
}
