//! The event: who did what to which object, why, with what outcome, and what it changed.
//!
//! An event's JSON bytes are the leaf of the log: they are written once, here, with a fixed key
//! order and no spare white space, stored as they are, and never written again from the parsed
//! form. Reading is tolerant: a later version of Ward may add fields, and this one must still be
//! able to verify and show its logs.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Error, Hash, Timestamp, merkle};

/// The most bytes that an event may have: an entry bundle's length prefix has 16 bits
/// (C2SP tlog-tiles, "Log entries").
pub const MAX_BODY: usize = 65_535;

/// What a text field keeps when an event would not fit otherwise. Six such fields, every byte
/// escaped to six, stay under 48 KiB.
const SHORTENED: usize = 1024;

/// The version of the event's form that this code writes.
const VERSION: u32 = 1;

/// What stands behind an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActorKind {
    /// A person with an account or a token of their own.
    Person,
    /// A device or a service: an ACME account, an EST client, an automation token.
    Machine,
    /// Somebody at the machine's own command line; `id` is the operating system's user.
    Local,
    /// Ward itself: schedules, start-up, recovery.
    System,
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// What stands behind the action.
    pub kind: ActorKind,
    /// A stable name: token id, account, user name, component.
    pub id: String,
    /// The role under which it was allowed, if a role decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

impl Actor {
    /// An actor without a role.
    pub fn new(kind: ActorKind, id: impl Into<String>) -> Self {
        Actor {
            kind,
            id: id.into(),
            role: None,
        }
    }

    /// A component of Ward.
    pub fn system(component: impl Into<String>) -> Self {
        Actor::new(ActorKind::System, component)
    }

    /// The same actor, acting under `role`.
    #[must_use]
    pub fn with_role(mut self, role: impl Into<String>) -> Self {
        self.role = Some(role.into());
        self
    }
}

/// What it was done to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// The noun: "certificate", "authority", "profile", "token", …
    pub kind: String,
    /// Which one: for a certificate its serial number in hex.
    pub id: String,
}

impl Object {
    /// The object `id` of kind `kind`.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Object {
            kind: kind.into(),
            id: id.into(),
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It happened.
    Done,
    /// A rule or a permission forbade it; `why` names the rule.
    Refused,
    /// It was allowed and did not succeed.
    Failed,
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What: `noun.verb`, as listed in `docs/audit.md`.
    pub action: Cow<'static, str>,
    /// To what.
    pub object: Object,
    /// How it ended.
    pub outcome: Outcome,
    /// The reason: given by the actor, or the rule that refused.
    #[serde(default)]
    pub why: Option<String>,
    /// Joins the events of one request with each other and with the operational log.
    #[serde(default, rename = "request")]
    pub request_id: Option<String>,
    /// SHA-256 of a stored artefact that this event stands for, such as a certificate's DER.
    #[serde(default, with = "hex_digest")]
    pub digest: Option<Hash>,
    /// The object before, as far as it changed.
    #[serde(default)]
    pub before: Option<Value>,
    /// The object after, as far as it changed.
    #[serde(default)]
    pub after: Option<Value>,
}

/// An event as it is stored: exact bytes and their leaf hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The JSON, at most [`MAX_BODY`] bytes.
    pub body: Vec<u8>,
    /// SHA-256(0x00 ‖ body), RFC 6962 §2.1.
    pub leaf: Hash,
}

impl Event {
    /// An event that was done; the other methods say more.
    pub fn new(
        time: Timestamp,
        actor: Actor,
        action: impl Into<Cow<'static, str>>,
        object: Object,
    ) -> Self {
        Event {
            time,
            actor,
            action: action.into(),
            object,
            outcome: Outcome::Done,
            why: None,
            request_id: None,
            digest: None,
            before: None,
            after: None,
        }
    }

    /// Sets how it ended.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// Sets the reason.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// Sets the request that this event belongs to.
    #[must_use]
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// Sets the state before.
    #[must_use]
    pub fn before(mut self, before: Value) -> Self {
        self.before = Some(before);
        self
    }

    /// Sets the state after.
    #[must_use]
    pub fn after(mut self, after: Value) -> Self {
        self.after = Some(after);
        self
    }

    /// Sets the SHA-256 of the artefact that this event stands for.
    #[must_use]
    pub fn digest(mut self, digest: Hash) -> Self {
        self.digest = Some(digest);
        self
    }

