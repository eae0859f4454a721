//! R02, software keys: sealed at rest, opened by the right key-encrypting key only, and making
//! signatures that OpenSSL accepts.

// Helpers outside test functions may fail a test just as the functions themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use keys::{
    Backend, KekSource, KeyError, KeyId, KeyRecord, Keyring, KeyringConfig, SealedKey, Signer,
    generate_for_subscriber, offline,
};
use support::{ALGORITHMS, SIGNATURES, allowed, openssl, openssl_ok, openssl_verifies, text};
use tempfile::TempDir;
use x509::KeyAlgorithm;

const NOW: i64 = 1_795_000_000;
const PASSPHRASE: &str = "nine lives of the night nurse";

fn ring(dir: &Path) -> Keyring {
    Keyring::open(KeyringConfig::new(dir)).unwrap()
}

fn ring_under(dir: &Path, kek: KekSource) -> Result<Keyring, KeyError> {
    Keyring::open(KeyringConfig {
        kek,
        credentials_dir: Some(dir.join("credentials")),
        ..KeyringConfig::new(dir)
    })
}

fn make(ring: &Keyring, algorithm: KeyAlgorithm) -> KeyRecord {
    ring.generate(algorithm, &Backend::Software, "test", NOW)
        .unwrap()
}

fn secret(path: PathBuf, content: &str) -> PathBuf {
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn passphrase(dir: &Path, name: &str, content: &str) -> KekSource {
    KekSource::PassphraseFile {
        path: secret(dir.join(name), content),
    }
}

fn credential(dir: &Path, name: &str) -> KekSource {
    fs::create_dir_all(dir.join("credentials")).unwrap();
    let mut random = [0; 32];
    aws_lc_rs::rand::fill(&mut random).unwrap();
    secret(dir.join("credentials").join(name), &hex::encode(random));
    KekSource::SystemdCredential {
        name: name.to_owned(),
    }
}

/// The error of something that must fail; `Keyring` and `Signer` need no `Debug` for it.
fn refusal<T>(result: Result<T, KeyError>) -> KeyError {
    match result {
        Ok(_) => panic!("this had to be refused"),
        Err(error) => error,
    }
}

#[test]
fn r02_every_algorithm_signs_what_openssl_verifies_and_refuses_the_rest() {
    let dir = TempDir::new().unwrap();
    let ring = ring(dir.path());
    for algorithm in ALGORITHMS {
        let record = make(&ring, algorithm);
        let signer = ring.load(&record).unwrap();
        assert_eq!(signer.algorithm(), algorithm);
        assert_eq!(signer.public_key().spki_der(), record.spki_der);
        assert!(!signer.is_blocking());
        for signature in SIGNATURES {
            let signed = signer.sign(signature, b"to be signed");
            if !allowed(algorithm).contains(&signature) {
                assert!(matches!(signed, Err(KeyError::WrongAlgorithm { .. })));
                continue;
            }
            let bytes = signed.unwrap();
            let check = |message: &[u8]| {
                openssl_verifies(dir.path(), &record.spki_der, signature, message, &bytes)
            };
            assert!(check(b"to be signed"), "{algorithm} {signature:?}");
            assert!(!check(b"something else"), "{algorithm} {signature:?}");
            signer
                .public_key()
                .verify(signature, b"to be signed", &bytes)
                .unwrap();
        }
    }
}

#[test]
fn r02_a_stored_record_opens_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let record = make(&ring(dir.path()), KeyAlgorithm::EcdsaP256);
    let json = serde_json::to_string(&record).unwrap();
    assert!(json.contains(r#""algorithm":"ecdsa-p256""#), "{json}");
    let read: KeyRecord = serde_json::from_str(&json).unwrap();
    assert_eq!(read, record);
    assert!(ring(dir.path()).load(&read).is_ok());
}

#[test]
fn key_ids_are_checked_where_they_enter() {
    let good = "k0123456789abcdef0123456789abcdef";
    assert_eq!(good.parse::<KeyId>().unwrap().to_string(), good);
    for bad in [
        "",
        "k",
        "k0123",
        &good[1..],
        &good.to_uppercase(),
        &format!("{good}0"),
        "k../../../../etc/passwd...........",
    ] {
        assert!(bad.parse::<KeyId>().is_err(), "{bad}");
    }
}

type Alteration = (&'static str, fn(&mut KeyRecord, &KeyRecord));

#[test]
fn r02_an_altered_or_transplanted_record_does_not_open() {
    let dir = TempDir::new().unwrap();
    let ring = ring(dir.path());
    let (mine, other) = (
        make(&ring, KeyAlgorithm::EcdsaP256),
        make(&ring, KeyAlgorithm::EcdsaP256),
    );
    fn sealed(record: &mut KeyRecord) -> &mut SealedKey {
        record.sealed.as_mut().unwrap()
    }
    let alterations: [Alteration; 7] = [
        ("another id", |r, o| r.id = o.id.clone()),
        ("another public key", |r, o| r.spki_der = o.spki_der.clone()),
        ("another algorithm", |r, _| {
            r.algorithm = KeyAlgorithm::EcdsaP384
        }),
        ("another's sealed key", |r, o| r.sealed = o.sealed.clone()),
        ("one bit of ciphertext", |r, _| sealed(r).ciphertext[7] ^= 1),
        ("one bit of nonce", |r, _| sealed(r).nonce[0] ^= 1),
        ("a short nonce", |r, _| sealed(r).nonce.truncate(4)),
    ];
    for (what, alter) in alterations {
        let mut record = mine.clone();
        alter(&mut record, &other);
        let error = refusal(ring.load(&record));
        assert!(matches!(error, KeyError::Tampered(_)), "{what}: {error}");
    }
    let mut later = mine.clone();
    sealed(&mut later).version = 2;
    assert!(matches!(
        refusal(ring.load(&later)),
        KeyError::UnknownFormat(2)
    ));
    let mut emptied = mine;
    emptied.sealed = None;
    assert!(matches!(
        refusal(ring.load(&emptied)),
        KeyError::NothingSealed(_)
    ));
}

#[test]
fn r02_a_wrong_or_missing_kek_is_named_and_never_replaced() {
    let dir = TempDir::new().unwrap();
    let elsewhere = TempDir::new().unwrap();
    let record = make(&ring(dir.path()), KeyAlgorithm::Ed25519);
    let error = refusal(ring(elsewhere.path()).load(&record));
    assert!(matches!(error, KeyError::WrongKek { .. }), "{error}");

    let kek = dir.path().join("kek");
    let kept = fs::read_to_string(&kek).unwrap();
    fs::copy(elsewhere.path().join("kek"), &kek).unwrap();
    let error = refusal(Keyring::open(KeyringConfig::new(dir.path())));
    assert!(matches!(error, KeyError::WrongKek { .. }), "{error}");

    fs::remove_file(&kek).unwrap();
    let error = refusal(Keyring::open(KeyringConfig::new(dir.path())));
    assert!(matches!(error, KeyError::KekMissing { .. }), "{error}");
    assert!(!kek.exists(), "a new key would hide the loss");

    secret(kek, &kept);
    assert!(ring(dir.path()).load(&record).is_ok());
}

#[test]
fn r02_kek_json_can_be_rebuilt_from_a_generated_kek() {
    let dir = TempDir::new().unwrap();
    let record = make(&ring(dir.path()), KeyAlgorithm::Ed25519);
    fs::remove_file(dir.path().join("kek.json")).unwrap();
    assert!(ring(dir.path()).load(&record).is_ok());
}

#[test]
fn r02_secret_files_open_to_others_are_refused() {
    let dir = TempDir::new().unwrap();
    drop(ring(dir.path()));
    let kek = dir.path().join("kek");
    assert_eq!(
        fs::metadata(&kek).unwrap().permissions().mode() & 0o777,
        0o600
    );
    for mode in [0o640, 0o604, 0o620, 0o660, 0o644, 0o610] {
        fs::set_permissions(&kek, fs::Permissions::from_mode(mode)).unwrap();
        let error = refusal(Keyring::open(KeyringConfig::new(dir.path())));
        assert!(
            matches!(error, KeyError::Permissions { .. }),
            "{mode:o}: {error}"
        );
    }
}

#[test]
fn r02_sources_of_the_kek_open_and_say_how_strong_they_are() {
    let dir = TempDir::new().unwrap();
    let cases = [
        (KekSource::GeneratedFile, "256 random bits"),
        (
            passphrase(dir.path(), "pass", PASSPHRASE),
            "argon2id (64 MiB, 3 passes, 4 lanes)",
        ),
        (credential(dir.path(), "ward-kek"), "decrypted by systemd"),
    ];
    for (source, strength) in cases {
        let home = TempDir::new().unwrap();
        let open = || {
            Keyring::open(KeyringConfig {
                kek: source.clone(),
                credentials_dir: Some(dir.path().join("credentials")),
                ..KeyringConfig::new(home.path())
            })
            .unwrap()
        };
        let record = make(&open(), KeyAlgorithm::EcdsaP256);
        let status = open().kek_status();
        assert!(status.strength.contains(strength), "{}", status.strength);
        assert_eq!(status.source, source);
        assert_eq!(status.wanted, None);
        assert_eq!(source.to_string().parse(), Ok(source.clone()));
        assert!(open().load(&record).is_ok(), "{source}");
    }
}

#[test]
fn r02_a_wrong_or_short_passphrase_is_a_typed_error() {
    let dir = TempDir::new().unwrap();
    let source = passphrase(dir.path(), "pass", PASSPHRASE);
    drop(ring_under(dir.path(), source.clone()).unwrap());
    passphrase(dir.path(), "pass", "nine lives of the day nurse");
    let error = refusal(ring_under(dir.path(), source.clone()));
    assert!(matches!(error, KeyError::WrongKek { .. }), "{error}");
    // A trailing newline is an editor's, not the passphrase's.
    passphrase(dir.path(), "pass", &format!("{PASSPHRASE}\n"));
    assert!(ring_under(dir.path(), source).is_ok());

    let fresh = TempDir::new().unwrap();
    let short = passphrase(fresh.path(), "pass", "hospital1");
    let error = refusal(ring_under(fresh.path(), short));
    assert!(
        matches!(
            error,
            KeyError::WeakPassphrase {
                found: 9,
                least: 12
            }
        ),
        "{error}"
    );
}

#[test]
fn r02_credentials_are_checked() {
    let dir = TempDir::new().unwrap();
    let source = credential(dir.path(), "ward-kek");
    let file = dir.path().join("credentials/ward-kek");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o440)).unwrap();
    assert!(ring_under(dir.path(), source.clone()).is_ok());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
    let error = refusal(ring_under(dir.path(), source));
    assert!(matches!(error, KeyError::Permissions { .. }), "{error}");

    let home = TempDir::new().unwrap();
    fs::create_dir(home.path().join("credentials")).unwrap();
    secret(
        home.path().join("credentials/words"),
        "not a key but a sentence",
    );
    for name in ["words", "../escape", ""] {
        let source = KekSource::SystemdCredential {
            name: name.to_owned(),
        };
        let error = refusal(ring_under(home.path(), source));
        assert!(
            matches!(error, KeyError::SecretFile { .. }),
            "{name}: {error}"
        );
    }
    let absent = KeyringConfig {
        kek: KekSource::SystemdCredential {
            name: "ward-kek".to_owned(),
        },
        credentials_dir: None,
        ..KeyringConfig::new(home.path())
    };
    let error = refusal(Keyring::open(absent));
    assert!(
        error.to_string().contains("CREDENTIALS_DIRECTORY"),
        "{error}"
    );
}

#[test]
fn r02_rotation_of_the_kek_survives_a_crash_at_every_step() {
    let dir = TempDir::new().unwrap();
    let sources = [
        passphrase(dir.path(), "first", PASSPHRASE),
        passphrase(dir.path(), "second", "nine lives of the ward sister"),
        credential(dir.path(), "ward-kek"),
        KekSource::GeneratedFile,
        KekSource::GeneratedFile,
    ];
    let mut source = KekSource::GeneratedFile;
    let keyring = ring_under(dir.path(), source.clone()).unwrap();
    let mut records = vec![
        make(&keyring, KeyAlgorithm::EcdsaP256),
        make(&keyring, KeyAlgorithm::Ed25519),
    ];
    let sealed = keyring.seal_secret("acme-eab/1", b"shared").unwrap();
    let mut secrets = vec![("acme-eab/1".to_owned(), sealed)];
    for next in sources {
        let (old, old_secrets) = (records.clone(), secrets.clone());
        let keyring = ring_under(dir.path(), source.clone()).unwrap();
        let (new, new_secrets) = keyring.rewrap(&old, &old_secrets, &next).unwrap();
        assert!(
            new.iter()
                .zip(&old)
                .all(|(n, o)| n.sealed != o.sealed && n.spki_der == o.spki_der)
        );

        // The process dies before the new records are stored: a fresh one opens either.
        let reopened = ring_under(dir.path(), source.clone()).unwrap();
        assert_eq!(reopened.kek_status().former.len(), 1);
        for record in old.iter().chain(&new) {
            assert!(reopened.load(record).is_ok(), "{source} to {next}");
        }
        for (label, sealed) in old_secrets.iter().chain(&new_secrets) {
            assert_eq!(*reopened.open_secret(label, sealed).unwrap(), b"shared");
        }
        assert!(matches!(
            reopened.finish_rewrap(&old, &new_secrets),
            Err(KeyError::KekInUse(2))
        ));
        assert!(matches!(
            reopened.finish_rewrap(&new, &old_secrets),
            Err(KeyError::KekInUse(1))
        ));

        // The command is run again and gets through.
        let (new, new_secrets) = reopened.rewrap(&old, &old_secrets, &next).unwrap();
        reopened.finish_rewrap(&new, &new_secrets).unwrap();
        let after = ring_under(dir.path(), next.clone()).unwrap();
        assert!(after.kek_status().former.is_empty());
        assert!(matches!(
            refusal(after.load(&old[0])),
            KeyError::WrongKek { .. }
        ));
        assert!(after.load(&new[0]).is_ok());
        (records, secrets, source) = (new, new_secrets, next);
    }
    let generated = fs::read_dir(dir.path())
        .unwrap()
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with("kek")
        })
        .count();
    assert_eq!(generated, 2, "kek.json and the one key in force");
}

