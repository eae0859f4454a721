//! What happens, for whoever watches: new events of the log as short notices, and how far running scans are. One follower
//! for all listeners; each has a queue of its own with an end, and who is too slow reads the log itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use access::Action;
use audit::{Event, Outcome};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};

use crate::Services;

/// Notices that a listener may be behind.
const QUEUE: usize = 512;
/// Streams of one person or machine, whatever tokens or sessions they are opened with.
pub(crate) const MOST_OF_ONE: usize = 8;
/// Streams of everybody.
const MOST: usize = 2_000;
/// How often the log is looked at: what this process writes as routine wakes nobody.
const LOOK: Duration = Duration::from_millis(500);
/// How often scans say how far they are.
const PROGRESS_LOOKS: u32 = 4;
/// Events that are read at once.
const PAGE: u64 = 512;

/// One thing that happened.
#[derive(Debug)]
pub(crate) struct Notice {
    /// Its number in the log; progress has none.
    pub(crate) seq: Option<u64>,
    pub(crate) topic: &'static str,
    /// Who may read the topic may read this.
    pub(crate) needs: Action,
    pub(crate) data: Value,
}

/// Topics, with the nouns of actions that belong to them and what it takes to read them. What is in no row is of the log.
const TOPICS: [(&str, &[&str], Action); 13] = [
    (
        "certificate",
        &["certificate", "holding"],
        Action::ReadCertificates,
    ),
    (
        "authority",
        &[
            "authority",
            "issuer",
            "hierarchy",
            "root",
            "crl",
            "ocsp",
            "bundle",
        ],
        Action::ReadAuthorities,
    ),
    ("profile", &["profile"], Action::ReadProfiles),
    ("request", &["request"], Action::ReadRequests),
    ("asset", &["asset", "spare", "import"], Action::ReadAssets),
    (
        "finding",
        &["finding", "waiver", "incident"],
        Action::ReadInventory,
    ),
    (
        "inventory",
        &["inventory", "owner-rule", "view", "posture"],
        Action::ReadInventory,
    ),
    (
        "flow",
        &["flow", "system", "flow-map"],
        Action::ReadInventory,
    ),
    (
        "scan",
        &["scan", "segment", "discovery"],
        Action::ReadInventory,
    ),
    ("agent", &["agent", "agent-order"], Action::ReadInventory),
    ("job", &["job"], Action::ReadInventory),
    (
        "enrolment",
        &["acme", "enrolment", "registration", "right"],
        Action::ReadEnrolment,
    ),
    ("token", &["token"], Action::ReadTokens),
];
/// Everything else: people, sessions, keys, settings.
const REST: (&str, Action) = ("log", Action::ReadAudit);

/// The names of all topics.
pub(crate) fn topics() -> impl Iterator<Item = &'static str> {
    TOPICS.iter().map(|(name, ..)| *name).chain([REST.0])
}

/// What it takes to read a topic.
pub(crate) fn needs(topic: &str) -> Action {
    let row = TOPICS.iter().find(|(name, ..)| *name == topic);
    row.map_or(REST.1, |(.., action)| *action)
}

/// Where notices come from.
pub(crate) struct Hub {
    notices: Mutex<Option<broadcast::Sender<Arc<Notice>>>>,
    streams: Mutex<HashMap<String, usize>>,
}

impl Default for Hub {
    fn default() -> Self {
        Hub {
            notices: Mutex::new(Some(broadcast::Sender::new(QUEUE))),
            streams: Mutex::default(),
        }
    }
}

/// A stream that is counted as long as it lasts.
pub(crate) struct Counted {
    services: Arc<Services>,
    holder: String,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut streams = self.services.events.streams.lock();
        if let Some(count) = streams.get_mut(&self.holder) {
            *count -= 1;
            if *count == 0 {
                streams.remove(&self.holder);
            }
        }
    }
}

