//! Opening what is meant for the registration authority, and sealing what is meant for the device.
//!
//! Whoever learns why an envelope did not open reads envelopes that are not theirs. So a wrong recipient, a wrong padding of
//! the key, a wrong padding of the content and content that is something else are one failure, with one answer; the last
//! three take the same time too (implicit rejection in `keys`, RFC 8017 §7.2.2 note).

use std::sync::Arc;

use ca::{Ra, RaError};
use keys::KeyError;
use x509::cms::{CmsError, ContentCipher, EnvelopedData, SealTo, seal};
use x509::{Certificate, oids};
use zeroize::Zeroizing;

use super::Fault;

/// The message made no sense. There is deliberately nothing in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nonsense;

/// The plain content, if the envelope is for one of the authority's certificates: devices keep the one they once fetched.
pub(super) async fn open(
    ra: &Arc<Ra>,
    envelope: &EnvelopedData,
) -> Result<Result<Zeroizing<Vec<u8>>, Nonsense>, Fault> {
    match ra.open(envelope.clone()).await {
        Ok(plain) => Ok(Ok(plain)),
        // What anybody can see from outside, and what the library refuses to work on; still one answer.
        Err(
            RaError::Cms(_) | RaError::Key(KeyError::CiphertextLength { .. } | KeyError::Crypto(_)),
        ) => Ok(Err(Nonsense)),
        Err(error) => Err(error.into()),
    }
}

/// `content` for whoever signed the request, in the cipher that the request used.
pub(super) fn sealed(
    content: &[u8],
    recipient: &Certificate,
    cipher: ContentCipher,
) -> Result<Vec<u8>, CmsError> {
    let recipient = SealTo::certificate(recipient)?;
    seal(oids::DATA, content, cipher, &[recipient])
}
