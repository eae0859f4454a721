//! Certification requests (PKCS #10, RFC 2986): read strictly, because a subscriber can be told what
//! to change, and a refusal that names its rule is worth more than a guess.

use crate::{
    AlgorithmIdentifier, Error, Extension, Name, PublicKey, SignatureAlgorithm, cms,
    der::{self, Reader, Tag},
    ext::ExtensionValue,
    name::decode_string,
    oids, pem,
};

mod build;
mod check;

pub use build::CsrBuilder;

/// Largest request read: 1000 names of 60 octets fit with room.
pub const MAX_SIZE: usize = 64 * 1024;
/// Names in subject and subjectAltName together.
pub const MAX_NAMES: usize = 1000;
/// Extensions asked for; the longest list seen from real clients has 12.
pub const MAX_EXTENSIONS: usize = 32;
/// Attributes of a request; Windows clients send 5.
pub const MAX_ATTRIBUTES: usize = 16;

/// A refusal a subscriber can act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} [{rule}, {clause}]")]
pub struct CsrError {
    /// Stable short name of the rule.
    pub rule: &'static str,
    /// Where the rule comes from.
    pub clause: &'static str,
    pub message: String,
    /// What would be accepted instead.
    pub accepted: Option<&'static str>,
}

impl CsrError {
    fn new(rule: &'static str, clause: &'static str, message: impl Into<String>) -> Self {
        Self {
            rule,
            clause,
            message: message.into(),
            accepted: None,
        }
    }

    fn accepting(mut self, accepted: &'static str) -> Self {
        self.accepted = Some(accepted);
        self
    }

    fn syntax(part: &'static str) -> impl Fn(der::Error) -> CsrError {
        move |e| {
            CsrError::new("csr-syntax", "RFC 2986 §4", format!("{part}: {e}"))
                .accepting("a PKCS #10 request in DER")
        }
    }
}

/// A request that passed every check but the signature: see
/// [`CertificationRequest::verify_proof_of_possession`].
#[derive(Debug, Clone)]
pub struct CertificationRequest {
    der: Vec<u8>,
    info: std::ops::Range<usize>,
    subject: Name,
    key: PublicKey,
    extensions: Vec<Extension>,
    challenge_password: Option<String>,
    algorithm: AlgorithmIdentifier,
    signature: Vec<u8>,
}

impl CertificationRequest {
    /// Reads one request and checks its syntax, names, extensions and key.
    pub fn from_der(der: &[u8]) -> Result<Self, CsrError> {
        if der.len() > MAX_SIZE {
            return Err(CsrError::new(
                "csr-size",
                "limit of this authority",
                format!("the request has {} bytes", der.len()),
            )
            .accepting("requests of at most 64 KiB"));
        }
        let request = Self::read(der)?;
        check::subject(&request.subject)?;
        check::names(&request.subject, &request.extensions)?;
        check::key(&request.key)?;
        Ok(request)
    }

    pub fn from_pem(text: &[u8]) -> Result<Self, CsrError> {
        let der = pem::decode_first(text, &pem::REQUEST_LABELS).map_err(|e| {
            CsrError::new("csr-pem", "RFC 7468 §7", e.to_string())
                .accepting("one PEM block labelled CERTIFICATE REQUEST")
        })?;
        Self::from_der(&der)
    }

    pub fn der(&self) -> &[u8] {
        &self.der
    }

    pub fn to_pem(&self) -> String {
        pem::encode(pem::CERTIFICATE_REQUEST, &self.der)
    }

    /// CertificationRequestInfo, the bytes that were signed.
    pub fn tbs_der(&self) -> &[u8] {
        self.der.get(self.info.clone()).unwrap_or_default()
    }

