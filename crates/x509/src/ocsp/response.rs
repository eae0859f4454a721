//! OCSPResponse (RFC 6960 §4.2): building one around a signature made elsewhere, and reading one.

use super::{CertId, IssuerId, Nonce, request::each_extension};
use crate::{
    AlgorithmIdentifier, Certificate, Error, Extension, Name, SignatureAlgorithm, Time,
    crl::Reason,
    der::{Error as DerError, Reader, Tag, Writer},
    oids,
};

/// Largest response read; one with a chain and some answers has a few thousand octets.
pub const MAX_RESPONSE: usize = 1 << 20;

/// Answers read in one response, as many as can be asked for.
const MAX_ANSWERS: usize = super::MAX_REQUESTS;

/// Certificates read in one response.
const MAX_CERTIFICATES: usize = 16;

/// What is said about one certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SingleStatus {
    Good,
    Revoked { time: Time, reason: Option<Reason> },
    Unknown,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SingleResponse {
    pub cert_id: CertId,
    pub status: SingleStatus,
    pub this_update: Time,
    pub next_update: Option<Time>,
    /// How far back revocation is known for expired certificates (RFC 6960 §4.4.4).
    pub archive_cutoff: Option<Time>,
}

/// Who signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponderId {
    ByName(Name),
    /// SHA-1 over the bits of the responder's key.
    ByKey(Vec<u8>),
}

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseData {
    pub responder: ResponderId,
    pub produced_at: Time,
    pub responses: Vec<SingleResponse>,
    pub nonce: Option<Nonce>,
}

impl ResponderId {
    /// The form for an issuer that signs itself: every client finds the signer by it.
    pub fn by_name(responder: &Certificate) -> Self {
        Self::ByName(responder.subject().clone())
    }

    /// The form for a delegated responder: shorter, and preferred by RFC 5019 §2.2.1. GnuTLS looks for an issuer's
    /// hash among subjectKeyIdentifiers, so it finds no issuer whose identifier is not that SHA-1 hash.
    pub fn by_key(responder: &IssuerId) -> Self {
        Self::ByKey(responder.key_hash_sha1().to_vec())
    }
}

impl ResponseData {
    /// The exact bytes to sign.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(128 + 192 * self.responses.len());
        w.sequence(|w| {
            match &self.responder {
                ResponderId::ByName(name) => {
                    w.element(Tag::context_constructed(1), name.der());
                }
                ResponderId::ByKey(hash) => {
                    w.nested(Tag::context_constructed(2), |w| {
                        w.octet_string(hash);
                    });
                }
            }
            w.generalized_time(self.produced_at);
            w.sequence(|w| {
                for response in &self.responses {
                    response.write(w);
                }
            });
            if let Some(nonce) = &self.nonce {
                w.nested(Tag::context_constructed(1), |w| {
                    w.sequence(|w| nonce.write(w));
                });
            }
        });
        w.finish()
    }
}

impl SingleResponse {
    fn write(&self, w: &mut Writer) {
        w.sequence(|w| {
            w.raw(self.cert_id.der());
            match self.status {
                SingleStatus::Good => {
                    w.element(Tag::context(0), &[]);
                }
                SingleStatus::Revoked { time, reason } => {
                    w.nested(Tag::context_constructed(1), |w| {
                        w.generalized_time(time);
                        if let Some(reason) = reason {
                            w.nested(Tag::context_constructed(0), |w| {
                                w.enumerated(reason.code());
                            });
                        }
                    });
                }
                SingleStatus::Unknown => {
                    w.element(Tag::context(2), &[]);
                }
            }
            w.generalized_time(self.this_update);
            if let Some(time) = self.next_update {
                w.nested(Tag::context_constructed(0), |w| {
                    w.generalized_time(time);
                });
            }
            if let Some(cutoff) = self.archive_cutoff {
                w.nested(Tag::context_constructed(1), |w| {
                    w.sequence(|w| archive_cutoff(cutoff).write(w));
                });
            }
        });
    }

    fn read(list: &mut Reader<'_>) -> Result<Self, Error> {
        let mut fields = list.sequence()?;
        let cert_id = CertId::read(&mut fields)?;
        let status = read_status(&mut fields)?;
        let this_update = fields.generalized_time()?;
        let next_update = match fields.optional_nested(Tag::context_constructed(0))? {
            None => None,
            Some(mut explicit) => {
                let time = explicit.generalized_time()?;
                explicit.finish()?;
                Some(time)
            }
        };
        let mut cutoff = None;
        if let Some(extensions) = fields.optional_nested(Tag::context_constructed(1))? {
            each_extension(extensions, |extension| {
                if extension.oid == oids::OCSP_ARCHIVE_CUTOFF {
                    cutoff = Some(Reader::new(&extension.value).generalized_time()?);
                    return Ok(());
                }
                refuse_if_critical(extension)
            })?;
        }
        fields.finish()?;
        Ok(Self {
            cert_id,
            status,
            this_update,
            next_update,
            archive_cutoff: cutoff,
        })
    }
}

