//! Paths of our own making: what is refused and how it is said, and which of several ways is found.
//! The breadth of RFC 5280 §6 is proved by PKITS (`tests/pkits`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Helpers of tests are tests.

mod hostile;
mod names;
mod pki;

use pki::{Spec, ca, crl, leaf, now, run, run_under};
use x509::{
    Extension, GeneralName,
    ext::*,
    oids,
    path::{PathOptions, PathRule, PolicyInputs, Profile, ReferenceName, Revocation, TrustAnchor},
};

fn options() -> PathOptions {
    PathOptions {
        names: vec![ReferenceName::Dns("fhir.hospital.example".into())],
        purposes: vec![oids::EKU_SERVER_AUTH],
        ..PathOptions::at(now())
    }
}

fn chain() -> Vec<Spec> {
    vec![
        leaf("Server/9", "Issuing/3"),
        ca("Issuing/3", "Policy/2"),
        ca("Policy/2", "Root/1"),
    ]
}

fn critical_mystery() -> Extension {
    Extension {
        oid: "1.3.6.1.4.1.55555.1".parse().unwrap(),
        critical: true,
        value: vec![5, 0],
    }
}

fn limited(path_len: u32) -> Extension {
    let path_len = Some(path_len);
    BasicConstraints { ca: true, path_len }.encode()
}

fn only_below(domain: &str) -> Extension {
    let base = Constraint::Dns(domain.into());
    let permitted = vec![GeneralSubtree {
        base,
        minimum: 0,
        maximum: None,
    }];
    NameConstraints {
        permitted,
        excluded: vec![],
    }
    .encode()
}

#[test]
fn a_sound_chain_is_found_in_any_order_and_named_from_the_target_upwards() {
    let mut specs = chain();
    specs.swap(1, 2);
    let path = run(&specs, &options()).unwrap();
    let subjects: Vec<String> = path.chain.iter().map(|c| c.subject().to_string()).collect();
    assert_eq!(subjects, ["CN=Server", "CN=Issuing", "CN=Policy"]);
    assert_eq!(path.anchor.subject().to_string(), "CN=Root");
    assert_eq!(path.tried, 1);
}

type Spoil = fn(&mut Vec<Spec>, &mut PathOptions);

#[rustfmt::skip]
const REFUSED: &[(&str, Spoil, PathRule, usize)] = &[
    ("issuer missing", |c, _| drop(c.remove(2)), PathRule::NoPath, 1),
    ("target expired", |c, _| c[0].not_after = now().plus_seconds(-1), PathRule::Validity, 0),
    ("issuer expired", |c, _| c[1].not_after = now().plus_seconds(-1), PathRule::Validity, 1),
    ("too many intermediates", |_, o| o.max_intermediates = 1, PathRule::TooLong, 2),
    ("signature by another key", |c, _| c[0].issuer_key = 77, PathRule::Signature, 0),
    ("issuer is no authority", |c, _| edit(&mut c[1], |s| s.without(&oids::BASIC_CONSTRAINTS)), PathRule::BasicConstraints, 1),
    ("path length", |c, _| edit(&mut c[2], |s| s.with(limited(0))), PathRule::PathLength, 2),
    ("issuer may not sign", |c, _| edit(&mut c[1], |s| s.with(KeyUsage::CRL_SIGN.encode())), PathRule::KeyUsage, 1),
    ("unknown critical extension", |c, _| edit(&mut c[0], |s| s.with(critical_mystery())), PathRule::CriticalExtension, 0),
    ("… of an issuer", |c, _| edit(&mut c[2], |s| s.with(critical_mystery())), PathRule::CriticalExtension, 2),
    ("repeated extension", |c, _| c[0].extensions.push(SubjectKeyId(vec![1]).encode()), PathRule::Malformed, 0),
    ("unreadable extension", |c, _| edit(&mut c[0], |s| s.with(Extension { oid: oids::KEY_USAGE, critical: true, value: vec![1] })), PathRule::Malformed, 0),
    ("name outside constraints", |c, _| edit(&mut c[1], |s| s.with(only_below("clinic.example"))), PathRule::NameConstraints, 0),
    ("no such name", |_, o| o.names = vec![ReferenceName::Dns("other.example".into())], PathRule::NameMismatch, 0),
    ("other purpose", |_, o| o.purposes = vec![oids::EKU_CLIENT_AUTH], PathRule::Purpose, 0),
    ("issuer's purposes", |c, _| edit(&mut c[1], |s| s.purposes(&[oids::EKU_EMAIL_PROTECTION])), PathRule::Purpose, 1),
    ("no policy", |_, o| o.policies = PolicyInputs { require_explicit: true, ..PolicyInputs::default() }, PathRule::Policy, 2),
    ("no authority key identifier", |c, _| edit(&mut c[0], |s| s.without(&oids::AUTHORITY_KEY_IDENTIFIER)), PathRule::Profile, 0),
    ("basic constraints not critical", |c, _| edit(&mut c[1], |s| s.with(BasicConstraints { ca: true, path_len: None }.encode().with_critical(false))), PathRule::Profile, 1),
    ("initial constraints", |_, o| o.constraints = NameConstraints::parse(&only_below("clinic.example").value).ok(), PathRule::NameConstraints, 0),
    ("revoked", |_, o| revocation(o, &[crl("Issuing/3", &[9]), crl("Policy/2", &[]), crl("Root/1", &[])]), PathRule::Revoked, 0),
    ("issuer revoked", |_, o| revocation(o, &[crl("Issuing/3", &[]), crl("Policy/2", &[3]), crl("Root/1", &[])]), PathRule::Revoked, 1),
    ("CRL missing", |_, o| revocation(o, &[crl("Issuing/3", &[]), crl("Root/1", &[])]), PathRule::StatusUnknown, 1),
    ("CRL by another key", |_, o| revocation(o, &[crl("Issuing/33", &[]), crl("Policy/2", &[]), crl("Root/1", &[])]), PathRule::StatusUnknown, 0),
];

