//! What was looked at though nobody came to an end: targets of a scan that was interrupted, and places that somebody looked at
//! beyond the network and brought home in a file. Addresses on their own, joined to ranges where they lie together.

use std::collections::BTreeMap;
use std::net::IpAddr;

use access::Permit;
use agent::observation::{How, Observation, Place};
use agent::scan::{Range, Target};
use audit::{Event, Object, Timestamp};
use serde_json::json;
use store::{Write, params};

use super::{LOOKED_AT, merged, number, span, without};
use crate::inventory::zone::Zones;
use crate::{Fleet, Result};

/// Targets, and rows, of one scan: scattered as targets are, a scan that is interrupted half way has as many rows as addresses.
/// What is beyond is not counted; less than was looked at is no lie.
const MOST_TARGETS: usize = 1_000_000;
const MOST_ROWS: usize = 50_000;
const DAY: i64 = 86_400_000;
/// How the name of whoever brought a file is set behind the file's.
const BY: &str = ", brought by ";
const FILE: &str = "file ";

/// Rows for the targets that are done, less what was left out.
pub(super) fn write(
    write: Write,
    (segment, scan): (&str, &str),
    done: impl Iterator<Item = Target>,
    out: &[Range],
    at: Timestamp,
) -> Write {
    let places = done.take(MOST_TARGETS);
    let places = places.map(|target| (number(target.address), target.port));
    rows(write, (segment, scan), places.collect(), out, at)
}

fn rows(
    mut write: Write,
    (segment, scan): (&str, &str),
    mut places: Vec<(u128, u16)>,
    out: &[Range],
    at: Timestamp,
) -> Write {
    places.sort_unstable();
    places.dedup();
    let mut by_ports: BTreeMap<Vec<u16>, Vec<super::Span>> = BTreeMap::new();
    for one in places.chunk_by(|one, other| one.0 == other.0) {
        let ports = one.iter().map(|(_, port)| *port).collect();
        let Some((address, _)) = one.first() else {
            continue;
        };
        by_ports
            .entry(ports)
            .or_default()
            .push((*address, *address));
    }
    let out = merged(out.iter().map(span).collect());
    let mut left = MOST_ROWS;
    for (ports, spans) in by_ports {
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        let ports = ports.join(",");
        for (first, last) in without(&merged(spans), &out).into_iter().take(left) {
            left -= 1;
            let row = params![
                segment,
                first.to_be_bytes(),
                last.to_be_bytes(),
                ports.as_str(),
                at,
                scan,
            ];
            write = write.run(LOOKED_AT, row);
        }
    }
    write
}

/// Who brought the file that a row is from.
pub(super) fn brought_by(scan: &str) -> Option<&str> {
    let (_, by) = scan.strip_prefix(FILE)?.rsplit_once(BY)?;
    Some(by)
}

/// Places that a file says somebody has looked at, with the day and the first moment of it.
#[derive(Default)]
pub(crate) struct Sighted(BTreeMap<i64, (i64, Vec<(IpAddr, u16)>)>);

impl Sighted {
    /// A scanner's word counts; what was overheard or read from a disk is no look at a place.
    pub(crate) fn add(&mut self, seen: &Observation, now: Timestamp) {
        if let (How::Scan, true, Place::Network { address, port, .. }) =
            (&seen.how, seen.outcome.looked(), &seen.place)
        {
            let at = seen.at.min(now.0);
            let (first, places) = self.0.entry(at.div_euclid(DAY)).or_insert((at, Vec::new()));
            *first = at.min(*first);
            if places.len() < MOST_TARGETS {
                places.push((*address, *port));
            }
        }
    }
}

impl Fleet {
    /// What a file was looked at for, as coverage of the segments that it is of.
    pub(crate) async fn cover_sighted(
        &self,
        permit: &Permit,
        source: &str,
        sighted: Sighted,
        now: Timestamp,
    ) -> Result<()> {
        let zones: Zones = self.zones().await?;
        let mut covered: BTreeMap<(String, i64), Vec<(u128, u16)>> = BTreeMap::new();
        for (first, places) in sighted.0.into_values() {
            for (address, port) in places {
                if let Some(zone) = zones.of(address) {
                    let of = covered.entry((zone.name.clone(), first)).or_default();
                    of.push((number(address), port));
                }
            }
        }
        if covered.is_empty() {
            return Ok(());
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for ((segment, _), places) in &covered {
            *counts.entry(segment).or_default() += places.len();
        }
        let object = Object::new("inventory", source);
        let event = Event::new(now, permit.actor().clone(), "coverage.carried", object)
            .after(json!({ "places": counts }));
        let scan = format!("{FILE}{source}{BY}{}", permit.actor().id);
        let mut write = Write::new(permit.joined(event))?;
        for ((segment, at), places) in covered {
            write = rows(write, (&segment, &scan), places, &[], Timestamp(at));
        }
        Ok(self.store().commit(write).await.map(drop)?)
    }
}
