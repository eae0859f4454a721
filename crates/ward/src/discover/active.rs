//! `ward discover scan` and what becomes of scans: within the limits that are signed off for a segment, or not at all (R17).

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use access::Action;
use agent::observation::Observation;
use agent::scan::{Planned, Range};
use clap::Args;
use fleet::scan::{NewScan, Running, Scan, ScanFilter, ScanState};

use fleet::{Fleet, FleetError, Nameless};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use x509::describe::escape;

use super::found::{Found, place};
use super::passive::own_name;
use crate::args::Place;
use crate::clock;
use crate::context::Context;
use crate::output::{Done, Report, failed, table};
use crate::progress::Progress;
use crate::segment::DepthArg;

/// Targets that a dry run shows; `--out` keeps them all.
const SHOWN: usize = 1000;
/// Devices at no known address that a dry run names.
const SHOWN_ASTRAY: usize = 20;
/// How long a scanner that was killed holds its segment, and a moment.
const FORGOTTEN: Duration = Duration::from_secs(20);

#[derive(Args)]
pub(crate) struct ScanArgs {
    /// The segment whose limits hold.
    segment: String,
    /// Only these addresses of it; several may be given.
    #[arg(long = "range", value_name = "RANGE")]
    ranges: Vec<Range>,
    /// Only these hosts in it, asked for by their name; several may be given.
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Only these ports of it: 443,2525/smtp.
    #[arg(long = "port", value_name = "PORTS")]
    ports: Vec<String>,
    /// Server name that is asked for at every address, beside none; several may be given.
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// How much is asked of a place.
    #[arg(long)]
    depth: Option<DepthArg>,
    /// Connections a second, fewer than the segment allows.
    #[arg(long)]
    rate: Option<f64>,
    /// From which the order and every hello follow: 64 hex digits, as a dry run shows them.
    #[arg(long, value_name = "HEX", value_parser = seed)]
    seed: Option<[u8; 32]>,
    /// Only say what would be sent, to the byte.
    #[arg(long)]
    dry_run: bool,
    /// Leave it to the server, now or when the segment's hours come.
    #[arg(long, conflicts_with = "dry_run")]
    queue: bool,
    /// Write every observation (or, in a dry run, every target) to this file, a line of JSON each.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn seed(text: &str) -> Result<[u8; 32], String> {
    let mut seed = [0; 32];
    hex::decode_to_slice(text, &mut seed).map_err(|_| "64 hex digits".to_owned())?;
    Ok(seed)
}

pub(super) async fn scan(at: &Place, options: ScanArgs) -> Done {
    let context = Context::open(at).await?;
    let fleet = Fleet::open(context.ca.clone())?;
    let new = NewScan {
        segment: options.segment,
        ranges: options.ranges,
        hosts: options.hosts,
        ports: options.ports,
        names: options.names,
        depth: options.depth.map(Into::into),
        rate: options.rate,
        seed: options.seed,
        here: match options.queue {
            true => None,
            false => Some(own_name()?),
        },
    };
    if options.dry_run {
        return dry_run(&fleet, &new, options.out.as_ref()).await;
    }
    let permit = context.permit(Action::RunDiscovery).await?;
    let scan = fleet.start_scan(&permit, new, clock::now()).await?;
    if options.queue {
        return Ok(Report::new(json!(scan), text(&scan)));
    }
    drive(
        &context,
        &fleet,
        &scan.id,
        Found::open(options.out.as_ref(), false)?,
    )
    .await
}

pub(super) async fn resume(at: &Place, id: &str, queue: bool, out: Option<&PathBuf>) -> Done {
    let context = Context::open(at).await?;
    let fleet = Fleet::open(context.ca.clone())?;
    let here = own_name()?;
    let here = (!queue).then_some(here.as_str());
    let begun = tokio::time::Instant::now();
    let scan = loop {
        let permit = context.permit(Action::RunDiscovery).await?;
        match fleet.resume_scan(&permit, id, here, clock::now()).await {
            // One that was killed is believed to be alive for a few seconds more.
            Err(error) if is_busy(&error) && begun.elapsed() < FORGOTTEN => {
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
            other => break other?,
        }
    };
    if queue {
        return Ok(Report::new(json!(scan), text(&scan)));
    }
    drive(&context, &fleet, id, Found::open(out, true)?).await
}

fn is_busy(error: &FleetError) -> bool {
    error
        .refusal()
        .is_some_and(|refusal| refusal.rule == "scan.busy")
}

/// Runs a scan in this process, until its end or a signal.
async fn drive(context: &Context, fleet: &Fleet, id: &str, mut found: Found) -> Done {
    let permit = context.permit(Action::RunDiscovery).await?;
    let (stopping, stop) = watch::channel(false);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let listener = tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stopping.send_replace(true);
    });
    let mut progress = Progress::new("targets");
    let mut see = |seen: &Observation, (done, of): (u64, u64)| {
        found.note(seen);
        progress.at(done, of);
    };
    let running = Running {
        clock: Arc::new(|| clock::now().0),
        from: own_name()?,
        stop,
        see: &mut see,
    };
    let ran = fleet.run_scan(&permit, id, running).await;
    listener.abort();
    drop(progress);
    let scan = ran?;
    let good = scan.state == ScanState::Done;
    Ok(found.report(json!(scan), &text(&scan))?.judged(good))
}

