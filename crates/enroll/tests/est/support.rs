//! A hospital with one endpoint for EST, and its database.

#[path = "../../../store/tests/databases/mod.rs"]
mod databases;

use std::path::Path;
use std::sync::Arc;

use access::{Access, Action, Permit, Target};
use audit::Timestamp;
use bytes::Bytes;
use ca::revocation::Revocation;
use ca::{Answers, Ca, Carry, RootKey};
use enroll::device::{
    Desk, Devices, Endpoint, For, Listener, NewCredential, NewRight, Protocols, Reply, Request,
    Tls, Unanswered,
};
use fleet::{Asset, Fleet};
use http::Method;
use keys::{Keyring, KeyringConfig};
use store::Store;
use tempfile::TempDir;
use x509::Certificate;
use x509::crl::Reason;
use zeroize::Zeroizing;

use databases::new_database;
pub(crate) use databases::on_both;

/// 22 November 2026, 12:00 UTC.
pub(crate) const NOW: Timestamp = Timestamp(1_795_348_800_000);

pub(crate) struct House {
    pub(crate) ca: Ca,
    pub(crate) devices: Devices,
    pub(crate) fleet: Fleet,
    desk: Desk,
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
        let fleet = Fleet::open(ca.clone()).unwrap();
        let devices = Devices::open(ca.clone(), fleet.clone(), ask, NOW)
            .await
            .unwrap();
        let desk = Desk::new(ca.clone(), fleet.clone());
        House {
            ca,
            devices,
            fleet,
            desk,
            directory,
        }
    }

    /// Puts an endpoint in force, and lets the server read it.
    pub(crate) async fn put(&self, endpoint: Endpoint) {
        let before = self.desk.endpoint(&endpoint.name).await;
        let version = before.map_or(0, |stored| stored.version);
        let permit = admin(&self.ca, Action::ManageEnrolment);
        let put = self.desk.put_endpoint(permit, endpoint, version, NOW);
        put.await.unwrap();
        self.devices.refresh().await.unwrap();
    }

    /// Registers a device.
    pub(crate) async fn asset(&self, serial: &str) -> Asset {
        let asset = Asset {
            serial: serial.to_owned(),
            manufacturer: "Acme Medical".to_owned(),
            model: "Infusomat".to_owned(),
            ..Asset::default()
        };
        let permit = admin(&self.ca, Action::ManageAssets);
        self.fleet.put(permit, asset, 0, NOW).await.unwrap().asset
    }

    /// A right for one certificate at any endpoint, made by somebody who then approves nothing: user and password.
    pub(crate) async fn right(&self, r#for: For, credential: NewCredential) -> (String, String) {
        let new = NewRight {
            endpoint: None,
            r#for,
            credential,
            uses: None,
            expires: None,
            evidence: Vec::new(),
            note: String::new(),
        };
        let permit = admin(&self.ca, Action::ManageEnrolment);
        let (right, secret) = self.desk.create_right(permit, new, NOW).await.unwrap();
        // Another process made it: this one hears of it.
        for entry in self.ca.store().events(0, 1_000_000).await.unwrap() {
            let event = audit::Event::parse(&entry.body).unwrap();
            if event.action.starts_with("enrolment.right.") {
                self.devices.observe(&event).await;
            }
        }
        let secret = secret.map_or_else(String::new, |secret| secret.to_string());
        (right.id.to_string(), secret)
    }

    pub(crate) async fn revoke(&self, certificate: &Certificate) {
        let id = hex::encode(certificate.fingerprint());
        let stored = self.ca.find_certificate(&id).await.unwrap();
        let revocation = Revocation {
            reason: Reason::KeyCompromise,
            invalid_since: None,
            why: None,
            request_id: None,
        };
        let permit = admin(&self.ca, Action::RevokeCertificate);
        self.ca
            .revoke(permit, &stored, revocation, NOW)
            .await
            .unwrap();
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
