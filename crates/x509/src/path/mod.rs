//! Certification path validation (RFC 5280 §6).
