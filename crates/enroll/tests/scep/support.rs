//! A hospital with pumps in its register and an endpoint that speaks SCEP, and its database.

#[path = "../../../store/tests/databases/mod.rs"]
mod databases;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use access::{Access, Action, Permit, Target};
use audit::{Event, Timestamp};
use bytes::Bytes;
use ca::revocation::Revocation;
use ca::{Answers, Ca, Carry, RootKey};
use enroll::device::{
    Approval, Desk, Devices, Endpoint, For, Listener, NewCredential, NewRight, Protocols, Renewal,
    Reply, Request, ScepPolicy, Unanswered, Unregistered,
};
use fleet::{Asset, Fleet};
use http::Method;
use keys::{Keyring, KeyringConfig};
use store::Store;
use tempfile::TempDir;
use x509::crl::Reason;
use x509::{Certificate, pkcs7};
use zeroize::Zeroizing;

use databases::new_database;
pub(crate) use databases::on_both;

/// 22 November 2026, 12:00 UTC.
pub(crate) const NOW: Timestamp = Timestamp(1_795_348_800_000);
pub(crate) const DAY: i64 = 86_400_000;

pub(crate) struct House {
    pub(crate) ca: Ca,
    pub(crate) devices: Devices,
    desk: Desk,
    pub(crate) fleet: Fleet,
    clock: AtomicI64,
    pub(crate) directory: TempDir,
}

impl House {
    /// With the endpoints `pumps`, `old` (legacy) and `asked` (waits for a person), and the pumps SN-1 to SN-9.
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
        let desk = Desk::new(ca.clone(), fleet.clone());
        let devices = Devices::open(ca.clone(), fleet.clone(), ask, NOW)
            .await
            .unwrap();
        let house = House {
            ca,
            devices,
            desk,
            fleet,
            clock: AtomicI64::new(NOW.0),
            directory,
        };
        house.furnish().await;
        house
    }

    async fn furnish(&self) {
        for number in 1..10 {
            self.register(&format!("SN-{number}")).await;
        }
        let scep = |legacy| ScepPolicy {
            legacy,
            ..ScepPolicy::default()
        };
        self.put(endpoint("pumps")).await;
        self.put(Endpoint {
            scep: scep(true),
            ..endpoint("old")
        })
        .await;
        self.put(Endpoint {
            approval: Approval::Always,
            unregistered: Unregistered::Wait,
            ..endpoint("asked")
        })
        .await;
        self.put(Endpoint {
            scep: ScepPolicy {
                ndes: true,
                ..scep(false)
            },
            ..endpoint("was-ndes")
        })
        .await;
    }

    pub(crate) async fn register(&self, serial: &str) -> String {
        let asset = Asset {
            serial: serial.to_owned(),
            manufacturer: "Pumps, Inc.".to_owned(),
            model: "P-1".to_owned(),
            ..Asset::default()
        };
        let permit = admin(&self.ca, Action::ManageAssets);
        let stored = self.fleet.put(permit, asset, 0, NOW).await.unwrap();
        stored.asset.id
    }

    pub(crate) async fn put(&self, endpoint: Endpoint) {
        let permit = admin(&self.ca, Action::ManageEnrolment);
        let before = self.desk.endpoint(&endpoint.name).await;
        let version = before.map_or(0, |before| before.version);
        self.desk
            .put_endpoint(permit, endpoint, version, self.now())
            .await
            .unwrap();
        self.devices.refresh().await.unwrap();
    }

    /// A password for one pump, or for several.
    pub(crate) async fn password(&self, serials: &[&str]) -> String {
        let new = NewRight {
            endpoint: None,
            r#for: For::Batch(serials.iter().map(ToString::to_string).collect()),
            credential: NewCredential::OneTimePassword,
            uses: None,
            expires: None,
            evidence: Vec::new(),
            note: String::new(),
        };
        let permit = admin(&self.ca, Action::ManageEnrolment);
        let (_, secret) = self.desk.create_right(permit, new, NOW).await.unwrap();
        secret.unwrap().to_string()
    }

    pub(crate) async fn revoke(&self, certificate: &Certificate) {
        let stored = self.ca.certificate(&certificate.fingerprint()).await;
        let revocation = Revocation {
            reason: Reason::KeyCompromise,
            invalid_since: None,
            why: None,
            request_id: None,
        };
        let permit = admin(&self.ca, Action::RevokeCertificate);
        let stored = stored.unwrap().unwrap();
        self.ca
            .revoke(permit, &stored, revocation, self.now())
            .await
            .unwrap();
    }

    /// Whether the CA says it is neither revoked nor held.
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

    /// The events of an action.
    pub(crate) async fn events(&self, action: &str) -> Vec<Event> {
        let entries = self.ca.store().events(0, 1_000_000).await.unwrap();
        entries
            .iter()
            .map(|entry| Event::parse(&entry.body).unwrap())
            .filter(|event| event.action == action)
            .collect()
    }

    pub(crate) async fn get(&self, path: &str, query: &str) -> Reply {
        self.send(Method::GET, path, Some(query), b"").await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        query: Option<&str>,
        body: &[u8],
    ) -> Reply {
        let request = Request {
            method,
            path,
            query,
            content_type: None,
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

    /// What GetCACert says, in its order.
    pub(crate) async fn certificates(&self, endpoint: &str) -> Vec<Certificate> {
        let reply = self
            .get(&format!("/scep/{endpoint}"), "operation=GetCACert&message=")
            .await;
        assert_eq!(
            (reply.status, header(&reply, "content-type")),
            (200, Some("application/x-x509-ca-ra-cert"))
        );
        pkcs7::parse(&reply.body).unwrap().certificates
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
    permit(ca, "root", action)
}

pub(crate) fn permit(ca: &Ca, user: &str, action: Action) -> Permit {
    let user = ca.access().local_principal(user);
    ca.access()
        .decide(&user, action, &Target::default())
        .unwrap()
}

/// An endpoint that renews whenever it is asked.
pub(crate) fn endpoint(name: &str) -> Endpoint {
    Endpoint {
        name: name.to_owned(),
        profile: "device-ldevid".to_owned(),
        protocols: Protocols {
            scep: true,
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
