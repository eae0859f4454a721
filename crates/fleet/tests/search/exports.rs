//! Exports: every certificate once, and nothing in them acts where it is opened (CWE-1236). XLSX is read back by calamine.

use std::io::Cursor;

use calamine::{Data, Reader, Xlsx};
use fleet::search::{Export, Format, Sort, source};

use crate::found::small;
use crate::support::{House, NOW, on_both, rule};
use crate::world::{Row, put};

on_both!(r16_exports_hold_everything_and_nothing_acts);

async fn whole(mut export: Export) -> Vec<u8> {
    let mut file = Vec::new();
    while let Some(piece) = export.next().await.unwrap() {
        file.extend(piece);
    }
    file
}

async fn exported(
    house: &House,
    query: Option<&str>,
    view: Option<&str>,
    format: Format,
) -> Vec<u8> {
    let source = source(query, view, Sort::Expires).unwrap();
    let export = house
        .fleet
        .export_inventory(source, format, NOW)
        .await
        .unwrap();
    whole(export).await
}

const HOSTILE: &str = "=HYPERLINK(\"http://x\",\"<&\u{202e}\u{1b}[2J\n\")";

async fn r16_exports_hold_everything_and_nothing_acts(postgres: bool) {
    let house = small(postgres).await;
    let many: Vec<Row> = (10..2400).map(|id| Row::new(id, "CN=many")).collect();
    put(&house, &many).await;
    put(
        &house,
        &[Row {
            owner: Some("-1+1"),
            expires: 1,
            ..Row::new(9, HOSTILE)
        }],
    )
    .await;
    let count = 7 + 1 + many.len();

    let csv = exported(&house, None, None, Format::Csv).await;
    let mut reader = csv::Reader::from_reader(csv.as_slice());
    let headings = reader.headers().unwrap().clone();
    let at = |name: &str| headings.iter().position(|one| one == name).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), count);
    let hostile = rows.iter().find(|row| row[0].starts_with("09")).unwrap();
    assert_eq!(
        &hostile[at("subject")],
        "'=HYPERLINK(\"http://x\",\"<&\\u{202E}\\u{001B}[2J\\u{000A}\")"
    );
    assert_eq!(&hostile[at("owner")], "'-1+1");
    assert_eq!(&hostile[at("expires")], "2026-11-23T12:00:00Z");
    assert!(
        rows.iter()
            .flat_map(|row| row.iter())
            .all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r']))
    );

    let xlsx = exported(&house, None, None, Format::Xlsx).await;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(xlsx)).unwrap();
    let sheet = book.worksheet_range("Inventory 1").unwrap();
    assert_eq!(sheet.rows().count(), 1 + count);
    let hostile = sheet
        .rows()
        .find(|row| row[0].to_string().starts_with("09"))
        .unwrap();
    assert_eq!(
        hostile[at("subject")],
        Data::String("=HYPERLINK(\"http://x\",\"<&\\u{202E}\\u{001B}[2J\\u{000A}\")".to_owned())
    );
    assert_eq!(hostile[at("bits")], Data::Float(256.0));
    let formulas = book.worksheet_formula("Inventory 1").unwrap();
    assert!(formulas.rows().flatten().all(String::is_empty));

    let json = exported(&house, Some("segment = icu"), None, Format::Json).await;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let subjects: Vec<&str> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["subject"].as_str().unwrap())
        .collect();
    assert_eq!(subjects, ["CN=Switch", "CN=Pump 7,serialNumber=SN-4711"]);
    let none = exported(&house, Some("segment = nowhere"), None, Format::Json).await;
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&none).unwrap(),
        serde_json::json!([])
    );

    while house.fleet.reconcile_views(NOW).await.unwrap() {}
    let view = exported(&house, None, Some("unowned"), Format::Csv).await;
    assert_eq!(
        csv::Reader::from_reader(view.as_slice()).records().count(),
        2
    );
    let nothing = source(None, Some("nothing"), Sort::Expires).unwrap();
    assert!(
        house
            .fleet
            .export_inventory(nothing, Format::Csv, NOW)
            .await
            .is_err()
    );
    assert_eq!(
        rule(source(Some("phi"), Some("phi"), Sort::Expires)),
        "search.source"
    );
}
