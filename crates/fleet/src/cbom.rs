//! The inventory of cryptography (R03, R16): certificates, keys, algorithms and protocols as CycloneDX 1.6, piece by piece,
//! so that a million certificates need the memory of a few hundred.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use agent::observation::{TlsSeen, Version};
use agent::tls::suite::suite;
use audit::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Row, params};
use x509::Time;

use crate::{Fleet, Result, random};

/// What such a document is, over HTTP.
pub const MEDIA_TYPE: &str = "application/vnd.cyclonedx+json; version=1.6";

/// Certificates that are read at a time.
const PAGE: i64 = 200;
/// Places that are named with one certificate; how many there are is told.
const OCCURRENCES: usize = 16;
/// Distinct sets of suites that are kept; more would be somebody's joke.
const PROTOCOLS: usize = 10_000;

const CERTIFICATES: &str = "SELECT id, sha256, spki, subject, issuer, serial, key, key_bits, signature, not_before, not_after, \
    owner, segment, places FROM inventory WHERE id > $1 AND ($2 = '' OR segment = $2) AND ($3 = '' OR owner = $3) \
    ORDER BY id LIMIT $4";
const PLACES: &str =
    "SELECT certificate, place, tls FROM places WHERE certificate >= $1 AND certificate <= $2";

/// Which certificates.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CbomFilter {
    pub segment: Option<String>,
    pub owner: Option<String>,
    /// At most so many certificates; all of them if absent.
    pub limit: Option<u32>,
}

/// A document on its way out.
pub struct Cbom {
    fleet: Fleet,
    filter: CbomFilter,
    now: Timestamp,
    state: State,
    left: i64,
    /// Certificates so far.
    pub certificates: u64,
    algorithms: BTreeSet<Algorithm>,
    keys: BTreeSet<[u8; 8]>,
    protocols: BTreeMap<(Version, Vec<u16>), u64>,
}

enum State {
    Head,
    /// After this row.
    Certificates(i64),
    Tail,
    Done,
}

/// An algorithm with its parameter, as the inventory names both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Algorithm {
    name: String,
    bits: u32,
}

impl Fleet {
    /// The document of what the filter lets through.
    pub fn cbom(&self, filter: CbomFilter, now: Timestamp) -> Cbom {
        Cbom {
            fleet: self.clone(),
            left: filter.limit.map_or(i64::MAX, i64::from),
            filter,
            now,
            state: State::Head,
            certificates: 0,
            algorithms: BTreeSet::new(),
            keys: BTreeSet::new(),
            protocols: BTreeMap::new(),
        }
    }
}

impl Cbom {
    /// The next piece; `None` after the last. Put together they are one JSON document.
    pub async fn next(&mut self) -> Result<Option<String>> {
        match self.state {
            State::Head => {
                self.state = State::Certificates(0);
                self.head().map(Some)
            }
            State::Certificates(after) => self.page(after).await.map(Some),
            State::Tail => {
                self.state = State::Done;
                Ok(Some(self.tail()))
            }
            State::Done => Ok(None),
        }
    }

    fn head(&self) -> Result<String> {
        let metadata = json!({
            "timestamp": self.now.to_string(),
            "tools": { "components": [{
                "type": "application", "name": "Ward", "version": env!("CARGO_PKG_VERSION"),
            }] },
        });
        Ok(format!(
            "{{\"$schema\":\"http://cyclonedx.org/schema/bom-1.6.schema.json\",\"bomFormat\":\"CycloneDX\",\
             \"specVersion\":\"1.6\",\"serialNumber\":\"{}\",\"version\":1,\"metadata\":{metadata},\"components\":[\n",
            urn()?
        ))
    }

