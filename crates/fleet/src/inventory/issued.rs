//! What Ward itself has issued, in the inventory beside everything else (R16, R20): brought in behind issuance, from the
//! CA's own table. It follows from accounted rows, so that it needs no event; and it never makes issuance wait.

use std::collections::HashMap;

use audit::Timestamp;
use store::{Row, Write, params};

use super::Settled;
use super::ingest::Intake;
use crate::{Fleet, Result};

/// Rows that are brought in at a time.
const PAGE: i64 = 1000;
/// Pages in one run of the loop.
const PAGES: usize = 10;
/// Batches that are settled in one run.
const BATCHES: usize = 40;
/// As many between two looks mean that certificates are being issued in numbers: then they go first, and what the
/// inventory costs for each of them is done afterwards.
const BUSY: i64 = 100;
/// For as long as this, in milliseconds; then there is a run, and it waits anew.
const PATIENCE_MS: i64 = 30_000;

const ISSUED: &str = "SELECT c.id, c.issuer, c.sha256, c.der, c.issued_at, \
    (SELECT r.reason FROM revocations r WHERE r.issuer = c.issuer AND r.serial = c.serial) \
    FROM certificates c WHERE c.id > $1 ORDER BY c.id LIMIT $2";
const CURSOR: &str = "SELECT issued FROM inventory_head WHERE id = 1";
const NEWEST: &str = "SELECT COALESCE(MAX(id), 0) FROM certificates";

/// How fast certificates are being issued, by the rows that there are at each look.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    newest: Option<i64>,
    /// Since when the inventory has waited for them.
    waiting_since: Option<Timestamp>,
}

impl Pace {
    /// Whether the inventory has to wait.
    fn waits(&mut self, newest: i64, now: Timestamp) -> bool {
        let before = self.newest.replace(newest);
        let busy = before.is_some_and(|before| newest - before >= BUSY);
        let since = self.waiting_since.take().filter(|_| busy).unwrap_or(now);
        let waits = busy && now.0 - since.0 < PATIENCE_MS;
        self.waiting_since = waits.then_some(since);
        waits
    }
}

impl Fleet {
    /// One run of the inventory's loop: brings in what was issued, then settles what there is to settle. Says what it
    /// settled; the rest is the next run's.
    pub async fn keep_inventory(&self, now: Timestamp) -> Result<Settled> {
        let rows = self.store().look_up(NEWEST, vec![]).await?;
        let newest = rows.first().map_or(Ok(0), |row| row.int(0))?;
        if self.inventory.pace.lock().waits(newest, now) {
            return Ok(Settled::default());
        }
        for _ in 0..PAGES {
            if self.bring_in_issued().await? == 0 {
                break;
            }
        }
        self.settle_at_most(BATCHES, now).await
    }

    /// Brings in everything that was issued since the last time.
    pub async fn bring_in_all_issued(&self) -> Result<u64> {
        let mut all = 0;
        loop {
            match self.bring_in_issued().await? {
                0 => return Ok(all),
                some => all += some,
            }
        }
    }

    /// Brings in the next page of what was issued; says how many.
    async fn bring_in_issued(&self) -> Result<u64> {
        let rows = self.store().look_up(CURSOR, vec![]).await?;
        let cursor = rows.first().map(|row| row.int(0)).transpose()?.unwrap_or(0);
        let rows = self.store().query(ISSUED, params![cursor, PAGE]).await?;
        let Some(last) = rows.last() else {
            return Ok(0);
        };
        let authorities: HashMap<String, String> = self
            .ca
            .issuers()
            .iter()
            .map(|issuer| {
                (
                    issuer.record().id.clone(),
                    issuer.record().authority.clone(),
                )
            })
            .collect();
        let mut intake = Intake {
            issued: Some(last.int(0)?),
            ..Intake::default()
        };
        for row in &rows {
            note(&mut intake, row, &authorities)?;
        }
        let begin = |_: &super::Ingested| Ok(Write::derived());
        self.take_in(intake, None, &begin).await?;
        Ok(rows.len() as u64)
    }
}

fn note<'a>(
    intake: &mut Intake<'a>,
    row: &'a Row,
    authorities: &HashMap<String, String>,
) -> Result<()> {
    let Ok(sha256) = row.blob(2)?.try_into() else {
        return Ok(());
    };
    let issuer = row.text(1)?;
    let authority = authorities.get(issuer).map_or(issuer, String::as_str);
    intake.want(sha256, row.blob(3)?, row.int(4)?, "issued");
    if let Some(wanted) = intake.certificates.get_mut(&sha256) {
        // 8 is removeFromCRL: a hold that was released (RFC 5280 §5.3.1).
        let revoked = row.opt_int(5)?.filter(|reason| *reason != 8);
        wanted.recorded = Some((authority.to_owned(), revoked));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuance_in_numbers_goes_first_but_not_for_ever() {
        let mut pace = Pace::default();
        let mut waits = |newest, seconds: i64| pace.waits(newest, Timestamp(seconds * 1000));
        assert!(!waits(5000, 0), "the first look knows no pace");
        assert!(!waits(5099, 2));
        assert!(waits(5199, 4));
        assert!(waits(6000, 33));
        assert!(!waits(6100, 34), "long enough");
        assert!(waits(6200, 36), "waits anew");
        assert!(!waits(6250, 38), "it is over");
        assert!(waits(6350, 70), "what was before does not count");
    }
}
