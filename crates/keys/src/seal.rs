//! Sealing of PKCS#8 under a key-encrypting key: AES-256-GCM, random 96-bit nonce.
//!
//! The associated data binds the ciphertext to the key's id, algorithm and public key, so that a
//! sealed key moved to another record, or a record given another public key, does not open. Random
//! nonces are safe up to 2^32 sealings under one key (SP 800-38D §8.3); a hospital makes thousands.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf;
use x509::KeyAlgorithm;
use zeroize::Zeroizing;

use crate::KeyError;
use crate::record::{KeyId, KeyRecord, SealedKey};

const FORMAT: u32 = 1;
const TAG: usize = 16;

/// A key-encrypting key, ready for use. What it was derived from is gone already.
pub(crate) struct Kek {
    key: RandomizedNonceKey,
    fingerprint: String,
}

impl Kek {
    /// Separates the secret into the sealing key and a fingerprint that reveals nothing about it
    /// and tells a wrong secret at once (HKDF, RFC 5869).
    pub(crate) fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, b"ward kek v1").extract(secret);
        let derive = |purpose: &'static [u8]| -> Result<Zeroizing<[u8; 32]>, KeyError> {
            let mut out = Zeroizing::new([0; 32]);
            prk.expand(&[purpose], hkdf::HKDF_SHA256)
                .and_then(|okm| okm.fill(out.as_mut()))
                .map_err(|_| KeyError::Crypto("key derivation"))?;
            Ok(out)
        };
        Ok(Self {
            key: RandomizedNonceKey::new(&AES_256_GCM, derive(b"seal")?.as_ref())
                .map_err(|_| KeyError::Crypto("AES-256-GCM key"))?,
            fingerprint: hex::encode(&derive(b"fingerprint")?[..8]),
        })
    }

    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(crate) fn seal(
        &self,
        id: &KeyId,
        algorithm: KeyAlgorithm,
        spki_der: &[u8],
        pkcs8: &[u8],
    ) -> Result<SealedKey, KeyError> {
        // Room for the tag from the start: a growing vector would leave a copy of the key behind.
        let mut buffer = Zeroizing::new(Vec::with_capacity(pkcs8.len() + TAG));
        buffer.extend_from_slice(pkcs8);
        let nonce = self
            .key
            .seal_in_place_append_tag(
                Aad::from(associated_data(id, algorithm, spki_der)),
                &mut *buffer,
            )
            .map_err(|_| KeyError::Crypto("AES-256-GCM seal"))?;
        Ok(SealedKey {
            version: FORMAT,
            kek: self.fingerprint.clone(),
            nonce: nonce.as_ref().to_vec(),
            ciphertext: buffer.to_vec(),
        })
    }

    /// The PKCS#8 of a record that is sealed under this very key.
    pub(crate) fn open(
        &self,
        record: &KeyRecord,
        sealed: &SealedKey,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        if sealed.version != FORMAT {
            return Err(KeyError::UnknownFormat(sealed.version));
        }
        let tampered = |_| KeyError::Tampered(record.id.clone());
        let nonce = Nonce::try_assume_unique_for_key(&sealed.nonce).map_err(tampered)?;
        let aad = associated_data(&record.id, record.algorithm, &record.spki_der);
        let mut buffer = Zeroizing::new(sealed.ciphertext.clone());
        let length = self
            .key
            .open_in_place(nonce, Aad::from(aad), &mut buffer)
            .map_err(tampered)?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }
}

/// Every field with its length before it, so that no two records share associated data.
fn associated_data(id: &KeyId, algorithm: KeyAlgorithm, spki_der: &[u8]) -> Vec<u8> {
    let mut data = b"ward sealed key v1".to_vec();
    for field in [
        id.as_str().as_bytes(),
        algorithm.to_string().as_bytes(),
        spki_der,
    ] {
        data.extend_from_slice(&(field.len() as u64).to_be_bytes());
        data.extend_from_slice(field);
    }
    data
}
