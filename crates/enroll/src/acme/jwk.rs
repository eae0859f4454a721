//! Keys as clients write them (RFC 7517, RFC 7518 §6, RFC 8037), parsed once.

use x509::PublicKey;

/// A public key that may sign requests.
pub(crate) struct Jwk {
    /// SHA-256 of the canonical form (RFC 7638).
    pub(crate) thumbprint: [u8; 32],
    /// The canonical form: required members only, in their order (RFC 7638 §3.2).
    pub(crate) canonical: String,
    /// The same key as certificates write it.
    pub(crate) public: PublicKey,
}
