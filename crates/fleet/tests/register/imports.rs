//! Imports and reconciliation (R08): tables as asset systems write them, said first and then done; tables that somebody
//! has made to hurt.

use std::io::Write as _;
use std::time::{Duration, Instant};

use access::Action;
use fleet::{
    Asset, AssetFilter, AssetState, Criticality, FleetError, Import, Imported, Kind, Previous,
};

use crate::support::{House, NOW, on_both, pump, rule};

on_both!(
    r08_a_dry_run_says_what_an_import_then_does_once,
    r08_rows_that_cannot_be_read_hurt_nobody_else,
    r08_a_row_finds_its_asset_by_what_it_says,
    r08_a_reconciliation_reports_and_retires_on_demand_within_a_limit,
    r08_a_hundred_thousand_bad_rows_cost_seconds_and_little_memory,
    cwe_1236_what_looks_like_a_formula_is_a_text_in_exports_and_comes_back_as_it_was,
    r08_a_workbook_says_the_same_as_a_csv,
);

async fn run(
    house: &House,
    table: impl Into<Vec<u8>>,
    import: Import,
) -> Result<Imported, FleetError> {
    let permit = house.permit(Action::ManageAssets);
    house.fleet.import(permit, table.into(), import, NOW).await
}

fn dry() -> Import {
    Import {
        dry_run: true,
        ..Import::default()
    }
}

fn counts(imported: &Imported) -> [u64; 5] {
    [
        imported.rows,
        imported.added,
        imported.changed,
        imported.unchanged,
        imported.bad,
    ]
}

const TABLE: &str = "\u{feff}Asset Tag;Serial No.;Make;Model Number;Facility;Department;Criticality;ePHI;End of Life;Colour\n\
    C-1;SN-1;Fluidic;Drip 3;North;ICU;Life Support;yes;2031-06-30;blue\n\
    C-2;SN-2;Fluidic;Drip 3;North;;;;;\n\
    \n\
    C-3;SN-3;Fluidic;Drip 3;South;ER;low;no;;\n";

async fn r08_a_dry_run_says_what_an_import_then_does_once(postgres: bool) {
    let house = House::new(postgres).await;
    let said = run(&house, TABLE, dry()).await.unwrap();
    assert_eq!(counts(&said), [3, 3, 0, 0, 0]);
    assert_eq!(said.ignored_columns, ["Colour"]);
    assert_eq!(said.changes[2].row, 5);
    assert!(
        house
            .fleet
            .assets(&AssetFilter::default())
            .await
            .unwrap()
            .assets
            .is_empty()
    );
    let done = run(&house, TABLE, Import::default()).await.unwrap();
    assert_eq!(counts(&done), counts(&said));
    let asset = house.fleet.find("C-1").await.unwrap().asset;
    assert_eq!(
        asset.id,
        done.changes
            .iter()
            .find(|change| change.row == 2)
            .unwrap()
            .id
    );
    assert_eq!(
        (asset.serial.as_str(), asset.model.as_str()),
        ("SN-1", "Drip 3")
    );
    assert_eq!(
        (asset.criticality, asset.phi, asset.kind),
        (Criticality::LifeSupport, true, Kind::Device)
    );
    assert_eq!(
        x509::Time(asset.service_life_ends.unwrap()).to_string(),
        "2031-06-30T23:59:59Z"
    );
    // Again: nothing. No version, no event but the import's own.
    let again = run(&house, TABLE, Import::default()).await.unwrap();
    assert_eq!(counts(&again), [3, 0, 0, 3, 0]);
    assert_eq!(house.fleet.find("C-1").await.unwrap().version, 1);
    assert_eq!(house.events("asset.import").await.len(), 2);
    // A changed cell changes one field; an empty one says nothing; a hyphen clears.
    let changed = "tag,serial,facility,department\nC-1,SN-1,South,\nC-3,SN-3,,-\n";
    let said = run(&house, changed, dry()).await.unwrap();
    assert_eq!(counts(&said), [2, 0, 2, 0, 0]);
    let fields: Vec<&str> = said.changes[0]
        .fields
        .iter()
        .map(|change| change.field.as_str())
        .collect();
    assert_eq!(fields, ["site"]);
    assert_eq!(
        (
            &said.changes[0].fields[0].before,
            &said.changes[0].fields[0].after
        ),
        (&"North".into(), &"South".into())
    );
    run(&house, changed, Import::default()).await.unwrap();
    let asset = house.fleet.find("C-1").await.unwrap().asset;
    assert_eq!(
        (asset.site.as_deref(), asset.department.as_deref()),
        (Some("South"), Some("ICU"))
    );
    assert_eq!(
        house.fleet.find("C-3").await.unwrap().asset.department,
        None
    );
}

