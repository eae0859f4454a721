//! What a crash leaves behind, and retries. A serial number under which there may be a signature, and
//! on which nobody works any more, is voided: it counts as revoked. A certificate that was recorded
//! stands, and a retry with the same idempotency key finds it.

use std::collections::{HashMap, HashSet};

use audit::{Actor, Event, Object, Timestamp};
use serde_json::json;
use store::{Row, StoreError, Value, Write, params};
use x509::{Certificate, Time};

use super::request::{IssueRequest, Issued, Source};
use super::reserve::{END, Reserved, lease};
use crate::{Ca, CaError, Result};

/// How old an open intent is before it counts as left behind: longer than any signature takes. If it
/// should be under way after all, its issuance fails, because its intent is gone. A block of which the
/// holder keeps no lease counts as left behind at the same age.
const ABANDONED_MS: i64 = 60_000;
/// A voided serial number stays on CRLs for a year: whoever has the signature has it by theft.
const VOID_SECONDS: i64 = 365 * 86_400;
/// How often a block is looked at anew because something happened to one of its numbers meanwhile.
const LOOKS: usize = 8;
/// Octets of a serial number out of a block.
const SERIAL: usize = 16;

const OPEN: &str =
    "SELECT serial, issuer, partition FROM intents WHERE created <= $1 ORDER BY serial LIMIT 1000";
const SETTLE: &str = "DELETE FROM intents WHERE serial = $1";
const REVOKE_INTENT: &str = "INSERT INTO revocations\
    (issuer, serial, partition, reason, revoked_at, invalidity_date, changed_at, expires) \
    VALUES($1, $2, $3, 0, $4, NULL, $5, $6) ON CONFLICT(issuer, serial) DO NOTHING";
/// A number out of a block, unless it is a certificate's.
const REVOKE_RESERVED: &str = "INSERT INTO revocations\
    (issuer, serial, partition, reason, revoked_at, invalidity_date, changed_at, expires) \
    SELECT $1, $2, $3, 0, $4, NULL, $5, $6 \
    WHERE NOT EXISTS(SELECT 1 FROM certificates WHERE issuer = $1 AND serial = $2) \
    ON CONFLICT(issuer, serial) DO NOTHING";
const BLOCKS: &str = "SELECT id, issuer, partition, serials, holder FROM serial_blocks \
    WHERE id > $1 AND created <= $2 ORDER BY id LIMIT 100";
const BLOCKS_OF: &str =
    "SELECT id, issuer, partition, serials, holder FROM serial_blocks WHERE holder = $1";
const CERTIFIED: &str =
    "SELECT serial FROM certificates WHERE issuer = $1 AND serial >= $2 AND serial <= $3";
const REVOKED: &str =
    "SELECT serial FROM revocations WHERE issuer = $1 AND serial >= $2 AND serial <= $3";
const ENDED: &str = "the block has been ended";
const SETTLED: &str = "the serial number is settled";
const BY_IDEMPOTENCY: &str = "SELECT issuer, serial, sha256, profile, profile_version, not_before, \
    not_after, der FROM certificates WHERE idempotency = $1";

/// An intent that is neither issued nor voided.
pub(super) struct OpenIntent {
    pub(super) serial: Vec<u8>,
    pub(super) issuer: String,
    pub(super) partition: i64,
}

/// A block of serial numbers as it is stored.
pub(super) struct StoredBlock {
    pub(super) id: String,
    pub(super) issuer: String,
    partition: i64,
    serials: Vec<Vec<u8>>,
    holder: String,
}

impl StoredBlock {
    fn read(row: &Row) -> Result<Self> {
        Ok(StoredBlock {
            id: row.text(0)?.to_owned(),
            issuer: row.text(1)?.to_owned(),
            partition: row.int(2)?,
            serials: row.blob(3)?.chunks(SERIAL).map(<[u8]>::to_vec).collect(),
            holder: row.text(4)?.to_owned(),
        })
    }
}

impl Ca {
    /// Voids what nobody works on: intents older than a minute, and blocks of serial numbers whose
    /// holder has not been heard of for so long; or every one if the caller knows that it is alone (a
    /// server that has just taken its lock). Says how many serial numbers.
    pub async fn void_abandoned(&self, alone: bool, now: Timestamp) -> Result<usize> {
        let before = if alone {
            i64::MAX
        } else {
            now.0 - ABANDONED_MS
        };
        Ok(self.void_intents(before, now).await? + self.void_blocks(alone, before, now).await?)
    }

