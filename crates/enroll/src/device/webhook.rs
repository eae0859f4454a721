//! Asking somebody else's program before a certificate is issued: allow, deny or amend. The call itself is the server's;
//! here stand the question, the answer and what happens without one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::DeviceError;

/// A webhook of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    pub url: String,
    /// How long an answer may take.
    #[serde(default = "timeout")]
    pub timeout_ms: u32,
    /// How many questions a minute.
    #[serde(default = "per_minute")]
    pub per_minute: u32,
    /// What happens when there is no answer.
    #[serde(default)]
    pub on_failure: OnFailure,
}

fn timeout() -> u32 {
    3000
}

fn per_minute() -> u32 {
    600
}

/// What happens when a webhook does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    #[default]
    Deny,
    /// The request waits for a person.
    Wait,
}

/// What its secret is sealed under, and stored as.
pub(crate) fn secret_label(endpoint: &str) -> String {
    format!("enrolment-webhook/{endpoint}")
}

/// The secret that questions of an endpoint are signed with.
pub(crate) async fn open_secret(
    ca: &ca::Ca,
    endpoint: &str,
) -> Result<Option<Zeroizing<Vec<u8>>>, DeviceError> {
    let label = secret_label(endpoint);
    let Some(record) = ca.store().record(ca::SECRET_RECORDS, &label).await? else {
        return Ok(None);
    };
    let sealed: keys::SealedSecret = record.parse()?;
    Ok(Some(ca.keyring().open_secret(&label, &sealed)?))
}

/// A question on its way out. The caller signs `body` with `secret` (HMAC-SHA-256) and a time of its own.
pub struct Call {
    pub url: String,
    /// JSON.
    pub body: Vec<u8>,
    pub secret: Zeroizing<Vec<u8>>,
    pub timeout: std::time::Duration,
    /// Joins the question with events.
    pub request_id: String,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "decision", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Answer {
    Allow,
    Deny {
        reason: String,
    },
    /// Allow, with changes that the profile permits.
    Amend {
        /// Alternative names (`dns:…`, `uri:…`) in place of those that would be issued.
        #[serde(default)]
        names: Option<Vec<String>>,
        #[serde(default)]
        profile: Option<String>,
        /// Days.
        #[serde(default)]
        validity_days: Option<u32>,
    },
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unanswered(pub String);

/// Asks: the server passes in one that speaks HTTP.
pub type Ask = Arc<
    dyn Fn(Call) -> Pin<Box<dyn Future<Output = Result<Answer, Unanswered>> + Send>> + Send + Sync,
>;
