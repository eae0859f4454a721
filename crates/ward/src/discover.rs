//! `ward discover`: certificates that nobody told Ward about, from captured traffic and from files on hosts (R16, R17, R53).
//! Nothing is sent to anybody. Needs no data directory: it may run where there is no Ward, and its observations be carried.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use agent::observation::{Observation, Outcome, Place};
use agent::{capture, files};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use x509::Certificate;
use zeroize::Zeroizing;

use crate::clock;
use crate::output::{Done, Failure, Report, failed, read, table};

/// Certificates that a report names; `--out` keeps them all.
const SHOWN: usize = 10_000;
/// Places that a report names for one of them.
const PLACES: usize = 5;

#[derive(Subcommand)]
pub(crate) enum Discover {
    /// Read certificates and TLS parameters from captured traffic (pcap, pcapng); nothing is sent.
    #[command(
        after_help = "Certificates are seen up to TLS 1.2; of TLS 1.3, which encrypts them, server names, suites and groups.\n\nExample:\n  tcpdump -i eth0 -w icu.pcap 'tcp'\n  ward discover pcap icu.pcap --out icu.jsonl"
    )]
    Pcap(Pcap),
    /// Find certificates, keys beside them and the server configuration that names them, in files of this host.
    #[command(
        after_help = "Reads PEM, DER, PKCS #7, PKCS #12 and JKS, and the configuration of nginx, Apache and HAProxy. Of private keys it says where they lie and whose they are.\n\nExample:\n  ward discover files /etc /opt/engine --passwords passwords.txt --out engine-1.jsonl"
    )]
    Files(Files),
}

#[derive(Args)]
pub(crate) struct Pcap {
    /// Capture files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    captures: Vec<PathBuf>,
    #[command(flatten)]
    out: Out,
}

#[derive(Args)]
pub(crate) struct Files {
    /// Folders, walked to their end, or files.
    #[arg(required = true, value_name = "PATH")]
    roots: Vec<PathBuf>,
    /// Name of this host in what is found; its own when absent.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Passwords to try on PKCS #12 stores, one a line.
    #[arg(long, value_name = "FILE")]
    passwords: Option<PathBuf>,
    #[command(flatten)]
    out: Out,
}

#[derive(Args)]
struct Out {
    /// Write every observation to this file, a line of JSON each.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn run(command: Discover) -> Done {
    match command {
        Discover::Pcap(options) => pcap(&options),
        Discover::Files(options) => on_host(&options),
    }
}

fn pcap(options: &Pcap) -> Done {
    let mut found = Found::new(&options.out)?;
    let mut summaries = BTreeMap::new();
    for path in &options.captures {
        let name = path.display().to_string();
        let limits = capture::Limits::default();
        let summary = capture::read(source(path)?, &name, limits, |seen| found.note(&seen));
        let summary = summary.map_err(|error| Failure::Failed(format!("{name}: {error}")))?;
        summaries.insert(name, summary);
    }
    let text = summaries.iter().map(|(name, summary)| {
        let ended = &summary.ended;
        format!(
            "{name}: {} packets, {} connections, {} of them TLS, {} TLS and not whole",
            summary.packets, summary.connections, ended.tls, ended.tls_incomplete
        )
    });
    let text = text.collect::<Vec<_>>().join("\n");
    found.report(json!(summaries), &text)
}

fn source(path: &Path) -> Result<Box<dyn Read>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    let file = File::open(path);
    let file = file.map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
    Ok(Box::new(BufReader::with_capacity(1 << 20, file)))
}

fn on_host(options: &Files) -> Done {
    for root in &options.roots {
        // A path that was mistyped would otherwise be a host without certificates.
        std::fs::symlink_metadata(root)
            .map_err(|error| Failure::NotFound(format!("{}: {error}", root.display())))?;
    }
    let host = match &options.host {
        Some(name) => name.clone(),
        None => own_name()?,
    };
    let mut look = files::Look::new(&host, clock::now().0);
    if let Some(path) = &options.passwords {
        let list = Zeroizing::new(read(path)?);
        let list = std::str::from_utf8(&list)
            .map_err(|_| Failure::Failed(format!("{}: not UTF-8", path.display())))?;
        look = look.with_passwords(list);
    }
    let mut found = Found::new(&options.out)?;
    let summary = files::look(&options.roots, &look, |seen| found.note(&seen));
    let stopped = summary
        .stopped
        .map(|limit| format!("\nSTOPPED at a limit: {limit}"));
    let text = format!(
        "{host}: {} files in {} folders, {} stores, {} locked, {} damaged, {} unreadable{}",
        summary.files,
        summary.folders,
        summary.ended.stores,
        summary.ended.locked,
        summary.ended.damaged,
        summary.unreadable + summary.ended.unreadable,
        stopped.unwrap_or_default()
    );
    found.report(json!(summary), &text)
}

fn own_name() -> Result<String, Failure> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").map_err(failed)?;
    Ok(name.trim().to_owned())
}

