//! Reading EnvelopedData (RFC 5652 §6): who it is for, and what is in it.
//!
//! # No oracle
//! CBC has no integrity, so whoever learns whether padding was right, of the key transport or of the content, reads
//! messages that are not theirs (Bleichenbacher 1998, Vaudenay 2002). Here a wrong padding of the content is no
//! error: the content comes out as it is, and fails where its reader finds that it is not what was expected. A wrong
//! padding of the key is no error either if the caller opens it with implicit rejection, as `keys` does. So all that
//! a sender learns is that its message made no sense.

use aws_lc_rs::{
    cipher::{DecryptingKey, DecryptionContext, UnboundCipherKey},
    iv::FixedLength,
};
use zeroize::Zeroizing;

use super::{
    CmsError, ContentCipher, EntityId, KeyTransport, MAX_MEMBERS, content, elements, normalised,
    padding,
};
use crate::{
    AlgorithmIdentifier, Certificate, Error, Oid,
    der::{Reader, Tag},
    oids,
    pkcs7::join_octet_fragments,
};

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
        fields.u64()?; // The version follows from the rest (RFC 5652 §6.1).
        fields.optional(Tag::context_constructed(0))?; // OriginatorInfo is for key agreement.
        let recipients = read_recipients(&mut fields.set()?)?;
        let mut encrypted = fields.sequence()?;
        let content_type = encrypted.oid()?;
        let (cipher, iv) = read_cipher(&mut encrypted)?;
        let ciphertext = read_ciphertext(&mut encrypted)?;
        encrypted.finish()?;
        fields.optional(Tag::context_constructed(1))?; // Attributes that nothing protects.
        fields.finish()?;
        Ok(Self {
            recipients,
            content_type,
            cipher,
            iv,
            ciphertext,
        })
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

    /// Decrypts the content with a content key of the cipher's length. A wrong padding is left in place.
    pub fn decrypt(&self, key: &[u8]) -> Result<Zeroizing<Vec<u8>>, CmsError> {
        if self.ciphertext.is_empty()
            || !self
                .ciphertext
                .len()
                .is_multiple_of(self.cipher.block_len())
        {
            return Err(CmsError::Blocks);
        }
        let context = match self.cipher.block_len() {
            8 => FixedLength::try_from(self.iv.as_slice()).map(DecryptionContext::Iv64),
            _ => FixedLength::try_from(self.iv.as_slice()).map(DecryptionContext::Iv128),
        };
        let context = context.map_err(|_| CmsError::Crypto)?;
        let mut buffer = Zeroizing::new(self.ciphertext.clone());
        UnboundCipherKey::new(self.cipher.algorithm(), key)
            .and_then(DecryptingKey::cbc)
            .and_then(|key| key.decrypt(&mut buffer, context).map(drop))
            .map_err(|_| CmsError::Crypto)?;
        let len = padding::content_len(&buffer, self.cipher.block_len());
        buffer.truncate(len);
        Ok(buffer)
    }
}

/// Recipients with key transport; those with key agreement, shared keys or passwords carry other tags.
fn read_recipients(set: &mut Reader<'_>) -> Result<Vec<Recipient>, CmsError> {
    let mut recipients = Vec::new();
    for element in elements(set, MAX_MEMBERS)? {
        if element.tag != Tag::SEQUENCE {
            continue;
        }
        let mut fields = set.descend(element.value)?;
        fields.u64()?; // The version says only how the recipient is named.
        let id = EntityId::read(&mut fields)?;
        let algorithm = AlgorithmIdentifier::read(&mut fields)?;
        let encrypted_key = fields.octet_string()?.to_vec();
        fields.finish()?;
        recipients.push(Recipient {
            id,
            transport: KeyTransport::read(&algorithm)?,
            encrypted_key,
        });
    }
    Ok(recipients)
}

fn read_cipher(encrypted: &mut Reader<'_>) -> Result<(ContentCipher, Vec<u8>), CmsError> {
    let id = AlgorithmIdentifier::read(encrypted)?;
    let cipher = ContentCipher::from_oid(&id.oid)?;
    let params = id.params.as_deref().unwrap_or_default();
    let mut params = Reader::new(params).tolerant();
    let iv = params.octet_string()?;
    params.finish()?;
    if iv.len() != cipher.block_len() {
        let why = "it has not the length of a cipher block";
        return Err(Error::invalid("initialisation vector", why).into());
    }
    Ok((cipher, iv.to_vec()))
}

/// encryptedContent [0] IMPLICIT OCTET STRING, in one piece or, from streaming writers, in fragments.
fn read_ciphertext(encrypted: &mut Reader<'_>) -> Result<Vec<u8>, CmsError> {
    if let Some(whole) = encrypted.optional(Tag::context(0))? {
        return Ok(whole.value.to_vec());
    }
    match encrypted.optional(Tag::context_constructed(0))? {
        None => Err(CmsError::NoContent),
        Some(fragments) => join_octet_fragments(fragments.value).map_err(|_| {
            Error::invalid("encrypted content", "a fragment is not an octet string").into()
        }),
    }
}
