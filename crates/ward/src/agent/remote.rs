//! The agent's own side: enrol, run, say how it stands.

use std::path::PathBuf;
use std::sync::Arc;

use agent::relay::{Ceiling, Client, CoreError, Home, Relay, RelayError, Status, Ticket, enrol};
use agent::scan::{Range, Service};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::clock;
use crate::output::{Done, Failure, Report, failed, read};
use crate::serve;

/// Where packages keep it.
const HOME: &str = "/var/lib/ward-agent";
/// Largest queue, in MiB. A segment of 65,536 addresses with certificates everywhere is some 200 MiB.
const QUEUE: u64 = 1024;

#[derive(Subcommand)]
pub(crate) enum Remote {
    /// In a segment: become the agent that a ticket was made for. The key is made here and never leaves.
    #[command(
        after_help = "What is narrowed here holds whatever the core orders later.\n\nExample:\n  ward agent enrol --ticket icu-1.ticket --home /var/lib/ward-agent --only 10.30.4.0/24 --max-rate 5"
    )]
    Enrol(Enrol),
    /// In a segment: take orders, scan, hand over, until a signal.
    #[command(after_help = "Example:\n  ward agent run --home /var/lib/ward-agent")]
    Run(Run),
    /// In a segment: what the agent's folder says of it.
    #[command(after_help = "Example:\n  ward agent status --home /var/lib/ward-agent --json")]
    Status(At),
}

#[derive(Args)]
pub(crate) struct At {
    /// The agent's folder.
    #[arg(long, value_name = "FOLDER", default_value = HOME)]
    home: PathBuf,
}

#[derive(Args)]
pub(crate) struct Enrol {
    #[command(flatten)]
    at: At,
    /// The file that `ward agent invite` wrote.
    #[arg(long, value_name = "FILE")]
    ticket: PathBuf,
    /// Never look beyond these addresses; several may be given.
    #[arg(long, value_name = "RANGE")]
    only: Vec<Range>,
    /// Never connect to other ports than these.
    #[arg(long, value_name = "PORTS")]
    only_ports: Option<String>,
    /// Never connect more often than this, a second.
    #[arg(long, value_name = "NUMBER")]
    max_rate: Option<f64>,
}

#[derive(Args)]
pub(crate) struct Run {
    #[command(flatten)]
    at: At,
    /// Largest queue on disk, in MiB. When it is full, scans wait; nothing is dropped.
    #[arg(long, value_name = "MIB", default_value_t = QUEUE)]
    queue: u64,
}

pub(crate) async fn run(command: Remote) -> Done {
    match command {
        Remote::Enrol(wanted) => enrolled(wanted).await,
        Remote::Run(wanted) => work(wanted).await,
        Remote::Status(At { home }) => status(&Home::new(&home)),
    }
}

async fn enrolled(wanted: Enrol) -> Done {
    let text = zeroize::Zeroizing::new(read(&wanted.ticket)?);
    let ticket: Ticket = serde_json::from_slice(&text).map_err(|error| {
        Failure::Failed(format!("{}: no ticket: {error}", wanted.ticket.display()))
    })?;
    let ceiling = narrowed(&wanted, &ticket.ceiling)?;
    let home = Home::new(&wanted.at.home);
    let identity = enrol(&home, &ticket, Some(ceiling)).await.map_err(no)?;
    let certificate = identity.certificate().map_err(failed)?;
    let until = clock::seconds(certificate.not_after().0);
    Ok(Report::new(
        json!({
            "agent": identity.agent, "segment": identity.segment, "core": identity.core, "ceiling": identity.ceiling,
            "not_after": until,
        }),
        format!(
            "agent {} of segment {} is enrolled at {}; its certificate is valid until {until} and renews itself\nThe ticket is spent. Start the agent with\n  ward agent run --home {}",
            identity.agent,
            identity.segment,
            identity.core,
            wanted.at.home.display()
        ),
    ))
}

/// The ticket's ceiling, less what was narrowed here.
fn narrowed(wanted: &Enrol, ticket: &Ceiling) -> Result<Ceiling, Failure> {
    let mut ceiling = ticket.clone();
    if !wanted.only.is_empty() {
        ceiling.ranges.clone_from(&wanted.only);
    }
    if let Some(ports) = &wanted.only_ports {
        let services = Service::list(ports).map_err(|error| Failure::Usage(error.to_string()))?;
        ceiling.ports = services.iter().map(|it| (it.port, it.port)).collect();
    }
    if let Some(rate) = wanted.max_rate {
        if !rate.is_finite() || rate <= 0.0 {
            return Err(Failure::Usage("--max-rate is more than nothing".to_owned()));
        }
        ceiling.rate = Some(ticket.rate.map_or(rate, |most| most.min(rate)));
    }
    Ok(ceiling)
}

async fn work(wanted: Run) -> Done {
    let home = Home::new(&wanted.at.home);
    let core = Client::new(home.clone()).map_err(no)?;
    let status = Status::of(&home).map_err(failed)?;
    // Lines of the journal: what a supervisor keeps.
    let tell = Arc::new(|line: &str| eprintln!("ward agent: {line}"));
    let clock = Arc::new(|| clock::now().0);
    let limit = wanted.queue.saturating_mul(1 << 20);
    let relay = Relay::open(home, limit, clock, tell).map_err(failed)?;
    eprintln!(
        "ward agent: {} of segment {} asks {}; {} batches wait",
        status.agent, status.segment, status.core, status.batches
    );
    let stop = serve::stop_signal()?;
    let ended: Result<(), RelayError> = tokio::select! {
        ended = relay.run(&core, &()) => ended,
        () = stop => Ok(()),
    };
    ended.map_err(failed)?;
    Ok(Report::new(Value::Null, ""))
}

fn status(home: &Home) -> Done {
    let status = Status::of(home).map_err(failed)?;
    let text = format!(
        "agent {} of segment {}, core {}: {}\n  certificate  until {}\n  orders       {}\n  queue        {} batches, {} bytes wait for the core\n  clock        {} ms behind the core's",
        status.agent,
        status.segment,
        status.core,
        if status.running {
            "running"
        } else {
            "not running"
        },
        clock::seconds(status.not_after),
        match status.orders.is_empty() {
            true => "none".to_owned(),
            false => status.orders.join(", "),
        },
        status.batches,
        status.bytes,
        status.clock,
    );
    Ok(Report::new(json!(status), text))
}

fn no(error: CoreError) -> Failure {
    Failure::Failed(error.to_string())
}
