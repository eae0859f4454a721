//! A small inventory, row by row: what a hospital may have, told so that people can say what a search must find.

use audit::Timestamp;
use store::{Value, Write, params};

use crate::support::{House, NOW};

pub(crate) const DAY: i64 = 86_400;

/// Seconds at [`NOW`].
pub(crate) const fn seconds(days: i64) -> i64 {
    NOW.0 / 1000 + days * DAY
}

/// One certificate; what is left out is as nothing special.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) subject: &'static str,
    pub(crate) issuer: &'static str,
    pub(crate) names: &'static str,
    pub(crate) key: &'static str,
    pub(crate) bits: i64,
    /// From now, in days.
    pub(crate) starts: i64,
    pub(crate) expires: i64,
    pub(crate) self_signed: bool,
    pub(crate) ca: bool,
    pub(crate) recorded: bool,
    pub(crate) public: bool,
    pub(crate) issuer_id: Option<i64>,
    pub(crate) spki: u8,
    pub(crate) first_seen: i64,
    pub(crate) last_seen: i64,
    pub(crate) how: &'static str,
    pub(crate) places: i64,
    pub(crate) asset: Option<String>,
    pub(crate) owner: Option<&'static str>,
    pub(crate) segment: Option<&'static str>,
    pub(crate) environment: Option<&'static str>,
    pub(crate) tags: &'static str,
    pub(crate) criticality: i64,
    pub(crate) phi: bool,
    pub(crate) risk: i64,
    pub(crate) touched: i64,
}

impl Row {
    pub(crate) fn new(id: i64, subject: &'static str) -> Self {
        Row {
            id,
            subject,
            issuer: "CN=Mercy Devices",
            names: "",
            key: "ec-p256",
            bits: 256,
            starts: -100,
            expires: 300,
            self_signed: false,
            ca: false,
            recorded: true,
            public: false,
            issuer_id: Some(1),
            spki: u8::try_from(id % 250).unwrap(),
            first_seen: -50,
            last_seen: -1,
            how: "scan",
            places: 1,
            asset: None,
            owner: Some("biomed"),
            segment: None,
            environment: None,
            tags: "",
            criticality: 1,
            phi: false,
            risk: 2,
            touched: 1,
        }
    }

    pub(crate) fn sha256(&self) -> [u8; 32] {
        let mut sha256 = [0; 32];
        sha256[..8].copy_from_slice(&self.id.to_be_bytes());
        sha256[0] = u8::try_from(self.id & 0xff).unwrap();
        sha256
    }

    fn values(&self) -> Vec<Value> {
        params![
            self.id,
            self.sha256(),
            vec![0x30, 0],
            [self.spki; 32],
            self.subject,
            self.issuer,
            vec![0x4f, 0x0a, self.spki],
            self.names,
            self.key,
            self.bits,
            "ecdsa-sha256",
            seconds(self.starts),
            seconds(self.expires),
            self.ca,
            self.self_signed,
            self.public,
            self.issuer_id,
            self.recorded,
            seconds(self.first_seen) * 1000,
            seconds(self.last_seen) * 1000,
            self.how,
            self.places,
            self.asset.clone(),
            self.owner,
            self.segment,
            self.environment,
            self.tags,
            self.criticality,
            self.phi,
            self.risk,
            self.touched,
        ]
    }
}

const ADD: &str = "INSERT INTO inventory(id, sha256, der, spki, subject, issuer, serial, names, key, key_bits, signature, \
    not_before, not_after, is_ca, self_signed, public, issuer_id, recorded, first_seen, last_seen, how, places, asset, \
    owner, segment, environment, tags, criticality, phi, patient_facing, risk, findings, touched) VALUES($1, $2, $3, $4, \
    $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, \
    $29, 0, $30, 0, $31)";
const ADD_NAME: &str =
    "INSERT INTO inventory_names(name, certificate) VALUES($1, $2) ON CONFLICT DO NOTHING";
const REMOVE_NAMES: &str = "DELETE FROM inventory_names WHERE certificate = $1";
const REMOVE: &str = "DELETE FROM inventory WHERE id = $1";
const ADD_PLACE: &str = "INSERT INTO places(id, place, kind, address, ip, port, sni, host, path, certificate, chain, outcome, \
    detail, tls, first_seen, last_seen, changed_at, gone, seen_by, touched) \
    VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'certificate', '', $12, $13, $14, $13, $15, 'scanner', 1)";
const ADD_HISTORY: &str = "INSERT INTO place_history(place, certificate, first_seen, last_seen, replaced_at) \
    VALUES($1, $2, $3, $3, $4)";
