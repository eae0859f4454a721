//! Copies of a database, made while it is written to, and databases made of copies.
//!
//! A copy is a SQLite file that needs no companion files, is checked before it gets its name, and
//! never takes the name of a file that is there.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rusqlite::{Connection, backup::Backup};

use super::connect;
use crate::{Result, StoreError};

/// Copies the database at `from` to the new file `to`. One read transaction, beside the writer.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    let draft = Draft::beside(to)?;
    let source = connect::connect(from, 1024)?;
    let mut target = Connection::open(&draft.path)?;
    Backup::new(&source, &mut target)?.step(-1)?;
    finish(target, draft, to)
}

/// Makes a copy durable and gives it its name, if it is sound.
pub(crate) fn finish(copy: Connection, draft: Draft, to: &Path) -> Result<()> {
    copy.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    check(&copy)?;
    copy.close().map_err(|(_, error)| error)?;
    let placed = File::open(&draft.path)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::hard_link(&draft.path, to))
        .and_then(|()| connect::sync_directory(to));
    placed.map_err(|error| taken(to, &error))
}

/// Whether every page, row and index entry is where it should be.
pub(crate) fn check(connection: &Connection) -> Result<()> {
    let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(StoreError::Corrupt(found));
    }
    let dangling = connection.prepare("PRAGMA foreign_key_check")?.exists([])?;
    if dangling {
        return Err(StoreError::Corrupt(
            "a row refers to one that is not there".into(),
        ));
    }
    Ok(())
}

/// A file that is not finished; it and its companions go away with this value.
pub(crate) struct Draft {
    pub(crate) path: PathBuf,
}

impl Draft {
    /// An empty file beside `to`, readable by its owner only. Refuses when `to` is there.
    pub(crate) fn beside(to: &Path) -> Result<Self> {
        if fs::symlink_metadata(to).is_ok() {
            return Err(taken(to, &ErrorKind::AlreadyExists.into()));
        }
        let mut path = to.as_os_str().to_owned();
        path.push(format!(".{}.partial", std::process::id()));
        let draft = Draft { path: path.into() };
        connect::create(&draft.path)?;
        Ok(draft)
    }

    /// A place for a file that `copy` will make, among the system's temporary files.
    pub(crate) fn temporary() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), NEXT.fetch_add(1, Relaxed));
        Draft {
            path: std::env::temp_dir().join(format!("ward-restore.{process}.{number}")),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        for companion in ["", "-wal", "-shm"] {
            let mut path = self.path.as_os_str().to_owned();
            path.push(companion);
            let _ = fs::remove_file(path);
        }
    }
}

fn taken(path: &Path, error: &std::io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::AlreadyExists => StoreError::Backup(format!(
            "{} is there already and is not overwritten",
            path.display()
        )),
        _ => connect::refused(path, error),
    }
}
