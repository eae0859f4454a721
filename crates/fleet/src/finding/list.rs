//! Findings listed, the heaviest first.

use audit::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Row, Value, params};

use super::{Severity, rule};
use crate::{Fleet, FleetError, Result};

/// A finding as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub id: String,
    pub rule: String,
    /// What the rule is about.
    pub title: String,
    pub severity: Severity,
    /// `certificate SHA256`, `place ID`, `flow NAME`, `system NAME`.
    pub subject: String,
    /// What exactly.
    pub what: String,
    pub owner: Option<String>,
    /// Unix milliseconds.
    pub opened: i64,
    pub seen: i64,
    pub closed: Option<i64>,
    /// Set while a waiver covers it.
    pub waived_until: Option<i64>,
    /// The certificate's SHA-256, and what it is called.
    pub sha256: Option<String>,
    pub certificate_subject: Option<String>,
    pub segment: Option<String>,
    /// Where, if it is about a place.
    pub place: Option<String>,
    #[serde(skip)]
    pub(super) certificate: Option<i64>,
}

/// Which of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Show {
    /// Those that nobody has waived.
    #[default]
    Open,
    Waived,
    Closed,
    All,
}

impl std::str::FromStr for Show {
    type Err = crate::UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "open" => Show::Open,
            "waived" => Show::Waived,
            "closed" => Show::Closed,
            "all" => Show::All,
            _ => {
                return Err(crate::UnknownWord {
                    text: text.chars().take(40).collect(),
                    what: "state of findings",
                    accepted: "open, waived, closed, all".to_owned(),
                });
            }
        })
    }
}

/// What to list. Every field narrows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FindingFilter {
    pub show: Show,
    pub rule: Option<String>,
    /// This heavy, or heavier.
    pub severity: Option<Severity>,
    /// `-`: nobody's.
    pub owner: Option<String>,
    pub segment: Option<String>,
    /// The SHA-256 of a certificate, in hexadecimal.
    pub certificate: Option<String>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// At most so many; 100 if absent, never more than 1000.
    pub limit: Option<u32>,
    /// RFC 3339; read by whoever asks, see [`Fleet::findings_as_of`].
    pub as_of: Option<String>,
    /// RFC 3339; read by whoever asks, into `opened_since`.
    pub since: Option<String>,
    /// Opened then or later.
    #[serde(skip)]
    pub opened_since: Option<Timestamp>,
}

/// A page of findings.
#[derive(Clone, Debug, Serialize)]
pub struct FindingPage {
    pub findings: Vec<Finding>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT f.id, f.rule, f.severity, f.subject, f.what, f.owner, f.opened, f.seen, f.closed, f.waived_until, \
             f.certificate, i.sha256, i.subject, i.segment, p.place \
             FROM findings f LEFT JOIN inventory i ON i.id = f.certificate LEFT JOIN places p ON p.id = f.place WHERE ",
            $rest
        )
    };
}

/// A filter that is not given is an empty text. What is open is walked in the order of its index.
macro_rules! page {
    ($which:literal) => {
        concat!(
            select!(""),
            $which,
            " AND (f.severity < $1 OR (f.severity = $1 AND f.id < $2)) AND f.severity >= $3 AND ($4 = '' OR f.rule = $4) \
             AND ($5 = '' OR f.owner = $5 OR ($5 = '-' AND f.owner IS NULL)) AND ($6 = '' OR i.segment = $6) \
             AND ($7 = 0 OR f.certificate = $7) AND CAST($8 AS BIGINT) IS NOT NULL AND f.opened >= $10 \
             ORDER BY f.severity DESC, f.id DESC LIMIT $9"
        )
    };
}

const BY_ID: &str = select!("f.id = $1");
const OPEN: &str = page!("f.closed IS NULL AND (f.waived_until IS NULL OR f.waived_until <= $8)");
const WAIVED: &str = page!("f.closed IS NULL AND f.waived_until > $8");
const CLOSED: &str = page!("f.closed IS NOT NULL");
const ALL: &str = page!("f.opened IS NOT NULL");
const THEN: &str = page!("f.opened <= $8 AND (f.closed IS NULL OR f.closed > $8)");
const CERTIFICATE: &str = "SELECT id FROM inventory WHERE sha256 = $1";

impl Fleet {
    /// One finding.
    pub async fn finding(&self, id: &str, now: Timestamp) -> Result<Finding> {
        let rows = self.store().look_up(BY_ID, params![id]).await?;
        match rows.first() {
            Some(row) => read(row, now),
            None => Err(FleetError::not_found("finding", id)),
        }
    }

