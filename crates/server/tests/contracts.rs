//! Contracts held still by golden files: the OpenAPI document, who may call what, the page of profiles. A change to either is made on
//! purpose: run with `WARD_BLESS=1` and read the difference before committing it.

mod support;

use std::path::Path;

use access::{Role, Scope};
use serde_json::{Value, json};
use support::Ward;

/// Compares with `tests/golden/{name}`, or writes it when blessed.
fn golden(name: &str, found: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    held_still(&folder.join(name), found);
}

fn held_still(path: &Path, found: &str) {
    if std::env::var_os("WARD_BLESS").is_some() {
        std::fs::write(path, found).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        expected == found,
        "{} differs; WARD_BLESS=1 writes it anew. Found:\n{found}",
        path.display()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_is_as_agreed() {
    let ward = Ward::start().await;
    let (status, document) = ward.curl("GET", "/api/v1/openapi.json", None, None).await;
    assert_eq!(status, 200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    golden("openapi.json", &format!("{document:#}\n"));
    ward.stop().await;
}

/// R37: every endpoint of the document, tried by every role and by nobody. What is not 401 or 403 was let in.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_call_what_is_as_agreed() {
    let ward = Ward::start().await;
    let (_, document) = ward.curl("GET", "/api/v1/openapi.json", None, None).await;
    let mut tokens = vec![("nobody", None)];
    for role in Role::ALL {
        tokens.push((
            role.name(),
            Some(ward.token(role.name(), &[role], Scope::default()).await),
        ));
    }
    let mut table = format!("{:<50}", "endpoint");
    tokens
        .iter()
        .for_each(|(name, _)| table.push_str(&format!(" {name:<9}")));
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| *key != "parameters")
        {
            let method = method.to_uppercase();
            table.push_str(&format!("\n{:<50}", format!("{method} {path}")));
            for (_, token) in &tokens {
                let entered = enters(&ward, &method, path, token.as_deref()).await;
                table.push_str(&format!(" {:<9}", if entered { "yes" } else { "-" }));
            }
        }
    }
    let table: Vec<&str> = table.lines().map(str::trim_end).collect();
    golden("permissions.txt", &format!("{}\n", table.join("\n")));
    ward.stop().await;
}

async fn enters(ward: &Ward, method: &str, path: &str, token: Option<&str>) -> bool {
    let path = path
        .replace("{id}", "00000000")
        .replace("{name}", "nothing")
        .replace("{issuer}", "nothing")
        .replace("{seq}", "0");
    let body = body_for(&path);
    let (status, _) = ward
        .curl(method, &path, token, (method == "POST").then_some(&body))
        .await;
    assert!(status < 500, "{method} {path} fails with {status}");
    !matches!(status, 401 | 403)
}

/// Well-formed enough to come to the decision, wrong enough to change nothing.
fn body_for(path: &str) -> Value {
    match path.rsplit('/').next().unwrap_or_default() {
        "certificates" => json!({ "profile": "nothing" }),
        "tokens" => json!({ "name": "spare", "roles": ["read-only"], "days": 1 }),
        "revoke" => json!({ "reason": "superseded" }),
        _ => json!({}),
    }
}

/// R04: docs/profiles.md says of every built-in profile what the profile itself says.
#[test]
fn the_page_of_profiles_is_as_the_profiles_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/profiles.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("<!-- profiles -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end of profiles -->\n").unwrap();
    let profiles: Vec<Value> = ca::profile::BUILT_IN
        .iter()
        .map(|(_, toml)| ca::Profile::parse(toml).unwrap().to_json().clone())
        .collect();
    let mut found = format!("{before}<!-- profiles -->\n");
    found.push_str("| Profile | For | Keys | Key usage | Extended key usage | Days, at most | Who asks | Approvals |\n");
    found.push_str("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    profiles
        .iter()
        .for_each(|profile| found.push_str(&row(profile)));
    profiles
        .iter()
        .for_each(|profile| found.push_str(&section(profile)));
    found.push_str("\n<!-- end of profiles -->\n");
    found.push_str(after);
    held_still(&path, &found);
}

fn row(profile: &Value) -> String {
    let (usage, validity, permission) = (
        &profile["usage"],
        &profile["validity"],
        &profile["permission"],
    );
    let mut key = words(&usage["key"]);
    for (member, kind) in [("key-rsa", "RSA"), ("key-ec", "EC")] {
        let more = words(&usage[member]);
        if !more.is_empty() {
            key.push_str(&format!("; {kind}: {more}"));
        }
    }
    let extended = words(&usage["extended"]);
    let mut days = format!("{}, {}", text(&validity["default"]), text(&validity["max"]));
    if let Some(exception) = validity["exception-max"].as_str() {
        days.push_str(&format!(" ({exception} with an exception)"));
    }
    format!(
        "| [`{name}`](#{name}) | {} | {} | {key} | {} | {days} | {} | {} |\n",
        text(&profile["title"]),
        words(&profile["keys"]["algorithms"]),
        if extended.is_empty() {
            "none"
        } else {
            &extended
        },
        words(&permission["roles"]),
        permission["approvals"],
        name = text(&profile["name"]),
    )
}

fn section(profile: &Value) -> String {
    let mut out = format!("\n### {}\n", text(&profile["name"]));
    let subject = profile["subject"].as_object().unwrap().iter();
    let subject: Vec<String> = subject
        .map(|(attribute, rule)| {
            let required = if rule["required"] == true {
                ", required"
            } else {
                ""
            };
            format!("{attribute} ({}{required})", text(&rule["from"]))
        })
        .collect();
    let names = profile["names"].as_object().unwrap().iter();
    let names: Vec<String> = names
        .filter(|(kind, _)| *kind != "min")
        .map(|(kind, rule)| name_rule(kind, rule))
        .collect();
    let or_none = |list: Vec<String>| {
        if list.is_empty() {
            "none".to_owned()
        } else {
            list.join("; ")
        }
    };
    let notes = [
        ("evidence", "asks for evidence"),
        ("authority", "makes a CA"),
        ("ocsp-no-check", "id-pkix-ocsp-nocheck"),
        ("tls-feature-on-request", "must-staple on request"),
        ("extended-critical", "extended key usage is critical"),
    ];
    let notes = notes.iter().filter(|(member, _)| {
        profile["usage"][member] == true || profile["permission"][member] == true
    });
    let notes: Vec<String> = notes.map(|(_, note)| (*note).to_owned()).collect();
    out.push_str(&format!(
        "- Issued by: {}; class {}; renewal {}\n",
        words(&profile["issued-by"]),
        text(&profile["class"]),
        text(&profile["validity"]["renewal"])
    ));
    out.push_str(&format!(
        "- Subject: {}\n- Names: {} (at least {} in all)\n",
        or_none(subject),
        or_none(names),
        profile["names"]["min"]
    ));
    if !notes.is_empty() {
        out.push_str(&format!("- {}\n", notes.join("; ")));
    }
    out.push_str(&format!("- Source: {}\n", words(&profile["citations"])));
    out
}

fn name_rule(kind: &str, rule: &Value) -> String {
    let mut out = format!("{kind} {} to {}", rule["min"], rule["max"]);
    if rule["wildcard"] == true {
        out.push_str(", wildcards");
    }
    let patterns = words(&rule["patterns"]);
    if !patterns.is_empty() {
        out.push_str(&format!(", only `{}`", patterns.replace(", ", "`, `")));
    }
    out
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn words(list: &Value) -> String {
    let list: Vec<&str> = list.as_array().into_iter().flatten().map(text).collect();
    list.join(", ")
}
