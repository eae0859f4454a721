//! Signing in over the real listener: each way in, and each way in which somebody who should not come in tries to. The
//! client is curl, the authenticator and the OpenID provider are written here, from the standards and not from the code
//! under test (R07, R37).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    reason = "helpers of tests are tests"
)]

mod authenticator;
mod browser;
mod oidc;
mod passkeys;
mod provider;
mod reach;
mod sessions;
#[path = "../support/mod.rs"]
mod support;
mod ways;

use access::{Action, Grant, Person, Profile, Role};
use serde_json::Value;
use server::config::Config;
use support::{Ward, free_port, permit};

use authenticator::Authenticator;
use browser::Browser;

/// A Ward that is reached as `https://localhost:PORT`, with people.
pub(crate) struct House {
    pub(crate) ward: Ward,
    pub(crate) origin: String,
}

impl House {
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(configure: impl FnOnce(&mut Config)) -> Self {
        let port = free_port();
        let origin = format!("https://localhost:{port}");
        let url = origin.clone();
        let ward = Ward::start_with(|config| {
            config.api = format!("127.0.0.1:{port}").parse().unwrap();
            config.url = Some(url);
            configure(config);
        })
        .await;
        Self { ward, origin }
    }

    pub(crate) async fn person(&self, id: &str, roles: &[Role]) -> Person {
        let profile = Profile {
            name: format!("{id} of Mercy Hospital"),
            email: Some(format!("{id}@example.org")),
            grants: roles.iter().copied().map(Grant::everywhere).collect(),
            groups: Vec::new(),
        };
        let access = &self.ward.access;
        let permit = permit(access, Action::ManagePeople);
        access
            .create_person(&permit, id, profile, server::wall_clock())
            .await
            .unwrap()
    }

    /// A one-time link's token.
    pub(crate) async fn invitation(&self, id: &str, lasts_ms: i64) -> String {
        let access = &self.ward.access;
        let permit = permit(access, Action::RecoverSignIn);
        let invited = access
            .invite(&permit, id, lasts_ms, server::wall_clock())
            .await;
        invited.unwrap().1.to_string()
    }

    /// Somebody new with a passkey, registered through a one-time link.
    pub(crate) async fn enrolled(&self, id: &str, roles: &[Role]) -> Authenticator {
        self.person(id, roles).await;
        let token = self.invitation(id, 60_000).await;
        let mut browser = self.browser();
        let answer = browser
            .post(
                "/api/v1/sign-in/invitation",
                &serde_json::json!({ "token": token }),
            )
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let mut authenticator = Authenticator::new(&self.origin);
        let answer = browser.register(&mut authenticator).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        authenticator
    }

    /// Somebody new, signed in with a passkey.
    pub(crate) async fn at_work(&self, id: &str, roles: &[Role]) -> (Browser<'_>, Authenticator) {
        let mut authenticator = self.enrolled(id, roles).await;
        let mut browser = self.browser();
        let answer = browser.sign_in(&mut authenticator).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        (browser, authenticator)
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser::new(self)
    }

    /// Events of an action, the oldest first.
    pub(crate) async fn events(&self, action: &str) -> Vec<Value> {
        let entries = self.ward.ca.store().events(0, 10_000).await.unwrap();
        let parsed = entries
            .iter()
            .map(|entry| serde_json::from_slice::<Value>(&entry.body).unwrap());
        parsed.filter(|event| event["action"] == action).collect()
    }

    /// Whether any event has any of these texts in it: secrets must not.
    pub(crate) async fn log_mentions(&self, texts: &[&str]) -> bool {
        let entries = self.ward.ca.store().events(0, 10_000).await.unwrap();
        let bodies = entries
            .iter()
            .map(|entry| String::from_utf8_lossy(&entry.body));
        let mut bodies = bodies.map(|body| body.into_owned());
        bodies.any(|body| texts.iter().any(|text| body.contains(text)))
    }
}
