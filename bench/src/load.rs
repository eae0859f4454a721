//! N connections, each sending its next request when the last one was answered.

use crate::{http::Connection, percentile, process, tls};
use rustls::pki_types::ServerName;
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A server that is silent for this long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}: expected http://HOST:PORT or https://HOST:PORT")]
    Address(String),
    #[error("nothing to send")]
    NothingToSend,
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Tls(#[from] tls::Error),
    #[error(transparent)]
    Name(#[from] rustls::pki_types::InvalidDnsNameError),
    #[error("connection closed before the first answer: {0}")]
    Closed(String),
}

pub struct Plan {
    /// `http://HOST:PORT` or `https://HOST:PORT`.
    pub server: String,
    /// PEM trust anchor for https.
    pub anchor: Option<PathBuf>,
    pub connections: usize,
    pub warm_up: Duration,
    pub duration: Duration,
    /// Whole HTTP requests, sent in turn.
    pub requests: Vec<Vec<u8>>,
    pub accepted: Vec<u16>,
    /// A new connection for each request, for servers that keep none.
    pub close: bool,
    /// Server processes whose CPU time is read at start and end of the measured part.
    pub pids: Vec<u32>,
}

#[derive(Debug)]
pub struct Outcome {
    pub answers: usize,
    /// Answers with a status that was not accepted, and broken connections.
    pub failures: usize,
    pub seconds: f64,
    pub p50: Duration,
    pub p99: Duration,
    pub worst: Duration,
    pub server_cpu_seconds: f64,
    pub first_failure: Option<String>,
}

/// What the connections share: the measured interval and what they saw in it.
struct Shared {
    begin: Instant,
    end: Instant,
    next: usize,
    latencies: Vec<u32>,
    failures: usize,
    first_failure: Option<String>,
}

pub async fn run(plan: Rc<Plan>) -> Result<Outcome, Error> {
    if plan.requests.is_empty() {
        return Err(Error::NothingToSend);
    }
    let begin = Instant::now() + plan.warm_up;
    let shared = Rc::new(RefCell::new(Shared {
        begin,
        end: begin + plan.duration,
        next: 0,
        latencies: Vec::with_capacity(1 << 20),
        failures: 0,
        first_failure: None,
    }));
    let tls = plan
        .server
        .starts_with("https://")
        .then(|| tls::connector(plan.anchor.as_deref()))
        .transpose()?;
    let mut tasks = Vec::new();
    for _ in 0..plan.connections {
        tasks.push(tokio::task::spawn_local(connect_and_send(
            plan.clone(),
            tls.clone(),
            shared.clone(),
        )));
    }
    tokio::time::sleep_until(begin.into()).await;
    let cpu = || {
        plan.pids
            .iter()
            .map(|pid| process::cpu_seconds(*pid))
            .sum::<f64>()
    };
    let cpu_before = cpu();
    tokio::time::sleep_until((begin + plan.duration).into()).await;
    let cpu_after = cpu();
    for task in tasks {
        if let Ok(Err(error)) = task.await {
            return Err(error);
        }
    }
    let mut shared = shared.borrow_mut();
    shared.latencies.sort_unstable();
    let at = |share| percentile(&shared.latencies, share);
    Ok(Outcome {
        answers: shared.latencies.len(),
        failures: shared.failures,
        seconds: plan.duration.as_secs_f64(),
        p50: at(0.50),
        p99: at(0.99),
        worst: at(1.0),
        server_cpu_seconds: cpu_after - cpu_before,
        first_failure: shared.first_failure.clone(),
    })
}

async fn connect_and_send(
    plan: Rc<Plan>,
    tls: Option<tokio_rustls::TlsConnector>,
    shared: Rc<RefCell<Shared>>,
) -> Result<(), Error> {
    let (_, address) = plan
        .server
        .split_once("://")
        .ok_or_else(|| Error::Address(plan.server.clone()))?;
    let host = address
        .rsplit_once(':')
        .ok_or_else(|| Error::Address(plan.server.clone()))?
        .0;
    // A server may close a kept connection; a new one is a failure counted, not the end of the run.
    while Instant::now() < shared.borrow().end {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let ended = match &tls {
            None => send(Connection::new(tcp), &plan, &shared).await,
            Some(tls) => {
                let name = ServerName::try_from(host.to_owned())?;
                send(
                    Connection::new(tls.connect(name, tcp).await?),
                    &plan,
                    &shared,
                )
                .await
            }
        };
        if let Err(error) = ended {
            fail(&shared, error.to_string());
            if shared.borrow().latencies.is_empty() && Instant::now() > shared.borrow().begin {
                return Err(Error::Closed(error.to_string()));
            }
        }
    }
    Ok(())
}

async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    mut connection: Connection<S>,
    plan: &Plan,
    shared: &RefCell<Shared>,
) -> std::io::Result<()> {
    loop {
        let index = {
            let mut shared = shared.borrow_mut();
            shared.next += 1;
            (shared.next - 1) % plan.requests.len()
        };
        let sent = Instant::now();
        let status = timeout(PATIENCE, connection.exchange(&plan.requests[index])).await??;
        let answered = Instant::now();
        if !plan.accepted.contains(&status) {
            fail(shared, format!("status {status}"));
        }
        let mut shared = shared.borrow_mut();
        let measured = answered >= shared.begin && answered < shared.end;
        if measured && plan.accepted.contains(&status) {
            let micros = answered.duration_since(sent).as_micros();
            shared
                .latencies
                .push(u32::try_from(micros).unwrap_or(u32::MAX));
        }
        if answered >= shared.end || plan.close {
            return Ok(());
        }
    }
}

fn fail(shared: &RefCell<Shared>, text: String) {
    let mut shared = shared.borrow_mut();
    shared.failures += 1;
    shared.first_failure.get_or_insert(text);
}
