//! The RSA public operation for one purpose: verifying MD5 signatures of old devices, which aws-lc-rs does not do.
//! Nothing here is secret, so nothing here is constant-time.

use super::CmsError;
use crate::PublicKey;

/// Verifies RSASSA-PKCS1-v1_5 (RFC 8017 §8.2.2) over a given DigestInfo.
pub(super) fn verify(
    _key: &PublicKey,
    _digest_info: &[u8],
    _signature: &[u8],
) -> Result<(), CmsError> {
    Err(CmsError::BadSignature)
}
