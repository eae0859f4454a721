//! Facts of certificates out of the tables: some hundred at a time, with a fixed number of questions for all of them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use store::{Row, Value, params};
use x509::Certificate;

use super::belong::Register;
use super::link::{Link, Linker};
use super::place::{self, Columns};
use super::renewal::Way;
use super::rule::{Candidate, OwnerRule, assigned, first};
use super::stored::{keys, many, parsed};
use super::zone::Zones;
use super::{Assigned, Facts, PlaceFacts};
use crate::flow::Map;
use crate::{Asset, Fleet, FleetError, Result};

/// Places that one certificate is judged by: a vendor's default certificate may be on every pump of a house.
const MOST_PLACES: i64 = 1000;
/// Places that are read for one part of a batch before each certificate is asked for by itself.
const MOST_READ: i64 = 20_000;
const MOST_SHARING: usize = 100;

macro_rules! facts {
    ($rest:literal) => {
        concat!(
            "SELECT id, sha256, der, spki, key, key_bits, self_signed, is_ca, issuer_id, authority, recorded, revoked, how, \
            touched, settled, places, asset, owner, owner_by, segment, site, vendor, environment, tags, criticality, phi, \
            patient_facing, ehr, risk, findings, subject, automated FROM inventory WHERE ",
            $rest
        )
    };
}
pub(crate) const UNSETTLED: &str = facts!("settled < touched ORDER BY id LIMIT $1");
const BY_SHA256: &str = facts!("sha256 = $1");

macro_rules! places {
    ($rest:literal) => {
        concat!(
            "SELECT certificate, id, kind, address, port, sni, starttls, host, path, alias, segment, asset, chain, outcome, \
            detail, tls, first_seen, last_seen FROM places WHERE ",
            $rest
        )
    };
}
static PLACES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{} LIMIT {MOST_READ}",
        places!("certificate IN (KEYS)").replace("KEYS", keys())
    )
});
const PLACES_OF_ONE: &str = places!("certificate = $1 ORDER BY id LIMIT $2");
static COUNTS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT certificate, COUNT(*) FROM places WHERE certificate IN ({}) GROUP BY certificate",
        keys()
    )
});
static DERS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT sha256, der FROM inventory WHERE sha256 IN ({})",
        keys()
    )
});
static HOLDERS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT sha256, asset, protocol FROM holdings WHERE sha256 IN ({})",
        keys()
    )
});
static ASKED: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT sha256, requester FROM certificates WHERE sha256 IN ({})",
        keys()
    )
});
static SHARING: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT spki, id, asset FROM inventory WHERE spki IN ({}) AND asset IS NOT NULL LIMIT {MOST_READ}",
        keys()
    )
});
static ONCE_OURS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT DISTINCT h.place FROM place_history h JOIN inventory i ON i.id = h.certificate \
        WHERE h.replaced_at IS NOT NULL AND i.recorded = 1 AND h.place IN ({})",
        keys()
    )
});
const HELD: &str = "SELECT sha256 FROM holdings WHERE asset = $1 AND superseded_at IS NULL AND ended IS NULL \
    ORDER BY held_at DESC LIMIT 50";

/// What everything is worked out from, read once for many certificates.
pub(crate) struct World {
    pub(crate) rules: Vec<OwnerRule>,
    pub(crate) zones: Zones,
    pub(crate) register: Arc<Register>,
    pub(crate) map: Map,
    pub(crate) linker: Linker,
    assets: HashMap<String, Option<Arc<Asset>>>,
    chains: HashMap<[u8; 32], Option<Arc<Certificate>>>,
}

/// A certificate's row, as far as it is not in the facts.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) touched: i64,
    pub(crate) settled: i64,
    pub(crate) is_ca: bool,
    pub(crate) subject: String,
    pub(crate) spki: Vec<u8>,
    pub(crate) how: String,
    /// The columns that follow from facts, in their order.
    pub(crate) derived: Vec<Value>,
    pub(crate) issuer: Option<i64>,
    /// All places, those included that are not in the facts.
    pub(crate) places: i64,
    /// Nobody has to be there when it is renewed.
    pub(crate) automated: bool,
    /// What the assets of its places were, by the places' rows.
    pub(crate) place_assets: HashMap<i64, Option<String>>,
}

impl Fleet {
    pub(crate) async fn world(&self) -> Result<World> {
        let rules = self.owner_rules().await?;
        Ok(World {
            rules: rules.into_iter().map(|stored| stored.rule).collect(),
            zones: self.zones().await?,
            register: self.register().await?,
            map: self.flow_map().await?,
            linker: Linker::new(self),
            assets: HashMap::new(),
            chains: HashMap::new(),
        })
    }

