//! The table of R18 row by row, from the requirement's own text and from S3's, and what it leaves open.

use std::sync::Arc;

use agent::observation::{Outcome, Place};
use audit::Timestamp;
use x509::{Certificate, Name, SignatureAlgorithm, TbsCertificate, Time};

use super::{Level, Light, assess};
use crate::flow::{MapKind, Protects, Side};
use crate::inventory::{Assigned, Environment, Facts, PlaceFacts};
use crate::{Asset, Criticality, RenewalMethod};

/// 22 November 2026, 12:00 UTC.
const NOW: Timestamp = Timestamp(1_795_348_800_000);
const DAY: i64 = 86_400;

/// A certificate that ends so many seconds from now; nobody verifies its signature here.
fn certificate(seconds_left: i64) -> Arc<Certificate> {
    let end = NOW.0 / 1000 + seconds_left;
    // rsaEncryption with a modulus of one byte: a key by its form, which is all that risk asks of it.
    let spki = hex::decode("301d300d06092a864886f70d0101010500030c003009020201000203010001");
    let tbs = TbsCertificate {
        serial: vec![1],
        signature: SignatureAlgorithm::EcdsaSha256,
        issuer: Name::empty(),
        not_before: Time(end - 365 * DAY),
        not_after: Time(end),
        subject: Name::empty(),
        spki_der: spki.unwrap(),
        extensions: Vec::new(),
    };
    let der = x509::assemble(&tbs.encode(), SignatureAlgorithm::EcdsaSha256, &[0]);
    Arc::new(Certificate::from_der(&der).unwrap())
}

fn facts(seconds_left: i64, assigned: Assigned) -> Facts {
    Facts {
        id: 1,
        sha256: [7; 32],
        certificate: certificate(seconds_left),
        key: "ec-p256".to_owned(),
        key_bits: 256,
        self_signed: false,
        issuers: Vec::new(),
        authority: None,
        recorded: false,
        revoked: None,
        places: vec![place()],
        key_elsewhere: Vec::new(),
        assigned,
        flows: Vec::new(),
    }
}

fn place() -> PlaceFacts {
    PlaceFacts {
        id: 1,
        place: Place::Network {
            address: [10, 10, 0, 7].into(),
            port: 443,
            sni: None,
            starttls: None,
        },
        outcome: Outcome::Certificate,
        segment: None,
        asset: None,
        tls: None,
        chain: Vec::new(),
        first_seen: 0,
        last_seen: NOW.0,
        expected: None,
    }
}

fn flow(name: &str) -> Protects {
    Protects {
        kind: MapKind::Flow,
        name: name.to_owned(),
        side: Side::Server,
        phi: false,
        ehr: false,
        patient_facing: false,
        criticality: Criticality::Medium,
        passed: None,
    }
}

fn phi() -> Assigned {
    Assigned {
        phi: true,
        ..Assigned::default()
    }
}

fn said(facts: &Facts) -> String {
    assess(facts, NOW).to_string()
}

#[test]
fn r18_the_table() {
    let patient_facing = Assigned {
        patient_facing: true,
        ..Assigned::default()
    };
    let ehr = Assigned {
        tags: vec!["EHR".to_owned()],
        ..Assigned::default()
    };
    let in_environment = |environment| Assigned {
        environment,
        ..Assigned::default()
    };
    let cases = [
        // Critical: PHI and less than 30 days; the limit itself is not less.
        (phi(), 29 * DAY, Level::Critical, "renew now"),
        (phi(), 30 * DAY - 1, Level::Critical, "renew now"),
        (phi(), 30 * DAY, Level::High, "automate renewal"),
        (phi(), 0, Level::Critical, "renew now"),
        // Expired and still there: it is less than 30 days.
        (phi(), -DAY, Level::Critical, "renew now"),
        // High: patient-facing or EHR, however long they last.
        (
            patient_facing.clone(),
            400 * DAY,
            Level::High,
            "automate renewal",
        ),
        (patient_facing, 3 * DAY, Level::High, "automate renewal"),
        (ehr, 400 * DAY, Level::High, "automate renewal"),
        // Medium: internal, non-PHI. What nobody has said anything about is this.
        (
            Assigned::default(),
            400 * DAY,
            Level::Medium,
            "schedule renewal",
        ),
        (
            Assigned::default(),
            3 * DAY,
            Level::Medium,
            "schedule renewal",
        ),
        // Low: development and tests.
        (
            in_environment(Environment::Test),
            3 * DAY,
            Level::Low,
            "document and plan",
        ),
        (
            in_environment(Environment::Development),
            400 * DAY,
            Level::Low,
            "document and plan",
        ),
    ];
    for (assigned, left, level, action) in cases {
        let found = assess(&facts(left, assigned.clone()), NOW);
        assert_eq!(found.level, level, "{assigned:?}, {left} s left");
        assert_eq!(found.action, action);
        assert!(!found.because.is_empty());
    }
}

/// Real health information in a test system is health information.
#[test]
fn r18_a_word_for_test_does_not_undo_phi() {
    let assigned = Assigned {
        environment: Environment::Test,
        ..phi()
    };
    assert_eq!(
        assess(&facts(5 * DAY, assigned.clone()), NOW).level,
        Level::Critical
    );
    assert_eq!(assess(&facts(90 * DAY, assigned), NOW).level, Level::High);
}

