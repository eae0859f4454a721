//! Sends prepared requests, each once, over N connections: kept ones for devices without a certificate, one of its own for
//! each that shows one.

use super::Error;
use crate::http::Connection;
use crate::{percentile, process, tls};
use rustls::RootCertStore;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::CertifiedKey;
use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

/// A server that is silent for this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many failures end a run: it would measure something else.
const TOLERATED: usize = 1000;

/// A certificate and its key, as a TLS client shows them.
#[derive(Debug)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    pub fn new(certificate: &[u8], pkcs8: &[u8]) -> Result<Self, Error> {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pkcs8.to_vec()));
        let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key)?;
        let chain = vec![CertificateDer::from(certificate.to_vec())];
        Ok(Identity(Arc::new(CertifiedKey::new(chain, key))))
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// One request.
pub struct Job {
    pub way: Way,
    pub request: Vec<u8>,
}

pub enum Way {
    /// Over a kept TLS connection.
    Tls,
    /// Over a kept connection without TLS; the answer must say SUCCESS in SCEP's words.
    Scep,
    /// Over a TLS connection of its own, from an address of its own, with this certificate.
    Certified(Arc<Identity>, Ipv4Addr),
}

/// Where the doors are: `HOST:PORT`.
pub struct Server {
    pub tls: String,
    pub plain: String,
    pub roots: Arc<RootCertStore>,
}

pub struct Plan {
    pub server: Server,
    pub jobs: Vec<Job>,
    pub connections: usize,
    pub warm_up: Duration,
    /// `None`: until every job is done.
    pub duration: Option<Duration>,
    /// Whether bodies of answers are kept, one for each job.
    pub keep: bool,
    pub pids: Vec<u32>,
}

pub struct Outcome {
    pub answers: usize,
    pub failures: usize,
    pub first_failure: Option<String>,
    pub seconds: f64,
    pub latencies: Vec<u32>,
    pub server_cpu_seconds: f64,
    /// Of this process.
    pub own_cpu_seconds: f64,
    /// How many jobs were begun.
    pub used: usize,
    pub bodies: Vec<Option<Vec<u8>>>,
}

impl Outcome {
    /// As the scripts read it.
    pub fn json(&self, connections: usize, pids: &[u32]) -> serde_json::Value {
        let each = |seconds: f64| seconds * 1e6 / self.answers.max(1) as f64;
        let at = |share| percentile(&self.latencies, share).as_micros() as u64;
        serde_json::json!({
            "connections": connections,
            "answers": self.answers,
            "failures": self.failures,
            "first_failure": self.first_failure,
            "seconds": self.seconds,
            "per_second": self.answers as f64 / self.seconds,
            "p50_us": at(0.50),
            "p99_us": at(0.99),
            "worst_us": at(1.0),
            "server_cpu_us": each(self.server_cpu_seconds),
            "own_cpu_us": each(self.own_cpu_seconds),
            "server_peak_kib": pids.iter().map(|pid| process::peak_memory_kib(*pid)).sum::<u64>(),
            "used": self.used,
        })
    }
}

/// What the workers share.
struct Shared {
    begin: Instant,
    end: Option<Instant>,
    next: usize,
    last: Instant,
    latencies: Vec<u32>,
    failures: usize,
    first_failure: Option<String>,
    bodies: Vec<Option<Vec<u8>>>,
}

pub async fn run(plan: Plan) -> Result<Outcome, Error> {
    let begin = Instant::now() + plan.warm_up;
    let (plan, workers) = (Rc::new(plan), plan_workers);
    let shared = Rc::new(RefCell::new(Shared {
        begin,
        end: plan.duration.map(|duration| begin + duration),
        next: 0,
        last: begin,
        latencies: Vec::with_capacity(plan.jobs.len()),
        failures: 0,
        first_failure: None,
        bodies: match plan.keep {
            true => plan.jobs.iter().map(|_| None).collect(),
            false => Vec::new(),
        },
    }));
    let work = workers(&plan, &shared)?;
    let cpu = || -> (f64, f64) {
        let server = plan.pids.iter().map(|pid| process::cpu_seconds(*pid));
        (server.sum(), process::cpu_seconds(std::process::id()))
    };
    tokio::time::sleep_until(begin.into()).await;
    let before = cpu();
    let all = async {
        for worker in work {
            worker
                .await
                .map_err(|_| Error::Unexpected("a worker ended"))?;
        }
        Ok::<_, Error>(())
    };
    // The CPU time of what the last answers took after the end belongs to nobody.
    let after = match plan.duration {
        None => {
            all.await?;
            cpu()
        }
        Some(duration) => {
            tokio::pin!(all);
            let over = tokio::time::sleep_until((begin + duration).into());
            let exhausted = tokio::select! {
                () = over => false,
                done = &mut all => { done?; true }
            };
            let after = cpu();
            if !exhausted {
                all.await?;
            }
            after
        }
    };
    let mut shared = shared.borrow_mut();
    shared.latencies.sort_unstable();
    let end = match shared.end {
        Some(end) if shared.next < plan.jobs.len() => end,
        _ => shared.last,
    };
    Ok(Outcome {
        answers: shared.latencies.len(),
        failures: shared.failures,
        first_failure: shared.first_failure.take(),
        seconds: end.duration_since(begin).as_secs_f64().max(1e-6),
        latencies: std::mem::take(&mut shared.latencies),
        server_cpu_seconds: after.0 - before.0,
        own_cpu_seconds: after.1 - before.1,
        used: shared.next.min(plan.jobs.len()),
        bodies: std::mem::take(&mut shared.bodies),
    })
}

