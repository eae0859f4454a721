//! The readers of SCEP, used to the full on bytes that may be anything.

use super::{message, query};

/// A pkiMessage under both policies; and as the base64 of a query.
pub(in crate::device) fn message(data: &[u8]) {
    for legacy in [false, true] {
        if let Ok(message) = message::read(data, legacy) {
            assert!(!message.header.transaction.is_empty());
            assert!(legacy || message.legacy.is_empty());
        }
    }
    let _ = query::message(None, data);
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = (
            query::operation(Some(text)),
            query::message(Some(text), b""),
        );
    }
}
