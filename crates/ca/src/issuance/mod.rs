//! The issuance cycle: permit → profile check → serial number → lint of the exact bytes → sign →
//! record durably → answer. The serial number is on the disk before the signature: reserved ahead in a
//! block, or announced by an intent of its own after the lint. Each step consumes the proof of the one before by move; `docs/profiles.md` and
//! ARCHITECTURE.md say what a crash in each gap leaves behind.
//!
//! A refusal must leave nothing to clean up, or anybody could fill a CRL by asking for nonsense: a
//! reserved number goes back to its block, and an intent is not made before the lint has passed.

mod along;
mod approval;
mod cycle;
mod names;
mod partition;
mod plan;
mod recover;
mod request;
mod reserve;
pub(crate) mod serial;
mod subject;
mod template;
pub(crate) mod text;
mod underway;

use access::{Action, Permit, RequestId, holder};
use audit::{Object, Timestamp};
use store::StoreError;
use x509::{KeyAlgorithm, PublicKey};
use zeroize::Zeroizing;

pub use along::Along;
pub use approval::PROTOCOL;
pub(crate) use cycle::Fault;
pub use cycle::Gap;
pub use partition::PARTITION_SIZE;
pub(crate) use partition::Partitions;
pub use plan::csr_refusal;
pub use request::{
    Backdate, Exception, GeneratedKey, IssueRequest, Issued, KeyPackage, Outcome, Source,
};
pub(crate) use reserve::Reserves;
pub(crate) use template::{Templates, authority_info, crl_url, policy_extension};
pub(crate) use underway::Underway;

use crate::finish::Finish;
use crate::{Ca, CaError, Result};
use plan::{Asked, Plan, Route};

impl Ca {
    /// Issues, or puts the request before a second person if the profile demands it. A refusal is
    /// in the log when this returns. The work is finished even if the caller stops waiting.
    pub async fn issue(
        &self,
        permit: Permit,
        request: IssueRequest,
        now: Timestamp,
    ) -> Result<Outcome> {
        let ca = self.clone();
        Finish::new(async move { ca.issue_or_record(permit, request, None, now).await }).await
    }

    /// Issues for a request that enough people have approved, whose protocol kept what it takes to issue
    /// ([`access::Access::resume`] gives the permit). The request is fulfilled in the write that makes the certificate.
    pub async fn issue_approved(
        &self,
        permit: Permit,
        approved: RequestId,
        request: IssueRequest,
        now: Timestamp,
    ) -> Result<Issued> {
        let ca = self.clone();
        let work = async move {
            ca.issue_or_record(permit, request, Some(approved), now)
                .await
        };
        match Finish::new(work).await? {
            Outcome::Issued(issued) => Ok(*issued),
            Outcome::Pending(_) => Err(CaError::Internal("an approved request waits")),
        }
    }

    async fn issue_or_record(
        &self,
        permit: Permit,
        request: IssueRequest,
        approved: Option<RequestId>,
        now: Timestamp,
    ) -> Result<Outcome> {
        let principal = permit.principal().clone();
        let request_id = request.request_id.clone();
        let profile = request.profile.clone();
        match self.issue_under(permit, request, approved, now).await {
            Err(CaError::Refused(refusal)) => {
                let object = Object::new("profile", profile.chars().take(64).collect::<String>());
                let action = "certificate.refuse";
                Err(self
                    .refuse(
                        refusal,
                        &principal,
                        action,
                        object,
                        request_id.as_deref(),
                        now,
                    )
                    .await)
            }
            other => other,
        }
    }

    async fn issue_under(
        &self,
        permit: Permit,
        mut request: IssueRequest,
        approved: Option<RequestId>,
        now: Timestamp,
    ) -> Result<Outcome> {
        permit.require(Action::IssueCertificate)?;
        self.clock().check(now)?;
        let state = self.state();
        let idempotency = idempotency(&permit, &request)?;
        let _work = self.begin(idempotency.as_deref(), &request)?;
        // What is written along tells the second of two requests from the first.
        if let Some(key) = &idempotency
            && request.along.is_empty()
            && let Some(issued) = self.repeated(key, &request).await?
        {
            return Ok(Outcome::Issued(Box::new(issued)));
        }
        let route = plan::route(
            &state,
            &permit,
            &request.profile,
            request.authority.as_deref(),
        )?;
        let needed = route.profile.profile.approvals();
        if needed > 0 && approved.is_none() {
            cannot_wait(&route, &request)?;
            let id = self
                .put_before_second_person(&state, &permit, route, request, needed, now)
                .await?;
            return Ok(Outcome::Pending(id));
        }
        plan::check_server_key(&state, &route, &request)?;
        let subscriber = Subscriber::of(&route, &mut request).await?;
        let plan = plan::plan(
            &state,
            &permit,
            route,
            subscriber.key,
            subscriber.asked,
            &request,
            now,
        )?;
        self.check_not_compromised(&plan.key).await?;
        let mut issued = self
            .sign(permit, plan, &mut request, idempotency, approved, now)
            .await?;
        if let (Some(pkcs8), crate::Source::Generate { package, .. }) =
            (subscriber.pkcs8, &request.source)
        {
            issued.key = Some(pack(pkcs8, package, &issued).await?);
        }
        Ok(Outcome::Issued(Box::new(issued)))
    }
}

impl Ca {
    /// The second of two requests with one idempotency key waits for nothing.
    fn begin(&self, key: Option<&str>, request: &IssueRequest) -> Result<Option<underway::Work>> {
        let Some(key) = key else { return Ok(None) };
        match self.underway().begin(key) {
            Some(work) => Ok(Some(work)),
            None if request.along.is_empty() => Err(cycle::in_progress().into()),
            // Its protocol knows what became of the first.
            None => Err(StoreError::Conflict("another request for this is under way").into()),
        }
    }
}

