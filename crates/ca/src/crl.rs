//! Certificate revocation lists: what is due, building it, and handing it out (RFC 5280 §5, R13).
//!
//! Every issuer has three kinds of list. The *complete* list covers everything, for consumers that load one file.
//! Its *delta* carries what changed since, and stays small. A *partition* covers as many
//! consecutively issued certificates as [`crate::PARTITION_SIZE`] says and is what certificates point to: however many are revoked, the list that a
//! device fetches stays near 5 MB at most, and a revocation re-publishes one partition, not everything.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use audit::{Actor, Event, Object, Timestamp};
use bytes::Bytes;
use keys::Signer;
use parking_lot::{Mutex, RwLock};
use serde_json::json;
use store::{Row, Write, params};
use x509::crl::{Reason, RevokedEntry, TbsCrl};
use x509::ext::{self, DistributionPoint, DistributionPointName, ExtensionValue};
use x509::lint::Severity;
use x509::{GeneralName, Time};

use crate::{Ca, CaError, Issuer};

/// A complete list larger than this is not rebuilt at every revocation: the delta and the partition carry the news.
const IMMEDIATE_ENTRIES: u64 = 100_000;

/// Rows read from the database at a time while a list is built.
const PAGE: i64 = 20_000;

/// Lists above this size are read from the database at each request instead of being kept in memory.
const KEPT_IN_MEMORY: usize = 8 * 1024 * 1024;

/// Which list of an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ListKind {
    Complete,
    Delta,
    Partition(u32),
}

impl ListKind {
    /// The value of the column `partition`.
    fn column(self) -> i64 {
        match self {
            Self::Complete => -1,
            Self::Delta => -2,
            Self::Partition(number) => i64::from(number),
        }
    }

    fn from_column(value: i64) -> Self {
        match value {
            -2 => Self::Delta,
            -1 => Self::Complete,
            number => Self::Partition(u32::try_from(number).unwrap_or_default()),
        }
    }
}

impl std::fmt::Display for ListKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Complete => f.write_str("complete"),
            Self::Delta => f.write_str("delta"),
            Self::Partition(number) => write!(f, "partition {number}"),
        }
    }
}

/// An issuer's list, as its URL names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListName {
    pub issuer: String,
    pub kind: ListKind,
}

impl ListName {
    /// What follows `/crl/`: `servers.crl`, `servers-delta.crl`, `servers/3.crl`.
    pub fn parse_path(path: &str) -> Option<Self> {
        let stem = path.strip_suffix(".crl")?;
        if let Some((issuer, number)) = stem.split_once('/') {
            return Some(Self {
                issuer: issuer.into(),
                kind: ListKind::Partition(number.parse().ok()?),
            });
        }
        Some(match stem.strip_suffix("-delta") {
            Some(issuer) => Self {
                issuer: issuer.into(),
                kind: ListKind::Delta,
            },
            None => Self {
                issuer: stem.into(),
                kind: ListKind::Complete,
            },
        })
    }

    pub fn path(&self) -> String {
        match self.kind {
            ListKind::Complete => format!("crl/{}.crl", self.issuer),
            ListKind::Delta => format!("crl/{}-delta.crl", self.issuer),
            ListKind::Partition(number) => format!("crl/{}/{number}.crl", self.issuer),
        }
    }
}

/// A published list.
#[derive(Clone, Debug)]
pub struct PublishedList {
    pub name: ListName,
    pub number: i64,
    pub entries: i64,
    pub this_update: Time,
    pub next_update: Time,
    pub sha256: [u8; 32],
    pub size: usize,
    pub der: Bytes,
}

/// How long lists live. They are replaced at half of it, or at once when a status changes.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    pub complete_seconds: i64,
    pub delta_seconds: i64,
}

impl Default for Lifetimes {
    /// A day for lists, so that a weekend without Ward's partition tolerance is noticed but survivable at the edge
    /// caches; six hours for deltas.
    fn default() -> Self {
        Self {
            complete_seconds: 48 * 3600,
            delta_seconds: 6 * 3600,
        }
    }
}

/// What is known in memory about publication; the database is the truth.
#[derive(Default)]
pub(crate) struct Lists {
    kept: RwLock<Kept>,
    /// Overtaken partitions, and since when.
    dirty: Mutex<BTreeMap<(String, u32), Instant>>,
}

