//! Issuance that a second person has to agree to (R07): the checked request is put away with its
//! CSR, and issued from there when enough people have said yes.

use access::{Action, Decided, Evidence, NewRequest, Permit, RequestId, RequestState};
use audit::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use x509::{CertificationRequest, Time};

use super::plan::{self, Route};
use super::request::{Backdate, Exception, IssueRequest, Outcome, Source};
use crate::finish::Finish;
use crate::profile::Duration;
use crate::state::State;
use crate::{Ca, CaError, Result};

/// How long a request waits for somebody.
const WAIT_MS: i64 = 14 * 86_400_000;

/// Stands in the payload of a request whose protocol issues it itself, when the device comes back for it.
pub const PROTOCOL: &str = "protocol";

/// The request as it waits. Names and subject are those of the CSR unless the asker gave others.
#[derive(Serialize, Deserialize)]
struct Waiting {
    csr: String,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    names: Option<String>,
    authority: String,
    sid: Option<String>,
    workstation: Option<String>,
    validity_seconds: Option<i64>,
    #[serde(default)]
    backdate: Backdate,
    must_staple: bool,
    exception: Option<Exception>,
    service_life_ends: Option<i64>,
    evidence: Vec<Evidence>,
    idempotency_key: Option<String>,
}

impl Ca {
    /// Says yes to a waiting request; with the last yes it is issued.
    pub async fn approve(
        &self,
        permit: Permit,
        id: &RequestId,
        why: Option<&str>,
        now: Timestamp,
    ) -> Result<Outcome> {
        match self.access().approve(permit, id, why, now).await? {
            Decided::Approved(request, permit) => self.issue_waiting(*request, permit, now).await,
            Decided::Waiting(request) | Decided::Denied(request) => {
                Ok(Outcome::Pending(request.id))
            }
        }
    }

    /// Issues an approved request whose issuance failed before.
    pub async fn resume(&self, permit: Permit, id: &RequestId, now: Timestamp) -> Result<Outcome> {
        if permit.action() != Action::ApproveRequests {
            permit.require(Action::IssueCertificate)?;
        }
        let (request, permit) = self.access().resume(id, now).await?;
        self.issue_waiting(request, permit, now).await
    }

    async fn issue_waiting(
        &self,
        stored: access::Request,
        permit: Permit,
        now: Timestamp,
    ) -> Result<Outcome> {
        if stored.payload.get(PROTOCOL).is_some() {
            return Ok(Outcome::Pending(stored.id));
        }
        let request = read(&stored)?;
        let (ca, id) = (self.clone(), stored.id);
        Finish::new(async move { ca.issue_or_record(permit, request, Some(id), now).await }).await
    }

    pub(super) async fn put_before_second_person(
        &self,
        state: &State,
        permit: &Permit,
        route: Route,
        mut request: IssueRequest,
        needed: u8,
        now: Timestamp,
    ) -> Result<RequestId> {
        if let Some(id) = self.already_waiting(permit, &request, now).await? {
            return Ok(id);
        }
        let authority = route.issuer.record().authority.clone();
        let given = (request.subject.clone(), request.names.clone());
        let planned = super::plan_of_csr(state, permit, route, &mut request, now)?;
        self.check_not_compromised(&planned.key).await?;
        (request.subject, request.names) = given;
        let new = NewRequest {
            profile: request.profile.clone(),
            authority: authority.clone(),
            summary: summary(&planned),
            names: planned.names.texts,
            evidence: request.evidence.clone(),
            needed,
            expires: now.0 + WAIT_MS,
            on_behalf_of: Vec::new(),
            payload: serde_json::to_value(write(&request, authority)?)
                .map_err(|error| CaError::stored("request", "new", error))?,
            request_id: request.request_id.clone(),
        };
        Ok(self.access().submit(permit, new, now).await?.id)
    }
}

impl Ca {
    /// The request that this caller has made already under the same idempotency key.
    async fn already_waiting(
        &self,
        permit: &Permit,
        request: &IssueRequest,
        now: Timestamp,
    ) -> Result<Option<RequestId>> {
        let Some(key) = &request.idempotency_key else {
            return Ok(None);
        };
        let open = self.access().open_requests().await?;
        let same = open.into_iter().find(|stored| {
            stored.state_at(now) == RequestState::Pending
                && stored.profile == request.profile
                && permit.principal().is_same_holder(stored.requester.actor())
                && stored
                    .payload
                    .get("idempotency_key")
                    .and_then(|v| v.as_str())
                    == Some(key)
        });
        Ok(same.map(|stored| stored.id))
    }
}

fn summary(planned: &plan::Plan) -> String {
    format!(
        "{} for {} until {}",
        planned.algorithm, planned.subject, planned.not_after
    )
}

fn write(request: &IssueRequest, authority: String) -> Result<Waiting> {
    let Source::Csr(csr) = &request.source else {
        return Err(CaError::Internal("only CSRs wait"));
    };
    let names = request.names.as_ref().map(|names| {
        let extension = x509::ext::SubjectAltName(names.clone());
        STANDARD.encode(x509::ext::ExtensionValue::encode_value(&extension))
    });
    Ok(Waiting {
        csr: STANDARD.encode(csr.der()),
        subject: request
            .subject
            .as_ref()
            .map(|name| STANDARD.encode(name.der())),
        names,
        authority,
        sid: request.sid.clone(),
        workstation: request.workstation.map(hex::encode),
        validity_seconds: request.validity.map(Duration::as_seconds),
        backdate: request.backdate,
        must_staple: request.must_staple,
        exception: request.exception.clone(),
        service_life_ends: request.service_life_ends.map(|end| end.0),
        evidence: request.evidence.clone(),
        idempotency_key: request.idempotency_key.clone(),
    })
}

fn read(stored: &access::Request) -> Result<IssueRequest> {
    let bad = |why: &dyn std::fmt::Display| CaError::stored("request", stored.id.as_str(), why);
    let waiting: Waiting =
        serde_json::from_value(stored.payload.clone()).map_err(|error| bad(&error))?;
    let der = |text: &str| STANDARD.decode(text).map_err(|error| bad(&error));
    let csr = CertificationRequest::from_der(&der(&waiting.csr)?).map_err(|error| bad(&error))?;
    let mut request = IssueRequest::from_csr(stored.profile.clone(), csr);
    request.authority = Some(waiting.authority);
    if let Some(subject) = &waiting.subject {
        let name = x509::Name::from_der(&der(subject)?).map_err(|error| bad(&error))?;
        request.subject = Some(name);
    }
    if let Some(names) = &waiting.names {
        let parsed: x509::ext::SubjectAltName =
            x509::ext::ExtensionValue::parse(&der(names)?).map_err(|error| bad(&error))?;
        request.names = Some(parsed.0);
    }
    if let Some(text) = &waiting.workstation {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash).map_err(|error| bad(&error))?;
        request.workstation = Some(hash);
    }
    request.sid = waiting.sid;
    request.validity = waiting.validity_seconds.map(Duration::seconds);
    request.backdate = waiting.backdate;
    request.must_staple = waiting.must_staple;
    request.exception = waiting.exception;
    request.service_life_ends = waiting.service_life_ends.map(Time);
    request.evidence = waiting.evidence;
    request.idempotency_key = waiting.idempotency_key;
    Ok(request)
}
