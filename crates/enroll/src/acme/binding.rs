//! The binding of an account to an external one (RFC 8555 §7.3.4).