fn edit(spec: &mut Spec, change: impl FnOnce(Spec) -> Spec) {
    *spec = change(spec.clone());
}

fn revocation(options: &mut PathOptions, crls: &[x509::crl::CertificateList]) {
    options.revocation = Revocation::Required;
    options.crls = crls.to_vec();
}

#[test]
fn every_refusal_names_its_rule_and_certificate() {
    for (what, spoil, rule, index) in REFUSED {
        let (mut specs, mut options) = (chain(), options());
        spoil(&mut specs, &mut options);
        let error = run(&specs, &options).expect_err(what);
        assert_eq!(
            (error.rule, error.index),
            (*rule, *index),
            "{what}: {error}"
        );
        assert!(
            error.clause.starts_with("RFC ") || error.clause.starts_with("CABF"),
            "{what}"
        );
    }
}

#[test]
fn an_error_can_be_sent_as_json() {
    let mut specs = chain();
    specs[1].not_after = "2026-05-01T00:00:00Z".parse().unwrap();
    let error = run(&specs, &options()).unwrap_err();
    let expected = serde_json::json!({
        "rule": "validity",
        "clause": "RFC 5280 §6.1.3 (a)(2)",
        "index": 1,
        "message": "valid from 2025-06-01T00:00:00Z to 2026-05-01T00:00:00Z, not at 2026-06-01T00:00:00Z",
        "tried": 0,
    });
    assert_eq!(serde_json::to_value(&error).unwrap(), expected);
}

#[test]
fn a_way_around_a_flaw_is_found() {
    // Two cross certificates and a renewed one for the same authority: only the last is any good.
    let mut specs = chain();
    let expired = ca("Issuing/3", "Policy/2")
        .serial(50)
        .until(now().plus_days(-1));
    let elsewhere = ca("Issuing/3", "Partner/5").serial(51);
    let constrained = ca("Issuing/3", "Policy/2")
        .serial(52)
        .with(only_below("clinic.example"));
    let other_key = ca("Issuing/4", "Policy/2");
    specs.splice(1..1, [expired, elsewhere, constrained, other_key]);
    let path = run(&specs, &options()).unwrap();
    assert_eq!(path.chain[1].serial(), [1, 0, 3]);
}

#[test]
fn mutual_cross_certificates_are_no_maze() {
    // Bridge and two hospitals certify each other (R29); the way leads over the bridge.
    let specs = [
        leaf("Server/9", "Hospital B/20"),
        ca("Hospital B/20", "Bridge/10"),
        ca("Bridge/10", "Hospital B/20"),
        ca("Bridge/10", "Root/1"),
        ca("Root/1", "Bridge/10"),
    ];
    let path = run(&specs, &options()).unwrap();
    assert_eq!(path.chain.len(), 3);
}

#[test]
fn an_anchor_is_held_to_its_own_words_unless_bare() {
    let specs = [leaf("Server/9", "Root/1")];
    let old = ca("Root/1", "Root/1").until(now().plus_days(-1));
    let mut anchor = TrustAnchor::new(old.make());
    assert_eq!(
        run_under(&[anchor.clone()], &specs, &options())
            .unwrap_err()
            .rule,
        PathRule::Validity
    );
    anchor.is_bare = true;
    assert!(run_under(&[anchor], &specs, &options()).is_ok());

    let for_mail = ca("Root/1", "Root/1").purposes(&[oids::EKU_EMAIL_PROTECTION]);
    let error = run_under(&[TrustAnchor::new(for_mail.make())], &specs, &options()).unwrap_err();
    assert_eq!((error.rule, error.index), (PathRule::Purpose, 1));

    let constrained = TrustAnchor::new(
        ca("Root/1", "Root/1")
            .with(only_below("clinic.example"))
            .make(),
    );
    let error = run_under(&[constrained], &specs, &options()).unwrap_err();
    assert_eq!(error.rule, PathRule::NameConstraints);
}

