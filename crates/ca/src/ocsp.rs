//! Online certificate status (RFC 6960, RFC 5019, RFC 9654; R13).
//!
//! An answer without a nonce is signed once and given out until its half-life or a status change; one with a nonce is
//! signed each time. Answers are signed by a delegated responder of the issuer, whose certificate Ward renews by itself.

mod cache;
mod responder;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use audit::Timestamp;
use bytes::Bytes;
use store::params;
use x509::Time;
use x509::crl::Reason;
use x509::ocsp::{Nonce, Request, ResponderId, ResponseData, SingleResponse, SingleStatus, errors};

pub(crate) use cache::AnswerCache;
pub use cache::Prepared;
pub(crate) use responder::{Responder, Responders};

use crate::revocation::Status;
use crate::{Ca, CaError};

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

impl Ca {
    /// An answer that needs no work. The first thing to try.
    pub fn prepared_ocsp(&self, request: &[u8], now: Timestamp) -> Option<Arc<Prepared>> {
        self.status_services()
            .answers
            .find(request, Time(now.seconds()))
    }

    /// Answers a request in DER. Every failure is an OCSP error response; the log has the cause.
    pub async fn ocsp(&self, der: &[u8], now: Timestamp) -> Answer {
        let Ok(request) = Request::parse(der) else {
            return Answer::Error(&errors::MALFORMED_REQUEST);
        };
        match self.answer(der, &request, now).await {
            Ok(answer) => answer,
            Err(CaError::Store(store::StoreError::Busy(_) | store::StoreError::Unavailable(_))) => {
                Answer::Error(&errors::TRY_LATER)
            }
            Err(error) => {
                tracing::error!(%error, "OCSP request failed");
                Answer::Error(&errors::INTERNAL_ERROR)
            }
        }
    }

    async fn answer(
        &self,
        der: &[u8],
        request: &Request,
        now: Timestamp,
    ) -> Result<Answer, CaError> {
        let Some(first) = request.cert_ids.first() else {
            return Ok(Answer::Error(&errors::MALFORMED_REQUEST));
        };
        let Some(responder) = self.status_services().responders.for_certificate(first) else {
            return Ok(Answer::Error(match self.will_answer_for(first) {
                true => &errors::TRY_LATER,
                // Not an issuer of ours (RFC 5019 §2.2.3).
                false => &errors::UNAUTHORIZED,
            }));
        };
        let issuer = &responder.issuer;
        let changes = self.status_services().answers.changes();
        let this_update = Time(now.seconds());
        let next_update = Time((now.seconds() + LIFETIME).min(responder.certificate.not_after().0));
        let mut singles = Vec::with_capacity(request.cert_ids.len());
        for id in &request.cert_ids {
            // One signature speaks for one issuer.
            if !responder.issuer_id.matches(id) {
                return Ok(Answer::Error(&errors::UNAUTHORIZED));
            }
            let status = self.single_status(issuer, id.serial(), changes).await?;
            singles.push(SingleResponse {
                cert_id: id.clone(),
                status,
                this_update,
                next_update: Some(next_update),
                archive_cutoff: None,
            });
        }
        let known = singles
            .iter()
            .all(|single| !matches!(single.status, SingleStatus::Unknown));
        let response = sign(&responder, singles, request.nonce.clone(), this_update).await?;
        if request.nonce.is_some() || request.cert_ids.len() != 1 || !known {
            return Ok(Answer::Fresh(response.into()));
        }
        let prepared = Arc::new(Prepared {
            etag: format!(
                "\"{}\"",
                hex::encode(&audit::merkle::sha256(&response)[..16])
            ),
            der: response.into(),
            this_update,
            next_update,
            stale_after: Time(this_update.0 + (next_update.0 - this_update.0) / 2),
            revoked: AtomicBool::new(false),
        });
        self.status_services().answers.insert(
            der,
            (Arc::clone(issuer), first.serial().to_vec()),
            Arc::clone(&prepared),
            changes,
        );
        Ok(Answer::Prepared(prepared))
    }

    async fn single_status(
        &self,
        issuer: &Arc<str>,
        serial: &[u8],
        changes: u64,
    ) -> Result<SingleStatus, CaError> {
        let subject = (Arc::clone(issuer), serial.to_vec());
        let status = match self.status_services().answers.known_status(&subject) {
            Some(status) => Some(status),
            None => self.stored_status(issuer, serial).await?,
        };
        let Some(status) = status else {
            return Ok(SingleStatus::Unknown);
        };
        self.status_services()
            .answers
            .learn(subject, status, changes);
        Ok(match status {
            Status::Good => SingleStatus::Good,
            Status::Revoked { at, reason, .. } => SingleStatus::Revoked {
                time: at,
                reason: (reason != Reason::Unspecified).then_some(reason),
            },
        })
    }

    /// `None` for a serial number that this issuer has never used.
    async fn stored_status(&self, issuer: &str, serial: &[u8]) -> Result<Option<Status>, CaError> {
        if let Some((status, _)) = self.revocation_row(issuer, serial).await? {
            return Ok(Some(status));
        }
        let rows = self
            .store()
            .query(
                "SELECT 1 FROM certificates WHERE issuer = $1 AND serial = $2",
                params![issuer, serial.to_vec()],
            )
            .await?;
        Ok((!rows.is_empty()).then_some(Status::Good))
    }
}

async fn sign(
    responder: &Arc<Responder>,
    singles: Vec<SingleResponse>,
    nonce: Option<Nonce>,
    produced_at: Time,
) -> Result<Vec<u8>, CaError> {
    let data = ResponseData {
        responder: ResponderId::ByKey(responder.key_hash.clone()),
        produced_at,
        responses: singles,
        nonce,
    };
    let tbs = data.encode();
    let algorithm = responder.signature;
    let signature = if responder.signer.is_blocking() {
        let (responder, bytes) = (Arc::clone(responder), tbs.clone());
        tokio::task::spawn_blocking(move || responder.signer.sign(algorithm, &bytes))
            .await
            .map_err(|_| CaError::Interrupted("OCSP signing"))??
    } else {
        responder.signer.sign(algorithm, &tbs)?
    };
    Ok(x509::ocsp::assemble_response(
        &tbs,
        algorithm,
        &signature,
        std::slice::from_ref(&responder.certificate),
    ))
}
