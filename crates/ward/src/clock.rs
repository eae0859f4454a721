//! The wall clock of a command, read here and passed down as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

use audit::Timestamp;

/// Now. A clock before 1970 reads as 1970, which issuance then refuses as one that has run back.
pub(crate) fn now() -> Timestamp {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}

/// Unix milliseconds as people and scripts read them.
pub(crate) fn millis(at: i64) -> String {
    Timestamp(at).to_string()
}

/// Unix seconds as certificates write them.
pub(crate) fn seconds(at: i64) -> String {
    x509::Time(at).to_string()
}