async fn dry_run(fleet: &Fleet, new: &NewScan, out: Option<&PathBuf>) -> Done {
    let prepared = match fleet.prepare_scan(new).await {
        Ok(prepared) => prepared,
        // Whoever is to sign wants to see first what it comes to.
        Err(FleetError::Refused(refusal)) if refusal.rule == "segment.unsigned" => {
            fleet.preview_scan(new).await?
        }
        Err(other) => return Err(other.into()),
    };
    let stored = &prepared.limits.stored;
    let (signed, pause) = (stored.signature().is_some(), stored.segment.pause_ms);
    let limits = prepared.limits.limits.clone();
    let config = prepared
        .plan
        .config(limits, pause, "dry run", Arc::new(|| 0));
    let mut file = match out {
        Some(path) => Some(std::io::BufWriter::new(
            std::fs::File::create(path).map_err(failed)?,
        )),
        None => None,
    };
    let (mut shown, mut excluded, mut connections) = (Vec::new(), 0u64, 0u64);
    for planned in agent::scan::plan(&prepared.targets, &config) {
        excluded += u64::from(planned.excluded.is_some());
        connections += planned.connections as u64;
        if let Some(file) = &mut file {
            writeln!(file, "{}", line(&planned)).map_err(failed)?;
        }
        if shown.len() < SHOWN {
            shown.push(planned);
        }
    }
    if let Some(mut file) = file {
        file.flush().map_err(failed)?;
    }
    let rows: Vec<Vec<String>> = shown.iter().map(row).collect();
    let total = prepared.targets.len();
    let mut said = format!(
        "{}\n{total} targets, {excluded} of them excluded; at most {connections} connections, {} a second; nothing was sent\nseed {}{}",
        table(&["WHERE", "CONNECTIONS", "FIRST HELLO"], &rows),
        prepared.plan.rate,
        hex::encode(prepared.plan.seed),
        if signed {
            ""
        } else {
            "\nthe limits are not signed: the scan itself would be refused"
        },
    );
    for one in prepared.limits.astray.iter().take(SHOWN_ASTRAY) {
        said = format!("{said}\n{}", crate::segment::astray(one));
    }
    said.push_str(&nameless(&prepared.limits.nameless));
    let targets: Vec<Value> = shown.iter().map(line).collect();
    Ok(Report::new(
        json!({ "plan": prepared.plan, "signed": signed, "total": total, "excluded": excluded,
            "connections": connections, "targets": targets, "limits": prepared.limits.limits, "astray": prepared.limits.astray,
            "nameless": prepared.limits.nameless }),
        said,
    ))
}

/// Names of the register that did not come to an address, those of devices that must not be touched first.
fn nameless(all: &[Nameless]) -> String {
    let mut said = String::new();
    for one in all.iter().take(SHOWN_ASTRAY) {
        let what = match one.untouchable {
            true => "a name of a device that must not be touched",
            false => "a name",
        };
        let (name, why) = (escape(&one.name), escape(&one.why));
        said.push_str(&format!(
            "\n  {what} has no address: {name} ({}): {why}",
            one.asset
        ));
    }
    match all.len().saturating_sub(SHOWN_ASTRAY) {
        0 => said,
        more => format!("{said}\n  and {more} more names, which --json lists"),
    }
}

fn line(planned: &Planned) -> Value {
    let target = &planned.target;
    json!({
        "address": target.address, "port": target.port, "sni": target.sni, "starttls": target.starttls,
        "excluded": planned.excluded, "opening": hex::encode(&planned.opening),
        "hellos": planned.hellos.iter().map(hex::encode).collect::<Vec<_>>(),
        "connections": planned.connections,
    })
}

fn row(planned: &Planned) -> Vec<String> {
    let what = match (&planned.excluded, planned.hellos.first()) {
        (Some(rule), _) => format!("excluded: {}", escape(rule)),
        (None, Some(hello)) => {
            let head = hex::encode(hello.get(..16).unwrap_or(hello));
            format!("{head}… ({} bytes)", hello.len())
        }
        (None, None) => String::new(),
    };
    vec![
        place(&planned.target.place()),
        planned.connections.to_string(),
        what,
    ]
}

pub(super) async fn list(
    at: &Place,
    segment: Option<String>,
    after: Option<String>,
    limit: u32,
) -> Done {
    let context = Context::open(at).await?;
    let fleet = Fleet::open(context.ca.clone())?;
    let filter = ScanFilter {
        segment,
        after,
        limit: Some(limit),
    };
    let page = fleet.scans(&filter).await?;
    let rows: Vec<Vec<String>> = page
        .scans
        .iter()
        .map(|scan| {
            vec![
                scan.id.clone(),
                scan.segment.clone(),
                scan.state.name().to_owned(),
                format!("{}/{}", scan.done, scan.total),
                clock::millis(scan.started_at),
                escape(&scan.started_by),
                escape(&scan.note),
            ]
        })
        .collect();
    let mut said = table(
        &[
            "SCAN", "SEGMENT", "STATE", "TARGETS", "STARTED", "BY", "NOTE",
        ],
        &rows,
    );
    if let Some(next) = &page.next {
        said.push_str(&format!("\nmore with --after {next}"));
    }
    Ok(Report::new(json!(page), said))
}

pub(super) async fn stop(at: &Place, id: &str, why: &str) -> Done {
    let context = Context::open(at).await?;
    let fleet = Fleet::open(context.ca.clone())?;
    let permit = context.permit(Action::RunDiscovery).await?;
    let scan = fleet.stop_scan(&permit, id, why, clock::now()).await?;
    Ok(Report::new(json!(scan), text(&scan)))
}

fn text(scan: &Scan) -> String {
    let note = match scan.note.as_str() {
        "" => String::new(),
        note => format!(": {}", escape(note)),
    };
    format!(
        "scan {} of segment {}: {}{note}\n{} of {} targets, {} looked at, {} excluded, {} stopped",
        scan.id,
        scan.segment,
        scan.state.name(),
        scan.done,
        scan.total,
        scan.probed,
        scan.excluded,
        scan.stopped
    )
}
