//! Pages of certificates and places: a search or a saved view, in an order, from a cursor on.

use std::time::Duration;

use access::Refusal;
use audit::Timestamp;
use serde::Serialize;
use store::{Row, StoreError, Value};

use super::compile::{Compiler, Rows, Target};
use super::language::Query;
use crate::{Fleet, FleetError, Result};

/// How long a search may take before it says that it gave up: what a person waits for.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How long SQLite walks in the order of a page, asking each certificate for its places, before it asks otherwise.
const WALK_PATIENCE: Duration = Duration::from_millis(300);

/// Most rows of a page.
pub const LARGEST_PAGE: u32 = 1000;

/// In which order certificates come. Each is a number in the database, so that one index serves all saved views.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sort {
    /// What ends first.
    #[default]
    Expires,
    /// What began last.
    Starts,
    /// What was found last.
    FirstSeen,
    /// What was seen last.
    LastSeen,
    /// The greatest risk.
    Risk,
    /// What most depends on.
    Criticality,
    /// What has the most findings.
    Findings,
    /// What is at the most places.
    Places,
}

impl Sort {
    pub const ALL: [Sort; 8] = [
        Sort::Expires,
        Sort::Starts,
        Sort::FirstSeen,
        Sort::LastSeen,
        Sort::Risk,
        Sort::Criticality,
        Sort::Findings,
        Sort::Places,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Sort::Expires => "expires",
            Sort::Starts => "starts",
            Sort::FirstSeen => "first-seen",
            Sort::LastSeen => "last-seen",
            Sort::Risk => "risk",
            Sort::Criticality => "criticality",
            Sort::Findings => "findings",
            Sort::Places => "places",
        }
    }

    /// Ascending; the greatest first is the smallest negative.
    pub(super) fn position(self) -> &'static str {
        match self {
            Sort::Expires => "i.not_after",
            Sort::Starts => "-i.not_before",
            Sort::FirstSeen => "-i.first_seen",
            Sort::LastSeen => "-i.last_seen",
            Sort::Risk => "-i.risk",
            Sort::Criticality => "-i.criticality",
            Sort::Findings => "-i.findings",
            Sort::Places => "-i.places",
        }
    }
}

impl std::str::FromStr for Sort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Sort::ALL.into_iter().find(|sort| sort.name() == text);
        let names = Sort::ALL.map(Sort::name).join(", ");
        found.ok_or_else(|| format!("accepted: {names}"))
    }
}

/// A certificate as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    #[serde(skip)]
    pub id: i64,
    /// Hex.
    pub sha256: String,
    pub subject: String,
    pub issuer: String,
    /// Hex.
    pub serial: String,
    pub names: Vec<String>,
    pub key: String,
    pub bits: i64,
    pub signature: String,
    /// Unix seconds.
    pub starts: i64,
    pub expires: i64,
    pub ca: bool,
    pub self_signed: bool,
    pub authority: Option<String>,
    pub recorded: bool,
    /// The reason code (RFC 5280 §5.3.1), if this Ward revoked it.
    pub revoked: Option<i64>,
    /// Since when, Unix seconds.
    pub revoked_at: Option<i64>,
    /// Unix milliseconds.
    pub first_seen: i64,
    pub last_seen: i64,
    pub how: Vec<String>,
    pub places: i64,
    pub asset: Option<String>,
    pub owner: Option<String>,
    pub owner_by: Option<String>,
    pub segment: Option<String>,
    pub site: Option<String>,
    pub vendor: Option<String>,
    pub environment: Option<String>,
    pub tags: Vec<String>,
    pub criticality: &'static str,
    pub phi: bool,
    pub patient_facing: bool,
    pub risk: &'static str,
    pub findings: i64,
}

/// A page of certificates.
#[derive(Clone, Debug, Serialize)]
pub struct Page {
    pub certificates: Vec<Listed>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
    /// Of a saved view: how many certificates it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<i64>,
    /// Of a saved view: as of when, Unix milliseconds. `None` while it is being worked out for the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<i64>,
}

/// What page is wanted.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    pub query: Query,
    pub sort: Sort,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// 100 if absent, never more than [`LARGEST_PAGE`].
    pub limit: Option<u32>,
}

