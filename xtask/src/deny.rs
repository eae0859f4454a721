//! Licences, bans and sources of every dependency, by the rules in deny.toml.
//!
//! deny.toml is cargo-deny's own format and `cargo deny check` works with it; building cargo-deny
//! takes longer than everything else here, so the three checks that need no advisory database are
//! done from `cargo metadata` by this file.

use crate::{Finding, Report, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

pub(crate) fn run(root: &Path) -> Result<Report> {
    let rules = Rules::parse(&std::fs::read_to_string(root.join("deny.toml"))?)?;
    let cargo = |arguments: &[&str]| -> Result<Vec<u8>> {
        let output = Command::new(env!("CARGO"))
            .args(arguments)
            .current_dir(root)
            .output()?;
        if !output.status.success() {
            return Err(format!(
                "cargo {}: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr)
            )
            .into());
        }
        Ok(output.stdout)
    };
    let metadata =
        serde_json::from_slice(&cargo(&["metadata", "--format-version", "1", "--locked"])?)?;
    // `cargo metadata` also lists optional dependencies that no feature turns on; `cargo tree` does not.
    let tree = "tree --locked --workspace --all-features --target all --edges all --prefix none --format {p}";
    let built = cargo(&tree.split(' ').collect::<Vec<_>>())?;
    let built = built_packages(&String::from_utf8(built)?);
    let packages = packages(&metadata, &built)?;
    let findings = packages
        .iter()
        .flat_map(|package| rules.check(package))
        .collect();
    Ok(Report {
        looked_at: format!("{} packages", packages.len()),
        findings,
    })
}

/// `name v1.2.3 …` lines of `cargo tree` as (name, version).
fn built_packages(tree: &str) -> BTreeSet<(String, String)> {
    let words = tree.lines().map(str::split_whitespace);
    words
        .filter_map(|mut line| {
            Some((
                line.next()?.to_owned(),
                line.next()?.trim_start_matches('v').to_owned(),
            ))
        })
        .collect()
}

struct Package {
    name: String,
    version: String,
    licence: Option<String>,
    /// None for the workspace's own crates.
    source: Option<String>,
    /// Names of the packages that depend on it.
    users: Vec<String>,
}

fn packages(metadata: &Value, built: &BTreeSet<(String, String)>) -> Result<Vec<Package>> {
    let listed = metadata["packages"]
        .as_array()
        .ok_or("no packages in cargo metadata")?;
    let names: BTreeMap<&str, &str> = listed
        .iter()
        .filter_map(|package| Some((package["id"].as_str()?, package["name"].as_str()?)))
        .collect();
    let mut users: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for node in metadata["resolve"]["nodes"]
        .as_array()
        .ok_or("no dependency graph in cargo metadata")?
    {
        let user = node["id"]
            .as_str()
            .and_then(|id| names.get(id))
            .copied()
            .unwrap_or_default();
        for dependency in node["dependencies"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            users.entry(dependency).or_default().push(user.to_owned());
        }
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Ok(listed
        .iter()
        .map(|package| Package {
            name: text(&package["name"]).unwrap_or_default(),
            version: text(&package["version"]).unwrap_or_default(),
            licence: text(&package["license"]),
            source: text(&package["source"]),
            users: package["id"]
                .as_str()
                .and_then(|id| users.get(id))
                .cloned()
                .unwrap_or_default(),
        })
        .filter(|package| built.contains(&(package.name.clone(), package.version.clone())))
        .collect())
}

/// The part of deny.toml that is checked here.
struct Rules {
    allowed: BTreeSet<String>,
    /// Crate name → further licences allowed for it alone.
    exceptions: BTreeMap<String, BTreeSet<String>>,
    /// Crate name → (users that may have it all the same, reason).
    banned: BTreeMap<String, (Vec<String>, String)>,
}

impl Rules {
    fn parse(text: &str) -> Result<Self> {
        let table: toml::Table = text.parse()?;
        let licences = table.get("licenses").ok_or("deny.toml has no [licenses]")?;
        let mut exceptions = BTreeMap::new();
        for entry in list(licences.get("exceptions")) {
            let name = entry
                .get("crate")
                .and_then(toml::Value::as_str)
                .ok_or("an exception without `crate`")?;
            exceptions.insert(
                name.to_owned(),
                strings(entry.get("allow")).into_iter().collect(),
            );
        }
        let mut banned = BTreeMap::new();
        for entry in list(table.get("bans").and_then(|bans| bans.get("deny"))) {
            let name = entry
                .get("crate")
                .and_then(toml::Value::as_str)
                .ok_or("a ban without `crate`")?;
            let reason = entry
                .get("reason")
                .and_then(toml::Value::as_str)
                .ok_or("a ban without `reason`")?;
            banned.insert(
                name.to_owned(),
                (strings(entry.get("wrappers")), reason.to_owned()),
            );
        }
        Ok(Self {
            allowed: strings(licences.get("allow")).into_iter().collect(),
            exceptions,
            banned,
        })
    }

    fn check(&self, package: &Package) -> Vec<Finding> {
        let mut findings = Vec::new();
        let place = format!("{} {}", package.name, package.version);
        if let Some(source) = &package.source {
            // One registry, no git dependencies: what is built can be had again, byte for byte.
            if !(source.starts_with("registry+") && source.ends_with("/crates.io-index")) {
                findings.push(Finding::of(
                    &place,
                    format!("comes from {source}: only the default registry is allowed"),
                ));
            }
        }
        match &package.licence {
            None => findings.push(Finding::of(&place, "states no licence")),
            Some(licence) if !self.licence_allowed(&package.name, licence) => {
                findings.push(Finding::of(
                    &place,
                    format!("licence {licence} is not in deny.toml's allow list"),
                ));
            }
            Some(_) => {}
        }
        if let Some((wrappers, reason)) = self.banned.get(&package.name) {
            let loose: Vec<&str> = package
                .users
                .iter()
                .filter(|user| !wrappers.contains(user))
                .map(String::as_str)
                .collect();
            if wrappers.is_empty() || !loose.is_empty() {
                findings.push(Finding::of(
                    &place,
                    format!("is banned ({reason}); used by {}", loose.join(", ")),
                ));
            }
        }
        findings
    }

    fn licence_allowed(&self, name: &str, expression: &str) -> bool {
        let own = self.exceptions.get(name);
        let allows = |licence: &str| {
            self.allowed.contains(licence) || own.is_some_and(|own| own.contains(licence))
        };
        // Crates published before SPDX expressions were required separate choices by a slash.
        let spaced = expression
            .replace('/', " OR ")
            .replace('(', " ( ")
            .replace(')', " ) ");
        let tokens: Vec<&str> = spaced.split_whitespace().collect();
        let mut at = 0;
        any_of(&tokens, &mut at, &allows) && at == tokens.len()
    }
}

/// SPDX expression: `OR` binds loosest, then `AND`, then `WITH`.
fn any_of(tokens: &[&str], at: &mut usize, allows: &dyn Fn(&str) -> bool) -> bool {
    let mut result = all_of(tokens, at, allows);
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        result |= all_of(tokens, at, allows);
    }
    result
}

fn all_of(tokens: &[&str], at: &mut usize, allows: &dyn Fn(&str) -> bool) -> bool {
    let mut result = licence(tokens, at, allows);
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        result &= licence(tokens, at, allows);
    }
    result
}

