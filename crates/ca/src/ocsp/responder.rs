//! Delegated OCSP responders (RFC 6960 §4.2.2.2): one per issuer, its certificate issued like any other and replaced
//! at half of its life with a new key. The issuer's own key signs no answers, so it may live in slow hardware.

use std::collections::HashMap;
use std::sync::Arc;

use audit::{Actor, Event, Object, Timestamp};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{StoreError, Write};
use x509::ocsp::{CertId, IssuerId};
use x509::{Certificate, KeyAlgorithm, SignatureAlgorithm, Time};

use crate::authority::certificate_base64;
use crate::{Ca, CaError, Issuer};

const RESPONDER_RECORDS: &str = "responder";

/// As it is stored; the id is the issuer's.
#[derive(Serialize, Deserialize)]
struct StoredResponder {
    key: keys::KeyId,
    #[serde(with = "certificate_base64")]
    certificate: Certificate,
}

/// A key and certificate that may answer for one issuer.
pub(crate) struct Responder {
    pub(crate) issuer: Arc<str>,
    pub(crate) issuer_id: IssuerId,
    pub(crate) certificate: Certificate,
    pub(crate) signer: keys::Signer,
    pub(crate) signature: SignatureAlgorithm,
    /// SHA-1 of the responder's key, which names it in answers (RFC 6960 §4.2.1, ResponderID byKey).
    pub(crate) key_hash: Vec<u8>,
}

impl Responder {
    fn half_life(&self) -> Time {
        let (from, until) = (
            self.certificate.not_before().0,
            self.certificate.not_after().0,
        );
        Time(from + (until - from) / 2)
    }
}

/// The responders in use, by issuer.
#[derive(Default)]
pub(crate) struct Responders(RwLock<HashMap<String, Arc<Responder>>>);

impl Responders {
    /// Who answers for a certificate. There are a handful of issuers, so looking at each costs less than hashing.
    pub(crate) fn for_certificate(&self, id: &CertId) -> Option<Arc<Responder>> {
        self.0
            .read()
            .values()
            .find(|responder| responder.issuer_id.matches(id))
            .cloned()
    }

    fn of_issuer(&self, issuer: &str) -> Option<Arc<Responder>> {
        self.0.read().get(issuer).cloned()
    }
}

impl Ca {
    /// Whether a certificate is of an issuer that has a responder, though it may not have it yet: a server that has
    /// just been started must not say for good that it does not know its own certificates.
    pub(crate) fn will_answer_for(&self, id: &CertId) -> bool {
        self.issuers().iter().any(|issuer| {
            let certificate = issuer.certificate();
            let key = certificate.public_key();
            issuer.key().is_some()
                && issuer.record().parent.is_some()
                && key.is_ok_and(|key| IssuerId::new(certificate.subject(), &key).matches(id))
        })
    }

    /// Every issuer with a key online gets a responder whose certificate is in the first half of its life.
    pub async fn ensure_responders(&self, now: Timestamp) -> Result<(), CaError> {
        for issuer in self.issuers() {
            if issuer.key().is_some() && issuer.record().parent.is_some() {
                self.ensure_responder(&issuer, now).await?;
            }
        }
        Ok(())
    }

    /// When the responder's certificate ends, from the database: commands load no responders.
    pub(crate) async fn responder_end(&self, issuer: &str) -> Result<Option<Time>, CaError> {
        let Some(record) = self.store().record(RESPONDER_RECORDS, issuer).await? else {
            return Ok(None);
        };
        let stored: StoredResponder = record.parse()?;
        Ok(Some(stored.certificate.not_after()))
    }

    async fn ensure_responder(&self, issuer: &Issuer, now: Timestamp) -> Result<(), CaError> {
        let fresh = |responder: &Responder| now.seconds() < responder.half_life().0;
        let current = self.status_services().responders.of_issuer(issuer.name());
        if current.is_some_and(|responder| fresh(&responder)) {
            return Ok(());
        }
        let version = match self.load_responder(issuer).await? {
            Some((_, responder)) if fresh(&responder) => return Ok(()),
            Some((version, _)) => version,
            None => 0,
        };
        match self.rotate_responder(issuer, version, now).await {
            // Another node was faster; its responder is as good.
            Err(CaError::Store(StoreError::Conflict(_))) => {}
            other => other?,
        }
        self.load_responder(issuer).await.map(drop)
    }

    /// Reads what this or another node has stored.
    pub(crate) async fn load_responder(
        &self,
        issuer: &Issuer,
    ) -> Result<Option<(u64, Arc<Responder>)>, CaError> {
        let Some(record) = self
            .store()
            .record(RESPONDER_RECORDS, issuer.name())
            .await?
        else {
            return Ok(None);
        };
        let stored: StoredResponder = record.parse()?;
        let key = stored.certificate.public_key()?;
        let issuer_key = issuer.certificate().public_key()?;
        let responder = Arc::new(Responder {
            issuer: issuer.name().into(),
            issuer_id: IssuerId::new(issuer.certificate().subject(), &issuer_key),
            signer: self.signer(&stored.key).await?,
            signature: signature(&key)?,
            key_hash: IssuerId::new(stored.certificate.subject(), &key)
                .key_hash_sha1()
                .to_vec(),
            certificate: stored.certificate,
        });
        self.status_services()
            .responders
            .0
            .write()
            .insert(issuer.name().to_owned(), Arc::clone(&responder));
        Ok(Some((record.version, responder)))
    }

    async fn rotate_responder(
        &self,
        issuer: &Issuer,
        version: u64,
        now: Timestamp,
    ) -> Result<(), CaError> {
        let own = self
            .issue_to_ward(
                issuer.name(),
                "ocsp-responder",
                KeyAlgorithm::EcdsaP256,
                &format!("OCSP responder of {}", issuer.name()),
                Vec::new(),
                now,
            )
            .await?;
        let event = Event::new(
            now,
            Actor::system("responder"),
            "ocsp.responder.rotate",
            Object::new("issuer", issuer.name()),
        )
        .after(json!({
            "serial": hex::encode(own.certificate.serial()),
            "key": own.key,
            "not_after": own.certificate.not_after().to_string(),
        }));
        let stored = StoredResponder {
            key: own.key,
            certificate: own.certificate,
        };
        self.store()
            .commit(Write::new(event)?.put_record(
                RESPONDER_RECORDS,
                issuer.name(),
                version,
                &stored,
                now,
            )?)
            .await?;
        tracing::info!(issuer = issuer.name(), "OCSP responder renewed");
        Ok(())
    }
}

fn signature(key: &x509::PublicKey) -> Result<SignatureAlgorithm, CaError> {
    KeyAlgorithm::of(key)
        .map(KeyAlgorithm::default_signature)
        .ok_or(CaError::Internal("a responder key of an unknown kind"))
}