    async fn void_intents(&self, before: i64, now: Timestamp) -> Result<usize> {
        let mut voided = 0;
        loop {
            let rows = self.store().query(OPEN, params![before]).await?;
            for row in &rows {
                let open = OpenIntent {
                    serial: row.blob(0)?.to_vec(),
                    issuer: row.text(1)?.to_owned(),
                    partition: row.int(2)?,
                };
                if self.void_intent(&open, LEFT_BEHIND, now).await? {
                    voided += 1;
                }
            }
            if rows.len() < 1000 {
                return Ok(voided);
            }
        }
    }

    async fn void_blocks(&self, alone: bool, before: i64, now: Timestamp) -> Result<usize> {
        let mut voided = 0;
        let mut alive: HashMap<String, bool> = HashMap::new();
        let mut after = String::new();
        loop {
            let rows = self
                .store()
                .query(BLOCKS, params![after.as_str(), before])
                .await?;
            for row in &rows {
                let block = StoredBlock::read(row)?;
                after.clone_from(&block.id);
                let keeps = match alive.get(&block.holder) {
                    Some(known) => *known,
                    None => {
                        let name = lease(&block.holder);
                        let keeps = !alone && self.store().lease_runs(&name, now).await?;
                        alive.insert(block.holder.clone(), keeps);
                        keeps
                    }
                };
                if !keeps {
                    voided += self.end_block(&block, Rest::Voided, now).await?;
                }
            }
            if rows.is_empty() {
                break;
            }
        }
        for (holder, _) in alive.into_iter().filter(|(_, keeps)| !keeps) {
            self.store().end_lease(&lease(&holder), &holder).await?;
        }
        Ok(voided)
    }

    /// The blocks of a process.
    pub(super) async fn blocks_of(&self, holder: &str) -> Result<Vec<StoredBlock>> {
        let rows = self.store().query(BLOCKS_OF, params![holder]).await?;
        rows.iter().map(StoredBlock::read).collect()
    }

    /// Ends a block of which nobody has a number any more: those that are neither a certificate's nor
    /// revoked were never used.
    pub(super) async fn return_block(&self, block: &StoredBlock, now: Timestamp) -> Result<()> {
        self.end_block(block, Rest::Unused, now).await.map(drop)
    }

    /// Ends a block in one write; says how many of its numbers were voided or given back. Whoever
    /// records a certificate under one of them meanwhile is seen, and whoever does so afterwards fails.
    async fn end_block(&self, block: &StoredBlock, rest: Rest, now: Timestamp) -> Result<usize> {
        for _ in 0..LOOKS {
            let open = self.unaccounted(block).await?;
            let write = match rest {
                Rest::Voided if !open.is_empty() => self.void_all(block, &open, now)?,
                _ => Write::new(return_event(block, &open, now))?.routine(),
            };
            let write = write.run_expecting(1, END, params![block.id.as_str()], ENDED);
            match self.store().commit(write).await {
                Ok(_) => return Ok(open.len()),
                // Somebody else was faster.
                Err(StoreError::Conflict(ENDED)) => return Ok(0),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(CaError::Interrupted("the end of a block that is in use"))
    }

    fn void_all(&self, block: &StoredBlock, open: &[&[u8]], now: Timestamp) -> Result<Write> {
        let mut events = open.iter().map(|serial| {
            let of = (block.issuer.as_str(), block.partition);
            void_event(serial, of, Some(&block.id), LEFT_BEHIND, now)
        });
        let first = events.next().ok_or(CaError::Internal("nothing to void"))?;
        let write = events.try_fold(Write::new(first)?, Write::event)?;
        Ok(open.iter().fold(write, |write, serial| {
            let row = revocation(serial, &block.issuer, block.partition, now);
            write.run_expecting(1, REVOKE_RESERVED, row, SETTLED)
        }))
    }

    /// The numbers of a block that are neither a certificate's nor revoked.
    async fn unaccounted<'b>(&self, block: &'b StoredBlock) -> Result<Vec<&'b [u8]>> {
        let serials = block.serials.iter().map(Vec::as_slice);
        let (Some(first), Some(last)) = (serials.clone().min(), serials.clone().max()) else {
            return Ok(Vec::new());
        };
        let mut accounted: HashSet<Vec<u8>> = HashSet::new();
        for sql in [CERTIFIED, REVOKED] {
            let range = params![block.issuer.as_str(), first, last];
            for row in self.store().query(sql, range).await? {
                accounted.insert(row.blob(0)?.to_vec());
            }
        }
        Ok(serials.filter(|one| !accounted.contains(*one)).collect())
    }

