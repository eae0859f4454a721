//! How many targets a second, beside a loop that only connects and sends a hello (the ceiling on this machine); `bench/discover` runs it.
//!
//!     cargo run --release -p agent --example knock -- 127.0.0.0/22 20443 512 [certificate|versions|suites|bare] [ROUNDS]
//!
//! Addresses, port, targets at once. Something must listen there; `openssl s_server` takes one connection
//! at a time, nginx takes many. Both loops run in turns, a line of JSON for each round; only their ratio means anything. With
//! 0 rounds the scan runs once and alone, and with `bare` the other loop does.

use agent::observation::Outcome;
use agent::scan::{
    Config, Cursor, Depth, Limits, Range, Report, Service, Targets, Timing, plan, run,
};
use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [range, port, concurrency, rest @ ..] = arguments.as_slice() else {
        return Err("usage: knock RANGE PORT CONCURRENCY [DEPTH]".into());
    };
    let depth = match rest.first().map(String::as_str) {
        None | Some("certificate") => Depth::Certificate,
        Some("versions") => Depth::Versions,
        Some(_) => Depth::Suites,
    };
    let range: Range = range.parse()?;
    let targets = Targets::new(&[range], &[], Service::list(port)?, Vec::new())?;
    let config = Config {
        from: "knock".to_owned(),
        depth,
        timing: Timing::default(),
        limits: Limits {
            rate: None,
            ..Limits::default()
        },
        concurrency: concurrency.parse()?,
        seed: [5; 32],
        clock: Arc::new(|| 0),
    };
    if rest.first().is_some_and(|word| word == "bare") {
        let begun = Instant::now();
        let answered = bare(&targets, &config).await;
        let seconds = begun.elapsed().as_secs_f64();
        let outcomes = serde_json::json!({ "certificate": answered });
        let line = serde_json::json!({ "targets": targets.len(), "seconds": seconds, "outcomes": outcomes });
        println!("{line}");
        return Ok(());
    }
    let rounds: u32 = rest.get(1).map_or(Ok(3), |rounds| rounds.parse())?;
    for _ in 0..rounds.max(1) {
        let begun = Instant::now();
        if rounds > 0 {
            bare(&targets, &config).await;
        }
        let bare = begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        let outcomes = scan(&targets, &config).await;
        let seconds = begun.elapsed().as_secs_f64();
        let line = serde_json::json!({
            "targets": targets.len(), "seconds": seconds, "bare_seconds": bare, "outcomes": outcomes, "peak_kib": peak(),
        });
        println!("{line}");
    }
    Ok(())
}

/// The most memory that was in use so far; Linux only.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Connect, the same hello, the first bytes of an answer, which an ordinary certificate is among, and away. How many
/// answered.
async fn bare(targets: &Targets, config: &Config) -> u64 {
    let answered = Arc::new(AtomicU64::new(0));
    let slots = Arc::new(Semaphore::new(config.concurrency));
    let hello = plan(targets, config).find_map(|planned| planned.hellos.into_iter().next());
    let hello: Arc<[u8]> = hello.unwrap_or_default().into();
    for number in 0..targets.len() {
        let (Some(target), Ok(slot)) = (targets.at(number), slots.clone().acquire_owned().await)
        else {
            break;
        };
        let (hello, answered) = (Arc::clone(&hello), Arc::clone(&answered));
        tokio::spawn(async move {
            let to = SocketAddr::new(target.address, target.port);
            if let Ok(mut stream) = TcpStream::connect(to).await {
                let mut buffer = [0; 4096];
                let _ = stream.write_all(&hello).await;
                let got = stream.read(&mut buffer).await;
                answered.fetch_add(u64::from(got.is_ok_and(|got| got > 0)), Ordering::Relaxed);
            }
            drop(slot);
        });
    }
    let _ = slots.acquire_many(config.concurrency as u32).await;
    answered.load(Ordering::Relaxed)
}

async fn scan(targets: &Targets, config: &Config) -> BTreeMap<&'static str, u64> {
    let (sender, mut receiver) = mpsc::channel(1024);
    let cursor = Cursor::new(targets, &config.seed);
    let count = async {
        let mut outcomes = BTreeMap::new();
        while let Some(report) = receiver.recv().await {
            if let Report::Seen { observation, .. } = report {
                let kind = match observation.outcome {
                    Outcome::Certificate => "certificate",
                    Outcome::Closed => "closed",
                    Outcome::Filtered => "filtered",
                    Outcome::Unreachable { .. } => "unreachable",
                    Outcome::Failed { .. } => "failed",
                    _ => "other",
                };
                *outcomes.entry(kind).or_default() += 1;
            }
        }
        outcomes
    };
    let (_, outcomes) = tokio::join!(run(targets, config.clone(), &cursor, sender), count);
    outcomes
}
