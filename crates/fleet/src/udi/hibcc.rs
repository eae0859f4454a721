//! HIBC supplier labels (ANSI/HIBC 2.6): `+`, labeler (four characters, a letter first), product, unit of measure, then
//! after `/` lot, serial number and dates, and one check character over everything before it.

use super::{Agency, Udi, UdiError, day, day_of_year, digits, month, once};

/// §2.3.2: the value of a character is its place here; the check character is the sum modulo 43.
const ALPHABET: &[u8; 43] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%";

const LONGEST_PRODUCT: usize = 18;
const LONGEST_LOT: usize = 18;

pub(super) fn parse(text: &str) -> Result<Udi, UdiError> {
    // Start and stop of the bar code, where somebody has typed them along.
    let text = text.strip_prefix('*').unwrap_or(text);
    let text = text.strip_suffix('*').unwrap_or(text);
    let body = checked(text)?;
    let mut parts = body.strip_prefix('+').ok_or(UdiError::Agency)?.split('/');
    let mut udi = Udi::new(Agency::Hibcc);
    text.clone_into(&mut udi.text);
    udi.di = primary(parts.next().unwrap_or_default())?;
    for (at, part) in parts.enumerate() {
        match at {
            0 => secondary(part, &mut udi)?,
            _ => additional(part, &mut udi)?,
        }
    }
    Ok(udi)
}

/// The text without its check character, which was right.
fn checked(text: &str) -> Result<&str, UdiError> {
    let found = text.chars().next_back().ok_or(UdiError::Empty)?;
    let body = &text[..text.len() - found.len_utf8()];
    let mut sum = 0;
    for byte in body.bytes() {
        let value = ALPHABET.iter().position(|one| *one == byte);
        sum += value.ok_or(UdiError::Character("the HIBC label"))?;
    }
    let expected = ALPHABET
        .get(sum % ALPHABET.len())
        .copied()
        .map_or('?', char::from);
    match expected == found {
        true => Ok(body),
        false => Err(UdiError::Check {
            field: "the HIBC label",
            expected,
            found,
        }),
    }
}

/// §2.2: labeler, product, unit of measure.
fn primary(text: &str) -> Result<String, UdiError> {
    let alphanumeric = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    if !text.bytes().all(alphanumeric) {
        return Err(UdiError::Character("the device identifier"));
    }
    if !(6..=4 + LONGEST_PRODUCT + 1).contains(&text.len()) {
        return Err(UdiError::NoDevice);
    }
    let letter_first = text.as_bytes().first().is_some_and(u8::is_ascii_uppercase);
    let unit_last = text.as_bytes().last().is_some_and(u8::is_ascii_digit);
    match letter_first && unit_last {
        true => Ok(text.to_owned()),
        false => Err(UdiError::Character("the device identifier")),
    }
}

/// §2.3: what follows the first `/`.
fn secondary(text: &str, udi: &mut Udi) -> Result<(), UdiError> {
    if let Some(rest) = text.strip_prefix("$$+") {
        let rest = dated(rest, udi)?;
        return serial(rest, udi);
    }
    if let Some(rest) = text.strip_prefix("$$") {
        let rest = counted(rest)?;
        let rest = dated(rest, udi)?;
        return lot(rest, udi);
    }
    if let Some(rest) = text.strip_prefix("$+") {
        return serial(rest, udi);
    }
    if let Some(rest) = text.strip_prefix('$') {
        return lot(rest, udi);
    }
    match text.as_bytes().first() {
        // The oldest form: year and day of the year, then the lot.
        Some(b'0'..=b'9') => {
            let (date, rest) = digits(text, 5, "the expiry date")?;
            day_of_year(&date[2..], "the expiry date")?;
            once(&mut udi.expires, date.to_owned(), "the expiry date")?;
            lot(rest, udi)
        }
        _ => additional(text, udi),
    }
}

/// A quantity in front of the date: 8 and two digits, 9 and five.
fn counted(text: &str) -> Result<&str, UdiError> {
    let count = match text.as_bytes().first() {
        Some(b'8') => 2,
        Some(b'9') => 5,
        _ => return Ok(text),
    };
    Ok(digits(&text[1..], count, "the quantity")?.1)
}

