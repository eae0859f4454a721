//! Contracts held still by golden files: the OpenAPI document, and who may call what. A change to either is made on
//! purpose: run with `WARD_BLESS=1` and read the difference before committing it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    reason = "helpers of tests are tests"
)]

mod support;

use std::path::Path;

use access::{Role, Scope};
use serde_json::{Value, json};
use support::Ward;

/// Compares with `tests/golden/{name}`, or writes it when blessed.
fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("WARD_BLESS").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == found,
        "{} differs; WARD_BLESS=1 writes it anew. Found:\n{found}",
        path.display()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_is_as_agreed() {
    let ward = Ward::start().await;
    let (status, document) = ward.curl("GET", "/api/v1/openapi.json", None, None).await;
    assert_eq!(status, 200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    golden("openapi.json", &format!("{document:#}\n"));
    ward.stop().await;
}

/// R37: every endpoint of the document, tried by every role and by nobody. What is not 401 or 403 was let in.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_call_what_is_as_agreed() {
    let ward = Ward::start().await;
    let (_, document) = ward.curl("GET", "/api/v1/openapi.json", None, None).await;
    let mut tokens = vec![("nobody", None)];
    for role in Role::ALL {
        tokens.push((
            role.name(),
            Some(ward.token(role.name(), &[role], Scope::default()).await),
        ));
    }
    let mut table = format!("{:<50}", "endpoint");
    tokens
        .iter()
        .for_each(|(name, _)| table.push_str(&format!(" {name:<9}")));
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| *key != "parameters")
        {
            let method = method.to_uppercase();
            table.push_str(&format!("\n{:<50}", format!("{method} {path}")));
            for (_, token) in &tokens {
                let entered = enters(&ward, &method, path, token.as_deref()).await;
                table.push_str(&format!(" {:<9}", if entered { "yes" } else { "-" }));
            }
        }
    }
    let table: Vec<&str> = table.lines().map(str::trim_end).collect();
    golden("permissions.txt", &format!("{}\n", table.join("\n")));
    ward.stop().await;
}

async fn enters(ward: &Ward, method: &str, path: &str, token: Option<&str>) -> bool {
    let path = path
        .replace("{id}", "00000000")
        .replace("{name}", "nothing")
        .replace("{issuer}", "nothing")
        .replace("{seq}", "0")
        // It would not end otherwise.
        .replace("/events/stream", "/events/stream?follow=false");
    let body = body_for(&path);
    let (status, _) = ward
        .curl(
            method,
            &path,
            token,
            matches!(method, "POST" | "PUT").then_some(&body),
        )
        .await;
    assert!(status < 500, "{method} {path} fails with {status}");
    !matches!(status, 401 | 403)
}

/// Well-formed enough to come to the decision, wrong enough to change nothing.
fn body_for(path: &str) -> Value {
    match path.rsplit('/').next().unwrap_or_default() {
        "nothing" if path.contains("/enrolment/") => {
            json!({ "version": 0, "endpoint": { "name": "nothing" } })
        }
        "revoke" if path.contains("/enrolment/") => json!({}),
        "endpoints" => json!({ "name": "nothing" }),
        "rights" => {
            json!({ "endpoint": "nothing", "for": "any", "credential": "one-time-password" })
        }
        "nothing" if path.contains("/owner-rules/") => json!({ "version": 0, "rule": {} }),
        "move" => json!({ "version": 0, "position": 5 }),
        "bundles" => json!({ "bundle": { "name": "" } }),
        "nothing" if path.contains("/bundles/") => json!({ "bundle": {} }),
        "segments" => json!({ "name": "" }),
        "nothing" if path.contains("/segments/") => {
            json!({ "version": 0, "segment": { "name": "nothing" } })
        }
        "sign" => json!({ "version": 0 }),
        "test" => json!({ "sha256": "00" }),
        "scans" => json!({ "segment": "nothing" }),
        "certificates" => json!({ "profile": "nothing" }),
        "invitations" => json!({ "person": "nobody" }),
        "people" => json!({ "id": "newcomer", "name": "A newcomer" }),
        "00000000" if path.contains("/people/") => {
            json!({ "version": 0, "person": { "name": "", "email": null, "grants": [], "groups": [] } })
        }
        "groups" => json!({ "name": "newcomers" }),
        "nothing" if path.contains("/groups/") => {
            json!({ "version": 0, "group": { "name": "nothing" } })
        }
        "approval-policies" => policy(),
        "nothing" if path.contains("/approval-policies/") => {
            json!({ "version": 0, "policy": policy() })
        }
        "comments" => json!({ "text": "" }),
        "delegate" => json!({ "to": "nobody" }),
        "emergency" => json!({ "reason": "" }),
        "tokens" => json!({ "name": "spare", "roles": ["read-only"], "days": 1 }),
        "revoke" if path.contains("/eab-keys/") => json!({}),
        "revoke" | "stop" if path.contains("/agent") => json!({}),
        "agents" => json!({ "name": "", "segment": "", "expires": 0, "core": "" }),
        "revoke" => json!({ "reason": "superseded" }),
        "directories" => json!({ "name": "nothing" }),
        "eab-keys" => json!({ "directory": "nothing", "owner": "nobody" }),
        "recalls" => json!({ "why": "" }),
        "assets" => json!({ "serial": "" }),
        "spares" => json!({ "asset": "nothing", "profile": "nothing" }),
        "retire" => json!({ "dry_run": true }),
        "views" => json!({ "name": "", "query": "" }),
        "close" => json!({ "reason": "" }),
        "waive" => json!({ "owner": "", "reason": "", "until": "2027-01-01T00:00:00Z" }),
        "waivers" => {
            json!({ "rule": "", "segment": "", "owner": "", "reason": "", "until": "2027-01-01T00:00:00Z" })
        }
        "00000000" if path.contains("/assets/") => json!({ "version": 0, "asset": {} }),
        "nothing" if path.contains("/systems/") => json!({ "version": 0, "system": {} }),
        "nothing" if path.contains("/flows/") => json!({ "version": 0, "flow": {} }),
        "nothing" => json!({ "version": 0, "directory": { "name": "nothing" } }),
        _ => json!({}),
    }
}

fn policy() -> Value {
    json!({ "name": "nothing", "action": "manage-backups", "needed": 1, "hours": 1 })
}
