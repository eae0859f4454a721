//! The two databases that the rooms above `store` test on: every test runs on both. Included by path, since a test is no
//! library.

use std::fs::File;
use std::os::unix::process::parent_id;
use std::path::Path;
use std::process::{Command, id};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use tokio_postgres::{Client, NoTls};

/// An empty database of the cluster.
pub(crate) async fn new_database() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let base = cluster();
    let (client, connection) = tokio_postgres::connect(&format!("{base}/postgres"), NoTls)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    remove_abandoned(&client).await;
    let name = format!("test_{}_{}", id(), NEXT.fetch_add(1, Relaxed));
    let create = format!("CREATE DATABASE {name}");
    client.batch_execute(&create).await.unwrap();
    drop(client);
    let _ = connection.await;
    format!("{base}/{name}")
}

/// Databases of tests that have ended: hundreds of them would fill the disk.
async fn remove_abandoned(client: &Client) {
    let names = "SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%'";
    for row in client.query(names, &[]).await.unwrap() {
        let name: String = row.get(0);
        let process = name.split('_').nth(1).unwrap_or_default();
        if !Path::new("/proc").join(process).exists() {
            // Two tests may see the same one.
            let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            let _ = client.batch_execute(&drop).await;
        }
    }
}

/// One PostgreSQL for all tests of a run: whoever runs them (nextest a process for each) is this process' parent, and the
/// cluster ends with it. Making one takes longer than most tests.
fn cluster() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        let runner = parent_id().to_string();
        let directory = format!("/tmp/ward-tests-{runner}");
        let turn = File::create(format!("{directory}.lock")).unwrap();
        turn.lock().unwrap();
        if !Path::new(&directory).exists() {
            start(&directory, &runner);
        }
        format!("postgres://ward@{}", directory.replace('/', "%2F"))
    })
}

fn start(directory: &str, runner: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/pg-test-cluster.sh");
    let ran = Command::new(script)
        .args(["start", directory, runner])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "no PostgreSQL to test with: {told}");
}

/// Makes each test twice.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(false).await; })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(true).await; })*
        }
    };
}

pub(crate) use on_both;
