//! Writes the log into a folder that any web server can serve as a C2SP tlog-tiles log, and that
//! anybody can verify offline.
//!
//! | File | What |
//! | --- | --- |
//! | `checkpoint` | the signed checkpoint that covers exactly what is in the folder |
//! | `tile/0/…`, `tile/1/…`, … | hash tiles |
//! | `tile/entries/…` | the events, 256 a file, each behind its length in 16 bits |
//! | `certificates/…` | the certificates of the events in the entry bundle of the same number |
//! | `vkey` | the log's public key, for convenience: trust the one that you were given elsewhere |
//! | `README.txt` | how to verify; the only file that no verifier reads |
//!
//! Writing can be resumed: full files never change, so a later export adds to the folder. The
//! checkpoint is replaced last, by renaming, and partial files that it has outgrown are removed
//! after that; what an interrupted export left over, the next one completes or removes.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path as FilePath, PathBuf};

pub use crate::folder::verify_folder;
use crate::merkle::{empty_root, leaf_hash};
use crate::note::{Checkpoint, VerifierKey};
use crate::proof::Plan;
use crate::tile::{self, Index, Kind, Path, WIDTH};
use crate::verify::ISSUE;
use crate::{Error, Event, Hash, Outcome};

const README: &str = include_str!("export_readme.txt");

/// Writes one export. Feed it every event from [`Exporter::size`] on, each followed by the
/// certificate that [`Exporter::event`] asks for, then finish with the checkpoint.
#[derive(Debug)]
pub struct Exporter {
    folder: PathBuf,
    key: VerifierKey,
    index: Index,
    leaves: Vec<Hash>,
    entries: Vec<u8>,
    certificates: Vec<u8>,
}

impl Exporter {
    /// Begins an export into `folder`, or goes on with the one that is there, whose checkpoint
    /// must be signed by the same key.
    pub fn open(folder: &FilePath, key: &VerifierKey) -> Result<Self, Error> {
        let mut exporter = Exporter {
            folder: folder.to_owned(),
            key: key.clone(),
            index: Index::new(),
            leaves: Vec::new(),
            entries: Vec::new(),
            certificates: Vec::new(),
        };
        fs::create_dir_all(folder).map_err(|error| file_error(folder, error))?;
        if folder.join("checkpoint").exists() {
            exporter.resume()?;
        }
        Ok(exporter)
    }

    /// How many events the folder has, which is the number of the next one.
    pub fn size(&self) -> u64 {
        self.index.size()
    }

    /// Adds the next event. Gives the digest of the certificate that must follow, if it issued
    /// one.
    pub fn event(&mut self, body: &[u8]) -> Result<Option<Hash>, Error> {
        self.write_full_bundle()?;
        tile::push_entry(&mut self.entries, body)?;
        let leaf = leaf_hash(body);
        self.leaves.push(leaf);
        self.index.push(leaf)?;
        Ok(Event::parse(body).ok().and_then(|event| issued(&event)))
    }

    /// Adds the certificate of the event that was added last.
    pub fn certificate(&mut self, der: &[u8]) -> Result<(), Error> {
        tile::push_certificate(&mut self.certificates, der)
    }

    /// Ends the export with a signed checkpoint, which must cover exactly what was added.
    pub fn finish(mut self, note: &str) -> Result<Checkpoint, Error> {
        let checkpoint = Checkpoint::open(note, &self.key)?;
        if checkpoint.size != self.size() || checkpoint.root != root(&self.index)? {
            return Err(Error::Refuted(
                "the checkpoint does not belong to the exported events",
            ));
        }
        self.write_full_bundle()?;
        if let Some(path) = Path::all(Kind::Entries, self.size())
            .last()
            .filter(is_partial)
        {
            self.write_bundle(path.index, path.width)?;
        }
        for level in Path::levels(self.size()).skip(1) {
            for path in Path::all(Kind::Hashes(level), self.size()) {
                let bytes = self.index.tile(path).unwrap_or_default();
                self.write_unless_there(&path.to_string(), &bytes)?;
            }
        }
        self.write_file("vkey", format!("{}\n", self.key).as_bytes())?;
        self.write_file("README.txt", README.as_bytes())?;
        self.write_file("checkpoint.new", note.as_bytes())?;
        let from = self.folder.join("checkpoint.new");
        fs::rename(&from, self.folder.join("checkpoint")).map_err(|e| file_error(&from, e))?;
        self.remove_old_partials()?;
        Ok(checkpoint)
    }

