//! Signing limits off, and carrying them signed to where there is no database.

use access::{Action, Permit, Refusal, holder};
use agent::scan::{Depth, Exclusion, Limits, Range};
use audit::note::VerifierKey;
use audit::{Actor, Event, Hash, Object, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Write;

use super::check::{SOURCE, inside};
use super::{HANDS, Hands, Hours, Open, SEGMENT_RECORDS, Segment, StoredSegment, body, hours};
use crate::{Fleet, Result, refused};

/// First line of what is signed of limits that are carried away; the second is the SHA-256 of their line. Nothing else that
/// the log's key signs begins with it.
pub const SIGNED_LIMITS: &str = "ward scan limits v1";
/// Longest file of signed limits: those of a segment with ten thousand devices of known models.
const LONGEST: usize = 4 << 20;

/// Who signed limits off, and what was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignOff {
    pub by: Actor,
    /// Unix milliseconds.
    pub at: i64,
    /// Of the limits, hex.
    pub digest: String,
    /// Segments that lay within this one then: its scans stay out of their addresses whatever becomes of them.
    pub within: Vec<Exclusion>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// SHA-256 over what is signed: everything that decides what is sent, and nothing else.
pub(super) fn digest(segment: &Segment) -> Hash {
    let limits = Segment {
        site: None,
        owner: None,
        note: String::new(),
        relay: None,
        every_hours: None,
        ..segment.clone()
    };
    let text = serde_json::to_string(&limits).unwrap_or_default();
    audit::merkle::sha256(format!("ward segment limits v1\n{text}").as_bytes())
}

impl StoredSegment {
    /// The signature, if it is one of these limits by somebody who did not write them.
    pub fn signature(&self) -> Option<&SignOff> {
        self.signed.as_ref().filter(|signed| {
            let by_writer = self
                .writers
                .iter()
                .any(|writer| holder(&writer.id) == holder(&signed.by.id));
            signed.digest == hex::encode(digest(&self.segment)) && !by_writer
        })
    }
}

impl Fleet {
    /// Signs the limits of the version that was read. The writer of them cannot.
    pub async fn sign_segment(
        &self,
        permit: Permit,
        name: &str,
        version: u64,
        note: &str,
        now: Timestamp,
    ) -> Result<StoredSegment> {
        let action = "segment.sign";
        let object = Object::new("segment", name);
        let stored = self.segment(name).await?;
        let checked = permit
            .require(Action::SignSegments)
            .and_then(|()| second_person(&permit, &stored))
            .and_then(|()| as_read(&stored, version))
            .and_then(|()| note_fits(note));
        self.checked(&permit, action, &object, checked, now).await?;
        let signed = SignOff {
            by: permit.actor().clone(),
            at: now.0,
            digest: hex::encode(digest(&stored.segment)),
            within: within(&stored.segment, &self.segments().await?),
            note: note.trim().to_owned(),
        };
        let hands = Hands {
            writers: stored.writers.clone(),
            signed: Some(signed.clone()),
        };
        let body = body(&stored.segment, &hands)?;
        let after = json!({ HANDS: hands, "version": stored.version, "limits": stored.segment });
        let event = Event::new(now, permit.actor().clone(), action, object)
            .digest(digest(&stored.segment))
            .after(after);
        let write = Write::new(permit.joined(event))?;
        let write = write.put_record(SEGMENT_RECORDS, name, stored.version, &body, now)?;
        self.store().commit(write).await?;
        self.segment(name).await
    }

    /// Limits that hold where this Ward cannot be asked, until `until`, signed with the key of its log.
    pub async fn export_limits(
        &self,
        permit: Permit,
        name: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<String> {
        let action = "segment.export-limits";
        let object = Object::new("segment", name);
        let allowed = permit.require(Action::RunDiscovery);
        self.checked(&permit, action, &object, allowed, now).await?;
        let now_in_force = match self.limits_now(name).await {
            Err(crate::FleetError::Refused(refusal)) => {
                return Err(refused(self.access(), &permit, action, &object, refusal, now).await);
            }
            other => other?,
        };
        let segment = &now_in_force.stored.segment;
        let limits = SignedLimits {
            segment: name.to_owned(),
            version: now_in_force.stored.version,
            writers: now_in_force.stored.writers.clone(),
            signed: now_in_force.signed.clone(),
            from: now.0,
            until: until.0,
            services: segment.ports.clone(),
            depth: segment.depth,
            pause_ms: segment.pause_ms,
            hours: segment.hours.clone(),
            zone: segment.zone.clone(),
            limits: now_in_force.limits,
        };
        let text = serde_json::to_string(&limits)
            .map_err(|error| store::StoreError::Value(format!("limits: {error}")))?;
        let digest = audit::merkle::sha256(text.as_bytes());
        let signed = format!("{SIGNED_LIMITS}\n{}\n", hex::encode(digest));
        let note = self.ca.notary().await?.sign_note(&signed)?;
        let event = Event::new(now, permit.actor().clone(), action, object)
            .digest(digest)
            .after(json!({ "version": limits.version, "until": until.0 }));
        let write = Write::new(permit.joined(event))?;
        self.store().commit(write).await?;
        Ok(format!("{text}\n{note}"))
    }
}

/// Segments that lie within a segment, as exclusions.
pub(super) fn within(segment: &Segment, all: &[StoredSegment]) -> Vec<Exclusion> {
    let mut out = Vec::new();
    for other in all.iter().map(|other| &other.segment) {
        if other.name == segment.name {
            continue;
        }
        let inner = other
            .ranges
            .iter()
            .filter(|inner| segment.ranges.iter().any(|own| inside(inner, own)));
        out.extend(inner.map(|range| Exclusion {
            range: *range,
            rule: format!("segment {} has limits of its own", other.name),
        }));
    }
    out
}

fn second_person(permit: &Permit, stored: &StoredSegment) -> Result<(), Refusal> {
    let writer = stored
        .writers
        .iter()
        .find(|writer| permit.principal().is_same_holder(writer));
    let Some(writer) = writer else { return Ok(()) };
    let message = format!("{} had a hand in these limits", writer.id);
    Err(Refusal::new(
        "segment.second-person",
        "R17: limits are signed off",
        message,
    )
    .accepted("somebody who wrote none of them, with role admin or approver"))
}

fn as_read(stored: &StoredSegment, version: u64) -> Result<(), Refusal> {
    if stored.version == version {
        return Ok(());
    }
    let message = format!(
        "version {version} was read, and version {} is in force",
        stored.version
    );
    Err(Refusal::new("segment.version", SOURCE, message)
        .accepted(format!("version {}, once it has been read", stored.version)))
}

fn note_fits(note: &str) -> Result<(), Refusal> {
    let bad = note.chars().count() > 500 || note.chars().any(char::is_control);
    if !bad {
        return Ok(());
    }
    Err(
        Refusal::new("segment.note", SOURCE, "the note cannot be kept")
            .accepted("at most 500 characters on one line"),
    )
}

/// Limits as they are carried to where there is no database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedLimits {
    pub segment: String,
    pub version: u64,
    pub writers: Vec<Actor>,
    pub signed: SignOff,
    /// Unix milliseconds.
    pub from: i64,
    pub until: i64,
    pub services: Vec<String>,
    pub depth: Depth,
    pub pause_ms: u32,
    pub hours: Vec<Hours>,
    pub zone: String,
    pub limits: Limits,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignedLimitsError {
    #[error("limits of {0} bytes; at most {LONGEST} are read")]
    TooLong(usize),
    #[error("not limits that this key signed: {0}")]
    Signature(String),
    #[error("signed, but no limits that are understood: {0}")]
    Form(String),
}

impl SignedLimits {
    /// Reads what [`Fleet::export_limits`] wrote, if the key signed it.
    pub fn open(file: &str, key: &VerifierKey) -> Result<Self, SignedLimitsError> {
        if file.len() > LONGEST {
            return Err(SignedLimitsError::TooLong(file.len()));
        }
        let form = |what: &str| SignedLimitsError::Form(what.to_owned());
        let (body, note) = file.split_once('\n').ok_or_else(|| form("one line"))?;
        let text = key
            .open(note)
            .map_err(|error| SignedLimitsError::Signature(error.to_string()))?;
        let digest = hex::encode(audit::merkle::sha256(body.as_bytes()));
        if text != format!("{SIGNED_LIMITS}\n{digest}\n") {
            return Err(SignedLimitsError::Signature("of something else".to_owned()));
        }
        serde_json::from_str(body).map_err(|error| SignedLimitsError::Form(error.to_string()))
    }

    /// Until when a scan may run now, or the rule against it.
    pub fn open_until(&self, now: Timestamp) -> Result<Timestamp, Refusal> {
        let source = format!("limits of segment {} v{}", self.segment, self.version);
        let utc = |at: i64| Timestamp(at).to_string();
        if now.0 < self.from || now.0 >= self.until {
            let message = format!(
                "the limits hold from {} to {}",
                utc(self.from),
                utc(self.until)
            );
            return Err(Refusal::new("segment.limits-ended", source, message)
                .accepted("limits exported anew, and a clock that is right"));
        }
        let zone = hours::zone(&self.zone).ok_or_else(|| {
            Refusal::new(
                "segment.zone",
                source.clone(),
                format!("time zone {} is not known here", self.zone),
            )
            .accepted("the IANA database of time zones on this machine (package tzdata)")
        })?;
        match hours::open(&self.hours, &zone, now) {
            Open::Until(end) => Ok(Timestamp(end.0.min(self.until))),
            Open::From(from) => {
                Err(
                    Refusal::new("segment.hours", source, "not within the segment's hours")
                        .accepted(format!("from {from}")),
                )
            }
            Open::Never => Err(
                Refusal::new("segment.hours", source, "the segment has no hours")
                    .accepted("limits that name hours"),
            ),
        }
    }

    /// Whether a range is one of the segment's.
    pub fn holds(&self, range: &Range) -> bool {
        let whole = |own: &Range| own == range || inside(range, own);
        self.limits.ranges.iter().any(whole)
    }
}
