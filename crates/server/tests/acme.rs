//! ACME over HTTP as curl sees it: fields, hosts, versions of HTTP, budgets, restarts. What messages mean is tested in
//! `crates/enroll`; other people's clients run in `interop/`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    reason = "helpers of tests are tests"
)]

mod support;

use std::process::Command;

use access::Action;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use enroll::acme::{Desk, Directory, ExternalAccount, Offer};
use serde_json::{Value, json};
use support::{Ward, permit, run};

/// Opens `/acme/web/`.
async fn open_directory(ward: &Ward) {
    let directory = Directory {
        name: "web".to_owned(),
        profiles: vec![Offer {
            profile: "server-tls".to_owned(),
            description: String::new(),
        }],
        external_account: ExternalAccount::Off,
        ..Directory::default()
    };
    let permit = permit(&ward.access, Action::ManageEnrolment);
    let now = server::wall_clock();
    Desk::new(ward.ca.clone())
        .put_directory(permit, directory, 0, now)
        .await
        .unwrap();
    // The server learns of it from the log.
    for _ in 0..100 {
        if curl(ward, &[], "localhost", "/acme/web/directory")
            .await
            .status
            == 200
        {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the directory is not served");
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        let prefix = format!("{name}: ");
        self.head.lines().find_map(|line| {
            let start = line.get(..prefix.len())?;
            start
                .eq_ignore_ascii_case(&prefix)
                .then(|| line[prefix.len()..].trim())
        })
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn problem(&self) -> (u16, String) {
        let kind = self.json()["type"].as_str().unwrap().to_owned();
        (self.status, kind.rsplit(':').next().unwrap().to_owned())
    }
}

async fn curl(ward: &Ward, options: &[&str], host: &str, path: &str) -> Answer {
    let mut command = Command::new("curl");
    command
        .args(["-sS", "-i", "--cacert"])
        .arg(ward.path("root.pem"));
    command.args(options);
    command.arg(format!(
        "https://{host}:{}{path}",
        ward.addresses.api.port()
    ));
    let text = run(command).await;
    let mut rest = text.as_str();
    loop {
        let (head, body) = rest.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if status != 100 {
            return Answer {
                status,
                head: head.to_owned(),
                body: body.to_owned(),
            };
        }
        rest = body;
    }
}

struct Client {
    key: EcdsaKeyPair,
    kid: Option<String>,
}

impl Client {
    fn new() -> Self {
        Client {
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            kid: None,
        }
    }

    fn sign(&self, url: &str, nonce: &str, payload: &str) -> String {
        let mut header = json!({ "alg": "ES256", "url": url, "nonce": nonce });
        match &self.kid {
            Some(kid) => header["kid"] = json!(kid),
            None => {
                let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
                header["jwk"] = json!({ "kty": "EC", "crv": "P-256", "x": b64(x), "y": b64(y) });
            }
        }
        let (protected, payload) = (b64(header.to_string().as_bytes()), b64(payload.as_bytes()));
        let input = format!("{protected}.{payload}");
        let signature = self
            .key
            .sign(&SystemRandom::new(), input.as_bytes())
            .unwrap();
        let signature = b64(signature.as_ref());
        json!({ "protected": protected, "payload": payload, "signature": signature }).to_string()
    }
}

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

async fn nonce(ward: &Ward) -> String {
    let answer = curl(ward, &["-I"], "localhost", "/acme/web/new-nonce").await;
    answer.field("replay-nonce").unwrap().to_owned()
}

/// A body by curl; HTTP/2 unless `options` say otherwise.
async fn post(ward: &Ward, options: &[&str], path: &str, body: &str) -> Answer {
    let file = ward.path("jws.json");
    std::fs::write(&file, body).unwrap();
    let data = format!("@{}", file.display());
    let mut all = vec!["--data-binary", &data];
    if !options.contains(&"-H") {
        all.extend(["-H", "Content-Type: application/jose+json"]);
    }
    all.extend(options);
    curl(ward, &all, "localhost", path).await
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_speak_of_the_host_that_was_asked() {
    let ward = Ward::start().await;
    open_directory(&ward).await;
    let port = ward.addresses.api.port();
    for host in ["localhost", "127.0.0.1"] {
        for version in ["--http1.1", "--http2"] {
            let index = curl(&ward, &[version], host, "/acme/web/directory").await;
            let expected = format!("https://{host}:{port}/acme/web/new-nonce");
            assert_eq!(index.json()["newNonce"], expected, "{version}");
            assert_eq!(index.field("content-type"), Some("application/json"));
        }
    }
    for (options, status) in [
        (["-I", "--http1.1"], 200),
        (["-I", "--http2"], 200),
        (["-X", "GET"], 204),
    ] {
        let fresh = curl(&ward, &options, "localhost", "/acme/web/new-nonce").await;
        assert_eq!(fresh.status, status, "{}", fresh.head);
        assert_eq!(fresh.field("cache-control"), Some("no-store"));
        assert!(
            fresh
                .field("replay-nonce")
                .is_some_and(|nonce| nonce.len() >= 22)
        );
        let link = format!("<https://localhost:{port}/acme/web/directory>;rel=\"index\"");
        assert_eq!(fresh.field("link"), Some(link.as_str()));
        assert!(fresh.body.is_empty());
    }
    // RFC 8555 §6.1: HTTPS only.
    let mut plain = Command::new("curl");
    plain.args(["-sS", "-o", "/dev/null", "-w", "%{http_code}"]);
    plain.arg(format!(
        "http://{}/acme/web/directory",
        ward.addresses.status
    ));
    assert_eq!(run(plain).await, "404");
    let missing = curl(&ward, &[], "localhost", "/acme/nobody/directory").await;
    assert_eq!(missing.problem(), (404, "malformed".to_owned()));
    let hostile = curl(
        &ward,
        &["--http1.1", "-H", "Host: a\"b"],
        "localhost",
        "/acme/web/directory",
    )
    .await;
    assert_eq!(hostile.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configured_url_is_the_one_that_counts() {
    let ward =
        Ward::start_with(|config| config.url = Some("https://acme.mercy.example".into())).await;
    open_directory(&ward).await;
    let index = curl(&ward, &[], "localhost", "/acme/web/directory").await;
    let url = "https://acme.mercy.example/acme/web/new-account";
    assert_eq!(index.json()["newAccount"], url);
    let client = Client::new();
    let body = client.sign(url, &nonce(&ward).await, "{}");
    let made = post(&ward, &[], "/acme/web/new-account", &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let port = ward.addresses.api.port();
    let other = format!("https://localhost:{port}/acme/web/new-account");
    let body = client.sign(&other, &nonce(&ward).await, "{}");
    let refused = post(&ward, &[], "/acme/web/new-account", &body).await;
    assert_eq!(refused.problem(), (403, "unauthorized".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_over_http_and_across_a_restart() {
    let ward = Ward::start().await;
    open_directory(&ward).await;
    let base = format!("https://localhost:{}", ward.addresses.api.port());
    let url = format!("{base}/acme/web/new-account");
    let mut client = Client::new();

    let body = client.sign(&url, &nonce(&ward).await, "{}");
    let wrong = post(
        &ward,
        &["-H", "Content-Type: application/json"],
        "/acme/web/new-account",
        &body,
    )
    .await;
    assert_eq!(wrong.problem(), (415, "malformed".to_owned()));
    assert!(wrong.field("replay-nonce").is_some(), "{}", wrong.head);
    for version in ["--http1.1", "--http2"] {
        let large = post(
            &ward,
            &[version],
            "/acme/web/new-account",
            &"x".repeat(300_000),
        )
        .await;
        assert_eq!(large.problem(), (413, "malformed".to_owned()), "{version}");
        assert!(large.field("replay-nonce").is_some(), "{}", large.head);
    }
    let wrong = curl(&ward, &["-X", "PUT"], "localhost", "/acme/web/new-account").await;
    assert_eq!((wrong.status, wrong.field("allow")), (405, Some("POST")));

    let made = post(&ward, &[], "/acme/web/new-account", &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let kid = made.field("location").unwrap().to_owned();
    assert!(made.field("x-request-id").is_some());
    client.kid = Some(kid.clone());
    let path = kid.strip_prefix(&base).unwrap().to_owned();

    // What was handed out before a restart is good after it; what was used stays used.
    let kept = client.sign(&kid, made.field("replay-nonce").unwrap(), "");
    let used = client.sign(&kid, &nonce(&ward).await, "");
    assert_eq!(post(&ward, &["--http1.1"], &path, &used).await.status, 200);
    let api = ward.addresses.api;
    let dir = ward.stop().await;
    let ward = Ward::serve(dir, "", |config| config.api = api).await;
    let shown = post(&ward, &[], &path, &kept).await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    assert_eq!(shown.json()["status"], "valid");
    for body in [&kept, &used] {
        let refused = post(&ward, &[], &path, body).await;
        assert_eq!(refused.problem(), (400, "badNonce".to_owned()));
    }
}
