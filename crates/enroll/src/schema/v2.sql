-- ACME orders (RFC 8555 §7.1.3). status: open, processing, valid, invalid; whether an open one is pending or ready
-- follows from its authorizations. Ids begin with the time of creation, so that they sort by it.
-- Times are Unix milliseconds, not_before and not_after Unix seconds. certificate is its SHA-256.
-- attempt counts issuances: who holds an older number has lost the order to somebody else. Until busy_until nobody
-- else takes it up. csr is kept while the order is processing, error is a problem document.
CREATE TABLE acme_orders(
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    directory TEXT NOT NULL,
    status TEXT NOT NULL,
    profile TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    not_before INTEGER,
    not_after INTEGER,
    replaces TEXT,
    attempt INTEGER NOT NULL,
    busy_until INTEGER,
    csr BLOB,
    certificate BLOB,
    error TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX acme_orders_account ON acme_orders(account, id);
CREATE INDEX acme_orders_processing ON acme_orders(busy_until) WHERE status = 'processing';
-- One order replaces a certificate (RFC 9773 §5), unless it came to nothing.
CREATE UNIQUE INDEX acme_orders_replaces ON acme_orders(replaces) WHERE replaces IS NOT NULL AND status <> 'invalid';

-- Authorizations (RFC 8555 §7.1.4), numbered within their order. One that was made ahead of any order (§7.4.1) stands
-- alone: batch is then its own and position 0. status: pending, processing, valid, invalid, deactivated.
-- challenges: the kinds on offer, comma-separated; challenge: the one that was tried. origin: what stands in for a proof
-- of its own. account_url: the account as the client addresses it, kept while processing. attempt and busy_until as above.
CREATE TABLE acme_authorizations(
    batch TEXT NOT NULL,
    position INTEGER NOT NULL,
    alone INTEGER NOT NULL,
    account TEXT NOT NULL,
    directory TEXT NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    wildcard INTEGER NOT NULL,
    status TEXT NOT NULL,
    expires INTEGER NOT NULL,
    token TEXT NOT NULL,
    challenges TEXT NOT NULL,
    challenge TEXT,
    validated INTEGER,
    origin TEXT,
    account_url TEXT,
    attempt INTEGER NOT NULL,
    busy_until INTEGER,
    error TEXT,
    PRIMARY KEY(batch, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX acme_authorizations_held ON acme_authorizations(account, value, expires) WHERE status = 'valid';
CREATE INDEX acme_authorizations_alone ON acme_authorizations(account, value) WHERE alone = 1;
CREATE INDEX acme_authorizations_processing ON acme_authorizations(busy_until) WHERE status = 'processing';
