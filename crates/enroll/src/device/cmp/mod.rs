//! CMP (RFC 9810) in the lightweight profile (RFC 9483), over HTTP (RFC 9811).
//!
//! A message is read (`incoming`), its protection tells who sent it (`sender`), one file for each kind of message acts,
//! and the answer is protected as the request was (`exchange`). What outlasts a message is in `transactions`. Every
//! certificate comes from the registration; nothing here decides who may have one.

mod confirm;
mod enrol;
mod exchange;
mod fault;
mod incoming;
mod inform;
mod revoke;
mod sender;
mod transactions;

use std::sync::Arc;

use audit::Timestamp;
use http::header::{CONNECTION, HeaderValue};
use x509::Time;
use x509::cmp::{Body, FailInfo, Header, Message, Status};

use self::exchange::{Beside, Exchange, unprotected};
use self::fault::{Fault, Stop};
use self::sender::{Sender, sha256};
use self::transactions::{Kind, Transaction};
use super::{DeviceError, Devices, Endpoint, Reply, Request};

/// Answers a request to `endpoint`. `rest` is what follows the endpoint's name in the path, without a slash before it.
/// What is no CMP gets an HTTP error, everything else a message of CMP with status 200 (RFC 9811 §3.1).
pub(super) async fn handle(
    devices: &Devices,
    endpoint: Arc<Endpoint>,
    rest: &str,
    request: &Request<'_>,
    now: Timestamp,
) -> Reply {
    let Some(operation) = incoming::operation(rest) else {
        return Reply::empty(404);
    };
    if let Err(reply) = incoming::over_http(request) {
        return reply;
    }
    let message = match Message::from_der(&request.body) {
        Ok(message) => message,
        Err(unreadable) => {
            let fault = Fault::new(FailInfo::BAD_DATA_FORMAT, "the message cannot be read");
            tracing::debug!(error = %unreadable.error, "a CMP message cannot be read");
            let status = if unreadable.header.is_some() {
                200
            } else {
                400
            };
            return outspoken(&endpoint, unreadable.header.as_deref(), &fault, status, now);
        }
    };
    let checked = incoming::fits(&message.body, operation).and_then(|()| {
        let time = Time(now.seconds());
        incoming::check(&message.header, &message.body, &endpoint.cmp, time)
    });
    if let Err(fault) = checked {
        return outspoken(&endpoint, Some(&message.header), &fault, 200, now);
    }
    let header = message.header.clone();
    match begin(devices, Arc::clone(&endpoint), request, message, now).await {
        Ok(der) => answered(der),
        Err(stop) => {
            let fault = said(&stop);
            outspoken(&endpoint, Some(&header), &fault, 200, now)
        }
    }
}

/// An answer over HTTP. Where it asks the client to wait, the connection ends: it would be closed for idleness before the
/// client comes back, and OpenSSL's fails on a connection that it believes to be open.
fn answered(der: Vec<u8>) -> Reply {
    let waits = match Message::from_der(&der).map(|answer| answer.body) {
        Ok(Body::PollRep(_)) => true,
        Ok(Body::Ip(reply) | Body::Cp(reply) | Body::Kup(reply)) => {
            let status = reply
                .responses
                .first()
                .map(|response| response.status.status);
            status == Some(Status::Waiting)
        }
        _ => false,
    };
    let reply = Reply::typed(200, incoming::MEDIA_TYPE, der);
    match waits {
        true => reply.header(CONNECTION, HeaderValue::from_static("close")),
        false => reply,
    }
}

