//! From a decision to a certificate: the permit, the CA's request, and what is written along with the certificate: the
//! use of the right, the asset's holding and the registration, all or nothing.

use access::{Action, Evidence, Refusal, RequestId, Scope, Target};
use audit::Timestamp;
use ca::profile::Duration;
use ca::{Along, CaError, IssueRequest, Issued};
use fleet::{Asset, Fleet, NewHolding};
use store::{StoreError, Write};
use x509::{CertificationRequest, PublicKey};

use super::names::Names;
use super::rows::{self, New};
use super::stop::{Stop, refusal};
use super::{Asked, Claim, KeyAndNames, Protocol, Registration};
use crate::device::right::{self, RightId};
use crate::device::{Chain, DeviceError, Endpoint, Previous};

/// For how long a registration is remembered after its certificate has ended.
const AFTERWARDS_MS: i64 = 90 * 86_400_000;

/// Whose key.
pub(super) enum Key {
    Csr(Box<CertificationRequest>),
    Public(Box<PublicKey>),
    /// One that is made here.
    Generate {
        algorithm: Option<x509::KeyAlgorithm>,
        package: ca::KeyPackage,
    },
}

impl Key {
    pub(super) fn of(claim: Claim) -> Self {
        match (claim.asked, claim.key_and_names) {
            (Asked::GenerateKey { algorithm, package }, _) => Key::Generate { algorithm, package },
            (_, KeyAndNames::Csr(csr)) => Key::Csr(csr),
            (_, KeyAndNames::Template { key, .. }) => Key::Public(key),
        }
    }
}

/// A certificate that may be issued.
pub(super) struct Order {
    pub(super) profile: String,
    pub(super) authority: Option<String>,
    /// How much of it the device gets along.
    pub(super) chain: Chain,
    pub(super) asset: Asset,
    pub(super) endpoint: String,
    pub(super) protocol: Protocol,
    pub(super) names: Names,
    pub(super) validity: Option<Duration>,
    pub(super) evidence: Vec<Evidence>,
    /// The right that is used, and how often it may be.
    pub(super) right: Option<(RightId, Option<u32>)>,
    pub(super) previous: fleet::Previous,
    pub(super) request_id: Option<String>,
}

/// The registration that the certificate fulfils.
pub(super) enum Entry {
    New(Box<New>),
    Pending(String),
}

/// What becomes of the certificate before: a renewal leaves it to the endpoint's rules; a device that enrols anew has lost
/// it.
pub(super) fn previous(endpoint: &Endpoint, is_renewal: bool) -> fleet::Previous {
    match (is_renewal, endpoint.renewal.previous) {
        (false, _) | (true, Previous::RevokeAtOnce) => fleet::Previous::RevokeAtOnce,
        (true, Previous::Keep) => fleet::Previous::Keep,
        (true, Previous::RevokeAfter(seconds)) => fleet::Previous::RevokeAfter(i64::from(seconds)),
    }
}

impl Registration {
    /// Issues at once.
    pub(super) async fn issue(
        &self,
        order: Order,
        key: Key,
        entry: Entry,
        now: Timestamp,
    ) -> Result<Issued, Stop> {
        let scope = Scope {
            profiles: vec![order.profile.clone()],
            ..Scope::default()
        };
        let principal = self.ca.access().enrolled_principal(&order.asset.id, scope);
        let target = Target {
            profile: Some(&order.profile),
            authority: order.authority.as_deref(),
            names: &[],
            ..Target::default()
        };
        let id = order.request_id.clone();
        let permit = self
            .ca
            .access()
            .permit(
                &principal,
                Action::IssueCertificate,
                &target,
                id.as_deref(),
                now,
            )
            .await?;
        let chain = order.chain;
        let request = self.request(order, key, entry, now);
        match self.ca.issue(permit, request, now).await {
            Ok(ca::Outcome::Issued(issued)) => Ok(shortened(*issued, chain)),
            Ok(ca::Outcome::Pending(_)) => Err(Stop::Failed(DeviceError::Ca(CaError::Internal(
                "a registration waits twice",
            )))),
            Err(error) => Err(stopped(error)),
        }
    }

    /// Issues what enough people have approved.
    pub(super) async fn issue_approved(
        &self,
        permit: access::Permit,
        approved: RequestId,
        order: Order,
        key: Key,
        entry: Entry,
        now: Timestamp,
    ) -> Result<Issued, Stop> {
        let chain = order.chain;
        let request = self.request(order, key, entry, now);
        let issued = self.ca.issue_approved(permit, approved, request, now).await;
        let issued = issued.map_err(stopped)?;
        Ok(shortened(issued, chain))
    }

    fn request(&self, order: Order, key: Key, entry: Entry, now: Timestamp) -> IssueRequest {
        let Names {
            subject,
            alternative,
        } = order.names;
        let mut request = match key {
            Key::Csr(csr) => {
                let mut request = IssueRequest::from_csr(order.profile, *csr);
                (request.subject, request.names) = (Some(subject), Some(alternative));
                request
            }
            Key::Public(key) => IssueRequest::for_key(order.profile, *key, subject, alternative),
            Key::Generate { algorithm, package } => {
                let preferred = algorithm.or(order.asset.key_types.first().copied());
                IssueRequest::generate(order.profile, preferred, package, subject, alternative)
            }
        };
        let life = self
            .ca
            .profile(&request.profile)
            .map_or(0, |found| found.profile.max_validity().as_seconds());
        let expires = now.0 + life * 1000 + AFTERWARDS_MS;
        request.authority = order.authority;
        request.validity = order.validity;
        order.asset.date(&mut request);
        request.evidence = order.evidence;
        request.request_id = order.request_id;
        let holding = NewHolding {
            asset: order.asset.id,
            endpoint: order.endpoint,
            protocol: order.protocol.as_str().to_owned(),
            held_at: now,
            previous: order.previous,
        };
        request.along = along(holding, order.right, entry, now, expires);
        request
    }
}

fn shortened(mut issued: Issued, chain: Chain) -> Issued {
    issued.chain = chain.shared(&issued.chain);
    issued
}

/// What belongs to the certificate.
fn along(
    holding: NewHolding,
    right: Option<(RightId, Option<u32>)>,
    entry: Entry,
    now: Timestamp,
    expires: i64,
) -> Along {
    let with_record = move |write: Write, sha256: &[u8; 32]| {
        let write = match &right {
            Some((id, uses)) => right::spend(write, id, *uses),
            None => write,
        };
        let write = match &entry {
            Entry::New(new) => new.issued(write, sha256, now, expires),
            Entry::Pending(id) => rows::fulfil(write, id, sha256, &holding.asset, now, expires),
        };
        Fleet::hold(write, &holding, sha256)
    };
    Along::new(Ok, with_record)
}

/// What the CA's "no" means here.
fn stopped(error: CaError) -> Stop {
    if let CaError::Store(StoreError::Conflict(what)) = &error {
        return match *what {
            right::SPENT => Stop::Spent,
            what if what.contains("asset") => {
                let refusal = refusal("enrolment.asset.state", what);
                Stop::No(refusal.accepted("an asset that is active"))
            }
            _ => Stop::Elsewhere,
        };
    }
    if let CaError::Store(StoreError::Duplicate(_)) = &error {
        return Stop::Elsewhere;
    }
    match error.refusal() {
        // The CA has recorded it.
        Some(refusal) => Stop::Recorded(Refusal::clone(refusal)),
        None => Stop::Failed(DeviceError::Ca(error)),
    }
}
