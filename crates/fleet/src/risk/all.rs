//! The risk of everything at once: the table of [`Light`](super::Light) as an SQL expression, so that a million certificates
//! cost a few walks over rows and no certificate is read. What nobody has touched still nears its end.

use audit::Timestamp;
use serde::Serialize;
use store::{Write, params};

use super::SOON;
use crate::inventory::head::{Head, again};
use crate::{Fleet, Result};

/// Rows of one write: whoever else writes has a turn in between.
const BATCH: i64 = 50_000;

/// $1 is now and $2 thirty days later, both in Unix seconds. 6 is certificateHold (RFC 5280 §5.3.1).
macro_rules! level {
    () => {
        "(CASE WHEN places = 0 AND (not_after < $1 OR (revoked IS NOT NULL AND revoked <> 6)) THEN 0 \
        WHEN phi <> 0 AND not_after < $2 THEN 4 \
        WHEN phi <> 0 OR patient_facing <> 0 OR ehr <> 0 OR criticality = 3 THEN 3 \
        WHEN environment = 'test' OR environment = 'development' THEN 1 \
        ELSE 2 END)"
    };
}

const COUNT: &str = concat!(
    "SELECT COUNT(*), COALESCE(SUM(CASE WHEN risk <> ",
    level!(),
    " THEN 1 ELSE 0 END), 0) FROM inventory WHERE id > $3 AND id <= $4"
);
const SET: &str = concat!(
    "UPDATE inventory SET risk = ",
    level!(),
    ", touched = $5 WHERE id > $3 AND id <= $4 AND risk <> ",
    level!()
);
const LAST: &str = "SELECT MAX(id) FROM inventory";

/// What a recomputation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reassessed {
    pub certificates: u64,
    /// Those whose risk is another one now.
    pub changed: u64,
}

impl Fleet {
    /// Computes the risk of every certificate anew, from its columns.
    pub async fn assess_all(&self, now: Timestamp) -> Result<Reassessed> {
        let seconds = now.0.div_euclid(1000);
        let soon = seconds.saturating_add(SOON);
        let rows = self.store().query(LAST, vec![]).await?;
        let last = rows.first().map(|row| row.opt_int(0)).transpose()?;
        let last = last.flatten().unwrap_or(0);
        let mut done = Reassessed::default();
        let mut after = 0;
        while after < last {
            let upto = after.saturating_add(BATCH);
            let params = params![seconds, soon, after, upto];
            let rows = self.store().query(COUNT, params).await?;
            let count = |column| rows.first().map_or(Ok(0), |row| row.int(column));
            let changed = count(1)?.unsigned_abs();
            done.certificates += count(0)?.unsigned_abs();
            done.changed += changed;
            if changed > 0 {
                self.assess_batch([seconds, soon, after, upto]).await?;
            }
            after = upto;
        }
        Ok(done)
    }

    async fn assess_batch(&self, [seconds, soon, after, upto]: [i64; 4]) -> Result<()> {
        let _turn = self.inventory.turns.alone().await;
        let mut attempt = 0;
        loop {
            let before = Head::read(self.store()).await?;
            let next = before.next();
            let params = params![seconds, soon, after, upto, next.touched];
            let write = next.moved(before, Write::derived()).run(SET, params);
            match self.store().commit(write).await {
                Ok(_) => return Ok(()),
                Err(error) if again(&error, attempt).await => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
}
