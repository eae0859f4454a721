//! How often an asset gets a certificate: a device in a loop must fill neither the log nor a CRL (R05, R11). Counted from
//! what is stored, so that a restart forgets nothing and another node knows it; of two requests at the same moment both
//! may be the last.

use audit::merkle::sha256;
use audit::{Object, Timestamp};
use store::{StoreError, Write};

use super::asset::Found;
use super::rows::{self, New};
use super::stop::{Stop, refusal};
use super::{Claim, Registration};
use crate::device::DeviceError;

const DAY_MS: i64 = 86_400_000;

impl Registration {
    /// Refuses an asset that was given enough certificates at this endpoint within a day.
    pub(super) async fn pace(
        &self,
        claim: &Claim,
        found: &Found,
        now: Timestamp,
    ) -> Result<(), Stop> {
        let most = claim.endpoint.limits.per_asset_per_day;
        let Some(asset) = found.asset.as_ref().filter(|_| most > 0) else {
            return Ok(());
        };
        let since = Timestamp(now.0.saturating_sub(DAY_MS));
        let name = &claim.endpoint.name;
        let held = self.fleet.held_since(&asset.id, name, since, most).await?;
        let what = "certificates were issued to it";
        self.enough(claim, found, &held, what, now).await
    }

    /// Refuses a device that has put as many requests before people within a day.
    pub(super) async fn pace_of_waiting(
        &self,
        claim: &Claim,
        found: &Found,
        now: Timestamp,
    ) -> Result<(), Stop> {
        let most = claim.endpoint.limits.per_asset_per_day;
        if most == 0 {
            return Ok(());
        }
        let since = Timestamp(now.0.saturating_sub(DAY_MS));
        let (store, name) = (self.ca.store(), &claim.endpoint.name);
        let waiting = rows::waiting_since(store, name, &found.serial, since, most).await?;
        let what = "requests for it wait for somebody";
        self.enough(claim, found, &waiting, what, now).await
    }

    /// `times` are no more than the limit, the newest first.
    async fn enough(
        &self,
        claim: &Claim,
        found: &Found,
        times: &[i64],
        what: &str,
        now: Timestamp,
    ) -> Result<(), Stop> {
        let most = claim.endpoint.limits.per_asset_per_day;
        let oldest = times.last().copied();
        let Some(oldest) = oldest.filter(|_| times.len() >= usize_of(most)) else {
            return Ok(());
        };
        let again_ms = oldest.saturating_add(DAY_MS);
        let wait_s = again_ms.saturating_sub(now.0).max(0) / 1000 + 1;
        let wait_s = u32::try_from(wait_s).unwrap_or(u32::MAX);
        let refusal = refusal(
            "enrolment.limit.asset",
            format!(
                "device {}: {most} {what} at this endpoint within 24 hours",
                found.serial
            ),
        )
        .accepted(format!(
            "another request from {} on; `limits.per_asset_per_day` of the endpoint says how many",
            x509::Time(again_ms.div_euclid(1000).saturating_add(1))
        ));
        self.note_once(claim, found, &refusal, now).await?;
        Err(Stop::Later(refusal, wait_s))
    }

    /// Records a device in a loop, once a day: as an event, and as a registration that was refused, whose id says that this
    /// day's is there.
    async fn note_once(
        &self,
        claim: &Claim,
        found: &Found,
        refusal: &access::Refusal,
        now: Timestamp,
    ) -> Result<(), DeviceError> {
        let day = now.0.div_euclid(DAY_MS);
        let (name, serial) = (&claim.endpoint.name, &found.serial);
        let asset = found.asset.as_ref().map(|asset| asset.id.clone());
        let who = asset.as_deref().unwrap_or(serial);
        let [a, b, c, d, e, f, g, h, ..] = sha256(format!("{name}\n{who}\n{day}").as_bytes());
        let id = format!("g{}", hex::encode([a, b, c, d, e, f, g, h]));
        let store = self.ca.store();
        if rows::by_id(store, &id).await?.is_some() {
            return Ok(());
        }
        let mut new = New::of(claim, id.clone(), serial.clone());
        new.transaction = None;
        new.asset = asset;
        let actor = self.ca.access().system_principal("enrolment");
        let object = Object::new("registration", id);
        let event = refusal.event(now, actor.actor().clone(), "enrolment.refuse", object);
        let event = event
            .request_id(claim.request_id.as_str())
            .after(serde_json::json!({
                "asset": new.asset, "serial": serial, "endpoint": name,
                "protocol": claim.protocol.as_str(), "peer": new.peer,
            }));
        let write = new.refused(Write::new(event)?, &refusal.message, now);
        match store.commit(write).await {
            // Another request of the same day was faster.
            Ok(_) | Err(StoreError::Duplicate(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn usize_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
