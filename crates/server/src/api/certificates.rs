//! Certificates: issue, find, revoke, hold, release.

use access::{Action, Evidence, Permit, Target};
use axum::Json;
use axum::response::{IntoResponse, Response};
use ca::revocation::Revocation;
use ca::{
    CertificateFilter, CertificatePage, GeneratedKey, IssueRequest, Issued, KeyPackage, Outcome,
    StoredCertificate,
};
use hyper::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use x509::crl::Reason;
use x509::{CertificationRequest, GeneralName, KeyAlgorithm, Name, Time};

use crate::api::caller::{Asked, At, Caller, Sent};
use crate::api::calls;
use crate::problem::Problem;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Issue {
    profile: String,
    /// The profile's usual authority when absent.
    authority: Option<String>,
    /// PKCS#10 in PEM. Either this or `generate`.
    csr: Option<String>,
    /// Make a key of this algorithm here, give it once, keep it nowhere.
    #[schema(value_type = Option<String>, example = "ecdsa-p256")]
    generate: Option<KeyAlgorithm>,
    /// RFC 4514, instead of the CSR's.
    #[schema(example = "CN=fhir.example.org,O=Mercy Hospital")]
    subject: Option<String>,
    /// Instead of the CSR's: `dns:…`, `ip:…`, `email:…`, `uri:…`, `upn:…`.
    #[serde(default)]
    names: Vec<String>,
    /// The account's SID, for Microsoft's strong mapping.
    sid: Option<String>,
    /// SHA-256, in hex, of the certificate of the workstation that a session is bound to.
    workstation: Option<String>,
    /// Days of validity; the profile's default when absent.
    days: Option<u32>,
    /// Ticket, form or asset record that supports the request; kept with it.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    evidence: Vec<Evidence>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct IssuedView {
    sha256: String,
    serial: String,
    issuer: String,
    profile: String,
    profile_version: u64,
    not_before: String,
    not_after: String,
    /// PEM.
    certificate: String,
    /// PEM, leaf first, root left out.
    chain: String,
    /// PKCS#8 in PEM: shown this once, kept nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Waiting {
    /// Poll `/api/v1/requests/{request}`.
    request: String,
    state: &'static str,
}

