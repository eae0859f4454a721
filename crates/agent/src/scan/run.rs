//! The scan itself: targets in scattered order, so many at once, one report for each.

use super::Config;
use super::ask::Asker;
use super::cursor::Cursor;
use super::limits::Rules;
use super::order::Order;
use super::pace::Pace;
use super::probe::{Found, LARGE_ANSWERS, Prober};
use super::target::{Target, Targets};
use crate::observation::{How, Observation, Outcome};
use crate::tls::KeyShares;
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// What comes out of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// What a target ended in. Once it is stored, [`Cursor::done`] takes its position.
    Seen {
        position: u64,
        observation: Box<Observation>,
    },
    /// A device that had answered did no longer after it was asked: its model is left alone from here on.
    /// Somebody should go and look.
    Silent {
        model: Option<String>,
        address: IpAddr,
        port: u16,
    },
}

/// Why a scan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every target has its report.
    Done,
    /// The hours that are allowed are over; the cursor says where to go on.
    Window,
    /// Nobody takes the reports any more.
    Abandoned,
}

/// A scan's account of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    pub ended: Ended,
    /// Targets that were connected to, or tried to be.
    pub probed: u64,
    pub excluded: u64,
    pub stopped: u64,
}

/// Looks at every target that `cursor` does not say done. Holds no more than `config.concurrency` targets
/// and as many that wait for their device to be free.
pub async fn run(
    targets: &Targets,
    config: Config,
    cursor: &Cursor,
    reports: Sender<Report>,
) -> Summary {
    let mut scan = Scan {
        queue: Queue {
            targets,
            order: Order::new(targets.len(), &config.seed),
            next: cursor.first(),
            cursor,
            waiting: VecDeque::new(),
        },
        rules: Rules::new(config.limits.clone()),
        prober: Arc::new(Prober {
            asker: Asker::new(config.seed),
            keys: Arc::new(KeyShares::new(&config.seed)),
            depth: config.depth,
            timing: config.timing,
            pace: Pace::new(config.limits.rate),
            large: Arc::new(Semaphore::new(LARGE_ANSWERS)),
        }),
        at_work: JoinSet::new(),
        busy: HashMap::new(),
        stops: Stops::default(),
        reports,
        config,
        summary: Summary {
            ended: Ended::Done,
            probed: 0,
            excluded: 0,
            stopped: 0,
        },
    };
    if scan.all().await.is_none() {
        scan.summary.ended = Ended::Abandoned;
    }
    scan.summary
}

struct Scan<'a> {
    queue: Queue<'a>,
    config: Config,
    rules: Rules,
    prober: Arc<Prober>,
    at_work: JoinSet<Probed>,
    /// Targets at work by device.
    busy: HashMap<IpAddr, usize>,
    stops: Stops,
    reports: Sender<Report>,
    summary: Summary,
}

struct Probed {
    position: u64,
    target: Target,
    found: Found,
}

