//! The API and the public documents, as curl and openssl see them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    reason = "helpers of tests are tests"
)]

mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use access::{Role, Scope};
use serde_json::{Value, json};
use support::{Ward, run};

#[tokio::test(flavor = "multi_thread")]
async fn issue_revoke_and_status() {
    let ward = Ward::start().await;
    let token = ward.token("ci", &[Role::Issuer], Scope::default()).await;
    let body = json!({ "profile": "server-tls", "csr": ward.csr("web.example.org").await });
    let (status, issued) = ward
        .curl("POST", "/api/v1/certificates", Some(&token), Some(&body))
        .await;
    assert_eq!(status, 201, "{issued}");
    std::fs::write(
        ward.path("leaf.pem"),
        issued["certificate"].as_str().unwrap(),
    )
    .unwrap();

    let (status, shown) = ward
        .curl(
            "GET",
            &format!(
                "/api/v1/certificates/{}",
                issued["serial"].as_str().unwrap()
            ),
            Some(&token),
            None,
        )
        .await;
    assert_eq!(
        (status, &shown["status"]["status"]),
        (200, &json!("good")),
        "{shown}"
    );

    verify(&ward, &[]).await;
    assert!(ocsp(&ward, &[]).await.contains("leaf.pem: good"));
    assert!(ocsp(&ward, &["-no_nonce"]).await.contains("leaf.pem: good"));

    let path = format!(
        "/api/v1/certificates/{}/revoke",
        issued["sha256"].as_str().unwrap()
    );
    let (status, revoked) = ward
        .curl(
            "POST",
            &path,
            Some(&token),
            Some(&json!({ "reason": "keyCompromise" })),
        )
        .await;
    assert_eq!(status, 200, "{revoked}");
    let acknowledged = Instant::now();
    for nonce in [&[][..], &["-no_nonce"]] {
        let said = ocsp(&ward, nonce).await;
        assert!(
            said.contains("leaf.pem: revoked") && said.contains("keyCompromise"),
            "{said}"
        );
    }
    // R13: within one second of the revocation, in the list that the certificate points to and in the complete one.
    tokio::time::sleep(Duration::from_secs(1).saturating_sub(acknowledged.elapsed())).await;
    let serial = issued["serial"].as_str().unwrap().to_uppercase();
    for list in ["servers/0", "servers", "servers-delta"] {
        let text = crl(&ward, list).await;
        assert!(
            text.contains(serial.trim_start_matches('0')),
            "{list}: {text}"
        );
    }
    let again = json!({ "reason": "superseded" });
    refuses(&ward, &token, &path, &again, "revocation.repeated").await;
    ward.stop().await;
}