    async fn page(&mut self, after: i64) -> Result<String> {
        let limit = PAGE.min(self.left);
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (segment, owner) = (text(&self.filter.segment), text(&self.filter.owner));
        let rows = self.fleet.store();
        let rows = rows
            .query(CERTIFICATES, params![after, segment, owner, limit])
            .await?;
        self.left -= i64::try_from(rows.len()).unwrap_or(self.left);
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            self.state = State::Tail;
            return Ok(String::new());
        };
        let (first, last) = (first.int(0)?, last.int(0)?);
        self.state = State::Certificates(last);
        let mut places = self.places(first, last).await?;
        let mut piece = String::new();
        for row in &rows {
            let at = places.remove(&row.int(0)?).unwrap_or_default();
            self.certificate(row, &at, &mut piece)?;
        }
        Ok(piece)
    }

    async fn places(
        &self,
        first: i64,
        last: i64,
    ) -> Result<HashMap<i64, Vec<(String, Option<TlsSeen>)>>> {
        let mut all: HashMap<i64, Vec<(String, Option<TlsSeen>)>> = HashMap::new();
        let rows = self.fleet.store().query(PLACES, params![first, last]);
        for row in rows.await? {
            let tls = row
                .opt_text(2)?
                .and_then(|text| serde_json::from_str(text).ok());
            let at = all.entry(row.int(0)?).or_default();
            at.push((row.text(1)?.to_owned(), tls));
        }
        Ok(all)
    }

    /// A certificate and, once, its key. What comes before it ended with a comma.
    fn certificate(
        &mut self,
        row: &Row,
        places: &[(String, Option<TlsSeen>)],
        piece: &mut String,
    ) -> Result<()> {
        let sha256 = hex::encode(row.blob(1)?);
        let spki = row.blob(2)?;
        let signature = Algorithm {
            name: row.text(8)?.to_owned(),
            bits: 0,
        };
        let key = Algorithm {
            name: row.text(6)?.to_owned(),
            bits: u32::try_from(row.int(7)?).unwrap_or_default(),
        };
        let key_ref = format!("key/{}", hex::encode(spki));
        let occurrences: Vec<Value> = places
            .iter()
            .take(OCCURRENCES)
            .map(|(place, _)| json!({ "location": place }))
            .collect();
        let mut properties = vec![
            json!({ "name": "ward:serial", "value": hex::encode(row.blob(5)?) }),
            json!({ "name": "ward:places", "value": row.int(13)?.to_string() }),
        ];
        for (name, column) in [("ward:owner", 11), ("ward:segment", 12)] {
            if let Some(value) = row.opt_text(column)? {
                properties.push(json!({ "name": name, "value": value }));
            }
        }
        let subject = row.text(3)?;
        let name = if subject.is_empty() { &sha256 } else { subject };
        let component = json!({
            "type": "cryptographic-asset",
            "bom-ref": format!("certificate/{sha256}"),
            "name": name,
            "hashes": [{ "alg": "SHA-256", "content": sha256 }],
            "cryptoProperties": {
                "assetType": "certificate",
                "certificateProperties": {
                    "subjectName": subject,
                    "issuerName": row.text(4)?,
                    "notValidBefore": Time(row.int(9)?).to_string(),
                    "notValidAfter": Time(row.int(10)?).to_string(),
                    "signatureAlgorithmRef": signature.reference(),
                    "subjectPublicKeyRef": key_ref,
                    "certificateFormat": "X.509",
                },
            },
            "evidence": { "occurrences": occurrences },
            "properties": properties,
        });
        piece.push_str(&format!("{component},\n"));
        let mut short = [0; 8];
        short
            .iter_mut()
            .zip(spki)
            .for_each(|(to, from)| *to = *from);
        if self.keys.insert(short) {
            piece.push_str(&format!("{},\n", key.material(&key_ref)));
        }
        self.algorithms.insert(signature);
        self.algorithms.insert(key);
        for tls in places.iter().filter_map(|(_, tls)| tls.as_ref()) {
            self.protocols_of(tls);
        }
        self.certificates += 1;
        Ok(())
    }

    fn protocols_of(&mut self, tls: &TlsSeen) {
        let mut seen: Vec<(Version, Vec<u16>)> = tls
            .versions
            .iter()
            .map(|one| (one.version, one.suites.clone()))
            .collect();
        if let (true, Some((version, suite))) = (seen.is_empty(), tls.negotiated) {
            seen.push((version, vec![suite]));
            seen.extend(tls.beyond.map(|newer| (newer, Vec::new())));
        }
        for (version, mut suites) in seen {
            suites.sort_unstable();
            suites.dedup();
            let known = self.protocols.contains_key(&(version, suites.clone()));
            if known || self.protocols.len() < PROTOCOLS {
                *self.protocols.entry((version, suites)).or_default() += 1;
            }
        }
    }

    /// Algorithms and protocols, which are known once all certificates are.
    fn tail(&self) -> String {
        let algorithms = self.algorithms.iter().map(Algorithm::component);
        let protocols =
            self.protocols
                .iter()
                .enumerate()
                .map(|(number, ((version, suites), places))| {
                    protocol(number, *version, suites, *places)
                });
        let all: Vec<String> = algorithms
            .chain(protocols)
            .chain([inventory()])
            .map(|component| component.to_string())
            .collect();
        format!("{}\n]}}\n", all.join(",\n"))
    }
}

