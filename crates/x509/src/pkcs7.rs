//! Certificates-only CMS messages (RFC 5652 §5).
