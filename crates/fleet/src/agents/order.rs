//! Orders to agents: made within the signed limits of their segment and its hours, signed with the log's key, over when the
//! limits change.

use access::{Action, Permit, Refusal};
use agent::observation::Form;
use agent::relay::{Order, Poll, Polled, Signed, signed_text};
use agent::scan::{Depth, Range, Service, Targets};
use audit::{Event, Object, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Row, StoreError, Write, params};

use super::{AgentState, KnownAgent, SOURCE};
use crate::scan::{Plan, Progress, Scan, ScanState};
use crate::{Fleet, FleetError, Result, StoredSegment, random};

/// No target is begun so shortly before the hours end: what is begun takes up to a minute.
const GUARD: i64 = 65_000;
/// Orders of one agent that are not over. It keeps no more.
const OPEN_ORDERS: usize = 16;
/// Targets in work at once. What a segment's rate allows is less, as a rule.
const CONCURRENCY: usize = 64;

const ADD: &str = "INSERT INTO agent_orders(id, agent, segment, version, body, state, ordered_by, created, expires, taken, ended, \
    done, total, excluded, stopped, note) \
    VALUES($1, $2, $3, $4, $5, 'open', $6, $7, $8, NULL, NULL, 0, $9, 0, 0, '')";
const TAKE: &str =
    "UPDATE agent_orders SET state = 'taken', taken = $2 WHERE id = $1 AND state = 'open'";
const END: &str = "UPDATE agent_orders SET state = $2, ended = $3, note = $4 \
    WHERE id = $1 AND state IN ('open', 'taken')";
const END_ALL: &str = "UPDATE agent_orders SET state = 'stopped', ended = $2, note = 'the agent was revoked' \
    WHERE agent = $1 AND state IN ('open', 'taken')";
/// Also of one that is over: what was seen before it heard of that is worth having.
pub(super) const ADVANCE: &str = "UPDATE agent_orders SET done = $2, excluded = excluded + $3, stopped = stopped + $4 WHERE id = $1";

/// What an agent is to look at.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewOrder {
    /// All of the segment if there is none.
    pub ranges: Vec<Range>,
    /// All that the segment allows if there is none.
    pub ports: Vec<String>,
    /// Server names to ask every address for, beside none.
    pub names: Vec<String>,
    /// At most the segment's, which it is if absent.
    pub depth: Option<Depth>,
}

/// An order as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentOrder {
    pub id: String,
    pub agent: String,
    pub segment: String,
    /// The segment's version whose limits are in it.
    pub version: u64,
    /// `open`, `taken`, `done`, `stopped`, `expired`, `window`, `refused`.
    pub state: String,
    pub ordered_by: String,
    /// Unix milliseconds, as the others.
    pub created: i64,
    pub expires: i64,
    pub taken: Option<i64>,
    pub ended: Option<i64>,
    /// Targets that have their outcome, and all there are.
    pub done: u64,
    pub total: u64,
    pub excluded: u64,
    pub stopped: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    #[serde(skip)]
    pub(super) signed: String,
}

