//! `ward x509 verify` beside `openssl verify`, on chains that OpenSSL made: both must say the same.

#![allow(clippy::unwrap_used)] // Helpers may fail like tests.

mod hospital;

use std::path::{Path, PathBuf};
use std::process::Command;

use hospital::{openssl, ward};
use tempfile::TempDir;

/// Root, intermediate constrained to `.example.org`, and leaves that do and do not fit.
struct Chains {
    folder: TempDir,
}

impl Chains {
    fn new() -> Self {
        let chains = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        chains.root("root");
        chains.root("other");
        let authority = "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nnameConstraints=critical,permitted;DNS:example.org";
        chains.certify("issuing", "/CN=Issuing", authority, "root", 3650);
        chains.certify(
            "leaf",
            "/CN=leaf",
            &leaf("www.example.org", "serverAuth"),
            "issuing",
            90,
        );
        chains.certify(
            "outside",
            "/CN=outside",
            &leaf("www.example.net", "serverAuth"),
            "issuing",
            90,
        );
        chains.certify(
            "client",
            "/CN=client",
            &leaf("client.example.org", "clientAuth"),
            "issuing",
            90,
        );
        let usurper = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign";
        chains.certify("usurper", "/CN=Usurper", usurper, "issuing", 90);
        chains.certify(
            "beneath",
            "/CN=beneath",
            &leaf("deep.example.org", "serverAuth"),
            "usurper",
            90,
        );
        chains.certify(
            "not-a-ca",
            "/CN=under leaf",
            &leaf("x.example.org", "serverAuth"),
            "leaf",
            90,
        );
        chains
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn key(&self, name: &str) {
        openssl(&[
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-out",
            &self.text(&format!("{name}.key")),
        ]);
    }

    fn root(&self, name: &str) {
        self.key(name);
        let (key, out) = (
            self.text(&format!("{name}.key")),
            self.text(&format!("{name}.pem")),
        );
        let subject = format!("/CN={name}");
        openssl(&[
            "req",
            "-x509",
            "-new",
            "-key",
            &key,
            "-out",
            &out,
            "-subj",
            &subject,
            "-days",
            "3650",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        ]);
    }

    fn certify(&self, name: &str, subject: &str, extensions: &str, issuer: &str, days: u32) {
        self.key(name);
        let file = |suffix: &str| self.text(&format!("{name}.{suffix}"));
        openssl(&[
            "req",
            "-new",
            "-key",
            &file("key"),
            "-out",
            &file("csr"),
            "-subj",
            subject,
        ]);
        std::fs::write(
            file("ext"),
            format!("{extensions}\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"),
        )
        .unwrap();
        let (ca, ca_key) = (
            self.text(&format!("{issuer}.pem")),
            self.text(&format!("{issuer}.key")),
        );
        let days = days.to_string();
        openssl(&[
            "x509",
            "-req",
            "-in",
            &file("csr"),
            "-CA",
            &ca,
            "-CAkey",
            &ca_key,
            "-CAcreateserial",
            "-days",
            &days,
            "-extfile",
            &file("ext"),
            "-out",
            &file("pem"),
        ]);
    }
}

fn leaf(name: &str, purpose: &str) -> String {
    format!(
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage={purpose}\nsubjectAltName=DNS:{name}"
    )
}

fn openssl_accepts(folder: &Path, arguments: &[&str]) -> bool {
    let output = Command::new("openssl")
        .arg("verify")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    output.status.success()
}

#[test]
fn both_say_the_same_of_every_chain() {
    let chains = Chains::new();
    let folder = chains.folder.path();
    // ward's options, OpenSSL's options, certificate, verdict, ward's rule
    let table: &[(&str, &str, &str, Option<&str>)] = &[
        (
            "--untrusted issuing.pem",
            "-untrusted issuing.pem",
            "leaf.pem",
            None,
        ),
        (
            "--untrusted issuing.pem --name www.example.org",
            "-untrusted issuing.pem -verify_hostname www.example.org",
            "leaf.pem",
            None,
        ),
        (
            "--untrusted issuing.pem --name api.example.org",
            "-untrusted issuing.pem -verify_hostname api.example.org",
            "leaf.pem",
            Some("name-mismatch"),
        ),
        (
            "--untrusted issuing.pem --eku serverAuth",
            "-untrusted issuing.pem -purpose sslserver",
            "leaf.pem",
            None,
        ),
        (
            "--untrusted issuing.pem --eku serverAuth",
            "-untrusted issuing.pem -purpose sslserver",
            "client.pem",
            Some("purpose"),
        ),
        (
            "--untrusted issuing.pem",
            "-untrusted issuing.pem",
            "outside.pem",
            Some("name-constraints"),
        ),
        (
            "--untrusted issuing.pem --untrusted usurper.pem",
            "-untrusted issuing.pem -untrusted usurper.pem",
            "beneath.pem",
            Some("path-length"),
        ),
        (
            "--untrusted issuing.pem --untrusted leaf.pem",
            "-untrusted issuing.pem -untrusted leaf.pem",
            "not-a-ca.pem",
            Some("basic-constraints"),
        ),
        ("", "", "leaf.pem", Some("no-path")),
        (
            "--untrusted issuing.pem --at 2040-01-01T00:00:00Z",
            "-untrusted issuing.pem -attime 2208988800",
            "leaf.pem",
            Some("validity"),
        ),
    ];
    for (options, their_options, certificate, rule) in table {
        let mut theirs = vec!["-x509_strict", "-CAfile", "root.pem"];
        theirs.extend(their_options.split_whitespace());
        theirs.push(certificate);
        assert_eq!(
            openssl_accepts(folder, &theirs),
            rule.is_none(),
            "openssl {theirs:?}"
        );

        let mut ours = vec!["x509", "verify", "--json", "--anchors", "root.pem"];
        ours.extend(options.split_whitespace());
        ours.push(certificate);
        let ran = ward(folder, &ours);
        let json = ran.json();
        assert_eq!(json["valid"], rule.is_none(), "ward {ours:?}: {json}");
        assert_eq!(ran.status, i32::from(rule.is_some()), "ward {ours:?}");
        assert_eq!(
            json["error"]["rule"].as_str(),
            *rule,
            "ward {ours:?}: {json}"
        );
    }
    let foreign = ward(
        folder,
        &[
            "x509",
            "verify",
            "--anchors",
            "other.pem",
            "--untrusted",
            "issuing.pem",
            "leaf.pem",
        ],
    );
    assert_eq!(foreign.status, 1, "{}", foreign.stdout);
    assert!(!openssl_accepts(
        folder,
        &[
            "-CAfile",
            "other.pem",
            "-untrusted",
            "issuing.pem",
            "leaf.pem"
        ]
    ));
}

#[test]
fn what_cannot_be_read_is_named() {
    let chains = Chains::new();
    std::fs::write(chains.path("noise.pem"), "no certificate").unwrap();
    let folder = chains.folder.path();
    for (arguments, status, text) in [
        (vec!["leaf.pem"], 2, "--anchors"),
        (vec!["--anchors", "absent.pem", "leaf.pem"], 1, "absent.pem"),
        (vec!["--anchors", "root.pem", "noise.pem"], 1, "noise.pem"),
        (
            vec!["--anchors", "root.pem", "--at", "noon", "leaf.pem"],
            2,
            "RFC 3339",
        ),
        (
            vec!["--anchors", "root.pem", "--eku", "everything", "leaf.pem"],
            2,
            "everything",
        ),
        (
            vec!["--anchors", "root.pem", "--profile", "mine", "leaf.pem"],
            2,
            "rfc5280",
        ),
    ] {
        let mut words = vec!["x509", "verify"];
        words.extend(&arguments);
        let ran = ward(folder, &words);
        assert_eq!(
            ran.status, status,
            "{arguments:?}: {}{}",
            ran.stdout, ran.stderr
        );
        assert!(ran.stderr.contains(text), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn conversions_are_read_by_openssl() {
    let chains = Chains::new();
    let folder = chains.folder.path();
    let bundle = [chains.path("leaf.pem"), chains.path("issuing.pem")]
        .map(|file| std::fs::read_to_string(file).unwrap())
        .concat();
    std::fs::write(chains.path("bundle.pem"), bundle).unwrap();
    for (words, status) in [
        ("x509 convert bundle.pem --to p7b --out bundle.p7b", 0),
        ("x509 convert bundle.p7b --to pem --out back.pem", 0),
        ("x509 convert leaf.pem --to der --out leaf.der", 0),
        ("x509 convert bundle.pem --to der --out no.der", 1),
        ("x509 convert leaf.pem --to der", 2),
        ("x509 convert leaf.key --to der --out no.der", 1),
        ("x509 convert leaf.pem --to gif", 2),
    ] {
        let ran = ward(folder, &words.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.status, status, "{words}: {}{}", ran.stdout, ran.stderr);
    }
    let listed = openssl(&[
        "pkcs7",
        "-inform",
        "DER",
        "-in",
        &chains.text("bundle.p7b"),
        "-print_certs",
        "-noout",
    ]);
    assert!(
        listed.contains("CN = leaf") && listed.contains("CN = Issuing"),
        "{listed}"
    );
    let subject = openssl(&[
        "x509",
        "-inform",
        "DER",
        "-in",
        &chains.text("leaf.der"),
        "-noout",
        "-subject",
    ]);
    assert!(subject.contains("leaf"), "{subject}");
    assert_eq!(
        std::fs::read_to_string(chains.path("back.pem"))
            .unwrap()
            .matches("BEGIN CERTIFICATE")
            .count(),
        2
    );
}
