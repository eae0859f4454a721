-- What may be used once: the first to insert a key has it. Forgotten after expires_at.
CREATE TABLE claims(
    kind TEXT NOT NULL,
    key BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY(kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX claims_expiry ON claims(kind, expires_at);
