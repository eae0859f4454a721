//! How devices ask for certificates by their serial number: EST (RFC 7030), SCEP (RFC 8894) and CMP (RFC 9810).
//!
//! `door` finds the endpoint that a path belongs to; each protocol reads its own messages; all three end in one call,
//! `registration`, which decides who asks, for which asset, and whether they may. Like everything in this room it has no
//! listener, reads no clock and fetches nothing: the webhook's caller is passed in.

mod chain;
mod cmp;
mod desk;
mod door;
mod endpoint;
mod error;
mod est;
#[doc(hidden)]
pub mod exercise;
mod guard;
mod registration;
mod reply;
mod right;
mod scep;
mod webhook;

use std::net::IpAddr;
use std::sync::Arc;

use access::Evidence;
use audit::Timestamp;
use bytes::Bytes;
use http::Method;

pub use chain::Chain;
pub use desk::{Desk, EndpointUse, NewCredential, NewRight, RightView, StoredEndpoint};
pub use endpoint::{
    Approval, BadNetwork, CmpPolicy, ENDPOINT_RECORDS, Endpoint, EndpointLimits, EstPolicy,
    NamesFrom, Network, Previous, Protocols, Renewal, RenewalKey, ScepPolicy, SerialField,
    Unregistered,
};
pub use error::DeviceError;
pub use est::CsrAttributes;
pub use registration::{
    Protocol, Registered, RegistrationFilter, RegistrationPage, RegistrationState,
};
pub use reply::Reply;
pub use right::{Credential, For, RIGHT_RECORDS, Right, RightId};
pub use webhook::{Answer, Ask, Call, OnFailure, Unanswered, Webhook};

/// The device protocols. Cheap to clone.
#[derive(Clone)]
pub struct Devices {
    inner: Arc<Inner>,
}

/// What all requests share.
pub(crate) struct Inner {
    pub(crate) ca: ca::Ca,
    pub(crate) endpoints: endpoint::Endpoints,
    pub(crate) registration: registration::Registration,
}

/// One HTTP request to a device protocol.
pub struct Request<'a> {
    pub method: Method,
    /// As the client sent it, not decoded.
    pub path: &'a str,
    /// As the client sent it, not decoded.
    pub query: Option<&'a str>,
    pub content_type: Option<&'a str>,
    pub accept: Option<&'a str>,
    pub authorization: Option<&'a str>,
    pub body: Bytes,
    /// `None` on plain HTTP.
    pub tls: Option<Tls<'a>>,
    pub listener: Listener<'a>,
    pub peer: IpAddr,
    pub request_id: &'a str,
}

/// What the TLS handshake told.
#[derive(Clone, Copy, Debug)]
pub struct Tls<'a> {
    /// The client's chain in DER as it sent it, leaf first; empty if it sent none. The handshake proved possession of the
    /// leaf's key. Nothing else was checked.
    pub peer: &'a [Vec<u8>],
    /// "TLSv1.2" or "TLSv1.3", and on a listener for old devices what they speak.
    pub version: &'a str,
    /// The suite, on a listener for old devices.
    pub suite: Option<&'a str>,
}

/// Where the request came in.
#[derive(Clone, Copy, Debug, Default)]
pub enum Listener<'a> {
    /// The HTTPS listener that everything uses.
    #[default]
    Main,
    /// A listener for old devices (plain HTTP, or TLS with old suites).
    Legacy {
        name: &'a str,
        /// The endpoints that may be reached there.
        endpoints: &'a [String],
    },
}

impl Request<'_> {
    /// How it came in where that was by a listener for old devices: part of the evidence (R07), since what protected it
    /// on its way may not protect anything for long.
    pub(crate) fn arrival(&self) -> Option<Evidence> {
        let Listener::Legacy { name, .. } = self.listener else {
            return None;
        };
        let how = match self.tls {
            None => "plain HTTP".to_owned(),
            Some(tls) => format!(
                "{} with {}",
                tls.version,
                tls.suite.unwrap_or("a suite of today")
            ),
        };
        Some(Evidence {
            kind: "legacy-listener".to_owned(),
            text: format!("{name}, {how}"),
            sha256: None,
        })
    }
}

impl Devices {
    /// Opens the device protocols on a CA whose store has the migrations of this room.
    pub async fn open(ca: ca::Ca, fleet: fleet::Fleet, ask: Ask) -> Result<Devices, DeviceError> {
        let endpoints = endpoint::Endpoints::load(ca.store()).await?;
        let registration = registration::Registration::new(ca.clone(), fleet, ask);
        Ok(Devices {
            inner: Arc::new(Inner {
                ca,
                endpoints,
                registration,
            }),
        })
    }

    /// Whether a path is one of a device protocol.
    pub fn answers(path: &str) -> bool {
        door::answers(path)
    }

    /// Answers one request. It does not fail: what goes wrong becomes the protocol's own error.
    pub async fn handle(&self, request: Request<'_>, now: Timestamp) -> Reply {
        door::handle(self, &request, now).await
    }

    /// Follows the log: what another process changed is read anew.
    pub async fn observe(&self, event: &audit::Event) {
        if event.action.starts_with("enrolment.endpoint.")
            && let Err(error) = self.inner.endpoints.refresh(self.inner.ca.store()).await
        {
            tracing::warn!(%error, "enrolment endpoints cannot be read anew");
        }
        if event.action.starts_with("enrolment.right.") {
            self.inner.registration.forget_rights();
        }
    }

    /// Reads anew what [`Devices::observe`] follows: before the log is followed, events may have been missed.
    pub async fn refresh(&self) -> Result<(), DeviceError> {
        self.inner.registration.forget_rights();
        self.inner.endpoints.refresh(self.inner.ca.store()).await
    }

    /// Closes what was decided against while its device was away, and removes what nobody can use any more. Certificates
    /// stay. Says how many rows went. There is nothing else to take up after a restart: what was approved is issued when
    /// its device asks again, and a question to a webhook that a crash cut off has written nothing.
    pub async fn prune(&self, now: Timestamp) -> Result<u64, DeviceError> {
        self.registration().settle(now).await?;
        let registrations = registration::prune(self.ca(), now).await?;
        Ok(registrations + cmp::prune(self, now).await?)
    }

    /// The CA.
    pub(crate) fn ca(&self) -> &ca::Ca {
        &self.inner.ca
    }

    /// The call that all protocols end in.
    pub(crate) fn registration(&self) -> &registration::Registration {
        &self.inner.registration
    }

    /// The issuer that certificates of this endpoint come from now.
    pub(crate) fn issuer(&self, endpoint: &Endpoint) -> Result<Arc<ca::Issuer>, DeviceError> {
        endpoint::issuer(self.ca(), endpoint)
    }
}