    /// What is known of one certificate.
    pub async fn facts(&self, sha256: &[u8; 32]) -> Result<Facts> {
        Ok(self.facts_and_row(sha256).await?.0)
    }

    /// As a rule looks at one certificate.
    pub async fn candidate(&self, sha256: &[u8; 32]) -> Result<Candidate> {
        let (facts, stored) = self.facts_and_row(sha256).await?;
        Ok(Candidate::of(&facts, &stored.how))
    }

    pub(crate) async fn facts_and_row(&self, sha256: &[u8; 32]) -> Result<(Facts, Stored)> {
        let mut world = self.world().await?;
        let rows = self.store().look_up(BY_SHA256, params![*sha256]).await?;
        let mut loaded = self.load(&mut world, &rows).await?;
        loaded
            .pop()
            .ok_or_else(|| FleetError::not_found("certificate", &hex::encode(sha256)))
    }

    /// Facts of rows that [`UNSETTLED`] or its like has read.
    pub(crate) async fn load(
        &self,
        world: &mut World,
        rows: &[Row],
    ) -> Result<Vec<(Facts, Stored)>> {
        let mut loaded = Vec::with_capacity(rows.len());
        for row in rows {
            loaded.push(self.read(world, row).await?);
        }
        self.add_places(world, &mut loaded).await?;
        self.add_sharing(&mut loaded).await?;
        self.add_assigned(world, &mut loaded).await?;
        self.add_expected(&mut loaded).await?;
        for (facts, _) in &mut loaded {
            facts.flows = world.map.protects(&facts.places);
        }
        Ok(loaded)
    }

    async fn read(&self, world: &mut World, row: &Row) -> Result<(Facts, Stored)> {
        let damaged = |_| FleetError::Damaged("a certificate of the inventory cannot be read");
        let certificate = Certificate::from_der(row.blob(2)?).map_err(damaged)?;
        let sha256 = row.blob(1)?.try_into();
        let sha256 = sha256.map_err(|_| FleetError::Damaged("a certificate without its hash"))?;
        let (id, self_signed) = (row.int(0)?, row.int(6)? != 0);
        let known = Link {
            issuer: row.opt_int(8)?.or(self_signed.then_some(id)),
            authority: row.opt_text(9)?.map(str::to_owned),
        };
        let store = self.store();
        let in_record = row.int(10)? != 0;
        let linker = &mut world.linker;
        let link = linker
            .link(store, id, &certificate, in_record, known)
            .await?;
        let issuer = link.issuer.filter(|issuer| *issuer != id);
        let issuers = world.linker.above(store, issuer).await?;
        let mut recorded = in_record || world.linker.is_our_authority(&sha256);
        if link.authority.is_some() && !recorded {
            // A scan may be quicker than the loop that brings in what was issued: the CA's own table decides.
            recorded = self.ca.certificate(&sha256).await?.is_some();
        }
        let facts = Facts {
            id,
            sha256,
            key: row.text(4)?.to_owned(),
            key_bits: u32::try_from(row.int(5)?).unwrap_or_default(),
            self_signed,
            issuers,
            authority: link.authority,
            recorded,
            revoked: row.opt_int(11)?.and_then(|code| u8::try_from(code).ok()),
            places: Vec::new(),
            key_elsewhere: Vec::new(),
            assigned: Assigned::default(),
            flows: Vec::new(),
            certificate: Arc::new(certificate),
        };
        let stored = Stored {
            touched: row.int(13)?,
            settled: row.int(14)?,
            is_ca: row.int(7)? != 0,
            subject: row.text(30)?.to_owned(),
            spki: row.blob(3)?.to_vec(),
            how: row.text(12)?.to_owned(),
            derived: derived(row),
            issuer: link.issuer,
            places: 0,
            automated: false,
            place_assets: HashMap::new(),
        };
        Ok((facts, stored))
    }

    async fn add_places(&self, world: &mut World, loaded: &mut [(Facts, Stored)]) -> Result<()> {
        let ids = || loaded.iter().map(|(facts, _)| Value::Int(facts.id));
        let mut counts = HashMap::new();
        for row in many(self.store(), COUNTS.as_str(), ids()).await? {
            counts.insert(row.int(0)?, row.int(1)?);
        }
        let all: i64 = counts.values().sum();
        let mut rows = Vec::new();
        if all <= MOST_READ {
            rows = many(self.store(), PLACES.as_str(), ids()).await?;
        } else {
            for id in counts.keys() {
                let params = params![*id, MOST_PLACES];
                rows.extend(self.store().query(PLACES_OF_ONE, params).await?);
            }
        }
        self.read_chains(world, &rows).await?;
        let mut by_certificate: HashMap<i64, Vec<&Row>> = HashMap::new();
        for row in &rows {
            by_certificate.entry(row.int(0)?).or_default().push(row);
        }
        for (facts, stored) in loaded {
            stored.places = counts.get(&facts.id).copied().unwrap_or_default();
            let rows = by_certificate.remove(&facts.id).unwrap_or_default();
            for row in rows {
                let Some(place) = read_place(row, world)? else {
                    continue;
                };
                let asset = row.opt_text(11)?.map(str::to_owned);
                stored.place_assets.insert(place.id, asset);
                facts.places.push(place);
            }
            facts.places.sort_by_key(|place| place.id);
        }
        Ok(())
    }

