//! What follows from everything that is known: who signed a certificate, whose it is, what is wrong with it, how bad it
//! would be if it ended. A reconciler over certificates that were touched since they were last settled; what it writes
//! can be worked out anew, so that it needs no event. The same facts twice write nothing.

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

/// Certificates that are settled in one write: others have their turn in between.
const AT_ONCE: i64 = 256;
/// Certificates that are marked in one write when everything is looked at again.
const MARKED: i64 = 20_000;
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
/// Certificates that this one may have signed, and others with its key.
const SIGNED: &str =
    "UPDATE inventory SET touched = $3 WHERE issuer = $1 AND issuer_id IS NULL AND id <> $2";
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
        let rows = self.store().query(load::UNSETTLED, params![1]).await?;
        if rows.is_empty() {
            return Ok(done);
        }
        let mut world = self.world().await?;
        let judge = self.judge().await?;
        for _ in 0..batches {
            if !self.settle_some(&mut world, &judge, &mut done, now).await? {
                break;
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
        let _turn = self.inventory.writing.lock().await;
        for attempt in 0.. {
            let before = Head::read(self.store()).await?;
            let params = params![AT_ONCE];
            let rows = self.store().query(load::UNSETTLED, params).await?;
            if rows.is_empty() {
                return Ok(false);
            }
            let (facts, stored): (Vec<Facts>, Vec<Stored>) =
                self.load(world, &rows).await?.into_iter().unzip();
            let head = before.next();
            let (mut write, judged) = self.find_in(judge, &facts, Write::derived(), now).await?;
            let mut changed = 0;
            for ((facts, stored), judged) in facts.iter().zip(&stored).zip(judged) {
                let derived = derived(facts, stored, judged.open, now);
                write = settled(write, facts, stored, derived, head.touched, &mut changed);
            }
            match self.store().commit(head.moved(before, write)).await {
                Ok(_) => {
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
            self.touch(|write, head| {
                let to = from.saturating_add(MARKED);
                let next = (to < head.certificates).then_some(to);
                write
                    .run(MARK, params![from, to, head.touched])
                    .run(MARK_PAST, params![from, next])
            })
            .await?;
        }
    }

    /// Time passes: what has come nearer to its end since the last run is looked at again.
    async fn mark_ending(&self, now: Timestamp) -> Result<()> {
        let before = Head::read(self.store()).await?;
        // Once a minute is often enough for what is counted in days.
        if now.0 < before.settled.saturating_add(60_000) {
            return Ok(());
        }
        let (from, to) = (before.settled.div_euclid(1000), now.seconds());
        self.touch_as(|mut write, head| {
            head.settled = now.0;
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
        .await
    }

    /// Touches certificates: they are settled anew, and whoever follows sees it.
    pub(crate) async fn touch(&self, add: impl Fn(Write, &Head) -> Write) -> Result<()> {
        self.touch_as(|write, head| add(write, head)).await
    }

    /// As [`Fleet::touch`], with a change of the head.
    pub(crate) async fn touch_as(&self, add: impl Fn(Write, &mut Head) -> Write) -> Result<()> {
        let _turn = self.inventory.writing.lock().await;
        for attempt in 0.. {
            let before = Head::read(self.store()).await?;
            let mut head = before.next();
            let write = add(Write::derived(), &mut head);
            match self.store().commit(head.moved(before, write)).await {
                Ok(_) => return Ok(()),
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

fn settled(
    mut write: Write,
    facts: &Facts,
    stored: &Stored,
    derived: Vec<Value>,
    touched: i64,
    changed: &mut u64,
) -> Write {
    for place in &facts.places {
        write = place_asset(write, place, stored, touched);
    }
    if stored.settled == 0 && stored.is_ca {
        let params = params![stored.subject.as_str(), facts.id, touched];
        write = write.run(SIGNED, params);
    }
    if derived == stored.derived {
        return write.run(SAME, params![facts.id, stored.touched]);
    }
    // The asset is the fifth: whoever has the same key is told of a change of it.
    let (was, is) = (stored.derived.get(4), derived.get(4));
    if was != is {
        write = write.run(SHARING, params![stored.spki.clone(), facts.id, touched]);
    }
    *changed += 1;
    let mut row = params![facts.id];
    row.extend(derived);
    row.extend([Value::Int(touched), Value::Int(touched)]);
    write.run(SETTLE, row)
}

fn place_asset(write: Write, place: &PlaceFacts, stored: &Stored, touched: i64) -> Write {
    let is = place.asset.as_ref().map(|asset| asset.id.clone());
    match stored.place_assets.get(&place.id) {
        Some(was) if *was == is => write,
        _ => write.run(PLACE_ASSET, params![place.id, is, touched]),
    }
}
