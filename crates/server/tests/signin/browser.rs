//! A browser as far as the server can tell: curl with a cookie, an origin and the session's own value.

use std::process::Command;

use serde_json::{Value, json};

use crate::House;
use crate::authenticator::Authenticator;
use crate::support::run;

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn cookies(&self) -> Vec<&str> {
        let set = self.headers.iter().filter(|(name, _)| name == "set-cookie");
        set.map(|(_, value)| value.as_str()).collect()
    }

    /// The rule that refused.
    pub(crate) fn rule(&self) -> &str {
        self.body["rule"].as_str().unwrap_or_default()
    }
}

pub(crate) struct Browser<'a> {
    house: &'a House,
    pub(crate) cookie: Option<String>,
    pub(crate) oidc_cookie: Option<String>,
    pub(crate) csrf: Option<String>,
    /// Of the page that asks.
    pub(crate) origin: Option<String>,
    pub(crate) extra: Vec<String>,
}

const SESSION: &str = "__Host-ward-session=";
const OIDC: &str = "__Host-ward-oidc=";

impl<'a> Browser<'a> {
    pub(crate) fn new(house: &'a House) -> Self {
        Self {
            house,
            cookie: None,
            oidc_cookie: None,
            csrf: None,
            origin: Some(house.origin.clone()),
            extra: Vec::new(),
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, None).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, Some(body)).await
    }

    pub(crate) async fn delete(&mut self, path: &str) -> Answer {
        self.ask("DELETE", path, None).await
    }

    pub(crate) async fn ask(&mut self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let mut command = Command::new("curl");
        command
            .args(["-sS", "-i", "--http1.1", "-X", method, "--cacert"])
            .arg(self.house.ward.path("root.pem"));
        let mut header = |text: String| {
            command.args(["-H", &text]);
        };
        let cookies = [(SESSION, &self.cookie), (OIDC, &self.oidc_cookie)];
        let cookies = cookies
            .iter()
            .filter_map(|(name, value)| Some(format!("{name}{}", value.as_ref()?)));
        let cookies: Vec<String> = cookies.collect();
        if !cookies.is_empty() {
            header(format!("Cookie: {}", cookies.join("; ")));
        }
        if method != "GET" {
            if let Some(origin) = &self.origin {
                header(format!("Origin: {origin}"));
            }
            if let Some(csrf) = &self.csrf {
                header(format!("X-Ward-CSRF: {csrf}"));
            }
        }
        for extra in &self.extra {
            header(extra.clone());
        }
        if let Some(body) = body {
            header("Content-Type: application/json".to_owned());
            command.args(["--data-binary", &body.to_string()]);
        }
        command.arg(format!("{}{path}", self.house.origin));
        let text = run(command).await;
        let answer = read(&text);
        self.keep(&answer);
        answer
    }

    fn keep(&mut self, answer: &Answer) {
        for set in answer.cookies() {
            let pair = set.split(';').next().unwrap();
            let value = |name| {
                pair.strip_prefix(name)
                    .map(|value| Some(value.to_owned()).filter(|value| !value.is_empty()))
            };
            if let Some(value) = value(SESSION) {
                self.cookie = value;
            }
            if let Some(value) = value(OIDC) {
                self.oidc_cookie = value;
            }
        }
        if let Some(csrf) = answer.body["csrf"].as_str() {
            self.csrf = Some(csrf.to_owned());
        }
    }

    pub(crate) async fn register(&mut self, authenticator: &mut Authenticator) -> Answer {
        let started = self
            .post("/api/v1/session/passkeys/start", &json!({}))
            .await;
        if started.status != 200 {
            return started;
        }
        let credential = authenticator.create(&started.body["publicKey"]);
        let finish = json!({ "ceremony": started.body["ceremony"], "credential": credential, "name": "key ring" });
        self.post("/api/v1/session/passkeys/finish", &finish).await
    }

    pub(crate) async fn sign_in(&mut self, authenticator: &mut Authenticator) -> Answer {
        let finish = self
            .assertion("/api/v1/sign-in/passkey/start", authenticator)
            .await;
        self.post("/api/v1/sign-in/passkey/finish", &finish).await
    }

    pub(crate) async fn step_up(&mut self, authenticator: &mut Authenticator) -> Answer {
        let finish = self
            .assertion("/api/v1/session/step-up/start", authenticator)
            .await;
        self.post("/api/v1/session/step-up/finish", &finish).await
    }

    /// The body that finishes a ceremony.
    pub(crate) async fn assertion(
        &mut self,
        start: &str,
        authenticator: &mut Authenticator,
    ) -> Value {
        let started = self.post(start, &json!({})).await;
        assert_eq!(started.status, 200, "{started:?}");
        let credential = authenticator.get(&started.body["publicKey"]);
        json!({ "ceremony": started.body["ceremony"], "credential": credential })
    }
}

fn read(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let headers = lines.filter_map(|line| line.split_once(':'));
    Answer {
        status,
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        text: body.to_owned(),
        body: serde_json::from_str(body).unwrap_or_default(),
    }
}
