//! One day's counts, kept: what the radar and the overview of a past day are drawn from (R52). What the inventory knows of a
//! past instant is less than what it knew then, so it is not asked.

use audit::{Actor, Event, Object, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{StoreError, Write};

use super::horizon::{Heat, Horizon};
use super::radar::{Counts, Radar};
use super::walk::Tally;
use crate::{Fleet, Result};

/// The kind under which days are kept; there is one record, and a version a day.
pub const DAY_RECORD: &str = "posture";
const ID: &str = "house";
const ACTION: &str = "posture.record";
const DAY_MS: i64 = 86_400_000;

/// What is kept of a day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Day {
    /// When it was counted, Unix milliseconds.
    pub at: i64,
    pub counts: Counts,
    pub horizon: Horizon,
    pub heat: Heat,
    pub segments: Vec<(Option<String>, Tally)>,
}

/// A past day, or that there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptDay {
    Kept(Box<Day>),
    /// Nothing was kept at that instant; since when something is, Unix milliseconds.
    None {
        since: Option<i64>,
    },
}

impl Fleet {
    /// Keeps today's counts, unless that was done already. Says whether it did.
    pub async fn keep_day(&self, now: Timestamp) -> Result<bool> {
        let newest = self.store().record(DAY_RECORD, ID).await?;
        let version = newest.as_ref().map_or(0, |record| record.version);
        let day = |at: i64| at.div_euclid(DAY_MS);
        if newest.is_some_and(|record| day(record.valid_from.0) >= day(now.0)) {
            return Ok(false);
        }
        let figures = self.count_figures(now).await?;
        let kept = Day {
            at: figures.at.0,
            counts: figures.counts.clone(),
            horizon: figures.horizon.clone(),
            heat: figures.heat.clone(),
            segments: figures.segments.clone(),
        };
        let radar = Radar::of(&kept.counts);
        let axes: Vec<_> = radar
            .axes
            .iter()
            .map(|axis| json!({ "axis": axis.id, "value": axis.value }))
            .collect();
        let event = Event::new(
            now,
            Actor::system("posture"),
            ACTION,
            Object::new(DAY_RECORD, ID),
        )
        .after(json!({ "score": radar.score, "axes": axes }));
        let write = Write::new(event)?.put_record(DAY_RECORD, ID, version, &kept, now)?;
        match self.store().commit(write).await {
            // Another node was first.
            Err(StoreError::Conflict(_)) => Ok(false),
            done => Ok(done.map(|_| true)?),
        }
    }

    /// The counts of the day that an instant was in.
    pub async fn day_as_of(&self, at: Timestamp) -> Result<KeptDay> {
        if let Some(record) = self.store().record_as_of(DAY_RECORD, ID, at).await? {
            return Ok(KeptDay::Kept(Box::new(record.parse()?)));
        }
        let versions = self.store().record_versions(DAY_RECORD, ID).await?;
        Ok(KeptDay::None {
            since: versions.first().map(|first| first.valid_from.0),
        })
    }
}
