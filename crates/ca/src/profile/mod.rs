//! Profiles (R04, R05): what may be issued, under which names, for how long, who may ask and who
//! must agree. Written in TOML, versioned as kept records, read once into [`Profile`], whose fields
//! cannot be set from outside: a profile that exists has passed every check.

mod builtin;
mod check;
mod describe;
mod diff;
mod duration;
mod identity;
mod limits;
mod names;
mod raw;
mod store;
mod usage;

use std::collections::BTreeMap;
use std::fmt;

use access::Role;
use serde::{Deserialize, Serialize};
use x509::ext::KeyUsage;
use x509::{Extension, KeyAlgorithm, Oid};

pub use builtin::BUILT_IN;
pub(crate) use check::is_slug;
pub use check::{Finding, Severity, check};
pub use diff::{Change, diff};
pub use duration::Duration;
pub use names::{NameKind, NameRule};
pub use store::{Origin, ProfileVersion};
pub(crate) use store::{PROFILE_RECORDS, Profiles, follow_built_in, read_versions};

/// What sort of thing the certificate is for; decides the longest validity (R05).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A service run by people who can restart it.
    Server,
    /// Clinical or network equipment.
    Device,
    /// A human being.
    Person,
    /// A key that signs things other than TLS handshakes.
    Signing,
    /// Part of the PKI itself.
    Infrastructure,
    /// A CA.
    Authority,
}

/// Who renews.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Renewal {
    /// A protocol, without anybody's hand.
    Automatic,
    /// Somebody with a screwdriver or a vendor's tool.
    Manual,
}

/// An attribute of the subject that a profile can speak about, in the order in which they are
/// written into the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Attribute {
    /// countryName
    C,
    /// stateOrProvinceName
    ST,
    /// localityName
    L,
    /// organizationName
    O,
    /// organizationalUnitName
    OU,
    /// commonName
    CN,
    /// serialNumber
    #[serde(rename = "serialNumber")]
    SerialNumber,
    /// userId
    UID,
}

impl Attribute {
    /// The attribute's object identifier.
    pub fn oid(self) -> Oid {
        use x509::oids;
        match self {
            Attribute::C => oids::COUNTRY,
            Attribute::ST => oids::STATE,
            Attribute::L => oids::LOCALITY,
            Attribute::O => oids::ORGANIZATION,
            Attribute::OU => oids::ORGANIZATIONAL_UNIT,
            Attribute::CN => oids::COMMON_NAME,
            Attribute::SerialNumber => oids::SERIAL_NUMBER,
            Attribute::UID => oids::USER_ID,
        }
    }

    /// The most characters (X.520 upper bounds, RFC 5280 Appendix A.1).
    pub fn max_chars(self) -> usize {
        match self {
            Attribute::C => 2,
            Attribute::ST | Attribute::L => 128,
            Attribute::O | Attribute::OU | Attribute::CN | Attribute::SerialNumber => 64,
            Attribute::UID => 256,
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Attribute::C => "C",
            Attribute::ST => "ST",
            Attribute::L => "L",
            Attribute::O => "O",
            Attribute::OU => "OU",
            Attribute::CN => "CN",
            Attribute::SerialNumber => "serialNumber",
            Attribute::UID => "UID",
        })
    }
}

/// Where an attribute of the subject comes from: the subject's template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributeRule {
    /// Its source.
    pub from: AttributeSource,
    /// The value, for `from = "value"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whether a certificate without it is refused.
    #[serde(default)]
    pub required: bool,
}

/// The source of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttributeSource {
    /// What the request says.
    Request,
    /// One of the DNS names: the one that the request says, else the first.
    Dns,
    /// One of the mail addresses, likewise.
    Email,
    /// The name of the organisation, from the hierarchy's settings.
    Organization,
    /// Written in the profile.
    Value,
}

/// The two usages that depend on the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) authority: bool,
    pub(crate) path_length: Option<u32>,
    pub(crate) key: KeyUsage,
    pub(crate) key_rsa: KeyUsage,
    pub(crate) key_ec: KeyUsage,
    pub(crate) extended: Vec<Oid>,
    pub(crate) extended_critical: bool,
    pub(crate) ocsp_no_check: bool,
    pub(crate) tls_feature_on_request: bool,
}

