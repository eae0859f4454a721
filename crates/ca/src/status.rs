//! What the status services share in memory: published lists, signed answers, responders, and the bell that wakes the
//! publisher. The database is the truth; all of this can be forgotten at any moment.

use std::collections::HashSet;

use audit::{Event, Timestamp};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Notify;
use x509::crl::Reason;

use crate::compromised::NOTED;
use crate::ocsp::{AnswerCache, Responders};
use crate::ra::RegistrationAuthorities;
use crate::{Ca, CaError, crl};

pub(crate) struct StatusServices {
    pub(crate) lists: crl::Lists,
    pub(crate) answers: AnswerCache,
    pub(crate) responders: Responders,
    pub(crate) registration: RegistrationAuthorities,
    pub(crate) nudge: Notify,
    /// Changes that this process made and has not met in the log yet: they need not be acted on twice.
    pub(crate) own_changes: Mutex<HashSet<(String, Vec<u8>)>>,
}

impl StatusServices {
    pub(crate) fn new() -> Self {
        Self {
            lists: crl::Lists::default(),
            answers: AnswerCache::new(),
            responders: Responders::default(),
            registration: RegistrationAuthorities::default(),
            nudge: Notify::new(),
            own_changes: Mutex::default(),
        }
    }
}

/// How old everything is.
#[derive(Debug, Serialize)]
pub struct StatusReport {
    pub lists: Vec<ListStatus>,
    pub responders: Vec<ResponderStatus>,
}

#[derive(Debug, Serialize)]
pub struct ListStatus {
    pub issuer: String,
    pub list: String,
    pub number: i64,
    pub entries: i64,
    pub bytes: usize,
    pub age_seconds: i64,
    pub next_update: String,
    /// Past its next update: relying parties refuse, or worse, do not.
    pub overdue: bool,
}

#[derive(Debug, Serialize)]
pub struct ResponderStatus {
    pub issuer: String,
    pub not_after: String,
}

impl Ca {
    /// Ages and ends of everything that is published.
    pub async fn status_report(&self, now: Timestamp) -> Result<StatusReport, CaError> {
        let lists = self
            .published_lists()
            .await?
            .into_iter()
            .map(|list| ListStatus {
                list: list.name.kind.to_string(),
                issuer: list.name.issuer,
                number: list.number,
                entries: list.entries,
                bytes: list.size,
                age_seconds: now.seconds() - list.this_update.0,
                next_update: list.next_update.to_string(),
                overdue: list.next_update.0 <= now.seconds(),
            });
        let mut responders = Vec::new();
        for issuer in self.issuers() {
            if let Some(not_after) = self.responder_end(issuer.name()).await? {
                responders.push(ResponderStatus {
                    issuer: issuer.name().to_owned(),
                    not_after: not_after.to_string(),
                });
            }
        }
        Ok(StatusReport {
            lists: lists.collect(),
            responders,
        })
    }

    /// Resolves when a status has changed since the last time.
    pub async fn publication_nudged(&self) {
        self.status_services().nudge.notified().await;
    }

    /// Takes note of an event that this or another process has written.
    pub async fn observe(&self, event: &Event) -> Result<(), CaError> {
        match &*event.action {
            "certificate.revoke"
            | "certificate.hold"
            | "certificate.release"
            | "certificate.void" => {
                self.observe_status_change(event);
                if is_compromise(event) {
                    self.observe_compromise(event).await?;
                }
            }
            NOTED => self.observe_compromise(event).await?,
            "crl.publish" => self.status_services().lists.forget(&event.object.id),
            "ocsp.responder.rotate" => {
                let issuer = self.issuer(&event.object.id)?;
                self.load_responder(&issuer).await?;
            }
            "clock.accept" => self.reload_clock().await?,
            action => {
                let noun = action.split('.').next().unwrap_or_default();
                if matches!(
                    noun,
                    "authority" | "issuer" | "profile" | "key" | "hierarchy" | "root"
                ) {
                    self.refresh_if_changed().await?;
                    self.status_services().nudge.notify_one();
                }
            }
        }
        Ok(())
    }

    fn observe_status_change(&self, event: &Event) {
        let field = |name: &str| event.after.as_ref().and_then(|after| after.get(name));
        let issuer = field("issuer").and_then(serde_json::Value::as_str);
        let partition = field("partition").and_then(serde_json::Value::as_i64);
        if let (Some(issuer), Some(partition), Ok(serial)) =
            (issuer, partition, hex::decode(&event.object.id))
        {
            let key = (issuer.to_owned(), serial);
            if !self.status_services().own_changes.lock().remove(&key) {
                self.status_changed(&key.0, &key.1, u32::try_from(partition).unwrap_or_default());
            }
        }
    }
}

fn is_compromise(event: &Event) -> bool {
    let reason = event.after.as_ref().and_then(|after| after.get("reason"));
    reason.and_then(serde_json::Value::as_str) == Some(Reason::KeyCompromise.name())
}
