//! The lock that keeps two servers away from one SQLite file. Commands are welcome beside a
//! server; a second server would run every schedule twice.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::{Result, StoreError};

/// Held by a server for as long as it runs. The operating system gives it back when the process
/// ends, however it ends.
#[derive(Debug)]
pub struct ServerLock {
    file: Option<File>,
}

impl ServerLock {
    /// For a database that is made for several servers.
    pub(crate) fn needless() -> Self {
        ServerLock { file: None }
    }

    /// Whether it keeps other servers away: whoever holds it knows that what an earlier server left
    /// unfinished is nobody's work any more.
    pub fn is_exclusive(&self) -> bool {
        self.file.is_some()
    }

    /// Locks `<database>.lock`.
    pub(crate) fn beside(database: &Path) -> Result<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push(".lock");
        let shown = Path::new(&path).display();
        let unavailable = |error| StoreError::Unavailable(format!("{shown}: {error}"));
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(unavailable)?;
        match file.try_lock() {
            Ok(()) => Ok(ServerLock { file: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Busy(format!(
                "another server holds {shown}; two servers need PostgreSQL"
            ))),
            Err(TryLockError::Error(error)) => Err(unavailable(error)),
        }
    }
}
