//! Where files from elsewhere are taken in, whoever brings them and by whichever door: lines of observations, key stores and
//! certificates, tables of other tools (R16). What cannot be read is told and hurts nobody else.

use access::{Permit, Refusal};
use agent::files::{self, Summary};
use agent::observation::{How, LINE_LIMIT, Observation, Outcome, Place};
use audit::{Object, Timestamp};
use serde::Serialize;

use super::import::{CertificateTable, SOURCE};
use super::rule::Gift;
use super::text::clean;
use super::{Ingested, Source};
use crate::coverage::Sighted;
use crate::{Fleet, FleetError, Result, refused};

/// Observations that are taken in at once, and bytes of their lines.
const BATCH: usize = 2_000;
const BATCH_BYTES: usize = 32 << 20;
/// Lines, rows and parts of stores that are told one by one.
const TOLD: usize = 20;

/// What a file is, as far as it decides who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Carried {
    /// Lines of JSON.
    Observations,
    /// CSV, TSV, XLSX.
    Table,
    /// Anything else that holds certificates.
    Store,
}

impl Carried {
    /// By how it begins, and by its name where that leaves it open.
    pub fn of(name: &str, head: &[u8]) -> Self {
        let ending = name
            .rsplit_once('.')
            .map(|(_, ending)| ending.to_lowercase());
        let is_table = ending.is_some_and(|it| ["csv", "tsv", "xlsx"].contains(&it.as_str()));
        match head.trim_ascii_start().first() {
            Some(b'{') if !files::is_log(head) => Self::Observations,
            _ if is_table => Self::Table,
            _ => Self::Store,
        }
    }
}

/// What was taken in, and what was not.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Imported {
    #[serde(flatten)]
    pub counts: Ingested,
    /// Of observations: every line up to this one was read, and what is to be had of it taken in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through_line: Option<u64>,
    /// Lines, rows and parts of stores that could not be read.
    pub bad: u64,
    /// The first of them, with the reason.
    pub bad_lines: Vec<String>,
    pub ignored_columns: Vec<String>,
    /// Certificates whose owner and the like a table gave.
    pub said: u64,
}

/// Takes in one file after the other.
pub struct Desk<'a> {
    fleet: &'a Fleet,
    /// Without one, what would happen is only said.
    permit: Option<&'a Permit>,
    now: Timestamp,
    source: Source,
    batch: Vec<Observation>,
    bytes: usize,
    sighted: Sighted,
    /// The last line that was read.
    line: Option<u64>,
    pub sum: Imported,
}

impl<'a> Desk<'a> {
    pub fn new(fleet: &'a Fleet, permit: Option<&'a Permit>, now: Timestamp) -> Self {
        Desk {
            fleet,
            permit,
            now,
            source: Source {
                name: String::new(),
                scan: None,
            },
            batch: Vec::new(),
            bytes: 0,
            sighted: Sighted::default(),
            line: None,
            sum: Imported::default(),
        }
    }

    /// Begins with what comes from somewhere else.
    pub fn from(&mut self, source: &str) {
        source.clone_into(&mut self.source.name);
        self.line = None;
    }

    /// Tells of a part that cannot be read; of the whole where `part` is empty.
    pub fn complain(&mut self, part: &str, why: &str) {
        self.sum.bad += 1;
        if self.sum.bad_lines.len() < TOLD {
            // A reason may quote what was sent.
            let told: String = clean(why).chars().take(300).collect();
            let at = clean(&self.source.name);
            let line = match part.is_empty() {
                true => format!("{at}: {told}"),
                false => format!("{at}, {}: {told}", clean(part)),
            };
            self.sum.bad_lines.push(line);
        }
    }