/// Puts a successful OCSPResponse around a signed [`ResponseData`]. `certificates` are the delegated responder's
/// own, or none where the issuer itself signed.
pub fn assemble_response(
    tbs: &[u8],
    algorithm: SignatureAlgorithm,
    signature: &[u8],
    certificates: &[Certificate],
) -> Vec<u8> {
    let certificates_len: usize = certificates.iter().map(|c| c.der().len()).sum();
    let mut w = Writer::with_capacity(tbs.len() + signature.len() + certificates_len + 128);
    w.sequence(|w| {
        w.enumerated(ResponseStatus::Successful as u8);
        w.nested(Tag::context_constructed(0), |w| {
            w.sequence(|w| {
                w.oid(&oids::OCSP_BASIC);
                w.nested(Tag::OCTET_STRING, |w| {
                    w.sequence(|w| {
                        w.raw(tbs);
                        w.raw(&algorithm.algorithm_identifier_der());
                        w.bit_string_octets(signature);
                        if !certificates.is_empty() {
                            w.nested(Tag::context_constructed(0), |w| {
                                w.sequence(|w| {
                                    for certificate in certificates {
                                        w.raw(certificate.der());
                                    }
                                });
                            });
                        }
                    });
                });
            });
        });
    });
    w.finish()
}

/// OCSPResponseStatus; 4 is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseStatus {
    Successful = 0,
    MalformedRequest = 1,
    InternalError = 2,
    TryLater = 3,
    SigRequired = 5,
    Unauthorized = 6,
}

impl ResponseStatus {
    fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Successful),
            1 => Some(Self::MalformedRequest),
            2 => Some(Self::InternalError),
            3 => Some(Self::TryLater),
            5 => Some(Self::SigRequired),
            6 => Some(Self::Unauthorized),
            _ => None,
        }
    }

    /// The name in RFC 6960 §4.2.1.
    pub fn name(self) -> &'static str {
        match self {
            Self::Successful => "successful",
            Self::MalformedRequest => "malformedRequest",
            Self::InternalError => "internalError",
            Self::TryLater => "tryLater",
            Self::SigRequired => "sigRequired",
            Self::Unauthorized => "unauthorized",
        }
    }
}

/// A response that was read; nothing in it is to be believed before [`BasicResponse::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: ResponseStatus,
    /// Present when `status` is successful.
    pub basic: Option<BasicResponse>,
}

/// BasicOCSPResponse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasicResponse {
    pub tbs: Vec<u8>,
    pub data: ResponseData,
    pub algorithm: AlgorithmIdentifier,
    pub signature: Vec<u8>,
    pub certificates: Vec<Certificate>,
}

impl Response {
    pub fn parse(input: &[u8]) -> Result<Self, Error> {
        let mut outer = Reader::with_limit(input, MAX_RESPONSE)?.tolerant();
        let mut response = outer.sequence()?;
        outer.finish()?;
        let status = ResponseStatus::from_code(response.enumerated()?)
            .ok_or(invalid("the status is not one of RFC 6960 §4.2.1"))?;
        let body = response.optional_nested(Tag::context_constructed(0))?;
        response.finish()?;
        let basic = match (status, body) {
            (ResponseStatus::Successful, None) => {
                return Err(invalid("it is successful but has no body"));
            }
            (ResponseStatus::Successful, Some(body)) => Some(read_body(body)?),
            _ => None,
        };
        Ok(Self { status, basic })
    }
}

fn read_body(mut body: Reader<'_>) -> Result<BasicResponse, Error> {
    let mut bytes = body.sequence()?;
    body.finish()?;
    let kind = bytes.oid()?;
    if kind != oids::OCSP_BASIC {
        return Err(Error::Unsupported {
            what: "OCSP response type",
            oid: kind,
        });
    }
    let content = bytes.octet_string()?;
    let mut inner = bytes.descend(content)?;
    bytes.finish()?;
    let mut basic = inner.sequence()?;
    inner.finish()?;
    let tbs = basic.expect(Tag::SEQUENCE)?;
    let data = read_data(basic.descend(tbs.value)?)?;
    let algorithm = AlgorithmIdentifier::read(&mut basic)?;
    let signature = basic.bit_string_octets()?.to_vec();
    let certificates = match basic.optional_nested(Tag::context_constructed(0))? {
        Some(list) => read_certificates(list)?,
        None => Vec::new(),
    };
    basic.finish()?;
    Ok(BasicResponse {
        tbs: tbs.raw.to_vec(),
        data,
        algorithm,
        signature,
        certificates,
    })
}