/// Issues a certificate, or files the request where the profile wants a second person.
#[utoipa::path(post, path = "/api/v1/certificates", tag = "certificates", request_body = Issue,
    params(("Idempotency-Key" = Option<String>, Header, description = "A retry with the same key gets the same certificate")),
    responses((status = 201, body = IssuedView), (status = 202, body = Waiting), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn issue(
    caller: Caller,
    headers: HeaderMap,
    Sent(wanted): Sent<Issue>,
) -> Result<Response, Problem> {
    let target = Target {
        profile: Some(&wanted.profile),
        authority: wanted.authority.as_deref(),
        names: &wanted.names,
        ..Target::default()
    };
    let permit = caller.permit(Action::IssueCertificate, &target).await?;
    let key = headers
        .get("idempotency-key")
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let mut request = match read(wanted) {
        Ok(request) => request,
        Err(refusal) => return Err(refused(&caller, &refusal).await),
    };
    request.request_id = Some(caller.request_id.clone());
    request.idempotency_key = key;
    Ok(issued_answer(
        caller
            .services
            .ca
            .issue(permit, request, caller.now)
            .await?,
    ))
}

/// 201 with the certificate, or 202 with the request that waits.
pub(crate) fn issued_answer(outcome: Outcome) -> Response {
    match outcome {
        Outcome::Issued(issued) => (StatusCode::CREATED, Json(view(&issued))).into_response(),
        Outcome::Pending(id) => {
            let waiting = Waiting {
                request: id.to_string(),
                state: "pending",
            };
            (StatusCode::ACCEPTED, Json(waiting)).into_response()
        }
    }
}

fn read(wanted: Issue) -> Result<IssueRequest, access::Refusal> {
    let subject = wanted.subject.as_deref().map(parse_subject).transpose()?;
    let names = wanted
        .names
        .iter()
        .map(|name| parse_name(name))
        .collect::<Result<Vec<_>, _>>()?;
    let mut request = match (wanted.csr, wanted.generate) {
        (Some(pem), None) => {
            let csr = CertificationRequest::from_pem(pem.as_bytes()).map_err(ca::csr_refusal)?;
            let mut request = IssueRequest::from_csr(wanted.profile, csr);
            request.subject = subject;
            request.names = (!names.is_empty()).then_some(names);
            request
        }
        (None, Some(algorithm)) => IssueRequest::generate(
            wanted.profile,
            Some(algorithm),
            KeyPackage::Pem,
            subject.unwrap_or_else(Name::empty),
            names,
        ),
        _ => {
            return Err(access::Refusal::new(
                "request.key",
                "REST API",
                "a request has either a CSR or asks for a key",
            )
            .accepted("`csr` (PEM) or `generate` (a key algorithm)"));
        }
    };
    request.sid = wanted.sid;
    request.workstation = wanted
        .workstation
        .as_deref()
        .map(parse_fingerprint)
        .transpose()?;
    request.authority = wanted.authority;
    request.validity = wanted
        .days
        .map(|days| ca::profile::Duration::days(i64::from(days)));
    request.evidence = wanted.evidence;
    Ok(request)
}

fn parse_fingerprint(text: &str) -> Result<[u8; 32], access::Refusal> {
    let mut fingerprint = [0; 32];
    hex::decode_to_slice(text, &mut fingerprint).map_err(|_| {
        access::Refusal::new(
            "request.workstation",
            "REST API",
            format!("`{text}` is no SHA-256"),
        )
        .accepted("64 hexadecimal digits: the fingerprint of the workstation's certificate")
    })?;
    Ok(fingerprint)
}

/// A request that cannot become one is a refusal like any other: audited, then told.
async fn refused(caller: &Caller, refusal: &access::Refusal) -> Problem {
    let object = audit::Object::new("action", Action::IssueCertificate.name());
    let recorded = caller
        .services
        .access
        .record_refusal(
            refusal,
            &caller.principal,
            "issue-certificate",
            object,
            Some(&caller.request_id),
            caller.now,
        )
        .await;
    match recorded {
        Ok(()) => Problem::refused(StatusCode::UNPROCESSABLE_ENTITY, refusal),
        Err(error) => error.into(),
    }
}

fn parse_subject(text: &str) -> Result<Name, access::Refusal> {
    text.parse().map_err(|error| {
        access::Refusal::new("request.subject", "RFC 4514", format!("`{text}`: {error}"))
            .accepted("for example CN=host,O=Hospital")
    })
}

fn parse_name(text: &str) -> Result<GeneralName, access::Refusal> {
    text.parse()
        .map_err(|error: x509::general_name::BadGeneralName| {
            access::Refusal::new("request.names", "RFC 5280 §4.2.1.6", error.to_string())
        })
}

fn view(issued: &Issued) -> IssuedView {
    IssuedView {
        sha256: hex::encode(issued.sha256),
        serial: hex::encode(&issued.serial),
        issuer: issued.issuer.clone(),
        profile: issued.profile.clone(),
        profile_version: issued.profile_version,
        not_before: issued.not_before.to_string(),
        not_after: issued.not_after.to_string(),
        certificate: x509::pem::encode(x509::pem::CERTIFICATE, &issued.der),
        chain: issued.chain_pem(),
        private_key: issued.key.as_ref().and_then(|key| match key {
            GeneratedKey::Pem(pem) => Some(pem.to_string()),
            GeneratedKey::Pkcs12(_) => None,
        }),
    }
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    profile: Option<String>,
    issuer: Option<String>,
    /// Text in subject or names.
    contains: Option<String>,
    /// Only those that expire within so many days.
    expires_within: Option<u32>,
    /// At most 1000.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<i64>,
}

/// Certificates, newest first: `{"certificates": […], "next": id to pass as after}`.
#[utoipa::path(get, path = "/api/v1/certificates", tag = "certificates", params(ListQuery),
    responses((status = 200, body = Object)))]
pub(crate) async fn list(
    caller: Caller,
    Asked(query): Asked<ListQuery>,
) -> Result<Json<CertificatePage>, Problem> {
    caller.may_read(Action::ReadCertificates)?;
    let filter = CertificateFilter {
        profile: query.profile,
        issuer: query.issuer,
        contains: query.contains,
        expires_before: query
            .expires_within
            .map(|days| caller.now.seconds() + i64::from(days) * 86_400),
        after: query.after,
        limit: query.limit,
        ..CertificateFilter::default()
    };
    Ok(Json(caller.services.ca.certificates(&filter).await?))
}

/// A certificate with its bytes.
#[derive(Serialize)]
struct CertificateView {
    #[serde(flatten)]
    row: StoredCertificate,
    status: serde_json::Value,
    /// PEM.
    certificate: String,
}

