//! The binary as people and scripts meet it: exit status, what is printed where, and rules that refuse by name.

#![allow(clippy::unwrap_used)] // Helpers may fail like tests.

mod hospital;

use hospital::{Hospital, check, openssl, ward};

#[test]
fn init_makes_a_hierarchy_once_and_keeps_its_secrets_to_itself() {
    let hospital = Hospital::new();
    use std::os::unix::fs::PermissionsExt;
    let mode = |name: &str| {
        std::fs::metadata(hospital.path(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    for (file, expected) in [
        ("data", 0o700),
        ("data/ward.toml", 0o600),
        ("data/kek", 0o600),
        ("data/root-passphrase", 0o600),
        ("usb/root-key.pem", 0o600),
    ] {
        assert_eq!(mode(file), expected, "{file}");
    }
    let passphrase = format!("file:{}", hospital.path("data/root-passphrase").display());
    let key = hospital.path("usb/root-key.pem");
    // The carried key is one that another tool can read.
    openssl(&[
        "pkey",
        "-in",
        key.to_str().unwrap(),
        "-passin",
        &passphrase,
        "-noout",
    ]);
    check(
        &hospital,
        &[
            (
                "init --organization Other --publish-url http://pki.example --root-out usb2",
                (1, &["has a hierarchy already"]),
            ),
            (
                "init --organization Other --publish-url http://pki.example --root-out usb",
                (1, &["may be the key of another hierarchy"]),
            ),
            (
                "init --organization Other --publish-url http://pki.example --root-out usb2 --listen 1.2.3.4:5",
                (2, &["listen.api", "1.2.3.4:5"]),
            ),
        ],
    );
}

#[test]
fn init_says_what_is_missing_and_a_dry_run_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run = |command: &str| ward(folder.path(), &command.split(' ').collect::<Vec<_>>());
    for (command, text) in [
        ("init --data d", "--organization"),
        ("init --data d --organization X", "--publish-url"),
        (
            "init --data d --organization X --publish-url http://x",
            "--root-out",
        ),
        (
            "init --data d --organization X --publish-url http://x --root-out r --keep-root-online",
            "cannot be used with",
        ),
        (
            "init --data d --organization X --publish-url http://x --root-out r --backend tape",
            "pkcs11:TOKEN-LABEL",
        ),
    ] {
        let ran = run(command);
        assert_eq!(ran.status, 2, "{command}: {}", ran.stderr);
        assert!(ran.stderr.contains(text), "{command}: {}", ran.stderr);
    }
    let ran = run("init --data d --organization X --publish-url http://x --root-out r --dry-run");
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("nothing was made"), "{}", ran.stdout);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    // TLS for the place where trust is fetched would be a circle (RFC 5280 §8).
    let ran = run("init --data d --organization X --publish-url https://x --root-out r");
    assert_eq!(ran.status, 1);
    assert!(
        ran.stderr.contains("init.base-url") && ran.stderr.contains("RFC 5280"),
        "{}",
        ran.stderr
    );
    let ran = run("status --data nowhere");
    assert_eq!(ran.status, 1);
    assert!(
        ran.stderr
            .contains("there is no Ward in nowhere: run `ward init --data nowhere`"),
        "{}",
        ran.stderr
    );
    assert!(!folder.path().join("nowhere").exists());
}

/// The answers file of docs/first-hour.md.
#[test]
fn r01_the_documented_answers_make_the_hierarchy_they_describe() {
    let document = include_str!("../../../docs/first-hour.md");
    let answers = document
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("answers.toml"), answers).unwrap();
    let run = |command: &str| ward(folder.path(), &command.split(' ').collect::<Vec<_>>());
    let shown = run("init --data d --answers answers.toml --root-out usb --dry-run");
    assert_eq!(shown.status, 0, "{}", shown.stderr);
    let made = run("init --data d --answers answers.toml --root-out usb --country DE");
    assert_eq!(made.status, 0, "{}", made.stderr);
    let imaging = run("ca show imaging --data d --json").json();
    assert_eq!(imaging["issuers"][0]["algorithm"], "rsa-3072");
    assert!(
        imaging["subject"].as_str().unwrap().contains("C=DE"),
        "flags win over the file: {imaging}"
    );
    let certificate = folder.path().join("imaging.pem");
    assert_eq!(
        run("ca export imaging --data d --out imaging.pem").status,
        0
    );
    let text = openssl(&[
        "x509",
        "-in",
        certificate.to_str().unwrap(),
        "-noout",
        "-text",
    ]);
    assert!(text.contains("DNS:imaging.mercy.example"), "{text}");
    std::fs::write(folder.path().join("wrong.toml"), "organisation = 1\n").unwrap();
    let wrong = run("init --data e --answers wrong.toml --root-out usb2");
    assert_eq!(wrong.status, 2);
    assert!(
        wrong.stderr.contains("wrong.toml") && wrong.stderr.contains("organisation"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn r03_a_request_becomes_a_certificate_that_openssl_accepts() {
    let hospital = Hospital::new();
    hospital.request("web", "/CN=web.example.org", "DNS:web.example.org");
    check(
        &hospital,
        &[
            (
                "cert issue --profile server-tls --csr web.csr --out web.pem",
                (0, &["issued by servers", "server-tls version 1", "web.pem"]),
            ),
            ("ca export root --out root.pem", (0, &["root.pem"])),
            (
                "ca export servers --chain --out chain.pem",
                (0, &["2 certificate(s)"]),
            ),
            (
                "x509 verify --anchors root.pem --name web.example.org --eku serverAuth web.pem",
                (0, &["valid"]),
            ),
            (
                "x509 verify --anchors root.pem --name other.example.org web.pem",
                (1, &["NOT VALID", "name-mismatch"]),
            ),
            ("x509 lint web.pem", (0, &["no findings"])),
            ("cert show web.pem", (0, &["good", "CN=web.example.org"])),
            (
                "cert list --profile server-tls --authority servers",
                (0, &["dns:web.example.org"]),
            ),
            (
                "cert issue --profile nothing --csr web.csr",
                (1, &["nothing"]),
            ),
            (
                "cert issue --profile server-tls",
                (2, &["--csr FILE", "--generate"]),
            ),
            (
                "cert issue --profile server-tls --csr absent.csr",
                (1, &["absent.csr"]),
            ),
            (
                "cert issue --profile server-tls --csr web.csr --name dns:*",
                (1, &["rule:"]),
            ),
            (
                "cert issue --profile server-tls --csr web.csr --name fax:1",
                (2, &["--name"]),
            ),
            (
                "cert issue --profile device-ldevid --csr web.csr",
                (
                    1,
                    &["subject.required", "profile device-ldevid", "serialNumber"],
                ),
            ),
        ],
    );
    let (root, web) = (hospital.path("root.pem"), hospital.path("web.pem"));
    let (root, web) = (root.to_str().unwrap(), web.to_str().unwrap());
    openssl(&[
        "verify",
        "-x509_strict",
        "-CAfile",
        root,
        "-untrusted",
        web,
        web,
    ]);
}

#[test]
fn r03_a_request_that_cannot_be_accepted_is_refused_by_rule_and_in_the_log() {
    let hospital = Hospital::new();
    hospital.request("web", "/CN=web.example.org", "DNS:web.example.org");
    let mut bytes = openssl_der(&hospital, "web");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(hospital.path("forged.csr"), &bytes).unwrap();
    std::fs::write(hospital.path("noise.csr"), "noise").unwrap();
    let weak = [
        "req",
        "-new",
        "-newkey",
        "rsa:1024",
        "-nodes",
        "-subj",
        "/CN=web.example.org",
    ];
    let (key, csr) = (hospital.path("weak.key"), hospital.path("weak.csr"));
    openssl(
        &[
            &weak[..],
            &[
                "-keyout",
                key.to_str().unwrap(),
                "-out",
                csr.to_str().unwrap(),
            ],
        ]
        .concat(),
    );
    for file in ["forged.csr", "noise.csr", "weak.csr"] {
        let ran = hospital.ward(&format!(
            "cert issue --profile server-tls --csr {file} --json"
        ));
        assert_eq!(
            (ran.status, ran.json()["error"].as_str()),
            (1, Some("refused")),
            "{file}: {}",
            ran.stdout
        );
        assert!(
            ran.json()["rule"]
                .as_str()
                .is_some_and(|rule| rule.starts_with("csr")),
            "{file}: {}",
            ran.stdout
        );
    }
    let log = hospital
        .ward("audit show --action certificate.refuse --json")
        .json();
    assert_eq!(log.as_array().unwrap().len(), 3, "{log}");
}

fn openssl_der(hospital: &Hospital, name: &str) -> Vec<u8> {
    let (csr, der) = (
        hospital.path(&format!("{name}.csr")),
        hospital.path(&format!("{name}.der")),
    );
    openssl(&[
        "req",
        "-in",
        csr.to_str().unwrap(),
        "-outform",
        "DER",
        "-out",
        der.to_str().unwrap(),
    ]);
    std::fs::read(der).unwrap()
}

#[test]
fn r03_a_key_made_here_is_given_once_and_never_overwrites() {
    let hospital = Hospital::new();
    std::fs::write(hospital.path("password"), "correct horse battery\n").unwrap();
    std::fs::write(hospital.path("taken.pem"), "precious").unwrap();
    check(
        &hospital,
        &[
            (
                "cert issue --profile server-tls --generate --name dns:a.example.org --out a.pem",
                (0, &["key and chain written"]),
            ),
            (
                "cert issue --profile server-tls --generate rsa-2048 --name dns:b.example.org --p12 b.p12 --p12-password-file password",
                (0, &["PKCS#12"]),
            ),
            (
                "cert issue --profile server-tls --generate --name dns:c.example.org --out taken.pem",
                (1, &["taken.pem"]),
            ),
            (
                "cert issue --profile server-tls --p12 d.p12 --name dns:d.example.org",
                (2, &["--p12-password-file"]),
            ),
            (
                "cert issue --profile server-tls --generate --name nonsense --out e.pem",
                (2, &["--name"]),
            ),
            (
                "cert issue --profile device-ldevid --generate --out f.pem",
                (1, &["subject.required"]),
            ),
        ],
    );
    assert_eq!(
        std::fs::read(hospital.path("taken.pem")).unwrap(),
        b"precious"
    );
    // What was refused leaves no empty file behind.
    assert!(!hospital.path("f.pem").exists());
    let file = |name: &str| hospital.path(name).to_str().unwrap().to_owned();
    let from_key = openssl(&["pkey", "-in", &file("a.pem"), "-pubout"]);
    let from_certificate = openssl(&["x509", "-in", &file("a.pem"), "-noout", "-pubkey"]);
    assert_eq!(from_key, from_certificate);
    let password = format!("file:{}", file("password"));
    let opened = openssl(&[
        "pkcs12",
        "-in",
        &file("b.p12"),
        "-passin",
        &password,
        "-nodes",
    ]);
    assert!(
        opened.contains("PRIVATE KEY") && opened.contains("b.example.org"),
        "{opened}"
    );
    assert_eq!(
        hospital
            .ward("cert list --contains c.example.org --json")
            .json()["certificates"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
}

#[test]
fn r12_a_certificate_is_found_by_what_a_person_types() {
    let hospital = Hospital::new();
    let issued = hospital.issue("web.example.org");
    let (sha256, serial) = (
        issued["sha256"].as_str().unwrap(),
        issued["serial"].as_str().unwrap(),
    );
    let colons: Vec<String> = sha256
        .to_uppercase()
        .as_bytes()
        .chunks(2)
        .map(|pair| String::from_utf8_lossy(pair).into_owned())
        .collect();
    for id in [
        sha256,
        &sha256[..9],
        serial,
        &serial[..17],
        &colons.join(":"),
    ] {
        let ran = hospital.ward(&format!("cert show {id} --json"));
        assert_eq!(ran.json()["sha256"], sha256, "{id}: {}", ran.stdout);
    }
    let two = hospital.issue("two.example.org");
    // Serial numbers begin with the time, so these two share a beginning.
    let common = serial
        .bytes()
        .zip(two["serial"].as_str().unwrap().bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let ran = hospital.ward(&format!("cert show {} --json", &serial[..common.max(4)]));
    assert_eq!(
        (ran.status, ran.json()["rule"].as_str()),
        (1, Some("certificate.ambiguous")),
        "{}",
        ran.stdout
    );
    check(
        &hospital,
        &[
            ("cert show abc", (1, &["there is no certificate abc"])),
            ("cert show zz00", (1, &["there is no certificate"])),
        ],
    );
}

#[test]
fn r13_revoke_hold_release_and_what_is_refused() {
    let hospital = Hospital::new();
    let id = hospital.issue("web.example.org")["sha256"]
        .as_str()
        .unwrap()
        .to_owned();
    let run = |command: &str| hospital.ward(&command.replace("ID", &id));
    for (command, status, text) in [
        ("cert hold ID --why missing", 0, "on hold"),
        ("cert show ID", 0, "certificateHold"),
        ("cert release ID --why found", 0, "released"),
        ("cert release ID", 1, "revocation.release"),
        ("cert revoke ID --reason lost", 2, "keyCompromise"),
        (
            "cert revoke ID --reason keyCompromise --invalid-since yesterday",
            2,
            "--invalid-since",
        ),
        (
            "cert revoke ID --reason keyCompromise --why stolen",
            0,
            "revoked",
        ),
        ("cert show ID", 0, "keyCompromise"),
        ("cert release ID", 1, "cannot be undone"),
        ("cert list --state revoked", 0, "web.example.org"),
        ("audit show --action certificate.revoke", 0, "stolen"),
        ("audit show --action certificate.re", 0, "found"),
    ] {
        run(command).must(command, status, &[text]);
    }
    check(
        &hospital,
        &[
            ("crl publish servers", (0, &["complete"])),
            ("crl show servers --out servers.crl", (0, &["1 entries"])),
        ],
    );
    let crl = hospital.path("servers.crl");
    let text = openssl(&[
        "crl",
        "-inform",
        "DER",
        "-in",
        crl.to_str().unwrap(),
        "-noout",
        "-text",
    ]);
    assert!(text.contains("Key Compromise"), "{text}");
}
