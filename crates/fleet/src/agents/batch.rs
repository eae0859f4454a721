//! What agents hand over. A batch is taken once: its number is written with what it says, and a batch that comes again is
//! answered as it was the first time.

use std::net::IpAddr;

use access::{Action, Permit, Refusal};
use agent::observation::{Observation, Outcome, Place};
use agent::relay::{Batch, Order, Said, Taken};
use audit::{Event, Object, Timestamp};
use serde_json::json;
use store::{StoreError, Write, params};

use super::order::{self, AgentOrder};
use super::{KnownAgent, SOURCE};
use crate::coverage::Covered;
use crate::inventory::Source;
use crate::{Fleet, FleetError, Result, alert};

const NEWEST: &str =
    "SELECT sequence, sha256 FROM agent_batches WHERE agent = $1 ORDER BY sequence DESC LIMIT 1";
const ONE: &str = "SELECT sequence, sha256 FROM agent_batches WHERE agent = $1 AND sequence = $2";
const ADD: &str = "INSERT INTO agent_batches(agent, sequence, sha256, observations, received) VALUES($1, $2, $3, $4, $5)";

/// As of the scans of Ward's own.
const SILENCED: &str = "scan.silenced";

/// A batch that is stored.
struct Known {
    sequence: u64,
    sha256: Vec<u8>,
}

impl Fleet {
    /// Takes a batch in, once.
    pub async fn take_batch(
        &self,
        known: &KnownAgent,
        body: Vec<u8>,
        now: Timestamp,
    ) -> Result<Taken> {
        let permit = known.permit(self, Action::RunDiscovery)?;
        let name = &known.stored.agent.name;
        match self.take(known, &permit, body, now).await {
            Err(FleetError::Refused(refusal)) => Err(self
                .agent_refused(&permit, "agent.batch", name, refusal, now)
                .await),
            // Another request brought the same batch at the same moment: the answer is what stands now.
            Err(FleetError::Store(StoreError::Duplicate(_))) => {
                Err(StoreError::Conflict("this batch is being taken").into())
            }
            other => other,
        }
    }

    async fn take(
        &self,
        known: &KnownAgent,
        permit: &Permit,
        body: Vec<u8>,
        now: Timestamp,
    ) -> Result<Taken> {
        let batch = Batch::read(body).map_err(unreadable)?;
        let agent = &known.stored.agent;
        if batch.head.agent != agent.name {
            return Err(batch_refusal(
                "agent.batch-agent",
                "the batch is another agent's",
                "its own",
            )
            .into());
        }
        let series = agent.series();
        let newest = self.batch(NEWEST, params![series.as_str()]).await?;
        let sequence = batch.head.sequence;
        if newest
            .as_ref()
            .is_some_and(|newest| sequence <= newest.sequence)
        {
            return self.taken_already(&series, &batch).await;
        }
        follows(&batch, newest.as_ref())?;
        let ordered = match self.agent_order(&batch.head.order).await {
            Ok(order) if order.agent == agent.name => order,
            Ok(_) | Err(FleetError::NotFound { .. }) => {
                return Err(batch_refusal(
                    "agent.batch-order",
                    "the batch belongs to no order of this agent's",
                    "an order that it was given",
                )
                .into());
            }
            Err(error) => return Err(error),
        };
        let observations = batch.observations().map_err(unreadable)?;
        let order = ordered.order()?;
        within(&order, &observations)?;
        let source = Source {
            name: format!("agent {}", agent.name),
            scan: Some(ordered.id.clone()),
        };
        let missed = Missed::of(&observations);
        let beside = |write: Write| {
            let write = beside(write, permit, &series, &batch, (&ordered, &missed), now)?;
            Ok(covered(write, &batch, (&ordered, &order, &missed), now))
        };
        self.ingest_with(permit, &source, &observations, &beside, now)
            .await?;
        Ok(Taken {
            sequence,
            repeated: false,
        })
    }

    /// A number that is taken: by this batch, or by another.
    async fn taken_already(&self, series: &str, batch: &Batch) -> Result<Taken> {
        let sequence = batch.head.sequence;
        let known = self
            .batch(ONE, params![series, sequence.cast_signed()])
            .await?;
        match known.is_some_and(|known| known.sha256 == batch.sha256()) {
            true => Ok(Taken {
                sequence,
                repeated: true,
            }),
            false => {
                let message = format!("batch {sequence} is stored already, and was another one");
                Err(batch_refusal(
                    "agent.batch-changed",
                    &message,
                    "the batch as it was; or a new enrolment, if the agent's folder is a copy",
                )
                .into())
            }
        }
    }

    async fn batch(&self, sql: &'static str, key: Vec<store::Value>) -> Result<Option<Known>> {
        let rows = self.store().look_up(sql, key).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        Ok(Some(Known {
            sequence: row.int(0)?.unsigned_abs(),
            sha256: row.blob(1)?.to_vec(),
        }))
    }
}

/// The batch after the newest one, and naming it.
fn follows(batch: &Batch, newest: Option<&Known>) -> Result<(), Refusal> {
    let (next, previous) = match newest {
        None => (1, String::new()),
        Some(newest) => (newest.sequence + 1, hex::encode(&newest.sha256)),
    };
    let sequence = batch.head.sequence;
    if sequence != next {
        let message = format!("batch {sequence} comes before batch {next} did");
        return Err(batch_refusal(
            "agent.batch-missing",
            &message,
            &format!("batch {next}"),
        ));
    }
    match batch.head.previous == previous {
        true => Ok(()),
        false => Err(batch_refusal(
            "agent.batch-chain",
            &format!("batch {sequence} names another batch before it than the one that is stored"),
            "the queue as the agent wrote it",
        )),
    }
}

