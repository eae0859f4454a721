//! EST through its door, on both databases: what it answers, and to whom (R09).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    reason = "helpers of tests are tests"
)]

mod enrol;
mod support;

use access::Action;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use enroll::device::{CsrAttributes, EstPolicy, Reply};
use x509::Certificate;

use support::{House, NOW, Sent, admin, endpoint, header, on_both, text};

on_both!(
    r09_the_trust_anchors_need_no_credentials,
    r09_a_rotation_shows_both_generations,
    r09_attributes_are_told_or_there_are_none,
    r09_nobody_learns_which_endpoints_exist,
    r09_without_tls_there_is_no_est,
    r09_each_operation_has_its_method,
    r09_who_shows_nothing_is_asked_for_credentials,
    r09_what_is_not_offered_says_so,
);

/// The certificates of a certs-only answer, whose body is base64 in lines of 76 characters.
fn certificates(reply: &Reply) -> Vec<Certificate> {
    assert_eq!(reply.status, 200, "{}", text(reply));
    let content_type = header(reply, "content-type").unwrap();
    assert_eq!(
        content_type,
        "application/pkcs7-mime; smime-type=certs-only"
    );
    assert!(text(reply).lines().all(|line| line.len() <= 76));
    let der = STANDARD.decode(text(reply).replace('\n', "")).unwrap();
    let bundle = x509::pkcs7::parse(&der).unwrap();
    assert_eq!((bundle.signers, bundle.content), (0, None));
    bundle.certificates
}

async fn r09_the_trust_anchors_need_no_credentials(postgres: bool) {
    let house = House::bare(postgres).await;
    house.put(endpoint("pumps")).await;
    house.put(endpoint("default")).await;
    let labelled = certificates(&house.get("/.well-known/est/pumps/cacerts").await);
    let plain = certificates(&house.get("/.well-known/est/cacerts").await);
    assert_eq!(labelled, plain);
    let expected = ["devices", "root"].map(|id| house.ca.issuer(id).unwrap());
    let expected = expected.map(|issuer| issuer.certificate().clone());
    assert_eq!(labelled, expected);
}

/// RFC 7030 §4.1.3: the certificates that lead from either generation to the other are in the answer.
async fn r09_a_rotation_shows_both_generations(postgres: bool) {
    let house = House::bare(postgres).await;
    house.put(endpoint("pumps")).await;
    for name in ["root", "devices"] {
        let permit = admin(&house.ca, Action::ManageAuthorities);
        let key = house.site.root_key();
        let rotated = house
            .ca
            .rotate_authority(permit, name, key, None, None, NOW);
        rotated.await.unwrap();
    }
    let found = certificates(&house.get("/.well-known/est/pumps/cacerts").await);
    let expected = ["devices-g2", "root-g2", "devices", "root"];
    let expected = expected.map(|id| house.ca.issuer(id).unwrap().certificate().clone());
    assert_eq!(found, expected);
}

async fn r09_attributes_are_told_or_there_are_none(postgres: bool) {
    let house = House::bare(postgres).await;
    house.put(endpoint("pumps")).await;
    let none = house.get("/.well-known/est/pumps/csrattrs").await;
    assert_eq!((none.status, none.body.len()), (204, 0));
    let mut told = endpoint("pumps");
    told.est = EstPolicy {
        csr_attributes: CsrAttributes {
            key: Some(x509::KeyAlgorithm::EcdsaP256),
            ..CsrAttributes::default()
        },
        ..EstPolicy::default()
    };
    house.put(told).await;
    let reply = house.get("/.well-known/est/pumps/csrattrs").await;
    assert_eq!(reply.status, 200);
    assert_eq!(header(&reply, "content-type"), Some("application/csrattrs"));
    let der = STANDARD.decode(text(&reply).trim()).unwrap();
    // ecPublicKey on P-256, ecdsa-with-SHA256 (RFC 5480 §2.1.1, RFC 5758 §3.2).
    assert_eq!(
        hex::encode(der),
        "3021301506072a8648ce3d0201310a06082a8648ce3d03010706082a8648ce3d040302"
    );
}