    /// Ends an intent that did not become a certificate: its serial number counts as revoked, in
    /// case a signature exists. `false` if somebody else ended it meanwhile.
    pub(super) async fn void_intent(
        &self,
        open: &OpenIntent,
        why: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let of = (open.issuer.as_str(), open.partition);
        let row = revocation(&open.serial, &open.issuer, open.partition, now);
        let write = Write::new(void_event(&open.serial, of, None, why, now))?
            .run_expecting(1, SETTLE, params![&open.serial], SETTLED)
            .run(REVOKE_INTENT, row);
        match self.store().commit(write).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The same for a number out of a block of this process. If it is a certificate's after all, or
    /// somebody else has voided it, it stays as it is.
    pub(super) async fn void_reserved(
        &self,
        reserved: Reserved,
        why: &str,
        now: Timestamp,
    ) -> Result<()> {
        let (issuer, partition) = (reserved.issuer(), i64::from(reserved.partition()));
        let (serial, block) = (reserved.serial(), Some(reserved.block()));
        let event = void_event(serial, (issuer, partition), block, why, now);
        let row = revocation(serial, issuer, partition, now);
        let write = Write::new(event)?.run_expecting(1, REVOKE_RESERVED, row, SETTLED);
        match self.store().commit(write).await {
            Ok(_) | Err(StoreError::Conflict(_)) => {
                reserved.settle();
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The certificate that was issued for this idempotency key. The same key for another request is
    /// refused; a private key that was handed out once cannot be handed out again.
    pub(super) async fn repeated(
        &self,
        key: &str,
        request: &IssueRequest,
    ) -> Result<Option<Issued>> {
        let rows = self.store().look_up(BY_IDEMPOTENCY, params![key]).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let der = row.blob(7)?.to_vec();
        let issued_key = Certificate::from_der(&der)?;
        let same_key = match &request.source {
            Source::Csr(csr) => csr.public_key().spki_der() == issued_key.spki_der(),
            Source::PublicKey(key) => key.spki_der() == issued_key.spki_der(),
            Source::Generate { .. } | Source::Taken => false,
        };
        if !same_key || row.text(3)? != request.profile {
            return Err(access::Refusal::new(
                "idempotency.reused",
                "docs/api.md",
                "this idempotency key belongs to another request",
            )
            .accepted("a new key for a new request")
            .into());
        }
        let issuer = row.text(0)?.to_owned();
        let sha256 = row.blob(2)?;
        Ok(Some(Issued {
            serial: row.blob(1)?.to_vec(),
            sha256: sha256
                .try_into()
                .map_err(|_| CaError::Damaged("certificates.sha256"))?,
            profile: row.text(3)?.to_owned(),
            profile_version: row.int(4)?.cast_unsigned(),
            not_before: Time(row.int(5)?),
            not_after: Time(row.int(6)?),
            chain: self.issuer(&issuer)?.chain().clone(),
            issuer,
            key: None,
            repeated: true,
            der,
        }))
    }
}

const LEFT_BEHIND: &str = "left behind by a crash";

/// What becomes of the numbers of a block that are neither a certificate's nor revoked.
#[derive(Clone, Copy)]
enum Rest {
    /// There may be signatures under them.
    Voided,
    /// There are none.
    Unused,
}

fn void_event(
    serial: &[u8],
    (issuer, partition): (&str, i64),
    block: Option<&str>,
    why: &str,
    now: Timestamp,
) -> Event {
    let mut after = json!({
        "issuer": issuer,
        "partition": partition,
        "status": "revoked",
        "reason": "unspecified",
    });
    if let Some(block) = block {
        after["block"] = json!(block);
    }
    let object = Object::new("certificate", hex::encode(serial));
    Event::new(now, Actor::system("issuance"), "certificate.void", object)
        .why(why)
        .after(after)
}

/// Serial numbers that were given back are in the log: nothing will be signed under them.
fn return_event(block: &StoredBlock, unused: &[&[u8]], now: Timestamp) -> Event {
    let unused: Vec<String> = unused.iter().map(hex::encode).collect();
    let object = Object::new("serials", block.id.as_str());
    let actor = Actor::system("issuance");
    Event::new(now, actor, "certificate.unreserve", object).after(json!({
        "issuer": block.issuer,
        "partition": block.partition,
        "unused": unused,
    }))
}

/// The parameters of a voided number's revocation.
fn revocation(serial: &[u8], issuer: &str, partition: i64, now: Timestamp) -> Vec<Value> {
    let seconds = now.0.div_euclid(1000);
    params![
        issuer,
        serial,
        partition,
        seconds,
        now,
        seconds + VOID_SECONDS
    ]
}
