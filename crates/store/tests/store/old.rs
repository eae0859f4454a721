//! Databases of earlier versions are kept as SQL and read by every later one.
//!
//! At a release that changes the schema, `cargo test -p store old::write -- --ignored` writes the
//! next pair of files into `tests/old/`; from then on they stay as they are.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use audit::Timestamp;
use store::{Migration, Store, Write};

use crate::support::{Place, admin, check_log, event};

const VERSION: u32 = 1;

/// No room but the store's own.
const NONE: &[Migration] = &[];

fn kept(version: u32, engine: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/old/v{version}.{engine}.sql"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_released_sqlite_schema_is_read() {
    for version in 1..=VERSION {
        let place = Place::sqlite();
        admin(
            &place.url,
            &fs::read_to_string(kept(version, "sqlite")).unwrap(),
        )
        .await;
        read(place).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_released_postgres_schema_is_read() {
    for version in 1..=VERSION {
        let place = Place::postgres().await;
        admin(
            &place.url,
            &fs::read_to_string(kept(version, "postgres")).unwrap(),
        )
        .await;
        read(place).await;
    }
}

/// What `fill` wrote.
async fn read(place: Place) {
    let store = Store::open(&place.url, NONE).await.unwrap();
    assert!(check_log(&store).await >= 4);
    let record = store.record("profile", "tls").await.unwrap().unwrap();
    assert_eq!((record.version, record.body.as_str()), (2, "{\"days\":90}"));
    let before = store
        .record_as_of("profile", "tls", Timestamp(1500))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(before.body, "{\"days\":365}");
    assert!(store.record("profile", "gone").await.unwrap().is_none());
    assert_eq!(
        store.newest_checkpoint().await.unwrap().unwrap().note,
        "a note\n"
    );
    let ttl = std::time::Duration::from_secs(1);
    assert!(
        !store
            .lease("crl", "somebody else", ttl, Timestamp(0))
            .await
            .unwrap()
    );
    store
        .commit(Write::new(event("more")).unwrap())
        .await
        .unwrap();
}

async fn fill(store: &Store) {
    let days = |days: u32| serde_json::json!({ "days": days });
    let put = |id: &str, expected, days, now| {
        let write = Write::new(event(id)).unwrap();
        write
            .put_record("profile", id, expected, &days, Timestamp(now))
            .unwrap()
    };
    store.commit(put("tls", 0, days(365), 1000)).await.unwrap();
    store.commit(put("tls", 1, days(90), 2000)).await.unwrap();
    store.commit(put("gone", 0, days(1), 1000)).await.unwrap();
    let removal = Write::new(event("gone")).unwrap();
    store
        .commit(removal.remove_record("profile", "gone", 1, Timestamp(3000)))
        .await
        .unwrap();
    store
        .save_checkpoint(3, "a note\n", Timestamp(3000))
        .await
        .unwrap();
    let ttl = std::time::Duration::from_secs(1 << 40);
    assert!(
        store
            .lease("crl", "node 1", ttl, Timestamp(3000))
            .await
            .unwrap()
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes the files that the other tests read"]
async fn write() {
    let place = Place::sqlite();
    let store = Store::open(&place.url, NONE).await.unwrap();
    fill(&store).await;
    let copy = place.directory.path().join("copy");
    store.backup(&copy).await.unwrap();
    let dump = "import sqlite3, sys; print('\\n'.join(sqlite3.connect(sys.argv[1]).iterdump()))";
    let ran = Command::new("python3")
        .args(["-c", dump])
        .arg(&copy)
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    fs::write(kept(VERSION, "sqlite"), ran.stdout).unwrap();

    let place = Place::postgres().await;
    fill(&Store::open(&place.url, NONE).await.unwrap()).await;
    let options = [
        "--inserts",
        "--no-owner",
        "--no-privileges",
        "--no-comments",
    ];
    let ran = Command::new("pg_dump")
        .args(options)
        .arg(&place.url)
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let text = String::from_utf8(ran.stdout).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.starts_with(['\\', '-']) && !line.contains("search_path"));
    fs::write(
        kept(VERSION, "postgres"),
        lines.collect::<Vec<_>>().join("\n"),
    )
    .unwrap();
}
