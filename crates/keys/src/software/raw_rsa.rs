//! The bare RSA private operation of aws-lc.
//!
//! aws-lc-rs removes PKCS #1 v1.5 padding itself and reports a wrong one as an error, by another path through the
//! library: an oracle in time, however its caller answers. aws-lc says so in its own source and asks callers to
//! take the block unpadded. The safe crate does not offer that, nor signatures with SHA-1 and MD5 for devices that
//! verify nothing else, so this file, and no other, calls the library directly. Blinding and the check of the result
//! against faults are the library's, as in every other operation.

#![allow(
    unsafe_code,
    reason = "aws-lc-rs offers no RSA without padding; see above"
)]

use std::ptr::NonNull;

use aws_lc_sys::{
    ERR_clear_error, RSA, RSA_NO_PADDING, RSA_PKCS1_PADDING, RSA_decrypt, RSA_free,
    RSA_private_key_from_bytes, RSA_sign_raw, RSA_size,
};
use zeroize::Zeroizing;

use crate::KeyError;

/// An RSA private key as the library holds it; wiped when it is freed.
pub(super) struct RawRsa(NonNull<RSA>);

// SAFETY: an RSA object is not tied to a thread, and private operations on one object may run at the same time:
// what they cache (Montgomery contexts, blinding factors) the library guards with its own locks (openssl/rsa.h).
unsafe impl Send for RawRsa {}
// SAFETY: as above; nothing here changes the key.
unsafe impl Sync for RawRsa {}

impl RawRsa {
    /// From RSAPrivateKey (RFC 8017 §A.1.2); the library checks that its parts belong together.
    pub(super) fn new(rsa_private_key: &[u8]) -> Result<Self, KeyError> {
        // SAFETY: pointer and length are of one slice, which the function reads and does not keep.
        let key =
            unsafe { RSA_private_key_from_bytes(rsa_private_key.as_ptr(), rsa_private_key.len()) };
        NonNull::new(key).map(Self).ok_or_else(|| {
            forget_errors();
            KeyError::Crypto("loading of an RSA key")
        })
    }

    fn size(&self) -> usize {
        // SAFETY: the key lives as long as `self`.
        unsafe { RSA_size(self.0.as_ptr()) as usize }
    }

    /// `ciphertext` to the power of the private exponent, as long as the modulus. `ciphertext` must be as long as
    /// the modulus and below it.
    pub(super) fn decrypt(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let mut block = Zeroizing::new(vec![0; self.size()]);
        let mut written = 0;
        // SAFETY: the key lives as long as `self`; the output slice has the size that is passed, which is what the
        // function writes at most; input pointer and length are of one slice.
        let done = unsafe {
            RSA_decrypt(
                self.0.as_ptr(),
                &raw mut written,
                block.as_mut_ptr(),
                block.len(),
                ciphertext.as_ptr(),
                ciphertext.len(),
                RSA_NO_PADDING,
            )
        };
        if done != 1 || written != block.len() {
            forget_errors();
            return Err(KeyError::Crypto("deciphering"));
        }
        Ok(block)
    }

    /// RSASSA-PKCS1-v1_5 over a DigestInfo that is complete already (RFC 8017 §8.2.1).
    pub(super) fn sign(&self, digest_info: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut signature = vec![0; self.size()];
        let mut written = 0;
        // SAFETY: as in `decrypt`.
        let done = unsafe {
            RSA_sign_raw(
                self.0.as_ptr(),
                &raw mut written,
                signature.as_mut_ptr(),
                signature.len(),
                digest_info.as_ptr(),
                digest_info.len(),
                RSA_PKCS1_PADDING,
            )
        };
        if done != 1 || written != signature.len() {
            forget_errors();
            return Err(KeyError::Crypto("signing"));
        }
        Ok(signature)
    }
}

impl Drop for RawRsa {
    fn drop(&mut self) {
        // SAFETY: this is the only reference that was ever taken, and it is given up here.
        unsafe { RSA_free(self.0.as_ptr()) };
    }
}

/// The library queues errors per thread; nobody reads them.
fn forget_errors() {
    // SAFETY: takes nothing and only empties the calling thread's queue.
    unsafe { ERR_clear_error() };
}
