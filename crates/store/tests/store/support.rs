//! Fresh databases for tests. PostgreSQL tests share one cluster, which ends with the process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use audit::{Actor, Event, Object, Timestamp};
use store::{Migration, Store, Write};
use tempfile::TempDir;

/// A room with tables to play with.
pub(crate) const ROOM: &[Migration] = &[Migration {
    room: "shelf",
    version: 1,
    sql: "CREATE TABLE things(
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            weight INTEGER,
            body BLOB
        ) STRICT;
        CREATE TABLE parts(
            thing INTEGER NOT NULL REFERENCES things(id),
            name TEXT NOT NULL,
            PRIMARY KEY(thing, name)
        ) STRICT, WITHOUT ROWID;",
    postgres: None,
}];

/// How many events the migrations of [`ROOM`] and of the store leave.
pub(crate) const MIGRATED: u64 = 3;

/// A place for a database, and the directory that goes away with it.
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) directory: TempDir,
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/ward.db", directory.path().display());
        Place { url, directory }
    }

    pub(crate) async fn postgres() -> Self {
        let base = cluster();
        let name = new_name();
        admin(
            &format!("{base}/postgres"),
            &format!("CREATE DATABASE {name}"),
        )
        .await;
        Place {
            url: format!("{base}/{name}"),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// Another place of the same kind.
    pub(crate) async fn another(&self) -> Self {
        match self.is_sqlite() {
            true => Place::sqlite(),
            false => Place::postgres().await,
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("ward.db")
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.url, ROOM).await.unwrap()
    }
}

/// Runs statements past the store.
pub(crate) async fn admin(url: &str, sql: &str) {
    match url.strip_prefix("sqlite:") {
        Some(path) => rusqlite::Connection::open(path)
            .unwrap()
            .execute_batch(sql)
            .unwrap(),
        None => {
            let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
                .await
                .unwrap();
            let connection = tokio::spawn(connection);
            client.batch_execute(sql).await.unwrap();
            drop(client);
            let _ = connection.await;
        }
    }
}

/// The cluster's URL without a database.
pub(crate) fn cluster() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        let url = start_cluster(&format!("/tmp/ward-pg-{}", std::process::id()));
        url.strip_suffix("/postgres").unwrap().to_owned()
    })
}

/// Starts a cluster in `directory`, until this process ends.
pub(crate) fn start_cluster(directory: &str) -> String {
    script(&["start", directory, &std::process::id().to_string()])
}

/// Runs `scripts/pg-test-cluster.sh`.
pub(crate) fn script(arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/pg-test-cluster.sh");
    let ran = Command::new(script).args(arguments).output().unwrap();
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "no PostgreSQL to test with: {told}");
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}

pub(crate) fn new_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test_{}", NEXT.fetch_add(1, Relaxed))
}

/// An event about `id`.
pub(crate) fn event(id: &str) -> Event {
    Event::new(
        Timestamp(1_700_000_000_000),
        Actor::system("test"),
        "thing.make",
        Object::new("thing", id),
    )
}

/// A write that adds a thing.
pub(crate) fn thing(name: &str) -> Write {
    Write::new(event(name)).unwrap().run(
        "INSERT INTO things(name, weight) VALUES($1, $2)",
        store::params![name, name.len() as i64],
    )
}

/// The names of all things.
pub(crate) async fn names(store: &Store) -> Vec<String> {
    let rows = store
        .query("SELECT name FROM things ORDER BY name", vec![])
        .await
        .unwrap();
    rows.iter()
        .map(|row| row.text(0).unwrap().to_owned())
        .collect()
}

/// Checks that the log is what its head says, leaf by leaf.
pub(crate) async fn check_log(store: &Store) -> u64 {
    let head = store.log_head().await.unwrap();
    let entries = store.events(0, u32::MAX.into()).await.unwrap();
    let mut frontier = audit::merkle::Frontier::new();
    for (at, entry) in entries.iter().enumerate() {
        assert_eq!(entry.seq, at as u64);
        assert_eq!(entry.leaf, audit::merkle::leaf_hash(&entry.body));
        frontier.append(entry.leaf);
    }
    assert_eq!(frontier, head);
    head.size()
}

/// A write that puts version `expected + 1` of the record `profile/tls`.
pub(crate) fn put(expected: u64, body: &str, now: i64) -> Write {
    let write = Write::new(event("tls")).unwrap();
    write
        .put_record("profile", "tls", expected, &body, Timestamp(now))
        .unwrap()
}

/// Makes each test twice.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(crate::support::Place::sqlite()).await; })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(crate::support::Place::postgres().await).await; })*
        }
    };
}

pub(crate) use on_both;