/// A second person decides days later: a date of beginning would be past by then, and what a protocol
/// wanted to write along is not kept.
fn cannot_wait(route: &Route, request: &IssueRequest) -> Result<(), access::Refusal> {
    let dated = request.not_before.is_some() || request.not_after.is_some();
    if request.along.is_empty() && !dated {
        return Ok(());
    }
    Err(access::Refusal::new(
        "approval.wait",
        route.source.clone(),
        "this profile needs a second person, and this request cannot wait for one",
    )
    .accepted("a profile without approvals, or a request over the API"))
}

/// The subscriber's key and wishes, wherever they come from.
struct Subscriber {
    key: PublicKey,
    asked: Asked,
    pkcs8: Option<Zeroizing<Vec<u8>>>,
}

impl Subscriber {
    async fn of(route: &Route, request: &mut IssueRequest) -> Result<Subscriber> {
        let profile = &route.profile.profile;
        let source = std::mem::replace(&mut request.source, Source::Taken);
        let subscriber = match &source {
            Source::Csr(csr) => Subscriber {
                key: csr.public_key().clone(),
                asked: plan::asked_by_csr(csr, profile, request)?,
                pkcs8: None,
            },
            Source::Generate { algorithm, .. } => {
                let algorithm = algorithm
                    .or_else(|| profile.algorithms().first().copied())
                    .unwrap_or(KeyAlgorithm::EcdsaP256);
                if !profile.algorithms().contains(&algorithm) {
                    let list: Vec<String> = profile
                        .algorithms()
                        .iter()
                        .map(ToString::to_string)
                        .collect();
                    return Err(access::Refusal::new(
                        "key.algorithm",
                        route.source.clone(),
                        format!("a key of kind {algorithm} is not for this profile"),
                    )
                    .accepted(list.join(", "))
                    .into());
                }
                let (pkcs8, key) = generate(algorithm).await?;
                let subject = request.subject.take();
                Subscriber {
                    key,
                    asked: Asked {
                        subject: subject.unwrap_or_else(x509::Name::empty),
                        names: request.names.take().unwrap_or_default(),
                    },
                    pkcs8: Some(pkcs8),
                }
            }
            Source::PublicKey(key) => Subscriber {
                key: PublicKey::clone(key),
                asked: Asked {
                    subject: request.subject.take().unwrap_or_else(x509::Name::empty),
                    names: request.names.take().unwrap_or_default(),
                },
                pkcs8: None,
            },
            Source::Taken => return Err(CaError::Internal("a request without a source")),
        };
        request.source = source;
        Ok(subscriber)
    }
}

/// RSA keys take seconds to find: off the threads that answer requests.
async fn generate(algorithm: KeyAlgorithm) -> Result<(Zeroizing<Vec<u8>>, PublicKey)> {
    tokio::task::spawn_blocking(move || keys::generate_for_subscriber(algorithm))
        .await
        .map_err(|_| CaError::Interrupted("key generation"))?
        .map_err(CaError::from)
}

async fn pack(
    pkcs8: Zeroizing<Vec<u8>>,
    package: &KeyPackage,
    issued: &Issued,
) -> Result<GeneratedKey> {
    match package {
        KeyPackage::Pem => {
            let pem = Zeroizing::new(x509::pem::encode("PRIVATE KEY", &pkcs8));
            Ok(GeneratedKey::Pem(pem))
        }
        KeyPackage::Pkcs12 { password } => {
            let certificate = x509::Certificate::from_der(&issued.der)?;
            let (chain, password) = (issued.chain.clone(), password.clone());
            let build = move || {
                let friendly = certificate.subject().to_string();
                let contents = x509::pkcs12::Contents {
                    pkcs8: &pkcs8,
                    certificate: &certificate,
                    chain: &chain,
                    friendly_name: &friendly,
                };
                x509::pkcs12::build(&contents, &password, x509::pkcs12::DEFAULT_ITERATIONS)
            };
            let built = tokio::task::spawn_blocking(build)
                .await
                .map_err(|_| CaError::Interrupted("PKCS#12"))?;
            let der = built.map_err(|_| CaError::Internal("PKCS#12 cannot be built"))?;
            Ok(GeneratedKey::Pkcs12(der))
        }
    }
}

/// The caller's name for the request, made unique among callers.
fn idempotency(permit: &Permit, request: &IssueRequest) -> Result<Option<String>> {
    let Some(key) = &request.idempotency_key else {
        return Ok(None);
    };
    if !(1..=128).contains(&key.len()) || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(access::Refusal::new(
            "idempotency.key",
            "docs/api.md",
            "the idempotency key cannot be used",
        )
        .accepted("1 to 128 printable ASCII characters")
        .into());
    }
    Ok(Some(format!("{}/{key}", holder(&permit.actor().id))))
}

/// The plan of a CSR request, for showing to the second person.
fn plan_of_csr(
    state: &crate::state::State,
    permit: &Permit,
    route: Route,
    request: &mut IssueRequest,
    now: Timestamp,
) -> Result<Plan> {
    let source = std::mem::replace(&mut request.source, Source::Taken);
    let Source::Csr(csr) = &source else {
        return Err(access::Refusal::new(
            "approval.csr",
            route.source.clone(),
            "a key made here would have to be kept until somebody approves",
        )
        .accepted("a CSR with a key of the subscriber's own")
        .into());
    };
    let asked = plan::asked_by_csr(csr, &route.profile.profile, request)?;
    let key = csr.public_key().clone();
    request.subject = Some(asked.subject.clone());
    request.names = Some(asked.names.clone());
    let planned = plan::plan(state, permit, route, key, asked, request, now)?;
    request.source = source;
    Ok(planned)
}
