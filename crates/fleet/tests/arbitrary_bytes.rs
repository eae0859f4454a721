//! Arbitrary bytes and nearly right ones, through the functions that the fuzz targets call.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

use proptest::prelude::*;

const CELL: &str = "[A-Za-z0-9=+@,;\"'.\\-\n\t\u{e9} ]{0,20}";

/// Made by `openssl req -x509`.
const CERTIFICATE: &str = concat!(
    "MIIBhjCCASugAwIBAgIUC97nmd27B8AR0bYgkDe8xL89Vj4wCgYIKoZIzj0EAwIwGDEWMBQGA1UEAwwNYS5leGFtcGxlLm9yZzAe",
    "Fw0yNjExMjIxOTIzMTNaFw0zNjExMTkxOTIzMTNaMBgxFjAUBgNVBAMMDWEuZXhhbXBsZS5vcmcwWTATBgcqhkjOPQIBBggqhkjO",
    "PQMBBwNCAARzK5uEJaYfdtcXMZgmp/VTuyefoQWNgBUdDHvpXuuMk47Egt9NZO+CrURF69UCzHexgck+y+Fa50H5XUeC+eavo1Mw",
    "UTAdBgNVHQ4EFgQUyttcRxGKsr103D6J/9gHa2Dz3WkwHwYDVR0jBBgwFoAUyttcRxGKsr103D6J/9gHa2Dz3WkwDwYDVR0TAQH/",
    "BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAxiXToBFxlWd/Ar0JKaxauywxXkqHaguot7Wold3kYo8CIQCaKsGOH6Trgcyk7hE3",
    "HZ7SIvmQ44SV+jLSwZP8J+E0AQ==",
);

proptest! {
    #[test]
    fn any_bytes_are_a_table_or_refused(data in prop::collection::vec(any::<u8>(), 0..400)) {
        fleet::exercise::table(&data);
        fleet::exercise::certificate_table(&data);
        fleet::exercise::udi(&data);
    }

    #[test]
    fn any_cells_beside_a_certificate_are_taken_or_told(
        header in prop::sample::subsequence(
            vec!["host", "Port", "file name", "team", "labels", "Env", "criticality", "phi", "site", "vendor"], 0..9),
        rows in prop::collection::vec(prop::collection::vec(CELL, 0..10), 0..10),
        separator in prop::sample::select(vec![",", ";", "\t"]),
    ) {
        let mut table = [vec!["certificate"], header].concat().join(separator);
        for row in rows {
            table.push('\n');
            table.push_str(CERTIFICATE);
            table.push_str(separator);
            table.push_str(&row.join(separator));
        }
        fleet::exercise::certificate_table(table.as_bytes());
    }

    #[test]
    fn any_cells_are_rows_that_are_accounted_for(
        header in prop::sample::subsequence(
            vec!["serial", "source", "kind", "udi", "make", "eol", "host name", "state", "colour", "phi", "id"], 1..9),
        rows in prop::collection::vec(prop::collection::vec(CELL, 0..10), 0..20),
        separator in prop::sample::select(vec![",", ";", "\t"]),
    ) {
        let mut table = header.join(separator);
        for row in rows {
            table.push('\n');
            table.push_str(&row.join(separator));
        }
        fleet::exercise::table(table.as_bytes());
    }

    /// Rules of every kind and what they are held against, some of it damaged.
    #[test]
    fn any_lines_are_owner_rules_or_what_they_match(
        lines in prop::collection::vec(
            prop_oneof![
                ("[ a-zA-Z0-9._-]{0,12}", "[*a-c.]{0,6}", prop::option::of(any::<bool>()), "[ a-zé]{0,6}").prop_map(|(name, glob, ours, owner)| {
                    serde_json::json!({ "name": name, "when": { "names": [glob], "ours": ours }, "give": { "owner": owner, "tags": [glob] } }).to_string()
                }),
                ("[0-9./-]{0,20}", any::<u16>()).prop_map(|(range, port)| {
                    serde_json::json!({ "name": "place", "when": { "addresses": [range], "ports": [port], "how": ["scan"] }, "give": { "phi": true } }).to_string()
                }),
                "[a-c.]{0,12}",
                any::<String>(),
            ],
            0..12,
        ),
    ) {
        fleet::exercise::owner_rules(&lines.join("\n"));
    }

    #[test]
    fn a_damaged_workbook_is_read_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut book = workbook();
        let at = at.index(book.len());
        book[at] = byte;
        fleet::exercise::table(&book);
        fleet::exercise::table(&book[..at]);
    }
}

/// Parts enough that a reader goes all the way.
fn workbook() -> Vec<u8> {
    use std::io::Write as _;
    let parts = [
        (
            "_rels/.rels",
            r#"<Relationships><Relationship Id="a" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#,
        ),
        (
            "xl/_rels/workbook.xml.rels",
            r#"<Relationships><Relationship Id="a" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#,
        ),
        (
            "xl/workbook.xml",
            r#"<workbook xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="A" sheetId="1" r:id="a"/></sheets></workbook>"#,
        ),
        (
            "xl/worksheets/sheet1.xml",
            r#"<worksheet><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>serial</t></is></c></row><row r="2"><c r="A2"><v>4711</v></c></row></sheetData></worksheet>"#,
        ),
    ];
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, text) in parts {
        writer.start_file(name, stored).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}
