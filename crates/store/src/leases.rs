//! Leases: which of several nodes does a recurring piece of work. A lease runs out by itself, so
//! a node that dies blocks nothing for longer than that. It has no event: what the work changes
//! has one.

use std::time::Duration;

use audit::Timestamp;

use crate::{Result, Store, Write, params};

const TAKE: &str = "INSERT INTO leases(name, holder, expires_at) VALUES($1, $2, $3) \
    ON CONFLICT(name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at \
    WHERE leases.holder = excluded.holder OR leases.expires_at <= $4";
const GIVE_BACK: &str = "DELETE FROM leases WHERE name = $1 AND holder = $2";
const RUNS: &str = "SELECT 1 FROM leases WHERE name = $1 AND expires_at > $2";
const NOT_TAKEN: &str = "somebody else holds the lease";

impl Store {
    /// Takes or extends the lease `name` for `holder` until `ttl` after `now`. False: another
    /// holder has it and it has not run out.
    pub async fn lease(
        &self,
        name: &str,
        holder: &str,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<bool> {
        let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        let until = Timestamp(now.0.saturating_add(ttl));
        let write =
            Write::bookkeeping_expecting(TAKE, params![name, holder, until, now], NOT_TAKEN);
        match self.submit(write).await {
            Ok(_) => Ok(true),
            Err(crate::StoreError::Conflict(NOT_TAKEN)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether somebody holds the lease and it has not run out.
    pub async fn lease_runs(&self, name: &str, now: Timestamp) -> Result<bool> {
        Ok(!self.query(RUNS, params![name, now]).await?.is_empty())
    }

    /// Gives a lease back before it runs out; nothing happens if `holder` does not have it.
    pub async fn end_lease(&self, name: &str, holder: &str) -> Result<()> {
        self.submit(Write::bookkeeping(GIVE_BACK, params![name, holder]))
            .await?;
        Ok(())
    }
}
