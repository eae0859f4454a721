//! Figures about certificates for Prometheus, with owner labels: whoever is called at night is the one that has to act.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fleet::risk::{Level, RiskCounts, Within};
use parking_lot::Mutex;

use crate::Services;

/// Owners with figures of their own; a label for each team, not for each typing error. The others are `other`.
const MOST_OWNERS: usize = 200;

/// Owners that have figures by now: a figure that is no more has to be said to be 0.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<BTreeSet<String>>>);

/// Counts everything and sets the gauges.
pub(crate) async fn record(services: &Services, told: &Told) -> Result<(), fleet::FleetError> {
    let counts = services.fleet.risk_counts(services.now()).await?;
    let by_owner = by_owner(&counts);
    let mut told = told.0.lock();
    told.extend(by_owner.keys().cloned());
    for owner in told.iter() {
        let nothing = (BTreeMap::new(), BTreeMap::new());
        let (risks, within) = by_owner.get(owner).unwrap_or(&nothing);
        for level in Level::ALL {
            let labels = [("owner", owner.clone()), ("risk", level.name().to_owned())];
            let count = risks.get(&level).copied().unwrap_or_default();
            metrics::gauge!("ward_inventory_certificates", &labels).set(count as f64);
        }
        for left in Within::ALL {
            let labels = [("owner", owner.clone()), ("within", left.name().to_owned())];
            let count = within.get(&left).copied().unwrap_or_default();
            metrics::gauge!("ward_inventory_expiry", &labels).set(count as f64);
        }
    }
    Ok(())
}

type Figures = (BTreeMap<Level, u64>, BTreeMap<Within, u64>);

fn by_owner(counts: &RiskCounts) -> BTreeMap<String, Figures> {
    let mut sizes: BTreeMap<&str, u64> = BTreeMap::new();
    for one in &counts.counts {
        *sizes
            .entry(one.owner.as_deref().unwrap_or_default())
            .or_default() += one.certificates;
    }
    let mut owners: Vec<(&str, u64)> = sizes.into_iter().collect();
    owners.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let known: BTreeSet<&str> = owners
        .iter()
        .take(MOST_OWNERS)
        .map(|(owner, _)| *owner)
        .collect();
    let mut figures: BTreeMap<String, Figures> = BTreeMap::new();
    for one in &counts.counts {
        let owner = one.owner.as_deref().unwrap_or_default();
        let owner = if known.contains(owner) {
            owner
        } else {
            "other"
        };
        let (risks, within) = figures.entry(owner.to_owned()).or_default();
        *risks.entry(one.risk).or_default() += one.certificates;
        *within.entry(one.within).or_default() += one.certificates;
    }
    figures
}
