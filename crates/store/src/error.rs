//! What can go wrong in the store. Callers tell apart what they answer differently: a conflict
//! (ask again), a full or read-only disk (tell the operator), a database that is away (later),
//! an outcome that is not known (look before doing it twice).

/// A failure of the store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A statement changed another number of rows than its writer expected: the text says what
    /// was in the way. Nothing of the write was applied.
    #[error("{0}")]
    Conflict(&'static str),
    /// A row with this key stands already. Nothing of the write was applied.
    #[error("already there: {0}")]
    Duplicate(String),
    /// A constraint of the schema forbids the write. Nothing of it was applied.
    #[error("the schema forbids it: {0}")]
    Constraint(String),
    /// No space is left, or the database has reached its limit. Nothing was applied.
    #[error("the database is full: {0}")]
    Full(String),
    /// The database, its file system or its server does not accept writes.
    #[error("the database is read-only: {0}")]
    ReadOnly(String),
    /// The file is not a database, or its contents contradict themselves.
    #[error("the database is damaged: {0}; restore a backup")]
    Corrupt(String),
    /// Another process holds the database.
    #[error("the database is in use: {0}")]
    Busy(String),
    /// The database cannot be reached. Nothing was applied.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The connection was lost, or the disk failed, while a commit was under way, and nobody has
    /// come back to say whether it stands. It may; whoever does it again must look first.
    #[error("the outcome of the write is not known: {0}")]
    Uncertain(String),
    /// The database was written by a newer Ward.
    #[error(
        "the database belongs to a newer Ward: it has {room} version {found}, this Ward knows {known}"
    )]
    Newer {
        /// The room whose schema is newer.
        room: String,
        /// The version found in the database.
        found: u32,
        /// The newest version that this program knows (0: it does not know the room).
        known: u32,
    },
    /// A migration that has been applied is not the one that this program carries.
    #[error("migration {version} of {room} has changed since it was applied")]
    MigrationChanged {
        /// The room that owns the migration.
        room: String,
        /// Its number.
        version: u32,
    },
    /// The list of migrations is not numbered 1, 2, 3 … in every room.
    #[error("migrations of {0} are not numbered 1, 2, 3, …")]
    MigrationOrder(&'static str),
    /// The database URL cannot be used as it is.
    #[error("database URL: {0}")]
    Url(String),
    /// A value is not of the type, or not at the place, where it was looked for.
    #[error("stored value: {0}")]
    Value(String),
    /// The audit room refused: an event that cannot be sealed, a frontier that cannot be read.
    #[error("audit log: {0}")]
    Audit(String),
    /// A backup or a restore cannot go where it was told to go, or its source is not sound.
    #[error("{0}")]
    Backup(String),
    /// A search took longer than it was given. Nothing is known about what it would have found.
    #[error("the search was given up: {0}")]
    GaveUp(String),
    /// A statement that the database does not understand: a mistake in Ward.
    #[error("statement: {0}")]
    Statement(String),
}

/// A result of the store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

impl StoreError {
    pub(crate) fn gave_up(budget: std::time::Duration) -> Self {
        StoreError::GaveUp(format!("it took more than {} ms", budget.as_millis()))
    }
}

impl From<audit::Error> for StoreError {
    fn from(error: audit::Error) -> Self {
        StoreError::Audit(error.to_string())
    }
}
