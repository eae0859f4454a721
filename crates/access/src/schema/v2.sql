-- What people are to be told about requests: written with the event that it tells of, kept until everybody has been told or
-- it is no news any more. told is a JSON list of whom; next is when it is tried again. Times are Unix milliseconds.
CREATE TABLE notices(
    id INTEGER PRIMARY KEY,
    request TEXT NOT NULL,
    moment TEXT NOT NULL,
    created INTEGER NOT NULL,
    next INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    told TEXT NOT NULL,
    done INTEGER,
    said TEXT NOT NULL
) STRICT;
CREATE INDEX notices_due ON notices(next) WHERE done IS NULL;
CREATE INDEX notices_request ON notices(request, moment);