/// What lists show, in the order in which [`listed`] reads it.
macro_rules! columns {
    () => {
        "i.id, i.sha256, i.subject, i.issuer, i.serial, i.names, i.key, i.key_bits, i.signature, i.not_before, \
        i.not_after, i.is_ca, i.self_signed, i.authority, i.recorded, i.revoked, i.first_seen, i.last_seen, i.how, \
        i.places, i.asset, i.owner, i.owner_by, i.segment, i.site, i.vendor, i.environment, i.tags, i.criticality, \
        i.phi, i.patient_facing, i.risk, i.findings"
    };
}
pub(super) use columns;

pub(super) const COLUMNS: &str = columns!();

/// Where the sort key follows in the row.
const POSITION: usize = 33;

impl Fleet {
    /// A page of what a search finds.
    pub async fn search_inventory(&self, ask: &Ask, now: Timestamp) -> Result<Page> {
        self.search_for(ask, PATIENCE, now).await
    }

    /// Likewise, for so long at most.
    pub async fn search_for(&self, ask: &Ask, patience: Duration, now: Timestamp) -> Result<Page> {
        self.search_with(ask, false, patience, now).await
    }

    /// `each` if page after page is asked for until the end.
    pub(super) async fn search_with(
        &self,
        ask: &Ask,
        each: bool,
        patience: Duration,
        now: Timestamp,
    ) -> Result<Page> {
        let mut page = self.searched(ask, each, patience, now).await?;
        let then = self.target(&ask.query, Rows::Certificates, each, now).as_of;
        self.tell_revoked(&mut page.certificates, then).await?;
        Ok(page)
    }

    async fn searched(
        &self,
        ask: &Ask,
        each: bool,
        patience: Duration,
        now: Timestamp,
    ) -> Result<Page> {
        let limit = limit(ask.limit);
        let few = match each {
            true => None,
            false => self.few(&ask.query, patience, now).await?,
        };
        if few.as_ref().is_some_and(Vec::is_empty) {
            return page(&[], limit);
        }
        let (sql, params) = self.page_sql(ask, few.as_deref(), each || few.is_some(), now)?;
        // SQLite asks each as it comes, or first finds out for all of them who has such a place. The first is over soon unless
        // there are few; then the other is.
        if !each && few.is_none() && !self.store().is_postgres() {
            let (walk, values) = self.page_sql(ask, None, true, now)?;
            if walk != sql {
                let patience = patience.min(WALK_PATIENCE);
                match self.store().search(&walk, values, patience).await {
                    Err(StoreError::GaveUp(_)) => {}
                    done => return page(&done?, limit),
                }
            }
        }
        let rows = self.asked(&sql, params, patience).await?;
        page(&rows, limit)
    }

    /// The statement of a page; of `few` certificates, if it is one of them that is wanted.
    fn page_sql(
        &self,
        ask: &Ask,
        few: Option<&[i64]>,
        each: bool,
        now: Timestamp,
    ) -> Result<(String, Vec<Value>)> {
        let mut compiler = Compiler::new(self.target(&ask.query, Rows::Certificates, each, now));
        let condition = compiler.whole(&ask.query);
        let (position, limit) = (ask.sort.position(), limit(ask.limit));
        let after = match &ask.after {
            Some(cursor) => {
                let (at, id) = cursor_of(cursor)?;
                format!("AND ({position}, i.id) > ({at}, {id})")
            }
            None => String::new(),
        };
        let (only, by_id) = match few {
            Some(few) => {
                let ids: Vec<String> = few.iter().map(i64::to_string).collect();
                // By their numbers, whatever other index there is.
                let by_id = match self.store().is_postgres() {
                    true => "",
                    false => "NOT INDEXED",
                };
                (format!("i.id IN ({}) AND", ids.join(", ")), by_id)
            }
            None => (String::new(), ""),
        };
        let sql = format!(
            "SELECT {COLUMNS}, {position} FROM inventory i {by_id} WHERE {only} {condition} {after} \
            ORDER BY {position}, i.id LIMIT {limit}"
        );
        Ok((sql, compiler.params))
    }

    pub(super) fn target(&self, query: &Query, rows: Rows, each: bool, now: Timestamp) -> Target {
        let seconds = now.0.div_euclid(1000);
        let then = query
            .as_of
            .map(|moment| Timestamp(moment.seconds(seconds).saturating_mul(1000)));
        Target {
            postgres: self.store().is_postgres(),
            rows,
            each,
            now,
            as_of: then,
        }
    }

