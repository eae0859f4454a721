//! A hospital with pumps in its register and endpoints that speak CMP, and its database.

#[path = "../../../store/tests/databases/mod.rs"]
mod databases;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use access::{Access, Action, Permit, RequestId, Target};
use audit::{Event, Timestamp};
use bytes::Bytes;
use ca::{Answers, Ca, Carry, RootKey};
use enroll::device::{
    Approval, CmpPolicy, Desk, Devices, Endpoint, For, Listener, NewCredential, NewRight,
    Protocols, Renewal, Reply, Request, Unanswered, Unregistered,
};
use fleet::{Asset, Fleet};
use http::Method;
use keys::{Keyring, KeyringConfig};
use store::Store;
use tempfile::TempDir;
use x509::Certificate;
use zeroize::Zeroizing;

use databases::new_database;
pub(crate) use databases::on_both;

/// 22 November 2026, 12:00 UTC.
pub(crate) const NOW: Timestamp = Timestamp(1_795_348_800_000);
pub(crate) const HOUR: i64 = 3_600_000;

pub(crate) struct House {
    pub(crate) ca: Ca,
    devices: Devices,
    desk: Desk,
    fleet: Fleet,
    clock: AtomicI64,
    pub(crate) directory: TempDir,
}

impl House {
    /// With the endpoints `pumps`, `open` (information for everybody) and `asked` (waits for a person), and the pumps
    /// SN-1 to SN-4.
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
        let fleet = Fleet::open(ca.clone()).unwrap();
        let house = House {
            desk: Desk::new(ca.clone(), fleet.clone()),
            devices: devices(&ca, &fleet).await,
            ca,
            fleet,
            clock: AtomicI64::new(NOW.0),
            directory,
        };
        for number in 1..5 {
            house.register(&format!("SN-{number}")).await;
        }
        house.put(endpoint("pumps")).await;
        let cmp = CmpPolicy {
            open_information: true,
            ..CmpPolicy::default()
        };
        house
            .put(Endpoint {
                cmp,
                ..endpoint("open")
            })
            .await;
        let asked = Endpoint {
            approval: Approval::Always,
            unregistered: Unregistered::Wait,
            ..endpoint("asked")
        };
        house.put(asked).await;
        house
    }

    async fn register(&self, serial: &str) {
        let asset = Asset {
            serial: serial.to_owned(),
            manufacturer: "Pumps, Inc.".to_owned(),
            model: "P-1".to_owned(),
            ..Asset::default()
        };
        let permit = admin(&self.ca, Action::ManageAssets);
        self.fleet.put(permit, asset, 0, NOW).await.unwrap();
    }

    async fn put(&self, endpoint: Endpoint) {
        let permit = admin(&self.ca, Action::ManageEnrolment);
        self.desk
            .put_endpoint(permit, endpoint, 0, NOW)
            .await
            .unwrap();
        self.devices.refresh().await.unwrap();
    }

    /// A reference and a secret for some serial numbers.
    pub(crate) async fn secret(&self, serials: &[&str], uses: Option<u32>) -> (String, String) {
        let serials = serials.iter().map(ToString::to_string).collect();
        let (id, secret) = self
            .right(For::Batch(serials), NewCredential::SharedSecret, uses)
            .await;
        (id, secret.unwrap())
    }

    /// Whoever has a certificate of this manufacturer may enrol.
    pub(crate) async fn trust_vendor(&self, anchor: &Certificate) {
        let credential = NewCredential::Vendor {
            anchors: vec![anchor.to_pem()],
            serial_field: enroll::device::SerialField::SubjectSerialNumber,
        };
        self.right(For::Any, credential, None).await;
    }

    async fn right(
        &self,
        r#for: For,
        credential: NewCredential,
        uses: Option<u32>,
    ) -> (String, Option<String>) {
        let new = NewRight {
            endpoint: None,
            r#for,
            credential,
            uses,
            expires: None,
            evidence: Vec::new(),
            note: String::new(),
        };
        let permit = admin(&self.ca, Action::ManageEnrolment);
        let (right, secret) = self.desk.create_right(permit, new, NOW).await.unwrap();
        self.devices.refresh().await.unwrap();
        let secret = secret.map(|secret| secret.to_string());
        (right.id.to_string(), secret)
    }

    /// What is known of all this survives in the database only.
    pub(crate) async fn restart(&mut self) {
        self.devices = devices(&self.ca, &self.fleet).await;
    }

    /// A second person approves the newest request.
    pub(crate) async fn approve(&self) {
        let waiting = self.events("request.create").await;
        let id = RequestId::parse(&waiting.last().unwrap().object.id).unwrap();
        let second = permit(&self.ca, "biomed", Action::ApproveRequests);
        self.ca
            .approve(second, &id, None, self.now())
            .await
            .unwrap();
    }

    /// Whether the CA says that it is neither revoked nor held.
    pub(crate) async fn is_good(&self, certificate: &Certificate) -> bool {
        let stored = self.ca.certificate(&certificate.fingerprint()).await;
        stored.unwrap().unwrap().state == ca::CertificateState::Issued
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.clock.load(Relaxed))
    }

    pub(crate) fn pass(&self, milliseconds: i64) {
        self.clock.fetch_add(milliseconds, Relaxed);
    }

    pub(crate) async fn prune(&self) {
        self.devices.prune(self.now()).await.unwrap();
    }

    pub(crate) async fn events(&self, action: &str) -> Vec<Event> {
        let entries = self.ca.store().events(0, 1_000_000).await.unwrap();
        entries
            .iter()
            .map(|entry| Event::parse(&entry.body).unwrap())
            .filter(|event| event.action == action)
            .collect()
    }

    pub(crate) async fn post(&self, path: &str, body: &[u8]) -> Reply {
        self.send(Method::POST, path, Some("application/pkixcmp"), body)
            .await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Reply {
        let request = Request {
            method,
            path,
            query: None,
            content_type,
            accept: None,
            authorization: None,
            body: Bytes::copy_from_slice(body),
            tls: None,
            listener: Listener::Main,
            peer: "192.0.2.7".parse().unwrap(),
            request_id: "test",
        };
        self.devices.handle(request, self.now()).await
    }
}

