-- How often rights to enrol were used. The right itself is the record "enrolment-right" with this id. secret is the
-- SHA-256 of its password, where it has one.
CREATE TABLE enrolment_rights(
    id TEXT NOT NULL PRIMARY KEY,
    secret BLOB,
    used INTEGER NOT NULL,
    revoked INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX enrolment_rights_secret ON enrolment_rights(secret) WHERE secret IS NOT NULL;

-- Requests of devices for certificates, by any protocol. transaction_id is what the protocol recognises a repeated
-- request by; NULL once the same key has begun another. spki and request are SHA-256. Times are Unix milliseconds.
CREATE TABLE registrations(
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
) STRICT;
CREATE UNIQUE INDEX registrations_transaction ON registrations(endpoint, protocol, transaction_id)
    WHERE transaction_id IS NOT NULL;
CREATE INDEX registrations_created ON registrations(created, id);
CREATE INDEX registrations_certificate ON registrations(certificate) WHERE certificate IS NOT NULL;
CREATE INDEX registrations_expires ON registrations(expires);
CREATE INDEX registrations_pending ON registrations(endpoint) WHERE state = 'pending';
