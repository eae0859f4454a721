//! rr (RFC 9483 §4.2): a device gives up a certificate of its own.

use x509::cmp::{Body, FailInfo, RevDetails, RevReply, Status, StatusInfo};
use x509::crl::Reason;
use x509::crmf::CertId;
use x509::ext::{CrlReason, ExtensionValue};
use x509::{GeneralName, Name};

use super::exchange::{Beside, Exchange};
use super::fault::{Fault, Stop};
use super::sender::Sender;

/// Answers rr.
pub(super) async fn revoke(
    exchange: &Exchange<'_>,
    details: &[RevDetails],
) -> Result<Vec<u8>, Stop> {
    let [details] = details else {
        return Err(Fault::bad_request("one certificate in a message (RFC 9483 §4.2)").into());
    };
    let Sender::Signer { chain } = &exchange.sender else {
        let text = "a revocation is signed with a certificate of the device";
        return Err(Fault::new(FailInfo::WRONG_INTEGRITY, text).into());
    };
    let template = &details.template;
    let (Some(issuer), Some(serial)) = (&template.issuer, &template.serial) else {
        let text = "issuer and serialNumber name the certificate";
        return Err(Fault::new(FailInfo::BAD_CERT_TEMPLATE, text).into());
    };
    let status = match reason(details) {
        Err(fault) => fault.status(),
        Ok(reason) => decide(exchange, chain, issuer, serial, reason).await?,
    };
    let reply = RevReply {
        statuses: vec![status],
        certificates: vec![CertId {
            issuer: GeneralName::DirName(issuer.clone()),
            serial: serial.clone(),
        }],
    };
    Ok(exchange
        .answer(Body::Rp(reply), Beside::default())
        .await?
        .der)
}

async fn decide(
    exchange: &Exchange<'_>,
    chain: &[x509::Certificate],
    issuer: &Name,
    serial: &[u8],
    reason: Reason,
) -> Result<StatusInfo, Stop> {
    let registration = exchange.devices.registration();
    let (endpoint, now) = (&exchange.endpoint, exchange.now);
    let holder = match registration.holder(endpoint, chain, now).await? {
        Ok(holder) => holder,
        Err(refusal) => return Ok(Fault::refused(&refusal).status()),
    };
    let id = exchange.request.request_id;
    let revoked = registration
        .revoke(&holder, issuer, serial, reason, id, now)
        .await?;
    Ok(match revoked {
        Ok(()) => StatusInfo::of(Status::Accepted),
        Err(refusal) => Fault::refused(&refusal).status(),
    })
}

/// A device cannot suspend itself, nor come back from being revoked.
fn reason(details: &RevDetails) -> Result<Reason, Fault> {
    let found = details.extensions.iter().find(|e| e.oid == CrlReason::OID);
    let Some(extension) = found else {
        return Ok(Reason::Unspecified);
    };
    let code = CrlReason::parse(&extension.value)
        .map_err(|e| Fault::new(FailInfo::BAD_DATA_FORMAT, e.to_string()))?;
    let reason = Reason::all().find(|reason| reason.code() == code.0);
    match reason {
        None | Some(Reason::CertificateHold | Reason::RemoveFromCrl) => Err(Fault::bad_request(
            "this reason is not for devices to give; a certificate is revoked for good",
        )),
        Some(reason) => Ok(reason),
    }
}