    /// Certificates that are sent with others; the same few again and again.
    async fn read_chains(&self, world: &mut World, rows: &[Row]) -> Result<()> {
        const MOST_KEPT: usize = 50_000;
        if world.chains.len() > MOST_KEPT {
            world.chains.clear();
        }
        let mut wanted: BTreeSet<[u8; 32]> = BTreeSet::new();
        for row in rows {
            let (hashes, _) = row.blob(12)?.as_chunks::<32>();
            wanted.extend(
                hashes
                    .iter()
                    .filter(|hash| !world.chains.contains_key(*hash)),
            );
        }
        let asked = wanted.iter().map(|hash| Value::from(*hash));
        for row in many(self.store(), DERS.as_str(), asked).await? {
            if let Ok(hash) = row.blob(0)?.try_into() {
                let certificate = Certificate::from_der(row.blob(1)?).ok().map(Arc::new);
                world.chains.insert(hash, certificate);
            }
        }
        for hash in wanted {
            world.chains.entry(hash).or_insert(None);
        }
        Ok(())
    }

    /// Assets with another certificate for the same key.
    async fn add_sharing(&self, loaded: &mut [(Facts, Stored)]) -> Result<()> {
        let spkis = loaded.iter().map(|(_, stored)| Value::from(&stored.spki));
        let mut by_key: HashMap<Vec<u8>, Vec<(i64, String)>> = HashMap::new();
        for row in many(self.store(), SHARING.as_str(), spkis).await? {
            let of = by_key.entry(row.blob(0)?.to_vec()).or_default();
            of.push((row.int(1)?, row.text(2)?.to_owned()));
        }
        for (facts, stored) in loaded {
            let others = by_key.get(&stored.spki).into_iter().flatten();
            let others = others.filter(|(id, _)| *id != facts.id);
            let assets: BTreeSet<&String> = others.map(|(_, asset)| asset).collect();
            facts.key_elsewhere = assets.into_iter().take(MOST_SHARING).cloned().collect();
        }
        Ok(())
    }

    async fn add_assigned(&self, world: &mut World, loaded: &mut [(Facts, Stored)]) -> Result<()> {
        let hashes: Vec<[u8; 32]> = loaded.iter().map(|(facts, _)| facts.sha256).collect();
        let hands = self.hands(&hashes).await?;
        let keys = hashes.iter().map(|hash| Value::from(*hash));
        let mut holders: HashMap<Vec<u8>, (String, String)> = HashMap::new();
        for row in many(self.store(), HOLDERS.as_str(), keys).await? {
            let held = (row.text(1)?.to_owned(), row.text(2)?.to_owned());
            holders.insert(row.blob(0)?.to_vec(), held);
        }
        let recorded = loaded.iter().filter(|(facts, _)| facts.recorded);
        let recorded: Vec<Value> = recorded.map(|(facts, _)| facts.sha256.into()).collect();
        let mut asked: HashMap<Vec<u8>, String> = HashMap::new();
        for row in many(self.store(), ASKED.as_str(), recorded.into_iter()).await? {
            asked.insert(row.blob(0)?.to_vec(), row.text(1)?.to_owned());
        }
        for (facts, stored) in loaded {
            let held = holders.get(&facts.sha256[..]);
            let holder = held.map(|(asset, _)| asset.clone());
            let register = Arc::clone(&world.register);
            let named = || register.of_certificate(facts).map(str::to_owned);
            let mut asset = holder.or_else(named);
            let of_places: Vec<Option<&str>> = facts
                .places
                .iter()
                .map(|place| register.of_place(&place.place))
                .collect();
            if asset.is_none() {
                let distinct: HashSet<&str> = of_places.iter().flatten().copied().collect();
                let one = distinct.len() == 1;
                asset = distinct
                    .into_iter()
                    .next()
                    .filter(|_| one)
                    .map(str::to_owned);
            }
            let of_places: Vec<Option<String>> = of_places
                .into_iter()
                .map(|of| of.map(str::to_owned).or_else(|| asset.clone()))
                .collect();
            for (place, of) in facts.places.iter_mut().zip(of_places) {
                place.asset = match of {
                    Some(id) => self.asset_of(world, &id).await?,
                    None => None,
                };
            }
            facts.assigned.asset = match asset {
                Some(id) => self.asset_of(world, &id).await?,
                None => None,
            };
            let segment = facts.places.iter().find_map(|place| place.segment.clone());
            let site = segment.as_deref().and_then(|name| world.zones.named(name));
            let site = site.and_then(|zone| zone.site.clone());
            let candidate = Candidate::of(facts, &stored.how);
            let hand = hands.get(&hex::encode(facts.sha256));
            let rule = first(&world.rules, &candidate);
            let asset = facts.assigned.asset.take();
            facts.assigned = assigned(hand, asset, rule, segment, site);
            let way = Way {
                protocol: held.map(|(_, protocol)| protocol.as_str()),
                requester: asked.get(&facts.sha256[..]).map(String::as_str),
            };
            stored.automated = way.is_automatic(&facts.assigned);
        }
        Ok(())
    }

