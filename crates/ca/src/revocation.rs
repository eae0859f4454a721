//! Revocation, hold and release (RFC 5280 §5.3.1, R11, R13).
//!
//! The current state of a certificate is one small row; what it was before is in the log. The cost of a revocation
//! does not depend on how many there are already: one indexed row, one event, and a note of which lists are overtaken.

use access::{Action, Permit, Refusal, Target, Where};
use audit::{Event, Hash, Object, Timestamp};
use serde_json::{Value as Json, json};
use store::{Write, params};
use x509::Time;
use x509::crl::Reason;

use crate::compromised::{SPKI, note};
use crate::finish::Finish;
use crate::{Ca, CaError, StoredCertificate};

/// What a certificate's issuer says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Good,
    Revoked {
        at: Time,
        reason: Reason,
        invalid_since: Option<Time>,
    },
}

impl Status {
    /// As events and the API show it.
    pub fn to_json(self) -> Json {
        match self {
            Self::Good => json!({ "status": "good" }),
            Self::Revoked {
                at,
                reason,
                invalid_since,
            } => json!({
                "status": "revoked",
                "reason": reason.name(),
                "revoked_at": at.to_string(),
                "invalid_since": invalid_since.map(|time| time.to_string()),
            }),
        }
    }
}

/// A revocation or hold as it was asked for.
#[derive(Clone, Debug)]
pub struct Revocation {
    pub reason: Reason,
    /// When the key is known or suspected to have been compromised (§5.3.2).
    pub invalid_since: Option<Time>,
    pub why: Option<String>,
    pub request_id: Option<String>,
}

/// The row that a change starts from; the change fails if somebody else was faster.
struct Current {
    status: Status,
    changed_at: Option<i64>,
}

/// What a certificate's row is to become.
struct Change {
    status: Status,
    changed_before: Option<i64>,
    /// The key that is not to be certified again.
    compromised: Option<Hash>,
}

impl Ca {
    /// Revokes for good, or with [`Reason::CertificateHold`] until released. With [`Reason::KeyCompromise`]
    /// the key is not certified again, whoever asks.
    pub async fn revoke(
        &self,
        permit: Permit,
        certificate: &StoredCertificate,
        revocation: Revocation,
        now: Timestamp,
    ) -> Result<Status, CaError> {
        self.revoke_along(permit, certificate, revocation, Ok, now)
            .await
    }

    /// As [`Ca::revoke`]; what the caller knows about the certificate changes in the same write.
    pub async fn revoke_along(
        &self,
        permit: Permit,
        certificate: &StoredCertificate,
        revocation: Revocation,
        along: impl FnOnce(Write) -> store::Result<Write> + Send,
        now: Timestamp,
    ) -> Result<Status, CaError> {
        permit.require(self.needed_to_revoke(certificate))?;
        check_scope(&permit, certificate)?;
        self.check_revocable(certificate)?;
        let current = self.current(certificate).await?;
        check_change(current.status, &revocation, now)?;
        let at = match current.status {
            // The date of revocation stays when a better reason becomes known.
            Status::Revoked { at, reason, .. } if reason != Reason::CertificateHold => at,
            _ => Time(now.seconds()),
        };
        let status = Status::Revoked {
            at,
            reason: revocation.reason,
            invalid_since: revocation.invalid_since,
        };
        let action = match revocation.reason {
            Reason::CertificateHold => "certificate.hold",
            _ => "certificate.revoke",
        };
        let compromised = match revocation.reason {
            Reason::KeyCompromise => self.spki_sha256(certificate).await?,
            _ => None,
        };
        let mut event = event(&permit, action, certificate, current.status, status, now);
        if let (Some(spki), Some(after)) = (compromised, event.after.as_mut()) {
            after[SPKI] = json!(hex::encode(spki));
        }
        let event = annotate(
            event,
            revocation.why.as_deref(),
            revocation.request_id.as_deref(),
        );
        let change = Change {
            status,
            changed_before: current.changed_at,
            compromised,
        };
        let write = along(Write::new(event)?)?;
        self.change(certificate, change, write, now).await?;
        Ok(status)
    }

