//! Online certificate status (RFC 6960, RFC 5019, RFC 9654; R13).
//!
//! An answer without a nonce is signed once and given out until its half-life or a status change; one with a nonce is
//! signed each time. Answers are signed by a delegated responder of the issuer, whose certificate Ward renews by itself.

mod cache;
mod responder;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use audit::Timestamp;
use bytes::Bytes;
use store::params;
use x509::Time;
use x509::ocsp::{CertId, Request, ResponseData, SingleResponse, SingleStatus};

pub(crate) use cache::AnswerCache;
pub use cache::Prepared;
pub(crate) use responder::{Responder, Responders};

use crate::revocation::{Status, status_of_row};
use crate::{Ca, CaError};

/// OCSPResponse { malformedRequest }: the request is not one (RFC 6960 §2.3).
pub const MALFORMED: &[u8] = &[0x30, 0x03, 0x0a, 0x01, 0x01];
/// OCSPResponse { internalError }.
pub const INTERNAL_ERROR: &[u8] = &[0x30, 0x03, 0x0a, 0x01, 0x02];
/// OCSPResponse { tryLater }.
pub const TRY_LATER: &[u8] = &[0x30, 0x03, 0x0a, 0x01, 0x03];
/// OCSPResponse { unauthorized }: not an issuer of ours (RFC 5019 §2.2.3).
pub const UNAUTHORIZED: &[u8] = &[0x30, 0x03, 0x0a, 0x01, 0x06];

/// Seconds from thisUpdate to nextUpdate. Short, because an answer that a client has stapled or stored stays
/// believable for so long after a revocation.
const LIFETIME: i64 = 3600;

/// An answer to one request.
#[derive(Debug)]
pub enum Answer {
    /// Signed earlier or kept for later: may be cached by HTTP.
    Prepared(Arc<Prepared>),
    /// For this request only.
    Fresh(Bytes),
    /// An error response, unsigned.
    Error(&'static [u8]),
}

impl Answer {
    pub fn der(&self) -> Bytes {
        match self {
            Self::Prepared(prepared) => prepared.der.clone(),
            Self::Fresh(der) => der.clone(),
            Self::Error(der) => Bytes::from_static(der),
        }
    }
}

/// Finds an issuer of ours by the two hashes of a CertID.
#[derive(Default)]
pub(crate) struct IssuerIndex(HashMap<(Vec<u8>, Vec<u8>), Arc<str>>);

impl IssuerIndex {
    pub(crate) fn insert(&mut self, issuer: &Arc<str>, certificate: &x509::Certificate) -> Result<(), CaError> {
        for hash in x509::ocsp::HashAlgorithm::ALL {
            let id = CertId::for_issuer(hash, certificate)?;
            self.0.insert((id.issuer_name_hash, id.issuer_key_hash), Arc::clone(issuer));
        }
        Ok(())
    }

    fn find(&self, id: &CertId) -> Option<Arc<str>> {
        // The clone of two short hashes costs less than the signature that follows by a factor of hundreds.
        self.0.get(&(id.issuer_name_hash.clone(), id.issuer_key_hash.clone())).cloned()
    }
}

impl Ca {
    /// An answer that needs no work. The first thing to try.
    pub fn prepared_ocsp(&self, request: &[u8], now: Timestamp) -> Option<Arc<Prepared>> {
        self.ocsp_cache().find(request, Time(now.seconds()))
    }

    /// Answers a request in DER. Every failure is an OCSP error response; the log has the cause.
    pub async fn ocsp(&self, der: &[u8], now: Timestamp) -> Answer {
        let Ok(request) = Request::parse(der) else { return Answer::Error(MALFORMED) };
        match self.answer(der, &request, now).await {
            Ok(answer) => answer,
            Err(CaError::Store(store::StoreError::Busy | store::StoreError::Unavailable(_))) => Answer::Error(TRY_LATER),
            Err(error) => {
                tracing::error!(%error, "OCSP request failed");
                Answer::Error(INTERNAL_ERROR)
            }
        }
    }

