//! What a command says: text for people, one JSON document for scripts, and an exit status for both.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Exit 1: refused, not found, or failed. Exit 2 (usage) is clap's, or `Usage`.
#[derive(Debug)]
pub(crate) enum Failure {
    Usage(String),
    NotFound(String),
    Refused(Box<access::Refusal>),
    Failed(String),
}

impl Failure {
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            _ => 1,
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Usage(message) => json!({ "error": "usage", "message": message }),
            Self::NotFound(message) => json!({ "error": "not-found", "message": message }),
            Self::Failed(message) => json!({ "error": "failed", "message": message }),
            Self::Refused(refusal) => json!({
                "error": "refused",
                "rule": refusal.rule,
                "source": refusal.source,
                "message": refusal.message,
                "accepted": refusal.accepted,
            }),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::NotFound(message) | Self::Failed(message) => f.write_str(message),
            Self::Refused(refusal) => {
                write!(f, "refused: {}\n  rule:     {}\n  source:   {}", refusal.message, refusal.rule, refusal.source)?;
                match &refusal.accepted {
                    Some(accepted) => write!(f, "\n  accepted: {accepted}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl From<access::Refusal> for Failure {
    fn from(refusal: access::Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

pub(crate) fn failed(error: impl fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}

pub(crate) type Done = Result<Report, Failure>;

/// The result of a command, in both forms.
pub(crate) struct Report {
    pub(crate) json: Value,
    pub(crate) text: String,
    /// A report may be complete and still say no, as `x509 lint` and `audit verify` do.
    pub(crate) good: bool,
}

impl Report {
    pub(crate) fn new(json: Value, text: impl Into<String>) -> Self {
        Self { json, text: text.into(), good: true }
    }

    pub(crate) fn judged(mut self, good: bool) -> Self {
        self.good = good;
        self
    }
}

/// Columns under headings, as wide as their content.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.len()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut text = line(&mut headings.iter().copied());
    for row in rows {
        text.push('\n');
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes).map_err(failed)?;
        return Ok(bytes);
    }
    std::fs::read(path).map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}

/// A file for one pair of eyes: created 0600, never overwriting.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}

/// First line of a file that holds a passphrase, password or PIN.
pub(crate) fn read_secret(path: &Path) -> Result<zeroize::Zeroizing<String>, Failure> {
    let bytes = zeroize::Zeroizing::new(read(path)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| Failure::Failed(format!("{}: not UTF-8", path.display())))?;
    Ok(zeroize::Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}

/// Text to a file, or as the report itself when there is no file.
pub(crate) fn deliver(out: Option<&PathBuf>, content: &str, mut json: Value, text: String) -> Done {
    let Some(path) = out else {
        return Ok(Report::new(json, content.trim_end()));
    };
    write(path, content.as_bytes())?;
    if let Value::Object(fields) = &mut json {
        fields.insert("file".into(), json!(path));
    }
    Ok(Report::new(json, format!("{text}\nwritten to {}", path.display())))
}