#[test]
fn r18_life_support_faces_a_patient() {
    let assigned = Assigned {
        criticality: Criticality::LifeSupport,
        ..Assigned::default()
    };
    assert_eq!(
        said(&facts(90 * DAY, assigned)),
        "High because: life support, 90 days left"
    );
}

/// The sentence that the issue asks for.
#[test]
fn r18_it_says_why() {
    let asset = Asset {
        serial: "SN-4711".to_owned(),
        renewal: RenewalMethod::Manual,
        ..Asset::default()
    };
    let assigned = Assigned {
        asset: Some(Arc::new(asset)),
        ..Assigned::default()
    };
    let mut one = facts(12 * DAY, assigned);
    one.flows = vec![Protects {
        phi: true,
        ..flow("EHR interface")
    }];
    let found = assess(&one, NOW);
    assert_eq!(
        found.to_string(),
        "Critical because: PHI via EHR interface, 12 days left, renewal manual"
    );
    assert_eq!(found.action, "renew now");
    let whats: Vec<&str> = found.because.iter().map(|reason| reason.what).collect();
    assert_eq!(whats, ["phi", "expiry", "renewal"]);
}

#[test]
fn r18_phi_is_told_from_where_it_is_known() {
    let device = Assigned {
        asset: Some(Arc::new(Asset {
            serial: "SN-4711".to_owned(),
            phi: true,
            ..Asset::default()
        })),
        ..phi()
    };
    assert!(said(&facts(DAY, device)).contains("PHI on device SN-4711, 1 day left"));
    let ruled = Assigned {
        owner_by: Some("rule portals".to_owned()),
        ..phi()
    };
    assert!(said(&facts(DAY, ruled)).contains("PHI by rule portals"));
    let mut many = facts(DAY, phi());
    many.flows = ["d", "b", "a", "c"]
        .map(|name| Protects {
            phi: true,
            ..flow(name)
        })
        .into();
    assert!(said(&many).contains("PHI via a, b, c and 1 more"));
    many.flows[1].passed = Some("PHI from EHR".to_owned());
    assert!(said(&many).contains("PHI via a, c, d and 1 more"));
}

#[test]
fn r18_ehr_and_patients_by_flows() {
    let mut one = facts(90 * DAY, Assigned::default());
    one.flows = vec![Protects {
        ehr: true,
        patient_facing: true,
        ..flow("MyChart")
    }];
    assert_eq!(
        said(&one),
        "High because: EHR integration via MyChart, patient-facing via MyChart, 90 days left"
    );
    one.flows = vec![Protects {
        criticality: Criticality::LifeSupport,
        passed: Some("life support from Pumps".to_owned()),
        ..flow("Alarms")
    }];
    assert_eq!(
        said(&one),
        "High because: life support via Alarms (life support from Pumps), 90 days left"
    );
}

/// Otherwise every renewed certificate of the past would be critical for ever.
#[test]
fn r18_what_is_over_and_nowhere_is_no_risk() {
    let mut one = facts(-DAY, phi());
    one.places.clear();
    assert_eq!(said(&one), "None because: expired, and nowhere any more");
    let mut one = facts(5 * DAY, phi());
    one.places.clear();
    // Nobody has seen it anywhere, and it may be somewhere.
    assert_eq!(assess(&one, NOW).level, Level::Critical);
    one.revoked = Some(4);
    assert_eq!(said(&one), "None because: revoked, and nowhere any more");
    // RFC 5280 §5.3.1: certificateHold may be released.
    one.revoked = Some(6);
    assert_eq!(assess(&one, NOW).level, Level::Critical);
}

#[test]
fn r18_days_as_people_say_them() {
    let cases = [
        (-2 * DAY, "expired 2 days ago"),
        (-DAY, "expired a day ago"),
        (-1, "expired today"),
        (0, "less than a day left"),
        (DAY, "1 day left"),
        (2 * DAY, "2 days left"),
    ];
    for (left, text) in cases {
        assert!(said(&facts(left, phi())).contains(text), "{text}");
    }
}

/// More PHI, more patients, less time: never less risk (checked over every combination).
#[test]
fn r18_no_knowledge_of_harm_makes_a_risk_smaller() {
    let combinations = (0..256_u32).flat_map(|bits| {
        [-1, 0, 29 * DAY, 30 * DAY - 1, 30 * DAY, 400 * DAY].map(|left| from_bits(bits, left))
    });
    for light in combinations {
        let level = light.level();
        let worse = [
            Light { phi: true, ..light },
            Light {
                patient_facing: true,
                ..light
            },
            Light { ehr: true, ..light },
            Light {
                life_support: true,
                ..light
            },
            Light {
                somewhere: true,
                ..light
            },
            Light {
                test: false,
                ..light
            },
        ];
        for worse in worse {
            assert!(worse.level() >= level, "{light:?} to {worse:?}");
        }
    }
}

pub(super) fn from_bits(bits: u32, seconds_left: i64) -> Light {
    let bit = |n: u32| bits & 1 << n != 0;
    Light {
        seconds_left,
        phi: bit(0),
        patient_facing: bit(1),
        ehr: bit(2),
        life_support: bit(3),
        test: bit(4),
        revoked: bit(5),
        somewhere: bit(6),
    }
}
