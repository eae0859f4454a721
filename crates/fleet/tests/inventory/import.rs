//! Tables of other tools (R16): columns by what they are called, rows that hurt nobody but themselves.

use std::collections::BTreeMap;

use agent::observation::Place;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fleet::inventory::Environment;
use fleet::inventory::import::CertificateTable;

use crate::lab::{Lab, at};
use crate::support::NOW;

fn read(csv: &str) -> Result<CertificateTable, access::Refusal> {
    CertificateTable::read(csv.into(), "tool", &BTreeMap::new(), NOW)
}

#[test]
fn r16_pem_and_base64_with_places_and_owners_are_read_from_a_table() {
    let lab = Lab::new();
    let _ = lab.root("R");
    let leaf = lab.leaf("R", "a.example.org", &[]);
    let pem = String::from_utf8(lab.read("a.example.org.pem")).unwrap();
    let (one_line, base64) = (pem.trim().replace('\n', "\\n"), STANDARD.encode(&leaf));
    let csv = format!(
        "IP Address;SSL port;Cert;Application Owner;Labels;Env;ePHI;Colour\n\
        10.30.0.1;8443;{one_line};radiology;a|b;Prod;yes;red\n\
        pacs.example.org:2762;;{base64};;;;;\n\
        ;;{base64};;;;;\n\
        10.30.0.2;99999;{base64};;;;;\n\
        10.30.0.3;443;bm8=;;;;;\n\
        10.30.0.4;443;;;;;;\n"
    );
    let table = read(&csv).unwrap();
    assert_eq!((table.rows, table.bad), (6, 3));
    let bad: Vec<u64> = table.bad_rows.iter().map(|(row, _)| *row).collect();
    assert_eq!(bad, [5, 6, 7]);
    assert_eq!(table.ignored_columns, ["Colour"]);
    let places: Vec<Place> = table
        .observations
        .iter()
        .map(|seen| seen.place.clone())
        .collect();
    let name = Place::Name {
        name: "pacs.example.org".to_owned(),
        port: 2762,
    };
    let row = Place::File {
        host: "tool".to_owned(),
        path: String::new(),
        alias: Some("row 4".to_owned()),
    };
    assert_eq!(places, [at("10.30.0.1", 8443), name, row]);
    assert!(
        table
            .observations
            .iter()
            .all(|seen| seen.chain[0].bytes() == leaf)
    );
    let said = &table.said[&audit::merkle::sha256(&leaf)];
    assert_eq!(said.owner.as_deref(), Some("radiology"));
    assert_eq!(said.tags, ["a", "b"]);
    assert_eq!(said.environment, Some(Environment::Production));
    assert_eq!(said.phi, Some(true));
}

#[test]
fn r16_a_table_without_certificates_is_refused_and_says_what_would_do() {
    for csv in ["", "host,port\n10.0.0.1,443\n", "Raw data\nMII\n"] {
        let refusal = read(csv).unwrap_err();
        assert!(refusal.rule.starts_with("import."), "{refusal}");
        assert!(refusal.accepted.is_some(), "{refusal}");
    }
    let named = [("Raw data".to_owned(), "certificate".to_owned())];
    let table = CertificateTable::read("Raw data\nMII\n".into(), "tool", &named.into(), NOW);
    assert_eq!(table.unwrap().bad, 1);
}
