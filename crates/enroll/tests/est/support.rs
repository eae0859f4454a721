//! A hospital with one endpoint for EST, and its database.

#[path = "../../../store/tests/databases/mod.rs"]
mod databases;

use std::path::Path;
use std::sync::Arc;

use access::{Access, Action, Permit, Target};
use audit::{Actor, Event, Object, Timestamp};
use bytes::Bytes;
use ca::{Answers, Ca, Carry, RootKey};
use enroll::device::{
    Devices, ENDPOINT_RECORDS, Endpoint, Listener, Protocols, Reply, Request, Tls, Unanswered,
};
use http::Method;
use keys::{Keyring, KeyringConfig};
use store::{Store, Write};
use tempfile::TempDir;
use zeroize::Zeroizing;

use databases::new_database;
pub(crate) use databases::on_both;

/// 22 November 2026, 12:00 UTC.
pub(crate) const NOW: Timestamp = Timestamp(1_795_348_800_000);

pub(crate) struct House {
    pub(crate) ca: Ca,
    pub(crate) devices: Devices,
    pub(crate) directory: TempDir,
}

/// What a client sends.
#[derive(Clone, Default)]
pub(crate) struct Sent<'a> {
    pub(crate) post: Option<&'a [u8]>,
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) authorization: Option<&'a str>,
    pub(crate) plain: bool,
}

impl House {
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
        let ask: enroll::device::Ask =
            Arc::new(|_| Box::pin(async { Err(Unanswered("nobody".into())) }));
        let fleet = fleet::Fleet::open(ca.clone()).unwrap();
        let devices = Devices::open(ca.clone(), fleet, ask, NOW).await.unwrap();
        House {
            ca,
            devices,
            directory,
        }
    }

    /// Stores an endpoint as the desk would, and lets the server read it.
    pub(crate) async fn put(&self, endpoint: Endpoint) {
        let event = Event::new(
            NOW,
            Actor::system("test"),
            "enrolment.endpoint.put",
            Object::new("endpoint", endpoint.name.as_str()),
        );
        let before = self.ca.store().record(ENDPOINT_RECORDS, &endpoint.name);
        let version = before.await.unwrap().map_or(0, |record| record.version);
        let write = Write::new(event)
            .unwrap()
            .put_record(ENDPOINT_RECORDS, &endpoint.name, version, &endpoint, NOW)
            .unwrap();
        self.ca.store().commit(write).await.unwrap();
        self.devices.refresh().await.unwrap();
    }

    pub(crate) async fn send(&self, path: &str, sent: Sent<'_>) -> Reply {
        let request = Request {
            method: match sent.post {
                Some(_) => Method::POST,
                None => Method::GET,
            },
            path,
            query: None,
            content_type: sent.post.map(|_| "application/pkcs10"),
            accept: None,
            authorization: sent.authorization,
            body: Bytes::copy_from_slice(sent.post.unwrap_or_default()),
            tls: (!sent.plain).then_some(Tls {
                peer: &sent.chain,
                version: "TLSv1.3",
            }),
            listener: Listener::Main,
            peer: "192.0.2.7".parse().unwrap(),
            request_id: "test",
        };
        self.devices.handle(request, NOW).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(path, Sent::default()).await
    }
}

async fn open(url: &str, directory: &Path) -> Ca {
    let migrations = [ca::MIGRATIONS, fleet::MIGRATIONS, enroll::MIGRATIONS].concat();
    let store = Store::open(url, &migrations).await.unwrap();
    let keyring = Keyring::open(KeyringConfig::new(directory)).unwrap();
    let access = Access::open(store.clone());
    Ca::open(store, keyring, access, NOW).await.unwrap()
}

pub(crate) fn admin(ca: &Ca, action: Action) -> Permit {
    let admin = ca.access().local_principal("root");
    ca.access()
        .decide(&admin, action, &Target::default())
        .unwrap()
}

pub(crate) fn endpoint(name: &str) -> Endpoint {
    Endpoint {
        name: name.to_owned(),
        profile: "device-ldevid".to_owned(),
        protocols: Protocols {
            est: true,
            ..Protocols::default()
        },
        ..Endpoint::default()
    }
}

pub(crate) fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let mut found = reply.headers.iter().filter(|(known, _)| known == name);
    found.next().map(|(_, value)| value.to_str().unwrap())
}

pub(crate) fn text(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).unwrap()
}