/// The expiry date in front of lot or serial number, in the form that its first digit says.
fn dated<'a>(text: &'a str, udi: &mut Udi) -> Result<&'a str, UdiError> {
    const WHAT: &str = "the expiry date";
    let (date, rest) = match text.as_bytes().first() {
        Some(b'0' | b'1') => {
            let (date, rest) = digits(text, 4, WHAT)?;
            month(&date[..2], WHAT)?;
            (date, rest)
        }
        Some(b'2') => {
            let (date, rest) = digits(&text[1..], 6, WHAT)?;
            month(&date[..2], WHAT)?;
            day(&date[..2], &date[2..4], WHAT)?;
            (date, rest)
        }
        Some(form @ (b'3' | b'4')) => {
            let (date, rest) = digits(&text[1..], if *form == b'3' { 6 } else { 8 }, WHAT)?;
            month(&date[2..4], WHAT)?;
            day(&date[2..4], &date[4..6], WHAT)?;
            hour(&date[6..], WHAT)?;
            (date, rest)
        }
        Some(form @ (b'5' | b'6')) => {
            let (date, rest) = digits(&text[1..], if *form == b'5' { 5 } else { 7 }, WHAT)?;
            day_of_year(&date[2..5], WHAT)?;
            hour(&date[5..], WHAT)?;
            (date, rest)
        }
        Some(b'7') => return Ok(&text[1..]),
        None => return Ok(text),
        Some(_) => return Err(UdiError::Date(WHAT)),
    };
    once(&mut udi.expires, date.to_owned(), WHAT)?;
    Ok(rest)
}

fn hour(text: &str, what: &'static str) -> Result<(), UdiError> {
    match (text, text.parse()) {
        ("", _) | (_, Ok(0..=23u8)) => Ok(()),
        _ => Err(UdiError::Date(what)),
    }
}

/// §2.3.3: further fields, each with its data identifier.
fn additional(text: &str, udi: &mut Udi) -> Result<(), UdiError> {
    if let Some(rest) = text.strip_prefix("16D") {
        let date = whole_date(rest, "the production date")?;
        return once(&mut udi.manufactured, date, "the production date");
    }
    if let Some(rest) = text.strip_prefix("14D") {
        let date = whole_date(rest, "the expiry date")?;
        return once(&mut udi.expires, date, "the expiry date");
    }
    if let Some(rest) = text.strip_prefix('S') {
        return serial(rest, udi);
    }
    if let Some(rest) = text.strip_prefix('Q') {
        return match digits(rest, rest.len(), "the quantity")?.0.len() {
            1..=5 => Ok(()),
            _ => Err(UdiError::Length("the quantity")),
        };
    }
    Err(UdiError::Trailing(text.chars().take(20).collect()))
}

fn whole_date(text: &str, what: &'static str) -> Result<String, UdiError> {
    let (date, rest) = digits(text, 8, what)?;
    month(&date[4..6], what)?;
    day(&date[4..6], &date[6..], what)?;
    match rest.is_empty() {
        true => Ok(date.to_owned()),
        false => Err(UdiError::Length(what)),
    }
}

fn lot(text: &str, udi: &mut Udi) -> Result<(), UdiError> {
    if text.is_empty() {
        return Ok(());
    }
    once(&mut udi.lot, value(text, "the lot")?, "the lot")
}

fn serial(text: &str, udi: &mut Udi) -> Result<(), UdiError> {
    let serial = value(text, "the serial number")?;
    once(&mut udi.serial, serial, "the serial number")
}

fn value(text: &str, what: &'static str) -> Result<String, UdiError> {
    if text.is_empty() || text.len() > LONGEST_LOT {
        return Err(UdiError::Length(what));
    }
    let good = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b"-. $+%".contains(&b);
    match text.bytes().all(good) {
        true => Ok(text.to_owned()),
        false => Err(UdiError::Character(what)),
    }
}
