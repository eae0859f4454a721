//! Certificates made by OpenSSL, servers on free loopback ports, and one way to scan them.

use agent::observation::{Der, Observation};
use agent::scan::{Config, Cursor, Depth, Limits, Report, Service, Targets, Timing, run};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(crate) const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Runs a program to its end and gives what it wrote.
pub(crate) fn output(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {error}");
    output.stdout
}

/// A folder with a root, an issuing authority below it, and leaves.
pub(crate) struct Pki {
    folder: TempDir,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let pki = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        pki.make(
            "root",
            "ec:prime256v1",
            None,
            "basicConstraints=critical,CA:TRUE",
        );
        pki.make(
            "sub",
            "ec:prime256v1",
            Some("root"),
            "basicConstraints=critical,CA:TRUE",
        );
        pki
    }

    pub(crate) fn path(&self, file: &str) -> String {
        self.folder.path().join(file).to_string_lossy().into_owned()
    }

    /// A leaf of the issuing authority; `key` as `ec:prime256v1` or `rsa:2048`.
    pub(crate) fn leaf(&self, name: &str, key: &str) -> &Self {
        self.make(
            name,
            key,
            Some("sub"),
            &format!("subjectAltName=DNS:{name}"),
        );
        self
    }

    fn make(&self, name: &str, key: &str, issuer: Option<&str>, extension: &str) {
        let (algorithm, parameter) = key.split_once(':').unwrap();
        let option = match algorithm {
            "rsa" => format!("rsa_keygen_bits:{parameter}"),
            _ => format!("ec_paramgen_curve:{parameter}"),
        };
        let (key, pem) = (
            self.path(&format!("{name}.key")),
            self.path(&format!("{name}.pem")),
        );
        output(
            "openssl",
            &[
                "genpkey",
                "-algorithm",
                algorithm,
                "-pkeyopt",
                &option,
                "-out",
                &key,
            ],
            b"",
        );
        let subject = format!("/CN={name}");
        let mut arguments = vec!["req", "-x509", "-new", "-key", &key, "-subj", &subject];
        arguments.extend(["-days", "30", "-out", &pem, "-addext", extension]);
        let (issuer_pem, issuer_key);
        if let Some(issuer) = issuer {
            issuer_pem = self.path(&format!("{issuer}.pem"));
            issuer_key = self.path(&format!("{issuer}.key"));
            arguments.extend(["-CA", &issuer_pem, "-CAkey", &issuer_key]);
        }
        output("openssl", &arguments, b"");
    }

    pub(crate) fn der(&self, name: &str) -> Der {
        let pem = self.path(&format!("{name}.pem"));
        Der(output(
            "openssl",
            &["x509", "-in", &pem, "-outform", "DER"],
            b"",
        ))
    }

    /// `s_server`'s options for a leaf with its issuer.
    pub(crate) fn options(&self, name: &str) -> Vec<String> {
        vec![
            "-cert".to_owned(),
            self.path(&format!("{name}.pem")),
            "-key".to_owned(),
            self.path(&format!("{name}.key")),
            "-cert_chain".to_owned(),
            self.path("sub.pem"),
        ]
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A server process that ends with its test.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    /// What it wrote.
    pub(crate) log: PathBuf,
}

impl Server {
    /// Starts a program and waits until it listens. `{port}` in the arguments is its port.
    pub(crate) fn start(program: &str, arguments: &[String], folder: &Path) -> Self {
        let port = free_port();
        let arguments: Vec<String> = arguments
            .iter()
            .map(|argument| argument.replace("{port}", &port.to_string()))
            .collect();
        let mut server = Self::spawn(program, &arguments, folder, port);
        server.wait_until_listening();
        server
    }

    /// Starts a program that has been told its port.
    pub(crate) fn spawn(program: &str, arguments: &[String], folder: &Path, port: u16) -> Self {
        let log = folder.join(format!("{port}.log"));
        let file = std::fs::File::create(&log).unwrap();
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        Self { child, port, log }
    }

    /// `openssl s_server`.
    pub(crate) fn openssl(options: &[String], more: &[&str], folder: &Path) -> Self {
        let mut arguments = vec!["s_server".to_owned(), "-accept".to_owned()];
        arguments.extend(["127.0.0.1:{port}".to_owned(), "-www".to_owned()]);
        arguments.extend(options.iter().cloned());
        arguments.extend(more.iter().map(|&option| option.to_owned()));
        Self::start("openssl", &arguments, folder)
    }

    pub(crate) fn wait_until_listening(&mut self) {
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect((LOCALHOST, self.port)).is_err() {
            let ended = self.child.try_wait().unwrap();
            let said = std::fs::read_to_string(&self.log).unwrap_or_default();
            assert!(
                ended.is_none() && Instant::now() < end,
                "port {}: nobody listens: {said}",
                self.port
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn said(&self) -> String {
        let mut text = String::new();
        let mut file = std::fs::File::open(&self.log).unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ports are handed out once, so that tests that run at the same time do not meet.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = 21_000 + (std::process::id() % 400) as u16 * 20;
    loop {
        let port = start + NEXT.fetch_add(1, Ordering::Relaxed) % 10_000;
        if TcpListener::bind((LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

pub(crate) fn config(depth: Depth) -> Config {
    Config {
        from: "test".to_owned(),
        depth,
        timing: Timing {
            connect: Duration::from_secs(2),
            answer: Duration::from_secs(5),
            check_after: Duration::from_millis(20),
            ..Timing::default()
        },
        limits: Limits {
            rate: None,
            ..Limits::default()
        },
        concurrency: 16,
        seed: [7; 32],
        clock: Arc::new(|| 1_000),
    }
}

/// Everything that a scan reports.
pub(crate) async fn scan(targets: &Targets, config: Config) -> Vec<Report> {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(8);
    let cursor = Cursor::new(targets, &config.seed);
    let collect = async {
        let mut reports = Vec::new();
        while let Some(report) = receiver.recv().await {
            reports.push(report);
        }
        reports
    };
    let (_, reports) = tokio::join!(run(targets, config, &cursor, sender), collect);
    reports
}

pub(crate) fn observations(reports: Vec<Report>) -> Vec<Observation> {
    let seen = reports.into_iter().filter_map(|report| match report {
        Report::Seen { observation, .. } => Some(*observation),
        Report::Silent { .. } => None,
    });
    seen.collect()
}

/// One place on loopback, as `SERVICE` of the command line says it, with a server name or without.
pub(crate) async fn look_at(service: &str, name: Option<&str>, config: Config) -> Observation {
    let services = Service::list(service).unwrap();
    let targets = match name {
        Some(name) => Targets::new(&[], &[(name.to_owned(), LOCALHOST)], services, vec![]),
        None => Targets::new(&["127.0.0.1".parse().unwrap()], &[], services, vec![]),
    };
    let mut seen = observations(scan(&targets.unwrap(), config).await);
    assert_eq!(seen.len(), 1, "{seen:?}");
    seen.remove(0)
}

pub(crate) async fn look(port: u16, depth: Depth) -> Observation {
    look_at(&format!("{port}/tls"), None, config(depth)).await
}
