//! What the register knows already, by everything that a row can name an asset by.

use std::collections::HashMap;

use super::columns::Field;
use super::row::{Bad, Cells};
use crate::asset::{Asset, AssetState};
use crate::{AssetFilter, Fleet, Result, StoredAsset, check};

/// The register in memory: an import touches most of it.
#[derive(Default)]
pub(super) struct Known {
    pub(super) assets: Vec<StoredAsset>,
    ids: HashMap<String, usize>,
    sources: HashMap<String, Vec<usize>>,
    serials: HashMap<String, Vec<usize>>,
}

impl Known {
    pub(super) async fn load(fleet: &Fleet) -> Result<Self> {
        let mut known = Known::default();
        let mut filter = AssetFilter {
            limit: Some(1000),
            ..AssetFilter::default()
        };
        loop {
            let page = fleet.assets(&filter).await?;
            page.assets.into_iter().for_each(|stored| known.add(stored));
            match page.next {
                Some(next) => filter.after = Some(next),
                None => return Ok(known),
            }
        }
    }

    fn add(&mut self, stored: StoredAsset) {
        let at = self.assets.len();
        let asset = &stored.asset;
        self.ids.insert(asset.id.clone(), at);
        if let Some(source) = &asset.source {
            self.sources.entry(source.clone()).or_default().push(at);
        }
        if !asset.serial.is_empty() {
            self.serials
                .entry(asset.serial.clone())
                .or_default()
                .push(at);
        }
        self.assets.push(stored);
    }

    /// The asset that a row is about; `None` for one that the register does not have.
    pub(super) fn find(&self, row: &Cells<'_>) -> Result<Option<usize>, Bad> {
        if let Some(id) = row.get(Field::Id) {
            let at = self.ids.get(id).copied();
            let at = at.ok_or_else(|| Bad::new("row.id", format!("there is no asset {id}")))?;
            return self.usable(at).map(Some);
        }
        let source = row.get(Field::Source);
        let sourced = source.and_then(|source| self.sources.get(source));
        let serial = row.get(Field::Serial).map(str::to_owned).or_else(|| {
            // The label alone may say it.
            let udi = row.get(Field::Udi)?.parse::<crate::Udi>().ok()?;
            udi.serial
        });
        if source.is_none() && serial.is_none() {
            let message = "the row has neither a serial number nor a source";
            return Err(Bad::new("row.identity", message));
        }
        if let Some(at) = sourced.and_then(|all| self.in_use(all)) {
            return Ok(Some(at));
        }
        let serial = serial
            .as_deref()
            .and_then(|serial| self.serials.get(serial));
        let alike: Vec<usize> = serial
            .into_iter()
            .flatten()
            .copied()
            .filter(|at| self.is_alike(*at, row))
            .collect();
        let used: Vec<usize> = alike
            .iter()
            .copied()
            .filter(|at| !self.is_retired(*at))
            .collect();
        match used.as_slice() {
            [one] => {
                // It is somebody else's record under the same number.
                let other = self
                    .assets
                    .get(*one)
                    .and_then(|stored| stored.asset.source.as_deref());
                match (other, source) {
                    (Some(other), Some(source)) if other != source && self.is_known(source) => {
                        Err(Bad::new(
                            "row.identity",
                            format!("the serial number is that of {other}"),
                        ))
                    }
                    _ => Ok(Some(*one)),
                }
            }
            [] => match sourced.into_iter().flatten().chain(&alike).next() {
                Some(retired) => self.usable(*retired).map(Some),
                None => Ok(None),
            },
            several => {
                let message = format!(
                    "{} assets have this serial number; say manufacturer and model",
                    several.len()
                );
                Err(Bad::new("row.ambiguous", message))
            }
        }
    }

    fn in_use(&self, all: &[usize]) -> Option<usize> {
        all.iter().copied().find(|at| !self.is_retired(*at))
    }

    fn is_retired(&self, at: usize) -> bool {
        let stored = self.assets.get(at);
        stored.is_some_and(|stored| stored.asset.state == AssetState::Retired)
    }

    fn is_known(&self, source: &str) -> bool {
        self.sources.contains_key(source)
    }

    fn usable(&self, at: usize) -> Result<usize, Bad> {
        match self.is_retired(at) {
            false => Ok(at),
            true => {
                let id = self
                    .assets
                    .get(at)
                    .map_or("", |stored| stored.asset.id.as_str());
                Err(Bad::new(
                    "asset.retired",
                    format!("asset {id} is retired; register it by hand if it has come back"),
                ))
            }
        }
    }

    /// Whether maker and model of a row, as far as it says them, are those of an asset.
    fn is_alike(&self, at: usize, row: &Cells<'_>) -> bool {
        let Some(asset) = self.assets.get(at).map(|stored| &stored.asset) else {
            return false;
        };
        let same = |field, known: &str| {
            let said = row.get(field).map(str::to_lowercase);
            said.is_none_or(|said| known.is_empty() || said == known.to_lowercase())
        };
        same(Field::Manufacturer, &asset.manufacturer) && same(Field::Model, &asset.model)
    }
}

/// What two rows of one file must not share.
pub(super) fn keys(asset: &Asset) -> impl Iterator<Item = String> {
    let source = asset
        .source
        .as_ref()
        .map(|source| format!("source {source}"));
    let identity = check::identity(asset).map(|identity| format!("serial {identity}"));
    source.into_iter().chain(identity)
}
