//! Files that hold secrets: read only when nobody else can read them, written so that a crash or
//! a second process never leaves half of one.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use crate::KeyError;
use crate::error::io_error;

/// No passphrase, PIN or key file is larger; a mistaken path to a huge file must not be read in.
const LARGEST: u64 = 64 * 1024;

/// Who besides the owner may read the file.
#[derive(Clone, Copy)]
pub(crate) enum Readers {
    Owner,
    /// systemd marks a credential group-readable when it grants access by ACL; the directory is
    /// private to the service.
    OwnerAndGroup,
}

/// Reads a secret and refuses when the file is open to others. The mode is taken from the opened
/// file, so it cannot change between the check and the reading.
pub(crate) fn read(path: &Path, readers: Readers) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let file = File::open(path).map_err(io_error("cannot open", path))?;
    let metadata = file.metadata().map_err(io_error("cannot read", path))?;
    let forbidden = match readers {
        Readers::Owner => 0o077,
        Readers::OwnerAndGroup => 0o037,
    };
    if !metadata.is_file() {
        return Err(problem(path, "not a regular file"));
    }
    if metadata.mode() & forbidden != 0 {
        return Err(KeyError::Permissions {
            path: path.to_owned(),
            mode: metadata.mode() & 0o7777,
        });
    }
    if metadata.len() > LARGEST {
        return Err(problem(path, "larger than any secret may be (64 KiB)"));
    }
    // Sized beforehand: a growing vector would leave copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LARGEST as usize + 1));
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(io_error("cannot read", path))?;
    if bytes.len() as u64 > LARGEST {
        return Err(problem(path, "larger than any secret may be (64 KiB)"));
    }
    Ok(bytes)
}

/// Creates a file that did not exist, whole or not at all. `false`: it exists already.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<bool, KeyError> {
    let draft = write_draft(path, bytes)?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft).map_err(io_error("cannot remove", &draft))?;
    match linked {
        Ok(()) => sync_directory(path).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(io_error("cannot create", path)(error)),
    }
}

/// Replaces a file's content in one step.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let draft = write_draft(path, bytes)?;
    fs::rename(&draft, path).map_err(io_error("cannot replace", path))?;
    sync_directory(path)
}

/// Overwrites and removes. Journalling file systems, snapshots and flash may still hold older
/// blocks; docs/keys.md says so.
pub(crate) fn shred(path: &Path) -> Result<(), KeyError> {
    let mut file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error("cannot open", path)(error)),
    };
    let length = file
        .metadata()
        .map_err(io_error("cannot read", path))?
        .len();
    file.rewind()
        .and_then(|()| file.write_all(&vec![0; length.min(LARGEST) as usize]))
        .and_then(|()| file.sync_all())
        .map_err(io_error("cannot overwrite", path))?;
    fs::remove_file(path).map_err(io_error("cannot remove", path))?;
    sync_directory(path)
}

fn write_draft(path: &Path, bytes: &[u8]) -> Result<std::path::PathBuf, KeyError> {
    let mut suffix = [0; 8];
    aws_lc_rs::rand::fill(&mut suffix).map_err(|_| KeyError::Crypto("random numbers"))?;
    let draft = path.with_extension(format!("draft-{}", hex::encode(suffix)));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .map_err(io_error("cannot create", &draft))?;
    give_to_owner_of_directory(&file, &draft)
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| file.sync_all())
        .map_err(io_error("cannot write", &draft))?;
    Ok(draft)
}

/// A command that root runs beside the service must leave files that the service can read: they belong to whoever the
/// directory belongs to.
fn give_to_owner_of_directory(file: &File, path: &Path) -> std::io::Result<()> {
    let directory = fs::metadata(parent(path))?;
    let own = file.metadata()?;
    match (directory.uid(), directory.gid()) == (own.uid(), own.gid()) || own.uid() != 0 {
        true => Ok(()),
        false => std::os::unix::fs::fchown(file, Some(directory.uid()), Some(directory.gid())),
    }
}

fn sync_directory(path: &Path) -> Result<(), KeyError> {
    let directory = parent(path);
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(io_error("cannot sync", directory))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn problem(path: &Path, problem: &'static str) -> KeyError {
    KeyError::SecretFile {
        path: path.to_owned(),
        problem,
    }
}
