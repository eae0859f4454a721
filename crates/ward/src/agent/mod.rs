//! `ward agent`: on the core, agents are invited, ordered and revoked; in a segment, one is enrolled and runs. The one half
//! works on the database, the other on the agent's own folder and knows no Ward but over the network.

mod remote;

use std::path::PathBuf;

use access::Action;
use agent::scan::{Depth, Range};
use clap::{Args, Subcommand, ValueEnum};
use fleet::Fleet;
use fleet::agents::{AgentOrder, Invitation, NewOrder, StoredAgent};
use serde_json::{Value, json};

use crate::args::Place;
use crate::clock;
use crate::confirm::confirm;
use crate::context::Context;
use crate::output::{Done, Report, SecretFile, add, failed, table};

pub(crate) use remote::Remote;

const MILLIS_PER_HOUR: i64 = 3_600_000;

#[derive(Subcommand)]
pub(crate) enum Agent {
    #[command(flatten)]
    Remote(Remote),
    /// On the core: make a ticket with which an agent enrols, once.
    #[command(
        after_help = "The ticket names the core, its roots, the key that orders are signed with, and the most that the agent may ever do. It is a secret until it is spent.\n\nExample:\n  ward agent invite icu-1 --segment icu --core https://ward.mercy.example:8443 --out icu-1.ticket"
    )]
    Invite(Invite),
    /// On the core: list agents.
    #[command(after_help = "Example:\n  ward agent list --json")]
    List,
    /// On the core: show an agent and its orders.
    #[command(after_help = "Example:\n  ward agent show icu-1")]
    Show { name: String },
    /// On the core: end an agent at once; its certificates are revoked.
    #[command(after_help = "Example:\n  ward agent revoke icu-1 --why 'the machine was stolen'")]
    Revoke {
        name: String,
        /// Goes into the log.
        #[arg(long)]
        why: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// On the core: order an agent to scan its segment, or a part of it, within the limits that are signed.
    #[command(
        after_help = "Example:\n  ward agent order icu-1\n  ward agent order icu-1 --range 10.30.4.0/24 --ports 443,2575"
    )]
    Order(Order),
    /// On the core: end an order; the agent hears of it when it next asks.
    #[command(
        after_help = "Example:\n  ward agent stop o0190f1c2a300-5be1c0d2a4f6 --why 'a device was seen to restart'"
    )]
    Stop {
        /// The order.
        id: String,
        /// Goes into the log.
        #[arg(long, default_value = "")]
        why: String,
    },
}

