//! The register: assets put, found, listed, and looked at as they were.

use access::{Action, Permit, Refusal};
use audit::{Event, Object, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Record, Row, StoreError, Value, Write, params};

use crate::asset::{ASSET_RECORDS, Asset, AssetState, Criticality, Kind};
use crate::{Fleet, FleetError, Result, Udi, check, random, refused};

/// An asset with the number of its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredAsset {
    pub version: u64,
    /// Since when it is so, Unix milliseconds.
    pub since: i64,
    pub asset: Asset,
}

/// What to list. Every field narrows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AssetFilter {
    pub kind: Option<Kind>,
    pub state: Option<AssetState>,
    pub criticality: Option<Criticality>,
    pub owner: Option<String>,
    pub site: Option<String>,
    pub department: Option<String>,
    pub segment: Option<String>,
    pub serial: Option<String>,
    /// What the asset system calls it.
    pub source: Option<String>,
    /// Serial, manufacturer, model, a name or a place contains this, case aside.
    pub contains: Option<String>,
    /// What a scanner read from the label, in any form of a UDI (R08); all that fit are one page.
    pub udi: Option<String>,
    /// Ids after this one: the `next` of the page before.
    pub after: Option<String>,
    /// At most so many; 100 if absent, never more than 1000.
    pub limit: Option<u32>,
    /// RFC 3339; read by whoever asks, see [`Fleet::assets_as_of`].
    pub as_of: Option<String>,
}

impl AssetFilter {
    /// As the page of the present asks the index.
    fn fits(&self, asset: &Asset) -> bool {
        let same = |wanted: &Option<String>, is: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| is == Some(wanted))
        };
        let words = [
            asset.serial.as_str(),
            &asset.manufacturer,
            &asset.model,
            asset.site.as_deref().unwrap_or_default(),
            asset.department.as_deref().unwrap_or_default(),
        ];
        let mut words = words
            .into_iter()
            .chain(asset.host_names.iter().map(String::as_str));
        let contains = self.contains.as_ref().is_none_or(|part| {
            let part = part.to_lowercase();
            words.any(|word| word.to_lowercase().contains(&part))
        });
        self.kind.is_none_or(|kind| kind == asset.kind)
            && self.state.is_none_or(|state| state == asset.state)
            && self.criticality.is_none_or(|one| one == asset.criticality)
            && same(&self.owner, asset.owner.as_deref())
            && same(&self.site, asset.site.as_deref())
            && same(&self.department, asset.department.as_deref())
            && same(&self.segment, asset.segment.as_deref())
            && same(&self.serial, Some(&asset.serial))
            && same(&self.source, asset.source.as_deref())
            && contains
    }

    /// The UDI that is asked for.
    fn label(&self) -> Result<Option<Udi>> {
        let Some(text) = &self.udi else {
            return Ok(None);
        };
        let read = Udi::parse(text).map_err(|error| {
            let shown: String = text.chars().take(80).collect();
            Refusal::new("asset.udi", "21 CFR 830; docs/assets.md", format!("UDI `{shown}`: {error}"))
                .accepted("a UDI of GS1 (01)…, HIBCC +… or ICCBBA =/…, as it is printed or as a scanner reads it")
        })?;
        Ok(Some(read))
    }
}

/// Whether a label is this asset's: its own, or its model's where the label names no serial number.
fn is_labelled(asset: &Asset, label: &Udi) -> bool {
    let serial = label.serial.as_deref();
    match &asset.udi {
        Some(udi) if udi.di != label.di => false,
        Some(_) => serial.is_none_or(|serial| serial == asset.serial),
        None => serial == Some(asset.serial.as_str()),
    }
}

/// A page of assets, by id.
#[derive(Clone, Debug, Serialize)]
pub struct AssetPage {
    pub assets: Vec<StoredAsset>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

/// The index leads, and each record is read by its key. As a join it would be the planner's choice, and without statistics
/// (SQLite has none, PostgreSQL none for a minute after an import) both read the record of every asset.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT a.id, a.version, \
             (SELECT r.valid_from FROM records r WHERE r.kind = 'asset' AND r.id = a.id AND r.valid_to IS NULL), \
             (SELECT r.body FROM records r WHERE r.kind = 'asset' AND r.id = a.id AND r.valid_to IS NULL) \
             FROM assets a WHERE ",
            $rest
        )
    };
}

