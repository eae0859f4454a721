//! What a webhook is asked, and what its answer may change: names and validity within what the profile allows, another
//! profile that devices may have. Never the device: its serial number stays.

use audit::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ca::profile::Duration;
use serde_json::{Value, json};
use x509::GeneralName;

use super::Registration;
use super::asset::Found;
use super::claim::{Claim, KeyAndNames};
use super::names::Names;
use super::stop::{Stop, refusal};
use super::who::Who;
use crate::device::webhook::{self, Answer, Call, OnFailure, Webhook};

/// What came of asking.
#[derive(Default)]
pub(super) struct Verdict {
    /// A person has to decide, because nobody answered.
    pub(super) wait: bool,
    pub(super) profile: Option<String>,
    pub(super) validity: Option<Duration>,
    /// For the evidence.
    pub(super) said: Option<&'static str>,
}

impl Registration {
    /// Asks the endpoint's webhook, if it has one. An amendment of names is applied to `names`.
    pub(super) async fn question(
        &self,
        claim: &Claim,
        who: &Who,
        found: &Found,
        names: &mut Names,
        now: Timestamp,
    ) -> Result<Verdict, Stop> {
        let Some(webhook) = &claim.endpoint.webhook else {
            return Ok(Verdict::default());
        };
        if !self.guard.may_ask(&claim.endpoint, webhook.per_minute, now) {
            return unanswered(webhook, "its budget for this minute is used up");
        }
        let Some(secret) = webhook::open_secret(&self.ca, &claim.endpoint.name).await? else {
            return unanswered(webhook, "its secret is not there");
        };
        let call = Call {
            url: webhook.url.clone(),
            body: serde_json::to_vec(&body(claim, who, found, names, now)).unwrap_or_default(),
            secret,
            timeout: std::time::Duration::from_millis(u64::from(webhook.timeout_ms)),
            request_id: claim.request_id.clone(),
        };
        match (self.ask)(call).await {
            Err(error) => unanswered(webhook, &error.to_string()),
            Ok(Answer::Allow) => Ok(Verdict {
                said: Some("allow"),
                ..Verdict::default()
            }),
            Ok(Answer::Deny { reason }) => {
                let reason: String = reason
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(200)
                    .collect();
                Err(refusal("enrolment.webhook.deny", format!("denied: {reason}")).into())
            }
            Ok(Answer::Amend {
                names: amended,
                profile,
                validity_days,
            }) => {
                if let Some(amended) = amended {
                    names.alternative = read(&amended)?;
                }
                Ok(Verdict {
                    wait: false,
                    profile,
                    validity: validity_days.map(|days| Duration::days(i64::from(days))),
                    said: Some("amend"),
                })
            }
        }
    }
}

fn read(texts: &[String]) -> Result<Vec<GeneralName>, Stop> {
    let name = |text: &String| {
        text.parse::<GeneralName>()
            .map_err(|error| refusal("enrolment.webhook.names", error.to_string()))
    };
    Ok(texts.iter().map(name).collect::<Result<_, _>>()?)
}

fn unanswered(webhook: &Webhook, why: &str) -> Result<Verdict, Stop> {
    tracing::warn!(url = webhook.url, why, "a webhook did not answer");
    metrics::counter!("ward_enrolment_webhook_failures_total").increment(1);
    match webhook.on_failure {
        OnFailure::Wait => Ok(Verdict {
            wait: true,
            said: Some("no answer"),
            ..Verdict::default()
        }),
        OnFailure::Deny => Err(refusal(
            "enrolment.webhook.unanswered",
            format!("the program that decides did not answer: {why}"),
        )
        .accepted("the same request later")
        .into()),
    }
}

fn body(claim: &Claim, who: &Who, found: &Found, names: &Names, now: Timestamp) -> Value {
    let texts: Vec<String> = names.alternative.iter().map(ToString::to_string).collect();
    let csr = match &claim.key_and_names {
        KeyAndNames::Csr(csr) => Some(STANDARD.encode(csr.der())),
        KeyAndNames::Template { .. } => None,
    };
    json!({
        "version": 1,
        "time": now.to_string(),
        "request": claim.request_id,
        "endpoint": claim.endpoint.name,
        "protocol": claim.protocol.as_str(),
        "kind": match who { Who::Holder(_) => "renew", _ => "enrol" },
        "profile": claim.endpoint.profile,
        "serial": found.serial,
        "asset": found.asset,
        "right": who.right().map(|right| json!({ "id": right.id, "created_by": right.created_by, "note": right.note })),
        "subject": names.subject.to_string(),
        "names": texts,
        "key_sha256": claim.spki_sha256().map(hex::encode),
        "csr": csr,
        "peer": claim.peer.to_canonical().to_string(),
    })
}
