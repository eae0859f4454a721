//! Rows out of CSV and XLSX. Somebody else decides how large a file is and how it is made, so every step has a limit:
//! bytes, what a packed file unpacks to, rows, columns, the length of a cell.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use access::Refusal;
use calamine::{DataRef, Reader, Xlsx};

use super::export::is_formula;

/// 100,000 rows of a wide export are about 30 MB.
pub const LARGEST_FILE: usize = 64 * 1024 * 1024;
/// What an XLSX may unpack to.
const LARGEST_UNPACKED: u64 = 256 * 1024 * 1024;
/// Parts of a workbook; Excel writes about a dozen and one a sheet.
const MOST_PARTS: usize = 2000;
/// Twenty times the devices of a large health system.
const MOST_ROWS: u64 = 1_000_000;
/// Columns that are looked at.
pub(crate) const MOST_COLUMNS: usize = 256;
const LONGEST_CELL: usize = 8192;

/// One row: its number as a spreadsheet shows it (the header is 1), and its cells or what is wrong with one.
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) cells: Result<Vec<String>, String>,
}

/// Cells of a row by their columns, as they come.
type Scattered = HashMap<usize, Result<String, String>>;

/// Calls `each` for every row that is not empty, in order, the header first.
pub(crate) fn read(
    bytes: Vec<u8>,
    sheet: Option<&str>,
    each: &mut dyn FnMut(Line) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    if bytes.len() > LARGEST_FILE {
        let message = format!("the file has {} bytes", bytes.len());
        return Err(refusal("import.size", message)
            .accepted(format!("at most {LARGEST_FILE} bytes; import it in parts")));
    }
    let mut counted = |line: Line| {
        if line.number > MOST_ROWS {
            return Err(refusal("import.rows", "the table is too long")
                .accepted(format!("at most {MOST_ROWS} rows; import it in parts")));
        }
        each(line)
    };
    match bytes.as_slice() {
        [b'P', b'K', 3, 4, ..] => xlsx(bytes, sheet, &mut counted),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            Err(refusal("import.encoding", "the file is in UTF-16")
                .accepted("CSV in UTF-8, or XLSX"))
        }
        [0xd0, 0xcf, 0x11, 0xe0, ..] => Err(refusal(
            "import.format",
            "the file is an XLS or has a password",
        )
        .accepted("CSV in UTF-8, or XLSX without a password")),
        _ => csv(&bytes, &mut counted),
    }
}

fn csv(bytes: &[u8], each: &mut dyn FnMut(Line) -> Result<(), Refusal>) -> Result<(), Refusal> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(bytes))
        .from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    let (mut number, mut line) = (0, reader.position().line());
    loop {
        let more = reader.read_byte_record(&mut record);
        if !more.map_err(|error| refusal("import.format", error.to_string()))? {
            return Ok(());
        }
        // The reader passes over empty lines, which a spreadsheet numbers all the same.
        let lines = reader.position().line() - line;
        line += lines;
        number += lines.saturating_sub(newlines(&record)).max(1);
        if record.iter().all(<[u8]>::is_empty) {
            continue;
        }
        let cells = record.iter().take(MOST_COLUMNS).map(text).collect();
        each(Line { number, cells })?;
    }
}

/// Line ends inside cells.
fn newlines(record: &csv::ByteRecord) -> u64 {
    let within = |cell: &[u8]| cell.iter().filter(|byte| **byte == b'\n').count();
    record.iter().map(within).sum::<usize>() as u64
}

/// The separator that the header uses: semicolons where the comma is for decimals.
fn delimiter(bytes: &[u8]) -> u8 {
    let header = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let count = |wanted: u8| header.iter().filter(|byte| **byte == wanted).count();
    let candidates = [b',', b';', b'\t'];
    let best = candidates.into_iter().rev().max_by_key(|byte| count(*byte));
    best.unwrap_or(b',')
}

fn text(cell: &[u8]) -> Result<String, String> {
    if cell.len() > LONGEST_CELL {
        return Err(format!(
            "a cell has {} bytes; at most {LONGEST_CELL}",
            cell.len()
        ));
    }
    match std::str::from_utf8(cell) {
        Ok(text) => Ok(unguarded(text.trim()).to_owned()),
        Err(_) => Err("a cell is not UTF-8; save the table as CSV UTF-8".to_owned()),
    }
}