const BY_ID: &str = select!("a.id = $1");
const BY_SERIAL: &str = select!("a.serial = $1 ORDER BY a.id");
const BY_SOURCE: &str = select!("a.source = $1 ORDER BY a.id");
const BY_DI: &str = select!("a.udi_di = $1 ORDER BY a.id LIMIT 1000");
const BY_IDENTITY: &str = select!("a.identity = $1 AND a.state <> 'retired'");
/// A filter that is not given is an empty text.
const PAGE: &str = select!(
    "a.id > $1 AND ($2 = '' OR a.kind = $2) AND ($3 = '' OR a.state = $3) \
    AND ($4 = '' OR a.criticality = $4) AND ($5 = '' OR a.owner = $5) AND ($6 = '' OR a.site = $6) \
    AND ($7 = '' OR a.department = $7) AND ($8 = '' OR a.segment = $8) AND ($9 = '' OR a.serial = $9) \
    AND ($10 = '' OR a.source = $10) AND ($11 = '' OR a.words LIKE $11 ESCAPE '!') ORDER BY a.id LIMIT $12"
);

const ADD: &str = "INSERT INTO assets(id, version, kind, state, serial, identity, udi_di, source, owner, site, \
    department, segment, criticality, words, holdings) \
    VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
const CHANGE: &str = "UPDATE assets SET version = $2, kind = $3, state = $4, serial = $5, identity = $6, \
    udi_di = $7, source = $8, owner = $9, site = $10, department = $11, segment = $12, criticality = $13, words = $14 \
    WHERE id = $1 AND state <> 'retired'";
const GONE: &str = "the asset was retired meanwhile";

impl Fleet {
    /// An asset, by its id.
    pub async fn asset(&self, id: &str) -> Result<StoredAsset> {
        let rows = self.store().look_up(BY_ID, params![id]).await?;
        match rows.first() {
            Some(row) => read(row),
            None => Err(FleetError::not_found("asset", id)),
        }
    }

    /// The assets with this serial number as it is written on them, space around it aside; retired ones too.
    pub async fn find_serial(
        &self,
        serial: &str,
        manufacturer: Option<&str>,
    ) -> Result<Vec<Asset>> {
        let serial = serial.trim();
        if serial.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = self.by_key(BY_SERIAL, serial).await?;
        if let Some(manufacturer) = manufacturer {
            let wanted = manufacturer.trim().to_lowercase();
            found.retain(|stored| stored.asset.manufacturer.to_lowercase() == wanted);
        }
        Ok(found.into_iter().map(|stored| stored.asset).collect())
    }

    /// The assets whose UDI has this device identifier: those of one model.
    pub async fn find_udi(&self, di: &str) -> Result<Vec<StoredAsset>> {
        self.by_key(BY_DI, di).await
    }

    /// The one asset that a person means by `text`: its id, its serial number, or its name in the asset system.
    pub async fn find(&self, text: &str) -> Result<StoredAsset> {
        let text = text.trim();
        let mut found = self.by_key(BY_ID, text).await?;
        if found.is_empty() {
            found = self.by_key(BY_SERIAL, text).await?;
        }
        if found.is_empty() {
            found = self.by_key(BY_SOURCE, text).await?;
        }
        if found.len() > 1 {
            // What is in use is meant before what was retired.
            let used = |stored: &StoredAsset| stored.asset.state != AssetState::Retired;
            if found.iter().filter(|stored| used(stored)).count() == 1 {
                found.retain(used);
            }
        }
        match found.len() {
            0 => Err(FleetError::not_found("asset", text)),
            1 => Ok(found.remove(0)),
            _ => {
                let ids: Vec<&str> = found
                    .iter()
                    .map(|it| it.asset.id.as_str())
                    .take(5)
                    .collect();
                let message = format!("{} assets are called {text}", found.len());
                let refusal = Refusal::new("asset.ambiguous", "docs/assets.md", message);
                Err(refusal
                    .accepted(format!("an id: {}", ids.join(", ")))
                    .into())
            }
        }
    }

    /// A page of assets.
    pub async fn assets(&self, filter: &AssetFilter) -> Result<AssetPage> {
        if let Some(label) = filter.label()? {
            return self.labelled(filter, &label).await;
        }
        let limit = i64::from(filter.limit.unwrap_or(100).clamp(1, 1000));
        let rows = self.store().query(PAGE, page_params(filter, limit)).await?;
        let assets = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        let full = i64::try_from(assets.len()).is_ok_and(|found| found == limit);
        let next = assets.last().filter(|_| full);
        let next = next.map(|last| last.asset.id.clone());
        Ok(AssetPage { assets, next })
    }

