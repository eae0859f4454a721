//! Failures of the rooms below, as problem documents.

use access::AccessError;
use ca::CaError;
use enroll::AcmeError;
use hyper::StatusCode;
use store::StoreError;

use crate::problem::Problem;

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Unauthenticated(refusal) => Problem::unauthenticated(refusal.message),
            AccessError::Refused(refusal) => Problem::refused(StatusCode::FORBIDDEN, &refusal),
            AccessError::NotFound { .. } => Problem::not_found(error.to_string()),
            AccessError::Store(error) => error.into(),
            other => Problem::internal(&other),
        }
    }
}

impl From<CaError> for Problem {
    fn from(error: CaError) -> Self {
        match error {
            CaError::Refused(refusal) => {
                Problem::refused(StatusCode::UNPROCESSABLE_ENTITY, &refusal)
            }
            CaError::NotFound { .. } => Problem::not_found(error.to_string()),
            CaError::Access(error) => error.into(),
            CaError::Store(error) => error.into(),
            CaError::Key(error) => {
                tracing::error!(%error, "a key cannot be used");
                Problem::unavailable("a signing key cannot be used right now")
            }
            other => Problem::internal(&other),
        }
    }
}

impl From<AcmeError> for Problem {
    fn from(error: AcmeError) -> Self {
        match error {
            AcmeError::Refused(refusal) => {
                Problem::refused(StatusCode::UNPROCESSABLE_ENTITY, &refusal)
            }
            AcmeError::NotFound { .. } => Problem::not_found(error.to_string()),
            AcmeError::Access(error) => error.into(),
            AcmeError::Ca(error) => error.into(),
            AcmeError::Store(error) => error.into(),
            other => Problem::internal(&other),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Conflict(what) => Problem::conflict(*what),
            StoreError::Full(_)
            | StoreError::ReadOnly(_)
            | StoreError::Busy(_)
            | StoreError::Unavailable(_) => {
                tracing::error!(%error, "the database refuses work");
                Problem::unavailable(error.to_string())
            }
            _ => Problem::internal(&error),
        }
    }
}
