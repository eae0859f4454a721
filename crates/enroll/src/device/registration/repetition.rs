//! Requests that are made again (R08): devices repeat themselves when an answer was lost, and must neither be refused for it
//! nor be given a second certificate.

use audit::Timestamp;
use ca::{CertificateState, Issued};

use super::asset::Found;
use super::claim::{Claim, Decision, Protocol};
use super::rows::{self, Registered};
use super::stop::Stop;
use super::who::Who;
use super::{DeviceError, Registration, Right};
use crate::device::{Chain, Endpoint, NamesFrom};

/// For how long a request counts as a repetition of the one before: longer than any client tries, shorter than any
/// renewal comes.
const REPETITION_MS: i64 = 86_400_000;

impl Registration {
    /// Whether a request that was answered is made again: the same bytes, or by the same right.
    pub(super) async fn is_repetition(
        &self,
        row: &Registered,
        who: &Who,
        same: bool,
        now: Timestamp,
    ) -> Result<bool, Stop> {
        let by_right = who.right().is_some() && is_same_asker(row, who);
        if !is_recent(row, now) || !(same || by_right) {
            return Ok(false);
        }
        let Some(sha256) = &row.certificate else {
            return Ok(false);
        };
        let stored = self.ca.certificate(sha256).await?;
        Ok(stored.is_some_and(|stored| stored.state == CertificateState::Issued))
    }

    /// What a counted right has lately given to the same key of the same device. One that lost the answer, and its request
    /// with it, begins another transaction with the key that it kept: to count that again would lock it out, or take the
    /// use of another device of its batch. Not for CMP, whose devices confirm each transaction, and whose certificates are
    /// withdrawn if they do not (RFC 9483 §4.1.1).
    pub(super) async fn given(
        &self,
        claim: &Claim,
        right: &Right,
        found: &Found,
        now: Timestamp,
    ) -> Result<Option<Registered>, Stop> {
        let (Some(asset), Some(spki)) = (&found.asset, claim.spki_sha256()) else {
            return Ok(None);
        };
        // Where a request says its names, another one may want others.
        if claim.protocol == Protocol::Cmp || claim.endpoint.names == NamesFrom::Request {
            return Ok(None);
        }
        for holding in self.fleet.live_holdings(&asset.id, now).await? {
            if holding.endpoint != claim.endpoint.name
                || holding.superseded_at.is_some()
                || holding.state != CertificateState::Issued
            {
                continue;
            }
            let mut sha256 = [0; 32];
            if hex::decode_to_slice(&holding.sha256, &mut sha256).is_err() {
                continue;
            }
            let row = rows::by_certificate(self.ca.store(), &sha256).await?;
            let given = row.filter(|row| {
                row.right.as_deref() == Some(right.id.as_str())
                    && row.spki == Some(spki)
                    && row.protocol == claim.protocol.as_str()
                    && is_recent(row, now)
            });
            if given.is_some() {
                return Ok(given);
            }
        }
        Ok(None)
    }

    /// The certificate of a registration, once more.
    pub(super) async fn again(
        &self,
        endpoint: &Endpoint,
        row: &Registered,
    ) -> Result<Decision, Stop> {
        let stored = match &row.certificate {
            Some(sha256) => self.ca.certificate(sha256).await?,
            None => None,
        };
        let Some(stored) = stored else {
            return Err(Stop::Failed(DeviceError::Stored {
                kind: "registration",
                id: row.id.clone(),
                why: "its certificate is not there".to_owned(),
            }));
        };
        let chain = match &row.asset {
            Some(id) => Chain::of(endpoint, &self.fleet.asset(id).await?.asset),
            None => endpoint.chain,
        };
        let chain = chain.shared(self.ca.issuer(&stored.issuer)?.chain());
        Ok(Decision::Issued(Box::new(Issued {
            der: stored.der,
            serial: stored.serial,
            sha256: stored.sha256,
            issuer: stored.issuer,
            profile: stored.profile,
            profile_version: stored.profile_version,
            not_before: stored.not_before,
            not_after: stored.not_after,
            chain,
            key: None,
            repeated: true,
        })))
    }
}

fn is_recent(row: &Registered, now: Timestamp) -> bool {
    now.0.saturating_sub(row.changed) < REPETITION_MS
}

/// Whether a registration was made by the same right, or by a holder if this is one.
pub(super) fn is_same_asker(row: &Registered, who: &Who) -> bool {
    match who {
        Who::Right(right) | Who::Vendor { right, .. } => {
            row.right.as_deref() == Some(right.id.as_str())
        }
        Who::Holder(holder) => {
            row.right.is_none() && row.asset.as_deref() == Some(holder.asset.id.as_str())
        }
        Who::Nobody => row.right.is_none(),
    }
}
