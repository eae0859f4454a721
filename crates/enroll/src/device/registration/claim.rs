//! What a protocol has read out of a message, and what it is told.

use std::net::IpAddr;
use std::sync::Arc;

use access::{Evidence, Refusal};
use audit::merkle::sha256;
use serde::{Deserialize, Serialize};
use x509::ext::{ExtensionValue, SubjectAltName};
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

impl RegistrationState {
    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            RegistrationState::Pending => "pending",
            RegistrationState::Issued => "issued",
            RegistrationState::Refused => "refused",
        }
    }

    /// Reads what [`RegistrationState::as_str`] wrote.
    pub(super) fn read(text: &str) -> Self {
        match text {
            "pending" => RegistrationState::Pending,
            "issued" => RegistrationState::Issued,
            _ => RegistrationState::Refused,
        }
    }
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

impl Claim {
    /// The key that is to be certified; `None` where it is made here.
    pub(super) fn key(&self) -> Option<&PublicKey> {
        match (&self.asked, &self.key_and_names) {
            (Asked::GenerateKey { .. }, _) => None,
            (_, KeyAndNames::Csr(csr)) => Some(csr.public_key()),
            (_, KeyAndNames::Template { key, .. }) => Some(key),
        }
    }

    /// What the key is known by.
    pub(super) fn spki_sha256(&self) -> Option<[u8; 32]> {
        self.key().map(|key| sha256(key.spki_der()))
    }

    /// The subject that is asked for.
    pub(super) fn subject(&self) -> Option<&Name> {
        match &self.key_and_names {
            KeyAndNames::Csr(csr) => Some(csr.subject()),
            KeyAndNames::Template { subject, .. } => subject.as_ref(),
        }
    }

    /// The alternative names that are asked for.
    pub(super) fn names(&self) -> Result<Vec<GeneralName>, Refusal> {
        match &self.key_and_names {
            KeyAndNames::Csr(csr) => {
                let found = csr.ext::<SubjectAltName>().map_err(|error| {
                    Refusal::new(
                        "csr.extension",
                        "RFC 2985 §5.4.2",
                        format!("subjectAltName: {error}"),
                    )
                })?;
                Ok(found.unwrap_or_default().0)
            }
            KeyAndNames::Template { names, .. } => Ok(names.clone()),
        }
    }

    /// What two copies of the same request have in common.
    pub(super) fn digest(&self) -> [u8; 32] {
        match &self.key_and_names {
            KeyAndNames::Csr(csr) => sha256(csr.der()),
            KeyAndNames::Template {
                key,
                subject,
                names,
            } => {
                let mut bytes = key.spki_der().to_vec();
                bytes.extend_from_slice(subject.as_ref().map_or(&[], |name| name.der()));
                bytes.extend(SubjectAltName(names.clone()).encode_value());
                sha256(&bytes)
            }
        }
    }
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

impl Transaction {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Transaction::Id(id) => id,
            Transaction::Request(digest) => digest,
        }
    }
}

/// What became of a claim.
pub(crate) enum Decision {
    /// `repeated` in it says that the same request was answered before.
    Issued(Box<ca::Issued>),
    Pending {
        retry_after_s: u32,
    },
    Refused(Refusal),
    /// Not now. It is in the log, or does not belong there.
    Later {
        refusal: Refusal,
        retry_after_s: u32,
    },
}

/// Whoever holds a certificate of ours.
pub(crate) struct Holder {
    pub(crate) certificate: Certificate,
    pub(crate) sha256: [u8; 32],
    /// The asset that it was issued to.
    pub(crate) asset: fleet::Asset,
}
