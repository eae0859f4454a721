//! RFC 9457 problem documents: what a caller may know, and nothing else.
//!
//! `type` is stable and documented in docs/api.md; `title` never changes for a type; the text for the log is separate.

use axum::response::{IntoResponse, Response};
use hyper::{StatusCode, header};
use serde::Serialize;

/// An answer that is not a success.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Problem {
    /// Stable identifier, for example `urn:ward:problem:refused`.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) title: &'static str,
    pub(crate) status: u16,
    #[schema(value_type = String)]
    pub(crate) detail: Box<str>,
    /// The rule that refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) rule: Option<Box<str>>,
    /// Whose rule it is: a standard's clause, a profile with its version, a token's scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) source: Option<Box<str>>,
    /// What would have been accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) accepted: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) request_id: Option<Box<str>>,
    /// What was done of a request before it broke off, and stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) kept: Option<Box<serde_json::Value>>,
    /// Whether the audit log has it already.
    #[serde(skip)]
    pub(crate) recorded: bool,
    #[serde(skip)]
    pub(crate) retry_after: Option<u64>,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.into().into_boxed_str(),
            rule: None,
            source: None,
            accepted: None,
            request_id: None,
            kept: None,
            recorded: false,
            retry_after: None,
        }
    }

    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "urn:ward:problem:malformed",
            "The request cannot be read",
            detail,
        )
    }

    pub(crate) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "urn:ward:problem:too-large",
            "The request is larger than Ward reads",
            detail,
        )
    }

    pub(crate) fn media_type(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "urn:ward:problem:media-type",
            "The body is of a kind that Ward does not read",
            detail,
        )
    }

    pub(crate) fn method(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "urn:ward:problem:method",
            "The path has no such method",
            detail,
        )
    }

    pub(crate) fn too_slow(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "urn:ward:problem:too-slow",
            "The request did not arrive in time",
            detail,
        )
    }

    /// What is high-risk waits for a step-up: nothing is lost, the same request works after it.
    pub(crate) fn step_up(refusal: &access::Refusal) -> Self {
        let mut problem = Self::refused(StatusCode::FORBIDDEN, refusal);
        problem.kind = "urn:ward:problem:step-up-required";
        problem.title = "Confirm that it is you";
        problem.recorded = false;
        problem
    }

    /// Too many failures from one source; it may try again after so many seconds.
    pub(crate) fn too_many(seconds: u64) -> Self {
        let mut problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "urn:ward:problem:too-many",
            "Too many failed tries from this address",
            format!("try again in {seconds} s, or sign in with a passkey"),
        );
        problem.retry_after = Some(seconds);
        problem
    }

    pub(crate) fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "urn:ward:problem:unauthenticated",
            "A valid bearer token or session is required",
            detail,
        )
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "urn:ward:problem:not-found",
            "There is no such object",
            detail,
        )
    }

    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "urn:ward:problem:conflict",
            "The object has changed or exists already",
            detail,
        )
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "urn:ward:problem:unavailable",
            "Ward cannot do this right now",
            detail,
        )
    }

    /// The caller learns that it failed and a request id to quote; the log has the cause.
    pub(crate) fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "urn:ward:problem:internal",
            "Ward failed",
            "the cause is in Ward's own log under this request id",
        )
    }

    /// A policy has caught the call; the answer becomes 202 before anybody sees this.
    pub(crate) fn held() -> Self {
        let mut problem = Self::new(
            StatusCode::ACCEPTED,
            "urn:ward:problem:held",
            "The call waits for other people",
            "an approval policy has caught it",
        );
        problem.recorded = true;
        problem
    }

    pub(crate) fn refused(status: StatusCode, refusal: &access::Refusal) -> Self {
        let mut problem = Self::new(
            status,
            "urn:ward:problem:refused",
            "A rule refused the request",
            refusal.message.clone(),
        );
        problem.rule = Some(refusal.rule.as_ref().into());
        problem.source = Some(refusal.source.as_ref().into());
        problem.accepted = refusal.accepted.as_deref().map(Box::from);
        problem.recorded = true;
        problem
    }

    /// The rule, or the kind of problem where no rule was asked.
    pub(crate) fn rule_name(&self) -> String {
        match &self.rule {
            Some(rule) => rule.to_string(),
            None => self.kind.rsplit(':').next().unwrap_or_default().to_owned(),
        }
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = self.to_json();
        let mut response = (
            status,
            [(header::CONTENT_TYPE, "application/problem+json")],
            body,
        )
            .into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                header::HeaderValue::from_static("Bearer"),
            );
        }
        if let Some(seconds) = self.retry_after {
            let value = header::HeaderValue::from(seconds);
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response.extensions_mut().insert(self);
        response
    }
}
