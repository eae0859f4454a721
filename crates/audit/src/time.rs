//! Instants of the log: Unix milliseconds, written as RFC 3339 in UTC with three decimals.
//!
//! The writer is by hand because it is on the path of every event: a library's general formatter
//! costs more than the SHA-256 of the whole event.

use std::fmt;
use std::str::FromStr;

use crate::Error;

const DAY_MS: i64 = 86_400_000;
/// 0000-01-01T00:00:00.000Z, the first that RFC 3339 can write, and the end of 9999-12-30 in the
/// westernmost offset, the last that the reader takes in every offset.
const EARLIEST: i64 = -62_167_219_200_000;
const LATEST: i64 = 253_402_207_199_999;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Whole Unix seconds, as certificates count.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The 24 bytes `2026-11-22T02:22:26.123Z`. An instant outside the calendar becomes the
    /// nearest one inside.
    pub fn rfc3339(self) -> [u8; 24] {
        let ms = self.0.clamp(EARLIEST, LATEST);
        let (year, month, day) = civil(ms.div_euclid(DAY_MS));
        let of_day = ms.rem_euclid(DAY_MS);
        let mut out = *b"0000-00-00T00:00:00.000Z";
        digits(&mut out[0..4], year);
        digits(&mut out[5..7], month);
        digits(&mut out[8..10], day);
        digits(&mut out[11..13], of_day / 3_600_000);
        digits(&mut out[14..16], of_day / 60_000 % 60);
        digits(&mut out[17..19], of_day / 1000 % 60);
        digits(&mut out[20..23], of_day % 1000);
        out
    }
}

/// Year, month and day of a day number (0 is 1970-01-01) in the proleptic Gregorian calendar.
/// Years are counted from March, so that the leap day is the last of its year; an era is the 400
/// years after which the calendar repeats, 146,097 days.
fn civil(day_number: i64) -> (i64, i64, i64) {
    let from_march_0000 = day_number + 719_468;
    let era = from_march_0000.div_euclid(146_097);
    let day_of_era = from_march_0000.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

fn digits(out: &mut [u8], mut value: i64) {
    for place in out.iter_mut().rev() {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.rfc3339() {
            fmt::Write::write_char(f, char::from(byte))?;
        }
        Ok(())
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text.parse::<jiff::Timestamp>()
            .map(|at| Timestamp(at.as_millisecond()))
            .map_err(|error| Error::malformed("instant", error.to_string()))
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_an_independent_formatter_writes() {
        let edges = [0, 1, -1, 951_782_400_000, 951_868_799_999, LATEST];
        let spread = (0..4000).map(|n| EARLIEST + n * 78_892_379_880 % (LATEST - EARLIEST));
        for ms in edges.into_iter().chain(spread) {
            let theirs = jiff::Timestamp::from_millisecond(ms).unwrap();
            assert_eq!(Timestamp(ms).to_string(), format!("{theirs:.3}"), "{ms}");
            assert_eq!(
                Timestamp(ms).to_string().parse::<Timestamp>().unwrap().0,
                ms
            );
        }
    }

    #[test]
    fn an_instant_beyond_the_calendar_is_written_as_its_edge() {
        assert_eq!(Timestamp(i64::MAX).to_string(), "9999-12-30T21:59:59.999Z");
        assert_eq!(Timestamp(i64::MIN).to_string(), "0000-01-01T00:00:00.000Z");
    }
}
