//! What a command says: text for people, one JSON document for scripts, and an exit status for both.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

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
            Self::Usage(message) | Self::NotFound(message) | Self::Failed(message) => {
                f.write_str(message)
            }
            Self::Refused(refusal) => {
                write!(
                    f,
                    "refused: {}\n  rule:     {}\n  source:   {}",
                    refusal.message, refusal.rule, refusal.source
                )?;
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

impl From<::ca::CaError> for Failure {
    fn from(error: ::ca::CaError) -> Self {
        use ::ca::CaError;
        if let Some(refusal) = error.refusal() {
            return refusal.clone().into();
        }
        match error {
            CaError::NotFound { .. } | CaError::Access(access::AccessError::NotFound { .. }) => {
                Self::NotFound(error.to_string())
            }
            CaError::Offline(issuer) => Self::Failed(format!(
                "the key of {issuer} was carried away: give --root-key and --root-passphrase-file"
            )),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<access::AccessError> for Failure {
    fn from(error: access::AccessError) -> Self {
        ::ca::CaError::from(error).into()
    }
}

impl From<store::StoreError> for Failure {
    fn from(error: store::StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<keys::KeyError> for Failure {
    fn from(error: keys::KeyError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<audit::Error> for Failure {
    fn from(error: audit::Error) -> Self {
        Self::Failed(error.to_string())
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
        Self {
            json,
            text: text.into(),
            good: true,
        }
    }

    /// As it is printed; a command that has said everything already has nothing to print.
    fn in_form(self, json: bool) -> String {
        match json {
            true if self.json.is_null() => String::new(),
            true => self.json.to_string(),
            false => self.text,
        }
    }

    pub(crate) fn judged(mut self, good: bool) -> Self {
        self.good = good;
        self
    }
}

/// Prints what came of a command, and gives its exit status.
pub(crate) fn finish(done: Done, json: bool) -> ExitCode {
    let (status, to_stdout, text) = match done {
        Ok(report) => (u8::from(!report.good), true, report.in_form(json)),
        Err(failure) if json => (failure.exit_status(), true, failure.to_json().to_string()),
        Err(failure) => (failure.exit_status(), false, format!("ward: {failure}")),
    };
    let printed = match (to_stdout, text.is_empty()) {
        (_, true) => Ok(()),
        (true, false) => line_to(std::io::stdout().lock(), &text),
        (false, false) => line_to(std::io::stderr().lock(), &text),
    };
    match printed {
        // A reader that has seen enough (`| head`) is no failure.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::from(status),
    }
}

fn line_to(mut out: impl Write, text: &str) -> std::io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
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
        let padded = cells
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut text = line(&mut headings.iter().copied());
    for row in rows {
        text.push('\n');
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

/// Adds a field to a report.
pub(crate) fn add(json: &mut Value, field: &str, value: Value) {
    if let Some(fields) = json.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
}

/// A report with the state of what it is about.
pub(crate) fn with_state(mut json: Value, state: &str) -> Value {
    add(&mut json, "state", json!(state));
    json
}

/// A value of an enumeration, as its JSON writes it.
pub(crate) fn word(value: &impl serde::Serialize) -> String {
    match json!(value) {
        Value::String(word) => word,
        other => other.to_string(),
    }
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        return Ok(bytes);
    }
    std::fs::read(path).map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}

pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path)?)
        .map_err(|_| Failure::Failed(format!("{}: not UTF-8", path.display())))
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes)
        .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}

/// A file for one pair of eyes: created 0600 and empty before the secret exists, so that there is a place for it when
/// it does. Never overwrites; removed again if nothing was put into it.
pub(crate) struct SecretFile {
    path: PathBuf,
    file: std::fs::File,
    is_filled: bool,
}

impl SecretFile {
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        let file = file.map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            is_filled: false,
        })
    }

    pub(crate) fn fill(mut self, bytes: &[u8]) -> Result<(), Failure> {
        // Whatever is written from here on stays: it may be the only copy.
        self.is_filled = true;
        let written = self
            .file
            .write_all(bytes)
            .and_then(|()| self.file.sync_all());
        written.map_err(|error| Failure::Failed(format!("{}: {error}", self.path.display())))
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        if !self.is_filled {
            // An empty file left behind would only be in the way.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Writes a secret to a new file, 0600.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    SecretFile::create(path)?.fill(bytes)
}

/// First line of a file that holds a passphrase, password or PIN.
pub(crate) fn read_secret(path: &Path) -> Result<zeroize::Zeroizing<String>, Failure> {
    let bytes = zeroize::Zeroizing::new(read(path)?);
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Failure::Failed(format!("{}: not UTF-8", path.display())))?;
    Ok(zeroize::Zeroizing::new(
        text.lines().next().unwrap_or_default().to_owned(),
    ))
}

/// Text to a file, or as the report itself when there is no file.
pub(crate) fn deliver(out: Option<&PathBuf>, content: &str, mut json: Value, text: String) -> Done {
    let Some(path) = out else {
        return Ok(Report::new(json, content.trim_end()));
    };
    write(path, content.as_bytes())?;
    add(&mut json, "file", json!(path));
    Ok(Report::new(
        json,
        format!("{text}\nwritten to {}", path.display()),
    ))
}
