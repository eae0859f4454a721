//! The PHI data-flow map (R16): systems, who exchanges what with whom, and which certificate protects each exchange.
//!
//! A [`System`] says what it is and where it stands (assets, names, addresses); a [`Flow`] says that one system calls
//! another, over which ports. Where a certificate is found at an end of a flow, it protects that flow. What is known of one
//! system passes along to others ([`Map`]): health information over flows, in both directions, unless somebody says that
//! none passes; criticality and patients from whoever depends on something to what it depends on.
//!
//! # Invariants
//! - Systems and flows are versioned records: the map as of any instant can be drawn again (R52).
//! - What is not said never makes a risk smaller: a flow of which nobody has said whether health information passes has it
//!   if either of its ends has.
//! - The map is linear work in systems and flows, whatever circles they make, and both have a limit.

mod check;
mod end;
mod file;
mod finding;
mod follow;
mod gap;
mod graph;
mod keep;
mod map;
mod observed;
mod protects;
#[cfg(test)]
mod tests;

use agent::scan::Range;
use serde::{Deserialize, Serialize};

use crate::asset::words;
use crate::{Criticality, UnknownWord};

pub use file::{Imported, MapFile};
pub use follow::{Followed, MapCursor};
pub use gap::{Gap, Guard, Guarded};
pub use keep::{MapRecord, Stored};
pub use map::Map;
pub use observed::Observed;
pub use protects::{MapKind, Protects, Side};

/// The kinds under which both are kept.
pub const SYSTEM_RECORDS: &str = "system";
pub const FLOW_RECORDS: &str = "flow";

/// Systems and flows on one map: several times what a health system with fifty thousand certificates has.
pub const MOST_SYSTEMS: usize = 10_000;
pub const MOST_FLOWS: usize = 50_000;

/// Something that holds or passes data: an application, a database, a sort of device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct System {
    pub name: String,
    pub kind: SystemKind,
    /// The team that answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Protected health information is on it.
    pub phi: bool,
    /// Patients face it.
    pub patient_facing: bool,
    pub criticality: Criticality,
    /// Assets that it consists of, by id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<String>,
    /// Names that it answers to; `*.` in front stands for every name below.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Where it stands: addresses, prefixes, ranges.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Range>,
    /// Systems that it cannot work without, flows aside.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// One system calls another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flow {
    pub name: String,
    /// Who calls.
    pub from: String,
    /// Who answers.
    pub to: String,
    /// As people call it: fhir, hl7, dicom, ldap, …
    #[serde(skip_serializing_if = "String::is_empty")]
    pub protocol: String,
    /// Ports at which it answers; none: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// The name that is asked for (RFC 6066 §3), where others answer at the same port; `*.` as in a system's names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Whether health information passes; absent: nobody has said, so it does if either end has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phi: Option<bool>,
    /// What depends on it, beyond what depends on who calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub criticality: Option<Criticality>,
    /// Whoever calls has to show a certificate, too (R31).
    pub mutual: bool,
    /// What protects it instead of TLS, where something does: `IPsec between north and south`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protected_by: Option<String>,
    /// The team that answers for it; else that of the system that answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

words! {
    /// What sort of system it is.
    SystemKind, "kind of system" {
        /// The electronic health record: flows from and to it are EHR integrations (R18).
        Ehr = "ehr",
        /// What patients see: portals, telehealth.
        Portal = "portal",
        /// Pictures: PACS, modalities, viewers.
        Imaging = "imaging",
        Laboratory = "laboratory",
        Pharmacy = "pharmacy",
        /// Medical devices and what collects from them.
        Devices = "devices",
        /// Interface engines, gateways, API platforms.
        Integration = "integration",
        Database = "database",
        /// Directories, identity, names, time.
        Infrastructure = "infrastructure",
        /// Somebody else's: an exchange, a partner, a vendor.
        Partner = "partner",
        #[default]
        Other = "other",
    }
}
