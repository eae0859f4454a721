//! PKCS #12 bundles (RFC 7292).