fn plan_workers(
    plan: &Rc<Plan>,
    shared: &Rc<RefCell<Shared>>,
) -> Result<Vec<tokio::task::JoinHandle<()>>, Error> {
    let host = plan
        .server
        .tls
        .rsplit_once(':')
        .map_or("", |(host, _)| host);
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Error::Address(plan.server.tls.clone()))?;
    let anonymous = tls::connector_for(&plan.server.roots, None)?;
    let worker = |_| {
        let worker = Worker {
            plan: Rc::clone(plan),
            shared: Rc::clone(shared),
            name: name.clone(),
            anonymous: anonymous.clone(),
            tls: None,
            plain: None,
        };
        tokio::task::spawn_local(worker.run())
    };
    Ok((0..plan.connections).map(worker).collect())
}

struct Worker {
    plan: Rc<Plan>,
    shared: Rc<RefCell<Shared>>,
    name: ServerName<'static>,
    anonymous: tokio_rustls::TlsConnector,
    tls: Option<Connection<TlsStream<TcpStream>>>,
    plain: Option<Connection<TcpStream>>,
}

impl Worker {
    async fn run(mut self) {
        let plan = Rc::clone(&self.plan);
        while let Some(number) = self.take() {
            let Some(job) = plan.jobs.get(number) else {
                return;
            };
            let sent = Instant::now();
            let answered = match timeout(PATIENCE, self.send(job)).await {
                Ok(answered) => answered,
                Err(_) => Err(Error::Unexpected("no answer in time")),
            };
            let mut shared = self.shared.borrow_mut();
            let at = Instant::now();
            match answered {
                Ok(body) => {
                    if at >= shared.begin && shared.end.is_none_or(|end| at < end) {
                        let micros = at.duration_since(sent).as_micros();
                        let micros = u32::try_from(micros).unwrap_or(u32::MAX);
                        shared.latencies.push(micros);
                        shared.last = at;
                    }
                    if let Some(place) = shared.bodies.get_mut(number) {
                        *place = Some(body);
                    }
                }
                Err(error) => {
                    shared.failures += 1;
                    let text = || format!("job {number}: {error}");
                    shared.first_failure.get_or_insert_with(text);
                    if shared.failures > TOLERATED {
                        return;
                    }
                    drop(shared);
                    // Kept connections may be in the middle of an answer.
                    (self.tls, self.plain) = (None, None);
                }
            }
        }
    }

    /// The next job, unless it is over.
    fn take(&self) -> Option<usize> {
        let mut shared = self.shared.borrow_mut();
        let over = shared.end.is_some_and(|end| Instant::now() >= end);
        if over || shared.next >= self.plan.jobs.len() || shared.failures > TOLERATED {
            return None;
        }
        shared.next += 1;
        Some(shared.next - 1)
    }

    async fn send(&mut self, job: &Job) -> Result<Vec<u8>, Error> {
        let server = &self.plan.server;
        let answer = match &job.way {
            Way::Tls => {
                if self.tls.is_none() {
                    let tcp = connect(&server.tls, None).await?;
                    let stream = self.anonymous.connect(self.name.clone(), tcp).await?;
                    self.tls = Some(Connection::new(stream));
                }
                let kept = self.tls.as_mut();
                let kept = kept.ok_or(Error::Unexpected("no connection"))?;
                kept.ask(&job.request).await?
            }
            Way::Scep => {
                if self.plain.is_none() {
                    let tcp = connect(&server.plain, None).await?;
                    self.plain = Some(Connection::new(tcp));
                }
                let kept = self.plain.as_mut();
                let kept = kept.ok_or(Error::Unexpected("no connection"))?;
                kept.ask(&job.request).await?
            }
            Way::Certified(identity, from) => {
                let connector = tls::connector_for(&server.roots, Some(identity.clone()))?;
                let tcp = connect(&server.tls, Some(*from)).await?;
                let stream = connector.connect(self.name.clone(), tcp).await?;
                Connection::new(stream).ask(&job.request).await?
            }
        };
        let is_scep = matches!(job.way, Way::Scep);
        let said = |words: &[u8]| answer.body.windows(words.len()).any(|found| found == words);
        if answer.status != 200 || (is_scep && !said(super::scep::SUCCESS)) {
            let text = String::from_utf8_lossy(&answer.body);
            let text: String = text.chars().take(300).collect();
            let text = format!("status {}: {text}", answer.status);
            return Err(std::io::Error::other(text).into());
        }
        Ok(answer.body)
    }
}

async fn connect(address: &str, from: Option<Ipv4Addr>) -> Result<TcpStream, Error> {
    let to: std::net::SocketAddr = address
        .parse()
        .map_err(|_| Error::Address(address.to_owned()))?;
    let tcp = match from {
        None => TcpStream::connect(to).await?,
        Some(from) => {
            let socket = TcpSocket::new_v4()?;
            socket.bind((from, 0).into())?;
            socket.connect(to).await?
        }
    };
    tcp.set_nodelay(true)?;
    Ok(tcp)
}