const ADD_FINDING: &str = "INSERT INTO findings(id, rule, severity, subject, certificate, what, opened, seen, closed, waived_until) \
    VALUES($1, $2, $3, '', $4, 'it is so', $5, $5, $6, $7)";

const ADD_ISSUED: &str = "INSERT INTO certificates(issuer, serial, sha256, profile, profile_version, subject, names, \
    not_before, not_after, issued_at, partition, requester, der) \
    VALUES('devices', $1, $2, 'server-tls', 1, '', '', 0, 0, 0, 0, 'tests', $1)";
const ADD_REVOKED: &str = "INSERT INTO revocations(issuer, serial, partition, reason, revoked_at, changed_at, expires) \
    VALUES('devices', $1, 0, $2, $3, 0, 0)";
const REVOKE: &str = "UPDATE inventory SET revoked = $1 WHERE id = $2";

/// Revoked for `reason` (RFC 5280 §5.3.1), as the CA's record and the inventory after it say.
pub(crate) async fn revoked(house: &House, row: &Row, reason: i64, days: i64) {
    let serial = row.id.to_be_bytes().to_vec();
    let all = Write::derived()
        .run(ADD_ISSUED, params![serial.clone(), row.sha256()])
        .run(ADD_REVOKED, params![serial, reason, seconds(days)])
        .run(REVOKE, params![reason, row.id]);
    write(house, all).await;
}

async fn write(house: &House, write: Write) {
    house.ca.store().commit(write).await.unwrap();
}

/// Puts certificates in, in the place of those with the same number.
pub(crate) async fn put(house: &House, rows: &[Row]) {
    for part in rows.chunks(2000) {
        let mut all = Write::derived();
        for row in part {
            all = all.run(REMOVE, params![row.id]);
            all = all.run(REMOVE_NAMES, params![row.id]);
        }
        for row in part {
            all = all.run(ADD, row.values());
            for name in row.names.lines() {
                let (_, name) = name.split_once(':').unwrap();
                all = all.run(ADD_NAME, params![name, row.id]);
            }
        }
        write(house, all).await;
    }
}

pub(crate) async fn remove(house: &House, id: i64) {
    write(house, Write::derived().run(REMOVE, params![id])).await;
}

/// Something at an address.
pub(crate) async fn served(
    house: &House,
    id: i64,
    certificate: i64,
    address: &str,
    port: i64,
    tls: Option<&str>,
) {
    let ip: std::net::IpAddr = address.parse().unwrap();
    let ip = match ip {
        std::net::IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        std::net::IpAddr::V6(ip) => ip.octets(),
    };
    let place = format!("{address}:{port}");
    let seen = seconds(-50) * 1000;
    let row = params![
        id,
        place,
        "network",
        address,
        ip,
        port,
        None::<&str>,
        None::<&str>,
        None::<&str>,
        certificate,
        Vec::<u8>::new(),
        tls,
        seen,
        NOW.0,
        None::<i64>
    ];
    let history = params![id, certificate, seen, None::<i64>];
    let all = Write::derived()
        .run(ADD_PLACE, row)
        .run(ADD_HISTORY, history);
    write(house, all).await;
}

/// A file; `gone` days ago, if it is.
pub(crate) async fn lies(
    house: &House,
    id: i64,
    certificate: i64,
    host: &str,
    path: &str,
    gone: Option<i64>,
) {
    let seen = seconds(-50) * 1000;
    let gone = gone.map(|days| seconds(-days) * 1000);
    let row = params![
        id,
        format!("{host}:{path}"),
        "file",
        None::<&str>,
        None::<Vec<u8>>,
        None::<i64>,
        None::<&str>,
        host,
        path,
        certificate,
        Vec::<u8>::new(),
        None::<&str>,
        seen,
        NOW.0,
        gone
    ];
    let history = params![id, certificate, seen, gone];
    let all = Write::derived()
        .run(ADD_PLACE, row)
        .run(ADD_HISTORY, history);
    write(house, all).await;
}

/// A finding; `waived` says for how many days from now.
pub(crate) async fn finding(
    house: &House,
    id: &str,
    rule: &str,
    severity: i64,
    certificate: i64,
    closed: bool,
    waived: Option<i64>,
) {
    let opened = seconds(-10) * 1000;
    let closed = closed.then_some(seconds(-1) * 1000);
    let waived = waived.map(|days| seconds(days) * 1000);
    let row = params![id, rule, severity, certificate, opened, closed, waived];
    write(house, Write::derived().run(ADD_FINDING, row)).await;
}

pub(crate) const LATER: fn(i64) -> Timestamp = |days| Timestamp(seconds(days) * 1000);
