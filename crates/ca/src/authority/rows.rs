//! What every new CA certificate leaves in the database: its row and event like any certificate's,
//! its issuer record, its authority record.

use audit::merkle::sha256;
use audit::{Actor, Event, Object, Timestamp};
use serde_json::json;
use store::{Write, params};
use x509::Certificate;

use crate::authority::{AUTHORITY_RECORDS, Authority, ISSUER_RECORDS, IssuerRecord};
use crate::{Ca, Result};

const ANNOUNCE: &str = "INSERT INTO intents\
    (serial, issuer, partition, profile, actor, idempotency, created) \
    VALUES($1, $2, 0, $3, $4, NULL, $5)";
const SETTLE: &str = "DELETE FROM intents WHERE serial = $1";
const RECORD: &str = "INSERT INTO certificates\
    (issuer, serial, sha256, profile, profile_version, subject, names, not_before, not_after, \
    issued_at, partition, requester, idempotency, der) \
    VALUES($1, $2, $3, $4, 0, $5, '', $6, $7, $8, 0, $9, NULL, $10)";

/// The profile column of CA certificates that no profile made.
pub(crate) const CA_PROFILE: &str = "ca";

/// Adds row and event of a CA certificate that `issuer` signed.
pub(crate) fn put_certificate(
    write: Write,
    certificate: &Certificate,
    issuer: &str,
    actor: &Actor,
    now: Timestamp,
) -> Result<Write> {
    let subject = certificate.subject().to_string();
    let fingerprint = sha256(certificate.der());
    let event = Event::new(
        now,
        actor.clone(),
        "certificate.issue",
        Object::new("certificate", hex::encode(certificate.serial())),
    )
    .digest(fingerprint)
    .after(json!({
        "issuer": issuer,
        "profile": CA_PROFILE,
        "subject": subject,
        "names": [],
        "not_before": certificate.not_before().to_string(),
        "not_after": certificate.not_after().to_string(),
    }));
    Ok(write.event(event)?.run(
        RECORD,
        params![
            issuer,
            certificate.serial(),
            fingerprint,
            CA_PROFILE,
            subject,
            certificate.not_before().0,
            certificate.not_after().0,
            now,
            actor.id.as_str(),
            certificate.der(),
        ],
    ))
}

/// Adds that the announced certificate exists now.
pub(crate) fn settle(write: Write, serial: &[u8]) -> Write {
    let voided = "the intent was voided while the signature was made";
    write.run_expecting(1, SETTLE, params![serial], voided)
}

/// Adds a new issuer.
pub(crate) fn put_issuer(
    write: Write,
    issuer: &IssuerRecord,
    actor: &Actor,
    now: Timestamp,
) -> Result<Write> {
    let event = Event::new(
        now,
        actor.clone(),
        "issuer.create",
        Object::new("issuer", issuer.id.as_str()),
    )
    .after(json!({
        "authority": issuer.authority,
        "generation": issuer.generation,
        "state": issuer.state,
        "key": issuer.key,
        "algorithm": issuer.algorithm,
        "parent": issuer.parent,
        "certificate_sha256": hex::encode(issuer.certificate.fingerprint()),
    }));
    Ok(write
        .event(event)?
        .put_record(ISSUER_RECORDS, &issuer.id, 0, issuer, now)?)
}

/// Adds a version of an authority.
pub(crate) fn put_authority(
    write: Write,
    authority: &Authority,
    version: u64,
    action: &'static str,
    why: Option<&str>,
    actor: &Actor,
    now: Timestamp,
) -> Result<Write> {
    let object = Object::new("authority", authority.name.as_str());
    let mut event = Event::new(now, actor.clone(), action, object).after(json!(authority));
    if let Some(why) = why {
        event = event.why(why);
    }
    Ok(write.event(event)?.put_record(
        AUTHORITY_RECORDS,
        &authority.name,
        version,
        authority,
        now,
    )?)
}

impl Ca {
    /// Makes the intent to sign a CA certificate durable.
    pub(crate) async fn announce(
        &self,
        unsigned: &super::certify::Unsigned,
        issuer: &str,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<()> {
        let event = Event::new(
            now,
            actor.clone(),
            "certificate.intend",
            Object::new("certificate", hex::encode(&unsigned.serial)),
        )
        .after(json!({
            "issuer": issuer,
            "profile": CA_PROFILE,
            "tbs_sha256": hex::encode(sha256(&unsigned.tbs)),
        }));
        let write = Write::new(event)?.run(
            ANNOUNCE,
            params![&unsigned.serial, issuer, CA_PROFILE, actor.id.as_str(), now],
        );
        self.store().commit(write).await?;
        Ok(())
    }
}
