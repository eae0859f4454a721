//! A hospital with an ACME server or several, and its database.

#[path = "../house/mod.rs"]
mod house;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use access::{Action, Scope};
use audit::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ca::Ca;
use enroll::Acme;
use enroll::acme::{Desk, Directory, ExternalAccount, Limits, NewEab, Offer};

use crate::client::Client;
use crate::world::World;
use house::Site;
pub(crate) use house::{DAY, NOW, admin, on_both};

pub(crate) struct House {
    pub(crate) acme: Acme,
    pub(crate) ca: Ca,
    pub(crate) desk: Desk,
    pub(crate) world: Arc<World>,
    clock: Arc<AtomicI64>,
    site: Site,
}

impl House {
    /// With one open directory, `open`.
    pub(crate) async fn new(postgres: bool) -> Self {
        let site = Site::found(postgres).await;
        let ca = site.ca.clone();
        let world = Arc::new(World::default());
        let house = House {
            acme: serve(&ca, &site, &world).await,
            desk: Desk::new(ca.clone()),
            ca,
            world,
            clock: Arc::new(AtomicI64::new(NOW.0)),
            site,
        };
        house.put(door("open")).await;
        house
    }

    /// Makes a directory.
    pub(crate) async fn put(&self, directory: Directory) {
        let permit = admin(&self.ca, Action::ManageEnrolment);
        self.desk
            .put_directory(permit, directory, 0, NOW)
            .await
            .unwrap();
        self.refresh(&self.acme).await;
    }

    /// What the log says, a server hears.
    async fn refresh(&self, acme: &Acme) {
        for event in self.events("").await {
            if event.action.starts_with("acme.directory.") {
                acme.observe(&event).await;
            }
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.clock.load(Relaxed))
    }

    pub(crate) fn pass(&self, milliseconds: i64) {
        self.clock.fetch_add(milliseconds, Relaxed);
    }

    /// The ACME server of another process: on PostgreSQL another node, on SQLite the one after a restart.
    pub(crate) async fn another(&self) -> (Acme, Ca) {
        let ca = self.site.open_again(self.now()).await;
        let acme = serve(&ca, &self.site, &self.world).await;
        (acme, ca)
    }

    /// A client with a new account in `open`.
    pub(crate) async fn client(&self) -> Client {
        self.client_of("open").await
    }

    pub(crate) async fn client_of(&self, directory: &str) -> Client {
        let client = Client::new(&self.acme, directory, Arc::clone(&self.clock));
        client.register(None).await;
        client
    }

    /// A client whose account is bound to a scope.
    pub(crate) async fn bound(&self, directory: &str, scope: Scope, preauthorised: bool) -> Client {
        let permit = admin(&self.ca, Action::ManageEnrolment);
        let new = NewEab {
            directory: directory.to_owned(),
            owner: "cardiology".to_owned(),
            scope,
            preauthorised,
            ..NewEab::default()
        };
        let (key, secret) = self.desk.create_eab(permit, new, NOW).await.unwrap();
        let secret = URL_SAFE_NO_PAD.decode(secret.as_bytes()).unwrap();
        let client = Client::new(&self.acme, directory, Arc::clone(&self.clock));
        client.register(Some((&key.id, &secret))).await;
        client
    }

    /// The events of an action, the oldest first; of every action if it is empty.
    pub(crate) async fn events(&self, action: &str) -> Vec<audit::Event> {
        house::events(&self.ca, action).await
    }

    /// How many rows a query finds.
    pub(crate) async fn count(&self, sql: &'static str) -> usize {
        self.ca.store().query(sql, vec![]).await.unwrap().len()
    }

    /// Certificates of subscribers.
    pub(crate) async fn certificates(&self) -> usize {
        self.count("SELECT serial FROM certificates WHERE profile = 'server-tls'")
            .await
    }

    /// Every certificate has its order and every valid order its certificate, every event is in the tree.
    pub(crate) async fn check(&self) {
        let orders = self
            .ca
            .store()
            .query(
                "SELECT certificate FROM acme_orders WHERE status = 'valid' ORDER BY certificate",
                vec![],
            )
            .await
            .unwrap();
        let certificates = self
            .ca
            .store()
            .query(
                "SELECT sha256 FROM certificates WHERE profile = 'server-tls' ORDER BY sha256",
                vec![],
            )
            .await
            .unwrap();
        assert_eq!(orders, certificates);
        let store = self.ca.store();
        let key = ca::stored_log_key(store).await.unwrap().unwrap();
        let report = ca::verify_log(store, &key, None, self.now(), |_, _| {})
            .await
            .unwrap();
        // A crash that has not been made good yet leaves an intent open.
        let open = audit::verify::Kind::OpenIntent;
        let bad: Vec<_> = report
            .findings
            .iter()
            .filter(|finding| finding.kind != open)
            .collect();
        assert!(bad.is_empty(), "{bad:?}");
    }
}

pub(crate) fn door(name: &str) -> Directory {
    Directory {
        name: name.to_owned(),
        profiles: vec![Offer {
            profile: "server-tls".to_owned(),
            description: "web servers".to_owned(),
        }],
        external_account: ExternalAccount::Optional,
        limits: Limits::OFF,
        ..Directory::default()
    }
}

async fn serve(ca: &Ca, site: &Site, world: &Arc<World>) -> Acme {
    let (data, alone) = (site.directory.path(), !site.postgres);
    let acme = Acme::open(ca.clone(), data, alone, world.validator())
        .await
        .unwrap();
    acme.set_pause(20);
    acme
}

/// A second root with an issuing CA below it, cross-signed by the first.
pub(crate) async fn rotate_root(house: &House) {
    let permit = || admin(&house.ca, Action::ManageAuthorities);
    let key = || house.site.root_key();
    let rotate = async |name: &str| {
        let ca = &house.ca;
        ca.rotate_authority(permit(), name, key(), None, None, NOW)
            .await
            .unwrap()
    };
    let root = rotate("root").await;
    rotate("servers").await;
    let cross = ca::CrossSign {
        subject: root.certificate.clone(),
        constraints: ca::Constraints::default(),
        path_length: 1,
        validity: ca::profile::Duration::days(730),
    };
    house
        .ca
        .cross_sign(permit(), "root", key(), &cross, NOW)
        .await
        .unwrap();
}
