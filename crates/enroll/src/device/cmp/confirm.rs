//! certConf (RFC 9483 §4.1.1): the device's word on the certificate that it was given. One that is rejected, or not
//! confirmed in time, is revoked.

use std::sync::Arc;

use audit::{Actor, Outcome, Timestamp};
use aws_lc_rs::digest;
use x509::cmp::{Body, CertStatus, FailInfo, Status};
use x509::{AlgorithmIdentifier, Certificate, SignatureAlgorithm, oids};

use super::enrol::{answers, wrong_nonce};
use super::exchange::{Beside, Exchange, repeats};
use super::fault::{Fault, Stop};
use super::transactions::{self, State, Transaction};
use crate::device::{DeviceError, Devices, Endpoint};

/// Answers certConf.
pub(super) async fn confirm(
    exchange: &Exchange<'_>,
    statuses: &[CertStatus],
    stored: Option<Transaction>,
) -> Result<Vec<u8>, Stop> {
    let stored = stored.filter(|stored| stored.sender == exchange.sender.identity());
    let Some(stored) = stored.filter(|stored| stored.state != State::Waiting) else {
        return Err(Fault::bad_request("there is nothing to confirm in this transaction").into());
    };
    let (State::Unconfirmed, Some(sha256)) = (stored.state, stored.certificate) else {
        let text = "the certificate has been confirmed or withdrawn";
        return Err(Fault::new(FailInfo::CERT_CONFIRMED, text).into());
    };
    if !repeats(exchange.header().recip_nonce.as_ref(), &stored.nonce) {
        return Err(wrong_nonce().into());
    }
    let accepted = accepted(exchange, statuses, &stored, &sha256).await?;
    let registration = exchange.devices.registration();
    registration
        .confirm(&exchange.endpoint, &sha256, accepted, exchange.now)
        .await?;
    let answer = exchange.answer(Body::PkiConf, Beside::default()).await?;
    let next = Transaction {
        state: State::Done,
        request_sha256: exchange.sha256,
        answer: answer.der,
        nonce: answer.nonce,
        confirm_by: None,
        ..stored
    };
    let action = match accepted {
        true => "enrolment.cmp.confirm",
        false => "enrolment.cmp.reject",
    };
    let event = next.event(action, exchange.sender.actor(), exchange.now);
    let store = exchange.store();
    if next
        .advance(store, State::Unconfirmed, event, exchange.now)
        .await?
    {
        return Ok(next.answer);
    }
    let settled = next.settled(store, &exchange.sha256).await?;
    settled.ok_or_else(|| Fault::bad_request("the transaction has gone on").into())
}

/// What the device says. No word on any certificate rejects all (RFC 9810 §5.3.18).
async fn accepted(
    exchange: &Exchange<'_>,
    statuses: &[CertStatus],
    stored: &Transaction,
    sha256: &[u8; 32],
) -> Result<bool, Stop> {
    let status = match statuses {
        [] => return Ok(false),
        [status] => status,
        _ => return Err(Fault::bad_request("one certificate was given").into()),
    };
    if !answers(stored, status.cert_req_id) {
        return Err(Fault::bad_request("certReqId is not the one of the request").into());
    }
    let found = exchange.devices.ca().certificate(sha256).await?;
    let Some(found) = found else {
        return Err(Stop::Failed(DeviceError::not_found(
            "certificate",
            &hex::encode(sha256),
        )));
    };
    let certificate = Certificate::from_der(&found.der)?;
    let expected = certificate_hash(&certificate, status.hash_alg.as_ref())?;
    if expected != status.cert_hash {
        let text = "certHash is not of the certificate that was given";
        return Err(Fault::new(FailInfo::BAD_CERT_ID, text).into());
    }
    let word = status.status.as_ref().map(|info| info.status);
    Ok(word.is_none_or(Status::is_granted))
}

/// The hash of the certificate's signature algorithm, SHA-512 for Ed25519 (RFC 9481 §3.3), or the one that is named.
fn certificate_hash(
    certificate: &Certificate,
    named: Option<&AlgorithmIdentifier>,
) -> Result<Vec<u8>, Fault> {
    use SignatureAlgorithm as S;

    let algorithm = match named {
        Some(named) => match named.oid {
            oids::SHA256 => &digest::SHA256,
            oids::SHA384 => &digest::SHA384,
            oids::SHA512 => &digest::SHA512,
            _ => return Err(Fault::new(FailInfo::BAD_ALG, "hashAlg must be SHA-2")),
        },
        None => match S::from_identifier(&certificate.signature_algorithm()) {
            Some(S::RsaSha384 | S::RsaPssSha384 | S::EcdsaSha384) => &digest::SHA384,
            Some(S::RsaSha512 | S::RsaPssSha512 | S::EcdsaSha512 | S::Ed25519) => &digest::SHA512,
            _ => &digest::SHA256,
        },
    };
    let hash = digest::digest(algorithm, certificate.der());
    Ok(hash.as_ref().to_vec())
}

/// Withdraws certificates whose devices said nothing in time. Says how many.
pub(super) async fn withdraw_unconfirmed(
    devices: &Devices,
    now: Timestamp,
) -> Result<u64, DeviceError> {
    let store = devices.ca().store();
    let mut withdrawn = 0;
    for stored in transactions::overdue(store, now).await? {
        let id = hex::encode(&stored.id);
        match withdraw(devices, stored, now).await {
            Ok(true) => withdrawn += 1,
            Ok(false) => {}
            // One that fails must not keep the others waiting.
            Err(error) => tracing::warn!(%error, id, "an unconfirmed certificate stays for now"),
        }
    }
    Ok(withdrawn)
}

async fn withdraw(
    devices: &Devices,
    stored: Transaction,
    now: Timestamp,
) -> Result<bool, DeviceError> {
    if let Some(sha256) = stored.certificate {
        let found = devices.inner.endpoints.find(&stored.endpoint);
        // An endpoint that was removed meanwhile has left its name.
        let endpoint = found.unwrap_or_else(|| {
            Arc::new(Endpoint {
                name: stored.endpoint.clone(),
                ..Endpoint::default()
            })
        });
        devices
            .registration()
            .confirm(&endpoint, &sha256, false, now)
            .await?;
    }
    let next = Transaction {
        state: State::Done,
        confirm_by: None,
        ..stored
    };
    let event = next
        .event("enrolment.cmp.unconfirmed", Actor::system("enroll"), now)
        .outcome(Outcome::Refused)
        .why("the device did not confirm its certificate in time");
    let store = devices.ca().store();
    next.advance(store, State::Unconfirmed, event, now).await
}
