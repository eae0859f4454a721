//! A key that is ready to sign. Cheap to clone and safe to share; the software path takes no lock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use x509::cms::{KeyTransport, MessageSignature};
use x509::{KeyAlgorithm, PublicKey, SignatureAlgorithm};
use zeroize::Zeroizing;

use crate::KeyError;
use crate::pkcs11::TokenKey;
use crate::record::KeyId;
use crate::software::{self, SoftwareKey};

#[derive(Clone)]
pub struct Signer(pub(crate) Arc<Loaded>);

pub(crate) struct Loaded {
    id: KeyId,
    algorithm: KeyAlgorithm,
    public: PublicKey,
    private: Private,
    destroyed: AtomicBool,
}

enum Private {
    Software(SoftwareKey),
    Token(Box<TokenKey>),
}

impl Signer {
    /// A signer for a key that is held in memory only: an offline root during its ceremony.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, KeyError> {
        let key = SoftwareKey::from_pkcs8(pkcs8)?;
        let public = key.public_key()?;
        let algorithm = KeyAlgorithm::of(&public).ok_or(KeyError::BadPrivateKey(
            "a key of this kind or size is not used",
        ))?;
        Ok(Self::new(
            KeyId::random()?,
            algorithm,
            public,
            Private::Software(key),
        ))
    }

    /// As [`Self::from_pkcs8`], from the encrypted PEM file in which an offline root is carried.
    pub fn from_encrypted_pem(pem: &str, passphrase: &str) -> Result<Self, KeyError> {
        Self::from_pkcs8(&crate::offline::decrypt(pem, passphrase)?)
    }

    pub(crate) fn software(
        id: KeyId,
        algorithm: KeyAlgorithm,
        public: PublicKey,
        key: SoftwareKey,
    ) -> Self {
        Self::new(id, algorithm, public, Private::Software(key))
    }

    pub(crate) fn token(
        id: KeyId,
        algorithm: KeyAlgorithm,
        public: PublicKey,
        key: TokenKey,
    ) -> Self {
        Self::new(id, algorithm, public, Private::Token(Box::new(key)))
    }

    fn new(id: KeyId, algorithm: KeyAlgorithm, public: PublicKey, private: Private) -> Self {
        Self(Arc::new(Loaded {
            id,
            algorithm,
            public,
            private,
            destroyed: AtomicBool::new(false),
        }))
    }

    pub fn id(&self) -> &KeyId {
        &self.0.id
    }

    pub fn public_key(&self) -> &PublicKey {
        &self.0.public
    }

    pub fn algorithm(&self) -> KeyAlgorithm {
        self.0.algorithm
    }

    /// Whether signing waits for a device, so that an async caller moves it to a blocking thread.
    pub fn is_blocking(&self) -> bool {
        matches!(self.0.private, Private::Token(_))
    }

    /// Signs as a certificate needs it: ECDSA as a DER SEQUENCE (RFC 3279 §2.2.3), RSA as one
    /// modulus-sized string, PSS with a salt as long as the hash (RFC 4055 §3.1).
    pub fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let key = &*self.0;
        key.check_alive()?;
        if !software::fits(key.algorithm, algorithm) {
            return Err(KeyError::WrongAlgorithm {
                key: key.algorithm,
                signature: algorithm,
            });
        }
        match &key.private {
            Private::Software(software) => software.sign(algorithm, message),
            Private::Token(token) => {
                let signature = token.sign(algorithm, message)?;
                // A device that signs wrongly (a fault, another key under the same id) must not
                // reach a certificate; a faulty RSA signature would even give the key away.
                key.public
                    .verify(algorithm, message, &signature)
                    .map_err(|_| token.misbehaved("its signature does not verify"))?;
                Ok(signature)
            }
        }
    }

    /// As [`Self::sign`], for a CMS message; also the RSA signatures with SHA-1 or MD5 that old devices need, which
    /// the caller's policy has admitted. They never sign a certificate.
    pub fn sign_message(&self, how: MessageSignature, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let legacy = match how {
            MessageSignature::Current(algorithm) => return self.sign(algorithm, message),
            MessageSignature::Legacy(legacy) => legacy,
        };
        let key = &*self.0;
        key.check_alive()?;
        match &key.private {
            Private::Software(SoftwareKey::Rsa(rsa)) => rsa.sign_legacy(legacy, message),
            Private::Token(token) if key.public.rsa_modulus().is_some() => {
                let signature = token.sign_legacy(legacy, message)?;
                legacy
                    .verify(&key.public, message, &signature)
                    .map_err(|_| token.misbehaved("its signature does not verify"))?;
                Ok(signature)
            }
            _ => Err(KeyError::NoLegacySignature(key.algorithm)),
        }
    }

    /// Opens a content key of `key_len` octets that was encrypted for this RSA key.
    ///
    /// There is no wrong padding: what is not well padded, or holds a key of another length, gives a pseudo-random
    /// key that depends on this private key and the ciphertext alone, in the same time (implicit rejection). So the
    /// caller learns nothing from it that it could tell a sender; it decrypts with what it got and finds nonsense.
    /// Errors are for what anybody can see: a key that is not RSA, a ciphertext that is too long, a token that is
    /// away.
    pub fn decipher(
        &self,
        transport: &KeyTransport,
        ciphertext: &[u8],
        key_len: usize,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let key = &*self.0;
        key.check_alive()?;
        let modulus = key
            .public
            .rsa_modulus()
            .ok_or(KeyError::CannotDecipher(key.algorithm))?;
        // Some senders leave out leading zeros.
        let mut block = vec![0; modulus.len().saturating_sub(ciphertext.len())];
        block.extend_from_slice(ciphertext);
        if block.len() > modulus.len() {
            return Err(KeyError::CiphertextLength {
                expected: modulus.len(),
                found: ciphertext.len(),
            });
        }
        let in_range = block.as_slice() < modulus && block.iter().any(|octet| *octet != 0);
        match &key.private {
            Private::Software(SoftwareKey::Rsa(rsa)) if in_range => {
                rsa.decipher(transport, &block, key_len)
            }
            Private::Software(SoftwareKey::Rsa(rsa)) => {
                Ok(rsa.rejection()?.reject(&block, key_len))
            }
            Private::Token(token) if in_range => token.decipher(transport, &block, key_len),
            Private::Token(token) => Ok(token.rejection()?.reject(&block, key_len)),
            Private::Software(_) => Err(KeyError::CannotDecipher(key.algorithm)),
        }
    }

    /// Whether the key can sign now. Software keys always can; a token is asked for its key.
    pub fn probe(&self) -> Result<(), KeyError> {
        match &self.0.private {
            Private::Software(_) => Ok(()),
            Private::Token(token) => token.probe(),
        }
    }

    /// The private key itself, for the offline file and for backups of software keys.
    pub(crate) fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match &self.0.private {
            Private::Software(software) => software.to_pkcs8(),
            Private::Token(_) => Err(KeyError::NotExportable(self.0.id.clone())),
        }
    }
}

impl Loaded {
    /// Stops every clone of the signer; the memory is wiped when the last one goes.
    pub(crate) fn mark_destroyed(&self) {
        self.destroyed.store(true, Ordering::Relaxed);
    }

    fn check_alive(&self) -> Result<(), KeyError> {
        match self.destroyed.load(Ordering::Relaxed) {
            true => Err(KeyError::Destroyed(self.id.clone())),
            false => Ok(()),
        }
    }

    pub(crate) fn is_for(&self, spki_der: &[u8]) -> bool {
        self.public.spki_der() == spki_der
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("id", &self.0.id)
            .field("algorithm", &self.0.algorithm)
            .finish_non_exhaustive()
    }
}
