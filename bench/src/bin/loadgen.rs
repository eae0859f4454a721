//! `loadgen`: sends prepared requests over kept connections and prints one line of JSON.

use base64::Engine as _;
use bench::load::{self, Plan};
use clap::Parser;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// Closed-loop HTTP/1.1 load on one server.
#[derive(Parser)]
struct Arguments {
    /// http://HOST:PORT or https://HOST:PORT
    server: String,
    /// Path that every POST goes to.
    #[arg(long, default_value = "/")]
    path: String,
    /// File of request bodies, one base64 line each, sent by POST in turn.
    #[arg(long, conflicts_with = "paths")]
    bodies: Option<PathBuf>,
    /// File of paths, one a line, fetched by GET in turn.
    #[arg(long)]
    paths: Option<PathBuf>,
    /// Further header line, such as "Authorization: Bearer …".
    #[arg(long)]
    header: Vec<String>,
    /// PEM trust anchor of an https server.
    #[arg(long)]
    anchor: Option<PathBuf>,
    #[arg(long, default_value_t = 16)]
    connections: usize,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
    /// Accepted status; anything else counts as a failure.
    #[arg(long, default_values_t = [200, 201])]
    accept: Vec<u16>,
    /// Open a new connection for each request.
    #[arg(long)]
    close: bool,
    /// Server process to account CPU time and memory of; may be repeated.
    #[arg(long)]
    pid: Vec<u32>,
}

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let arguments = Arguments::parse();
    let plan = Rc::new(Plan {
        server: arguments.server.trim_end_matches('/').to_owned(),
        anchor: arguments.anchor.clone(),
        connections: arguments.connections,
        warm_up: Duration::from_secs_f64(arguments.warm_up),
        duration: Duration::from_secs_f64(arguments.seconds),
        requests: requests(&arguments)?,
        accepted: arguments.accept.clone(),
        close: arguments.close,
        pids: arguments.pid.clone(),
    });
    // One thread: the other core belongs to the server.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = tokio::task::LocalSet::new().block_on(&runtime, load::run(plan))?;
    let per_answer = |seconds: f64| seconds * 1e6 / outcome.answers.max(1) as f64;
    println!(
        "{}",
        serde_json::json!({
            "connections": arguments.connections,
            "answers": outcome.answers,
            "failures": outcome.failures,
            "first_failure": outcome.first_failure,
            "per_second": outcome.answers as f64 / outcome.seconds,
            "p50_us": outcome.p50.as_micros() as u64,
            "p99_us": outcome.p99.as_micros() as u64,
            "worst_us": outcome.worst.as_micros() as u64,
            "server_cpu_us": per_answer(outcome.server_cpu_seconds),
            "server_peak_kib": arguments.pid.iter().map(|pid| bench::process::peak_memory_kib(*pid)).sum::<u64>(),
        })
    );
    Ok(())
}

fn requests(arguments: &Arguments) -> Result<Vec<Vec<u8>>, Error> {
    let host = arguments.server.rsplit('/').next().unwrap_or_default();
    let headers: String = arguments
        .header
        .iter()
        .map(|header| format!("{header}\r\n"))
        .collect();
    let head =
        |method: &str, path: &str| format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}");
    if let Some(file) = &arguments.paths {
        return Ok(lines(file)?
            .iter()
            .map(|path| format!("{}\r\n", head("GET", path)).into_bytes())
            .collect());
    }
    let Some(file) = &arguments.bodies else {
        return Ok(vec![
            format!("{}\r\n", head("GET", &arguments.path)).into_bytes(),
        ]);
    };
    let mut requests = Vec::new();
    for line in lines(file)? {
        let body = base64::engine::general_purpose::STANDARD.decode(line)?;
        let mut request = format!(
            "{}Content-Length: {}\r\n\r\n",
            head("POST", &arguments.path),
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        requests.push(request);
    }
    Ok(requests)
}

fn lines(file: &Path) -> std::io::Result<Vec<String>> {
    Ok(std::fs::read_to_string(file)?
        .lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect())
}
