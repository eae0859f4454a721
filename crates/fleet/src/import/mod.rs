//! Import from, and reconciliation with, an export of the asset system (R08): first said, then done. Every row is held
//! against the register; what a second run would change is nothing. Rows that cannot be read hurt nobody but themselves,
//! and what the export does not mention is reported, never retired unless that is asked for.

mod apply;
mod columns;
mod edit;
mod export;
pub(crate) use export::guarded;
mod known;
mod row;
pub(crate) mod table;

use std::collections::{BTreeMap, HashMap, HashSet};

use access::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::StoredAsset;
use crate::asset::{Asset, AssetState, Kind};
use columns::Columns;
use known::Known;
use row::{Bad, Cells};
use table::Line;

pub use edit::edited;
pub use table::LARGEST_FILE;

/// Of each sort of finding so many are told one by one; all are counted.
pub const MOST_TOLD: usize = 1000;

/// How a table is read and what is done with it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Import {
    /// Headings and the fields that they mean, where the names do not say it; `-` leaves a column out.
    pub columns: BTreeMap<String, String>,
    /// The sheet of a workbook; its first if absent.
    pub sheet: Option<String>,
    /// What a new asset is when no column says it.
    pub kind: Kind,
    /// Whether the table is everything that the asset system has, so that what it lacks is missing.
    pub reconcile: bool,
    /// Retire what is missing. Only with `reconcile`.
    pub retire_missing: bool,
    /// If more than this are missing, nothing is done: an export that was cut off is not a hospital that was sold.
    pub retire_limit: u64,
    /// Goes into the log with retirements.
    pub reason: String,
    /// Only says what would happen.
    pub dry_run: bool,
}

impl Default for Import {
    fn default() -> Self {
        Import {
            columns: BTreeMap::new(),
            sheet: None,
            kind: Kind::Device,
            reconcile: false,
            retire_missing: false,
            retire_limit: 10,
            reason: "not in the asset system's export".to_owned(),
            dry_run: false,
        }
    }
}

/// What an import did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    pub dry_run: bool,
    /// Rows below the header that are not empty.
    pub rows: u64,
    pub added: u64,
    pub changed: u64,
    pub unchanged: u64,
    pub bad: u64,
    /// In the register with a source, and not in the table, or said to be gone there. Only when reconciling.
    pub missing: u64,
    pub retired: u64,
    /// Certificates that retirements have revoked, or would.
    pub revoked: u64,
    /// Headings that mean nothing here.
    pub ignored_columns: Vec<String>,
    /// The first of each sort.
    pub changes: Vec<Change>,
    pub bad_rows: Vec<BadRow>,
    pub missing_assets: Vec<Missing>,
    /// How many rows break which rule.
    pub bad_by_rule: BTreeMap<String, u64>,
}

/// A row that adds or changes an asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// As a spreadsheet numbers it.
    pub row: u64,
    /// Empty for what is added in a dry run.
    pub id: String,
    pub serial: String,
    pub source: Option<String>,
    /// What becomes different; empty for what is added.
    pub fields: Vec<FieldChange>,
}

/// One field of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    pub field: String,
    pub before: Value,
    pub after: Value,
}

/// A row that nothing can be done with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BadRow {
    pub row: u64,
    pub rule: String,
    pub message: String,
}

/// An asset that the table does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    pub id: String,
    pub serial: String,
    pub source: Option<String>,
    /// Certificates that end with it.
    pub certificates: u64,
}

/// What has to be written.
struct Wanted {
    row: u64,
    asset: Asset,
    /// 0 for a new one.
    version: u64,
}

/// A table held against the register.
#[derive(Default)]
struct Plan {
    report: Imported,
    wanted: Vec<Wanted>,
    missing: Vec<StoredAsset>,
}

/// Reads a whole table. Pure, and in memory that does not grow with rows that are bad or change nothing.
fn plan(bytes: Vec<u8>, import: &Import, known: &Known) -> Result<Plan, Refusal> {
    let mut reading = Reading {
        import,
        known,
        columns: None,
        seen: HashMap::new(),
        met: HashSet::new(),
        gone: HashSet::new(),
        plan: Plan::default(),
    };
    table::read(bytes, import.sheet.as_deref(), &mut |line| {
        reading.line(line)
    })?;
    if reading.columns.is_none() {
        return Err(
            Refusal::new("import.empty", "docs/assets.md", "the table is empty")
                .accepted("a first row with headings"),
        );
    }
    Ok(reading.finish())
}

/// For [`crate::exercise`]: against an empty register.
pub(crate) fn exercise(data: &[u8]) {
    let import = Import {
        reconcile: true,
        ..Import::default()
    };
    if let Ok(plan) = plan(data.to_vec(), &import, &Known::default()) {
        let told = &plan.report;
        assert_eq!(
            told.rows,
            told.added + told.changed + told.unchanged + told.bad
        );
        assert_eq!(told.added, plan.wanted.len() as u64);
    }
}