    /// Assets with this label. One that was registered without its UDI is found by the serial number alone.
    async fn labelled(&self, filter: &AssetFilter, label: &Udi) -> Result<AssetPage> {
        let mut assets = self.find_udi(&label.di).await?;
        if let Some(serial) = &label.serial {
            assets.extend(self.by_key(BY_SERIAL, serial).await?);
        }
        assets.retain(|stored| is_labelled(&stored.asset, label) && filter.fits(&stored.asset));
        assets.sort_by(|one, other| one.asset.id.cmp(&other.asset.id));
        assets.dedup_by(|one, other| one.asset.id == other.asset.id);
        Ok(AssetPage { assets, next: None })
    }

    /// A page of assets as they were at `at` (R52). All records of that instant are read, so it takes longer than the
    /// present.
    pub async fn assets_as_of(&self, filter: &AssetFilter, at: Timestamp) -> Result<AssetPage> {
        let limit = filter.limit.unwrap_or(100).clamp(1, 1000) as usize;
        let after = filter.after.as_deref().unwrap_or_default();
        let label = filter.label()?;
        let mut assets = Vec::new();
        for record in self.store().records_as_of(ASSET_RECORDS, at).await? {
            if record.id.as_str() <= after {
                continue;
            }
            let asset: Asset = record.parse()?;
            let labelled = label
                .as_ref()
                .is_none_or(|label| is_labelled(&asset, label));
            if labelled && filter.fits(&asset) {
                assets.push(StoredAsset {
                    version: record.version,
                    since: record.valid_from.0,
                    asset,
                });
            }
            if assets.len() == limit {
                break;
            }
        }
        let next = assets.last().filter(|_| assets.len() == limit);
        let next = next.map(|last| last.asset.id.clone());
        Ok(AssetPage { assets, next })
    }

    /// Every version of an asset, the oldest first (R52).
    pub async fn history(&self, id: &str) -> Result<Vec<Record>> {
        let versions = self.store().record_versions(ASSET_RECORDS, id).await?;
        match versions.is_empty() {
            true => Err(FleetError::not_found("asset", id)),
            false => Ok(versions),
        }
    }

    /// An asset as it was at `at`.
    pub async fn asset_as_of(&self, id: &str, at: Timestamp) -> Result<StoredAsset> {
        let record = self.store().record_as_of(ASSET_RECORDS, id, at).await?;
        let record = record.ok_or_else(|| FleetError::not_found("asset", id))?;
        Ok(StoredAsset {
            version: record.version,
            since: record.valid_from.0,
            asset: record.parse()?,
        })
    }

    /// Registers an asset (`expected` 0, its id is made here) or changes one (`expected` is the version that was read).
    pub async fn put(
        &self,
        permit: Permit,
        asset: Asset,
        expected: u64,
        now: Timestamp,
    ) -> Result<StoredAsset> {
        self.put_if(&permit, asset, expected, now).await
    }

