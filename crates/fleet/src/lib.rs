//! What exists and what it holds: the asset register (R08), holdings, retirement (R11), imports from the asset system,
//! spares (R24). What was found, and what it means: the inventory with its search, owners, findings, risk and the map of
//! health information (R16, R18, R19, R21). Looking for it: segments of the network with what a scan of each may do,
//! scans, coverage, agents (R17).
//!
//! # Invariants
//! - An asset is one record whose versions are kept; the table `assets` only finds it and is written with it.
//! - No certificate becomes an asset's after its retirement: both change the same row.
//! - What has to be revoked stands in the database before anybody starts to revoke it, so that a crash forgets none.

pub mod agents;
pub mod alert;
mod asset;
pub mod bulk;
pub mod bundle;
pub mod cbom;
mod check;
mod coverage;
mod ending;
mod error;
#[doc(hidden)]
pub mod exercise;
pub mod finding;
pub mod flow;
mod holdings;
mod identity;
mod import;
pub mod inventory;
pub mod posture;
mod register;
mod retire;
pub mod risk;
pub mod scan;
mod schema;
pub mod search;
mod segment;
mod spare;
pub mod topology;
pub mod udi;

use std::sync::Arc;

use access::{Access, Permit, Refusal};
use audit::{Object, Timestamp};
use ca::Ca;
use store::Store;

pub use asset::{
    ASSET_RECORDS, Asset, AssetState, ClockQuality, Criticality, Kind, RenewalMethod, UnknownWord,
};
pub use coverage::{Coverage, CoverageReport, Looked};
pub use error::{FleetError, Result};
pub use holdings::{Holding, NewHolding, Previous};
pub use import::{
    BadRow, Change, FieldChange, Import, Imported, LARGEST_FILE, MOST_TOLD, Missing, differences,
    edited,
};
pub use register::{AssetFilter, AssetPage, StoredAsset};
pub use retire::{Retire, Retired};
pub use schema::MIGRATIONS;
pub use segment::{
    Hours, HoursError, LimitsNow, Nameless, Open, SEGMENT_RECORDS, SIGNED_LIMITS, Segment, SignOff,
    SignedLimits, SignedLimitsError, StoredSegment, Unplaced,
};
pub use spare::{NewSpare, ReleasedSpare, Spare, SpareState, is_release};
pub use udi::Udi;

/// The register. Cheap to clone.
#[derive(Clone)]
pub struct Fleet {
    ca: Ca,
    inventory: Arc<inventory::Shared>,
}

impl Fleet {
    /// The register of a CA whose store has [`MIGRATIONS`] applied.
    pub fn open(ca: Ca) -> Result<Fleet> {
        Ok(Fleet {
            ca,
            inventory: Arc::default(),
        })
    }

    fn store(&self) -> &Store {
        self.ca.store()
    }

    fn access(&self) -> &Access {
        self.ca.access()
    }
}

/// Records a refusal and makes it an error. If it cannot be recorded, that is the error.
async fn refused(
    access: &Access,
    permit: &Permit,
    action: &'static str,
    object: &Object,
    refusal: Refusal,
    now: Timestamp,
) -> FleetError {
    let (principal, id) = (permit.principal(), permit.request_id());
    let recorded = access
        .record_refusal(&refusal, principal, action, object.clone(), id, now)
        .await;
    match recorded {
        Ok(()) => refusal.into(),
        Err(error) => error.into(),
    }
}

/// `N` random bytes.
fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| FleetError::Random)?;
    Ok(bytes)
}