struct Reading<'a> {
    import: &'a Import,
    known: &'a Known,
    columns: Option<Columns>,
    /// Which row said what no other may.
    seen: HashMap<String, u64>,
    /// Assets that rows are about.
    met: HashSet<usize>,
    /// Assets that rows say are gone.
    gone: HashSet<usize>,
    plan: Plan,
}

impl Reading<'_> {
    fn line(&mut self, line: Line) -> Result<(), Refusal> {
        let Some(columns) = self.columns.take() else {
            let header = line.cells.map_err(|what| {
                Refusal::new(
                    "import.columns",
                    "docs/assets.md",
                    format!("the header: {what}"),
                )
            })?;
            let columns = columns::read(&header, &self.import.columns)?;
            self.plan
                .report
                .ignored_columns
                .clone_from(&columns.ignored);
            self.columns = Some(columns);
            return Ok(());
        };
        self.plan.report.rows += 1;
        let done = match line.cells {
            Ok(cells) => self.row(line.number, &columns, &cells),
            Err(what) => Err(Bad::new("row.cell", what)),
        };
        if let Err(bad) = done {
            self.plan.report.note(line.number, bad.rule, bad.message);
        }
        self.columns = Some(columns);
        Ok(())
    }

    fn row(&mut self, number: u64, columns: &Columns, cells: &[String]) -> Result<(), Bad> {
        let cells = Cells { columns, cells };
        let found = self.known.find(&cells)?;
        if let Some(at) = found
            && !self.met.insert(at)
        {
            return Err(Bad::new(
                "row.repeated",
                "another row is about the same asset",
            ));
        }
        if cells.says_retired() {
            self.gone.extend(found);
            self.plan.report.unchanged += u64::from(found.is_none());
            return Ok(());
        }
        let before = found.and_then(|at| self.known.assets.get(at));
        let asset = cells.apply(before.map(|stored| &stored.asset), self.import.kind)?;
        for key in known::keys(&asset) {
            if let Some(row) = self.seen.insert(key, number) {
                let message = format!("row {row} has the same source or serial number");
                return Err(Bad::new("row.repeated", message));
            }
        }
        let fields = before.map(|stored| differences(&stored.asset, &asset));
        if fields.as_ref().is_some_and(Vec::is_empty) {
            self.plan.report.unchanged += 1;
            return Ok(());
        }
        let report = &mut self.plan.report;
        match before {
            Some(_) => report.changed += 1,
            None => report.added += 1,
        }
        if report.changes.len() < MOST_TOLD {
            report.changes.push(Change {
                row: number,
                id: asset.id.clone(),
                serial: asset.serial.clone(),
                source: asset.source.clone(),
                fields: fields.unwrap_or_default(),
            });
        }
        self.plan.wanted.push(Wanted {
            row: number,
            asset,
            version: before.map_or(0, |stored| stored.version),
        });
        Ok(())
    }

    fn finish(mut self) -> Plan {
        if !self.import.reconcile {
            return self.plan;
        }
        for (at, stored) in self.known.assets.iter().enumerate() {
            let asset = &stored.asset;
            let kept = asset.state == AssetState::Retired || asset.source.is_none();
            let absent = !self.met.contains(&at) && !kept;
            if absent || self.gone.contains(&at) {
                self.plan.missing.push(stored.clone());
            }
        }
        self.plan.report.missing = self.plan.missing.len() as u64;
        self.plan
    }
}

impl Imported {
    fn note(&mut self, row: u64, rule: String, message: String) {
        self.bad += 1;
        *self.bad_by_rule.entry(rule.clone()).or_default() += 1;
        if self.bad_rows.len() < MOST_TOLD {
            self.bad_rows.push(BadRow { row, rule, message });
        }
    }
}

/// What is different, field by field as JSON has them.
pub fn differences(before: &Asset, after: &Asset) -> Vec<FieldChange> {
    if before == after {
        return Vec::new();
    }
    let (Ok(Value::Object(mut old)), Ok(Value::Object(mut new))) =
        (serde_json::to_value(before), serde_json::to_value(after))
    else {
        return Vec::new();
    };
    let mut names: Vec<String> = old.keys().chain(new.keys()).cloned().collect();
    names.sort();
    names.dedup();
    let changed = names.into_iter().filter_map(|field| {
        let before = old.remove(&field).unwrap_or_default();
        let after = new.remove(&field).unwrap_or_default();
        (before != after).then_some(FieldChange {
            field,
            before,
            after,
        })
    });
    changed.collect()
}
