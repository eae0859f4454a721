//! pkilint, which shares no code with these rules, sees the same flaws.

use std::{
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{
    crl,
    spoiled::{CASES, GOOD},
};

/// A rule, and the finding of pkilint that stands for it. Where a value cannot be decoded at all, pkilint
/// says just that.
const SEEN: &[(&str, &str)] = &[
    ("version-v3", "pkix.certificate_version_is_not_v3"),
    (
        "serial-length",
        "pkix.certificate_serial_number_out_of_range",
    ),
    (
        "serial-not-zero",
        "pkix.certificate_serial_number_out_of_range",
    ),
    ("validity-form", "pkix.invalid_time_syntax"),
    ("validity-type", "pkix.wrong_time_useful_type"),
    ("no-unique-ids", "pkix.issuer_unique_id_present"),
    ("issuer-not-empty", "pkix.name_empty"),
    ("name-upper-bounds", "itu.invalid_asn1_syntax"),
    (
        "san-when-subject-empty",
        "pkix.san_extension_not_critical_empty_subject",
    ),
    (
        "san-not-critical",
        "pkix.san_extension_is_critical_non_empty_subject",
    ),
    ("san-ip-length", "pkix.ip_address_wrong_length"),
    ("san-email-syntax", "pkix.invalid_email_address_syntax"),
    ("extension-once", "pkix.duplicate_extension"),
    ("never-critical", "pkix.certificate_skid_extension_critical"),
    (
        "authority-key-id-present",
        "pkix.authority_key_identifier_extension_absent",
    ),
    (
        "basic-constraints-critical",
        "pkix.basic_constraints_extension_not_critical",
    ),
    ("key-usage-not-empty", "pkix.no_ku_bits_set"),
    (
        "ec-key-no-encipherment",
        "pkix.key_usage_value_prohibited_for_ec",
    ),
    (
        "ed25519-key-only-signs",
        "pkix.key_usage_value_prohibited_for_edwards_curve",
    ),
    (
        "rsa-key-no-agreement",
        "pkix.key_usage_value_prohibited_for_rsa",
    ),
    (
        "crl-point-complete",
        "pkix.distribution_point_does_not_contain_name_or_issuer",
    ),
    (
        "name-constraints-address-mask",
        "pkix.ip_address_name_constraint_invalid_cidr",
    ),
    (
        "name-constraints-whole-subtrees",
        "pkix.name_constraints_non_default_minimum",
    ),
];

#[test]
fn pkilint_sees_what_the_rules_see() {
    let spoiled = SEEN.iter().map(|(rule, _)| {
        let (_, make, spoil) = CASES.iter().find(|(name, _, _)| name == rule).unwrap();
        let mut draft = make();
        spoil(&mut draft);
        draft.certificate()
    });
    let reports = pkilint("lint_pkix_cert", &[], spoiled.collect());
    for ((rule, code), report) in SEEN.iter().zip(reports) {
        assert!(report.contains(code), "{rule}: {report}");
    }
}

#[test]
fn pkilint_finds_no_error_in_good_certificates() {
    // It takes a root without authority key identifier for one only if its signature verifies.
    let kinds = GOOD.iter().filter(|(kind, _)| *kind != "root");
    let made = kinds
        .clone()
        .map(|(_, make)| make().certificate())
        .collect();
    let reports = pkilint("lint_pkix_cert", &[], made);
    for ((kind, _), report) in kinds.zip(reports) {
        assert!(is_clean(&report), "{kind}: {report}");
    }
}

/// As [`SEEN`], for CRLs.
const SEEN_IN_LISTS: &[(&str, &str)] = &[
    ("crl-version-v2", "pkix.crl_version_is_not_v2"),
    ("crl-issuer-not-empty", "pkix.name_empty"),
    (
        "crl-next-update-present",
        "pkix.validity_period_end_value_missing",
    ),
    ("crl-time-form", "pkix.invalid_time_syntax"),
    ("crl-time-type", "pkix.wrong_time_useful_type"),
    ("crl-extension-once", "pkix.duplicate_extension"),
    (
        "crl-authority-key-id",
        "pkix.authority_key_identifier_missing",
    ),
    ("crl-number-present", "pkix.crl_number_missing"),
    ("crl-no-empty-list", "pkix.crl_revoked_certificates_empty"),
    (
        "crl-entry-serial",
        "pkix.certificate_serial_number_out_of_range",
    ),
    ("crl-entry-date", "pkix.wrong_time_useful_type"),
];

#[test]
fn pkilint_sees_in_crls_what_the_rules_see() {
    let spoiled = SEEN_IN_LISTS.iter().map(|(rule, _)| {
        let (_, spoil) = crl::CASES.iter().find(|(name, _)| name == rule).unwrap();
        let mut list = crl::complete();
        spoil(&mut list);
        list.der()
    });
    let lists = spoiled.chain([crl::complete().der()]).collect();
    let mut reports = pkilint("lint_crl", &["--type", "CRL", "--profile", "PKIX"], lists);
    let of_good = reports.pop().unwrap();
    assert!(is_clean(&of_good), "{of_good}");
    for ((rule, code), report) in SEEN_IN_LISTS.iter().zip(reports) {
        assert!(report.contains(code), "{rule}: {report}");
    }
}

fn is_clean(report: &str) -> bool {
    !report.contains("ERROR") && !report.contains("FATAL")
}

/// One process for many documents: Python takes longer to import pkilint than pkilint takes to lint.
const DRIVER: &str = "
import contextlib, importlib, io, json, sys
tool, options, files = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:]
lint = importlib.import_module('pkilint.bin.' + tool).main
reports = []
for file in files:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        lint(['lint', *options, '--severity', 'WARNING', '--format', 'CSV', file])
    reports.append(out.getvalue())
print(json.dumps(reports))
";

/// pkilint's report on each document.
fn pkilint(tool: &str, options: &[&str], documents: Vec<Vec<u8>>) -> Vec<String> {
    let folder = Lab::new(tool);
    let files: Vec<PathBuf> = (0..documents.len())
        .map(|n| folder.0.join(format!("{n}.der")))
        .collect();
    for (file, der) in files.iter().zip(&documents) {
        std::fs::write(file, der).unwrap();
    }
    let python = venv().join("bin/python");
    let output = Command::new(&python)
        .args(["-c", DRIVER, tool, &serde_json::to_string(options).unwrap()])
        .args(&files)
        .output()
        .unwrap_or_else(|e| panic!("{}: {e}; run `make deps`", python.display()));
    let problem = String::from_utf8_lossy(&output.stderr);
    let reports: Vec<String> =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {problem}"));
    assert!(
        reports.iter().all(|r| r.starts_with("node_path")),
        "{problem}"
    );
    reports
}

/// A folder that goes when the test ends.
struct Lab(PathBuf);

impl Lab {
    fn new(name: &str) -> Lab {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let unique = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = format!("ward-{name}-{}-{unique}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        Lab(folder)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// `WARD_VENV`, or where `make deps` puts its Python tools.
fn venv() -> PathBuf {
    let by_default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tmp/venv");
    std::env::var_os("WARD_VENV").map_or_else(|| by_default.into(), PathBuf::from)
}
