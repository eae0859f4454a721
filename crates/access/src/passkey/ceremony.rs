//! A ceremony between its start and its finish: the challenge, and what it is for, sealed with a MAC and handed to the
//! browser instead of being kept. So whoever starts a million of them fills nothing, and any node can finish what
//! another began. That it is finished once is a claim in the store.

use audit::Timestamp;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Access, AccessError, Refusal, random};

/// A ceremony lasts as long as a person may look for their key.
pub const CEREMONY_MS: i64 = 5 * 60_000;
/// Longest sealed text that is read.
const LONGEST: usize = 4096;
/// The kind under which finished ceremonies are claimed.
const CLAIM: &str = "sign-in";
/// How much longer a claim lasts than its ceremony on any node's clock.
const SKEW_MS: i64 = 10 * 60_000;

/// Seals and opens ceremonies. The key is derived from the one that all nodes share.
#[derive(Clone)]
pub struct Ceremonies {
    key: hmac::Key,
}

#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    kind: String,
    expires: i64,
    /// Tells one ceremony from another; what is claimed.
    unique: String,
    body: T,
}

/// A ceremony that was opened and not yet claimed.
#[derive(Debug)]
pub struct Opened<T> {
    /// What it is for.
    pub body: T,
    unique: String,
    expires: i64,
}

impl Ceremonies {
    /// With the key that every node has.
    pub fn new(key: &[u8; 32]) -> Self {
        Ceremonies {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
        }
    }

    /// Seals `body`, for `kind` alone.
    pub fn seal<T: Serialize>(
        &self,
        kind: &str,
        body: T,
        now: Timestamp,
    ) -> Result<String, AccessError> {
        let sealed = Sealed {
            kind: kind.to_owned(),
            expires: now.0 + CEREMONY_MS,
            unique: URL_SAFE_NO_PAD.encode(random::<16>()?),
            body,
        };
        let json = serde_json::to_vec(&sealed).map_err(|error| AccessError::Record {
            kind: "ceremony",
            id: kind.to_owned(),
            why: error.to_string(),
        })?;
        let text = URL_SAFE_NO_PAD.encode(json);
        let mac = hmac::sign(&self.key, text.as_bytes());
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac)))
    }

    /// Opens what `seal` made for the same `kind`, if its time is not over.
    pub fn open<T: DeserializeOwned>(
        &self,
        kind: &str,
        text: &str,
        now: Timestamp,
    ) -> Result<Opened<T>, Refusal> {
        let foreign = || refusal("sign-in.ceremony", "this ceremony was not begun here");
        if text.len() > LONGEST {
            return Err(foreign());
        }
        let (body, mac) = text.split_once('.').ok_or_else(foreign)?;
        let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| foreign())?;
        hmac::verify(&self.key, body.as_bytes(), &mac).map_err(|_| foreign())?;
        let json = URL_SAFE_NO_PAD.decode(body).map_err(|_| foreign())?;
        let sealed: Sealed<serde_json::Value> =
            serde_json::from_slice(&json).map_err(|_| foreign())?;
        if sealed.kind != kind {
            return Err(refusal(
                "sign-in.ceremony",
                "this ceremony is for something else",
            ));
        }
        if sealed.expires <= now.0 || sealed.expires - CEREMONY_MS > now.0 + SKEW_MS {
            return Err(refusal(
                "sign-in.ceremony-expired",
                "this ceremony took too long",
            ));
        }
        Ok(Opened {
            body: serde_json::from_value(sealed.body).map_err(|_| foreign())?,
            unique: sealed.unique,
            expires: sealed.expires,
        })
    }
}

impl Access {
    /// Uses a ceremony up: the second who comes with it is refused.
    pub async fn claim_ceremony<T>(&self, ceremony: &Opened<T>) -> Result<(), AccessError> {
        let key = digest(&SHA256, ceremony.unique.as_bytes());
        let until = Timestamp(ceremony.expires + SKEW_MS);
        match self
            .store()
            .claim(CLAIM, key.as_ref().to_vec(), until)
            .await?
        {
            true => Ok(()),
            false => Err(refusal(
                "sign-in.replay",
                "this ceremony has been finished already: begin another",
            )
            .into()),
        }
    }

    /// Forgets ceremonies that are too old to be finished again.
    pub async fn drop_ceremonies(&self, now: Timestamp) -> Result<u64, AccessError> {
        Ok(self.store().drop_claims(CLAIM, now).await?)
    }
}

fn refusal(rule: &'static str, message: &'static str) -> Refusal {
    Refusal::new(rule, "access", message)
        .accepted("a ceremony begun within the last five minutes, finished once")
}
