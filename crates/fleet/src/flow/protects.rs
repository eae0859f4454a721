//! What a certificate protects, as the map of systems and flows tells it.

use serde::{Deserialize, Serialize};

use crate::Criticality;

/// A flow or a system whose endpoint a certificate stands at, with everything that passes along the map to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Protects {
    pub kind: MapKind,
    pub name: String,
    pub side: Side,
    /// Health information passes there.
    pub phi: bool,
    /// One of its ends is the electronic health record.
    pub ehr: bool,
    /// Patients face it, or what they face needs it.
    pub patient_facing: bool,
    pub criticality: Criticality,
    /// What it has from elsewhere on the map, and from where: `PHI from EHR`. Nothing where its own record says it all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed: Option<String>,
}

/// What the map is made of. Flows come first: they say what is exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapKind {
    Flow,
    System,
}

impl MapKind {
    pub const fn name(self) -> &'static str {
        match self {
            MapKind::Flow => "flow",
            MapKind::System => "system",
        }
    }
}

/// Who shows the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Whoever answers.
    Server,
    /// Whoever calls, in mutual TLS.
    Client,
}

impl Side {
    pub const fn name(self) -> &'static str {
        match self {
            Side::Server => "server",
            Side::Client => "client",
        }
    }
}