impl Hub {
    /// A place among the streams of a holder, if there is one left.
    pub(crate) fn enter(services: &Arc<Services>, holder: &str) -> Option<Counted> {
        let mut streams = services.events.streams.lock();
        let all: usize = streams.values().sum();
        let own = streams.get(holder).copied().unwrap_or_default();
        if own >= MOST_OF_ONE || all >= MOST {
            return None;
        }
        *streams.entry(holder.to_owned()).or_default() += 1;
        Some(Counted {
            services: Arc::clone(services),
            holder: holder.to_owned(),
        })
    }

    /// `None` when the server stops.
    pub(crate) fn listen(&self) -> Option<broadcast::Receiver<Arc<Notice>>> {
        self.notices
            .lock()
            .as_ref()
            .map(broadcast::Sender::subscribe)
    }

    fn sender(&self) -> Option<broadcast::Sender<Arc<Notice>>> {
        let sender = self.notices.lock().clone();
        sender.filter(|sender| sender.receiver_count() > 0)
    }
}

/// What of an event whoever may read its topic is told: the rest is in the log, for those who may read that.
pub(crate) fn notice(seq: u64, event: &Event) -> Notice {
    let noun = event.action.split('.').next().unwrap_or_default();
    let row = TOPICS.iter().find(|(_, nouns, _)| nouns.contains(&noun));
    let (topic, needs) = row.map_or(REST, |(name, _, action)| (*name, *action));
    let outcome = match event.outcome {
        Outcome::Done => "done",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
    };
    Notice {
        seq: Some(seq),
        topic,
        needs,
        data: json!({ "action": event.action, "object": event.object, "outcome": outcome, "at": event.time.0 }),
    }
}

/// Follows the log for everybody who listens, until `stop` turns true.
pub(crate) async fn run(services: Arc<Services>, mut stop: watch::Receiver<bool>) {
    let mut seen = services.store.log_size().await.unwrap_or_default();
    let mut looks = 0_u32;
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = stop.wait_for(|stopped| *stopped) => break,
        }
        looks = looks.wrapping_add(1);
        let Some(sender) = services.events.sender() else {
            // Nobody listens: whoever comes reads from where the log is then.
            seen = services.store.log_size().await.unwrap_or(seen);
            continue;
        };
        if let Err(error) = forward(&services, &sender, &mut seen).await {
            tracing::warn!(%error, "the log cannot be followed for streams; trying again");
        }
        if looks.is_multiple_of(PROGRESS_LOOKS)
            && let Err(error) = progress(&services, &sender).await
        {
            tracing::warn!(%error, "how far scans are cannot be told");
        }
    }
    // Streams end when their sender does, or connections would keep the server from stopping.
    services.events.notices.lock().take();
}

async fn forward(
    services: &Services,
    sender: &broadcast::Sender<Arc<Notice>>,
    seen: &mut u64,
) -> Result<(), store::StoreError> {
    loop {
        let entries = services.store.events(*seen, PAGE).await?;
        let Some(last) = entries.last() else {
            return Ok(());
        };
        *seen = last.seq + 1;
        for entry in &entries {
            if let Ok(event) = Event::parse(&entry.body) {
                sender.send(Arc::new(notice(entry.seq, &event))).ok();
            }
        }
    }
}

async fn progress(
    services: &Services,
    sender: &broadcast::Sender<Arc<Notice>>,
) -> Result<(), fleet::FleetError> {
    for scan in services.fleet.open_scans().await? {
        let told = json!({
            "action": "scan.progress", "object": { "kind": "scan", "id": scan.id }, "segment": scan.segment,
            "state": scan.state.name(), "done": scan.done, "total": scan.total,
        });
        let notice = Notice {
            seq: None,
            topic: "scan",
            needs: Action::ReadInventory,
            data: told,
        };
        sender.send(Arc::new(notice)).ok();
    }
    for job in services.fleet.open_jobs().await? {
        let told = json!({
            "action": "job.progress", "object": { "kind": "job", "id": job.id }, "done": job.done, "refused": job.refused,
            "total": job.total,
        });
        let notice = Notice {
            seq: None,
            topic: "job",
            needs: Action::ReadInventory,
            data: told,
        };
        sender.send(Arc::new(notice)).ok();
    }
    Ok(())
}
