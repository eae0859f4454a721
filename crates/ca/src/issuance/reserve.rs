//! Serial numbers that are on the disk before anything is signed under them, so that a certificate of
//! a software key costs one durable write and not two: a block of them is reserved by one write, ahead
//! of need, and handed out from memory. A number that was handed out ends as a certificate's or as
//! revoked; one that was not is given back when the process ends, or revoked if it did not come to that.
//!
//! Who reserves keeps a lease. Others void what a process leaves behind when its lease has run out;
//! should it be alive after all, its records find their block gone and fail.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use audit::merkle::sha256;
use audit::{Actor, Event, Object, Timestamp};
use parking_lot::Mutex;
use serde_json::json;
use store::{Write, params};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use super::serial;
use crate::{Ca, CaError, Issuer, Result};

/// How long others take a process for alive after they have heard of it.
const LEASE: Duration = Duration::from_secs(60);
/// By how much it stops earlier to rely on that itself, in milliseconds.
const MARGIN_MS: i64 = 10_000;

/// How many numbers are reserved at a time: at least, at most.
const SMALLEST: usize = 4;
const LARGEST: usize = 128;
/// A block of which half was used sooner than this is followed by one twice as large, and one that
/// took longer than the other by one half as large; in milliseconds.
const QUICK_MS: i64 = 1_000;
const SLOW_MS: i64 = 10_000;

const RESERVE: &str = "INSERT INTO serial_blocks(id, issuer, partition, serials, holder, created) \
    VALUES($1, $2, $3, $4, $5, $6)";
/// Ends a block.
pub(super) const END: &str = "DELETE FROM serial_blocks WHERE id = $1";

/// What this process has reserved.
pub(crate) struct Reserves {
    /// How blocks call this process.
    holder: String,
    /// Until when it may rely on its lease, Unix milliseconds.
    kept_until: AtomicI64,
    stocks: Mutex<HashMap<String, Arc<Stock>>>,
}

/// The numbers of one issuer.
pub(super) struct Stock {
    issuer: String,
    /// Who has it may reserve more; the others wait for that.
    turn: Arc<Turn<()>>,
    shelf: Mutex<Shelf>,
}

struct Shelf {
    free: VecDeque<Number>,
    /// How many were reserved last, and when.
    size: usize,
    reserved_at: Option<Timestamp>,
    /// Under these there may be a signature, and nobody works on them any more.
    lost: Vec<Number>,
    /// Blocks of which every number is a certificate's or revoked: their rows can go.
    ended: Vec<String>,
    /// Blocks of which somebody still has a number.
    known: HashMap<String, Weak<Block>>,
}

struct Number {
    serial: Vec<u8>,
    block: Arc<Block>,
}

struct Block {
    id: String,
    partition: u32,
    /// How many of its numbers are neither a certificate's nor revoked.
    unsettled: AtomicUsize,
}

/// A serial number that is reserved, handed out to one issuance. Dropped unsigned, it goes back and is
/// used for another certificate; dropped after that, it is voided soon.
pub(super) struct Reserved {
    stock: Arc<Stock>,
    number: Option<Number>,
    signed: bool,
}

impl Reserved {
    pub(super) fn serial(&self) -> &[u8] {
        self.number.as_ref().map_or(&[], |number| &number.serial)
    }

    pub(super) fn issuer(&self) -> &str {
        &self.stock.issuer
    }

    pub(super) fn partition(&self) -> u32 {
        let number = self.number.as_ref();
        number.map_or(0, |number| number.block.partition)
    }

    /// The id of its block.
    pub(super) fn block(&self) -> &str {
        self.number.as_ref().map_or("", |number| &number.block.id)
    }

    /// From here on there may be a signature under it.
    pub(super) fn sign(&mut self) {
        self.signed = true;
    }

    /// It is a certificate's now, or revoked.
    pub(super) fn settle(mut self) {
        if let Some(number) = self.number.take() {
            self.stock.settle(&number);
        }
    }

    /// Somebody has taken this process for dead and ended the block: the rest of it is of no use.
    pub(super) fn forget_block(&self) {
        let gone = self.block();
        let mut shelf = self.stock.shelf.lock();
        shelf.free.retain(|number| number.block.id != gone);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let Some(number) = self.number.take() else {
            return;
        };
        let mut shelf = self.stock.shelf.lock();
        match self.signed {
            false => shelf.free.push_front(number),
            true => shelf.lost.push(number),
        }
    }
}

impl Stock {
    fn new(issuer: &str) -> Self {
        Stock {
            issuer: issuer.to_owned(),
            turn: Arc::default(),
            shelf: Mutex::new(Shelf {
                free: VecDeque::new(),
                size: 0,
                reserved_at: None,
                lost: Vec::new(),
                ended: Vec::new(),
                known: HashMap::new(),
            }),
        }
    }