fn licence(tokens: &[&str], at: &mut usize, allows: &dyn Fn(&str) -> bool) -> bool {
    let Some(token) = tokens.get(*at) else {
        return false;
    };
    *at += 1;
    if *token == "(" {
        let result = any_of(tokens, at, allows);
        *at += 1;
        return result;
    }
    if tokens.get(*at) == Some(&"WITH") {
        let exception = tokens.get(*at + 1).copied().unwrap_or_default();
        *at += 2;
        return allows(&format!("{token} WITH {exception}"));
    }
    allows(token)
}

fn list(value: Option<&toml::Value>) -> &[toml::Value] {
    value
        .and_then(toml::Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn strings(value: Option<&toml::Value>) -> Vec<String> {
    list(value)
        .iter()
        .filter_map(toml::Value::as_str)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        [licenses]
        allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
        exceptions = [{ crate = "odd", allow = ["OpenSSL"] }]
        [bans]
        deny = [
            { crate = "ring", reason = "one provider" },
            { crate = "cmake", wrappers = ["sys"], reason = "only there" },
        ]
    "#;

    fn package(name: &str, licence: &str, source: &str, users: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            licence: (!licence.is_empty()).then(|| licence.to_owned()),
            source: (!source.is_empty()).then(|| source.to_owned()),
            users: users.iter().map(|user| (*user).to_owned()).collect(),
        }
    }

    #[test]
    fn licence_expressions_are_evaluated() {
        let rules = Rules::parse(RULES).unwrap();
        let table = [
            ("any", "MIT", true),
            ("any", "GPL-3.0-only", false),
            ("any", "MIT OR GPL-3.0-only", true),
            ("any", "MIT AND GPL-3.0-only", false),
            ("any", "MIT/Apache-2.0", true),
            ("any", "(MIT OR GPL-3.0-only) AND Apache-2.0", true),
            ("any", "MIT AND (GPL-3.0-only OR Apache-2.0)", true),
            ("any", "Apache-2.0 WITH LLVM-exception", true),
            ("any", "MIT WITH LLVM-exception", false),
            ("any", "Apache-2.0 AND OpenSSL", false),
            ("odd", "Apache-2.0 AND OpenSSL", true),
            ("any", "", false),
            ("any", "MIT MIT", false),
        ];
        for (name, expression, allowed) in table {
            assert_eq!(
                rules.licence_allowed(name, expression),
                allowed,
                "{name}: {expression}"
            );
        }
    }

    #[test]
    fn bans_and_sources_are_enforced() {
        let rules = Rules::parse(RULES).unwrap();
        let registry = "registry+https://example.org/crates.io-index";
        let table = [
            (package("a", "MIT", registry, &["b"]), 0),
            (package("a", "MIT", "", &[]), 0),
            (package("a", "", registry, &[]), 1),
            (package("a", "MIT", "git+https://example.org/a", &[]), 1),
            (package("ring", "MIT", registry, &["a"]), 1),
            (package("cmake", "MIT", registry, &["sys"]), 0),
            (package("cmake", "MIT", registry, &["sys", "a"]), 1),
        ];
        for (package, findings) in table {
            let found = rules.check(&package);
            assert_eq!(found.len(), findings, "{}: {found:?}", package.name);
        }
    }
}
