//! Problem documents (RFC 8555 §6.7, RFC 9457): what every failure becomes.

use std::borrow::Cow;

use agent::control::{FailureKind, Identifier};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::reply::{Reply, to_json};

/// The error types of RFC 8555 §6.7, RFC 9773 §7.4 and draft-ietf-acme-profiles §6.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ErrorType {
    AccountDoesNotExist,
    AlreadyReplaced,
    AlreadyRevoked,
    BadCsr,
    BadNonce,
    BadPublicKey,
    BadRevocationReason,
    BadSignatureAlgorithm,
    Caa,
    Compound,
    Connection,
    Dns,
    ExternalAccountRequired,
    IncorrectResponse,
    InvalidContact,
    InvalidProfile,
    Malformed,
    OrderNotReady,
    RateLimited,
    RejectedIdentifier,
    ServerInternal,
    Tls,
    Unauthorized,
    UnsupportedContact,
    UnsupportedIdentifier,
    UserActionRequired,
}

impl ErrorType {
    /// What follows `urn:ietf:params:acme:error:`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AccountDoesNotExist => "accountDoesNotExist",
            Self::AlreadyReplaced => "alreadyReplaced",
            Self::AlreadyRevoked => "alreadyRevoked",
            Self::BadCsr => "badCSR",
            Self::BadNonce => "badNonce",
            Self::BadPublicKey => "badPublicKey",
            Self::BadRevocationReason => "badRevocationReason",
            Self::BadSignatureAlgorithm => "badSignatureAlgorithm",
            Self::Caa => "caa",
            Self::Compound => "compound",
            Self::Connection => "connection",
            Self::Dns => "dns",
            Self::ExternalAccountRequired => "externalAccountRequired",
            Self::IncorrectResponse => "incorrectResponse",
            Self::InvalidContact => "invalidContact",
            Self::InvalidProfile => "invalidProfile",
            Self::Malformed => "malformed",
            Self::OrderNotReady => "orderNotReady",
            Self::RateLimited => "rateLimited",
            Self::RejectedIdentifier => "rejectedIdentifier",
            Self::ServerInternal => "serverInternal",
            Self::Tls => "tls",
            Self::Unauthorized => "unauthorized",
            Self::UnsupportedContact => "unsupportedContact",
            Self::UnsupportedIdentifier => "unsupportedIdentifier",
            Self::UserActionRequired => "userActionRequired",
        }
    }

    /// The status that goes with it unless a clause asks for another.
    const fn status(self) -> u16 {
        match self {
            Self::AlreadyReplaced => 409,
            Self::Caa
            | Self::ExternalAccountRequired
            | Self::OrderNotReady
            | Self::RejectedIdentifier
            | Self::Unauthorized
            | Self::UserActionRequired => 403,
            Self::RateLimited => 429,
            Self::ServerInternal => 500,
            _ => 400,
        }
    }
}

impl Serialize for ErrorType {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("urn:ietf:params:acme:error:{}", self.name()))
    }
}

impl From<FailureKind> for ErrorType {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Dns => Self::Dns,
            FailureKind::Connection => Self::Connection,
            FailureKind::Tls => Self::Tls,
            FailureKind::Unauthorized => Self::Unauthorized,
            FailureKind::IncorrectResponse => Self::IncorrectResponse,
            FailureKind::Caa => Self::Caa,
            FailureKind::Malformed => Self::Malformed,
        }
    }
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) kind: ErrorType,
    pub(crate) status: u16,
    /// For whoever runs the client: what is wrong, and the clause that says so.
    pub(crate) detail: Cow<'static, str>,
    pub(crate) subproblems: Vec<Sub>,
    pub(crate) retry_after: Option<u64>,
    /// The algorithms that would do (RFC 8555 §6.2).
    pub(crate) algorithms: &'static [&'static str],
    /// Where a person can do what is asked (RFC 8555 §7.3.3).
    pub(crate) instance: Option<String>,
    /// The account that has the key already (RFC 8555 §7.3.5).
    pub(crate) location: Option<String>,
    /// Further `Link` fields: URL and relation.
    pub(crate) link: Option<(String, &'static str)>,
    /// `Allow` of a 405.
    pub(crate) allow: Option<&'static str>,
}

/// A problem of one identifier (RFC 8555 §6.7.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Sub {
    #[serde(rename = "type")]
    pub(crate) kind: ErrorType,
    pub(crate) detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) identifier: Option<Identifier>,
}

impl Problem {
    pub(crate) fn new(kind: ErrorType, detail: impl Into<Cow<'static, str>>) -> Self {
        Problem {
            kind,
            status: kind.status(),
            detail: detail.into(),
            subproblems: Vec::new(),
            retry_after: None,
            algorithms: &[],
            instance: None,
            location: None,
            link: None,
            allow: None,
        }
    }

    pub(crate) fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorType::Malformed, detail)
    }

    pub(crate) fn unauthorized(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorType::Unauthorized, detail)
    }

    /// A resource that is not there (or not this account's).
    pub(crate) fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::malformed(detail).status(404)
    }

    /// A failure of ours. The log gets `error`; the client learns that it was not its fault.
    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "an ACME request failed");
        Self::new(
            ErrorType::ServerInternal,
            "the server could not do this; its log says why",
        )
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(crate) fn subproblems(mut self, subproblems: Vec<Sub>) -> Self {
        self.subproblems = subproblems;
        self
    }

    /// The document as it goes out.
    pub(crate) fn document(&self) -> Vec<u8> {
        to_json(self)
    }

    /// The document as it is kept in orders and challenges.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.document()).unwrap_or_default()
    }

    pub(crate) fn reply(&self) -> Reply {
        let mut reply = Reply::typed(self.status, "application/problem+json", self.document());
        reply.retry_after = self.retry_after;
        reply.location.clone_from(&self.location);
        reply.allow = self.allow;
        match &self.link {
            Some((url, relation)) => reply.link(url, relation),
            None => reply,
        }
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(None)?;
        map.serialize_entry("type", &self.kind)?;
        map.serialize_entry("detail", &self.detail)?;
        map.serialize_entry("status", &self.status)?;
        if !self.algorithms.is_empty() {
            map.serialize_entry("algorithms", self.algorithms)?;
        }
        if let Some(instance) = &self.instance {
            map.serialize_entry("instance", instance)?;
        }
        if !self.subproblems.is_empty() {
            map.serialize_entry("subproblems", &self.subproblems)?;
        }
        map.end()
    }
}

/// Trouble that passes is said to pass: clients try again.
impl From<store::StoreError> for Problem {
    fn from(error: store::StoreError) -> Self {
        use store::StoreError as E;
        let problem = Problem::internal(&error);
        match error {
            E::Busy(_) | E::Unavailable(_) | E::Uncertain(_) | E::Conflict(_) => {
                problem.status(503).retry_after(1)
            }
            E::Full(_) | E::ReadOnly(_) => problem.status(503).retry_after(30),
            _ => problem,
        }
    }
}

impl From<super::AcmeError> for Problem {
    fn from(error: super::AcmeError) -> Self {
        match error {
            super::AcmeError::Store(error) => error.into(),
            other => Problem::internal(&other),
        }
    }
}

impl From<audit::Error> for Problem {
    fn from(error: audit::Error) -> Self {
        Problem::internal(&error)
    }
}
