//! When certificates end: by calendar month for eighteen months, and by segment and week for half a year.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::radar::Link;
use super::walk::Tally;

/// Months of the horizon: what a budget and a staff plan look ahead.
const MONTHS: usize = 18;
/// Weeks of the heat map: half a year.
pub const WEEKS: usize = 26;
/// Segments that have a row of their own; others share one.
const MOST_ROWS: usize = 200;

const DAY: i64 = 86_400;

/// Certificates that end in a month or a week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeatCell {
    pub all: u64,
    pub phi: u64,
    /// Criticality high or life support.
    pub critical: u64,
    /// Nobody has to be there when they are renewed.
    pub automated: u64,
}

impl std::ops::AddAssign for HeatCell {
    fn add_assign(&mut self, other: HeatCell) {
        self.all += other.all;
        self.phi += other.phi;
        self.critical += other.critical;
        self.automated += other.automated;
    }
}

/// One month of the horizon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Month {
    /// `2026-11`.
    pub month: String,
    #[serde(flatten)]
    pub count: HeatCell,
    pub link: Link,
}

/// The expiry horizon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Horizon {
    /// Over, and still served or lying somewhere.
    pub over: u64,
    /// This month from now on, and seventeen more.
    pub months: Vec<Month>,
    /// Later than these.
    pub later: u64,
}

impl Horizon {
    pub(super) fn of(months: Vec<Month>, tally: &Tally) -> Horizon {
        let within: u64 = months.iter().map(|month| month.count.all).sum();
        Horizon {
            over: tally.over_served,
            later: tally.standing.saturating_sub(within),
            months,
        }
    }
}

/// One segment of the heat map; `segment` is absent for certificates of which nobody knows where they live.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeatRow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// As many as there are weeks.
    pub weeks: Vec<HeatCell>,
    pub link: Link,
}

/// Segment × weeks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Heat {
    /// The day on which each week begins, `2026-11-22`: today and every seventh day from today.
    pub weeks: Vec<String>,
    /// What ends most first.
    pub rows: Vec<HeatRow>,
    /// Segments without a row of their own.
    pub cut: usize,
}

/// Days by number (Unix days, UTC), in months and weeks seen from today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Calendar {
    today: i64,
    /// The first day of each month, and of the one behind the last.
    begins: Vec<(i64, String)>,
}

impl Calendar {
    /// As of an instant, in Unix seconds.
    pub(super) fn at(now: i64) -> Calendar {
        let today = now.div_euclid(DAY);
        let mut begins = Vec::with_capacity(MONTHS + 1);
        let mut first = date(today).first_of_month();
        for _ in 0..=MONTHS {
            let name = format!("{:04}-{:02}", first.year(), first.month());
            begins.push((number(first), name));
            first = first.last_of_month().tomorrow().unwrap_or(Date::MAX);
        }
        Calendar { today, begins }
    }

    pub(super) fn today(&self) -> i64 {
        self.today
    }

    /// The first day behind the horizon.
    pub(super) fn end(&self) -> i64 {
        self.begins.last().map_or(self.today, |(day, _)| *day)
    }

    pub(super) fn month_of(&self, day: i64) -> Option<usize> {
        let begun = self.begins.partition_point(|(first, _)| *first <= day);
        begun.checked_sub(1).filter(|month| *month < MONTHS)
    }

    pub(super) fn week_of(&self, day: i64) -> Option<usize> {
        let week = usize::try_from((day - self.today).div_euclid(7)).ok()?;
        (week < WEEKS).then_some(week)
    }

    pub(super) fn weeks(&self) -> usize {
        WEEKS
    }

