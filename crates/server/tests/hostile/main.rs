//! Bad input over the real sockets: what each piece of it is answered, by which rule, and that nothing of it stays
//! half-done. Expectations are the standards' (the clause stands in the table), the clients are other people's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    reason = "helpers of tests are tests"
)]

mod forge;
mod json;
mod people;
mod requests;
mod status;
#[path = "../support/mod.rs"]
mod support;
mod wire;
mod wishes;

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use access::{Role, Scope};
use serde_json::Value;
use support::{Ward, run};

/// Status services renew their own responders' certificates whenever they have to.
const ISSUED: &str = "SELECT COUNT(*) FROM certificates WHERE profile <> 'ocsp-responder'";

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// A Ward with a token that may ask for certificates, and a record of what it held before the attack.
pub(crate) struct Target {
    pub(crate) ward: Ward,
    pub(crate) issuer: String,
    certificates: i64,
}

impl Target {
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// With a server that waits only so long for slow clients.
    pub(crate) async fn patient(seconds: u64) -> Self {
        Self::with(|config| config.limits.head_seconds = seconds).await
    }

    pub(crate) async fn with(configure: impl FnOnce(&mut server::config::Config)) -> Self {
        let ward = Ward::start_with(configure).await;
        let issuer = ward.token("ci", &[Role::Issuer], Scope::default()).await;
        let certificates = count(&ward, ISSUED).await;
        Self {
            ward,
            issuer,
            certificates,
        }
    }

    /// One request by curl, headers and octets as given; the path goes out as it is.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &[u8],
    ) -> Answer {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = self.ward.path(&format!("body-{number}"));
        std::fs::write(&file, body).unwrap();
        let mut command = Command::new("curl");
        command.args(["-sS", "--path-as-is", "--max-time", "30", "-X", method]);
        command.args(["-w", "\n%{content_type}\n%{http_code}", "--cacert"]);
        command.arg(self.ward.path("root.pem"));
        headers.iter().for_each(|header| {
            command.args(["-H", header]);
        });
        if method == "HEAD" {
            command.arg("--head");
        } else if !body.is_empty() {
            command.arg("--data-binary");
            command.arg(format!("@{}", file.display()));
        }
        let base = match path.starts_with("http:") {
            true => String::new(),
            false => format!("https://localhost:{}", self.ward.addresses.api.port()),
        };
        command.arg(format!("{base}{path}"));
        let text = run(command).await;
        let (rest, status) = text.rsplit_once('\n').unwrap();
        let (body, kind) = rest.rsplit_once('\n').unwrap();
        Answer {
            status: status.parse().unwrap(),
            kind: kind.to_owned(),
            body: body.to_owned(),
        }
    }

    /// An authenticated JSON request under an id that its events are found by.
    pub(crate) async fn post(&self, path: &str, token: &str, id: &str, body: &[u8]) -> Answer {
        let headers = [
            format!("Authorization: Bearer {token}"),
            format!("X-Request-Id: {id}"),
            "Content-Type: application/json".to_owned(),
        ];
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        self.send("POST", path, &headers, body).await
    }

    /// Public documents are on the other listener.
    pub(crate) fn public(&self, path: &str) -> String {
        format!("http://{}{path}", self.ward.addresses.status)
    }

    /// Events of one request, as the log has them.
    pub(crate) async fn events(&self, request_id: &str) -> Vec<Value> {
        let store = self.ward.ca.store();
        let size = store.log_size().await.unwrap();
        let entries = store.events(0, size).await.unwrap();
        let events = entries
            .iter()
            .map(|entry| serde_json::from_slice::<Value>(&entry.body).unwrap());
        events
            .filter(|event| event["request"] == request_id)
            .collect()
    }

    /// The attempt is in the log once, as refused, with its rule; else what is wrong.
    pub(crate) async fn logged(&self, request_id: &str, rule: &str) -> Result<(), String> {
        let events = self.events(request_id).await;
        let refused = |event: &&Value| {
            let why = event["why"].as_str().unwrap_or_default();
            event["outcome"] == "refused" && why.contains(&format!("[{rule};"))
        };
        match events.len() == 1 && events.iter().all(|event| refused(&event)) {
            true => Ok(()),
            false => Err(format!("{rule} is not in the log once: {events:?}")),
        }
    }

    /// Responders' certificates are issued in the background: an intent of theirs may stand for a moment.
    async fn assert_nothing_open(&self) {
        let open = "SELECT COUNT(*) FROM intents";
        for _ in 0..100 {
            if count(&self.ward, open).await == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("an intent stays open");
    }

    /// Nothing was issued beyond `issued`, nothing is half-done, the log is whole, and Ward still works.
    pub(crate) async fn assert_unharmed(&self, issued: i64) {
        let ward = &self.ward;
        self.assert_nothing_open().await;
        let certificates = count(ward, ISSUED).await;
        assert_eq!(certificates, self.certificates + issued);
        let notary = ward.ca.notary().await.unwrap();
        let now = server::wall_clock();
        let report = notary.verify(None, now, |_, _| ()).await.unwrap();
        assert!(report.is_ok(), "{report:?}");
        let sound = serde_json::json!({ "profile": "server-tls", "csr": ward.csr("sound.example.org").await });
        let answer = self
            .post(
                "/api/v1/certificates",
                &self.issuer,
                "sound",
                sound.to_string().as_bytes(),
            )
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
}

async fn count(ward: &Ward, sql: &'static str) -> i64 {
    let rows = ward.ca.store().query(sql, Vec::new()).await.unwrap();
    rows[0].int(0).unwrap()
}

/// A problem document (RFC 9457) of this kind, complete; else what is wrong.
pub(crate) fn problem(answer: &Answer, status: u16, kind: &str) -> Result<Value, String> {
    let problem = answer.json();
    let sound = answer.status == status
        && answer.kind == "application/problem+json"
        && problem["type"] == format!("urn:ward:problem:{kind}")
        && problem["status"] == status
        && problem["request_id"].is_string();
    match sound {
        true => Ok(problem),
        false => Err(format!("{status} {kind} expected: {answer:?}")),
    }
}

/// A refusal by this rule, which stands in this source; else what is wrong.
pub(crate) fn refusal(
    answer: &Answer,
    status: u16,
    rule: &str,
    source: &str,
) -> Result<(), String> {
    let problem = problem(answer, status, "refused")?;
    let stands = problem["source"].as_str().unwrap_or_default();
    match problem["rule"] == rule && stands.contains(source) {
        true => Ok(()),
        false => Err(format!("[{rule}; {source}] expected: {problem}")),
    }
}

/// All lines of a table are tried; this says which of them did not hold.
#[derive(Default)]
pub(crate) struct Verdict(Vec<String>);

impl Verdict {
    pub(crate) fn note<T>(&mut self, what: &str, outcome: Result<T, String>) {
        if let Err(fault) = outcome {
            self.0.push(format!("{what}: {fault}"));
        }
    }

    pub(crate) fn assert(self) {
        assert!(self.0.is_empty(), "\n{}", self.0.join("\n"));
    }
}
