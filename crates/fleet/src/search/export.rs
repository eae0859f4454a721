//! A search or a view as CSV, XLSX or JSON, a piece at a time: a million rows are never in memory. What a spreadsheet would
//! take for a formula gets an apostrophe in front (CWE-1236), and characters that act instead of showing are written as escapes.

use std::str::FromStr;
use std::time::Duration;

use access::Refusal;
use audit::Timestamp;
use x509::Time;
use x509::describe::escape;

use super::language::Query;
use super::page::{Ask, LARGEST_PAGE, Listed, Sort};
use super::xlsx::Workbook;
use crate::import::guarded;
use crate::{Fleet, FleetError, Result};

/// How long one page of an export may take: nobody waits at a screen.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Csv,
    Xlsx,
    Json,
}

impl Format {
    /// RFC 6838 media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv; charset=utf-8",
            Format::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Format::Json => "application/json",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Xlsx => "xlsx",
            Format::Json => "json",
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Format::Csv, Format::Xlsx, Format::Json]
            .into_iter()
            .find(|format| format.name() == text)
            .ok_or_else(|| "accepted: csv, xlsx, json".to_owned())
    }
}

/// What is exported.
#[derive(Clone, Debug)]
pub enum Source {
    Search(Query, Sort),
    View(String),
}

/// An export under way.
pub struct Export {
    fleet: Fleet,
    source: Source,
    now: Timestamp,
    after: Option<String>,
    writer: Writer,
    rows: u64,
    is_over: bool,
}

enum Writer {
    Csv,
    Xlsx(Box<Workbook>),
    Json,
}

/// One cell of a table.
pub(super) enum Cell {
    Text(String),
    Number(i64),
}

/// Headings, in the order of [`cells`].
pub(super) const HEADINGS: [&str; 32] = [
    "sha256",
    "subject",
    "issuer",
    "serial",
    "names",
    "key",
    "bits",
    "signature",
    "starts",
    "expires",
    "ca",
    "self_signed",
    "authority",
    "recorded",
    "revoked",
    "first_seen",
    "last_seen",
    "how",
    "places",
    "asset",
    "owner",
    "owner_by",
    "segment",
    "site",
    "vendor",
    "environment",
    "tags",
    "criticality",
    "phi",
    "patient_facing",
    "risk",
    "findings",
];

impl Fleet {
    /// Begins an export; [`Export::next`] gives it piece by piece.
    pub async fn export_inventory(
        &self,
        source: Source,
        format: Format,
        now: Timestamp,
    ) -> Result<Export> {
        if let Source::View(name) = &source {
            self.view(name).await?;
        }
        Ok(Export {
            fleet: self.clone(),
            source,
            now,
            after: None,
            writer: match format {
                Format::Csv => Writer::Csv,
                Format::Xlsx => Writer::Xlsx(Box::new(Workbook::begin()?)),
                Format::Json => Writer::Json,
            },
            rows: 0,
            is_over: false,
        })
    }
}

impl Export {
    /// How many certificates have been written.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The next piece of the file; `None` behind its end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        if self.is_over {
            return Ok(None);
        }
        let is_first = self.rows == 0;
        let (certificates, next) = self.page().await?;
        self.is_over = next.is_none();
        self.after = next;
        self.rows += certificates.len() as u64;
        let piece = match &mut self.writer {
            Writer::Csv => csv(&certificates, is_first)?,
            Writer::Json => json(&certificates, is_first, self.is_over)?,
            Writer::Xlsx(book) => {
                for certificate in &certificates {
                    book.row(&cells(certificate))?;
                }
                if self.is_over {
                    book.end()?;
                }
                book.take()
            }
        };
        Ok(Some(piece))
    }

    async fn page(&self) -> Result<(Vec<Listed>, Option<String>)> {
        let page = match &self.source {
            Source::View(name) => {
                let after = self.after.as_deref();
                let limit = Some(LARGEST_PAGE);
                self.fleet.view_page(name, after, limit, self.now).await?
            }
            Source::Search(query, sort) => {
                let ask = Ask {
                    query: query.clone(),
                    sort: *sort,
                    after: self.after.clone(),
                    limit: Some(LARGEST_PAGE),
                };
                self.fleet
                    .search_with(&ask, true, PATIENCE, self.now)
                    .await?
            }
        };
        Ok((page.certificates, page.next))
    }
}

fn csv(certificates: &[Listed], is_first: bool) -> Result<Vec<u8>> {
    let failed = |_| FleetError::Damaged("export");
    let mut writer = csv::Writer::from_writer(Vec::new());
    if is_first {
        writer.write_record(HEADINGS).map_err(failed)?;
    }
    for certificate in certificates {
        let cells = cells(certificate).into_iter().map(|cell| match cell {
            Cell::Text(text) => guarded(text),
            Cell::Number(number) => number.to_string(),
        });
        writer.write_record(cells).map_err(failed)?;
    }
    writer
        .into_inner()
        .map_err(|_| FleetError::Damaged("export"))
}

/// A list, with a certificate on each line.
fn json(certificates: &[Listed], is_first: bool, is_last: bool) -> Result<Vec<u8>> {
    let mut piece = Vec::new();
    if is_first {
        piece.push(b'[');
    }
    for (at, certificate) in certificates.iter().enumerate() {
        let separator: &[u8] = if is_first && at == 0 { b"\n" } else { b",\n" };
        piece.extend_from_slice(separator);
        serde_json::to_writer(&mut piece, certificate)
            .map_err(|_| FleetError::Damaged("export"))?;
    }
    if is_last {
        piece.extend_from_slice(b"\n]\n");
    }
    Ok(piece)
}

pub(super) fn cells(one: &Listed) -> Vec<Cell> {
    let text = |text: &str| Cell::Text(escape(text));
    let optional = |value: &Option<String>| text(value.as_deref().unwrap_or_default());
    let list = |values: &[String]| text(&values.join(" "));
    let yes = |is: bool| Cell::Text(if is { "yes" } else { "no" }.to_owned());
    let seconds = |at: i64| Cell::Text(Time(at).to_string());
    let millis = |at: i64| Cell::Text(Timestamp(at).to_string());
    vec![
        text(&one.sha256),
        text(&one.subject),
        text(&one.issuer),
        text(&one.serial),
        list(&one.names),
        text(&one.key),
        Cell::Number(one.bits),
        text(&one.signature),
        seconds(one.starts),
        seconds(one.expires),
        yes(one.ca),
        yes(one.self_signed),
        optional(&one.authority),
        yes(one.recorded),
        yes(one.revoked.is_some()),
        millis(one.first_seen),
        millis(one.last_seen),
        list(&one.how),
        Cell::Number(one.places),
        optional(&one.asset),
        optional(&one.owner),
        optional(&one.owner_by),
        optional(&one.segment),
        optional(&one.site),
        optional(&one.vendor),
        optional(&one.environment),
        list(&one.tags),
        text(one.criticality),
        yes(one.phi),
        yes(one.patient_facing),
        text(one.risk),
        Cell::Number(one.findings),
    ]
}

/// What a request may ask to export: a search or a view, not both.
pub fn source(query: Option<&str>, view: Option<&str>, sort: Sort) -> Result<Source> {
    match (query, view) {
        (Some(_), Some(_)) => {
            let message = "a search and a view at once";
            let refusal = Refusal::new("search.source", "docs/inventory.md", message);
            Err(refusal.accepted("one of them").into())
        }
        (None, Some(view)) => Ok(Source::View(view.to_owned())),
        (query, None) => Ok(Source::Search(query.unwrap_or_default().parse()?, sort)),
    }
}