#[test]
fn r02_a_running_server_follows_a_rotation_made_beside_it() {
    let dir = TempDir::new().unwrap();
    let server = ring(dir.path());
    let record = make(&server, KeyAlgorithm::EcdsaP256);
    let command = ring(dir.path());
    let (new, _) = command
        .rewrap(&[record], &[], &KekSource::GeneratedFile)
        .unwrap();
    command.finish_rewrap(&new, &[]).unwrap();
    let made = make(&server, KeyAlgorithm::EcdsaP256);
    for record in [&new[0], &made] {
        assert!(server.load(record).is_ok());
        assert!(ring(dir.path()).load(record).is_ok());
    }
}

#[test]
fn r02_a_configuration_that_differs_from_the_kek_in_force_is_reported() {
    let dir = TempDir::new().unwrap();
    let record = make(&ring(dir.path()), KeyAlgorithm::Ed25519);
    let wanted = passphrase(dir.path(), "pass", PASSPHRASE);
    let keyring = ring_under(dir.path(), wanted.clone()).unwrap();
    let status = keyring.kek_status();
    assert_eq!(status.source, KekSource::GeneratedFile);
    assert_eq!(status.wanted, Some(wanted));
    assert!(keyring.load(&record).is_ok());
}

#[test]
fn r02_two_processes_may_start_at_once() {
    let dir = TempDir::new().unwrap();
    let source = passphrase(dir.path(), "pass", PASSPHRASE);
    let fingerprints: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    ring_under(dir.path(), source.clone())
                        .unwrap()
                        .kek_status()
                        .fingerprint
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(
        fingerprints.windows(2).all(|pair| pair[0] == pair[1]),
        "{fingerprints:?}"
    );
}

