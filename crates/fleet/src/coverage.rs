//! Coverage: which addresses of each segment were looked at, when, by which scan, and which never. It is evidence itself
//! (R17), so it counts what was really looked at, also by a scan that did not come to its end: what a rule kept out, or a device
//! that fell silent, is not in it.

mod partial;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use agent::scan::{Exclusion, Range, Service, Target};
use audit::Timestamp;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use store::{Write, params};

use crate::scan::Scan;
use crate::segment::{Segment, StoredSegment, Unplaced};
use crate::{Fleet, FleetError, Result};
pub(crate) use partial::Sighted;

const LOOKED_AT: &str = "INSERT INTO coverage(segment, first, last, ports, looked_at, scan) VALUES($1, $2, $3, $4, $5, $6) \
    ON CONFLICT(segment, first, last, ports) DO UPDATE SET looked_at = excluded.looked_at, scan = excluded.scan \
    WHERE excluded.looked_at >= coverage.looked_at";
/// What a scan had looked at when it was last interrupted.
const SO_FAR: &str = "DELETE FROM coverage WHERE segment = $1 AND scan = $2";
const ROWS: &str = "SELECT first, last, ports, looked_at, scan FROM coverage WHERE segment = $1 ORDER BY looked_at DESC, first";
const OUTSIDE: &str = "SELECT COUNT(DISTINCT address) FROM places WHERE address IS NOT NULL AND segment IS NULL AND kind = 'network'";

/// Ranges that a report names of one sort, unless more are asked for.
const NAMED: usize = 100;
/// The most that are named. Beyond it the counts say how many there are.
const MOST_NAMED: usize = 10_000;
/// Segments that are worked out at a time.
const AT_ONCE: usize = 32;

/// From one address to another, as numbers.
type Span = (u128, u128);

/// What is known of one segment.
#[derive(Clone, Debug, Serialize)]
pub struct Coverage {
    pub segment: String,
    pub signed: bool,
    /// Addresses that this segment answers for: its ranges, less segments within them.
    pub addresses: u64,
    /// By rules: exclusions, models that are never touched, life support.
    pub excluded: u64,
    /// On any port.
    pub looked_at: u64,
    /// On every port that the segment allows.
    pub in_full: u64,
    /// Neither excluded nor looked at.
    pub never: u64,
    /// Looked at, and longer ago than was asked for.
    pub stale: u64,
    /// When what is looked at was, Unix milliseconds.
    pub oldest: Option<i64>,
    pub newest: Option<i64>,
    pub exclusions: Vec<Exclusion>,
    pub looked: Vec<Looked>,
    /// The first hundred, or as many as were asked for.
    pub never_ranges: Vec<Range>,
    /// More ranges than are named here.
    pub shortened: bool,
    /// Devices that must not be touched, are registered elsewhere, and are at no address that anybody knows: were one of them
    /// carried here, no limit would hold a scan back. The first hundred.
    pub astray: Vec<Unplaced>,
}

/// A range that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Looked {
    pub range: Range,
    pub ports: String,
    pub at: i64,
    pub scan: String,
    pub by: String,
}

/// Coverage of everything.
#[derive(Clone, Debug, Serialize)]
pub struct CoverageReport {
    pub segments: Vec<Coverage>,
    /// Addresses where certificates were seen and that belong to no segment.
    pub outside: u64,
}

/// Adds what a scan has looked at to the write that ends it.
pub(crate) fn looked_at(write: Write, scan: &Scan, now: Timestamp) -> Write {
    let hosts = scan.plan.hosts.iter().map(|(_, address)| *address);
    let missed = scan.progress.missed.iter().copied();
    let one = |address| Range::new(address, address);
    let asked = scan
        .plan
        .ranges
        .iter()
        .copied()
        .chain(hosts.filter_map(one));
    let out = scan.progress.excluded.iter().copied();
    let write = write.run(SO_FAR, params![scan.segment.as_str(), scan.id.as_str()]);
    Covered {
        segment: &scan.segment,
        scan: &scan.id,
        ports: scan.plan.services.join(","),
        asked: asked.collect(),
        out: out.chain(missed.filter_map(one)).collect(),
    }
    .write(write, now)
}

/// Adds what an interrupted scan has looked at until now, in the place of what it had when it was interrupted before.
pub(crate) fn looked_so_far(write: Write, scan: &Scan, at: Timestamp) -> Write {
    let (progress, plan) = (&scan.progress, &scan.plan);
    let Ok(targets) = plan.targets() else {
        return write;
    };
    if progress.overflow {
        return write;
    }
    let missed = progress.missed.iter();
    let missed = missed.filter_map(|address| Range::new(*address, *address));
    let write = write.run(SO_FAR, params![scan.segment.as_str(), scan.id.as_str()]);
    let done = progress.cursor.targets(&targets, &plan.seed);
    let out: Vec<Range> = progress.excluded.iter().copied().chain(missed).collect();
    partial::write(write, (&scan.segment, &scan.id), done, &out, at)
}

