//! Retirement (R11): what an asset holds is shown first, then it ends at once and for good. That the asset is gone and
//! what has to be revoked for it is one write; the revocations follow it, here or in [`Fleet::revoke_due`] after a crash.

use std::sync::Arc;

use access::{Action, Permit, Principal, Refusal, Target, Where};
use audit::{Event, Object, Timestamp};
use serde::Serialize;
use serde_json::json;
use store::params;

use crate::asset::AssetState;
use crate::ending::Due;
use crate::register::{may_manage, put_event, put_write};
use crate::{Fleet, Holding, Result, StoredAsset};

/// How an asset is retired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retire {
    /// Goes into the log.
    pub reason: String,
    /// Only says what would happen.
    pub dry_run: bool,
}

/// What became of an asset, or would.
#[derive(Clone, Debug, Serialize)]
pub struct Retired {
    pub asset: StoredAsset,
    /// What it holds that is neither revoked nor expired: revoked now, or to be revoked.
    pub certificates: Vec<Holding>,
    /// How many of them are revoked when this is answered. The others are within seconds.
    pub revoked: usize,
    pub dry_run: bool,
}

const END_ALL: &str = "UPDATE holdings SET revoke_due = $2, revoke_reason = 'cessationOfOperation' \
    WHERE asset = $1 AND ended IS NULL";
/// Longest reason that goes into an event.
const LONGEST_REASON: usize = 500;

impl Fleet {
    /// Retires an asset and revokes what it holds, with reason cessationOfOperation.
    pub async fn retire(
        &self,
        permit: Permit,
        id: &str,
        retire: Retire,
        now: Timestamp,
    ) -> Result<Retired> {
        self.retire_under(&permit, id, retire, now).await
    }

    /// As [`Fleet::retire`], for one of many.
    pub(crate) async fn retire_under(
        &self,
        permit: &Permit,
        id: &str,
        retire: Retire,
        now: Timestamp,
    ) -> Result<Retired> {
        let stored = self.asset(id).await?;
        let certificates = self.live_holdings(id, now).await?;
        let object = Object::new("asset", stored.asset.id.as_str());
        let checked = may_retire(permit, &stored, &retire);
        self.checked(permit, "asset.retire", &object, checked, now)
            .await?;
        for holding in &certificates {
            let checked = self.within_scope(permit, holding).await?;
            self.checked(permit, "asset.retire", &object, checked, now)
                .await?;
        }
        if retire.dry_run {
            return Ok(Retired {
                asset: stored,
                certificates,
                revoked: 0,
                dry_run: true,
            });
        }
        let asset = self.end_asset(permit, stored, &retire, now).await?;
        // What it was given between the look and the end is due like the rest.
        let certificates = self.live_holdings(id, now).await?;
        let ender = self.ender(permit);
        let mut revoked = 0;
        for holding in &certificates {
            match self.end(&ender, Due::of(holding)?, now).await {
                Ok(()) => revoked += 1,
                // It is due, and the loop does it.
                Err(error) => tracing::warn!(%error, asset = id, "a revocation has to wait"),
            }
        }
        Ok(Retired {
            asset,
            certificates,
            revoked,
            dry_run: false,
        })
    }

    /// The asset's last version, and that everything it holds is due.
    async fn end_asset(
        &self,
        permit: &Permit,
        stored: StoredAsset,
        retire: &Retire,
        now: Timestamp,
    ) -> Result<StoredAsset> {
        let mut asset = stored.asset.clone();
        asset.state = AssetState::Retired;
        let event = put_event(permit, &asset, Some(&stored.asset), "asset.retire", now)
            .why(retire.reason.trim());
        let write = put_write(event, &asset, stored.version, now)?
            .run(END_ALL, params![asset.id.as_str(), now]);
        self.store().commit(write).await?;
        Ok(StoredAsset {
            version: stored.version + 1,
            since: now.0,
            asset,
        })
    }

    /// In whose name what an asset holds is revoked: whoever may manage an asset may end it and what it holds with it, and
    /// gets no way to revoke anything else by that (R37). Who may not revoke has Ward do it, as its loop would in a moment;
    /// the retirement is theirs in the log.
    fn ender(&self, permit: &Permit) -> Arc<Principal> {
        let decided = self.access().decide(
            permit.principal(),
            Action::RevokeCertificate,
            &Target::default(),
        );
        match decided {
            Ok(_) => Arc::clone(permit.principal()),
            Err(_) => self.access().system_principal("fleet"),
        }
    }

    async fn within_scope(
        &self,
        permit: &Permit,
        holding: &Holding,
    ) -> Result<Result<(), Refusal>> {
        let sha256 = Due::of(holding)?.sha256;
        let Some(certificate) = self.ca.certificate(&sha256).await? else {
            return Ok(Ok(()));
        };
        let target = Target {
            profile: Some(&certificate.profile),
            authority: Some(&certificate.issuer),
            names: &certificate.names,
            place: Where::Later,
        };
        Ok(permit.covers(&target))
    }
}

fn may_retire(permit: &Permit, stored: &StoredAsset, retire: &Retire) -> Result<(), Refusal> {
    may_manage(permit)?;
    if stored.asset.state == AssetState::Retired {
        return Err(Refusal::new(
            "asset.retired",
            "R11: retirement is for good",
            format!("asset {} is retired already", stored.asset.id),
        ));
    }
    let reason = retire.reason.trim();
    let good = !reason.is_empty()
        && reason.chars().count() <= LONGEST_REASON
        && !reason.chars().any(char::is_control);
    match good || retire.dry_run {
        true => Ok(()),
        false => Err(Refusal::new(
            "asset.retire.reason",
            "R11: who ends what, and why",
            "a retirement needs a reason",
        )
        .accepted(format!(
            "a reason of at most {LONGEST_REASON} characters on one line"
        ))),
    }
}

/// The event of a certificate that was over before it had to be revoked.
pub(crate) fn over(due: &Due, why: &str, now: Timestamp, permit: &Permit) -> Event {
    let object = Object::new("certificate", hex::encode(due.sha256));
    Event::new(now, permit.actor().clone(), "holding.end", object)
        .why(why)
        .after(json!({ "asset": due.asset, "endpoint": due.endpoint }))
}
