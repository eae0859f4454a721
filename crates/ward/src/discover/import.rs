//! `ward discover import`: what was found elsewhere goes into the inventory: files of observations that were carried here,
//! key stores and certificates in any format, tables of other tools (R16, R17). First said with --dry-run, then done.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use access::Action;
use agent::files;
use agent::observation::{How, LINE_LIMIT, Observation};
use audit::Timestamp;
use clap::Args;
use fleet::Fleet;
use fleet::inventory::import::CertificateTable;
use fleet::inventory::rule::Gift;
use fleet::inventory::{Ingested, Source};
use serde_json::json;
use zeroize::Zeroizing;

use crate::args::Place;
use crate::clock;
use crate::context::Context;
use crate::output::{Done, Failure, Report, read};
use crate::progress::Progress;

/// Observations that are taken in at once, and bytes of their lines.
const BATCH: usize = 2_000;
const BATCH_BYTES: usize = 32 << 20;
/// Lines and rows that are told one by one.
const TOLD: usize = 20;

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
#[derive(Default, serde::Serialize)]
struct Sum {
    files: u64,
    counts: Ingested,
    /// Lines and rows that could not be read.
    bad: u64,
    bad_lines: Vec<String>,
    ignored_columns: Vec<String>,
    /// Certificates whose owner and the like a table gave.
    said: u64,
}

impl Sum {
    fn complain(&mut self, file: &str, line: u64, why: &str) {
        self.bad += 1;
        if self.bad_lines.len() < TOLD {
            self.bad_lines.push(format!("{file}, line {line}: {why}"));
        }
    }
}

pub(super) async fn run(place: &Place, options: Import) -> Done {
    let context = Context::open(place).await?;
    let mut desk = Desk {
        fleet: Fleet::open(context.ca.clone())?,
        context,
        now: clock::now(),
        dry_run: options.dry_run,
        sum: Sum::default(),
    };
    let columns = columns(&options.column)?;
    let passwords = match &options.passwords {
        Some(path) => Some(Zeroizing::new(read(path)?)),
        None => None,
    };
    for path in &options.files {
        desk.sum.files += 1;
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let name = options.source.clone().or(name).unwrap_or_default();
        match kind(path)? {
            Kind::Observations => desk.observations(path, &name).await?,
            Kind::Table => desk.table(path, &name, &columns).await?,
            Kind::Store => desk.store(path, &name, passwords.as_ref()).await?,
        }
    }
    desk.report().await
}

fn columns(given: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let pair = |text: &String| {
        let pair = text.split_once('=');
        let pair = pair.map(|(heading, field)| (heading.to_owned(), field.to_owned()));
        pair.ok_or_else(|| Failure::Usage(format!("`{text}` is not HEADING=FIELD")))
    };
    given.iter().map(pair).collect()
}

enum Kind {
    Observations,
    Table,
    Store,
}

/// By the first byte that is no space, and by the name where that leaves it open.
fn kind(path: &Path) -> Result<Kind, Failure> {
    let mut head = [0; 64];
    let length = open(path)?
        .read(&mut head)
        .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
    let head = head.get(..length).unwrap_or_default();
    let extension = path
        .extension()
        .map(|it| it.to_string_lossy().to_lowercase());
    let is_table = extension.is_some_and(|it| ["csv", "tsv", "xlsx"].contains(&it.as_str()));
    Ok(match head.trim_ascii_start().first() {
        Some(b'{') => Kind::Observations,
        _ if is_table => Kind::Table,
        _ => Kind::Store,
    })
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::NotFound(format!("{}: {error}", path.display())),
        _ => Failure::Failed(format!("{}: {error}", path.display())),
    })
}

struct Desk {
    context: Context,
    fleet: Fleet,
    now: Timestamp,
    dry_run: bool,
    sum: Sum,
}

impl Desk {
    async fn take_in(&mut self, name: &str, batch: &[Observation]) -> Result<(), Failure> {
        let source = Source {
            name: name.to_owned(),
            scan: None,
        };
        self.sum.counts += match self.dry_run {
            true => self.fleet.weigh(batch, self.now).await?,
            false => {
                let permit = self.context.permit(Action::ManageInventory).await?;
                self.fleet.ingest(&permit, &source, batch, self.now).await?
            }
        };
        Ok(())
    }

