//! What follows from everything that is known: who signed a certificate, whose it is, what is wrong with it, how bad it
//! would be if it ended. A reconciler over certificates that were touched since they were last settled; what it writes
//! can be worked out anew, so that it needs no event. The same facts twice write nothing.

use std::time::Instant;

use audit::Timestamp;
use serde::Serialize;
use store::{Value, Write, params};

use super::head::{Head, again};
use super::load::{self, Stored, World};
use super::rule;
use super::{Facts, PlaceFacts};
use crate::finding::Judge;
use crate::risk;
use crate::{Criticality, Fleet, Result};

const DAY_MS: i64 = 86_400_000;
/// Days before its end at which something about a certificate changes: findings (R19), risk (R18), its end.
const DAYS: [i64; 4] = [90, 60, 30, 0];

const SETTLE: &str = "UPDATE inventory SET issuer_id = $2, authority = $3, recorded = $4, places = $5, asset = $6, \
    owner = $7, owner_by = $8, segment = $9, site = $10, vendor = $11, environment = $12, tags = $13, criticality = $14, \
    phi = $15, patient_facing = $16, ehr = $17, risk = $18, findings = $19, automated = $20, \
    touched = $21, settled = $22 WHERE id = $1";
const SAME: &str = "UPDATE inventory SET settled = $2 WHERE id = $1";
const PLACE_ASSET: &str = "UPDATE places SET asset = $2, touched = $3 WHERE id = $1";
const ENDING: &str = "UPDATE inventory SET touched = $3 WHERE not_after > $1 AND not_after <= $2";
const MARK: &str =
    "UPDATE inventory SET touched = $3 WHERE id > $1 AND id <= $2 AND settled >= touched";
const MARK_PAST: &str = "UPDATE inventory_head SET again = $2 WHERE id = 1 AND again = $1";
const AGAIN: &str = "SELECT again FROM inventory_head WHERE id = 1";
/// What a new certificate of an authority may have signed is touched a part at a time: nobody knows how much that is.
const NEW_SIGNER: &str = "INSERT INTO inventory_signers(certificate, subject, after) VALUES($1, $2, $3) ON CONFLICT DO NOTHING";
const SIGNER: &str = "SELECT certificate, subject, after FROM inventory_signers LIMIT 1";
const SIGNED_TO: &str =
    "SELECT id FROM inventory WHERE issuer = $1 AND id > $2 ORDER BY id LIMIT 1 OFFSET $3";
const SIGNED: &str = "UPDATE inventory SET touched = $3 WHERE issuer = $1 AND issuer_id IS NULL AND id <> $2 \
    AND id > $4 AND id <= $5";
const SIGNER_PAST: &str = "UPDATE inventory_signers SET after = $2 WHERE certificate = $1";
const SIGNER_DONE: &str = "DELETE FROM inventory_signers WHERE certificate = $1";
/// Others with its key.
const SHARING: &str =
    "UPDATE inventory SET touched = $3 WHERE spki = $1 AND id <> $2 AND settled >= touched";

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Settled {
    pub looked_at: u64,
    pub changed: u64,
}

impl Fleet {
    /// Brings what follows from the inventory up to date, until nothing is left to do.
    pub async fn settle(&self, now: Timestamp) -> Result<Settled> {
        self.settle_at_most(usize::MAX, now).await
    }

    /// As [`Fleet::settle`], for at most so many batches of 256 certificates.
    pub(crate) async fn settle_at_most(&self, batches: usize, now: Timestamp) -> Result<Settled> {
        self.follow_events().await?;
        self.mark_again().await?;
        self.mark_ending(now).await?;
        let mut done = Settled::default();
        let mut signer = self.mark_signed().await?;
        let rows = self.store().query(load::UNSETTLED, params![1]).await?;
        if rows.is_empty() && signer.is_none() {
            return Ok(done);
        }
        let mut world = self.world().await?;
        let judge = self.judge().await?;
        for _ in 0..batches {
            let any = self.settle_some(&mut world, &judge, &mut done, now).await?;
            if !any && signer.is_none() {
                break;
            }
            signer = self.mark_signed().await?;
            if let Some(subject) = &signer {
                world.linker.forget(subject);
            }
            tokio::task::yield_now().await;
        }
        Ok(done)
    }

