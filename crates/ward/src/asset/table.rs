//! `ward asset import` and `reconcile`: tables against the register.

use std::collections::BTreeMap;

use access::Action;
use fleet::{Import, Imported};
use serde_json::json;
use x509::describe::escape;

use super::args::Table;
use super::{Register, text};
use crate::clock;
use crate::confirm::confirm;
use crate::output::{Done, Failure, Report, read};

/// Of each sort so many are shown; `--json` has up to a thousand.
const SHOWN: usize = 50;

/// What is done about what is missing.
pub(super) struct Retirement {
    pub(super) missing: bool,
    pub(super) limit: u64,
    pub(super) reason: Option<String>,
    pub(super) yes: bool,
}

pub(super) async fn import(register: &Register, table: Table) -> Done {
    let (bytes, import) = opened(register, table)?;
    run(register, bytes, import).await
}

pub(super) async fn reconcile(register: &Register, table: Table, retire: Retirement) -> Done {
    let (bytes, mut import) = opened(register, table)?;
    import.reconcile = true;
    import.retire_missing = retire.missing;
    import.retire_limit = retire.limit;
    if let Some(reason) = retire.reason {
        import.reason = reason;
    }
    if import.retire_missing && !import.dry_run && !retire.yes {
        let permit = register.context.permit(Action::ManageAssets).await?;
        let dry = Import {
            dry_run: true,
            ..import.clone()
        };
        let table = bytes.clone();
        let shown = register
            .fleet
            .import(permit, table, dry, clock::now())
            .await?;
        let question = format!(
            "{}\nRetire {} asset(s) for good, and revoke {} certificate(s)?",
            describe(&shown),
            shown.missing,
            shown.revoked
        );
        confirm(false, &question)?;
    }
    run(register, bytes, import).await
}

async fn run(register: &Register, bytes: Vec<u8>, import: Import) -> Done {
    let permit = register.context.permit(Action::ManageAssets).await?;
    let now = clock::now();
    let imported = register.fleet.import(permit, bytes, import, now).await?;
    let good = imported.bad == 0;
    Ok(Report::new(json!(imported), describe(&imported)).judged(good))
}

fn opened(register: &Register, table: Table) -> Result<(Vec<u8>, Import), Failure> {
    let mut columns = BTreeMap::new();
    for pair in &table.columns {
        let (heading, field) = pair
            .rsplit_once('=')
            .ok_or_else(|| Failure::Usage(format!("--column {pair}: expected HEADING=FIELD")))?;
        columns.insert(heading.trim().to_owned(), field.trim().to_owned());
    }
    let usual = Import::default();
    let import = Import {
        columns,
        sheet: table.sheet,
        kind: table.kind.or(register.only).unwrap_or(usual.kind),
        dry_run: table.dry_run,
        ..usual
    };
    Ok((read(&table.file)?, import))
}

fn describe(imported: &Imported) -> String {
    let would = if imported.dry_run { "would be " } else { "" };
    let mut said = format!(
        "{} rows: {} {would}added, {} {would}changed, {} unchanged, {} bad",
        imported.rows, imported.added, imported.changed, imported.unchanged, imported.bad
    );
    if imported.missing > 0 {
        said.push_str(&format!("\n{} missing from the table", imported.missing));
    }
    if imported.retired > 0 {
        said.push_str(&format!(
            "; {} retired, {} certificate(s) revoked",
            imported.retired, imported.revoked
        ));
    }
    if !imported.ignored_columns.is_empty() {
        let columns = escape(&imported.ignored_columns.join(", ")).to_string();
        said.push_str(&format!("\ncolumns without a meaning: {columns}"));
    }
    for (rule, count) in &imported.bad_by_rule {
        said.push_str(&format!("\n  {count} × {rule}"));
    }
    let mut section = |lines: Vec<String>, all: u64| {
        let shown = lines.len().min(SHOWN);
        for line in lines.into_iter().take(SHOWN) {
            said.push_str("\n  ");
            said.push_str(&line);
        }
        if shown as u64 != all {
            said.push_str(&format!(
                "\n  … and {} more",
                all.saturating_sub(shown as u64)
            ));
        }
    };
    let bad = imported
        .bad_rows
        .iter()
        .map(|bad| format!("row {}: {} [{}]", bad.row, escape(&bad.message), bad.rule));
    section(bad.take(SHOWN).collect(), imported.bad);
    let changes = imported.changes.iter().map(|change| {
        let serial = escape(&change.serial).to_string();
        match change.fields.is_empty() {
            true => format!("row {}: + {serial}", change.row),
            false => format!(
                "row {}: ~ {serial}: {}",
                change.row,
                text::changes(&change.fields)
            ),
        }
    });
    section(
        changes.take(SHOWN).collect(),
        imported.added + imported.changed,
    );
    let missing = imported.missing_assets.iter().map(|missing| {
        let source = missing.source.as_deref().unwrap_or("-");
        let (serial, source) = (escape(&missing.serial), escape(source));
        format!(
            "missing: {} {serial} ({source}), {} certificate(s)",
            missing.id, missing.certificates
        )
    });
    section(missing.take(SHOWN).collect(), imported.missing);
    said
}