/// What was asked for by a scan, or by an order to an agent, that has come to its end; and what of it was left out.
pub(crate) struct Covered<'a> {
    pub(crate) segment: &'a str,
    pub(crate) scan: &'a str,
    pub(crate) ports: String,
    pub(crate) asked: Vec<Range>,
    pub(crate) out: Vec<Range>,
}

impl Covered<'_> {
    /// Only what of it is done by now: an order that ended before its end.
    pub(crate) fn write_so_far(
        self,
        write: Write,
        done: impl Iterator<Item = Target>,
        at: Timestamp,
    ) -> Write {
        partial::write(write, (self.segment, self.scan), done, &self.out, at)
    }

    pub(crate) fn write(self, mut write: Write, now: Timestamp) -> Write {
        let asked = self.asked.iter().map(span).collect();
        let out = self.out.iter().map(span).collect();
        for (first, last) in without(&merged(asked), &merged(out)) {
            let row = params![
                self.segment,
                first.to_be_bytes(),
                last.to_be_bytes(),
                self.ports.as_str(),
                now,
                self.scan,
            ];
            write = write.run(LOOKED_AT, row);
        }
        write
    }
}

impl Fleet {
    /// Who had a scan made, ordered an agent to, or brought the file.
    async fn asked_by(&self, id: &str) -> String {
        if let Some(by) = partial::brought_by(id) {
            return by.to_owned();
        }
        match self.scan(id).await {
            Ok(scan) => scan.started_by,
            Err(_) => {
                let order = self.agent_order(id).await;
                order.map(|order| order.ordered_by).unwrap_or_default()
            }
        }
    }

    /// Coverage of every segment, or of one. What was looked at before `since` is stale.
    pub async fn coverage(&self, only: Option<&str>, since: Timestamp) -> Result<CoverageReport> {
        self.coverage_named(only, since, NAMED).await
    }

    /// The same, with so many ranges of each sort by name.
    pub async fn coverage_named(
        &self,
        only: Option<&str>,
        since: Timestamp,
        named: usize,
    ) -> Result<CoverageReport> {
        let named = named.min(MOST_NAMED);
        let all = self.segments().await?;
        let mut each = Vec::new();
        for stored in &all {
            if only.is_none_or(|name| name == stored.segment.name) {
                each.push(self.coverage_of(stored, &all, since, named));
            }
        }
        // Side by side: each looks up names, and where no name server answers, each waits for the same seconds.
        let segments = stream::iter(each).buffered(AT_ONCE);
        let segments: Vec<_> = segments.try_collect().await?;
        if let (Some(name), true) = (only, segments.is_empty()) {
            return Err(FleetError::not_found("segment", name));
        }
        let rows = self.store().query(OUTSIDE, params![]).await?;
        let outside = rows.first().map(|row| row.int(0)).transpose()?.unwrap_or(0);
        Ok(CoverageReport {
            segments,
            outside: outside.unsigned_abs(),
        })
    }

    async fn coverage_of(
        &self,
        stored: &StoredSegment,
        all: &[StoredSegment],
        since: Timestamp,
        named: usize,
    ) -> Result<Coverage> {
        let segment = &stored.segment;
        let (exclusions, mut astray) = self.kept_out(stored).await?;
        astray.truncate(NAMED);
        let own = merged(segment.ranges.iter().map(span).collect());
        let inner = all
            .iter()
            .map(|other| &other.segment)
            .filter(|other| other.name != segment.name);
        let inner = inner.flat_map(|other| &other.ranges).filter(|inner| {
            segment
                .ranges
                .iter()
                .any(|own| *own != **inner && own.contains(inner.first()))
        });
        let own = without(&own, &merged(inner.map(span).collect()));
        let out = merged(exclusions.iter().map(|out| span(&out.range)).collect());
        let answers_for = without(&own, &out);
        let (mut any, mut full, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
        let mut looked = Vec::new();
        let mut asked_by: HashMap<String, String> = HashMap::new();
        let (mut oldest, mut newest) = (None::<i64>, None::<i64>);
        let mut shortened = false;
        for row in self
            .store()
            .query(ROWS, params![segment.name.as_str()])
            .await?
        {
            let (first, last) = (octets(row.blob(0)?)?, octets(row.blob(1)?)?);
            let (ports, at) = (row.text(2)?, row.int(3)?);
            any.push((first, last));
            if has_all(ports, segment) {
                full.push((first, last));
            }
            if at >= since.0 {
                fresh.push((first, last));
            }
            oldest = Some(oldest.map_or(at, |oldest| oldest.min(at)));
            newest = Some(newest.map_or(at, |newest| newest.max(at)));
            match range((first, last)) {
                Some(range) if looked.len() < named => {
                    let scan = row.text(4)?;
                    if !asked_by.contains_key(scan) {
                        asked_by.insert(scan.to_owned(), self.asked_by(scan).await);
                    }
                    looked.push(Looked {
                        range,
                        ports: ports.to_owned(),
                        at,
                        scan: scan.to_owned(),
                        by: asked_by.get(scan).cloned().unwrap_or_default(),
                    });
                }
                _ => shortened = true,
            }
        }
        let (any, full, fresh) = (merged(any), merged(full), merged(fresh));
        let never = without(&answers_for, &any);
        shortened |= never.len() > named;
        let seen = both(&answers_for, &any);
        Ok(Coverage {
            segment: segment.name.clone(),
            signed: stored.signature().is_some(),
            addresses: count(&own),
            excluded: count(&both(&own, &out)),
            looked_at: count(&seen),
            in_full: count(&both(&answers_for, &full)),
            never: count(&never),
            stale: count(&without(&seen, &fresh)),
            oldest,
            newest,
            exclusions,
            looked,
            never_ranges: never.into_iter().take(named).filter_map(range).collect(),
            shortened,
            astray,
        })
    }

    /// What rules keep out now, and what they cannot; of limits that do not hold, only what they say themselves.
    async fn kept_out(&self, stored: &StoredSegment) -> Result<(Vec<Exclusion>, Vec<Unplaced>)> {
        let segment = &stored.segment;
        let (limits, astray) = match self.limits_unsigned(&segment.name).await {
            Ok(now) => (now.limits, now.astray),
            Err(FleetError::Refused(_)) => return Ok((segment.exclude.clone(), Vec::new())),
            Err(other) => return Err(other),
        };
        let never = limits
            .models
            .iter()
            .filter(|at| limits.never.contains(&at.model));
        let never = never.map(|at| Exclusion {
            range: at.range,
            rule: format!("model {} is never to be touched", at.model),
        });
        let out = limits.exclude.into_iter().chain(never).collect();
        Ok((out, astray))
    }
}

fn has_all(ports: &str, segment: &Segment) -> bool {
    let looked = Service::list(ports).unwrap_or_default();
    let allowed = Service::list(&segment.ports.join(",")).unwrap_or_default();
    allowed
        .iter()
        .all(|wanted| looked.iter().any(|seen| seen.port == wanted.port))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_ipv6_mapped()),
        IpAddr::V6(address) => u128::from(address),
    }
}

