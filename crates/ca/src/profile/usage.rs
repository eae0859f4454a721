//! Checks of what a profile says about key usage: the usages must suit the keys, each other, and
//! least privilege.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use x509::ext::KeyUsage;
use x509::{KeyAlgorithm, Oid, oids};

use super::check::{Findings, oid};
use super::raw::RawUsage;
use super::{Class, NameKind, NameRule, Usage};

/// Names of the bits of keyUsage (RFC 5280 §4.2.1.3).
pub(super) const KEY_USAGES: [(&str, KeyUsage); 9] = [
    ("digitalSignature", KeyUsage::DIGITAL_SIGNATURE),
    ("nonRepudiation", KeyUsage::NON_REPUDIATION),
    ("keyEncipherment", KeyUsage::KEY_ENCIPHERMENT),
    ("dataEncipherment", KeyUsage::DATA_ENCIPHERMENT),
    ("keyAgreement", KeyUsage::KEY_AGREEMENT),
    ("keyCertSign", KeyUsage::KEY_CERT_SIGN),
    ("cRLSign", KeyUsage::CRL_SIGN),
    ("encipherOnly", KeyUsage::ENCIPHER_ONLY),
    ("decipherOnly", KeyUsage::DECIPHER_ONLY),
];

fn key_usage(raw: &[Spanned<String>], findings: &mut Findings<'_>) -> KeyUsage {
    let mut usage = KeyUsage::default();
    for text in raw {
        match KEY_USAGES.iter().find(|(name, _)| name == text.get_ref()) {
            Some((_, bit)) => usage = usage | *bit,
            None => {
                let why = format!("`{}` is no key usage", text.get_ref());
                findings.error(text.span(), "usage.key", "RFC 5280 §4.2.1.3", why);
            }
        }
    }
    usage
}

pub(super) fn usage(
    raw: &RawUsage,
    algorithms: &[KeyAlgorithm],
    class: Class,
    findings: &mut Findings<'_>,
) -> Usage {
    let extended: Vec<Oid> = raw
        .extended
        .get_ref()
        .iter()
        .filter_map(|text| extended(text, findings))
        .collect();
    let mut tls_feature_on_request = false;
    for text in &raw.on_request {
        match text.get_ref().as_str() {
            "tls-feature" if extended.contains(&oids::EKU_SERVER_AUTH) => {
                tls_feature_on_request = true;
            }
            "tls-feature" => {
                let why = "a TLS feature binds servers only";
                findings.error(text.span(), "usage.tls-feature", "RFC 7633 §4.2.3", why);
            }
            other => {
                let why = format!("`{other}` cannot be asked for; tls-feature can");
                findings.error(text.span(), "usage.on-request", "docs/profiles.md", why);
            }
        }
    }
    let usage = Usage {
        authority: raw.authority,
        path_length: raw.path_length,
        key: key_usage(raw.key.get_ref(), findings),
        key_rsa: key_usage(&raw.key_rsa, findings),
        key_ec: key_usage(&raw.key_ec, findings),
        extended,
        extended_critical: raw.extended_critical,
        ocsp_no_check: raw.ocsp_no_check,
        tls_feature_on_request,
    };
    check_keys(&usage, algorithms, raw.key.span(), findings);
    check_authority(&usage, class, raw.key.span(), findings);
    check_extended(&usage, raw, findings);
    usage
}

/// What each extended usage needs of the key usage: one of these bits (RFC 5280 §4.2.1.12).
fn serves(purpose: &Oid) -> Option<KeyUsage> {
    let signs = KeyUsage::DIGITAL_SIGNATURE;
    let deciphers = KeyUsage::KEY_ENCIPHERMENT | KeyUsage::KEY_AGREEMENT;
    match *purpose {
        oids::EKU_SERVER_AUTH => Some(signs | deciphers),
        oids::EKU_CLIENT_AUTH => Some(signs | KeyUsage::KEY_AGREEMENT),
        oids::EKU_CODE_SIGNING => Some(signs),
        oids::EKU_EMAIL_PROTECTION => Some(signs | KeyUsage::NON_REPUDIATION | deciphers),
        oids::EKU_TIME_STAMPING | oids::EKU_OCSP_SIGNING | oids::EKU_DOCUMENT_SIGNING => {
            Some(signs | KeyUsage::NON_REPUDIATION)
        }
        _ => None,
    }
}

