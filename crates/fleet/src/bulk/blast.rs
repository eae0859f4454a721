//! What stops if certificates end at once: places, assets, flows of health information, systems (R15).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use audit::Timestamp;
use serde::Serialize;
use store::Value;
use utoipa::ToSchema;

use crate::flow::Side;
use crate::inventory::{keys, many};
use crate::{Fleet, Result};

/// Things that are named of one sort; all are counted.
const NAMED: usize = 100;
/// Flows that are looked at for whether something else protects them.
const MOST_FLOWS: usize = 200;

static CERTIFICATES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT id, sha256, places, asset, owner, phi, criticality, is_ca FROM inventory WHERE sha256 IN ({})",
        keys()
    )
});
static ON_MAP: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT DISTINCT m.kind, m.name FROM places p JOIN map_places m ON m.place = p.id WHERE p.certificate IN ({})",
        keys()
    )
});
static BELOW: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT COUNT(*) FROM inventory WHERE issuer_id IN ({}) AND risk > 0",
        keys()
    )
});

/// A flow that certificates of these protect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StoppedFlow {
    pub name: String,
    pub phi: bool,
    /// Nothing else was seen to protect it: it stops.
    pub stops: bool,
}

/// What depends on certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct BlastRadius {
    pub certificates: u64,
    /// Where they are served or lie.
    pub places: u64,
    pub assets: u64,
    /// The first hundred, by id.
    pub asset_ids: Vec<String>,
    /// Certificates by owner; an empty name is nobody's.
    pub owners: BTreeMap<String, u64>,
    pub phi: u64,
    pub life_support: u64,
    /// Authorities among them, and certificates that they signed.
    pub authorities: u64,
    pub below: u64,
    /// Flows of the map at whose ends they stand, those that stop first.
    pub flows: Vec<StoppedFlow>,
    /// Systems of the map at whose ends they stand.
    pub systems: Vec<String>,
    /// Certificates that are not in the inventory.
    pub unknown: Vec<String>,
}

impl Fleet {
    /// What depends on these certificates (SHA-256 in hex).
    pub async fn blast_radius(&self, ids: &[String], now: Timestamp) -> Result<BlastRadius> {
        let hashes: Vec<Vec<u8>> = ids.iter().filter_map(|id| hex::decode(id).ok()).collect();
        let mut radius = BlastRadius::default();
        let (mut rows, mut authorities) = (Vec::new(), Vec::new());
        let mut assets = BTreeSet::new();
        let mut known = BTreeSet::new();
        for row in many(
            self.store(),
            CERTIFICATES.as_str(),
            hashes.into_iter().map(Value::from),
        )
        .await?
        {
            if !known.insert(hex::encode(row.blob(1)?)) {
                continue;
            }
            rows.push(Value::Int(row.int(0)?));
            radius.places += row.int(2)?.unsigned_abs();
            assets.extend(row.opt_text(3)?.map(str::to_owned));
            let owner = row.opt_text(4)?.unwrap_or_default();
            *radius.owners.entry(owner.to_owned()).or_default() += 1;
            radius.phi += u64::from(row.int(5)? != 0);
            radius.life_support += u64::from(row.int(6)? == 3);
            if row.int(7)? != 0 {
                authorities.push(Value::Int(row.int(0)?));
            }
        }
        radius.certificates = known.len() as u64;
        radius.authorities = authorities.len() as u64;
        for row in many(self.store(), BELOW.as_str(), authorities.into_iter()).await? {
            radius.below += row.int(0)?.unsigned_abs();
        }
        radius.assets = assets.len() as u64;
        radius.asset_ids = assets.into_iter().take(NAMED).collect();
        radius.unknown = ids
            .iter()
            .filter(|id| !known.contains(*id))
            .take(NAMED)
            .cloned()
            .collect();
        self.on_map(&mut radius, rows, &known, now).await?;
        Ok(radius)
    }

    async fn on_map(
        &self,
        radius: &mut BlastRadius,
        rows: Vec<Value>,
        ending: &BTreeSet<String>,
        now: Timestamp,
    ) -> Result<()> {
        let (mut flows, mut systems) = (BTreeSet::new(), BTreeSet::new());
        for row in many(self.store(), ON_MAP.as_str(), rows.into_iter()).await? {
            let name = row.text(1)?.to_owned();
            match row.text(0)? {
                "flow" => flows.insert(name),
                _ => systems.insert(name),
            };
        }
        radius.systems = systems.into_iter().take(NAMED).collect();
        if flows.is_empty() {
            return Ok(());
        }
        let map = self.flow_map().await?;
        for name in flows.into_iter().take(MOST_FLOWS) {
            let guarded = match self.flow_guarded(&map, &name, now).await {
                Ok(guarded) => guarded,
                // Taken from the map a moment ago.
                Err(crate::FleetError::NotFound { .. }) => continue,
                Err(error) => return Err(error),
            };
            let stays = guarded.guards.iter().any(|guard| {
                let other = guard
                    .sha256
                    .as_ref()
                    .is_some_and(|one| !ending.contains(one));
                guard.side == Side::Server && other && !guard.revoked
            });
            radius.flows.push(StoppedFlow {
                name,
                phi: guarded.known.phi,
                stops: !stays,
            });
        }
        radius.flows.sort_by_key(|flow| (!flow.stops, !flow.phi));
        Ok(())
    }
}