#[test]
fn r02_destroying_a_key_stops_every_signer() {
    let dir = TempDir::new().unwrap();
    let ring = ring(dir.path());
    let record = make(&ring, KeyAlgorithm::EcdsaP256);
    let signer = ring.load(&record).unwrap();
    let twin = ring.load(&record).unwrap();
    let algorithm = KeyAlgorithm::EcdsaP256.default_signature();
    assert!(twin.sign(algorithm, b"m").is_ok());
    let remains = ring.destroy(&record).unwrap();
    for signer in [signer.clone(), signer, twin] {
        assert!(matches!(
            signer.sign(algorithm, b"m"),
            Err(KeyError::Destroyed(_))
        ));
    }
    assert_eq!(remains.sealed, None);
    assert_eq!(remains.spki_der, record.spki_der);
    assert!(matches!(
        refusal(ring.load(&remains)),
        KeyError::NothingSealed(_)
    ));
}

#[test]
fn r02_one_signer_serves_many_threads() {
    let dir = TempDir::new().unwrap();
    let ring = ring(dir.path());
    for algorithm in [
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::Rsa2048,
        KeyAlgorithm::Ed25519,
    ] {
        let signer = ring.load(&make(&ring, algorithm)).unwrap();
        let signature = algorithm.default_signature();
        std::thread::scope(|scope| {
            for thread in 0..16 {
                let signer = signer.clone();
                scope.spawn(move || {
                    for n in 0..20 {
                        let message = format!("{thread}/{n}");
                        let bytes = signer.sign(signature, message.as_bytes()).unwrap();
                        signer
                            .public_key()
                            .verify(signature, message.as_bytes(), &bytes)
                            .unwrap();
                    }
                });
            }
        });
    }
}