    /// Ends a hold. Deltas say removeFromCRL until the next complete list.
    pub async fn release(
        &self,
        permit: Permit,
        certificate: &StoredCertificate,
        why: Option<&str>,
        request_id: Option<&str>,
        now: Timestamp,
    ) -> Result<Status, CaError> {
        permit.require(self.needed_to_revoke(certificate))?;
        check_scope(&permit, certificate)?;
        let current = self.current(certificate).await?;
        if !matches!(
            current.status,
            Status::Revoked {
                reason: Reason::CertificateHold,
                ..
            }
        ) {
            return Err(Refusal::new(
                "revocation.release",
                "RFC 5280 §5.3.1",
                "the certificate is not on hold, and a revocation cannot be undone",
            )
            .accepted("a certificate whose revocation reason is certificateHold")
            .into());
        }
        let event = event(
            &permit,
            "certificate.release",
            certificate,
            current.status,
            Status::Good,
            now,
        );
        let change = Change {
            status: Status::Good,
            changed_before: current.changed_at,
            compromised: None,
        };
        let event = annotate(event, why, request_id);
        self.change(certificate, change, Write::new(event)?, now)
            .await?;
        Ok(Status::Good)
    }

    /// The state now.
    pub async fn status(&self, certificate: &StoredCertificate) -> Result<Status, CaError> {
        Ok(self.current(certificate).await?.status)
    }

    async fn current(&self, certificate: &StoredCertificate) -> Result<Current, CaError> {
        let found = self
            .revocation_row(&certificate.issuer, &certificate.serial)
            .await?;
        Ok(match found {
            Some((status, changed_at)) => Current {
                status,
                changed_at: Some(changed_at),
            },
            None => Current {
                status: Status::Good,
                changed_at: None,
            },
        })
    }

    async fn change(
        &self,
        certificate: &StoredCertificate,
        change: Change,
        write: Write,
        now: Timestamp,
    ) -> Result<(), CaError> {
        let Change {
            status,
            changed_before,
            compromised,
        } = change;
        let (reason, at, invalid_since) = match status {
            Status::Good => (Reason::RemoveFromCrl, Time(now.seconds()), None),
            Status::Revoked {
                at,
                reason,
                invalid_since,
            } => (reason, at, invalid_since),
        };
        // A change in the same millisecond must still differ from the one before.
        let changed_at = changed_before.map_or(now.0, |before| now.0.max(before + 1));
        let mut write = write.run_expecting(
            1,
            "INSERT INTO revocations (issuer, serial, partition, reason, revoked_at, invalidity_date, changed_at, expires) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (issuer, serial) DO UPDATE SET \
             reason = excluded.reason, revoked_at = excluded.revoked_at, invalidity_date = excluded.invalidity_date, \
             changed_at = excluded.changed_at WHERE revocations.changed_at = $9",
            params![
                certificate.issuer.as_str(),
                certificate.serial.clone(),
                i64::from(certificate.partition),
                i64::from(reason.code()),
                at.0,
                invalid_since.map(|time| time.0),
                changed_at,
                certificate.not_after.0,
                changed_before.unwrap_or(-1)
            ],
            "the certificate's status was changed by somebody else at the same moment",
        );
        if let Some(spki) = compromised {
            write = note(write, spki, certificate, now);
        }
        let write = self
            .along_with_status(write, certificate, status, now)
            .await?;
        let is_authority = self.needed_to_revoke(certificate) == Action::ManageAuthorities;
        let ca = self.clone();
        let (issuer, serial) = (certificate.issuer.clone(), certificate.serial.clone());
        let partition = certificate.partition;
        Finish::new(async move {
            let own = (issuer, serial);
            ca.commit_change(write, &own, compromised).await?;
            ca.status_changed(&own.0, &own.1, partition);
            match is_authority {
                true => ca.refresh().await,
                false => Ok(()),
            }
        })
        .await
    }

