//! What was found by looking, whichever way: kept for the report as far as it is shown, and written as it comes.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use agent::observation::{Observation, Outcome, Place};
use clap::Args;
use serde_json::{Value, json};
use x509::Certificate;

use crate::output::{Done, Failure, Report, failed, table};

/// Certificates that a report names; `--out` keeps them all.
const SHOWN: usize = 10_000;
/// Places that a report names for one of them.
const PLACES: usize = 5;

#[derive(Args)]
pub(super) struct Out {
    /// Write every observation to this file, a line of JSON each.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

/// What was found, kept for the report as far as it is shown, and written as it comes.
pub(super) struct Found {
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
    pub(super) fn new(out: &Out) -> Result<Self, Failure> {
        Self::open(out.out.as_ref(), false)
    }

    /// With a file, written anew or from its end on.
    pub(super) fn open(out: Option<&PathBuf>, append: bool) -> Result<Self, Failure> {
        let out = match out {
            Some(path) => {
                let mut options = OpenOptions::new();
                options.create(true).append(append);
                if !append {
                    options.write(true).truncate(true);
                }
                let file = options.open(path);
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

    pub(super) fn note(&mut self, seen: &Observation) {
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

    /// Hands to the file what was not yet; the report says if it could not be.
    pub(super) fn flush(&mut self) {
        if let (Ok(()), Some((path, file))) = (&self.written, &mut self.out) {
            self.written = file
                .flush()
                .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())));
        }
    }

    /// What is found can no longer be written down.
    pub(super) fn is_lost(&self) -> bool {
        self.written.is_err()
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

    pub(super) fn report(self, summary: Value, text: &str) -> Done {
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
pub(super) fn printable(text: &str) -> String {
    let shown = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(shown).collect()
}

/// A place as people write it.
pub(super) fn place(place: &Place) -> String {
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
