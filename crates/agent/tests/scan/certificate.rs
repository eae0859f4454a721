//! The certificate by one aborted handshake, whatever the server speaks.

use crate::support::{Pki, Server, config, look, look_at, output};
use agent::observation::{Observation, Outcome, Version};
use agent::scan::Depth;
use std::fs;

/// Chain as sent, and what was agreed.
fn is_certificate(seen: &Observation, pki: &Pki, leaf: &str) {
    assert_eq!(seen.outcome, Outcome::Certificate, "{seen:?}");
    assert_eq!(seen.chain, [pki.der(leaf), pki.der("sub")]);
}

#[tokio::test]
async fn every_version_and_key_exchange_of_openssl_shows_its_chain() {
    let pki = Pki::new();
    pki.leaf("rsa", "rsa:2048").leaf("ec", "ec:prime256v1");
    type Row<'a> = (&'a str, &'a [&'a str], Version, u16, Option<u16>);
    let table: &[Row<'_>] = &[
        // leaf, options, version, suite, bits of the key exchange
        (
            "ec",
            &["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"],
            Version::Tls13,
            0x1301,
            Some(255),
        ),
        (
            "rsa",
            &["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"],
            Version::Tls13,
            0x1302,
            Some(255),
        ),
        (
            "rsa",
            &["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"],
            Version::Tls13,
            0x1303,
            Some(255),
        ),
        (
            "ec",
            &[
                "-tls1_3",
                "-ciphersuites",
                "TLS_AES_128_GCM_SHA256",
                "-groups",
                "P-256",
            ],
            Version::Tls13,
            0x1301,
            Some(256),
        ),
        (
            "ec",
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
            Version::Tls12,
            0xc02b,
            Some(255),
        ),
        (
            "rsa",
            &["-tls1_2", "-cipher", "AES128-SHA"],
            Version::Tls12,
            0x002f,
            None,
        ),
        (
            "rsa",
            &["-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384"],
            Version::Tls12,
            0x009f,
            Some(2048),
        ),
        (
            "rsa",
            &["-tls1_2", "-cipher", "ARIA128-GCM-SHA256:@SECLEVEL=0"],
            Version::Tls12,
            0xc050,
            None,
        ),
        (
            "rsa",
            &["-tls1_1", "-cipher", "ECDHE-RSA-AES256-SHA:@SECLEVEL=0"],
            Version::Tls11,
            0xc014,
            Some(255),
        ),
        (
            "rsa",
            &["-tls1", "-cipher", "AES256-SHA:@SECLEVEL=0"],
            Version::Tls10,
            0x0035,
            None,
        ),
        (
            "rsa",
            &["-tls1", "-cipher", "NULL-MD5:@SECLEVEL=0"],
            Version::Tls10,
            0x0001,
            None,
        ),
    ];
    for (leaf, options, version, suite, bits) in table {
        let server = Server::openssl(&pki.options(leaf), options, pki.folder());
        let seen = look(server.port, Depth::Certificate).await;
        assert_eq!(
            seen.outcome,
            Outcome::Certificate,
            "{options:?} {}",
            server.said()
        );
        is_certificate(&seen, &pki, leaf);
        let tls = seen.tls.unwrap();
        assert_eq!(tls.negotiated, Some((*version, *suite)), "{options:?}");
        assert_eq!(tls.key_exchange_bits, *bits, "{options:?}");
    }
}

#[tokio::test]
async fn rfc_8446_4_1_4_another_group_takes_a_second_hello_on_the_same_connection() {
    let pki = Pki::new();
    pki.leaf("ec", "ec:prime256v1");
    for (group, number, bits) in [("P-384", 0x0018, 384), ("P-521", 0x0019, 521)] {
        let options = ["-tls1_3", "-groups", group];
        let server = Server::openssl(&pki.options("ec"), &options, pki.folder());
        let seen = look(server.port, Depth::Certificate).await;
        is_certificate(&seen, &pki, "ec");
        let tls = seen.tls.unwrap();
        assert_eq!(
            (tls.group, tls.key_exchange_bits),
            (Some(number), Some(bits))
        );
    }
    // A group that cannot be computed here is no certificate, with the reason.
    let server = Server::openssl(
        &pki.options("ec"),
        &["-tls1_3", "-groups", "X448"],
        pki.folder(),
    );
    let seen = look(server.port, Depth::Certificate).await;
    let Outcome::NoCertificate { why } = &seen.outcome else {
        panic!("{seen:?}");
    };
    assert!(why.contains("group 0x001e"), "{why}");
}

