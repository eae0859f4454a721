//! A door with a fresh database behind it.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use access::{Access, Action, NewToken, Permit, Principal, Role, Scope, Target};
use audit::Timestamp;
use store::Store;
use tempfile::TempDir;

pub(crate) const NOW: Timestamp = Timestamp(1_795_348_800_000);

pub(crate) struct Door {
    pub(crate) access: Access,
    pub(crate) store: Store,
    pub(crate) url: String,
    _directory: TempDir,
}

impl Door {
    pub(crate) async fn new(postgres: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = if postgres {
            new_database().await
        } else {
            format!("sqlite:{}/ward.db", directory.path().display())
        };
        let store = Store::open(&url, access::MIGRATIONS).await.unwrap();
        Door {
            access: Access::open(store.clone()),
            store,
            url,
            _directory: directory,
        }
    }

    pub(crate) fn admin(&self, action: Action) -> Permit {
        let admin = self.access.local_principal("root");
        self.permit(&admin, action)
    }

    pub(crate) fn permit(&self, who: &Arc<Principal>, action: Action) -> Permit {
        self.access.decide(who, action, &Target::default()).unwrap()
    }

    pub(crate) async fn events(&self, action: &str) -> Vec<audit::Event> {
        let entries = self.store.events(0, 10_000).await.unwrap();
        entries
            .iter()
            .map(|entry| audit::Event::parse(&entry.body).unwrap())
            .filter(|event| event.action == action)
            .collect()
    }
}

pub(crate) fn token(name: &str, roles: &[Role]) -> NewToken {
    NewToken {
        name: name.to_owned(),
        person: true,
        roles: roles.to_vec(),
        scope: Scope::default(),
        expires: None,
    }
}

async fn new_database() -> String {
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
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/pg-test-cluster.sh");
        let ran = Command::new(script)
            .args(["start", &format!("/tmp/ward-access-{process}"), &process])
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
