//! What a request brings: a bearer token turned into a principal before the body is read (RFC 6750 §2.1), then a JSON
//! body or a query.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use access::{Action, Permit, Principal, Target};
use audit::Timestamp;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use hyper::header::AUTHORIZATION;
use hyper::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::Services;
use crate::problem::Problem;

/// Longest `X-Request-Id` that is taken over from the caller.
const REQUEST_ID: usize = 64;

/// An authenticated request.
pub(crate) struct Caller {
    pub(crate) services: Arc<Services>,
    pub(crate) principal: Arc<Principal>,
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
        decided.map_err(|refusal| Problem::refused(hyper::StatusCode::FORBIDDEN, &refusal))
    }

    /// For acting: a no is an event too.
    pub(crate) async fn permit(
        &self,
        action: Action,
        target: &Target<'_>,
    ) -> Result<Permit, Problem> {
        let id = Some(self.request_id.as_str());
        Ok(self
            .services
            .access
            .permit(&self.principal, action, target, id, self.now)
            .await?)
    }
}

impl FromRequestParts<Arc<Services>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        services: &Arc<Services>,
    ) -> Result<Self, Problem> {
        let now = services.now();
        let header = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let bearer = header.and_then(|value| value.strip_prefix("Bearer "));
        let Some(bearer) = bearer else {
            return Err(Problem::unauthenticated(
                "send `Authorization: Bearer ward_…`",
            ));
        };
        let principal = services.access.authenticate(bearer, now).await?;
        Ok(Self {
            services: Arc::clone(services),
            principal,
            request_id: request_id(parts, now),
            now,
        })
    }
}

/// The caller's own id when it is harmless, else one that is unique in this process.
fn request_id(parts: &Parts, now: Timestamp) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let given = parts
        .headers
        .get("x-request-id")
        .and_then(|value| value.to_str().ok());
    let harmless = |id: &&str| {
        !id.is_empty()
            && id.len() <= REQUEST_ID
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    match given.filter(harmless) {
        Some(id) => id.to_owned(),
        None => format!("{:x}-{:x}", now.0, COUNTER.fetch_add(1, Ordering::Relaxed)),
    }
}

/// A JSON body, or a problem that says where it stops making sense.
pub(crate) struct Sent<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<Services>> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, services: &Arc<Services>) -> Result<Self, Problem> {
        let body = Bytes::from_request(request, services).await;
        let body = body.map_err(|rejection| Problem::malformed(rejection.body_text()))?;
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|error| Problem::malformed(error.to_string()))
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
