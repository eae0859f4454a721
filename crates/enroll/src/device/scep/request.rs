//! A device asks for a certificate, for another one, or what became of its request (RFC 8894 §3.3.1, §3.3.2, §3.3.3).

use access::{Evidence, Refusal};
use audit::{Actor, Event, Object};
use serde_json::json;
use store::Write;
use x509::der::Reader;
use x509::ext::SubjectAltName;
use x509::{Certificate, CertificationRequest, pkcs7};
use zeroize::Zeroizing;

use super::attributes::{FailInfo, MessageType};
use super::message::Message;
use super::reply::Answer;
use super::{Context, Fault};
use crate::device::registration::{Asked, Claim, Decision, KeyAndNames, Proof, Transaction};
use crate::device::{Protocol, Reply};

/// Whose certificate signed the message.
enum Signer {
    /// Nobody's: made by the device for this message.
    Own,
    /// One of our issuers says that it signed it. Whether it did, and whether it still counts, is for `registration`.
    Ours,
    Foreign,
}

/// PKCSReq, RenewalReq, UpdateReq. `plain` is what the envelope held, if that is what the sender meant.
pub(super) async fn enrol(
    context: &Context<'_>,
    message: &Message,
    plain: &[u8],
) -> Result<Result<Answer, Reply>, Fault> {
    let legacy = context.endpoint.scep.legacy;
    // Not one of these failures is told apart: until the request's own signature has been verified, its bytes may be
    // somebody else's, bent in transit, and any difference would tell about them.
    let read = CertificationRequest::from_der(plain);
    let proven = read.and_then(|csr| match csr.verify_proof_of_possession() {
        Ok(()) => Ok((csr, false)),
        Err(error) if legacy => match csr.verify_proof_of_possession_legacy() {
            Ok(()) => Ok((csr, true)),
            Err(_) => Err(error),
        },
        Err(error) => Err(error),
    });
    let (csr, weakly) = match proven {
        Ok(proven) => proven,
        Err(error) => {
            tracing::debug!(endpoint = context.endpoint.name, %error, "no request in the envelope");
            return Ok(Ok(Answer::bare(FailInfo::BadMessageCheck)));
        }
    };
    let mut used = message.legacy.clone();
    if weakly {
        used.push("a request signed with SHA-1 or MD5");
    }
    record_legacy(context, message, &used).await?;
    let claim = claim(context, message, csr, weakly, &used).await?;
    let decision = context.devices.registration().enrol(claim, context.now);
    answer(decision.await?)
}

