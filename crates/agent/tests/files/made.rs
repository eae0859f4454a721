//! Folders with certificates, by OpenSSL.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use agent::{
    files::{Look, Summary, look},
    observation::{Observation, Outcome, Place},
};
use aws_lc_rs::digest::{SHA256, digest};

pub(crate) struct Folder(tempfile::TempDir);

/// Runs a program that must succeed, and returns what it said.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|e| panic!("{program} is needed for this test: {e}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn openssl(&self, arguments: &str) -> String {
        let arguments: Vec<String> = arguments
            .split_whitespace()
            // @name is a file of this folder.
            .map(|a| {
                a.strip_prefix('@')
                    .map_or_else(|| a.to_owned(), |name| self.text(name))
            })
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run("openssl", &arguments)
    }

    /// A self-signed certificate `name.crt` with its key `name.key`.
    pub(crate) fn certificate(&self, name: &str) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        let subject = name.rsplit('/').next().unwrap();
        self.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN={subject} -keyout @{name}.key -out @{name}.crt"
        ));
    }

    /// One that another issued.
    pub(crate) fn issued(&self, name: &str, issuer: &str) {
        self.openssl(&format!(
            "req -new -newkey rsa:2048 -nodes -subj /CN={name} -keyout @{name}.key -out @{name}.csr"
        ));
        self.openssl(&format!(
            "x509 -req -in @{name}.csr -CA @{issuer}.crt -CAkey @{issuer}.key -CAcreateserial -days 30 -out @{name}.crt"
        ));
        std::fs::remove_file(self.path(&format!("{name}.csr"))).unwrap();
    }

    /// As OpenSSL says it.
    pub(crate) fn fingerprint(&self, name: &str) -> String {
        let said = self.openssl(&format!("x509 -in @{name} -noout -fingerprint -sha256"));
        said.trim()
            .rsplit('=')
            .next()
            .unwrap()
            .replace(':', "")
            .to_lowercase()
    }

    pub(crate) fn look(&self) -> (Vec<Observation>, Summary) {
        self.look_with(&Look::new("pacs-1", 7))
    }

    /// What Ward finds; every file is accounted for.
    pub(crate) fn look_with(&self, how: &Look) -> (Vec<Observation>, Summary) {
        let mut found = Vec::new();
        let summary = look(&[self.root()], how, |o| found.push(o));
        assert_eq!(summary.files, summary.ended.total(), "{summary:?}");
        assert_eq!(summary.observations, found.len() as u64);
        for observation in &found {
            assert_eq!(observation.at, 7);
            let line = observation.line().unwrap();
            assert!(!line.contains("PRIVATE"));
        }
        (found, summary)
    }
}

pub(crate) fn fingerprints(observation: &Observation) -> Vec<String> {
    let hex = |der: &[u8]| {
        digest(&SHA256, der)
            .as_ref()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect()
    };
    observation
        .chain
        .iter()
        .map(|der| hex(der.bytes()))
        .collect()
}

/// Alias of an observation of a file with this name.
pub(crate) fn alias(observation: &Observation) -> Option<&str> {
    match &observation.place {
        Place::File { alias, .. } => alias.as_deref(),
        _ => None,
    }
}

pub(crate) fn is_at(observation: &Observation, name: &Path) -> bool {
    matches!(&observation.place, Place::File { path, host, .. } if Path::new(path) == name && host == "pacs-1")
}

pub(crate) fn certificates<'a>(found: &'a [Observation], path: &Path) -> Vec<&'a Observation> {
    let of = |o: &&Observation| is_at(o, path) && o.outcome == Outcome::Certificate;
    found.iter().filter(of).collect()
}
