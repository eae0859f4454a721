//! Cross-certificates: another CA's key, or our own new root's, under our name and our limits (R29).

use std::sync::Arc;

use access::{Action, Permit, Refusal};
use audit::{Object, Timestamp};
use store::Write;
use x509::Certificate;

use super::certify::Wanted;
use super::rows::{put_certificate, settle};
use super::{Constraints, ISSUER_RECORDS, ParentKey};
use crate::profile::Duration;
use crate::{Ca, Issuer, Result};

/// A certificate for somebody else's CA, or for our own new root by the old one.
#[derive(Clone, Debug)]
pub struct CrossSign {
    /// The certificate whose subject and key are to be certified.
    pub subject: Certificate,
    /// What it may name.
    pub constraints: Constraints,
    /// How many CAs may stand below it.
    pub path_length: u32,
    /// How long.
    pub validity: Duration,
}

impl Ca {
    /// Certifies another CA's key under constraints.
    pub async fn cross_sign(
        &self,
        permit: Permit,
        by: &str,
        key: ParentKey,
        cross: &CrossSign,
        now: Timestamp,
    ) -> Result<Certificate> {
        permit.require(Action::ManageAuthorities)?;
        let made = self.try_cross_sign(&permit, by, key, cross, now).await;
        self.or_recorded(made, &permit, "authority.cross-sign", by, now)
            .await
    }

    async fn try_cross_sign(
        &self,
        permit: &Permit,
        by: &str,
        key: ParentKey,
        cross: &CrossSign,
        now: Timestamp,
    ) -> Result<Certificate> {
        permit.check_authority(by)?;
        let settings = self.hierarchy()?;
        check_foreign(&cross.subject)?;
        let public = cross.subject.public_key()?;
        self.check_not_compromised(&public).await?;
        let own = self
            .state()
            .issuers
            .values()
            .find(|issuer| issuer.certificate().spki_der() == cross.subject.spki_der())
            .cloned();
        if own.is_none() && cross.constraints.is_empty() {
            return Err(Refusal::new(
                "authority.cross-unconstrained",
                "RFC 5280 §4.2.1.10, R29",
                "a foreign CA without name constraints could issue for any name of ours",
            )
            .accepted("at least one permitted or excluded zone, domain or range")
            .into());
        }
        let signing = match &own {
            Some(own) if own.record().authority == by => {
                self.signing_by(self.generation_before(own)?, key).await?
            }
            _ => self.signing(by, key).await?,
        };
        let wanted = Wanted {
            subject: cross.subject.subject().clone(),
            key: &public,
            path_length: Some(cross.path_length),
            constraints: &cross.constraints,
            validity: cross.validity,
            base_url: &settings.base_url,
        };
        let actor = permit.actor();
        let certificate = self.certify(&signing, &wanted, actor, now).await?;
        let object = Object::new("authority", by);
        let event = audit::Event::new(now, actor.clone(), "authority.cross-sign", object).after(
            serde_json::json!({
                "subject": certificate.subject().to_string(),
                "certificate_sha256": hex::encode(certificate.fingerprint()),
                "constraints": cross.constraints,
                "path_length": cross.path_length,
            }),
        );
        let mut write = settle(Write::new(event)?, certificate.serial());
        write = put_certificate(write, &certificate, signing.issuer.name(), actor, now)?;
        if let Some(own) = own {
            let (mut record, version) = self.stored_issuer(own.name()).await?;
            record.cross.push(certificate.clone());
            write = write.put_record(ISSUER_RECORDS, own.name(), version, &record, now)?;
        }
        self.finish(write, &signing, actor, now).await?;
        Ok(certificate)
    }

    /// A new root is cross-signed by the generation before it: whoever trusts only the old root can
    /// then follow.
    fn generation_before(&self, issuer: &Issuer) -> Result<Arc<Issuer>> {
        let authority = self.authority(&issuer.record().authority)?;
        let at = authority
            .generations
            .iter()
            .position(|id| id == issuer.name());
        let before = at
            .and_then(|at| at.checked_sub(1))
            .and_then(|at| authority.generations.get(at));
        let before = before.ok_or_else(|| {
            Refusal::new(
                "authority.cross-self",
                "RFC 5280 §3.2",
                format!("{} has no generation before it to sign it", issuer.name()),
            )
            .accepted("the certificate of a newer generation, or of another CA")
        })?;
        self.issuer(before)
    }
}

/// A certificate worth cross-signing: a CA's, with a key that is not weak, that signed itself if it
/// claims to.
fn check_foreign(subject: &Certificate) -> Result<(), Refusal> {
    let refuse = |why: String| {
        Refusal::new("authority.cross-subject", "RFC 5280 §4.2.1.9", why)
            .accepted("a CA certificate with a key of at least 112 bits of strength")
    };
    let key = subject
        .public_key()
        .map_err(|error| refuse(error.to_string()))?;
    if let Some(weakness) = key.weakness() {
        return Err(refuse(weakness.to_string()));
    }
    let constraints: Option<x509::ext::BasicConstraints> =
        subject.ext().map_err(|error| refuse(error.to_string()))?;
    if !constraints.is_some_and(|found| found.ca) || subject.subject().is_empty() {
        return Err(refuse(format!("{} is no CA", subject.subject())));
    }
    if subject.is_self_issued() && subject.verify_signed_by(&key).is_err() {
        return Err(refuse(format!(
            "{} is not signed by its own key",
            subject.subject()
        )));
    }
    Ok(())
}
