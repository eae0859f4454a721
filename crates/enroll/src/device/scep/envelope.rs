//! Opening what is meant for the registration authority, and sealing what is meant for the device.
//!
//! Whoever learns why an envelope did not open reads envelopes that are not theirs. So a wrong recipient, a wrong padding of
//! the key, a wrong padding of the content and content that is something else are one failure, with one answer; the first
//! two even take the same time (implicit rejection in `keys`, RFC 8017 §7.2.2 note).

use std::sync::Arc;

use ca::Ra;
use keys::{KeyError, Signer};
use x509::cms::{CmsError, ContentCipher, EnvelopedData, SealTo, seal};
use x509::{Certificate, oids};
use zeroize::Zeroizing;

use super::Fault;

/// The message made no sense. There is deliberately nothing in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nonsense;

/// Why an envelope stays closed.
enum Closed {
    Nonsense,
    /// A token that is away: try again.
    Key(KeyError),
}

impl From<CmsError> for Closed {
    fn from(_: CmsError) -> Self {
        Closed::Nonsense
    }
}

/// The plain content, if the envelope is for one of the authority's certificates: devices keep the one they once fetched.
pub(super) async fn open(
    ra: &Arc<Ra>,
    envelope: &EnvelopedData,
) -> Result<Result<Zeroizing<Vec<u8>>, Nonsense>, Fault> {
    let current = (&ra.certificate, &ra.signer);
    let former = ra.former.iter().map(|key| (&key.certificate, &key.signer));
    let mut keys = std::iter::once(current).chain(former);
    let Some((certificate, signer)) =
        keys.find(|(certificate, _)| envelope.recipient(certificate).is_ok())
    else {
        return Ok(Err(Nonsense));
    };
    let opened = match signer.is_blocking() {
        false => decipher(envelope, certificate, signer),
        true => {
            let (envelope, certificate, signer) =
                (envelope.clone(), certificate.clone(), signer.clone());
            blocking(move || decipher(&envelope, &certificate, &signer)).await?
        }
    };
    match opened {
        Ok(plain) => Ok(Ok(plain)),
        Err(Closed::Nonsense) => Ok(Err(Nonsense)),
        Err(Closed::Key(error)) => Err(error.into()),
    }
}

fn decipher(
    envelope: &EnvelopedData,
    certificate: &Certificate,
    signer: &Signer,
) -> Result<Zeroizing<Vec<u8>>, Closed> {
    // A ciphertext that is not as long as the modulus is something that anybody can see; still one answer.
    let width = signer.public_key().rsa_modulus().map_or(0, <[u8]>::len);
    let recipient = envelope.recipient(certificate)?;
    if recipient.encrypted_key.len() != width {
        return Err(Closed::Nonsense);
    }
    envelope.open(certificate, |transport, ciphertext, length| {
        let key = signer.decipher(transport, ciphertext, length);
        key.map_err(|error| match error {
            KeyError::Crypto(_) => Closed::Nonsense,
            other => Closed::Key(other),
        })
    })
}

/// Runs what waits for a device on a thread that may wait.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Fault::Interrupted)
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
