//! R02, keys in a PKCS#11 token, against SoftHSM2.

// Helpers outside test functions may fail a test just as the functions themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, AttributeInfo, AttributeType, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use keys::{Backend, KeyError, KeyRecord, Keyring, Pkcs11Config, Signer};
use support::token::{LABEL, MODULE, PIN, backend, with_token};
use support::{ALGORITHMS, SIGNATURES, allowed, openssl_verifies};
use x509::{KeyAlgorithm, SignatureAlgorithm};

const P256: SignatureAlgorithm = SignatureAlgorithm::EcdsaSha256;

fn try_make(ring: &Keyring, algorithm: KeyAlgorithm) -> Result<KeyRecord, KeyError> {
    ring.generate(algorithm, &backend(), "issuing key", 1_795_000_000)
}

fn signer(ring: &Keyring) -> Signer {
    let record = try_make(ring, KeyAlgorithm::EcdsaP256).unwrap();
    ring.load(&record).unwrap()
}

fn assert_signs(signer: &Signer, message: &[u8]) {
    let signature = signer.sign(P256, message).unwrap();
    signer
        .public_key()
        .verify(P256, message, &signature)
        .unwrap();
}

#[test]
fn r02_every_algorithm_signs_in_the_token_what_openssl_verifies() {
    with_token(|home| {
        let ring = home.ring();
        for algorithm in ALGORITHMS {
            let record = try_make(&ring, algorithm).unwrap();
            assert_eq!(record.sealed, None);
            assert_eq!(record.backend, backend());
            // As after a restart: only the stored record is known.
            let stored = serde_json::to_string(&record).unwrap();
            let signer = ring.load(&serde_json::from_str(&stored).unwrap()).unwrap();
            assert!(signer.is_blocking());
            signer.probe().unwrap();
            for signature in SIGNATURES {
                let signed = signer.sign(signature, b"to be signed");
                if !allowed(algorithm).contains(&signature) {
                    assert!(matches!(signed, Err(KeyError::WrongAlgorithm { .. })));
                    continue;
                }
                let bytes = signed.unwrap();
                let spki = &record.spki_der;
                assert!(
                    openssl_verifies(&home.0, spki, signature, b"to be signed", &bytes),
                    "{algorithm} {signature:?}"
                );
            }
        }
        let status = ring.token_status();
        assert!(status[0].available, "{status:?}");
    });
}

/// What SoftHSM2 itself says about the objects, past our code.
fn open_directly() -> cryptoki::session::Session {
    let pkcs11 = Pkcs11::new(MODULE).unwrap();
    let slot = pkcs11
        .get_slots_with_token()
        .unwrap()
        .into_iter()
        .find(|slot| pkcs11.get_token_info(*slot).unwrap().label() == LABEL)
        .unwrap();
    let session = pkcs11.open_rw_session(slot).unwrap();
    // The ring's login holds for the whole process.
    let _ = session.login(UserType::User, Some(&AuthPin::new(PIN.into())));
    session
}

#[test]
fn r02_the_private_half_cannot_be_read_or_exported() {
    with_token(|home| {
        use AttributeType as T;
        let ring = home.ring();
        for algorithm in [
            KeyAlgorithm::Rsa2048,
            KeyAlgorithm::EcdsaP256,
            KeyAlgorithm::Ed25519,
        ] {
            let record = try_make(&ring, algorithm).unwrap();
            let error = ring.export_pkcs8_encrypted(&record, "a perfectly long passphrase");
            assert!(matches!(error, Err(KeyError::NotExportable(_))));

            let session = open_directly();
            let id = Attribute::Id(record.id.as_str().as_bytes().to_vec());
            let found = session
                .find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY), id])
                .unwrap();
            assert_eq!(found.len(), 1);
            let flags = [
                T::Sensitive,
                T::AlwaysSensitive,
                T::Extractable,
                T::NeverExtractable,
                T::Local,
                T::Sign,
                T::Label,
            ];
            assert_eq!(
                session.get_attributes(found[0], &flags).unwrap(),
                [
                    Attribute::Sensitive(true),
                    Attribute::AlwaysSensitive(true),
                    Attribute::Extractable(false),
                    Attribute::NeverExtractable(true),
                    Attribute::Local(true),
                    Attribute::Sign(true),
                    Attribute::Label(b"issuing key".to_vec()),
                ]
            );
            let secrets: &[AttributeType] = match algorithm {
                KeyAlgorithm::Rsa2048 => {
                    &[T::PrivateExponent, T::Prime1, T::Prime2, T::Coefficient]
                }
                _ => &[T::Value],
            };
            for info in session.get_attribute_info(found[0], secrets).unwrap() {
                assert!(matches!(info, AttributeInfo::Sensitive), "{info:?}");
            }
            assert_eq!(session.get_attributes(found[0], secrets).unwrap(), []);
        }
    });
}

