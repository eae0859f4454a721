//! Segments of the network, and what a scan of each may do: limits that one person writes and another signs off, or nothing
//! is sent there (R17).
//!
//! A segment is a record whose versions are kept. Whatever its limits do not name is not allowed; a change of them takes
//! the signature back. Where a segment lies within another, the inner one's limits hold and the outer's scans stay out.

mod check;
mod hours;
mod limits;
mod sign;

use std::collections::BTreeSet;

use access::{Action, Permit};
use agent::scan::{Depth, Exclusion, Range};
use audit::{Actor, Event, Object, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::{Record, StoreError, Write};

pub use hours::{Hours, HoursError, Open};
pub use limits::{LimitsNow, Nameless, Unplaced};
pub use sign::{SIGNED_LIMITS, SignOff, SignedLimits, SignedLimitsError};

use crate::{Fleet, FleetError, Result};

/// The kind under which segments are kept.
pub const SEGMENT_RECORDS: &str = "segment";
/// Key of a record's body under which stands who wrote and who signed it.
const HANDS: &str = "hands";

/// A part of the network, and its limits. The defaults allow nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Segment {
    /// 1 to 63 lower-case letters, digits and hyphens.
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The team that answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The agent that looks at it; absent: this Ward itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay: Option<String>,
    /// Looked at anew after so many hours; absent: when somebody asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_hours: Option<u32>,

    pub ranges: Vec<Range>,
    /// Never these, and by whose rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Exclusion>,
    /// `443`, `8000-8010`, `2525/smtp`. None: nothing may be asked.
    pub ports: Vec<String>,
    /// Connections a second over the whole segment.
    pub rate: f64,
    /// Connections to one device at a time.
    pub per_device: u32,
    /// Rest between two connections to one device, in milliseconds.
    pub pause_ms: u32,
    /// The most that may be asked of a place.
    pub depth: Depth,
    /// When; in `zone`. None: never.
    pub hours: Vec<Hours>,
    /// IANA name of the site's time zone.
    pub zone: String,
    /// Models, as the register spells them, of which no device is ever touched.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub never_models: BTreeSet<String>,
    /// Devices whose criticality is life support may be touched.
    pub life_support: bool,
    /// Go ahead even if devices that must not be touched are registered here and nobody knows at which address.
    pub unplaced: bool,
    /// Ports 9100 to 9107, which print whatever they receive, may be connected to.
    pub raw_print: bool,
    /// Devices of no known model that may fall silent before all such are left alone.
    pub silent: u32,
}

impl Default for Segment {
    fn default() -> Self {
        Segment {
            name: String::new(),
            site: None,
            owner: None,
            note: String::new(),
            relay: None,
            every_hours: None,
            ranges: Vec::new(),
            exclude: Vec::new(),
            ports: Vec::new(),
            rate: 1.0,
            per_device: 1,
            pause_ms: 1000,
            depth: Depth::Certificate,
            hours: Vec::new(),
            zone: "UTC".to_owned(),
            never_models: BTreeSet::new(),
            life_support: false,
            unplaced: false,
            raw_print: false,
            silent: 1,
        }
    }
}

/// A segment with the number of its version, and the hands that it went through.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredSegment {
    pub version: u64,
    /// Since when it is so, Unix milliseconds.
    pub since: i64,
    pub segment: Segment,
    /// Everybody who had a hand in these limits since they were last signed. None of them may sign.
    pub writers: Vec<Actor>,
    /// Absent: nothing may be sent there.
    pub signed: Option<SignOff>,
}

#[derive(Serialize, Deserialize)]
struct Hands {
    writers: Vec<Actor>,
    signed: Option<SignOff>,
}

impl Fleet {
    /// Every segment, by name.
    pub async fn segments(&self) -> Result<Vec<StoredSegment>> {
        let records = self.store().records(SEGMENT_RECORDS).await?;
        records.iter().map(read).collect()
    }

    /// The segments as they were (R52).
    pub async fn segments_as_of(&self, at: Timestamp) -> Result<Vec<StoredSegment>> {
        let records = self.store().records_as_of(SEGMENT_RECORDS, at).await?;
        records.iter().map(read).collect()
    }

    /// One segment, by its name.
    pub async fn segment(&self, name: &str) -> Result<StoredSegment> {
        match self.store().record(SEGMENT_RECORDS, name).await? {
            Some(record) => read(&record),
            None => Err(FleetError::not_found("segment", name)),
        }
    }

