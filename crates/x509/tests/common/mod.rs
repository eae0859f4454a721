//! The `openssl` command as an independent peer: it makes the objects and reads ours.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

/// A directory that goes away, with openssl run inside it.
pub(crate) struct Lab {
    dir: tempfile::TempDir,
}

impl Lab {
    pub(crate) fn new() -> Lab {
        Lab {
            dir: tempfile::tempdir().expect("temporary directory"),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, data: impl AsRef<[u8]>) {
        fs::write(self.path(name), data).expect("write");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Standard output; fails the test if openssl fails.
    pub(crate) fn openssl(&self, args: &str) -> String {
        let (ok, out, err) = self.try_openssl(args);
        assert!(ok, "openssl {args}\n{out}\n{err}");
        out
    }

    pub(crate) fn try_openssl(&self, args: &str) -> (bool, String, String) {
        let words = split(args);
        let out = Command::new("openssl")
            .args(&words)
            .current_dir(self.dir.path())
            .env("OPENSSL_CONF", "/dev/null")
            .stdin(Stdio::null())
            .output()
            .expect("the openssl command is needed by these tests");
        (
            out.status.success(),
            String::from_utf8_lossy(&out.stdout).into_owned(),
            String::from_utf8_lossy(&out.stderr).into_owned(),
        )
    }

    /// A private key file, by openssl's own names.
    pub(crate) fn key(&self, name: &str, kind: &str) {
        let args = match kind {
            "ed25519" => format!("genpkey -algorithm ed25519 -out {name}"),
            k if k.starts_with('P') => {
                format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{k} -out {name}")
            }
            bits => format!("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{bits} -out {name}"),
        };
        self.openssl(&args);
    }

    /// Makes a request by a configuration and returns its DER.
    pub(crate) fn request(&self, key: &str, config: &str, extra: &str) -> Vec<u8> {
        self.write("req.cnf", config);
        self.openssl(&format!(
            "req -new -config req.cnf -key {key} -outform DER -out req.der {extra}"
        ));
        self.read("req.der")
    }

    /// Makes a self-signed certificate by a configuration and returns its DER.
    pub(crate) fn certificate(&self, key: &str, config: &str, extra: &str) -> Vec<u8> {
        self.write("x509.cnf", config);
        self.openssl(&format!(
            "req -x509 -new -config x509.cnf -key {key} -outform DER -out x509.der {extra}"
        ));
        self.read("x509.der")
    }
}

/// Words separated by spaces; single quotes hold a word together.
fn split(args: &str) -> Vec<String> {
    let parts = args.split('\'').enumerate();
    parts
        .flat_map(|(i, part)| match i % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}
