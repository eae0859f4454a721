//! What certificates are found by: names and serial numbers in subjects, for new rows and for those that were there before the
//! table was; and what is touched because of a name.

use agent::observation::Place;
use fleet::Asset;
use store::{Row, Store, Value, Write, params};

use crate::lab::{Lab, at, seen};
use crate::support::{House, NOW, new_database, on_both, pump};

on_both!(
    r16_a_certificate_is_found_by_its_names_and_the_serial_number_in_its_subject,
    r16_names_of_certificates_that_were_there_before_are_there_after_the_migration,
    r21_an_asset_that_gets_a_name_gets_what_lies_on_the_host_of_that_name,
    r20_what_an_authority_signed_is_linked_however_late_it_comes,
);

async fn names(store: &Store) -> Vec<(String, i64)> {
    let sql = "SELECT name, certificate FROM inventory_names ORDER BY certificate, name";
    let rows = store.query(sql, vec![]).await.unwrap();
    let name = |row: &Row| (row.text(0).unwrap().to_owned(), row.int(1).unwrap());
    rows.iter().map(name).collect()
}

fn named(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    let owned = expected.iter().map(|(name, id)| ((*name).to_owned(), *id));
    owned.collect()
}

async fn r16_a_certificate_is_found_by_its_names_and_the_serial_number_in_its_subject(
    postgres: bool,
) {
    let (house, lab) = (House::new(postgres).await, Lab::new());
    lab.openssl(&[
        "req",
        "-x509",
        "-nodes",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-keyout",
        "pump.key",
        "-subj",
        "/serialNumber=SN-4711/CN=Pump-7.example.org",
        "-addext",
        "subjectAltName=DNS:pump-7.example.org,DNS:*.icu.example.org,IP:2001:db8::5,email:A@example.org",
        "-days",
        "90",
        "-outform",
        "DER",
        "-out",
        "pump.der",
    ]);
    let leaf = lab.read("pump.der");
    let batch = [seen(at("10.30.0.1", 443), &[&leaf], 0)];
    house.ingest(&batch).await;
    house.ingest(&batch).await;
    let expected = named(&[
        ("*.icu.example.org", 1),
        ("2001:db8::5", 1),
        ("a@example.org", 1),
        ("pump-7.example.org", 1),
        ("sn-4711", 1),
    ]);
    assert_eq!(names(house.ca.store()).await, expected);
}

const OLD_ROW: &str = "INSERT INTO inventory(id, sha256, der, spki, subject, issuer, serial, names, key, key_bits, \
    signature, not_before, not_after, is_ca, self_signed, recorded, first_seen, last_seen, how, places, tags, criticality, \
    phi, patient_facing, risk, findings, touched) VALUES($1, $2, $2, $2, $3, '', $2, $4, 'ec-p256', 256, 'ecdsa', 0, 0, 0, \
    0, 0, 0, 0, 'scan', 0, '', 1, 0, 0, 0, 0, 0)";

async fn r16_names_of_certificates_that_were_there_before_are_there_after_the_migration(
    postgres: bool,
) {
    let directory = tempfile::tempdir().unwrap();
    let url = match postgres {
        true => new_database().await,
        false => format!("sqlite:{}/ward.db", directory.path().display()),
    };
    let migrations = [access::MIGRATIONS, ca::MIGRATIONS, fleet::MIGRATIONS].concat();
    let before: Vec<_> = migrations
        .iter()
        .filter(|one| one.room != "fleet" || one.version < 4)
        .copied()
        .collect();
    let rows: [(i64, &str, &str); 4] = [
        (
            1,
            "CN=a",
            "cn:a.example.org\ndns:a.example.org\nip:2001:db8::5",
        ),
        (2, "serialNumber=SN-4711,CN=pump 7", "cn:pump 7"),
        (3, "CN=x,serialNumber=AB 12+O=y", ""),
        (4, "O=nothing", ""),
    ];
    let store = Store::open(&url, &before).await.unwrap();
    let mut write = Write::derived();
    for (id, subject, names) in rows {
        write = write.run(OLD_ROW, params![id, id.to_be_bytes(), subject, names]);
    }
    store.commit(write).await.unwrap();
    drop(store);
    let store = Store::open(&url, &migrations).await.unwrap();
    let expected = named(&[
        ("2001:db8::5", 1),
        ("a.example.org", 1),
        ("pump 7", 2),
        ("sn-4711", 2),
        ("ab 12", 3),
    ]);
    assert_eq!(names(&store).await, expected);
}

async fn r21_an_asset_that_gets_a_name_gets_what_lies_on_the_host_of_that_name(postgres: bool) {
    let (house, lab) = (House::new(postgres).await, Lab::new());
    let _ = lab.root("R");
    let leaf = lab.leaf("R", "elsewhere.example.org", &[]);
    let place = Place::File {
        host: "engine-1.example.org".to_owned(),
        path: "/etc/ssl/x.pem".to_owned(),
        alias: None,
    };
    house.ingest(&[seen(place, &[&leaf], 0)]).await;
    house.fleet.settle(NOW).await.unwrap();
    let asset = Asset {
        host_names: vec!["engine-1.example.org".to_owned()],
        ..pump("SN-1")
    };
    let asset = house.put(asset).await.unwrap().asset;
    house.fleet.settle(NOW).await.unwrap();
    let rows = house.rows("SELECT asset FROM places").await;
    assert_eq!(rows[0].opt_text(0).unwrap(), Some(asset.id.as_str()));
}

async fn r20_what_an_authority_signed_is_linked_however_late_it_comes(postgres: bool) {
    let (house, lab) = (House::new(postgres).await, Lab::new());
    let root = lab.root("R");
    let leaves: Vec<Vec<u8>> = (0..3)
        .map(|n| lab.leaf("R", &format!("leaf-{n}.example.org"), &[]))
        .collect();
    for (n, leaf) in (1..).zip(&leaves) {
        let place = at(&format!("10.30.0.{n}"), 443);
        house.ingest(&[seen(place, &[leaf], 0)]).await;
    }
    house.fleet.settle(NOW).await.unwrap();
    house
        .ingest(&[seen(at("10.30.1.1", 443), &[&root], 0)])
        .await;
    house.fleet.settle(NOW).await.unwrap();
    let linked = house
        .rows("SELECT COUNT(*) FROM inventory WHERE issuer_id IS NOT NULL AND self_signed = 0")
        .await;
    assert_eq!(linked[0].clone().into_values(), [Value::Int(3)]);
    let waiting = house
        .rows("SELECT certificate FROM inventory_signers")
        .await;
    assert!(waiting.is_empty());
}