    /// Loads the state at the folder's checkpoint.
    fn resume(&mut self) -> Result<(), Error> {
        let note = self.read("checkpoint")?;
        let note =
            String::from_utf8(note).map_err(|_| Error::malformed("checkpoint", "not text"))?;
        let checkpoint = Checkpoint::open(&note, &self.key)?;
        let mut height_8 = Vec::new();
        for path in Path::all(Kind::Hashes(1), checkpoint.size) {
            height_8.extend_from_slice(tile::hashes(&self.read(&path.to_string())?)?);
        }
        let open = |kind| Path::all(kind, checkpoint.size).last().filter(is_partial);
        if let Some(path) = open(Kind::Hashes(0)) {
            self.leaves = tile::hashes(&self.read(&path.to_string())?)?.to_vec();
        }
        if let Some(path) = open(Kind::Entries) {
            self.entries = self.read(&path.to_string())?;
        }
        if let Some(path) = open(Kind::Certificates) {
            let name = path.to_string();
            if self.folder.join(&name).exists() {
                self.certificates = self.read(&name)?;
            }
        }
        self.index = Index::restore(height_8, self.leaves.iter().copied())?;
        match self.index.size() == checkpoint.size && root(&self.index)? == checkpoint.root {
            true => Ok(()),
            false => Err(Error::Refuted(
                "the folder's tiles do not belong to its checkpoint",
            )),
        }
    }

    /// Writes the bundle of the last 256 events, once their certificates have come too.
    fn write_full_bundle(&mut self) -> Result<(), Error> {
        if self.leaves.len() as u64 == WIDTH {
            self.write_bundle(self.size() / WIDTH - 1, WIDTH as u16)?;
            self.leaves.clear();
            self.entries.clear();
            self.certificates.clear();
        }
        Ok(())
    }

    fn write_bundle(&self, index: u64, width: u16) -> Result<(), Error> {
        let write = |kind, bytes: &[u8]| {
            let path = Path { kind, index, width };
            self.write_file(&path.to_string(), bytes)
        };
        write(Kind::Hashes(0), self.leaves.as_flattened())?;
        write(Kind::Entries, &self.entries)?;
        match self.certificates.is_empty() {
            true => Ok(()),
            false => write(Kind::Certificates, &self.certificates),
        }
    }

    fn write_unless_there(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let there = fs::read(self.folder.join(name)).is_ok_and(|have| have == bytes);
        match there {
            true => Ok(()),
            false => self.write_file(name, bytes),
        }
    }

    fn write_file(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.folder.join(name);
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
            let mut file = fs::File::create(&path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(|error| file_error(&path, error))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        let path = self.folder.join(name);
        fs::read(&path).map_err(|error| file_error(&path, error))
    }

    /// Removes partial files that the new checkpoint has outgrown.
    fn remove_old_partials(&self) -> Result<(), Error> {
        let size = self.size();
        let current: BTreeSet<String> = expected_files(size).map(|path| path.to_string()).collect();
        for name in file_names(&self.folder)? {
            let partial = name.parse::<Path>().is_ok_and(|path| is_partial(&path));
            if partial && !current.contains(&name) {
                let path = self.folder.join(&name);
                fs::remove_file(&path).map_err(|error| file_error(&path, error))?;
                if let Some(parent) = path.parent() {
                    // It is removed only when it is empty, which is all that is wanted.
                    let _ = fs::remove_dir(parent);
                }
            }
        }
        Ok(())
    }
}

/// The digest of the certificate that an event issued.
pub(crate) fn issued(event: &Event) -> Option<Hash> {
    let is_issuance = event.action == ISSUE && event.outcome == Outcome::Done;
    event.digest.filter(|_| is_issuance)
}

/// The tiles and bundles of a log of `size` entries; of the certificate bundles those without
/// certificates are not written.
pub(crate) fn expected_files(size: u64) -> impl Iterator<Item = Path> {
    let tiles = Path::levels(size).flat_map(move |level| Path::all(Kind::Hashes(level), size));
    tiles
        .chain(Path::all(Kind::Entries, size))
        .chain(Path::all(Kind::Certificates, size))
}

/// Every file under `folder`, by its name with slashes.
pub(crate) fn file_names(folder: &FilePath) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    let mut open = vec![String::new()];
    while let Some(directory) = open.pop() {
        let path = folder.join(&directory);
        let failed = |error| file_error(&path, error);
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = format!("{directory}{}", entry.file_name().to_string_lossy());
            match entry.file_type().map_err(failed)?.is_dir() {
                true => open.push(format!("{name}/")),
                false => names.push(name),
            }
        }
    }
    names.sort_unstable();
    Ok(names)
}

pub(crate) fn file_error(path: &FilePath, source: std::io::Error) -> Error {
    Error::File {
        path: path.display().to_string(),
        source,
    }
}

fn is_partial(path: &Path) -> bool {
    u64::from(path.width) != WIDTH
}

fn root(index: &Index) -> Result<Hash, Error> {
    let mut reader = |node| {
        let (path, range) = tile::holding(node, index.size())?;
        let tile = index.tile(path).unwrap_or_default();
        let under = tile::hashes(&tile)?.get(range).unwrap_or_default();
        tile::fold(under)
    };
    let root = Plan::root(index.size()).proof(&mut reader)?;
    Ok(root.first().copied().unwrap_or_else(empty_root))
}
