//! Sealing of PKCS#8 and of shared secrets under a key-encrypting key: AES-256-GCM, random 96-bit nonce.
//!
//! The associated data binds the ciphertext to the key's id, algorithm and public key (or to the
//! label of a secret), so that a sealed key moved to another record, or a record given another
//! public key, does not open. Random
//! nonces are safe up to 2^32 sealings under one key (SP 800-38D §8.3); a hospital makes thousands.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf;
use x509::KeyAlgorithm;
use zeroize::Zeroizing;

use crate::KeyError;
use crate::record::{KeyId, KeyRecord, SealedKey, SealedSecret};

const FORMAT: u32 = 1;
const TAG: usize = 16;

/// A key-encrypting key, ready for use. What it was derived from is gone already.
pub(crate) struct Kek {
    key: RandomizedNonceKey,
    fingerprint: String,
    /// What keys for one purpose are derived from.
    derivation: hkdf::Prk,
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
            derivation: hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, derive(b"derive")?.as_ref()),
        })
    }

    /// A key for the purpose that `label` names, independent of every other one (RFC 5869 §3.2).
    pub(crate) fn derive(&self, label: &str) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let mut out = Zeroizing::new([0; 32]);
        self.derivation
            .expand(&[label.as_bytes()], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(out.as_mut()))
            .map_err(|_| KeyError::Crypto("key derivation"))?;
        Ok(out)
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
        let aad = associated_data(id, algorithm, spki_der);
        let (nonce, ciphertext) = self.encrypt(aad, pkcs8)?;
        Ok(SealedKey {
            version: FORMAT,
            kek: self.fingerprint.clone(),
            nonce,
            ciphertext,
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
        let aad = associated_data(&record.id, record.algorithm, &record.spki_der);
        self.decrypt(aad, &sealed.nonce, &sealed.ciphertext)
            .ok_or_else(|| KeyError::Tampered(record.id.clone()))
    }

    pub(crate) fn seal_secret(&self, label: &str, secret: &[u8]) -> Result<SealedSecret, KeyError> {
        let (nonce, ciphertext) = self.encrypt(secret_data(label), secret)?;
        Ok(SealedSecret {
            version: FORMAT,
            kek: self.fingerprint.clone(),
            nonce,
            ciphertext,
        })
    }

    pub(crate) fn open_secret(
        &self,
        label: &str,
        sealed: &SealedSecret,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        if sealed.version != FORMAT {
            return Err(KeyError::UnknownFormat(sealed.version));
        }
        self.decrypt(secret_data(label), &sealed.nonce, &sealed.ciphertext)
            .ok_or_else(|| KeyError::TamperedSecret(label.to_owned()))
    }

    /// Nonce and ciphertext.
    fn encrypt(&self, aad: Vec<u8>, plain: &[u8]) -> Result<(Vec<u8>, Vec<u8>), KeyError> {
        // Room for the tag from the start: a growing vector would leave a copy of the key behind.
        let mut buffer = Zeroizing::new(Vec::with_capacity(plain.len() + TAG));
        buffer.extend_from_slice(plain);
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(aad), &mut *buffer)
            .map_err(|_| KeyError::Crypto("AES-256-GCM seal"))?;
        Ok((nonce.as_ref().to_vec(), buffer.to_vec()))
    }

    /// `None`: not what was sealed with this associated data.
    fn decrypt(&self, aad: Vec<u8>, nonce: &[u8], ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let opened = self.key.open_in_place(nonce, Aad::from(aad), &mut buffer);
        let length = opened.ok()?.len();
        buffer.truncate(length);
        Some(buffer)
    }
}

/// A label cannot be mistaken for the fields of a key: the beginnings differ.
fn secret_data(label: &str) -> Vec<u8> {
    let mut data = b"ward sealed secret v1".to_vec();
    data.extend_from_slice(label.as_bytes());
    data
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
