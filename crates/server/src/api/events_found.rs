//! Events of the log looked for from the newest backwards: who, what, to what, how it ended, when (R36, R52).

use access::Refusal;
use audit::Timestamp;
use hyper::StatusCode;
use serde_json::Value;
use store::{LogEntry, Store};

use crate::api::as_of::past;
use crate::api::audit_log::EventsQuery;
use crate::problem::Problem;

/// Events that are read for one answer, whether they are what is looked for or not.
const MOST_LOOKED_AT: u64 = 20_000;
const CHUNK: u64 = 1000;
/// Longer words are in no event that anybody looks for.
const LONGEST: usize = 200;

/// What is looked for.
pub(super) struct Look {
    before: Option<u64>,
    actor: Option<String>,
    action: Option<String>,
    object: Option<String>,
    outcome: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    as_of: Option<Timestamp>,
}

/// What was found.
pub(super) struct Found {
    pub(super) size: u64,
    pub(super) events: Vec<Value>,
    pub(super) next: Option<u64>,
    pub(super) looked_at: u64,
}

impl Look {
    /// Nothing if no more is asked than a stretch of the log.
    pub(super) fn parse(query: &EventsQuery, now: Timestamp) -> Result<Option<Self>, Problem> {
        let look = Self {
            before: query.before,
            actor: word("actor", query.actor.as_deref())?,
            action: word("action", query.action.as_deref())?,
            object: word("object", query.object.as_deref())?,
            outcome: word("outcome", query.outcome.as_deref())?,
            since: past("since", query.since.as_deref(), now)?,
            until: past("until", query.until.as_deref(), now)?,
            as_of: past("as_of", query.as_of.as_deref(), now)?,
        };
        if let Some(outcome) = &look.outcome
            && !["done", "refused", "failed"].contains(&outcome.as_str())
        {
            let outcome = x509::describe::escape(outcome);
            let message = format!("no event ends as `{outcome}`");
            let refusal = Refusal::new("audit.outcome", "docs/audit.md", message)
                .accepted("done, refused or failed");
            return Err(Problem::refused(StatusCode::UNPROCESSABLE_ENTITY, &refusal));
        }
        let words = [&look.actor, &look.action, &look.object, &look.outcome];
        let times = [look.since, look.until, look.as_of];
        let asks = look.before.is_some()
            || words.iter().any(|word| word.is_some())
            || times.iter().any(Option::is_some);
        if asks && query.from.is_some() {
            return Err(Problem::malformed(
                "`from` reads forwards and takes no filter; send `before`, or neither",
            ));
        }
        Ok(asks.then_some(look))
    }

    /// At most `limit` of them, the newest first.
    pub(super) async fn back(&self, store: &Store, limit: u64) -> Result<Found, Problem> {
        let mut size = store.log_size().await?;
        if let Some(as_of) = self.as_of {
            size = first_after(store, size, as_of).await?;
        }
        let mut end = self.before.unwrap_or(size).min(size);
        if let Some(until) = self.until {
            end = end.min(first_after(store, size, until).await?);
        }
        // Events at the instant itself are looked for, too.
        let start = match self.since {
            Some(since) => first_after(store, size, Timestamp(since.0 - 1)).await?,
            None => 0,
        };
        let mut found = Found {
            size,
            events: Vec::new(),
            next: None,
            looked_at: 0,
        };
        while end > start && (found.events.len() as u64) < limit && found.looked_at < MOST_LOOKED_AT
        {
            let from = end.saturating_sub(CHUNK).max(start);
            let entries = store.events(from, end - from).await?;
            for entry in entries.iter().rev() {
                if (found.events.len() as u64) == limit {
                    break;
                }
                found.looked_at += 1;
                end = entry.seq;
                let event = shown(entry);
                if self.wants(&event) {
                    found.events.push(event);
                }
            }
            // Rows that are missing are for the verifier to find; here they are passed over.
            if entries.is_empty() {
                end = from;
            }
        }
        found.next = (end > start).then_some(end);
        Ok(found)
    }

    fn wants(&self, event: &Value) -> bool {
        let text = |at: &str| {
            event
                .pointer(at)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let part = |wanted: &Option<String>, places: [&str; 2]| {
            wanted.as_ref().is_none_or(|wanted| {
                let mut texts = places.iter().map(|at| text(at).to_lowercase());
                texts.any(|text| text.contains(wanted.as_str()))
            })
        };
        let action = self.action.as_ref().is_none_or(|wanted| {
            let rest = text("/action").strip_prefix(wanted.as_str());
            rest.is_some_and(|rest| {
                rest.is_empty() || rest.starts_with('.') || wanted.ends_with('.')
            })
        });
        let outcome = self
            .outcome
            .as_ref()
            .is_none_or(|wanted| text("/outcome") == wanted);
        action
            && outcome
            && part(&self.actor, ["/actor/id", "/actor/kind"])
            && part(&self.object, ["/object/id", "/object/kind"])
    }
}

/// An event as the API shows it: its fields, and its number.
pub(super) fn shown(entry: &LogEntry) -> Value {
    let mut event: Value = serde_json::from_slice(&entry.body).unwrap_or_default();
    if let Some(fields) = event.as_object_mut() {
        fields.insert("seq".into(), entry.seq.into());
    }
    event
}

/// When the first event happened.
pub(super) async fn began(store: &Store) -> Result<Option<i64>, Problem> {
    let first = store.events(0, 1).await?;
    Ok(first.first().and_then(time))
}

fn time(entry: &LogEntry) -> Option<i64> {
    audit::Event::parse(&entry.body)
        .ok()
        .map(|event| event.time.0)
}

/// Number of the first event after the instant, by halving: the log's order is that of its clock, but where the clock was
/// set back, and there it is off by as much.
async fn first_after(store: &Store, size: u64, at: Timestamp) -> Result<u64, Problem> {
    let (mut low, mut high) = (0, size);
    while low < high {
        let middle = low + (high - low) / 2;
        let entries = store.events(middle, 1).await?;
        match entries.first().and_then(time) {
            Some(time) if time <= at.0 => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

fn word(name: &str, text: Option<&str>) -> Result<Option<String>, Problem> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    match text {
        Some(text) if text.len() > LONGEST => Err(Problem::malformed(format!(
            "{name} has more than {LONGEST} characters"
        ))),
        text => Ok(text.map(str::to_lowercase)),
    }
}