/// Finds the transaction and the sender. Whatever fails here is answered without protection.
async fn begin(
    devices: &Devices,
    endpoint: Arc<Endpoint>,
    request: &Request<'_>,
    message: Message,
    now: Timestamp,
) -> Result<Vec<u8>, Stop> {
    let sha256 = sha256(&request.body);
    let id = message.header.transaction_id.as_deref().unwrap_or_default();
    let stored = transactions::find(devices.ca().store(), &endpoint.name, id).await?;
    if let Some(stored) = &stored
        && stored.request_sha256 == sha256
    {
        // The answer was lost, or somebody has listened: both get what was sent before, and nothing happens.
        return Ok(stored.answer.clone());
    }
    let known = stored.as_ref().and_then(|stored| stored.signer.as_ref());
    let sender = Sender::of(devices, &endpoint, &message, known, request, now).await?;
    let open = matches!(message.body, Body::Genm(_)) && endpoint.cmp.open_information;
    if matches!(sender, Sender::Nobody) && !open {
        let text = "messages must be protected (RFC 9483 §3.2)";
        return Err(Fault::new(FailInfo::BAD_MESSAGE_CHECK, text).into());
    }
    let exchange = Exchange {
        devices,
        endpoint,
        request,
        now,
        message,
        sha256,
        sender,
    };
    match act(&exchange, stored).await {
        Ok(der) => Ok(der),
        Err(stop) => {
            let fault = said(&stop);
            count(&exchange.endpoint, &fault);
            Ok(exchange.answer(fault.body(), Beside::default()).await?.der)
        }
    }
}

async fn act(exchange: &Exchange<'_>, stored: Option<Transaction>) -> Result<Vec<u8>, Stop> {
    let begins = !matches!(
        exchange.message.body,
        Body::CertConf(_) | Body::PollReq(_) | Body::Error(_)
    );
    if begins && stored.is_some() {
        return Err(enrol::in_use().into());
    }
    match &exchange.message.body {
        Body::Ir(requests) => enrol::crmf(exchange, Kind::Ir, requests).await,
        Body::Cr(requests) => enrol::crmf(exchange, Kind::Cr, requests).await,
        Body::Kur(requests) => enrol::crmf(exchange, Kind::Kur, requests).await,
        Body::P10cr(der) => enrol::pkcs10(exchange, der).await,
        Body::PollReq(ids) => enrol::poll(exchange, ids, stored).await,
        Body::CertConf(statuses) => confirm::confirm(exchange, statuses, stored).await,
        Body::Rr(details) => revoke::revoke(exchange, details).await,
        Body::Genm(questions) => inform::inform(exchange, questions).await,
        // The client gives up. What it has not confirmed is withdrawn in time (RFC 9483 §3.6.4).
        Body::Error(_) => {
            let answer = exchange.answer(Body::PkiConf, Beside::default());
            Ok(answer.await?.der)
        }
        Body::Nested => Err(Fault::bad_request(
            "messages inside a message are for registration authorities, of which none is trusted here",
        )
        .into()),
        body => {
            let text = format!("{} is not answered here", body.name());
            Err(Fault::bad_request(text).into())
        }
    }
}

/// Withdraws what was not confirmed in time, and forgets transactions that nobody can come back to.
pub(super) async fn prune(devices: &Devices, now: Timestamp) -> Result<u64, DeviceError> {
    confirm::withdraw_unconfirmed(devices, now).await?;
    transactions::prune(devices.ca().store(), now).await
}

/// What the client hears; what only we should know goes to the operational log.
fn said(stop: &Stop) -> Fault {
    match stop {
        Stop::Fault(fault) => fault.clone(),
        Stop::Failed(error) => {
            tracing::warn!(%error, "a CMP message cannot be answered");
            Fault::failure(error)
        }
    }
}

/// An error without protection.
fn outspoken(
    endpoint: &Endpoint,
    header: Option<&Header>,
    fault: &Fault,
    status: u16,
    now: Timestamp,
) -> Reply {
    count(endpoint, fault);
    let der = unprotected(header, fault.body(), now);
    Reply::typed(status, incoming::MEDIA_TYPE, der)
}

fn count(endpoint: &Endpoint, fault: &Fault) {
    let reason = fault.fail.names().first().copied().unwrap_or("none");
    metrics::counter!("ward_cmp_errors_total", "endpoint" => endpoint.name.clone(), "reason" => reason)
        .increment(1);
}
