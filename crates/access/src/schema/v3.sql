-- Each request, so that those that are open, and the newest, are found without reading every one that was ever made. What it
-- is stands in its record. Times are Unix milliseconds.
CREATE TABLE requests(
    id TEXT NOT NULL PRIMARY KEY,
    created INTEGER NOT NULL,
    open INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_open ON requests(id) WHERE open = 1;
CREATE INDEX requests_newest ON requests(created, id);
INSERT INTO requests(id, created, open)
    SELECT id, json_extract(body, '$.created'),
        json_extract(body, '$.state') IN ('pending', 'approved', 'executing', 'review')
    FROM records WHERE kind = 'request' AND valid_to IS NULL;
