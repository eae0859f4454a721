//! The agent at work: asks for orders, carries them out one after the other, hands over what is in the queue, keeps its
//! certificate alive. Each goes on by itself, so that a core that is away stops no scan, and a scan no hand-over.

use super::batch::{Draft, Said};
use super::core::{Core, CoreError, Poll, Polled};
use super::home::{Home, HomeError, Identity};
use super::order::{Order, OrderError, Signed};
use super::queue::{Queue, QueueError};
use super::work::{self, Scanner};
use crate::observation::LineError;
use crate::scan::Clock;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

/// How long the core may keep a question.
const WAIT: u64 = 25;
/// Between attempts while the core is away: at first, and at last.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);
/// How often the certificate is looked at. Two thirds of the shortest life, an hour, are 40 minutes.
const RENEWAL: Duration = Duration::from_secs(60);
/// Orders that an agent keeps; more are left with the core.
const ORDERS: usize = 16;

#[derive(Debug, Error)]
pub enum RelayError {
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Home(#[from] HomeError),
    #[error(transparent)]
    Order(#[from] OrderError),
    #[error("an observation: {0}")]
    Line(#[from] LineError),
    /// The agent was revoked, or its certificate is none that the core knows.
    #[error("{0}; what waits in the queue stays there")]
    Unknown(String),
}

/// What is to be told to whoever runs the agent.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// An agent that is enrolled.
pub struct Relay {
    shared: Arc<Shared>,
    /// While it is held, no other process is this agent.
    _lock: std::fs::File,
}

/// How an agent stands.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Status {
    pub agent: String,
    pub segment: String,
    pub core: String,
    pub orders: Vec<String>,
    /// Batches that wait for the core, and their bytes.
    pub batches: usize,
    pub bytes: u64,
    /// Number of the newest batch.
    pub newest: u64,
    /// How far the core's clock was ahead when they last spoke, in milliseconds.
    pub clock: i64,
    /// Until when its certificate is valid, Unix seconds.
    pub not_after: i64,
    /// A process is this agent now.
    pub running: bool,
}

impl Status {
    /// As the folder has it, whether an agent runs in it or not. Nothing is changed.
    pub fn of(home: &Home) -> Result<Self, RelayError> {
        let identity = home.identity()?;
        let key = home.queue_key()?;
        let (batches, bytes, newest) = Queue::look(&home.queue(), &identity.agent, &key)?;
        Ok(Self {
            orders: home.orders()?,
            clock: home.offset(),
            not_after: identity.certificate()?.not_after().0,
            running: home.lock().is_err(),
            agent: identity.agent,
            segment: identity.segment,
            core: identity.core,
            batches,
            bytes,
            newest,
        })
    }
}

/// What the agent's tasks share.
pub(super) struct Shared {
    home: Home,
    identity: Identity,
    pub(super) queue: Mutex<Queue>,
    /// How far the core's clock is ahead of this machine's, in milliseconds.
    offset: AtomicI64,
    clock: Clock,
    pub(super) tell: Tell,
    /// Orders that the core has ended.
    stops: watch::Sender<BTreeSet<String>>,
    ordered: Notify,
    pub(super) filled: Notify,
    pub(super) emptied: Notify,
}

impl Shared {
    /// Now, by the core's clock as far as it is known.
    pub(super) fn now(&self) -> i64 {
        (self.clock)().saturating_add(self.offset.load(Ordering::Relaxed))
    }

    /// Ends when the core has ended the order.
    pub(super) async fn stopped(&self, order: &str) {
        let mut stops = self.stops.subscribe();
        if stops.wait_for(|stops| stops.contains(order)).await.is_err() {
            std::future::pending().await
        }
    }

    /// Does what `wanted` does until it has succeeded, ever more slowly while the core is away.
    async fn insist<T, F>(&self, what: &str, wanted: impl Fn() -> F) -> Result<T, RelayError>
    where
        F: Future<Output = Result<T, CoreError>>,
    {
        let mut pause = FIRST_RETRY;
        loop {
            match wanted().await {
                Ok(done) => return Ok(done),
                Err(CoreError::Unknown(why)) => return Err(RelayError::Unknown(why)),
                Err(error @ CoreError::Refused(_)) => {
                    pause = LAST_RETRY;
                    (self.tell)(&format!(
                        "{what}: {error}; trying again in {} s",
                        pause.as_secs()
                    ));
                }
                Err(error) => {
                    if pause == FIRST_RETRY {
                        (self.tell)(&format!("{what}: {error}; trying until it answers"));
                    }
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(LAST_RETRY);
        }
    }
}

impl Relay {
    /// Opens the agent in `home`, with a queue of at most `limit` bytes. Every batch in it is held against its code.
    pub fn open(home: Home, limit: u64, clock: Clock, tell: Tell) -> Result<Self, RelayError> {
        let identity = home.identity()?;
        let lock = home.lock()?;
        let queue = Queue::open(&home.queue(), &identity.agent, &*home.queue_key()?, limit)?;
        let offset = AtomicI64::new(home.offset());
        Ok(Self {
            _lock: lock,
            shared: Arc::new(Shared {
                home,
                identity,
                queue: Mutex::new(queue),
                offset,
                clock,
                tell,
                stops: watch::Sender::new(BTreeSet::new()),
                ordered: Notify::new(),
                filled: Notify::new(),
                emptied: Notify::new(),
            }),
        })
    }

    /// Works until it is dropped, or cannot go on.
    pub async fn run<C: Core, S: Scanner>(&self, core: &C, scanner: &S) -> Result<(), RelayError> {
        tokio::try_join!(
            self.take_orders(core),
            self.carry_out(scanner),
            self.hand_over(core),
            self.renew(core),
        )?;
        Ok(())
    }

    async fn take_orders<C: Core>(&self, core: &C) -> Result<(), RelayError> {
        let shared = &self.shared;
        // The first answer comes at once: it sets the clock.
        let mut wait = 0;
        loop {
            let holds = shared.home.orders()?;
            let is_full = holds.len() >= ORDERS;
            let (batches, bytes) = shared.queue.lock().waiting();
            let poll = Poll {
                holds,
                wait,
                clock: shared.offset.load(Ordering::Relaxed),
                batches: batches as u64,
                bytes,
                version: env!("CARGO_PKG_VERSION").to_owned(),
            };
            let before = (shared.clock)();
            let polled = shared.insist("orders", || core.poll(&poll)).await?;
            if wait == 0 {
                self.set_clock(before, polled.now)?;
            }
            // Every other question is answered at once, so that the clocks are compared again.
            wait = if wait == 0 { WAIT } else { 0 };
            let nothing = polled.orders.is_empty() && polled.stop.is_empty();
            self.take(polled, is_full)?;
            if nothing && wait == WAIT && is_full {
                sleep(Duration::from_secs(WAIT)).await;
            }
        }
    }

    /// The core's clock is what it said, about half the way of the answer ago.
    fn set_clock(&self, asked: i64, core: i64) -> Result<(), RelayError> {
        let answered = (self.shared.clock)();
        // A retry took long, or this machine's clock was set: the answer is the fresher of the two.
        let way = answered.saturating_sub(asked).clamp(0, 2_000) / 2;
        let offset = core.saturating_add(way).saturating_sub(answered);
        let before = self.shared.offset.swap(offset, Ordering::Relaxed);
        if before.abs_diff(offset) > 1_000 {
            self.shared.home.put_offset(offset)?;
            (self.shared.tell)(&format!(
                "the core's clock is {offset} ms ahead of this machine's"
            ));
        }
        Ok(())
    }

    fn take(&self, polled: Polled, is_full: bool) -> Result<(), RelayError> {
        let shared = &self.shared;
        shared.stops.send_if_modified(|stops| {
            let before = stops.len();
            stops.extend(polled.stop);
            stops.len() != before
        });
        if is_full {
            return Ok(());
        }
        for signed in polled.orders {
            match signed.open(&shared.identity.order_key()?) {
                Ok(order) => shared.home.put_order(&order.id, &signed)?,
                // Whose it is cannot be known, so there is nobody to tell but whoever runs the agent.
                Err(error) => (shared.tell)(&format!("an order is not taken: {error}")),
            }
        }
        shared.ordered.notify_one();
        Ok(())
    }

    async fn carry_out<S: Scanner>(&self, scanner: &S) -> Result<(), RelayError> {
        let shared = &self.shared;
        loop {
            let orders = shared.home.orders()?;
            // The one that is under way first: the newest batch is one of its.
            let under_way = |id: &&String| shared.queue.lock().cursor(id).is_some();
            let next = orders.iter().find(under_way).or(orders.first());
            match next {
                None => {
                    tokio::select! {
                        () = shared.ordered.notified() => {}
                        () = sleep(Duration::from_secs(WAIT)) => {}
                    }
                }
                Some(id) => {
                    self.carry_out_one(scanner, id).await?;
                    shared.home.end_order(id)?;
                }
            }
        }
    }

    async fn carry_out_one<S: Scanner>(&self, scanner: &S, id: &str) -> Result<(), RelayError> {
        let shared = &self.shared;
        if shared.queue.lock().has_ended(id) {
            return Ok(());
        }
        let checked = self.order(id, &shared.home.order(id)?);
        match checked {
            Ok((order, targets)) => work::carry_out(shared, scanner, &order, targets).await,
            Err(error) => {
                let cursor = shared.queue.lock().cursor(id);
                let expired = matches!(error, OrderError::Expired { .. }) && cursor.is_some();
                (shared.tell)(&format!("order {id}: {error}"));
                let said = match expired {
                    true => Said::Ended {
                        how: "expired".to_owned(),
                        probed: 0,
                        excluded: 0,
                        stopped: 0,
                    },
                    false => Said::Refused {
                        why: error.to_string(),
                    },
                };
                let draft = Draft {
                    order: id.to_owned(),
                    cursor,
                    said: vec![said],
                    lines: Vec::new(),
                };
                shared.push(&draft).await
            }
        }
    }

    /// An order as it lies on the disk, held against everything again.
    fn order(
        &self,
        id: &str,
        signed: &Signed,
    ) -> Result<(Order, crate::scan::Targets), OrderError> {
        let identity = &self.shared.identity;
        let key = identity.order_key().map_err(|_| OrderError::Signature)?;
        let order = signed.open(&key)?;
        if order.id != id {
            return Err(OrderError::Form(
                "it lies under another order's name".to_owned(),
            ));
        }
        let targets = order.check(&identity.agent, &identity.ceiling, self.shared.now())?;
        Ok((order, targets))
    }

    async fn hand_over<C: Core>(&self, core: &C) -> Result<(), RelayError> {
        let shared = &self.shared;
        loop {
            let oldest = shared.queue.lock().oldest()?;
            let Some(batch) = oldest else {
                tokio::select! {
                    () = shared.filled.notified() => {}
                    () = sleep(LAST_RETRY) => {}
                }
                continue;
            };
            let taken = shared.insist("results", || core.hand_over(&batch)).await?;
            // An answer that counts further than what was sent says nothing about what was not.
            let sequence = taken.sequence.min(batch.head.sequence);
            shared.queue.lock().handed_over(sequence)?;
            shared.emptied.notify_one();
        }
    }

    async fn renew<C: Core>(&self, core: &C) -> Result<(), RelayError> {
        let shared = &self.shared;
        loop {
            let now = || core.renew(shared.now());
            if shared.insist("certificate", now).await? {
                (shared.tell)("the agent's certificate is renewed");
            }
            sleep(RENEWAL).await;
        }
    }
}
