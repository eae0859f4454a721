//! OpenID Connect Core 1.0, the part that decides: whether an ID token is this provider's word about this sign-in, now.
//! Fetching keys and tokens is `server`'s. Signatures are verified by aws-lc-rs, with an algorithm that the key itself
//! must be made for; there are no symmetric ones, so that a public key can never be taken for a secret (RFC 8725 §3.1).

mod jwk;

use audit::Timestamp;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::signin::Claims;
use crate::{AccessError, Refusal, random};

pub use jwk::Keys;

/// How far the provider's clock may be from ours, in seconds.
const SKEW: i64 = 60;
/// Longest ID token that is read. With many groups Entra ID's reach some kilobytes.
const LONGEST: usize = 32 * 1024;
/// Longest subject (OpenID Connect Core §2: at most 255 ASCII characters).
const LONGEST_SUBJECT: usize = 255;
/// Groups that are taken from a token; more are a provider's mistake.
const MOST_GROUPS: usize = 500;

/// One sign-in at a provider, from its start to its end; sealed into a cookie.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Flow {
    /// The provider's name.
    pub provider: String,
    /// Comes back with the browser (RFC 6749 §10.12).
    pub state: String,
    /// Comes back in the ID token.
    pub nonce: String,
    /// The secret of RFC 7636.
    pub verifier: String,
    /// Where the browser goes afterwards.
    pub next: String,
}

impl Flow {
    /// A new one.
    pub fn new(provider: &str, next: &str) -> Result<Self, AccessError> {
        let text = || Ok::<_, AccessError>(URL_SAFE_NO_PAD.encode(random::<32>()?));
        Ok(Flow {
            provider: provider.to_owned(),
            state: text()?,
            nonce: text()?,
            verifier: text()?,
            next: next.to_owned(),
        })
    }

    /// `code_challenge` with the method S256 (RFC 7636 §4.2).
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.verifier.as_bytes()))
    }
}

/// What an ID token has to say.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The issuer, to the letter.
    pub issuer: &'a str,
    /// Our client id.
    pub client_id: &'a str,
    /// The nonce of this sign-in.
    pub nonce: &'a str,
    /// The claim that lists groups.
    pub groups_claim: Option<&'a str>,
}

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untaken {
    /// A rule; nothing helps.
    Refused(Refusal),
    /// It is signed with a key that is not among these: the provider may have a new one.
    UnknownKey,
}

impl From<Refusal> for Untaken {
    fn from(refusal: Refusal) -> Self {
        Untaken::Refused(refusal)
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

/// Verifies an ID token (OpenID Connect Core §3.1.3.7) and gives what it says of the person.
pub fn verify(
    token: &str,
    keys: &Keys,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<Claims, Untaken> {
    let malformed = || {
        refusal(
            "oidc.malformed",
            "RFC 7515 §7.1",
            "the ID token cannot be read",
        )
    };
    if token.len() > LONGEST {
        return Err(malformed().into());
    }
    let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
    let (header, payload) = signed.split_once('.').ok_or_else(malformed)?;
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed());
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| malformed())?;
    if header.crit.is_some() {
        return Err(refusal(
            "oidc.crit",
            "RFC 7515 §4.1.11",
            "the ID token demands an extension that is not understood",
        )
        .into());
    }
    let algorithm = jwk::Algorithm::parse(&header.alg).ok_or_else(|| {
        refusal(
            "oidc.algorithm",
            "RFC 8725 §3.1",
            format!(
                "the ID token is signed with `{}`",
                header.alg.escape_default()
            ),
        )
        .accepted(jwk::ACCEPTED)
    })?;
    let signature = decode(signature)?;
    match keys.verify(
        algorithm,
        header.kid.as_deref(),
        signed.as_bytes(),
        &signature,
    ) {
        jwk::Outcome::Verified => {}
        jwk::Outcome::UnknownKey => return Err(Untaken::UnknownKey),
        jwk::Outcome::Wrong => {
            return Err(refusal(
                "oidc.signature",
                "OpenID Connect Core §3.1.3.7",
                "the ID token's signature is not the provider's",
            )
            .into());
        }
    }
    let payload: Map<String, Value> =
        serde_json::from_slice(&decode(payload)?).map_err(|_| malformed())?;
    check_claims(&payload, expected, now)?;
    Ok(claims(&payload, expected.groups_claim)?)
}

fn check_claims(
    payload: &Map<String, Value>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let core = "OpenID Connect Core §3.1.3.7";
    let text = |name: &str| payload.get(name).and_then(Value::as_str);
    if text("iss") != Some(expected.issuer) {
        return Err(
            refusal("oidc.issuer", core, "the ID token is of another issuer")
                .accepted(expected.issuer.to_owned()),
        );
    }
    let audiences: Vec<&str> = match payload.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !audiences.contains(&expected.client_id) {
        return Err(
            refusal("oidc.audience", core, "the ID token is for another client")
                .accepted(expected.client_id.to_owned()),
        );
    }
    let party = payload.get("azp").map(Value::as_str);
    let others = audiences.len() > 1;
    if party.is_some_and(|party| party != Some(expected.client_id)) || (others && party.is_none()) {
        return Err(refusal(
            "oidc.authorized-party",
            core,
            "the ID token was made for another client, which may only show it",
        ));
    }
    if text("nonce") != Some(expected.nonce) {
        return Err(refusal(
            "oidc.nonce",
            core,
            "the ID token is of another sign-in",
        ));
    }
    let seconds = now.seconds();
    // RFC 7519 §2: a NumericDate may have a fraction.
    let at = |name: &str| {
        let value = payload.get(name)?;
        value
            .as_i64()
            .or_else(|| value.as_f64().map(|time| time as i64))
    };
    let time = |message| {
        refusal("oidc.time", core, message).accepted(format!(
            "a clock at the provider that is within {SKEW} s of this machine's"
        ))
    };
    match at("exp") {
        Some(end) if end.saturating_add(SKEW) > seconds => {}
        Some(_) => return Err(time("the ID token has expired")),
        None => return Err(time("the ID token does not say when it expires")),
    }
    match at("iat") {
        Some(made) if made.saturating_sub(SKEW) <= seconds => {}
        Some(_) => return Err(time("the ID token is from the future")),
        None => return Err(time("the ID token does not say when it was made")),
    }
    if at("nbf").is_some_and(|from| from.saturating_sub(SKEW) > seconds) {
        return Err(time("the ID token is not valid yet"));
    }
    Ok(())
}

fn claims(payload: &Map<String, Value>, groups_claim: Option<&str>) -> Result<Claims, Refusal> {
    let text = |name: &str| payload.get(name).and_then(Value::as_str).map(str::to_owned);
    let subject = text("sub").filter(|subject| {
        (1..=LONGEST_SUBJECT).contains(&subject.len())
            && subject.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
    });
    let subject = subject.ok_or_else(|| {
        refusal(
            "oidc.subject",
            "OpenID Connect Core §2",
            "the ID token does not say who it is about",
        )
    })?;
    let groups = groups_claim.and_then(|claim| payload.get(claim));
    let groups = match groups {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many
            .iter()
            .filter_map(Value::as_str)
            .take(MOST_GROUPS)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    };
    Ok(Claims {
        subject,
        name: text("name"),
        user_name: text("preferred_username"),
        email: text("email"),
        // §5.1 says boolean; nothing else is a yes.
        email_verified: payload.get("email_verified") == Some(&Value::Bool(true)),
        groups,
    })
}

fn refusal(rule: &'static str, source: &'static str, message: impl Into<String>) -> Refusal {
    Refusal::new(rule, source, message)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
