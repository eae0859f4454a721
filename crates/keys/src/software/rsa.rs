//! RSA keys in software: what aws-lc-rs signs, and what it leaves out (see `raw_rsa`).

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use x509::cms::{KeyTransport, LegacySignature};
use x509::der::Reader;
use zeroize::Zeroizing;

use super::raw_rsa::RawRsa;
use crate::KeyError;
use crate::decipher::Rejection;

pub(crate) struct RsaKey {
    pub(super) pair: KeyPair,
    /// Made when it is first needed: the keys of authorities never decipher.
    bare: OnceLock<Bare>,
}

struct Bare {
    key: RawRsa,
    rejection: Rejection,
}

impl RsaKey {
    pub(super) fn generate(size: KeySize) -> Result<Self, KeyError> {
        let pair = KeyPair::generate(size).map_err(|_| KeyError::Crypto("key generation"))?;
        Ok(Self::new(pair))
    }

    pub(super) fn from_pkcs8(pkcs8: &[u8]) -> Option<Self> {
        KeyPair::from_pkcs8(pkcs8).ok().map(Self::new)
    }

    fn new(pair: KeyPair) -> Self {
        Self {
            pair,
            bare: OnceLock::new(),
        }
    }

    pub(super) fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let der: Pkcs8V1Der<'_> = self
            .pair
            .as_der()
            .map_err(|_| KeyError::Crypto("encoding of a private key"))?;
        Ok(Zeroizing::new(der.as_ref().to_vec()))
    }

    pub(crate) fn sign_legacy(
        &self,
        how: LegacySignature,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        self.bare()?.key.sign(&how.digest_info(message))
    }

    /// The caller has checked that the ciphertext is a number below the modulus, and as long.
    pub(crate) fn decipher(
        &self,
        transport: &KeyTransport,
        ciphertext: &[u8],
        len: usize,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let bare = self.bare()?;
        let block = bare.key.decrypt(ciphertext)?;
        Ok(bare.rejection.open(transport, &block, ciphertext, len))
    }

    pub(crate) fn rejection(&self) -> Result<&Rejection, KeyError> {
        Ok(&self.bare()?.rejection)
    }

    fn bare(&self) -> Result<&Bare, KeyError> {
        if let Some(bare) = self.bare.get() {
            return Ok(bare);
        }
        let pkcs8 = self.to_pkcs8()?;
        let made = Bare {
            key: RawRsa::new(rsa_private_key(&pkcs8)?)?,
            rejection: Rejection::new(&pkcs8),
        };
        Ok(self.bare.get_or_init(|| made))
    }
}

/// The RSAPrivateKey in a PrivateKeyInfo (RFC 5208 §5).
fn rsa_private_key(pkcs8: &[u8]) -> Result<&[u8], KeyError> {
    let read = || {
        let mut info = Reader::new(pkcs8).sequence()?;
        info.u64()?;
        info.sequence()?;
        info.octet_string()
    };
    read().map_err(|_| KeyError::Crypto("encoding of a private key"))
}
