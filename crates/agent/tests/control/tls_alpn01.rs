//! tls-alpn-01 against `openssl s_server`, with certificates made by Python's `cryptography`
//! (R09; RFC 8737, RFC 8738 §6).

use std::{
    io::{Read, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use agent::control::{ChallengeKind, Failure, FailureKind, Proof, Rules};

use crate::support::{
    KEY_AUTHORIZATION, Server, check, free_port, local_rules, redirect, request_head, validator,
    wait_for_port,
};

const NAME: &str = "pacs.hospital.example";

/// A certificate and its key as PEM files.
struct Pair {
    certificate: PathBuf,
    key: PathBuf,
}

/// Has `variant` of a challenge certificate made.
fn make(folder: &Path, variant: &str, identifier: &str) -> Pair {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/challenge_certificate.py"
    );
    let venv = std::env::var("WARD_VENV")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tmp/venv").to_owned());
    let out = folder.join(format!("{variant}.pem"));
    let done = Command::new(format!("{venv}/bin/python"))
        .args([script, variant, identifier, KEY_AUTHORIZATION])
        .arg(&out)
        .status()
        .expect("scripts/install-deps.sh installs Python and cryptography");
    assert!(done.success(), "{variant}");
    Pair {
        key: out.with_extension("key"),
        certificate: out,
    }
}

/// `openssl s_server`, ended with the test.
struct OpenSsl {
    process: Child,
    address: SocketAddr,
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl OpenSsl {
    fn start(address: &str, pair: &Pair, options: &[&str]) -> OpenSsl {
        let address: SocketAddr = format!("{address}:{}", free_port()).parse().unwrap();
        let process = Command::new("openssl")
            .args(["s_server", "-quiet", "-accept", &address.to_string()])
            .arg("-cert")
            .arg(&pair.certificate)
            .arg("-key")
            .arg(&pair.key)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("scripts/install-deps.sh installs openssl");
        wait_for_port(address);
        OpenSsl { process, address }
    }
}

async fn prove(server: SocketAddr, identifier: &str) -> Result<Proof, Failure> {
    let rules = Rules {
        tls_port: server.port(),
        ..local_rules(80)
    };
    let hosts = [(NAME, "127.0.0.1")];
    validator(&hosts)
        .check(check(ChallengeKind::TlsAlpn01, identifier, rules))
        .await
}

#[tokio::test]
async fn rfc_8737_3_the_certificate_of_the_challenge_proves_control() {
    let folder = tempfile::tempdir().unwrap();
    for variant in ["good", "rsa", "p384", "ed25519", "expired", "upper-case"] {
        let pair = make(folder.path(), variant, NAME);
        let versions: &[&str] = match variant {
            "ed25519" => &["-tls1_3"],
            _ => &["-tls1_2", "-tls1_3"],
        };
        for version in versions {
            let server = OpenSsl::start("127.0.0.1", &pair, &["-alpn", "acme-tls/1", version]);
            let result = prove(server.address, NAME).await;
            assert!(result.is_ok(), "{variant} {version}: {result:?}");
            assert_eq!(result.unwrap().addresses, [server.address]);
        }
    }
}

#[tokio::test]
async fn rfc_8738_an_address_is_proven_by_an_address() {
    let folder = tempfile::tempdir().unwrap();
    for (bind, address) in [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")] {
        let pair = make(folder.path(), "good", address);
        let server = OpenSsl::start(bind, &pair, &["-alpn", "acme-tls/1"]);
        let result = prove(server.address, address).await;
        assert!(result.is_ok(), "{address}: {result:?}");
    }
}

/// RFC 8737 §3 and RFC 8738 §6: SNI and ALPN as they stand in the ClientHello.
#[tokio::test]
async fn the_handshake_names_what_is_asked_for() {
    let v6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa";
    for (bind, identifier, name) in [
        ("127.0.0.1:0", NAME, NAME),
        ("127.0.0.1:0", "127.0.0.1", "1.0.0.127.in-addr.arpa"),
        ("[::1]:0", "::1", v6),
    ] {
        let (tell, told) = std::sync::mpsc::channel();
        let server = Server::start_on(bind, move |stream| {
            let mut hello = vec![0; 4096];
            let length = stream.read(&mut hello).unwrap_or(0);
            let _ = tell.send(hello[..length].to_vec());
        });
        assert!(prove(server.address, identifier).await.is_err());
        let hello = told.recv().unwrap();
        let length = u16::try_from(name.len()).unwrap();
        // server_name, RFC 6066 §3; application_layer_protocol_negotiation, RFC 7301 §3.1.
        let mut sni = vec![0, 0];
        for n in [length + 5, length + 3] {
            sni.extend(n.to_be_bytes());
        }
        sni.push(0);
        sni.extend(length.to_be_bytes());
        sni.extend(name.bytes());
        let alpn = b"\0\x10\0\x0d\0\x0b\x0aacme-tls/1".to_vec();
        for extension in [sni, alpn] {
            assert!(
                hello.windows(extension.len()).any(|w| w == extension),
                "{identifier}"
            );
        }
    }
}

#[tokio::test]
async fn rfc_8737_3_other_certificates_prove_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (variant, why) in [
        ("other-name", "does not hold exactly"),
        ("two-names", "does not hold exactly"),
        ("name-and-address", "does not hold exactly"),
        ("wildcard", "does not hold exactly"),
        ("common-name-only", "no subjectAltName"),
        ("no-proof", "no acmeIdentifier"),
        ("not-critical", "not critical"),
        ("other-digest", "SHA-256 of the key authorization"),
        ("digest-not-wrapped", "SHA-256 of the key authorization"),
        ("digest-and-more", "SHA-256 of the key authorization"),
        ("issued", "not self-signed"),
        ("self-issued-other-key", "not self-signed"),
    ] {
        let pair = make(folder.path(), variant, NAME);
        let server = OpenSsl::start("127.0.0.1", &pair, &["-alpn", "acme-tls/1"]);
        let failure = prove(server.address, NAME).await.unwrap_err();
        assert_eq!(
            failure.kind,
            FailureKind::Unauthorized,
            "{variant}: {failure}"
        );
        assert!(failure.detail.contains(why), "{variant}: {failure}");
    }
    let address = make(folder.path(), "good", "127.0.0.1");
    let server = OpenSsl::start("127.0.0.1", &address, &["-alpn", "acme-tls/1"]);
    assert!(prove(server.address, NAME).await.is_err());
}

#[tokio::test]
async fn rfc_8737_4_without_the_protocol_or_with_old_tls_nothing_is_proven() {
    let folder = tempfile::tempdir().unwrap();
    let pair = make(folder.path(), "good", NAME);
    let server = OpenSsl::start("127.0.0.1", &pair, &[]);
    let failure = prove(server.address, NAME).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unauthorized);
    assert!(failure.detail.contains("acme-tls/1"), "{failure}");
    let refusing = OpenSsl::start("127.0.0.1", &pair, &["-alpn", "http/1.1"]);
    assert!(prove(refusing.address, NAME).await.is_err());
    let old = OpenSsl::start(
        "127.0.0.1",
        &pair,
        &[
            "-alpn",
            "acme-tls/1",
            "-tls1_1",
            "-cipher",
            "ALL:@SECLEVEL=0",
        ],
    );
    assert_eq!(
        prove(old.address, NAME).await.unwrap_err().kind,
        FailureKind::Tls
    );
}

