//! Whose a certificate is (R21): ordered rules, of which the first that matches gives owner, tags and criticality to what
//! the register does not know. What somebody has set by hand goes before the asset's word, and that before a rule's.

mod assign;
mod exercise;
mod keep;
mod matching;

use agent::scan::Range;
use serde::{Deserialize, Serialize};

use super::Environment;
use crate::Criticality;

pub(crate) use assign::{assigned, environment_name};
pub(crate) use exercise::exercise;
pub use keep::{StoredHand, StoredRule, Trial, Tried};
pub use matching::{Candidate, Looked, Verdict, first, tried};

/// The kind under which rules are kept, and the kind of what was set by hand.
pub const RULE_RECORDS: &str = "owner-rule";
pub const HAND_RECORDS: &str = "inventory-hand";

/// One rule. Rules are tried in the order of their positions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnerRule {
    pub name: String,
    /// The smallest is tried first; two of one position by their names.
    pub position: i64,
    pub when: When,
    pub give: Gift,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// What a certificate has to be like. Every list that is not empty must have one that holds; what is said about places
/// must hold of one and the same place. A rule that says nothing matches everything: the last one may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// Globs over its names, common name among them: `*.icu.hospital.example`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Globs over its issuer and its subject as text: `*O=Fluidic*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub issuers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
    /// Maker or servicer of the asset that it belongs to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vendors: Vec<String>,
    /// scan, capture, file, import, issued.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub how: Vec<String>,
    /// Whether an authority of ours signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ours: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub self_signed: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Range>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// Globs over the host that a file is on, or the name that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Globs over the path of a file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
}

/// What a rule, or a person, says about a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gift {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub criticality: Option<Criticality>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phi: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient_facing: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
}