async fn devices(ca: &Ca, fleet: &Fleet) -> Devices {
    let ask: enroll::device::Ask =
        Arc::new(|_| Box::pin(async { Err(Unanswered("nobody".into())) }));
    Devices::open(ca.clone(), fleet.clone(), ask, NOW)
        .await
        .unwrap()
}

async fn open(url: &str, directory: &Path) -> Ca {
    let migrations = [ca::MIGRATIONS, fleet::MIGRATIONS, enroll::MIGRATIONS].concat();
    let store = Store::open(url, &migrations).await.unwrap();
    let keyring = Keyring::open(KeyringConfig::new(directory)).unwrap();
    let access = Access::open(store.clone());
    Ca::open(store, keyring, access, NOW).await.unwrap()
}

pub(crate) fn admin(ca: &Ca, action: Action) -> Permit {
    permit(ca, "root", action)
}

fn permit(ca: &Ca, user: &str, action: Action) -> Permit {
    let user = ca.access().local_principal(user);
    ca.access()
        .decide(&user, action, &Target::default())
        .unwrap()
}

/// An endpoint that renews whenever it is asked.
fn endpoint(name: &str) -> Endpoint {
    Endpoint {
        name: name.to_owned(),
        profile: "device-ldevid".to_owned(),
        protocols: Protocols {
            cmp: true,
            ..Protocols::default()
        },
        renewal: Renewal {
            from: 0,
            ..Renewal::default()
        },
        ..Endpoint::default()
    }
}

pub(crate) fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let mut found = reply.headers.iter().filter(|(known, _)| known == name);
    found.next().map(|(_, value)| value.to_str().unwrap())
}