    /// Commits a change that the log's follower need not see: who makes it knows it already.
    async fn commit_change(
        &self,
        write: Write,
        own: &(String, Vec<u8>),
        compromised: Option<Hash>,
    ) -> Result<(), CaError> {
        let own_changes = &self.status_services().own_changes;
        own_changes.lock().insert(own.clone());
        if let Err(error) = self.store().commit(write).await {
            own_changes.lock().remove(own);
            return Err(error.into());
        }
        if let Some(spki) = compromised {
            self.compromised_keys().insert(spki);
        }
        Ok(())
    }

    /// The current row of a serial number, with the instant of its last change.
    pub(crate) async fn revocation_row(
        &self,
        issuer: &str,
        serial: &[u8],
    ) -> Result<Option<(Status, i64)>, CaError> {
        let rows = self
            .store()
            .query(
                "SELECT reason, revoked_at, invalidity_date, changed_at FROM revocations WHERE issuer = $1 AND serial = $2",
                params![issuer, serial.to_vec()],
            )
            .await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let reason = u8::try_from(row.int(0)?)
            .ok()
            .and_then(Reason::from_code)
            .unwrap_or(Reason::Unspecified);
        let status = match reason {
            Reason::RemoveFromCrl => Status::Good,
            reason => Status::Revoked {
                at: Time(row.int(1)?),
                reason,
                invalid_since: row.opt_int(2)?.map(Time),
            },
        };
        Ok(Some((status, row.int(3)?)))
    }

    /// Makes what was signed or built before invisible. Called after the commit, and again for other nodes' events.
    pub(crate) fn status_changed(&self, issuer: &str, serial: &[u8], partition: u32) {
        let services = self.status_services();
        services.lists.mark(issuer, partition);
        services.answers.status_changed(issuer, serial);
        services.nudge.notify_one();
    }
}

fn check_scope(permit: &Permit, certificate: &StoredCertificate) -> Result<(), CaError> {
    permit.covers(&Target {
        profile: Some(&certificate.profile),
        authority: Some(&certificate.issuer),
        names: &certificate.names,
        place: Where::Later,
    })?;
    Ok(())
}

fn check_change(current: Status, revocation: &Revocation, now: Timestamp) -> Result<(), Refusal> {
    let source = "RFC 5280 §5.3.1";
    if revocation.reason == Reason::RemoveFromCrl {
        return Err(Refusal::new(
            "revocation.reason",
            source,
            "removeFromCRL is not a reason to revoke",
        )
        .accepted("release, for a certificate on hold"));
    }
    if revocation
        .invalid_since
        .is_some_and(|time| time.0 > now.seconds())
    {
        return Err(Refusal::new(
            "revocation.invalidity-date",
            "RFC 5280 §5.3.2",
            "the invalidity date is in the future",
        )
        .accepted("a time up to now"));
    }
    match current {
        Status::Good => Ok(()),
        Status::Revoked {
            reason: Reason::CertificateHold,
            ..
        } if revocation.reason != Reason::CertificateHold => Ok(()),
        // It becomes known that the key was stolen: relying parties treat that differently.
        Status::Revoked { reason, .. }
            if revocation.reason == Reason::KeyCompromise && reason != Reason::KeyCompromise =>
        {
            Ok(())
        }
        Status::Revoked { reason, .. } => Err(Refusal::new(
            "revocation.repeated",
            source,
            format!("the certificate is revoked already, for {}", reason.name()),
        )
        .accepted("keyCompromise, when that has become known since")),
    }
}

fn event(
    permit: &Permit,
    action: &'static str,
    certificate: &StoredCertificate,
    before: Status,
    after: Status,
    now: Timestamp,
) -> Event {
    let mut state = after.to_json();
    state["issuer"] = json!(certificate.issuer);
    state["partition"] = json!(certificate.partition);
    Event::new(
        now,
        permit.actor().clone(),
        action,
        Object::new("certificate", hex::encode(&certificate.serial)),
    )
    .before(before.to_json())
    .after(state)
}

fn annotate(event: Event, why: Option<&str>, request_id: Option<&str>) -> Event {
    let event = match why {
        Some(why) => event.why(why),
        None => event,
    };
    match request_id {
        Some(id) => event.request_id(id),
        None => event,
    }
}
