//! Requests that a person decides (R07): put away, and issued when the device comes back for its certificate after enough
//! people have agreed. What they agreed to is what is issued: names, profile and validity are kept with the request.

use access::{Action, Evidence, NewRequest, RequestId, RequestState, Scope, Target};
use audit::{Event, Object, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ca::profile::Duration;
use fleet::Asset;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Write;
use x509::ext::{ExtensionValue, SubjectAltName};
use x509::{CertificationRequest, Name, PublicKey};

use super::asset::{Found, check_state};
use super::issue::{Entry, Key, Order};
use super::names::Names;
use super::rows::{self, New, REMEMBERED_MS, Registered};
use super::stop::{Stop, refusal};
use super::{Asked, Claim, Decision, KeyAndNames, Registration};
use crate::device::right::RightId;
use crate::device::{Chain, DeviceError, Endpoint, Protocol};

/// How long a request waits for somebody.
const WAIT_MS: i64 = 14 * 86_400_000;
/// When a device may ask again, in seconds.
const RETRY_AFTER_S: u32 = 30;

/// What waits.
pub(super) struct Plan {
    pub(super) profile: String,
    pub(super) authority: Option<String>,
    pub(super) found: Found,
    pub(super) names: Names,
    pub(super) validity: Option<Duration>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) right: Option<(RightId, Option<u32>)>,
    /// Who made the right: they have asked, and do not decide.
    pub(super) created_by: Option<String>,
    pub(super) is_renewal: bool,
    pub(super) needed: u8,
}

/// What is kept in the request's payload. `protocol` tells the CA that it is not its own to issue.
#[derive(Serialize, Deserialize)]
struct Kept {
    protocol: Protocol,
    registration: String,
    endpoint: String,
    csr: Option<String>,
    spki: Option<String>,
    subject: String,
    names: String,
    validity_seconds: Option<i64>,
    asset: Option<String>,
    serial: String,
    right: Option<RightId>,
    uses: Option<u32>,
    is_renewal: bool,
    evidence: Vec<Evidence>,
}

impl Registration {
    /// Puts a claim before people.
    pub(super) async fn wait(
        &self,
        claim: &Claim,
        plan: Plan,
        mut new: New,
        now: Timestamp,
    ) -> Result<Decision, Stop> {
        let endpoint = &claim.endpoint;
        if rows::pending(self.ca.store(), &endpoint.name).await? >= endpoint.limits.pending {
            return Err(refusal(
                "enrolment.limit.pending",
                "too many requests wait for somebody at this endpoint",
            )
            .accepted("the same request later")
            .into());
        }
        self.pace_of_waiting(claim, &plan.found, now).await?;
        let issuer = crate::device::endpoint::issuer(&self.ca, endpoint)?;
        let id = new.id.clone();
        new.asset = plan.found.asset.as_ref().map(|asset| asset.id.clone());
        let kept = kept(claim, &plan, &id);
        let actor = match &plan.found.asset {
            Some(asset) => asset.id.clone(),
            None => format!("unregistered-{id}"),
        };
        let scope = Scope {
            profiles: vec![plan.profile.clone()],
            ..Scope::default()
        };
        let principal = self.ca.access().enrolled_principal(&actor, scope);
        let target = Target {
            profile: Some(&plan.profile),
            authority: plan.authority.as_deref(),
            names: &[],
            ..Target::default()
        };
        let request_id = Some(claim.request_id.as_str()).filter(|id| !id.is_empty());
        let permit = self
            .ca
            .access()
            .permit(
                &principal,
                Action::IssueCertificate,
                &target,
                request_id,
                now,
            )
            .await?;
        let what = match (&plan.found.asset, plan.is_renewal) {
            (None, _) => "a device that is NOT in the register",
            (Some(_), true) => "a renewal",
            (Some(_), false) => "a device",
        };
        let summary = format!(
            "{what}, serial number {}, over {} at endpoint {}: {}",
            plan.found.serial,
            claim.protocol.as_str().to_uppercase(),
            endpoint.name,
            plan.names.subject
        );
        let request = NewRequest {
            profile: plan.profile,
            authority: issuer.record().authority.clone(),
            summary,
            names: plan
                .names
                .alternative
                .iter()
                .map(ToString::to_string)
                .collect(),
            evidence: plan.evidence,
            needed: plan.needed,
            expires: now.0 + WAIT_MS,
            on_behalf_of: plan.created_by.into_iter().collect(),
            payload: serde_json::to_value(kept).map_err(unwritable)?,
            request_id: request_id.map(str::to_owned),
        };
        let along = |write: Write, approval: &RequestId| {
            new.pending(
                write,
                approval.as_str(),
                now,
                now.0 + WAIT_MS + REMEMBERED_MS,
            )
        };
        let submitted = self.ca.access().submit_along(&permit, request, along, now);
        match submitted.await {
            Ok(_) => Ok(pending()),
            Err(access::AccessError::Store(
                store::StoreError::Duplicate(_) | store::StoreError::Conflict(_),
            )) => Err(Stop::Elsewhere),
            Err(error) => Err(error.into()),
        }
    }

