//! Claims: things that may be used once, by whichever node comes first. Like a lease a claim has no
//! event: it says only that something was used, and what it was used for has one.
//!
//! On PostgreSQL a claim is one statement on a connection of its own, and its commit does not wait
//! for the disk: if the *database server* loses power within a second of a claim, what was claimed
//! then can be claimed again. A node that dies takes nothing along.

use audit::Timestamp;

use crate::{Engine, Result, Store, StoreError, Value, Write, params};

const CLAIM: &str = "INSERT INTO claims(kind, key, expires_at) VALUES($1, $2, $3) \
    ON CONFLICT DO NOTHING";
const EXPIRED: &str = "SELECT COUNT(*) FROM claims WHERE kind = $1 AND expires_at <= $2";
const DROP: &str = "DELETE FROM claims WHERE kind = $1 AND expires_at <= $2";
const CLAIMED: &str = "somebody has claimed it";

impl Store {
    /// Claims `key` until `expires`. False: somebody has. An error leaves it open who has it.
    pub async fn claim(
        &self,
        kind: &'static str,
        key: Vec<u8>,
        expires: Timestamp,
    ) -> Result<bool> {
        let params = params![kind, key, expires];
        match &self.inner.engine {
            Engine::Postgres(postgres) => Ok(postgres.claim(CLAIM, &params).await? == 1),
            Engine::Sqlite(_) => {
                let write = Write::bookkeeping_expecting(CLAIM, params, CLAIMED);
                match self.submit(write).await {
                    Ok(_) => Ok(true),
                    Err(StoreError::Conflict(CLAIMED)) => Ok(false),
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// Forgets claims that have expired; says how many.
    pub async fn drop_claims(&self, kind: &'static str, now: Timestamp) -> Result<u64> {
        let params: Vec<Value> = params![kind, now];
        match &self.inner.engine {
            Engine::Postgres(postgres) => postgres.claim(DROP, &params).await,
            Engine::Sqlite(_) => {
                let rows = self.query(EXPIRED, params.clone()).await?;
                let count = rows.first().map_or(Ok(0), |row| row.int(0))?;
                if count > 0 {
                    self.submit(Write::bookkeeping(DROP, params)).await?;
                }
                Ok(count.unsigned_abs())
            }
        }
    }
}