/// Lists in memory, and how often some were forgotten.
#[derive(Default)]
struct Kept {
    lists: HashMap<ListName, Arc<PublishedList>>,
    forgotten: u64,
}

impl Lists {
    /// A certificate of this issuer and partition changed its status.
    pub(crate) fn mark(&self, issuer: &str, partition: u32) {
        self.mark_since(issuer, partition, Instant::now());
    }

    /// The earliest mark counts: it is what relying parties have been waiting for.
    fn mark_since(&self, issuer: &str, partition: u32, since: Instant) {
        let mut dirty = self.dirty.lock();
        let mark = dirty.entry((issuer.to_owned(), partition)).or_insert(since);
        *mark = since.min(*mark);
    }

    /// Somebody published: whatever is kept may be old.
    pub(crate) fn forget(&self, issuer: &str) {
        let mut kept = self.kept.write();
        kept.lists.retain(|name, _| name.issuer != issuer);
        kept.forgotten += 1;
    }

    fn take_dirty(&self, issuer: &str) -> BTreeMap<u32, Instant> {
        let mut dirty = self.dirty.lock();
        let (mine, others): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut *dirty)
            .into_iter()
            .partition(|((name, _), _)| name == issuer);
        *dirty = others;
        mine.into_iter()
            .map(|((_, partition), since)| (partition, since))
            .collect()
    }
}

/// A change is stamped shortly before it is committed: who looks for changes since a list looks back so much further.
const STAMPED_BEFORE_SECONDS: i64 = 60;

/// Partitions with a change since their list: one look into the index for each.
const OVERTAKEN: &str = "SELECT issuer, partition FROM crls WHERE partition >= 0 AND EXISTS (\
    SELECT 1 FROM revocations WHERE revocations.issuer = crls.issuer \
    AND revocations.partition = crls.partition \
    AND revocations.changed_at >= (crls.this_update - $1) * 1000)";

/// What one call of [`Ca::publish_due`] did for one issuer.
#[derive(Debug, serde::Serialize)]
pub struct Publication {
    pub issuer: String,
    pub lists: Vec<String>,
    pub entries: i64,
    pub bytes: usize,
    pub milliseconds: u64,
}

impl Ca {
    /// Publishes every list that is missing, past its half-life, or overtaken by a status change. Idempotent.
    pub async fn publish_due(&self, now: Timestamp) -> Result<Vec<Publication>, CaError> {
        let mut published = Vec::new();
        for issuer in self.issuers() {
            if issuer.key().is_some() {
                published.extend(self.publish_issuer(&issuer, now, false).await?);
            }
        }
        Ok(published)
    }

    /// Marks every partition in which a status has changed since its list was made, for a process that has just begun
    /// to follow the log: what the one before it knew to be due died with it. Nor has anybody told this one of keys
    /// that were compromised since it was opened.
    pub async fn mark_overtaken(&self) -> Result<(), CaError> {
        let rows = self
            .store()
            .query(OVERTAKEN, params![STAMPED_BEFORE_SECONDS])
            .await?;
        for row in &rows {
            let partition = u32::try_from(row.int(1)?).unwrap_or_default();
            self.status_services().lists.mark(row.text(0)?, partition);
        }
        if !rows.is_empty() {
            self.status_services().nudge.notify_one();
        }
        self.read_compromised_keys().await
    }

    /// Publishes all lists of an issuer, due or not.
    pub async fn publish_now(
        &self,
        issuer: &str,
        now: Timestamp,
    ) -> Result<Option<Publication>, CaError> {
        let issuer = self.issuer(issuer)?;
        self.publish_issuer(&issuer, now, true).await
    }

    /// A published list, from memory where it is small enough to be kept.
    pub async fn crl(&self, name: &ListName) -> Result<Option<Arc<PublishedList>>, CaError> {
        let kept = &self.status_services().lists.kept;
        let forgotten = {
            let kept = kept.read();
            if let Some(list) = kept.lists.get(name) {
                return Ok(Some(Arc::clone(list)));
            }
            kept.forgotten
        };
        let rows = self
            .store()
            .query(
                "SELECT issuer, partition, number, entries, this_update, next_update, sha256, length(der), der \
                 FROM crls WHERE issuer = $1 AND partition = $2",
                params![name.issuer.as_str(), name.kind.column()],
            )
            .await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let list = Arc::new(read_list(row, Bytes::from(row.blob(8)?.to_vec()))?);
        if list.size <= KEPT_IN_MEMORY {
            let mut kept = kept.write();
            // What was published while this one was read must not be hidden behind it.
            if kept.forgotten == forgotten {
                kept.lists.insert(name.clone(), Arc::clone(&list));
            }
        }
        Ok(Some(list))
    }

