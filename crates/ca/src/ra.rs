//! The registration authority of an authority: the RSA key and certificate with which Ward talks to devices over SCEP
//! and CMP. The issuer's own key opens no envelopes and signs no messages, so it may live in slow hardware and be
//! elliptic.
//!
//! The certificate is issued like any other and replaced at half of its life with a new key. The old key goes on
//! opening envelopes until its certificate ends, because devices keep the certificate that they once fetched.

use std::collections::HashMap;
use std::sync::Arc;

use audit::{Actor, Event, Object, Timestamp};
use keys::{KeyId, Signer};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{StoreError, Write};
use x509::cms::{CmsError, EnvelopedData, MessageSignature};
use x509::{Certificate, KeyAlgorithm, Time};
use zeroize::Zeroizing;

use crate::authority::certificate_base64;
use crate::{Ca, CaError, CertificateState, Issuer, Result};

const RA_RECORDS: &str = "registration-authority";
const PROFILE: &str = "registration-authority";

/// How long a registration authority is used before another node's change, or a revocation, is looked for.
const TRUSTED_MS: i64 = 10_000;

/// As it is stored; the id is the authority's name.
#[derive(Serialize, Deserialize)]
struct StoredRa {
    /// The generation of the authority that issued it.
    issuer: String,
    current: StoredRaKey,
    #[serde(default)]
    former: Vec<StoredRaKey>,
}

#[derive(Clone, Serialize, Deserialize)]
struct StoredRaKey {
    key: KeyId,
    #[serde(with = "certificate_base64")]
    certificate: Certificate,
}

/// The registration authority of one authority.
#[derive(Debug)]
pub struct Ra {
    pub authority: String,
    /// What devices encrypt to and whose signatures they verify.
    pub certificate: Certificate,
    /// The issuer's certificate and what is above it, the root left out.
    pub chain: Vec<Certificate>,
    pub signer: Signer,
    /// Earlier ones that have not ended, the latest first: devices keep the certificate that they once fetched.
    pub former: Vec<RaKey>,
    issuer: String,
    checked: Timestamp,
    version: u64,
}

/// A key of a registration authority, with its certificate.
#[derive(Clone, Debug)]
pub struct RaKey {
    pub certificate: Certificate,
    pub signer: Signer,
}

/// The registration authorities in use, by authority.
#[derive(Default)]
pub(crate) struct RegistrationAuthorities {
    loaded: RwLock<HashMap<String, Arc<Ra>>>,
    /// One maker at a time: the first hundred devices of a morning must not make a hundred keys.
    making: tokio::sync::Mutex<()>,
}

impl Ra {
    /// The key that an envelope is for: the present one or a former one.
    pub fn key_for(&self, envelope: &EnvelopedData) -> Result<RaKey, CmsError> {
        let present = RaKey {
            certificate: self.certificate.clone(),
            signer: self.signer.clone(),
        };
        std::iter::once(&present)
            .chain(&self.former)
            .find(|key| envelope.recipient(&key.certificate).is_ok())
            .cloned()
            .ok_or(CmsError::NotARecipient)
    }

    /// Opens an envelope. What comes out may be nonsense: a wrong key and a wrong padding are no errors (see
    /// [`EnvelopedData`]).
    pub async fn open(&self, envelope: EnvelopedData) -> Result<Zeroizing<Vec<u8>>, RaError> {
        let key = self.key_for(&envelope)?;
        let open = move || {
            envelope.open(&key.certificate, |transport, encrypted, len| {
                Ok(key.signer.decipher(transport, encrypted, len)?)
            })
        };
        match self.signer.is_blocking() {
            true => tokio::task::spawn_blocking(open)
                .await
                .map_err(|_| RaError::Interrupted)?,
            false => open(),
        }
    }

    /// Signs the bytes of a message to be signed.
    pub async fn sign(&self, how: MessageSignature, message: &[u8]) -> Result<Vec<u8>> {
        if !self.signer.is_blocking() {
            return Ok(self.signer.sign_message(how, message)?);
        }
        let (signer, message) = (self.signer.clone(), message.to_vec());
        Ok(
            tokio::task::spawn_blocking(move || signer.sign_message(how, &message))
                .await
                .map_err(|_| CaError::Interrupted("signing of a message"))??,
        )
    }

    /// In the first half of its life, and issued by the generation that issues now.
    fn is_fresh(&self, issuer: &Issuer, now: Timestamp) -> bool {
        let (from, until) = (
            self.certificate.not_before().0,
            self.certificate.not_after().0,
        );
        self.issuer == issuer.name() && now.seconds() < from + (until - from) / 2
    }
}

