//! The client's side: whether a response may be believed, and what it says (RFC 6960 §3.2, §4.2.2.2).

use super::{
    BasicResponse, IssuerId, Nonce, ResponderId, Response, ResponseStatus, SingleResponse,
    SingleStatus,
};
use crate::{
    Certificate, Error, Time,
    ext::{ExtKeyUsage, KeyUsage, OcspNoCheck},
    oids,
};

/// How far a responder's clock may be ahead of ours.
const CLOCK_SKEW: i64 = 300;

/// What the client asked.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    pub issuer: &'a Certificate,
    /// INTEGER content octets.
    pub serial: &'a [u8],
    /// The nonce that was sent.
    pub nonce: Option<&'a Nonce>,
}

/// What a response that was verified says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: SingleStatus,
    pub this_update: Time,
    pub next_update: Option<Time>,
    /// The delegated responder, `None` where the issuer itself signed.
    pub delegate: Option<Certificate>,
    /// The delegated responder's certificate carries id-pkix-ocsp-nocheck; where not, its own revocation is open.
    pub delegate_nocheck: bool,
    /// The nonce came back, so the response is not a replay.
    pub nonce_confirmed: bool,
}

/// Why a response must not be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error("the responder answered {}", .0.name())]
    Refused(ResponseStatus),
    #[error(
        "no certificate at hand is the one the response names as its signer (RFC 6960 §4.2.2.2)"
    )]
    UnknownResponder,
    #[error(
        "the responder's certificate was not issued by the certificate's issuer (RFC 6960 §4.2.2.2)"
    )]
    DelegateOfAnother,
    #[error("the responder's certificate lacks the OCSPSigning key purpose (RFC 6960 §4.2.2.2)")]
    DelegateWithoutPurpose,
    #[error("the responder's certificate is not valid at {0}")]
    DelegateExpired(Time),
    #[error("the response does not speak of this certificate")]
    OtherCertificate,
    #[error("the response is from {0}, later than now")]
    FromTheFuture(Time),
    #[error("the response was to be replaced by {0} (RFC 6960 §4.2.2.1)")]
    Stale(Time),
    #[error("the nonce that came back is not the one sent (RFC 9654)")]
    NonceMismatch,
    #[error(transparent)]
    Invalid(#[from] Error),
}

impl Response {
    /// Checks signature, authority, time and nonce, and finds the answer.
    pub fn verify(&self, query: Query<'_>, now: Time) -> Result<Answer, VerifyError> {
        match &self.basic {
            None => Err(VerifyError::Refused(self.status)),
            Some(basic) => basic.verify(query, now),
        }
    }
}

impl BasicResponse {
    /// See [`Response::verify`].
    pub fn verify(&self, query: Query<'_>, now: Time) -> Result<Answer, VerifyError> {
        let issuer_key = query.issuer.public_key()?;
        let issuer_id = IssuerId::new(query.issuer.subject(), &issuer_key);
        let delegate = self.signer(query.issuer, &issuer_id)?;
        let signer_key = match delegate {
            None => issuer_key,
            Some(certificate) => {
                authorised(certificate, query.issuer, now)?;
                certificate.public_key()?
            }
        };
        signer_key.verify_with(&self.algorithm, &self.tbs, &self.signature)?;

        let answer = self.answer(&issuer_id, query.serial)?;
        current(answer, now)?;
        Ok(Answer {
            status: answer.status,
            this_update: answer.this_update,
            next_update: answer.next_update,
            delegate: delegate.cloned(),
            delegate_nocheck: delegate.is_some_and(has_nocheck),
            nonce_confirmed: self.confirms(query.nonce)?,
        })
    }

    /// `None` if the issuer signed, otherwise the enclosed certificate that the response names.
    fn signer(
        &self,
        issuer: &Certificate,
        issuer_id: &IssuerId,
    ) -> Result<Option<&Certificate>, VerifyError> {
        let named = |certificate: &Certificate| match &self.data.responder {
            ResponderId::ByName(name) => name.canonical_eq(certificate.subject()),
            ResponderId::ByKey(hash) => certificate.public_key().is_ok_and(|key| {
                IssuerId::new(certificate.subject(), &key).key_hash_sha1() == hash.as_slice()
            }),
        };
        let issuer_is_named = match &self.data.responder {
            ResponderId::ByName(name) => name.canonical_eq(issuer.subject()),
            ResponderId::ByKey(hash) => issuer_id.key_hash_sha1() == hash.as_slice(),
        };
        if issuer_is_named {
            return Ok(None);
        }
        let delegate = self.certificates.iter().find(|c| named(c));
        delegate.map(Some).ok_or(VerifyError::UnknownResponder)
    }

    fn answer(&self, issuer: &IssuerId, serial: &[u8]) -> Result<&SingleResponse, VerifyError> {
        let mut answers = self.data.responses.iter();
        answers
            .find(|single| single.cert_id.serial() == serial && issuer.matches(&single.cert_id))
            .ok_or(VerifyError::OtherCertificate)
    }

    /// A responder may leave a nonce out (RFC 9654 §2.1), but not return another.
    fn confirms(&self, sent: Option<&Nonce>) -> Result<bool, VerifyError> {
        match (sent, &self.data.nonce) {
            (Some(sent), Some(returned)) if sent.octets() == returned.octets() => Ok(true),
            (Some(_), Some(_)) => Err(VerifyError::NonceMismatch),
            _ => Ok(false),
        }
    }
}

/// RFC 6960 §4.2.2.2: directly issued by the issuer, for the purpose, and in its validity period.
fn authorised(delegate: &Certificate, issuer: &Certificate, now: Time) -> Result<(), VerifyError> {
    let issued = delegate.issuer().canonical_eq(issuer.subject())
        && delegate.verify_signed_by(&issuer.public_key()?).is_ok();
    if !issued {
        return Err(VerifyError::DelegateOfAnother);
    }
    let purposes = delegate.ext::<ExtKeyUsage>()?.unwrap_or_default();
    let may_sign = delegate
        .ext::<KeyUsage>()?
        .is_none_or(|usage| usage.contains(KeyUsage::DIGITAL_SIGNATURE));
    if !may_sign || !purposes.0.contains(&oids::EKU_OCSP_SIGNING) {
        return Err(VerifyError::DelegateWithoutPurpose);
    }
    if now < delegate.not_before() || now > delegate.not_after() {
        return Err(VerifyError::DelegateExpired(now));
    }
    Ok(())
}

fn current(answer: &SingleResponse, now: Time) -> Result<(), VerifyError> {
    if answer.this_update > now.plus_seconds(CLOCK_SKEW) {
        return Err(VerifyError::FromTheFuture(answer.this_update));
    }
    match answer.next_update {
        Some(next) if next.plus_seconds(CLOCK_SKEW) < now => Err(VerifyError::Stale(next)),
        _ => Ok(()),
    }
}

fn has_nocheck(delegate: &Certificate) -> bool {
    matches!(delegate.ext::<OcspNoCheck>(), Ok(Some(_)))
}
