//! Every lint rule has a case that breaks it, and good certificates and CRLs of every kind break none
//! (R03, R04). What the rules see is compared with pkilint, which shares no code with them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Helpers of tests are tests.

mod crl;
mod draft;
mod peer;
mod spoiled;

use std::collections::BTreeSet;

use draft::{ISSUER, ISSUER_KEY_ID};
use spoiled::{CASES, GOOD, padded_length};
use x509::{
    Certificate, Time,
    lint::{Finding, IssuerFacts, LintContext, Scope, lint_certificate, lint_tbs, rules},
};

fn findings(tbs: &[u8], except: &[&str]) -> Vec<Finding> {
    let issuer = draft::name(ISSUER);
    let context = LintContext {
        issuer: Some(IssuerFacts {
            subject_der: &issuer,
            key_id: Some(&ISSUER_KEY_ID),
            not_after: "2040-01-01T00:00:00Z".parse::<Time>().unwrap(),
        }),
        except,
    };
    lint_tbs(tbs, &context)
}

fn names(findings: &[Finding]) -> BTreeSet<&str> {
    findings.iter().map(|f| f.rule).collect()
}

#[test]
fn good_certificates_break_no_rule() {
    for (kind, make) in GOOD {
        // An IDevID outlives its issuer by design (IEEE 802.1AR §8.7).
        let except: &[&str] = if *kind == "device" {
            &["validity-within-issuer"]
        } else {
            &[]
        };
        assert_eq!(findings(&make().tbs(), except), [], "{kind}");
    }
}

#[test]
fn every_case_breaks_its_rule_and_a_good_twin_does_not() {
    for (rule, make, spoil) in CASES {
        let mut draft = make();
        let good = findings(&draft.tbs(), &["validity-within-issuer"]);
        spoil(&mut draft);
        let found = findings(&draft.tbs(), &[]);
        assert!(
            names(&found).contains(rule),
            "{rule}: found only {:?}",
            names(&found)
        );
        assert!(!names(&good).contains(rule), "{rule}");
    }
}

#[test]
fn lengths_in_longer_form_are_seen() {
    let found = findings(&padded_length(&draft::server()), &[]);
    assert_eq!(names(&found), BTreeSet::from(["der-shortest-lengths"]));
}

#[test]
fn every_rule_has_a_case_a_citation_and_a_name_of_its_own() {
    let certificates = CASES.iter().map(|(rule, _, _)| *rule);
    let lists = crl::CASES.iter().map(|(rule, _)| *rule);
    let mut cases: BTreeSet<&str> = certificates.chain(lists).collect();
    cases.insert("der-shortest-lengths");
    let named: BTreeSet<&str> = rules().map(|r| r.name).collect();
    assert_eq!(named.len(), rules().count());
    assert_eq!(cases, named);
    for rule in rules() {
        assert!(
            !rule.citation.is_empty() && !rule.text.is_empty(),
            "{}",
            rule.name
        );
    }
}

#[test]
fn older_certificates_are_exempt_from_younger_rules() {
    let sha1 = |year: &str| {
        let mut draft = draft::rsa_server();
        draft.algorithm = x509::der::sequence(|w| {
            w.oid(&x509::oids::SHA1_RSA).null();
        });
        draft.not_before = draft::utc(&format!("{year}0101000000Z"));
        names(&findings(&draft.tbs(), &[])).contains("signature-algorithm-strong")
    };
    assert!(!sha1("10"));
    assert!(sha1("17"));
}

#[test]
fn a_profile_can_set_rules_aside() {
    let mut draft = draft::server();
    draft.drop_ext(&x509::oids::AUTHORITY_INFO_ACCESS);
    assert_eq!(
        names(&findings(&draft.tbs(), &[])),
        BTreeSet::from(["issuer-can-be-found"])
    );
    assert_eq!(findings(&draft.tbs(), &["issuer-can-be-found"]), []);
}

#[test]
fn a_signed_certificate_is_linted_without_context() {
    let whole = Certificate::from_der(&draft::server().certificate()).unwrap();
    assert_eq!(lint_certificate(&whole), []);
}

/// Nothing that is no certificate may panic or pass.
#[test]
fn bytes_that_are_no_certificate_are_reported() {
    let good = draft::server().tbs();
    for end in 0..good.len() {
        assert!(!lint_tbs(&good[..end], &LintContext::default()).is_empty());
    }
    for i in 0..good.len() {
        for bit in 0..8 {
            let mut bent = good.clone();
            bent[i] ^= 1 << bit;
            lint_tbs(&bent, &LintContext::default());
        }
    }
}

#[test]
fn scopes_are_those_of_the_tables() {
    let lists = rules().filter(|r| r.scope == Scope::Crl).count();
    assert!(lists >= 30 && rules().count() - lists >= 100);
}