    /// A number, and whether it is time to reserve more.
    fn take(self: &Arc<Self>) -> Option<(Reserved, bool)> {
        let mut shelf = self.shelf.lock();
        let number = shelf.free.pop_front()?;
        let low = shelf.free.len() <= shelf.size / 2;
        let reserved = Reserved {
            stock: Arc::clone(self),
            number: Some(number),
            signed: false,
        };
        Some((reserved, low))
    }

    fn settle(&self, number: &Number) {
        if number.block.unsettled.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shelf.lock().ended.push(number.block.id.clone());
        }
    }

    /// How many to reserve now: as many as are used in about a second.
    fn next_size(&self, now: Timestamp) -> usize {
        let shelf = self.shelf.lock();
        match shelf.reserved_at.map(|before| now.0 - before.0) {
            None => SMALLEST,
            Some(..QUICK_MS) => (shelf.size * 2).min(LARGEST),
            Some(QUICK_MS..SLOW_MS) => shelf.size,
            Some(_) => (shelf.size / 2).max(SMALLEST),
        }
    }
}

impl Reserves {
    pub(crate) fn new() -> Result<Self> {
        Ok(Reserves {
            holder: random_hex()?,
            kept_until: AtomicI64::new(i64::MIN),
            stocks: Mutex::default(),
        })
    }

    fn kept(&self, now: Timestamp) -> bool {
        now.0 < self.kept_until.load(Ordering::Acquire)
    }

    fn stock(&self, issuer: &str) -> Arc<Stock> {
        let mut stocks = self.stocks.lock();
        if let Some(stock) = stocks.get(issuer) {
            return Arc::clone(stock);
        }
        let stock = Arc::new(Stock::new(issuer));
        stocks.insert(issuer.to_owned(), Arc::clone(&stock));
        stock
    }

    fn all(&self) -> Vec<Arc<Stock>> {
        self.stocks.lock().values().cloned().collect()
    }

    fn lease(&self) -> String {
        lease(&self.holder)
    }
}

/// The lease that the holder of blocks keeps.
pub(super) fn lease(holder: &str) -> String {
    format!("serial numbers of {holder}")
}

impl Ca {
    /// A reserved number of an issuer; `None` if this process reserves none, which is so until
    /// [`Ca::keep_serials`] and whenever it was not called for too long.
    pub(super) async fn reserved(
        &self,
        issuer: &Arc<Issuer>,
        now: Timestamp,
    ) -> Result<Option<Reserved>> {
        if !self.reserves().kept(now) {
            return Ok(None);
        }
        let stock = self.reserves().stock(issuer.name());
        if let Some((reserved, low)) = stock.take() {
            if low && let Ok(turn) = Arc::clone(&stock.turn).try_lock_owned() {
                self.reserve_ahead(&stock, issuer, turn, now);
            }
            return Ok(Some(reserved));
        }
        let _turn = Arc::clone(&stock.turn).lock_owned().await;
        while self.reserves().kept(now) {
            if let Some((reserved, _)) = stock.take() {
                return Ok(Some(reserved));
            }
            self.reserve(&stock, issuer, now).await?;
        }
        Ok(None)
    }

    /// Reserves while there still are some, so that nobody has to wait.
    fn reserve_ahead(
        &self,
        stock: &Arc<Stock>,
        issuer: &Arc<Issuer>,
        turn: OwnedMutexGuard<()>,
        now: Timestamp,
    ) {
        let (ca, stock, issuer) = (self.clone(), Arc::clone(stock), Arc::clone(issuer));
        tokio::spawn(async move {
            if let Err(error) = ca.reserve(&stock, &issuer, now).await {
                tracing::debug!(%error, "no serial numbers could be reserved ahead");
            }
            drop(turn);
        });
    }

    /// Makes a block durable and puts its numbers at hand. Rows of blocks that have ended go with it.
    async fn reserve(&self, stock: &Stock, issuer: &Issuer, now: Timestamp) -> Result<()> {
        let size = stock.next_size(now);
        let block = Arc::new(Block {
            id: random_hex()?,
            partition: self.next_partition(issuer, size).await?,
            unsettled: AtomicUsize::new(size),
        });
        let serials: Vec<Vec<u8>> = (0..size).map(|_| serial::new(now)).collect::<Result<_>>()?;
        let ended = {
            let mut shelf = stock.shelf.lock();
            shelf.known.retain(|_, block| block.strong_count() > 0);
            let known = Arc::downgrade(&block);
            shelf.known.insert(block.id.clone(), known);
            std::mem::take(&mut shelf.ended)
        };
        let event = reserve_event(&block, &stock.issuer, &serials, now);
        let write = Write::new(event)?.routine().run(
            RESERVE,
            params![
                block.id.as_str(),
                stock.issuer.as_str(),
                block.partition,
                serials.concat(),
                self.reserves().holder.as_str(),
                now,
            ],
        );
        let write = ended
            .iter()
            .fold(write, |write, id| write.run(END, params![id.as_str()]));
        let committed = self.store().commit(write).await;
        let mut shelf = stock.shelf.lock();
        if let Err(error) = committed {
            shelf.ended.extend(ended);
            return Err(error.into());
        }
        (shelf.size, shelf.reserved_at) = (size, Some(now));
        shelf.free.extend(serials.into_iter().map(|serial| Number {
            serial,
            block: Arc::clone(&block),
        }));
        Ok(())
    }

