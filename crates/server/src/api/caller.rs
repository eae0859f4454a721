//! Who is calling: a bearer token turned into a principal before the body is read (RFC 6750 §2.1).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use access::{Action, Permit, Principal, Target};
use audit::Timestamp;
use axum::extract::FromRequestParts;
use hyper::header::AUTHORIZATION;
use hyper::http::request::Parts;

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
        let decided = self.services.access.decide(&self.principal, action, &Target::default());
        decided.map_err(|refusal| Problem::refused(hyper::StatusCode::FORBIDDEN, &refusal))
    }

    /// For acting: a no is an event too.
    pub(crate) async fn permit(&self, action: Action, target: &Target<'_>) -> Result<Permit, Problem> {
        let id = Some(self.request_id.as_str());
        Ok(self.services.access.permit(&self.principal, action, target, id, self.now).await?)
    }
}

impl FromRequestParts<Arc<Services>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, services: &Arc<Services>) -> Result<Self, Problem> {
        let now = services.now();
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = header.and_then(|value| value.strip_prefix("Bearer "));
        let Some(bearer) = bearer else {
            return Err(Problem::unauthenticated("send `Authorization: Bearer ward_…`"));
        };
        let principal = services.access.authenticate(bearer, now).await?;
        Ok(Self { services: Arc::clone(services), principal, request_id: request_id(parts, now), now })
    }
}

/// The caller's own id when it is harmless, else one that is unique in this process.
fn request_id(parts: &Parts, now: Timestamp) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let given = parts.headers.get("x-request-id").and_then(|value| value.to_str().ok());
    let harmless = |id: &&str| {
        !id.is_empty() && id.len() <= REQUEST_ID && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    match given.filter(harmless) {
        Some(id) => id.to_owned(),
        None => format!("{:x}-{:x}", now.0, COUNTER.fetch_add(1, Ordering::Relaxed)),
    }
}