#[derive(Args)]
pub(crate) struct Invite {
    /// 1 to 63 lower-case letters, digits and hyphens.
    name: String,
    /// The segment that it stands in; its limits are the most that the agent may ever be ordered.
    #[arg(long)]
    segment: String,
    /// Where the agent reaches this Ward: https:// with host and port; from ward.toml when absent.
    #[arg(long, value_name = "URL")]
    core: Option<String>,
    /// How long the ticket is good.
    #[arg(long, default_value_t = 72)]
    hours: u16,
    /// How long the agent's certificates live; it renews them itself after two thirds.
    #[arg(long, default_value = "30d")]
    lifetime: String,
    #[arg(long, default_value = "")]
    note: String,
    /// Put the ticket into this new file, 0600.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Args)]
pub(crate) struct Order {
    /// The agent.
    name: String,
    /// Only these addresses of its segment; several may be given.
    #[arg(long = "range", value_name = "RANGE")]
    ranges: Vec<Range>,
    /// Only these ports of its segment.
    #[arg(long, value_name = "PORTS", value_delimiter = ',')]
    ports: Vec<String>,
    /// Ask every address for this server name too; several may be given.
    #[arg(long = "sni", value_name = "NAME")]
    names: Vec<String>,
    /// How much is asked of a place; the segment's when absent.
    #[arg(long)]
    depth: Option<HowDeep>,
}

#[derive(Clone, Copy, ValueEnum)]
enum HowDeep {
    Certificate,
    Versions,
    Suites,
}

pub(crate) async fn run(place: &Place, command: Agent) -> Done {
    let command = match command {
        Agent::Remote(command) => return remote::run(command).await,
        command => command,
    };
    let context = Context::open(place).await?;
    let fleet = Fleet::open(context.ca.clone())?;
    match command {
        Agent::Remote(_) | Agent::List => list(&context, &fleet).await,
        Agent::Invite(wanted) => invite(&context, &fleet, wanted).await,
        Agent::Show { name } => show(&context, &fleet, &name).await,
        Agent::Revoke { name, why, yes } => {
            fleet.agent(&name).await?;
            confirm(
                yes,
                &format!("End agent {name}: what waits in its queue is not taken any more."),
            )?;
            let permit = context.permit(Action::RunDiscovery).await?;
            let stored = fleet
                .revoke_agent(permit, &name, &why, clock::now())
                .await?;
            Ok(Report::new(
                shown(stored),
                format!("agent {name} is revoked"),
            ))
        }
        Agent::Order(wanted) => order(&context, &fleet, wanted).await,
        Agent::Stop { id, why } => {
            let permit = context.permit(Action::RunDiscovery).await?;
            let order = fleet.stop_order(permit, &id, &why, clock::now()).await?;
            Ok(Report::new(json!(order), format!("order {id} is over")))
        }
    }
}

async fn invite(context: &Context, fleet: &Fleet, wanted: Invite) -> Done {
    let file = SecretFile::create(&wanted.out)?;
    let now = clock::now();
    let new = Invitation {
        name: wanted.name,
        segment: wanted.segment,
        note: wanted.note,
        expires: now.0 + i64::from(wanted.hours) * MILLIS_PER_HOUR,
        lifetime: Some(wanted.lifetime),
        core: wanted.core.unwrap_or_else(|| context.url()),
    };
    let permit = context.permit(Action::RunDiscovery).await?;
    let (stored, ticket) = fleet.invite_agent(permit, new, now).await?;
    let text = zeroize::Zeroizing::new(serde_json::to_vec_pretty(&ticket).map_err(failed)?);
    file.fill(&text)?;
    let out = wanted.out.display().to_string();
    let said = format!(
        "agent {} of segment {} may enrol at {} until {}, once\nThe ticket is in {out}: carry it there, and run\n  ward agent enrol --ticket {out}",
        ticket.agent,
        ticket.segment,
        ticket.core,
        clock::millis(
            stored
                .agent
                .ticket
                .as_ref()
                .map_or(now.0, |ticket| ticket.expires)
        ),
    );
    let mut json = shown(stored);
    add(&mut json, "file", json!(out));
    Ok(Report::new(json, said))
}

async fn list(context: &Context, fleet: &Fleet) -> Done {
    context.permit(Action::ReadInventory).await?;
    let mut rows = Vec::new();
    let mut all = Vec::new();
    for stored in fleet.agents().await? {
        let handed = fleet.handed_over(&stored.agent).await?;
        rows.push(vec![
            stored.agent.name.clone(),
            stored.agent.segment.clone(),
            stored.agent.state.name().to_owned(),
            handed.observations.to_string(),
            handed.received.map(clock::millis).unwrap_or_default(),
        ]);
        let mut json = shown(stored);
        add(&mut json, "handed_over", json!(handed));
        all.push(json);
    }
    let text = match rows.is_empty() {
        true => "no agents: make a ticket with `ward agent invite`".to_owned(),
        false => table(
            &["agent", "segment", "state", "observations", "last results"],
            &rows,
        ),
    };
    Ok(Report::new(Value::Array(all), text))
}

async fn show(context: &Context, fleet: &Fleet, name: &str) -> Done {
    context.permit(Action::ReadInventory).await?;
    let stored = fleet.agent(name).await?;
    let handed = fleet.handed_over(&stored.agent).await?;
    let orders = fleet.agent_orders(name).await?;
    let agent = &stored.agent;
    let mut text = format!(
        "agent {name}, segment {}: {}\n  handed over  {} observations in {} batches{}",
        agent.segment,
        agent.state.name(),
        handed.observations,
        handed.batches,
        handed
            .received
            .map(|at| format!(", the last at {}", clock::millis(at)))
            .unwrap_or_default(),
    );
    if !orders.is_empty() {
        let rows: Vec<_> = orders.iter().map(row).collect();
        text.push_str("\n\n");
        text.push_str(&table(
            &["order", "state", "targets", "done", "ordered by", "until"],
            &rows,
        ));
    }
    let mut json = shown(stored);
    add(&mut json, "handed_over", json!(handed));
    add(&mut json, "orders", json!(orders));
    Ok(Report::new(json, text))
}

async fn order(context: &Context, fleet: &Fleet, wanted: Order) -> Done {
    let new = NewOrder {
        ranges: wanted.ranges,
        ports: wanted.ports,
        names: wanted.names,
        depth: wanted.depth.map(|depth| match depth {
            HowDeep::Certificate => Depth::Certificate,
            HowDeep::Versions => Depth::Versions,
            HowDeep::Suites => Depth::Suites,
        }),
    };
    let permit = context.permit(Action::RunDiscovery).await?;
    let order = fleet
        .order_agent(permit, &wanted.name, new, clock::now())
        .await?;
    let text = format!(
        "order {} for agent {}: {} targets, until {}",
        order.id,
        order.agent,
        order.total,
        clock::millis(order.expires)
    );
    Ok(Report::new(json!(order), text))
}

fn row(order: &AgentOrder) -> Vec<String> {
    let state = match order.note.is_empty() {
        true => order.state.clone(),
        false => format!("{} ({})", order.state, order.note),
    };
    vec![
        order.id.clone(),
        state,
        order.total.to_string(),
        order.done.to_string(),
        order.ordered_by.clone(),
        clock::millis(order.expires),
    ]
}

fn shown(stored: StoredAgent) -> Value {
    json!({
        "version": stored.version,
        "since": stored.since,
        "agent": stored.agent.without_hash(),
    })
}
