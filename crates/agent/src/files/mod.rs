//! Certificates in files on a host (R16, R17): key stores, bundles, and the configuration of servers that says which
//! certificate is shown where. Entries of Certificate Transparency logs come as files too.
//!
//! [`look`] walks folders within [`Limits`] and ends every file that looks like a store in an observation or a count of
//! its [`Summary`]. Private keys that lie beside certificates are noted (path, protection, whose), and their bytes are
//! wiped where they were read; nothing of them is in a result.
//!
//! ```no_run
//! use agent::files::{Look, look};
//! let roots = [std::path::PathBuf::from("/etc")];
//! let summary = look(&roots, &Look::new("pacs-1", 0), |observation| println!("{observation:?}"));
//! # let _ = summary;
//! ```

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use zeroize::Zeroizing;

use crate::observation::Observation;

mod config;
#[doc(hidden)]
pub mod exercise;
mod group;
mod key;
mod log;
mod pem;
mod read;
mod store;
mod walk;

pub use log::entries as log_entries;
pub use store::is_log;

/// What is looked for, and within which limits.
pub struct Look {
    /// Name of the host, as observations say it.
    pub host: String,
    /// Unix milliseconds, as observations say it.
    pub at: i64,
    /// Tried on PKCS #12 files, after none at all.
    pub passwords: Vec<Zeroizing<String>>,
    pub limits: Limits,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Folders within folders.
    pub depth: usize,
    /// Files and folders altogether.
    pub entries: u64,
    /// Bytes read altogether.
    pub bytes: u64,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Iterations of key derivation for one PKCS #12 file, all passwords together.
    pub iterations: u64,
}

impl Default for Limits {
    /// A server's whole disk within minutes; no key store known is larger than 16 MiB.
    fn default() -> Self {
        Self {
            depth: 32,
            entries: 500_000,
            bytes: 8 << 30,
            file_bytes: 16 << 20,
            iterations: 10_000_000,
        }
    }
}

impl Look {
    pub fn new(host: &str, at: i64) -> Self {
        Self {
            host: host.to_owned(),
            at,
            passwords: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// Passwords of a list, one a line.
    pub fn with_passwords(mut self, list: &str) -> Self {
        let lines = list.lines().filter(|line| !line.is_empty());
        self.passwords = lines.map(|line| Zeroizing::new(line.to_owned())).collect();
        self
    }
}

/// What a look came to: every file is counted once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub folders: u64,
    pub files: u64,
    pub bytes: u64,
    pub ended: Files,
    /// Certificates in observations.
    pub certificates: u64,
    pub observations: u64,
    /// Symbolic links: to folders, to what was read under another name, or to nothing.
    pub links_passed: u64,
    /// Folders and files that could not be opened.
    pub unreadable: u64,
    /// Folders below the depth that was asked for.
    pub too_deep: u64,
    /// Configuration files read.
    pub configurations: u64,
    /// Certificates that a configuration names in a way that only the server itself can resolve (variables).
    pub unresolved: u64,
    /// The limit that ended the walk before its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<&'static str>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Files {
    /// Certificates, or keys.
    pub stores: u64,
    /// Password unknown.
    pub locked: u64,
    /// Begins as a store and is none to the end.
    pub damaged: u64,
    /// Looks like a store and is larger than the limit.
    pub too_large: u64,
    /// Anything else.
    pub others: u64,
    /// Could not be read.
    pub unreadable: u64,
}

impl Files {
    pub fn total(&self) -> u64 {
        let stores = self.stores + self.locked + self.damaged + self.too_large;
        stores + self.others + self.unreadable
    }
}

/// Walks folders, or reads single files.
pub fn look(roots: &[PathBuf], look: &Look, mut found: impl FnMut(Observation)) -> Summary {
    let mut summary = Summary::default();
    let walked = walk::walk(roots, &look.limits, &mut summary);
    let served = config::served(&walked, look, &mut summary);
    let mut reader = read::Reader::new(look, served, &mut summary, &mut found);
    for file in walked.files {
        reader.file(&file);
    }
    reader.finish();
    summary
}

/// Reads one file that is in memory, under a name that means nothing here: no disk is looked at.
pub fn read(name: &str, bytes: &[u8], look: &Look, mut found: impl FnMut(Observation)) -> Summary {
    let mut summary = Summary::default();
    read::Reader::new(look, HashMap::new(), &mut summary, &mut found).given(Path::new(name), bytes);
    summary
}
