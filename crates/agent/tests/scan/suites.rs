//! Versions, suites and whose order decides: as the server was told (R19).

use crate::peer::{
    Peer, certificate, drain, flight, handshake, read_record, record, say, server_hello,
};
use crate::support::{Pki, Server, look, output};
use agent::observation::{Observation, Outcome, Version, VersionSeen};
use agent::scan::Depth;
use agent::tls::suite::{all, suite};
use std::collections::BTreeSet;

fn names(seen: &VersionSeen) -> Vec<&'static str> {
    seen.suites
        .iter()
        .map(|&code| suite(code).unwrap().name)
        .collect()
}

fn versions(seen: &Observation) -> Vec<Version> {
    let seen = &seen.tls.as_ref().unwrap().versions;
    seen.iter().map(|version| version.version).collect()
}

/// IANA names of what OpenSSL makes of a cipher string.
fn openssl_ciphers(string: &str) -> Vec<String> {
    let text = output(
        "openssl",
        &["ciphers", "-s", "-tls1_2", "-stdname", string],
        b"",
    );
    let text = String::from_utf8(text).unwrap();
    let names = text
        .lines()
        .map(|line| line.split_whitespace().next().unwrap().to_owned());
    names
        .filter(|name| !name.starts_with("TLS_AES_") && !name.starts_with("TLS_CHACHA20"))
        .collect()
}