/// A call that must be refused by this rule.
async fn refuses(ward: &Ward, token: &str, path: &str, body: &Value, rule: &str) {
    let (status, said) = ward.curl("POST", path, Some(token), Some(body)).await;
    assert_eq!((status, &said["rule"]), (422, &json!(rule)), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_without_a_right_gets_in() {
    let ward = Ward::start().await;
    let reader = ward
        .token("reader", &[Role::ReadOnly], Scope::default())
        .await;
    let scope = Scope {
        profiles: vec!["server-tls".into()],
        ..Scope::default()
    };
    let issuer = ward.token("issuer", &[Role::Issuer], scope).await;
    let csr = ward.csr("web.example.org").await;
    let issue = json!({ "profile": "server-tls", "csr": csr });
    let other = json!({ "profile": "fhir-mtls", "csr": csr });
    let cases = [
        ("POST", "/api/v1/certificates", None, Some(&issue), 401),
        (
            "POST",
            "/api/v1/certificates",
            Some("ward_t000000000000_x"),
            Some(&issue),
            401,
        ),
        (
            "POST",
            "/api/v1/certificates",
            Some(reader.as_str()),
            Some(&issue),
            403,
        ),
        (
            "POST",
            "/api/v1/certificates",
            Some(issuer.as_str()),
            Some(&other),
            403,
        ),
        (
            "GET",
            "/api/v1/certificates/00",
            Some(reader.as_str()),
            None,
            404,
        ),
        (
            "GET",
            "/api/v1/audit/events",
            Some(reader.as_str()),
            None,
            403,
        ),
        ("GET", "/api/v1/tokens", Some(issuer.as_str()), None, 403),
        ("GET", "/log/tile/entries/000", None, None, 401),
        ("GET", "/api/v1/nothing", Some(reader.as_str()), None, 404),
        (
            "GET",
            "/api/v1/certificates?limit=x",
            Some(reader.as_str()),
            None,
            400,
        ),
        (
            "GET",
            "/api/v1/certificates",
            Some(reader.as_str()),
            None,
            200,
        ),
        ("GET", "/log/checkpoint", None, None, 200),
        ("GET", "/api/v1/openapi.json", None, None, 200),
    ];
    for (method, path, token, body, expected) in cases {
        let (status, said) = ward.curl(method, path, token, body).await;
        assert_eq!(status, expected, "{method} {path}: {said}");
        if expected >= 400 {
            assert!(
                said["type"]
                    .as_str()
                    .is_some_and(|kind| kind.starts_with("urn:ward:problem:")),
                "{path}: {said}"
            );
        }
    }
    ward.stop().await;
}

async fn verify(ward: &Ward, more: &[&str]) -> String {
    let mut command = Command::new("openssl");
    command
        .args(["verify", "-x509_strict", "-CAfile"])
        .arg(ward.path("root.pem"));
    command
        .arg("-untrusted")
        .arg(ward.path("issuing.pem"))
        .args(more)
        .arg(ward.path("leaf.pem"));
    run(command).await
}

async fn ocsp(ward: &Ward, more: &[&str]) -> String {
    let issuer = ward.path("servers.pem");
    std::fs::write(
        &issuer,
        ward.ca.issuer("servers").unwrap().certificate().to_pem(),
    )
    .unwrap();
    let mut command = Command::new("openssl");
    command
        .current_dir(ward.dir.path())
        .args(["ocsp", "-issuer"])
        .arg(&issuer)
        .args(["-cert", "leaf.pem", "-CAfile", "root.pem"]);
    command
        .args([
            "-verify_other",
            "issuing.pem",
            "-url",
            &format!("http://{}/ocsp", ward.addresses.status),
        ])
        .args(more);
    run(command).await
}

async fn crl(ward: &Ward, list: &str) -> String {
    let mut command = Command::new("curl");
    command
        .args(["-sSf", "-o"])
        .arg(ward.path("list.crl"))
        .arg(format!("http://{}/crl/{list}.crl", ward.addresses.status));
    run(command).await;
    let mut command = Command::new("openssl");
    command
        .args(["crl", "-inform", "DER", "-noout", "-text", "-in"])
        .arg(ward.path("list.crl"));
    run(command).await
}

/// R07: the list says which requests wait for whoever reads it, and for whom they do not.
#[tokio::test(flavor = "multi_thread")]
async fn r07_a_request_says_whose_word_it_waits_for() {
    let ward = Ward::start().await;
    let asker = ward
        .token("ann", &[Role::RaOfficer], Scope::default())
        .await;
    let decider = ward.token("ben", &[Role::Approver], Scope::default()).await;
    let reader = ward.token("cho", &[Role::Auditor], Scope::default()).await;
    let body = json!({
        "profile": "hie-gateway",
        "csr": ward.csr("hie.example.org").await,
        "names": ["dns:hie.example.org"],
        "evidence": [{ "kind": "ticket", "text": "CHG-1" }],
    });
    let (status, asked) = ward
        .curl("POST", "/api/v1/certificates", Some(&asker), Some(&body))
        .await;
    assert_eq!(status, 202, "{asked}");
    let path = format!("/api/v1/requests/{}", asked["request"].as_str().unwrap());
    let waits = async |token: &str| {
        let (status, shown) = ward.curl("GET", &path, Some(token), None).await;
        assert_eq!(status, 200, "{shown}");
        shown["awaits_me"].as_bool().unwrap()
    };
    // Neither the asker, who may decide about others' requests, nor who only reads.
    let before = [
        waits(&asker).await,
        waits(&decider).await,
        waits(&reader).await,
    ];
    assert_eq!(before, [false, true, false]);
    let deny = json!({ "comment": "no contract" });
    let denied = format!("{path}/deny");
    let (status, shown) = ward
        .curl("POST", &denied, Some(&decider), Some(&deny))
        .await;
    assert_eq!(
        (status, shown["state"].as_str()),
        (200, Some("denied")),
        "{shown}"
    );
    assert!(!waits(&decider).await);
    ward.stop().await;
}

/// What the console draws the hierarchy and the profiles from is what the certificates themselves say.
#[tokio::test(flavor = "multi_thread")]
async fn issuers_and_profiles_tell_their_facts() {
    let ward = Ward::start().await;
    let token = ward
        .token("reader", &[Role::ReadOnly], Scope::default())
        .await;
    let (status, issuers) = ward
        .curl("GET", "/api/v1/issuers", Some(&token), None)
        .await;
    assert_eq!(status, 200, "{issuers}");
    let issuers = issuers.as_array().unwrap();
    let (_, authorities) = ward
        .curl("GET", "/api/v1/authorities", Some(&token), None)
        .await;
    for authority in authorities.as_array().unwrap() {
        let of = |issuer: &&serde_json::Value| issuer["id"] == authority["issuer"];
        let issuer = issuers.iter().find(of).unwrap();
        assert_eq!(issuer["subject"], authority["subject"]);
        assert_eq!(issuer["parent"], authority["parent"]);
        assert_eq!(issuer["sha256"].as_str().unwrap().len(), 64);
        assert!(issuer["not_before"].as_str().unwrap() < issuer["not_after"].as_str().unwrap());
    }
    let (_, profiles) = ward
        .curl("GET", "/api/v1/profiles", Some(&token), None)
        .await;
    for profile in profiles.as_array().unwrap() {
        assert_eq!(profile["rules"]["name"], profile["name"]);
        assert_eq!(profile["rules"]["title"], profile["title"]);
    }
    ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r11_an_authority_is_revoked_by_who_manages_authorities_and_then_issues_nothing() {
    let ward = Ward::start().await;
    let admin = ward.token("ada", &[Role::Admin], Scope::default()).await;
    let (_, issuers) = ward
        .curl("GET", "/api/v1/issuers", Some(&admin), None)
        .await;
    let of = |id: &str| {
        let all = issuers.as_array().unwrap();
        let one = all.iter().find(|one| one["id"] == id).unwrap();
        format!(
            "/api/v1/certificates/{}/revoke",
            one["sha256"].as_str().unwrap()
        )
    };
    let body = json!({ "reason": "cACompromise" });
    for role in [Role::Issuer, Role::RaOfficer, Role::Security] {
        let token = ward.token(role.name(), &[role], Scope::default()).await;
        let (status, said) = ward
            .curl("POST", &of("devices"), Some(&token), Some(&body))
            .await;
        assert_eq!(status, 403, "{role}: {said}");
    }
    let revoked = ward
        .curl("POST", &of("devices"), Some(&admin), Some(&body))
        .await;
    assert_eq!(revoked.0, 200, "{revoked:?}");
    let (_, authority) = ward
        .curl("GET", "/api/v1/authorities/devices", Some(&admin), None)
        .await;
    assert_eq!(authority["state"], "revoked");
    refuses(&ward, &admin, &of("root"), &body, "revocation.root").await;
    ward.stop().await;
}