impl AgentOrder {
    /// Whether there may be more of it.
    pub fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "open" | "taken")
    }

    /// What was ordered.
    pub(super) fn order(&self) -> Result<Order> {
        let signed = self.as_signed()?;
        serde_json::from_str(&signed.order).map_err(|_| FleetError::Damaged("agent_orders.body"))
    }

    /// As the list of scans shows it.
    pub(crate) fn as_scan(&self) -> Result<Scan> {
        let damaged = FleetError::Damaged("agent_orders.body");
        let order = self.order()?;
        let mut seed = [0; 32];
        hex::decode_to_slice(&order.seed, &mut seed).map_err(|_| damaged)?;
        let plan = Plan {
            ranges: order.ranges,
            hosts: Vec::new(),
            services: order.services.split(',').map(str::to_owned).collect(),
            names: order.names,
            depth: order.depth,
            rate: order.limits.rate.unwrap_or_default(),
            seed,
        };
        let targets = plan.targets();
        let targets = targets.map_err(|_| FleetError::Damaged("agent_orders.body"))?;
        let (state, note) = match self.state.as_str() {
            "open" => (ScanState::Queued, "waits for the agent".to_owned()),
            "taken" => (ScanState::Running, String::new()),
            "done" => (ScanState::Done, String::new()),
            other => (ScanState::Stopped, format!("{other} {}", self.note)),
        };
        Ok(Scan {
            id: self.id.clone(),
            segment: self.segment.clone(),
            state,
            done: self.done,
            total: self.total,
            probed: self.done.saturating_sub(self.excluded + self.stopped),
            excluded: self.excluded,
            stopped: self.stopped,
            started_by: self.ordered_by.clone(),
            scanner: format!("agent {}", self.agent),
            started_at: self.created,
            ended_at: self.ended,
            note: note.trim().to_owned(),
            progress: Progress::new(&targets, &plan),
            plan,
        })
    }

    fn as_signed(&self) -> Result<Signed> {
        serde_json::from_str(&self.signed).map_err(|_| FleetError::Damaged("agent_orders.body"))
    }
}

impl Fleet {
    /// Orders an agent to scan its segment, or a part of it: within the limits that are signed, and in their hours.
    pub async fn order_agent(
        &self,
        permit: Permit,
        name: &str,
        wanted: NewOrder,
        now: Timestamp,
    ) -> Result<AgentOrder> {
        let action = "agent.order";
        let object = Object::new("agent", name.chars().take(63).collect::<String>());
        let may = permit.require(Action::RunDiscovery);
        self.checked(&permit, action, &object, may, now).await?;
        let agent = self.agent(name).await?.agent;
        let made = match is_active(&agent) {
            Ok(()) => self.order_within_limits(&agent, wanted, now).await,
            Err(refusal) => Err(refusal.into()),
        };
        let (order, total, version) = match made {
            Err(error) if error.refusal().is_some() => {
                let refusal = error.refusal().cloned().ok_or(error)?;
                return Err(self
                    .agent_refused(&permit, action, name, refusal, now)
                    .await);
            }
            other => other?,
        };
        let text = serde_json::to_string(&order).map_err(unwritable)?;
        let signed = Signed {
            signature: self.signature(&text).await?,
            order: text,
        };
        let body = serde_json::to_string(&signed).map_err(unwritable)?;
        let event = Event::new(now, permit.actor().clone(), action, object)
            .digest(audit::merkle::sha256(signed.order.as_bytes()))
            .after(json!({
                "order": order.id, "segment": order.segment, "version": version, "ranges": order.ranges,
                "services": order.services, "expires": order.expires, "targets": total,
            }));
        let row = params![
            order.id.as_str(),
            name,
            order.segment.as_str(),
            version.cast_signed(),
            body,
            permit.actor().id.as_str(),
            now,
            order.expires,
            total.cast_signed(),
        ];
        let write = Write::new(permit.joined(event))?.run(ADD, row);
        self.store().commit(write).await?;
        self.agent_order(&order.id).await
    }

