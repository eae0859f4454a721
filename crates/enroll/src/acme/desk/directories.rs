//! Directories: put, shown, removed when nobody has used them.

use access::{Permit, Refusal};
use audit::{Event, Object, Timestamp};
use serde::Serialize;
use serde_json::json;
use store::{Write, params};

use super::Desk;
use crate::acme::{AcmeError, DIRECTORY_RECORDS, Directory};

/// A directory with the number of its version.
#[derive(Clone, Debug, Serialize)]
pub struct StoredDirectory {
    pub version: u64,
    /// Since when it is so, Unix milliseconds.
    pub since: i64,
    pub directory: Directory,
}

/// What came in through a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DirectoryUse {
    pub accounts: u64,
    /// EAB keys that are not revoked.
    pub eab_keys: u64,
}

const ACCOUNTS: &str = "SELECT COUNT(*) FROM acme_accounts WHERE directory = $1";

impl Desk {
    /// Every directory, by name.
    pub async fn directories(&self) -> Result<Vec<StoredDirectory>, AcmeError> {
        let records = self.store().records(DIRECTORY_RECORDS).await?;
        records.into_iter().map(read).collect()
    }

    /// A directory.
    pub async fn directory(&self, name: &str) -> Result<StoredDirectory, AcmeError> {
        match self.store().record(DIRECTORY_RECORDS, name).await? {
            Some(record) => read(record),
            None => Err(not_found(name)),
        }
    }

    /// Who uses a directory.
    pub async fn directory_use(&self, name: &str) -> Result<DirectoryUse, AcmeError> {
        let rows = self.store().query(ACCOUNTS, params![name]).await?;
        let accounts = rows.first().map(|row| row.int(0)).transpose()?;
        let keys = self.eab_keys(Some(name)).await?;
        Ok(DirectoryUse {
            accounts: accounts.unwrap_or_default().unsigned_abs(),
            eab_keys: keys
                .iter()
                .filter(|view| view.key.revoked.is_none())
                .count() as u64,
        })
    }

    /// Puts a directory in force. `expected` is the version that was read, 0 for a new one.
    pub async fn put_directory(
        &self,
        permit: Permit,
        directory: Directory,
        expected: u64,
        now: Timestamp,
    ) -> Result<StoredDirectory, AcmeError> {
        let action = match expected {
            0 => "acme.directory.create",
            _ => "acme.directory.update",
        };
        let name: String = directory.name.chars().take(64).collect();
        let object = Object::new("acme-directory", name.as_str());
        self.checked(&permit, action, &object, now, || directory.check(&self.ca))
            .await?;
        let before = match expected {
            0 => None,
            _ => Some(self.directory(&name).await?),
        };
        let mut event =
            Event::new(now, permit.actor().clone(), action, object).after(json!(directory));
        if let Some(before) = before {
            event = event.before(json!(before.directory));
        }
        let write = Write::new(permit.joined(event))?.put_record(
            DIRECTORY_RECORDS,
            &name,
            expected,
            &directory,
            now,
        )?;
        self.store().commit(write).await?;
        self.directory(&name).await
    }

    /// Removes a directory that nobody uses.
    pub async fn remove_directory(
        &self,
        permit: Permit,
        name: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<(), AcmeError> {
        let stored = self.directory(name).await?;
        let used = self.directory_use(name).await?;
        let object = Object::new("acme-directory", name);
        let action = "acme.directory.remove";
        let unused = || {
            match used {
            DirectoryUse {
                accounts: 0,
                eab_keys: 0,
            } => Ok(()),
            DirectoryUse { accounts, eab_keys } => Err(Refusal::new(
                "acme.directory.used",
                "docs/acme.md",
                format!("directory {name} has {accounts} account(s) and {eab_keys} external account key(s)"),
            )
            .accepted("a directory that nobody has used; disable this one instead (enabled = false)")),
        }
        };
        self.checked(&permit, action, &object, now, unused).await?;
        let event = Event::new(now, permit.actor().clone(), action, object)
            .why(why)
            .before(json!(stored.directory));
        let write = Write::new(permit.joined(event))?.remove_record(
            DIRECTORY_RECORDS,
            name,
            stored.version,
            now,
        );
        self.store().commit(write).await?;
        Ok(())
    }
}

fn read(record: store::Record) -> Result<StoredDirectory, AcmeError> {
    Ok(StoredDirectory {
        version: record.version,
        since: record.valid_from.0,
        directory: record.parse()?,
    })
}

fn not_found(name: &str) -> AcmeError {
    AcmeError::NotFound {
        kind: "directory",
        id: name.chars().take(64).collect(),
    }
}