impl Scan<'_> {
    /// `None` if nobody takes the reports any more.
    async fn all(&mut self) -> Option<()> {
        let end = self
            .rules
            .limits()
            .window
            .map(|window| Instant::now() + window);
        loop {
            let over = end.is_some_and(|end| Instant::now() >= end);
            while !over && self.at_work.len() < self.config.concurrency.max(1) {
                let free = |address| {
                    let at_work = self.busy.get(&address).copied().unwrap_or_default();
                    at_work < self.rules.limits().per_device
                };
                let Some((position, target)) = self.queue.next(self.config.concurrency, free)
                else {
                    break;
                };
                self.begin(position, target).await?;
            }
            match self.at_work.join_next().await {
                Some(Ok(probed)) => self.finish(probed).await?,
                // A panic, which does not leave the process alive outside of tests.
                Some(Err(_)) => {}
                None if over => {
                    self.summary.ended = Ended::Window;
                    return Some(());
                }
                None => return Some(()),
            }
        }
    }

    async fn begin(&mut self, position: u64, target: Target) -> Option<()> {
        if let Some(rule) = self.rules.against(&target) {
            self.summary.excluded += 1;
            return self
                .report(position, &target, Outcome::Excluded { rule })
                .await;
        }
        if let Some(rule) = self
            .stops
            .against(&target, self.rules.model(target.address))
        {
            self.summary.stopped += 1;
            return self
                .report(position, &target, Outcome::Stopped { rule })
                .await;
        }
        self.summary.probed += 1;
        *self.busy.entry(target.address).or_default() += 1;
        let prober = Arc::clone(&self.prober);
        let watched = self.rules.model(target.address).is_some();
        self.at_work.spawn(async move {
            // Boxed: most targets of a sparse network never get beyond the connection.
            let mut found = Box::pin(prober.probe(&target)).await;
            if watched && found.connected && !found.silent {
                sleep(prober.timing.check_after).await;
                found.silent = !prober.alive(&target).await;
            }
            if !prober.timing.pause.is_zero() {
                sleep(prober.timing.pause).await;
            }
            Probed {
                position,
                target,
                found,
            }
        });
        Some(())
    }

    async fn finish(&mut self, probed: Probed) -> Option<()> {
        let Probed {
            position,
            target,
            found,
        } = probed;
        if let Some(at_work) = self.busy.get_mut(&target.address) {
            *at_work -= 1;
            if *at_work == 0 {
                self.busy.remove(&target.address);
            }
        }
        let (address, port) = (target.address, target.port);
        let mut observation = self.observation(&target, found.outcome);
        observation.tls = found.tls;
        observation.chain = found.chain;
        let observation = Box::new(observation);
        self.send(Report::Seen {
            position,
            observation,
        })
        .await?;
        if !found.silent {
            return Some(());
        }
        let model = self.rules.model(address).map(str::to_owned);
        self.stops
            .add(&target, model.as_deref(), self.rules.limits().silent);
        self.send(Report::Silent {
            model,
            address,
            port,
        })
        .await
    }

    async fn report(&self, position: u64, target: &Target, outcome: Outcome) -> Option<()> {
        let observation = Box::new(self.observation(target, outcome));
        self.send(Report::Seen {
            position,
            observation,
        })
        .await
    }

    fn observation(&self, target: &Target, outcome: Outcome) -> Observation {
        let at = (self.config.clock)();
        Observation::new(at, &self.config.from, How::Scan, target.place(), outcome)
    }

    async fn send(&self, report: Report) -> Option<()> {
        self.reports.send(report).await.ok()
    }
}

/// Targets still to come.
struct Queue<'a> {
    targets: &'a Targets,
    order: Order,
    next: u64,
    cursor: &'a Cursor,
    /// Had their turn while their device was busy.
    waiting: VecDeque<(u64, Target)>,
}

impl Queue<'_> {
    /// The next one whose device is free; `None` if there is none now.
    fn next(&mut self, limit: usize, free: impl Fn(IpAddr) -> bool) -> Option<(u64, Target)> {
        let ready = self
            .waiting
            .iter()
            .position(|(_, target)| free(target.address));
        if let Some(found) = ready.and_then(|at| self.waiting.remove(at)) {
            return Some(found);
        }
        while self.waiting.len() < limit.max(1) {
            let position = self.next;
            let number = self.order.at(position)?;
            self.next += 1;
            if self.cursor.is_done(position) {
                continue;
            }
            let target = self.targets.at(number)?;
            if free(target.address) {
                return Some((position, target));
            }
            self.waiting.push_back((position, target));
        }
        None
    }
}

/// What is left alone since something fell silent.
#[derive(Default)]
struct Stops {
    models: HashMap<String, String>,
    addresses: HashSet<IpAddr>,
    unknown: Option<String>,
}

impl Stops {
    fn against(&self, target: &Target, model: Option<&str>) -> Option<String> {
        if let Some(model) = model {
            return self.models.get(model).cloned();
        }
        if self.addresses.contains(&target.address) {
            return Some(format!(
                "{} stopped answering after a probe",
                target.address
            ));
        }
        self.unknown.clone()
    }

    fn add(&mut self, target: &Target, model: Option<&str>, limit: usize) {
        let place = format!("{} port {}", target.address, target.port);
        if let Some(model) = model {
            let rule = format!("model {model}: {place} stopped answering after a probe");
            self.models.entry(model.to_owned()).or_insert(rule);
            return;
        }
        self.addresses.insert(target.address);
        if self.addresses.len() >= limit.max(1) {
            let count = self.addresses.len();
            self.unknown = Some(format!(
                "{count} devices of no known model stopped answering after a probe, the last at {place}"
            ));
        }
    }
}
