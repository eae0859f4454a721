//! Which CRL partition a new certificate belongs to: certificates fill partitions one after the
//! other, so that a revocation re-publishes one list of bounded size (R13).

use std::sync::atomic::{AtomicI64, Ordering};

use store::params;

use crate::{Ca, Issuer, Result};

/// How many certificates share a partition: at 40 to 49 octets an entry its CRL stays near 5 MB at most.
pub const PARTITION_SIZE: i64 = 100_000;

/// How many certificates an issuer has, as far as partitions are concerned; -1 before it is known.
pub(crate) struct Partitions(AtomicI64);

impl Default for Partitions {
    fn default() -> Self {
        Partitions(AtomicI64::new(-1))
    }
}

const NEWEST: &str =
    "SELECT partition FROM certificates WHERE issuer = $1 ORDER BY serial DESC LIMIT 1";
/// Walks the index from its end: bounded by one partition, and done once per issuer and process.
const IN_PARTITION: &str = "SELECT COUNT(*) FROM (SELECT partition FROM certificates \
    WHERE issuer = $1 ORDER BY serial DESC LIMIT 100000) AS newest WHERE partition = $2";

impl Ca {
    /// The partition of the next `count` certificates. Two nodes count apart; a partition is then a
    /// little larger than meant, which harms nothing.
    pub(crate) async fn next_partition(&self, issuer: &Issuer, count: usize) -> Result<u32> {
        let counter = &issuer.partitions.0;
        if counter.load(Ordering::Acquire) < 0 {
            let known = self.count_partitions(issuer.name()).await?;
            let _ = counter.compare_exchange(-1, known, Ordering::AcqRel, Ordering::Acquire);
        }
        let count = i64::try_from(count).unwrap_or(PARTITION_SIZE);
        let number = counter.fetch_add(count, Ordering::AcqRel) / PARTITION_SIZE;
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// The partition that certificates of this issuer are going into.
    pub async fn newest_partition(&self, issuer: &Issuer) -> Result<u32> {
        let known = issuer.partitions.0.load(Ordering::Acquire);
        let count = match known {
            0.. => known,
            _ => self.count_partitions(issuer.name()).await?,
        };
        Ok(u32::try_from(count / PARTITION_SIZE).unwrap_or(u32::MAX))
    }

    async fn count_partitions(&self, issuer: &str) -> Result<i64> {
        let rows = self.store().query(NEWEST, params![issuer]).await?;
        let Some(row) = rows.first() else {
            return Ok(0);
        };
        let newest = row.int(0)?;
        let rows = self
            .store()
            .query(IN_PARTITION, params![issuer, newest])
            .await?;
        let within = rows.first().map_or(Ok(0), |row| row.int(0))?;
        Ok(newest * PARTITION_SIZE + within)
    }
}
