#![allow(
    unreachable_pub,
    dead_code,
    reason = "shared by several test programs, none of which uses all of it"
)]

//! A whole Ward in this process: database, hierarchy, listeners; and `curl` and `openssl` to talk to it, because what
//! counts is what other people's software makes of the answers.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use access::{Access, Action, NewToken, Role, Scope, Target};
use audit::Timestamp;
use serde_json::Value;
use server::Addresses;
use server::config::Config;
use tempfile::TempDir;
use tokio::sync::{Notify, oneshot};

pub struct Ward {
    pub dir: TempDir,
    pub addresses: Addresses,
    pub access: Access,
    pub ca: ca::Ca,
    stop: Arc<Notify>,
    stopped: Option<oneshot::Receiver<()>>,
}

impl Ward {
    /// Starts on free ports, with a hierarchy whose root key was carried to `dir/usb`.
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// The same with another configuration.
    pub async fn start_with(configure: impl FnOnce(&mut Config)) -> Self {
        Self::serve(TempDir::new().unwrap(), "", configure).await
    }

    /// A hierarchy that was founded at an instant of the past, served since now.
    pub async fn founded(at: Timestamp) -> Self {
        let dir = TempDir::new().unwrap();
        found(&open(dir.path(), "").await.unwrap().1, dir.path(), at).await;
        Self::serve(dir, "", |_| ()).await
    }

    /// Serves what is in `dir`, or founds it there; `options` are the database's.
    pub async fn serve(dir: TempDir, options: &str, configure: impl FnOnce(&mut Config)) -> Self {
        let (store, ca) = open(dir.path(), options).await.unwrap();
        let access = ca.access().clone();
        let mut config = Config::load(dir.path()).unwrap();
        config.api = "127.0.0.1:0".parse().unwrap();
        config.status = "127.0.0.1:0".parse().unwrap();
        if ca.settings().is_none() {
            let port = found(&ca, dir.path(), server::wall_clock()).await;
            config.status = format!("127.0.0.1:{port}").parse().unwrap();
        }
        configure(&mut config);
        let stop = Arc::new(Notify::new());
        let (started, addresses) = oneshot::channel();
        let (ended, stopped) = oneshot::channel();
        let (serving_access, serving_ca, stopping) =
            (access.clone(), ca.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let started = |addresses| {
                started.send(addresses).ok();
            };
            let stop = async move { stopping.notified().await };
            server::serve(
                config,
                server::Sockets::default(),
                store,
                serving_access,
                serving_ca,
                started,
                stop,
            )
            .await
            .unwrap();
            ended.send(()).ok();
        });
        let addresses = addresses.await.unwrap();
        let ward = Self {
            dir,
            addresses,
            access,
            ca,
            stop,
            stopped: Some(stopped),
        };
        ward.write_anchors();
        ward
    }

    /// Ends as a signal would end it, and gives back what is on disk.
    pub async fn stop(mut self) -> TempDir {
        self.stop.notify_one();
        self.stopped.take().unwrap().await.unwrap();
        self.dir
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write_anchors(&self) {
        let root = self.ca.issuer("root").unwrap();
        std::fs::write(self.path("root.pem"), root.certificate().to_pem()).unwrap();
        let issuing = self
            .ca
            .issuers()
            .into_iter()
            .filter(|issuer| issuer.name() != "root");
        let chain: String = issuing
            .map(|issuer| issuer.certificate().to_pem())
            .collect();
        std::fs::write(self.path("issuing.pem"), chain).unwrap();
    }

    pub async fn token(&self, name: &str, roles: &[Role], scope: Scope) -> String {
        let new = NewToken {
            name: name.into(),
            person: true,
            roles: roles.to_vec(),
            scope,
            expires: None,
        };
        let permit = permit(&self.access, Action::ManageTokens);
        self.access
            .create_token(permit, new, server::wall_clock())
            .await
            .unwrap()
            .1
            .to_string()
    }

    /// One request by curl over TLS verified against Ward's own root. Gives status and body.
    pub async fn curl(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let mut command = Command::new("curl");
        command
            .args(["-sS", "-X", method, "-w", "\n%{http_code}", "--cacert"])
            .arg(self.path("root.pem"));
        if let Some(token) = token {
            command.args(["-H", &format!("Authorization: Bearer {token}")]);
        }
        if let Some(body) = body {
            // One file a call: some are made at the same time.
            static CALLS: AtomicU32 = AtomicU32::new(0);
            let file = self.path(&format!("body-{}.json", CALLS.fetch_add(1, Relaxed)));
            std::fs::write(&file, body.to_string()).unwrap();
            command.args([
                "-H",
                "Content-Type: application/json",
                "--data-binary",
                &format!("@{}", file.display()),
            ]);
        }
        self.answer(command, path).await
    }

    /// The answer to a file that is sent as it is, however long it takes.
    pub async fn curl_file(
        &self,
        path: &str,
        token: &str,
        file: &Path,
        more: &[&str],
    ) -> (u16, Value) {
        let mut command = Command::new("curl");
        command
            .args(["-sS", "-X", "POST", "-w", "\n%{http_code}", "--cacert"])
            .arg(self.path("root.pem"))
            .args(["-H", &format!("Authorization: Bearer {token}"), "-T"])
            .arg(file)
            .args(more);
        self.answer(command, path).await
    }

    async fn answer(&self, mut command: Command, path: &str) -> (u16, Value) {
        command.arg(format!(
            "https://localhost:{}{path}",
            self.addresses.api.port()
        ));
        let text = run(command).await;
        let (body, status) = text.rsplit_once('\n').unwrap();
        (
            status.parse().unwrap(),
            serde_json::from_str(body).unwrap_or(Value::String(body.to_owned())),
        )
    }

    /// A P-256 CSR made by openssl.
    pub async fn csr(&self, name: &str) -> String {
        let (key, csr) = (self.path("csr.key"), self.path("csr.pem"));
        let mut command = Command::new("openssl");
        command.args([
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
        ]);
        command
            .arg(&key)
            .arg("-out")
            .arg(&csr)
            .args(["-subj", &format!("/CN={name}")]);
        command.args(["-addext", &format!("subjectAltName=DNS:{name}")]);
        run(command).await;
        std::fs::read_to_string(csr).unwrap()
    }
}

