//! Unique device identifiers (UDI) as the three issuing agencies write them: GS1, HIBCC, ICCBBA (21 CFR 830, EU 2017/745
//! Annex VI). What cannot be checked is not taken: check characters are computed, dates are dates, and a device
//! identifier has to be there. Scanners and people write the same UDI in several ways; it is kept in one.

mod digital_link;
mod gs1;
mod hibcc;
mod iccbba;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longer than the longest that any agency allows.
const LONGEST: usize = 512;

/// Who issues the identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Agency {
    Gs1,
    Hibcc,
    Iccbba,
}

/// A UDI whose structure and check characters were right. In JSON it is its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Udi {
    pub agency: Agency,
    /// As people read it: `(01)…(21)…` for GS1.
    pub text: String,
    /// The device identifier: model and packaging. For GS1 fourteen digits.
    pub di: String,
    pub serial: Option<String>,
    pub lot: Option<String>,
    /// The digits of the date as the agency writes them: YYMMDD for GS1, with day 00 for the end of the month.
    pub expires: Option<String>,
    pub manufactured: Option<String>,
}

/// Why something is no UDI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UdiError {
    #[error("it is empty")]
    Empty,
    #[error("it has {0} characters; at most {LONGEST} are read")]
    TooLong(usize),
    #[error("it is of none of the three agencies: GS1 (01)…, HIBCC +…, ICCBBA =/…")]
    Agency,
    #[error("check digit of {field}: {found}, and it has to be {expected}")]
    Check {
        field: &'static str,
        expected: char,
        found: char,
    },
    #[error("it has no device identifier")]
    NoDevice,
    #[error("{0} has the wrong length")]
    Length(&'static str),
    #[error("{0} has a character that cannot stand there")]
    Character(&'static str),
    #[error("{0} is no date")]
    Date(&'static str),
    #[error("({0}) is no application identifier of a device")]
    Identifier(String),
    #[error("{0} stands there twice")]
    Repeated(&'static str),
    #[error("{0} is where nothing is expected")]
    Trailing(String),
}

impl Udi {
    /// Reads a UDI in any of the forms that labels, scanners and links have.
    pub fn parse(text: &str) -> Result<Udi, UdiError> {
        let text = text.trim();
        let length = text.chars().count();
        if length == 0 {
            return Err(UdiError::Empty);
        }
        if length > LONGEST {
            return Err(UdiError::TooLong(length));
        }
        if let Some(rest) = link_path(text) {
            return digital_link::parse(rest);
        }
        match text.trim_start_matches('*').as_bytes().first() {
            Some(b'+') => hibcc::parse(text),
            Some(b'=' | b'&') => iccbba::parse(text),
            Some(b'(' | b']' | 0x1d | b'0'..=b'9') => gs1::parse(text),
            _ => Err(UdiError::Agency),
        }
    }

    /// The GS1 Digital Link of one device: what stands in its certificate. Only GS1 has one, and only with a serial number.
    pub fn link(&self) -> Option<String> {
        let serial = self.serial.as_deref()?;
        match self.agency {
            Agency::Gs1 => Some(digital_link::write(&self.di, serial)),
            Agency::Hibcc | Agency::Iccbba => None,
        }
    }

    fn new(agency: Agency) -> Self {
        Udi {
            agency,
            text: String::new(),
            di: String::new(),
            serial: None,
            lot: None,
            expires: None,
            manufactured: None,
        }
    }
}

fn link_path(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    let web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    web.then_some(rest)
}

/// Sets a field once.
fn once<T>(field: &mut Option<T>, value: T, what: &'static str) -> Result<(), UdiError> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(UdiError::Repeated(what)),
    }
}

fn month(text: &str, what: &'static str) -> Result<(), UdiError> {
    match text.parse() {
        Ok(1..=12) => Ok(()),
        _ => Err(UdiError::Date(what)),
    }
}

/// Days of a month in any year: the century is not known, so 29 February always passes.
fn day(month: &str, day: &str, what: &'static str) -> Result<(), UdiError> {
    let most: u32 = match month {
        "02" => 29,
        "04" | "06" | "09" | "11" => 30,
        _ => 31,
    };
    match day.parse::<u32>() {
        Ok(day) if (1..=most).contains(&day) => Ok(()),
        _ => Err(UdiError::Date(what)),
    }
}

/// Day 1 to 366 of a year.
fn day_of_year(text: &str, what: &'static str) -> Result<(), UdiError> {
    match text.parse() {
        Ok(1..=366) => Ok(()),
        _ => Err(UdiError::Date(what)),
    }
}

/// The first `count` digits of `text`, and the rest.
fn digits<'a>(
    text: &'a str,
    count: usize,
    what: &'static str,
) -> Result<(&'a str, &'a str), UdiError> {
    let (head, rest) = text.split_at_checked(count).ok_or(UdiError::Length(what))?;
    match head.bytes().all(|b| b.is_ascii_digit()) {
        true => Ok((head, rest)),
        false => Err(UdiError::Character(what)),
    }
}

impl fmt::Display for Udi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Udi {
    type Err = UdiError;

    fn from_str(text: &str) -> Result<Self, UdiError> {
        Udi::parse(text)
    }
}

impl Serialize for Udi {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Udi {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Udi::parse(&text)
            .map_err(|error| serde::de::Error::custom(format!("UDI {text:?}: {error}")))
    }
}