    async fn observations(&mut self, path: &Path, name: &str) -> Result<(), Failure> {
        let failed =
            |error: std::io::Error| Failure::Failed(format!("{}: {error}", path.display()));
        let file = open(path)?;
        let size = file.metadata().map_err(failed)?.len();
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let mut progress = Progress::new("bytes taken in:");
        let (mut line, mut number, mut passed) = (Vec::new(), 0, 0);
        let (mut batch, mut bytes) = (Vec::new(), 0);
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
            let text = String::from_utf8_lossy(&line);
            if !text.trim().is_empty() {
                match Observation::read(text.trim()) {
                    Ok(seen) => batch.push(seen),
                    Err(error) => self.sum.complain(name, number, &error.to_string()),
                }
            }
            bytes += length;
            if batch.len() >= BATCH || bytes >= BATCH_BYTES {
                self.take_in(name, &batch).await?;
                batch.clear();
                bytes = 0;
                progress.at(passed, size);
            }
        }
        match batch.is_empty() {
            true => Ok(()),
            false => self.take_in(name, &batch).await,
        }
    }

    async fn store(
        &mut self,
        path: &Path,
        name: &str,
        passwords: Option<&Zeroizing<Vec<u8>>>,
    ) -> Result<(), Failure> {
        let mut look = files::Look::new(name, self.now.0);
        if let Some(list) = passwords {
            let list = std::str::from_utf8(list)
                .map_err(|_| Failure::Failed("the passwords are not UTF-8".to_owned()))?;
            look = look.with_passwords(list);
        }
        let mut seen = Vec::new();
        let summary = files::look(&[path.to_owned()], &look, |mut one| {
            one.how = How::Import;
            seen.push(one);
        });
        if seen.is_empty() {
            let why = match &summary.ended {
                ended if ended.locked > 0 => "its password is not known: --passwords FILE",
                ended if ended.too_large > 0 => "it is too large",
                ended if ended.damaged > 0 => "it is damaged",
                _ => "it holds no certificate in a format that is known",
            };
            self.sum.complain(name, 0, why);
        }
        for batch in seen.chunks(BATCH) {
            self.take_in(name, batch).await?;
        }
        Ok(())
    }

    async fn table(
        &mut self,
        path: &Path,
        name: &str,
        columns: &BTreeMap<String, String>,
    ) -> Result<(), Failure> {
        let table = CertificateTable::read(read(path)?, name, columns, self.now)?;
        for (row, why) in &table.bad_rows {
            self.sum.complain(name, *row, why);
        }
        self.sum.bad += table.bad.saturating_sub(table.bad_rows.len() as u64);
        self.sum.ignored_columns.extend(table.ignored_columns);
        self.sum.said += table.said.len() as u64;
        for batch in table.observations.chunks(BATCH) {
            self.take_in(name, batch).await?;
        }
        if self.dry_run {
            return Ok(());
        }
        for (sha256, said) in &table.said {
            self.say(sha256, said).await?;
        }
        Ok(())
    }

    /// What a table says about a certificate is said by the hand that imports it; what it leaves open stays.
    async fn say(&self, sha256: &[u8; 32], said: &Gift) -> Result<(), Failure> {
        let before = self.fleet.hand_set(sha256).await?.gift;
        let said = said.clone();
        let gift = Gift {
            owner: said.owner.or(before.owner),
            tags: match said.tags.is_empty() {
                true => before.tags,
                false => said.tags,
            },
            criticality: said.criticality.or(before.criticality),
            phi: said.phi.or(before.phi),
            patient_facing: said.patient_facing.or(before.patient_facing),
            environment: said.environment.or(before.environment),
            site: said.site.or(before.site),
            vendor: said.vendor.or(before.vendor),
        };
        let permit = self.context.permit(Action::ManageInventory).await?;
        self.fleet
            .set_by_hand(&permit, sha256, gift, self.now)
            .await?;
        Ok(())
    }

    async fn report(self) -> Done {
        let settled = match self.dry_run {
            true => None,
            false => {
                self.fleet.bring_in_all_issued().await?;
                Some(self.fleet.settle(clock::now()).await?)
            }
        };
        let (sum, counts) = (&self.sum, &self.sum.counts);
        let begin = if self.dry_run {
            "would take in"
        } else {
            "took in"
        };
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
            (sum.bad, "lines, rows or files that cannot be read"),
            (
                sum.said,
                "certificates with an owner or the like from a table",
            ),
        ];
        for (count, what) in rest.iter().filter(|(count, _)| *count > 0) {
            text += &format!("\n{count} {what}");
        }
        for line in &sum.bad_lines {
            text += &format!("\n  {line}");
        }
        let json = json!({ "dry_run": self.dry_run, "sum": sum, "settled": settled });
        Ok(Report::new(json, text))
    }
}
