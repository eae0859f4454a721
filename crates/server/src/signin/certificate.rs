//! A TLS client certificate as a sign-in: one that this Ward has issued, of a profile that is for people, valid and not
//! revoked, which names one person. The session is bound to it: without the certificate, or once it is revoked, the cookie
//! is worth nothing.

use access::{AccessError, NewSession, Person, PersonState, Purpose, Refusal, Session, Via};
use audit::Timestamp;
use axum::response::Response;
use ca::CertificateState;

use super::Visitor;
use crate::Services;
use crate::config::{CertificateName, CertificateSignIn};
use crate::problem::Problem;

const CERTIFICATE: &str = "certificate";
const SOURCE: &str = "[sign_in.certificate]";

/// Signs in with the client certificate of this connection.
#[utoipa::path(post, path = "/api/v1/sign-in/certificate", tag = "sign-in",
    responses((status = 200, body = super::session::SessionView), (status = 403, body = Problem)))]
pub(crate) async fn sign_in(visitor: Visitor) -> Result<Response, Problem> {
    match judged(&visitor).await {
        Ok((person, certificate)) => {
            let new = NewSession {
                person: person.id,
                via: Via::Certificate,
                purpose: Purpose::Work,
                stepped_up: false,
                source: visitor.source.to_string(),
                client: visitor.client.clone(),
                certificate: Some(certificate),
                request_id: Some(visitor.request_id.clone()),
            };
            let services = &visitor.services;
            let rules = &services.config.sign_in.sessions;
            let (session, secret) = services
                .access
                .begin_session(new, rules, visitor.now)
                .await?;
            visitor.begun(session, secret).await
        }
        Err(Judged::Access(error)) => Err(visitor.refused(CERTIFICATE, None, error).await),
        Err(Judged::Problem(problem)) => Err(problem),
    }
}

/// A no that is to be written down, or a failure that is none.
enum Judged {
    Access(AccessError),
    Problem(Problem),
}

impl From<Refusal> for Judged {
    fn from(refusal: Refusal) -> Self {
        Judged::Access(refusal.into())
    }
}

impl From<AccessError> for Judged {
    fn from(error: AccessError) -> Self {
        Judged::Access(error)
    }
}

async fn judged(visitor: &Visitor) -> Result<(Person, [u8; 32]), Judged> {
    let services = &visitor.services;
    let Some(mapping) = &services.config.sign_in.certificate else {
        return Err(refusal("certificate.off", "client certificates are no sign-in here").into());
    };
    let Some(sha256) = offered(visitor) else {
        return Err(refusal(
            "certificate.none",
            "the browser sent no client certificate; it may ask again after a restart",
        )
        .into());
    };
    let name = good(services, mapping, &sha256, visitor.now).await?;
    let mut people = services.access.people().await?;
    people.retain(|person| person.state == PersonState::Active && is_named(person, mapping, &name));
    match (people.pop(), people.is_empty()) {
        (Some(person), true) => Ok((person, sha256)),
        (Some(_), false) => Err(refusal(
            "certificate.person",
            "more than one person has the certificate's name",
        )
        .into()),
        (None, _) => Err(refusal(
            "certificate.person",
            "the certificate names nobody who is known here",
        )
        .into()),
    }
}

/// What a certificate says who its holder is, if this Ward stands by it now.
async fn good(
    services: &Services,
    mapping: &CertificateSignIn,
    sha256: &[u8; 32],
    now: Timestamp,
) -> Result<String, Judged> {
    let found = services.ca.certificate(sha256).await;
    let found = found.map_err(|error| Judged::Problem(error.into()))?;
    let Some(certificate) = found else {
        return Err(refusal("certificate.issuer", "the certificate is not of this Ward").into());
    };
    let seconds = now.seconds();
    let fault = if !mapping.profiles.contains(&certificate.profile) {
        Some("the certificate's profile is not one for people")
    } else if certificate.state != CertificateState::Issued {
        Some("the certificate is revoked or on hold")
    } else if seconds < certificate.not_before.0 || seconds > certificate.not_after.0 {
        Some("the certificate is not valid now")
    } else {
        None
    };
    if let Some(fault) = fault {
        return Err(refusal("certificate.state", fault).into());
    }
    let kind = match mapping.name {
        CertificateName::Email => "email:",
        CertificateName::Upn => "upn:",
        CertificateName::Cn => {
            let parsed = x509::Certificate::from_der(&certificate.der).ok();
            let name = parsed
                .and_then(|parsed| parsed.subject().common_name().map(|name| name.into_owned()));
            return name.ok_or_else(|| {
                refusal(
                    "certificate.name",
                    "the certificate's subject has no common name",
                )
                .into()
            });
        }
    };
    let mut names = certificate
        .names
        .iter()
        .filter_map(|name| name.strip_prefix(kind));
    match (names.next(), names.next()) {
        (Some(name), None) => Ok(name.to_owned()),
        _ => Err(refusal(
            "certificate.name",
            "the certificate does not have exactly one name of the kind that says who somebody is",
        )
        .into()),
    }
}

fn is_named(person: &Person, mapping: &CertificateSignIn, name: &str) -> bool {
    match mapping.name {
        CertificateName::Cn => person.id == name,
        CertificateName::Email | CertificateName::Upn => {
            let email = person.email.as_deref();
            email.is_some_and(|email| email.eq_ignore_ascii_case(name))
        }
    }
}

/// Refuses a session that came by a certificate unless the same certificate is there and still good.
pub(crate) async fn check_bound(visitor: &Visitor, session: &Session) -> Result<(), Problem> {
    let Some(bound) = session.certificate else {
        return Ok(());
    };
    let services = &visitor.services;
    let judged = match (offered(visitor), &services.config.sign_in.certificate) {
        (Some(sha256), Some(mapping)) if sha256 == bound => {
            good(services, mapping, &sha256, visitor.now)
                .await
                .map(drop)
        }
        _ => Err(refusal(
            "session.certificate",
            "this session belongs to a client certificate that is not there",
        )
        .into()),
    };
    match judged {
        Ok(()) => Ok(()),
        Err(Judged::Problem(problem)) => Err(problem),
        Err(Judged::Access(AccessError::Refused(refusal))) => {
            let error = AccessError::Unauthenticated(refusal);
            Err(visitor
                .refused("session", Some(&session.person), error)
                .await)
        }
        Err(Judged::Access(error)) => Err(error.into()),
    }
}

/// SHA-256 of the leaf whose key the other end of the connection holds.
fn offered(visitor: &Visitor) -> Option<[u8; 32]> {
    let tls = visitor.peer.as_ref()?.tls.as_ref()?;
    tls.chain
        .as_ref()?
        .first()
        .map(|leaf| audit::merkle::sha256(leaf))
}

fn refusal(rule: &'static str, message: &'static str) -> Refusal {
    Refusal::new(rule, SOURCE, message)
        .accepted("a valid client certificate of a profile that [sign_in.certificate] names, with one person's name")
}
