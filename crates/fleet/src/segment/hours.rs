//! The hours in which a segment may be scanned, in its site's time (R17): `mon-fri 22:00-05:00`, `sat,sun 08:00-12:00`,
//! `always`. What ends after midnight belongs to the day on which it began.

use std::fmt;
use std::str::FromStr;

use audit::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};
use serde::{Deserialize, Serialize};

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];
const ALL_DAYS: u8 = 0x7f;
const DAY_MINUTES: u16 = 24 * 60;
/// Windows that follow each other without a gap are one; a week of them is enough to look ahead.
const CHAINED: usize = 16;

/// One rule: days, and minutes of the day from and to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hours {
    /// Monday is the lowest bit.
    days: u8,
    from: u16,
    to: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` are no hours; written as `mon-fri 22:00-05:00`, `sat,sun 08:00-12:00`, `daily 01:00-04:00` or `always`"
)]
pub struct HoursError(String);

/// Whether it may be scanned now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// Until then.
    Until(Timestamp),
    /// Not now, but then.
    From(Timestamp),
    Never,
}

/// The time zone of that name, by the system's database. None but UTC is known where there is no such database.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    if name == "UTC" {
        return Some(TimeZone::UTC);
    }
    TimeZone::get(name).ok()
}

/// What the rules together say about an instant.
pub(crate) fn open(rules: &[Hours], zone: &TimeZone, now: Timestamp) -> Open {
    let mut end = None;
    for _ in 0..CHAINED {
        let at = end.unwrap_or(now.0);
        let further = rules
            .iter()
            .flat_map(|rule| rule.windows(zone, at))
            .filter(|(from, to)| *from <= at && at < *to)
            .map(|(_, to)| to)
            .max();
        match further {
            Some(to) => end = Some(to),
            None => break,
        }
    }
    if let Some(end) = end {
        return Open::Until(Timestamp(end));
    }
    let next = rules
        .iter()
        .flat_map(|rule| rule.windows(zone, now.0))
        .map(|(from, _)| from)
        .filter(|from| *from > now.0)
        .min();
    next.map_or(Open::Never, |from| Open::From(Timestamp(from)))
}

impl Hours {
    /// Windows that begin from yesterday to a week from now, in Unix milliseconds.
    fn windows(self, zone: &TimeZone, at: i64) -> Vec<(i64, i64)> {
        let Ok(at) = jiff::Timestamp::from_millisecond(at) else {
            return Vec::new();
        };
        let today = at.to_zoned(zone.clone()).date();
        let days = (-1..=8).filter_map(|days: i64| {
            let date = today.checked_add(span(days)).ok()?;
            let is_in = DAYS
                .iter()
                .position(|(_, day)| *day == date.weekday())
                .is_some_and(|at| self.days & (1 << at) != 0);
            if !is_in {
                return None;
            }
            let to = match self.to > self.from {
                true => self.to,
                false => self.to + DAY_MINUTES,
            };
            let (from, to) = (instant(zone, date, self.from)?, instant(zone, date, to)?);
            (from < to).then_some((from, to))
        });
        days.collect()
    }
}

fn span(days: i64) -> Span {
    days.days()
}

/// Minutes into a local day, as an instant. Where the clock is put forward over it, the later of the two readings; where
/// it is put back, the earlier.
fn instant(zone: &TimeZone, date: Date, minutes: u16) -> Option<i64> {
    let date = date
        .checked_add(span(i64::from(minutes / DAY_MINUTES)))
        .ok()?;
    let minutes = minutes % DAY_MINUTES;
    let (hour, minute) = (
        i8::try_from(minutes / 60).ok()?,
        i8::try_from(minutes % 60).ok()?,
    );
    let time = Time::new(hour, minute, 0, 0).ok()?;
    let zoned = date.to_datetime(time).to_zoned(zone.clone()).ok()?;
    Some(zoned.timestamp().as_millisecond())
}

impl FromStr for Hours {
    type Err = HoursError;

    fn from_str(text: &str) -> Result<Self, HoursError> {
        let bad = || HoursError(text.chars().take(60).collect());
        let tidy = text.trim().to_ascii_lowercase();
        if tidy == "always" {
            return Ok(Hours {
                days: ALL_DAYS,
                from: 0,
                to: DAY_MINUTES,
            });
        }
        let (days, times) = tidy.split_once(char::is_whitespace).ok_or_else(bad)?;
        let (from, to) = times.trim().split_once('-').ok_or_else(bad)?;
        let hours = Hours {
            days: read_days(days).ok_or_else(bad)?,
            from: read_minutes(from).ok_or_else(bad)?,
            to: read_minutes(to).ok_or_else(bad)?,
        };
        // An empty window is a slip of the pen, and reads as a whole day to some.
        match hours.from == hours.to || hours.from == DAY_MINUTES {
            true => Err(bad()),
            false => Ok(hours),
        }
    }
}

fn read_days(text: &str) -> Option<u8> {
    if text == "daily" {
        return Some(ALL_DAYS);
    }
    let number = |name: &str| DAYS.iter().position(|(known, _)| *known == name);
    let mut days = 0;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut at, last) = (number(first)?, number(last)?);
        days |= 1 << at;
        while at != last {
            at = (at + 1) % 7;
            days |= 1 << at;
        }
    }
    Some(days)
}

fn read_minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| match text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()) {
        true => text.parse::<u16>().ok(),
        false => None,
    };
    let minutes = number(hour)? * 60 + number(minute).filter(|minute| *minute < 60)?;
    (minutes <= DAY_MINUTES).then_some(minutes)
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if (self.days, self.from, self.to) == (ALL_DAYS, 0, DAY_MINUTES) {
            return f.write_str("always");
        }
        let mut days = Vec::new();
        let mut at = 0;
        while at < 7 {
            let run = (at..7).take_while(|at| self.days & (1 << at) != 0).count();
            match run {
                0 => {}
                1 => days.push(DAYS[at].0.to_owned()),
                _ => days.push(format!("{}-{}", DAYS[at].0, DAYS[at + run - 1].0)),
            }
            at += run.max(1);
        }
        let days = match self.days {
            ALL_DAYS => "daily".to_owned(),
            _ => days.join(","),
        };
        let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        write!(f, "{days} {}-{}", clock(self.from), clock(self.to))
    }
}

impl TryFrom<String> for Hours {
    type Error = HoursError;

    fn try_from(text: String) -> Result<Self, HoursError> {
        text.parse()
    }
}

impl From<Hours> for String {
    fn from(hours: Hours) -> Self {
        hours.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let instant: jiff::Timestamp = text.parse().unwrap();
        Timestamp(instant.as_millisecond())
    }

    fn rules(texts: &[&str]) -> Vec<Hours> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn hours_are_read_and_written_as_people_do() {
        for text in [
            "always",
            "daily 01:00-04:00",
            "mon-fri 22:00-05:00",
            "sat-sun 08:00-24:00",
            "mon,wed-fri 00:30-01:00",
        ] {
            assert_eq!(text.parse::<Hours>().unwrap().to_string(), text);
        }
        assert_eq!(
            "Sat,Sun 00:00-24:00".parse::<Hours>().unwrap().to_string(),
            "sat-sun 00:00-24:00"
        );
        assert_eq!(
            "fri-mon 01:00-02:00".parse::<Hours>().unwrap().to_string(),
            "mon,fri-sun 01:00-02:00"
        );
        for text in [
            "",
            "mon",
            "mon 1:00-2:00",
            "mon 25:00-26:00",
            "mon 08:00-08:00",
            "mon 24:00-01:00",
            "moon 01:00-02:00",
            "mon 01:60-02:00",
        ] {
            assert!(text.parse::<Hours>().is_err(), "{text}");
        }
    }

    /// 22 November 2026 is a Sunday.
    #[test]
    fn r17_what_ends_after_midnight_belongs_to_the_day_it_began_on() {
        let nights = rules(&["sat 22:00-05:00"]);
        let utc = TimeZone::UTC;
        assert_eq!(
            open(&nights, &utc, at("2026-11-22T04:59:59Z")),
            Open::Until(at("2026-11-22T05:00:00Z"))
        );
        assert_eq!(
            open(&nights, &utc, at("2026-11-22T05:00:00Z")),
            Open::From(at("2026-11-28T22:00:00Z"))
        );
        assert_eq!(
            open(&nights, &utc, at("2026-11-21T21:59:59Z")),
            Open::From(at("2026-11-21T22:00:00Z"))
        );
        assert_eq!(open(&[], &utc, at("2026-11-22T05:00:00Z")), Open::Never);
        let both = rules(&["sat 22:00-24:00", "sun 00:00-02:00"]);
        assert_eq!(
            open(&both, &utc, at("2026-11-21T23:00:00Z")),
            Open::Until(at("2026-11-22T02:00:00Z"))
        );
    }

    /// Clocks in Berlin went from 2:00 to 3:00 on 29 March 2026 (01:00Z) and go back from 3:00 to 2:00 on 25 October.
    #[test]
    fn r17_hours_are_those_of_the_site_also_when_its_clocks_change() {
        let night = rules(&["daily 01:00-04:00"]);
        let berlin = zone("Europe/Berlin").unwrap();
        assert_eq!(
            open(&night, &berlin, at("2026-03-29T00:30:00Z")),
            Open::Until(at("2026-03-29T02:00:00Z"))
        );
        assert_eq!(
            open(&night, &berlin, at("2026-10-24T23:30:00Z")),
            Open::Until(at("2026-10-25T03:00:00Z"))
        );
        assert_eq!(
            open(&night, &berlin, at("2026-07-01T00:00:00Z")),
            Open::Until(at("2026-07-01T02:00:00Z"))
        );
        assert!(zone("Europe/Atlantis").is_none());
    }
}
