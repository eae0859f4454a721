//! For each rule over CRLs, what to do to a good list so that the rule is broken.

use std::collections::BTreeSet;

use x509::{
    Extension, Name, SignatureAlgorithm,
    der::{self, Tag, Writer},
    ext::*,
    lint::lint_crl_der,
    oids,
};

use crate::draft::{ISSUER, ISSUER_KEY_ID, generalized, name, point, utc};

pub(crate) struct List {
    version: u64,
    algorithm: Vec<u8>,
    outer_algorithm: Option<Vec<u8>>,
    issuer: Vec<u8>,
    this_update: (Tag, String),
    next_update: Option<(Tag, String)>,
    entries: Option<Vec<Entry>>,
    extensions: Vec<Extension>,
    /// Appended to the entries and to the extensions as they are.
    stray_entry: Vec<u8>,
    stray_extension: Vec<u8>,
}

struct Entry {
    serial: Vec<u8>,
    date: (Tag, String),
    extensions: Option<Vec<Extension>>,
}

fn entry(serial: u8) -> Entry {
    Entry {
        serial: vec![serial; 16],
        date: utc("260301000000Z"),
        extensions: Some(vec![reason(1)]),
    }
}

fn reason(code: u8) -> Extension {
    CrlReason(code).encode()
}

pub(crate) fn complete() -> List {
    let key_id = AuthorityKeyId {
        key_id: Some(ISSUER_KEY_ID.to_vec()),
        ..AuthorityKeyId::default()
    };
    let scope = IssuingDistributionPoint {
        name: point("http://pki.hospital.example/crl/1.crl")
            .0
            .remove(0)
            .name,
        ..IssuingDistributionPoint::default()
    };
    List {
        version: 1,
        algorithm: SignatureAlgorithm::EcdsaSha256.algorithm_identifier_der(),
        outer_algorithm: None,
        issuer: name(ISSUER),
        this_update: utc("260601000000Z"),
        next_update: Some(utc("260608000000Z")),
        entries: Some(vec![entry(1), entry(2)]),
        extensions: vec![key_id.encode(), CrlNumber(vec![7]).encode(), scope.encode()],
        stray_entry: vec![],
        stray_extension: vec![],
    }
}

impl List {
    pub(crate) fn der(&self) -> Vec<u8> {
        let tbs = der::sequence(|w| {
            w.u64(self.version).raw(&self.algorithm).raw(&self.issuer);
            for (tag, text) in [Some(&self.this_update), self.next_update.as_ref()]
                .into_iter()
                .flatten()
            {
                w.element(*tag, text.as_bytes());
            }
            if let Some(entries) = &self.entries {
                w.sequence(|w| {
                    entries.iter().for_each(|e| e.write(w));
                    w.raw(&self.stray_entry);
                });
            }
            w.nested(Tag::context_constructed(0), |w| {
                w.sequence(|w| {
                    self.extensions.iter().for_each(|e| e.write(w));
                    w.raw(&self.stray_extension);
                });
            });
        });
        der::sequence(|w| {
            let outer = self.outer_algorithm.as_ref().unwrap_or(&self.algorithm);
            w.raw(&tbs).raw(outer).bit_string_octets(&[1; 70]);
        })
    }

    fn drop_ext(&mut self, oid: x509::Oid) -> &mut Self {
        self.extensions.retain(|e| e.oid != oid);
        self
    }

    fn set(&mut self, extension: Extension) -> &mut Self {
        self.drop_ext(extension.oid).extensions.push(extension);
        self
    }

    fn first(&mut self) -> &mut Entry {
        &mut self.entries.as_mut().unwrap()[0]
    }

    fn first_has(&mut self, extension: Extension) {
        self.first().extensions = Some(vec![extension]);
    }
}

impl Entry {
    fn write(&self, w: &mut Writer) {
        w.sequence(|w| {
            w.integer(&self.serial)
                .element(self.date.0, self.date.1.as_bytes());
            if let Some(extensions) = &self.extensions {
                w.sequence(|w| extensions.iter().for_each(|e| e.write(w)));
            }
        });
    }
}

fn scope(change: fn(&mut IssuingDistributionPoint)) -> Extension {
    let mut scope = IssuingDistributionPoint::default();
    change(&mut scope);
    scope.encode()
}

fn raw(oid: x509::Oid, critical: bool, value: &[u8]) -> Extension {
    Extension {
        oid,
        critical,
        value: value.to_vec(),
    }
}

fn algorithm(oid: x509::Oid, with_null: bool) -> Vec<u8> {
    der::sequence(|w| {
        w.oid(&oid);
        if with_null {
            w.null();
        }
    })
}

fn explicit_false() -> Vec<u8> {
    der::sequence(|w| {
        w.oid(&oids::FRESHEST_CRL)
            .boolean(false)
            .octet_string(&[0x30, 0]);
    })
}

type Spoil = fn(&mut List);

