//! `ward asset` and `ward device`: the register. `ward device` is the same with devices alone.

pub(crate) mod args;
mod spare;
mod table;
mod text;

use access::Action;
use audit::Timestamp;
use fleet::{AssetFilter, Fleet, FleetError, Kind, Retire, StoredAsset};
use serde_json::{Value, json};

use crate::args::Place;
use crate::clock;
use crate::confirm::confirm;
use crate::context::Context;
use crate::output::{Done, Failure, Report, deliver, table as columns};
use args::{Asset, Fields, Filter};

pub(crate) use spare::{approved, run as run_spare};

/// `only` is what `ward device` is about.
pub(crate) async fn run(place: &Place, command: Asset, only: Option<Kind>) -> Done {
    let context = Context::open(place).await?;
    let register = Register {
        fleet: Fleet::open(context.ca.clone())?,
        context,
        only,
    };
    match command {
        Asset::List(filter) => register.list(filter).await,
        Asset::Show { asset, as_of } => register.show(&asset, as_of).await,
        Asset::Add { kind, fields } => register.add(kind, &fields).await,
        Asset::Set { asset, fields } => register.set(&asset, &fields).await,
        Asset::Import { table } => table::import(&register, table).await,
        Asset::Reconcile {
            table,
            retire_missing,
            retire_limit,
            reason,
            yes,
        } => {
            let retire = table::Retirement {
                missing: retire_missing,
                limit: retire_limit,
                reason,
                yes,
            };
            table::reconcile(&register, table, retire).await
        }
        Asset::Export { filter, out } => {
            let csv = register.fleet.export(&register.filter(filter)).await?;
            let csv = String::from_utf8_lossy(&csv);
            let count = csv.lines().count().saturating_sub(1);
            let said = format!("{count} assets");
            deliver(out.as_ref(), &csv, json!({ "csv": csv }), said)
        }
        Asset::Retire {
            asset,
            reason,
            dry_run,
            yes,
        } => {
            let retire = Retire { reason, dry_run };
            register.retire(&asset, retire, yes).await
        }
        Asset::History { asset } => register.history(&asset).await,
        Asset::Holdings { asset } => {
            let stored = register.find(&asset).await?;
            let holdings = register.fleet.holdings(&stored.asset.id).await?;
            Ok(Report::new(json!(holdings), text::holdings(&holdings)))
        }
    }
}

pub(super) struct Register {
    pub(super) context: Context,
    pub(super) fleet: Fleet,
    pub(super) only: Option<Kind>,
}

impl Register {
    /// What a person means; `ward device` does not find servers.
    async fn find(&self, text: &str) -> Result<StoredAsset, Failure> {
        let stored = self.fleet.find(text).await?;
        match self.only {
            Some(kind) if kind != stored.asset.kind => {
                let (id, is) = (&stored.asset.id, stored.asset.kind);
                Err(Failure::NotFound(format!(
                    "there is no {kind} {text}; asset {id} is a {is}"
                )))
            }
            _ => Ok(stored),
        }
    }

    fn filter(&self, filter: Filter) -> AssetFilter {
        AssetFilter {
            kind: self.only.or(filter.kind),
            state: filter.state,
            criticality: filter.criticality,
            owner: filter.owner,
            site: filter.site,
            department: filter.department,
            segment: filter.segment,
            serial: filter.serial,
            source: None,
            udi: None,
            contains: filter.contains,
            after: filter.after,
            limit: Some(filter.limit),
            as_of: None,
        }
    }

    async fn list(&self, filter: Filter) -> Done {
        let page = self.fleet.assets(&self.filter(filter)).await?;
        let rows: Vec<Vec<String>> = page.assets.iter().map(text::row).collect();
        let mut said = columns(&text::HEADINGS, &rows);
        if let Some(next) = &page.next {
            said.push_str(&format!("\nmore with --after {next}"));
        }
        Ok(Report::new(json!(page), said))
    }

    async fn show(&self, asset: &str, as_of: Option<::x509::Time>) -> Done {
        let mut stored = self.find(asset).await?;
        if let Some(time) = as_of {
            let at = Timestamp(time.0.saturating_mul(1000));
            stored = self.fleet.asset_as_of(&stored.asset.id, at).await?;
        }
        let holdings = self.fleet.holdings(&stored.asset.id).await?;
        let mut said = text::asset(&stored);
        if as_of.is_none() && !holdings.is_empty() {
            said.push_str("\n\n");
            said.push_str(&text::holdings(&holdings));
        }
        let mut value = json!(stored);
        if let (None, Value::Object(object)) = (as_of, &mut value) {
            object.insert("holdings".into(), json!(holdings));
        }
        Ok(Report::new(value, said))
    }

