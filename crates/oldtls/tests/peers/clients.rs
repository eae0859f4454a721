//! `openssl s_client` as an old device.

use std::path::Path;

use oldtls::{Acceptor, Error, Identity, Options, SUITES, Version};

use crate::house::{House, suites, text};

/// A client of TLS 1.2 with RSA key exchange that shows a certificate, with others after it.
fn showing<'a>(pem: &'a Path, key: &'a Path, chain: &'a Path) -> [&'a str; 10] {
    [
        "-tls1_2",
        "-ign_eof",
        "-cipher",
        "AES128-SHA:@SECLEVEL=0",
        "-cert",
        text(pem),
        "-key",
        text(key),
        "-cert_chain",
        text(chain),
    ]
}

/// Whatever s_client would not do by itself any more.
fn old(suite: &str) -> String {
    format!("{suite}:@SECLEVEL=0")
}

#[tokio::test(flavor = "multi_thread")]
async fn r09_old_suites_of_tls_1_2() {
    let house = House::new();
    let mut server = house.serve(&Options::default()).await;
    for suite in SUITES.iter().filter(|suite| suite.usual) {
        let shown = ["-tls1_2", "-ign_eof", "-cipher", &old(suite.name)].map(str::to_owned);
        let shown: Vec<_> = shown.iter().map(String::as_str).collect();
        let said = server.s_client("hello\n", &shown).await;
        let expected = format!("got hello\nover {}\n", suite.name);
        assert!(said.contains(&expected), "{said}");
        assert!(said.contains("Secure Renegotiation IS supported"), "{said}");
        assert!(said.contains("Compression: NONE"), "{said}");
        let session = server.next().await.unwrap();
        assert_eq!(
            (session.version, session.suite.as_str()),
            (Version::Tls12, suite.name)
        );
        assert_eq!(session.chain, Vec::<Vec<u8>>::new());
    }
    // Its order counts, not the client's.
    let both = [
        "-tls1_2",
        "-ign_eof",
        "-cipher",
        "AES128-SHA:ECDHE-RSA-AES128-SHA:@SECLEVEL=0",
    ];
    let said = server.s_client("hello\n", &both).await;
    assert!(said.contains("over ECDHE-RSA-AES128-SHA\n"), "{said}");
    // DHE of 2048 bits, although the client takes less.
    let dhe = [
        "-tls1_2",
        "-ign_eof",
        "-cipher",
        "DHE-RSA-AES128-SHA:@SECLEVEL=0",
    ];
    let said = server.s_client("hello\n", &dhe).await;
    assert!(said.contains("Server Temp Key: DH, 2048 bits"), "{said}");
}

