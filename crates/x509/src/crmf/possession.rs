//! Proof of possession (RFC 4211 §4): that whoever asks for a certificate holds the private key.

use crate::{
    AlgorithmIdentifier, Error, GeneralName, SignatureAlgorithm,
    der::{self, Reader, Tag, Writer},
};

use super::CertReqMsg;

/// ProofOfPossession.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProofOfPossession {
    /// A registration authority says that it has seen one.
    RaVerified,
    Signature {
        /// Absent if the template holds subject and key.
        input: Option<Box<SigningKeyInput>>,
        algorithm: AlgorithmIdentifier,
        signature: Vec<u8>,
    },
    /// For keys that cannot sign; the complete choice.
    KeyEncipherment(Vec<u8>),
    KeyAgreement(Vec<u8>),
}

/// POPOSigningKeyInput (RFC 4211 §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeyInput {
    pub author: PossessionInput,
    pub spki_der: Vec<u8>,
    /// As it was encoded, under SEQUENCE: what the signature covers.
    der: Vec<u8>,
}

/// Who the proof says has made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PossessionInput {
    Sender(GeneralName),
    /// A password-based MAC over the key.
    Mac {
        algorithm: AlgorithmIdentifier,
        value: Vec<u8>,
    },
}

/// Why a request does not prove that its sender holds the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPossession {
    #[error("the request proves no possession of its key")]
    Missing,
    #[error("the template holds no public key")]
    NoKey,
    #[error("proof of possession by {0} is not offered")]
    Unsupported(&'static str),
    #[error("only a registration authority may vouch for possession")]
    RaVerified,
    #[error("the proof's algorithm is not accepted")]
    Algorithm,
    #[error("the proof is about another key, or its input stands where there must be none")]
    Input,
    #[error("the signature of the proof does not verify")]
    Signature,
    #[error("the public key cannot be read")]
    Key,
}

impl SigningKeyInput {
    pub fn new(sender: GeneralName, spki_der: &[u8]) -> Self {
        let der = der::sequence(|w| {
            w.nested(Tag::context_constructed(0), |w| sender.write(w));
            w.raw(spki_der);
        });
        SigningKeyInput {
            author: PossessionInput::Sender(sender),
            spki_der: spki_der.to_vec(),
            der,
        }
    }

    /// What the proof's signature covers.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// From the content under `[0] IMPLICIT`.
    fn read(value: &[u8], r: &Reader<'_>) -> Result<Self, Error> {
        let der = der::encode(Tag::SEQUENCE, value);
        let mut content = r.clone();
        let author = match content.peek() {
            Some(Tag(0xa0)) => {
                let mut wrapped = content.nested(Tag::context_constructed(0))?;
                let sender = GeneralName::read(&mut wrapped)?;
                wrapped.finish()?;
                PossessionInput::Sender(sender)
            }
            _ => {
                let mut mac = content.sequence()?;
                let algorithm = AlgorithmIdentifier::read(&mut mac)?;
                let value = mac.bit_string_octets()?.to_vec();
                mac.finish()?;
                PossessionInput::Mac { algorithm, value }
            }
        };
        let spki_der = content.expect(Tag::SEQUENCE)?.raw.to_vec();
        content.finish()?;
        Ok(SigningKeyInput {
            author,
            spki_der,
            der,
        })
    }
}

impl ProofOfPossession {
    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, Error> {
        let element = r.element()?;
        match element.tag {
            Tag(0x80) if element.value.is_empty() => Ok(Self::RaVerified),
            Tag(0xa1) => Self::read_signature(r.descend(element.value)?),
            Tag(0xa2) => Ok(Self::KeyEncipherment(element.value.to_vec())),
            Tag(0xa3) => Ok(Self::KeyAgreement(element.value.to_vec())),
            _ => Err(Error::invalid("ProofOfPossession", "unknown choice")),
        }
    }

    fn read_signature(mut r: Reader<'_>) -> Result<Self, Error> {
        let input = match r.optional(Tag::context_constructed(0))? {
            None => None,
            Some(element) => {
                let content = r.descend(element.value)?;
                Some(Box::new(SigningKeyInput::read(element.value, &content)?))
            }
        };
        let algorithm = AlgorithmIdentifier::read(&mut r)?;
        let signature = r.bit_string_octets()?.to_vec();
        r.finish()?;
        Ok(Self::Signature {
            input,
            algorithm,
            signature,
        })
    }

    pub(super) fn write(&self, w: &mut Writer) {
        match self {
            Self::RaVerified => {
                w.element(Tag::context(0), &[]);
            }
            Self::Signature {
                input,
                algorithm,
                signature,
            } => {
                w.nested(Tag::context_constructed(1), |w| {
                    if let Some(input) = input {
                        let content = Reader::new(&input.der).element().map(|e| e.value);
                        w.element(Tag::context_constructed(0), content.unwrap_or_default());
                    }
                    algorithm.write(w);
                    w.bit_string_octets(signature);
                });
            }
            Self::KeyEncipherment(content) => {
                w.element(Tag::context_constructed(2), content);
            }
            Self::KeyAgreement(content) => {
                w.element(Tag::context_constructed(3), content);
            }
        }
    }
}

/// RFC 4211 §4.1: the signature covers the request itself if its template holds subject and key, otherwise an input
/// that repeats who asks and for which key. Some clients leave the subject to the authority and still sign the
/// request: with the key in it that proves as much, and is taken.
pub(super) fn verify(request: &CertReqMsg, sender: &GeneralName) -> Result<(), BadPossession> {
    let Some(spki) = request.template.spki_der.as_deref() else {
        return Err(BadPossession::NoKey);
    };
    let (input, algorithm, signature) = match &request.popo {
        None => return Err(BadPossession::Missing),
        Some(ProofOfPossession::RaVerified) => return Err(BadPossession::RaVerified),
        Some(ProofOfPossession::KeyEncipherment(_)) => {
            return Err(BadPossession::Unsupported("key encipherment"));
        }
        Some(ProofOfPossession::KeyAgreement(_)) => {
            return Err(BadPossession::Unsupported("key agreement"));
        }
        Some(ProofOfPossession::Signature {
            input,
            algorithm,
            signature,
        }) => (input, algorithm, signature),
    };
    let signed = match input {
        None => request.request_der(),
        Some(_) if request.template.subject.is_some() => return Err(BadPossession::Input),
        Some(input) => {
            let PossessionInput::Sender(author) = &input.author else {
                return Err(BadPossession::Unsupported("a MAC over the key"));
            };
            if input.spki_der != spki || author != sender {
                return Err(BadPossession::Input);
            }
            &input.der
        }
    };
    let key = request.public_key().map_err(|_| BadPossession::Key)?;
    let key = key.ok_or(BadPossession::NoKey)?;
    let algorithm =
        SignatureAlgorithm::from_identifier(algorithm).ok_or(BadPossession::Algorithm)?;
    key.verify(algorithm, signed, signature)
        .map_err(|e| match e {
            Error::BadSignature => BadPossession::Signature,
            _ => BadPossession::Algorithm,
        })
}
