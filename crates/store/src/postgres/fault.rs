//! What PostgreSQL reports, as the store's errors (PostgreSQL manual, appendix A), and whether
//! the connection survived it.

use std::error::Error as _;

use tokio_postgres::error::{DbError, Error, Severity};

use crate::StoreError;

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error.as_db_error() {
            Some(reported) => of_code(reported),
            None if is_lost(&error) => StoreError::Unavailable(with_cause(&error)),
            None => StoreError::Value(with_cause(&error)),
        }
    }
}

/// Whether the connection is gone, so that nobody is left to say what became of the transaction.
pub(crate) fn is_lost(error: &Error) -> bool {
    if let Some(reported) = error.as_db_error() {
        return !matches!(reported.parsed_severity(), Some(Severity::Error));
    }
    let io = error
        .source()
        .is_some_and(|cause| cause.is::<std::io::Error>());
    error.is_closed() || io
}

fn of_code(error: &DbError) -> StoreError {
    let mut text = error.message().to_owned();
    if let Some(detail) = error.detail() {
        text = format!("{text}: {detail}");
    }
    let code = error.code().code();
    match (code, &code[..2]) {
        ("23505", _) => StoreError::Duplicate(text),
        (_, "23") => StoreError::Constraint(text),
        ("53100", _) => StoreError::Full(text),
        ("25006", _) => StoreError::ReadOnly(text),
        ("XX001" | "XX002", _) => StoreError::Corrupt(text),
        ("55P03" | "57014" | "25P03", _) | (_, "40") => StoreError::Busy(text),
        (_, "08" | "28" | "3D" | "53" | "57" | "58") => StoreError::Unavailable(text),
        _ => StoreError::Statement(format!("{text} ({code})")),
    }
}

fn with_cause(error: &Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
