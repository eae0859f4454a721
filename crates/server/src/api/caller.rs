//! What a request brings: a bearer token (RFC 6750 §2.1) or a session's cookie, turned into a principal before the body is
//! read; then a JSON body or a query.

use std::sync::Arc;
use std::time::Duration;

use access::{Action, Permit, Place, Principal, Session, Target};
use audit::Timestamp;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::Services;
use crate::api::answer::{self, Exchange};
use crate::api::calls;
use crate::problem::Problem;
use crate::signin::{Credentials, nobody, seated};

/// An authenticated request.
pub(crate) struct Caller {
    pub(crate) services: Arc<Services>,
    pub(crate) principal: Arc<Principal>,
    /// The session they came with, if it was one.
    pub(crate) session: Option<Session>,
    /// Joins the answer, the log of operations and the audit event.
    pub(crate) request_id: String,
    pub(crate) now: Timestamp,
}

impl Caller {
    /// For reading: a no is answered and not recorded, since nothing was going to change.
    pub(crate) fn may_read(&self, action: Action) -> Result<Permit, Problem> {
        let decided = self
            .services
            .access
            .decide(&self.principal, action, &Target::default());
        decided.map_err(|refusal| Problem::refused(StatusCode::FORBIDDEN, &refusal))
    }

    /// For acting: a no is an event too.
    pub(crate) async fn permit(
        &self,
        action: Action,
        target: &Target<'_>,
    ) -> Result<Permit, Problem> {
        let permit = self.permit_unheld(action, target).await?;
        self.hold(&permit, target).await?;
        Ok(permit)
    }

    /// As `permit`, without asking the policies: for dry runs, which change nothing and wait for nobody.
    pub(crate) async fn permit_unheld(
        &self,
        action: Action,
        target: &Target<'_>,
    ) -> Result<Permit, Problem> {
        let id = Some(self.request_id.as_str());
        let permit = self
            .services
            .access
            .permit(&self.principal, action, target, id, self.now)
            .await?;
        // Asked after the permit: who may not is told so, and need not confirm anything first.
        if let Some(session) = &self.session
            && let Err(refusal) = session.check_step_up(action, self.now)
        {
            return Err(Problem::step_up(&refusal));
        }
        Ok(permit)
    }

    /// Asks the policies whether others have to agree first (R07).
    pub(crate) async fn hold(&self, permit: &Permit, target: &Target<'_>) -> Result<(), Problem> {
        calls::hold(&self.services, permit, target, self.now).await
    }

    /// For what is high-risk although its action as a whole is not: refuses a session that has not stepped up of late.
    pub(crate) fn check_step_up(&self, what: &str) -> Result<(), Problem> {
        match &self.session {
            Some(session) if session.stepped_up_until(self.now).is_none() => {
                Err(Problem::step_up(&access::step_up_refusal(what)))
            }
            _ => Ok(()),
        }
    }

    /// For lists that are limited to what the caller's scope covers.
    pub(crate) fn may_list(&self, action: Action) -> Result<Permit, Problem> {
        let access = &self.services.access;
        let decided = access.decide(&self.principal, action, &Target::later());
        decided.map_err(|refusal| Problem::refused(StatusCode::FORBIDDEN, &refusal))
    }

    /// For one thing at a place.
    pub(crate) fn may_see(&self, action: Action, place: &Place<'_>) -> Result<(), Problem> {
        let seen = self.may_list(action)?.check_place(place);
        seen.map_err(|refusal| Problem::refused(StatusCode::FORBIDDEN, &refusal))
    }

    /// For acting on what has to be found first: whoever may not anywhere is not told what there is.
    pub(crate) async fn could(&self, action: Action) -> Result<(), Problem> {
        let id = Some(self.request_id.as_str());
        let access = &self.services.access;
        let somewhere = Target::later();
        access
            .permit(&self.principal, action, &somewhere, id, self.now)
            .await?;
        Ok(())
    }

