//! EST: Enrollment over Secure Transport (RFC 7030, as RFC 8951 and RFC 9908 correct it).
//!
//! What differs from the letter: `fullcmc` is not there (RFC 7030 §4.3 makes it optional), passwords are Basic only, since
//! Digest would need them in the clear, and `tls-unique` in a request (§3.5) is not looked at: the TLS library does not
//! tell it, TLS 1.3 has none, and a request's signature together with the TLS session that carries it is held to the same
//! device by its serial number.

mod anchors;
mod attributes;
mod body;
mod credentials;
pub(super) mod exercise;
mod keygen;
mod reasons;

use std::sync::Arc;

use audit::Timestamp;
use audit::merkle::sha256;
use http::Method;
use http::header::{ALLOW, HeaderValue};

pub use attributes::CsrAttributes;

use super::registration::{Asked, Claim, Decision, KeyAndNames, Proof, Protocol, Transaction};
use super::{Approval, DeviceError, Devices, Endpoint, Reply, Request};

/// RFC 7030 §4.1.3, §4.2.3; the parameter is RFC 8551 §3.2.2's.
const CERTS_ONLY: &str = "application/pkcs7-mime; smime-type=certs-only";
/// RFC 7030 §4.5.2.
const CSR_ATTRIBUTES: &str = "application/csrattrs";

/// What comes after the label (RFC 7030 §3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    CaCerts,
    CsrAttrs,
    Enroll,
    Reenroll,
    KeyGen,
    FullCmc,
}

impl Operation {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "cacerts" => Operation::CaCerts,
            "csrattrs" => Operation::CsrAttrs,
            "simpleenroll" => Operation::Enroll,
            "simplereenroll" => Operation::Reenroll,
            "serverkeygen" => Operation::KeyGen,
            "fullcmc" => Operation::FullCmc,
            _ => return None,
        })
    }

    /// Whether `method` is one of its own; otherwise what `Allow` says.
    fn allows(self, method: &Method) -> Result<(), &'static str> {
        match self {
            Operation::CaCerts | Operation::CsrAttrs => match *method {
                Method::GET | Method::HEAD => Ok(()),
                _ => Err("GET, HEAD"),
            },
            _ if *method == Method::POST => Ok(()),
            _ => Err("POST"),
        }
    }
}

/// Answers a request to `endpoint`. `rest` is what follows the endpoint's name in the path, without a slash before it.
pub(super) async fn handle(
    devices: &Devices,
    endpoint: Arc<Endpoint>,
    rest: &str,
    request: &Request<'_>,
    now: Timestamp,
) -> Reply {
    // Nothing of EST without TLS (RFC 7030 §3.3); that it exists is no news for whoever asks without.
    let operation = Operation::parse(rest).filter(|_| request.tls.is_some());
    let Some(operation) = operation else {
        return Reply::empty(404);
    };
    if let Err(allowed) = operation.allows(&request.method) {
        return reasons::text(405, "this operation has another method")
            .header(ALLOW, HeaderValue::from_static(allowed));
    }
    match operation {
        Operation::CaCerts => match anchors::of(devices, &endpoint, now) {
            Ok(all) => certificates(&endpoint, all.iter().map(x509::Certificate::der)),
            Err(error) => reasons::failed(&error, &endpoint),
        },
        Operation::CsrAttrs => csr_attributes(&endpoint),
        Operation::Enroll | Operation::Reenroll | Operation::KeyGen => {
            enrol(devices, &endpoint, operation, request, now).await
        }
        Operation::FullCmc => reasons::text(501, "Full CMC is not offered here (RFC 7030 §4.3)"),
    }
}

fn certificates<'a>(endpoint: &Endpoint, all: impl IntoIterator<Item = &'a [u8]>) -> Reply {
    let none: [&[u8]; 0] = [];
    let bundle = x509::pkcs7::build(all, none);
    Reply::typed(200, CERTS_ONLY, base64(endpoint, &bundle))
}

fn base64(endpoint: &Endpoint, der: &[u8]) -> String {
    match endpoint.est.one_line {
        true => body::encode(der, ""),
        false => body::encode(der, "\n"),
    }
}