/// Opens the database and the CA of a directory, as the program does.
pub async fn open(dir: &Path, options: &str) -> Result<(store::Store, ca::Ca), ca::CaError> {
    let url = format!("sqlite:{}{options}", dir.join("ward.db").display());
    let migrations: Vec<_> = ca::MIGRATIONS
        .iter()
        .chain(access::MIGRATIONS)
        .chain(fleet::MIGRATIONS)
        .chain(enroll::MIGRATIONS)
        .copied()
        .collect();
    let store = store::Store::open(&url, &migrations).await?;
    let access = Access::open(store.clone());
    let keyring = keys::Keyring::open(keys::KeyringConfig::new(dir))?;
    let now = server::wall_clock();
    let ca = ca::Ca::open(store.clone(), keyring, access, now).await?;
    Ok((store, ca))
}

/// Makes the hierarchy, its root key carried to `dir/usb`. Gives the port that its URLs name.
async fn found(ca: &ca::Ca, dir: &Path, now: Timestamp) -> u16 {
    let port = free_port();
    let mut answers = ca::Answers::new("Mercy Hospital");
    answers.base_url = format!("http://127.0.0.1:{port}");
    let carry = ca::Carry {
        directory: dir.join("usb"),
        passphrase: "correct horse battery".to_owned().into(),
    };
    let permit = permit(ca.access(), Action::ManageAuthorities);
    ca.init(permit, &answers, ca::RootKey::Carry(carry), now)
        .await
        .unwrap();
    port
}

pub fn permit(access: &Access, action: Action) -> access::Permit {
    access
        .decide(
            &access.local_principal("tester"),
            action,
            &Target::default(),
        )
        .unwrap()
}

/// Runs a program to its end, off the runtime's threads; it must succeed.
pub async fn run(command: Command) -> String {
    let shown = format!("{command:?}");
    let output = output(command).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{shown}\n{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

pub async fn output(mut command: Command) -> Output {
    let program = command.get_program().to_owned();
    tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap_or_else(|error| {
            panic!(
                "{}: {error}; `make deps` installs it",
                Path::new(&program).display()
            )
        })
}

pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