/// What was found, kept for the report as far as it is shown, and written as it comes.
struct Found {
    out: Option<(PathBuf, BufWriter<File>)>,
    written: Result<(), Failure>,
    observations: u64,
    /// By SHA-256 of the certificate.
    certificates: BTreeMap<[u8; 32], Seen>,
    omitted: u64,
}

struct Seen {
    certificate: Certificate,
    places: Vec<String>,
    more_places: u64,
}

impl Found {
    fn new(out: &Out) -> Result<Self, Failure> {
        let out = match &out.out {
            Some(path) => {
                let file = File::create(path);
                let file =
                    file.map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
                Some((path.clone(), BufWriter::new(file)))
            }
            None => None,
        };
        Ok(Self {
            out,
            written: Ok(()),
            observations: 0,
            certificates: BTreeMap::new(),
            omitted: 0,
        })
    }

    fn note(&mut self, seen: &Observation) {
        self.observations += 1;
        if self.written.is_ok() {
            self.written = self.write(seen);
        }
        if let (Outcome::Certificate, Some(leaf)) = (&seen.outcome, seen.chain.first()) {
            self.keep(leaf.bytes(), printable(&place(&seen.place)));
        }
    }

    fn write(&mut self, seen: &Observation) -> Result<(), Failure> {
        let Some((path, file)) = &mut self.out else {
            return Ok(());
        };
        let line = seen.line().map_err(failed)?;
        writeln!(file, "{line}")
            .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
    }

    fn keep(&mut self, der: &[u8], place: String) {
        let sha256 = audit::merkle::sha256(der);
        if let Some(seen) = self.certificates.get_mut(&sha256) {
            if seen.places.len() < PLACES {
                seen.places.push(place);
            } else {
                seen.more_places += 1;
            }
        } else if self.certificates.len() >= SHOWN {
            self.omitted += 1;
        } else if let Ok(certificate) = Certificate::from_der(der) {
            let seen = Seen {
                certificate,
                places: vec![place],
                more_places: 0,
            };
            self.certificates.insert(sha256, seen);
        }
    }

    fn report(self, summary: Value, text: &str) -> Done {
        self.written?;
        let mut text = text.to_owned();
        let mut file = None;
        if let Some((path, mut writer)) = self.out {
            writer
                .flush()
                .and_then(|()| writer.get_ref().sync_all())
                .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
            text += &format!(
                "\n{} observations written to {}",
                self.observations,
                path.display()
            );
            file = Some(path);
        }
        let rows: Vec<Vec<String>> = self.certificates.values().map(Seen::row).collect();
        if !rows.is_empty() {
            text = format!(
                "{}\n{text}",
                table(&["UNTIL", "SUBJECT", "ISSUER", "WHERE"], &rows)
            );
        }
        if self.omitted > 0 {
            text += &format!(
                "\n{} more certificates are not shown: --out keeps them",
                self.omitted
            );
        }
        let certificates = self.certificates.iter();
        let json = json!({
            "summary": summary,
            "observations": self.observations,
            "certificates": certificates.map(|(sha256, seen)| seen.json(sha256)).collect::<Vec<_>>(),
            "omitted": self.omitted,
            "file": file,
        });
        Ok(Report::new(json, text))
    }
}

impl Seen {
    fn row(&self) -> Vec<String> {
        let mut places = self.places.join(", ");
        if self.more_places > 0 {
            places += &format!(" and {} more", self.more_places);
        }
        vec![
            self.certificate.not_after().to_string(),
            self.certificate.subject().to_string(),
            self.certificate.issuer().to_string(),
            places,
        ]
    }

    fn json(&self, sha256: &[u8; 32]) -> Value {
        json!({
            "sha256": hex::encode(sha256),
            "subject": self.certificate.subject().to_string(),
            "issuer": self.certificate.issuer().to_string(),
            "serial": hex::encode(self.certificate.serial()),
            "not_before": self.certificate.not_before().to_string(),
            "not_after": self.certificate.not_after().to_string(),
            "places": self.places,
            "more_places": self.more_places,
        })
    }
}

/// Paths and names come from outside: nothing in them moves a terminal's cursor.
fn printable(text: &str) -> String {
    let shown = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(shown).collect()
}

/// A place as people write it.
fn place(place: &Place) -> String {
    match place {
        Place::Network {
            address, port, sni, ..
        } => {
            let name = sni.as_ref().map(|name| format!(" ({name})"));
            let socket = std::net::SocketAddr::new(*address, *port);
            format!("{socket}{}", name.unwrap_or_default())
        }
        Place::Client {
            address,
            server,
            port,
        } => {
            let socket = std::net::SocketAddr::new(*server, *port);
            format!("{address} as client of {socket}")
        }
        Place::Name { name, port } => format!("{name}:{port}"),
        Place::File { host, path, alias } => {
            let alias = alias.as_ref().map(|alias| format!(" [{alias}]"));
            format!("{host}:{path}{}", alias.unwrap_or_default())
        }
        Place::Log { name, index } => format!("{name} entry {index}"),
    }
}
