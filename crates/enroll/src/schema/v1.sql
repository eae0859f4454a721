-- ACME accounts (RFC 8555 §7.1.2). A key belongs to one account of a directory, whatever became of the account.
CREATE TABLE acme_accounts(
    id TEXT NOT NULL PRIMARY KEY,
    directory TEXT NOT NULL,
    thumbprint BLOB NOT NULL,
    jwk TEXT NOT NULL,
    contacts TEXT NOT NULL,
    status TEXT NOT NULL,
    eab TEXT,
    scope TEXT NOT NULL,
    preauthorised INTEGER NOT NULL,
    terms_agreed INTEGER,
    created INTEGER NOT NULL,
    UNIQUE(directory, thumbprint)
) STRICT;
CREATE INDEX acme_accounts_eab ON acme_accounts(eab) WHERE eab IS NOT NULL;

-- How often an external account key has bound an account. Its record is a kept version; this counts.
CREATE TABLE acme_eab_uses(
    kid TEXT NOT NULL PRIMARY KEY,
    used INTEGER NOT NULL,
    revoked INTEGER NOT NULL
) STRICT;
