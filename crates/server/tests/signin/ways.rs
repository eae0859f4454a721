//! One-time links, recovery codes, client certificates.

use std::process::Command;

use access::{Action, Role};
use serde_json::json;
use server::config::{CertificateName, CertificateSignIn};

use crate::House;
use crate::authenticator::Authenticator;
use crate::support::{permit, run};

#[tokio::test(flavor = "multi_thread")]
async fn r37_a_one_time_link_works_once_and_lets_register_and_nothing_else() {
    let house = House::start().await;
    house.person("jo", &[Role::Admin]).await;
    let mut browser = house.browser();
    assert_eq!(
        browser.get("/api/v1/sign-in").await.body["first_administrator"],
        true
    );
    let token = house.invitation("jo", 60_000).await;
    let accept = json!({ "token": token });
    let answer = browser.post("/api/v1/sign-in/invitation", &accept).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["purpose"], "enrol");
    assert_eq!(answer.body["grants"], json!([]));
    for path in [
        "/api/v1/certificates",
        "/api/v1/profiles",
        "/api/v1/tokens",
        "/api/v1/sessions",
    ] {
        let answer = browser.get(path).await;
        assert_eq!(
            (answer.status, answer.rule()),
            (403, "session.purpose"),
            "{path}"
        );
    }
    let answer = browser
        .post("/api/v1/session/recovery-codes", &json!({}))
        .await;
    assert_eq!((answer.status, answer.rule()), (403, "session.purpose"));
    let again = house
        .browser()
        .post("/api/v1/sign-in/invitation", &accept)
        .await;
    assert_eq!((again.status, again.rule()), (403, "invitation"));
    let mut authenticator = Authenticator::new(&house.origin);
    assert_eq!(browser.register(&mut authenticator).await.status, 201);
    // One link, one passkey; and its session ends when the browser signs in with that.
    let another = browser
        .register(&mut Authenticator::new(&house.origin))
        .await;
    assert_eq!((another.status, another.rule()), (403, "session.step-up"));
    let enrolling = browser.cookie.clone();
    assert_eq!(browser.sign_in(&mut authenticator).await.status, 200);
    let mut left = house.browser();
    left.cookie = enrolling;
    assert_eq!(left.get("/api/v1/session").await.status, 401);
    assert_eq!(
        browser.get("/api/v1/sign-in").await.body["first_administrator"],
        false
    );
    // One that has lapsed, one that another has taken the place of, and forged ones.
    let lapsed = house.invitation("jo", 0).await;
    let replaced = house.invitation("jo", 60_000).await;
    let newest = house.invitation("jo", 60_000).await;
    let forged = format!("{}.{}", &newest[..13], "A".repeat(43));
    for token in [
        lapsed.as_str(),
        &replaced,
        &forged,
        "",
        "i000000000000.",
        &"x".repeat(9000),
    ] {
        let answer = house
            .browser()
            .post("/api/v1/sign-in/invitation", &json!({ "token": token }))
            .await;
        assert_eq!(
            (answer.status, answer.rule()),
            (403, "invitation"),
            "{token}"
        );
    }
    let accept = json!({ "token": newest });
    assert_eq!(
        house
            .browser()
            .post("/api/v1/sign-in/invitation", &accept)
            .await
            .status,
        200
    );
    let secret = |token: &str| token.split('.').nth(1).unwrap().to_owned();
    assert!(
        !house
            .log_mentions(&[&secret(&token), &secret(&newest)])
            .await
    );
    house.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_the_help_desk_lets_people_back_in_but_no_administrator() {
    let house = House::start().await;
    house.person("root", &[Role::Admin]).await;
    house.person("kim", &[Role::Auditor]).await;
    let (mut desk, _) = house.at_work("desk", &[Role::HelpDesk]).await;
    let answer = desk
        .post("/api/v1/invitations", &json!({ "person": "kim" }))
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    // The token is in the fragment: what a browser sends of the link is "/".
    let url = answer.body["url"].as_str().unwrap();
    assert!(
        url.starts_with(&format!("{}/#/welcome/i", house.origin)),
        "{url}"
    );
    let answer = desk
        .post("/api/v1/invitations", &json!({ "person": "root" }))
        .await;
    assert_eq!((answer.status, answer.rule()), (403, "invitation.role"));
    let (mut auditor, _) = house.at_work("eve", &[Role::Auditor]).await;
    let answer = auditor
        .post("/api/v1/invitations", &json!({ "person": "kim" }))
        .await;
    assert_eq!((answer.status, answer.rule()), (403, "role"));
    assert_eq!(auditor.get("/api/v1/sessions?person=*").await.status, 403);
    let sessions = desk.get("/api/v1/sessions?person=eve").await;
    let working = sessions
        .body
        .as_array()
        .unwrap()
        .iter()
        .find(|session| session["purpose"] == "work");
    let path = format!(
        "/api/v1/sessions/{}",
        working.unwrap()["id"].as_str().unwrap()
    );
    assert_eq!(desk.delete(&path).await.status, 204);
    assert_eq!(auditor.get("/api/v1/session").await.status, 401);
    house.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_recovery_codes_work_once_and_guessing_waits_where_it_comes_from() {
    let house = House::start().await;
    let (mut browser, mut authenticator) = house.at_work("jo", &[Role::Auditor]).await;
    let made = browser
        .post("/api/v1/session/recovery-codes", &json!({}))
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let codes: Vec<String> = serde_json::from_value(made.body["codes"].clone()).unwrap();
    assert_eq!(codes.len(), 10);
    let attempt = |code: &str| json!({ "person": "jo", "code": code });
    let answer = house
        .browser()
        .post("/api/v1/sign-in/recovery", &attempt(&codes[0]))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["recovery_codes"], 9);
    let answer = house
        .browser()
        .post("/api/v1/sign-in/recovery", &attempt(&codes[0]))
        .await;
    assert_eq!((answer.status, answer.rule()), (403, "recovery.code"));
    // The slow hash is what is kept: Argon2id has no fast form of the code beside it.
    let record = house
        .ward
        .ca
        .store()
        .record("recovery", "jo")
        .await
        .unwrap()
        .unwrap();
    assert!(
        codes
            .iter()
            .all(|code| !record.body.contains(&code.replace('-', ""))
                && !record.body.contains(code.as_str()))
    );
    let wrong = "aaaa-bbbb-cccc-dddd-eeee";
    let mut waited = false;
    for _ in 0..12 {
        let answer = house
            .browser()
            .post("/api/v1/sign-in/recovery", &attempt(wrong))
            .await;
        waited |= answer.status == 429 && answer.header("retry-after").is_some();
    }
    assert!(waited);
    // Nobody is locked out by it: the person's passkey is taken from the same address.
    assert_eq!(
        house.browser().sign_in(&mut authenticator).await.status,
        200
    );
    assert!(!house.log_mentions(&[&codes[0], &codes[1]]).await);
    house.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_a_client_certificate_signs_in_and_the_session_is_bound_to_it() {
    let house = House::with(|config| {
        config.sign_in.certificate = Some(CertificateSignIn {
            profiles: vec!["client-tls".to_owned()],
            name: CertificateName::Cn,
        });
    })
    .await;
    house.person("jo", &[Role::Auditor]).await;
    let ward = &house.ward;
    let (key, csr, cert) = (
        ward.path("jo.key"),
        ward.path("jo.csr"),
        ward.path("jo.pem"),
    );
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=jo",
    ]);
    openssl
        .args(["-addext", "subjectAltName=DNS:jo.example.org"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&csr);
    run(openssl).await;
    let issuer = ward.token("ra", &[Role::Admin], Default::default()).await;
    let body = json!({ "profile": "client-tls", "csr": std::fs::read_to_string(&csr).unwrap() });
    let (status, issued) = ward
        .curl("POST", "/api/v1/certificates", Some(&issuer), Some(&body))
        .await;
    assert_eq!(status, 201, "{issued}");
    std::fs::write(
        &cert,
        issued["chain"].as_str().or(issued["pem"].as_str()).unwrap(),
    )
    .unwrap();
    let cookies = ward.path("cookies");
    let curl = |with_certificate: bool, method: &'static str, path: &'static str| {
        let mut command = Command::new("curl");
        command
            .args([
                "-sS",
                "--http1.1",
                "-X",
                method,
                "-w",
                "\n%{http_code}",
                "--cacert",
            ])
            .arg(ward.path("root.pem"));
        command
            .arg("-b")
            .arg(&cookies)
            .arg("-c")
            .arg(&cookies)
            .args(["-H", &format!("Origin: {}", house.origin)]);
        if with_certificate {
            command.arg("--cert").arg(&cert).arg("--key").arg(&key);
        }
        command.arg(format!("{}{path}", house.origin));
        run(command)
    };
    let none = curl(false, "POST", "/api/v1/sign-in/certificate").await;
    assert!(
        none.ends_with("403") && none.contains("certificate.none"),
        "{none}"
    );
    let begun = curl(true, "POST", "/api/v1/sign-in/certificate").await;
    assert!(
        begun.ends_with("200") && begun.contains("\"via\":\"certificate\""),
        "{begun}"
    );
    assert!(curl(true, "GET", "/api/v1/session").await.ends_with("200"));
    // The cookie without the certificate is stolen.
    let stolen = curl(false, "GET", "/api/v1/session").await;
    assert!(
        stolen.ends_with("401") && stolen.contains("client certificate"),
        "{stolen}"
    );
    let sha256 = issued["sha256"].as_str().unwrap();
    let reason = json!({ "reason": "keyCompromise" });
    let path = format!("/api/v1/certificates/{sha256}/revoke");
    assert_eq!(
        ward.curl("POST", &path, Some(&issuer), Some(&reason))
            .await
            .0,
        200
    );
    assert!(curl(true, "GET", "/api/v1/session").await.ends_with("401"));
    assert!(
        curl(true, "POST", "/api/v1/sign-in/certificate")
            .await
            .ends_with("403")
    );
    drop(permit(&ward.access, Action::ReadStatus));
    house.ward.stop().await;
}