#[tokio::test]
async fn suites_without_a_certificate_are_told_from_silence() {
    let pki = Pki::new();
    let table: &[(&[&str], &str)] = &[
        (
            &[
                "-nocert",
                "-tls1_2",
                "-cipher",
                "ADH-AES128-SHA:@SECLEVEL=0",
            ],
            "DH_anon",
        ),
        (
            &[
                "-nocert",
                "-tls1_2",
                "-cipher",
                "AECDH-AES128-SHA:@SECLEVEL=0",
            ],
            "ECDH_anon",
        ),
        (
            &[
                "-nocert",
                "-tls1_2",
                "-psk",
                "0a0b0c0d",
                "-cipher",
                "PSK-AES128-CBC-SHA:@SECLEVEL=0",
            ],
            "TLS_PSK_WITH",
        ),
    ];
    for (options, kind) in table {
        let server = Server::openssl(&[], options, pki.folder());
        let seen = look(server.port, Depth::Certificate).await;
        let Outcome::NoCertificate { why } = &seen.outcome else {
            panic!("{options:?}: {seen:?}");
        };
        assert!(why.contains(kind), "{why}");
        assert!(seen.tls.is_some() && seen.chain.is_empty());
    }
}

#[tokio::test]
async fn client_certificates_staples_and_alpn_are_seen_in_both_generations() {
    let pki = Pki::new();
    pki.leaf("ec", "ec:prime256v1");
    let issuer = [
        "-issuer",
        &pki.path("sub.pem"),
        "-cert",
        &pki.path("ec.pem"),
    ]
    .map(str::to_owned);
    let [a, b, c, d] = &issuer;
    let request = pki.path("request");
    output(
        "openssl",
        &["ocsp", a, b, c, d, "-no_nonce", "-reqout", &request],
        b"",
    );
    fs::write(pki.path("index"), b"").unwrap();
    let (staple, sub) = (pki.path("staple"), pki.path("sub.pem"));
    let (index, sub_key) = (pki.path("index"), pki.path("sub.key"));
    output(
        "openssl",
        &[
            "ocsp", "-index", &index, "-CA", &sub, "-rsigner", &sub, "-rkey", &sub_key, "-reqin",
            &request, "-respout", &staple, "-ndays", "1",
        ],
        b"",
    );
    for version in ["-tls1_2", "-tls1_3"] {
        let root = pki.path("root.pem");
        let options = [
            version,
            "-Verify",
            "3",
            "-CAfile",
            &root,
            "-status_file",
            &staple,
            "-alpn",
            "http/1.1",
        ];
        let server = Server::openssl(&pki.options("ec"), &options, pki.folder());
        let seen = look(server.port, Depth::Certificate).await;
        is_certificate(&seen, &pki, "ec");
        let tls = seen.tls.unwrap();
        assert_eq!(tls.alpn.as_deref(), Some("http/1.1"), "{version}");
        assert_eq!(
            tls.ocsp_staple.unwrap().0,
            fs::read(&staple).unwrap(),
            "{version}"
        );
        let subject = output(
            "openssl",
            &[
                "x509", "-in", &root, "-noout", "-subject", "-nameopt", "RFC2253",
            ],
            b"",
        );
        assert_eq!(
            String::from_utf8(subject).unwrap().trim(),
            "subject=CN=root"
        );
        let authorities = tls.client_certificate.unwrap().authorities;
        assert_eq!(authorities.len(), 1, "{version}");
        assert!(authorities[0].0.ends_with(b"root"), "{version}");
        assert!(tls.signature.is_some(), "{version}");
    }
}

#[tokio::test]
async fn a_server_shows_each_name_its_own_certificate() {
    let pki = Pki::new();
    pki.leaf("one.example", "ec:prime256v1")
        .leaf("two.example", "rsa:2048");
    for version in ["-tls1_2", "-tls1_3"] {
        let (pem, key) = (pki.path("two.example.pem"), pki.path("two.example.key"));
        let chain = pki.path("sub.pem");
        let options = [
            version,
            "-servername",
            "two.example",
            "-cert2",
            &pem,
            "-key2",
            &key,
            "-chainCAfile",
            &chain,
        ];
        let server = Server::openssl(&pki.options("one.example"), &options, pki.folder());
        let service = format!("{}/tls", server.port);
        for name in ["one.example", "two.example"] {
            let seen = look_at(&service, Some(name), config(Depth::Certificate)).await;
            assert_eq!(seen.outcome, Outcome::Certificate);
            assert_eq!(seen.chain[0], pki.der(name), "{version}");
        }
    }
}

