//! A Ward of one's own in a temporary directory, and OpenSSL to hold its work against.

// Each test file uses its own part; helpers outside of test functions may fail like tests.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Hospital {
    folder: TempDir,
}

/// What a command printed, and how it ended.
pub(crate) struct Ran {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }

    /// Holds what came of a command against an exit status, and texts that must be in the output (either stream).
    pub(crate) fn must(&self, command: &str, status: i32, texts: &[&str]) {
        let printed = format!("{}{}", self.stdout, self.stderr);
        assert_eq!(self.status, status, "ward {command}\n{printed}");
        for text in texts {
            assert!(
                printed.contains(text),
                "ward {command}: no {text:?} in\n{printed}"
            );
        }
    }
}

pub(crate) fn ward(folder: &Path, arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_ward"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("WARD_DATA")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ran::of(output)
}

pub(crate) fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "openssl {arguments:?}: {stdout}{stderr}"
    );
    stdout.into_owned()
}

impl Hospital {
    pub(crate) fn new() -> Self {
        let hospital = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let ran = ward(
            hospital.folder.path(),
            &[
                "init",
                "--data",
                "data",
                "--organization",
                "Mercy Hospital",
                "--publish-url",
                "http://pki.example.org",
                "--root-out",
                "usb",
            ],
        );
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        hospital
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command whose words are parted by blanks.
    pub(crate) fn ward(&self, command: &str) -> Ran {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.extend(["--data", "data"]);
        ward(self.folder.path(), &arguments)
    }

    /// Key and request by OpenSSL: `NAME.key`, `NAME.csr`.
    pub(crate) fn request(&self, name: &str, subject: &str, names: &str) {
        let (key, csr) = (
            self.path(&format!("{name}.key")),
            self.path(&format!("{name}.csr")),
        );
        let names = format!("subjectAltName={names}");
        let mut arguments = vec![
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-sha256",
        ];
        arguments.extend([
            "-keyout",
            key.to_str().unwrap(),
            "-out",
            csr.to_str().unwrap(),
            "-subj",
            subject,
            "-addext",
            &names,
        ]);
        openssl(&arguments);
    }

    /// A server certificate for a name, from a request of its own.
    pub(crate) fn issue(&self, name: &str) -> Value {
        self.request(name, &format!("/CN={name}"), &format!("DNS:{name}"));
        let ran = self.ward(&format!(
            "cert issue --profile server-tls --csr {name}.csr --json"
        ));
        assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
        ran.json()
    }

    /// A server on ports that the system chooses, once it answers.
    pub(crate) fn serve(&self) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ward"))
            .args([
                "serve",
                "--data",
                "data",
                "--listen",
                "127.0.0.1:0",
                "--http",
                "127.0.0.1:0",
            ])
            .current_dir(self.folder.path())
            .env_remove("WARD_DATA")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(
            line.contains("https://127.0.0.1:") && line.contains("http://127.0.0.1:"),
            "{line:?}"
        );
        Server(child)
    }
}

pub(crate) struct Server(Child);

impl Server {
    /// A server that was started in another way.
    pub(crate) fn of(child: Child) -> Self {
        Self(child)
    }

    /// SIGTERM, as systemd sends it; gives the exit status.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        let killed = Command::new("kill")
            .args(["-TERM", &self.0.id().to_string()])
            .status()
            .unwrap();
        assert!(killed.success());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Exit status, and texts that must be in the output (either stream).
pub(crate) type Expected = (i32, &'static [&'static str]);

/// Runs each command and holds what came of it against what is expected.
pub(crate) fn check(hospital: &Hospital, table: &[(&str, Expected)]) {
    for (command, (status, texts)) in table {
        hospital.ward(command).must(command, *status, texts);
    }
}
