//! Certificates made by openssl, and a server that says what it has learnt of whoever connects.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use oldtls::{Acceptor, Error, Identity, Options, Session, Suite};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// How long anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct House {
    pub(crate) folder: TempDir,
}

impl House {
    pub(crate) fn new() -> Self {
        let house = Self {
            folder: TempDir::new().unwrap(),
        };
        house.self_signed("server", &["rsa:2048"]);
        house
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `NAME.pem`, `NAME.key` and both in DER.
    pub(crate) fn self_signed(&self, name: &str, kind: &[&str]) {
        let (pem, key) = (self.path(&format!("{name}.pem")), self.key(name));
        let subject = format!("/CN={name}");
        openssl(
            &[
                &["req", "-x509", "-nodes", "-days", "2", "-subj", &subject][..],
                &["-keyout", text(&key), "-out", text(&pem), "-newkey"][..],
                kind,
            ]
            .concat(),
        );
        let der = self.path(&format!("{name}.der"));
        openssl(&[
            "x509",
            "-in",
            text(&pem),
            "-outform",
            "DER",
            "-out",
            text(&der),
        ]);
        let der = self.path(&format!("{name}.key.der"));
        openssl(&[
            "pkcs8",
            "-topk8",
            "-nocrypt",
            "-in",
            text(&key),
            "-outform",
            "DER",
            "-out",
            text(&der),
        ]);
    }

    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.key"))
    }

    pub(crate) fn der(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(&format!("{name}.der"))).unwrap()
    }

    pub(crate) fn identity(&self, name: &str) -> Identity {
        Identity {
            chain: vec![self.der(name)],
            key: self.der(&format!("{name}.key")).into(),
        }
    }

    pub(crate) fn acceptor(&self, options: &Options) -> Acceptor {
        Acceptor::new(&self.identity("server"), options).unwrap()
    }

    /// Listens until it is dropped, and tells how each handshake went.
    pub(crate) async fn serve(&self, options: &Options) -> Server {
        let acceptor = self.acceptor(options);
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (tell, told) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                let (acceptor, tell) = (acceptor.clone(), tell.clone());
                tokio::spawn(async move {
                    let accepted = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await;
                    let stream = match accepted.unwrap_or(Err(Error::Gone)) {
                        Ok(stream) => stream,
                        Err(error) => {
                            tell.send(Err(error)).ok();
                            return;
                        }
                    };
                    let session = stream.session();
                    let mut stream = BufReader::new(stream);
                    let mut line = String::new();
                    let read = stream.read_line(&mut line).await;
                    tell.send(Ok(session.clone())).ok();
                    if read.is_ok() {
                        let answer = format!("got {line}over {}\n", session.suite);
                        stream.get_mut().write_all(answer.as_bytes()).await.ok();
                        stream.get_mut().shutdown().await.ok();
                    }
                });
            }
        });
        Server { address, told }
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    told: mpsc::UnboundedReceiver<Result<Session, Error>>,
}

impl Server {
    /// How the next handshake went.
    pub(crate) async fn next(&mut self) -> Result<Session, Error> {
        tokio::time::timeout(PATIENCE, self.told.recv())
            .await
            .expect("the server says nothing")
            .unwrap()
    }

    /// `openssl s_client` says `line` and reads to the end; all that it printed.
    pub(crate) async fn s_client(&self, line: &str, more: &[&str]) -> String {
        let mut command = Command::new("openssl");
        command
            .args(["s_client", "-connect", &self.address.to_string()])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let line = line.to_owned();
        tokio::task::spawn_blocking(move || {
            let mut client = command.spawn().expect("openssl: `make deps` installs it");
            let mut input = client.stdin.take().unwrap();
            // It may have failed already.
            std::io::Write::write_all(&mut input, line.as_bytes()).ok();
            // It reads on after the end of its input (`-ign_eof`), until the server closes.
            drop(input);
            let output = client.wait_with_output().unwrap();
            let both = [output.stdout, output.stderr].concat();
            String::from_utf8_lossy(&both).into_owned()
        })
        .await
        .unwrap()
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(crate) fn suites(names: &[&str]) -> Vec<&'static Suite> {
    let find = |name: &&str| Suite::find(name).unwrap();
    names.iter().map(find).collect()
}

pub(crate) fn openssl(arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).output();
    let output = output.expect("openssl: `make deps` installs it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
}
