//! The wall clock, read here and nowhere else below.

use std::time::{SystemTime, UNIX_EPOCH};

use audit::Timestamp;

/// Now. A clock before 1970 reads as 1970, which issuance then refuses as a clock that has run back.
#[must_use]
pub fn wall_clock() -> Timestamp {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}
