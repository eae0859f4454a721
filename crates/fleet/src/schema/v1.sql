-- The index of the asset register: an asset is the record "asset" with this id, whose versions are kept; this finds it.
-- identity is manufacturer, model and serial, case aside, and NULL without a serial number; words is what a search looks
-- through. holdings counts what the asset was given: counting it locks the row, so that no retirement passes unseen.
CREATE TABLE assets(
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    serial TEXT NOT NULL,
    identity TEXT,
    udi_di TEXT,
    source TEXT,
    owner TEXT,
    site TEXT,
    department TEXT,
    segment TEXT,
    criticality TEXT NOT NULL,
    words TEXT NOT NULL,
    holdings INTEGER NOT NULL
) STRICT;
CREATE INDEX assets_serial ON assets(serial);
CREATE INDEX assets_udi ON assets(udi_di) WHERE udi_di IS NOT NULL;
-- Two of what is in use are never one and the same; what was retired may come back as something new.
CREATE UNIQUE INDEX assets_identity ON assets(identity) WHERE identity IS NOT NULL AND state <> 'retired';
CREATE UNIQUE INDEX assets_source ON assets(source) WHERE source IS NOT NULL AND state <> 'retired';

-- Which certificate which asset was given, through which endpoint and protocol. Times are Unix milliseconds.
-- revoke_due: when it has to be revoked, and for which reason (RFC 5280 §5.3.1); NULL: not by us.
-- ended: when it was revoked or found to be over.
CREATE TABLE holdings(
    sha256 BLOB NOT NULL PRIMARY KEY,
    asset TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    protocol TEXT NOT NULL,
    held_at INTEGER NOT NULL,
    superseded_at INTEGER,
    superseded_by BLOB,
    revoke_due INTEGER,
    revoke_reason TEXT,
    ended INTEGER
) STRICT;
CREATE INDEX holdings_asset ON holdings(asset, held_at);
CREATE INDEX holdings_due ON holdings(revoke_due) WHERE revoke_due IS NOT NULL AND ended IS NULL;

-- Spares: certificates with keys that were made ahead. p12 is under a password that is sealed apart (record "secret"
-- with the id spare/<id>), and is erased when the spare is released or revoked.
CREATE TABLE spares(
    id TEXT NOT NULL PRIMARY KEY,
    asset TEXT NOT NULL,
    state TEXT NOT NULL,
    profile TEXT NOT NULL,
    sha256 BLOB,
    p12 BLOB,
    prepared_at INTEGER NOT NULL,
    prepared_by TEXT NOT NULL,
    unused_after INTEGER NOT NULL,
    request TEXT,
    technician TEXT,
    released_at INTEGER,
    released_by TEXT,
    ended INTEGER,
    note TEXT NOT NULL
) STRICT;
CREATE INDEX spares_asset ON spares(asset, prepared_at);
CREATE INDEX spares_state ON spares(state, prepared_at);
