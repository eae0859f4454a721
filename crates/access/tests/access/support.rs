//! A door with a fresh database behind it.

#[path = "../../../store/tests/databases/mod.rs"]
mod databases;

use std::sync::Arc;

use access::{Access, Action, NewToken, Permit, Principal, Role, Scope, Target};
use audit::Timestamp;
use databases::new_database;
pub(crate) use databases::on_both;
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