    async fn asset_of(&self, world: &mut World, id: &str) -> Result<Option<Arc<Asset>>> {
        if let Some(known) = world.assets.get(id) {
            return Ok(known.clone());
        }
        let asset = match self.asset(id).await {
            Ok(stored) => Some(Arc::new(stored.asset)),
            Err(FleetError::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        world.assets.insert(id.to_owned(), asset.clone());
        Ok(asset)
    }

    /// The certificate that Ward last gave to what stands at a place, where another one is there: one that was given
    /// before, or one that took the place of ours.
    async fn add_expected(&self, loaded: &mut [(Facts, Stored)]) -> Result<()> {
        let served = |place: &&PlaceFacts| {
            matches!(place.place, agent::observation::Place::Network { .. })
                && place.asset.is_some()
        };
        let places = loaded.iter().flat_map(|(facts, _)| &facts.places);
        let ids: Vec<Value> = places
            .filter(served)
            .map(|place| Value::Int(place.id))
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        let mut once_ours = HashSet::new();
        for row in many(self.store(), ONCE_OURS.as_str(), ids.into_iter()).await? {
            once_ours.insert(row.int(0)?);
        }
        let mut held: HashMap<String, Vec<[u8; 32]>> = HashMap::new();
        for (facts, _) in loaded {
            let own = facts.recorded && facts.assigned.asset.is_some();
            for place in &mut facts.places {
                let Some(asset) = place
                    .asset
                    .as_ref()
                    .filter(|_| own || once_ours.contains(&place.id))
                else {
                    continue;
                };
                if !held.contains_key(&asset.id) {
                    let rows = self
                        .store()
                        .look_up(HELD, params![asset.id.as_str()])
                        .await?;
                    let hashes = rows
                        .iter()
                        .filter_map(|row| row.blob(0).ok()?.try_into().ok());
                    held.insert(asset.id.clone(), hashes.collect());
                }
                let current = held.get(&asset.id).map_or(&[][..], Vec::as_slice);
                if !current.contains(&facts.sha256) {
                    place.expected = current.first().copied();
                }
            }
        }
        Ok(())
    }
}

/// The columns that follow from facts, as they are: issuer to recorded, places to findings, and the last.
fn derived(row: &Row) -> Vec<Value> {
    let values = row.clone().into_values();
    let columns = values.into_iter().enumerate();
    let columns =
        columns.filter(|(at, _)| (8..11).contains(at) || (15..30).contains(at) || *at == 31);
    columns.map(|(_, value)| value).collect()
}

fn read_place(row: &Row, world: &World) -> Result<Option<PlaceFacts>> {
    let owned =
        |at: usize| -> store::Result<Option<String>> { Ok(row.opt_text(at)?.map(str::to_owned)) };
    let columns = Columns {
        kind: Columns::kind_of(row.text(2)?),
        address: owned(3)?,
        port: row.opt_int(4)?.and_then(|port| u16::try_from(port).ok()),
        sni: owned(5)?,
        starttls: row
            .opt_text(6)?
            .and_then(agent::observation::StartTls::from_name)
            .map(|protocol| protocol.name()),
        host: owned(7)?,
        path: owned(8)?,
        alias: owned(9)?,
        ..Columns::default()
    };
    let Some(place) = columns.place() else {
        return Ok(None);
    };
    let (hashes, _) = row.blob(12)?.as_chunks::<32>();
    let chain = hashes
        .iter()
        .filter_map(|hash| world.chains.get(hash)?.clone());
    Ok(Some(PlaceFacts {
        id: row.int(1)?,
        place,
        outcome: place::outcome(row.text(13)?, row.text(14)?),
        segment: owned(10)?,
        asset: None,
        tls: parsed(row.opt_text(15)?),
        chain: chain.collect(),
        first_seen: row.int(16)?,
        last_seen: row.int(17)?,
        expected: None,
    }))
}
