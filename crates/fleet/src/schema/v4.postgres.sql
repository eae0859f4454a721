-- As v4.sql, where PostgreSQL has other functions: it says there what this is.
CREATE TABLE inventory_names(
    name TEXT COLLATE "C" NOT NULL,
    certificate BIGINT NOT NULL,
    PRIMARY KEY(name, certificate)
);
INSERT INTO inventory_names(name, certificate)
    SELECT substr(line, strpos(line, ':') + 1), id
        FROM inventory, unnest(string_to_array(names, chr(10))) AS line WHERE line <> ''
    ON CONFLICT DO NOTHING;
INSERT INTO inventory_names(name, certificate)
    SELECT LOWER(substr(rest, 1, LEAST(strpos(rest || ',', ','), strpos(rest || '+', '+')) - 1)), id FROM
        (SELECT id, substr(subject, strpos(subject, 'serialNumber=') + 13) AS rest FROM inventory
            WHERE strpos(subject, 'serialNumber=') > 0) AS numbered
    ON CONFLICT DO NOTHING;

CREATE TABLE inventory_signers(
    certificate BIGINT NOT NULL PRIMARY KEY,
    subject TEXT COLLATE "C" NOT NULL,
    after BIGINT NOT NULL
);

CREATE INDEX inventory_by_owner ON inventory(LOWER(owner), not_after, id) WHERE owner IS NOT NULL;
CREATE INDEX inventory_by_segment ON inventory(LOWER(segment), not_after, id) WHERE segment IS NOT NULL;
CREATE INDEX inventory_by_asset ON inventory(LOWER(asset), not_after, id) WHERE asset IS NOT NULL;
CREATE INDEX inventory_phi ON inventory(not_after, id) WHERE phi = 1;

DROP INDEX places_segment;
CREATE INDEX places_by_segment ON places(LOWER(segment), certificate) WHERE segment IS NOT NULL;
CREATE INDEX places_by_port ON places(port, certificate) WHERE port IS NOT NULL;
CREATE INDEX places_by_host ON places(LOWER(host), certificate) WHERE host IS NOT NULL;
CREATE INDEX places_by_sni ON places(LOWER(sni), certificate) WHERE sni IS NOT NULL;
CREATE INDEX places_old_tls ON places(
    (CASE WHEN strpos(tls, '"ssl3.0"') + strpos(tls, '"tls1.0"') + strpos(tls, '"tls1.1"') > 0 THEN 1 ELSE 0 END), certificate)
    WHERE tls IS NOT NULL;