    /// Numbers, sizes and ages of everything published.
    pub async fn published_lists(&self) -> Result<Vec<PublishedList>, CaError> {
        let rows = self
            .store()
            .query(
                "SELECT issuer, partition, number, entries, this_update, next_update, sha256, length(der) \
                 FROM crls ORDER BY issuer, partition",
                params![],
            )
            .await?;
        rows.iter()
            .map(|row| read_list(row, Bytes::new()))
            .collect()
    }

    async fn publish_issuer(
        &self,
        issuer: &Arc<Issuer>,
        now: Timestamp,
        all: bool,
    ) -> Result<Option<Publication>, CaError> {
        let started = Instant::now();
        let dirty = self.status_services().lists.take_dirty(issuer.name());
        let result = self.publish_kinds(issuer, &dirty, now, all).await;
        if result.is_err() {
            // Nothing is lost: the next round tries again.
            let lists = &self.status_services().lists;
            dirty
                .iter()
                .for_each(|(partition, since)| lists.mark_since(issuer.name(), *partition, *since));
        }
        let lists = result?;
        if lists.is_empty() {
            return Ok(None);
        }
        // R26: from the acknowledged revocation to the list that says so.
        for since in dirty.values() {
            metrics::histogram!("ward_revocation_publication_seconds")
                .record(since.elapsed().as_secs_f64());
        }
        metrics::histogram!("ward_crl_publication_seconds").record(started.elapsed().as_secs_f64());
        Ok(Some(Publication {
            issuer: issuer.name().to_owned(),
            entries: lists
                .iter()
                .map(|list| list.entries)
                .max()
                .unwrap_or_default(),
            bytes: lists.iter().map(|list| list.size).sum(),
            lists: lists
                .iter()
                .map(|list| list.name.kind.to_string())
                .collect(),
            milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }))
    }

    async fn publish_kinds(
        &self,
        issuer: &Arc<Issuer>,
        dirty: &BTreeMap<u32, Instant>,
        now: Timestamp,
        all: bool,
    ) -> Result<Vec<PublishedList>, CaError> {
        let known = self.known_lists(issuer.name()).await?;
        let mut lists = Vec::new();
        for kind in self.due_lists(issuer, &known, dirty, now, all).await? {
            // A delta refers to the complete list, which may just have been replaced.
            let base = lists
                .iter()
                .chain(known.values())
                .find(|list: &&PublishedList| list.name.kind == ListKind::Complete);
            let base = (kind == ListKind::Delta).then(|| base.cloned()).flatten();
            let before = known.get(&kind).map_or(0, |list| list.number);
            let list = self
                .build_list(issuer, kind, base.as_ref(), before, now)
                .await?;
            self.record_list(issuer, &list, now).await?;
            lists.push(list);
        }
        Ok(lists)
    }

    async fn known_lists(&self, issuer: &str) -> Result<HashMap<ListKind, PublishedList>, CaError> {
        let rows = self
            .store()
            .query(
                "SELECT issuer, partition, number, entries, this_update, next_update, sha256, length(der) \
                 FROM crls WHERE issuer = $1",
                params![issuer],
            )
            .await?;
        rows.iter()
            .map(|row| read_list(row, Bytes::new()).map(|list| (list.name.kind, list)))
            .collect()
    }

    /// Complete before delta: a delta stands on the newest complete list.
    async fn due_lists(
        &self,
        issuer: &Issuer,
        known: &HashMap<ListKind, PublishedList>,
        dirty: &BTreeMap<u32, Instant>,
        now: Timestamp,
        all: bool,
    ) -> Result<Vec<ListKind>, CaError> {
        let past_half = |kind: ListKind| {
            known.get(&kind).is_none_or(|list| {
                now.seconds() >= list.this_update.0 + (list.next_update.0 - list.this_update.0) / 2
            })
        };
        let small = known
            .get(&ListKind::Complete)
            .is_none_or(|list| list.entries.unsigned_abs() <= IMMEDIATE_ENTRIES);
        let mut kinds = Vec::new();
        if all || past_half(ListKind::Complete) || (!dirty.is_empty() && small) {
            kinds.push(ListKind::Complete);
        }
        if all || past_half(ListKind::Delta) || !dirty.is_empty() || !kinds.is_empty() {
            kinds.push(ListKind::Delta);
        }
        let partitions = match issuer.record().parent {
            Some(_) => self.newest_partition(issuer).await? + 2,
            None => 0,
        };
        // The partition that the next certificates will name must exist before they do.
        for number in 0..partitions {
            let kind = ListKind::Partition(number);
            if all || dirty.contains_key(&number) || past_half(kind) {
                kinds.push(kind);
            }
        }
        Ok(kinds)
    }

