//! Files that are whole or not there, whatever crashes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// What a file is called while it is being written; left behind by a crash, it means nothing.
pub(super) const UNFINISHED: &str = "tmp";

/// A folder for nobody else's eyes.
pub(super) fn folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// Puts `parts` into a file that is not there, or in the place of the one that is. On the disk when this returns: the file,
/// and its name.
pub(super) fn put(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let unfinished = path.with_extension(UNFINISHED);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    settle(path)
}

/// Removes a file; one that is gone already is no failure.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => settle(path),
    }
}

/// What happened to names in the folder of `path` is on the disk.
pub(super) fn settle(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// A file, if it is there and has at most `limit` bytes.
pub(super) fn read(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let size = match fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if size > limit {
        return Err(io::Error::other(format!(
            "{size} bytes, and at most {limit} are read"
        )));
    }
    fs::read(path).map(Some)
}
