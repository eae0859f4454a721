//! Backup and restore, the same file for both databases: a backup is a SQLite file, whatever it
//! is a backup of, so that it can be looked into with any SQLite tool and a database can move
//! from one engine to the other.

use std::path::{Path, PathBuf};

use crate::{Engine, Migration, Result, Store, StoreError, sqlite};

impl Store {
    /// Writes a consistent copy to the new file `to`, beside running writers, and checks it.
    pub async fn backup(&self, to: &Path) -> Result<()> {
        let to = to.to_owned();
        match &self.inner.engine {
            Engine::Sqlite(sqlite) => {
                let from = sqlite.path().to_owned();
                blocking(move || sqlite::backup::copy(&from, &to)).await
            }
        }
    }
}

/// Makes the database at `url`, which must not be there yet, from a backup. The schema is brought
/// up to date with `migrations` on the way.
pub async fn restore(backup: &Path, url: &str, migrations: &[Migration]) -> Result<()> {
    let backup = backup.to_owned();
    if let Some(location) = url.strip_prefix("sqlite:") {
        let to: PathBuf = sqlite::location(location)?;
        blocking(move || sqlite::backup::copy(&backup, &to)).await?;
        Store::open(url, migrations).await?;
        return Ok(());
    }
    Err(StoreError::Url(
        "it must begin with sqlite: or postgres://".into(),
    ))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| StoreError::Backup(error.to_string()))?
}