/// RFC 8996 forbids them: only where somebody says so.
#[tokio::test(flavor = "multi_thread")]
async fn versions_below_1_2_by_name_only() {
    let house = House::new();
    let table = [
        (Version::Tls12, [false, false, true]),
        (Version::Tls11, [false, true, true]),
        (Version::Tls10, [true, true, true]),
    ];
    for (min_version, expected) in table {
        let options = Options {
            min_version,
            ..Options::default()
        };
        let mut server = house.serve(&options).await;
        let versions = [
            ("-tls1", Version::Tls10),
            ("-tls1_1", Version::Tls11),
            ("-tls1_2", Version::Tls12),
        ];
        for ((flag, version), accepted) in versions.into_iter().zip(expected) {
            for suite in ["AES128-SHA", "ECDHE-RSA-AES256-SHA"] {
                let cipher = old(suite);
                let said = server
                    .s_client("hello\n", &[flag, "-ign_eof", "-cipher", &cipher])
                    .await;
                let told = server.next().await;
                assert_eq!(
                    said.contains("got hello"),
                    accepted,
                    "{min_version} {flag}\n{said}"
                );
                match (told, accepted) {
                    (Ok(session), true) => assert_eq!(session.version, version),
                    (Err(Error::Handshake(reason)), false) => {
                        assert_eq!(reason, "unsupported protocol");
                        assert!(said.contains("alert protocol version"), "{said}");
                    }
                    (told, _) => panic!("{min_version} {flag}: {told:?}"),
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_protects_nothing_is_refused() {
    let house = House::new();
    let options = Options {
        min_version: Version::Tls10,
        sha1: true,
        ..Options::default()
    };
    let mut server = house.serve(&options).await;
    let refused = [
        "NULL-SHA256",
        "NULL-SHA",
        "NULL-MD5",
        "ECDHE-RSA-NULL-SHA", // no encryption
        "ADH-AES128-SHA",
        "AECDH-AES128-SHA",
        "ADH-AES128-GCM-SHA256", // no authentication
        "CAMELLIA128-SHA",
        "AES128-CCM8",
        "ECDHE-ECDSA-AES128-SHA", // not on the list
    ];
    for suite in refused {
        let said = server
            .s_client("hello\n", &["-tls1_2", "-ign_eof", "-cipher", &old(suite)])
            .await;
        assert!(!said.contains("got hello"), "{suite}\n{said}");
        assert!(said.contains("alert handshake failure"), "{suite}\n{said}");
        let told = server.next().await;
        assert!(
            matches!(&told, Err(Error::Handshake(reason)) if reason == "no shared cipher"),
            "{suite}: {told:?}"
        );
    }
    let said = server.s_client("hello\n", &["-tls1_3", "-ign_eof"]).await;
    assert!(said.contains("alert protocol version"), "{said}");
    assert!(server.next().await.is_err());
    // The twin of all of these.
    let said = server
        .s_client(
            "hello\n",
            &["-tls1_2", "-ign_eof", "-cipher", &old("AES128-SHA")],
        )
        .await;
    assert!(said.contains("got hello"), "{said}");
}

/// RFC 5246 §7.4.6 and §7.4.8: asked for, not required, and whatever its key signs for passes.
#[tokio::test(flavor = "multi_thread")]
async fn client_certificates_of_any_kind() {
    let house = House::new();
    let mut server = house.serve(&Options::default()).await;
    house.self_signed("rsa", &["rsa:2048"]);
    house.self_signed("ec", &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    house.self_signed("other", &["rsa:2048"]);
    let chain = house.path("other.pem");
    for name in ["rsa", "ec"] {
        let (pem, key) = (house.path(&format!("{name}.pem")), house.key(name));
        let shown = showing(&pem, &key, &chain);
        let said = server.s_client("hello\n", &shown).await;
        assert!(said.contains("got hello"), "{said}");
        // None is hinted at: a client that finds its issuer missing would not send what it has.
        assert!(
            said.contains("No client certificate CA names sent"),
            "{said}"
        );
        let session = server.next().await.unwrap();
        assert_eq!(session.chain, [house.der(name), house.der("other")]);
    }
}

/// In TLS 1.2 a client may sign with SHA-1 alone (RFC 5246 §7.4.1.4.1 makes it what is meant where nothing is said).
#[tokio::test(flavor = "multi_thread")]
async fn sha1_signatures_by_name_only() {
    let house = House::new();
    house.self_signed("rsa", &["rsa:2048"]);
    let (pem, key) = (house.path("rsa.pem"), house.key("rsa"));
    for sha1 in [false, true] {
        let options = Options {
            sha1,
            ..Options::default()
        };
        let mut server = house.serve(&options).await;
        let shown = [
            "-tls1_2",
            "-ign_eof",
            "-cipher",
            "AES128-SHA:@SECLEVEL=0",
            "-cert",
            text(&pem),
            "-key",
            text(&key),
            "-sigalgs",
            "RSA+SHA1",
            "-client_sigalgs",
            "RSA+SHA1",
        ];
        let said = server.s_client("hello\n", &shown).await;
        let told = server.next().await;
        assert_eq!(said.contains("got hello"), sha1, "{said}");
        assert_eq!(told.is_ok_and(|session| session.chain.len() == 1), sha1);
        // Its own signature, in the key exchange.
        let shown = [
            "-tls1_2",
            "-ign_eof",
            "-cipher",
            "ECDHE-RSA-AES128-SHA:@SECLEVEL=0",
            "-sigalgs",
            "RSA+SHA1",
        ];
        let said = server.s_client("hello\n", &shown).await;
        assert_eq!(said.contains("got hello"), sha1, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_negotiated_again_or_resumed() {
    let house = House::new();
    let mut server = house.serve(&Options::default()).await;
    let cipher = old("AES128-SHA");
    // A line that begins with R: s_client's command for a new handshake.
    let said = server
        .s_client("R\n", &["-tls1_2", "-cipher", &cipher])
        .await;
    assert!(said.contains("RENEGOTIATING"), "{said}");
    assert!(said.contains("no renegotiation"), "{said}");
    assert!(server.next().await.is_ok());
    let session = house.path("session");
    let shown = [
        "-tls1_2",
        "-ign_eof",
        "-cipher",
        &cipher,
        "-sess_out",
        text(&session),
    ];
    let said = server.s_client("hello\n", &shown).await;
    assert!(said.contains("got hello"), "{said}");
    assert!(said.contains("Session-ID: \n"), "{said}");
    assert!(!said.contains("TLS session ticket:"), "{said}");
    // s_client writes down what can be resumed.
    assert!(!session.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_has_so_many_certificates_and_no_more() {
    let house = House::new();
    let mut server = house.serve(&Options::default()).await;
    house.self_signed("rsa", &["rsa:2048"]);
    let (pem, key, many) = (
        house.path("rsa.pem"),
        house.key("rsa"),
        house.path("many.pem"),
    );
    let one = std::fs::read_to_string(&pem).unwrap();
    for (count, accepted) in [(60, true), (100, false)] {
        std::fs::write(&many, one.repeat(count)).unwrap();
        let shown = showing(&pem, &key, &many);
        let said = server.s_client("hello\n", &shown).await;
        assert_eq!(said.contains("got hello"), accepted, "{said}");
        match (server.next().await, accepted) {
            (Ok(session), true) => assert_eq!(session.chain.len(), count + 1),
            (Err(Error::Handshake(reason)), false) => {
                assert_eq!(reason, "excessive message size");
            }
            (told, _) => panic!("{count}: {told:?}"),
        }
    }
}

#[test]
fn what_cannot_be_served_is_said_when_it_is_configured() {
    let house = House::new();
    house.self_signed("other", &["rsa:2048"]);
    let refusal = |identity: &Identity, options: &Options| match Acceptor::new(identity, options) {
        Ok(_) => panic!("made"),
        Err(error) => error.to_string(),
    };
    let usual = Options::default();
    let mut wrong = house.identity("server");
    wrong.key = house.der("other.key").into();
    assert_eq!(
        refusal(&wrong, &usual),
        "OpenSSL refuses its private key: key values mismatch"
    );
    wrong.key = b"none".to_vec().into();
    assert!(refusal(&wrong, &usual).starts_with("OpenSSL refuses its private key: "));
    let mut wrong = house.identity("server");
    wrong.chain.push(b"none".to_vec());
    assert!(refusal(&wrong, &usual).starts_with("OpenSSL refuses a certificate of its chain: "));
    // Debian builds its library without 3DES in TLS; whoever has one that knows it gets an acceptor.
    let triple = Options {
        suites: suites(&["AES128-SHA", "DES-CBC3-SHA"]),
        ..Options::default()
    };
    let known = std::process::Command::new("openssl")
        .args(["ciphers", "ALL:@SECLEVEL=0"])
        .output()
        .unwrap();
    let known = String::from_utf8(known.stdout).unwrap();
    match known.split(':').any(|name| name == "DES-CBC3-SHA") {
        true => drop(house.acceptor(&triple)),
        false => {
            let said = refusal(&house.identity("server"), &triple);
            assert!(said.starts_with("OpenSSL 3."), "{said}");
            assert!(
                said.ends_with("has no suite DES-CBC3-SHA: it was built without it"),
                "{said}"
            );
        }
    }
    assert!(oldtls::library().unwrap().starts_with("OpenSSL 3."));
}