/// One certificate, by SHA-256 or serial number in hex. `Accept: application/pkix-cert` gives its DER,
/// `application/pem-certificate-chain` its chain.
#[utoipa::path(get, path = "/api/v1/certificates/{id}", tag = "certificates", params(("id" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn show(
    caller: Caller,
    At(id): At<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.may_read(Action::ReadCertificates)?;
    let row = find(&caller, &id).await?;
    let certificate = x509::pem::encode(x509::pem::CERTIFICATE, &row.der);
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if accept.contains("application/pem-certificate-chain") {
        let issuer = caller.services.ca.issuer(&row.issuer)?;
        let pem = issuer
            .chain()
            .iter()
            .fold(certificate, |pem, issuer| pem + &issuer.to_pem());
        return Ok((
            [(header::CONTENT_TYPE, "application/pem-certificate-chain")],
            pem,
        )
            .into_response());
    }
    if accept.contains("application/pkix-cert") {
        return Ok(([(header::CONTENT_TYPE, "application/pkix-cert")], row.der).into_response());
    }
    let status = caller.services.ca.status(&row).await?.to_json();
    Ok(Json(CertificateView {
        row,
        status,
        certificate,
    })
    .into_response())
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Revoke {
    /// RFC 5280 §5.3.1: keyCompromise, affiliationChanged, superseded, cessationOfOperation, …
    #[schema(value_type = String, example = "keyCompromise")]
    reason: Reason,
    why: Option<String>,
    /// RFC 3339: since when the key is suspected.
    invalid_since: Option<String>,
}

#[derive(Deserialize, Default, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Why {
    why: Option<String>,
}

/// Revokes for good.
#[utoipa::path(post, path = "/api/v1/certificates/{id}/revoke", tag = "certificates", params(("id" = String, Path)),
    request_body = Revoke, responses((status = 200, body = Object), (status = 422, body = Problem)))]
pub(crate) async fn revoke(
    caller: Caller,
    At(id): At<String>,
    Sent(wanted): Sent<Revoke>,
) -> Result<Json<serde_json::Value>, Problem> {
    let invalid_since = wanted
        .invalid_since
        .map(|text| {
            text.parse::<Time>()
                .map_err(|_| Problem::malformed("`invalid_since` is not an RFC 3339 time"))
        })
        .transpose()?;
    change(caller, &id, wanted.reason, invalid_since, wanted.why).await
}

/// Suspends (certificateHold); can be released.
#[utoipa::path(post, path = "/api/v1/certificates/{id}/hold", tag = "certificates", params(("id" = String, Path)),
    request_body = Why, responses((status = 200, body = Object), (status = 422, body = Problem)))]
pub(crate) async fn hold(
    caller: Caller,
    At(id): At<String>,
    Sent(wanted): Sent<Why>,
) -> Result<Json<serde_json::Value>, Problem> {
    change(caller, &id, Reason::CertificateHold, None, wanted.why).await
}

/// Ends a hold.
#[utoipa::path(post, path = "/api/v1/certificates/{id}/release", tag = "certificates", params(("id" = String, Path)),
    request_body = Why, responses((status = 200, body = Object), (status = 422, body = Problem)))]
pub(crate) async fn release(
    caller: Caller,
    At(id): At<String>,
    Sent(wanted): Sent<Why>,
) -> Result<Json<serde_json::Value>, Problem> {
    let (permit, stored) = revocable(&caller, &id).await?;
    let request_id = Some(caller.request_id.as_str());
    let status = caller
        .services
        .ca
        .release(
            permit,
            &stored,
            wanted.why.as_deref(),
            request_id,
            caller.now,
        )
        .await?;
    Ok(Json(status.to_json()))
}

async fn change(
    caller: Caller,
    id: &str,
    reason: Reason,
    invalid_since: Option<Time>,
    why: Option<String>,
) -> Result<Json<serde_json::Value>, Problem> {
    let (permit, stored) = revocable(&caller, id).await?;
    let revocation = Revocation {
        reason,
        invalid_since,
        why,
        request_id: Some(caller.request_id.clone()),
    };
    Ok(Json(
        caller
            .services
            .ca
            .revoke(permit, &stored, revocation, caller.now)
            .await?
            .to_json(),
    ))
}

/// A certificate, and the permit to revoke it. An authority's takes more than to revoke a certificate.
async fn revocable(caller: &Caller, id: &str) -> Result<(Permit, StoredCertificate), Problem> {
    let target = Target::default();
    let permit = caller.permit_unheld(Action::RevokeCertificate, &target);
    let permit = permit.await?;
    let stored = find(caller, id).await?;
    let needed = caller.services.ca.needed_to_revoke(&stored);
    if needed == Action::RevokeCertificate {
        caller.hold(&permit, &target).await?;
        return Ok((permit, stored));
    }
    // With its step-up before anything is kept. Policies for either catch it, one after the other.
    let to_manage = caller.permit_unheld(needed, &target).await?;
    if !calls::agreed_to(needed) {
        caller.hold(&permit, &target).await?;
    }
    caller.hold(&to_manage, &target).await?;
    Ok((to_manage, stored))
}

/// An id that fits several certificates is refused without an event, since it may only have been looked up.
async fn find(caller: &Caller, id: &str) -> Result<StoredCertificate, Problem> {
    let found = caller.services.ca.find_certificate(id).await;
    found.map_err(|error| Problem {
        recorded: false,
        ..error.into()
    })
}