#[test]
fn r02_a_token_that_goes_away_comes_back() {
    with_token(|home| {
        let ring = home.ring();
        let signer = signer(&ring);
        for round in 0..3 {
            assert_signs(&signer, b"before");
            home.pull_out();
            for _ in 0..3 {
                let error = signer.sign(P256, b"while it is away").unwrap_err();
                assert!(matches!(error, KeyError::Unavailable { .. }), "{error:?}");
                assert!(error.is_transient());
            }
            assert!(try_make(&ring, KeyAlgorithm::EcdsaP256).is_err());
            let status = &ring.token_status()[0];
            assert!(!status.available && status.problem.is_some(), "{status:?}");
            home.put_back();
            let back = Instant::now();
            while signer.sign(P256, b"is it back").is_err() {
                assert!(back.elapsed() < Duration::from_secs(30), "round {round}");
                std::thread::sleep(Duration::from_millis(50));
            }
            assert!(try_make(&ring, KeyAlgorithm::EcdsaP256).is_ok());
        }
    });
}

#[test]
fn r02_loss_under_load_gives_good_signatures_or_typed_errors() {
    with_token(|home| {
        let ring = home.ring();
        let signer = signer(&ring);
        let started = Instant::now();
        let (good, bad) = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|_| {
                    let signer = signer.clone();
                    scope.spawn(move || {
                        let (mut good, mut bad) = (0, 0);
                        while started.elapsed() < Duration::from_millis(4500) {
                            match signer.sign(P256, b"load") {
                                Ok(signature) => {
                                    signer
                                        .public_key()
                                        .verify(P256, b"load", &signature)
                                        .unwrap();
                                    good += 1;
                                }
                                Err(KeyError::Unavailable { .. }) => {
                                    bad += 1;
                                    std::thread::sleep(Duration::from_millis(5));
                                }
                                Err(other) => panic!("{other:?}"),
                            }
                        }
                        (good, bad)
                    })
                })
                .collect();
            for _ in 0..2 {
                std::thread::sleep(Duration::from_millis(500));
                home.pull_out();
                std::thread::sleep(Duration::from_millis(300));
                home.put_back();
            }
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .fold((0, 0), |sum, (good, bad)| (sum.0 + good, sum.1 + bad))
        });
        assert!(good > 100 && bad > 0, "{good} good, {bad} bad");
        assert_signs(&signer, b"after");
    });
}