    pub fn subject(&self) -> &Name {
        &self.subject
    }

    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// Extensions asked for in the extensionRequest attribute.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    pub fn ext<T: ExtensionValue>(&self) -> Result<Option<T>, Error> {
        let found = self.extensions.iter().find(|e| e.oid == T::OID);
        found.map(|e| T::parse(&e.value)).transpose()
    }

    /// RFC 2985 §5.4.1.
    pub fn challenge_password(&self) -> Option<&str> {
        self.challenge_password.as_deref()
    }

    pub fn signature_algorithm(&self) -> &AlgorithmIdentifier {
        &self.algorithm
    }

    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The requester signed this request with the key in it (RFC 2986 §4.2); SHA-2 and Ed25519 only.
    pub fn verify_proof_of_possession(&self) -> Result<(), CsrError> {
        const ACCEPTED: &str =
            "RSA (PKCS #1 v1.5 or PSS) or ECDSA with SHA-256, SHA-384 or SHA-512, or Ed25519";
        let Some(alg) = SignatureAlgorithm::from_identifier(&self.algorithm) else {
            return Err(check::refused_algorithm(&self.algorithm).accepting(ACCEPTED));
        };
        self.outcome(self.key.verify(alg, self.tbs_der(), &self.signature))
    }

    /// Also SHA-1 and MD5, for old SCEP clients behind an endpoint that was opened to them on purpose.
    pub fn verify_proof_of_possession_legacy(&self) -> Result<(), CsrError> {
        if self.algorithm.oid == oids::MD5_RSA {
            let md5 = cms::LegacySignature::RsaMd5;
            let verified = md5.verify(&self.key, self.tbs_der(), &self.signature);
            return self.outcome(verified.map_err(|_| Error::BadSignature));
        }
        self.outcome(
            self.key
                .verify_legacy(&self.algorithm, self.tbs_der(), &self.signature),
        )
    }

    fn outcome(&self, verified: Result<(), Error>) -> Result<(), CsrError> {
        verified.map_err(|e| {
            let message = match e {
                Error::BadSignature => {
                    "the signature was not made over this request with the key in it".to_owned()
                }
                e => e.to_string(),
            };
            CsrError::new("csr-proof-of-possession", "RFC 2986 §4.2", message)
                .accepting("a request signed with the private key that belongs to its public key")
        })
    }

    fn read(der: &[u8]) -> Result<Self, CsrError> {
        let syntax = CsrError::syntax;
        let mut outer = Reader::new(der);
        let mut request = outer.sequence().map_err(syntax("request"))?;
        outer.finish().map_err(syntax("request"))?;
        let info = request.expect(Tag::SEQUENCE).map_err(syntax("request"))?;
        let algorithm = AlgorithmIdentifier::read(&mut request)
            .map_err(|e| CsrError::new("csr-syntax", "RFC 2986 §4.2", e.to_string()))?;
        let signature = request
            .bit_string_octets()
            .map_err(syntax("signature"))?
            .to_vec();
        request.finish().map_err(syntax("request"))?;

        let mut r = request.descend(info.value).map_err(syntax("request"))?;
        let version = r.u64().map_err(syntax("version"))?;
        if version != 0 {
            return Err(CsrError::new(
                "csr-version",
                "RFC 2986 §4.1",
                format!("version {} does not exist", version.saturating_add(1)),
            )
            .accepting("version 1, written as 0"));
        }
        let subject = r.expect(Tag::SEQUENCE).map_err(syntax("subject"))?.raw;
        let subject = Name::from_der(subject)
            .map_err(|e| CsrError::new("csr-syntax", "RFC 2986 §4.1", format!("subject: {e}")))?;
        let spki = r.expect(Tag::SEQUENCE).map_err(syntax("public key"))?.raw;
        let key = PublicKey::from_spki_der(spki).map_err(|e| {
            CsrError::new("csr-key", "RFC 5280 §4.1.2.7", format!("public key: {e}"))
        })?;
        let attributes = r
            .optional_nested(Tag::context_constructed(0))
            .map_err(syntax("attributes"))?;
        r.finish().map_err(syntax("request"))?;
        let attributes = match attributes {
            Some(list) => Attributes::read(list)?,
            None => Attributes::default(),
        };
        Ok(Self {
            info: der::range_in(der, info.raw),
            der: der.to_vec(),
            subject,
            key,
            extensions: attributes.extensions,
            challenge_password: attributes.challenge_password,
            algorithm,
            signature,
        })
    }
}

