//! `ward discover` on captures whose content OpenSSL and tshark have told (crates/agent/tests/captures), and on stores that
//! OpenSSL makes.

#![allow(clippy::unwrap_used)] // Helpers may fail like tests.

mod hospital;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hospital::{Hospital, openssl, ward};
use serde_json::Value;

fn capture(name: &str) -> PathBuf {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/tests/captures");
    captures.join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn r53_a_capture_gives_the_certificates_that_were_shown() {
    let folder = tempfile::tempdir().unwrap();
    let expected: Value =
        serde_json::from_slice(&std::fs::read(capture("tls12-chain.json")).unwrap()).unwrap();
    let pcap = capture("tls12-chain.pcap");
    let ran = ward(
        folder.path(),
        &[
            "discover",
            "pcap",
            text(&pcap),
            "--out",
            "seen.jsonl",
            "--json",
        ],
    );
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let report = ran.json();
    assert_eq!(report["certificates"][0]["sha256"], expected["server"][0]);
    assert_eq!(report["omitted"], 0);
    let lines = std::fs::read_to_string(folder.path().join("seen.jsonl")).unwrap();
    assert_eq!(report["observations"], lines.lines().count());
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["v"], 1);
    assert_eq!(first["place"]["sni"], "pacs.hospital.test");
    let ran = ward(folder.path(), &["discover", "pcap", text(&pcap)]);
    ran.must("discover pcap", 0, &["pacs.hospital.test", "2 of them TLS"]);
}

#[test]
fn r16_files_on_a_host_give_their_certificates_and_never_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("host")).unwrap();
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=pacs",
        "-keyout",
        text(&path("host/key.pem")),
        "-out",
        text(&path("host/cert.pem")),
    ]);
    openssl(&[
        "pkcs12",
        "-export",
        "-inkey",
        text(&path("host/key.pem")),
        "-in",
        text(&path("host/cert.pem")),
        "-passout",
        "pass:opensesame",
        "-out",
        text(&path("host/store.p12")),
    ]);
    std::fs::write(path("passwords"), "wrong\nopensesame\n").unwrap();
    let report = ward(
        folder.path(),
        &[
            "discover",
            "files",
            "host",
            "--host",
            "pacs-1",
            "--passwords",
            "passwords",
            "--out",
            "seen.jsonl",
            "--json",
        ],
    )
    .json();
    let certificates = report["certificates"].as_array().unwrap();
    assert_eq!(
        certificates.len(),
        1,
        "one certificate in two places: {report}"
    );
    let places: BTreeSet<&str> = certificates[0]["places"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(
        places.iter().any(|place| place.contains("cert.pem")),
        "{places:?}"
    );
    assert!(
        places.iter().any(|place| place.contains("store.p12")),
        "{places:?}"
    );
    let key = std::fs::read_to_string(path("host/key.pem")).unwrap();
    let line = key.lines().nth(1).unwrap();
    let seen = std::fs::read_to_string(path("seen.jsonl")).unwrap();
    assert!(!seen.contains(line) && seen.contains("key.pem"));
    // Without the password the store is locked, and said to be.
    let report = ward(folder.path(), &["discover", "files", "host", "--json"]).json();
    assert_eq!(report["summary"]["ended"]["locked"], 1, "{report}");
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("notes.txt"),
        "not a capture at all, but long enough\n",
    )
    .unwrap();
    for (arguments, status, said) in [
        (
            &["discover", "pcap", "notes.txt"][..],
            1,
            "neither pcap nor pcapng",
        ),
        (&["discover", "pcap", "absent.pcap"], 1, "absent.pcap"),
        (&["discover", "files", "absent"], 1, "absent"),
        (&["discover", "files"], 2, "PATH"),
    ] {
        ward(folder.path(), arguments).must(&arguments.join(" "), status, &[said]);
    }
}

#[test]
fn r16_an_import_of_which_nothing_could_be_read_has_failed() {
    let hospital = Hospital::new();
    let host = hospital.path("host");
    std::fs::create_dir(&host).unwrap();
    let (key, cert, store) = (
        host.join("key.pem"),
        host.join("cert.pem"),
        host.join("store.p12"),
    );
    let (key, cert, store) = (text(&key), text(&cert), text(&store));
    let mut request = vec!["req", "-x509", "-newkey", "rsa:2048", "-nodes"];
    request.extend(["-keyout", key, "-out", cert, "-subj", "/CN=pacs1.example"]);
    openssl(&request);
    let mut export = vec!["pkcs12", "-export", "-in", cert, "-inkey", key];
    export.extend(["-passout", "pass:secret", "-out", store]);
    openssl(&export);
    for (files, status, said) in [
        ("host/store.p12", 1, "--passwords FILE"),
        ("host/cert.pem", 0, "1 certificates new"),
        // What was taken in of several files is taken in; what was not is told.
        ("host/store.p12 host/cert.pem", 0, "--passwords FILE"),
    ] {
        let ran = hospital.ward(&format!("discover import {files}"));
        ran.must(files, status, &[said]);
    }
}