async fn r08_rows_that_cannot_be_read_hurt_nobody_else(postgres: bool) {
    let house = House::new(postgres).await;
    house
        .put(Asset {
            source: Some("C-9".into()),
            ..pump("SN-9")
        })
        .await
        .unwrap();
    let table = "source,serial,kind,criticality,phi,eol,udi,host name,key types,state\n\
        C-1,SN-1,,,,,,,,\n\
        C-2,SN-1,,,,,,,,\n\
        C-1,SN-3,,,,,,,,\n\
        ,,,,,,,,,\n\
        ,,device,,,,,,,\n\
        C-5,SN-5,toaster,,,,,,,\n\
        C-6,SN-6,,urgent,,,,,,\n\
        C-7,SN-7,,,maybe,,,,,\n\
        C-8,SN-8,,,,06/30/2031,,,,\n\
        C-9,SN-9,,,,,(01)51022222233337,,,\n\
        C-10,SN-10,,,,,,bad host,,\n\
        C-11,SN-11,,,,,,-a-.example,,\n\
        C-12,SN-12,,,,,,,rsa-512,\n\
        C-13,SN-13,,,,,,,,unheard-of\n\
        C-14,,,,,,,,,\n\
        C-15,SN-15,server,high,x,2031-06-30T12:00:00Z,,a.example b.example,rsa-2048,in storage\n";
    let mut table = table.as_bytes().to_vec();
    table.extend_from_slice(b"C-16,SN-\xe9,,,,,,,,\n");
    let done = run(&house, table, Import::default()).await.unwrap();
    let found: Vec<(u64, &str)> = done
        .bad_rows
        .iter()
        .map(|bad| (bad.row, bad.rule.as_str()))
        .collect();
    let expected = [
        (3, "row.repeated"),
        (4, "row.repeated"),
        (6, "row.identity"),
        (7, "row.word"),
        (8, "row.word"),
        (9, "row.word"),
        (10, "row.date"),
        (11, "row.udi"),
        (13, "asset.host-name"),
        (14, "row.key-types"),
        (15, "row.word"),
        (16, "asset.serial.missing"),
        (18, "row.cell"),
    ];
    assert_eq!(found, expected);
    assert_eq!(done.bad, expected.len() as u64);
    assert_eq!(done.bad_by_rule["row.word"], 4);
    // Two host names in one cell are two; the rows around the bad ones are in.
    assert_eq!(done.added, 3);
    let last = house.fleet.find("C-15").await.unwrap().asset;
    assert_eq!(
        (last.kind, last.state, last.phi),
        (Kind::Server, AssetState::Stored, true)
    );
    assert_eq!(last.host_names, ["a.example", "b.example"]);
    assert_eq!(house.fleet.find("C-9").await.unwrap().version, 1);
    for (table, expected) in [
        ("", "import.empty"),
        ("name,colour\nx,y\n", "import.columns"),
        ("serial,S/N,sn\n1,2,3\n", "import.columns"),
        ("\u{feff}\n", "import.empty"),
    ] {
        assert_eq!(rule(run(&house, table, dry()).await), expected, "{table:?}");
    }
    let utf16 = b"\xff\xfes\0e\0".to_vec();
    assert_eq!(rule(run(&house, utf16, dry()).await), "import.encoding");
    let xls = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    assert_eq!(rule(run(&house, xls, dry()).await), "import.format");
    assert_eq!(
        rule(run(&house, b"PK\x03\x04nothing".to_vec(), dry()).await),
        "import.format"
    );
    // The mapping that a person gives.
    let named = |pairs: &[(&str, &str)]| Import {
        columns: pairs
            .iter()
            .map(|(heading, field)| ((*heading).into(), (*field).into()))
            .collect(),
        ..dry()
    };
    let odd = "Equip #,Nr,serial\nC-77,SN-77,ignored\n";
    let said = run(
        &house,
        odd,
        named(&[("Equip #", "source"), ("Nr", "serial"), ("serial", "-")]),
    )
    .await
    .unwrap();
    assert_eq!((said.added, said.changes[0].serial.as_str()), (1, "SN-77"));
    assert_eq!(
        rule(run(&house, odd, named(&[("Equip", "source")])).await),
        "import.columns"
    );
    assert_eq!(
        rule(run(&house, odd, named(&[("Nr", "colour")])).await),
        "import.columns"
    );
}

