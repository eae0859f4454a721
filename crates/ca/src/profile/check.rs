//! What makes a profile sound: fields that fit together, algorithms that are not forbidden (R03),
//! usages that suit the keys, validity within the rules of R05. Everything found is reported with
//! its line, the rule and the rule's source, not just the first thing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use access::NamePattern;
use serde::Serialize;
use serde_json::json;
use toml::Spanned;
use x509::ext::KeyUsage;
use x509::{Extension, KeyAlgorithm, Oid, oids};

use super::raw::{Raw, RawExtension, RawNameRule, RawNames, RawSubject, RawUsage, RawValidity};
use super::{
    Attribute, AttributeRule, AttributeSource, Class, Duration, NameKind, NameRule, Profile,
    Renewal, Usage, Validity,
};

/// Something about a profile's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether it keeps the profile from being used.
    pub severity: Severity,
    /// The line, counted from 1.
    pub line: usize,
    /// A stable name.
    pub rule: &'static str,
    /// Where the rule stands.
    pub source: &'static str,
    /// What is wrong.
    pub message: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The profile cannot be used.
    Error,
    /// It can; somebody should think about it.
    Warning,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let Finding {
            line,
            message,
            rule,
            source,
            ..
        } = self;
        write!(f, "line {line}: {severity}: {message} [{rule}; {source}]")
    }
}

/// Everything there is to say about a profile's text; empty means sound.
pub fn check(toml: &str) -> Vec<Finding> {
    read(toml).1
}

/// Reads and checks. There is a profile only if the text could be read at all; it may be used only
/// if no finding is an error.
pub(super) fn read(text: &str) -> (Option<Profile>, Vec<Finding>) {
    let mut findings = Findings {
        text,
        list: Vec::new(),
    };
    let raw: Raw = match toml::from_str(text) {
        Ok(raw) => raw,
        Err(error) => {
            let at = error.span().unwrap_or_default();
            findings.error(at, "syntax", "docs/profiles.md", error.message().to_owned());
            return (None, findings.list);
        }
    };
    let profile = build(raw, &mut findings);
    findings.list.sort_by_key(|finding| finding.line);
    (profile, findings.list)
}

struct Findings<'a> {
    text: &'a str,
    list: Vec<Finding>,
}

impl Findings<'_> {
    fn error(
        &mut self,
        at: Range<usize>,
        rule: &'static str,
        source: &'static str,
        message: impl Into<String>,
    ) {
        self.push(Severity::Error, at, rule, source, message.into());
    }

    fn warn(
        &mut self,
        at: Range<usize>,
        rule: &'static str,
        source: &'static str,
        message: impl Into<String>,
    ) {
        self.push(Severity::Warning, at, rule, source, message.into());
    }

    fn push(
        &mut self,
        severity: Severity,
        at: Range<usize>,
        rule: &'static str,
        source: &'static str,
        message: String,
    ) {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        self.list.push(Finding {
            severity,
            line,
            rule,
            source,
            message,
        });
    }
}

fn build(raw: Raw, findings: &mut Findings<'_>) -> Option<Profile> {
    check_head(&raw, findings);
    let algorithms = algorithms(&raw.keys.algorithms, findings);
    let names_at = raw.names.span();
    let min_names = raw.names.get_ref().min;
    let names = names(raw.names.get_ref(), names_at, findings);
    let subject = subject(raw.subject.get_ref(), raw.subject.span(), &names, findings);
    let usage = usage(&raw.usage, &algorithms, *raw.class.get_ref(), findings);
    check_logon(&usage, &names, raw.usage.extended.span(), findings);
    let validity = validity(&raw.validity, *raw.class.get_ref(), findings)?;
    let policies = raw
        .policies
        .iter()
        .filter_map(|text| oid(text, findings))
        .collect();
    let extensions = extensions(&raw.extensions, findings);
    if raw.permission.roles.get_ref().is_empty() {
        let at = raw.permission.roles.span();
        findings.error(
            at,
            "permission.roles",
            "R04",
            "nobody may ask for this profile",
        );
    }
    if raw.permission.approvals > 5 {
        let at = raw.permission.roles.span();
        findings.error(at, "permission.approvals", "R07", "at most 5 approvals");
    }
    let mut profile = Profile {
        name: raw.name.into_inner(),
        title: raw.title,
        class: raw.class.into_inner(),
        issued_by: raw.issued_by.into_inner(),
        citations: raw.citations,
        policies,
        algorithms,
        subject,
        names,
        min_names,
        usage,
        validity,
        roles: raw.permission.roles.into_inner(),
        approvals: raw.permission.approvals,
        evidence: raw.permission.evidence,
        extensions,
        json: serde_json::Value::Null,
    };
    profile.json = describe(&profile);
    Some(profile)
}

