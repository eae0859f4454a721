//! A hospital's inventory of any size, the same every time: certificates that differ in everything that an index looks
//! at, each in so many places. Nothing here is signed by anybody: taking in looks at no signature but a self-signed one's,
//! and a hundred seconds of signing would only measure the signer.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use access::{Access, Action, Permit, Target};
use agent::observation::{Der, How, Observation, Outcome, Place, TlsSeen, Version, VersionSeen};
use audit::Timestamp;
use ca::Ca;
use fleet::Fleet;
use fleet::inventory::{Ingested, Source};
use keys::{Keyring, KeyringConfig};
use serde_json::{Value, json};
use store::{Store, Write, params};
use x509::ext::{AuthorityKeyId, BasicConstraints, ExtensionValue, SubjectAltName, SubjectKeyId};
use x509::{
    GeneralName, Name, SignatureAlgorithm, StringKind, TbsCertificate, Time, assemble, oids,
};

/// 22 November 2026, 12:00 UTC.
pub const NOW: Timestamp = Timestamp(1_795_348_800_000);
const DAY: i64 = 86_400;
/// Distinct issuers.
const ISSUERS: u64 = 40;
/// Certificates that are made before they are taken in: 1 to 2 KiB each and place.
const MADE_AT_ONCE: u64 = 100_000;

/// A well-mixed number of a number (splitmix64's finaliser, by Vigna).
pub fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Certificate number `number`: about 700 bytes, P-256, valid for up to two years around [`NOW`].
pub fn certificate(number: u64) -> Result<Vec<u8>, x509::Error> {
    let chance = mixed(number);
    let name = format!("dev-{number}.{}.hospital.example", area(number));
    let begins = NOW.seconds() - (chance % 365) as i64 * DAY;
    let tbs = TbsCertificate {
        serial: [
            &[0x01],
            &chance.to_be_bytes()[..],
            &number.to_be_bytes()[..],
        ]
        .concat(),
        signature: SignatureAlgorithm::EcdsaSha256,
        issuer: issuer(mixed(number ^ 7) % ISSUERS)?,
        not_before: Time(begins),
        not_after: Time(
            begins + (30 + (chance >> 20) % 700) as i64 * DAY + (chance % 86_400) as i64,
        ),
        subject: Name::builder()
            .push(oids::ORGANIZATION, "Example Hospital", StringKind::Utf8)?
            .push(oids::COMMON_NAME, &name, StringKind::Utf8)?
            .build(),
        spki_der: spki(number),
        extensions: vec![
            BasicConstraints {
                ca: false,
                path_len: None,
            }
            .encode(),
            SubjectKeyId(chance.to_be_bytes().to_vec()).encode(),
            AuthorityKeyId::from_key_id(&(chance % ISSUERS).to_be_bytes()).encode(),
            SubjectAltName(vec![GeneralName::Dns(name)]).encode(),
        ],
    };
    let mut signature = vec![0x30, 0x44, 0x02, 0x20];
    signature.extend(octets(number ^ 11));
    signature.extend([0x02, 0x20]);
    signature.extend(octets(number ^ 13));
    let tbs = tbs.encode();
    Ok(assemble(&tbs, SignatureAlgorithm::EcdsaSha256, &signature))
}

fn issuer(number: u64) -> Result<Name, x509::Error> {
    let name = format!("Issuing CA {number}");
    let name = Name::builder().push(oids::COMMON_NAME, &name, StringKind::Utf8)?;
    Ok(name.build())
}

/// A certificate of issuer `number`, as far as its name goes: it signed nothing.
pub fn authority(number: u64) -> Result<Vec<u8>, x509::Error> {
    let tbs = TbsCertificate {
        serial: vec![0x02, number as u8],
        signature: SignatureAlgorithm::EcdsaSha256,
        issuer: issuer(number)?,
        not_before: Time(NOW.seconds() - 400 * DAY),
        not_after: Time(NOW.seconds() + 4000 * DAY),
        subject: issuer(number)?,
        spki_der: spki(number ^ 0xca),
        extensions: vec![
            BasicConstraints {
                ca: true,
                path_len: None,
            }
            .encode(),
            SubjectKeyId(number.to_be_bytes().to_vec()).encode(),
        ],
    };
    let mut signature = vec![0x30, 0x44, 0x02, 0x20];
    signature.extend(octets(number ^ 23));
    signature.extend([0x02, 0x20]);
    signature.extend(octets(number ^ 29));
    let tbs = tbs.encode();
    Ok(assemble(&tbs, SignatureAlgorithm::EcdsaSha256, &signature))
}

