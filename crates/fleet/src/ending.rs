//! Holdings that end: what is due is revoked, each together with the note that it was. A loop does this; it takes no
//! input, so that whatever a crash left undone is done at its next turn.

use std::sync::Arc;

use access::{Action, Principal, Target};
use audit::Timestamp;
use ca::CaError;
use ca::revocation::Revocation;
use futures_util::{StreamExt, stream};
use store::{Row, StoreError, Write, params};
use x509::crl::Reason;

use crate::retire::over;
use crate::{Fleet, FleetError, Holding, Result, spare};

/// A holding that has to be revoked.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) sha256: [u8; 32],
    pub(crate) asset: String,
    pub(crate) endpoint: String,
    pub(crate) reason: Reason,
    due: i64,
}

/// Revocations that share transactions: enough that commits are waited for together.
const AT_ONCE: usize = 64;
const PAGE: i64 = 512;

const DUE: &str = "SELECT sha256, asset, endpoint, revoke_reason, revoke_due FROM holdings \
    WHERE revoke_due <= $1 AND ended IS NULL AND (revoke_due > $2 OR (revoke_due = $2 AND sha256 > $3)) \
    ORDER BY revoke_due, sha256 LIMIT $4";
const END: &str = "UPDATE holdings SET ended = $2 WHERE sha256 = $1 AND ended IS NULL";

impl Due {
    /// A holding that ends because its asset does.
    pub(crate) fn of(holding: &Holding) -> Result<Self> {
        let mut sha256 = [0; 32];
        hex::decode_to_slice(&holding.sha256, &mut sha256)
            .map_err(|_| FleetError::Damaged("holdings.sha256"))?;
        Ok(Due {
            sha256,
            asset: holding.asset.clone(),
            endpoint: holding.endpoint.clone(),
            reason: Reason::CessationOfOperation,
            due: 0,
        })
    }

    fn read(row: &Row) -> Result<Self> {
        let reason = row.opt_text(3)?.and_then(|name| name.parse().ok());
        Ok(Due {
            sha256: row
                .blob(0)?
                .try_into()
                .map_err(|_| FleetError::Damaged("holdings.sha256"))?,
            asset: row.text(1)?.to_owned(),
            endpoint: row.text(2)?.to_owned(),
            reason: reason.unwrap_or(Reason::Superseded),
            due: row.int(4)?,
        })
    }
}

impl Fleet {
    /// Revokes what is due at `now`: certificates that were superseded, those of retired assets, spares that nobody used.
    /// Says how many. What fails is tried again next time, and holds nothing else up.
    pub async fn revoke_due(&self, now: Timestamp) -> Result<usize> {
        self.abandon_spares(now).await?;
        let principal = self.access().system_principal("fleet");
        let mut done = 0;
        let mut failure = None;
        let mut after = (i64::MIN, Vec::new());
        loop {
            let page = params![now, after.0, after.1.clone(), PAGE];
            let rows = self.store().query(DUE, page).await?;
            let due = rows.iter().map(Due::read).collect::<Result<Vec<_>>>()?;
            let Some(last) = due.last() else { break };
            after = (last.due, last.sha256.to_vec());
            let full = due.len() as i64 == PAGE;
            let mut ends = stream::iter(due)
                .map(|due| self.end(&principal, due, now))
                .buffer_unordered(AT_ONCE);
            while let Some(ended) = ends.next().await {
                match ended {
                    Ok(()) => done += 1,
                    Err(error) => failure = Some(error),
                }
            }
            if !full {
                break;
            }
        }
        match failure {
            Some(error) if done == 0 => Err(error),
            Some(error) => {
                tracing::warn!(%error, "some of what is due could not be revoked yet");
                Ok(done)
            }
            None => Ok(done),
        }
    }

    /// Revokes one certificate that an asset holds, and notes that it is over.
    pub(crate) async fn end(
        &self,
        principal: &Arc<Principal>,
        due: Due,
        now: Timestamp,
    ) -> Result<()> {
        let permit =
            self.access()
                .decide(principal, Action::RevokeCertificate, &Target::default())?;
        let certificate = self.ca.certificate(&due.sha256).await?;
        let certificate = certificate.ok_or(FleetError::Damaged("holdings"))?;
        let erased = spare::erased(self, &due.endpoint).await?;
        let sha256 = due.sha256;
        let note = move |write: Write| {
            Ok(spare::erase(
                write.run(END, params![sha256, now]),
                erased,
                now,
            ))
        };
        if certificate.not_after.0 < now.seconds() {
            let write = Write::new(over(&due, "it has expired", now, &permit))?;
            self.store().commit(note(write)?).await?;
            return Ok(());
        }
        let revocation = Revocation {
            reason: due.reason,
            invalid_since: None,
            why: Some(format!("asset {}, {}", due.asset, due.endpoint)),
            request_id: None,
        };
        let revoked = self
            .ca
            .revoke_along(permit, &certificate, revocation, note.clone(), now)
            .await;
        match revoked {
            Ok(_) => Ok(()),
            Err(CaError::Refused(refusal)) if refusal.rule == "revocation.repeated" => {
                let permit = self.access().decide(
                    principal,
                    Action::RevokeCertificate,
                    &Target::default(),
                )?;
                let write = Write::new(over(&due, "it was revoked already", now, &permit))?;
                self.store().commit(note(write)?).await?;
                Ok(())
            }
            // Somebody else has just done the same.
            Err(CaError::Store(StoreError::Conflict(_))) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
