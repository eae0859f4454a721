//! What is asked for and what comes back. Every protocol ends in an [`IssueRequest`].

use std::sync::Arc;

use access::{Evidence, RequestId};
use serde::{Deserialize, Serialize};
use x509::{Certificate, CertificationRequest, GeneralName, KeyAlgorithm, Name, PublicKey, Time};
use zeroize::Zeroizing;

use super::along::Along;
use crate::profile::Duration;

/// A certificate to be issued.
#[derive(Debug)]
pub struct IssueRequest {
    /// The profile.
    pub profile: String,
    /// The authority; `None` takes the one that the profile is usually issued by.
    pub authority: Option<String>,
    /// Whose key.
    pub source: Source,
    /// The subject, instead of the one in the CSR. The profile's template applies to either.
    pub subject: Option<Name>,
    /// The alternative names, instead of those in the CSR.
    pub names: Option<Vec<GeneralName>>,
    /// The account's SID, for Microsoft's strong mapping.
    pub sid: Option<String>,
    /// SHA-256 of the certificate of the workstation that a session is bound to.
    pub workstation: Option<[u8; 32]>,
    /// How long; the profile's default if `None`.
    pub validity: Option<Duration>,
    /// From when, instead of a little before now.
    pub not_before: Option<Time>,
    /// How far back it begins, for whoever verifies by a clock that is wrong.
    pub backdate: Backdate,
    /// Until when, instead of `validity` after the beginning.
    pub not_after: Option<Time>,
    /// Whether the certificate tells clients to insist on a stapled OCSP answer (RFC 7633).
    pub must_staple: bool,
    /// A longer validity than the profile's, with somebody's name under it (R05).
    pub exception: Option<Exception>,
    /// When the asset will be scrapped: nothing outlives it (R05).
    pub service_life_ends: Option<Time>,
    /// What supports the request (R07).
    pub evidence: Vec<Evidence>,
    /// Joins events with the operational log.
    pub request_id: Option<String>,
    /// The caller's own name for this request: a retry with the same one gets the same certificate.
    pub idempotency_key: Option<String>,
    /// What is written along with the intent and with the certificate.
    pub along: Along,
}

impl IssueRequest {
    /// A request for the key and names of a CSR.
    pub fn from_csr(profile: impl Into<String>, csr: CertificationRequest) -> Self {
        IssueRequest::new(profile, Source::Csr(Box::new(csr)))
    }

    /// A request for a key that Ward makes, hands out once and forgets.
    pub fn generate(
        profile: impl Into<String>,
        algorithm: Option<KeyAlgorithm>,
        package: KeyPackage,
        subject: Name,
        names: Vec<GeneralName>,
    ) -> Self {
        let mut request = IssueRequest::new(profile, Source::Generate { algorithm, package });
        request.subject = Some(subject);
        request.names = Some(names);
        request
    }

    /// A request for a key that its holder has proved to hold, in a way that is not a CSR's.
    pub fn for_key(
        profile: impl Into<String>,
        key: PublicKey,
        subject: Name,
        names: Vec<GeneralName>,
    ) -> Self {
        let mut request = IssueRequest::new(profile, Source::PublicKey(Box::new(key)));
        request.subject = Some(subject);
        request.names = Some(names);
        request
    }

    fn new(profile: impl Into<String>, source: Source) -> Self {
        IssueRequest {
            profile: profile.into(),
            authority: None,
            source,
            subject: None,
            names: None,
            sid: None,
            workstation: None,
            validity: None,
            not_before: None,
            backdate: Backdate::Usual,
            not_after: None,
            must_staple: false,
            exception: None,
            service_life_ends: None,
            evidence: Vec::new(),
            request_id: None,
            idempotency_key: None,
            along: Along::default(),
        }
    }
}

/// How far before now a validity begins. The end stays where it would be without it, so that nobody is served longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backdate {
    /// As the profile says.
    #[default]
    Usual,
    /// A day, for devices whose clock is hours wrong.
    Day,
    /// With the issuer's own, for devices without a clock: to them it is 1970, or whenever they were last on.
    Issuer,
}

/// Whose key the certificate is for.
#[derive(Debug)]
pub enum Source {
    /// The requester's; the CSR proves that they hold it.
    Csr(Box<CertificationRequest>),
    /// One that is made here and given away once.
    Generate {
        /// The profile's first algorithm if `None`.
        algorithm: Option<KeyAlgorithm>,
        /// How it is handed out.
        package: KeyPackage,
    },
    /// The requester's; whoever asks has seen the proof that they hold it (CMP's proof of possession).
    PublicKey(Box<PublicKey>),
    /// Nothing: the cycle has taken it out.
    #[doc(hidden)]
    Taken,
}

/// How a generated key is handed out.
#[derive(Debug)]
pub enum KeyPackage {
    /// PKCS#8 in PEM.
    Pem,
    /// PKCS#12 with the chain, under a password.
    Pkcs12 {
        /// The password.
        password: Zeroizing<String>,
    },
}

/// Leave to exceed the profile's validity (R05): who answers for it, why, until when it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Who answers for it.
    pub owner: String,
    /// Why it is needed.
    pub reason: String,
    /// When it has to be looked at again, Unix seconds.
    pub until: i64,
}

/// What became of a request.
#[derive(Debug)]
pub enum Outcome {
    /// Here it is.
    Issued(Box<Issued>),
    /// Somebody else has to approve it.
    Pending(RequestId),
}

/// A certificate that exists, is recorded and has a status.
#[derive(Debug)]
pub struct Issued {
    /// The certificate.
    pub der: Vec<u8>,
    /// INTEGER content octets of its serial number.
    pub serial: Vec<u8>,
    /// Its SHA-256: what it is known by.
    pub sha256: [u8; 32],
    /// The issuer (authority generation) that signed it.
    pub issuer: String,
    /// The profile it was issued under.
    pub profile: String,
    /// The profile's version.
    pub profile_version: u64,
    /// From when it is valid.
    pub not_before: Time,
    /// Until when.
    pub not_after: Time,
    /// The issuer's certificate and what is above it, the root left out.
    pub chain: Arc<[Certificate]>,
    /// The private key, if it was made here. It is kept nowhere.
    pub key: Option<GeneratedKey>,
    /// Whether this is an earlier certificate, found by its idempotency key.
    pub repeated: bool,
}

impl Issued {
    /// Certificate and chain in PEM, leaf first.
    pub fn chain_pem(&self) -> String {
        let mut pem = x509::pem::encode(x509::pem::CERTIFICATE, &self.der);
        for certificate in self.chain.iter() {
            pem.push_str(&certificate.to_pem());
        }
        pem
    }
}

/// A private key on its way out.
pub enum GeneratedKey {
    /// `PRIVATE KEY` in PEM (PKCS#8).
    Pem(Zeroizing<String>),
    /// PKCS#12 with key, certificate and chain.
    Pkcs12(Zeroizing<Vec<u8>>),
}

impl std::fmt::Debug for GeneratedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GeneratedKey")
    }
}
