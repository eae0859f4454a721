//! Certification path building and validation (RFC 5280 §6, policies as RFC 9618 has them).
//!
//! Given a target, a heap of certificates that nobody vouches for and a few that somebody does,
//! [`validate`] looks for a path between them on which every rule holds. It is general: names of every
//! kind, constraints of every kind, policies with mapping, CRLs complete, delta, partitioned and
//! indirect. It does no I/O and reads no clock, and whatever an attacker can size is paid for from a
//! [`Budget`], so that a hostile heap costs milliseconds and a typed error.

mod build;
mod check;
mod constraints;
mod error;
mod names;
mod node;
mod policy;
mod profile;
mod revocation;

use serde::Serialize;

use crate::{Certificate, Oid, Time, crl::CertificateList, ext::NameConstraints};

pub use error::{PathError, PathRule};
pub use names::ReferenceName;

/// How much more than the algorithm of RFC 5280 §6 is demanded of every certificate on the path.
/// The order is that of strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// §6 and nothing else; for partners whose certificates are sloppy but sound.
    Algorithm,
    /// Also what §4 demands of a conforming authority's certificates.
    Rfc5280,
    /// Also what the CA/Browser Forum demands of TLS servers, where it can be seen in a certificate.
    WebPki,
}

/// When a certificate's status must be known (RFC 5280 §6.1.3 (a)(3)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Revocation {
    Ignored,
    /// A certificate known to be revoked is refused; one of unknown status is not.
    RefuseRevoked,
    /// A certificate is refused unless a current CRL of full scope says that it is good.
    Required,
}

/// What a search may cost. Each limit ends it with [`PathRule::BudgetExhausted`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Signature verifications, about 30 µs each (RSA, in release). The most entangled honest bridge
    /// PKI needs a few dozen.
    pub signatures: u32,
    /// Candidate issuers and CRLs looked at, about a microsecond each.
    pub steps: u32,
    /// Comparisons of a name with a name constraint; the number is webpki's.
    pub name_comparisons: u32,
    /// Nodes and edges of the policy graph, over all paths tried.
    pub policy_nodes: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            signatures: 128,
            steps: 20_000,
            name_comparisons: 250_000,
            policy_nodes: 20_000,
        }
    }
}

/// The inputs (c) to (g) of RFC 5280 §6.1.1.
#[derive(Debug, Clone, Default)]
pub struct PolicyInputs {
    /// user-initial-policy-set; empty means any-policy.
    pub acceptable: Vec<Oid>,
    pub require_explicit: bool,
    pub inhibit_mapping: bool,
    pub inhibit_any: bool,
}

/// What to demand of a path.
#[derive(Debug, Clone)]
pub struct PathOptions {
    pub time: Time,
    pub profile: Profile,
    /// Intermediates that are not self-issued; what is between the target and the anchor.
    pub max_intermediates: usize,
    /// The target must present every one of these (RFC 9525 §6).
    pub names: Vec<ReferenceName>,
    /// The target must be fit for every one of these, and so must every authority that limits purposes.
    pub purposes: Vec<Oid>,
    pub policies: PolicyInputs,
    /// initial-permitted-subtrees and initial-excluded-subtrees.
    pub constraints: Option<NameConstraints>,
    pub revocation: Revocation,
    pub crls: Vec<CertificateList>,
    /// Accept RSA keys below 2048 bits and SHA-1 signatures, as legacy devices have them.
    pub allow_legacy_algorithms: bool,
    pub budget: Budget,
}

impl PathOptions {
    /// RFC 5280 rules at an instant, without names, purposes or revocation.
    pub fn at(time: Time) -> Self {
        Self {
            time,
            profile: Profile::Rfc5280,
            max_intermediates: 8,
            names: Vec::new(),
            purposes: Vec::new(),
            policies: PolicyInputs::default(),
            constraints: None,
            revocation: Revocation::Ignored,
            crls: Vec::new(),
            allow_legacy_algorithms: false,
            budget: Budget::default(),
        }
    }
}

/// A certificate that the relying party trusts, within limits of its own (RFC 5914, RFC 5937).
#[derive(Debug, Clone)]
pub struct TrustAnchor {
    pub certificate: Certificate,
    /// Limits that the relying party adds to whatever the certificate itself says.
    pub constraints: Option<NameConstraints>,
    pub max_intermediates: Option<usize>,
    /// Use the certificate as a name and a key only, as RFC 5280 §6.1.1 (d) does: neither its dates nor
    /// its extensions count.
    pub is_bare: bool,
}

impl TrustAnchor {
    pub fn new(certificate: Certificate) -> Self {
        Self {
            certificate,
            constraints: None,
            max_intermediates: None,
            is_bare: false,
        }
    }
}

/// A path on which every rule holds.
#[derive(Debug, Clone)]
pub struct ValidPath {
    /// Target first, last the certificate that the anchor issued; the anchor is not among them.
    pub chain: Vec<Certificate>,
    pub anchor: Certificate,
    /// The user-constrained policy set (RFC 9618 §5.6 (g)); anyPolicy stands for all.
    pub policies: Vec<Oid>,
    /// Paths that were walked to the end before this one held.
    pub tried: u32,
}

/// Finds a path from the target to one of the anchors on which every rule holds.
///
/// Of several failures the one that came furthest is reported.
pub fn validate(
    target: &Certificate,
    untrusted: &[Certificate],
    anchors: &[TrustAnchor],
    options: &PathOptions,
) -> Result<ValidPath, PathError> {
    build::Search::new(target, untrusted, anchors, options).run()
}