#[rustfmt::skip]
pub(crate) const CASES: &[(&str, Spoil)] = &[
    ("crl-version-v2", |l| l.version = 0),
    ("crl-signature-algorithms-agree", |l| l.outer_algorithm = Some(SignatureAlgorithm::Ed25519.algorithm_identifier_der())),
    ("crl-signature-algorithm-strong", |l| l.algorithm = algorithm(oids::SHA1_RSA, true)),
    ("crl-signature-algorithm-known", |l| l.algorithm = algorithm(oids::DSA_SHA1, false)),
    ("crl-signature-algorithm-parameters", |l| l.algorithm = algorithm(oids::ECDSA_SHA256, true)),
    ("crl-issuer-not-empty", |l| l.issuer = Name::empty().der().to_vec()),
    ("crl-next-update-present", |l| l.next_update = None),
    ("crl-time-form", |l| l.this_update = utc("2606010000Z")),
    ("crl-time-type", |l| l.next_update = Some(generalized("20260608000000Z"))),
    ("crl-time-order", |l| l.next_update = Some(utc("260601000000Z"))),
    ("crl-extension-once", |l| l.extensions.push(CrlNumber(vec![8]).encode())),
    ("crl-extension-criticality-encoding", |l| l.stray_extension = explicit_false()),
    ("crl-authority-key-id", |l| { l.drop_ext(oids::AUTHORITY_KEY_IDENTIFIER); }),
    ("crl-number-present", |l| { l.drop_ext(oids::CRL_NUMBER); }),
    ("crl-number-present", |l| { l.set(CrlNumber(vec![7]).encode().with_critical(true)); }),
    ("crl-number-form", |l| { l.set(raw(oids::CRL_NUMBER, false, &[2, 1, 0xff])); }),
    ("crl-delta-critical", |l| { l.set(DeltaCrlIndicator(vec![6]).encode().with_critical(false)); }),
    ("crl-delta-no-freshest", |l| { let points = point("http://pki.hospital.example/d.crl").0; l.set(DeltaCrlIndicator(vec![6]).encode()).set(FreshestCrl(points).encode()); }),
    ("crl-distribution-point-critical", |l| { l.set(scope(|s| s.only_user_certs = true).with_critical(false)); }),
    ("crl-distribution-point-scope", |l| { l.set(raw(oids::ISSUING_DISTRIBUTION_POINT, true, &[0x30, 0])); }),
    ("crl-distribution-point-scope", |l| { l.set(raw(oids::ISSUING_DISTRIBUTION_POINT, true, &[0x30, 6, 0x81, 1, 0xff, 0x82, 1, 0xff])); }),
    ("crl-critical-extension-known", |l| { l.set(raw(oids::ISSUER_ALT_NAME, true, &[0x30, 0])); }),
    ("crl-no-empty-list", |l| l.entries = Some(vec![])),
    ("crl-entry-readable", |l| l.stray_entry = vec![0x30, 2, 5, 0]),
    ("crl-entry-serial", |l| l.first().serial[0] = 0x80),
    ("crl-entry-date", |l| l.first().date = generalized("20260301000000Z")),
    ("crl-entry-date-past", |l| l.first().date = utc("260601000001Z")),
    ("crl-entry-once", |l| l.first().serial = vec![2; 16]),
    ("crl-entry-extensions-not-empty", |l| l.first().extensions = Some(vec![])),
    ("crl-entry-reason-code", |l| l.first_has(raw(oids::CRL_REASON, false, &[10, 1, 7]))),
    ("crl-entry-reason-stated", |l| l.first_has(raw(oids::CRL_REASON, false, &[10, 1, 0]))),
    ("crl-entry-remove-only-delta", |l| l.first_has(reason(8))),
    ("crl-entry-never-critical", |l| l.first_has(reason(1).with_critical(true))),
    ("crl-entry-invalidity-date", |l| l.first_has(raw(oids::INVALIDITY_DATE, false, b"\x17\x0d260301000000Z"))),
    ("crl-entry-issuer-critical", |l| l.first_has(CertificateIssuer(vec![x509::GeneralName::DirName(ISSUER.parse().unwrap())]).encode())),
];

fn broken(der: &[u8]) -> BTreeSet<&'static str> {
    lint_crl_der(der).iter().map(|f| f.rule).collect()
}

#[test]
fn good_lists_break_no_rule() {
    let mut delta = complete();
    delta.set(DeltaCrlIndicator(vec![6]).encode());
    delta.first_has(reason(8));
    let mut indirect = complete();
    indirect.set(scope(|s| s.indirect_crl = true));
    let other = x509::GeneralName::DirName("CN=Other CA,C=DE".parse().unwrap());
    indirect.first_has(CertificateIssuer(vec![other]).encode());
    let empty = List {
        entries: None,
        ..complete()
    };
    for list in [complete(), delta, indirect, empty] {
        assert_eq!(lint_crl_der(&list.der()), []);
    }
}

#[test]
fn every_case_breaks_its_rule() {
    for (rule, spoil) in CASES {
        let mut list = complete();
        spoil(&mut list);
        let found = broken(&list.der());
        assert!(found.contains(rule), "{rule}: found only {found:?}");
    }
}
