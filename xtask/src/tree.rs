//! The rooms (`crates/*`) and the arrows between them, held against the list in ARCHITECTURE.md.
//!
//! ARCHITECTURE.md has one fenced block marked `arrows`; each line is `room -> room, room`. A
//! dependency that the block does not list is refused, so that a new arrow is a decision somebody
//! wrote down. An arrow listed but not drawn is refused too: the picture must not promise more.

use crate::{Finding, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Arrows = BTreeMap<String, BTreeSet<String>>;

const DOCUMENT: &str = "ARCHITECTURE.md";

pub(crate) fn check(root: &Path) -> Result<Vec<Finding>> {
    let Ok(document) = fs::read_to_string(root.join(DOCUMENT)) else {
        return Ok(vec![Finding::of(
            DOCUMENT,
            "is missing: it lists the arrows between rooms",
        )]);
    };
    let Some(listed) = listed(&document) else {
        return Ok(vec![Finding::of(
            DOCUMENT,
            "has no fenced block marked `arrows`",
        )]);
    };
    Ok(compare(&drawn(root)?, &listed))
}

/// The arrows that ARCHITECTURE.md lists.
fn listed(document: &str) -> Option<Arrows> {
    let block = document.split("```arrows\n").nth(1)?.split("```").next()?;
    let mut arrows = Arrows::new();
    for line in block.lines().filter(|line| !line.trim().is_empty()) {
        let (from, to) = line.split_once("->").unwrap_or((line, ""));
        let to = to
            .split([',', ' '])
            .map(str::trim)
            .filter(|room| !room.is_empty() && *room != "–");
        arrows
            .entry(from.trim().to_owned())
            .or_default()
            .extend(to.map(str::to_owned));
    }
    Some(arrows)
}

/// The arrows that the manifests draw: normal and build dependencies from one room to another.
/// Tests may reach further (a test of `store` may sign with `keys`), so dev-dependencies are free.
fn drawn(root: &Path) -> Result<Arrows> {
    let mut manifests = BTreeMap::new();
    for entry in fs::read_dir(root.join("crates"))? {
        let path = entry?.path();
        let Ok(text) = fs::read_to_string(path.join("Cargo.toml")) else {
            continue;
        };
        let manifest: toml::Table = text.parse()?;
        let folder = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        manifests.insert(folder, manifest);
    }
    let rooms: BTreeSet<String> = manifests.keys().cloned().collect();
    let mut arrows = Arrows::new();
    for (room, manifest) in &manifests {
        let to = arrows.entry(room.clone()).or_default();
        for section in ["dependencies", "build-dependencies"] {
            let Some(table) = manifest.get(section).and_then(toml::Value::as_table) else {
                continue;
            };
            to.extend(table.keys().filter(|name| rooms.contains(*name)).cloned());
        }
    }
    Ok(arrows)
}

fn compare(drawn: &Arrows, listed: &Arrows) -> Vec<Finding> {
    let mut findings = Vec::new();
    let nothing = BTreeSet::new();
    for room in drawn.keys().chain(listed.keys()).collect::<BTreeSet<_>>() {
        let manifest = format!("crates/{room}/Cargo.toml");
        match (drawn.get(room), listed.get(room)) {
            (Some(_), None) => findings.push(Finding::of(
                &manifest,
                format!("room `{room}` is not in {DOCUMENT}'s arrows"),
            )),
            (None, _) => findings.push(Finding::of(
                DOCUMENT,
                format!("arrows name `{room}`, and there is no crates/{room}"),
            )),
            _ => {}
        }
        let (is, may) = (
            drawn.get(room).unwrap_or(&nothing),
            listed.get(room).unwrap_or(&nothing),
        );
        for to in is.difference(may) {
            let text = format!("uses `{to}`: {DOCUMENT} lists no arrow {room} -> {to}");
            findings.push(Finding::of(&manifest, text));
        }
        for to in may.difference(is).filter(|_| drawn.contains_key(room)) {
            let text = format!("lists {room} -> {to}, and {manifest} does not use it");
            findings.push(Finding::of(DOCUMENT, text));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrows(block: &str) -> Arrows {
        listed(&format!("text\n```arrows\n{block}\n```\nmore")).unwrap()
    }

    #[test]
    fn an_arrow_must_be_listed_and_drawn() {
        let table = [
            ("x509 ->\nkeys -> x509", "x509 ->\nkeys -> x509", 0),
            ("x509 -> \nkeys -> x509", "x509 -> –\nkeys -> x509", 0),
            ("x509 -> keys\nkeys -> x509", "x509 ->\nkeys -> x509", 1),
            ("x509 ->\nkeys ->", "x509 ->\nkeys -> x509", 1),
            ("x509 ->\nkeys ->", "x509 ->", 1),
            ("x509 ->", "x509 ->\nghost -> x509", 1),
        ];
        for (drawn, listed, findings) in table {
            let found = compare(&arrows(drawn), &arrows(listed));
            assert_eq!(
                found.len(),
                findings,
                "{drawn:?} against {listed:?}: {found:?}"
            );
        }
    }

    #[test]
    fn a_document_without_the_block_is_noticed() {
        assert_eq!(listed("# House\n```text\na -> b\n```\n"), None);
    }
}