#[tokio::test]
async fn servers_that_do_not_speak_tls_end_soon() {
    let hangs = Server::start(|_| thread::sleep(Duration::from_secs(30)));
    let begun = Instant::now();
    let failure = prove(hangs.address, NAME).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Connection, "{failure}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    let plain = Server::start(|stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read(&mut [0; 4096]);
    });
    assert_eq!(
        prove(plain.address, NAME).await.unwrap_err().kind,
        FailureKind::Tls
    );
    let closes = Server::start(|_| ());
    assert_eq!(
        prove(closes.address, NAME).await.unwrap_err().kind,
        FailureKind::Connection
    );
    let floods =
        Server::start(|stream| while stream.write_all(&[0x16, 3, 3, 0, 4, 2, 0, 0, 0]).is_ok() {});
    let begun = Instant::now();
    assert!(prove(floods.address, NAME).await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(10));
    // Loopback is not allowed here.
    let rules = Rules {
        tls_port: floods.port(),
        ..Rules::default()
    };
    let refused = validator(&[(NAME, "127.0.0.1")])
        .check(check(ChallengeKind::TlsAlpn01, NAME, rules))
        .await;
    assert!(
        refused
            .unwrap_err()
            .detail
            .contains("may not be connected to")
    );
}

/// http-01 may be redirected to https; nobody asks for a good certificate there (RFC 8555 §8.3).
#[tokio::test]
async fn http01_follows_to_https_whatever_the_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let pair = make(folder.path(), "other-name", NAME);
    std::fs::write(folder.path().join("answer"), KEY_AUTHORIZATION).unwrap();
    let port = free_port();
    let mut https = Command::new("openssl")
        .args([
            "s_server",
            "-quiet",
            "-WWW",
            "-accept",
            &format!("127.0.0.1:{port}"),
        ])
        .arg("-cert")
        .arg(&pair.certificate)
        .arg("-key")
        .arg(&pair.key)
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for_port(format!("127.0.0.1:{port}").parse().unwrap());
    let http = Server::start(move |stream| {
        request_head(stream);
        let _ = stream.write_all(&redirect(301, &format!("https://{NAME}:{port}/answer")));
    });
    let rules = Rules {
        tls_port: port,
        ..local_rules(http.port())
    };
    let asked = check(ChallengeKind::Http01, NAME, rules);
    let result = validator(&[(NAME, "127.0.0.1")]).check(asked).await;
    let _ = https.kill();
    let _ = https.wait();
    let proof = result.unwrap();
    assert_eq!(proof.urls[1], format!("https://{NAME}:{port}/answer"));
}
