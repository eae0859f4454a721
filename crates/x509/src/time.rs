//! X.509 time: whole seconds, UTC, years 0000 to 9999 (RFC 5280 §4.1.2.5).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::der::{Element, Error, Tag};

/// Seconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub i64);

/// Broken-down UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    pub year: i64,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
}

impl Time {
    /// 9999-12-31T23:59:59Z: "no well-defined expiration date" (RFC 5280 §4.1.2.5).
    pub const NO_EXPIRY: Time = Time(253_402_300_799);
    /// 0000-01-01T00:00:00Z, the earliest instant that GeneralizedTime can say.
    pub const EARLIEST: Time = Time(-62_167_219_200);

    /// `None` unless the fields name a real instant.
    pub fn from_civil(c: Civil) -> Option<Time> {
        let valid = (0..=9999).contains(&c.year)
            && (1..=12).contains(&c.month)
            && (1..=days_in_month(c.year, c.month)).contains(&c.day)
            && c.hour < 24
            && c.minute < 60
            && c.second < 60;
        let time_of_day = (i64::from(c.hour) * 60 + i64::from(c.minute)) * 60 + i64::from(c.second);
        valid.then(|| Time(days_before(c.year, c.month, c.day) * 86_400 + time_of_day))
    }

    /// Instants outside the representable years are brought to the nearest end.
    pub fn to_civil(self) -> Civil {
        let seconds = self.0.clamp(Self::EARLIEST.0, Self::NO_EXPIRY.0);
        let (year, month, day) = date_of(seconds.div_euclid(86_400));
        let tod = seconds.rem_euclid(86_400);
        Civil {
            year,
            month,
            day,
            hour: (tod / 3600) as u8,
            minute: (tod / 60 % 60) as u8,
            second: (tod % 60) as u8,
        }
    }

    pub fn plus_seconds(self, seconds: i64) -> Time {
        Time(self.0.saturating_add(seconds))
    }

    pub fn plus_days(self, days: i64) -> Time {
        self.plus_seconds(days.saturating_mul(86_400))
    }

    /// Exactly the forms of RFC 5280 §4.1.2.5.1 and §4.1.2.5.2.
    pub fn from_element(e: Element<'_>) -> Result<Time, Error> {
        let (year, rest) = split_year(e)?;
        let (time, tail) = fields(year, rest)?;
        match tail {
            [s1, s2, b'Z'] => with_seconds(time, *s1, *s2),
            _ => Err(Error::Time),
        }
    }

    /// Also what old devices write: no seconds, fractions, or an offset in place of `Z`.
    pub fn from_element_lenient(e: Element<'_>) -> Result<Time, Error> {
        let (year, rest) = split_year(e)?;
        let (time, mut tail) = fields(year, rest)?;
        let mut time = time;
        if let [s1 @ b'0'..=b'9', s2 @ b'0'..=b'9', after @ ..] = tail {
            time = with_seconds(time, *s1, *s2)?;
            tail = after;
        }
        if let [b'.' | b',', after @ ..] = tail {
            let digits = after.iter().take_while(|b| b.is_ascii_digit()).count();
            tail = after.get(digits..).unwrap_or_default();
        }
        offset(tail).map(|o| time.plus_seconds(-o))
    }

    /// UTCTime from 1950 through 2049, otherwise GeneralizedTime.
    pub fn to_x509(self) -> (Tag, String) {
        let full = self.to_generalized();
        match (self.to_civil().year, full.get(2..)) {
            (1950..=2049, Some(short)) => (Tag::UTC_TIME, short.to_owned()),
            _ => (Tag::GENERALIZED_TIME, full),
        }
    }