    async fn order_within_limits(
        &self,
        agent: &super::Agent,
        wanted: NewOrder,
        now: Timestamp,
    ) -> Result<(Order, u64, u64)> {
        let open = self.agent_orders(&agent.name).await?;
        if open.iter().filter(|order| order.is_open()).count() >= OPEN_ORDERS {
            let message = format!(
                "agent {} has {OPEN_ORDERS} orders that are not over",
                agent.name
            );
            return Err(Refusal::new("agent.orders", SOURCE, message)
                .accepted("one order after the other")
                .into());
        }
        let in_force = self.limits_now(&agent.segment).await?;
        let stored = &in_force.stored;
        let expires = stored.open_until(now)?.0 - GUARD;
        let segment = &stored.segment;
        // Two who scan one segment would send twice what its limits allow.
        if segment.relay.as_ref() != Some(&agent.name) {
            let who = segment.relay.as_deref().unwrap_or("this Ward itself");
            let message = format!("segment {} is looked at by {who}", segment.name);
            return Err(Refusal::new("segment.relay", stored.source(), message)
                .accepted("the agent that the segment names: `ward segment set --relay`")
                .into());
        }
        let services = match wanted.ports.is_empty() {
            true => segment.ports.join(","),
            false => wanted.ports.join(","),
        };
        let ranges = match wanted.ranges.is_empty() {
            true => segment.ranges.clone(),
            false => wanted.ranges,
        };
        for range in &ranges {
            stored.holds(range)?;
        }
        let depth = wanted.depth.unwrap_or(segment.depth);
        may_ask(stored, &services, depth)?;
        if expires <= now.0 {
            let message = format!("the hours of segment {} end within a minute", segment.name);
            return Err(Refusal::new("segment.hours", stored.source(), message)
                .accepted("an order in their middle")
                .into());
        }
        let order = Order {
            v: Form,
            // Numbers sort by the time at which they were made.
            id: format!("o{:012x}-{}", now.0, hex::encode(random::<6>()?)),
            agent: agent.name.clone(),
            segment: segment.name.clone(),
            issued: now.0,
            expires,
            ranges,
            services,
            names: wanted.names,
            depth,
            concurrency: CONCURRENCY,
            pause_ms: segment.pause_ms,
            limits: in_force.limits.clone(),
            seed: hex::encode(random::<32>()?),
            cursor: None,
        };
        let targets = order.check(&agent.name, &agent.ceiling, now.0);
        let targets: Targets = targets.map_err(|error| {
            Refusal::new("agent.ceiling", SOURCE, error.to_string())
                .accepted("an order within what the agent was told when it enrolled; a new ticket tells it the limits of now")
        })?;
        Ok((order, targets.len(), stored.version))
    }

    /// One order.
    pub async fn agent_order(&self, id: &str) -> Result<AgentOrder> {
        const ONE: &str = "SELECT id, agent, segment, version, body, state, ordered_by, created, expires, taken, ended, done, total, \
            excluded, stopped, note FROM agent_orders WHERE id = $1";
        let rows = self.store().look_up(ONE, params![id]).await?;
        match rows.first() {
            Some(row) => read(row),
            None => Err(FleetError::not_found("order", id)),
        }
    }

    /// Orders of an agent, the newest first; the last hundred.
    pub async fn agent_orders(&self, agent: &str) -> Result<Vec<AgentOrder>> {
        const ALL: &str = "SELECT id, agent, segment, version, body, state, ordered_by, created, expires, taken, ended, done, total, \
            excluded, stopped, note FROM agent_orders WHERE agent = $1 ORDER BY created DESC, id DESC LIMIT 100";
        let rows = self.store().query(ALL, params![agent]).await?;
        rows.iter().map(read).collect()
    }

    /// Orders before another in the list, the newest first; of one segment, or of all.
    pub(crate) async fn orders_before(
        &self,
        segment: &str,
        (at, id): (i64, &str),
        limit: i64,
    ) -> Result<Vec<AgentOrder>> {
        const PAGE: &str = "SELECT id, agent, segment, version, body, state, ordered_by, created, expires, taken, ended, done, total, \
            excluded, stopped, note FROM agent_orders WHERE ($1 = '' OR segment = $1) \
            AND (created < $2 OR (created = $2 AND id < $3)) ORDER BY created DESC, id DESC LIMIT $4";
        let rows = self
            .store()
            .query(PAGE, params![segment, at, id, limit])
            .await?;
        rows.iter().map(read).collect()
    }

    /// When an agent was last ordered to look at a segment, and whether that is not over. An order whose time was over before the
    /// agent fetched it began nothing; one that it fetched and is not heard of is over with its time.
    pub(crate) async fn last_order(
        &self,
        agent: &str,
        segment: &str,
        now: Timestamp,
    ) -> Result<Option<(i64, bool)>> {
        let orders = self.agent_orders(agent).await?;
        let over = |order: &AgentOrder| now.0 >= order.expires;
        let begun = |order: &&AgentOrder| {
            let fetched = order.state != "expired" && !(order.state == "open" && over(order));
            order.segment == segment && fetched
        };
        let last = orders.iter().find(begun);
        Ok(last.map(|order| (order.created, order.is_open() && !over(order))))
    }