fn read_data(mut fields: Reader<'_>) -> Result<ResponseData, Error> {
    if let Some(mut version) = fields.optional_nested(Tag::context_constructed(0))? {
        if version.u64()? != 0 {
            return Err(invalid("the version is not 1"));
        }
        version.finish()?;
    }
    let responder = read_responder(&mut fields)?;
    let produced_at = fields.generalized_time()?;
    let mut list = fields.sequence()?;
    let mut responses = Vec::new();
    while !list.is_empty() {
        if responses.len() == MAX_ANSWERS {
            return Err(DerError::TooMany(MAX_ANSWERS).into());
        }
        responses.push(SingleResponse::read(&mut list)?);
    }
    let mut nonce = None;
    if let Some(extensions) = fields.optional_nested(Tag::context_constructed(1))? {
        each_extension(extensions, |extension| {
            if extension.oid == oids::OCSP_NONCE {
                nonce = Some(Nonce::read(&extension.value)?);
                return Ok(());
            }
            refuse_if_critical(extension)
        })?;
    }
    fields.finish()?;
    Ok(ResponseData {
        responder,
        produced_at,
        responses,
        nonce,
    })
}

fn read_responder(fields: &mut Reader<'_>) -> Result<ResponderId, Error> {
    if let Some(mut name) = fields.optional_nested(Tag::context_constructed(1))? {
        let element = name.expect(Tag::SEQUENCE)?;
        name.finish()?;
        return Ok(ResponderId::ByName(Name::from_der(element.raw)?));
    }
    let mut key = fields.nested(Tag::context_constructed(2))?;
    let hash = key.octet_string()?.to_vec();
    key.finish()?;
    Ok(ResponderId::ByKey(hash))
}

fn read_status(fields: &mut Reader<'_>) -> Result<SingleStatus, Error> {
    const GOOD: Tag = Tag::context(0);
    const REVOKED: Tag = Tag::context_constructed(1);
    const UNKNOWN: Tag = Tag::context(2);
    match fields.peek() {
        Some(GOOD) => {
            fields.element()?;
            Ok(SingleStatus::Good)
        }
        Some(UNKNOWN) => {
            fields.element()?;
            Ok(SingleStatus::Unknown)
        }
        Some(REVOKED) => {
            let mut revoked = fields.nested(REVOKED)?;
            let time = revoked.generalized_time()?;
            let reason = match revoked.optional_nested(Tag::context_constructed(0))? {
                None => None,
                Some(mut explicit) => {
                    let reason = Reason::from_code(explicit.enumerated()?);
                    explicit.finish()?;
                    Some(reason.ok_or(invalid("the revocation reason is not assigned"))?)
                }
            };
            revoked.finish()?;
            Ok(SingleStatus::Revoked { time, reason })
        }
        _ => Err(invalid("the status is not good, revoked or unknown")),
    }
}

fn read_certificates(mut wrapper: Reader<'_>) -> Result<Vec<Certificate>, Error> {
    let mut list = wrapper.sequence()?;
    wrapper.finish()?;
    let mut certificates = Vec::new();
    while !list.is_empty() {
        if certificates.len() == MAX_CERTIFICATES {
            return Err(DerError::TooMany(MAX_CERTIFICATES).into());
        }
        certificates.push(Certificate::from_der(list.expect(Tag::SEQUENCE)?.raw)?);
    }
    Ok(certificates)
}

fn archive_cutoff(time: Time) -> Extension {
    let mut w = Writer::new();
    w.generalized_time(time);
    Extension {
        oid: oids::OCSP_ARCHIVE_CUTOFF,
        critical: false,
        value: w.finish(),
    }
}

fn refuse_if_critical(extension: Extension) -> Result<(), Error> {
    match extension.critical {
        false => Ok(()),
        true => Err(Error::Unsupported {
            what: "critical OCSP response extension",
            oid: extension.oid,
        }),
    }
}

fn invalid(why: &'static str) -> Error {
    Error::invalid("OCSP response", why)
}
