//! Software keys through aws-lc. Signing takes no lock; aws-lc wipes a key when it is freed and
//! notices a fork before it draws random numbers.

mod raw_rsa;
mod rsa;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
    RsaEncoding,
};
use x509::{KeyAlgorithm, PublicKey, SignatureAlgorithm};
use zeroize::Zeroizing;

use crate::KeyError;
pub(crate) use rsa::RsaKey;

pub(crate) enum SoftwareKey {
    Rsa(Box<RsaKey>),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SoftwareKey {
    pub(crate) fn generate(algorithm: KeyAlgorithm) -> Result<Self, KeyError> {
        let failed = |_| KeyError::Crypto("key generation");
        let rsa = |size| RsaKey::generate(size).map(|key| Self::Rsa(Box::new(key)));
        let ecdsa = |curve| {
            EcdsaKeyPair::generate(curve)
                .map(Self::Ecdsa)
                .map_err(failed)
        };
        match algorithm {
            KeyAlgorithm::Rsa2048 => rsa(KeySize::Rsa2048),
            KeyAlgorithm::Rsa3072 => rsa(KeySize::Rsa3072),
            KeyAlgorithm::Rsa4096 => rsa(KeySize::Rsa4096),
            KeyAlgorithm::EcdsaP256 => ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING),
            KeyAlgorithm::EcdsaP384 => ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING),
            KeyAlgorithm::EcdsaP521 => ecdsa(&ECDSA_P521_SHA512_ASN1_SIGNING),
            KeyAlgorithm::Ed25519 => Ed25519KeyPair::generate()
                .map(Self::Ed25519)
                .map_err(failed),
        }
    }

    /// Reads PKCS#8 of any accepted algorithm. aws-lc checks that the private and the public half
    /// belong together.
    pub(crate) fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, KeyError> {
        const CURVES: [&EcdsaSigningAlgorithm; 3] = [
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            &ECDSA_P384_SHA384_ASN1_SIGNING,
            &ECDSA_P521_SHA512_ASN1_SIGNING,
        ];
        if let Some(key) = RsaKey::from_pkcs8(pkcs8) {
            return Ok(Self::Rsa(Box::new(key)));
        }
        if let Ok(key) = Ed25519KeyPair::from_pkcs8(pkcs8) {
            return Ok(Self::Ed25519(key));
        }
        CURVES
            .into_iter()
            .find_map(|curve| EcdsaKeyPair::from_pkcs8(curve, pkcs8).ok())
            .map(Self::Ecdsa)
            .ok_or(KeyError::BadPrivateKey(
                "not PKCS#8 of an RSA (2048 bits or more), P-256, P-384, P-521 or Ed25519 key",
            ))
    }

    /// PKCS#8 version 1, which every OpenSSL reads.
    pub(crate) fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let failed = |_| KeyError::Crypto("encoding of a private key");
        let der: Pkcs8V1Der<'_> = match self {
            Self::Rsa(key) => return key.to_pkcs8(),
            Self::Ed25519(key) => key.as_der().map_err(failed)?,
            Self::Ecdsa(key) => {
                let document = key.to_pkcs8v1().map_err(failed)?;
                return Ok(Zeroizing::new(document.as_ref().to_vec()));
            }
        };
        Ok(Zeroizing::new(der.as_ref().to_vec()))
    }

    pub(crate) fn public_key(&self) -> Result<PublicKey, KeyError> {
        let der: Result<PublicKeyX509Der<'_>, _> = match self {
            Self::Rsa(key) => key.pair.public_key().as_der(),
            Self::Ecdsa(key) => key.public_key().as_der(),
            Self::Ed25519(key) => key.public_key().as_der(),
        };
        let der = der.map_err(|_| KeyError::Crypto("encoding of a public key"))?;
        PublicKey::from_spki_der(der.as_ref())
            .map_err(|_| KeyError::BadPrivateKey("its public key does not parse"))
    }

    /// The caller has checked that the algorithm fits the key.
    pub(crate) fn sign(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        let failed = |_| KeyError::Crypto("signing");
        let rng = SystemRandom::new();
        match self {
            Self::Ecdsa(key) => Ok(key.sign(&rng, message).map_err(failed)?.as_ref().to_vec()),
            Self::Ed25519(key) => Ok(key.try_sign(message).map_err(failed)?.as_ref().to_vec()),
            Self::Rsa(key) => {
                let padding =
                    rsa_padding(algorithm).ok_or(KeyError::Crypto("not an RSA algorithm"))?;
                let mut signature = vec![0; key.pair.public_modulus_len()];
                key.pair
                    .sign(padding, &rng, message, &mut signature)
                    .map_err(failed)?;
                Ok(signature)
            }
        }
    }
}

fn rsa_padding(algorithm: SignatureAlgorithm) -> Option<&'static dyn RsaEncoding> {
    match algorithm {
        SignatureAlgorithm::RsaSha256 => Some(&signature::RSA_PKCS1_SHA256),
        SignatureAlgorithm::RsaSha384 => Some(&signature::RSA_PKCS1_SHA384),
        SignatureAlgorithm::RsaSha512 => Some(&signature::RSA_PKCS1_SHA512),
        SignatureAlgorithm::RsaPssSha256 => Some(&signature::RSA_PSS_SHA256),
        SignatureAlgorithm::RsaPssSha384 => Some(&signature::RSA_PSS_SHA384),
        SignatureAlgorithm::RsaPssSha512 => Some(&signature::RSA_PSS_SHA512),
        SignatureAlgorithm::EcdsaSha256
        | SignatureAlgorithm::EcdsaSha384
        | SignatureAlgorithm::EcdsaSha512
        | SignatureAlgorithm::Ed25519 => None,
    }
}

/// Which signatures a key may make. An elliptic curve goes with the hash of its own strength and no
/// other (SP 800-57 part 1 §5.6.2; what root programmes demand too); RSA takes any SHA-2.
pub(crate) fn fits(key: KeyAlgorithm, signature: SignatureAlgorithm) -> bool {
    match key {
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
            rsa_padding(signature).is_some()
        }
        KeyAlgorithm::EcdsaP256 => signature == SignatureAlgorithm::EcdsaSha256,
        KeyAlgorithm::EcdsaP384 => signature == SignatureAlgorithm::EcdsaSha384,
        KeyAlgorithm::EcdsaP521 => signature == SignatureAlgorithm::EcdsaSha512,
        KeyAlgorithm::Ed25519 => signature == SignatureAlgorithm::Ed25519,
    }
}
