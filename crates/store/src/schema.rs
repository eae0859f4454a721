//! Migrations: each room numbers its own, 1, 2, 3 …; they only go forward, each is applied once,
//! in one transaction with all the others that are due, and leaves an audit event.
//!
//! A database remembers the checksum of every migration that it was given. A program refuses a
//! database that has a migration it does not know (written by a newer Ward), and one whose
//! migration differs from its own (somebody edited history).

use std::collections::HashMap;

use audit::{Actor, Event, Object, Sealed, Timestamp};

use crate::{Result, Row, StoreError, dialect};

/// A step of a room's schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The room that owns it.
    pub room: &'static str,
    /// Its number, from 1 without gaps.
    pub version: u32,
    /// The statements, with SQLite's type names (see `dialect` for how PostgreSQL reads them).
    pub sql: &'static str,
    /// What PostgreSQL gets instead, where rewriting is not enough.
    pub postgres: Option<&'static str>,
}

impl Migration {
    /// The statements for PostgreSQL.
    pub(crate) fn postgres(&self) -> String {
        match self.postgres {
            Some(sql) => sql.to_owned(),
            None => dialect::postgres_schema(self.sql),
        }
    }

    /// SHA-256 over both texts, the same on both databases, so that a database can move.
    pub(crate) fn checksum(&self) -> audit::Hash {
        let mut text = self.sql.as_bytes().to_vec();
        text.push(0);
        text.extend_from_slice(self.postgres.unwrap_or_default().as_bytes());
        audit::merkle::sha256(&text)
    }

    /// The event that accounts for it.
    pub(crate) fn event(&self, at: Timestamp) -> Result<Sealed> {
        let object = Object::new("schema", format!("{}/{}", self.room, self.version));
        let event = Event::new(at, Actor::system("store"), "schema.migrate", object)
            .digest(self.checksum());
        Ok(event.seal()?)
    }
}

/// A migration that a database has.
pub(crate) struct Applied {
    pub(crate) room: String,
    pub(crate) version: u32,
    pub(crate) checksum: Vec<u8>,
}

impl Applied {
    /// Reads a row of [`APPLIED`].
    pub(crate) fn read(row: &Row) -> Result<Self> {
        Ok(Applied {
            room: row.text(0)?.to_owned(),
            version: u32::try_from(row.int(1)?).unwrap_or(u32::MAX),
            checksum: row.blob(2)?.to_vec(),
        })
    }
}

/// The table that must be there before any migration can be.
pub(crate) const BOOTSTRAP: &str = "CREATE TABLE IF NOT EXISTS schema_migrations(\
    room TEXT NOT NULL, version INTEGER NOT NULL, checksum BLOB NOT NULL, \
    applied_at INTEGER NOT NULL, PRIMARY KEY(room, version)) STRICT;";

/// Reads what has been applied.
pub(crate) const APPLIED: &str =
    "SELECT room, version, checksum FROM schema_migrations ORDER BY room, version";

/// Notes a migration as applied.
pub(crate) const APPLY: &str =
    "INSERT INTO schema_migrations(room, version, checksum, applied_at) VALUES($1, $2, $3, $4)";

/// The store's own schema.
///
/// `log_events.batch` is set on the first event of a PostgreSQL transaction: the mark by which a
/// node that lost the answer to its COMMIT finds out whether it stands.
pub(crate) const STORE: &[Migration] = &[
    Migration {
        room: "store",
        version: 1,
        sql: include_str!("schema/v1.sql"),
        postgres: None,
    },
    Migration {
        room: "store",
        version: 2,
        sql: include_str!("schema/v2.sql"),
        postgres: None,
    },
];

/// The migrations that `applied` still lacks, the store's own first, after checking that this
/// program and the database agree on the others.
pub(crate) fn due(rooms: &[Migration], applied: &[Applied]) -> Result<Vec<Migration>> {
    let all: Vec<Migration> = STORE.iter().chain(rooms).copied().collect();
    let mut newest: HashMap<&str, u32> = HashMap::new();
    for migration in &all {
        let newest = newest.entry(migration.room).or_default();
        if migration.version != *newest + 1 {
            return Err(StoreError::MigrationOrder(migration.room));
        }
        *newest = migration.version;
    }
    for done in applied {
        let known = newest.get(done.room.as_str()).copied().unwrap_or(0);
        if done.version > known {
            return Err(StoreError::Newer {
                room: done.room.clone(),
                found: done.version,
                known,
            });
        }
    }
    let mut due = Vec::new();
    for migration in all {
        let done = applied
            .iter()
            .find(|done| done.room == migration.room && done.version == migration.version);
        match done {
            None => due.push(migration),
            Some(done) if done.checksum == migration.checksum() => {}
            Some(done) => {
                return Err(StoreError::MigrationChanged {
                    room: done.room.clone(),
                    version: done.version,
                });
            }
        }
    }
    Ok(due)
}
