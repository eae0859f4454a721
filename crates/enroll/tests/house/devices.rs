//! A hospital with an asset register and a door for devices.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use access::Action;
use audit::{Event, Timestamp};
use bytes::Bytes;
use ca::Ca;
use ca::revocation::Revocation;
use enroll::device::{
    Ask, Desk, Devices, Endpoint, For, Listener, NewCredential, NewRight, Protocols, Reply,
    Request, Right, Unanswered,
};
use fleet::{Asset, Fleet};
use http::Method;
use x509::Certificate;
use x509::crl::Reason;

use super::{NOW, Site, admin};

pub(crate) struct House {
    pub(crate) ca: Ca,
    pub(crate) fleet: Fleet,
    pub(crate) desk: Desk,
    pub(crate) devices: Devices,
    pub(crate) site: Site,
    clock: AtomicI64,
}

impl House {
    /// Without an endpoint, and with an empty register.
    pub(crate) async fn bare(postgres: bool) -> Self {
        let site = Site::found(postgres).await;
        let ca = site.ca.clone();
        let fleet = Fleet::open(ca.clone()).unwrap();
        House {
            desk: Desk::new(ca.clone(), fleet.clone()),
            devices: devices(&ca, &fleet).await,
            ca,
            fleet,
            site,
            clock: AtomicI64::new(NOW.0),
        }
    }

    /// What is known of all this survives in the database only.
    pub(crate) async fn restart(&mut self) {
        self.devices = devices(&self.ca, &self.fleet).await;
    }

    pub(crate) async fn register(&self, serial: &str) -> Asset {
        let asset = Asset {
            serial: serial.to_owned(),
            manufacturer: "Pumps, Inc.".to_owned(),
            model: "P-1".to_owned(),
            ..Asset::default()
        };
        let permit = admin(&self.ca, Action::ManageAssets);
        self.fleet.put(permit, asset, 0, NOW).await.unwrap().asset
    }

    /// Puts an endpoint in force, and lets the server read it.
    pub(crate) async fn put(&self, endpoint: Endpoint) {
        let before = self.desk.endpoint(&endpoint.name).await;
        let version = before.map_or(0, |stored| stored.version);
        let permit = admin(&self.ca, Action::ManageEnrolment);
        self.desk
            .put_endpoint(permit, endpoint, version, self.now())
            .await
            .unwrap();
        self.devices.refresh().await.unwrap();
    }

    /// Makes a right, which the server has not heard of. Its secret is empty if it has none.
    pub(crate) async fn create_right(&self, new: NewRight) -> (Right, String) {
        let permit = admin(&self.ca, Action::ManageEnrolment);
        let (right, secret) = self.desk.create_right(permit, new, NOW).await.unwrap();
        let secret = secret.map_or_else(String::new, |secret| secret.to_string());
        (right, secret)
    }

    pub(crate) async fn revoke(&self, certificate: &Certificate) {
        let stored = self.ca.certificate(&certificate.fingerprint()).await;
        let stored = stored.unwrap().unwrap();
        let revocation = Revocation {
            reason: Reason::KeyCompromise,
            invalid_since: None,
            why: None,
            request_id: None,
        };
        let permit = admin(&self.ca, Action::RevokeCertificate);
        self.ca
            .revoke(permit, &stored, revocation, self.now())
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

    pub(crate) async fn events(&self, action: &str) -> Vec<Event> {
        super::events(&self.ca, action).await
    }
}

/// A server that reaches no webhook.
async fn devices(ca: &Ca, fleet: &Fleet) -> Devices {
    let ask: Ask = Arc::new(|_| Box::pin(async { Err(Unanswered("nobody".into())) }));
    Devices::open(ca.clone(), fleet.clone(), ask).await.unwrap()
}

/// A request with nothing in it.
pub(crate) fn request(method: Method, path: &str) -> Request<'_> {
    Request {
        method,
        path,
        query: None,
        content_type: None,
        accept: None,
        authorization: None,
        body: Bytes::new(),
        tls: None,
        listener: Listener::Main,
        peer: "192.0.2.7".parse().unwrap(),
        request_id: "test",
    }
}

pub(crate) fn endpoint(name: &str, protocols: Protocols) -> Endpoint {
    Endpoint {
        name: name.to_owned(),
        profile: "device-ldevid".to_owned(),
        protocols,
        ..Endpoint::default()
    }
}

/// A right at any endpoint.
pub(crate) fn new_right(r#for: For, credential: NewCredential) -> NewRight {
    NewRight {
        endpoint: None,
        r#for,
        credential,
        uses: None,
        expires: None,
        evidence: Vec::new(),
        note: String::new(),
    }
}

pub(crate) fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let mut found = reply.headers.iter().filter(|(known, _)| known == name);
    found.next().map(|(_, value)| value.to_str().unwrap())
}

pub(crate) fn text(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).unwrap()
}