    /// What became of a request that waited; with the last yes it is issued here. `claim` is the request itself, where the
    /// device has sent it again.
    pub(super) async fn advance(
        &self,
        endpoint: &Endpoint,
        row: &Registered,
        claim: Option<Claim>,
        now: Timestamp,
    ) -> Result<Decision, Stop> {
        let Some(approval) = row.approval.as_deref().and_then(RequestId::parse) else {
            return Err(Stop::Failed(stored(&row.id, "no request stands behind it")));
        };
        let request = self.ca.access().request(&approval).await?;
        match request.state_at(now) {
            RequestState::Pending => Ok(pending()),
            RequestState::Denied | RequestState::Expired => {
                let why = against(&request);
                self.end(row, &why, now).await?;
                Err(Stop::Recorded(denied(&why)))
            }
            RequestState::Approved => self.fulfil(endpoint, row, &approval, claim, now).await,
            // Another node issues it at this moment. (The other states are of calls, and this is none.)
            _ => Err(Stop::Elsewhere),
        }
    }

    async fn fulfil(
        &self,
        endpoint: &Endpoint,
        row: &Registered,
        approval: &RequestId,
        claim: Option<Claim>,
        now: Timestamp,
    ) -> Result<Decision, Stop> {
        let (request, permit) = self.ca.access().resume(approval, now).await?;
        let kept = read(&request.payload, &row.id)?;
        let key = match (&kept.csr, &kept.spki, claim) {
            (_, _, Some(claim)) => Key::of(claim),
            (Some(csr), _, None) => Key::Csr(Box::new(csr_of(csr, &row.id)?)),
            (None, Some(spki), None) => Key::Public(Box::new(key_of(spki, &row.id)?)),
            // A key is made for whoever is there to take it.
            (None, None, None) => return Ok(pending()),
        };
        let asset = self.registered(&kept, &request.id, now).await?;
        let mut evidence = kept.evidence.clone();
        evidence.push(Evidence {
            kind: "approval".to_owned(),
            text: request.id.to_string(),
            sha256: None,
        });
        let order = Order {
            profile: request.profile.clone(),
            authority: Some(request.authority.clone()),
            chain: Chain::of(endpoint, &asset),
            asset,
            endpoint: kept.endpoint.clone(),
            protocol: kept.protocol,
            names: names(&kept, &row.id)?,
            validity: kept.validity_seconds.map(Duration::seconds),
            evidence,
            right: kept.right.clone().map(|right| (right, kept.uses)),
            previous: super::issue::previous(endpoint, kept.is_renewal),
            request_id: None,
        };
        let entry = Entry::Pending(row.id.clone());
        let issued = self
            .issue_approved(permit, approval.clone(), order, key, entry, now)
            .await?;
        Ok(Decision::Issued(Box::new(issued)))
    }

    /// The asset of an approved request. Whoever approved a device that the register did not know has put it there.
    async fn registered(
        &self,
        kept: &Kept,
        approval: &RequestId,
        now: Timestamp,
    ) -> Result<Asset, Stop> {
        let asset = match &kept.asset {
            Some(id) => Some(self.fleet.asset(id).await?.asset),
            None => {
                let mut found = self.fleet.find_serial(&kept.serial, None).await?;
                found.retain(|asset| asset.state != fleet::AssetState::Retired);
                found.pop()
            }
        };
        if let Some(asset) = asset {
            check_state(&asset)?;
            return Ok(asset);
        }
        let access = self.ca.access();
        let principal = access.system_principal("enrolment");
        let target = Target::default();
        let permit = access
            .permit(&principal, Action::ManageAssets, &target, None, now)
            .await?;
        let asset = Asset {
            serial: kept.serial.clone(),
            note: format!("registered because request {approval} was approved"),
            ..Asset::default()
        };
        Ok(self.fleet.put(permit, asset, 0, now).await?.asset)
    }