#[test]
fn r01_an_exported_root_is_read_by_openssl_and_comes_back() {
    let dir = TempDir::new().unwrap();
    let ring = ring(dir.path());
    let file = dir.path().join("root.pem");
    let pass = format!("pass:{PASSPHRASE}");
    for algorithm in ALGORITHMS {
        let record = make(&ring, algorithm);
        let pem = ring.export_pkcs8_encrypted(&record, PASSPHRASE).unwrap();
        fs::write(&file, &pem).unwrap();
        let public = openssl_ok(&[
            "pkey",
            "-in",
            text(&file),
            "-passin",
            &pass,
            "-pubout",
            "-outform",
            "DER",
        ]);
        assert_eq!(public, record.spki_der, "{algorithm}");

        let scheme = openssl_ok(&["asn1parse", "-in", text(&file)]);
        let scheme = String::from_utf8(scheme).unwrap();
        for part in [
            "PBES2",
            "PBKDF2",
            "hmacWithSHA256",
            "aes-256-cbc",
            ":0927C0",
        ] {
            assert!(scheme.contains(part), "{part} in {scheme}");
        }

        let signer = Signer::from_encrypted_pem(&pem, PASSPHRASE).unwrap();
        assert_eq!(signer.public_key().spki_der(), record.spki_der);
        let again = ring
            .seal_import(&offline::decrypt(&pem, PASSPHRASE).unwrap(), "back", NOW)
            .unwrap();
        assert_eq!(
            (again.algorithm, &again.spki_der),
            (algorithm, &record.spki_der)
        );
    }
}

