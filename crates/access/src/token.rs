//! Bearer tokens: made once, shown once, kept as SHA-256 (the secret has 256 random bits, so a slow
//! hash would protect nothing), compared in constant time, looked up in a cache that is never older
//! than a second, revoked by a kept version.

use std::fmt;

use audit::{Actor, ActorKind, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Role, Scope};

/// The public part of a token: `t` and twelve hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenId(pub(crate) String);

impl TokenId {
    /// Reads an id.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('t')?;
        let hex = digits.len() == 12
            && digits
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        hex.then(|| TokenId(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a new token shall be.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Who holds it: a person or a machine. Two tokens of one holder are one person to approvals.
    pub name: String,
    /// Whether the holder is a person.
    #[serde(default)]
    pub person: bool,
    /// What the holder is.
    pub roles: Vec<Role>,
    /// Where the holder may act.
    #[serde(default)]
    pub scope: Scope,
    /// When it ends, Unix milliseconds.
    #[serde(default)]
    pub expires: Option<i64>,
}

/// A token as it is stored and listed. The secret is not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Who holds it.
    pub name: String,
    /// Whether the holder is a person.
    pub person: bool,
    /// What the holder is.
    pub roles: Vec<Role>,
    /// Where the holder may act.
    pub scope: Scope,
    /// When it was made, Unix milliseconds.
    pub created: i64,
    /// Who made it.
    pub created_by: String,
    /// When it ends, Unix milliseconds.
    pub expires: Option<i64>,
    /// When it was revoked, Unix milliseconds.
    pub revoked: Option<i64>,
}

impl Token {
    /// The actor that stands behind the token: `holder/token`.
    pub fn actor(&self) -> Actor {
        let kind = if self.person {
            ActorKind::Person
        } else {
            ActorKind::Machine
        };
        Actor::new(kind, format!("{}/{}", self.name, self.id))
    }

    /// Why the token is not good at `now`, if it is not.
    pub fn fault(&self, now: Timestamp) -> Option<&'static str> {
        if self.revoked.is_some() {
            Some("the token has been revoked")
        } else if self.expires.is_some_and(|end| end <= now.0) {
            Some("the token has expired")
        } else {
            None
        }
    }
}

/// A token's record body: what is listed, and the hash of the secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredToken {
    #[serde(flatten)]
    pub(crate) token: Token,
    /// Hex SHA-256 of the secret.
    pub(crate) secret_sha256: String,
}

/// What a bearer string claims: `ward_<id>_<secret>`.
pub(crate) fn split(bearer: &str) -> Option<(TokenId, &str)> {
    // 5 + 13 + 1 + 43; a longer string is not ours and is not looked at.
    if bearer.len() != 62 {
        return None;
    }
    let (id, secret) = bearer.strip_prefix("ward_")?.split_once('_')?;
    Some((TokenId::parse(id)?, secret))
}

/// Whether `name` can be a holder: it becomes part of actor ids and log lines.
pub(crate) fn is_holder_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.@+".contains(&b))
}