    /// Runs a search; that it took too long is the asker's to know.
    pub(super) async fn asked(
        &self,
        sql: &str,
        params: Vec<Value>,
        patience: Duration,
    ) -> Result<Vec<Row>> {
        match self.store().search(sql, params, patience).await {
            Err(StoreError::GaveUp(_)) => Err(gave_up(patience).into()),
            done => Ok(done?),
        }
    }
}

fn gave_up(patience: Duration) -> Refusal {
    let message = format!(
        "the search was given up after {} s: it would have to look at too much",
        patience.as_secs()
    );
    Refusal::new("search.budget", "docs/search-language.md", message).accepted(
        "a search that leaves less (by expiry, segment, address, owner), or a saved view, which is worked out ahead",
    )
}

pub(super) fn limit(wanted: Option<u32>) -> u32 {
    wanted.unwrap_or(100).clamp(1, LARGEST_PAGE)
}

/// `POSITION_ID`, as a page before gave it.
pub(super) fn cursor_of(text: &str) -> Result<(i64, i64)> {
    let read = text
        .split_once('_')
        .and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
    read.ok_or_else(|| {
        let shown = x509::describe::escape(&text.chars().take(60).collect::<String>());
        let message = format!("`{shown}` is no cursor");
        let refusal = Refusal::new("search.cursor", "docs/inventory.md", message);
        refusal
            .accepted("the `next` of a page of the same search")
            .into()
    })
}

/// Rows of [`COLUMNS`] with the sort key behind.
pub(super) fn page(rows: &[Row], limit: u32) -> Result<Page> {
    let certificates = rows.iter().map(listed).collect::<Result<Vec<_>>>()?;
    let full = u32::try_from(rows.len()).is_ok_and(|found| found == limit);
    let next = match (rows.last(), certificates.last()) {
        (Some(row), Some(last)) if full => Some(format!("{}_{}", row.int(POSITION)?, last.id)),
        _ => None,
    };
    Ok(Page {
        certificates,
        next,
        members: None,
        looked_at: None,
    })
}

pub(super) fn listed(row: &Row) -> Result<Listed> {
    let lines = |at: usize, by: char| -> Result<Vec<String>> {
        let text = row.text(at)?;
        let lines = text.split(by).filter(|line| !line.is_empty());
        Ok(lines.map(str::to_owned).collect())
    };
    let owned = |at: usize| -> Result<Option<String>> { Ok(row.opt_text(at)?.map(str::to_owned)) };
    let yes = |at: usize| -> Result<bool> { Ok(row.int(at)? != 0) };
    Ok(Listed {
        id: row.int(0)?,
        sha256: hex::encode(row.blob(1)?),
        subject: row.text(2)?.to_owned(),
        issuer: row.text(3)?.to_owned(),
        serial: hex::encode(row.blob(4)?),
        names: lines(5, '\n')?,
        key: row.text(6)?.to_owned(),
        bits: row.int(7)?,
        signature: row.text(8)?.to_owned(),
        starts: row.int(9)?,
        expires: row.int(10)?,
        ca: yes(11)?,
        self_signed: yes(12)?,
        authority: owned(13)?,
        recorded: yes(14)?,
        revoked: row.opt_int(15)?,
        revoked_at: None,
        first_seen: row.int(16)?,
        last_seen: row.int(17)?,
        how: lines(18, ',')?,
        places: row.int(19)?,
        asset: owned(20)?,
        owner: owned(21)?,
        owner_by: owned(22)?,
        segment: owned(23)?,
        site: owned(24)?,
        vendor: owned(25)?,
        environment: owned(26)?,
        tags: lines(27, '\n')?,
        criticality: word(super::field::CRITICALITY, row.int(28)?)?,
        phi: yes(29)?,
        patient_facing: yes(30)?,
        risk: word(super::field::RISK, row.int(31)?)?,
        findings: row.int(32)?,
    })
}

fn word(words: &'static [&'static str], level: i64) -> Result<&'static str> {
    let at = usize::try_from(level).ok();
    let found = at.and_then(|at| words.get(at)).copied();
    found.ok_or(FleetError::Damaged("a level outside its scale"))
}