#[test]
fn r01_openssl_encrypted_keys_are_read() {
    let dir = TempDir::new().unwrap();
    let (plain, sealed) = (dir.path().join("plain.pem"), dir.path().join("sealed.pem"));
    openssl_ok(&[
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-out",
        text(&plain),
    ]);
    let public = openssl_ok(&["pkey", "-in", text(&plain), "-pubout", "-outform", "DER"]);
    let pass = format!("pass:{PASSPHRASE}");
    let seal = |options: &[&str]| {
        let mut args = vec![
            "pkcs8",
            "-topk8",
            "-in",
            text(&plain),
            "-out",
            text(&sealed),
            "-passout",
            &pass,
        ];
        args.extend(options);
        openssl_ok(&args);
        fs::read_to_string(&sealed).unwrap()
    };
    for options in [
        ["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA256"],
        ["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"],
        ["-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA512"],
        ["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA384"],
    ] {
        let signer = Signer::from_encrypted_pem(&seal(&options), PASSPHRASE).unwrap();
        assert_eq!(signer.public_key().spki_der(), public, "{options:?}");
    }
    let unread: [(&[&str], &str); 4] = [
        (&["-v2", "des3"], "not AES-CBC"),
        (&["-scrypt"], "not scrypt"),
        (&["-v1", "PBE-SHA1-3DES"], "only PBES2"),
        (&["-v2", "aes-256-cbc", "-iter", "10000001"], "10,000,000"),
    ];
    for (options, reason) in unread {
        let error = refusal(offline::decrypt(&seal(options), PASSPHRASE));
        assert!(error.to_string().contains(reason), "{options:?}: {error}");
    }
}

