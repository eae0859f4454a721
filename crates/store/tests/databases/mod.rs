//! The two databases that the rooms above `store` test on: every test runs on both. Included by path, since a test is no
//! library; the cluster's directory has the name of the test that included it.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// An empty database of the cluster.
pub(crate) async fn new_database() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let base = cluster();
    let name = format!("test_{}", NEXT.fetch_add(1, Relaxed));
    let (client, connection) =
        tokio_postgres::connect(&format!("{base}/postgres"), tokio_postgres::NoTls)
            .await
            .unwrap();
    let connection = tokio::spawn(connection);
    let create = format!("CREATE DATABASE {name}");
    client.batch_execute(&create).await.unwrap();
    drop(client);
    let _ = connection.await;
    format!("{base}/{name}")
}

/// One PostgreSQL for the test process, which ends with it.
fn cluster() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        let process = std::process::id().to_string();
        let directory = format!("/tmp/ward-{}-{process}", env!("CARGO_CRATE_NAME"));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/pg-test-cluster.sh");
        let ran = Command::new(script)
            .args(["start", &directory, &process])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "no PostgreSQL to test with: {told}");
        let url = String::from_utf8(ran.stdout).unwrap();
        url.trim().strip_suffix("/postgres").unwrap().to_owned()
    })
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
