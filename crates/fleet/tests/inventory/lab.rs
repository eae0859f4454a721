//! Certificates by the `openssl` command, and observations of them.

use std::process::{Command, Stdio};

use agent::observation::{Der, How, Observation, Outcome, Place};
use audit::Timestamp;
use fleet::inventory::Source;
use store::Row;

use crate::support::{House, NOW};

/// A directory with keys in it.
pub(crate) struct Lab {
    directory: tempfile::TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Lab {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn openssl(&self, args: &[&str]) {
        let out = Command::new("openssl")
            .args(args)
            .current_dir(self.directory.path())
            .env("OPENSSL_CONF", "/dev/null")
            .stdin(Stdio::null())
            .output()
            .expect("the openssl command is needed by these tests");
        let told = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "openssl {args:?}: {told}");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.directory.path().join(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.directory.path().join(name), bytes).unwrap();
    }

    /// A root with its key in `NAME.key` and itself in `NAME.pem`; returns its DER.
    pub(crate) fn root(&self, name: &str) -> Vec<u8> {
        let (key, pem, der) = names(name);
        let subject = format!("/O=Elsewhere/CN={name}");
        self.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            &key,
            "-subj",
            &subject,
            "-days",
            "3650",
            "-out",
            &pem,
            "-addext",
            "basicConstraints=critical,CA:TRUE",
        ]);
        self.openssl(&["x509", "-in", &pem, "-outform", "DER", "-out", &der]);
        self.read(&der)
    }

    /// A certificate for a name with a key of its own, by a root made here; returns its DER.
    pub(crate) fn leaf(&self, root: &str, name: &str, more: &[&str]) -> Vec<u8> {
        let (key, pem, der) = names(name);
        let (root_key, root_pem, _) = names(root);
        let subject = format!("/O=Elsewhere/CN={name}");
        let san = format!("subjectAltName=DNS:{name}");
        let mut args = vec![
            "req", "-x509", "-nodes", "-keyout", &key, "-subj", &subject, "-out", &pem, "-CA",
            &root_pem, "-CAkey", &root_key, "-addext", &san,
        ];
        if !more.contains(&"-newkey") {
            args.extend(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        }
        if !more.contains(&"-days") {
            args.extend(["-days", "90"]);
        }
        args.extend(more);
        self.openssl(&args);
        self.openssl(&["x509", "-in", &pem, "-outform", "DER", "-out", &der]);
        self.read(&der)
    }
}

fn names(name: &str) -> (String, String, String) {
    let plain = name.replace(['*', '/'], "_");
    (
        format!("{plain}.key"),
        format!("{plain}.pem"),
        format!("{plain}.der"),
    )
}

pub(crate) fn source() -> Source {
    Source {
        name: "scanner-1".to_owned(),
        scan: Some("s1".to_owned()),
    }
}

pub(crate) fn at(address: &str, port: u16) -> Place {
    Place::Network {
        address: address.parse().unwrap(),
        port,
        sni: None,
        starttls: None,
    }
}

/// A chain at a place, `ago` milliseconds before [`NOW`].
pub(crate) fn seen(place: Place, chain: &[&[u8]], ago: i64) -> Observation {
    let mut seen = Observation::new(
        NOW.0 - ago,
        "scanner-1",
        How::Scan,
        place,
        Outcome::Certificate,
    );
    seen.chain = chain.iter().map(|der| Der::from(*der)).collect();
    seen
}

pub(crate) fn said(place: Place, outcome: Outcome, ago: i64) -> Observation {
    Observation::new(NOW.0 - ago, "scanner-1", How::Scan, place, outcome)
}

impl House {
    /// Takes in a batch as the command line would.
    pub(crate) async fn ingest(&self, batch: &[Observation]) -> fleet::inventory::Ingested {
        self.ingest_at(batch, NOW).await
    }

    pub(crate) async fn ingest_at(
        &self,
        batch: &[Observation],
        now: Timestamp,
    ) -> fleet::inventory::Ingested {
        let permit = self.permit(access::Action::RunDiscovery);
        let done = self.fleet.ingest(&permit, &source(), batch, now).await;
        done.unwrap()
    }

    pub(crate) async fn rows(&self, sql: &'static str) -> Vec<Row> {
        self.ca.store().query(sql, vec![]).await.unwrap()
    }
}
