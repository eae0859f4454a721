-- What is about to be signed; the bytes' SHA-256 is in the event. A row that outlives its process is voided.
CREATE TABLE intents(
    serial BLOB PRIMARY KEY,
    issuer TEXT NOT NULL,
    partition INTEGER NOT NULL,
    profile TEXT NOT NULL,
    actor TEXT NOT NULL,
    idempotency TEXT,
    created INTEGER NOT NULL
);
CREATE UNIQUE INDEX intents_idempotency ON intents(idempotency) WHERE idempotency IS NOT NULL;

-- Times of validity are Unix seconds, issued_at is Unix milliseconds.
-- names: one `kind:value` a line. requester: the actor's id. idempotency: `holder/key`.
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
    partition INTEGER NOT NULL,
    requester TEXT NOT NULL,
    idempotency TEXT,
    der BLOB NOT NULL
);
CREATE UNIQUE INDEX certificates_serial ON certificates(issuer, serial);
CREATE UNIQUE INDEX certificates_sha256 ON certificates(sha256);
CREATE UNIQUE INDEX certificates_idempotency ON certificates(idempotency) WHERE idempotency IS NOT NULL;
CREATE INDEX certificates_not_after ON certificates(not_after);

-- The current revocation of a serial number; history is in the events. A voided intent has a row too.
-- reason: the code of RFC 5280 §5.3.1; 8 (removeFromCRL) is a hold that was released.
-- revoked_at and expires are Unix seconds, changed_at is Unix milliseconds.
CREATE TABLE revocations(
    issuer TEXT NOT NULL,
    serial BLOB NOT NULL,
    partition INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL,
    invalidity_date INTEGER,
    changed_at INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY(issuer, serial)
);
CREATE INDEX revocations_changed ON revocations(issuer, partition, changed_at);

-- The newest CRL of each kind. partition: -1 complete, -2 delta, else the partition's number.
-- Times are Unix seconds.
CREATE TABLE crls(
    issuer TEXT NOT NULL,
    partition INTEGER NOT NULL,
    number INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    this_update INTEGER NOT NULL,
    next_update INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    der BLOB NOT NULL,
    PRIMARY KEY(issuer, partition)
);
