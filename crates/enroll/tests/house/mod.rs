//! What the hospitals of these tests stand on: a CA whose root key was carried away, on a database of its own, and people
//! who act there. Included by path, since a test is no library.

#![allow(
    dead_code,
    reason = "shared by several test programs, none of which uses all of it"
)]

#[path = "../../../store/tests/databases/mod.rs"]
mod databases;
pub(crate) mod devices;

use std::path::Path;

use access::{Access, Action, Permit, Target};
use audit::{Event, Timestamp};
use ca::{Answers, Ca, Carry, ParentKey, RootKey};
use keys::{Keyring, KeyringConfig};
use store::Store;
use tempfile::TempDir;
use zeroize::Zeroizing;

use databases::new_database;
pub(crate) use databases::on_both;

/// 22 November 2026, 12:00 UTC.
pub(crate) const NOW: Timestamp = Timestamp(1_795_348_800_000);
pub(crate) const HOUR: i64 = 3_600_000;
pub(crate) const DAY: i64 = 24 * HOUR;

pub(crate) struct Site {
    pub(crate) ca: Ca,
    pub(crate) directory: TempDir,
    pub(crate) postgres: bool,
    url: String,
}

impl Site {
    pub(crate) async fn found(postgres: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = match postgres {
            true => new_database().await,
            false => format!("sqlite:{}/ward.db", directory.path().display()),
        };
        let ca = open(&url, directory.path(), NOW).await;
        let mut answers = Answers::new("Mercy Hospital");
        answers.base_url = "http://pki.example.org".to_owned();
        let permit = admin(&ca, Action::ManageAuthorities);
        let key = RootKey::Carry(carry(directory.path()));
        ca.init(permit, &answers, key, NOW).await.unwrap();
        Site {
            ca,
            directory,
            postgres,
            url,
        }
    }

    /// The CA as another process opens it.
    pub(crate) async fn open_again(&self, now: Timestamp) -> Ca {
        open(&self.url, self.directory.path(), now).await
    }

    /// The key of the root, brought back.
    pub(crate) fn root_key(&self) -> ParentKey {
        ParentKey::Carried(carry(self.directory.path()))
    }
}

fn carry(directory: &Path) -> Carry {
    Carry {
        directory: directory.join("usb"),
        passphrase: Zeroizing::new("correct horse battery".to_owned()),
    }
}

async fn open(url: &str, directory: &Path, now: Timestamp) -> Ca {
    let migrations = [
        access::MIGRATIONS,
        ca::MIGRATIONS,
        fleet::MIGRATIONS,
        enroll::MIGRATIONS,
    ]
    .concat();
    let store = Store::open(url, &migrations).await.unwrap();
    let keyring = Keyring::open(KeyringConfig::new(directory)).unwrap();
    let access = Access::open(store.clone());
    Ca::open(store, keyring, access, now).await.unwrap()
}

pub(crate) fn admin(ca: &Ca, action: Action) -> Permit {
    permit(ca, "root", action)
}

pub(crate) fn permit(ca: &Ca, who: &str, action: Action) -> Permit {
    let principal = ca.access().local_principal(who);
    ca.access()
        .decide(&principal, action, &Target::default())
        .unwrap()
}

/// The events of an action, the oldest first; of every action if it is empty.
pub(crate) async fn events(ca: &Ca, action: &str) -> Vec<Event> {
    let entries = ca.store().events(0, 1_000_000).await.unwrap();
    entries
        .iter()
        .map(|entry| Event::parse(&entry.body).unwrap())
        .filter(|event| action.is_empty() || event.action == action)
        .collect()
}