    async fn build_list(
        &self,
        issuer: &Arc<Issuer>,
        kind: ListKind,
        base: Option<&PublishedList>,
        number_before: i64,
        now: Timestamp,
    ) -> Result<PublishedList, CaError> {
        let (entries, count) = self.revoked_entries(issuer.name(), kind, base, now).await?;
        let lifetime = match kind {
            ListKind::Delta => Lifetimes::default().delta_seconds,
            _ => Lifetimes::default().complete_seconds,
        };
        // Unix milliseconds rise by themselves; a clock that stood still must not repeat a number (§5.2.3).
        let number = now.0.max(number_before + 1);
        let name = ListName {
            issuer: issuer.name().to_owned(),
            kind,
        };
        let publish_url = self
            .publish_url()
            .ok_or(CaError::Internal("an issuer without a hierarchy"))?;
        let header = header(
            issuer,
            kind,
            base,
            number,
            Time(now.seconds()),
            Time(now.seconds() + lifetime),
            &publish_url,
        );
        let signer = issuer
            .signer()
            .cloned()
            .ok_or_else(|| CaError::Offline(issuer.name().to_owned()))?;
        let der = tokio::task::spawn_blocking(move || sign(&signer, &header, entries))
            .await
            .map_err(|_| CaError::Interrupted("CRL signing"))??;
        check(&der)?;
        Ok(PublishedList {
            name,
            number,
            entries: count,
            this_update: Time(now.seconds()),
            next_update: Time(now.seconds() + lifetime),
            sha256: audit::merkle::sha256(&der),
            size: der.len(),
            der: der.into(),
        })
    }

    /// The entries in DER, one after the other, ordered by serial number.
    async fn revoked_entries(
        &self,
        issuer: &str,
        kind: ListKind,
        base: Option<&PublishedList>,
        now: Timestamp,
    ) -> Result<(Vec<u8>, i64), CaError> {
        let (low, high) = match kind {
            ListKind::Partition(number) => (i64::from(number), i64::from(number)),
            ListKind::Complete | ListKind::Delta => (i64::MIN, i64::MAX),
        };
        let since = base.map_or(i64::MIN, |base| {
            (base.this_update.0 - STAMPED_BEFORE_SECONDS) * 1000
        });
        // Released holds appear in deltas only, as removeFromCRL (§5.3.1). §3.3: an entry stays until it has appeared on a list published after the certificate's expiry.
        let expired = now.seconds() - 2 * Lifetimes::default().complete_seconds;
        let (mut der, mut count, mut after) = (Vec::new(), 0, Vec::new());
        loop {
            let rows = self
                .store()
                .query(
                    "SELECT serial, revoked_at, reason, invalidity_date FROM revocations \
                     WHERE issuer = $1 AND serial > $2 AND partition >= $3 AND partition <= $4 \
                     AND changed_at >= $5 AND expires > $6 AND (reason <> 8 OR $7 = 1) ORDER BY serial LIMIT $8",
                    params![issuer, after, low, high, since, expired, i64::from(kind == ListKind::Delta), PAGE],
                )
                .await?;
            for row in &rows {
                x509::crl::encode_entry(&read_entry(row)?, &mut der);
            }
            count += rows.len() as i64;
            match rows.last() {
                Some(row) if rows.len() as i64 == PAGE => after = row.blob(0)?.to_vec(),
                _ => return Ok((der, count)),
            }
        }
    }