    async fn add(&self, kind: Option<Kind>, fields: &Fields) -> Done {
        let kind = self.only.or(kind).unwrap_or_default();
        let asset = fleet::edited(None, kind, &fields.pairs())?;
        let permit = self.context.permit(Action::ManageAssets).await?;
        let stored = self.fleet.put(permit, asset, 0, clock::now()).await?;
        Ok(Report::new(json!(stored), text::asset(&stored)))
    }

    async fn set(&self, asset: &str, fields: &Fields) -> Done {
        let stored = self.find(asset).await?;
        let pairs = fields.pairs();
        if pairs.is_empty() {
            return Err(Failure::Usage("say what to change; see --help".into()));
        }
        let changed = fleet::edited(Some(&stored.asset), stored.asset.kind, &pairs)?;
        let permit = self.context.permit(Action::ManageAssets).await?;
        let (version, now) = (stored.version, clock::now());
        let stored = self.fleet.put(permit, changed, version, now).await?;
        Ok(Report::new(json!(stored), text::asset(&stored)))
    }

    async fn retire(&self, asset: &str, retire: Retire, yes: bool) -> Done {
        let stored = self.find(asset).await?;
        let id = stored.asset.id.as_str();
        if !retire.dry_run {
            let live = self.fleet.live_holdings(id, clock::now()).await?;
            let ends = text::holdings(&live);
            let question = format!(
                "{ends}\n{}: retire it for good, and revoke {} certificate(s)?",
                text::name(&stored.asset),
                live.len()
            );
            confirm(yes, &question)?;
        }
        let permit = self.context.permit(Action::ManageAssets).await?;
        let retired = self.fleet.retire(permit, id, retire, clock::now()).await?;
        let (name, count) = (text::name(&retired.asset.asset), retired.certificates.len());
        let said = match retired.dry_run {
            true => format!("{name} would be retired, and {count} certificate(s) revoked"),
            false => format!(
                "{name} is retired; {} of {count} certificate(s) revoked",
                retired.revoked
            ),
        };
        let list = text::holdings(&retired.certificates);
        let said = [said, list].join("\n");
        Ok(Report::new(json!(retired), said.trim_end().to_owned()))
    }

    async fn history(&self, asset: &str) -> Done {
        let stored = self.find(asset).await?;
        let mut versions = Vec::new();
        let mut rows = Vec::new();
        let mut before: Option<fleet::Asset> = None;
        for record in self.fleet.history(&stored.asset.id).await? {
            let asset: fleet::Asset = record.parse()?;
            let changes = match &before {
                None => "registered".to_owned(),
                Some(before) => text::changes(&fleet::differences(before, &asset)),
            };
            rows.push(vec![
                record.version.to_string(),
                record.valid_from.to_string(),
                changes,
            ]);
            versions.push(json!({
                "version": record.version,
                "valid_from": record.valid_from.0,
                "valid_to": record.valid_to.map(|to| to.0),
                "asset": asset,
            }));
            before = Some(asset);
        }
        let said = columns(&["VERSION", "SINCE", "CHANGE"], &rows);
        Ok(Report::new(json!(versions), said))
    }
}

impl Fields {
    /// Fields by the names that tables use.
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let list = |all: &[String]| (!all.is_empty()).then(|| all.join(" "));
        let all = [
            ("serial", self.serial.clone()),
            ("udi", self.udi.clone()),
            ("manufacturer", self.manufacturer.clone()),
            ("model", self.model.clone()),
            ("host_names", list(&self.host_names)),
            ("owner", self.owner.clone()),
            ("site", self.site.clone()),
            ("department", self.department.clone()),
            ("segment", self.segment.clone()),
            ("criticality", self.criticality.clone()),
            ("phi", self.phi.clone()),
            ("vendor", self.vendor.clone()),
            ("service_life_ends", self.service_life_ends.clone()),
            ("renewal", self.renewal.clone()),
            ("clock", self.clock.clone()),
            ("key_types", list(&self.key_types)),
            ("small_memory", self.small_memory.clone()),
            ("state", self.state.clone()),
            ("source", self.source.clone()),
            ("note", self.note.clone()),
        ];
        let said = all
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?)));
        said.collect()
    }
}

impl From<FleetError> for Failure {
    fn from(error: FleetError) -> Self {
        match error {
            FleetError::Refused(refusal) => refusal.into(),
            FleetError::NotFound { .. } => Failure::NotFound(error.to_string()),
            FleetError::Access(error) => error.into(),
            FleetError::Ca(error) => error.into(),
            FleetError::Store(error) => error.into(),
            other => Failure::Failed(other.to_string()),
        }
    }
}