#[test]
fn r01_bad_encrypted_files_are_typed_errors() {
    let (pkcs8, _) = generate_for_subscriber(KeyAlgorithm::EcdsaP256).unwrap();
    assert!(matches!(
        refusal(offline::encrypt(&pkcs8, "short")),
        KeyError::WeakPassphrase { .. }
    ));
    let pem = offline::encrypt(&pkcs8, PASSPHRASE).unwrap();
    assert!(matches!(
        refusal(offline::decrypt(&pem, "nine lives of the day nurse")),
        KeyError::WrongPassphrase
    ));
    let body_starts = pem.find('\n').unwrap() + 1;
    let damaged = [
        String::new(),
        pem[..pem.len() / 2].to_owned(),
        pem.replacen("ENCRYPTED ", "", 2),
        format!("{}A{}", &pem[..body_starts], &pem[body_starts + 1..]),
        "x".repeat(100_000),
    ];
    for text in damaged {
        let error = refusal(offline::decrypt(&text, PASSPHRASE));
        assert!(matches!(error, KeyError::BadEncryptedKey(_)), "{error}");
    }
}

#[test]
fn r02_imports_of_keys_that_are_not_used_are_refused() {
    let dir = TempDir::new().unwrap();
    let ring = ring(dir.path());
    let der = dir.path().join("key.der");
    let cases: [&[&str]; 4] = [
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
        &[
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-pkeyopt",
            "rsa_keygen_pubexp:3",
        ],
        &[
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:secp256k1",
        ],
        &["-algorithm", "X25519"],
    ];
    for options in cases {
        let mut args = vec!["genpkey", "-outform", "DER", "-out", text(&der)];
        args.extend(options);
        openssl_ok(&args);
        let pkcs8 = fs::read(&der).unwrap();
        let error = refusal(ring.seal_import(&pkcs8, "import", NOW));
        assert!(
            matches!(error, KeyError::BadPrivateKey(_)),
            "{options:?}: {error}"
        );
    }
    assert!(matches!(
        refusal(ring.seal_import(b"junk", "import", NOW)),
        KeyError::BadPrivateKey(_)
    ));
}

