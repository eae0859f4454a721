use agent::{
    files::{Look, exercise, log_entries},
    observation::{FileFormat, Outcome, Place},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;

use crate::made::*;

fn format(observation: &agent::observation::Observation) -> FileFormat {
    observation.file.as_ref().unwrap().format
}

#[test]
fn pem_with_garbage_between_is_read_to_the_end() {
    let folder = Folder::new();
    folder.certificate("root");
    folder.issued("leaf", "root");
    folder.certificate("other");
    let text = [
        &b"Bag Attributes\n  friendlyName: \xff\xfe\n"[..],
        &folder.read("leaf.crt"),
        b"-----BEGIN CERTIFICATE-----\nnot base64 at all!\n-----END CERTIFICATE-----\n",
        b"subject=CN = root\r\n",
        &folder.read("root.crt"),
        b"-----BEGIN CERTIFICATE-----\nMIIB\n",
        &folder.read("other.crt"),
    ]
    .concat();
    folder.write("bundle/all.pem", text);
    let (found, summary) = folder.look();
    let path = folder.path("bundle/all.pem");
    let chains = certificates(&found, &path);
    assert_eq!(chains.len(), 2, "{chains:?}");
    let expected = [
        folder.fingerprint("leaf.crt"),
        folder.fingerprint("root.crt"),
    ];
    assert_eq!(fingerprints(chains[0]), expected);
    assert_eq!(alias(chains[0]), None);
    assert_eq!(fingerprints(chains[1]), [folder.fingerprint("other.crt")]);
    assert_eq!(alias(chains[1]), Some("#3"));
    let what = "2 blocks are no certificates".to_owned();
    assert!(
        found
            .iter()
            .any(|o| is_at(o, &path) && o.outcome == Outcome::Garbage { what: what.clone() })
    );
    assert_eq!(summary.ended.stores, 7);
}

#[test]
fn binary_forms_are_told_apart_by_what_they_hold() {
    let folder = Folder::new();
    folder.certificate("root");
    folder.issued("leaf", "root");
    folder.openssl("x509 -in @leaf.crt -outform der -out @a.bin");
    folder.openssl(
        "crl2pkcs7 -nocrl -certfile @leaf.crt -certfile @root.crt -outform der -out @b.bin",
    );
    folder.openssl("crl2pkcs7 -nocrl -certfile @root.crt -out @c.bin");
    folder.openssl("pkcs12 -export -in @leaf.crt -inkey @leaf.key -certfile @root.crt -name pump -passout pass:s3cret -out @d.bin");
    folder
        .openssl("pkcs12 -export -in @leaf.crt -inkey @leaf.key -passout pass:unknown -out @e.bin");
    folder.openssl("x509 -in @root.crt -trustout -out @f.bin");
    folder.write("g.bin", [0x30, 0x82, 0x01, 0x00, 1, 2, 3]);
    let (found, summary) =
        folder.look_with(&Look::new("pacs-1", 7).with_passwords("first\ns3cret\n"));
    let (leaf, root) = (
        folder.fingerprint("leaf.crt"),
        folder.fingerprint("root.crt"),
    );
    let both = vec![leaf.clone(), root.clone()];
    for (name, kind, expected) in [
        ("a.bin", FileFormat::Der, vec![leaf]),
        ("b.bin", FileFormat::Pkcs7, both.clone()),
        ("c.bin", FileFormat::Pem, vec![root.clone()]),
        ("d.bin", FileFormat::Pkcs12, both),
        ("f.bin", FileFormat::Pem, vec![root]),
    ] {
        let here = certificates(&found, &folder.path(name));
        assert_eq!(here.len(), 1, "{name}: {here:?}");
        assert_eq!(fingerprints(here[0]), expected, "{name}");
        assert_eq!(format(here[0]), kind, "{name}");
    }
    let store = certificates(&found, &folder.path("d.bin"))[0];
    assert_eq!(alias(store), Some("pump"));
    assert_eq!(
        store.file.as_ref().unwrap().key.as_ref().unwrap().matches,
        Some(true)
    );
    let locked = found
        .iter()
        .find(|o| is_at(o, &folder.path("e.bin")))
        .unwrap();
    let why = "locked: none of 3 passwords opens it".to_owned();
    assert_eq!(locked.outcome, Outcome::Failed { why });
    // What only begins as DER does, and OpenSSL's count of serial numbers.
    assert_eq!((summary.ended.locked, summary.ended.others), (1, 2));
}

#[test]
fn a_store_that_ends_too_early_is_a_damaged_store() {
    let folder = Folder::new();
    folder.certificate("pacs");
    folder.openssl(
        "pkcs12 -export -in @pacs.crt -inkey @pacs.key -passout pass:s3cret -out @whole.p12",
    );
    let whole = folder.read("whole.p12");
    let lengths = [12, 200, whole.len() - 1];
    for length in lengths {
        folder.write(&format!("cut-{length}.p12"), &whole[..length]);
    }
    let (found, summary) = folder.look_with(&Look::new("pacs-1", 7).with_passwords("s3cret\n"));
    for length in lengths {
        let path = folder.path(&format!("cut-{length}.p12"));
        let one = found.iter().find(|one| is_at(one, &path)).unwrap();
        assert_eq!(format(one), FileFormat::Pkcs12, "{length}");
        assert!(
            matches!(&one.outcome, Outcome::Garbage { .. }),
            "{length}: {one:?}"
        );
    }
    assert_eq!(summary.ended.damaged, lengths.len() as u64);
}

/// A key in the store itself, not in a file beside it.
fn has_own_key(observation: &agent::observation::Observation, store: &str) -> bool {
    let key = observation.file.as_ref().unwrap().key.as_ref();
    key.is_some_and(|key| key.path == store)
}

#[test]
fn java_key_stores_show_their_certificates_without_a_password() {
    for (kind, format_seen) in [
        ("JKS", FileFormat::Jks),
        ("JCEKS", FileFormat::Jceks),
        ("PKCS12", FileFormat::Pkcs12),
    ] {
        let folder = Folder::new();
        folder.certificate("root");
        let store = folder.text("store");
        let common = [
            "-keystore",
            &store,
            "-storetype",
            kind,
            "-storepass",
            "changeit",
        ];
        let key = [
            "-genkeypair",
            "-alias",
            "Engine",
            "-keyalg",
            "RSA",
            "-dname",
            "CN=engine",
            "-keypass",
            "changeit",
        ];
        run("keytool", &[&key[..], &common].concat());
        let crt = folder.text("root.crt");
        let trust = [
            "-importcert",
            "-noprompt",
            "-alias",
            "anchor",
            "-file",
            &crt,
        ];
        run("keytool", &[&trust[..], &common].concat());
        let out = folder.text("engine.crt");
        let export = ["-exportcert", "-rfc", "-alias", "engine", "-file", &out];
        run("keytool", &[&export[..], &common].concat());
        // As keytool exports it; beside the store it would only be found again.
        let engine = folder.fingerprint("engine.crt");
        std::fs::remove_file(folder.path("engine.crt")).unwrap();
        let (found, _) = folder.look_with(&Look::new("pacs-1", 7).with_passwords("changeit"));
        let mut here: Vec<_> = certificates(&found, &folder.path("store"))
            .into_iter()
            .map(|o| {
                (
                    alias(o).unwrap_or_default().to_owned(),
                    fingerprints(o),
                    has_own_key(o, &store),
                )
            })
            .collect();
        here.sort();
        let expected = [
            (
                "anchor".to_owned(),
                vec![folder.fingerprint("root.crt")],
                false,
            ),
            ("engine".to_owned(), vec![engine], true),
        ];
        assert_eq!(here, expected, "{kind}");
        assert!(
            found
                .iter()
                .filter(|o| is_at(o, &folder.path("store")))
                .all(|o| format(o) == format_seen)
        );
    }
}

#[test]
fn javas_own_trust_store_has_as_many_as_keytool_lists() {
    let listed = run("keytool", &["-list", "-cacerts", "-storepass", "changeit"]);
    let expected = listed
        .lines()
        .filter(|l| l.contains("trustedCertEntry"))
        .count();
    let home = run("java", &["-XshowSettings:properties", "-version"]);
    drop(home);
    let java = std::fs::canonicalize("/usr/bin/keytool").unwrap();
    let cacerts = java
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("lib/security/cacerts");
    let folder = Folder::new();
    folder.write("cacerts", std::fs::read(cacerts).unwrap());
    let (found, _) = folder.look_with(&Look::new("pacs-1", 7).with_passwords("changeit"));
    assert!(expected > 50, "{listed}");
    assert_eq!(
        certificates(&found, &folder.path("cacerts")).len(),
        expected
    );
}

#[test]
fn a_serialized_store_of_windows_is_read() {
    let folder = Folder::new();
    folder.certificate("root");
    folder.openssl("x509 -in @root.crt -outform der -out @root.der");
    let element = |property: u32, value: &[u8]| {
        let mut out = property.to_le_bytes().to_vec();
        out.extend(1u32.to_le_bytes());
        out.extend((value.len() as u32).to_le_bytes());
        out.extend(value);
        out
    };
    let mut store = b"\0\0\0\0CERT".to_vec();
    store.extend(element(11, "r\0o\0o\0t\0".as_bytes()));
    store.extend(element(32, &folder.read("root.der")));
    store.extend([0; 12]);
    folder.write("root.sst", store);
    let (found, _) = folder.look();
    let here = certificates(&found, &folder.path("root.sst"));
    assert_eq!(fingerprints(here[0]), [folder.fingerprint("root.crt")]);
}

/// RFC 6962 §3.4 and §4.6, put together by hand.
#[test]
fn log_entries_of_both_types_are_read() {
    let sized = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[1..], bytes].concat();
    let head = |kind: u8| [&[0, 0][..], &[0; 8], &[0, kind]].concat();
    let leaf = [head(0), sized(b"certificate"), vec![0, 0]].concat();
    let issuers = sized(&[sized(b"issuer"), sized(b"root")].concat());
    let pre_leaf = [head(1), vec![7; 32], sized(b"tbs"), vec![0, 0]].concat();
    let pre_extra = [sized(b"precertificate"), issuers.clone()].concat();
    let broken = [head(9), sized(b"x")].concat();
    let entry = |leaf: &[u8], extra: &[u8]| {
        let (leaf, extra) = (STANDARD.encode(leaf), STANDARD.encode(extra));
        format!("{{\"leaf_input\":\"{leaf}\",\"extra_data\":\"{extra}\"}}")
    };
    let json = format!(
        "{{ \"entries\": [\n{},{},{}]}}",
        entry(&leaf, &issuers),
        entry(&pre_leaf, &pre_extra),
        entry(&broken, b""),
    );
    let folder = Folder::new();
    folder.write("argon2026-1000-1002.json", &json);
    let (found, _) = folder.look();
    let names = |n: usize| {
        found[n]
            .chain
            .iter()
            .map(|d| d.bytes().to_vec())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(0), [&b"certificate"[..], b"issuer", b"root"]);
    assert_eq!(names(1), [&b"precertificate"[..], b"issuer", b"root"]);
    let place = Place::Log {
        name: "argon2026-1000-1002".to_owned(),
        index: 1002,
    };
    assert_eq!(found[2].place, place);
    assert!(matches!(found[2].outcome, Outcome::Garbage { .. }));
    assert_eq!(
        log_entries(json.as_bytes(), "argon2026", 1000, 7)
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn keys_are_noted_and_never_shown() {
    let folder = Folder::new();
    folder.certificate("ec/a");
    folder.openssl("pkey -in @ec/a.key -traditional -out @ec/b.key");
    std::fs::rename(folder.path("ec/b.key"), folder.path("ec/a.key")).unwrap();
    folder.certificate("root");
    folder.issued("rsa", "root");
    folder.openssl("pkey -in @rsa.key -traditional -outform der -out @rsa.der");
    std::fs::remove_file(folder.path("rsa.key")).unwrap();
    folder.certificate("locked/c");
    folder.openssl("pkcs8 -topk8 -in @locked/c.key -passout pass:x -out @locked/d.key");
    std::fs::rename(folder.path("locked/d.key"), folder.path("locked/c.key")).unwrap();
    folder.certificate("apart/d");
    folder.openssl("genpkey -algorithm ed25519 -out @apart/d.key");
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder.path("ec/a.key"), PermissionsExt::from_mode(0o644)).unwrap();
    let (found, _) = folder.look();
    let key = |certificate: &str| {
        let here = certificates(&found, &folder.path(certificate));
        let key = here[0].file.as_ref().unwrap().key.clone();
        key.map(|k| (k.path, k.matches, k.encrypted, k.mode))
    };
    assert_eq!(
        key("ec/a.crt"),
        Some((folder.text("ec/a.key"), Some(true), false, Some(0o644)))
    );
    let rsa = key("rsa.crt").unwrap();
    assert_eq!((rsa.0, rsa.1), (folder.text("rsa.der"), Some(true)));
    let locked = key("locked/c.crt").unwrap();
    assert_eq!(
        (locked.0, locked.1, locked.2),
        (folder.text("locked/c.key"), None, true)
    );
    assert_eq!(key("apart/d.crt"), None, "another key of the same name");
    let alone = found
        .iter()
        .find(|o| is_at(o, &folder.path("apart/d.key")))
        .unwrap();
    assert!(matches!(alone.outcome, Outcome::NoCertificate { .. }));
    // Not the private numbers, in any notation that JSON would have them.
    let secret = folder.openssl("pkey -in @ec/a.key -noout -text");
    let digits: String = secret
        .lines()
        .skip(2)
        .take(3)
        .flat_map(|l| l.chars())
        .filter(char::is_ascii_hexdigit)
        .collect();
    let bytes: Vec<u8> = (0..digits.len() / 2)
        .map(|n| u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).unwrap())
        .collect();
    assert!(bytes.len() >= 30);
    for observation in &found {
        let line = observation.line().unwrap().to_lowercase();
        assert!(
            !line.contains(&digits[..32])
                && !line.contains(&STANDARD.encode(&bytes[..24]).to_lowercase())
        );
        assert!(
            observation
                .chain
                .iter()
                .all(|d| !d.bytes().windows(24).any(|w| w == &bytes[..24]))
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(
        head in prop_oneof![
            Just(&b""[..]), Just(&b"\xfe\xed\xfe\xed\0\0\0\x02"[..]), Just(&b"\xce\xce\xce\xce\0\0\0\x02"[..]),
            Just(&b"\0\0\0\0CERT\x20\0\0\0"[..]), Just(&b"-----BEGIN CERTIFICATE-----"[..]),
            Just(&b"0\x82"[..]), Just(&b"{\"entries\":[{\""[..]),
        ],
        noise in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        exercise::store(&[head, &noise].concat());
        exercise::configuration(&noise);
    }

    #[test]
    fn any_configuration_is_survived(
        words in proptest::collection::vec(prop_oneof![
            Just("server"), Just("{"), Just("}"), Just(";"), Just("ssl_certificate"), Just("a.pem"), Just("\n"), Just("'"),
            Just("listen"), Just("<VirtualHost"), Just(">"), Just("</VirtualHost>"), Just("SSLCertificateFile"), Just("${x}"),
            Just("Define x ${x}${x}"), Just("\\"), Just("bind :1"), Just("crt"), Just("#"), Just("\""), Just("[::"), Just("$"),
        ], 0..120),
    ) {
        exercise::configuration(words.join(" ").as_bytes());
    }
}

#[test]
fn bytes_in_memory_are_read_as_the_file_is_and_no_disk_is_looked_at() {
    let folder = Folder::new();
    folder.certificate("pacs");
    let both = [folder.read("pacs.crt"), folder.read("pacs.key")].concat();
    folder.write("both.pem", &both);
    // A name that is there on the disk, with a mode that a look would tell.
    let name = folder.text("both.pem");
    let mut found = Vec::new();
    let summary = agent::files::read(&name, &both, &Look::new("rest", 7), |one| found.push(one));
    assert_eq!((summary.files, summary.ended.stores), (1, 1));
    let [one] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(fingerprints(one), [folder.fingerprint("pacs.crt")]);
    let key = one.file.as_ref().unwrap().key.as_ref().unwrap();
    assert_eq!((key.matches, key.mode), (Some(true), None));
    let mut look = Look::new("rest", 7);
    look.limits.file_bytes = 100;
    let summary = agent::files::read(&name, &both, &look, |_| ());
    assert_eq!(summary.ended.too_large, 1);
}
