//! What is asked of a validator and what it answers.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use super::Rules;

/// How control is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ChallengeKind {
    #[serde(rename = "http-01")]
    Http01,
    #[serde(rename = "dns-01")]
    Dns01,
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
    #[serde(rename = "dns-account-01")]
    DnsAccount01,
}

/// Not the name of a challenge this crate answers for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a challenge type; known are http-01, dns-01, tls-alpn-01, dns-account-01")]
pub struct UnknownChallenge(pub String);

impl ChallengeKind {
    pub const ALL: [ChallengeKind; 4] = [
        ChallengeKind::Http01,
        ChallengeKind::Dns01,
        ChallengeKind::TlsAlpn01,
        ChallengeKind::DnsAccount01,
    ];

    /// As in the `type` of a challenge object.
    pub const fn as_str(self) -> &'static str {
        match self {
            ChallengeKind::Http01 => "http-01",
            ChallengeKind::Dns01 => "dns-01",
            ChallengeKind::TlsAlpn01 => "tls-alpn-01",
            ChallengeKind::DnsAccount01 => "dns-account-01",
        }
    }

    /// Whether it can prove control of `identifier`. Wildcards need the DNS (RFC 8555 §8.3: a server
    /// speaks for its own name only); addresses have no place in the DNS to put a record (RFC 8738 §7).
    pub fn suits(self, identifier: &Identifier, wildcard: bool) -> bool {
        match self {
            ChallengeKind::Http01 | ChallengeKind::TlsAlpn01 => !wildcard,
            ChallengeKind::Dns01 | ChallengeKind::DnsAccount01 => {
                matches!(identifier, Identifier::Dns(_))
            }
        }
    }
}

impl fmt::Display for ChallengeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ChallengeKind {
    type Err = UnknownChallenge;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|k| k.as_str() == s)
            .ok_or_else(|| UnknownChallenge(s.to_owned()))
    }
}

/// What control is proven of, in the shape of RFC 8555 §9.7.7: `{"type":"dns","value":"www.example"}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "lowercase")]
pub enum Identifier {
    /// Lower case, without a final dot and without `*.`.
    Dns(String),
    Ip(IpAddr),
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Identifier::Dns(name) => f.write_str(name),
            Identifier::Ip(address) => address.fmt(f),
        }
    }
}

/// One attempt to be made.
#[derive(Debug, Clone)]
pub struct Check {
    pub kind: ChallengeKind,
    pub identifier: Identifier,
    /// The authorization is for `*.` and the identifier.
    pub wildcard: bool,
    pub token: String,
    /// Token, dot, thumbprint of the account's key (RFC 8555 §8.1).
    pub key_authorization: String,
    /// What dns-account-01 derives its label from.
    pub account_url: String,
    /// `None`: CAA is not asked for.
    pub caa: Option<CaaQuery>,
    pub rules: Rules,
}

/// What CAA records are held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaaQuery {
    /// The domains by which records name this authority, for example `ca.hospital.example`.
    pub identities: Vec<String>,
    /// `issuewild` decides where it is present (RFC 8659 §4.3).
    pub wildcard: bool,
    /// For `validationmethods` (RFC 8657 §4), for example `http-01`.
    pub validation_method: String,
    /// For `accounturi` (RFC 8657 §3).
    pub account_url: String,
}

/// How control was proven: evidence for the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    pub kind: ChallengeKind,
    /// Addresses connected to, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<SocketAddr>,
    /// http-01: every URL fetched, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// dns-01: the name asked for and the aliases followed from it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Who answered questions to the DNS: an address, `hosts` or `cache`; absent if nobody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolver: Option<String>,
    /// The name whose CAA records allowed it; absent if CAA was not asked for or there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caa: Option<String>,
    pub elapsed_ms: u64,
}

/// Kinds of failure; each is an error type of RFC 8555 §6.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FailureKind {
    /// `dns`: no answer, or none that can be used.
    Dns,
    /// `connection`: nobody there, too slow, or an address that may not be connected to.
    Connection,
    /// `tls`: the handshake failed.
    Tls,
    /// `unauthorized`: the answer is not what the challenge asks for.
    Unauthorized,
    /// `incorrectResponse`: what came is not a usable answer at all.
    IncorrectResponse,
    /// `caa`: a CAA record forbids it.
    Caa,
    /// `malformed`: the check itself makes no sense, for example a wildcard by http-01.
    Malformed,
}

impl FailureKind {
    /// As in `urn:ietf:params:acme:error:…`.
    pub const fn as_str(self) -> &'static str {
        match self {
            FailureKind::Dns => "dns",
            FailureKind::Connection => "connection",
            FailureKind::Tls => "tls",
            FailureKind::Unauthorized => "unauthorized",
            FailureKind::IncorrectResponse => "incorrectResponse",
            FailureKind::Caa => "caa",
            FailureKind::Malformed => "malformed",
        }
    }
}

/// Why control was not proven, in words for the subscriber.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{detail}")]
pub struct Failure {
    pub kind: FailureKind,
    pub detail: String,
    /// Whether the same check may succeed in a moment: the server is still starting, the record still
    /// spreading. False where only somebody's decision changes the outcome.
    pub retry: bool,
}

impl Failure {
    pub fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        let retry = !matches!(kind, FailureKind::Caa | FailureKind::Malformed);
        Self {
            kind,
            detail: detail.into(),
            retry,
        }
    }

    /// The same failure, but trying again is pointless.
    pub fn for_good(mut self) -> Self {
        self.retry = false;
        self
    }
}
