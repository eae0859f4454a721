//! The table of rules, row by row.

use std::collections::BTreeSet;
use std::sync::Arc;

use agent::observation::{Place, Version};
use fleet::finding::{Anchors, Origin, Policy, Severity, evaluate, rules};
use fleet::inventory::Facts;
use fleet::{Asset, RenewalMethod};

use crate::world::{after_begin, before_end, certificate, facts, place, policy, tls, young};

/// The rules that are broken.
fn broken(facts: &Facts, now: audit::Timestamp) -> BTreeSet<&'static str> {
    let found = evaluate(facts, &policy(), now);
    found.iter().map(|one| one.rule.id).collect()
}

fn only(facts: &Facts, now: audit::Timestamp, rule: &str) {
    let found: Vec<&str> = broken(facts, now).into_iter().collect();
    assert_eq!(found, [rule]);
}

/// The twin of every row below.
#[test]
fn r19_what_does_everything_right_breaks_no_rule() {
    let sound = facts("sound");
    assert_eq!(broken(&sound, young(&sound)), BTreeSet::new());
}

/// Each changes one thing about the sound one, and each is found for that and for nothing else.
#[test]
fn r19_one_thing_wrong_is_one_finding() {
    type Spoil = fn(&mut Facts);
    let table: &[(&str, &str, Spoil)] = &[
        ("ca.unrecorded", "sound", |it| {
            it.authority = Some("servers".to_owned())
        }),
        ("revoked.in-use", "sound", |it| it.revoked = Some(4)),
        ("owner.none", "sound", |it| it.assigned.owner = None),
        ("deploy.differs", "sound", |it| {
            it.places[0].expected = Some([9; 32])
        }),
        ("validity.long", "long", |_| {}),
        ("validity.outlives-asset", "sound", |it| {
            let end = it.certificate.not_after().0 - 1;
            it.assigned.asset = Some(Arc::new(Asset {
                service_life_ends: Some(end),
                ..Asset::default()
            }));
        }),
        ("key.flawed", "exponent", |_| {}),
        ("signature.weak", "sha1", |_| {}),
        ("key.weak", "small", |_| {}),
        ("key.shared", "sound", |it| {
            it.key_elsewhere = vec!["a1".to_owned(), "a2".to_owned()];
        }),
        ("key.many-places", "sound", |it| {
            for host in [8, 9] {
                let mut other = place("sound");
                if let Place::Network { address, .. } = &mut other.place {
                    *address = [10, 10, 0, host].into();
                }
                it.places.push(other);
            }
        }),
        ("name.mismatch", "sound", |it| asked_for(it, "pacs.example")),
        ("name.common-name-only", "nameless", |_| {}),
        ("chain.incomplete", "sound", |it| {
            it.places[0].chain.truncate(1)
        }),
        ("chain.order", "sound", |it| {
            it.places[0].chain.insert(1, certificate("root"));
        }),
        ("usage.server", "client", |_| {}),
        ("revocation.none", "statusless", |_| {}),
        ("certificate.malformed", "negative", |_| {}),
        ("vendor.default", "default", |_| {}),
        ("tls.suite", "sound", |it| takes(it, Version::Tls12, 0xc023)),
        ("tls.key-exchange", "sound", |it| {
            let tls = it.places[0].tls.as_mut().unwrap();
            (tls.negotiated, tls.key_exchange_bits) = (Some((Version::Tls12, 0xc02b)), Some(192));
        }),
        ("tls.compression", "sound", |it| {
            it.places[0].tls.as_mut().unwrap().compression = Some(1);
        }),
        ("tls.renegotiation", "sound", |it| {
            let tls = it.places[0].tls.as_mut().unwrap();
            (tls.negotiated, tls.renegotiation_info) =
                (Some((Version::Tls12, 0xc02b)), Some(false));
        }),
        ("tls.master-secret", "sound", |it| {
            let tls = it.places[0].tls.as_mut().unwrap();
            (tls.negotiated, tls.extended_master_secret) =
                (Some((Version::Tls12, 0xc02b)), Some(false));
        }),
        ("crypto.rsa-only", "rsa", |it| {
            (it.key, it.key_bits) = ("rsa".to_owned(), 2048);
            let mut seen = tls(&[(Version::Tls12, &[0xc02f]), (Version::Tls13, &[0x1301])]);
            seen.groups = vec![0x11ec];
            it.places[0].tls = Some(seen);
        }),
        ("crypto.quantum", "sound", |it| {
            it.places[0].tls.as_mut().unwrap().groups = vec![0x001d];
        }),
    ];
    let mut wrong = Vec::new();
    for (rule, name, spoil) in table {
        let mut facts = facts(name);
        spoil(&mut facts);
        let found = broken(&facts, young(&facts));
        if found != BTreeSet::from([*rule]) {
            wrong.push(format!("{rule}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn asked_for(facts: &mut Facts, name: &str) {
    if let Place::Network { sni, .. } = &mut facts.places[0].place {
        *sni = Some(name.to_owned());
    }
}

fn takes(facts: &mut Facts, version: Version, code: u16) {
    let tls = facts.places[0].tls.as_mut().unwrap();
    match tls.versions.iter_mut().find(|seen| seen.version == version) {
        Some(seen) => seen.suites.push(code),
        None => tls.negotiated = Some((version, code)),
    }
}

/// What is wrong in several ways is told in several ways.
#[test]
fn r19_some_wrongs_come_together() {
    let mut old = facts("sound");
    // ECDHE_ECDSA with AES-128-CBC and SHA-1: outside the list, and forward secret.
    takes(&mut old, Version::Tls10, 0xc009);
    let found = broken(&old, young(&old));
    assert_eq!(found, BTreeSet::from(["tls.suite", "tls.version"]));

    let mut plain = facts("sound");
    // RSA_WITH_AES_128_GCM_SHA256.
    takes(&mut plain, Version::Tls12, 0x009c);
    let found = broken(&plain, young(&plain));
    assert_eq!(found, BTreeSet::from(["tls.forward-secrecy", "tls.suite"]));

    let mut broken_suite = facts("sound");
    // ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA, and ECDHE_ECDSA_WITH_RC4_128_SHA.
    for code in [0xc008, 0xc007] {
        let mut one = facts("sound");
        takes(&mut one, Version::Tls12, code);
        takes(&mut broken_suite, Version::Tls12, code);
        let found = broken(&one, young(&one));
        assert_eq!(
            found,
            BTreeSet::from(["tls.suite", "tls.suite-broken"]),
            "{code:04x}"
        );
    }

    let mut own = facts("self");
    own.self_signed = true;
    own.issuers.clear();
    own.places[0].chain.truncate(1);
    only(&own, young(&own), "self-signed");

    let mut foreign = facts("foreign");
    foreign.issuers = vec![certificate("stranger")];
    foreign.places[0].chain = vec![certificate("foreign"), certificate("stranger")];
    only(&foreign, young(&foreign), "issuer.untrusted");
    foreign.issuers.clear();
    foreign.places[0].chain.truncate(1);
    // What is not known cannot be said to be missing.
    only(&foreign, young(&foreign), "issuer.untrusted");

    let mut authority = facts("issuing");
    authority.issuers = vec![certificate("root")];
    authority.places[0].chain = vec![certificate("issuing")];
    let found = broken(&authority, young(&authority));
    assert!(found.contains("usage.authority"), "{found:?}");
}

#[test]
fn r18_r22_time_passes() {
    let mut sound = facts("sound");
    let cases = [
        (91, None),
        (90, Some("expiring.90")),
        (61, Some("expiring.90")),
        (60, Some("expiring.60")),
        (31, Some("expiring.60")),
        (30, Some("expiring.30")),
        (0, Some("expiring.30")),
        (-1, Some("expired.in-use")),
    ];
    for (days, rule) in cases {
        let found = broken(&sound, before_end(&sound, days));
        assert_eq!(
            found,
            rule.into_iter().collect(),
            "{days} days before the end"
        );
    }
    only(&sound, after_begin(&sound, -2), "validity.future");

    // Ward's own of half a year is renewed in the last third: a month is a month of nine.
    sound.recorded = true;
    assert_eq!(broken(&sound, before_end(&sound, 61)), BTreeSet::new());
    only(&sound, before_end(&sound, 59), "expiring.90");
    only(&sound, before_end(&sound, 20), "expiring.30");
    sound.recorded = false;

    sound.places[0].place = Place::File {
        host: "pacs1".to_owned(),
        path: "/etc/ssl/old.pem".to_owned(),
        alias: None,
    };
    sound.places[0].tls = None;
    only(&sound, before_end(&sound, -1), "expired.kept");
    sound.places.clear();
    assert_eq!(broken(&sound, before_end(&sound, -1)), BTreeSet::new());

    let mut brief = facts("brief-leaf");
    brief.issuers = vec![certificate("brief"), certificate("root")];
    brief.places[0].chain = vec![certificate("brief-leaf"), certificate("brief")];
    assert_eq!(broken(&brief, after_begin(&brief, 4)), BTreeSet::new());
    only(&brief, after_begin(&brief, 6), "chain.expired");
}

/// RFC 9525 §6.3 and the places where a name is known.
#[test]
fn r19_names_are_those_that_are_asked_for() {
    for (name, right) in [
        ("icu.example", true),
        ("ICU.example.", true),
        ("a.ward.example", true),
        ("b.a.ward.example", false),
        ("ward.example", false),
        ("10.10.0.7", true),
        ("10.10.0.8", false),
    ] {
        let mut facts = facts("sound");
        asked_for(&mut facts, name);
        let found = broken(&facts, young(&facts));
        assert_eq!(found.is_empty(), right, "{name}: {found:?}");
    }
    let mut unnamed = facts("sound");
    if let Place::Network { sni, .. } = &mut unnamed.places[0].place {
        *sni = None;
    }
    assert_eq!(broken(&unnamed, young(&unnamed)), BTreeSet::new());
    let asset = |name: &str, renewal| Asset {
        host_names: vec![name.to_owned()],
        renewal,
        ..Asset::default()
    };
    unnamed.places[0].asset = Some(Arc::new(asset("icu.example", RenewalMethod::Manual)));
    assert_eq!(broken(&unnamed, young(&unnamed)), BTreeSet::new());
    // The address is in the certificate: that is a name to be reached by, too.
    unnamed.places[0].asset = Some(Arc::new(asset("other.example", RenewalMethod::Manual)));
    assert_eq!(broken(&unnamed, young(&unnamed)), BTreeSet::new());
    if let Place::Network { address, .. } = &mut unnamed.places[0].place {
        *address = [10, 10, 0, 9].into();
    }
    only(&unnamed, young(&unnamed), "name.mismatch");
}

/// CA/B Forum BR §6.3.2 binds who is publicly trusted and nobody else.
#[test]
fn r05_public_limits_are_for_public_roots() {
    let mut anchors = Anchors::default();
    anchors.add(certificate("root").as_ref().clone(), Origin::Public);
    let public = Policy::trusting(anchors);
    let rules = |name: &str| {
        let facts = facts(name);
        let found = evaluate(&facts, &public, young(&facts));
        found.iter().map(|one| one.rule.id).collect::<BTreeSet<_>>()
    };
    assert_eq!(rules("sound"), BTreeSet::new());
    assert_eq!(
        rules("long"),
        BTreeSet::from(["validity.long", "validity.public"])
    );
}

/// Roots in a trust store are nobody's fault.
#[test]
fn r16_roots_in_stores_are_no_findings() {
    let root = in_a_file("root", "/etc/ssl/certs/root.pem");
    assert_eq!(broken(&root, young(&root)), BTreeSet::new());
}

/// What signed itself and is nobody's, in a file and nowhere else.
fn in_a_file(name: &str, path: &str) -> Facts {
    let mut facts = facts(name);
    (facts.self_signed, facts.assigned.owner) = (true, None);
    facts.issuers.clear();
    facts.places[0].place = Place::File {
        host: "pacs1".to_owned(),
        path: path.to_owned(),
        alias: None,
    };
    (facts.places[0].tls, facts.places[0].chain) = (None, vec![certificate(name)]);
    facts
}

/// `openssl req -x509` says CA:TRUE unless it is told otherwise: in a file, it is still what a host was given.
#[test]
fn r16_a_host_s_own_certificate_in_a_file_is_judged_although_it_says_that_it_is_an_authority() {
    for name in ["own", "own-named"] {
        let own = in_a_file(name, "/etc/nginx/tls/w.pem");
        let found = broken(&own, before_end(&own, 10));
        for rule in ["self-signed", "owner.none", "expiring.30"] {
            assert!(found.contains(rule), "{name}: {found:?}");
        }
    }
}

/// The same shown by a client, whatever it is called.
#[test]
fn r16_what_a_client_shows_is_judged_although_it_says_that_it_is_an_authority() {
    let mut root = facts("stranger");
    root.self_signed = true;
    root.places[0].place = Place::Client {
        address: [10, 10, 0, 9].into(),
        server: [10, 10, 0, 7].into(),
        port: 443,
    };
    assert!(broken(&root, young(&root)).contains("self-signed"));
}

/// What a certificate calls itself reaches no terminal as it is.
#[test]
fn r19_findings_are_safe_to_print() {
    let mut facts = facts("sound");
    asked_for(&mut facts, "evil\u{1b}[2J\r\n=cmd()");
    let found = evaluate(&facts, &policy(), young(&facts));
    assert!(!found.is_empty());
    for one in found {
        assert!(!one.what.contains(char::is_control), "{one:?}");
    }
}

#[test]
fn r19_rules_are_a_table() {
    let ids: BTreeSet<&str> = rules().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), rules().count());
    for rule in rules() {
        assert!(
            !rule.citation.is_empty() && !rule.remedy.is_empty(),
            "{}",
            rule.id
        );
        for text in [rule.title, rule.citation, rule.remedy] {
            assert!(
                !text.contains('|'),
                "{}: a table in the documentation",
                rule.id
            );
        }
    }
    let critical: Vec<&str> = rules()
        .filter(|rule| rule.severity == Severity::Critical)
        .map(|rule| rule.id)
        .collect();
    assert!(critical.contains(&"ca.unrecorded"));
}