    async fn record_list(
        &self,
        issuer: &Issuer,
        list: &PublishedList,
        now: Timestamp,
    ) -> Result<(), CaError> {
        let event = Event::new(
            now,
            Actor::system("publisher"),
            "crl.publish",
            Object::new("issuer", issuer.name()),
        )
        .after(json!({
            "list": list.name.kind.to_string(),
            "number": list.number,
            "entries": list.entries,
            "bytes": list.size,
            "next_update": list.next_update.to_string(),
        }))
        .digest(list.sha256);
        let write = Write::new(event)?.run_expecting(
            1,
            "INSERT INTO crls (issuer, partition, number, entries, this_update, next_update, sha256, der) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (issuer, partition) DO UPDATE SET \
             number = excluded.number, entries = excluded.entries, this_update = excluded.this_update, \
             next_update = excluded.next_update, sha256 = excluded.sha256, der = excluded.der \
             WHERE crls.number < excluded.number",
            params![
                list.name.issuer.as_str(),
                list.name.kind.column(),
                list.number,
                list.entries,
                list.this_update.0,
                list.next_update.0,
                list.sha256,
                list.der.to_vec()
            ],
            "a newer list has been published by another node",
        );
        self.store().commit(write).await?;
        self.status_services().lists.forget(issuer.name());
        Ok(())
    }
}

fn header(
    issuer: &Issuer,
    kind: ListKind,
    base: Option<&PublishedList>,
    number: i64,
    this_update: Time,
    next_update: Time,
    publish_url: &str,
) -> TbsCrl {
    let name = |kind| ListName {
        issuer: issuer.name().to_owned(),
        kind,
    };
    let url = |kind| format!("{publish_url}/{}", name(kind).path());
    let mut extensions = vec![
        issuer.authority_key_id(),
        ext::CrlNumber::from_u64(number.unsigned_abs()).encode(),
    ];
    match (kind, base) {
        (ListKind::Delta, Some(base)) => {
            extensions.push(ext::DeltaCrlIndicator::from_u64(base.number.unsigned_abs()).encode());
        }
        (ListKind::Partition(number), _) => {
            let url = url(ListKind::Partition(number));
            let name = DistributionPointName::Full(vec![GeneralName::Uri(url)]);
            extensions.push(
                ext::IssuingDistributionPoint {
                    name: Some(name),
                    ..Default::default()
                }
                .encode(),
            );
        }
        _ => extensions
            .push(ext::FreshestCrl(vec![DistributionPoint::uri(&url(ListKind::Delta))]).encode()),
    }
    TbsCrl {
        signature: issuer.signature_algorithm(),
        issuer: issuer.certificate().subject().clone(),
        this_update,
        next_update,
        extensions,
    }
}

fn sign(signer: &Signer, header: &TbsCrl, entries: Vec<u8>) -> Result<Vec<u8>, CaError> {
    let unsigned = header.encode([&entries], entries.len())?;
    drop(entries);
    let signature = signer.sign(header.signature, unsigned.tbs())?;
    Ok(unsigned.assemble(&signature))
}

/// What would be refused in anybody else's list is not published in ours.
fn check(der: &[u8]) -> Result<(), CaError> {
    let mut findings = x509::lint::lint_crl_der(der).into_iter();
    match findings.find(|finding| finding.severity == Severity::Error) {
        Some(finding) => Err(CaError::Lint(format!(
            "{}: {} ({})",
            finding.rule, finding.message, finding.citation
        ))),
        None => Ok(()),
    }
}

fn read_list(row: &Row, der: Bytes) -> Result<PublishedList, CaError> {
    Ok(PublishedList {
        name: ListName {
            issuer: row.text(0)?.to_owned(),
            kind: ListKind::from_column(row.int(1)?),
        },
        number: row.int(2)?,
        entries: row.int(3)?,
        this_update: Time(row.int(4)?),
        next_update: Time(row.int(5)?),
        sha256: row.blob(6)?.try_into().map_err(|_| {
            CaError::stored(
                "crl",
                row.text(0).unwrap_or_default(),
                "a digest of another size",
            )
        })?,
        size: usize::try_from(row.int(7)?).unwrap_or_default(),
        der,
    })
}

fn read_entry(row: &Row) -> Result<RevokedEntry, CaError> {
    let reason = u8::try_from(row.int(2)?).ok().and_then(Reason::from_code);
    let reason = reason.filter(|reason| *reason != Reason::Unspecified);
    Ok(RevokedEntry {
        invalidity_date: row.opt_int(3)?.map(Time),
        ..RevokedEntry::new(row.blob(0)?.to_vec(), Time(row.int(1)?), reason)
    })
}
