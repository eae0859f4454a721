//! `acmegen`: ACME orders over http-01, as fast as a server takes them, and one line of JSON about it.

use aws_lc_rs::digest::{SHA256, digest};
use bench::acme::{AccountKey, Client, Error, SubjectKey};
use bench::responder::{self, Tokens};
use bench::{percentile, process, tls};
use clap::Parser;
use rustls::pki_types::ServerName;
use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// Closed-loop ACME load on one server.
#[derive(Parser)]
struct Arguments {
    /// https://HOST:PORT
    server: String,
    /// Path of the ACME directory.
    #[arg(long)]
    directory: String,
    /// PEM trust anchor of the server.
    #[arg(long)]
    anchor: PathBuf,
    /// Where the server will ask for http-01 tokens: any address of 127.0.0.0/8 at this port.
    #[arg(long, default_value_t = 80)]
    http_port: u16,
    /// Clients at work at once, a connection each.
    #[arg(long, default_value_t = 8)]
    workers: usize,
    /// Accounts that the clients share.
    #[arg(long, default_value_t = 1)]
    accounts: usize,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
    /// Pause after each order of a worker: latency of a server at rest is measured with one worker and some pause.
    #[arg(long, default_value_t = 0.0)]
    pause: f64,
    /// Server process to account CPU time and memory of; may be repeated.
    #[arg(long)]
    pid: Vec<u32>,
}

/// What the workers share: the measured interval, what is taken, what was seen.
struct Shared {
    begin: Instant,
    end: Instant,
    next: u32,
    latencies: Vec<u32>,
    failures: usize,
    first_failure: Option<String>,
}

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments = Rc::new(Arguments::parse());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, run(arguments))
}

async fn run(arguments: Rc<Arguments>) -> Result<(), Failure> {
    let tokens = Tokens::default();
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, arguments.http_port));
    tokio::task::spawn_local(responder::serve(address, tokens.clone()));
    let keys = (0..arguments.accounts.max(1))
        .map(|_| AccountKey::generate().map(Rc::new))
        .collect::<Result<Vec<_>, _>>()?;
    let begin = Instant::now() + Duration::from_secs_f64(arguments.warm_up);
    let shared = Rc::new(RefCell::new(Shared {
        begin,
        end: begin + Duration::from_secs_f64(arguments.seconds),
        next: first_address(),
        latencies: Vec::new(),
        failures: 0,
        first_failure: None,
    }));
    let connector = tls::connector(Some(&arguments.anchor))?;
    let subject = Rc::new(SubjectKey::generate()?);
    let workers: Vec<_> = (0..arguments.workers)
        .map(|number| {
            let worker = Worker {
                arguments: Rc::clone(&arguments),
                connector: connector.clone(),
                key: Rc::clone(&keys[number % keys.len()]),
                subject: Rc::clone(&subject),
                tokens: tokens.clone(),
                shared: Rc::clone(&shared),
            };
            tokio::task::spawn_local(async move { worker.run().await })
        })
        .collect();
    let cpu = || {
        arguments
            .pid
            .iter()
            .map(|pid| process::cpu_seconds(*pid))
            .sum::<f64>()
    };
    tokio::time::sleep_until(begin.into()).await;
    let before = cpu();
    tokio::time::sleep(Duration::from_secs_f64(arguments.seconds)).await;
    let cpu_seconds = cpu() - before;
    for worker in workers {
        worker.await?;
    }
    print(&arguments, &mut shared.borrow_mut(), cpu_seconds);
    Ok(())
}

/// Somewhere in 127.16.0.0 to 127.255.255.255, elsewhere in each run: a server may remember names.
fn first_address() -> u32 {
    let seed = digest(&SHA256, &std::process::id().to_be_bytes());
    let seed = seed.as_ref();
    u32::from_be_bytes([127, 16 + seed[0] % 200, seed[1], 0])
}

struct Worker {
    arguments: Rc<Arguments>,
    connector: tokio_rustls::TlsConnector,
    key: Rc<AccountKey>,
    subject: Rc<SubjectKey>,
    tokens: Tokens,
    shared: Rc<RefCell<Shared>>,
}

impl Worker {
    /// A connection that ends or an order that fails is counted, and the worker connects anew.
    async fn run(&self) {
        while Instant::now() < self.shared.borrow().end {
            if let Err(error) = self.connect_and_order().await {
                self.failed(&error.to_string());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    async fn connect_and_order(&self) -> Result<(), Failure> {
        let origin = self.arguments.server.trim_end_matches('/');
        let address = origin.trim_start_matches("https://");
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let stream = self
            .connector
            .connect(ServerName::try_from(host.to_owned())?, tcp)
            .await?;
        let mut client =
            Client::register(stream, origin, &self.arguments.directory, &self.key).await?;
        loop {
            let begun = Instant::now();
            let address = self.take_address();
            let length = client.order(address, &self.subject, &self.tokens).await?;
            if length == 0 {
                return Err(Error::Unexpected("certificate", "empty".into()).into());
            }
            let ended = Instant::now();
            let end = {
                let mut shared = self.shared.borrow_mut();
                if ended >= shared.begin && ended < shared.end {
                    let micros = ended.duration_since(begun).as_micros();
                    shared
                        .latencies
                        .push(u32::try_from(micros).unwrap_or(u32::MAX));
                }
                shared.end
            };
            if ended >= end {
                return Ok(());
            }
            if self.arguments.pause > 0.0 {
                tokio::time::sleep(Duration::from_secs_f64(self.arguments.pause)).await;
            }
        }
    }

    fn failed(&self, text: &str) {
        let mut shared = self.shared.borrow_mut();
        shared.failures += 1;
        shared.first_failure.get_or_insert_with(|| text.to_owned());
    }

    fn take_address(&self) -> Ipv4Addr {
        let mut shared = self.shared.borrow_mut();
        shared.next += 1;
        Ipv4Addr::from(shared.next)
    }
}

fn print(arguments: &Arguments, shared: &mut Shared, cpu_seconds: f64) {
    shared.latencies.sort_unstable();
    let latencies = &shared.latencies;
    println!(
        "{}",
        serde_json::json!({
            "connections": arguments.workers,
            "answers": latencies.len(),
            "failures": shared.failures,
            "first_failure": shared.first_failure,
            "per_second": latencies.len() as f64 / arguments.seconds,
            "p50_us": percentile(latencies, 0.50).as_micros() as u64,
            "p99_us": percentile(latencies, 0.99).as_micros() as u64,
            "worst_us": percentile(latencies, 1.0).as_micros() as u64,
            "server_cpu_us": cpu_seconds * 1e6 / latencies.len().max(1) as f64,
            "server_peak_kib": arguments.pid.iter().map(|pid| process::peak_memory_kib(*pid)).sum::<u64>(),
        })
    );
}
