//! The figures: counted in the background where something changed, and answered out of memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use audit::Timestamp;
use store::params;

use super::horizon::{Calendar, Heat, Horizon};
use super::house::House;
use super::radar::Counts;
use super::walk::{Counted, SPAN, Tally};
use crate::{Fleet, Result};

/// Figures are at most so much older than what they are about, where counting is quick.
const FRESH_MS: i64 = 3_000;
/// Counting anew that took less than this may be waited for.
const QUICK: Duration = Duration::from_millis(25);
/// Counting takes one part in so many of the time: a house with a million certificates has other things to do.
const SHARE: u32 = 20;
/// But figures are never older than that while things happen: one count that was slow, on a machine that was busy, is not
/// held against the next.
const LONGEST: Duration = Duration::from_secs(30);
/// Where nothing is written, time passes all the same.
const IDLE_MS: i64 = 60_000;

const NEWEST: &str = "SELECT COALESCE(MAX(touched), 0), COALESCE(MAX(id), 0) FROM inventory";
const TOUCHED: &str =
    "SELECT DISTINCT CAST((id - 1) / 50000 AS BIGINT) FROM inventory WHERE touched > $1";

/// How the house stands.
#[derive(Clone, Debug)]
pub struct Figures {
    /// As of when.
    pub at: Timestamp,
    pub counts: Counts,
    pub horizon: Horizon,
    pub heat: Heat,
    /// Certificates by segment; `None` where nobody knows it.
    pub segments: Vec<(Option<String>, Tally)>,
    pub house: House,
}

/// What is kept between two looks.
#[derive(Default)]
pub struct FigureStore {
    /// Whoever counts.
    counting: tokio::sync::Mutex<Walked>,
    newest: parking_lot::Mutex<Option<Arc<Figures>>>,
    /// How long the last count took, and when it ended.
    took: parking_lot::Mutex<Option<(Duration, Instant)>>,
    /// How far inventory and log were then.
    seen: parking_lot::Mutex<(i64, u64)>,
}

/// Spans as they were counted.
#[derive(Default)]
struct Walked {
    /// Counted as of this day.
    day: Option<i64>,
    /// Up to which change.
    touched: i64,
    spans: BTreeMap<i64, Counted>,
}

impl Fleet {
    /// The figures. They are counted now if nobody has counted them, or if that is quick; otherwise they are as old as the
    /// last round of [`Fleet::keep_figures`], and say so.
    pub async fn figures(&self, now: Timestamp) -> Result<Arc<Figures>> {
        let store = &self.inventory.figures;
        let known = store.newest.lock().clone();
        let quick = store.took.lock().is_none_or(|(took, _)| took < QUICK);
        match known {
            Some(known) if !quick || now.0.saturating_sub(known.at.0) < FRESH_MS => Ok(known),
            _ => self.count_figures(now).await,
        }
    }

    /// One round of the loop that keeps them: counts what has changed, unless that was done a moment ago.
    pub async fn keep_figures(&self, now: Timestamp) -> Result<()> {
        let last = *self.inventory.figures.took.lock();
        if last.is_some_and(|(took, at)| at.elapsed() < (took * SHARE).min(LONGEST)) {
            return Ok(());
        }
        let seen = self.seen().await?;
        let known = self.inventory.figures.newest.lock().clone();
        let idle = known.is_some_and(|known| now.0.saturating_sub(known.at.0) < IDLE_MS);
        if idle && *self.inventory.figures.seen.lock() == seen {
            return Ok(());
        }
        self.count_figures(now).await.map(drop)
    }

    /// Counts now what has changed, however long it takes.
    pub async fn count_figures(&self, now: Timestamp) -> Result<Arc<Figures>> {
        let store = &self.inventory.figures;
        let mut walked = store.counting.lock().await;
        // Whoever waited for the same need not do it again.
        let known = store.newest.lock().clone();
        if let Some(known) = known.filter(|known| known.at >= now) {
            return Ok(known);
        }
        let begun = Instant::now();
        let seen = self.seen().await?;
        let calendar = Calendar::at(now.seconds());
        self.count_spans(&mut walked, &calendar, now).await?;
        let (certificates, horizon, heat, segments) =
            Counted::sum(walked.spans.values(), &calendar);
        let mut counts = Counts {
            certificates,
            ..Counts::default()
        };
        let house = self.house(&mut counts, now).await?;
        let figures = Arc::new(Figures {
            at: now,
            counts,
            horizon,
            heat,
            segments,
            house,
        });
        *store.newest.lock() = Some(Arc::clone(&figures));
        *store.took.lock() = Some((begun.elapsed(), Instant::now()));
        *store.seen.lock() = seen;
        Ok(figures)
    }

    async fn seen(&self) -> Result<(i64, u64)> {
        let head = crate::inventory::head::Head::read(self.store()).await?;
        Ok((head.touched, self.store().log_size().await?))
    }

    /// Counts the spans in which something was touched; on another day, all of them.
    async fn count_spans(
        &self,
        walked: &mut Walked,
        calendar: &Calendar,
        now: Timestamp,
    ) -> Result<()> {
        let rows = self.store().query(NEWEST, params![]).await?;
        let newest = rows
            .first()
            .map(|row| Ok::<_, store::StoreError>([row.int(0)?, row.int(1)?]));
        let [touched, last] = newest.transpose()?.unwrap_or_default();
        let spans = (last + SPAN - 1) / SPAN;
        let wanted: BTreeSet<i64> = if walked.day == Some(calendar.today()) {
            let rows = params![walked.touched];
            let rows = self.store().query(TOUCHED, rows).await?;
            let numbers = rows.iter().map(|row| row.int(0));
            numbers.collect::<std::result::Result<_, _>>()?
        } else {
            walked.spans.clear();
            (0..spans).collect()
        };
        for span in wanted {
            let counted = Counted::of(self.store(), span, calendar, now.seconds()).await?;
            walked.spans.insert(span, counted);
            tokio::task::yield_now().await;
        }
        walked.day = Some(calendar.today());
        walked.touched = touched;
        Ok(())
    }
}