/// IHE ITI-19 has nodes that trust each other's self-signed certificates directly.
#[test]
fn a_certificate_can_be_its_own_bare_anchor() {
    let own = leaf("Node/9", "Node/9").without(&oids::AUTHORITY_KEY_IDENTIFIER);
    let mut anchor = TrustAnchor::new(own.make());
    assert!(run_under(&[anchor.clone()], std::slice::from_ref(&own), &options()).is_err());
    anchor.is_bare = true;
    assert!(run_under(&[anchor.clone()], std::slice::from_ref(&own), &options()).is_ok());
    let imposter = leaf("Node/10", "Node/10");
    assert!(run_under(&[anchor], &[imposter], &options()).is_err());
}

#[test]
fn the_relying_party_can_limit_an_anchor() {
    let trusted = TrustAnchor::new(ca("Root/1", "Root/1").make());
    let narrow = TrustAnchor {
        constraints: NameConstraints::parse(&only_below("clinic.example").value).ok(),
        ..trusted.clone()
    };
    let shallow = TrustAnchor {
        max_intermediates: Some(1),
        ..trusted.clone()
    };
    let rule = |anchor| run_under(&[anchor], &chain(), &options()).unwrap_err().rule;
    assert_eq!(rule(narrow), PathRule::NameConstraints);
    assert_eq!(rule(shallow), PathRule::PathLength);
    assert!(run_under(&[trusted], &chain(), &options()).is_ok());
}

#[test]
fn profiles_are_ordered_by_strictness() {
    let with = |profile| PathOptions {
        profile,
        ..options()
    };
    let sloppy = vec![leaf("Server/9", "Root/1").without(&oids::AUTHORITY_KEY_IDENTIFIER)];
    assert!(run(&sloppy, &with(Profile::Algorithm)).is_ok());
    assert!(run(&sloppy, &with(Profile::Rfc5280)).is_err());
    // "CN=Server" is not among the alternative names, which only the Web minds.
    assert!(run(&chain(), &with(Profile::Rfc5280)).is_ok());
    let error = run(&chain(), &with(Profile::WebPki)).unwrap_err();
    assert_eq!(error.clause, "CABF BR §7.1.4.3");
    let web = vec![leaf("fhir.hospital.example/9", "Root/1")];
    assert!(run(&web, &with(Profile::WebPki)).is_ok());
}

#[test]
fn unknown_status_is_accepted_only_where_asked_for() {
    let with = |revocation, crls: Vec<_>| PathOptions {
        revocation,
        crls,
        ..options()
    };
    assert!(run(&chain(), &with(Revocation::RefuseRevoked, vec![])).is_ok());
    let revoking = crl("Issuing/3", &[9]);
    let error = run(
        &chain(),
        &with(Revocation::RefuseRevoked, vec![revoking.clone()]),
    )
    .unwrap_err();
    assert_eq!(
        error.message,
        "revoked on 2026-05-30T00:00:00Z: keyCompromise"
    );
    assert!(run(&chain(), &with(Revocation::Ignored, vec![revoking])).is_ok());
    let all = vec![
        crl("Issuing/3", &[8]),
        crl("Policy/2", &[]),
        crl("Root/1", &[]),
    ];
    assert!(run(&chain(), &with(Revocation::Required, all)).is_ok());
}

#[test]
fn a_certificate_without_names_presents_none() {
    let specs = [leaf("fhir.hospital.example/9", "Root/1").without(&oids::SUBJECT_ALT_NAME)];
    let error = run(&specs, &options()).unwrap_err();
    assert_eq!(error.rule, PathRule::NameMismatch);
    let both = leaf("x/9", "Root/1").names(&[
        GeneralName::Dns("fhir.hospital.example".into()),
        GeneralName::Ip([10, 0, 0, 1].into()),
    ]);
    let wanted = |ip: [u8; 4]| PathOptions {
        names: vec![options().names.remove(0), ReferenceName::Ip(ip.into())],
        ..options()
    };
    assert!(run(std::slice::from_ref(&both), &wanted([10, 0, 0, 1])).is_ok());
    assert!(run(&[both], &wanted([10, 0, 0, 2])).is_err());
}