#[tokio::test]
async fn gnutls_and_nginx_agree() {
    let pki = Pki::new();
    pki.leaf("ec", "ec:prime256v1");
    let (leaf, key) = (pki.path("ec.pem"), pki.path("ec.key"));
    let both = [
        fs::read(&leaf).unwrap(),
        fs::read(pki.path("sub.pem")).unwrap(),
    ]
    .concat();
    fs::write(pki.path("chain.pem"), both).unwrap();
    let chain = pki.path("chain.pem");
    for priority in [
        "NORMAL",
        "NORMAL:-VERS-ALL:+VERS-TLS1.2",
        "NORMAL:-VERS-ALL:+VERS-TLS1.0",
    ] {
        let arguments = [
            "--port={port}",
            "--http",
            "--x509certfile",
            &chain,
            "--x509keyfile",
            &key,
            "--priority",
            priority,
        ];
        let server = Server::start("gnutls-serv", &arguments.map(str::to_owned), pki.folder());
        let seen = look(server.port, Depth::Certificate).await;
        is_certificate(&seen, &pki, "ec");
    }
    let folder = pki.folder().to_string_lossy();
    let configuration = format!(
        "daemon off; master_process off; pid {folder}/pid; error_log stderr; events {{}}\n\
         http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};\n\
         fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};\n\
         server {{ listen 127.0.0.1:PORT ssl; ssl_certificate {chain}; ssl_certificate_key {key};\n\
         ssl_protocols TLSv1.2 TLSv1.3; }} }}\n"
    );
    let port = crate::support::free_port();
    fs::write(
        pki.path("nginx.conf"),
        configuration.replace("PORT", &port.to_string()),
    )
    .unwrap();
    let arguments = ["-p", &folder, "-c", &pki.path("nginx.conf")].map(str::to_owned);
    let mut server = Server::spawn("/usr/sbin/nginx", &arguments, pki.folder(), port);
    server.wait_until_listening();
    let seen = look(port, Depth::Certificate).await;
    is_certificate(&seen, &pki, "ec");
    // RFC 8446 §4.1.3: who takes TLS 1.2 and speaks 1.3 says so.
    let tls = seen.tls.unwrap();
    assert_eq!(tls.negotiated.unwrap().0, Version::Tls12);
    assert_eq!(tls.beyond, Some(Version::Tls13));
    // What a handshake that ends half way leaves behind: no error that a person would be woken by.
    let said = server.said();
    assert!(
        !said.contains("[crit]") && !said.contains("[alert]"),
        "{said}"
    );
}

/// RFC 7301 §3.2: a server may refuse who offers none of its protocols, and a certificate it has all the same.
#[tokio::test]
async fn who_insists_on_a_protocol_of_its_own_shows_its_certificate() {
    let pki = Pki::new();
    pki.leaf("ec", "ec:prime256v1");
    let (chain, key) = (pki.path("ec.pem"), pki.path("ec.key"));
    for (priority, version) in [
        ("NORMAL:-VERS-ALL:+VERS-TLS1.2", Version::Tls12),
        ("NORMAL:-VERS-ALL:+VERS-TLS1.3", Version::Tls13),
    ] {
        let arguments = [
            "--port={port}",
            "--http",
            "--alpn=mqtt",
            "--alpn-fatal",
            "--x509certfile",
            &chain,
            "--x509keyfile",
            &key,
            "--priority",
            priority,
        ];
        let server = Server::start("gnutls-serv", &arguments.map(str::to_owned), pki.folder());
        let seen = look(server.port, Depth::Certificate).await;
        assert_eq!(seen.outcome, Outcome::Certificate, "{priority}");
        assert_eq!(seen.chain[0], pki.der("ec"), "{priority}");
        let tls = seen.tls.unwrap();
        assert_eq!(tls.negotiated.unwrap().0, version);
        assert_eq!((tls.alpn, tls.beyond), (None, None), "{priority}");
    }
}
