//! Runs every text rule over every file that git knows, and the arrow check.

use crate::{Report, Result, text, tree};
use std::fs;
use std::path::Path;
use std::process::Command;

pub(crate) fn run(root: &Path) -> Result<Report> {
    let files = files(root)?;
    let mut findings = tree::check(root)?;
    for path in &files {
        // Binary files have no lines to check; deleted but not yet committed ones have no content.
        let Ok(content) = fs::read_to_string(root.join(path)) else {
            continue;
        };
        findings.extend(text::check(root, path, &content));
    }
    Ok(Report {
        looked_at: format!("{} files", files.len()),
        findings,
    })
}

/// Files under version control or about to be.
fn files(root: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(root)
        .output()?;
    if !output.status.success() {
        return Err("git ls-files failed".into());
    }
    let listing = String::from_utf8(output.stdout)?;
    Ok(listing
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect())
}
