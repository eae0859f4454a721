//! NIST's Public Key Interoperability Test Suite, complete, against `x509::path` (R29, R13).
//!
//! Every test is given all 405 certificates and all 173 CRLs of the suite at once, where the document
//! hands over just the path: building must find it, and must not find a way around a flaw.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Helpers of tests are tests.

mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use table::{Settings, TESTS};
use x509::{
    Certificate, Oid, Time,
    crl::CertificateList,
    path::{PathOptions, PolicyInputs, Profile, Revocation, TrustAnchor, validate},
};

#[derive(Clone, Copy)]
pub(crate) enum Expected {
    Valid,
    /// Valid, with this user-constrained policy set.
    Policies(&'static [Oid]),
    Invalid,
}

/// Where we answer otherwise than the document: number, our answer, why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "4.1.4",
        "weak-algorithm",
        "DSA is withdrawn for signing (FIPS 186-5) and not verified here",
    ),
    (
        "4.1.5",
        "weak-algorithm",
        "DSA, with parameters inherited, as 4.1.4",
    ),
];

/// The flaw of tests 4.1.2, 4.1.6 and 4.4.4 is a signature with an unused bit, which is not even a
/// certificate or CRL to us.
const UNREADABLE: [&str; 3] = [
    "BadSignedCACert",
    "InvalidDSASignatureTest6EE",
    "BadCRLSignatureCACRL",
];

struct Suite {
    certificates: Vec<Certificate>,
    by_name: BTreeMap<String, Certificate>,
    anchor: TrustAnchor,
    crls: Vec<CertificateList>,
}

impl Suite {
    fn load() -> Suite {
        let folder = folder();
        let by_name = readable(&folder.join("certs"), "crt", Certificate::from_der);
        let crls = readable(&folder.join("crls"), "crl", CertificateList::from_der);
        let read = by_name.len() + crls.len() + UNREADABLE.len();
        assert_eq!(read, 405 + 173, "the suite is not complete");
        Suite {
            anchor: TrustAnchor::new(by_name["TrustAnchorRootCertificate"].clone()),
            certificates: by_name.values().cloned().collect(),
            by_name,
            crls: crls.into_values().collect(),
        }
    }

    /// The rule that failed, or the user-constrained policy set.
    fn run(&self, end_entity: &str, settings: Settings) -> Result<BTreeSet<Oid>, String> {
        let options = PathOptions {
            profile: Profile::Algorithm,
            policies: PolicyInputs {
                acceptable: settings.acceptable.to_vec(),
                require_explicit: settings.require_explicit,
                inhibit_mapping: settings.inhibit_mapping,
                inhibit_any: settings.inhibit_any,
            },
            revocation: Revocation::Required,
            crls: self.crls.clone(),
            ..PathOptions::at("2011-04-15T00:00:00Z".parse::<Time>().unwrap())
        };
        let anchors = std::slice::from_ref(&self.anchor);
        let target = self.by_name.get(end_entity).ok_or("unreadable")?;
        match validate(target, &self.certificates, anchors, &options) {
            Ok(path) => Ok(path.policies.into_iter().collect()),
            Err(e) => Err(serde_json::to_value(e.rule)
                .unwrap()
                .as_str()
                .unwrap()
                .to_owned()),
        }
    }
}

#[test]
fn every_test_of_the_suite_ends_as_its_document_says() {
    let suite = Suite::load();
    let mut wrong = Vec::new();
    for (number, end_entity, settings, expected) in TESTS {
        let outcome = suite.run(end_entity, *settings);
        let agrees = match (expected, &outcome) {
            (Expected::Valid, Ok(_)) | (Expected::Invalid, Err(_)) => true,
            (Expected::Policies(wanted), Ok(found)) => {
                wanted.iter().copied().collect::<BTreeSet<_>>() == *found
            }
            _ => false,
        };
        let exception = EXCEPTIONS.iter().find(|(n, _, _)| n == number);
        match (agrees, exception) {
            (true, None) => {}
            (false, Some((_, answer, _)))
                if outcome.as_ref().err().is_some_and(|e| e == answer) => {}
            (true, Some(_)) => wrong.push(format!(
                "{number} {end_entity}: agrees, so it is no exception"
            )),
            (false, _) => wrong.push(format!("{number} {end_entity}: {outcome:?}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        TESTS.len(),
        wrong.join("\n")
    );
}

#[test]
fn the_table_names_every_end_entity_and_keeps_to_the_file_names() {
    let listed: BTreeSet<&str> = TESTS
        .iter()
        .map(|(_, end_entity, _, _)| *end_entity)
        .collect();
    let certificates = files(&folder().join("certs"), "crt").map(|(name, _)| name);
    let present: BTreeSet<String> = certificates.filter(|n| n.ends_with("EE")).collect();
    assert_eq!(listed, present.iter().map(String::as_str).collect());
    for (number, end_entity, settings, expected) in TESTS {
        let by_default = settings.acceptable.is_empty()
            && !settings.require_explicit
            && !settings.inhibit_mapping;
        let is_valid = !matches!(expected, Expected::Invalid);
        if by_default && end_entity.starts_with("Valid") {
            assert!(is_valid, "{number}");
        }
        if end_entity.starts_with("Invalid") {
            assert!(!is_valid, "{number}");
        }
    }
}

fn readable<T>(
    folder: &Path,
    extension: &str,
    read: fn(&[u8]) -> Result<T, x509::Error>,
) -> BTreeMap<String, T> {
    let mut found = BTreeMap::new();
    for (name, der) in files(folder, extension) {
        match read(&der) {
            Ok(object) => drop(found.insert(name, object)),
            Err(e) => assert!(UNREADABLE.contains(&name.as_str()), "{name}: {e}"),
        }
    }
    found
}

fn files(folder: &Path, extension: &str) -> impl Iterator<Item = (String, Vec<u8>)> + use<> {
    let entries = fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{}: {e}; run `make deps`", folder.display()));
    let paths: BTreeSet<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    let wanted = extension.to_owned();
    paths
        .into_iter()
        .filter(move |p| p.extension().is_some_and(|e| *e == *wanted))
        .map(|p| {
            let stem = p.file_stem().unwrap().to_string_lossy().into_owned();
            (stem, fs::read(&p).unwrap())
        })
}

/// `WARD_PKITS_DIR`, or where `make deps` installs the `cryptography-vectors` package (`WARD_VENV`).
fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("WARD_PKITS_DIR") {
        return folder.into();
    }
    let by_default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tmp/venv");
    let venv = std::env::var_os("WARD_VENV").unwrap_or_else(|| by_default.into());
    let libraries = Path::new(&venv).join("lib");
    let versions = fs::read_dir(&libraries).into_iter().flatten().flatten();
    let inside =
        |python: PathBuf| python.join("site-packages/cryptography_vectors/x509/PKITS_data");
    let found = versions.map(|e| inside(e.path())).find(|p| p.is_dir());
    found.unwrap_or_else(|| {
        panic!(
            "PKITS is not under {}: run `make deps`",
            libraries.display()
        )
    })
}