/// An agent that was taken over says nothing about the rest of the house: only what its order let it look at.
fn within(order: &Order, observations: &[Observation]) -> Result<(), Refusal> {
    let holds = |address: IpAddr| order.ranges.iter().any(|range| range.contains(address));
    let outside = observations.iter().find(|seen| {
        let inside = matches!(seen.place, Place::Network { address, .. } if holds(address));
        !inside
    });
    match outside {
        None => Ok(()),
        Some(_) => Err(batch_refusal(
            "agent.batch-place",
            &format!(
                "an observation of a place that order {} does not name",
                order.id
            ),
            "observations of the places that were ordered",
        )),
    }
}

/// Places of a batch that were not looked at.
struct Missed {
    /// A standing rule keeps them out.
    excluded: i64,
    /// They should have been.
    stopped: i64,
}

impl Missed {
    fn of(observations: &[Observation]) -> Self {
        let (mut excluded, mut stopped) = (0, 0);
        for seen in observations {
            match seen.outcome {
                Outcome::Excluded { .. } => excluded += 1,
                _ if !seen.outcome.looked() => stopped += 1,
                _ => {}
            }
        }
        Self { excluded, stopped }
    }
}

/// What an order looked at is coverage of its segment, also if it ended before its end. One of which any place was left out for
/// another reason than a standing rule is none: which it was is not kept.
fn covered(
    write: Write,
    batch: &Batch,
    (ordered, order, missed): (&AgentOrder, &Order, &Missed),
    now: Timestamp,
) -> Write {
    let end = batch.head.said.iter().find_map(|said| match said {
        Said::Ended { how, .. } => Some(how.as_str()),
        _ => None,
    });
    let whole = ordered.stopped == 0 && missed.stopped == 0;
    let Some(end) = end.filter(|_| whole) else {
        return write;
    };
    let never = order
        .limits
        .models
        .iter()
        .filter(|at| order.limits.never.contains(&at.model));
    let out = order.limits.exclude.iter().map(|out| out.range);
    let covered = Covered {
        segment: &ordered.segment,
        scan: &ordered.id,
        ports: order.services.clone(),
        asked: order.ranges.clone(),
        out: out.chain(never.map(|at| at.range)).collect(),
    };
    if end == "done" {
        return covered.write(write, now);
    }
    let seen = ordered.as_scan().ok().zip(batch.head.cursor.as_ref());
    let targets = seen.and_then(|(scan, cursor)| Some((scan.plan.targets().ok()?, scan, cursor)));
    match targets {
        Some((targets, scan, cursor)) => {
            let done = cursor.targets(&targets, &scan.plan.seed);
            covered.write_so_far(write, done, now)
        }
        None => write,
    }
}

/// What stands with the observations: the batch's number, how far the order is, what the agent said beside.
fn beside(
    write: Write,
    permit: &Permit,
    series: &str,
    batch: &Batch,
    (ordered, missed): (&AgentOrder, &Missed),
    now: Timestamp,
) -> store::Result<Write> {
    let head = &batch.head;
    let row = params![
        series,
        head.sequence.cast_signed(),
        batch.sha256(),
        i64::try_from(head.observations).unwrap_or(i64::MAX),
        now,
    ];
    let mut write = write.run(ADD, row);
    let done = head
        .cursor
        .as_ref()
        .map_or(ordered.done, |cursor| cursor.progress().0);
    let mut end = None;
    for said in &head.said {
        let (action, after) = match said {
            Said::Silent {
                model,
                address,
                port,
            } => (
                SILENCED,
                json!({
                    "segment": ordered.segment, "order": ordered.id, "model": model, "address": address, "port": port,
                }),
            ),
            Said::Ended {
                how,
                excluded: out,
                stopped: left,
                probed,
            } => {
                end = Some((known_end(how), String::new()));
                (
                    "agent.order-ended",
                    json!({ "order": ordered.id, "how": known_end(how), "probed": probed, "excluded": out, "stopped": left }),
                )
            }
            Said::Refused { why } => {
                let why: String = why.chars().filter(|c| !c.is_control()).take(500).collect();
                end = Some(("refused", why.clone()));
                (
                    "agent.order-refused",
                    json!({ "order": ordered.id, "why": why }),
                )
            }
        };
        if action == SILENCED {
            let what = format!(
                "a device of segment {} no longer answers since agent {} asked it",
                ordered.segment, ordered.agent
            );
            write = alert::along(write, action, &what, &after, now).map_err(unwritten)?;
        }
        let object = Object::new("agent", ordered.agent.as_str());
        let event = Event::new(now, permit.actor().clone(), action, object).after(after);
        write = write.event(permit.joined(event))?;
    }
    write = write.run(
        order::ADVANCE,
        params![
            ordered.id.as_str(),
            done.cast_signed(),
            missed.excluded,
            missed.stopped
        ],
    );
    // One that a person has ended stays ended as they did.
    Ok(match end.filter(|_| ordered.is_open()) {
        Some((state, note)) => order::end(write, &ordered.id, state, &note, now),
        None => write,
    })
}

fn unwritten(error: FleetError) -> StoreError {
    match error {
        FleetError::Store(error) => error,
        other => StoreError::Value(other.to_string()),
    }
}

fn known_end(how: &str) -> &'static str {
    match how {
        "done" => "done",
        "window" => "window",
        "expired" => "expired",
        _ => "stopped",
    }
}

fn unreadable(error: agent::relay::BadBatch) -> FleetError {
    batch_refusal(
        "agent.batch",
        &error.to_string(),
        "a batch as the agent's queue has it",
    )
    .into()
}

fn batch_refusal(rule: &'static str, message: &str, accepted: &str) -> Refusal {
    Refusal::new(rule, SOURCE, message).accepted(accepted)
}