/// Thirty-two positive octets.
fn octets(number: u64) -> Vec<u8> {
    let parts = (0..4).flat_map(|part| mixed(number.wrapping_mul(5) + part).to_be_bytes());
    let mut octets: Vec<u8> = parts.collect();
    octets[0] = octets[0] & 0x3f | 0x40;
    octets
}

/// A P-256 key as it is written; that the point is on no curve is nobody's business here.
fn spki(number: u64) -> Vec<u8> {
    // RFC 5480 §2: SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING of an uncompressed point }.
    let mut spki = vec![
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
    ];
    // One key of fifty is another certificate's too.
    let key = if number % 50 == 49 {
        number - 1
    } else {
        number
    };
    spki.extend(octets(key ^ 17));
    spki.extend(octets(key ^ 19));
    spki
}

fn area(number: u64) -> &'static str {
    [
        "icu",
        "or",
        "lab",
        "radiology",
        "pharmacy",
        "wards",
        "office",
        "guest",
    ][(number % 8) as usize]
}

/// What is seen of certificate `number`: it is served on two ports of an address, and lies in a file.
pub fn observations(number: u64, places: u64) -> Result<Vec<Observation>, x509::Error> {
    let der = Der::from(certificate(number)?);
    let address = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + (number % 0x00ff_ffff) as u32));
    let place = |place: u64| match place {
        0 => Place::Network {
            address,
            port: 443,
            sni: None,
            starttls: None,
        },
        2 => Place::File {
            host: format!("host-{}", number / 4),
            path: format!("/etc/pki/tls/{number}.pem"),
            alias: None,
        },
        other => Place::Network {
            address,
            port: 8000 + other as u16,
            sni: None,
            starttls: None,
        },
    };
    let seen = |at: u64| {
        let how = if at == 2 { How::File } else { How::Scan };
        let mut seen = Observation::new(
            NOW.0 - 1000,
            "generator",
            how,
            place(at),
            Outcome::Certificate,
        );
        seen.chain = vec![der.clone()];
        seen.tls = (how == How::Scan).then(|| handshake(number));
        seen
    };
    Ok((0..places).map(seen).collect())
}

/// What a service accepts: one of thirty still takes TLS 1.0, and one of a thousand nothing else.
fn handshake(number: u64) -> TlsSeen {
    let accepts = |version, suites: &[u16]| VersionSeen {
        version,
        suites: suites.to_vec(),
        server_order: Some(true),
        complete: true,
    };
    let mut versions = Vec::new();
    if number % 30 == 7 {
        versions.push(accepts(Version::Tls10, &[0x002f, 0x0035]));
    }
    if number % 1000 != 7 {
        versions.push(accepts(Version::Tls12, &[0xc02b, 0xc02f]));
        versions.push(accepts(Version::Tls13, &[0x1301, 0x1302]));
    }
    TlsSeen {
        versions,
        ..TlsSeen::default()
    }
}

pub type Failure = Box<dyn std::error::Error>;

/// An empty hospital's database.
pub struct House {
    pub fleet: Fleet,
    pub store: Store,
    access: Access,
}

impl House {
    /// Opens `url`; `directory` is for a keyring that nobody uses.
    pub async fn open(
        url: &str,
        directory: &std::path::Path,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let migrations = [access::MIGRATIONS, ca::MIGRATIONS, fleet::MIGRATIONS].concat();
        let store = Store::open(url, &migrations).await?;
        let keyring = Keyring::open(KeyringConfig::new(directory))?;
        let access = Access::open(store.clone());
        let ca = Ca::open(store.clone(), keyring, access.clone(), NOW).await?;
        Ok(House {
            fleet: Fleet::open(ca)?,
            store,
            access,
        })
    }

    pub fn permit(&self, action: Action) -> Result<Permit, Box<dyn std::error::Error>> {
        let principal = self.access.local_principal("bench");
        Ok(self.access.decide(&principal, action, &Target::default())?)
    }

    /// Takes in certificates `numbers`, each in `places` places, `batch` of them at a time, by `callers` each of whom hands in
    /// the next batch when its last one was taken in. Says what became of them and how long taking in took; making them,
    /// [`MADE_AT_ONCE`] at a time, does not count.
    pub async fn fill(
        self: &Arc<Self>,
        numbers: std::ops::Range<u64>,
        places: u64,
        batch: u64,
        callers: u64,
    ) -> Result<(Ingested, Duration), Box<dyn std::error::Error>> {
        let (mut sum, mut spent) = (Ingested::default(), Duration::ZERO);
        let mut from = numbers.start;
        while from < numbers.end {
            let upto = numbers.end.min(from + MADE_AT_ONCE.max(batch));
            let mut batches = Vec::new();
            while from < upto {
                let to = upto.min(from + batch);
                let mut seen = Vec::new();
                for number in from..to {
                    seen.extend(observations(number, places)?);
                }
                from = to;
                batches.push(seen);
            }
            batches.reverse();
            let waiting = Arc::new(Mutex::new(batches));
            let started = Instant::now();
            let mut calls = tokio::task::JoinSet::new();
            for _ in 0..callers.max(1) {
                let permit = self.permit(Action::RunDiscovery)?;
                calls.spawn(Arc::clone(self).hand_in(permit, Arc::clone(&waiting)));
            }
            while let Some(done) = calls.join_next().await {
                sum += done??;
            }
            spent += started.elapsed();
        }
        Ok((sum, spent))
    }