/// RFC 7030 §4.5.2: 204 where there is nothing to say.
fn csr_attributes(endpoint: &Endpoint) -> Reply {
    let attributes = &endpoint.est.csr_attributes;
    if attributes.is_empty() {
        return Reply::empty(204);
    }
    match attributes.encode() {
        Ok(der) => Reply::typed(200, CSR_ATTRIBUTES, base64(endpoint, &der)),
        Err(refusal) => {
            // Checked when the endpoint was made: a rule has changed since.
            tracing::error!(%refusal, endpoint = endpoint.name, "csrattrs cannot be sent");
            Reply::empty(204)
        }
    }
}

async fn enrol(
    devices: &Devices,
    endpoint: &Arc<Endpoint>,
    operation: Operation,
    request: &Request<'_>,
    now: Timestamp,
) -> Reply {
    let proof = credentials::of(devices, request, operation == Operation::Reenroll);
    // Where a person looks at every device, one may ask that has nothing to show yet.
    if matches!(proof, Proof::Nothing) && endpoint.approval == Approval::Never {
        return credentials::challenge(&endpoint.name);
    }
    if operation == Operation::KeyGen && !endpoint.est.server_keygen {
        return reasons::text(
            501,
            "keys are made by the devices themselves here (RFC 7030 §4.4)",
        );
    }
    let claim = match claim(endpoint, operation, request, proof) {
        Ok(claim) => claim,
        Err(refusal) => return reasons::refused(&refusal, endpoint),
    };
    let answer = match devices.registration().enrol(claim, now).await {
        Ok(decision) => answer(decision, operation, endpoint),
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| reasons::failed(&error, endpoint))
}

fn claim(
    endpoint: &Arc<Endpoint>,
    operation: Operation,
    request: &Request<'_>,
    proof: Proof,
) -> Result<Claim, access::Refusal> {
    let csr = body::request(&request.body)?;
    let asked = match operation {
        Operation::KeyGen => {
            keygen::refuse_encryption(&csr)?;
            Asked::GenerateKey {
                algorithm: keygen::algorithm(&csr),
                package: ca::KeyPackage::Pem,
            }
        }
        // One that renews by password has no certificate to renew: it enrols, and the earlier one is superseded.
        Operation::Reenroll if matches!(proof, Proof::Certificate(_)) => Asked::Renew,
        _ => Asked::Enrol,
    };
    Ok(Claim {
        endpoint: Arc::clone(endpoint),
        protocol: Protocol::Est,
        asked,
        transaction: Transaction::Request(sha256(csr.der())),
        key_and_names: KeyAndNames::Csr(Box::new(csr)),
        proof,
        profile: None,
        peer: request.peer,
        request_id: request.request_id.to_owned(),
        evidence: request.arrival().into_iter().collect(),
    })
}

fn answer(
    decision: Decision,
    operation: Operation,
    endpoint: &Endpoint,
) -> Result<Reply, DeviceError> {
    Ok(match decision {
        Decision::Issued(issued) if operation == Operation::KeyGen => {
            let none: [&[u8]; 0] = [];
            let bundle = x509::pkcs7::build([issued.der.as_slice()], none);
            keygen::answer(issued.key.as_ref(), &bundle).unwrap_or_else(|| {
                reasons::text(409, "the key of this request was handed out before and is kept nowhere: ask with another")
            })
        }
        // The certificate that was issued, and no other (RFC 7030 §4.2.3).
        Decision::Issued(issued) => certificates(endpoint, [issued.der.as_slice()]),
        Decision::Pending { retry_after_s } => reasons::text(
            202,
            "somebody has to approve this: send the same request again later",
        )
        .retry_after(retry_after_s),
        Decision::Refused(refusal) => reasons::refused(&refusal, endpoint),
        // RFC 6585 §4, and Retry-After as RFC 7030 §4.2.3 uses it.
        Decision::Later {
            refusal,
            retry_after_s,
        } => reasons::text(429, &refusal.to_string()).retry_after(retry_after_s),
    })
}
