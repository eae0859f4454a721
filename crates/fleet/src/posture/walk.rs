//! Counting spans of the inventory: one statement a span, which groups rows where they are; what is counted does not depend
//! on how many certificates a group has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::{Row, Store, params};
use utoipa::ToSchema;

use super::horizon::{Calendar, Heat, HeatCell, Horizon, Month};
use crate::Result;
use crate::risk::{Level, SOON};

/// Rows of one span: some tens of milliseconds to count.
pub(super) const SPAN: i64 = 50_000;

const DAY: i64 = 86_400;
/// In the place of a day that is before or behind the calendar.
const BEFORE: i64 = -1;
const BEHIND: i64 = 9_999_999;

/// Everything of a certificate that the counts know, as bits of one number.
const PHI: i64 = 1;
const CRITICAL: i64 = 2;
const AUTOMATED: i64 = 4;
const UNOWNED: i64 = 8;
const WEAK_KEY: i64 = 16;
const WEAK_SIGNATURE: i64 = 32;
const SOMEWHERE: i64 = 64;
const REVOKED: i64 = 128;
const OVER: i64 = 256;
const NEAR: i64 = 512;

/// $1 now and $2 thirty days later, $3 the last day of the calendar, in Unix seconds. What has ended and is nowhere is not
/// counted (risk 0), nor are authorities. Weak keys as in the view `weak-keys`.
const COUNT: &str = "SELECT segment, day, flags, risk, COUNT(*) FROM (SELECT segment, risk, \
    CAST(CASE WHEN not_after < $1 THEN -1 WHEN not_after >= $3 THEN 9999999 ELSE not_after / 86400 END AS BIGINT) AS day, \
    CAST(CASE WHEN phi <> 0 THEN 1 ELSE 0 END + CASE WHEN criticality >= 2 THEN 2 ELSE 0 END \
    + CASE WHEN automated <> 0 THEN 4 ELSE 0 END + CASE WHEN owner IS NULL THEN 8 ELSE 0 END \
    + CASE WHEN (key = 'rsa' AND key_bits < 2048) OR key LIKE '%dsa%' AND key NOT LIKE 'ed%' AND key NOT LIKE 'ml-%' \
    OR (key LIKE 'ec-%' AND key_bits < 256) THEN 16 ELSE 0 END \
    + CASE WHEN LOWER(signature) LIKE '%sha1%' OR LOWER(signature) LIKE '%md5%' THEN 32 ELSE 0 END \
    + CASE WHEN places > 0 THEN 64 ELSE 0 END + CASE WHEN revoked IS NOT NULL THEN 128 ELSE 0 END \
    + CASE WHEN not_after < $1 THEN 256 WHEN not_after < $2 THEN 512 ELSE 0 END AS BIGINT) AS flags \
    FROM inventory WHERE id > $4 AND id <= $5 AND is_ca = 0 AND risk > 0) AS one GROUP BY segment, day, flags, risk";