    async fn answer(&self, der: &[u8], request: &Request, now: Timestamp) -> Result<Answer, CaError> {
        let Some(first) = request.cert_ids.first() else { return Ok(Answer::Error(MALFORMED)) };
        let Some(issuer) = self.issuer_index().find(first) else { return Ok(Answer::Error(UNAUTHORIZED)) };
        let Some(responder) = self.responders().find(&issuer) else { return Ok(Answer::Error(UNAUTHORIZED)) };
        let changes = self.ocsp_cache().changes();
        let this_update = Time(now.seconds());
        let next_update = Time((now.seconds() + LIFETIME).min(responder.certificate.not_after().0));
        let mut singles = Vec::with_capacity(request.cert_ids.len());
        for id in &request.cert_ids {
            // One signature speaks for one issuer.
            if self.issuer_index().find(id).as_ref() != Some(&issuer) {
                return Ok(Answer::Error(UNAUTHORIZED));
            }
            let status = self.single_status(&issuer, &id.serial, changes).await?;
            singles.push(SingleResponse { cert_id: id.clone(), status, this_update, next_update: Some(next_update) });
        }
        let known = singles.iter().all(|single| !matches!(single.status, SingleStatus::Unknown));
        let response = sign(&responder, singles, request.nonce.clone(), this_update).await?;
        if request.nonce.is_some() || request.cert_ids.len() != 1 || !known {
            return Ok(Answer::Fresh(response.into()));
        }
        let prepared = Arc::new(Prepared {
            etag: format!("\"{}\"", hex::encode(&audit::sha256(&response)[..16])),
            der: response.into(),
            this_update,
            next_update,
            stale_after: Time(this_update.0 + (next_update.0 - this_update.0) / 2),
            revoked: AtomicBool::new(false),
        });
        self.ocsp_cache().insert(der, (issuer, first.serial.clone()), Arc::clone(&prepared), changes);
        Ok(Answer::Prepared(prepared))
    }

    async fn single_status(&self, issuer: &Arc<str>, serial: &[u8], changes: u64) -> Result<SingleStatus, CaError> {
        let subject = (Arc::clone(issuer), serial.to_vec());
        let status = match self.ocsp_cache().known_status(&subject) {
            Some(status) => Some(status),
            None => self.stored_status(issuer, serial).await?,
        };
        let Some(status) = status else { return Ok(SingleStatus::Unknown) };
        self.ocsp_cache().learn(subject, status, changes);
        Ok(match status {
            Status::Good => SingleStatus::Good,
            Status::Revoked { at, reason, .. } => SingleStatus::Revoked { time: at, reason: Some(reason) },
        })
    }

    /// `None` for a serial number that this issuer has never used.
    async fn stored_status(&self, issuer: &str, serial: &[u8]) -> Result<Option<Status>, CaError> {
        let rows = self
            .store()
            .query(
                "SELECT reason, revoked_at, invalidity_date FROM revocations WHERE issuer = $1 AND serial = $2",
                params![issuer, serial.to_vec()],
            )
            .await?;
        if let Some(row) = rows.first() {
            return Ok(Some(status_of_row(row.int(0)?, row.int(1)?, row.opt_int(2)?)));
        }
        let rows = self
            .store()
            .query("SELECT 1 FROM certificates WHERE issuer = $1 AND serial = $2", params![issuer, serial.to_vec()])
            .await?;
        Ok((!rows.is_empty()).then_some(Status::Good))
    }
}

async fn sign(
    responder: &Arc<Responder>,
    singles: Vec<SingleResponse>,
    nonce: Option<Vec<u8>>,
    produced_at: Time,
) -> Result<Vec<u8>, CaError> {
    let data = ResponseData { responder_key_hash: responder.key_hash, produced_at, responses: singles, nonce };
    let tbs = data.encode();
    let algorithm = responder.signer.algorithm().default_signature();
    let signature = if responder.signer.is_blocking() {
        let (responder, bytes) = (Arc::clone(responder), tbs.clone());
        tokio::task::spawn_blocking(move || responder.signer.sign(algorithm, &bytes))
            .await
            .map_err(|_| CaError::Interrupted("OCSP signing"))??
    } else {
        responder.signer.sign(algorithm, &tbs)?
    };
    Ok(x509::ocsp::assemble(&tbs, algorithm, &signature, std::slice::from_ref(&responder.certificate)))
}
