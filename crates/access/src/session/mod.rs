//! Sessions: a person who has signed in, until they sign out, lie idle, or the day's work is over (R07, R37).
//!
//! A session's secret has 256 random bits and is kept as SHA-256 only. It is never taken from outside: whoever signs in
//! or steps up gets a new one, so that a value planted beforehand is worth nothing. What a person may do is not in the
//! session: it is read anew for each request, so that a role that is taken away counts at the next one.

mod table;

use std::fmt;

use audit::{Actor, ActorKind, Timestamp};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::{Action, Refusal};

/// How long a step-up counts: what is done with it was meant when it was made.
pub const STEP_UP_MS: i64 = 5 * 60_000;

/// The public part of a session: `s` and sixteen hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub(crate) String);

impl SessionId {
    /// Reads an id.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('s')?;
        let hex = digits.len() == 16
            && digits
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        hex.then(|| SessionId(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How somebody proved who they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// A passkey that verified its user.
    Passkey,
    /// An OpenID provider, by its name in the configuration.
    Oidc(String),
    /// A TLS client certificate of this Ward.
    Certificate,
    /// A recovery code.
    Recovery,
    /// A one-time link.
    Invitation,
}

impl Via {
    /// As it is stored, listed and logged.
    pub fn text(&self) -> String {
        match self {
            Via::Oidc(provider) => format!("oidc:{provider}"),
            other => other.kind().to_owned(),
        }
    }

    /// As it is without a provider's name.
    pub fn kind(&self) -> &'static str {
        match self {
            Via::Passkey => "passkey",
            Via::Oidc(_) => "oidc",
            Via::Certificate => "certificate",
            Via::Recovery => "recovery",
            Via::Invitation => "invitation",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "passkey" => Via::Passkey,
            "certificate" => Via::Certificate,
            "recovery" => Via::Recovery,
            "invitation" => Via::Invitation,
            other => Via::Oidc(other.strip_prefix("oidc:")?.to_owned()),
        })
    }
}

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Everything that the person may do.
    Work,
    /// Registering a passkey, and nothing else.
    Enrol,
}

impl Purpose {
    /// As it is stored and shown.
    pub fn text(self) -> &'static str {
        match self {
            Purpose::Work => "work",
            Purpose::Enrol => "enrol",
        }
    }
}

/// How long sessions last, and how many one person may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRules {
    /// From sign-in to the end, whatever is done in between.
    pub absolute_ms: i64,
    /// Without a request.
    pub idle_ms: i64,
    /// Live sessions of one person; one more ends the oldest.
    pub most: u32,
}

impl Default for SessionRules {
    fn default() -> Self {
        SessionRules {
            absolute_ms: 8 * 3_600_000,
            idle_ms: 15 * 60_000,
            most: 5,
        }
    }
}

/// How long an invitation's session lasts: the time to register a passkey.
const ENROL_MS: i64 = 15 * 60_000;

/// Somebody who has just proved who they are.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Whose it is.
    pub person: String,
    /// How they proved it.
    pub via: Via,
    /// What it is for.
    pub purpose: Purpose,
    /// Whether the proof was as good as a step-up: a passkey with user verification.
    pub stepped_up: bool,
    /// From where.
    pub source: String,
    /// What the browser says it is; shortened.
    pub client: String,
    /// SHA-256 of the client certificate that it is bound to.
    pub certificate: Option<[u8; 32]>,
    /// Joins the event with the answer.
    pub request_id: Option<String>,
}

/// A session as it is stored and listed; its secret is not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Session {
    /// Its id; part of the actor's in events.
    pub id: SessionId,
    /// Whose it is.
    pub person: String,
    /// How they signed in.
    #[serde(serialize_with = "via_text")]
    pub via: Via,
    /// What it is for.
    pub purpose: Purpose,
    /// When they signed in, Unix milliseconds.
    pub since: i64,
    /// When it was used last.
    pub seen: i64,
    /// When it ends whatever happens.
    pub expires: i64,
    /// When they last stepped up.
    pub stepped_up: Option<i64>,
    /// When it ended, if it did.
    pub ended: Option<i64>,
    /// From where.
    pub source: String,
    /// What the browser said it is.
    pub client: String,
    /// SHA-256 of the client certificate that it is bound to.
    #[serde(skip)]
    pub certificate: Option<[u8; 32]>,
}

fn via_text<S: serde::Serializer>(via: &Via, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&via.text())
}

impl Session {
    /// As whom the log knows them: `holder/session`.
    pub fn actor(&self) -> Actor {
        Actor::new(ActorKind::Person, format!("{}/{}", self.person, self.id))
    }

    /// When it ends if nothing more is asked.
    pub fn idle_expires(&self, rules: &SessionRules) -> i64 {
        self.expires.min(self.seen.saturating_add(rules.idle_ms))
    }

    /// Why it is not good at `now`, if it is not.
    pub fn fault(&self, rules: &SessionRules, now: Timestamp) -> Option<&'static str> {
        if self.ended.is_some() {
            Some("the session has ended")
        } else if self.expires <= now.0 {
            Some("the session has reached its end: sign in again")
        } else if self.idle_expires(rules) <= now.0 {
            Some("the session lay idle too long: sign in again")
        } else {
            None
        }
    }

    /// Until when high-risk actions are let through.
    pub fn stepped_up_until(&self, now: Timestamp) -> Option<i64> {
        let until = self.stepped_up?.saturating_add(STEP_UP_MS);
        (until > now.0 && self.stepped_up? <= now.0).then_some(until)
    }

    /// Refuses `action` if it is one that needs a step-up and there is none that counts.
    pub fn check_step_up(&self, action: Action, now: Timestamp) -> Result<(), Refusal> {
        match needs_step_up(action) && self.stepped_up_until(now).is_none() {
            false => Ok(()),
            true => Err(step_up_refusal(action.name())),
        }
    }
}

/// What a session without a step-up is told.
pub fn step_up_refusal(what: &str) -> Refusal {
    Refusal::new(
        "session.step-up",
        "R37: high-risk actions are confirmed",
        format!("to {what}, confirm with your passkey that it is you"),
    )
    .accepted("a step-up of the last five minutes: POST /api/v1/session/step-up/start")
}

/// Actions whose abuse would hurt the whole house, for which somebody who walks up to an open screen must not be enough.
pub fn needs_step_up(action: Action) -> bool {
    matches!(
        action,
        Action::ManageAuthorities
            | Action::ManageProfiles
            | Action::ManageKeys
            | Action::ManageTokens
            | Action::ManageBackups
            | Action::ManagePeople
            | Action::ManagePolicies
            | Action::RecoverSignIn
    )
}

/// The value that state-changing requests of a session must carry in a header. It follows from the session's secret, so
/// that nothing is kept for it, and a page of another origin can neither read nor guess it.
pub fn csrf_of(secret: &str) -> String {
    let mut text = b"ward csrf v1\0".to_vec();
    text.extend_from_slice(secret.as_bytes());
    URL_SAFE_NO_PAD.encode(digest(&SHA256, &text))
}
