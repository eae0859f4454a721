//! Asking somebody else's program before a certificate is issued: allow, deny or amend. The call itself is the server's;
//! here stand the question, the answer and what happens without one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::DeviceError;
use crate::secret;

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
    secret::open(ca, &secret_label(endpoint)).await
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

impl Call {
    /// The value of `Ward-Signature` for a question asked at `seconds` (Unix): `t=…,v1=…`, the second the HMAC-SHA-256 of
    /// `{t}.{body}` in hexadecimal. Whoever checks it refuses times that are minutes old.
    pub fn signature(&self, seconds: i64) -> String {
        use aws_lc_rs::hmac;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.secret);
        let mut context = hmac::Context::with_key(&key);
        context.update(format!("{seconds}.").as_bytes());
        context.update(&self.body);
        format!("t={seconds},v1={}", hex::encode(context.sign()))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf '1795348800.{}' | openssl dgst -sha256 -hmac secret`
    #[test]
    fn questions_are_signed_as_the_documentation_says() {
        let call = Call {
            url: String::new(),
            body: b"{}".to_vec(),
            secret: Zeroizing::new(b"secret".to_vec()),
            timeout: std::time::Duration::ZERO,
            request_id: String::new(),
        };
        let expected = "a2bb56e28c051bf8ec34a6b17227a73c171ec872e2d3f7a2bdd11b571f529cff";
        assert_eq!(
            call.signature(1_795_348_800),
            format!("t=1795348800,v1={expected}")
        );
    }

    #[test]
    fn answers_are_read_strictly() {
        let table = [
            (r#"{"decision":"allow"}"#, Some(Answer::Allow)),
            (
                r#"{"decision":"deny","reason":"no"}"#,
                Some(Answer::Deny {
                    reason: "no".into(),
                }),
            ),
            (
                r#"{"decision":"amend","names":["dns:a.example"],"validity_days":30}"#,
                Some(Answer::Amend {
                    names: Some(vec!["dns:a.example".into()]),
                    profile: None,
                    validity_days: Some(30),
                }),
            ),
            (r#"{"decision":"deny"}"#, None),
            (r#"{"decision":"maybe"}"#, None),
            ("{}", None),
        ];
        for (text, expected) in table {
            assert_eq!(
                serde_json::from_str::<Answer>(text).ok(),
                expected,
                "{text}"
            );
        }
    }
}
