//! Statements of a software TPM (tests/attest/make_tpm.py) and the vectors of WebAuthn Level 3.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value as Json;

use super::*;

fn made() -> Json {
    serde_json::from_str(include_str!("../../../tests/attest/tpm.json")).unwrap()
}

fn webauthn() -> Json {
    serde_json::from_str(include_str!("../../../tests/attest/webauthn.json")).unwrap()
}

fn unhex(json: &Json) -> Vec<u8> {
    hex::decode(json.as_str().unwrap()).unwrap()
}

fn anchors(json: &Json) -> Vec<TrustAnchor> {
    vec![TrustAnchor::new(
        Certificate::from_der(&unhex(&json["root"])).unwrap(),
    )]
}

/// 22 November 2026.
const NOW: Time = Time(1_795_305_600);

fn verify_made(
    object: &[u8],
    device: &DeviceIdentifier,
    at: Time,
) -> Result<Attested, AttestError> {
    let made = made();
    let roots = Roots {
        tpm: anchors(&made),
        apple: anchors(&made),
    };
    let expected = Expected {
        token: made["token"].as_str().unwrap(),
        key_authorization: made["key_authorization"].as_str().unwrap(),
        identifier: device,
    };
    verify(object, expected, &roots, at)
}

fn serial() -> DeviceIdentifier {
    DeviceIdentifier::permanent(made()["permanent_identifier"].as_str().unwrap()).unwrap()
}

#[test]
fn a_software_tpm_vouches_for_its_keys() {
    let made = made();
    let module =
        DeviceIdentifier::hardware_module(made["hardware_module"].as_str().unwrap()).unwrap();
    for vector in made["vectors"].as_array().unwrap() {
        let label = vector["label"].as_str().unwrap();
        let object = unhex(&vector["attestation_object"]);
        let verified = verify_made(&object, &serial(), NOW);
        if label == "exportable" {
            let why = verified.unwrap_err().to_string();
            assert!(why.contains("may leave the hardware"), "{why}");
            continue;
        }
        let attested = verified.unwrap_or_else(|e| panic!("{label}: {e}"));
        assert_eq!(attested.key.spki_der(), unhex(&vector["spki"]), "{label}");
        let by_module = verify_made(&object, &module, NOW);
        assert_eq!(by_module.is_ok(), label != "apple", "{label}");
        for other in ["WARD-0043", "ward-0042", "WARD-0042/1.2.3"] {
            let other = DeviceIdentifier::permanent(other).unwrap();
            let refused = verify_made(&object, &other, NOW);
            assert!(
                matches!(refused, Err(AttestError::OtherDevice { .. })),
                "{label}"
            );
        }
        // Before the attestation CA was.
        assert!(
            verify_made(&object, &serial(), Time(1_600_000_000)).is_err(),
            "{label}"
        );
    }
}

#[test]
fn what_differs_in_one_thing_is_refused() {
    let made = made();
    let refused = made["refused"].as_object().unwrap();
    assert_eq!(refused.len(), 16);
    for (what, object) in refused {
        let verified = verify_made(&unhex(object), &serial(), NOW);
        assert!(verified.is_err(), "{what}");
    }
}

#[test]
fn without_roots_nobody_is_believed() {
    let made = made();
    for vector in made["vectors"].as_array().unwrap() {
        let device = serial();
        let expected = Expected {
            token: made["token"].as_str().unwrap(),
            key_authorization: made["key_authorization"].as_str().unwrap(),
            identifier: &device,
        };
        let object = unhex(&vector["attestation_object"]);
        assert!(verify(&object, expected, &Roots::default(), NOW).is_err());
    }
}

/// WebAuthn L3 §16.12: what is signed there is authenticator data and the hash of the client data.
#[test]
fn webauthn_level_3_tpm_vector() {
    let vectors = webauthn();
    let object = unhex(&vectors["tpm"]["attestation_object"]);
    let object = Value::decode(&object).unwrap();
    assert_eq!(object.get("fmt").and_then(Value::text), Some("tpm"));
    let client_data = digest(&SHA256, &unhex(&vectors["tpm"]["client_data_json"]));
    let authenticator_data = object.get("authData").and_then(Value::bytes).unwrap();
    let signed = [authenticator_data, client_data.as_ref()].concat();
    let statement = object.get("attStmt").unwrap();
    let attested = tpm::verify(statement, &signed, &anchors(&vectors), NOW).unwrap();
    // The COSE key in the authenticator data ends with y; the attested point does too.
    let y = authenticator_data.last_chunk::<32>().unwrap();
    assert!(attested.key.key_bytes().ends_with(y));
    // Its key is not bound to the TPM: the vector sets no such attribute.
    assert!(!attested.hardware_bound);
    let mut other = signed;
    other[0] ^= 1;
    assert!(tpm::verify(statement, &other, &anchors(&vectors), NOW).is_err());
}

/// WebAuthn's `apple` is for passkeys, with a nonce of its own kind; as a device's it is refused.
#[test]
fn webauthn_level_3_apple_vector_is_of_no_device() {
    let vectors = webauthn();
    let object = unhex(&vectors["apple"]["attestation_object"]);
    let object = Value::decode(&object).unwrap();
    let statement = object.get("attStmt").unwrap();
    let refused = apple::verify(statement, "token", &anchors(&vectors), NOW).unwrap_err();
    assert!(refused.to_string().contains("freshness code"), "{refused}");
}

#[test]
fn every_cut_and_every_flipped_octet_is_refused_or_harmless() {
    let made = made();
    let object = unhex(&made["vectors"][0]["attestation_object"]);
    let good = verify_made(&object, &serial(), NOW).unwrap();
    for length in 0..object.len() {
        assert!(
            verify_made(&object[..length], &serial(), NOW).is_err(),
            "{length}"
        );
    }
    for at in 0..object.len() {
        let mut bent = object.clone();
        bent[at] ^= 0x01;
        if let Ok(attested) = verify_made(&bent, &serial(), NOW) {
            assert_eq!(attested.key.spki_der(), good.key.spki_der(), "octet {at}");
            assert_eq!(attested.identifiers, good.identifiers, "octet {at}");
        }
    }
}

#[test]
fn the_drafts_grammar_of_identifiers() {
    for good in ["ABCDEF123456", "ABCDEF123456/1.2.3.4", "é", "a b"] {
        let identifier = DeviceIdentifier::permanent(good).unwrap();
        assert_eq!(
            (identifier.kind(), identifier.to_string().as_str()),
            ("permanent-identifier", good)
        );
    }
    for bad in [
        "", "/1.2.3", "A/", "A/x", "A/1.2/3", "A/1", "A/3.1.2", "A/1.40.1", "A/01.2",
    ] {
        assert!(DeviceIdentifier::permanent(bad).is_err(), "{bad}");
    }
    let module = DeviceIdentifier::hardware_module("ABCD/1.2.3.4").unwrap();
    assert_eq!(
        (module.kind(), module.to_string().as_str()),
        ("hardware-module", "ABCD/1.2.3.4")
    );
    for bad in ["", "ABCD", "ABCD/", "/1.2.3.4", "ABCD/1.2.x"] {
        assert!(DeviceIdentifier::hardware_module(bad).is_err(), "{bad}");
    }
}
