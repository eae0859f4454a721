//! A profile as JSON: what `show` prints and `diff` compares.

use serde_json::json;
use x509::Oid;
use x509::ext::KeyUsage;

use super::Profile;
use super::usage::KEY_USAGES;

/// The profile as JSON: what `show` prints and `diff` compares.
pub(super) fn describe(profile: &Profile) -> serde_json::Value {
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
        "keys": { "algorithms": profile.algorithms, "server-keys": profile.server_keys },
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
