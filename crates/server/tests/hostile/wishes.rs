//! What is asked for around a sound CSR: profile, authority, scope, validity, key, evidence (R04, R05, R07, R37).

use access::{Role, Scope};
use serde_json::{Value, json};

use crate::{Target, Verdict, refusal};

/// Wishes around a sound CSR: profile, authority, scope, validity, key.
#[tokio::test(flavor = "multi_thread")]
async fn r04_wishes_that_are_refused() {
    let target = Target::start().await;
    let scope: Scope = serde_json::from_value(json!({
        "profiles": ["server-*", "hie-gateway"], "authorities": ["servers"], "names": ["dns:*.example.org"]
    })).unwrap();
    let limited = target.ward.token("limited", &[Role::Issuer], scope).await;
    let reader = target
        .ward
        .token("reader", &[Role::ReadOnly], Scope::default())
        .await;
    let csr = target.ward.csr("web.example.org").await;
    let outside = target.ward.csr("web.example.com").await;
    let wish = |more: Value| {
        let mut body = json!({ "profile": "server-tls", "csr": csr });
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    let any = &target.issuer;
    let table: Vec<(&str, &String, Value, u16, &str, &str)> = vec![
        (
            "no such profile",
            any,
            wish(json!({ "profile": "nothing" })),
            422,
            "profile.unknown",
            "profiles",
        ),
        (
            "a profile with a path in it",
            any,
            wish(json!({ "profile": "../../etc/passwd" })),
            422,
            "profile.unknown",
            "profiles",
        ),
        (
            "a profile of 70,000 characters",
            any,
            wish(json!({ "profile": "x".repeat(70_000) })),
            422,
            "profile.unknown",
            "profiles",
        ),
        (
            "no such authority",
            any,
            wish(json!({ "authority": "nothing" })),
            422,
            "authority.unknown",
            "authorities",
        ),
        (
            "an authority of another purpose",
            any,
            wish(json!({ "authority": "people" })),
            422,
            "authority.purpose",
            "profile server-tls v1",
        ),
        (
            "the offline root",
            any,
            wish(json!({ "profile": "sub-ca", "authority": "root" })),
            422,
            "profile.role",
            "profile sub-ca v1",
        ),
        (
            "a profile outside the token's scope",
            &limited,
            wish(json!({ "profile": "fhir-mtls" })),
            403,
            "scope.profile",
            "scope",
        ),
        (
            "an authority outside it",
            &limited,
            wish(json!({ "authority": "devices" })),
            403,
            "scope.authority",
            "scope",
        ),
        (
            "a name outside it, in the CSR",
            &limited,
            wish(json!({ "csr": outside })),
            422,
            "scope.name",
            "scope",
        ),
        (
            "a name outside it, beside the CSR",
            &limited,
            wish(json!({ "names": ["dns:web.example.com"] })),
            403,
            "scope.name",
            "scope",
        ),
        (
            "an address with a token for names",
            &limited,
            wish(json!({ "names": ["ip:10.0.0.1"] })),
            403,
            "scope.name",
            "scope",
        ),
        (
            "the wrong role",
            &reader,
            wish(json!({})),
            403,
            "role",
            "role",
        ),
        (
            "399 days",
            any,
            wish(json!({ "days": 399 })),
            422,
            "validity",
            "profile server-tls v1",
        ),
        (
            "no days",
            any,
            wish(json!({ "days": 0 })),
            422,
            "validity",
            "profile server-tls v1",
        ),
        (
            "4,294,967,295 days",
            any,
            wish(json!({ "days": u32::MAX })),
            422,
            "validity",
            "profile server-tls v1",
        ),
        (
            "neither CSR nor key",
            any,
            json!({ "profile": "server-tls" }),
            422,
            "request.key",
            "REST API",
        ),
        (
            "both CSR and key",
            any,
            wish(json!({ "generate": "ecdsa-p256" })),
            422,
            "request.key",
            "REST API",
        ),
        (
            "a key that the profile has not",
            any,
            json!({ "profile": "server-tls", "generate": "ed25519", "names": ["dns:web.example.org"] }),
            422,
            "key.algorithm",
            "profile server-tls v1",
        ),
        (
            "a generated key that would have to wait",
            any,
            json!({ "profile": "hie-gateway", "generate": "rsa-2048", "names": ["dns:web.example.org"], "evidence": [{ "kind": "ticket", "text": "1" }] }),
            422,
            "approval.csr",
            "profile hie-gateway v1",
        ),
        (
            "no evidence",
            any,
            wish(json!({ "profile": "hie-gateway", "csr": csr })),
            422,
            "evidence",
            "R07",
        ),
        (
            "a subject that is none",
            any,
            wish(json!({ "subject": "CN" })),
            422,
            "request.subject",
            "RFC 4514",
        ),
        (
            "a kind of name that there is not",
            any,
            wish(json!({ "names": ["smoke:signal"] })),
            422,
            "request.names",
            "RFC 5280 §4.2.1.6",
        ),
        (
            "a wildcard where the profile has none",
            any,
            wish(json!({ "profile": "fhir-mtls", "names": ["dns:*.example.org"] })),
            422,
            "names.wildcard",
            "profile fhir-mtls v1",
        ),
        (
            "evidence of 5,000 bytes",
            any,
            wish(json!({ "evidence": [{ "kind": "ticket", "text": "x".repeat(5000) }] })),
            422,
            "evidence.size",
            "R07",
        ),
    ];
    let mut verdict = Verdict::default();
    for (number, (what, token, body, status, rule, source)) in table.iter().enumerate() {
        let id = format!("wish-{number}");
        let body = body.to_string();
        let answer = target
            .post("/api/v1/certificates", token, &id, body.as_bytes())
            .await;
        verdict.note(what, refusal(&answer, *status, rule, source));
        verdict.note(what, target.logged(&id, rule).await);
    }
    verdict.assert();
    target.assert_unharmed(0).await;
    target.ward.stop().await;
}
