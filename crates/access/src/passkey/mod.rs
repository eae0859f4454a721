//! Passkeys: WebAuthn Level 3 as a relying party that asks for no attestation, discoverable credentials and user
//! verification, and for nothing else. What the browser sends is held against the specification's own steps
//! (§7.1 registering, §7.2 signing in); signatures are verified by aws-lc-rs.
//!
//! There is no library in between: the one that fits brings a second cryptographic provider, a second clock library and
//! 140 crates, most of them for attestation, which a hospital's sign-in neither needs nor could judge.

mod cbor;
mod ceremony;
mod cose;
mod kept;
mod response;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use ceremony::{CEREMONY_MS, Ceremonies, Opened};
pub use cose::ALGORITHMS;
pub use kept::{PASSKEY_RECORDS, Passkey};
pub use response::{Assertion, Attestation, Registered, RelyingParty, Verified, exercise};

/// What a browser is told to wait, in milliseconds.
const TIMEOUT_MS: i64 = CEREMONY_MS;
/// Longest name that somebody gives a passkey.
pub(crate) const LONGEST_NAME: usize = 64;

/// A ceremony's own part: what must come back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Challenge {
    /// 32 random octets, base64url.
    pub challenge: String,
    /// Whose passkey it has to be, or will be.
    pub person: Option<String>,
    /// The session in which it was begun: it can be finished in no other.
    pub session: Option<String>,
    /// The user handle of a new passkey, base64url.
    pub handle: Option<String>,
}

impl Challenge {
    /// A new one.
    pub fn new(
        person: Option<&str>,
        session: Option<&crate::SessionId>,
    ) -> Result<Self, crate::AccessError> {
        Ok(Challenge {
            challenge: encoded(&crate::random::<32>()?),
            person: person.map(str::to_owned),
            session: session.map(|id| id.as_str().to_owned()),
            handle: None,
        })
    }
}

/// `PublicKeyCredentialRequestOptions` (§5.5): any passkey of this relying party, or one of `allowed`.
pub fn request_options(party: &RelyingParty, challenge: &Challenge, allowed: &[Passkey]) -> Value {
    json!({
        "challenge": challenge.challenge,
        "rpId": party.id,
        "timeout": TIMEOUT_MS,
        "userVerification": "required",
        "allowCredentials": descriptors(allowed),
    })
}

/// `PublicKeyCredentialCreationOptions` (§5.4). `display` is what the authenticator shows.
pub fn creation_options(
    party: &RelyingParty,
    challenge: &Challenge,
    name: &str,
    display: &str,
    existing: &[Passkey],
) -> Value {
    let parameters: Vec<Value> = ALGORITHMS
        .iter()
        .map(|algorithm| json!({ "type": "public-key", "alg": algorithm }))
        .collect();
    json!({
        "rp": { "id": party.id, "name": party.name },
        "user": { "id": challenge.handle, "name": name, "displayName": display },
        "challenge": challenge.challenge,
        "pubKeyCredParams": parameters,
        "timeout": TIMEOUT_MS,
        "excludeCredentials": descriptors(existing),
        "authenticatorSelection": {
            "residentKey": "required", "requireResidentKey": true, "userVerification": "required",
        },
        "attestation": "none",
    })
}

fn descriptors(passkeys: &[Passkey]) -> Vec<Value> {
    let one = |passkey: &Passkey| json!({ "type": "public-key", "id": passkey.credential, "transports": passkey.transports });
    passkeys.iter().map(one).collect()
}

fn encoded(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
