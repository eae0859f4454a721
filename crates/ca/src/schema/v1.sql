-- What is about to be signed. A row that outlives its process is voided at the next start.
CREATE TABLE intents(
    serial BLOB PRIMARY KEY,
    issuer TEXT NOT NULL,
    shard INTEGER NOT NULL,
    profile TEXT NOT NULL,
    tbs BLOB NOT NULL,
    actor TEXT NOT NULL,
    created INTEGER NOT NULL
);

-- Times of validity are Unix seconds, issued_at is Unix milliseconds.
CREATE TABLE certificates(
    id INTEGER PRIMARY KEY,
    issuer TEXT NOT NULL,
    serial BLOB NOT NULL,
    sha256 BLOB NOT NULL,
    profile TEXT NOT NULL,
    profile_version INTEGER NOT NULL,
    subject TEXT NOT NULL,
    names TEXT NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    issued_at INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    requester TEXT NOT NULL,
    idempotency TEXT,
    der BLOB NOT NULL
);
CREATE UNIQUE INDEX certificates_serial ON certificates(issuer, serial);
CREATE UNIQUE INDEX certificates_sha256 ON certificates(sha256);
CREATE UNIQUE INDEX certificates_idempotency ON certificates(idempotency) WHERE idempotency IS NOT NULL;
CREATE INDEX certificates_not_after ON certificates(not_after);

-- The current revocation of a serial number; history is in the events. A voided intent has a row too.
-- state: 'revoked', 'held' or 'void'. reason: the code of RFC 5280 §5.3.1, NULL for unspecified.
CREATE TABLE revocations(
    id INTEGER PRIMARY KEY,
    issuer TEXT NOT NULL,
    serial BLOB NOT NULL,
    shard INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL,
    reason INTEGER,
    invalidity_date INTEGER,
    state TEXT NOT NULL
);
CREATE UNIQUE INDEX revocations_serial ON revocations(issuer, serial);

-- Published CRLs. kind: 'full', 'delta' or 'shard'. Times are Unix seconds.
CREATE TABLE crls(
    issuer TEXT NOT NULL,
    shard INTEGER NOT NULL,
    kind TEXT NOT NULL,
    number INTEGER NOT NULL,
    this_update INTEGER NOT NULL,
    next_update INTEGER NOT NULL,
    der BLOB NOT NULL,
    PRIMARY KEY(issuer, shard, kind, number)
);