    /// For acting in a segment.
    pub(crate) async fn permit_in(&self, action: Action, segment: &str) -> Result<Permit, Problem> {
        self.permit(action, &Target::at(in_segment(segment))).await
    }
}

impl FromRequestParts<Arc<Services>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        services: &Arc<Services>,
    ) -> Result<Self, Problem> {
        if let Some(exchange) = answer::exchange()
            && let Some(agreed) = &exchange.agreed
        {
            exchange.principal.set(Arc::clone(&agreed.principal)).ok();
            return Ok(Self {
                services: Arc::clone(services),
                principal: Arc::clone(&agreed.principal),
                session: None,
                request_id: exchange.request_id.clone(),
                now: services.now(),
            });
        }
        let bearer = match Credentials::of(&parts.headers)? {
            Credentials::Bearer(bearer) => bearer,
            Credentials::Cookie(secret) => {
                let secret = Zeroizing::new(secret.to_owned());
                let seat = seated(parts, services, secret).await?;
                seat.check_works()?;
                return Ok(Self {
                    services: seat.services,
                    principal: seat.principal,
                    session: Some(seat.session),
                    request_id: seat.request_id,
                    now: seat.now,
                });
            }
            Credentials::None => return Err(nobody()),
        };
        let now = services.now();
        let principal = services.access.authenticate(bearer, now).await?;
        let exchange = parts.extensions.get::<Arc<Exchange>>();
        let request_id = exchange.map_or_else(String::new, |exchange| {
            exchange.principal.set(Arc::clone(&principal)).ok();
            exchange.request_id.clone()
        });
        Ok(Self {
            services: Arc::clone(services),
            principal,
            session: None,
            request_id,
            now,
        })
    }
}

/// What is in a segment, as scopes of grants know it.
pub(crate) fn in_segment(segment: &str) -> Place<'_> {
    Place {
        segment: Some(segment),
        ..Place::default()
    }
}

/// A JSON body, or a problem that says where it stops making sense.
pub(crate) struct Sent<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<Services>> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, services: &Arc<Services>) -> Result<Self, Problem> {
        if let Some(kind) = request.headers().get(CONTENT_TYPE)
            && !is_json(kind.as_bytes())
        {
            let kind = String::from_utf8_lossy(kind.as_bytes());
            return Err(Problem::media_type(format!(
                "`Content-Type: {}`; send application/json",
                kind.escape_default()
            )));
        }
        let patience = Duration::from_secs(services.config.limits.head_seconds);
        let body = Bytes::from_request(request, services);
        let Ok(body) = tokio::time::timeout(patience, body).await else {
            return Err(Problem::too_slow(format!(
                "the body did not come within {} s",
                patience.as_secs()
            )));
        };
        let body = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(format!(
                "bodies have at most {} bytes",
                services.config.limits.body_bytes
            )),
            _ => Problem::malformed(rejection.body_text()),
        })?;
        if let Some(exchange) = answer::exchange() {
            exchange.body.set(body.clone()).ok();
        }
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|error| Problem::malformed(error.to_string()))
    }
}

/// `application/json`, with or without parameters (RFC 8259 §11 defines none, clients send `charset`).
fn is_json(kind: &[u8]) -> bool {
    let essence = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    essence
        .trim_ascii()
        .eq_ignore_ascii_case(b"application/json")
}

/// A part of the path, likewise.
pub(crate) struct At<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Services>> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        services: &Arc<Services>,
    ) -> Result<Self, Problem> {
        let path = Path::<T>::from_request_parts(parts, services).await;
        path.map(|Path(path)| Self(path))
            .map_err(|rejection| Problem::malformed(rejection.body_text()))
    }
}

/// A query string, likewise.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Services>> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        services: &Arc<Services>,
    ) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, services).await;
        query
            .map(|Query(query)| Self(query))
            .map_err(|rejection| Problem::malformed(rejection.body_text()))
    }
}
