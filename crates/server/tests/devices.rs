//! How devices come in: client certificates on the HTTPS listener, bodies, and listeners without TLS.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    reason = "helpers of tests are tests"
)]

mod support;

use std::path::Path;
use std::process::Command;

use access::Action;
use enroll::device::{Desk, Endpoint, Protocols};
use fleet::Fleet;
use server::config::{Config, Legacy, LegacyTls};
use support::{Ward, output, permit};

/// An endpoint that speaks everything.
async fn open(ward: &Ward, name: &str) {
    let desk = Desk::new(ward.ca.clone(), Fleet::open(ward.ca.clone()).unwrap());
    let endpoint = Endpoint {
        name: name.to_owned(),
        profile: "device-ldevid".to_owned(),
        protocols: Protocols {
            est: true,
            scep: true,
            cmp: true,
        },
        ..Endpoint::default()
    };
    let permit = permit(&ward.access, Action::ManageEnrolment);
    let now = server::wall_clock();
    desk.put_endpoint(permit, endpoint, 0, now).await.unwrap();
    // The server reads of it in the log.
    let answered = async || {
        let path = format!("/.well-known/est/{name}/csrattrs");
        curl(ward, &path, &[]).await == "204"
    };
    for _ in 0..100 {
        if answered().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the endpoint does not answer");
}

/// The status of an answer over HTTPS, or `000` and curl's complaint.
async fn curl(ward: &Ward, path: &str, more: &[&str]) -> String {
    let url = format!("https://localhost:{}{path}", ward.addresses.api.port());
    let root = ward.path("root.pem");
    let mut arguments = vec!["--cacert", root.to_str().unwrap()];
    arguments.extend(more);
    status(&url, &arguments).await
}

async fn status(url: &str, more: &[&str]) -> String {
    let mut command = Command::new("curl");
    command
        .args(["-sS", "-o", "/dev/null", "-w", "%{http_code}"])
        .args(more)
        .arg(url);
    String::from_utf8(output(command).await.stdout).unwrap()
}

/// A certificate that a client made itself, and its key, in one file.
async fn self_signed(path: &Path, kind: &[&str]) {
    let file = path.to_str().unwrap();
    let mut command = Command::new("openssl");
    command
        .args([
            "req", "-x509", "-nodes", "-subj", "/CN=SN-1", "-keyout", file,
        ])
        .args(["-out", &format!("{file}.crt"), "-newkey"])
        .args(kind);
    support::run(command).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r09_a_client_certificate_is_asked_for_and_never_required() {
    let ward = Ward::start().await;
    assert_eq!(curl(&ward, "/healthz", &[]).await, "200");
    let (good, small) = (ward.path("good"), ward.path("small"));
    self_signed(&good, &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]).await;
    self_signed(&small, &["rsa:1024"]).await;
    let (good, small) = (good.to_str().unwrap(), small.to_str().unwrap());
    for version in ["1.2", "1.3"] {
        // A key of 1024 bits proves nothing any more.
        for (file, expected) in [(good, "200"), (small, "000")] {
            let certificate = format!("{file}.crt");
            let shown = ["--tls-max", version, "--cert", &certificate, "--key", file];
            assert_eq!(
                curl(&ward, "/healthz", &shown).await,
                expected,
                "{version} {file}"
            );
        }
    }
    ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r09_bodies_come_in_chunks_and_end_somewhere() {
    let ward = Ward::start().await;
    open(&ward, "pumps").await;
    let big = ward.path("big");
    std::fs::write(&big, vec![b'A'; 130 * 1024]).unwrap();
    let big = format!("@{}", big.display());
    let path = "/.well-known/est/pumps/simpleenroll";
    let chunked = ["-H", "Transfer-Encoding: chunked"];
    let table = [(big.as_str(), "413"), ("*", "400")];
    for version in ["--http1.1", "--http2"] {
        for more in [&[][..], &chunked[..]] {
            for (body, expected) in table {
                let post = [&[version, "-u", "a:b", "--data-binary", body], more].concat();
                assert_eq!(curl(&ward, path, &post).await, expected, "{post:?}");
            }
        }
    }
    ward.stop().await;
}

/// RFC 7030 §3.3: EST never; and nothing else that has credentials in it.
#[tokio::test(flavor = "multi_thread")]
async fn r05_a_segment_without_tls_reaches_its_endpoints_and_nothing_else() {
    let legacy = |config: &mut Config| {
        config.legacy = vec![Legacy {
            address: "127.0.0.1:0".parse().unwrap(),
            endpoints: vec!["old".to_owned()],
            segment: "infusion pumps".to_owned(),
            networks: Vec::new(),
            tls: None,
        }];
    };
    let ward = Ward::start_with(legacy).await;
    open(&ward, "old").await;
    open(&ward, "pumps").await;
    let port = ward.addresses.legacy[0].address.port();
    let there = async |path: &str| status(&format!("http://127.0.0.1:{port}{path}"), &[]).await;
    assert_eq!(there("/scep/old?operation=GetCACaps").await, "200");
    for path in [
        "/scep/pumps?operation=GetCACaps",
        "/.well-known/est/old/cacerts",
        "/.well-known/est/cacerts",
        "/.WELL-KNOWN/est/old/cacerts",
        "/api/v1/status",
        "/acme/",
        "/healthz",
        "/crl/devices.crl",
    ] {
        assert_eq!(there(path).await, "404", "{path}");
    }
    let public = ward.addresses.status.port();
    for path in [
        "/scep/old?operation=GetCACaps",
        "/.well-known/est/old/cacerts",
        "/cmp/old",
    ] {
        let there = status(&format!("http://127.0.0.1:{public}{path}"), &[]).await;
        assert_eq!(there, "404", "{path}");
    }
    let events = ward.ca.store().events(0, 100_000).await.unwrap();
    let events = events
        .iter()
        .map(|entry| audit::Event::parse(&entry.body).unwrap());
    let opened: Vec<_> = events
        .filter(|event| event.action == "listener.legacy")
        .collect();
    assert_eq!(opened.len(), 1);
    assert_eq!(opened[0].object.id, "infusion pumps");
    ward.stop().await;
}

/// What the HTTPS listener refuses, a listener for old devices answers: of its endpoints, and of its networks.
#[tokio::test(flavor = "multi_thread")]
async fn r09_old_suites_reach_their_endpoints_and_nothing_else() {
    let legacy = |config: &mut Config| {
        let listener = |segment: &str, network: &str| Legacy {
            address: "127.0.0.1:0".parse().unwrap(),
            endpoints: vec!["old".to_owned()],
            segment: segment.to_owned(),
            networks: vec![network.parse().unwrap()],
            tls: Some(LegacyTls {
                options: oldtls::Options::default(),
                names: vec!["localhost".to_owned()],
                authority: "devices".to_owned(),
            }),
        };
        config.legacy = vec![
            listener("laboratory", "127.0.0.0/8"),
            listener("elsewhere", "192.0.2.0/24"),
        ];
    };
    let ward = Ward::start_with(legacy).await;
    open(&ward, "old").await;
    open(&ward, "pumps").await;
    let root = ward.path("root.pem");
    let here = ward.addresses.legacy[0].address.port();
    let old = ["--tls-max", "1.2", "--ciphers", "AES128-SHA"];
    let there = async |port: u16, path: &str, more: &[&str]| {
        let url = format!("https://localhost:{port}{path}");
        let trust = ["--cacert", root.to_str().unwrap()];
        status(&url, &[&trust[..], more].concat()).await
    };
    let caps = "/scep/old?operation=GetCACaps";
    for path in [
        caps,
        "/.well-known/est/old/cacerts",
        "/.well-known/est/cacerts",
    ] {
        assert_eq!(there(here, path, &old).await, "200", "{path}");
        let main = there(ward.addresses.api.port(), path, &old).await;
        assert_eq!(main, "000", "{path}");
    }
    // Who knows better gets better.
    assert_eq!(there(here, caps, &[]).await, "200");
    for path in [
        "/scep/pumps?operation=GetCACaps",
        "/.well-known/est/pumps/cacerts",
        "/api/v1/status",
        "/acme/",
        "/healthz",
        "/crl/devices.crl",
    ] {
        assert_eq!(there(here, path, &old).await, "404", "{path}");
    }
    let elsewhere = ward.addresses.legacy[1].address.port();
    assert_eq!(there(elsewhere, caps, &old).await, "000");
    let version = [
        "--tlsv1.1",
        "--tls-max",
        "1.1",
        "--ciphers",
        "AES128-SHA:@SECLEVEL=0",
    ];
    assert_eq!(there(here, caps, &version).await, "000");
    // A certificate is asked for and not required; a key of 1024 bits proves nothing here either.
    let (good, small) = (ward.path("good"), ward.path("small"));
    self_signed(&good, &["rsa:2048"]).await;
    self_signed(&small, &["rsa:1024"]).await;
    for (file, expected) in [(&good, "200"), (&small, "000")] {
        let key = file.to_str().unwrap();
        let certificate = format!("{key}.crt");
        let weak = ["--tls-max", "1.2", "--ciphers", "AES128-SHA:@SECLEVEL=0"];
        let shown = [&weak[..], &["--cert", &certificate, "--key", key]].concat();
        assert_eq!(there(here, caps, &shown).await, expected, "{key}");
    }
    let events = ward.ca.store().events(0, 100_000).await.unwrap();
    let events = events
        .iter()
        .map(|entry| audit::Event::parse(&entry.body).unwrap());
    let (opened, rest): (Vec<_>, Vec<_>) =
        events.partition(|event| event.action == "listener.legacy");
    let opened: Vec<_> = opened
        .iter()
        .map(|event| event.object.id.as_str())
        .collect();
    assert_eq!(opened, ["laboratory", "elsewhere"]);
    let renewed = rest.iter().filter(|event| event.action == "listener.renew");
    assert_eq!(renewed.count(), 3);
    // The keys are secrets under the key-encrypting key, one for each listener, and stay after a restart.
    let secrets = ward.ca.store().records(ca::SECRET_RECORDS).await.unwrap();
    let secrets: Vec<_> = secrets.into_iter().map(|record| record.id).collect();
    assert_eq!(secrets.len(), 2);
    let folder = ward.stop().await;
    let ward = Ward::serve(folder, "", legacy).await;
    let again = ward.ca.store().records(ca::SECRET_RECORDS).await.unwrap();
    let again: Vec<_> = again.into_iter().map(|record| record.id).collect();
    assert_eq!(again, secrets);
    let here = ward.addresses.legacy[0].address.port();
    let url = format!("https://localhost:{here}{caps}");
    let root = ward.path("root.pem");
    let trust = ["--cacert", root.to_str().unwrap()];
    assert_eq!(status(&url, &[&trust[..], &old].concat()).await, "200");
    ward.stop().await;
}