fn check_extended(usage: &Usage, raw: &RawUsage, findings: &mut Findings<'_>) {
    let at = raw.extended.span();
    let any_key = usage.key | usage.key_rsa | usage.key_ec;
    for purpose in &usage.extended {
        if let Some(needed) = serves(purpose)
            && any_key.0 & needed.0 == 0
        {
            let name = purpose.name().unwrap_or("it");
            let why = format!("no key usage lets the key serve {name}");
            findings.error(at.clone(), "usage.consistency", "RFC 5280 §4.2.1.12", why);
        }
    }
    if usage.extended.contains(&oids::ANY_EXTENDED_KEY_USAGE) {
        let why = "anyExtendedKeyUsage is the opposite of least privilege";
        findings.error(at.clone(), "usage.any", "R04, NIST SP 800-52r2 §3.2.1", why);
    }
    let alone = [
        (oids::EKU_TIME_STAMPING, "RFC 3161 §2.3"),
        (oids::EKU_OCSP_SIGNING, "RFC 6960 §4.2.2.2"),
    ];
    for (purpose, source) in alone {
        if usage.extended.contains(&purpose) && usage.extended.len() > 1 {
            let why = "this extended usage stands alone, so that its key does nothing else";
            findings.error(at.clone(), "usage.alone", source, why);
        }
    }
    let stamps = usage.extended.contains(&oids::EKU_TIME_STAMPING);
    if stamps && !usage.extended_critical {
        let why = "timeStamping has to be critical";
        findings.error(at.clone(), "usage.critical", "RFC 3161 §2.3", why);
    }
    if usage.ocsp_no_check != usage.extended.contains(&oids::EKU_OCSP_SIGNING) {
        let why = "ocsp-no-check belongs to OCSP responders, and to them always";
        findings.error(
            at.clone(),
            "usage.ocsp-no-check",
            "RFC 6960 §4.2.2.2.1",
            why,
        );
    }
    match (&raw.extended_absent_because, usage.extended.is_empty()) {
        (None, true) => {
            let why = "without an extended usage the key serves every purpose; \
                       say why in extended-absent-because";
            findings.error(at, "usage.unlimited", "R04 least privilege", why);
        }
        (Some(_), false) => {
            let why = "extended-absent-because explains an absence that is none";
            findings.error(at, "usage.unlimited", "docs/profiles.md", why);
        }
        _ => {}
    }
}

fn check_keys(
    usage: &Usage,
    algorithms: &[KeyAlgorithm],
    at: Range<usize>,
    findings: &mut Findings<'_>,
) {
    let enciphers = KeyUsage::KEY_ENCIPHERMENT | KeyUsage::DATA_ENCIPHERMENT;
    for algorithm in algorithms {
        let bits = usage.for_key(*algorithm);
        let fault = match algorithm {
            _ if bits.0 == 0 => Some(("a key usage is needed", "RFC 5280 §4.2.1.3")),
            KeyAlgorithm::Ed25519 if bits.0 & (enciphers | KeyUsage::KEY_AGREEMENT).0 != 0 => {
                Some(("an Ed25519 key only signs", "RFC 8410 §5"))
            }
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521
                if bits.0 & enciphers.0 != 0 =>
            {
                Some((
                    "an EC key enciphers nothing; put it under key-rsa",
                    "RFC 8813 §3",
                ))
            }
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096
                if bits.contains(KeyUsage::KEY_AGREEMENT) =>
            {
                Some((
                    "an RSA key agrees on nothing; put it under key-ec",
                    "RFC 3279 §2.3.1",
                ))
            }
            _ => None,
        };
        if let Some((why, source)) = fault {
            let message = format!("{algorithm}: {why}");
            findings.error(at.clone(), "usage.key-type", source, message);
        }
    }
}

fn check_authority(usage: &Usage, class: Class, at: Range<usize>, findings: &mut Findings<'_>) {
    let bits = usage.key | usage.key_rsa | usage.key_ec;
    let signs = bits.contains(KeyUsage::KEY_CERT_SIGN);
    if usage.authority != signs {
        let why = "keyCertSign and authority = true belong together";
        findings.error(at.clone(), "usage.authority", "RFC 5280 §4.2.1.9", why);
    }
    if usage.authority != (class == Class::Authority) {
        let why = "authority = true and class = \"authority\" belong together";
        findings.error(at.clone(), "usage.class", "docs/profiles.md", why);
    }
    if !usage.authority && bits.contains(KeyUsage::CRL_SIGN) {
        let why = "only CAs sign CRLs here: indirect CRLs are not issued";
        findings.error(at.clone(), "usage.crl-sign", "RFC 5280 §4.2.1.3", why);
    }
    if !usage.authority && usage.path_length.is_some() {
        let why = "a path length without authority = true means nothing";
        findings.error(at, "usage.path-length", "RFC 5280 §4.2.1.9", why);
    }
}

pub(super) fn check_logon(
    usage: &Usage,
    names: &BTreeMap<NameKind, NameRule>,
    at: Range<usize>,
    findings: &mut Findings<'_>,
) {
    let logon = usage.extended.contains(&oids::EKU_MS_SMARTCARD_LOGON);
    let has = |kind| names.get(&kind).is_some_and(|rule: &NameRule| rule.min > 0);
    if logon && !has(NameKind::Upn) {
        let why = "smart-card logon finds the account by its UPN";
        findings.error(at.clone(), "usage.logon-upn", "MS-PKCA §3.1.5.2.1", why);
    }
    if logon && !has(NameKind::Sid) {
        let why = "domain controllers have demanded the SID since 9 September 2025";
        findings.warn(at, "usage.logon-sid", "Microsoft KB5014754", why);
    }
}

/// An extended usage by name or number.
fn extended(text: &Spanned<String>, findings: &mut Findings<'_>) -> Option<Oid> {
    match x509::oid::by_name(text.get_ref()) {
        Some(found) => Some(found),
        None => oid(text, findings),
    }
}