#[test]
fn a_subscriber_key_is_plain_pkcs8_that_openssl_reads() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("subscriber.der");
    for algorithm in ALGORITHMS {
        let (pkcs8, public) = generate_for_subscriber(algorithm).unwrap();
        fs::write(&file, &*pkcs8).unwrap();
        let output = openssl(&[
            "pkey",
            "-inform",
            "DER",
            "-in",
            text(&file),
            "-pubout",
            "-outform",
            "DER",
        ]);
        assert_eq!(output.stdout, public.spki_der(), "{algorithm}");
        assert_eq!(KeyAlgorithm::of(&public), Some(algorithm));
    }
}

#[test]
fn r02_no_secret_shows_in_debug_output_or_errors() {
    let dir = TempDir::new().unwrap();
    let source = passphrase(dir.path(), "pass", PASSPHRASE);
    let keyring = ring_under(dir.path(), source.clone()).unwrap();
    let (pkcs8, _) = generate_for_subscriber(KeyAlgorithm::EcdsaP256).unwrap();
    let record = keyring.seal_import(&pkcs8, "label", NOW).unwrap();
    let signer = keyring.load(&record).unwrap();
    let pem = offline::encrypt(&pkcs8, PASSPHRASE).unwrap();

    let mut tampered = record.clone();
    tampered.sealed.as_mut().unwrap().ciphertext[0] ^= 1;
    let stranger = ring(TempDir::new().unwrap().path());
    passphrase(dir.path(), "other", "another passphrase altogether");
    let mut said = format!(
        "{record:?} {signer:?} {:?} {source:?} {source}",
        keyring.kek_status()
    );
    for error in [
        refusal(stranger.load(&record)),
        refusal(offline::decrypt(&pem, "another passphrase altogether")),
        refusal(offline::encrypt(&pkcs8, "tiny")),
        refusal(keyring.seal_import(&pkcs8[..40], "label", NOW)),
        refusal(
            keyring
                .destroy(&record)
                .and_then(|gone| keyring.load(&gone)),
        ),
        refusal(keyring.load(&tampered)),
    ] {
        said += &format!(" {error:?} {error}");
    }

    // SEC 1 ECPrivateKey: the 32 octets after INTEGER 1 are the secret (RFC 5915 §3).
    let marker = [2, 1, 1, 4, 32];
    let at = pkcs8.windows(5).position(|w| w == marker).unwrap() + 5;
    let scalar = &pkcs8[at..at + 32];
    let kek = fs::read_to_string(dir.path().join("pass")).unwrap();
    for secret in [
        hex::encode(scalar),
        format!("{scalar:?}"),
        kek,
        "another passphrase".into(),
        "tiny".into(),
    ] {
        assert!(!said.contains(&secret), "{secret} in {said}");
    }
}

#[test]
fn r02_secrets_open_under_their_own_label_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let keyring = ring(dir.path());
    let sealed = keyring.seal_secret("acme-eab/1", b"shared").unwrap();
    assert_eq!(
        *keyring.open_secret("acme-eab/1", &sealed).unwrap(),
        b"shared"
    );
    assert!(matches!(
        keyring.open_secret("acme-eab/2", &sealed),
        Err(KeyError::TamperedSecret(_))
    ));
    let mut altered = sealed;
    altered.ciphertext[0] ^= 1;
    assert!(matches!(
        keyring.open_secret("acme-eab/1", &altered),
        Err(KeyError::TamperedSecret(_))
    ));
}

#[test]
fn derived_keys_differ_by_label_and_by_key_encrypting_key_and_by_nothing_else() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let derive = |dir: &Path, label: &str| *ring(dir).derive(label).unwrap();
    let first = derive(one.path(), "acme nonce");
    assert_eq!(first, derive(one.path(), "acme nonce"), "the same again");
    assert_ne!(first, derive(one.path(), "something else"));
    assert_ne!(first, derive(two.path(), "acme nonce"));
}
