//! Rules about the text of single files: length, unowned to-dos, `unsafe`, clocks, words, links.
//!
//! The needles are spelt in pieces so that this file passes its own rules.

use crate::Finding;
use std::path::Path;

/// Longest source file. Past this a reader scrolls instead of reading.
const MAX_LINES: usize = 800;

/// Rooms that may contain `unsafe` (each use still needs its own `allow` with a reason).
const UNSAFE_ROOMS: &[&str] = &["crates/keys/", "crates/oldtls/"];

/// Rooms in which time is an argument. `// clock: why` on the line is the escape that can be grepped.
/// Monotonic clocks are free: they measure and time out, and decide nothing that is recorded.
const CLOCKLESS_ROOMS: &[&str] = &["x509", "keys", "audit", "store", "access", "ca", "oldtls"];
const CLOCKS: &[&str] = &[
    concat!("SystemTime::", "now"),
    concat!("Timestamp::", "now"),
    concat!("Zoned::", "now"),
];

/// Words that say nothing or belong to one person's machine, and what to do instead.
const WORDS: &[(&str, &str)] = &[
    (concat!("FIX", "ME"), "fix it, or write an owned to-do"),
    (concat!("XX", "X:"), "fix it, or write an owned to-do"),
    (concat!("lorem", " ipsum"), "write the text"),
    (
        concat!("blazing", "ly"),
        "give the figure and how it was measured",
    ),
    (
        concat!("blazing", " fast"),
        "give the figure and how it was measured",
    ),
    (concat!("military", "-grade"), "name the algorithm"),
    (
        concat!("un", "hackable"),
        "say what is refused, and how it was tested",
    ),
    (concat!("/ho", "me/"), "a path of somebody's machine"),
    (concat!("/Us", "ers/"), "a path of somebody's machine"),
    (concat!("/wo", "rk/"), "a path of somebody's machine"),
    (concat!("dbg", "!("), "remove it, or log it"),
];

/// Module names that attract what has no owner.
const HOMELESS: &[&str] = &["util", "utils", "common", "helpers", "misc"];

pub(crate) fn check(root: &Path, path: &str, content: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if is_source(path) {
        length(path, content, &mut findings);
        words(path, content, &mut findings);
    }
    if path.ends_with(".rs") {
        rust(path, content, &mut findings);
    }
    if path.ends_with(".md") {
        words(path, content, &mut findings);
        links(root, path, content, &mut findings);
    }
    findings
}

fn is_source(path: &str) -> bool {
    [
        ".rs", ".sh", ".py", ".toml", ".sql", ".ts", ".tsx", ".css", ".mjs",
    ]
    .iter()
    .any(|end| path.ends_with(end))
        || path.starts_with("bench/")
}

fn length(path: &str, content: &str, findings: &mut Vec<Finding>) {
    let lines = content.lines().count();
    if lines > MAX_LINES && !path.ends_with(".toml") {
        findings.push(Finding::of(
            path,
            format!("{lines} lines; at most {MAX_LINES}: split it by what a reader looks for"),
        ));
    }
}

fn words(path: &str, content: &str, findings: &mut Vec<Finding>) {
    let todo = concat!("TO", "DO");
    for (index, line) in content.lines().enumerate() {
        if let Some(at) = line.find(todo) {
            let owned = line[at + todo.len()..].starts_with('(');
            if !owned {
                findings.push(Finding::at(
                    path,
                    index + 1,
                    format!("{todo} without an owner: write {todo}(name): what"),
                ));
            }
        }
        for (word, instead) in WORDS {
            if line.contains(word) {
                findings.push(Finding::at(path, index + 1, format!("`{word}`: {instead}")));
            }
        }
    }
}

fn rust(path: &str, content: &str, findings: &mut Vec<Finding>) {
    let name = path
        .rsplit('/')
        .next()
        .unwrap_or(path)
        .trim_end_matches(".rs");
    if HOMELESS.contains(&name) {
        findings.push(Finding::of(
            path,
            format!("a module named `{name}` collects what has no owner: name it after a noun"),
        ));
    }
    if in_room_source(path) && !content.starts_with("//!") {
        findings.push(Finding::of(
            path,
            "starts without a `//!` comment that says what it is and why",
        ));
    }
    let clockless = CLOCKLESS_ROOMS
        .iter()
        .any(|room| path.starts_with(&format!("crates/{room}/src/")));
    let may_be_unsafe = UNSAFE_ROOMS.iter().any(|room| path.starts_with(room));
    let mut in_tests = false;
    for (index, line) in content.lines().enumerate() {
        in_tests |= line.trim() == "#[cfg(test)]";
        if !may_be_unsafe && is_unsafe(line) {
            findings.push(Finding::at(
                path,
                index + 1,
                format!("unsafe code outside {}", UNSAFE_ROOMS.join(", ")),
            ));
        }
        if clockless
            && !in_tests
            && !line.contains("// clock: ")
            && CLOCKS.iter().any(|clock| line.contains(clock))
        {
            findings.push(Finding::at(
                path,
                index + 1,
                "reads a clock: take the time as an argument",
            ));
        }
        if line.trim_start().starts_with(concat!("#[ign", "ore]")) {
            findings.push(Finding::at(
                path,
                index + 1,
                "an ignored test without a reason: #[ignore = \"why\"]",
            ));
        }
    }
}