/// Each use of what only the legacy policy admits is an event.
async fn record_legacy(
    context: &Context<'_>,
    message: &Message,
    used: &[&'static str],
) -> Result<(), Fault> {
    if used.is_empty() {
        return Ok(());
    }
    let object = Object::new("enrolment-endpoint", context.endpoint.name.as_str());
    let event = Event::new(
        context.now,
        Actor::system("enroll"),
        "enrolment.legacy",
        object,
    )
    .request_id(context.request.request_id)
    .after(json!({
        "protocol": "scep", "message": message.kind.name(), "used": used,
        "transaction": message.header.transaction, "subject": message.signer.subject().to_string(),
        "peer": context.request.peer.to_string(),
    }));
    context
        .devices
        .ca()
        .store()
        .commit(Write::new(event)?)
        .await?;
    Ok(())
}

async fn claim(
    context: &Context<'_>,
    message: &Message,
    csr: CertificationRequest,
    weakly: bool,
    used: &[&'static str],
) -> Result<Claim, Fault> {
    let challenge = csr.challenge_password().map(str::trim);
    let challenge = challenge
        .filter(|challenge| !challenge.is_empty())
        .map(|challenge| Zeroizing::new(challenge.to_owned()));
    let (asked, proof) = proof(context, message, challenge).await?;
    let evidence = std::iter::once(Evidence {
        kind: "scep-message".to_owned(),
        text: format!(
            "{}, transaction {}",
            message.kind.name(),
            message.header.transaction
        ),
        sha256: None,
    });
    let legacy = used.iter().map(|used| Evidence {
        kind: "scep-legacy".to_owned(),
        text: (*used).to_owned(),
        sha256: None,
    });
    Ok(Claim {
        endpoint: context.endpoint.clone(),
        protocol: Protocol::Scep,
        asked,
        key_and_names: key_and_names(csr, weakly),
        proof,
        transaction: Transaction::Id(message.header.transaction.clone().into_bytes()),
        profile: None,
        peer: context.request.peer,
        request_id: context.request.request_id.to_owned(),
        evidence: evidence
            .chain(legacy)
            .chain(context.request.arrival())
            .collect(),
    })
}

/// The CA verifies a request's signature itself, and believes no SHA-1. What was signed so, and admitted here, goes on
/// without its signature.
fn key_and_names(csr: CertificationRequest, weakly: bool) -> KeyAndNames {
    if !weakly {
        return KeyAndNames::Csr(Box::new(csr));
    }
    let names = csr.ext::<SubjectAltName>().ok().flatten();
    KeyAndNames::Template {
        key: Box::new(csr.public_key().clone()),
        subject: Some(csr.subject().clone()),
        names: names.map(|names| names.0).unwrap_or_default(),
    }
}

/// What is asked for, and what proves that it may be.
///
/// - RenewalReq is signed with the certificate that is renewed, and a challengePassword in it counts for nothing.
/// - PKCSReq signed with a certificate of ours is a renewal too, as older clients do it. If that certificate counts no more
///   (a device out of storage), a challengePassword makes it an enrolment.
/// - PKCSReq signed with a foreign certificate (the manufacturer's) and no challengePassword is proved by that.
async fn proof(
    context: &Context<'_>,
    message: &Message,
    challenge: Option<Zeroizing<String>>,
) -> Result<(Asked, Proof), Fault> {
    let chain = || {
        let mut chain = vec![message.signer.clone()];
        chain.extend(message.others.iter().cloned());
        chain
    };
    let certified = || Proof::Certificate(chain());
    if message.kind == MessageType::RenewalReq {
        return Ok((Asked::Renew, certified()));
    }
    Ok(match (signer(context, &message.signer), challenge) {
        (Signer::Own, Some(challenge)) => (Asked::Enrol, Proof::Password(challenge)),
        (Signer::Own, None) => (Asked::Enrol, Proof::Nothing),
        (Signer::Foreign, Some(challenge)) => (Asked::Enrol, Proof::Password(challenge)),
        (Signer::Foreign, None) => (Asked::Enrol, certified()),
        (Signer::Ours, None) => (Asked::Renew, certified()),
        (Signer::Ours, Some(challenge)) => {
            let registration = context.devices.registration();
            let chain = chain();
            let holder = registration.holder(&context.endpoint, &chain, context.now);
            match holder.await? {
                Ok(_) => (Asked::Renew, certified()),
                Err(_) => (Asked::Enrol, Proof::Password(challenge)),
            }
        }
    })
}

fn signer(context: &Context<'_>, certificate: &Certificate) -> Signer {
    let issuers = context.devices.ca().issuers();
    let named = |issuer: &std::sync::Arc<ca::Issuer>| {
        issuer
            .certificate()
            .subject()
            .canonical_eq(certificate.issuer())
    };
    if issuers.iter().any(named) {
        Signer::Ours
    } else if certificate.is_self_issued() {
        Signer::Own
    } else {
        Signer::Foreign
    }
}

/// CertPoll (RFC 8894 §3.3.3): `plain` is IssuerAndSubject. The transaction says which request is meant; the names in it do
/// not matter, since the certificate's come from the register.
pub(super) async fn poll(
    context: &Context<'_>,
    message: &Message,
    plain: &[u8],
) -> Result<Result<Answer, Reply>, Fault> {
    if !is_issuer_and_subject(plain) {
        return Ok(Ok(Answer::bare(FailInfo::BadMessageCheck)));
    }
    let registration = context.devices.registration();
    // Who waits for a first certificate polls with the key that it asked for; who renews, with the certificate that it
    // still has.
    let holder = match signer(context, &message.signer) {
        Signer::Own | Signer::Foreign => None,
        Signer::Ours => {
            let chain = [message.signer.clone()];
            let holder = registration.holder(&context.endpoint, &chain, context.now);
            match holder.await? {
                Ok(holder) => Some(holder),
                Err(_) => return Ok(Ok(Answer::bare(FailInfo::BadRequest))),
            }
        }
    };
    let transaction = Transaction::Id(message.header.transaction.clone().into_bytes());
    let key = holder.is_none().then_some(&message.signer_key);
    let polled = registration
        .poll(
            &context.endpoint,
            Protocol::Scep,
            &transaction,
            key,
            context.now,
        )
        .await?;
    if let (Decision::Issued(issued), Some(holder)) = (&polled, &holder) {
        let subject = Certificate::from_der(&issued.der).map(|issued| issued.subject().clone());
        let same = subject.is_ok_and(|subject| subject.canonical_eq(holder.certificate.subject()));
        if !same {
            return Ok(Ok(Answer::bare(FailInfo::BadCertId)));
        }
    }
    answer(polled)
}

fn is_issuer_and_subject(plain: &[u8]) -> bool {
    let mut reader = Reader::new(plain).tolerant();
    let Ok(mut pair) = reader.sequence() else {
        return false;
    };
    pair.sequence().is_ok() && pair.sequence().is_ok() && pair.is_empty() && reader.is_empty()
}

/// Beyond the limit of wrong credentials nothing is looked at any more: "later", in HTTP.
fn answer(decision: Decision) -> Result<Result<Answer, Reply>, Fault> {
    if matches!(&decision, Decision::Refused(refusal) if refusal.rule.starts_with("enrolment.limit"))
    {
        let later = Reply::typed(
            429,
            "text/plain",
            "too many wrong credentials; try again later\n",
        );
        return Ok(Err(later.retry_after(600)));
    }
    Ok(Ok(match decision {
        Decision::Issued(issued) => {
            let chain = issued.chain.iter().map(|certificate| certificate.der());
            let certificates = std::iter::once(issued.der.as_slice()).chain(chain);
            let none = std::iter::empty::<Vec<u8>>();
            Answer::Success(pkcs7::build(certificates, none))
        }
        Decision::Pending { .. } => Answer::Pending,
        // Whoever holds a certificate of ours may know when the next one is due.
        Decision::Refused(refusal) if refusal.rule == "enrolment.renewal.early" => {
            Answer::Failure(FailInfo::BadRequest, Some(refusal.to_string()))
        }
        Decision::Refused(refusal) => Answer::bare(info(&refusal)),
        // SCEP has no other word for "later", and the device can mend this by itself.
        Decision::Later { refusal, .. } => {
            Answer::Failure(FailInfo::BadRequest, Some(refusal.to_string()))
        }
    }))
}

/// How a refusal reads in SCEP. Its words stay in the log: who is refused is not to learn which rule it ran into, beyond
/// what it can mend by itself.
fn info(refusal: &Refusal) -> FailInfo {
    let rule = refusal.rule.as_ref();
    match rule.split('.').next().unwrap_or_default() {
        "key" | "csr-key" | "algorithm" => FailInfo::BadAlg,
        _ => FailInfo::BadRequest,
    }
}