#[tokio::test]
async fn a_servers_list_comes_back_in_its_own_order() {
    let pki = Pki::new();
    pki.leaf("rsa", "rsa:2048");
    let string = "AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-SHA256:CAMELLIA256-SHA:\
                  ARIA128-GCM-SHA256:AES256-GCM-SHA384:NULL-SHA256:@SECLEVEL=0";
    let options = ["-tls1_2", "-serverpref", "-cipher", string];
    let server = Server::openssl(&pki.options("rsa"), &options, pki.folder());
    let seen = look(server.port, Depth::Suites).await;
    let [version] = seen.tls.as_ref().unwrap().versions.as_slice() else {
        panic!("{seen:?}");
    };
    let configured = [
        "TLS_RSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256",
        "TLS_RSA_WITH_CAMELLIA_256_CBC_SHA",
        "TLS_RSA_WITH_ARIA_128_GCM_SHA256",
        "TLS_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_RSA_WITH_NULL_SHA256",
    ];
    assert_eq!(names(version), configured);
    assert_eq!((version.server_order, version.complete), (Some(true), true));
    // Without the option the client's order decides, and the set is the same.
    let options = ["-tls1_2", "-cipher", string];
    let server = Server::openssl(&pki.options("rsa"), &options, pki.folder());
    let seen = look(server.port, Depth::Suites).await;
    let version = &seen.tls.unwrap().versions[0];
    assert_eq!(version.server_order, Some(false));
    let set = |names: &[&'static str]| names.iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(set(&names(version)), set(&configured));
}

#[tokio::test]
async fn everything_that_openssl_has_is_found() {
    let pki = Pki::new();
    pki.leaf("rsa", "rsa:2048").leaf("ec", "ec:prime256v1");
    let all_of_them = "ALL:COMPLEMENTOFALL:!PSK:!SRP:@SECLEVEL=0";
    let (cert, key) = (pki.path("ec.pem"), pki.path("ec.key"));
    let options = [
        "-tls1_2",
        "-dcert",
        &cert,
        "-dkey",
        &key,
        "-psk",
        "0a0b",
        "-cipher",
        "ALL:COMPLEMENTOFALL:@SECLEVEL=0",
    ];
    let server = Server::openssl(&pki.options("rsa"), &options, pki.folder());
    let seen = look(server.port, Depth::Suites).await;
    let version = &seen.tls.as_ref().unwrap().versions[0];
    let found: BTreeSet<String> = names(version).into_iter().map(str::to_owned).collect();
    // The server has no DSA key.
    let expected = openssl_ciphers(all_of_them);
    let missing: Vec<&String> = expected
        .iter()
        .filter(|name| !name.contains("_DSS_") && !found.contains(*name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(found.iter().any(|name| name.starts_with("TLS_PSK_WITH")));
    assert!(
        found
            .iter()
            .all(|name| all().any(|suite| suite.name == name))
    );
    assert!(version.complete);
}

#[tokio::test]
async fn versions_are_those_that_are_switched_on() {
    let pki = Pki::new();
    pki.leaf("rsa", "rsa:2048");
    let weak = ["-cipher", "ALL:@SECLEVEL=0"];
    let table: &[(&[&str], &[Version])] = &[
        (
            &weak,
            &[
                Version::Tls10,
                Version::Tls11,
                Version::Tls12,
                Version::Tls13,
            ],
        ),
        (
            &["-no_tls1_1", weak[0], weak[1]],
            &[Version::Tls10, Version::Tls12, Version::Tls13],
        ),
        (&["-tls1", weak[0], weak[1]], &[Version::Tls10]),
        (&["-tls1_3"], &[Version::Tls13]),
        (&[], &[Version::Tls12, Version::Tls13]),
    ];
    for (options, expected) in table {
        let server = Server::openssl(&pki.options("rsa"), options, pki.folder());
        for depth in [Depth::Versions, Depth::Suites] {
            let seen = look(server.port, depth).await;
            assert_eq!(seen.outcome, Outcome::Certificate);
            assert_eq!(versions(&seen), *expected, "{options:?} {depth:?}");
        }
    }
}

#[tokio::test]
async fn rfc_8446_4_2_7_groups_are_those_that_are_switched_on() {
    let pki = Pki::new();
    pki.leaf("ec", "ec:prime256v1");
    // P-384, X448 (which cannot be computed here and need not be), ffdhe2048, P-256.
    let options = ["-groups", "P-384:X448:ffdhe2048:P-256"];
    let server = Server::openssl(&pki.options("ec"), &options, pki.folder());
    let seen = look(server.port, Depth::Suites).await;
    let found: BTreeSet<u16> = seen.tls.unwrap().groups.into_iter().collect();
    assert_eq!(found, BTreeSet::from([0x0017, 0x0018, 0x001e, 0x0100]));
    // OpenSSL 3.0 has no ML-KEM, which is what a look at versions asks for.
    let seen = look(server.port, Depth::Versions).await;
    assert_eq!(seen.tls.unwrap().groups, [0u16; 0]);
    // A server that has it says so without being sent a key of it.
    let peer = Peer::start(|mut stream| {
        let hello = read_record(&mut stream);
        // supported_versions with TLS 1.3 alone.
        if !hello.windows(7).any(|part| part == [0, 43, 0, 3, 2, 3, 4]) {
            say(&mut stream, &flight(&[vec![0x30, 0]]));
            drain(&mut stream);
            return;
        }
        let has = |group: [u8; 2]| hello.windows(2).any(|pair| pair == group);
        if !has([0x11, 0xec]) && !has([0x11, 0xeb]) && has([0x11, 0xed]) {
            say(&mut stream, &record(21, &[2, 40]));
            return;
        }
        let random = output(
            "openssl",
            &["dgst", "-sha256", "-binary"],
            b"HelloRetryRequest",
        );
        let group = if has([0x11, 0xec]) {
            [0x11, 0xec]
        } else {
            [0x11, 0xeb]
        };
        let extensions = [&[0, 43, 0, 2, 3, 4, 0, 51, 0, 2][..], &group].concat();
        let body = [
            &[3, 3],
            &random[..],
            &[0, 0x13, 0x01, 0, 0, 12],
            &extensions,
        ]
        .concat();
        say(&mut stream, &record(22, &handshake(2, &body)));
        drain(&mut stream);
    });
    let seen = look(peer.port, Depth::Versions).await;
    assert_eq!(versions(&seen), [Version::Tls12, Version::Tls13]);
    assert_eq!(seen.tls.unwrap().groups, [0x11ec, 0x11eb]);
}

#[tokio::test]
async fn a_server_that_stumbles_over_its_own_choice_shows_the_rest() {
    // Dovecot 2.3 without Diffie-Hellman parameters does so: it chooses DHE and hangs up.
    let peer = Peer::start(|mut stream| {
        let hello = read_record(&mut stream);
        let session = 44 + usize::from(hello[43]);
        let length = usize::from(u16::from_be_bytes([hello[session], hello[session + 1]]));
        let suites: Vec<u16> = hello[session + 2..session + 2 + length]
            .chunks(2)
            .map(|code| u16::from_be_bytes([code[0], code[1]]))
            .collect();
        let has = |code| suites.contains(&code);
        let suite = match (&hello[9..11], has(0xc02f), has(0x009e), has(0x002f)) {
            ([3, 3], true, ..) => 0xc02f,
            ([3, 3], _, true, _) => return,
            ([3, 3], _, _, true) => 0x002f,
            // No version, no suite: closed without a word.
            _ => return,
        };
        let messages = [
            server_hello(suite),
            certificate(&[vec![0x30, 0]]),
            handshake(14, b""),
        ];
        say(&mut stream, &record(22, &messages.concat()));
        drain(&mut stream);
    });
    let mut config = crate::support::config(Depth::Suites);
    config.timing.answer = std::time::Duration::from_millis(300);
    let service = format!("{}/tls", peer.port);
    let seen = crate::support::look_at(&service, None, config).await;
    let versions = seen.tls.map(|tls| tls.versions).unwrap_or_default();
    let found: Vec<_> = versions
        .iter()
        .map(|seen| (seen.version, seen.suites.clone()))
        .collect();
    assert_eq!(
        found,
        [(Version::Tls12, vec![0xc02f, 0x002f])],
        "{:?}",
        seen.outcome
    );
}