fn check_head(raw: &Raw, findings: &mut Findings<'_>) {
    if !is_slug(raw.name.get_ref()) {
        let why = "a name is 1 to 40 of a-z, 0-9 and -, beginning with a letter";
        findings.error(raw.name.span(), "name", "docs/profiles.md", why);
    }
    if raw.issued_by.get_ref().is_empty() {
        findings.error(
            raw.issued_by.span(),
            "issued-by",
            "R04",
            "no authority may issue this",
        );
    }
    if raw.citations.is_empty() {
        let why = "no citation says where these rules come from";
        findings.warn(raw.name.span(), "citations", "R06", why);
    }
}

/// Whether `text` can be a name of a profile or an authority: it becomes part of URLs.
pub(crate) fn is_slug(text: &str) -> bool {
    let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=40).contains(&text.len())
        && text.bytes().all(ok)
        && text.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Algorithms that a profile may not name, and why (R03).
const FORBIDDEN: &[(&str, &str)] = &[
    (
        "rsa-1024",
        "RSA below 2048 bits has less than 112 bits of strength",
    ),
    (
        "rsa-512",
        "RSA below 2048 bits has less than 112 bits of strength",
    ),
    ("dsa-1024", "DSA is withdrawn (FIPS 186-5)"),
    ("dsa-2048", "DSA is withdrawn (FIPS 186-5)"),
    (
        "ecdsa-p192",
        "curves below 224 bits have less than 112 bits of strength",
    ),
    (
        "ecdsa-p224",
        "P-256 is the smallest curve that peers support (R03)",
    ),
    (
        "ecdsa-secp256k1",
        "the curve is not in FIPS 186-5 nor in TLS",
    ),
];

fn algorithms(
    raw: &Spanned<Vec<Spanned<String>>>,
    findings: &mut Findings<'_>,
) -> Vec<KeyAlgorithm> {
    let mut known = Vec::new();
    for text in raw.get_ref() {
        let name = text.get_ref().as_str();
        match (name.parse(), FORBIDDEN.iter().find(|(bad, _)| *bad == name)) {
            (Ok(algorithm), _) if known.contains(&algorithm) => {
                findings.error(text.span(), "keys.twice", "docs/profiles.md", "named twice");
            }
            (Ok(algorithm), _) => known.push(algorithm),
            (Err(_), Some((_, why))) => {
                let source = "R03, NIST SP 800-131Ar2 §3";
                findings.error(
                    text.span(),
                    "keys.forbidden",
                    source,
                    format!("{name}: {why}"),
                );
            }
            (Err(_), None) => {
                let why = format!(
                    "`{name}` is not known; rsa-2048, rsa-3072, rsa-4096, ecdsa-p256, \
                     ecdsa-p384, ecdsa-p521, ed25519 are"
                );
                findings.error(text.span(), "keys.unknown", "docs/profiles.md", why);
            }
        }
    }
    if raw.get_ref().is_empty() {
        findings.error(
            raw.span(),
            "keys.none",
            "R04",
            "no key algorithm is allowed",
        );
    }
    known
}