    /// Ends what was decided against, or by nobody in time, while its device was away: devices that never come back would
    /// keep others out of the queue. Says how many.
    pub(crate) async fn settle(&self, now: Timestamp) -> Result<u64, DeviceError> {
        let (mut settled, mut after) = (0, (i64::MIN, String::new()));
        loop {
            let page = rows::waiting_after(self.ca.store(), &after).await?;
            let Some(last) = page.last() else {
                return Ok(settled);
            };
            after = (last.created, last.id.clone());
            for row in page {
                let Some(approval) = row.approval.as_deref().and_then(RequestId::parse) else {
                    continue;
                };
                let request = self.ca.access().request(&approval).await?;
                let state = request.state_at(now);
                if matches!(state, RequestState::Denied | RequestState::Expired) {
                    self.end(&row, &against(&request), now).await?;
                    settled += 1;
                }
            }
        }
    }

    /// Closes a registration. Whoever was faster has written the same.
    async fn end(&self, row: &Registered, why: &str, now: Timestamp) -> Result<(), DeviceError> {
        let object = Object::new("registration", row.id.as_str());
        let actor = self.ca.access().system_principal("enrolment");
        let event = Event::new(now, actor.actor().clone(), "enrolment.refuse", object)
            .outcome(audit::Outcome::Refused)
            .why(why);
        let write = rows::refuse(Write::new(event)?, &row.id, why, now, now.0 + REMEMBERED_MS);
        match self.ca.store().commit(write).await {
            Ok(_) | Err(store::StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Why a request comes to nothing that was denied, or that nobody decided.
fn against(request: &access::Request) -> String {
    if request.state != RequestState::Denied {
        return "nobody decided in time".to_owned();
    }
    let mut decisions = request.decisions.iter().rev();
    let why = decisions.find_map(|said| said.why.clone());
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    format!("somebody decided against it{why}")
}

pub(super) fn pending() -> Decision {
    Decision::Pending {
        retry_after_s: RETRY_AFTER_S,
    }
}

/// What a device is told whose request was decided against.
pub(super) fn denied(why: &str) -> access::Refusal {
    refusal("enrolment.denied", why)
}

fn kept(claim: &Claim, plan: &Plan, id: &str) -> Kept {
    let generate = matches!(claim.asked, Asked::GenerateKey { .. });
    let (csr, spki) = match &claim.key_and_names {
        _ if generate => (None, None),
        KeyAndNames::Csr(csr) => (Some(STANDARD.encode(csr.der())), None),
        KeyAndNames::Template { key, .. } => (None, Some(STANDARD.encode(key.spki_der()))),
    };
    let names = SubjectAltName(plan.names.alternative.clone()).encode_value();
    Kept {
        protocol: claim.protocol,
        registration: id.to_owned(),
        endpoint: claim.endpoint.name.clone(),
        csr,
        spki,
        subject: STANDARD.encode(plan.names.subject.der()),
        names: STANDARD.encode(names),
        validity_seconds: plan.validity.map(Duration::as_seconds),
        asset: plan.found.asset.as_ref().map(|asset| asset.id.clone()),
        serial: plan.found.serial.clone(),
        right: plan.right.as_ref().map(|(id, _)| id.clone()),
        uses: plan.right.as_ref().and_then(|(_, uses)| *uses),
        is_renewal: plan.is_renewal,
        evidence: plan.evidence.clone(),
    }
}

fn stored(id: &str, why: impl ToString) -> DeviceError {
    DeviceError::Stored {
        kind: "registration",
        id: id.to_owned(),
        why: why.to_string(),
    }
}

fn unwritable(error: serde_json::Error) -> Stop {
    Stop::Failed(stored("new", error))
}

fn read(payload: &Value, id: &str) -> Result<Kept, DeviceError> {
    serde_json::from_value(payload.clone()).map_err(|error| stored(id, error))
}

fn bytes(text: &str, id: &str) -> Result<Vec<u8>, DeviceError> {
    STANDARD.decode(text).map_err(|error| stored(id, error))
}

fn csr_of(text: &str, id: &str) -> Result<CertificationRequest, DeviceError> {
    CertificationRequest::from_der(&bytes(text, id)?).map_err(|error| stored(id, error))
}

fn key_of(text: &str, id: &str) -> Result<PublicKey, DeviceError> {
    PublicKey::from_spki_der(&bytes(text, id)?).map_err(|error| stored(id, error))
}

fn names(kept: &Kept, id: &str) -> Result<Names, DeviceError> {
    let subject = Name::from_der(&bytes(&kept.subject, id)?).map_err(|error| stored(id, error))?;
    let alternative: SubjectAltName =
        ExtensionValue::parse(&bytes(&kept.names, id)?).map_err(|error| stored(id, error))?;
    Ok(Names {
        subject,
        alternative: alternative.0,
    })
}
