//! What a protocol has read out of a message, and what it is told.

use std::net::IpAddr;
use std::sync::Arc;

use access::{Evidence, Refusal};
use serde::{Deserialize, Serialize};
use x509::{Certificate, CertificationRequest, GeneralName, KeyAlgorithm, Name, PublicKey};
use zeroize::Zeroizing;

use crate::device::{Endpoint, RightId};

/// A device protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    Est,
    Scep,
    Cmp,
}

impl Protocol {
    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Est => "est",
            Protocol::Scep => "scep",
            Protocol::Cmp => "cmp",
        }
    }
}

/// Where a registration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegistrationState {
    /// Somebody has to decide.
    Pending,
    Issued,
    Refused,
}

/// A request for a certificate, whatever protocol it came in by.
pub(crate) struct Claim {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) protocol: Protocol,
    pub(crate) asked: Asked,
    pub(crate) key_and_names: KeyAndNames,
    pub(crate) proof: Proof,
    pub(crate) transaction: Transaction,
    /// Instead of the endpoint's; it must be one that the endpoint allows.
    pub(crate) profile: Option<String>,
    pub(crate) peer: IpAddr,
    pub(crate) request_id: String,
    pub(crate) evidence: Vec<Evidence>,
}

/// What is wanted.
pub(crate) enum Asked {
    /// A certificate for a device that has none. A device that has one of ours and proves it ([`Proof::Certificate`]) gets
    /// a renewal.
    Enrol,
    /// Another one in place of the one that signed.
    Renew,
    /// A certificate for a key that is made here and handed out once.
    GenerateKey {
        algorithm: Option<KeyAlgorithm>,
        package: ca::KeyPackage,
    },
}

/// Whose key, and who they say they are.
pub(crate) enum KeyAndNames {
    Csr(Box<CertificationRequest>),
    /// CMP's CRMF. Possession of the key has been proved.
    Template {
        key: Box<PublicKey>,
        subject: Option<Name>,
        names: Vec<GeneralName>,
    },
}

/// What the message proves about its sender.
pub(crate) enum Proof {
    /// SCEP's challengePassword.
    Password(Zeroizing<String>),
    /// HTTP Basic.
    Http {
        user: String,
        password: Zeroizing<String>,
    },
    /// Leaf first. Possession is proved by TLS or by the message's signature; nothing else is checked yet.
    Certificate(Vec<Certificate>),
    /// A MAC that verified with this right's secret.
    Mac(RightId),
    Nothing,
}

/// How a repeated request is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Transaction {
    /// transactionID of SCEP or CMP. With another key it is refused.
    Id(Vec<u8>),
    /// EST has none: SHA-256 of the request's DER.
    Request([u8; 32]),
}

/// What became of a claim.
pub(crate) enum Decision {
    /// `repeated` in it says that the same request was answered before.
    Issued(Box<ca::Issued>),
    Pending {
        /// The registration.
        id: String,
        retry_after_s: u32,
    },
    Refused(Refusal),
}

/// Whoever holds a certificate of ours.
pub(crate) struct Holder {
    pub(crate) certificate: Certificate,
    pub(crate) sha256: [u8; 32],
    /// The asset that it was issued to.
    pub(crate) asset: String,
    /// The endpoint that it was issued at.
    pub(crate) endpoint: String,
    pub(crate) profile: String,
}