macro_rules! tally {
    ($($(#[$doc:meta])* $field:ident,)*) => {
        /// Certificates of end entities, counted. What has ended or was revoked, and is nowhere, is in none of these.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(default)]
        pub struct Tally {
            $($(#[$doc])* pub $field: u64,)*
        }

        impl std::ops::AddAssign for Tally {
            fn add_assign(&mut self, other: Tally) {
                $(self.$field += other.$field;)*
            }
        }
    };
}

tally! {
    all,
    phi,
    /// Criticality high or life support.
    critical,
    owned,
    /// Of PHI or of critical things.
    grave,
    owned_grave,
    /// Neither over nor revoked.
    standing,
    critical_standing,
    phi_standing,
    /// Of those that stand: nobody has to be there when they are renewed.
    automated,
    phi_automated,
    /// End within 30 days.
    near,
    near_by_hand,
    near_critical_by_hand,
    /// Shown or lying somewhere.
    served,
    /// Shown or lying somewhere after their end, or revoked.
    over_served,
    weak_keys,
    weak_signatures,
    risk_low,
    risk_medium,
    risk_high,
    risk_critical,
}

/// What one span adds to the sums.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    pub(super) tally: Tally,
    pub(super) months: Vec<Month>,
    pub(super) heat: BTreeMap<Option<String>, Vec<HeatCell>>,
    pub(super) segments: BTreeMap<Option<String>, Tally>,
}

/// A group of certificates that are alike.
struct Group {
    segment: Option<String>,
    day: i64,
    flags: i64,
    risk: i64,
    many: u64,
}

impl Group {
    fn read(row: &Row) -> Result<Group> {
        Ok(Group {
            segment: row.opt_text(0)?.map(str::to_owned),
            day: row.int(1)?,
            flags: row.int(2)?,
            risk: row.int(3)?,
            many: row.int(4)?.unsigned_abs(),
        })
    }

    fn is(&self, flags: i64) -> bool {
        self.flags & flags != 0
    }

    fn tally(&self) -> Tally {
        let many = self.many;
        let so = |holds: bool| if holds { many } else { 0 };
        let (phi, critical) = (self.is(PHI), self.is(CRITICAL));
        let (owned, automated) = (!self.is(UNOWNED), self.is(AUTOMATED));
        let standing = !self.is(OVER | REVOKED);
        let near = standing && self.is(NEAR);
        let level = |level: Level| so(self.risk == level.number());
        Tally {
            all: many,
            phi: so(phi),
            critical: so(critical),
            owned: so(owned),
            grave: so(phi || critical),
            owned_grave: so(owned && (phi || critical)),
            standing: so(standing),
            critical_standing: so(standing && critical),
            phi_standing: so(standing && phi),
            automated: so(standing && automated),
            phi_automated: so(standing && phi && automated),
            near: so(near),
            near_by_hand: so(near && !automated),
            near_critical_by_hand: so(near && critical && !automated),
            served: so(self.is(SOMEWHERE)),
            over_served: so(self.is(SOMEWHERE) && !standing),
            weak_keys: so(self.is(WEAK_KEY)),
            weak_signatures: so(self.is(WEAK_SIGNATURE)),
            risk_low: level(Level::Low),
            risk_medium: level(Level::Medium),
            risk_high: level(Level::High),
            risk_critical: level(Level::Critical),
        }
    }

    fn add_to(self, counted: &mut Counted, calendar: &Calendar) {
        let tally = self.tally();
        counted.tally += tally;
        match counted.segments.get_mut(&self.segment) {
            Some(known) => *known += tally,
            None => drop(counted.segments.insert(self.segment.clone(), tally)),
        }
        let ends = !self.is(REVOKED) && self.day != BEFORE && self.day != BEHIND;
        if !ends {
            return;
        }
        let so = |holds: bool| if holds { self.many } else { 0 };
        let cell = HeatCell {
            all: self.many,
            phi: so(self.is(PHI)),
            critical: so(self.is(CRITICAL)),
            automated: so(self.is(AUTOMATED)),
        };
        if let Some(month) = calendar
            .month_of(self.day)
            .and_then(|at| counted.months.get_mut(at))
        {
            month.count += cell;
        }
        if let Some(week) = calendar.week_of(self.day) {
            let weeks = calendar.weeks();
            let row = counted.heat.entry(self.segment);
            let row = row.or_insert_with(|| vec![HeatCell::default(); weeks]);
            if let Some(at) = row.get_mut(week) {
                *at += cell;
            }
        }
    }
}

impl Counted {
    fn empty(calendar: &Calendar) -> Counted {
        Counted {
            months: calendar.empty_months(),
            ..Counted::default()
        }
    }

    /// Counts the certificates of a span: rows after `number` × [`SPAN`].
    pub(super) async fn of(
        store: &Store,
        number: i64,
        calendar: &Calendar,
        now: i64,
    ) -> Result<Counted> {
        let after = number * SPAN;
        let params = params![
            now,
            now.saturating_add(SOON),
            calendar.end() * DAY,
            after,
            after + SPAN
        ];
        let mut counted = Counted::empty(calendar);
        for row in store.query(COUNT, params).await? {
            Group::read(&row)?.add_to(&mut counted, calendar);
        }
        Ok(counted)
    }

    /// The sums of all spans, as they are shown.
    pub(super) fn sum<'a>(
        spans: impl Iterator<Item = &'a Counted>,
        calendar: &Calendar,
    ) -> (Tally, Horizon, Heat, Vec<(Option<String>, Tally)>) {
        let mut all = Counted::empty(calendar);
        for span in spans {
            all.tally += span.tally;
            for (segment, tally) in &span.segments {
                *all.segments.entry(segment.clone()).or_default() += *tally;
            }
            for (month, other) in all.months.iter_mut().zip(&span.months) {
                month.count += other.count;
            }
            for (segment, weeks) in &span.heat {
                let row = all.heat.entry(segment.clone());
                let row = row.or_insert_with(|| vec![HeatCell::default(); weeks.len()]);
                for (cell, other) in row.iter_mut().zip(weeks) {
                    *cell += *other;
                }
            }
        }
        let horizon = Horizon::of(all.months, &all.tally);
        let segments = all.segments.into_iter().collect();
        (all.tally, horizon, calendar.heat(all.heat), segments)
    }
}
