//! What a scan of a segment may do now: what was signed off, less what the register says must not be touched.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use access::Refusal;
use agent::scan::{Exclusion, Limits, ModelAt, Range, Service, resolve};
use audit::{Actor, Timestamp};
use serde::Serialize;
use store::params;

use super::sign::{self, SignOff};
use super::{Open, Segment, StoredSegment, check, hours};
use crate::asset::{Asset, AssetState, Criticality};
use crate::{AssetFilter, Fleet, Result};

/// How long looking up names may take, all of them together.
const PATIENCE: Duration = Duration::from_secs(3);
/// Names beside those of devices that must not be touched: models of the others serve to stop early, no more.
const OTHER_NAMES: usize = 2000;

const PLACED: &str = "SELECT DISTINCT address, asset FROM places \
    WHERE asset IS NOT NULL AND address IS NOT NULL AND kind = 'network'";

/// Limits in force, and where they come from.
#[derive(Clone, Debug)]
pub struct LimitsNow {
    pub stored: StoredSegment,
    pub signed: SignOff,
    pub limits: Limits,
    /// Registered here.
    pub unplaced: Vec<Unplaced>,
    /// Registered elsewhere, or in no segment: they may have been carried here.
    pub astray: Vec<Unplaced>,
    /// Names of devices that were looked up and have no address.
    pub nameless: Vec<Nameless>,
}

/// A host name in the register that did not come to an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Nameless {
    pub asset: String,
    pub name: String,
    pub why: String,
    /// The device must not be touched. Of another only the model is wanted, so as to stop early.
    pub untouchable: bool,
}

/// A device that must not be touched and is at no address that anybody knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unplaced {
    pub asset: String,
    pub model: String,
    pub serial: String,
    /// Where it is registered.
    pub segment: Option<String>,
}

impl Fleet {
    /// What a scan may do now: refused unless the limits are signed and these are their hours. The window is what is left
    /// of those.
    pub async fn scan_limits(&self, name: &str, now: Timestamp) -> Result<Limits> {
        let in_force = self.limits_now(name).await?;
        let end = in_force.stored.open_until(now)?;
        let mut limits = in_force.limits;
        let left = end.0.saturating_sub(now.0);
        limits.window = Some(Duration::from_millis(left.unsigned_abs()));
        Ok(limits)
    }

    /// The limits that are signed, whatever the hour.
    pub async fn limits_now(&self, name: &str) -> Result<LimitsNow> {
        let all = self.segments().await?;
        let stored = all
            .iter()
            .find(|stored| stored.segment.name == name)
            .ok_or_else(|| crate::FleetError::not_found("segment", name))?;
        let signed = stored.signature().ok_or_else(|| unsigned(stored))?.clone();
        self.limits_of(stored, signed, &all).await
    }

    /// What the limits of a segment will come to once they are signed as they stand: for a dry run.
    pub async fn limits_unsigned(&self, name: &str) -> Result<LimitsNow> {
        let all = self.segments().await?;
        let stored = all
            .iter()
            .find(|stored| stored.segment.name == name)
            .ok_or_else(|| crate::FleetError::not_found("segment", name))?;
        let signed = stored.signed.clone().unwrap_or_else(|| SignOff {
            by: Actor::system("nobody"),
            at: 0,
            digest: String::new(),
            within: Vec::new(),
            note: String::new(),
        });
        self.limits_of(stored, signed, &all).await
    }

    async fn limits_of(
        &self,
        stored: &StoredSegment,
        signed: SignOff,
        all: &[StoredSegment],
    ) -> Result<LimitsNow> {
        let segment = &stored.segment;
        let mut exclude = segment.exclude.clone();
        // Those of now, and those of then: whoever signed did not sign for addresses that had limits of their own.
        exclude.extend(sign::within(segment, all));
        for out in &signed.within {
            if !exclude.contains(out) {
                exclude.push(out.clone());
            }
        }
        let register = self.devices_in(segment).await?;
        exclude.extend(register.untouchable);
        if let (Some(first), false) = (register.unplaced.first(), segment.unplaced) {
            return Err(unplaced(stored, first, register.unplaced.len()).into());
        }
        let limits = Limits {
            ranges: segment.ranges.clone(),
            exclude,
            ports: ports(segment),
            raw_print: segment.raw_print,
            rate: Some(segment.rate),
            per_device: usize::try_from(segment.per_device).unwrap_or(1),
            window: None,
            models: register.models,
            never: segment.never_models.clone(),
            silent: usize::try_from(segment.silent).unwrap_or(1),
        };
        Ok(LimitsNow {
            stored: stored.clone(),
            signed,
            limits,
            unplaced: register.unplaced,
            astray: register.astray,
            nameless: register.nameless,
        })
    }

