-- Serial numbers under which the process `holder` may sign without announcing each: of one issuer and one CRL
-- partition, 16 octets each, one behind the other. The log has their number and a hash over them, so that nobody who
-- reads it can predict one. The row goes away when each of them is a certificate's, revoked, or given back unused.
-- The time is Unix milliseconds. No WITHOUT ROWID: every certificate looks whether its block is still there, and an
-- index of short names is quicker to search than a tree of rows that overflow their pages.
CREATE TABLE serial_blocks(
    id TEXT PRIMARY KEY,
    issuer TEXT NOT NULL,
    partition INTEGER NOT NULL,
    serials BLOB NOT NULL,
    holder TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;