    pub(crate) async fn put_if(
        &self,
        permit: &Permit,
        mut asset: Asset,
        expected: u64,
        now: Timestamp,
    ) -> Result<StoredAsset> {
        let action = match expected {
            0 => "asset.create",
            _ => "asset.update",
        };
        let before = match expected {
            0 => {
                asset.id = format!("a{}", hex::encode(random::<8>()?));
                None
            }
            _ => Some(self.asset(&asset.id).await?.asset),
        };
        let object = Object::new("asset", asset.id.as_str());
        let checked = may_manage(permit).and_then(|()| check::tidy(&mut asset, before.as_ref()));
        self.checked(permit, action, &object, checked, now).await?;
        let event = put_event(permit, &asset, before.as_ref(), action, now);
        let write = put_write(event, &asset, expected, now)?;
        match self.store().commit(write).await {
            Ok(_) => Ok(StoredAsset {
                version: expected + 1,
                since: now.0,
                asset,
            }),
            Err(StoreError::Duplicate(what)) => {
                let refusal = self.duplicate(&asset, &what).await?;
                Err(refused(self.access(), permit, action, &object, refusal, now).await)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Records what a check refuses.
    pub(crate) async fn checked(
        &self,
        permit: &Permit,
        action: &'static str,
        object: &Object,
        checked: Result<(), Refusal>,
        now: Timestamp,
    ) -> Result<()> {
        match checked {
            Ok(()) => Ok(()),
            Err(refusal) => Err(refused(self.access(), permit, action, object, refusal, now).await),
        }
    }

    /// Which asset is in the way of a new one.
    async fn duplicate(&self, asset: &Asset, what: &str) -> Result<Refusal> {
        let mut found = match check::identity(asset) {
            Some(identity) => self.by_key(BY_IDENTITY, &identity).await?,
            None => Vec::new(),
        };
        if let Some(source) = &asset.source {
            found.extend(self.by_key(BY_SOURCE, source).await?);
        }
        let other = found
            .iter()
            .find(|other| other.asset.id != asset.id && other.asset.state != AssetState::Retired);
        let what = other.map_or(what, |other| other.asset.id.as_str());
        Ok(Refusal::new(
            "asset.duplicate",
            "R08: one asset, one record",
            format!(
                "{} {} {} is in the register already: {what}",
                asset.manufacturer, asset.model, asset.serial
            ),
        )
        .accepted("a change of the asset that is there, or another serial number or source"))
    }

    async fn by_key(&self, sql: &'static str, key: &str) -> Result<Vec<StoredAsset>> {
        let rows = self.store().look_up(sql, params![key]).await?;
        rows.iter().map(read).collect()
    }
}

pub(crate) fn may_manage(permit: &Permit) -> Result<(), Refusal> {
    permit.require(Action::ManageAssets)
}

/// The event of a change of an asset.
pub(crate) fn put_event(
    permit: &Permit,
    asset: &Asset,
    before: Option<&Asset>,
    action: &'static str,
    now: Timestamp,
) -> Event {
    let object = Object::new("asset", asset.id.as_str());
    let mut event = Event::new(now, permit.actor().clone(), action, object).after(json!(asset));
    if let Some(before) = before {
        event = event.before(json!(before));
    }
    permit.joined(event)
}

/// The write that makes an asset what it is to be, in the record and in the index.
pub(crate) fn put_write(
    event: Event,
    asset: &Asset,
    expected: u64,
    now: Timestamp,
) -> Result<Write> {
    let write = Write::new(event)?.put_record(ASSET_RECORDS, &asset.id, expected, asset, now)?;
    let mut row = index_row(asset, expected + 1);
    Ok(match expected {
        0 => {
            row.push(Value::Int(0));
            write.run(ADD, row)
        }
        _ => write.run_expecting(1, CHANGE, row, GONE),
    })
}

fn index_row(asset: &Asset, version: u64) -> Vec<Value> {
    params![
        asset.id.as_str(),
        version.cast_signed(),
        asset.kind.name(),
        asset.state.name(),
        asset.serial.as_str(),
        check::identity(asset),
        asset.udi.as_ref().map(|udi| udi.di.clone()),
        asset.source.clone(),
        asset.owner.clone(),
        asset.site.clone(),
        asset.department.clone(),
        asset.segment.clone(),
        asset.criticality.name(),
        check::words(asset),
    ]
}

fn page_params(filter: &AssetFilter, limit: i64) -> Vec<Value> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let contains = text(&filter.contains);
    let pattern = match contains.is_empty() {
        true => contains,
        false => {
            let escaped = contains
                .to_lowercase()
                .replace('!', "!!")
                .replace('%', "!%")
                .replace('_', "!_");
            format!("%{escaped}%")
        }
    };
    params![
        text(&filter.after),
        filter.kind.map(Kind::name).unwrap_or_default(),
        filter.state.map(AssetState::name).unwrap_or_default(),
        filter
            .criticality
            .map(Criticality::name)
            .unwrap_or_default(),
        text(&filter.owner),
        text(&filter.site),
        text(&filter.department),
        text(&filter.segment),
        text(&filter.serial),
        text(&filter.source),
        pattern,
        limit,
    ]
}

fn read(row: &Row) -> Result<StoredAsset> {
    let body = row.text(3)?;
    let asset = serde_json::from_str(body).map_err(|error| {
        StoreError::Value(format!("asset {}: {error}", row.text(0).unwrap_or("?")))
    })?;
    Ok(StoredAsset {
        version: row.int(1)?.unsigned_abs(),
        since: row.int(2)?,
        asset,
    })
}

#[cfg(test)]
mod tests {
    use store::Store;

    use super::*;

    /// One device of a hundred thousand is found through the index, whatever SQLite thinks of the tables without statistics.
    #[tokio::test]
    async fn r08_a_look_up_begins_at_the_index() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/ward.db", directory.path().display());
        let store = Store::open(&url, crate::MIGRATIONS).await.unwrap();
        for sql in [
            concat!("EXPLAIN QUERY PLAN ", select!("a.id = $1")),
            concat!(
                "EXPLAIN QUERY PLAN ",
                select!("a.serial = $1 ORDER BY a.id")
            ),
        ] {
            let steps = store.query(sql, params!["SN-1"]).await.unwrap();
            let first = steps[0].text(3).unwrap();
            assert!(first.starts_with("SEARCH a USING "), "{sql}: {first}");
            let records = steps.iter().filter_map(|step| step.text(3).ok());
            for step in records.filter(|step| step.contains(" r ")) {
                assert!(step.contains("id=?"), "{sql}: {step}");
            }
        }
    }
}