/// Exports put an apostrophe before what a spreadsheet would take for a formula.
fn unguarded(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if is_formula(rest) => rest,
        _ => text,
    }
}

fn xlsx(
    bytes: Vec<u8>,
    sheet: Option<&str>,
    each: &mut dyn FnMut(Line) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let bad = |error: &dyn std::fmt::Display| refusal("import.format", format!("XLSX: {error}"));
    unpacks_within_limits(&bytes)?;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|error| bad(&error))?;
    let names = book.sheet_names();
    let name = match sheet {
        Some(wanted) if names.iter().any(|name| name == wanted) => wanted.to_owned(),
        Some(wanted) => {
            let message = format!("there is no sheet {wanted}");
            return Err(refusal("import.sheet", message).accepted(names.join(", ")));
        }
        None => names
            .first()
            .cloned()
            .ok_or_else(|| bad(&"it has no sheet"))?,
    };
    let reader = book.worksheet_cells_reader(&name);
    let mut reader = reader.map_err(|error| bad(&error))?;
    // Cells come one by one: a sheet that claims a cell in its last corner is as small as its cells are.
    let mut row: Option<(u32, Scattered)> = None;
    while let Some(cell) = reader.next_cell().map_err(|error| bad(&error))? {
        let (at, column) = cell.get_position();
        if row.as_ref().is_some_and(|(open, _)| *open != at)
            && let Some((open, cells)) = row.take()
        {
            each(line(open, cells))?;
        }
        let (_, cells) = row.get_or_insert_with(|| (at, HashMap::new()));
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        if column < MOST_COLUMNS && !matches!(cell.get_value(), DataRef::Empty) {
            cells.insert(column, value(cell.get_value()));
        }
    }
    match row {
        Some((open, cells)) => each(line(open, cells)),
        None => Ok(()),
    }
}

/// A packed file says how large its parts are, and may lie: they are unpacked and counted.
fn unpacks_within_limits(bytes: &[u8]) -> Result<(), Refusal> {
    let bad = |error: &dyn std::fmt::Display| refusal("import.format", format!("XLSX: {error}"));
    let archive = zip::ZipArchive::new(Cursor::new(bytes));
    let mut archive = archive.map_err(|error| bad(&error))?;
    if archive.len() > MOST_PARTS {
        return Err(bad(&format!("it has {} parts", archive.len())));
    }
    let mut left = LARGEST_UNPACKED;
    for at in 0..archive.len() {
        let part = archive.by_index(at).map_err(|error| bad(&error))?;
        let read = std::io::copy(&mut part.take(left + 1), &mut std::io::sink());
        let read = read.map_err(|error| bad(&error))?;
        left = left.checked_sub(read).ok_or_else(|| {
            refusal("import.size", "the workbook unpacks to too much")
                .accepted(format!("at most {LARGEST_UNPACKED} bytes"))
        })?;
    }
    Ok(())
}

fn line(row: u32, mut cells: Scattered) -> Line {
    let width = cells.keys().max().map_or(0, |last| last + 1);
    let in_order = (0..width).map(|at| cells.remove(&at).unwrap_or_else(|| Ok(String::new())));
    Line {
        number: u64::from(row) + 1,
        cells: in_order.collect(),
    }
}

fn value(cell: &DataRef<'_>) -> Result<String, String> {
    match cell {
        DataRef::Empty => Ok(String::new()),
        DataRef::String(text) => self::text(text.as_bytes()),
        DataRef::SharedString(text) => self::text(text.as_bytes()),
        DataRef::Int(number) => Ok(number.to_string()),
        // A serial number that a spreadsheet has taken for a number; it holds fifteen digits.
        DataRef::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            Ok(format!("{number:.0}"))
        }
        DataRef::Float(number) => Ok(number.to_string()),
        DataRef::Bool(yes) => Ok(yes.to_string()),
        DataRef::DateTime(date) => {
            let (year, month, day, ..) = date.to_ymd_hms_milli();
            Ok(format!("{year:04}-{month:02}-{day:02}"))
        }
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => self::text(text.as_bytes()),
        DataRef::Error(error) => Err(format!("a cell has the error {error:?}")),
    }
}

fn refusal(rule: &'static str, message: impl Into<String>) -> Refusal {
    Refusal::new(rule, "docs/assets.md", message)
}
