//! What is known about one certificate, as values: owner rules, findings and risk are functions of this and of nothing
//! else, so that each can be explained, tested and asked "what if".

use std::sync::Arc;

use agent::observation::{Outcome, Place, TlsSeen};
use x509::Certificate;

use crate::flow::Protects;
use crate::{Asset, Criticality};

/// One certificate, wherever it lives and whoever issued it.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its row in the inventory.
    pub id: i64,
    pub sha256: [u8; 32],
    pub certificate: Arc<Certificate>,
    /// `rsa`, `ec-p256`, …, and the strength as usually told.
    pub key: String,
    pub key_bits: u32,
    pub self_signed: bool,
    /// Who certified it, as far as the inventory knows: the nearest first, each by a signature that was verified, up to a
    /// self-signed one or to where knowledge ends.
    pub issuers: Vec<Arc<Certificate>>,
    /// The authority of ours whose key signed it.
    pub authority: Option<String>,
    /// The CA knows that it issued it; with an authority and without this, somebody else used our key (R20).
    pub recorded: bool,
    /// The reason code of RFC 5280 §5.3.1, if we revoked it.
    pub revoked: Option<u8>,
    /// Where it is now.
    pub places: Vec<PlaceFacts>,
    /// Assets with another certificate for the same key.
    pub key_elsewhere: Vec<String>,
    pub assigned: Assigned,
    /// Data flows and systems that it protects, with what passes along the map to them (R16).
    pub flows: Vec<Protects>,
}

/// One place where it is.
#[derive(Clone, Debug)]
pub struct PlaceFacts {
    pub id: i64,
    pub place: Place,
    pub outcome: Outcome,
    pub segment: Option<String>,
    pub asset: Option<Arc<Asset>>,
    pub tls: Option<TlsSeen>,
    /// As sent, leaf first; what could not be read as a certificate is not here.
    pub chain: Vec<Arc<Certificate>>,
    pub first_seen: i64,
    pub last_seen: i64,
    /// The certificate that Ward last gave to what stands there, where that is another one (SHA-256).
    pub expected: Option<[u8; 32]>,
}

/// Whose it is and what depends on it: from the asset that it belongs to, else from the first rule that matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assigned {
    pub asset: Option<Arc<Asset>>,
    pub owner: Option<String>,
    /// `asset`, `rule NAME` or `hand`.
    pub owner_by: Option<String>,
    pub segment: Option<String>,
    pub site: Option<String>,
    pub vendor: Option<String>,
    pub environment: Environment,
    pub tags: Vec<String>,
    pub criticality: Criticality,
    pub phi: bool,
    pub patient_facing: bool,
}

/// What it is for, as far as risk goes (R18).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Environment {
    /// Whatever nobody has called anything else: ignorance never makes a risk smaller.
    #[default]
    Production,
    Test,
    Development,
}