    /// One line of observations.
    pub async fn line(&mut self, number: u64, line: &[u8]) -> Result<()> {
        self.line = Some(number);
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        if line.len() > LINE_LIMIT {
            let why = format!("longer than {LINE_LIMIT} bytes");
            self.complain(&format!("line {number}"), &why);
        } else if !text.is_empty() {
            match Observation::read(text) {
                Ok(seen) => {
                    self.sighted.add(&seen, self.now);
                    self.batch.push(seen);
                }
                Err(error) => self.complain(&format!("line {number}"), &error.to_string()),
            }
            self.bytes += line.len();
        }
        match self.batch.len() >= BATCH || self.bytes >= BATCH_BYTES {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    /// Lines that are all there.
    pub async fn lines(&mut self, bytes: &[u8]) -> Result<()> {
        let lines = bytes.split(|byte| *byte == b'\n');
        for (number, line) in (1..).zip(lines) {
            self.line(number, line).await?;
        }
        self.end().await
    }

    /// After the last line: what the scanner that wrote them looked at is coverage, in the name of the file and of whoever
    /// brings it.
    pub async fn end(&mut self) -> Result<()> {
        self.flush().await?;
        let sighted = std::mem::take(&mut self.sighted);
        match self.permit {
            None => Ok(()),
            Some(permit) => {
                let source = clean(&self.source.name);
                self.fleet
                    .cover_sighted(permit, &source, sighted, self.now)
                    .await
            }
        }
    }

    /// Takes in what waits.
    async fn flush(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.bytes = 0;
        for part in batch.chunks(BATCH) {
            self.sum.counts += match self.permit {
                None => self.fleet.weigh(part, self.now).await?,
                Some(permit) => {
                    self.fleet
                        .ingest(permit, &self.source, part, self.now)
                        .await?
                }
            };
        }
        self.sum.through_line = self.line;
        Ok(())
    }

    /// What [`files::read`] or [`files::look`] has seen in a file. One in which there is no certificate that can be read is
    /// refused and leaves no trace but that; of another what cannot be read is told.
    pub async fn store(&mut self, summary: &Summary, seen: Vec<Observation>) -> Result<()> {
        let mut not_read = Vec::new();
        for mut one in seen {
            one.how = How::Import;
            match why_not_read(&one) {
                None => self.batch.push(one),
                Some(told) => not_read.push(told),
            }
        }
        if self.batch.is_empty() {
            let why = not_read.first().map(|(_, why)| why.as_str());
            return Err(self.refuse(nothing_in(summary, why)).await);
        }
        for (part, why) in &not_read {
            self.complain(part, why);
        }
        self.flush().await
    }

    /// A table that was read, or the refusal to read it.
    pub async fn table(&mut self, read: Result<CertificateTable, Refusal>) -> Result<()> {
        let table = match read {
            Ok(table) => table,
            Err(refusal) => return Err(self.refuse(refusal).await),
        };
        for (row, why) in &table.bad_rows {
            self.complain(&format!("line {row}"), why);
        }
        self.sum.bad += table.bad.saturating_sub(table.bad_rows.len() as u64);
        self.sum.ignored_columns.extend(table.ignored_columns);
        self.sum.said += table.said.len() as u64;
        self.batch = table.observations;
        self.flush().await?;
        if let Some(permit) = self.permit {
            for (sha256, said) in table.said {
                self.say(permit, &sha256, said).await?;
            }
        }
        Ok(())
    }

    /// What a table says about a certificate is said by the hand that imports it; what it leaves open stays.
    async fn say(&self, permit: &Permit, sha256: &[u8; 32], said: Gift) -> Result<()> {
        let before = self.fleet.hand_set(sha256).await?.gift;
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
        self.fleet.set_by_hand(permit, sha256, gift, self.now).await
    }

    /// A whole file that is not taken in; where nothing was to be taken in, the log does not hear of it.
    async fn refuse(&self, refusal: Refusal) -> FleetError {
        let Some(permit) = self.permit else {
            return refusal.into();
        };
        let object = Object::new("inventory", clean(&self.source.name));
        let (access, action) = (self.fleet.access(), "inventory.import");
        refused(access, permit, action, &object, refusal, self.now).await
    }
}

/// Which part of a store holds no certificate, and why.
fn why_not_read(seen: &Observation) -> Option<(String, String)> {
    let why = match &seen.outcome {
        Outcome::Certificate => return None,
        Outcome::NoCertificate { why } | Outcome::Failed { why } => why.clone(),
        Outcome::Garbage { what } => what.clone(),
        Outcome::TooLarge { limit, .. } => format!("it has more than {limit} bytes"),
        other => format!("{other:?}"),
    };
    let part = match &seen.place {
        Place::File { alias, .. } => alias.clone().unwrap_or_default(),
        _ => String::new(),
    };
    Some((part, why))
}

fn nothing_in(summary: &Summary, why: Option<&str>) -> Refusal {
    let ended = &summary.ended;
    let (rule, message, accepted) = if ended.locked > 0 {
        (
            "import.locked",
            "the key store has a password that is not known",
            "its password beside it",
        )
    } else if ended.too_large > 0 {
        (
            "import.size",
            "the file is too large",
            "key stores of at most 16 MiB",
        )
    } else if ended.damaged > 0 {
        (
            "import.damaged",
            "the file begins as a store and is none to its end",
            "the file as it was written",
        )
    } else {
        (
            "import.format",
            "the file holds no certificate in a format that is known",
            "PEM, DER, PKCS #7, PKCS #12, JKS, .sst, entries of CT logs, CSV, TSV or XLSX by their names, lines of observations",
        )
    };
    let message = match why {
        Some(why) => format!("{message}: {}", clean(why)),
        None => message.to_owned(),
    };
    Refusal::new(rule, SOURCE, message).accepted(accepted)
}
