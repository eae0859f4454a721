//! One look at each of some places, a line of JSON for each observation: for interop/check_discover.py, which has tens of servers
//! on loopback that are no segment with limits of its own.
//!
//!     cargo run -p agent --example look -- suites 127.0.0.1:8443 127.0.0.1:2525/smtp 127.0.0.1:8443@pacs.example
//!
//! The name goes into the hello (SNI). Places are looked at side by side, each by one connection at a time.

use agent::scan::{Config, Cursor, Depth, Limits, Range, Report, Service, Targets, Timing, run};
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

type Failed = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (depth, places) = match arguments.split_first() {
        Some((depth, places)) if !places.is_empty() => (depth.as_str(), places),
        _ => {
            return Err(
                "usage: look certificate|versions|suites ADDRESS:PORT[/PROTOCOL][@NAME]…".into(),
            );
        }
    };
    let depth = match depth {
        "certificate" => Depth::Certificate,
        "versions" => Depth::Versions,
        "suites" => Depth::Suites,
        other => return Err(format!("{other} is no depth").into()),
    };
    let mut looks = JoinSet::new();
    for place in places {
        looks.spawn(look(targets(place)?, depth));
    }
    while let Some(done) = looks.join_next().await {
        print!("{}", done??);
    }
    Ok(())
}

fn targets(place: &str) -> Result<Targets, Failed> {
    let (place, name) = match place.split_once('@') {
        Some((place, name)) => (place, Some(name)),
        None => (place, None),
    };
    let (address, service) = place.rsplit_once(':').ok_or("no port")?;
    let address: IpAddr = address.parse()?;
    let range = Range::new(address, address).ok_or("no address")?;
    let services = vec![service.parse::<Service>()?];
    let targets = match name {
        Some(name) => Targets::new(&[], &[(name.to_owned(), address)], services, Vec::new()),
        None => Targets::new(&[range], &[], services, Vec::new()),
    };
    Ok(targets?)
}

async fn look(targets: Targets, depth: Depth) -> Result<String, Failed> {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH);
    let config = Config {
        from: "look".to_owned(),
        depth,
        timing: Timing::default(),
        limits: Limits {
            rate: None,
            ..Limits::default()
        },
        concurrency: 1,
        seed: [11; 32],
        clock: Arc::new(move || now().map_or(0, |since| since.as_millis() as i64)),
    };
    let cursor = Cursor::new(&targets, &config.seed);
    let (sender, mut receiver) = mpsc::channel(16);
    let take = async {
        let mut lines = String::new();
        while let Some(report) = receiver.recv().await {
            if let Report::Seen { observation, .. } = report {
                lines += &observation.line()?;
                lines.push('\n');
            }
        }
        Ok(lines)
    };
    let (_, lines) = tokio::join!(run(&targets, config, &cursor, sender), take);
    lines
}