fn octets(bytes: &[u8]) -> Result<u128> {
    let bytes: [u8; 16] = bytes
        .try_into()
        .map_err(|_| FleetError::Damaged("an address of the coverage"))?;
    Ok(u128::from_be_bytes(bytes))
}

fn span(range: &Range) -> Span {
    (number(range.first()), number(range.last()))
}

fn range((first, last): Span) -> Option<Range> {
    let address = |number| {
        let address = Ipv6Addr::from(number);
        address
            .to_ipv4_mapped()
            .map_or(IpAddr::V6(address), IpAddr::V4)
    };
    Range::new(address(first), address(last))
}

/// In order and apart.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::new();
    for (first, last) in spans {
        match merged.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = (*end).max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}

/// What of the first is not in the second; both in order and apart.
fn without(these: &[Span], those: &[Span]) -> Vec<Span> {
    let mut left = Vec::new();
    let mut at = 0;
    for &(first, last) in these {
        while those.get(at).is_some_and(|out| out.1 < first) {
            at += 1;
        }
        let mut from = Some(first);
        for &(out_first, out_last) in those.iter().skip(at).take_while(|out| out.0 <= last) {
            let Some(begin) = from else { break };
            if out_first > begin {
                left.push((begin, out_first - 1));
            }
            from = out_last
                .checked_add(1)
                .filter(|next| *next <= last)
                .map(|next| next.max(begin));
        }
        if let Some(begin) = from {
            left.push((begin, last));
        }
    }
    left
}

/// What is in both.
fn both(these: &[Span], those: &[Span]) -> Vec<Span> {
    without(these, &without(these, those))
}

fn count(spans: &[Span]) -> u64 {
    let each = spans
        .iter()
        .map(|(first, last)| (last - first).saturating_add(1));
    let count = each.fold(0u128, u128::saturating_add);
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn numbers(spans: &[Span]) -> BTreeSet<u128> {
        spans
            .iter()
            .flat_map(|&(first, last)| first..=last)
            .collect()
    }

    fn some() -> impl Strategy<Value = Vec<Span>> {
        let one = (0u128..60, 0u128..12).prop_map(|(first, more)| (first, first + more));
        proptest::collection::vec(one, 0..8)
    }

    proptest! {
        #[test]
        fn r17_spans_are_sets_of_addresses(these in some(), those in some()) {
            let (a, b) = (merged(these.clone()), merged(those.clone()));
            let (these, those) = (numbers(&these), numbers(&those));
            prop_assert_eq!(numbers(&a), these.clone());
            prop_assert_eq!(numbers(&without(&a, &b)), &these - &those);
            prop_assert_eq!(numbers(&both(&a, &b)), &these & &those);
            prop_assert_eq!(count(&a), these.len() as u64);
        }
    }

    #[test]
    fn the_ends_of_all_addresses_are_no_exception() {
        assert_eq!(without(&[(0, u128::MAX)], &[(5, u128::MAX)]), [(0, 4)]);
        assert_eq!(merged(vec![(0, u128::MAX), (7, 9)]), [(0, u128::MAX)]);
        assert_eq!(count(&[(0, u128::MAX)]), u64::MAX);
        let all: Range = "10.0.0.0-10.0.0.9".parse().unwrap();
        assert_eq!(range(span(&all)), Some(all));
    }
}
