//! Verifies an exported folder to the last byte, from nothing but its files, the log's key and,
//! if there is one, a checkpoint that was kept from before.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path as FilePath;

use crate::export::{expected_files, file_names};
use crate::merkle::leaf_hash;
use crate::note::{Checkpoint, VerifierKey};
use crate::tile::{self, Index, Kind as FileKind, Path, WIDTH};
use crate::verify::{IN_FLIGHT_MS, Kind, Report, Verifier};
use crate::{Error, Hash, Timestamp};

/// Checks everything in `folder` except `README.txt`. The result is an error only if the folder
/// itself cannot be read; everything else is a finding.
pub fn verify_folder(
    folder: &FilePath,
    key: &VerifierKey,
    earlier: Option<&str>,
) -> Result<Report, Error> {
    let names = file_names(folder)?;
    let mut check = Check {
        folder,
        verifier: Verifier::new(),
        index: Index::new(),
    };
    if let Some(earlier) = earlier {
        check
            .verifier
            .checkpoint("the earlier checkpoint", earlier, key)?;
    }
    let Some(size) = check.checkpoint(key)? else {
        // Without a checkpoint nothing says what the folder should be.
        return Ok(check.verifier.finish(None));
    };
    for bundle in Path::all(FileKind::Entries, size) {
        check.bundle(bundle)?;
    }
    check.tiles_above(size);
    check.other_files(&names, key, size);
    let in_flight = check
        .verifier
        .last_time()
        .map(|last| Timestamp(last.0 - IN_FLIGHT_MS));
    Ok(check.verifier.finish(in_flight))
}

struct Check<'a> {
    folder: &'a FilePath,
    verifier: Verifier,
    index: Index,
}

impl Check<'_> {
    /// Takes the folder's checkpoint and gives the size that it commits to.
    fn checkpoint(&mut self, key: &VerifierKey) -> Result<Option<u64>, Error> {
        let Some(note) = self.read("checkpoint") else {
            return Ok(None);
        };
        let Ok(note) = String::from_utf8(note) else {
            let text = "checkpoint is not text";
            self.verifier.find(Kind::BadCheckpoint, None, text);
            return Ok(None);
        };
        self.verifier.checkpoint("checkpoint", &note, key)?;
        Ok(Checkpoint::open(&note, key).ok().map(|opened| opened.size))
    }

    /// Checks 256 entries with their leaf hashes and certificates.
    fn bundle(&mut self, path: Path) -> Result<(), Error> {
        let name = path.to_string();
        let Some(bytes) = self.read(&name) else {
            return Ok(());
        };
        let entries = match tile::entries(&bytes) {
            Ok(entries) => entries,
            Err(error) => {
                self.disagrees(&name, path, &error.to_string());
                return Ok(());
            }
        };
        if entries.len() != usize::from(path.width) {
            self.disagrees(&name, path, &format!("it has {} entries", entries.len()));
        }
        for (seq, body) in path.entries().zip(&entries) {
            self.verifier.event(seq, body, None);
        }
        let leaves: Vec<Hash> = entries.iter().map(|body| leaf_hash(body)).collect();
        for leaf in &leaves {
            self.index.push(*leaf)?;
        }
        let tile = Path {
            kind: FileKind::Hashes(0),
            ..path
        };
        self.compare(tile, leaves.as_flattened());
        self.certificates(path);
        Ok(())
    }

    /// Checks the certificates of one bundle of entries. Their order is that of the events.
    fn certificates(&mut self, entries: Path) {
        let path = Path {
            kind: FileKind::Certificates,
            ..entries
        };
        let name = path.to_string();
        if !self.folder.join(&name).exists() {
            // If there should be certificates, their events will miss them.
            return;
        }
        let Some(bytes) = self.read(&name) else {
            return;
        };
        let certificates = match tile::certificates(&bytes) {
            Ok(certificates) => certificates,
            Err(error) => return self.disagrees(&name, path, &error.to_string()),
        };
        if certificates.is_empty() {
            self.disagrees(&name, path, "it is empty");
        }
        let mut next = entries.entries();
        for (number, der) in certificates.iter().enumerate() {
            let item = format!("{name} item {number}");
            match self.verifier.certificate(&item, der, None) {
                Some(seq) if next.contains(&seq) => next.start = seq + 1,
                _ => self.disagrees(
                    &name,
                    path,
                    &format!("item {number} is not next in its entries"),
                ),
            }
        }
    }

    fn tiles_above(&mut self, size: u64) {
        for level in Path::levels(size).skip(1) {
            for path in Path::all(FileKind::Hashes(level), size) {
                let expected = self.index.tile(path).unwrap_or_default();
                self.compare(path, &expected);
            }
        }
    }

    fn other_files(&mut self, names: &[String], key: &VerifierKey, size: u64) {
        let expected_key = format!("{key}\n");
        if self
            .read("vkey")
            .is_some_and(|have| have != expected_key.as_bytes())
        {
            let text = "vkey is not the key that the folder was checked with";
            self.verifier.find(Kind::FileDisagrees, None, text);
        }
        let mut expected: BTreeSet<String> =
            expected_files(size).map(|path| path.to_string()).collect();
        expected.extend(["checkpoint", "vkey", "README.txt"].map(String::from));
        for name in names.iter().filter(|name| !expected.contains(*name)) {
            let text = format!("{name} is not a file of this log");
            self.verifier.find(Kind::UnexpectedFile, None, text);
        }
    }

    fn compare(&mut self, path: Path, expected: &[u8]) {
        let name = path.to_string();
        if self.read(&name).is_some_and(|have| have != expected) {
            self.disagrees(&name, path, "its hashes do not follow from the entries");
        }
    }

    fn disagrees(&mut self, name: &str, path: Path, why: &str) {
        let first = match path.kind {
            FileKind::Hashes(level) => (path.index * WIDTH) << (u32::from(level) * 8),
            FileKind::Entries | FileKind::Certificates => path.index * WIDTH,
        };
        self.verifier
            .find(Kind::FileDisagrees, Some(first), format!("{name}: {why}"));
    }

    fn read(&mut self, name: &str) -> Option<Vec<u8>> {
        match fs::read(self.folder.join(name)) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                let text = format!("{name}: {error}");
                self.verifier.find(Kind::MissingFile, None, text);
                None
            }
        }
    }
}
