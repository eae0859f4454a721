//! ISBT 128 for devices that contain or hold human material (ICCBBA, ISBT 128 Standard Technical Specification §3; FDA
//! UDI formats §4): data structures of fixed length, each behind two characters that say what it is. They carry no check
//! characters of their own, but for a donation number whose flags are one (§3.4.2, flags 60 to 96).

use super::{Agency, Udi, UdiError, day_of_year, digits, once};

/// ISO/IEC 7064 MOD 37-2: the value of a character is its place here.
const ALPHABET: &[u8; 37] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*";

pub(super) fn parse(text: &str) -> Result<Udi, UdiError> {
    let mut udi = Udi::new(Agency::Iccbba);
    let mut donation = None;
    let mut rest = header(text);
    rest.clone_into(&mut udi.text);
    while !rest.is_empty() {
        rest = match rest.as_bytes() {
            [b'=', b'/', ..] => device(&rest[2..], 16, &mut udi)?,
            [b'=', b')', ..] => device(&rest[2..], 10, &mut udi)?,
            [b'=', b',', ..] => {
                let (serial, rest) = letters(&rest[2..], 6, "the serial number")?;
                once(&mut udi.serial, serial.to_owned(), "the serial number")?;
                rest
            }
            [b'=', b'>', ..] => {
                let (date, rest) = date(&rest[2..], "the expiry date")?;
                once(&mut udi.expires, date.to_owned(), "the expiry date")?;
                rest
            }
            [b'=', b'}', ..] => {
                let (date, rest) = date(&rest[2..], "the production date")?;
                once(
                    &mut udi.manufactured,
                    date.to_owned(),
                    "the production date",
                )?;
                rest
            }
            [b'&', b',', b'1', ..] => lot(&rest[3..], 18, &mut udi)?,
            [b'&', b')', ..] => lot(&rest[2..], 10, &mut udi)?,
            [b'=', b'A'..=b'N' | b'P'..=b'Z' | b'1'..=b'9', ..] => {
                let (number, rest) = letters(&rest[1..], 15, "the donation number")?;
                flags(number)?;
                once(&mut donation, (), "the donation number")?;
                rest
            }
            _ => return Err(UdiError::Trailing(rest.chars().take(20).collect())),
        };
    }
    match udi.di.is_empty() {
        true => Err(UdiError::NoDevice),
        false => Ok(udi),
    }
}

/// What a compound message begins with (ST-017 §4): `=+`, how many structures, which sequence.
fn header(text: &str) -> &str {
    let Some(rest) = text.strip_prefix("=+") else {
        return text;
    };
    match rest.split_at_checked(5) {
        Some((count, rest)) if count.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => text,
    }
}

fn device<'a>(text: &'a str, length: usize, udi: &mut Udi) -> Result<&'a str, UdiError> {
    let (di, rest) = letters(text, length, "the device identifier")?;
    if !udi.di.is_empty() {
        return Err(UdiError::Repeated("the device identifier"));
    }
    di.clone_into(&mut udi.di);
    Ok(rest)
}

fn lot<'a>(text: &'a str, length: usize, udi: &mut Udi) -> Result<&'a str, UdiError> {
    let (lot, rest) = letters(text, length, "the lot")?;
    once(&mut udi.lot, lot.to_owned(), "the lot")?;
    Ok(rest)
}

/// cYYJJJ: the century's last digit, the year, the day of the year.
fn date<'a>(text: &'a str, what: &'static str) -> Result<(&'a str, &'a str), UdiError> {
    let (date, rest) = digits(text, 6, what)?;
    day_of_year(&date[3..], what)?;
    Ok((date, rest))
}

fn letters<'a>(
    text: &'a str,
    count: usize,
    what: &'static str,
) -> Result<(&'a str, &'a str), UdiError> {
    let (head, rest) = text.split_at_checked(count).ok_or(UdiError::Length(what))?;
    let good = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    match head.bytes().all(good) {
        true => Ok((head, rest)),
        false => Err(UdiError::Character(what)),
    }
}

/// Flags from 60 to 96 are 60 more than the check value of the thirteen characters before them.
fn flags(number: &str) -> Result<(), UdiError> {
    let (number, flags) = number.split_at(13);
    let found = match flags.parse::<usize>() {
        Ok(found @ 60..=96) => found - 60,
        _ => return Ok(()),
    };
    let expected = mod_37_2(number);
    match expected == found {
        true => Ok(()),
        false => Err(UdiError::Check {
            field: "the donation number",
            expected: ALPHABET.get(expected).copied().map_or('?', char::from),
            found: ALPHABET.get(found).copied().map_or('?', char::from),
        }),
    }
}

fn mod_37_2(text: &str) -> usize {
    let value = |byte: u8| ALPHABET.iter().position(|one| *one == byte).unwrap_or(0);
    let sum = text
        .bytes()
        .fold(0, |sum, byte| (sum + value(byte)) * 2 % 37);
    (38 - sum) % 37
}

#[cfg(test)]
mod tests {
    use super::{ALPHABET, mod_37_2};

    /// ISBT 128's own example of a keyboard-entered donation number, G1234 89 654321 Y.
    #[test]
    fn mod_37_2_is_that_of_iso_7064() {
        assert_eq!(ALPHABET[mod_37_2("G123489654321")], b'Y');
    }
}