fn names(
    raw: &RawNames,
    at: Range<usize>,
    findings: &mut Findings<'_>,
) -> BTreeMap<NameKind, NameRule> {
    let tables = [
        (NameKind::Dns, &raw.dns),
        (NameKind::Ip, &raw.ip),
        (NameKind::Email, &raw.email),
        (NameKind::Uri, &raw.uri),
        (NameKind::Upn, &raw.upn),
        (NameKind::HardwareModule, &raw.hardware_module),
        (NameKind::Sid, &raw.sid),
        (NameKind::Workstation, &raw.workstation),
    ];
    let mut rules = BTreeMap::new();
    for (kind, table) in tables {
        if let Some(table) = table
            && table.get_ref().max > 0
        {
            rules.insert(
                kind,
                name_rule(kind, table.get_ref(), table.span(), findings),
            );
        }
    }
    let most: u32 = rules
        .values()
        .map(|rule: &NameRule| u32::from(rule.max))
        .sum();
    if u32::from(raw.min) > most {
        let why = format!(
            "at least {} names are demanded and at most {most} allowed",
            raw.min
        );
        findings.error(at, "names.min", "docs/profiles.md", why);
    }
    rules
}

fn name_rule(
    kind: NameKind,
    raw: &RawNameRule,
    at: Range<usize>,
    findings: &mut Findings<'_>,
) -> NameRule {
    let source = "docs/profiles.md";
    if raw.min > raw.max {
        findings.error(at.clone(), "names.min", source, "min is greater than max");
    }
    if raw.max > 1000 {
        let why = "at most 1000 names of a kind: what the request parser reads";
        findings.error(at.clone(), "names.max", source, why);
    }
    if matches!(kind, NameKind::Sid | NameKind::Workstation) && raw.max > 1 {
        findings.error(
            at.clone(),
            "names.max",
            source,
            "an extension of this kind stands once",
        );
    }
    if raw.wildcard && kind != NameKind::Dns {
        let why = "only DNS names have wildcards";
        findings.error(at, "names.wildcard", "RFC 9525 §6.3", why);
    }
    let mut patterns = Vec::new();
    for text in &raw.patterns {
        match NamePattern::parse(&format!("{}:{}", kind.prefix(), text.get_ref())) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => {
                findings.error(text.span(), "names.pattern", source, error.to_string());
            }
        }
    }
    NameRule {
        min: raw.min,
        max: raw.max,
        patterns,
        wildcard: raw.wildcard,
    }
}

fn subject(
    raw: &RawSubject,
    at: Range<usize>,
    names: &BTreeMap<NameKind, NameRule>,
    findings: &mut Findings<'_>,
) -> BTreeMap<Attribute, AttributeRule> {
    let fields = [
        (Attribute::C, &raw.C),
        (Attribute::ST, &raw.ST),
        (Attribute::L, &raw.L),
        (Attribute::O, &raw.O),
        (Attribute::OU, &raw.OU),
        (Attribute::CN, &raw.CN),
        (Attribute::SerialNumber, &raw.serialNumber),
        (Attribute::UID, &raw.UID),
    ];
    let mut subject = BTreeMap::new();
    for (attribute, rule) in fields {
        let Some(rule) = rule else { continue };
        let wrong = match rule.from {
            AttributeSource::Dns if !names.contains_key(&NameKind::Dns) => {
                Some("is taken from the DNS names, of which none are allowed".to_owned())
            }
            AttributeSource::Email if !names.contains_key(&NameKind::Email) => {
                Some("is taken from the mail addresses, of which none are allowed".to_owned())
            }
            AttributeSource::Value => value_fault(attribute, rule.value.as_deref()),
            _ if rule.value.is_some() => Some("has a value and another source".to_owned()),
            _ => None,
        };
        if let Some(why) = wrong {
            let message = format!("{attribute} {why}");
            findings.error(at.clone(), "subject", "docs/profiles.md", message);
        }
        subject.insert(attribute, rule.clone());
    }
    let nameless =
        subject.values().all(|rule| !rule.required) && names.values().all(|rule| rule.min == 0);
    if nameless && subject.is_empty() {
        let why = "neither a subject nor alternative names: the certificate would name nobody";
        findings.error(at, "subject.empty", "RFC 5280 §4.1.2.6", why);
    }
    subject
}

