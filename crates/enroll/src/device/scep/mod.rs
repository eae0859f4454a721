//! SCEP (RFC 8894): what routers, printers, phones and most medical devices speak.
//!
//! `query` reads the four operations out of what clients send; `authority` answers the three that only tell;
//! `message` verifies a pkiMessage, `envelope` opens it, `request` and `lookup` act on it and `reply` answers. Who may have
//! a certificate is decided where EST and CMP have it decided too, in `registration`.
//!
//! What cannot be answered in SCEP is answered in HTTP: 400 if it is the client's fault, 503 if it is ours.

mod attributes;
mod authority;
mod envelope;
pub(super) mod exercise;
mod lookup;
mod message;
mod query;
mod reply;
mod request;

use std::sync::Arc;

use audit::Timestamp;
use ca::{Ra, RaKey};
use http::Method;
use http::header::{ALLOW, HeaderValue};
use x509::cms::DigestAlgorithm;

use super::{Devices, Endpoint, Reply, Request};
use crate::random::NoRandom;
use attributes::{FailInfo, MessageType};
use message::{Message, Unread};
use query::{BadQuery, Operation};
use reply::Answer;

const PKI_MESSAGE: &str = "application/x-pki-message";

/// A failure of ours: the client is told to come again.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Device(#[from] super::DeviceError),
    #[error(transparent)]
    Ca(#[from] ca::CaError),
    #[error(transparent)]
    Key(#[from] keys::KeyError),
    #[error(transparent)]
    Cms(#[from] x509::cms::CmsError),
    #[error(transparent)]
    Store(#[from] store::StoreError),
    #[error(transparent)]
    Audit(#[from] audit::Error),
    #[error(transparent)]
    Ra(#[from] ca::RaError),
    #[error("this key makes no such signature")]
    NoSignature,
    #[error(transparent)]
    Random(#[from] NoRandom),
    #[error("the work was given up")]
    Interrupted,
}

/// What every operation is done with.
struct Context<'a> {
    devices: &'a Devices,
    endpoint: Arc<Endpoint>,
    request: &'a Request<'a>,
    now: Timestamp,
}

/// Answers a request to `endpoint`. `rest` is what follows the endpoint's name in the path, without a slash before it:
/// nothing, or `pkiclient.exe` as Cisco's clients add it.
pub(super) async fn handle(
    devices: &Devices,
    endpoint: Arc<Endpoint>,
    rest: &str,
    request: &Request<'_>,
    now: Timestamp,
) -> Reply {
    let rest = rest.trim_end_matches('/');
    if !rest.is_empty() && !rest.eq_ignore_ascii_case("pkiclient.exe") {
        return Reply::empty(404);
    }
    let context = Context {
        devices,
        endpoint,
        request,
        now,
    };
    let operation = match query::operation(request.query) {
        Ok(operation) => operation,
        Err(bad) => return bad_request(bad),
    };
    metrics::counter!("ward_scep_requests_total", "endpoint" => context.endpoint.name.clone(),
        "operation" => operation.name())
    .increment(1);
    if let Some(refused) = wrong_method(operation, &request.method) {
        return refused;
    }
    let answered = match operation {
        Operation::GetCaCaps => authority::capabilities(&context).await,
        Operation::GetCaCert => authority::certificates(&context).await,
        Operation::GetNextCaCert => authority::next(&context).await,
        Operation::PkiMessage => pki_operation(&context).await,
    };
    answered.unwrap_or_else(|fault| {
        tracing::error!(endpoint = context.endpoint.name, request_id = request.request_id, %fault,
            "SCEP cannot be answered now");
        Reply::typed(503, "text/plain", "try again later\n").retry_after(30)
    })
}

/// GET for everything, POST for messages (RFC 8894 §4.1); a POST of another operation is taken for a GET.
fn wrong_method(operation: Operation, method: &Method) -> Option<Reply> {
    let right = match operation {
        Operation::PkiMessage => *method == Method::GET || *method == Method::POST,
        _ => [Method::GET, Method::HEAD, Method::POST].contains(method),
    };
    (!right).then(|| Reply::empty(405).header(ALLOW, HeaderValue::from_static("GET, POST")))
}

fn bad_request(bad: BadQuery) -> Reply {
    let status = if bad == BadQuery::TooLarge { 413 } else { 400 };
    Reply::typed(status, "text/plain", format!("{bad}\n"))
}

/// PKIOperation (RFC 8894 §4.3): a pkiMessage in, a CertRep out.
async fn pki_operation(context: &Context<'_>) -> Result<Reply, Fault> {
    let bytes = match query::message(context.request.query, &context.request.body) {
        Ok(bytes) => bytes,
        Err(bad) => return Ok(bad_request(bad)),
    };
    let ra = authority::registration_authority(context).await?;
    let message = match message::read(&bytes, context.endpoint.scep.legacy) {
        Ok(message) => message,
        Err(Unread::Unreadable(why)) => {
            let text = format!("this is no SCEP message: {why}\n");
            return Ok(Reply::typed(400, "text/plain", text));
        }
        Err(Unread::Failed(failed)) => {
            note(
                context,
                None,
                &failed.header.transaction,
                failed.info,
                &failed.text,
            );
            let answer = Answer::Failure(failed.info, Some(failed.text.to_string()));
            // Not in a digest that this endpoint does not accept.
            let digest = match failed.header.digest {
                digest if digest.is_legacy() && !context.endpoint.scep.legacy => {
                    DigestAlgorithm::Sha256
                }
                digest => digest,
            };
            let body = reply::cert_rep(&present(&ra), &failed.header, answer, None, digest).await?;
            return Ok(Reply::typed(200, PKI_MESSAGE, body));
        }
    };
    let answer = match act(context, &ra, &message).await? {
        Ok(answer) => answer,
        Err(later) => return Ok(later),
    };
    if let Answer::Failure(info, _) = &answer {
        let transaction = &message.header.transaction;
        note(context, Some(message.kind), transaction, *info, "refused");
    }
    let to = Some((&message.signer, message.envelope.cipher));
    let digest = message.header.digest;
    // With the key that the request was sealed for: a device that knows only an earlier one verifies nothing else.
    let key = ra.key_for(&message.envelope);
    let key = key.unwrap_or_else(|_| present(&ra));
    let body = reply::cert_rep(&key, &message.header, answer, to, digest).await?;
    Ok(Reply::typed(200, PKI_MESSAGE, body))
}

/// The registration authority as it is now.
fn present(ra: &Ra) -> RaKey {
    RaKey {
        certificate: ra.certificate.clone(),
        signer: ra.signer.clone(),
    }
}

/// `Err` is an answer in HTTP: not now.
async fn act(
    context: &Context<'_>,
    ra: &Arc<Ra>,
    message: &Message,
) -> Result<Result<Answer, Reply>, Fault> {
    let nonsense = Answer::bare(FailInfo::BadMessageCheck);
    let Ok(plain) = envelope::open(ra, &message.envelope).await? else {
        return Ok(Ok(nonsense));
    };
    match message.kind {
        MessageType::PkcsReq | MessageType::RenewalReq | MessageType::UpdateReq => {
            request::enrol(context, message, &plain).await
        }
        MessageType::CertPoll => request::poll(context, message, &plain).await,
        MessageType::GetCert => lookup::certificate(context, message, &plain).await.map(Ok),
        MessageType::GetCrl => lookup::list(context, &plain).await.map(Ok),
    }
}

/// A failure, for whoever looks after the devices. What matters for the record is in the log of events already.
fn note(
    context: &Context<'_>,
    kind: Option<MessageType>,
    transaction: &str,
    info: FailInfo,
    why: &str,
) {
    let endpoint = context.endpoint.name.clone();
    tracing::info!(endpoint, kind = kind.map(MessageType::name), transaction, peer = %context.request.peer,
        info = info.name(), why, "SCEP request failed");
    metrics::counter!("ward_scep_failures_total", "endpoint" => endpoint, "info" => info.name())
        .increment(1);
}