fn in_room_source(path: &str) -> bool {
    path.starts_with("crates/") && path.contains("/src/")
}

fn is_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    [" {", " fn", " impl", " extern"]
        .iter()
        .any(|after| code.contains(&format!("{}{after}", concat!("uns", "afe"))))
        || code.contains(concat!("allow(uns", "afe_code"))
}

/// Every relative link must lead to a file, and every `#fragment` of a markdown file to a heading.
fn links(root: &Path, path: &str, content: &str, findings: &mut Vec<Finding>) {
    let folder = root
        .join(path)
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default();
    for (line, target) in link_targets(content) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
        let target_path = if file.is_empty() {
            root.join(path)
        } else {
            folder.join(file)
        };
        if !target_path.exists() {
            findings.push(Finding::at(
                path,
                line,
                format!("link to {target}: there is no such file"),
            ));
        } else if !fragment.is_empty() && target_path.extension().is_some_and(|end| end == "md") {
            let text = std::fs::read_to_string(&target_path).unwrap_or_default();
            if !text
                .lines()
                .any(|line| heading_slug(line).as_deref() == Some(fragment))
            {
                findings.push(Finding::at(
                    path,
                    line,
                    format!("link to {target}: there is no such heading"),
                ));
            }
        }
    }
}

/// `](target)` outside fenced blocks and inline code, with its line number.
fn link_targets(content: &str) -> Vec<(usize, &str)> {
    let mut targets = Vec::new();
    let mut fenced = false;
    for (index, line) in content.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for prose in line.split('`').step_by(2) {
            for part in prose.split("](").skip(1) {
                let target = part.split([')', ' ']).next().unwrap_or_default();
                targets.push((index + 1, target));
            }
        }
    }
    targets
}

/// The fragment under which renderers publish a heading.
fn heading_slug(line: &str) -> Option<String> {
    let text = line
        .strip_prefix('#')?
        .trim_start_matches('#')
        .strip_prefix(' ')?;
    let kept = text.trim().to_lowercase();
    Some(
        kept.chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, content: &str) -> usize {
        check(Path::new(env!("CARGO_MANIFEST_DIR")), path, content).len()
    }

    #[test]
    fn each_rule_has_a_text_that_passes_and_one_that_fails() {
        let todo = concat!("TO", "DO");
        let uns = concat!("uns", "afe");
        let clock = concat!("SystemTime::", "now()");
        let table: &[(&str, String, usize)] = &[
            ("a.rs", "\n".repeat(MAX_LINES), 0),
            ("a.rs", "\n".repeat(MAX_LINES + 1), 1),
            ("a.rs", format!("// {todo}(ann): later"), 0),
            ("a.rs", format!("// {todo}: later"), 1),
            ("crates/keys/src/a.rs", format!("//! x\n{uns} {{ }}"), 0),
            ("crates/ca/src/a.rs", format!("//! x\n{uns} {{ }}"), 1),
            (
                "crates/ca/src/a.rs",
                format!("//! x\n// nothing {uns} here"),
                0,
            ),
            ("crates/ca/src/a.rs", format!("//! x\nlet t = {clock};"), 1),
            (
                "crates/ca/src/a.rs",
                format!("//! x\nlet t = {clock}; // clock: a metric only"),
                0,
            ),
            (
                "crates/ca/src/a.rs",
                format!("//! x\n#[cfg(test)]\nlet t = {clock};"),
                0,
            ),
            (
                "crates/server/src/a.rs",
                format!("//! x\nlet t = {clock};"),
                0,
            ),
            ("crates/ca/src/a.rs", "fn a() {}".to_owned(), 1),
            ("crates/ca/src/util.rs", "//! x".to_owned(), 1),
            ("a.rs", concat!("#[ign", "ore]").to_owned(), 1),
            (
                "a.md",
                "[x](Cargo.toml) [y](https://example.org)".to_owned(),
                0,
            ),
            ("a.md", "[x](gone.md)".to_owned(), 1),
            (
                "a.md",
                "`[x](gone.md)`\n```\n[x](gone.md)\n```".to_owned(),
                0,
            ),
        ];
        for (path, content, expected) in table {
            assert_eq!(findings(path, content), *expected, "{path}: {content:?}");
        }
    }

    #[test]
    fn a_fragment_must_be_a_heading() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("b.md"), "## Keys & locks (all)\n").unwrap();
        let check = |link: &str| check(folder.path(), "a.md", &format!("[x](b.md#{link})")).len();
        assert_eq!(check("keys--locks-all"), 0);
        assert_eq!(check("keys"), 1);
    }
}
