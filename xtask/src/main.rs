//! House rules that a compiler does not check: `cargo run -p xtask -- tidy` and `-- deny`.
//!
//! Each rule says what it found, where, and what would be accepted. Rules that people must remember
//! are forgotten; rules that fail the build are not.

mod deny;
mod text;
mod tidy;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;

/// Something that a rule refuses.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// File, and line where there is one.
    pub(crate) place: String,
    pub(crate) text: String,
}

impl Finding {
    pub(crate) fn at(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self {
            place: format!("{path}:{line}"),
            text: text.into(),
        }
    }

    pub(crate) fn of(path: &str, text: impl Into<String>) -> Self {
        Self {
            place: path.to_owned(),
            text: text.into(),
        }
    }
}

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let verb = std::env::args().nth(1).unwrap_or_default();
    // Asked of cargo at run time: a build folder may be shared by several checkouts.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| "xtask".into());
    let root = PathBuf::from(manifest).join("..");
    let run = match verb.as_str() {
        "tidy" => tidy::run(&root),
        "deny" => deny::run(&root),
        _ => {
            eprintln!("usage: cargo run -p xtask -- tidy | deny");
            return ExitCode::from(2);
        }
    };
    match run {
        Ok(report) => report.print(&verb),
        Err(error) => {
            eprintln!("{verb}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What a check looked at and what it found.
pub(crate) struct Report {
    pub(crate) looked_at: String,
    pub(crate) findings: Vec<Finding>,
}

impl Report {
    fn print(mut self, verb: &str) -> ExitCode {
        self.findings.sort();
        for finding in &self.findings {
            eprintln!("{}: {}", finding.place, finding.text);
        }
        if self.findings.is_empty() {
            println!("{verb}: {} in order", self.looked_at);
            ExitCode::SUCCESS
        } else {
            eprintln!("{verb}: {} findings", self.findings.len());
            ExitCode::FAILURE
        }
    }
}
