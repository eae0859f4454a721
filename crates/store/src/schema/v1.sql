-- The log: one row an event, its number the index of its leaf (RFC 6962).
CREATE TABLE log_events(
    seq INTEGER PRIMARY KEY,
    body BLOB NOT NULL,
    leaf BLOB NOT NULL,
    batch BLOB
) STRICT;

-- The tree's size and frontier. Whoever appends holds this row.
CREATE TABLE log_head(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    size INTEGER NOT NULL,
    frontier BLOB NOT NULL
) STRICT;

-- Signed checkpoints: they are about the log and so cannot be in it.
CREATE TABLE log_checkpoints(
    size INTEGER PRIMARY KEY,
    saved_at INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT;

-- Every version of every mutable record, with the interval in which it was true (R52).
CREATE TABLE records(
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_to INTEGER,
    body TEXT NOT NULL,
    PRIMARY KEY(kind, id, version)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX records_current ON records(kind, id) WHERE valid_to IS NULL;

-- Which node does which recurring work, and until when it may.
CREATE TABLE leases(
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