    /// Every version of a segment, the oldest first.
    pub async fn segment_versions(&self, name: &str) -> Result<Vec<StoredSegment>> {
        let records = self.store().record_versions(SEGMENT_RECORDS, name).await?;
        match records.is_empty() {
            true => Err(FleetError::not_found("segment", name)),
            false => records.iter().map(read).collect(),
        }
    }

    /// Makes a segment (`expected` 0) or changes one (`expected` is the version that was read). If a limit changes, the
    /// signature is gone, and whoever changed it cannot sign.
    pub async fn put_segment(
        &self,
        permit: Permit,
        mut segment: Segment,
        expected: u64,
        now: Timestamp,
    ) -> Result<StoredSegment> {
        let action = match expected {
            0 => "segment.create",
            _ => "segment.update",
        };
        let object = Object::new("segment", shown(&segment.name));
        let others = self.segments().await?;
        let checked = permit
            .require(Action::ManageSegments)
            .and_then(|()| check::tidy(&mut segment))
            .and_then(|()| check::beside(&segment, &others));
        self.checked(&permit, action, &object, checked, now).await?;
        let before = others
            .into_iter()
            .find(|stored| stored.segment.name == segment.name);
        let same = before
            .as_ref()
            .is_some_and(|before| sign::digest(&before.segment) == sign::digest(&segment));
        let hands = match &before {
            Some(before) if same => Hands {
                writers: before.writers.clone(),
                signed: before.signed.clone(),
            },
            before => Hands {
                writers: writers(before.as_ref(), permit.actor()),
                signed: None,
            },
        };
        let name = segment.name.clone();
        let body = body(&segment, &hands)?;
        let mut event = Event::new(now, permit.actor().clone(), action, object).after(body.clone());
        if let Some(before) = &before {
            event = event.before(json!(before));
        }
        let write = Write::new(permit.joined(event))?;
        let write = write.put_record(SEGMENT_RECORDS, &name, expected, &body, now)?;
        self.store().commit(write).await?;
        self.segment(&name).await
    }

    /// Takes a segment away. Those around it that were signed while it was there stay out of its addresses until they are
    /// signed anew.
    pub async fn remove_segment(
        &self,
        permit: Permit,
        name: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<()> {
        let stored = self.segment(name).await?;
        let object = Object::new("segment", name);
        let action = "segment.remove";
        let allowed = permit.require(Action::ManageSegments);
        self.checked(&permit, action, &object, allowed, now).await?;
        let mut event =
            Event::new(now, permit.actor().clone(), action, object).before(json!(stored));
        if !why.is_empty() {
            event = event.why(why);
        }
        let write = Write::new(permit.joined(event))?;
        let write = write.remove_record(SEGMENT_RECORDS, name, stored.version, now);
        self.store().commit(write).await?;
        Ok(())
    }
}

/// Who had a hand in limits that are about to be written: whoever writes now, and those before, unless what they wrote was
/// signed.
fn writers(before: Option<&StoredSegment>, now: &Actor) -> Vec<Actor> {
    let mut writers = match before {
        Some(before) if before.signed.is_none() => before.writers.clone(),
        _ => Vec::new(),
    };
    if !writers.iter().any(|writer| writer.id == now.id) {
        writers.push(now.clone());
    }
    writers
}

fn body(segment: &Segment, hands: &Hands) -> Result<Value> {
    let value = |error: serde_json::Error| StoreError::Value(format!("segment: {error}"));
    let mut body = match serde_json::to_value(segment).map_err(value)? {
        Value::Object(body) => body,
        _ => Map::new(),
    };
    body.insert(
        HANDS.to_owned(),
        serde_json::to_value(hands).map_err(value)?,
    );
    Ok(Value::Object(body))
}

fn read(record: &Record) -> Result<StoredSegment> {
    let value = |error: serde_json::Error| {
        let (id, version) = (&record.id, record.version);
        StoreError::Value(format!("segment {id} version {version}: {error}"))
    };
    let mut body: Map<String, Value> = record.parse()?;
    let hands = body.remove(HANDS).unwrap_or(Value::Null);
    let hands: Hands = serde_json::from_value(hands).map_err(value)?;
    Ok(StoredSegment {
        version: record.version,
        since: record.valid_from.0,
        segment: serde_json::from_value(Value::Object(body)).map_err(value)?,
        writers: hands.writers,
        signed: hands.signed,
    })
}

/// A name as far as the log quotes it.
fn shown(name: &str) -> String {
    name.chars().take(63).filter(|c| !c.is_control()).collect()
}
