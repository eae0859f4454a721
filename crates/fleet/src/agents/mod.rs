//! Agents in segments that the core does not reach (R17): who they are, what they may be ordered, what they handed over.
//!
//! # Invariants
//! - An agent is known by the SHA-256 of its certificate, which stands in its record. Whoever is revoked is asked for at
//!   every request, so that nothing of a connection or a session outlives it.
//! - A ticket is good for one key: it is spent in the write that makes the certificate.
//! - A batch and what it says are one write: its number stands in the database if and only if its observations do.

mod batch;
mod enrol;
mod order;

use access::{Action, Permit, Refusal};
use agent::relay::Ceiling;
use audit::{Event, Object, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Record, Write, params};

use crate::{Fleet, FleetError, Result, refused};

pub use enrol::{Invitation, KnownAgent};
pub use order::{AgentOrder, NewOrder};

/// The kind under which agents are kept.
pub const AGENT_RECORDS: &str = "agent";
/// Where the rules stand.
const SOURCE: &str = "docs/agent.md";

/// What an agent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentState {
    /// Has a ticket and has not come with it.
    Invited,
    Active,
    /// Its certificates are revoked, and nothing of it is taken any more.
    Revoked,
}

impl AgentState {
    pub fn name(self) -> &'static str {
        match self {
            AgentState::Invited => "invited",
            AgentState::Active => "active",
            AgentState::Revoked => "revoked",
        }
    }
}

/// One agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    pub name: String,
    pub segment: String,
    #[serde(default)]
    pub note: String,
    pub state: AgentState,
    /// The most that it was enrolled for. What it was told when it enrolled may be less than what its segment allows now.
    pub ceiling: Ceiling,
    /// How long its certificates live, as profiles write it.
    pub lifetime: String,
    /// How often it has enrolled: numbers of batches begin anew each time.
    pub enrolments: u64,
    /// Its certificate, and the one before until the new one is used.
    #[serde(default)]
    pub certificates: Vec<Held>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Spendable>,
    /// Revoked: by whom the log says; why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A certificate of an agent's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// Hex.
    pub sha256: String,
    /// SHA-256 of its key, hex.
    pub key: String,
    /// Unix milliseconds.
    pub issued: i64,
}

/// A ticket, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spendable {
    /// Hex SHA-256 of the secret.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
    /// Unix milliseconds.
    pub expires: i64,
    /// The key that it was spent on (SHA-256, hex): the same may ask again, if the answer was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_on: Option<String>,
}

/// An agent with the number of its version.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredAgent {
    pub version: u64,
    /// Since when it is so, Unix milliseconds.
    pub since: i64,
    pub agent: Agent,
}

/// What an agent has handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HandedOver {
    pub batches: u64,
    pub observations: u64,
    /// Number of the newest batch of this enrolment.
    pub newest: u64,
    /// When it came, Unix milliseconds.
    pub received: Option<i64>,
}

const HANDED_OVER: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(observations), 0) AS BIGINT), \
    CAST(COALESCE(MAX(sequence), 0) AS BIGINT), MAX(received) FROM agent_batches WHERE agent = $1";

impl Agent {
    /// Under which its batches are numbered.
    fn series(&self) -> String {
        format!("{}/{}", self.name, self.enrolments)
    }

    /// Without what its ticket is compared with.
    #[must_use]
    pub fn without_hash(mut self) -> Self {
        if let Some(ticket) = &mut self.ticket {
            ticket.sha256.clear();
        }
        self
    }
}

impl Fleet {
    /// Every agent, by name.
    pub async fn agents(&self) -> Result<Vec<StoredAgent>> {
        let records = self.store().records(AGENT_RECORDS).await?;
        records.iter().map(read).collect()
    }

    /// One agent, by its name.
    pub async fn agent(&self, name: &str) -> Result<StoredAgent> {
        match self.store().record(AGENT_RECORDS, name).await? {
            Some(record) => read(&record),
            None => Err(FleetError::not_found("agent", name)),
        }
    }

    /// What an agent has handed over since it last enrolled.
    pub async fn handed_over(&self, agent: &Agent) -> Result<HandedOver> {
        let rows = self
            .store()
            .query(HANDED_OVER, params![agent.series()])
            .await?;
        let Some(row) = rows.first() else {
            return Ok(HandedOver::default());
        };
        Ok(HandedOver {
            batches: row.int(0)?.unsigned_abs(),
            observations: row.int(1)?.unsigned_abs(),
            newest: row.int(2)?.unsigned_abs(),
            received: row.opt_int(3)?,
        })
    }

    /// Ends an agent: nothing of it is taken from here on, what it was ordered is over, its certificates are revoked.
    pub async fn revoke_agent(
        &self,
        permit: Permit,
        name: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<StoredAgent> {
        let action = "agent.revoke";
        let object = Object::new("agent", name);
        let stored = self.agent(name).await?;
        let checked = permit
            .require(Action::RunDiscovery)
            .and_then(|()| note_fits(why));
        self.checked(&permit, action, &object, checked, now).await?;
        let mut revoked = stored.agent.clone();
        revoked.state = AgentState::Revoked;
        revoked.ticket = None;
        revoked.why = Some(why.to_owned());
        // The record first: from its commit on nobody is answered, whatever becomes of the rest.
        if stored.agent.state != AgentState::Revoked {
            let event = Event::new(now, permit.actor().clone(), action, object)
                .before(json!(stored.agent.clone().without_hash()))
                .after(json!(revoked.clone().without_hash()))
                .why(why);
            let write = Write::new(permit.joined(event))?;
            let write = write.put_record(AGENT_RECORDS, name, stored.version, &revoked, now)?;
            let write = order::end_all(write, name, now);
            self.store().commit(write).await?;
        }
        self.revoke_certificates(&permit, &revoked, why, now)
            .await?;
        self.agent(name).await
    }
}

fn read(record: &Record) -> Result<StoredAgent> {
    Ok(StoredAgent {
        version: record.version,
        since: record.valid_from.0,
        agent: record.parse()?,
    })
}

/// Names are parts of paths, of certificates and of the log.
fn check_name(name: &str) -> Result<(), Refusal> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let good = (1..=63).contains(&name.len())
        && name.bytes().all(fits)
        && !name.starts_with('-')
        && !name.ends_with('-');
    if good {
        return Ok(());
    }
    let shown: String = name.chars().take(64).collect();
    Err(Refusal::new(
        "agent.name",
        SOURCE,
        format!("`{}` is no name of an agent", shown.escape_debug()),
    )
    .accepted("1 to 63 lower-case letters, digits and hyphens"))
}

fn note_fits(note: &str) -> Result<(), Refusal> {
    if note.chars().count() <= 500 && !note.chars().any(char::is_control) {
        return Ok(());
    }
    Err(
        Refusal::new("agent.note", SOURCE, "the text cannot be kept")
            .accepted("at most 500 characters on one line"),
    )
}

impl Fleet {
    /// Records a refusal of something that an agent asked for.
    async fn agent_refused(
        &self,
        permit: &Permit,
        action: &'static str,
        name: &str,
        refusal: Refusal,
        now: Timestamp,
    ) -> FleetError {
        let object = Object::new("agent", name.chars().take(63).collect::<String>());
        refused(self.access(), permit, action, &object, refusal, now).await
    }
}