async fn r09_nobody_learns_which_endpoints_exist(postgres: bool) {
    let house = House::bare(postgres).await;
    let mut closed = endpoint("closed");
    closed.enabled = false;
    house.put(closed).await;
    let mut scep = endpoint("scep-only");
    scep.protocols = enroll::device::Protocols {
        scep: true,
        ..enroll::device::Protocols::default()
    };
    house.put(scep).await;
    let mut elsewhere = endpoint("elsewhere");
    elsewhere.networks = vec!["10.0.0.0/8".parse().unwrap()];
    house.put(elsewhere).await;
    for label in [
        "none",
        "closed",
        "scep-only",
        "elsewhere",
        "",
        "..",
        "none/none",
    ] {
        let path = format!("/.well-known/est/{label}/cacerts");
        let reply = house.get(&path).await;
        assert_eq!((reply.status, reply.body.len()), (404, 0), "{path}");
        assert!(reply.headers.is_empty(), "{path}");
    }
}

/// RFC 7030 §3.3.
async fn r09_without_tls_there_is_no_est(postgres: bool) {
    let house = House::bare(postgres).await;
    house.put(endpoint("default")).await;
    let plain = Sent {
        plain: true,
        ..Sent::default()
    };
    let reply = house.send("/.well-known/est/cacerts", plain).await;
    assert_eq!(reply.status, 404);
}

async fn r09_each_operation_has_its_method(postgres: bool) {
    let house = House::bare(postgres).await;
    house.put(endpoint("default")).await;
    let table = [
        ("cacerts", true, "GET, HEAD"),
        ("csrattrs", true, "GET, HEAD"),
        ("simpleenroll", false, "POST"),
        ("simplereenroll", false, "POST"),
        ("serverkeygen", false, "POST"),
    ];
    for (operation, post, allowed) in table {
        let sent = Sent {
            post: post.then_some(b"x".as_slice()),
            ..Sent::default()
        };
        let reply = house
            .send(&format!("/.well-known/est/{operation}"), sent)
            .await;
        assert_eq!(reply.status, 405, "{operation}");
        assert_eq!(header(&reply, "allow"), Some(allowed), "{operation}");
    }
}

/// RFC 7030 §3.2.3: a challenge, and nothing about the request, which has not been read.
async fn r09_who_shows_nothing_is_asked_for_credentials(postgres: bool) {
    let house = House::bare(postgres).await;
    house.put(endpoint("pumps")).await;
    let unusable = [
        None,
        Some("Bearer abc"),
        Some("Basic !"),
        Some("Basic bm9jb2xvbg=="),
    ];
    for operation in ["simpleenroll", "simplereenroll", "serverkeygen"] {
        for authorization in unusable {
            let sent = Sent {
                post: Some(b"no request at all"),
                authorization,
                ..Sent::default()
            };
            let path = format!("/.well-known/est/pumps/{operation}");
            let reply = house.send(&path, sent).await;
            assert_eq!(reply.status, 401, "{operation} {authorization:?}");
            let challenge = header(&reply, "www-authenticate").unwrap();
            assert_eq!(challenge, "Basic realm=\"EST pumps\", charset=\"UTF-8\"");
            assert_eq!(
                header(&reply, "content-type"),
                Some("text/plain; charset=utf-8")
            );
        }
    }
}

async fn r09_what_is_not_offered_says_so(postgres: bool) {
    let house = House::bare(postgres).await;
    house.put(endpoint("default")).await;
    let sent = |body| Sent {
        post: Some(body),
        authorization: Some("Basic dTpw"),
        ..Sent::default()
    };
    let cmc = house.send("/.well-known/est/fullcmc", sent(b"MII=")).await;
    assert_eq!(cmc.status, 501);
    let keys = house
        .send("/.well-known/est/serverkeygen", sent(b"MII="))
        .await;
    assert_eq!(keys.status, 501);
    let bad = house
        .send("/.well-known/est/simpleenroll", sent(b"***"))
        .await;
    assert_eq!(bad.status, 400);
    assert!(text(&bad).contains("RFC 8951"), "{}", text(&bad));
}
