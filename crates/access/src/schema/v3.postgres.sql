-- As v3.sql, where PostgreSQL has other functions: it says there what this is.
CREATE TABLE requests(
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    created BIGINT NOT NULL,
    open BIGINT NOT NULL
);
CREATE INDEX requests_open ON requests(id) WHERE open = 1;
CREATE INDEX requests_newest ON requests(created, id);
INSERT INTO requests(id, created, open)
    SELECT id, (body::json ->> 'created')::bigint,
        CASE WHEN body::json ->> 'state' IN ('pending', 'approved', 'executing', 'review') THEN 1 ELSE 0 END
    FROM records WHERE kind = 'request' AND valid_to IS NULL;