    /// Which models stand where, by places where their certificates were seen and by their names in the DNS.
    async fn devices_in(&self, segment: &Segment) -> Result<Register> {
        let assets = self.living_assets().await?;
        let mut at: BTreeMap<IpAddr, &Asset> = BTreeMap::new();
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for row in self.store().query(PLACED, params![]).await? {
            let address = row.text(0)?.parse::<IpAddr>().ok();
            let asset = assets.get(row.text(1)?);
            let (Some(address), Some(asset)) = (address, asset) else {
                continue;
            };
            known.insert(&asset.id);
            keep(&mut at, address, asset, segment);
        }
        let named = named(assets.values(), segment);
        let names: Vec<String> = named.iter().map(|(_, name)| name.clone()).collect();
        let mut register = Register::default();
        for ((asset, name), (_, found)) in named.into_iter().zip(resolve(&names, PATIENCE).await) {
            match found {
                Ok(addresses) => {
                    known.insert(&asset.id);
                    for address in addresses {
                        keep(&mut at, address, asset, segment);
                    }
                }
                Err(why) => register.nameless.push(Nameless {
                    asset: asset.id.clone(),
                    name,
                    why,
                    untouchable: is_protected(asset, segment),
                }),
            }
        }
        for (address, asset) in &at {
            let Some(range) = Range::new(*address, *address) else {
                continue;
            };
            if asset.criticality == Criticality::LifeSupport && !segment.life_support {
                register.untouchable.push(Exclusion {
                    range,
                    rule: format!("asset {} is life support", asset.id),
                });
            }
            if !asset.model.is_empty() {
                register.models.push(ModelAt {
                    range,
                    model: asset.model.clone(),
                });
            }
        }
        let unknown = assets
            .values()
            .filter(|asset| is_protected(asset, segment) && !known.contains(asset.id.as_str()));
        let unknown = unknown.map(|asset| Unplaced {
            asset: asset.id.clone(),
            model: asset.model.clone(),
            serial: asset.serial.clone(),
            segment: asset.segment.clone(),
        });
        (register.unplaced, register.astray) =
            unknown.partition(|one| one.segment.as_deref() == Some(segment.name.as_str()));
        register
            .astray
            .sort_by(|one, other| one.asset.cmp(&other.asset));
        Ok(register)
    }

    /// Every asset that is in use, by its id.
    async fn living_assets(&self) -> Result<HashMap<String, Asset>> {
        let mut assets = HashMap::new();
        let mut filter = AssetFilter {
            state: Some(AssetState::Active),
            limit: Some(1000),
            ..AssetFilter::default()
        };
        loop {
            let page = self.assets(&filter).await?;
            let each = page.assets.into_iter().map(|stored| stored.asset);
            assets.extend(each.map(|asset| (asset.id.clone(), asset)));
            match page.next {
                Some(next) => filter.after = Some(next),
                None => return Ok(assets),
            }
        }
    }
}

#[derive(Default)]
struct Register {
    models: Vec<ModelAt>,
    untouchable: Vec<Exclusion>,
    unplaced: Vec<Unplaced>,
    astray: Vec<Unplaced>,
    nameless: Vec<Nameless>,
}

/// Names to look up, those of devices that must not be touched first, wherever they are registered: they may have been
/// carried here.
fn named<'a>(
    assets: impl Iterator<Item = &'a Asset>,
    segment: &Segment,
) -> Vec<(&'a Asset, String)> {
    let (mut first, mut others) = (Vec::new(), Vec::new());
    for asset in assets {
        let elsewhere = asset
            .segment
            .as_ref()
            .is_some_and(|name| *name != segment.name);
        let each = asset.host_names.iter().map(|name| (asset, name.clone()));
        match is_protected(asset, segment) {
            true => first.extend(each),
            false if elsewhere => {}
            false => others.extend(each),
        }
    }
    let order = |one: &(&Asset, String), other: &(&Asset, String)| {
        (&one.0.id, &one.1).cmp(&(&other.0.id, &other.1))
    };
    first.sort_by(order);
    others.sort_by(order);
    others.truncate(OTHER_NAMES);
    first.append(&mut others);
    first
}

