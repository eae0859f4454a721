//! A workbook written as it grows (ECMA-376): texts inside the sheet, so that nothing has to be remembered; another sheet
//! where one is full. Texts of this kind are never formulas.

use std::io::Write;
use std::sync::Arc;

use parking_lot::Mutex;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

use super::export::{Cell, HEADINGS};
use crate::{FleetError, Result};

/// Rows of a sheet; a sheet may have 1,048,576.
const ROWS: u32 = 1_000_000;
/// Characters of a cell, by the same standard's implementers: 32,767.
const LONGEST_CELL: usize = 32_000;

const TYPES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>"#;
const PACKAGE: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const SHEET: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>"#;
const SHEET_ENDS: &str = "</sheetData></worksheet>";

/// What has been written and not yet been taken.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(super) struct Workbook {
    written: Written,
    /// `None` when it has ended.
    zip: Option<ZipWriter<StreamWriter<Written>>>,
    sheets: u32,
    /// In this sheet.
    rows: u32,
}

impl Workbook {
    pub(super) fn begin() -> Result<Self> {
        let written = Written::default();
        let mut book = Workbook {
            zip: Some(ZipWriter::new_stream(written.clone())),
            written,
            sheets: 0,
            rows: 0,
        };
        book.part("[Content_Types].xml", TYPES)?;
        book.part("_rels/.rels", PACKAGE)?;
        book.sheet()?;
        Ok(book)
    }

    pub(super) fn row(&mut self, cells: &[Cell]) -> Result<()> {
        if self.rows == ROWS {
            self.write(SHEET_ENDS)?;
            self.sheet()?;
        }
        self.rows += 1;
        let mut text = String::with_capacity(cells.len() * 48);
        text.push_str("<row>");
        for cell in cells {
            match cell {
                Cell::Number(number) => text.push_str(&format!("<c><v>{number}</v></c>")),
                Cell::Text(value) => {
                    text.push_str("<c t=\"inlineStr\"><is><t xml:space=\"preserve\">");
                    characters(&mut text, value);
                    text.push_str("</t></is></c>");
                }
            }
        }
        text.push_str("</row>");
        self.write(&text)
    }

    /// The last sheet, and the list of all.
    pub(super) fn end(&mut self) -> Result<()> {
        self.write(SHEET_ENDS)?;
        let mut sheets = String::new();
        let mut relations = String::new();
        for number in 1..=self.sheets {
            sheets.push_str(&format!(
                r#"<sheet name="Inventory {number}" sheetId="{number}" r:id="rId{number}"/>"#
            ));
            relations.push_str(&format!(
                r#"<Relationship Id="rId{number}" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet{number}.xml"/>"#
            ));
        }
        let head = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#;
        self.part(
            "xl/workbook.xml",
            &format!(
                r#"{head}<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>{sheets}</sheets></workbook>"#
            ),
        )?;
        self.part(
            "xl/_rels/workbook.xml.rels",
            &format!(
                r#"{head}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{relations}</Relationships>"#
            ),
        )?;
        if let Some(zip) = self.zip.take() {
            zip.finish().map_err(|_| failed())?;
        }
        Ok(())
    }

    /// What has been written since the last time.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut *self.written.0.lock())
    }

    fn sheet(&mut self) -> Result<()> {
        self.sheets += 1;
        self.rows = 0;
        let name = format!("xl/worksheets/sheet{}.xml", self.sheets);
        self.part(&name, SHEET)?;
        let headings = HEADINGS.map(|heading| Cell::Text(heading.to_owned()));
        self.row(&headings)
    }

    fn part(&mut self, name: &str, begins: &str) -> Result<()> {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        let zip = self.zip.as_mut().ok_or_else(failed)?;
        zip.start_file(name, options).map_err(|_| failed())?;
        self.write(begins)
    }

    fn write(&mut self, text: &str) -> Result<()> {
        let zip = self.zip.as_mut().ok_or_else(failed)?;
        zip.write_all(text.as_bytes()).map_err(|_| failed())
    }
}

fn failed() -> FleetError {
    FleetError::Damaged("export")
}

/// Escaped as XML wants it; controls are escaped before, two characters that XML has no way to write are left out.
fn characters(out: &mut String, text: &str) {
    for c in text.chars().take(LONGEST_CELL) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c => out.push(c),
        }
    }
}
