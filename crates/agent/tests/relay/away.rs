//! An hour of simulated time without the core, an agent that is killed twice, answers that are lost: every observation
//! arrives, once.

use crate::made::{NOW, ceiling, observation, order, public, signed};
use agent::observation::{Form, Place};
use agent::relay::{
    Batch, Core, CoreError, Home, HomeError, Identity, Look, Poll, Polled, Queue, QueueError,
    Relay, RelayError, Said, Scanner, Signed, Taken,
};
use agent::scan::{Ended, Report, Summary};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep, timeout};

/// Looks at 8 places, and then rests for a minute.
struct Slow;

impl Scanner for Slow {
    async fn scan(&self, look: Look, reports: Sender<Report>) -> Summary {
        let mut summary = Summary {
            ended: Ended::Done,
            probed: 0,
            excluded: 0,
            stopped: 0,
        };
        for position in 0..look.targets.len() {
            if look.cursor.is_done(position) {
                continue;
            }
            summary.probed += 1;
            let mut observation = observation(u32::try_from(position).unwrap());
            observation.at = (look.config.clock)();
            let observation = Box::new(observation);
            let seen = Report::Seen {
                position,
                observation,
            };
            if reports.send(seen).await.is_err() {
                summary.ended = Ended::Abandoned;
                return summary;
            }
            if position % 8 == 7 {
                sleep(Duration::from_secs(60)).await;
            }
        }
        summary
    }
}

/// What the core has stored, whatever happens to it and to the line.
#[derive(Default)]
struct Stored {
    batches: BTreeMap<u64, Batch>,
    orders: Vec<Signed>,
    /// How many times each place arrived.
    places: BTreeMap<Place, usize>,
    ended: Vec<Said>,
    asked: u64,
    repeated: u64,
    /// Where the core's clock stands.
    clock: i64,
}

#[derive(Clone)]
struct House {
    stored: Arc<Mutex<Stored>>,
    start: Instant,
    away: Arc<Mutex<(Duration, Duration)>>,
}

impl House {
    fn is_away(&self) -> bool {
        let (from, until) = *self.away.lock().unwrap();
        (from..until).contains(&self.start.elapsed())
    }
}

impl Core for House {
    async fn poll(&self, poll: &Poll) -> Result<Polled, CoreError> {
        if self.is_away() {
            return Err(CoreError::Away("nobody answers".to_owned()));
        }
        let orders = {
            let stored = self.stored.lock().unwrap();
            // Offered again and again, as by a core that forgets.
            stored.orders.clone()
        };
        sleep(Duration::from_secs(poll.wait)).await;
        let now = self.stored.lock().unwrap().clock
            + i64::try_from(self.start.elapsed().as_millis()).unwrap();
        Ok(Polled {
            now,
            orders,
            stop: Vec::new(),
        })
    }

    async fn hand_over(&self, batch: &Batch) -> Result<Taken, CoreError> {
        if self.is_away() {
            return Err(CoreError::Away("nobody answers".to_owned()));
        }
        let mut stored = self.stored.lock().unwrap();
        stored.asked += 1;
        // What came over the wire is read anew.
        let batch = Batch::read(batch.body.clone()).unwrap();
        let sequence = batch.head.sequence;
        let newest = stored.batches.keys().last().copied().unwrap_or_default();
        let repeated = match stored.batches.get(&sequence) {
            Some(known) => {
                assert_eq!(
                    known.body, batch.body,
                    "another batch under a number that is taken"
                );
                stored.repeated += 1;
                true
            }
            None => {
                assert_eq!(sequence, newest + 1, "a batch is missing");
                for seen in batch.observations().unwrap() {
                    *stored.places.entry(seen.place).or_default() += 1;
                }
                stored.ended.extend(batch.head.said.clone());
                stored.batches.insert(sequence, batch);
                false
            }
        };
        // Every third answer is lost on its way.
        match stored.asked % 3 {
            0 => Err(CoreError::Away("the line broke".to_owned())),
            _ => Ok(Taken { sequence, repeated }),
        }
    }

    async fn renew(&self, _: i64) -> Result<bool, CoreError> {
        Ok(false)
    }
}

fn enrolled(folder: &Path) -> Home {
    let identity = Identity {
        v: Form,
        core: "https://ward.example.org".to_owned(),
        agent: "icu-1".to_owned(),
        segment: "icu".to_owned(),
        roots: String::new(),
        order_key: public().iter().map(|byte| format!("{byte:02x}")).collect(),
        ceiling: ceiling(),
        chain: String::new(),
        key: String::new(),
    };
    std::fs::write(
        folder.join("identity.json"),
        serde_json::to_vec(&identity).unwrap(),
    )
    .unwrap();
    std::fs::write(folder.join("queue.key"), "09".repeat(32)).unwrap();
    Home::new(folder)
}

fn relay(folder: &Path, start: Instant) -> Relay {
    // This machine's clock is a year slow.
    let clock =
        move || NOW - 365 * 86_400_000 + i64::try_from(start.elapsed().as_millis()).unwrap();
    Relay::open(
        Home::new(folder),
        0,
        Arc::new(clock),
        Arc::new(|_: &str| {}),
    )
    .unwrap()
}