fn value_fault(attribute: Attribute, value: Option<&str>) -> Option<String> {
    match value {
        None => Some("has no value".to_owned()),
        Some(value) if value.is_empty() => Some("has an empty value".to_owned()),
        Some(value) if value.chars().count() > attribute.max_chars() => Some(format!(
            "is longer than {} characters",
            attribute.max_chars()
        )),
        Some(_) => None,
    }
}

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

fn usage(
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

fn check_logon(
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

fn oid(text: &Spanned<String>, findings: &mut Findings<'_>) -> Option<Oid> {
    match text.get_ref().parse() {
        Ok(found) => Some(found),
        Err(_) => {
            let why = format!(
                "`{}` is neither a known name nor an object identifier",
                text.get_ref()
            );
            findings.error(text.span(), "oid", "ITU-T X.660", why);
            None
        }
    }
}

/// The longest validity of each class, where the number comes from, and the longest with a
/// recorded exception (R05; NIST SP 800-57pt1r5 §5.3.6 gives 1 to 3 years to signing keys and
/// 1 to 2 years to authentication keys).
fn limits(class: Class) -> (Duration, &'static str, Option<Duration>) {
    match class {
        Class::Server => (Duration::days(1095), "NIST SP 800-52r2 §3.2", None),
        Class::Device => (Duration::days(730), "R05", Some(Duration::days(1825))),
        Class::Person => (Duration::days(730), "NIST SP 800-57pt1r5 §5.3.6", None),
        Class::Signing => (Duration::days(1095), "NIST SP 800-57pt1r5 §5.3.6", None),
        Class::Infrastructure => (Duration::days(30), "RFC 6960 §4.2.2.2.1", None),
        Class::Authority => (Duration::days(7300), "R01", None),
    }
}

fn validity(raw: &RawValidity, class: Class, findings: &mut Findings<'_>) -> Option<Validity> {
    let default = duration(&raw.default, findings);
    let max = duration(&raw.max, findings);
    let exception = raw
        .exception_max
        .as_ref()
        .map(|text| (text, duration(text, findings)));
    let backdate = raw.backdate.as_ref().map(|text| duration(text, findings));
    let (default, max) = (default?, max?);
    let (limit, source, exception_limit) = limits(class);
    if max > limit {
        let why = format!("{max} is longer than {limit}, the most for this class");
        findings.error(raw.max.span(), "validity.max", source, why);
    }
    if default > max {
        findings.error(
            raw.default.span(),
            "validity.default",
            "R05",
            "longer than max",
        );
    }
    if default.as_seconds() == 0 {
        findings.error(
            raw.default.span(),
            "validity.default",
            "RFC 5280 §4.1.2.5",
            "no time at all",
        );
    }
    let exception_max = match exception {
        Some((text, length)) => {
            let length = length?;
            match exception_limit {
                None => {
                    let why = "only devices outlive the limit by exception";
                    findings.error(text.span(), "validity.exception", "R05", why);
                }
                Some(most) if length > most || length <= max => {
                    let why = format!("an exception lies between {max} and {most}");
                    findings.error(text.span(), "validity.exception", "R05", why);
                }
                Some(_) => {}
            }
            Some(length)
        }
        None => None,
    };
    let backdate = backdate.map_or(Some(Duration::seconds(300)), |length| length)?;
    if backdate.as_seconds() * 2 > default.as_seconds() {
        let why = "more than half of the default validity lies in the past";
        findings.error(
            raw.default.span(),
            "validity.backdate",
            "docs/profiles.md",
            why,
        );
    }
    if raw.renewal == Renewal::Manual && max < Duration::days(365) && class == Class::Device {
        let why = "somebody has to visit each device more than once a year";
        findings.warn(raw.max.span(), "validity.manual", "R24", why);
    }
    Some(Validity {
        default,
        max,
        exception_max,
        backdate,
        renewal: raw.renewal,
    })
}

fn duration(text: &Spanned<String>, findings: &mut Findings<'_>) -> Option<Duration> {
    let parsed = Duration::parse(text.get_ref());
    if parsed.is_none() {
        let why = format!("`{}` is no duration; 15m, 12h, 90d, 2y are", text.get_ref());
        findings.error(text.span(), "duration", "docs/profiles.md", why);
    }
    parsed
}

fn extensions(raw: &[RawExtension], findings: &mut Findings<'_>) -> Vec<Extension> {
    let mut seen = BTreeSet::new();
    let mut extensions = Vec::new();
    for entry in raw {
        let Some(id) = oid(&entry.oid, findings) else {
            continue;
        };
        let own = id.as_bytes().starts_with(&[0x55, 0x1d]);
        if own || !seen.insert(id.to_string()) {
            let why = "extensions of RFC 5280 are made from the other fields, and each stands once";
            findings.error(entry.oid.span(), "extensions", "RFC 5280 §4.2", why);
            continue;
        }
        match hex::decode(entry.value.get_ref()) {
            Ok(value) if !value.is_empty() && value.len() <= 4096 => extensions.push(Extension {
                oid: id,
                critical: entry.critical,
                value,
            }),
            _ => {
                let why = "the value is 1 to 4096 bytes of DER in hex";
                findings.error(entry.value.span(), "extensions", "RFC 5280 §4.1", why);
            }
        }
    }
    extensions
}

/// The profile as JSON: what `show` prints and `diff` compares.
fn describe(profile: &Profile) -> serde_json::Value {
    let bits = |usage: KeyUsage| -> Vec<&str> {
        KEY_USAGES
            .iter()
            .filter(|(_, bit)| usage.contains(*bit))
            .map(|(name, _)| *name)
            .collect()
    };
    let named = |id: &Oid| id.name().map_or_else(|| id.to_string(), str::to_owned);
    let subject: serde_json::Map<String, serde_json::Value> = profile
        .subject
        .iter()
        .map(|(attribute, rule)| (attribute.to_string(), json!(rule)))
        .collect();
    let mut names: serde_json::Map<String, serde_json::Value> = profile
        .names
        .iter()
        .map(|(kind, rule)| (kind.key().to_owned(), json!(rule)))
        .collect();
    names.insert("min".to_owned(), json!(profile.min_names));
    let extensions: Vec<serde_json::Value> = profile
        .extensions
        .iter()
        .map(|e| json!({"oid": e.oid.to_string(), "critical": e.critical, "value": hex::encode(&e.value)}))
        .collect();
    json!({
        "name": profile.name,
        "title": profile.title,
        "class": profile.class,
        "issued-by": profile.issued_by,
        "citations": profile.citations,
        "policies": profile.policies.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "keys": { "algorithms": profile.algorithms },
        "subject": subject,
        "names": names,
        "usage": {
            "authority": profile.usage.authority,
            "path-length": profile.usage.path_length,
            "key": bits(profile.usage.key),
            "key-rsa": bits(profile.usage.key_rsa),
            "key-ec": bits(profile.usage.key_ec),
            "extended": profile.usage.extended.iter().map(named).collect::<Vec<_>>(),
            "extended-critical": profile.usage.extended_critical,
            "ocsp-no-check": profile.usage.ocsp_no_check,
            "tls-feature-on-request": profile.usage.tls_feature_on_request,
        },
        "validity": {
            "default": profile.validity.default,
            "max": profile.validity.max,
            "exception-max": profile.validity.exception_max,
            "backdate": profile.validity.backdate,
            "renewal": profile.validity.renewal,
        },
        "permission": {
            "roles": profile.roles,
            "approvals": profile.approvals,
            "evidence": profile.evidence,
        },
        "extensions": extensions,
    })
}
