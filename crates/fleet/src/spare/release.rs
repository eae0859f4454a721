//! Release: somebody asks for a technician, somebody else approves, and whoever asked takes it, once. The spare is
//! handed out in the write that says so: there is no second copy to hand out if the answer is lost.

use access::{
    AccessError, Decided, Evidence, NewRequest, Permit, Refusal, Request, RequestId, RequestState,
};
use audit::{Event, Object, Timestamp};
use ca::{CaError, CertificateState};
use serde_json::json;
use store::{Write, params};
use zeroize::Zeroizing;

use super::{Spare, SpareState, label};
use crate::asset::AssetState;
use crate::ending::Due;
use crate::register::may_manage;
use crate::{Fleet, FleetError, Result};

/// What a technician gets.
#[derive(Debug)]
pub struct ReleasedSpare {
    pub spare: Spare,
    /// PKCS#12 with key, certificate and chain.
    pub p12: Zeroizing<Vec<u8>>,
    /// Opens it.
    pub password: Zeroizing<String>,
}

/// What says in a request that it is for a spare.
const MARK: &str = "spare";
/// An approval is for now, not for some time.
const APPROVAL_MS: i64 = 7 * 86_400_000;
const LONGEST_NAME: usize = 200;

const ASK: &str =
    "UPDATE spares SET request = $2, technician = $3 WHERE id = $1 AND state = 'prepared'";
const CONTENTS: &str = "SELECT p12 FROM spares WHERE id = $1 AND state = 'prepared'";
const RELEASE: &str = "UPDATE spares SET state = 'released', p12 = NULL, released_at = $3, released_by = $4 \
    WHERE id = $1 AND request = $2 AND state = 'prepared' AND p12 IS NOT NULL";
const USED: &str = "UPDATE holdings SET revoke_due = NULL, revoke_reason = NULL WHERE sha256 = $1 AND ended IS NULL \
    AND EXISTS (SELECT 1 FROM assets a WHERE a.id = holdings.asset AND a.state <> 'retired')";
const TAKEN: &str = "the spare was released or revoked meanwhile";

/// Whether a request that waits is one to release a spare: its approval issues nothing.
pub fn is_release(request: &Request) -> bool {
    request.payload.get(MARK).is_some() || request.result.as_deref().is_some_and(is_spare_id)
}

fn is_spare_id(text: &str) -> bool {
    text.len() == 17 && text.starts_with('s')
}