/// Where two assets claim one address, the one that must not be touched has it.
fn keep<'a>(
    at: &mut BTreeMap<IpAddr, &'a Asset>,
    address: IpAddr,
    asset: &'a Asset,
    segment: &Segment,
) {
    if !segment.ranges.iter().any(|range| range.contains(address)) {
        return;
    }
    let there = at.entry(address).or_insert(asset);
    if !is_protected(there, segment) && is_protected(asset, segment) {
        *there = asset;
    }
}

fn is_protected(asset: &Asset, segment: &Segment) -> bool {
    let life_support = asset.criticality == Criticality::LifeSupport && !segment.life_support;
    life_support || segment.never_models.contains(&asset.model)
}

/// Ports as first and last.
fn ports(segment: &Segment) -> Vec<(u16, u16)> {
    let services = Service::list(&segment.ports.join(",")).unwrap_or_default();
    let ports: BTreeSet<u16> = services.iter().map(|service| service.port).collect();
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for port in ports {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(port) => *last = port,
            _ => ranges.push((port, port)),
        }
    }
    // An empty list means any port to the scanner, and none to us; no service has port 0.
    if ranges.is_empty() {
        ranges.push((0, 0));
    }
    ranges
}

impl StoredSegment {
    /// Until when the hours are open, or the refusal that says when they will be.
    pub fn open_until(&self, now: Timestamp) -> std::result::Result<Timestamp, Refusal> {
        let segment = &self.segment;
        let zone = hours::zone(&segment.zone).ok_or_else(|| {
            let message = format!("time zone {} is not known here", segment.zone);
            Refusal::new("segment.zone", self.source(), message)
                .accepted("the IANA database of time zones on this machine (package tzdata)")
        })?;
        let all: Vec<String> = segment.hours.iter().map(ToString::to_string).collect();
        let all = format!("{} ({})", all.join("; "), segment.zone);
        match hours::open(&segment.hours, &zone, now) {
            Open::Until(end) => Ok(end),
            Open::From(from) => Err(Refusal::new(
                "segment.hours",
                self.source(),
                format!("not within the hours of segment {}: {all}", segment.name),
            )
            .accepted(format!("from {from}"))),
            Open::Never => Err(Refusal::new(
                "segment.hours",
                self.source(),
                format!(
                    "segment {} has no hours in which it may be scanned",
                    segment.name
                ),
            )
            .accepted("limits with hours, signed off")),
        }
    }

    /// A part of the segment that somebody asks for, held against it.
    pub fn holds(&self, range: &Range) -> std::result::Result<(), Refusal> {
        let own = &self.segment.ranges;
        if own
            .iter()
            .any(|own| own == range || check::inside(range, own))
        {
            return Ok(());
        }
        let own: Vec<String> = own.iter().map(ToString::to_string).collect();
        let message = format!("{range} is not within segment {}", self.segment.name);
        Err(Refusal::new("segment.ranges", self.source(), message)
            .accepted(format!("parts of {}", own.join(", "))))
    }

    /// Whose limits these are, for refusals.
    pub fn source(&self) -> String {
        let by: Vec<&str> = self
            .writers
            .iter()
            .map(|writer| writer.id.as_str())
            .collect();
        let (name, version) = (&self.segment.name, self.version);
        match &self.signed {
            Some(signed) => format!(
                "segment {name} v{version}, set by {}, signed by {}",
                by.join(", "),
                signed.by.id
            ),
            None => format!("segment {name} v{version}, set by {}", by.join(", ")),
        }
    }
}

fn unsigned(stored: &StoredSegment) -> Refusal {
    let message = format!(
        "nobody has signed off the limits of segment {}",
        stored.segment.name
    );
    Refusal::new("segment.unsigned", stored.source(), message)
        .accepted("limits signed by a second person: `ward segment sign`, role admin or approver")
}

fn unplaced(stored: &StoredSegment, first: &Unplaced, count: usize) -> Refusal {
    let message = format!(
        "{count} device(s) of segment {} must not be touched and are at no known address, such as {} {} ({})",
        stored.segment.name, first.model, first.serial, first.asset
    );
    Refusal::new("segment.unplaced", stored.source(), message).accepted(
        "host names in the register that the DNS knows, another segment or state for those devices, or limits that accept it",
    )
}
