//! `ward discover import`: what was found elsewhere goes into the inventory: files of observations that were carried here,
//! key stores and certificates in any format, tables of other tools (R16, R17). First said with --dry-run, then done.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use access::Action;
use agent::files;
use agent::observation::LINE_LIMIT;
use clap::Args;
use fleet::inventory::import::CertificateTable;
use fleet::inventory::{Carried, Desk, Imported};
use fleet::{Fleet, FleetError};
use serde_json::json;
use zeroize::Zeroizing;

use crate::args::Place;
use crate::clock;
use crate::context::Context;
use crate::output::{Done, Failure, Report, read};
use crate::progress::Progress;

#[derive(Args)]
pub(crate) struct Import {
    /// Files of observations (a line of JSON each), PEM, DER, PKCS #7, PKCS #12, JKS, CSV, XLSX.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where it comes from, as the inventory will say; the file's name when absent.
    #[arg(long)]
    source: Option<String>,
    /// Passwords to try on PKCS #12 stores, one a line.
    #[arg(long, value_name = "FILE")]
    passwords: Option<PathBuf>,
    /// What a column of a table is, `Raw=certificate`; `Comment=-` leaves it out. May be repeated.
    #[arg(long, value_name = "HEADING=FIELD")]
    column: Vec<String>,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
}

/// What came of all files.
#[derive(serde::Serialize)]
struct Sum {
    files: u64,
    #[serde(flatten)]
    imported: Imported,
}

pub(super) async fn run(place: &Place, options: Import) -> Done {
    let context = Context::open(place).await?;
    let fleet = Fleet::open(context.ca.clone())?;
    let now = clock::now();
    let permit = match options.dry_run {
        true => None,
        false => Some(context.permit(Action::ManageInventory).await?),
    };
    let mut desk = Desk::new(&fleet, permit.as_ref(), now);
    let columns = columns(&options.column)?;
    let passwords = match &options.passwords {
        Some(path) => Some(Zeroizing::new(read(path)?)),
        None => None,
    };
    for path in &options.files {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let name = options.source.clone().or(name).unwrap_or_default();
        desk.from(&name);
        match kind(path)? {
            Carried::Observations => observations(&mut desk, path).await?,
            Carried::Table => {
                let table = CertificateTable::read(read(path)?, &name, &columns, now);
                desk.table(table).await?;
            }
            Carried::Store => {
                let mut look = files::Look::new(&name, now.0);
                if let Some(list) = &passwords {
                    let list = std::str::from_utf8(list)
                        .map_err(|_| Failure::Failed("the passwords are not UTF-8".to_owned()))?;
                    look = look.with_passwords(list);
                }
                store(&mut desk, path, &look).await?;
            }
        }
    }
    let sum = Sum {
        files: options.files.len() as u64,
        imported: desk.sum,
    };
    report(&fleet, sum, options.dry_run).await
}

fn columns(given: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let pair = |text: &String| {
        let pair = text.split_once('=');
        let pair = pair.map(|(heading, field)| (heading.to_owned(), field.to_owned()));
        pair.ok_or_else(|| Failure::Usage(format!("`{text}` is not HEADING=FIELD")))
    };
    given.iter().map(pair).collect()
}

/// By the first bytes, and by the name where that leaves it open.
fn kind(path: &Path) -> Result<Carried, Failure> {
    let mut head = [0; 64];
    let length = open(path)?
        .read(&mut head)
        .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
    let head = head.get(..length).unwrap_or_default();
    Ok(Carried::of(&path.to_string_lossy(), head))
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::NotFound(format!("{}: {error}", path.display())),
        _ => Failure::Failed(format!("{}: {error}", path.display())),
    })
}

async fn observations(desk: &mut Desk<'_>, path: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Failed(format!("{}: {error}", path.display()));
    let file = open(path)?;
    let size = file.metadata().map_err(failed)?.len();
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut progress = Progress::new("bytes taken in:");
    let (mut line, mut number, mut passed) = (Vec::new(), 0, 0);
    loop {
        line.clear();
        let limit = LINE_LIMIT as u64 + 1;
        let length = (&mut reader)
            .take(limit)
            .read_until(b'\n', &mut line)
            .map_err(failed)?;
        if length == 0 {
            break;
        }
        number += 1;
        passed += length as u64;
        if length > LINE_LIMIT {
            return Err(Failure::Failed(format!(
                "{}, line {number}: longer than {LINE_LIMIT} bytes",
                path.display()
            )));
        }
        desk.line(number, &line).await?;
        progress.at(passed, size);
    }
    Ok(desk.end().await?)
}

/// One file among several: if nothing in it can be read, that is told, and the next is taken.
async fn store(desk: &mut Desk<'_>, path: &PathBuf, look: &files::Look) -> Result<(), Failure> {
    let mut seen = Vec::new();
    let summary = files::look(std::slice::from_ref(path), look, |one| seen.push(one));
    match desk.store(&summary, seen).await {
        Err(FleetError::Refused(refusal)) => {
            let hint = match refusal.rule.as_ref() {
                "import.locked" => " (--passwords FILE)",
                _ => "",
            };
            desk.complain("", &format!("{}{hint}", refusal.message));
            Ok(())
        }
        other => Ok(other?),
    }
}

async fn report(fleet: &Fleet, sum: Sum, dry_run: bool) -> Done {
    let settled = match dry_run {
        true => None,
        false => {
            fleet.bring_in_all_issued().await?;
            Some(fleet.settle(clock::now()).await?)
        }
    };
    let counts = &sum.imported.counts;
    let begin = if dry_run { "would take in" } else { "took in" };
    let mut text = format!(
        "{begin} {} observations of {} files: {} certificates new and {} known, {} places new, {} changed and {} as they were",
        counts.observations,
        sum.files,
        counts.certificates_new,
        counts.certificates_known,
        counts.places_new,
        counts.places_changed,
        counts.places_unchanged
    );
    let rest = [
        (counts.older, "older than what is known"),
        (counts.nothing, "that say nothing about a certificate"),
        (
            counts.unreadable,
            "said to be certificates that cannot be read",
        ),
        (sum.imported.bad, "lines, rows or files that cannot be read"),
        (
            sum.imported.said,
            "certificates with an owner or the like from a table",
        ),
    ];
    for (count, what) in rest.iter().filter(|(count, _)| *count > 0) {
        text += &format!("\n{count} {what}");
    }
    for line in &sum.imported.bad_lines {
        text += &format!("\n  {line}");
    }
    // A script must not take a key store that stayed closed for one that was taken in.
    if counts.observations == 0 && sum.imported.bad > 0 {
        return Err(Failure::Failed(text));
    }
    let json = json!({ "dry_run": dry_run, "sum": sum, "settled": settled });
    Ok(Report::new(json, text))
}