async fn r08_a_row_finds_its_asset_by_what_it_says(postgres: bool) {
    let house = House::new(postgres).await;
    let plain = house.pump("SN-1").await;
    let other = house
        .put(Asset {
            manufacturer: "Other".into(),
            ..pump("SN-2")
        })
        .await
        .unwrap()
        .asset;
    house.pump("SN-2").await;
    // By serial number, whereupon it has its source; by source, whatever the serial number has become.
    let done = run(&house, "source,serial\nC-1,SN-1\n", Import::default())
        .await
        .unwrap();
    assert_eq!(counts(&done), [1, 0, 1, 0, 0]);
    let done = run(&house, "source,serial\nC-1,SN-1-B\n", Import::default())
        .await
        .unwrap();
    assert_eq!(counts(&done), [1, 0, 1, 0, 0]);
    let stored = house.fleet.asset(&plain.id).await.unwrap().asset;
    assert_eq!(
        (stored.source.as_deref(), stored.serial.as_str()),
        (Some("C-1"), "SN-1-B")
    );
    // A serial number that two makers use has to be told apart.
    let done = run(&house, "serial,site\nSN-2,North\n", dry())
        .await
        .unwrap();
    assert_eq!(done.bad_rows[0].rule, "row.ambiguous");
    let done = run(&house, "serial,make,site\nSN-2,OTHER,North\n", dry())
        .await
        .unwrap();
    assert_eq!(
        (done.changed, done.changes[0].id.as_str()),
        (1, other.id.as_str())
    );
    // By its id, and by the serial number in a UDI.
    let done = run(
        &house,
        format!("id,site\n{},North\na0,South\n", other.id),
        dry(),
    )
    .await
    .unwrap();
    assert_eq!(
        (done.changed, done.bad_rows[0].rule.as_str()),
        (1, "row.id")
    );
    let labelled = "source,udi,make\nC-7,01510222222333362 1SN-7,Fluidic\nC-8,(01)51022222233336(21)SN-8,Fluidic\n";
    let done = run(&house, labelled, Import::default()).await.unwrap();
    assert_eq!((done.added, done.bad), (1, 1));
    assert_eq!(
        house
            .fleet
            .find("SN-8")
            .await
            .unwrap()
            .asset
            .source
            .as_deref(),
        Some("C-8")
    );
}

