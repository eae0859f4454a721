//! What a crash leaves behind, and retries. An intent that is still open when nobody works on it any
//! more is voided; a certificate that was recorded stands, and a retry with the same idempotency key
//! finds it.

use audit::Timestamp;
use store::params;
use x509::{Certificate, Time};

use super::cycle::OpenIntent;
use super::request::{IssueRequest, Issued, Source};
use crate::{Ca, CaError, Result};

/// How old an open intent is before it counts as left behind: longer than any signature takes. If it
/// should be under way after all, its issuance fails, because its intent is gone.
const ABANDONED_MS: i64 = 60_000;

const OPEN: &str =
    "SELECT serial, issuer, partition FROM intents WHERE created <= $1 ORDER BY serial LIMIT 1000";
const BY_IDEMPOTENCY: &str = "SELECT issuer, serial, sha256, profile, profile_version, not_before, \
    not_after, der FROM certificates WHERE idempotency = $1";

impl Ca {
    /// Voids intents that nobody works on: those older than a minute, or every one if the caller
    /// knows that it is alone (a server that has just taken its lock). Says how many.
    pub async fn void_abandoned(&self, alone: bool, now: Timestamp) -> Result<usize> {
        let before = if alone {
            i64::MAX
        } else {
            now.0 - ABANDONED_MS
        };
        let mut voided = 0;
        loop {
            let rows = self.store().query(OPEN, params![before]).await?;
            for row in &rows {
                let open = OpenIntent {
                    serial: row.blob(0)?.to_vec(),
                    issuer: row.text(1)?.to_owned(),
                    partition: row.int(2)?,
                };
                if self
                    .void_intent(&open, "left behind by a crash", now)
                    .await?
                {
                    voided += 1;
                }
            }
            if rows.len() < 1000 {
                return Ok(voided);
            }
        }
    }

    /// The certificate that was issued for this idempotency key. The same key for another request is
    /// refused; a private key that was handed out once cannot be handed out again.
    pub(super) async fn repeated(
        &self,
        key: &str,
        request: &IssueRequest,
    ) -> Result<Option<Issued>> {
        let rows = self.store().look_up(BY_IDEMPOTENCY, params![key]).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let der = row.blob(7)?.to_vec();
        let issued_key = Certificate::from_der(&der)?;
        let same_key = match &request.source {
            Source::Csr(csr) => csr.public_key().spki_der() == issued_key.spki_der(),
            Source::PublicKey(key) => key.spki_der() == issued_key.spki_der(),
            Source::Generate { .. } | Source::Taken => false,
        };
        if !same_key || row.text(3)? != request.profile {
            return Err(access::Refusal::new(
                "idempotency.reused",
                "docs/api.md",
                "this idempotency key belongs to another request",
            )
            .accepted("a new key for a new request")
            .into());
        }
        let issuer = row.text(0)?.to_owned();
        let sha256 = row.blob(2)?;
        Ok(Some(Issued {
            serial: row.blob(1)?.to_vec(),
            sha256: sha256
                .try_into()
                .map_err(|_| CaError::Damaged("certificates.sha256"))?,
            profile: row.text(3)?.to_owned(),
            profile_version: row.int(4)?.cast_unsigned(),
            not_before: Time(row.int(5)?),
            not_after: Time(row.int(6)?),
            chain: self.issuer(&issuer)?.chain().clone(),
            issuer,
            key: None,
            repeated: true,
            der,
        }))
    }
}
