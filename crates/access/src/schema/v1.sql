-- Sign-ins of people. secret_sha256 is of what their browser holds and of nothing else, so that whoever reads this table
-- can sign in as nobody. purpose is work, or enrol: may do nothing but register a passkey. seen is when it was last used,
-- to a fifteenth of the time it may lie idle. certificate is the SHA-256 of the client certificate that it is bound to.
-- Times are Unix milliseconds.
CREATE TABLE sessions(
    id TEXT NOT NULL PRIMARY KEY,
    secret_sha256 BLOB NOT NULL UNIQUE,
    person TEXT NOT NULL,
    via TEXT NOT NULL,
    purpose TEXT NOT NULL,
    since INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    stepped_up INTEGER,
    ended INTEGER,
    source TEXT NOT NULL,
    client TEXT NOT NULL,
    certificate BLOB
) STRICT;
CREATE INDEX sessions_live ON sessions(person, since) WHERE ended IS NULL;