async fn r08_a_reconciliation_reports_and_retires_on_demand_within_a_limit(postgres: bool) {
    let house = House::new(postgres).await;
    let mut table = "source,serial,make,model,status\n".to_owned();
    for at in 0..12 {
        table.push_str(&format!("C-{at},SN-{at},Fluidic,Drip 3,active\n"));
    }
    run(&house, table.clone(), Import::default()).await.unwrap();
    // Registered by hand, and so nothing that the asset system could miss.
    house.pump("SN-99").await;
    let gone = house.fleet.find("C-0").await.unwrap().asset;
    house
        .enrol(&gone, "default", Previous::Keep, NOW)
        .await
        .unwrap();
    let less: String = table
        .lines()
        .filter(|line| !line.starts_with("C-0,"))
        .map(|line| format!("{line}\n"))
        .collect();
    let less = less.replace(
        "C-1,SN-1,Fluidic,Drip 3,active",
        "C-1,SN-1,Fluidic,Drip 3,Disposed",
    );
    let reconcile = Import {
        reconcile: true,
        ..Import::default()
    };
    let said = run(&house, less.clone(), reconcile.clone()).await.unwrap();
    assert_eq!((said.missing, said.retired, said.unchanged), (2, 0, 10));
    let missing: Vec<(&str, u64)> = said
        .missing_assets
        .iter()
        .map(|one| (one.serial.as_str(), one.certificates))
        .collect();
    assert!(
        missing.contains(&("SN-0", 1)) && missing.contains(&("SN-1", 0)),
        "{missing:?}"
    );
    assert_eq!(house.states(&gone).await, ["good"], "reported, not retired");

    let retiring = Import {
        retire_missing: true,
        reason: "sold".into(),
        ..reconcile.clone()
    };
    let refused = [
        (
            Import {
                reconcile: false,
                ..retiring.clone()
            },
            less.clone(),
            "reconcile.only",
        ),
        (
            Import {
                retire_limit: 1,
                ..retiring.clone()
            },
            less.clone(),
            "reconcile.limit",
        ),
        // Cut off in the middle; and with a row that may be the one that is missing.
        (
            retiring.clone(),
            table.lines().next().unwrap().to_owned() + "\n",
            "reconcile.limit",
        ),
        (
            retiring.clone(),
            less.clone() + "C-0,SN-0,,,unheard-of\n",
            "reconcile.bad-rows",
        ),
    ];
    for (import, table, expected) in refused {
        assert_eq!(rule(run(&house, table, import).await), expected);
    }
    assert_eq!(house.states(&gone).await, ["good"]);
    let dry = Import {
        dry_run: true,
        ..retiring.clone()
    };
    let said = run(&house, less.clone(), dry).await.unwrap();
    assert_eq!((said.missing, said.retired, said.revoked), (2, 0, 1));
    let done = run(&house, less.clone(), retiring.clone()).await.unwrap();
    assert_eq!((done.missing, done.retired, done.revoked), (2, 2, 1));
    assert_eq!(house.states(&gone).await, ["cessationOfOperation"]);
    assert!(
        house
            .events("asset.retire")
            .await
            .iter()
            .any(|event| event.why.as_deref() == Some("sold"))
    );
    // Again: nothing is missing any more, and what is retired does not come back by itself.
    let done = run(&house, less, retiring).await.unwrap();
    assert_eq!((done.missing, done.retired, done.added), (0, 0, 0));
    let back = run(&house, table, reconcile).await.unwrap();
    assert_eq!(back.bad_by_rule["asset.retired"], 2);
    assert_eq!(back.added, 0);
}

async fn r08_a_hundred_thousand_bad_rows_cost_seconds_and_little_memory(postgres: bool) {
    let house = House::new(postgres).await;
    let mut table = "source,serial,kind,udi,note\n".to_owned();
    for at in 0..100_000 {
        match at % 4 {
            0 => table.push_str(&format!("C-{at},SN-{at},toaster,,\n")),
            1 => table.push_str(&format!(
                "C-{at},SN-{at},,(01)51022222233337,=cmd|'/c calc'!A1\n"
            )),
            2 => table.push_str(",,,,\"\"\"\n"),
            _ => table.push_str("\"C-1\",SN-1,device,,x\n"),
        }
    }
    let before = resident();
    let begun = Instant::now();
    let done = run(&house, table, Import::default()).await.unwrap();
    let (took, grown) = (begun.elapsed(), resident().saturating_sub(before));
    assert!(
        done.bad > 40_000 && done.rows > 40_000,
        "{} of {}",
        done.bad,
        done.rows
    );
    assert_eq!(done.bad_rows.len(), fleet::MOST_TOLD);
    assert_eq!(done.bad_by_rule.values().sum::<u64>(), done.bad);
    assert!(took < Duration::from_secs(60), "{took:?}");
    assert!(grown < 300 * 1024 * 1024, "{grown} bytes");
    // The register took no harm.
    assert!(
        house
            .fleet
            .assets(&AssetFilter::default())
            .await
            .unwrap()
            .assets
            .len()
            <= 1
    );
}

/// Bytes of this process that are in memory; other tests run beside this one.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