    /// One who hands in batches until none is left.
    async fn hand_in(
        self: Arc<Self>,
        permit: Permit,
        waiting: Arc<Mutex<Vec<Vec<Observation>>>>,
    ) -> fleet::Result<Ingested> {
        let source = Source {
            name: "generator".to_owned(),
            scan: None,
        };
        let mut sum = Ingested::default();
        loop {
            let next = waiting.lock().ok().and_then(|mut waiting| waiting.pop());
            let Some(seen) = next else {
                return Ok(sum);
            };
            sum += self.fleet.ingest(&permit, &source, &seen, NOW).await?;
        }
    }

    /// Owners, segments, PHI and the rest as a hospital may have them, written straight into the columns: what settling
    /// would work out from rules, for measuring what comes after it.
    pub async fn assign(&self) -> Result<(), Box<dyn std::error::Error>> {
        const NEWEST: &str = "SELECT certificates, places FROM inventory_head";
        const ASSIGN: &str = "UPDATE inventory SET places = 3, \
            owner = CASE WHEN id % 20 = 0 THEN NULL ELSE 'team-' || CAST(id % 40 AS TEXT) END, \
            owner_by = CASE WHEN id % 20 = 0 THEN NULL ELSE 'rule teams' END, \
            segment = 'segment-' || CAST(id % 64 AS TEXT), site = 'site-' || CAST(id % 6 AS TEXT), \
            vendor = 'Vendor ' || CAST(id % 30 AS TEXT), environment = 'production', \
            tags = CASE WHEN id % 10 = 0 THEN 'ehr' ELSE '' END, criticality = id % 4, \
            phi = CASE WHEN id % 5 = 0 THEN 1 ELSE 0 END, patient_facing = CASE WHEN id % 7 = 0 THEN 1 ELSE 0 END, \
            risk = 1 + id % 4, findings = id % 3, settled = touched WHERE id > $1 AND id <= $2 AND settled < touched";
        const PLACE: &str = "UPDATE places SET segment = 'segment-' || CAST(certificate % 64 AS TEXT) \
            WHERE id > $1 AND id <= $2 AND kind = 'network' AND segment IS NULL";
        // A new schema has everything settled once.
        const DONE: &str = "UPDATE inventory_head SET again = NULL WHERE id = 1";
        let newest = self.store.query(NEWEST, vec![]).await?;
        let Some(newest) = newest.first() else {
            return Ok(());
        };
        for (sql, last) in [(ASSIGN, newest.int(0)?), (PLACE, newest.int(1)?)] {
            let mut from = 0;
            while from < last {
                let write = Write::derived().run(sql, params![from, from + 20_000]);
                self.store.commit(write).await?;
                from += 20_000;
            }
        }
        self.store
            .commit(Write::derived().run(DONE, vec![]))
            .await?;
        Ok(())
    }
}

/// Somebody who writes something small all the time, and how long the slowest of it took.
pub async fn beside<T>(
    house: &Arc<House>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<(T, Value), Failure> {
    let over = Arc::new(AtomicBool::new(false));
    let (writer, ended) = (Arc::clone(house), Arc::clone(&over));
    let waiting = tokio::spawn(async move {
        let mut waits = Vec::new();
        while !ended.load(Relaxed) {
            let small = Write::derived().run(
                "UPDATE inventory_head SET again = again WHERE id = 1",
                vec![],
            );
            let begun = Instant::now();
            if writer.store.commit(small).await.is_ok() {
                waits.push(begun.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        waits.sort();
        waits
    });
    let begun = Instant::now();
    let done = work.await?;
    let seconds = begun.elapsed().as_secs_f64();
    over.store(true, Relaxed);
    let waits = waiting.await?;
    let milliseconds = |wait: Option<&Duration>| wait.map(|wait| wait.as_secs_f64() * 1e3);
    let told = json!({
        "seconds": seconds,
        "wait_median_ms": milliseconds(waits.get(waits.len() / 2)),
        "wait_worst_ms": milliseconds(waits.last()),
    });
    Ok((done, told))
}
