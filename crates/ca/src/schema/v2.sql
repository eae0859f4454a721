-- An intent lives for a moment and is only ever found by its serial number: one tree to write instead of two.
CREATE TABLE open_intents(
    serial BLOB PRIMARY KEY,
    issuer TEXT NOT NULL,
    partition INTEGER NOT NULL,
    profile TEXT NOT NULL,
    actor TEXT NOT NULL,
    idempotency TEXT,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO open_intents(serial, issuer, partition, profile, actor, idempotency, created)
    SELECT serial, issuer, partition, profile, actor, idempotency, created FROM intents;
DROP TABLE intents;
ALTER TABLE open_intents RENAME TO intents;
CREATE UNIQUE INDEX intents_idempotency ON intents(idempotency) WHERE idempotency IS NOT NULL;
