-- Work on many things at once, item by item. wish: what was asked for, as fleet::bulk::Wish in JSON; digest: SHA-256 over
-- exactly what was meant; principal: who asked, whose rights are looked up anew for each item. Times are Unix milliseconds.
CREATE TABLE jobs(
    id TEXT NOT NULL PRIMARY KEY,
    action TEXT NOT NULL,
    wish TEXT NOT NULL,
    digest TEXT NOT NULL,
    principal TEXT NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    ended INTEGER,
    total INTEGER NOT NULL,
    done INTEGER NOT NULL,
    refused INTEGER NOT NULL
) STRICT;
CREATE INDEX jobs_open ON jobs(created) WHERE ended IS NULL;
-- state: waiting, done, refused; said: why it was refused.
CREATE TABLE job_items(
    job TEXT NOT NULL,
    position INTEGER NOT NULL,
    item TEXT NOT NULL,
    state TEXT NOT NULL,
    said TEXT NOT NULL,
    PRIMARY KEY(job, position)
) STRICT, WITHOUT ROWID;
