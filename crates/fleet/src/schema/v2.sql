-- Every certificate that anybody issued, once, by the SHA-256 of its bytes (R16). What it says stands in the first part;
-- what follows from where it lives, from rules and from the register in the second, and is computed anew whenever one of
-- those changes. Validity is Unix seconds, every other time Unix milliseconds.
-- Texts from outside are escaped and cut to 1,000 bytes. spki: SHA-256 of the SubjectPublicKeyInfo.
-- names: one `kind:value` a line, lower case, the common name as `cn:`. key: `rsa`, `ec-p256`, …; key_bits: its strength as usually told.
-- issuer_id: the certificate in this table that signed it, if one did. authority: ours whose key did (R20).
-- public: it names a policy of the CA/Browser Forum (2.23.140.1), as the authorities of the web do.
-- recorded: the CA knows that it issued it. revoked: the reason code of RFC 5280 §5.3.1 if we revoked it.
-- ehr: it serves the electronic health record or an interface to it (R18). phi, patient_facing, ehr, criticality: with
-- what passes along the map of flows.
-- owner_by: what gave the owner: `asset`, `rule NAME`, `hand`, or nothing. criticality: 0 low to 3 life support.
-- risk: 0 none, 1 low, 2 medium, 3 high, 4 critical (R18). places: where it is served or lies now.
-- how: scan, capture, file, import, issued; several with commas.
-- touched: inventory_head.touched of the last change of anything here but last_seen, so that who follows finds what is new.
-- settled: the touched up to which the second part is worked out; 0 for what is new. Whoever has changed what something
-- depends on counts its touched up.
CREATE TABLE inventory(
    id INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL,
    der BLOB NOT NULL,
    spki BLOB NOT NULL,
    subject TEXT NOT NULL,
    issuer TEXT NOT NULL,
    serial BLOB NOT NULL,
    names TEXT NOT NULL,
    key TEXT NOT NULL,
    key_bits INTEGER NOT NULL,
    signature TEXT NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    is_ca INTEGER NOT NULL,
    self_signed INTEGER NOT NULL,
    public INTEGER NOT NULL DEFAULT 0,
    issuer_id INTEGER,
    authority TEXT,
    recorded INTEGER NOT NULL,
    revoked INTEGER,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    how TEXT NOT NULL,

    places INTEGER NOT NULL,
    asset TEXT,
    owner TEXT,
    owner_by TEXT,
    segment TEXT,
    site TEXT,
    vendor TEXT,
    environment TEXT,
    tags TEXT NOT NULL,
    criticality INTEGER NOT NULL,
    phi INTEGER NOT NULL,
    patient_facing INTEGER NOT NULL,
    ehr INTEGER NOT NULL DEFAULT 0,
    risk INTEGER NOT NULL,
    findings INTEGER NOT NULL,
    touched INTEGER NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX inventory_sha256 ON inventory(sha256);
CREATE INDEX inventory_spki ON inventory(spki);
CREATE INDEX inventory_not_after ON inventory(not_after, id);
CREATE INDEX inventory_touched ON inventory(touched);
CREATE INDEX inventory_issuer ON inventory(issuer, id);
CREATE INDEX inventory_subject ON inventory(subject) WHERE is_ca = 1;
CREATE INDEX inventory_asset ON inventory(asset) WHERE asset IS NOT NULL;
CREATE INDEX inventory_unsettled ON inventory(id) WHERE settled < touched;

-- One row: how often the inventory was changed, the newest number of a certificate and of a place, and how far the
-- reconcilers are: settled in time (Unix milliseconds; ends of certificates have been looked at up to there), issued in
-- rows of the CA's certificates, log in events; again: the certificate up to which everything is settled anew after a
-- change of rules, NULL when it is done. Every write of the inventory moves it from where it was read.
CREATE TABLE inventory_head(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    touched INTEGER NOT NULL,
    certificates INTEGER NOT NULL,
    places INTEGER NOT NULL,
    settled INTEGER NOT NULL,
    issued INTEGER NOT NULL,
    log INTEGER NOT NULL,
    again INTEGER
) STRICT;
INSERT INTO inventory_head(id, touched, certificates, places, settled, issued, log) VALUES(1, 0, 0, 0, 0, 0, 0);

-- Where certificates live: address, port and name asked for; or host, path and alias. One row a place, with what was
-- seen there last. place is the canonical text of it. ip: the address as 16 octets, IPv4 as ::ffff:a.b.c.d, so that
-- ranges compare. chain: the SHA-256 of each certificate as sent, one behind the other.
-- outcome, detail: the kind of agent::observation::Outcome and its other fields as JSON, or `unreadable`.
-- tls: what the handshake told, file: what lies beside it, as agent::observation::TlsSeen and FileSeen in JSON.
-- gone: since when no certificate is there any more; then certificate is NULL. touched: as above, but for last_seen.
CREATE TABLE places(
    id INTEGER PRIMARY KEY,
    place TEXT NOT NULL,
    kind TEXT NOT NULL,
    address TEXT,
    ip BLOB,
    port INTEGER,
    sni TEXT,
    starttls TEXT,
    host TEXT,
    path TEXT,
    alias TEXT,
    segment TEXT,
    asset TEXT,
    certificate INTEGER,
    chain BLOB NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    tls TEXT,
    file TEXT,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    gone INTEGER,
    seen_by TEXT NOT NULL,
    touched INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX places_place ON places(place);
CREATE INDEX places_certificate ON places(certificate) WHERE certificate IS NOT NULL;
CREATE INDEX places_ip ON places(ip, port) WHERE ip IS NOT NULL;
CREATE INDEX places_segment ON places(segment, certificate) WHERE segment IS NOT NULL;
CREATE INDEX places_touched ON places(touched);

-- Which certificate was where, from when to when: a row ends when another takes its place, or none (R52).
CREATE TABLE place_history(
    place INTEGER NOT NULL,
    certificate INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    replaced_at INTEGER,
    PRIMARY KEY(place, first_seen)
) STRICT;
CREATE INDEX place_history_certificate ON place_history(certificate);

-- What a saved view shows, worked out ahead so that its first page is one walk along an index. Derived.
CREATE TABLE view_members(
    view TEXT NOT NULL,
    position INTEGER NOT NULL,
    certificate INTEGER NOT NULL,
    PRIMARY KEY(view, position, certificate)
) STRICT, WITHOUT ROWID;
CREATE INDEX view_members_certificate ON view_members(view, certificate);

-- How far view_members is: what of the inventory (touched) and of time (Unix milliseconds) has been looked at under which
-- version of the view. walked_at: when everything was asked last, 0 if never. cursor: the certificate up to which a walk over
-- everything has come; NULL when none is under way.
CREATE TABLE view_state(
    view TEXT NOT NULL PRIMARY KEY,
    definition TEXT NOT NULL,
    touched INTEGER NOT NULL,
    looked_at INTEGER NOT NULL,
    walked_at INTEGER NOT NULL,
    cursor INTEGER,
    members INTEGER NOT NULL
) STRICT;

-- Scans: which targets within which segment, how far, by whom. plan: what was asked for, cursor: how far it is, as
-- fleet::scan::Plan and Progress in JSON. state: queued, running, stopping, paused, stopped, done. scanner: who sends.
CREATE TABLE scans(
    id TEXT NOT NULL PRIMARY KEY,
    segment TEXT NOT NULL,
    state TEXT NOT NULL,
    plan TEXT NOT NULL,
    cursor TEXT NOT NULL,
    started_by TEXT NOT NULL,
    scanner TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    probed INTEGER NOT NULL,
    excluded INTEGER NOT NULL,
    stopped INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT;
CREATE INDEX scans_segment ON scans(segment, started_at);

-- Which addresses were looked at: ranges, not a row an address (R17). first and last are 16 octets, IPv4 as ::ffff:a.b.c.d.
CREATE TABLE coverage(
    segment TEXT NOT NULL,
    first BLOB NOT NULL,
    last BLOB NOT NULL,
    ports TEXT NOT NULL,
    looked_at INTEGER NOT NULL,
    scan TEXT NOT NULL,
    PRIMARY KEY(segment, first, last, ports)
) STRICT, WITHOUT ROWID;

-- Agents' orders and what they handed over. An order is signed and lives until it is done; a batch is taken once.
-- version: of the segment whose limits are in it. done and total: targets.
CREATE TABLE agent_orders(
    id TEXT NOT NULL PRIMARY KEY,
    agent TEXT NOT NULL,
    segment TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    ordered_by TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    taken INTEGER,
    ended INTEGER,
    done INTEGER NOT NULL,
    total INTEGER NOT NULL,
    excluded INTEGER NOT NULL,
    stopped INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT;
CREATE INDEX agent_orders_agent ON agent_orders(agent, created);
CREATE TABLE agent_batches(
    agent TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    observations INTEGER NOT NULL,
    received INTEGER NOT NULL,
    PRIMARY KEY(agent, sequence)
) STRICT, WITHOUT ROWID;

-- What is wrong, where, by which rule. subject: `certificate SHA256`, `place ID`, `flow NAME`, `system NAME`.
-- severity: 1 note, 2 low, 3 medium, 4 high, 5 critical. closed: when it was no longer so.
CREATE TABLE findings(
    id TEXT NOT NULL PRIMARY KEY,
    rule TEXT NOT NULL,
    severity INTEGER NOT NULL,
    subject TEXT NOT NULL,
    certificate INTEGER,
    place INTEGER,
    what TEXT NOT NULL,
    owner TEXT,
    opened INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    closed INTEGER,
    waived_until INTEGER
) STRICT;
CREATE INDEX findings_certificate ON findings(certificate) WHERE certificate IS NOT NULL;
CREATE INDEX findings_place ON findings(place) WHERE place IS NOT NULL;
CREATE INDEX findings_open ON findings(severity, id) WHERE closed IS NULL;
CREATE INDEX findings_rule ON findings(rule, id) WHERE closed IS NULL;

-- Which place is an endpoint of which flow or system of the map, and on which side (R16). Derived from the records of kind
-- `system` and `flow` and from the places. kind: `flow`, `system`; side: `server`, `client`.
CREATE TABLE map_places(
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    place INTEGER NOT NULL,
    side TEXT NOT NULL,
    PRIMARY KEY(kind, name, place, side)
) STRICT, WITHOUT ROWID;
CREATE INDEX map_places_place ON map_places(place);

-- What somebody must learn at once: written with the event that it tells of, kept until it has been told (R25).
CREATE TABLE alerts(
    id INTEGER PRIMARY KEY,
    action TEXT NOT NULL,
    body TEXT NOT NULL,
    created INTEGER NOT NULL,
    sent INTEGER,
    attempts INTEGER NOT NULL,
    said TEXT NOT NULL
) STRICT;
CREATE INDEX alerts_due ON alerts(id) WHERE sent IS NULL;
