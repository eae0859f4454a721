//! Opening the file: where it is, and with which settings each kind of connection works.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::{Result, StoreError};

/// How long a transaction waits for another process to finish its own.
pub(crate) const BUSY: Duration = Duration::from_secs(10);

/// Page caches, in KiB. Eight readers and a writer stay under 50 MiB together; the system's file
/// cache does the rest.
pub(crate) const WRITER_CACHE: i64 = 16 * 1024;
/// The writer's while large writes come: what one of them changes all over a large tree is written once, at its end, and not
/// as often as it was pushed out of a small cache and wanted again. 20,000 certificates change 120 MiB of an inventory of a
/// million.
pub(crate) const BULK_CACHE: i64 = 256 * 1024;
const READER_CACHE: i64 = 4 * 1024;

/// A database's place and limits.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    /// The most pages of 4 KiB that the file may have.
    max_pages: Option<u32>,
}

impl Place {
    /// Reads what follows `sqlite:`: a path, and perhaps `?max_pages=N`.
    pub(crate) fn parse(location: &str) -> Result<Self> {
        let (path, options) = location.split_once('?').unwrap_or((location, ""));
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.contains(":memory:") {
            return Err(StoreError::Url("sqlite: needs the path of a file".into()));
        }
        let mut place = Place {
            path: path.into(),
            max_pages: None,
        };
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let pages = option.strip_prefix("max_pages=");
            place.max_pages = pages.and_then(|pages| pages.parse().ok());
            if place.max_pages.is_none() {
                return Err(StoreError::Url(format!(
                    "{option} is not an option of sqlite: (max_pages=N is)"
                )));
            }
        }
        Ok(place)
    }
}

/// The connection that writes. Makes the file, readable by its owner only, if there is none.
pub(crate) fn writer(place: &Place) -> Result<Connection> {
    create(&place.path)?;
    let connection = connect(&place.path, WRITER_CACHE)?;
    if connection.is_readonly("main")? {
        let path = place.path.display();
        return Err(StoreError::ReadOnly(format!("{path} cannot be written to")));
    }
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Unavailable(format!(
            "{} does not take a write-ahead log (journal mode {mode}); a network file system?",
            place.path.display()
        )));
    }
    if let Some(pages) = place.max_pages {
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    Ok(connection)
}

/// A connection that cannot write.
pub(crate) fn reader(place: &Place) -> Result<Connection> {
    let connection = connect(&place.path, READER_CACHE)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// A connection with the settings that all have.
///
/// `mmap` stays off: a disk error would be a signal, not an error. `cell_size_check` makes a
/// damaged page an error where it would be wrong rows.
pub(crate) fn connect(path: &Path, cache_kib: i64) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    // Plans depend on statements alone: else a statement that was planned with one value is prepared
    // anew for the next.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

pub(crate) fn create(path: &Path) -> Result<()> {
    let created = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|_| sync_directory(path));
    match created {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(refused(path, &error)),
        _ => Ok(()),
    }
}

/// A file that the system does not give us, as the store's error.
pub(crate) fn refused(path: &Path, error: &std::io::Error) -> StoreError {
    let text = format!("{}: {error}", path.display());
    match error.kind() {
        ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly(text),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full(text),
        _ => StoreError::Unavailable(text),
    }
}

/// Makes the name of a new file durable.
pub(crate) fn sync_directory(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => File::open(directory)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