    /// Writes the event's bytes and hashes them. An event is never lost for being too large: a
    /// `before` or `after` that does not fit gives way to its size and SHA-256, and then texts
    /// are shortened.
    pub fn seal(&self) -> Result<Sealed, Error> {
        let mut body = self.write(self.before.as_ref(), self.after.as_ref(), false)?;
        if body.len() > MAX_BODY {
            let before = self.before.as_ref().map(omitted).transpose()?;
            let after = self.after.as_ref().map(omitted).transpose()?;
            body = self.write(before.as_ref(), after.as_ref(), false)?;
            if body.len() > MAX_BODY {
                body = self.write(before.as_ref(), after.as_ref(), true)?;
            }
        }
        let leaf = merkle::leaf_hash(&body);
        Ok(Sealed { body, leaf })
    }

    /// Reads an event's bytes. Fields that this version does not know are passed over.
    pub fn parse(body: &[u8]) -> Result<Event, Error> {
        serde_json::from_slice(body).map_err(|error| Error::Event(error.to_string()))
    }

    fn write(
        &self,
        before: Option<&Value>,
        after: Option<&Value>,
        shorten: bool,
    ) -> Result<Vec<u8>, Error> {
        let mut json = Writer {
            out: Vec::with_capacity(512),
            shorten,
        };
        json.raw("{\"v\":");
        json.value(&VERSION)?;
        json.raw(",\"time\":\"");
        json.out.extend_from_slice(&self.time.rfc3339());
        json.raw("\",\"actor\":{\"kind\":");
        json.value(&self.actor.kind)?;
        json.raw(",\"id\":");
        json.text(&self.actor.id)?;
        json.optional_text(",\"role\":", self.actor.role.as_deref())?;
        json.raw("},\"action\":");
        json.text(&self.action)?;
        json.raw(",\"object\":{\"kind\":");
        json.text(&self.object.kind)?;
        json.raw(",\"id\":");
        json.text(&self.object.id)?;
        json.raw("},\"outcome\":");
        json.value(&self.outcome)?;
        json.optional_text(",\"why\":", self.why.as_deref())?;
        json.optional_text(",\"request\":", self.request_id.as_deref())?;
        if let Some(digest) = &self.digest {
            json.raw(",\"digest\":\"");
            json.hex(digest);
            json.raw("\"");
        }
        if let Some(before) = before {
            json.raw(",\"before\":");
            json.value(before)?;
        }
        if let Some(after) = after {
            json.raw(",\"after\":");
            json.value(after)?;
        }
        json.raw("}");
        Ok(json.out)
    }
}

/// What stands in for a `before` or `after` that is too large to log.
fn omitted(value: &Value) -> Result<Value, Error> {
    let bytes = serde_json::to_vec(value).map_err(|error| Error::Event(error.to_string()))?;
    Ok(serde_json::json!({ "omitted": {
        "note": "too large for the log; this is the SHA-256 of its compact JSON",
        "bytes": bytes.len(),
        "sha256": hex::encode(merkle::sha256(&bytes)),
    }}))
}

/// Appends JSON to a buffer, in the order in which it is told.
struct Writer {
    out: Vec<u8>,
    shorten: bool,
}

impl Writer {
    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn value(&mut self, value: &impl Serialize) -> Result<(), Error> {
        serde_json::to_writer(&mut self.out, value).map_err(|error| Error::Event(error.to_string()))
    }

    fn text(&mut self, text: &str) -> Result<(), Error> {
        if self.shorten && text.len() > SHORTENED {
            let end = text.floor_char_boundary(SHORTENED);
            return self.value(&format!("{}… [{} bytes]", &text[..end], text.len()));
        }
        self.value(&text)
    }

    fn optional_text(&mut self, key: &str, text: Option<&str>) -> Result<(), Error> {
        match text {
            Some(text) => {
                self.raw(key);
                self.text(text)
            }
            None => Ok(()),
        }
    }

    fn hex(&mut self, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for byte in bytes {
            self.out.push(DIGITS[usize::from(byte >> 4)]);
            self.out.push(DIGITS[usize::from(byte & 15)]);
        }
    }
}

/// Reads the optional hex of a SHA-256.
mod hex_digest {
    use serde::{Deserialize, Deserializer, de::Error};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<crate::Hash>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else {
            return Ok(None);
        };
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest).map_err(D::Error::custom)?;
        Ok(Some(digest))
    }
}