/// Whether a key may be certified, for requests that are no PKCS #10: those of CMP and generated ones.
pub fn check_key(key: &PublicKey) -> Result<(), CsrError> {
    check::key(key)
}

/// What the attributes of a request ask for; unknown ones are passed over (RFC 2986 §4.1).
#[derive(Default)]
struct Attributes {
    extensions: Vec<Extension>,
    challenge_password: Option<String>,
}

impl Attributes {
    fn read(mut list: Reader<'_>) -> Result<Self, CsrError> {
        let syntax = || CsrError::syntax("attributes");
        let mut out = Self::default();
        let mut seen = Vec::new();
        while !list.is_empty() {
            let mut attribute = list.sequence().map_err(syntax())?;
            let oid = attribute.oid().map_err(syntax())?;
            let mut values = attribute.set().map_err(syntax())?;
            attribute.finish().map_err(syntax())?;
            if seen.contains(&oid) {
                return Err(CsrError::new(
                    "csr-duplicate-attribute",
                    "RFC 2986 §4.1, X.501 §8.2",
                    format!("attribute {oid:?} appears more than once"),
                )
                .accepting("each attribute once"));
            }
            if seen.len() >= MAX_ATTRIBUTES {
                return Err(CsrError::new(
                    "csr-attributes",
                    "limit of this authority",
                    "the request has too many attributes",
                )
                .accepting("at most 16 attributes"));
            }
            seen.push(oid);
            match oid {
                oids::EXTENSION_REQUEST | oids::MS_CERT_EXTENSIONS => {
                    out.read_extensions(single(&mut values, "extensionRequest")?)?;
                }
                oids::CHALLENGE_PASSWORD => {
                    let value = single(&mut values, "challengePassword")?;
                    let text = decode_string(value.tag, value.value);
                    let text = text.ok_or_else(|| {
                        CsrError::new(
                            "csr-challenge-password",
                            "RFC 2985 §5.4.1",
                            "challengePassword is not a character string",
                        )
                    })?;
                    out.challenge_password = Some(text.into_owned());
                }
                _ => {}
            }
        }
        Ok(out)
    }

    fn read_extensions(&mut self, value: der::Element<'_>) -> Result<(), CsrError> {
        let mut whole = Reader::new(value.raw).tolerant();
        let mut list = whole
            .sequence()
            .map_err(CsrError::syntax("extensionRequest"))?;
        while !list.is_empty() {
            let extension = Extension::read(&mut list).map_err(|e| {
                CsrError::new("csr-syntax", "RFC 2985 §5.4.2", format!("extension: {e}"))
            })?;
            if self.extensions.iter().any(|e| e.oid == extension.oid) {
                return Err(CsrError::new(
                    "csr-duplicate-extension",
                    "RFC 5280 §4.2",
                    format!("extension {:?} is asked for more than once", extension.oid),
                )
                .accepting("each extension once"));
            }
            if self.extensions.len() >= MAX_EXTENSIONS {
                return Err(CsrError::new(
                    "csr-extensions",
                    "limit of this authority",
                    "the request asks for too many extensions",
                )
                .accepting("at most 32 extensions"));
            }
            self.extensions.push(extension);
        }
        Ok(())
    }
}

/// Both attributes used here are SINGLE VALUE (RFC 2985 §5.4).
fn single<'a>(values: &mut Reader<'a>, what: &str) -> Result<der::Element<'a>, CsrError> {
    let value = values.element();
    match (value, values.is_empty()) {
        (Ok(v), true) => Ok(v),
        _ => Err(CsrError::new(
            "csr-attribute-values",
            "RFC 2985 §5.4",
            format!("{what} must have exactly one value"),
        )
        .accepting("one value in each attribute")),
    }
}
