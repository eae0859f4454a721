//! GS1 element strings (GS1 General Specifications §3, §7.8): as people read them, `(01)…(21)…`, and as scanners send
//! them, `01…21…` with FNC1 (0x1D) behind what has no fixed length.

use super::{Agency, Udi, UdiError, day, digits, month, once};

const FNC1: char = '\u{1d}';
/// Symbology identifiers that scanners put in front: GS1-128, DataMatrix, DataBar, QR, Dot Code.
const SYMBOLOGIES: [&str; 5] = ["]C1", "]d2", "]e0", "]Q3", "]J1"];

/// An application identifier that may be part of a UDI.
struct Rule {
    ai: &'static str,
    name: &'static str,
    form: Form,
}

enum Form {
    /// Fourteen digits, the last of them the check digit.
    Gtin,
    /// YYMMDD; day 00 is the end of the month.
    Date,
    /// YYMMDDHHMM.
    DateTime,
    /// Always so many digits.
    Digits(usize),
    /// Up to so many digits.
    UpToDigits(usize),
    /// Up to so many characters of GS1's set 82.
    Text(usize),
}

const fn rule(ai: &'static str, name: &'static str, form: Form) -> Rule {
    Rule { ai, name, form }
}

/// GS1 General Specifications §3.2: the identifier, what an identifier of a device may be accompanied by.
const RULES: &[Rule] = &[
    rule("01", "GTIN (01)", Form::Gtin),
    rule("10", "lot (10)", Form::Text(20)),
    rule("11", "production date (11)", Form::Date),
    rule("13", "packaging date (13)", Form::Date),
    rule("15", "best-before date (15)", Form::Date),
    rule("16", "sell-by date (16)", Form::Date),
    rule("17", "expiry date (17)", Form::Date),
    rule("20", "variant (20)", Form::Digits(2)),
    rule("21", "serial number (21)", Form::Text(20)),
    rule("22", "consumer variant (22)", Form::Text(20)),
    rule("235", "third-party serial number (235)", Form::Text(28)),
    rule("240", "additional id (240)", Form::Text(30)),
    rule("241", "customer part number (241)", Form::Text(30)),
    rule("250", "secondary serial number (250)", Form::Text(30)),
    rule("30", "count (30)", Form::UpToDigits(8)),
    rule("37", "count (37)", Form::UpToDigits(8)),
    rule("7003", "expiry time (7003)", Form::DateTime),
    rule("8012", "software version (8012)", Form::Text(20)),
];

/// Reads either form, and a bare GTIN: what asset systems keep of a model.
pub(super) fn parse(text: &str) -> Result<Udi, UdiError> {
    let mut reading = Reading::default();
    if matches!(text.len(), 8 | 12 | 13 | 14) && text.bytes().all(|b| b.is_ascii_digit()) {
        reading.take("01", &format!("{text:0>14}"))?;
    } else if text.starts_with('(') {
        readable(text, &mut reading)?;
    } else {
        scanned(text, &mut reading)?;
    }
    reading.finish()
}

