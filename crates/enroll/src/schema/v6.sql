-- Registrations in one tree instead of two, by an id that begins with the time: with each certificate one is written, and
-- a tree of random ids has another page to write for every one of them.
CREATE TABLE registrations_by_id(
    id TEXT NOT NULL PRIMARY KEY,
    endpoint TEXT NOT NULL,
    protocol TEXT NOT NULL,
    transaction_id BLOB,
    spki BLOB,
    request BLOB NOT NULL,
    right_id TEXT,
    asset TEXT,
    serial TEXT NOT NULL,
    peer TEXT NOT NULL,
    state TEXT NOT NULL,
    approval TEXT,
    certificate BLOB,
    reason TEXT,
    confirmed INTEGER,
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO registrations_by_id(id, endpoint, protocol, transaction_id, spki, request, right_id, asset, serial, peer,
    state, approval, certificate, reason, confirmed, created, changed, expires)
    SELECT id, endpoint, protocol, transaction_id, spki, request, right_id, asset, serial, peer,
        state, approval, certificate, reason, confirmed, created, changed, expires FROM registrations;
DROP TABLE registrations;
ALTER TABLE registrations_by_id RENAME TO registrations;
CREATE UNIQUE INDEX registrations_transaction ON registrations(endpoint, protocol, transaction_id)
    WHERE transaction_id IS NOT NULL;
CREATE INDEX registrations_created ON registrations(created, id);
CREATE INDEX registrations_certificate ON registrations(certificate) WHERE certificate IS NOT NULL;
CREATE INDEX registrations_expires ON registrations(expires);
CREATE INDEX registrations_pending ON registrations(endpoint) WHERE state = 'pending';