impl Fleet {
    /// Asks for the release of a spare to a technician.
    pub async fn request_spare(
        &self,
        permit: Permit,
        id: &str,
        technician: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<Request> {
        let spare = self.spare(id).await?;
        let (technician, reason) = (technician.trim(), reason.trim());
        let object = Object::new("spare", spare.id.as_str());
        let open = self.open_request(&spare, now).await?;
        let checked = may_manage(&permit)
            .and_then(|()| is_prepared(&spare))
            .and_then(|()| texts(technician, reason))
            .and_then(|()| nobody_has_asked(open));
        self.checked(&permit, "spare.request", &object, checked, now)
            .await?;
        let sha256 = sha256(&spare)?;
        let certificate = self.ca.certificate(&sha256).await?;
        let certificate = certificate.ok_or(FleetError::Damaged("spares"))?;
        let authority = self.ca.issuer(&certificate.issuer)?;
        let evidence = |kind: &str, text: &str| Evidence {
            kind: kind.into(),
            text: text.into(),
            sha256: None,
        };
        let new = NewRequest {
            profile: spare.profile.clone(),
            authority: authority.record().authority.clone(),
            summary: format!(
                "release of spare {id} of asset {} to {technician}",
                spare.asset
            ),
            names: certificate.names,
            evidence: vec![
                evidence("technician", technician),
                evidence("reason", reason),
            ],
            needed: 1,
            expires: now.0 + APPROVAL_MS,
            on_behalf_of: Vec::new(),
            payload: json!({ MARK: id, "technician": technician }),
            request_id: permit.request_id().map(str::to_owned),
        };
        let request = self.access().submit(&permit, new, now).await?;
        let event = Event::new(now, permit.actor().clone(), "spare.request", object)
            .why(reason)
            .after(json!({ "request": request.id, "technician": technician }));
        let row = params![id, request.id.as_str(), technician];
        let write = Write::new(permit.joined(event))?.run_expecting(1, ASK, row, TAKEN);
        self.store().commit(write).await?;
        Ok(request)
    }

    /// Agrees to the release of a spare. Not for whoever asked.
    pub async fn approve_spare(
        &self,
        permit: Permit,
        request: &RequestId,
        why: Option<&str>,
        now: Timestamp,
    ) -> Result<Request> {
        let waiting = self.access().request(request).await?;
        if !is_release(&waiting) {
            return Err(FleetError::not_found(
                "request to release a spare",
                request.as_str(),
            ));
        }
        Ok(
            match self.access().approve(permit, request, why, now).await? {
                Decided::Waiting(request) | Decided::Denied(request) => request,
                Decided::Approved(request, _) => *request,
            },
        )
    }

    /// Hands a spare out: to whoever asked for it, after somebody else has agreed, once.
    pub async fn release_spare(
        &self,
        permit: Permit,
        id: &str,
        now: Timestamp,
    ) -> Result<ReleasedSpare> {
        let spare = self.spare(id).await?;
        let object = Object::new("spare", spare.id.as_str());
        let request = match spare.request.as_deref().and_then(RequestId::parse) {
            Some(request) => Some(self.access().request(&request).await?),
            None => None,
        };
        let checked = may_manage(&permit)
            .and_then(|()| is_prepared(&spare))
            .and_then(|()| is_approved(&permit, request.as_ref(), now))
            .and(self.is_usable(&spare, now).await?);
        self.checked(&permit, "spare.release", &object, checked, now)
            .await?;
        let request = request.ok_or(FleetError::Damaged("spares.request"))?;
        let rows = self.store().query(CONTENTS, params![id]).await?;
        let p12 = rows.first().map(|row| row.opt_blob(0)).transpose()?;
        let p12 = p12.flatten().ok_or(FleetError::Damaged("spares.p12"))?;
        let p12 = Zeroizing::new(p12.to_vec());
        let (password, version) = self.open_password(id).await?;

        let (_, asked) = self.access().resume(&request.id, now).await?;
        let event = Event::new(now, permit.actor().clone(), "spare.release", object).after(json!({
            "asset": spare.asset, "sha256": spare.sha256, "technician": spare.technician, "request": request.id,
        }));
        let released = params![id, request.id.as_str(), now, permit.actor().id.as_str()];
        let write = Write::new(permit.joined(event))?
            .run_expecting(1, RELEASE, released, TAKEN)
            .run_expecting(1, USED, params![sha256(&spare)?], TAKEN)
            .remove_record(ca::SECRET_RECORDS, &label(id), version, now);
        let write = self
            .access()
            .fulfil(write, &request.id, id, &asked, now)
            .await?;
        self.store().commit(write).await?;
        Ok(ReleasedSpare {
            spare: self.spare(id).await?,
            p12,
            password,
        })
    }

    /// Revokes a spare, whoever has it.
    pub async fn revoke_spare(&self, permit: Permit, id: &str, now: Timestamp) -> Result<Spare> {
        let spare = self.spare(id).await?;
        let object = Object::new("spare", spare.id.as_str());
        let ended = match spare.state {
            SpareState::Ended => Err(state_refusal(&spare)),
            _ => Ok(()),
        };
        let checked = may_manage(&permit).and(ended);
        self.checked(&permit, "spare.revoke", &object, checked, now)
            .await?;
        let holding = self.holding(&sha256(&spare)?).await?;
        let holding = holding.ok_or(FleetError::Damaged("spares"))?;
        self.end(permit.principal(), Due::of(&holding)?, now)
            .await?;
        self.spare(id).await
    }

    /// The request that waits or was approved and not used.
    async fn open_request(&self, spare: &Spare, now: Timestamp) -> Result<Option<RequestId>> {
        let Some(id) = spare.request.as_deref().and_then(RequestId::parse) else {
            return Ok(None);
        };
        let request = match self.access().request(&id).await {
            Ok(request) => request,
            Err(AccessError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let open = match request.state_at(now) {
            RequestState::Pending => true,
            RequestState::Approved => request.expires > now.0,
            _ => false,
        };
        Ok(open.then_some(id))
    }

    async fn is_usable(&self, spare: &Spare, now: Timestamp) -> Result<Result<(), Refusal>> {
        let asset = self.asset(&spare.asset).await?.asset;
        let certificate = self.ca.certificate(&sha256(spare)?).await?;
        let certificate = certificate.ok_or(FleetError::Damaged("spares"))?;
        let good = certificate.state == CertificateState::Issued
            && certificate.not_after.0 > now.seconds()
            && spare.unused_after > now.0
            && asset.state != AssetState::Retired;
        Ok(match good {
            true => Ok(()),
            false => Err(Refusal::new(
                "spare.over",
                "R24",
                format!(
                    "spare {} is past its date, or its certificate or asset is",
                    spare.id
                ),
            )
            .accepted("a new spare")),
        })
    }

    async fn open_password(&self, id: &str) -> Result<(Zeroizing<String>, u64)> {
        let label = label(id);
        let record = self.store().record(ca::SECRET_RECORDS, &label).await?;
        let record = record.ok_or(FleetError::Damaged("spares"))?;
        let keyring = self.ca.keyring().clone();
        let opened = keyring.open_secret(&label, &record.parse()?);
        let opened = opened.map_err(CaError::from)?;
        let text = std::str::from_utf8(&opened).map_err(|_| FleetError::Damaged("spares"))?;
        Ok((Zeroizing::new(text.to_owned()), record.version))
    }
}

fn sha256(spare: &Spare) -> Result<[u8; 32]> {
    let mut sha256 = [0; 32];
    hex::decode_to_slice(&spare.sha256, &mut sha256)
        .map_err(|_| FleetError::Damaged("spares.sha256"))?;
    Ok(sha256)
}

fn is_prepared(spare: &Spare) -> Result<(), Refusal> {
    match spare.state {
        SpareState::Prepared => Ok(()),
        _ => Err(state_refusal(spare)),
    }
}

fn state_refusal(spare: &Spare) -> Refusal {
    let message = format!("spare {} is {}", spare.id, spare.state.name());
    Refusal::new("spare.state", "R24", message)
}

fn texts(technician: &str, reason: &str) -> Result<(), Refusal> {
    let good = |text: &str| {
        (1..=LONGEST_NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control)
    };
    match good(technician) && good(reason) {
        true => Ok(()),
        false => Err(Refusal::new(
            "spare.technician",
            "R24: a named technician, and why",
            "a release needs the name of who gets the spare, and a reason",
        )
        .accepted(format!("1 to {LONGEST_NAME} characters each, on one line"))),
    }
}

fn nobody_has_asked(open: Option<RequestId>) -> Result<(), Refusal> {
    match open {
        None => Ok(()),
        Some(request) => Err(Refusal::new(
            "spare.requested",
            "R24",
            format!("request {request} is open for this spare"),
        )
        .accepted("its approval or denial first")),
    }
}

fn is_approved(permit: &Permit, request: Option<&Request>, now: Timestamp) -> Result<(), Refusal> {
    let source = "R24: two people release a spare";
    let asked = request.filter(|request| {
        request.state_at(now) == RequestState::Approved && request.expires > now.0
    });
    let Some(request) = asked else {
        return Err(Refusal::new(
            "spare.approval",
            source,
            "nobody else has agreed to the release, or it was too long ago",
        )
        .accepted("`ward spare request`, then somebody else's `ward spare approve`"));
    };
    match permit.principal().is_same_holder(request.requester.actor()) {
        true => Ok(()),
        false => Err(Refusal::new(
            "spare.requester",
            source,
            format!("{} has asked for it", request.requester.actor().id),
        )
        .accepted("the release by whoever asked for it")),
    }
}