    /// Settles one batch; `false` when there is none.
    async fn settle_some(
        &self,
        world: &mut World,
        judge: &Judge,
        done: &mut Settled,
        now: Timestamp,
    ) -> Result<bool> {
        let _turn = self.inventory.turns.alone().await;
        for attempt in 0.. {
            let before = Head::read(self.store()).await?;
            let params = params![self.inventory.settles.rows()];
            let rows = self.store().query(load::UNSETTLED, params).await?;
            if rows.is_empty() {
                return Ok(false);
            }
            let (facts, stored): (Vec<Facts>, Vec<Stored>) =
                self.load(world, &rows).await?.into_iter().unzip();
            let head = before.next();
            let (mut write, judged) = self.find_in(judge, &facts, Write::derived(), now).await?;
            let mut changes = Changes::default();
            for ((facts, stored), judged) in facts.iter().zip(&stored).zip(judged) {
                let derived = derived(facts, stored, judged.open, now);
                changes.settled(facts, stored, derived, head.touched);
            }
            let changed = changes.settle.len() as u64;
            write = changes.written(write);
            let begun = Instant::now();
            match self.store().commit(head.moved(before, write)).await {
                Ok(_) => {
                    let settles = &self.inventory.settles;
                    settles.took(facts.len() as u32, begun.elapsed());
                    done.looked_at += facts.len() as u64;
                    done.changed += changed;
                    return Ok(true);
                }
                Err(error) if again(&error, attempt).await => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    /// After a change of rules everything is touched, a part at a time.
    async fn mark_again(&self) -> Result<()> {
        loop {
            let rows = self.store().look_up(AGAIN, vec![]).await?;
            let Some(from) = rows
                .first()
                .map(|row| row.opt_int(0))
                .transpose()?
                .flatten()
            else {
                return Ok(());
            };
            let rows = self.inventory.marks.rows();
            self.touch_some(rows as usize, |write, head| {
                let to = from.saturating_add(i64::from(rows));
                let next = (to < head.certificates).then_some(to);
                write
                    .run(MARK, params![from, to, head.touched])
                    .run(MARK_PAST, params![from, next])
            })
            .await?;
        }
    }

    /// What a certificate of an authority that came in may have signed is touched, the next part of it. Says whose name it
    /// has, if there was one.
    async fn mark_signed(&self) -> Result<Option<String>> {
        let rows = self.store().look_up(SIGNER, vec![]).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let (signer, subject, after) = (row.int(0)?, row.text(1)?, row.int(2)?);
        let rows = self.inventory.marks.rows();
        let params = params![subject, after, rows - 1];
        let to = self.store().query(SIGNED_TO, params).await?;
        let to = to.first().map(|row| row.int(0)).transpose()?;
        self.touch_some(rows as usize, |write, head| {
            let last = to.unwrap_or(i64::MAX);
            let write = write.run(SIGNED, params![subject, signer, head.touched, after, last]);
            match to {
                Some(to) => write.run(SIGNER_PAST, params![signer, to]),
                None => write.run(SIGNER_DONE, params![signer]),
            }
        })
        .await?;
        Ok(Some(subject.to_owned()))
    }

    /// Time passes: what has come nearer to its end since the last run is looked at again; after a long pause, day by day.
    async fn mark_ending(&self, now: Timestamp) -> Result<()> {
        loop {
            let before = Head::read(self.store()).await?;
            // Once a minute is often enough for what is counted in days.
            if now.0 < before.settled.saturating_add(60_000) {
                return Ok(());
            }
            let until = match before.settled {
                0 => now.0,
                settled => now.0.min(settled.saturating_add(DAY_MS)),
            };
            let (from, to) = (before.settled.div_euclid(1000), until.div_euclid(1000));
            self.touch_as(|mut write, head| {
                head.settled = until;
                if before.settled > 0 {
                    for days in DAYS {
                        let ahead = days * 86_400;
                        // A certificate is good in the last second that it names (RFC 5280 §4.1.2.5).
                        let params = params![from + ahead - 1, to + ahead, head.touched];
                        write = write.run(ENDING, params);
                    }
                }
                write
            })
            .await?;
        }
    }

    /// Touches certificates: they are settled anew, and whoever follows sees it.
    pub(crate) async fn touch(&self, add: impl Fn(Write, &Head) -> Write) -> Result<()> {
        self.touch_as(|write, head| add(write, head)).await
    }

    /// As [`Fleet::touch`], about so many rows: how long they take decides how many the next step has.
    pub(crate) async fn touch_some(
        &self,
        rows: usize,
        add: impl Fn(Write, &Head) -> Write,
    ) -> Result<()> {
        self.touch_rows(rows, |write, head| add(write, head)).await
    }

    /// As [`Fleet::touch`], with a change of the head.
    pub(crate) async fn touch_as(&self, add: impl Fn(Write, &mut Head) -> Write) -> Result<()> {
        self.touch_rows(0, add).await
    }

    async fn touch_rows(&self, rows: usize, add: impl Fn(Write, &mut Head) -> Write) -> Result<()> {
        let _turn = self.inventory.turns.alone().await;
        for attempt in 0.. {
            let before = Head::read(self.store()).await?;
            let mut head = before.next();
            let write = add(Write::derived(), &mut head);
            let begun = Instant::now();
            match self.store().commit(head.moved(before, write)).await {
                Ok(_) => {
                    self.inventory.marks.took(rows as u32, begun.elapsed());
                    return Ok(());
                }
                Err(error) if again(&error, attempt).await => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// As in the column: 0 low to 3 life support.
fn criticality(criticality: Criticality) -> i64 {
    match criticality {
        Criticality::Low => 0,
        Criticality::Medium => 1,
        Criticality::High => 2,
        Criticality::LifeSupport => 3,
    }
}

/// The columns that follow, from issuer to findings, and whether it is renewed by itself.
fn derived(facts: &Facts, stored: &Stored, findings: i64, now: Timestamp) -> Vec<Value> {
    let assigned = &facts.assigned;
    let risk = risk::settled(facts, now);
    params![
        stored.issuer,
        facts.authority.clone(),
        facts.recorded,
        stored.places,
        assigned.asset.as_ref().map(|asset| asset.id.clone()),
        assigned.owner.clone(),
        assigned.owner_by.clone(),
        assigned.segment.clone(),
        assigned.site.clone(),
        assigned.vendor.clone(),
        rule::environment_name(assigned.environment),
        assigned.tags.join("\n"),
        criticality(risk.criticality),
        risk.phi,
        risk.patient_facing,
        risk.ehr,
        risk.level.number(),
        findings,
        stored.automated,
    ]
}

/// What settling changes, like beside like: PostgreSQL takes a row of like statements at once.
#[derive(Default)]
struct Changes {
    assets: Vec<Vec<Value>>,
    signers: Vec<Vec<Value>>,
    sharing: Vec<Vec<Value>>,
    same: Vec<Vec<Value>>,
    settle: Vec<Vec<Value>>,
}

impl Changes {
    fn settled(&mut self, facts: &Facts, stored: &Stored, derived: Vec<Value>, touched: i64) {
        for place in &facts.places {
            self.place_asset(place, stored, touched);
        }
        if stored.settled == 0 && stored.is_ca {
            let signer = params![facts.id, stored.subject.as_str(), 0];
            self.signers.push(signer);
        }
        if derived == stored.derived {
            self.same.push(params![facts.id, stored.touched]);
            return;
        }
        // The asset is the fifth: whoever has the same key is told of a change of it.
        let (was, is) = (stored.derived.get(4), derived.get(4));
        if was != is {
            let sharing = params![stored.spki.clone(), facts.id, touched];
            self.sharing.push(sharing);
        }
        let mut row = params![facts.id];
        row.extend(derived);
        row.extend([Value::Int(touched), Value::Int(touched)]);
        self.settle.push(row);
    }

    fn place_asset(&mut self, place: &PlaceFacts, stored: &Stored, touched: i64) {
        let is = place.asset.as_ref().map(|asset| asset.id.clone());
        match stored.place_assets.get(&place.id) {
            Some(was) if *was == is => {}
            _ => self.assets.push(params![place.id, is, touched]),
        }
    }

    /// Those with the same key are told last: whoever of this batch has found nothing new looks again.
    fn written(self, mut write: Write) -> Write {
        for (sql, rows) in [
            (PLACE_ASSET, self.assets),
            (NEW_SIGNER, self.signers),
            (SAME, self.same),
            (SETTLE, self.settle),
            (SHARING, self.sharing),
        ] {
            for row in rows {
                write = write.run(sql, row);
            }
        }
        write
    }
}
