//! Assets: what the hospital has that can hold a certificate, one by one, each by its serial number (R08). A record is
//! kept in every version; the defaults are those of a device that nobody has said anything about, chosen so that
//! ignorance never makes Ward bolder.

use serde::{Deserialize, Serialize};
use x509::KeyAlgorithm;

use crate::udi::Udi;

/// The kind under which assets are kept.
pub const ASSET_RECORDS: &str = "asset";

/// One thing in the register.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Asset {
    /// `a` and sixteen hex digits; empty until it is registered.
    pub id: String,
    pub kind: Kind,
    /// As the manufacturer writes it on the device. Only servers, workstations and services may be without.
    pub serial: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udi: Option<Udi>,
    pub manufacturer: String,
    pub model: String,
    /// DNS names, lower case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub host_names: Vec<String>,
    /// The team that answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// The network zone it lives in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    pub criticality: Criticality,
    /// Whether protected health information is on it or passes through it.
    pub phi: bool,
    /// Who services it, where that is not the manufacturer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// When it will be scrapped, Unix seconds: no certificate outlives it (R05).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_life_ends: Option<i64>,
    pub renewal: RenewalMethod,
    pub clock: ClockQuality,
    /// The kinds of keys it can work with; none: whatever the profile allows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_types: Vec<KeyAlgorithm>,
    /// Its TLS stack holds small messages only: it gets short chains.
    pub small_memory: bool,
    pub state: AssetState,
    /// What the asset system (CMMS) calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl Asset {
    /// Where it stands and whose it is, as scopes of grants know it.
    pub fn place(&self) -> access::Place<'_> {
        access::Place {
            site: self.site.as_deref(),
            segment: self.segment.as_deref(),
            department: self.department.as_deref(),
            owner: self.owner.as_deref(),
        }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Every one.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// As it is written in commands, tables and JSON.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                let found = $name::ALL.iter().find(|one| one.name() == text);
                found.copied().ok_or_else(|| UnknownWord {
                    text: text.chars().take(40).collect(),
                    what: $what,
                    accepted: [$($text),+].join(", "),
                })
            }
        }
    };
}

pub(crate) use words;

words! {
    /// What sort of thing it is.
    Kind, "kind of asset" {
        /// A medical or other device: always known by its serial number.
        #[default]
        Device = "device",
        Server = "server",
        Workstation = "workstation",
        /// Software that has certificates of its own, wherever it runs.
        Service = "service",
    }
}

words! {
    /// What depends on it.
    Criticality, "criticality" {
        LifeSupport = "life-support",
        High = "high",
        #[default]
        Medium = "medium",
        Low = "low",
    }
}

words! {
    /// How its certificates are renewed.
    RenewalMethod, "renewal method" {
        #[default]
        Automatic = "automatic",
        /// Somebody goes there.
        Manual = "manual",
        /// A prepared certificate is put in.
        Spare = "spare",
    }
}

words! {
    /// What its clock is worth.
    ClockQuality, "clock quality" {
        #[default]
        Good = "good",
        /// Hours wrong: certificates begin a day earlier.
        Poor = "poor",
        /// Wakes up in 1970: certificates begin when their issuer does.
        None = "none",
    }
}

words! {
    /// Where it stands in its life.
    AssetState, "state" {
        #[default]
        Active = "active",
        /// Put away; it may come back.
        Stored = "stored",
        /// Gone for good: it gets no certificate any more.
        Retired = "retired",
    }
}

/// A word that is none of those that are known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {what}; accepted: {accepted}")]
pub struct UnknownWord {
    pub text: String,
    pub what: &'static str,
    pub accepted: String,
}
