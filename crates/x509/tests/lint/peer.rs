//! pkilint, which shares no code with these rules, sees the same flaws.

use std::{path::PathBuf, process::Command};

use crate::{
    draft::Draft,
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
    for (rule, code) in SEEN {
        let (_, make, spoil) = CASES.iter().find(|(name, _, _)| name == rule).unwrap();
        let mut draft = make();
        spoil(&mut draft);
        let report = pkilint(rule, &draft);
        assert!(report.contains(code), "{rule}: {report}");
    }
}

#[test]
fn pkilint_finds_no_error_in_good_certificates() {
    // It takes a root without authority key identifier for one only if its signature verifies.
    for (kind, make) in GOOD.iter().filter(|(kind, _)| *kind != "root") {
        let report = pkilint(kind, &make());
        assert!(
            !report.contains("ERROR") && !report.contains("FATAL"),
            "{kind}: {report}"
        );
    }
}

fn pkilint(name: &str, draft: &Draft) -> String {
    let folder = std::env::temp_dir().join(format!("ward-lint-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{name}.der"));
    std::fs::write(&file, draft.certificate()).unwrap();
    let tool = tool();
    let output = Command::new(&tool)
        .args(["lint", "--severity", "WARNING", "--format", "CSV"])
        .arg(&file)
        .output()
        .unwrap_or_else(|e| panic!("{}: {e}; run `make deps`", tool.display()));
    std::fs::remove_file(&file).unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(
        report.starts_with("node_path"),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    report
}

/// In `WARD_VENV`, or where `make deps` puts its Python tools.
fn tool() -> PathBuf {
    let by_default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tmp/venv");
    let venv = std::env::var_os("WARD_VENV").unwrap_or_else(|| by_default.into());
    PathBuf::from(venv).join("bin/lint_pkix_cert")
}