    pub fn to_generalized(self) -> String {
        let mut text = *b"00000000000000Z";
        self.write_digits(&mut text, [0, 4, 6, 8, 10, 12]);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Puts the digits of year, month, day, hour, minute and second where each begins in `text`. By
    /// hand, because a certificate's times are written six times on its way out.
    fn write_digits(self, text: &mut [u8], places: [usize; 6]) {
        let c = self.to_civil();
        let rest = [c.month, c.day, c.hour, c.minute, c.second];
        let widths = [4, 2, 2, 2, 2, 2];
        let values = std::iter::once(c.year).chain(rest.map(i64::from));
        for ((mut value, begin), width) in values.zip(places).zip(widths) {
            for digit in text[begin..begin + width].iter_mut().rev() {
                *digit = b'0' + (value % 10) as u8;
                value /= 10;
            }
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"0000-00-00T00:00:00Z";
        self.write_digits(&mut text, [0, 5, 8, 11, 14, 17]);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

impl FromStr for Time {
    type Err = Error;

    /// RFC 3339 in UTC without fractions: what `Display` writes.
    fn from_str(s: &str) -> Result<Self, Error> {
        let b = s.as_bytes();
        let separators = [
            (4, b'-'),
            (7, b'-'),
            (10, b'T'),
            (13, b':'),
            (16, b':'),
            (19, b'Z'),
        ];
        let well_formed = b.len() == 20 && separators.iter().all(|(i, c)| b.get(*i) == Some(c));
        if !well_formed {
            return Err(Error::Time);
        }
        let digits: Vec<u8> = b
            .iter()
            .enumerate()
            .filter(|(i, _)| separators.iter().all(|(at, _)| at != i))
            .map(|(_, c)| *c)
            .chain([b'Z'])
            .collect();
        Time::from_element(Element {
            tag: Tag::GENERALIZED_TIME,
            value: &digits,
            raw: &digits,
        })
    }
}

fn split_year(e: Element<'_>) -> Result<(i64, &[u8]), Error> {
    match (e.tag, e.value) {
        (Tag::UTC_TIME, [y1, y2, rest @ ..]) => {
            let yy = i64::from(two(*y1, *y2)?);
            Ok((if yy < 50 { 2000 + yy } else { 1900 + yy }, rest))
        }
        (Tag::GENERALIZED_TIME, [y1, y2, y3, y4, rest @ ..]) => {
            let century = i64::from(two(*y1, *y2)?);
            Ok((century * 100 + i64::from(two(*y3, *y4)?), rest))
        }
        _ => Err(Error::Time),
    }
}

fn fields(year: i64, rest: &[u8]) -> Result<(Time, &[u8]), Error> {
    let [m1, m2, d1, d2, h1, h2, n1, n2, tail @ ..] = rest else {
        return Err(Error::Time);
    };
    let civil = Civil {
        year,
        month: two(*m1, *m2)?,
        day: two(*d1, *d2)?,
        hour: two(*h1, *h2)?,
        minute: two(*n1, *n2)?,
        second: 0,
    };
    Ok((Time::from_civil(civil).ok_or(Error::Time)?, tail))
}

fn with_seconds(time: Time, s1: u8, s2: u8) -> Result<Time, Error> {
    match two(s1, s2)? {
        s @ 0..=59 => Ok(time.plus_seconds(i64::from(s))),
        _ => Err(Error::Time),
    }
}

fn offset(tail: &[u8]) -> Result<i64, Error> {
    match tail {
        [] | [b'Z'] => Ok(0),
        [sign @ (b'+' | b'-'), h1, h2, m1, m2] => {
            let seconds = i64::from(two(*h1, *h2)?) * 3600 + i64::from(two(*m1, *m2)?) * 60;
            Ok(if *sign == b'+' { seconds } else { -seconds })
        }
        _ => Err(Error::Time),
    }
}

fn two(tens: u8, units: u8) -> Result<u8, Error> {
    if tens.is_ascii_digit() && units.is_ascii_digit() {
        return Ok((tens - b'0') * 10 + (units - b'0'));
    }
    Err(Error::Time)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, counting years from 1 March so
/// that the leap day is the last day of a year.
fn days_before(year: i64, month: u8, day: u8) -> i64 {
    let (y, m) = if month > 2 {
        (year, i64::from(month) - 3)
    } else {
        (year - 1, i64::from(month) + 9)
    };
    let day_of_year = (153 * m + 2) / 5 + i64::from(day) - 1;
    365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + day_of_year - 719_468
}

/// The inverse of [`days_before`], by 400-year eras.
fn date_of(days: i64) -> (i64, u8, u8) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let m = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * m + 2) / 5 + 1;
    let month = if m < 10 { m + 3 } else { m - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month as u8, day as u8)
}
