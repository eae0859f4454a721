//! What the holder of a certificate of ours may do besides renewing it: be recognised, revoke, confirm.

use std::sync::Arc;

use access::{Action, Refusal, Scope, Target};
use audit::{Event, Object, Timestamp};
use ca::revocation::Revocation;
use store::Write;
use x509::{Certificate, Name, crl::Reason};

use super::claim::Holder;
use super::stop::{self, Stop, refusal};
use super::{Registration, rows};
use crate::device::{DeviceError, Endpoint};

impl Registration {
    /// Refuses whoever has been wrong too often, before a protocol works on what they claim.
    pub(crate) fn may_try(
        &self,
        endpoint: &Endpoint,
        peer: std::net::IpAddr,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.guard.check(endpoint, peer, now)
    }

    /// Whose certificate of ours this is, leaf first: valid or within grace, not revoked, its asset in use.
    pub(crate) async fn holder(
        &self,
        endpoint: &Endpoint,
        chain: &[Certificate],
        now: Timestamp,
    ) -> Result<Result<Holder, Refusal>, DeviceError> {
        let Some(leaf) = chain.first() else {
            return Ok(Err(stop::unknown()));
        };
        match self.holder_of(endpoint, leaf, now).await {
            Ok(holder) => Ok(Ok(holder)),
            Err(Stop::No(refusal) | Stop::Recorded(refusal) | Stop::Later(refusal, _)) => {
                Ok(Err(refusal))
            }
            Err(Stop::Unknown(_) | Stop::Elsewhere | Stop::Spent) => Ok(Err(stop::unknown())),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Revokes a certificate of the holder's own asset, by its issuer and serial number.
    pub(crate) async fn revoke(
        &self,
        holder: &Holder,
        issuer: &Name,
        serial: &[u8],
        reason: Reason,
        request_id: &str,
        now: Timestamp,
    ) -> Result<Result<(), Refusal>, DeviceError> {
        let not_theirs = || {
            refusal(
                "enrolment.revoke",
                "this is no certificate of the same device",
            )
            .accepted("a certificate that the same asset holds")
        };
        let mut issuers = self.ca.issuers().into_iter();
        let same = |found: &Arc<ca::Issuer>| found.certificate().subject().canonical_eq(issuer);
        let mut found = None;
        for issuer in issuers.by_ref().filter(same) {
            found = self.ca.certificate_by_serial(issuer.name(), serial).await?;
            if found.is_some() {
                break;
            }
        }
        let Some(stored) = found else {
            return Ok(Err(not_theirs()));
        };
        let holding = self.fleet.holding(&stored.sha256).await?;
        if holding.is_none_or(|holding| holding.asset != holder.asset.id) {
            return Ok(Err(not_theirs()));
        }
        let why = "asked for by the device";
        self.end_certificate(&holder.asset.id, &stored, reason, (why, request_id), now)
            .await
    }

    /// The device's word on a certificate that it was given (CMP certConf): a rejected one is revoked.
    pub(crate) async fn confirm(
        &self,
        endpoint: &Endpoint,
        sha256: &[u8; 32],
        accepted: bool,
        now: Timestamp,
    ) -> Result<(), DeviceError> {
        let store = self.ca.store();
        let row = rows::by_certificate(store, sha256).await?;
        let Some(row) = row.filter(|row| row.endpoint == endpoint.name) else {
            return Ok(());
        };
        if row.confirmed == Some(true) {
            return Ok(());
        }
        let asset = row.asset.clone().unwrap_or_else(|| row.id.clone());
        let actor = self
            .ca
            .access()
            .enrolled_principal(&asset, Scope::default());
        let action = match accepted {
            true => "enrolment.confirm",
            false => "enrolment.reject",
        };
        let object = Object::new("registration", row.id.as_str());
        let event = Event::new(now, actor.actor().clone(), action, object)
            .after(serde_json::json!({ "certificate": hex::encode(sha256) }));
        // One that was rejected before may have been left unrevoked by a crash.
        if row.confirmed.is_none() {
            let write = rows::confirm(Write::new(event)?, sha256, accepted, now);
            store.commit(write).await?;
        }
        if accepted {
            return Ok(());
        }
        if let Some(stored) = self.ca.certificate(sha256).await? {
            let why = ("rejected by the device", "");
            // One that is revoked already is what the device wants.
            let _ = self
                .end_certificate(&asset, &stored, Reason::CessationOfOperation, why, now)
                .await?;
        }
        Ok(())
    }

    /// Revokes a certificate in the name of its asset.
    async fn end_certificate(
        &self,
        asset: &str,
        stored: &ca::StoredCertificate,
        reason: Reason,
        (why, request_id): (&str, &str),
        now: Timestamp,
    ) -> Result<Result<(), Refusal>, DeviceError> {
        let access = self.ca.access();
        let principal = access.enrolled_principal(asset, Scope::default());
        let id = Some(request_id).filter(|id| !id.is_empty());
        let target = Target::default();
        let permit = access
            .permit(&principal, Action::RevokeCertificate, &target, id, now)
            .await?;
        let revocation = Revocation {
            reason,
            invalid_since: None,
            why: Some(why.to_owned()),
            request_id: id.map(str::to_owned),
        };
        match self.ca.revoke(permit, stored, revocation, now).await {
            Ok(_) => Ok(Ok(())),
            Err(error) => match error.refusal() {
                Some(refusal) => Ok(Err(refusal.clone())),
                None => Err(error.into()),
            },
        }
    }
}
