//! Making EnvelopedData (RFC 5652 §6) for recipients with RSA keys.

use aws_lc_rs::{
    cipher::{PaddedBlockEncryptingKey, UnboundCipherKey},
    rand,
    rsa::{
        OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512,
        OaepAlgorithm, OaepPublicEncryptingKey, Pkcs1PublicEncryptingKey, PublicEncryptingKey,
    },
};
use zeroize::Zeroizing;

use super::{
    CmsError, ContentCipher, DigestAlgorithm, EntityId, KeyTransport, algorithm::unsupported,
};
use crate::{
    Certificate, Oid, PublicKey, PublicKeyKind,
    der::{self, Tag},
    oids,
};

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
    content_type: Oid,
    content: &[u8],
    cipher: ContentCipher,
    recipients: &[SealTo],
) -> Result<Vec<u8>, CmsError> {
    let mut key = Zeroizing::new(vec![0; cipher.key_len()]);
    rand::fill(&mut key).map_err(|_| CmsError::Crypto)?;
    let (iv, ciphertext) = encrypt(cipher, &key, content)?;
    let mut infos = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        infos.push(recipient.encode(&recipient.transport_key(&key)?));
    }
    // RFC 5652 §6.1: 2 where a recipient is named by key, 0 otherwise.
    let by_key = |recipient: &SealTo| matches!(recipient.id, EntityId::SubjectKeyId(_));
    let version = if recipients.iter().any(by_key) { 2 } else { 0 };
    Ok(der::sequence(|w| {
        w.oid(&oids::ENVELOPED_DATA);
        w.nested(Tag::context_constructed(0), |w| {
            w.sequence(|w| {
                w.u64(version).set_of(infos);
                w.sequence(|w| {
                    w.oid(&content_type).sequence(|w| {
                        w.oid(&cipher.oid()).octet_string(&iv);
                    });
                    w.element(Tag::context(0), &ciphertext);
                });
            });
        });
    }))
}

/// The initialisation vector and the ciphertext.
fn encrypt(
    cipher: ContentCipher,
    key: &[u8],
    content: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), CmsError> {
    let failed = |_| CmsError::Crypto;
    let key = UnboundCipherKey::new(cipher.algorithm(), key)
        .and_then(PaddedBlockEncryptingKey::cbc_pkcs7)
        .map_err(failed)?;
    let mut buffer = Vec::with_capacity(content.len() + 16); // No growing: that would leave plaintext behind.
    buffer.extend_from_slice(content);
    let context = key.encrypt(&mut buffer).map_err(failed)?;
    let iv: &[u8] = (&context).try_into().map_err(failed)?;
    Ok((iv.to_vec(), buffer))
}

impl SealTo {
    /// The content key, encrypted for this recipient.
    fn transport_key(&self, key: &[u8]) -> Result<Vec<u8>, CmsError> {
        if !matches!(self.key.kind(), PublicKeyKind::Rsa { .. }) {
            return Err(CmsError::NotRsa);
        }
        // Refuses what is below 2048 bits.
        let public =
            PublicEncryptingKey::from_der(self.key.spki_der()).map_err(|_| CmsError::Crypto)?;
        let mut encrypted = vec![0; public.key_size_bytes()];
        let written = match &self.transport {
            KeyTransport::Pkcs1v15 => Pkcs1PublicEncryptingKey::new(public)
                .and_then(|public| Ok(public.encrypt(key, &mut encrypted)?.len())),
            KeyTransport::Oaep { hash, mask, label } if hash == mask => {
                let algorithm = oaep(*hash)?;
                let label = Some(label.as_slice()).filter(|label| !label.is_empty());
                OaepPublicEncryptingKey::new(public).and_then(|public| {
                    Ok(public.encrypt(algorithm, key, &mut encrypted, label)?.len())
                })
            }
            // The library offers one hash for both; reading takes two.
            KeyTransport::Oaep { mask, .. } => {
                return Err(unsupported("mask hash for this OAEP hash", mask.oid()));
            }
        };
        encrypted.truncate(written.map_err(|_| CmsError::Crypto)?);
        Ok(encrypted)
    }

    /// A KeyTransRecipientInfo (RFC 5652 §6.2.1).
    fn encode(&self, encrypted_key: &[u8]) -> Vec<u8> {
        der::sequence(|w| {
            w.u64(match self.id {
                EntityId::IssuerAndSerial { .. } => 0,
                EntityId::SubjectKeyId(_) => 2,
            });
            self.id.write(w);
            self.transport.identifier().write(w);
            w.octet_string(encrypted_key);
        })
    }
}

fn oaep(hash: DigestAlgorithm) -> Result<&'static OaepAlgorithm, CmsError> {
    Ok(match hash {
        DigestAlgorithm::Md5 => return Err(unsupported("OAEP hash", oids::MD5)),
        DigestAlgorithm::Sha1 => &OAEP_SHA1_MGF1SHA1,
        DigestAlgorithm::Sha256 => &OAEP_SHA256_MGF1SHA256,
        DigestAlgorithm::Sha384 => &OAEP_SHA384_MGF1SHA384,
        DigestAlgorithm::Sha512 => &OAEP_SHA512_MGF1SHA512,
    })
}