    /// A page of findings, the heaviest first.
    pub async fn findings(&self, filter: &FindingFilter, now: Timestamp) -> Result<FindingPage> {
        let limit = i64::from(filter.limit.unwrap_or(100).clamp(1, 1000));
        let sql = match filter.show {
            Show::Open => OPEN,
            Show::Waived => WAIVED,
            Show::Closed => CLOSED,
            Show::All => ALL,
        };
        let certificate = match &filter.certificate {
            Some(sha256) => self.certificate_row(sha256).await?,
            None => 0,
        };
        let rows = self
            .store()
            .query(sql, page_params(filter, certificate, limit, now))
            .await?;
        let findings = rows
            .iter()
            .map(|row| read(row, now))
            .collect::<Result<Vec<_>>>()?;
        let full = i64::try_from(findings.len()).is_ok_and(|found| found == limit);
        let next = findings.last().filter(|_| full);
        let next = next.map(|last| format!("{}:{}", last.severity as i64, last.id));
        Ok(FindingPage { findings, next })
    }

    /// A page of the findings that stood at `at` (R52), waived or not: which waivers held then is in the waivers' own
    /// history. One that was closed and found again is known from when it was found again.
    pub async fn findings_as_of(
        &self,
        filter: &FindingFilter,
        at: Timestamp,
    ) -> Result<FindingPage> {
        let limit = i64::from(filter.limit.unwrap_or(100).clamp(1, 1000));
        let certificate = match &filter.certificate {
            Some(sha256) => self.certificate_row(sha256).await?,
            None => 0,
        };
        let asked = page_params(filter, certificate, limit, at);
        let rows = self.store().query(THEN, asked).await?;
        let mut findings = rows
            .iter()
            .map(|row| read(row, at))
            .collect::<Result<Vec<_>>>()?;
        for finding in &mut findings {
            (finding.closed, finding.waived_until) = (None, None);
        }
        let full = i64::try_from(findings.len()).is_ok_and(|found| found == limit);
        let next = findings.last().filter(|_| full);
        let next = next.map(|last| format!("{}:{}", last.severity as i64, last.id));
        Ok(FindingPage { findings, next })
    }

    async fn certificate_row(&self, sha256: &str) -> Result<i64> {
        let unknown = || FleetError::not_found("certificate", sha256);
        let bytes = hex::decode(sha256).map_err(|_| unknown())?;
        let rows = self.store().look_up(CERTIFICATE, params![bytes]).await?;
        Ok(rows.first().ok_or_else(unknown)?.int(0)?)
    }
}

/// A cursor that is none begins at the beginning.
fn page_params(filter: &FindingFilter, certificate: i64, limit: i64, now: Timestamp) -> Vec<Value> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let cursor = filter
        .after
        .as_deref()
        .and_then(|after| after.split_once(':'));
    let cursor = cursor.and_then(|(severity, id)| Some((severity.parse::<i64>().ok()?, id)));
    let (severity, id) = cursor.unwrap_or((i64::from(u8::MAX), ""));
    params![
        severity,
        id,
        filter.severity.map_or(0, |severity| severity as i64),
        text(&filter.rule),
        text(&filter.owner),
        text(&filter.segment),
        certificate,
        now.0,
        limit,
        filter.opened_since.map_or(0, |since| since.0),
    ]
}

fn read(row: &Row, now: Timestamp) -> Result<Finding> {
    let name = row.text(1)?;
    let severity = Severity::from_number(row.int(2)?);
    Ok(Finding {
        id: row.text(0)?.to_owned(),
        rule: name.to_owned(),
        title: rule(name).map_or(String::new(), |rule| rule.title.to_owned()),
        severity: severity.ok_or(FleetError::Damaged("a finding's severity"))?,
        subject: row.text(3)?.to_owned(),
        what: row.text(4)?.to_owned(),
        owner: row.opt_text(5)?.map(str::to_owned),
        opened: row.int(6)?,
        seen: row.int(7)?,
        closed: row.opt_int(8)?,
        waived_until: row.opt_int(9)?.filter(|until| *until > now.0),
        certificate: row.opt_int(10)?,
        sha256: row.opt_blob(11)?.map(hex::encode),
        certificate_subject: row.opt_text(12)?.map(str::to_owned),
        segment: row.opt_text(13)?.map(str::to_owned),
        place: row.opt_text(14)?.map(str::to_owned),
    })
}
