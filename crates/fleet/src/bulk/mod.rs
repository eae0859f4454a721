//! Doing one thing to many: revoke, give an owner or tags, waive (R15). First what would happen, with a digest of exactly
//! what is meant; then, with that digest, a job that goes through it item by item.
//!
//! # Invariants
//! - Nothing is done that was not shown: the digest is over the items one by one, not over the search that found them.
//! - Each item is decided anew, with the rights that whoever asked has at that moment, and is an event of its own.
//! - A job that was killed goes on where it was; an item that was done and not marked is found done.

mod blast;
mod job;
mod meant;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use blast::{BlastRadius, StoppedFlow};
pub use job::{Job, JobItem, JobPage};
pub use meant::{Meant, Planned};

use crate::asset::words;
use access::Action;

/// Most items of one job.
pub const MOST_ITEMS: usize = 10_000;
pub(crate) const SOURCE: &str = "docs/bulk.md";

words! {
    /// What is done to each.
    BulkAction, "bulk action" {
        #[default]
        Revoke = "revoke",
        Owner = "owner",
        Tag = "tag",
        Waive = "waive",
    }
}

use crate::UnknownWord;

impl BulkAction {
    /// The permission that each item takes.
    pub const fn needs(self) -> Action {
        match self {
            BulkAction::Revoke => Action::RevokeCertificate,
            BulkAction::Owner | BulkAction::Tag => Action::ManageInventory,
            BulkAction::Waive => Action::ManageFindings,
        }
    }
}

/// What is asked for. Either `search` or `ids`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Wish {
    /// In the search language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    /// SHA-256 of certificates, in hex.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// To revoke: as in RFC 5280 §5.3.1, `keyCompromise`, `superseded`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Goes into the log; for a waiver its reason, ten characters and more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Who answers for it from now on, or for the waiver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Tags to give.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Tags to take.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub untag: Vec<String>,
    /// To waive: findings of this rule about these certificates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// To waive: until when, Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}
