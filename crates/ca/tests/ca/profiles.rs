//! Profiles as text: the built-in set, what is refused and on which line, versions and differences.

use access::Action;
use ca::Profile;
use ca::profile::{BUILT_IN, Severity, check, diff};

use crate::support::{House, NOW, on_both};

on_both!(
    built_in_profiles_are_records_with_versions,
    a_changed_profile_keeps_its_history,
);

/// R04: the complete set, with what each says, as a golden file.
#[test]
fn r04_the_built_in_profiles_are_as_reviewed() {
    let mut shown = String::new();
    for (name, toml) in BUILT_IN {
        let findings = check(toml);
        assert!(findings.is_empty(), "{name}: {findings:?}");
        let profile = Profile::parse(toml).unwrap();
        assert_eq!(profile.name(), *name);
        shown.push_str(&line(&profile));
    }
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ca/profiles.golden");
    if std::env::var_os("WARD_BLESS").is_some() {
        std::fs::write(golden, &shown).unwrap();
    }
    let reviewed = std::fs::read_to_string(golden).unwrap();
    assert_eq!(shown, reviewed, "run with WARD_BLESS=1 after a review");
}

/// The table in docs/profiles.md is the same data.
#[test]
fn r06_the_documentation_lists_the_profiles() {
    let mut table = String::from(
        "| Profile | For | Names | Key usage | Extended usage | Validity | Approvals |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for (_, toml) in BUILT_IN {
        table.push_str(&row(&Profile::parse(toml).unwrap()));
        table.push('\n');
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/profiles.md");
    let document = std::fs::read_to_string(path).unwrap();
    let begin = document.find("<!-- profiles:").unwrap();
    let begin = begin + document[begin..].find('\n').unwrap() + 1;
    let end = document.find("<!-- /profiles -->").unwrap();
    if std::env::var_os("WARD_BLESS").is_some() {
        let blessed = format!("{}{table}{}", &document[..begin], &document[end..]);
        std::fs::write(path, blessed).unwrap();
        return;
    }
    assert_eq!(
        &document[begin..end],
        table,
        "run with WARD_BLESS=1 after a review"
    );
}

fn field(profile: &Profile, pointer: &str) -> String {
    let list = |value: &serde_json::Value| -> String {
        let items: Vec<&str> = value
            .as_array()
            .map(|items| items.iter().filter_map(|item| item.as_str()).collect())
            .unwrap_or_default();
        items.join(" ")
    };
    match profile.to_json().pointer(pointer) {
        Some(serde_json::Value::Array(_)) => list(profile.to_json().pointer(pointer).unwrap()),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

fn names(profile: &Profile) -> String {
    let kinds: Vec<String> = ca::profile::NameKind::ALL
        .into_iter()
        .filter_map(|kind| {
            let rule = profile.name_rule(kind)?;
            Some(format!("{kind} {}–{}", rule.min, rule.max))
        })
        .collect();
    kinds.join(", ")
}

fn key_usage(profile: &Profile) -> String {
    let mut text = field(profile, "/usage/key");
    for (pointer, kind) in [("/usage/key-rsa", "RSA"), ("/usage/key-ec", "EC")] {
        let more = field(profile, pointer);
        if !more.is_empty() {
            text.push_str(&format!(" +{more} ({kind})"));
        }
    }
    text
}

fn line(profile: &Profile) -> String {
    let exception = profile
        .exception_validity()
        .map_or_else(String::new, |length| format!(" exception {length}"));
    format!(
        "{}\n  class {} by {} | roles {} | approvals {} | evidence {}\n  names {}\n  keys {}{}\n  \
         key usage {} | extended {}\n  validity {} max {}{exception} {}\n",
        profile.name(),
        field(profile, "/class"),
        profile.issued_by().join(" "),
        field(profile, "/permission/roles"),
        profile.approvals(),
        profile.evidence(),
        names(profile),
        field(profile, "/keys/algorithms"),
        if profile.server_keys() {
            " | made by Ward"
        } else {
            ""
        },
        key_usage(profile),
        field(profile, "/usage/extended"),
        profile.default_validity(),
        profile.max_validity(),
        field(profile, "/validity/renewal"),
    )
}

fn row(profile: &Profile) -> String {
    let or_dash = |text: String| {
        if text.is_empty() {
            "–".to_owned()
        } else {
            text
        }
    };
    let exception = profile
        .exception_validity()
        .map_or_else(String::new, |length| format!(" ({length})"));
    format!(
        "| `{}` | {} | {} | {} | {} | {} / {}{exception} | {} |",
        profile.name(),
        profile.title(),
        or_dash(names(profile)),
        or_dash(key_usage(profile)),
        or_dash(field(profile, "/usage/extended")),
        profile.default_validity(),
        profile.max_validity(),
        profile.approvals(),
    )
}

const SOUND: &str = r#"name = "x"
title = "X"
class = "server"
issued-by = ["servers"]
citations = ["RFC 5280"]
[keys]
algorithms = ["ecdsa-p256", "rsa-2048"]
[subject]
CN = { from = "dns" }
[names]
dns = { min = 1, max = 2 }
[usage]
key = ["digitalSignature"]
extended = ["serverAuth"]
[validity]
default = "90d"
max = "398d"
renewal = "automatic"
[permission]
roles = ["admin"]
"#;

/// R03, R05: what is not sound is refused, with rule and line.
#[test]
fn r03_r05_unsound_profiles_are_refused_with_rule_and_line() {
    assert!(check(SOUND).is_empty());
    let table: &[(&str, &str, &str, usize)] = &[
        ("title = \"X\"", "title = \"X\"\nflavour = 1", "syntax", 3),
        ("roles = [\"admin\"]", "roles = [\"king\"]", "syntax", 20),
        ("\"rsa-2048\"", "\"rsa-1024\"", "keys.forbidden", 7),
        ("\"rsa-2048\"", "\"dsa-2048\"", "keys.forbidden", 7),
        ("\"rsa-2048\"", "\"rsa-2000\"", "keys.unknown", 7),
        ("\"ecdsa-p256\", \"rsa-2048\"", "", "keys.none", 7),
        ("from = \"dns\"", "from = \"email\"", "subject", 8),
        ("min = 1, max = 2", "min = 3, max = 2", "names.min", 11),
        (
            "min = 1, max = 2",
            "max = 2, patterns = [\"*.*\"]",
            "names.pattern",
            11,
        ),
        (
            "[\"digitalSignature\"]",
            "[\"digitalSign\"]",
            "usage.key",
            13,
        ),
        (
            "[\"digitalSignature\"]",
            "[\"digitalSignature\", \"keyEncipherment\"]",
            "usage.key-type",
            13,
        ),
        (
            "[\"digitalSignature\"]",
            "[\"keyCertSign\"]",
            "usage.authority",
            13,
        ),
        (
            "[\"digitalSignature\"]",
            "[\"digitalSignature\", \"cRLSign\"]",
            "usage.crl-sign",
            13,
        ),
        (
            "[\"digitalSignature\"]",
            "[\"nonRepudiation\"]",
            "usage.consistency",
            14,
        ),
        (
            "[\"serverAuth\"]",
            "[\"anyExtendedKeyUsage\"]",
            "usage.any",
            14,
        ),
        ("[\"serverAuth\"]", "[\"serverOath\"]", "oid", 14),
        ("[\"serverAuth\"]", "[]", "usage.unlimited", 14),
        (
            "[\"serverAuth\"]",
            "[\"timeStamping\"]",
            "usage.critical",
            14,
        ),
        (
            "[\"serverAuth\"]",
            "[\"OCSPSigning\"]",
            "usage.ocsp-no-check",
            14,
        ),
        (
            "[\"serverAuth\"]",
            "[\"OCSPSigning\", \"serverAuth\"]",
            "usage.alone",
            14,
        ),
        (
            "[\"serverAuth\"]",
            "[\"msSmartcardLogin\"]",
            "usage.logon-upn",
            14,
        ),
        ("max = \"398d\"", "max = \"4y\"", "validity.max", 17),
        (
            "default = \"90d\"",
            "default = \"2y\"",
            "validity.default",
            16,
        ),
        ("default = \"90d\"", "default = \"90\"", "duration", 16),
        (
            "max = \"398d\"",
            "max = \"398d\"\nexception-max = \"3y\"",
            "validity.exception",
            18,
        ),
        ("roles = [\"admin\"]", "roles = []", "permission.roles", 20),
        ("name = \"x\"", "name = \"X Y\"", "name", 1),
        (
            "issued-by = [\"servers\"]",
            "issued-by = []",
            "issued-by",
            4,
        ),
    ];
    for (from, to, rule, line) in table {
        let text = SOUND.replacen(from, to, 1);
        assert_ne!(text, SOUND, "{from}");
        let findings = check(&text);
        let found = findings.iter().find(|finding| finding.rule == *rule);
        let found = found.unwrap_or_else(|| panic!("{to}: {findings:?}"));
        assert_eq!(found.severity, Severity::Error, "{to}");
        assert_eq!(found.line, *line, "{to}: {found}");
        assert!(Profile::parse(&text).is_err(), "{to}");
    }
}

/// R05: a device may outlive two years by exception only, and five never.
#[test]
fn r05_devices_have_exceptions_and_an_end() {
    let device = SOUND.replace("class = \"server\"", "class = \"device\"");
    let with = |max: &str, exception: &str| {
        device.replace(
            "max = \"398d\"",
            &format!("max = \"{max}\"\nexception-max = \"{exception}\""),
        )
    };
    assert!(Profile::parse(&with("2y", "5y")).is_ok());
    assert!(Profile::parse(&with("2y", "6y")).is_err());
    assert!(Profile::parse(&with("3y", "5y")).is_err());
    assert!(Profile::parse(&with("2y", "1y")).is_err());
}

#[test]
fn differences_name_the_field() {
    let before = Profile::parse(SOUND).unwrap();
    let after = Profile::parse(
        &SOUND
            .replace("398d", "200d")
            .replace("max = 2 }", "max = 9 }"),
    )
    .unwrap();
    let changes: Vec<String> = diff(&before, &after)
        .iter()
        .map(|change| format!("{}: {} -> {}", change.field, change.before, change.after))
        .collect();
    assert_eq!(
        changes,
        [
            "names.dns.max: 2 -> 9",
            "validity.max: \"398d\" -> \"200d\"",
        ]
    );
}

async fn built_in_profiles_are_records_with_versions(postgres: bool) {
    let house = House::bare(postgres).await;
    assert_eq!(house.ca.profiles().len(), BUILT_IN.len());
    assert_eq!(house.events("profile.put").await.len(), BUILT_IN.len());
    // Opening again writes nothing.
    let again = house.again(NOW).await;
    assert_eq!(again.profile("server-tls").unwrap().version, 1);
    assert_eq!(house.events("profile.put").await.len(), BUILT_IN.len());
}

async fn a_changed_profile_keeps_its_history(postgres: bool) {
    let house = House::bare(postgres).await;
    let (_, text) = BUILT_IN
        .iter()
        .find(|(name, _)| *name == "server-tls")
        .unwrap();
    let shorter = text.replace("max = \"398d\"", "max = \"200d\"");
    let later = audit::Timestamp(NOW.0 + 1000);
    let put = house
        .ca
        .put_profile(house.admin(Action::ManageProfiles), &shorter, later)
        .await
        .unwrap();
    assert_eq!(put.version, 2);
    // It stays when Ward opens again: what somebody here has changed is theirs.
    let again = house.again(later).await;
    assert_eq!(again.profile("server-tls").unwrap().version, 2);
    let versions = again.profile_versions("server-tls").await.unwrap();
    assert_eq!(versions.len(), 2);
    assert_eq!(
        diff(&versions[0].profile, &versions[1].profile)[0].field,
        "validity.max"
    );
    // R52: the policy that was in force then.
    let then = again.profiles_as_of(NOW).await.unwrap();
    let then = then
        .iter()
        .find(|version| version.profile.name() == "server-tls")
        .unwrap();
    assert_eq!(then.version, 1);
    // An unsound text is refused and recorded.
    let unsound = text.replace("\"rsa-2048\"", "\"rsa-1024\"");
    let refused = house
        .ca
        .put_profile(house.admin(Action::ManageProfiles), &unsound, later)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("rsa-1024"), "{refused}");
    let events = house.events("profile.put").await;
    assert_eq!(events.last().unwrap().outcome, audit::Outcome::Refused);
}