    /// From here on, and for a minute, this process reserves serial numbers ahead for its software
    /// keys; a server calls it several times a minute. Voids what issuances have left undone, and
    /// gives back what is not going to be used.
    pub async fn keep_serials(&self, now: Timestamp) -> Result<()> {
        let reserves = self.reserves();
        let lapsed = !reserves.kept(now);
        let (name, holder) = (reserves.lease(), &reserves.holder);
        self.store().lease(&name, holder, LEASE, now).await?;
        if lapsed {
            // Somebody may have voided them meanwhile.
            let stocks = reserves.all();
            stocks
                .iter()
                .for_each(|stock| stock.shelf.lock().free.clear());
        }
        let until = now.0 + LEASE.as_secs().cast_signed() * 1000 - MARGIN_MS;
        reserves.kept_until.store(until, Ordering::Release);
        self.void_lost(now).await?;
        let kept = |stock: &Stock, id: &str| {
            let shelf = stock.shelf.lock();
            let waits = shelf.ended.iter().any(|ended| ended == id);
            waits || shelf.is_known(id)
        };
        self.give_back(kept, now).await
    }

    /// Gives back every serial number that was not used: this process issues nothing more. What is
    /// still under way keeps its block, which the next start voids.
    pub async fn release_serials(&self, now: Timestamp) -> Result<()> {
        let reserves = self.reserves();
        reserves.kept_until.store(i64::MIN, Ordering::Release);
        for stock in reserves.all() {
            let _turn = stock.turn.lock().await;
            stock.shelf.lock().free.clear();
        }
        self.void_lost(now).await?;
        let kept = |stock: &Stock, id: &str| stock.shelf.lock().is_known(id);
        self.give_back(kept, now).await?;
        let (name, holder) = (reserves.lease(), &reserves.holder);
        Ok(self.store().end_lease(&name, holder).await?)
    }

    /// Voids numbers under which there may be a signature that did not become a certificate.
    async fn void_lost(&self, now: Timestamp) -> Result<()> {
        for stock in self.reserves().all() {
            let lost = std::mem::take(&mut stock.shelf.lock().lost);
            // Those that are not reached because of an error are lost again.
            let lost: Vec<Reserved> = lost
                .into_iter()
                .map(|number| Reserved {
                    stock: Arc::clone(&stock),
                    number: Some(number),
                    signed: true,
                })
                .collect();
            for reserved in lost {
                let why = "its issuance was cut short";
                self.void_reserved(reserved, why, now).await?;
            }
        }
        Ok(())
    }

    /// Ends the blocks of this process of which nobody has a number any more.
    async fn give_back(&self, kept: impl Fn(&Stock, &str) -> bool, now: Timestamp) -> Result<()> {
        let reserves = self.reserves();
        for left in self.blocks_of(&reserves.holder).await? {
            let stock = reserves.stock(&left.issuer);
            // Nobody reserves between the look into the table and the one into the memory.
            let _turn = stock.turn.lock().await;
            if !kept(&stock, &left.id) {
                self.return_block(&left, now).await?;
                let mut shelf = stock.shelf.lock();
                shelf.ended.retain(|ended| *ended != left.id);
            }
        }
        Ok(())
    }
}

impl Shelf {
    /// Whether somebody has a number of this block, or is about to.
    fn is_known(&self, id: &str) -> bool {
        let block = self.known.get(id);
        block.is_some_and(|block| block.strong_count() > 0)
    }
}

fn reserve_event(block: &Block, issuer: &str, serials: &[Vec<u8>], now: Timestamp) -> Event {
    Event::new(
        now,
        Actor::system("issuance"),
        "certificate.reserve",
        Object::new("serials", block.id.as_str()),
    )
    .after(json!({
        "issuer": issuer,
        "partition": block.partition,
        "count": serials.len(),
        "serials_sha256": hex::encode(digest(serials)),
    }))
}

/// SHA-256 over serial numbers one behind the other, the smallest first: whoever has all of them can
/// check that they are the reserved ones, and who has none learns nothing.
fn digest(serials: &[Vec<u8>]) -> [u8; 32] {
    let mut sorted: Vec<&[u8]> = serials.iter().map(Vec::as_slice).collect();
    sorted.sort_unstable();
    sha256(&sorted.concat())
}

fn random_hex() -> Result<String> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| CaError::Internal("no random bytes"))?;
    Ok(hex::encode(bytes))
}
