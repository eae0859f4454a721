//! CMS messages (RFC 5652): SignedData with one signer, and EnvelopedData for RSA recipients.
//!
//! SCEP wraps every request in both, S/MIME and EST's server-generated keys use them too. Reading takes DER, and BER
//! as streaming writers produce it, within fixed budgets; writing gives DER only. No private key is touched here:
//! what is to be signed is handed out as bytes, and content keys are opened by a function that the caller brings.

mod algorithm;
mod attribute;
mod entity;
mod enveloped;
mod padding;
mod rsa_public;
mod seal;
mod sign;
mod signed;

pub use algorithm::{
    ContentCipher, DigestAlgorithm, KeyTransport, LegacySignature, MessageSignature,
};
pub use attribute::{Attribute, Attributes};
pub use entity::EntityId;
pub use enveloped::{EnvelopedData, Recipient};
pub use seal::{SealTo, seal};
pub use sign::{SignedDataBuilder, ToBeSigned};
pub use signed::{SignedData, SignerInfo, Strength};

use crate::{
    Error, Oid,
    der::{self, Reader},
    pkcs7,
};

/// Largest message read. A SCEP request with a chain is below 16 KiB; an S/MIME message with a form attached fits.
pub const MAX_SIZE: usize = 4 << 20;

/// Most certificates, and most CRLs, in one message.
pub const MAX_CERTIFICATES: usize = 64;

/// Most recipients of one envelope, and most attributes of one signer.
pub const MAX_MEMBERS: usize = 64;

/// Why a message was not read, not believed or not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CmsError {
    /// A message of another type, such as an envelope where a signature is expected.
    #[error("the message is {found}, not {expected}")]
    WrongType { expected: &'static str, found: Oid },
    #[error("the message has no signer")]
    NoSigner,
    /// Which of them would be believed is not for a reader to guess.
    #[error("the message has {0} signers; one is accepted")]
    SeveralSigners(usize),
    #[error("the message carries no content, and none was given beside it")]
    NoContent,
    #[error("the signer's attributes lack {0}")]
    MissingAttribute(Oid),
    #[error("attribute {0} appears more than once, or has not exactly one value")]
    DuplicateAttribute(Oid),
    #[error("attribute {0} has a value of another type")]
    BadAttribute(Oid),
    /// The digest among the attributes is not that of the content: the content was changed.
    #[error("the content does not have the digest that was signed")]
    ContentChanged,
    #[error("the signature does not verify")]
    BadSignature,
    #[error("{0} is only accepted where the legacy policy allows it")]
    Legacy(&'static str),
    #[error("no recipient of the envelope is this certificate")]
    NotARecipient,
    #[error("an RSA recipient is needed; this key is of another kind")]
    NotRsa,
    #[error("the encrypted content is not a whole number of cipher blocks")]
    Blocks,
    #[error("the cryptographic library refused an operation")]
    Crypto,
    #[error(transparent)]
    Invalid(#[from] Error),
}

impl From<der::Error> for CmsError {
    fn from(error: der::Error) -> Self {
        Self::Invalid(error.into())
    }
}

/// What kind of message this is, without reading further: SignedData, EnvelopedData or something else.
pub fn content_type(message: &[u8]) -> Result<Oid, CmsError> {
    let der = normalised(message)?;
    let (kind, _) = pkcs7::content_info(&der)?;
    Ok(kind)
}

/// The message with definite lengths.
fn normalised(message: &[u8]) -> Result<Vec<u8>, CmsError> {
    if message.len() > MAX_SIZE {
        return Err(Error::TooLarge {
            what: "CMS message",
            limit: MAX_SIZE,
        }
        .into());
    }
    Ok(pkcs7::normalised(message)?)
}

/// The content of a ContentInfo that must be of type `expected`.
fn content<'a>(der: &'a [u8], expected: Oid, name: &'static str) -> Result<Reader<'a>, CmsError> {
    let (found, mut content) = pkcs7::content_info(der)?;
    if found != expected {
        return Err(CmsError::WrongType {
            expected: name,
            found,
        });
    }
    let fields = content.sequence()?;
    content.finish()?;
    Ok(fields)
}

/// The elements of a SET, at most `limit` of them.
fn elements<'a>(set: &mut Reader<'a>, limit: usize) -> Result<Vec<der::Element<'a>>, CmsError> {
    let mut elements = Vec::new();
    while !set.is_empty() {
        if elements.len() == limit {
            return Err(der::Error::TooMany(limit).into());
        }
        elements.push(set.element()?);
    }
    Ok(elements)
}