#[test]
fn r02_a_wiped_token_has_no_such_key() {
    with_token(|home| {
        let ring = home.ring();
        let signer = signer(&ring);
        fs::remove_dir_all(home.tokens()).unwrap();
        fs::create_dir(home.tokens()).unwrap();
        home.init_token();
        let started = Instant::now();
        loop {
            match signer.sign(P256, b"m").unwrap_err() {
                KeyError::NoSuchKey { .. } => break,
                error => assert!(started.elapsed() < Duration::from_secs(30), "{error:?}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(matches!(signer.probe(), Err(KeyError::NoSuchKey { .. })));
        assert!(try_make(&ring, KeyAlgorithm::EcdsaP256).is_ok());
    });
}

#[test]
fn r02_sixteen_threads_share_four_sessions() {
    with_token(|home| {
        let ring = home.ring_with(Pkcs11Config {
            sessions: 4,
            ..home.config()
        });
        let signer = signer(&ring);
        std::thread::scope(|scope| {
            for thread in 0..16 {
                let signer = signer.clone();
                scope.spawn(move || {
                    for n in 0..25 {
                        assert_signs(&signer, format!("{thread}/{n}").as_bytes());
                    }
                });
            }
        });
    });
}

#[test]
fn r02_a_full_session_pool_is_a_typed_error() {
    with_token(|home| {
        let ring = home.ring_with(Pkcs11Config {
            sessions: 1,
            wait_ms: 1,
            ..home.config()
        });
        let signer = signer(&ring);
        std::thread::scope(|scope| {
            // Making an RSA key holds the only session for long.
            let slow = scope.spawn(|| try_make(&ring, KeyAlgorithm::Rsa4096));
            let mut busy = false;
            while !slow.is_finished() {
                match signer.sign(P256, b"m") {
                    Ok(_) => {}
                    Err(KeyError::Busy {
                        sessions: 1,
                        waited_ms: 1,
                        ..
                    }) => busy = true,
                    // The other thread found us in its way.
                    Err(error) => panic!("{error:?}"),
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            match slow.join().unwrap() {
                Ok(_) => assert!(busy),
                Err(error) => assert!(matches!(error, KeyError::Busy { .. }), "{error:?}"),
            }
        });
        assert_signs(&signer, b"afterwards");
    });
}

#[test]
fn r02_a_wrong_pin_is_tried_once() {
    with_token(|home| {
        let ring = home.ring();
        home.write_pin("not the pin");
        for _ in 0..20 {
            let error = try_make(&ring, KeyAlgorithm::EcdsaP256).unwrap_err();
            assert!(matches!(error, KeyError::PinRefused { .. }), "{error:?}");
        }
        assert!(!home.ring().token_status()[0].available);
        home.write_pin(PIN);
        assert_signs(&signer(&ring), b"m");
    });
}

#[test]
fn r02_pin_files_are_checked() {
    with_token(|home| {
        let refused = || try_make(&home.ring(), KeyAlgorithm::EcdsaP256).unwrap_err();
        fs::set_permissions(home.pin_file(), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(refused(), KeyError::Permissions { .. }));
        home.write_pin("");
        assert!(matches!(refused(), KeyError::SecretFile { .. }));
        fs::remove_file(home.pin_file()).unwrap();
        assert!(matches!(refused(), KeyError::Io { .. }));
    });
}

#[test]
fn r02_modules_that_must_not_be_loaded_are_typed_errors() {
    with_token(|home| {
        let text = home.0.join("text.so");
        fs::write(&text, "not a library").unwrap();
        let open = home.0.join("open.so");
        fs::copy(MODULE, &open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o666)).unwrap();
        // A library, but not of this kind.
        let foreign = fs::read_dir("/usr/lib/x86_64-linux-gnu")
            .into_iter()
            .chain(fs::read_dir("/usr/lib/aarch64-linux-gnu"))
            .flatten()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.file_name().is_some_and(|name| name == "libm.so.6"))
            .unwrap();
        for module in [
            Path::new("/nowhere/at/all.so"),
            Path::new("libsofthsm2.so"),
            &text,
            &open,
            &foreign,
        ] {
            let ring = home.ring_with(Pkcs11Config {
                module: module.to_owned(),
                ..home.config()
            });
            let error = try_make(&ring, KeyAlgorithm::EcdsaP256).unwrap_err();
            assert!(
                matches!(error, KeyError::Module { .. }),
                "{module:?}: {error:?}"
            );
            assert!(!ring.token_status()[0].available);
            // What needs no token goes on.
            assert!(
                ring.generate(KeyAlgorithm::Ed25519, &Backend::Software, "s", 0)
                    .is_ok()
            );
        }
    });
}

#[test]
fn r02_unknown_tokens_are_typed_errors() {
    with_token(|home| {
        let elsewhere = Backend::Pkcs11 {
            token: "radiology".to_owned(),
        };
        let error = home
            .ring()
            .generate(KeyAlgorithm::EcdsaP256, &elsewhere, "k", 0)
            .unwrap_err();
        assert!(matches!(error, KeyError::UnknownToken(_)), "{error:?}");
        let ring = home.ring_with(Pkcs11Config {
            token_label: "radiology".to_owned(),
            ..home.config()
        });
        let error = ring
            .generate(KeyAlgorithm::EcdsaP256, &elsewhere, "k", 0)
            .unwrap_err();
        assert!(matches!(error, KeyError::Unavailable { .. }), "{error:?}");
    });
}

#[test]
fn r02_destroying_removes_both_halves_from_the_token() {
    with_token(|home| {
        let ring = home.ring();
        let record = try_make(&ring, KeyAlgorithm::EcdsaP256).unwrap();
        let kept = try_make(&ring, KeyAlgorithm::EcdsaP256).unwrap();
        let live = ring.load(&record).unwrap();
        assert_signs(&live, b"m");
        ring.destroy(&record).unwrap();
        assert!(matches!(live.sign(P256, b"m"), Err(KeyError::Destroyed(_))));
        let loaded_again = ring.load(&record).unwrap();
        assert!(matches!(
            loaded_again.sign(P256, b"m"),
            Err(KeyError::NoSuchKey { .. })
        ));
        ring.destroy(&record).expect("destroying twice is harmless");
        let left = open_directly().find_objects(&[]).unwrap();
        assert_eq!(left.len(), 2, "both halves of the other key");
        assert_signs(&ring.load(&kept).unwrap(), b"m");
    });
}

#[test]
fn r02_a_signature_by_another_key_is_caught() {
    with_token(|home| {
        let ring = home.ring();
        let mut record = try_make(&ring, KeyAlgorithm::EcdsaP256).unwrap();
        let other = try_make(&ring, KeyAlgorithm::EcdsaP256).unwrap();
        record.spki_der = other.spki_der;
        let error = ring.load(&record).unwrap().sign(P256, b"m").unwrap_err();
        assert!(matches!(error, KeyError::Misbehaved { .. }), "{error:?}");
    });
}

#[test]
fn r02_the_pin_shows_nowhere() {
    with_token(|home| {
        let ring = home.ring();
        let signer = signer(&ring);
        let mut said = format!("{:?} {signer:?} {:?}", home.config(), ring.token_status());
        home.pull_out();
        let error = signer.sign(P256, b"m").unwrap_err();
        said += &format!("{error:?} {error}");
        home.put_back();
        home.write_pin("wrong-pin-4242");
        let error = try_make(&home.ring(), KeyAlgorithm::EcdsaP256);
        said += &format!("{error:?} {:?}", home.ring().token_status());
        assert!(!said.contains(PIN) && !said.contains("4242"), "{said}");
    });
}