    /// Whether an order could be given now; it is not, and nobody is refused.
    pub(crate) async fn could_order(
        &self,
        name: &str,
        wanted: NewOrder,
        now: Timestamp,
    ) -> Result<()> {
        let agent = self.agent(name).await?.agent;
        is_active(&agent)?;
        self.order_within_limits(&agent, wanted, now)
            .await
            .map(drop)
    }

    /// Ends an order: the agent hears of it within seconds, or when it is back.
    pub async fn stop_order(
        &self,
        permit: Permit,
        id: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<AgentOrder> {
        let action = "agent.order-stop";
        let order = self.agent_order(id).await?;
        let object = Object::new("agent", order.agent.as_str());
        let checked = permit
            .require(Action::RunDiscovery)
            .and_then(|()| super::note_fits(why))
            .and_then(|()| match order.is_open() {
                true => Ok(()),
                false => Err(Refusal::new(
                    "agent.order-over",
                    SOURCE,
                    format!("order {id} is {}", order.state),
                )
                .accepted("an order that is not over")),
            });
        self.checked(&permit, action, &object, checked, now).await?;
        let event = Event::new(now, permit.actor().clone(), action, object)
            .after(json!({ "order": id }))
            .why(why);
        let write = end(Write::new(permit.joined(event))?, id, "stopped", why, now);
        self.store().commit(write).await?;
        self.agent_order(id).await
    }

    /// What there is for an agent: orders that it has not, and those that it has and that are over.
    pub async fn poll_agent(
        &self,
        known: &KnownAgent,
        poll: &Poll,
        now: Timestamp,
    ) -> Result<Polled> {
        let mut orders = Vec::new();
        let mut stop = Vec::new();
        for order in self.agent_orders(&known.stored.agent.name).await? {
            let is_held = poll.holds.contains(&order.id);
            // Most orders of most agents are over: an agent that waits is asked about every second.
            let over = match order.is_open() {
                true => self.still_good(&order, now).await?,
                false => None,
            };
            if let Some(over) = over {
                self.end_by_itself(known, &order, over, now).await?;
            }
            match (order.is_open() && over.is_none(), is_held) {
                (true, true) if order.state == "open" => {
                    self.note_taken(known, &order, now).await?;
                }
                (true, false) => orders.push(order.as_signed()?),
                (false, true) => stop.push(order.id),
                _ => {}
            }
        }
        orders.truncate(OPEN_ORDERS);
        Ok(Polled {
            now: now.0,
            orders,
            stop,
        })
    }

    /// Why an order is over though nobody has ended it.
    async fn still_good(
        &self,
        order: &AgentOrder,
        now: Timestamp,
    ) -> Result<Option<(&'static str, &'static str)>> {
        if now.0 >= order.expires && order.state == "open" {
            return Ok(Some((
                "expired",
                "its time was over before the agent asked for it",
            )));
        }
        match self.segment(&order.segment).await {
            Ok(stored) if stored.version == order.version => Ok(None),
            Ok(_) => Ok(Some(("stopped", "the limits of the segment have changed"))),
            Err(FleetError::NotFound { .. }) => Ok(Some(("stopped", "the segment is gone"))),
            Err(error) => Err(error),
        }
    }

    async fn end_by_itself(
        &self,
        known: &KnownAgent,
        order: &AgentOrder,
        over: (&str, &str),
        now: Timestamp,
    ) -> Result<()> {
        let permit = known.permit(self, Action::RunDiscovery)?;
        let object = Object::new("agent", order.agent.as_str());
        let event = Event::new(now, permit.actor().clone(), "agent.order-stop", object)
            .after(json!({ "order": order.id, "state": over.0 }))
            .why(over.1);
        let write = end(
            Write::new(permit.joined(event))?,
            &order.id,
            over.0,
            over.1,
            now,
        );
        self.unless_overtaken(write).await
    }

    async fn note_taken(
        &self,
        known: &KnownAgent,
        order: &AgentOrder,
        now: Timestamp,
    ) -> Result<()> {
        let permit = known.permit(self, Action::RunDiscovery)?;
        let object = Object::new("agent", order.agent.as_str());
        let event = Event::new(now, permit.actor().clone(), "agent.order-taken", object)
            .after(json!({ "order": order.id }));
        let write = Write::new(permit.joined(event))?;
        let write = write.run_expecting(
            1,
            TAKE,
            params![order.id.as_str(), now],
            "the order is in another state by now",
        );
        self.unless_overtaken(write).await
    }

    /// Another request of the same agent, or a person, was faster: what they did stands.
    async fn unless_overtaken(&self, write: Write) -> Result<()> {
        match self.store().commit(write).await {
            Ok(_) | Err(StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Ed25519 over the order's text, in base64: what stands in a signed note behind the key's name and four octets of its
    /// hash (C2SP signed-note).
    async fn signature(&self, order: &str) -> Result<String> {
        let note = self.ca.notary().await?.sign_note(&signed_text(order))?;
        let last = note.trim_end().rsplit(' ').next().unwrap_or_default();
        let bytes = STANDARD
            .decode(last)
            .map_err(|_| FleetError::Damaged("a signature"))?;
        let signature = bytes.get(4..).ok_or(FleetError::Damaged("a signature"))?;
        Ok(STANDARD.encode(signature))
    }
}

pub(super) fn end(write: Write, id: &str, state: &str, note: &str, now: Timestamp) -> Write {
    let row = params![id, state, now, note];
    write.run_expecting(1, END, row, "the order is over already")
}

pub(super) fn end_all(write: Write, agent: &str, now: Timestamp) -> Write {
    write.run(END_ALL, params![agent, now])
}

/// Ports and depth against the segment's.
fn may_ask(stored: &StoredSegment, services: &str, depth: Depth) -> Result<(), Refusal> {
    let segment = &stored.segment;
    let bad = |error: agent::scan::TargetError| {
        Refusal::new("agent.ports", SOURCE, error.to_string())
            .accepted("ports such as 443 or 2525/smtp")
    };
    let allowed = Service::list(&segment.ports.join(",")).map_err(bad)?;
    let wanted = Service::list(services).map_err(bad)?;
    if let Some(beyond) = wanted.iter().find(|service| !allowed.contains(service)) {
        let message = format!("port {} is none of segment {}'s", beyond.port, segment.name);
        return Err(Refusal::new("segment.ports", stored.source(), message)
            .accepted(segment.ports.join(", ")));
    }
    if depth > segment.depth {
        let message = format!(
            "more is asked of a place than segment {} allows",
            segment.name
        );
        return Err(Refusal::new("segment.depth", stored.source(), message)
            .accepted(format!("{:?}", segment.depth).to_lowercase()));
    }
    Ok(())
}

fn is_active(agent: &super::Agent) -> Result<(), Refusal> {
    match agent.state {
        AgentState::Active => Ok(()),
        other => {
            let message = format!("agent {} is {}", agent.name, other.name());
            Err(Refusal::new("agent.state", SOURCE, message).accepted("an agent that is active"))
        }
    }
}

fn unwritable(error: serde_json::Error) -> FleetError {
    StoreError::Value(format!("an order: {error}")).into()
}

fn read(row: &Row) -> Result<AgentOrder> {
    Ok(AgentOrder {
        id: row.text(0)?.to_owned(),
        agent: row.text(1)?.to_owned(),
        segment: row.text(2)?.to_owned(),
        version: row.int(3)?.unsigned_abs(),
        signed: row.text(4)?.to_owned(),
        state: row.text(5)?.to_owned(),
        ordered_by: row.text(6)?.to_owned(),
        created: row.int(7)?,
        expires: row.int(8)?,
        taken: row.opt_int(9)?,
        ended: row.opt_int(10)?,
        done: row.int(11)?.unsigned_abs(),
        total: row.int(12)?.unsigned_abs(),
        excluded: row.int(13)?.unsigned_abs(),
        stopped: row.int(14)?.unsigned_abs(),
        note: row.text(15)?.to_owned(),
    })
}