fn house(orders: Vec<Signed>) -> House {
    let stored = Stored {
        orders,
        clock: NOW,
        ..Stored::default()
    };
    House {
        stored: Arc::new(Mutex::new(stored)),
        start: Instant::now(),
        away: Arc::default(),
    }
}

#[tokio::test(start_paused = true)]
async fn r17_an_hour_without_the_core_and_two_kills_cost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    enrolled(folder.path());
    let house = house(vec![signed(&order("o1"))]);
    *house.away.lock().unwrap() = (Duration::from_secs(90), Duration::from_secs(3690));
    // Killed twice, once while the core is away and once soon after: what is dropped writes nothing more.
    for until in [1000, 2900, 3400] {
        let relay = relay(folder.path(), house.start);
        let end = Duration::from_secs(until);
        let ran = timeout(end, relay.run(&house, &Slow)).await;
        assert!(ran.is_err(), "{ran:?}");
    }
    let stored = house.stored.lock().unwrap();
    assert_eq!(stored.places.len(), 512);
    assert!(
        stored.places.values().all(|times| *times == 1),
        "a place arrived twice"
    );
    assert!(stored.repeated > 0, "no answer was lost");
    let done: Vec<&Said> = stored.ended.iter().collect();
    assert!(
        matches!(done.as_slice(), [Said::Ended { how, .. }] if how == "done"),
        "{done:?}"
    );
    // By the core's clock, which is a year ahead of the agent's.
    let last = stored.batches.values().rev().nth(1).unwrap();
    let at = last.observations().unwrap()[0].at;
    assert!((NOW + 3_500_000..NOW + 7_400_000).contains(&at), "{at}");
    let waiting = Queue::look(&folder.path().join("queue"), "icu-1", &[9; 32]).unwrap();
    assert_eq!((waiting.0, waiting.1), (0, 0));
    let orders = std::fs::read_dir(folder.path().join("orders")).unwrap();
    let left: Vec<_> = orders.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["o1.done"]);
}

#[tokio::test(start_paused = true)]
async fn r17_what_was_done_is_not_done_again_and_what_is_forged_is_not_begun() {
    let folder = tempfile::tempdir().unwrap();
    enrolled(folder.path());
    let mut small = order("o1");
    small.ranges = vec!["10.30.4.0/29".parse().unwrap()];
    let mut forged = signed(&order("o2"));
    forged.order = forged.order.replace("10.30.4.0/23", "10.30.0.0/16");
    let mut beyond = order("o3");
    beyond.services = "22".to_owned();
    let house = house(vec![signed(&small), forged, signed(&beyond)]);
    for _ in 0..2 {
        let relay = relay(folder.path(), house.start);
        timeout(Duration::from_secs(600), relay.run(&house, &Slow))
            .await
            .ok();
    }
    let stored = house.stored.lock().unwrap();
    assert_eq!(stored.places.len(), 8);
    assert!(stored.places.values().all(|times| *times == 1));
    let refused = |said: &&Said| matches!(said, Said::Refused { why } if why.contains("ports 22"));
    assert_eq!(stored.ended.iter().filter(refused).count(), 1);
    assert_eq!(stored.ended.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn r17_a_queue_that_was_changed_is_not_handed_over() {
    let folder = tempfile::tempdir().unwrap();
    enrolled(folder.path());
    let house = house(vec![signed(&order("o1"))]);
    *house.away.lock().unwrap() = (Duration::from_secs(30), Duration::from_secs(36_000));
    let first = relay(folder.path(), house.start);
    timeout(Duration::from_secs(600), first.run(&house, &Slow))
        .await
        .ok();
    let queue = folder.path().join("queue");
    assert!(Queue::look(&queue, "icu-1", &[9; 32]).unwrap().0 > 2);
    let mut names: Vec<_> = std::fs::read_dir(&queue)
        .unwrap()
        .map(|it| it.unwrap().path())
        .collect();
    names.sort();
    let text = std::fs::read_to_string(&names[2]).unwrap();
    std::fs::write(&names[2], text.replacen("\"port\":443", "\"port\":444", 1)).unwrap();
    let again = Queue::open(&queue, "icu-1", &[9; 32], 0);
    assert!(matches!(again, Err(QueueError::Tampered { .. })));
    // Two processes are never one agent.
    let home = Home::new(folder.path());
    let second = Relay::open(home, 0, Arc::new(|| NOW), Arc::new(|_: &str| {}));
    let second = second.err().unwrap();
    assert!(matches!(second, RelayError::Home(HomeError::Running(_))));
    // The agent that runs sees it when the batch's turn comes.
    *house.away.lock().unwrap() = (Duration::ZERO, Duration::ZERO);
    let ended = timeout(Duration::from_secs(600), first.run(&house, &Slow)).await;
    assert!(matches!(ended, Ok(Err(RelayError::Queue(_)))), "{ended:?}");
}
