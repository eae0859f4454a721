-- Keys that are never certified again, because a certificate for them was revoked for keyCompromise:
-- SHA-256 of the SubjectPublicKeyInfo, and the first certificate by which it became known.
-- since is Unix seconds. Rows are never removed: a stolen key does not come back.
CREATE TABLE compromised_keys(
    spki_sha256 BLOB PRIMARY KEY,
    since INTEGER NOT NULL,
    issuer TEXT NOT NULL,
    serial BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What was revoked for keyCompromise before that table was: SQL cannot read a key out of a certificate,
-- so the next start does, and empties this one.
CREATE TABLE compromised_unread(
    issuer TEXT NOT NULL,
    serial BLOB NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY(issuer, serial)
) STRICT, WITHOUT ROWID;
INSERT INTO compromised_unread(issuer, serial, since)
    SELECT issuer, serial, revoked_at FROM revocations WHERE reason = 1;
