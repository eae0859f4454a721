-- Names of certificates without their kinds (`dns:`, `cn:`), and serial numbers in their subjects, lower case: who has
-- one is found by it and not by looking at everybody (R16). The same write adds them that adds the certificate, whose
-- names never change. v4.postgres.sql says the same to PostgreSQL.
CREATE TABLE inventory_names(
    name TEXT NOT NULL,
    certificate INTEGER NOT NULL,
    PRIMARY KEY(name, certificate)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO inventory_names(name, certificate)
    WITH RECURSIVE lines(id, line, rest) AS (
        SELECT id, '', names || char(10) FROM inventory WHERE names <> ''
        UNION ALL
        SELECT id, substr(rest, 1, instr(rest, char(10)) - 1), substr(rest, instr(rest, char(10)) + 1)
            FROM lines WHERE rest <> ''
    )
    SELECT substr(line, instr(line, ':') + 1), id FROM lines WHERE line <> '';
INSERT OR IGNORE INTO inventory_names(name, certificate)
    SELECT LOWER(substr(rest, 1, min(instr(rest || ',', ','), instr(rest || '+', '+')) - 1)), id FROM
        (SELECT id, substr(subject, instr(subject, 'serialNumber=') + 13) AS rest FROM inventory
            WHERE instr(subject, 'serialNumber=') > 0);

-- Certificates of authorities that came in, and how far what they may have signed has been touched: a part at a time.
CREATE TABLE inventory_signers(
    certificate INTEGER NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    after INTEGER NOT NULL
) STRICT;

-- What people ask for, in the order in which pages come. Rows enter when they are settled, not when they are taken in.
CREATE INDEX inventory_by_owner ON inventory(LOWER(owner), not_after, id) WHERE owner IS NOT NULL;
CREATE INDEX inventory_by_segment ON inventory(LOWER(segment), not_after, id) WHERE segment IS NOT NULL;
CREATE INDEX inventory_by_asset ON inventory(LOWER(asset), not_after, id) WHERE asset IS NOT NULL;
CREATE INDEX inventory_phi ON inventory(not_after, id) WHERE phi = 1;

-- Likewise of places. The last: something older than TLS 1.2 is accepted there.
DROP INDEX places_segment;
CREATE INDEX places_by_segment ON places(LOWER(segment), certificate) WHERE segment IS NOT NULL;
CREATE INDEX places_by_port ON places(port, certificate) WHERE port IS NOT NULL;
CREATE INDEX places_by_host ON places(LOWER(host), certificate) WHERE host IS NOT NULL;
CREATE INDEX places_by_sni ON places(LOWER(sni), certificate) WHERE sni IS NOT NULL;
CREATE INDEX places_old_tls ON places(
    (CASE WHEN instr(tls, '"ssl3.0"') + instr(tls, '"tls1.0"') + instr(tls, '"tls1.1"') > 0 THEN 1 ELSE 0 END), certificate)
    WHERE tls IS NOT NULL;