/// Why an envelope was not opened.
#[derive(Debug, thiserror::Error)]
pub enum RaError {
    /// It is malformed or for somebody else, which anybody can see.
    #[error(transparent)]
    Cms(#[from] CmsError),
    /// The key could not be used.
    #[error(transparent)]
    Key(#[from] keys::KeyError),
    /// The server is stopping.
    #[error("interrupted")]
    Interrupted,
}

impl Ca {
    /// The registration authority of an authority; its key and certificate are made when they are first asked for,
    /// and renewed in good time.
    pub async fn registration_authority(&self, authority: &str, now: Timestamp) -> Result<Arc<Ra>> {
        let issuer = self.issuer(&self.authority(authority)?.issuer)?;
        let services = &self.status_services().registration;
        let known =
            |ra: &Arc<Ra>| ra.is_fresh(&issuer, now) && (now.0 - ra.checked.0).abs() < TRUSTED_MS;
        if let Some(ra) = services.loaded.read().get(authority).filter(|ra| known(ra)) {
            return Ok(Arc::clone(ra));
        }
        let _making = services.making.lock().await;
        if let Some(ra) = services.loaded.read().get(authority).filter(|ra| known(ra)) {
            return Ok(Arc::clone(ra));
        }
        let mut version = 0;
        let mut former = Vec::new();
        if let Some(ra) = self.load_ra(authority, now).await? {
            let revoked = self.is_revoked(&ra.certificate).await?;
            if !revoked && ra.is_fresh(&issuer, now) {
                return Ok(ra);
            }
            version = ra.version;
            former = ra.stored_keys(revoked, Time(now.seconds()));
        }
        match self
            .rotate_ra(authority, &issuer, version, former, now)
            .await
        {
            // Another node was faster; its key is as good.
            Err(CaError::Store(StoreError::Conflict(_))) => {}
            other => other?,
        }
        let made = self.load_ra(authority, now).await?;
        made.ok_or(CaError::Damaged("a registration authority is gone again"))
    }

    /// Renews those that have been asked for before and are past half of their life: a loop of the server calls it, so
    /// that no device waits for it.
    pub async fn renew_registration_authorities(&self, now: Timestamp) -> Result<()> {
        for record in self.store().records(RA_RECORDS).await? {
            match self.registration_authority(&record.id, now).await {
                // An authority that is gone or retired needs none.
                Err(CaError::NotFound { .. } | CaError::Refused(_)) => {}
                other => drop(other?),
            }
        }
        Ok(())
    }

    async fn is_revoked(&self, certificate: &Certificate) -> Result<bool> {
        let found = self.certificate(&certificate.fingerprint()).await?;
        let good = found.is_some_and(|found| found.state == CertificateState::Issued);
        Ok(!good)
    }

    /// Reads what this or another node has stored.
    async fn load_ra(&self, authority: &str, now: Timestamp) -> Result<Option<Arc<Ra>>> {
        let Some(record) = self.store().record(RA_RECORDS, authority).await? else {
            return Ok(None);
        };
        let stored: StoredRa = record.parse()?;
        let mut former = Vec::new();
        for key in stored.former {
            if key.certificate.not_after().0 >= now.seconds() {
                former.push(RaKey {
                    signer: self.signer(&key.key).await?,
                    certificate: key.certificate,
                });
            }
        }
        let ra = Arc::new(Ra {
            authority: authority.to_owned(),
            chain: self.issuer(&stored.issuer)?.chain().to_vec(),
            signer: self.signer(&stored.current.key).await?,
            certificate: stored.current.certificate,
            former,
            issuer: stored.issuer,
            checked: now,
            version: record.version,
        });
        self.status_services()
            .registration
            .loaded
            .write()
            .insert(authority.to_owned(), Arc::clone(&ra));
        Ok(Some(ra))
    }

    async fn rotate_ra(
        &self,
        authority: &str,
        issuer: &Issuer,
        version: u64,
        former: Vec<StoredRaKey>,
        now: Timestamp,
    ) -> Result<()> {
        let own = self
            .issue_to_ward(
                issuer.name(),
                PROFILE,
                KeyAlgorithm::Rsa2048,
                &format!("Registration authority of {authority}"),
                Vec::new(),
                now,
            )
            .await?;
        let event = Event::new(
            now,
            Actor::system("registration-authority"),
            "registration-authority.rotate",
            Object::new("authority", authority),
        )
        .after(json!({
            "serial": hex::encode(own.certificate.serial()),
            "key": own.key,
            "issuer": issuer.name(),
            "not_after": own.certificate.not_after().to_string(),
        }));
        let stored = StoredRa {
            issuer: issuer.name().to_owned(),
            current: StoredRaKey {
                key: own.key,
                certificate: own.certificate,
            },
            former,
        };
        self.store()
            .commit(Write::new(event)?.put_record(RA_RECORDS, authority, version, &stored, now)?)
            .await?;
        tracing::info!(authority, "registration authority renewed");
        Ok(())
    }
}

impl Ra {
    /// Its keys as the next one's former ones. One that was revoked opens nothing any more.
    fn stored_keys(&self, revoked: bool, now: Time) -> Vec<StoredRaKey> {
        let present = (!revoked).then_some((&self.signer, &self.certificate));
        let former = self
            .former
            .iter()
            .map(|key| (&key.signer, &key.certificate));
        present
            .into_iter()
            .chain(former)
            .filter(|(_, certificate)| certificate.not_after() >= now)
            .map(|(signer, certificate)| StoredRaKey {
                key: signer.id().clone(),
                certificate: certificate.clone(),
            })
            .collect()
    }
}
