//! Backup and restore, the same file for both databases: a backup is a SQLite file, whatever it
//! is a backup of, so that it can be looked into with any SQLite tool and a database can move
//! from one engine to the other.

use std::path::{Path, PathBuf};

use tokio::runtime::Handle;

use crate::postgres::{self, Server};
use crate::sqlite::{self, backup::Draft};
use crate::{Engine, Migration, Result, Store, StoreError};

impl Store {
    /// Writes a consistent copy to the new file `to`, beside running writers, and checks it.
    pub async fn backup(&self, to: &Path) -> Result<()> {
        let to = to.to_owned();
        match &self.inner.engine {
            Engine::Sqlite(sqlite) => {
                let from = sqlite.path().to_owned();
                blocking(move || sqlite::backup::copy(&from, &to)).await
            }
            Engine::Postgres(postgres) => {
                let (server, rooms) = (postgres.server().clone(), postgres.migrations().to_vec());
                blocking(move || {
                    Handle::current().block_on(postgres::backup::dump(&server, &rooms, &to))
                })
                .await
            }
        }
    }
}

/// Makes the database at `url`, which must be new (SQLite) or empty (PostgreSQL), from a backup.
/// The schema is brought up to date with `migrations` on the way.
pub async fn restore(backup: &Path, url: &str, migrations: &[Migration]) -> Result<()> {
    if let Some(location) = url.strip_prefix("sqlite:") {
        let to = sqlite::location(location)?;
        copy(backup, &to).await?;
        Store::open(url, migrations).await?;
        return Ok(());
    }
    if !crate::is_postgres(url) {
        return Err(crate::unknown_scheme());
    }
    let server = Server::parse(url)?;
    let draft = Draft::temporary();
    copy(backup, &draft.path).await?;
    let upgraded = format!("sqlite:{}", draft.path.display());
    Store::open(&upgraded, migrations).await?;
    let rooms = migrations.to_vec();
    blocking(move || {
        Handle::current().block_on(postgres::backup::load(&server, &rooms, &draft.path))
    })
    .await
}

async fn copy(from: &Path, to: &Path) -> Result<()> {
    let (from, to) = (PathBuf::from(from), PathBuf::from(to));
    blocking(move || sqlite::backup::copy(&from, &to)).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| StoreError::Backup(error.to_string()))?
}