impl Usage {
    /// The key usage for a key of this algorithm.
    pub(crate) fn for_key(&self, algorithm: KeyAlgorithm) -> KeyUsage {
        match algorithm {
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
                self.key | self.key_rsa
            }
            KeyAlgorithm::Ed25519 => self.key,
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521 => {
                self.key | self.key_ec
            }
        }
    }
}

/// How long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) default: Duration,
    pub(crate) max: Duration,
    pub(crate) exception_max: Option<Duration>,
    pub(crate) backdate: Duration,
    pub(crate) renewal: Renewal,
}

/// A profile that has passed every check.
#[derive(Clone, Debug)]
pub struct Profile {
    name: String,
    title: String,
    class: Class,
    issued_by: Vec<String>,
    citations: Vec<String>,
    policies: Vec<Oid>,
    algorithms: Vec<KeyAlgorithm>,
    server_keys: bool,
    subject: BTreeMap<Attribute, AttributeRule>,
    names: BTreeMap<NameKind, NameRule>,
    min_names: u16,
    usage: Usage,
    validity: Validity,
    roles: Vec<Role>,
    approvals: u8,
    evidence: bool,
    extensions: Vec<Extension>,
    json: serde_json::Value,
}

impl Profile {
    /// Reads a profile; the errors say line, rule and source.
    pub fn parse(toml: &str) -> Result<Profile, BadProfile> {
        let (profile, findings) = check::read(toml);
        let errors: Vec<Finding> = findings
            .into_iter()
            .filter(|finding| finding.severity == Severity::Error)
            .collect();
        match profile {
            Some(profile) if errors.is_empty() => Ok(profile),
            _ => Err(BadProfile { findings: errors }),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its name for people.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What sort of thing it is for.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Purposes of the authorities that may issue it; the first is the usual one, `*` is any.
    pub fn issued_by(&self) -> &[String] {
        &self.issued_by
    }

    /// Where its rules come from.
    pub fn citations(&self) -> &[String] {
        &self.citations
    }

    /// Certificate policies it asserts.
    pub fn policies(&self) -> &[Oid] {
        &self.policies
    }

    /// Key algorithms it takes; the first is what Ward generates.
    pub fn algorithms(&self) -> &[KeyAlgorithm] {
        &self.algorithms
    }

    /// Whether Ward may make the key, and give it away once. Elsewhere a key never leaves whoever it belongs to.
    pub fn server_keys(&self) -> bool {
        self.server_keys
    }

    /// The subject's template.
    pub fn subject(&self) -> &BTreeMap<Attribute, AttributeRule> {
        &self.subject
    }

    /// The rule for a kind of name; `None` means that the kind is not allowed.
    pub fn name_rule(&self, kind: NameKind) -> Option<&NameRule> {
        self.names.get(&kind)
    }

    /// The fewest names, all kinds together.
    pub fn min_names(&self) -> u16 {
        self.min_names
    }

    /// The validity that is given when none is asked for.
    pub fn default_validity(&self) -> Duration {
        self.validity.default
    }

    /// The longest validity without an exception.
    pub fn max_validity(&self) -> Duration {
        self.validity.max
    }

    /// The longest validity with a recorded exception.
    pub fn exception_validity(&self) -> Option<Duration> {
        self.validity.exception_max
    }

    /// Who may ask.
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// How many other people must approve.
    pub fn approvals(&self) -> u8 {
        self.approvals
    }

    /// Whether a request must bring evidence.
    pub fn evidence(&self) -> bool {
        self.evidence
    }

    /// Whether it makes CAs.
    pub fn is_authority(&self) -> bool {
        self.usage.authority
    }

    /// Everything in it, as JSON.
    pub fn to_json(&self) -> &serde_json::Value {
        &self.json
    }

    pub(crate) fn usage(&self) -> &Usage {
        &self.usage
    }

    pub(crate) fn validity(&self) -> &Validity {
        &self.validity
    }

    pub(crate) fn extra_extensions(&self) -> &[Extension] {
        &self.extensions
    }

    pub(crate) fn name_rules(&self) -> impl Iterator<Item = (NameKind, &NameRule)> {
        self.names.iter().map(|(kind, rule)| (*kind, rule))
    }
}

/// A text that is no profile, and everything that is wrong with it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", join(.findings))]
pub struct BadProfile {
    /// What is wrong, in the order of the text.
    pub findings: Vec<Finding>,
}

fn join(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