/// What has been read so far.
#[derive(Default)]
pub(super) struct Reading {
    seen: Vec<(&'static str, String)>,
}

impl Reading {
    /// Takes the value of an application identifier after checking it.
    pub(super) fn take(&mut self, ai: &str, value: &str) -> Result<(), UdiError> {
        let rule = RULES.iter().find(|rule| rule.ai == ai);
        let rule = rule.ok_or_else(|| UdiError::Identifier(ai.chars().take(4).collect()))?;
        rule.check(value)?;
        if self.seen.iter().any(|(seen, _)| *seen == rule.ai) {
            return Err(UdiError::Repeated(rule.name));
        }
        self.seen.push((rule.ai, value.to_owned()));
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Udi, UdiError> {
        let mut udi = Udi::new(Agency::Gs1);
        for (ai, value) in &self.seen {
            match *ai {
                "01" => udi.di.clone_from(value),
                "21" => once(&mut udi.serial, value.clone(), "serial number")?,
                "10" => once(&mut udi.lot, value.clone(), "lot")?,
                "17" => once(&mut udi.expires, value.clone(), "expiry date")?,
                "11" => once(&mut udi.manufactured, value.clone(), "production date")?,
                _ => {}
            }
            udi.text.push_str(&format!("({ai}){value}"));
        }
        match udi.di.is_empty() {
            true => Err(UdiError::NoDevice),
            false => Ok(udi),
        }
    }
}

/// `(01)…(21)…`: a value ends where the next identifier that is known begins, since values may hold parentheses.
fn readable(text: &str, reading: &mut Reading) -> Result<(), UdiError> {
    let mut rest = text;
    while !rest.is_empty() {
        let (ai, after) = bracketed(rest).ok_or_else(|| trailing(rest))?;
        let next = after.match_indices('(').map(|(at, _)| at);
        let is_known = |at: &usize| {
            let next = after.get(*at..).and_then(bracketed);
            next.is_some_and(|(ai, _)| RULES.iter().any(|rule| rule.ai == ai))
        };
        let end = next.into_iter().find(is_known).unwrap_or(after.len());
        let (value, behind) = after.split_at(end);
        reading.take(ai, value.trim())?;
        rest = behind;
    }
    Ok(())
}

/// The identifier in front, without its parentheses.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let (ai, rest) = text.strip_prefix('(')?.split_once(')')?;
    let good = (2..=4).contains(&ai.len()) && ai.bytes().all(|b| b.is_ascii_digit());
    good.then_some((ai, rest))
}

/// `01…21…`: fixed lengths follow each other, everything else ends with FNC1 or with the text.
fn scanned(text: &str, reading: &mut Reading) -> Result<(), UdiError> {
    let symbology = SYMBOLOGIES.iter().find_map(|id| text.strip_prefix(id));
    let mut rest = symbology.unwrap_or(text).trim_start_matches(FNC1);
    while !rest.is_empty() {
        let rule = RULES.iter().find(|rule| rest.starts_with(rule.ai));
        let rule = rule.ok_or_else(|| UdiError::Identifier(rest.chars().take(4).collect()))?;
        let after = &rest[rule.ai.len()..];
        let end = match rule.form.fixed() {
            Some(length) => length,
            None => after.find(FNC1).unwrap_or(after.len()),
        };
        let (value, behind) = after
            .split_at_checked(end)
            .ok_or(UdiError::Length(rule.name))?;
        reading.take(rule.ai, value)?;
        rest = behind.strip_prefix(FNC1).unwrap_or(behind);
    }
    Ok(())
}

fn trailing(text: &str) -> UdiError {
    UdiError::Trailing(text.chars().take(20).collect())
}

impl Form {
    fn fixed(&self) -> Option<usize> {
        match self {
            Form::Gtin => Some(14),
            Form::Date => Some(6),
            Form::Digits(count) => Some(*count),
            Form::DateTime | Form::UpToDigits(_) | Form::Text(_) => None,
        }
    }
}

impl Rule {
    fn check(&self, value: &str) -> Result<(), UdiError> {
        match self.form {
            Form::Gtin => gtin(value, self.name),
            Form::Date => date(value, self.name),
            Form::DateTime => date_time(value, self.name),
            Form::Digits(count) => all_digits(value, count, count, self.name),
            Form::UpToDigits(most) => all_digits(value, 1, most, self.name),
            Form::Text(most) => characters(value, most, self.name),
        }
    }
}

fn all_digits(value: &str, least: usize, most: usize, name: &'static str) -> Result<(), UdiError> {
    if !(least..=most).contains(&value.len()) {
        return Err(UdiError::Length(name));
    }
    match value.bytes().all(|b| b.is_ascii_digit()) {
        true => Ok(()),
        false => Err(UdiError::Character(name)),
    }
}

/// GS1 General Specifications §7.9.1: weights 3 and 1 from the right, to the next ten.
fn gtin(value: &str, name: &'static str) -> Result<(), UdiError> {
    all_digits(value, 14, 14, name)?;
    let digits: Vec<u32> = value.bytes().map(|b| u32::from(b - b'0')).collect();
    let weighted = digits.iter().take(13).enumerate();
    let sum: u32 = weighted
        .map(|(at, digit)| if at % 2 == 0 { 3 * digit } else { *digit })
        .sum();
    let expected = (10 - sum % 10) % 10;
    let found = digits.last().copied().unwrap_or_default();
    match expected == found {
        true => Ok(()),
        false => Err(UdiError::Check {
            field: name,
            expected: char::from_digit(expected, 10).unwrap_or('?'),
            found: char::from_digit(found, 10).unwrap_or('?'),
        }),
    }
}

fn date(value: &str, name: &'static str) -> Result<(), UdiError> {
    all_digits(value, 6, 6, name)?;
    month(&value[2..4], name)?;
    match &value[4..6] {
        "00" => Ok(()),
        last => day(&value[2..4], last, name),
    }
}

fn date_time(value: &str, name: &'static str) -> Result<(), UdiError> {
    all_digits(value, 10, 10, name)?;
    date(&value[..6], name)?;
    let (hour, rest) = digits(&value[6..], 2, name)?;
    match (hour.parse(), rest.parse()) {
        (Ok(0..=23u8), Ok(0..=59u8)) => Ok(()),
        _ => Err(UdiError::Date(name)),
    }
}

/// GS1's set 82 (§7.11): the characters of ISO 646 that read the same everywhere.
fn characters(value: &str, most: usize, name: &'static str) -> Result<(), UdiError> {
    if value.is_empty() || value.len() > most {
        return Err(UdiError::Length(name));
    }
    let good = |b: u8| b.is_ascii_alphanumeric() || b"!\"%&'()*+,-./:;<=>?_".contains(&b);
    match value.bytes().all(good) {
        true => Ok(()),
        false => Err(UdiError::Character(name)),
    }
}