async fn cwe_1236_what_looks_like_a_formula_is_a_text_in_exports_and_comes_back_as_it_was(
    postgres: bool,
) {
    let house = House::new(postgres).await;
    let nasty = [
        "=1+1",
        "+cmd|'/c calc'!A1",
        "-2",
        "@SUM(A1)",
        "\"quoted\", with; all\nof it",
        "'=1",
        "plain",
    ];
    for (at, text) in nasty.iter().enumerate() {
        let note = (*text).to_owned();
        house
            .put(Asset {
                note,
                ..pump(&format!("SN-{at}"))
            })
            .await
            .unwrap();
    }
    let hibc = fleet::Udi::parse("+A123BJC5D6E71G").unwrap();
    house
        .put(Asset {
            udi: Some(hibc),
            ..pump("SN-99")
        })
        .await
        .unwrap();
    let csv = house.fleet.export(&AssetFilter::default()).await.unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_slice());
    for record in reader.records() {
        for cell in record.unwrap().iter() {
            assert!(
                !cell.starts_with(['=', '+', '-', '@', '\t', '\r']),
                "{cell}"
            );
        }
    }
    let again = run(&house, csv, dry()).await.unwrap();
    assert_eq!(
        (again.rows, again.unchanged),
        (8, 8),
        "{:?} {:?}",
        again.bad_rows,
        again.changes
    );
}

/// A workbook of one sheet, as small as Excel would open it.
fn workbook(cells: &str, shared: &str) -> Vec<u8> {
    let parts = [
        ("[Content_Types].xml", r#"<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>"#.to_owned()),
        ("_rels/.rels", r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#.to_owned()),
        ("xl/_rels/workbook.xml.rels", r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/><Relationship Id="rId3" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>"#.to_owned()),
        ("xl/workbook.xml", r#"<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Devices" sheetId="1" r:id="rId1"/></sheets></workbook>"#.to_owned()),
        ("xl/styles.xml", r#"<?xml version="1.0"?><styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>"#.to_owned()),
        ("xl/sharedStrings.xml", format!(r#"<?xml version="1.0"?><sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{shared}</sst>"#)),
        ("xl/worksheets/sheet1.xml", format!(r#"<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1:XFD1048576"/><sheetData>{cells}</sheetData></worksheet>"#)),
    ];
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in parts {
        writer
            .start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

async fn r08_a_workbook_says_the_same_as_a_csv(postgres: bool) {
    let house = House::new(postgres).await;
    let shared = "<si><t>Asset Tag</t></si><si><t>Serial No.</t></si><si><t>End of Life</t></si><si><t>C-1</t></si>";
    // 47664 is 30 June 2030; the last cell of the sheet is far away and costs nothing.
    let cells = r#"<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="s"><v>2</v></c><c r="D1" t="inlineStr"><is><t>ePHI</t></is></c></row><row r="2"><c r="A2" t="s"><v>3</v></c><c r="B2"><v>4711</v></c><c r="C2" s="1"><v>47664</v></c><c r="D2" t="b"><v>1</v></c></row><row r="4"><c r="A4" t="inlineStr"><is><t>C-2</t></is></c><c r="B4" t="e"><v>#REF!</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>"#;
    let begun = Instant::now();
    let refused = rule(run(&house, workbook(cells, shared), dry()).await);
    assert_eq!(refused, "import.rows", "a row beyond the limit");
    let near = cells.replace("1048576", "1000");
    let done = run(&house, workbook(&near, shared), Import::default())
        .await
        .unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20));
    let bad: Vec<(u64, &str)> = done
        .bad_rows
        .iter()
        .map(|bad| (bad.row, bad.rule.as_str()))
        .collect();
    assert_eq!(bad, [(4, "row.cell"), (1000, "row.identity")]);
    let asset = house.fleet.find("C-1").await.unwrap().asset;
    assert_eq!((asset.serial.as_str(), asset.phi), ("4711", true));
    assert_eq!(
        x509::Time(asset.service_life_ends.unwrap()).to_string(),
        "2030-06-30T23:59:59Z"
    );
    let sheet = Import {
        sheet: Some("Nowhere".into()),
        ..dry()
    };
    assert_eq!(
        rule(run(&house, workbook(&near, shared), sheet).await),
        "import.sheet"
    );
    let sheet = Import {
        sheet: Some("Devices".into()),
        ..dry()
    };
    assert_eq!(
        run(&house, workbook(&near, shared), sheet)
            .await
            .unwrap()
            .unchanged,
        1
    );
    // What is small when packed and large when not.
    let bomb = format!("<si><t>{}</t></si>", "x".repeat(257 * 1024 * 1024));
    assert_eq!(
        rule(run(&house, workbook(&near, &bomb), dry()).await),
        "import.size"
    );
}