    pub(super) fn empty_months(&self) -> Vec<Month> {
        let pairs = self.begins.iter().zip(self.begins.iter().skip(1));
        let month = |((first, name), (behind, _)): (&(i64, String), &(i64, String))| {
            let from = first.max(&self.today);
            let query = format!(
                "not ca and not revoked and expires >= {} and expires < {}",
                date(*from),
                date(*behind)
            );
            Month {
                month: name.clone(),
                count: HeatCell::default(),
                link: Link::inventory(&query),
            }
        };
        pairs.map(month).collect()
    }

    pub(super) fn heat(&self, heat: BTreeMap<Option<String>, Vec<HeatCell>>) -> Heat {
        let sum = |weeks: &[HeatCell]| weeks.iter().map(|cell| cell.all).sum::<u64>();
        let mut rows: Vec<HeatRow> = heat
            .into_iter()
            .map(|(segment, weeks)| HeatRow {
                link: Link::inventory(&match &segment {
                    Some(name) => format!("not ca and segment = {}", quoted(name)),
                    None => "not ca and not segment".to_owned(),
                }),
                segment,
                weeks,
            })
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse(sum(&row.weeks)));
        let cut = rows.len().saturating_sub(MOST_ROWS);
        rows.truncate(MOST_ROWS);
        let begins = (0..WEEKS).map(|week| date(self.today + 7 * week as i64).to_string());
        Heat {
            weeks: begins.collect(),
            rows,
            cut,
        }
    }
}

/// As the search language writes a text.
pub(super) fn quoted(text: &str) -> String {
    crate::search::Literal::Text(text.to_owned()).to_string()
}

fn date(day: i64) -> Date {
    let days = jiff::Span::new().try_days(day);
    let epoch = jiff::civil::date(1970, 1, 1);
    days.and_then(|days| epoch.checked_add(days))
        .unwrap_or(Date::MAX)
}

fn number(date: Date) -> i64 {
    let epoch = jiff::civil::date(1970, 1, 1);
    let since = date.since((jiff::Unit::Day, epoch));
    since.map_or(0, |span| i64::from(span.get_days()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 22 November 2026, 12:00 UTC.
    const NOW: i64 = 1_795_348_800;

    #[test]
    fn months_are_those_of_the_calendar() {
        let calendar = Calendar::at(NOW);
        let months = calendar.empty_months();
        assert_eq!(months.len(), 18);
        assert_eq!(months[0].month, "2026-11");
        assert_eq!(months[17].month, "2028-04");
        // 2028 is a leap year: its February has a 29th.
        let february = months
            .iter()
            .position(|one| one.month == "2028-02")
            .unwrap();
        let leap = number(jiff::civil::date(2028, 2, 29));
        assert_eq!(calendar.month_of(leap), Some(february));
        assert_eq!(calendar.month_of(leap + 1), Some(february + 1));
        assert_eq!(calendar.month_of(calendar.end()), None);
        assert_eq!(calendar.month_of(calendar.end() - 1), Some(17));
    }

    #[test]
    fn weeks_begin_today() {
        let calendar = Calendar::at(NOW);
        let today = calendar.today();
        assert_eq!(today, 20_779);
        let weeks = [0, 6, 7, 181, 182].map(|days| calendar.week_of(today + days));
        assert_eq!(weeks, [Some(0), Some(0), Some(1), Some(25), None]);
        assert_eq!(calendar.week_of(today - 1), None);
        assert_eq!(calendar.heat(BTreeMap::new()).weeks[1], "2026-11-29");
    }

    #[test]
    fn links_are_searches_that_can_be_read() {
        let calendar = Calendar::at(NOW);
        let mut heat = BTreeMap::new();
        heat.insert(None, Vec::new());
        heat.insert(Some("a \"b\"".to_owned()), Vec::new());
        let heat = calendar.heat(heat);
        let links = calendar.empty_months().into_iter().map(|month| month.link);
        for link in links.chain(heat.rows.into_iter().map(|row| row.link)) {
            let query: Result<crate::search::Query, _> = link.search["q"].parse();
            assert!(query.is_ok(), "{link:?}: {query:?}");
        }
    }
}
