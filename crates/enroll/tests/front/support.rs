//! A hospital with an ACME server, and no network: requests are handed over as values.

#[path = "../../../store/tests/databases/mod.rs"]
mod databases;

use std::path::Path;
use std::sync::Arc;

use access::{Access, Action, Permit, Target};
use audit::Timestamp;
use ca::{Answers, Ca, Carry, RootKey};
use databases::new_database;
pub(crate) use databases::on_both;
use enroll::Acme;
use enroll::acme::{Desk, Directory, ExternalAccount, NewEab, Offer};
use keys::{Keyring, KeyringConfig};
use store::Store;
use tempfile::TempDir;
use zeroize::Zeroizing;

/// 22 November 2026, 12:00 UTC.
pub(crate) const NOW: Timestamp = Timestamp(1_795_348_800_000);

pub(crate) struct House {
    pub(crate) acme: Acme,
    pub(crate) ca: Ca,
    pub(crate) desk: Desk,
    pub(crate) url: String,
    pub(crate) directory: TempDir,
    postgres: bool,
}

impl House {
    /// With one open directory, `open`, and one that wants external accounts and agreement, `bound`.
    pub(crate) async fn new(postgres: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = match postgres {
            true => new_database().await,
            false => format!("sqlite:{}/ward.db", directory.path().display()),
        };
        let ca = open(&url, directory.path()).await;
        let mut answers = Answers::new("Mercy Hospital");
        answers.base_url = "http://pki.example.org".to_owned();
        let carry = Carry {
            directory: directory.path().join("usb"),
            passphrase: Zeroizing::new("correct horse battery".to_owned()),
        };
        let permit = admin(&ca, Action::ManageAuthorities);
        ca.init(permit, &answers, RootKey::Carry(carry), NOW)
            .await
            .unwrap();
        let desk = Desk::new(ca.clone());
        for directory in [
            door("open", ExternalAccount::Off),
            Directory {
                terms_of_service: Some("https://mercy.example/terms".to_owned()),
                ..door("bound", ExternalAccount::Required)
            },
        ] {
            let permit = admin(&ca, Action::ManageEnrolment);
            desk.put_directory(permit, directory, 0, NOW).await.unwrap();
        }
        let acme = serve(&ca, directory.path(), !postgres).await;
        House {
            acme,
            ca,
            desk,
            url,
            directory,
            postgres,
        }
    }

    /// The ACME server of another process: on PostgreSQL another node, on SQLite the one after a restart.
    pub(crate) async fn another(&self) -> Acme {
        let ca = open(&self.url, self.directory.path()).await;
        serve(&ca, self.directory.path(), !self.postgres).await
    }

    /// An external account key: kid and secret.
    pub(crate) async fn eab(&self, directory: &str, uses: Option<u32>) -> (String, Vec<u8>) {
        use base64::Engine;
        let permit = admin(&self.ca, Action::ManageEnrolment);
        let new = NewEab {
            directory: directory.to_owned(),
            uses,
            owner: "cardiology".to_owned(),
            ..NewEab::default()
        };
        let (key, secret) = self.desk.create_eab(permit, new, NOW).await.unwrap();
        let secret = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(secret.as_bytes())
            .unwrap();
        (key.id, secret)
    }

    /// The events of an action, the oldest first.
    pub(crate) async fn events(&self, action: &str) -> Vec<audit::Event> {
        let entries = self.ca.store().events(0, 1_000_000).await.unwrap();
        entries
            .iter()
            .map(|entry| audit::Event::parse(&entry.body).unwrap())
            .filter(|event| event.action == action)
            .collect()
    }
}

fn door(name: &str, external_account: ExternalAccount) -> Directory {
    Directory {
        name: name.to_owned(),
        profiles: vec![Offer {
            profile: "server-tls".to_owned(),
            description: "web servers".to_owned(),
        }],
        external_account,
        ..Directory::default()
    }
}

async fn serve(ca: &Ca, data: &Path, alone: bool) -> Acme {
    let validate: enroll::Validate = Arc::new(|_| Box::pin(async { panic!("nobody asked") }));
    Acme::open(ca.clone(), data, alone, validate).await.unwrap()
}

async fn open(url: &str, directory: &Path) -> Ca {
    let migrations = [ca::MIGRATIONS, fleet::MIGRATIONS, enroll::MIGRATIONS].concat();
    let store = Store::open(url, &migrations).await.unwrap();
    let keyring = Keyring::open(KeyringConfig::new(directory)).unwrap();
    let access = Access::open(store.clone());
    Ca::open(store, keyring, access, NOW).await.unwrap()
}

pub(crate) fn admin(ca: &Ca, action: Action) -> Permit {
    let principal = ca.access().local_principal("root");
    ca.access()
        .decide(&principal, action, &Target::default())
        .unwrap()
}
