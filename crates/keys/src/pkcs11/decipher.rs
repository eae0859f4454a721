//! Opening content keys with a key in a token.
//!
//! Preferred is the bare RSA operation (`CKM_RSA_X_509`): the padding is then looked at in this process, in constant
//! time. A token that does not allow it removes the padding itself and says whether it was right; that answer goes no
//! further than this file, though a token may take longer for one than for the other.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsOaepParams, PkcsOaepSource};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use x509::SignatureAlgorithm;
use x509::cms::{DigestAlgorithm, KeyTransport};
use zeroize::Zeroizing;

use super::token::TokenKey;
use crate::KeyError;
use crate::decipher::Rejection;

/// What is known about how a key opens envelopes.
#[derive(Default)]
pub(super) struct Opening {
    rejection: OnceLock<Rejection>,
    /// The token has refused the bare operation.
    padded_only: AtomicBool,
}

/// Signed by nothing else: what Ward signs with such keys are certificates, CRLs and CMS attributes, which all begin
/// with an ASN.1 tag.
const SECRET_OF: &[u8] = b"ward: the secret of this key for implicit rejection";

impl TokenKey {
    /// The caller has checked that the ciphertext is a number below the modulus, and as long.
    pub(crate) fn decipher(
        &self,
        transport: &KeyTransport,
        ciphertext: &[u8],
        len: usize,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let rejection = self.rejection()?;
        if !self.opening.padded_only.load(Ordering::Relaxed) {
            match self.bare(ciphertext)? {
                Some(block) => return Ok(rejection.open(transport, &block, ciphertext, len)),
                None => self.opening.padded_only.store(true, Ordering::Relaxed),
            }
        }
        let opened = self.padded(&mechanism(transport)?, ciphertext)?;
        let opened = opened.as_ref().map(|opened| opened.as_slice());
        Ok(rejection.settle(opened, ciphertext, len))
    }

    /// The secret is a signature: PKCS #1 v1.5 gives the same one every time, and only the key can make it.
    pub(crate) fn rejection(&self) -> Result<&Rejection, KeyError> {
        if let Some(rejection) = self.opening.rejection.get() {
            return Ok(rejection);
        }
        let secret = Zeroizing::new(self.sign(SignatureAlgorithm::RsaSha256, SECRET_OF)?);
        let rejection = &self.opening.rejection;
        Ok(rejection.get_or_init(|| Rejection::new(&secret)))
    }

    /// The block with its padding; `None` where the token does not allow the bare operation.
    fn bare(&self, ciphertext: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        let block = self.token.run(&|lease| {
            let handle = self.handle(lease)?;
            match decrypt(&lease.session, &Mechanism::RsaX509, handle, ciphertext) {
                Ok(block) => Ok(Some(block)),
                Err(Error::Pkcs11(code, _)) if is_refused(code) => Ok(None),
                Err(error) => Err(self.token.fault("deciphering", &error)),
            }
        })?;
        let Some(block) = block else {
            return Ok(None);
        };
        // Some tokens leave out leading zeros; a well padded block begins with one.
        let missing = ciphertext.len().checked_sub(block.len());
        let missing = missing.ok_or_else(|| self.misbehaved("it deciphers to too much"))?;
        let mut whole = Zeroizing::new(vec![0; missing]);
        whole.extend_from_slice(&block);
        Ok(Some(whole))
    }

    /// The content; `None` where the token finds the padding wrong.
    fn padded(
        &self,
        mechanism: &Mechanism<'_>,
        ciphertext: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        self.token.run(&|lease| {
            let handle = self.handle(lease)?;
            match decrypt(&lease.session, mechanism, handle, ciphertext) {
                Ok(content) => Ok(Some(content)),
                Err(Error::Pkcs11(code, _)) if is_wrong_padding(code) => Ok(None),
                Err(error) => Err(self.token.fault("deciphering", &error)),
            }
        })
    }
}

fn decrypt(
    session: &Session,
    mechanism: &Mechanism<'_>,
    key: ObjectHandle,
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    session
        .decrypt(mechanism, key, ciphertext)
        .map(Zeroizing::new)
}

fn mechanism(transport: &KeyTransport) -> Result<Mechanism<'_>, KeyError> {
    let (hash, mask, label) = match transport {
        KeyTransport::Pkcs1v15 => return Ok(Mechanism::RsaPkcs),
        KeyTransport::Oaep { hash, mask, label } => (*hash, *mask, label),
    };
    let (hash, _) = names(hash)?;
    let (_, mgf) = names(mask)?;
    let source = match label.as_slice() {
        [] => PkcsOaepSource::empty(),
        label => PkcsOaepSource::data_specified(label),
    };
    Ok(Mechanism::RsaPkcsOaep(PkcsOaepParams::new(
        hash, mgf, source,
    )))
}

fn names(hash: DigestAlgorithm) -> Result<(MechanismType, PkcsMgfType), KeyError> {
    Ok(match hash {
        DigestAlgorithm::Md5 => return Err(KeyError::Crypto("OAEP with MD5")),
        DigestAlgorithm::Sha1 => (MechanismType::SHA1, PkcsMgfType::MGF1_SHA1),
        DigestAlgorithm::Sha256 => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256),
        DigestAlgorithm::Sha384 => (MechanismType::SHA384, PkcsMgfType::MGF1_SHA384),
        DigestAlgorithm::Sha512 => (MechanismType::SHA512, PkcsMgfType::MGF1_SHA512),
    })
}

/// How tokens in FIPS mode, and those that never had it, refuse the bare operation.
fn is_refused(code: RvError) -> bool {
    matches!(
        code,
        RvError::MechanismInvalid
            | RvError::MechanismParamInvalid
            | RvError::FunctionNotSupported
            | RvError::KeyTypeInconsistent
            | RvError::KeyFunctionNotPermitted
            | RvError::ActionProhibited
    )
}

/// How tokens say that the padding is wrong; SoftHSM2 says the most general thing that there is.
fn is_wrong_padding(code: RvError) -> bool {
    matches!(
        code,
        RvError::EncryptedDataInvalid
            | RvError::EncryptedDataLenRange
            | RvError::DataInvalid
            | RvError::DataLenRange
            | RvError::GeneralError
            | RvError::FunctionFailed
    )
}