/// Stands at the end, so that an inventory of nothing is a document too, and every piece before may end with a comma.
fn inventory() -> Value {
    json!({
        "type": "application",
        "bom-ref": "ward/inventory",
        "name": "certificates of the house",
        "description": "whose cryptography this is",
    })
}

fn protocol(number: usize, version: Version, suites: &[u16], places: u64) -> Value {
    let number_of = version.name().rsplit(' ').next().unwrap_or_default();
    let suites: Vec<Value> = suites
        .iter()
        .map(|code| {
            let [high, low] = code.to_be_bytes();
            json!({
                "name": suite(*code).map_or("unknown", |suite| suite.name),
                "identifiers": [format!("0x{high:02X}"), format!("0x{low:02X}")],
            })
        })
        .collect();
    json!({
        "type": "cryptographic-asset",
        "bom-ref": format!("protocol/{number}"),
        "name": version.name(),
        "cryptoProperties": {
            "assetType": "protocol",
            "protocolProperties": { "type": "tls", "version": number_of, "cipherSuites": suites },
        },
        "properties": [{ "name": "ward:places", "value": places.to_string() }],
    })
}

impl Algorithm {
    fn reference(&self) -> String {
        match self.bits {
            0 => format!("algorithm/{}", self.name),
            bits => format!("algorithm/{}-{bits}", self.name),
        }
    }

    fn material(&self, reference: &str) -> Value {
        let mut properties = json!({
            "type": "public-key",
            "algorithmRef": self.reference(),
            "format": "SubjectPublicKeyInfo",
        });
        if let (true, Some(fields)) = (self.bits > 0, properties.as_object_mut()) {
            fields.insert("size".to_owned(), json!(self.bits));
        }
        json!({
            "type": "cryptographic-asset",
            "bom-ref": reference,
            "name": format!("{} public key", self.name),
            "cryptoProperties": {
                "assetType": "related-crypto-material",
                "relatedCryptoMaterialProperties": properties,
            },
        })
    }

    fn component(&self) -> Value {
        let mut properties = json!({
            "primitive": "signature",
            "cryptoFunctions": ["sign", "verify"],
            "nistQuantumSecurityLevel": self.quantum_level(),
        });
        if let Some(fields) = properties.as_object_mut() {
            if let Some(level) = self.classical_level() {
                fields.insert("classicalSecurityLevel".to_owned(), json!(level));
            }
            if self.bits > 0 {
                fields.insert(
                    "parameterSetIdentifier".to_owned(),
                    json!(self.bits.to_string()),
                );
            }
            if let Some(curve) = self.name.strip_prefix("ec-") {
                fields.insert("curve".to_owned(), json!(curve));
            }
        }
        json!({
            "type": "cryptographic-asset",
            "bom-ref": self.reference(),
            "name": self.name,
            "cryptoProperties": { "assetType": "algorithm", "algorithmProperties": properties },
        })
    }

    /// NIST's categories (FIPS 204 §4): nothing but ML-DSA has one here.
    fn quantum_level(&self) -> u8 {
        match self.name.as_str() {
            "ml-dsa-44" => 2,
            "ml-dsa-65" => 3,
            "ml-dsa-87" => 5,
            _ => 0,
        }
    }

    /// Bits of security (NIST SP 800-57 part 1 §5.6.1) of a key; signatures borrow theirs from key and hash.
    fn classical_level(&self) -> Option<u32> {
        match (self.name.as_str(), self.bits) {
            (_, 0) => None,
            ("rsa", ..=1023) => Some(0),
            ("rsa", 1024..=2047) => Some(80),
            ("rsa", 2048..=3071) => Some(112),
            ("rsa", 3072..=7679) => Some(128),
            ("rsa", _) => Some(192),
            ("ed25519", _) => Some(128),
            (name, bits) if name.starts_with("ec-") => Some(bits / 2),
            _ => None,
        }
    }
}

/// A random UUID (RFC 9562 §5.4).
fn urn() -> Result<String> {
    let mut bytes = random::<16>()?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    Ok(format!(
        "urn:uuid:{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    ))
}
