//! Online certificate status (RFC 6960).
