//! What comes back from an authenticator, held against WebAuthn Level 3 step by step. Nothing here knows a store or a
//! clock.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::cbor::{self, Item};
use super::cose::Key;
use crate::Refusal;

/// base64url as browsers write it, and as those do that pad.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Longest field of a response that is decoded; a large RSA attestation has 4 KiB.
const LONGEST: usize = 64 * 1024;
/// Longest credential id (§4, "Credential ID").
const LONGEST_ID: usize = 1023;

// Flags of authenticator data (§6.1).
const PRESENT: u8 = 1;
const VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const ATTESTED: u8 = 1 << 6;
const EXTENSIONS: u8 = 1 << 7;

/// Who asks: the name that passkeys are bound to, and the pages that may use them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    /// A domain name: the host of the public URL.
    pub id: String,
    /// Shown by authenticators.
    pub name: String,
    /// `https://host[:port]` of the pages that may sign in.
    pub origins: Vec<String>,
}

/// The response to a creation, as `PublicKeyCredential.toJSON()` writes it (§5.1, "RegistrationResponseJSON").
#[derive(Clone, Debug, Deserialize)]
pub struct Attestation {
    /// The credential's id, base64url.
    pub id: String,
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the authenticator said.
    pub response: AttestationResponse,
}

/// Its inner part.
#[derive(Clone, Debug, Deserialize)]
pub struct AttestationResponse {
    /// Base64url of the client data.
    #[serde(rename = "clientDataJSON")]
    pub client_data: String,
    /// Base64url of the attestation object.
    #[serde(rename = "attestationObject")]
    pub attestation_object: String,
    /// How the authenticator can be reached.
    #[serde(default)]
    pub transports: Vec<String>,
}

/// The response to a request (§5.1, "AuthenticationResponseJSON").
#[derive(Clone, Debug, Deserialize)]
pub struct Assertion {
    /// The credential's id, base64url.
    pub id: String,
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the authenticator said.
    pub response: AssertionResponse,
}

/// Its inner part.
#[derive(Clone, Debug, Deserialize)]
pub struct AssertionResponse {
    /// Base64url of the client data.
    #[serde(rename = "clientDataJSON")]
    pub client_data: String,
    /// Base64url of the authenticator data.
    #[serde(rename = "authenticatorData")]
    pub authenticator_data: String,
    /// Base64url of the signature.
    pub signature: String,
    /// Base64url of the user handle.
    #[serde(rename = "userHandle", default)]
    pub user_handle: Option<String>,
}

/// A new credential that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Its id.
    pub credential: Vec<u8>,
    /// Its COSE key.
    pub public_key: Vec<u8>,
    /// COSE algorithm.
    pub algorithm: i64,
    /// The signature counter; 0 where the authenticator keeps none.
    pub counter: u32,
    /// It may be synchronised between devices.
    pub backup_eligible: bool,
    /// How the authenticator can be reached.
    pub transports: Vec<String>,
}

/// An assertion that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The signature counter.
    pub counter: u32,
}

#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin", default)]
    cross_origin: bool,
    #[serde(rename = "topOrigin", default)]
    top_origin: Option<String>,
}

impl RelyingParty {
    /// §7.1: registers a credential.
    pub fn registered(
        &self,
        challenge: &str,
        attestation: &Attestation,
    ) -> Result<Registered, Refusal> {
        is_public_key(&attestation.kind)?;
        let response = &attestation.response;
        let client_data = decoded("clientDataJSON", &response.client_data)?;
        self.check_client_data(&client_data, "webauthn.create", challenge)?;
        let object = decoded("attestationObject", &response.attestation_object)?;
        let object = cbor::only(&object).map_err(|error| malformed(error.to_string()))?;
        // Asked for none, browsers say none; a statement that comes unasked is not judged (step 21 with no trust anchors).
        if object.named("fmt").and_then(Item::text).is_none() {
            return Err(malformed("the attestation object names no format"));
        }
        let data = object
            .named("authData")
            .and_then(Item::bytes)
            .ok_or_else(|| malformed("the attestation object has no authenticator data"))?;
        let (flags, counter, rest) = self.check_authenticator(data)?;
        if flags & ATTESTED == 0 {
            return Err(malformed("the authenticator sent no credential"));
        }
        let (credential, public_key) = attested(rest, flags)?;
        if decoded("id", &attestation.id)? != credential {
            return Err(malformed(
                "the credential's id is not that of the authenticator",
            ));
        }
        let (_, algorithm) = Key::from_cose(public_key).map_err(|why| {
            refusal("passkey.algorithm", "WebAuthn §7.1", why)
                .accepted("ES256, EdDSA (Ed25519), ES384 or RS256")
        })?;
        let known = ["usb", "nfc", "ble", "smart-card", "hybrid", "internal"];
        let transports = response.transports.iter();
        Ok(Registered {
            credential: credential.to_vec(),
            public_key: public_key.to_vec(),
            algorithm,
            counter,
            backup_eligible: flags & BACKUP_ELIGIBLE != 0,
            transports: transports
                .filter(|name| known.contains(&name.as_str()))
                .cloned()
                .collect(),
        })
    }

    /// §7.2: an assertion by the key `public_key`, whose counter was `counter` and whose backup eligibility was `eligible`.
    pub fn verified(
        &self,
        challenge: &str,
        assertion: &Assertion,
        public_key: &[u8],
        counter: u32,
        eligible: bool,
    ) -> Result<Verified, Refusal> {
        is_public_key(&assertion.kind)?;
        let response = &assertion.response;
        let client_data = decoded("clientDataJSON", &response.client_data)?;
        self.check_client_data(&client_data, "webauthn.get", challenge)?;
        let data = decoded("authenticatorData", &response.authenticator_data)?;
        let (flags, now, rest) = self.check_authenticator(&data)?;
        // Step 19: eligibility never changes.
        if (flags & BACKUP_ELIGIBLE != 0) != eligible {
            return Err(refusal(
                "passkey.backup",
                "WebAuthn §7.2",
                "the passkey says otherwise than before whether it can be copied",
            ));
        }
        if flags & EXTENSIONS == 0 && !rest.is_empty() {
            return Err(malformed("octets after the authenticator data"));
        }
        let signature = decoded("signature", &response.signature)?;
        let signed = [data.as_slice(), digest(&SHA256, &client_data).as_ref()].concat();
        let (key, _) = Key::from_cose(public_key)
            .map_err(|why| refusal("passkey.key", "WebAuthn §7.2", why))?;
        if !key.verifies(&signed, &signature) {
            return Err(refusal(
                "passkey.signature",
                "WebAuthn §7.2",
                "the signature is not the passkey's",
            ));
        }
        // Step 22: a counter that does not go forward is a second copy of the key, or a replay.
        if (now != 0 || counter != 0) && now <= counter {
            return Err(refusal(
                "passkey.counter",
                "WebAuthn §6.1.1",
                "the passkey's counter went backwards: there may be a copy of it",
            )
            .accepted("another passkey; remove this one, and ask where its copy is"));
        }
        Ok(Verified { counter: now })
    }

    /// §7.1 steps 5 to 11, §7.2 steps 9 to 14.
    fn check_client_data(&self, json: &[u8], kind: &str, challenge: &str) -> Result<(), Refusal> {
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        let data: ClientData = serde_json::from_slice(json)
            .map_err(|error| malformed(format!("clientDataJSON: {error}")))?;
        if data.kind != kind {
            return Err(refusal(
                "passkey.type",
                "WebAuthn §5.8.1",
                format!("the response is for {}", data.kind.escape_default()),
            )
            .accepted(kind));
        }
        let same = data.challenge.trim_end_matches('=').as_bytes();
        if !bool::from(same.ct_eq(challenge.as_bytes())) {
            return Err(refusal(
                "passkey.challenge",
                "WebAuthn §7.2",
                "the response is to another challenge",
            ));
        }
        if !self.origins.contains(&data.origin) {
            return Err(refusal(
                "passkey.origin",
                "WebAuthn §7.2",
                format!("the page was of {}", data.origin.escape_default()),
            )
            .accepted(self.origins.join(", ")));
        }
        if data.cross_origin || data.top_origin.is_some() {
            return Err(refusal(
                "passkey.cross-origin",
                "WebAuthn §7.2",
                "the page was inside a page of another origin",
            ));
        }
        Ok(())
    }

    /// §6.1: flags, counter, and what follows; refused unless the user was there and was verified, for us.
    fn check_authenticator<'a>(&self, data: &'a [u8]) -> Result<(u8, u32, &'a [u8]), Refusal> {
        let head = data.split_first_chunk::<32>();
        let head = head.and_then(|(hash, rest)| Some((hash, rest.split_first_chunk::<5>()?)));
        let Some((hash, ([flags, counter @ ..], rest))) = head else {
            return Err(malformed(
                "the authenticator data is shorter than 37 octets",
            ));
        };
        if !bool::from(digest(&SHA256, self.id.as_bytes()).as_ref().ct_eq(hash)) {
            return Err(refusal(
                "passkey.rp",
                "WebAuthn §7.2",
                "the passkey answered for another site",
            )
            .accepted(self.id.clone()));
        }
        let missing = |what| {
            refusal("passkey.user-verification", "WebAuthn §6.1", what)
                .accepted("a passkey with a PIN, a fingerprint or a face")
        };
        if flags & PRESENT == 0 {
            return Err(missing("the authenticator saw nobody"));
        }
        if flags & VERIFIED == 0 {
            return Err(missing("the authenticator did not verify who used it"));
        }
        if flags & BACKED_UP != 0 && flags & BACKUP_ELIGIBLE == 0 {
            return Err(malformed("backed up and not to be backed up"));
        }
        Ok((*flags, u32::from_be_bytes(*counter), rest))
    }
}

/// §6.5.1: AAGUID, length, id, COSE key; extensions after it are passed over.
fn attested(data: &[u8], flags: u8) -> Result<(&[u8], &[u8]), Refusal> {
    let cut = || malformed("the attested credential is cut off");
    let (_, rest) = data.split_first_chunk::<16>().ok_or_else(cut)?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
    let length = usize::from(u16::from_be_bytes(*length));
    if !(1..=LONGEST_ID).contains(&length) {
        return Err(malformed("a credential's id has 1 to 1023 octets"));
    }
    let (id, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
    let (_, after) = cbor::first(rest).map_err(|error| malformed(error.to_string()))?;
    if flags & EXTENSIONS == 0 && !after.is_empty() {
        return Err(malformed("octets after the public key"));
    }
    let key = rest.get(..rest.len() - after.len()).ok_or_else(cut)?;
    Ok((id, key))
}

fn is_public_key(kind: &str) -> Result<(), Refusal> {
    match kind {
        "public-key" => Ok(()),
        _ => Err(malformed("`type` is not `public-key`")),
    }
}

/// Decodes one field.
pub(crate) fn decoded(what: &str, text: &str) -> Result<Vec<u8>, Refusal> {
    if text.len() > LONGEST {
        return Err(malformed(format!("`{what}` is longer than 64 KiB")));
    }
    BASE64
        .decode(text)
        .map_err(|_| malformed(format!("`{what}` is not base64url")))
}

fn malformed(why: impl Into<String>) -> Refusal {
    refusal("passkey.malformed", "WebAuthn §6", why)
}

fn refusal(rule: &'static str, source: &'static str, message: impl Into<String>) -> Refusal {
    Refusal::new(rule, source, message)
}

/// For the fuzzer: everything that reads what an authenticator sends.
pub fn exercise(bytes: &[u8]) {
    let party = RelyingParty {
        id: "ward.example.org".to_owned(),
        name: "Ward".to_owned(),
        origins: vec!["https://ward.example.org".to_owned()],
    };
    let _ = cbor::only(bytes);
    let _ = Key::from_cose(bytes);
    let _ = party.check_client_data(bytes, "webauthn.get", "");
    if let Ok((flags, _, rest)) = party.check_authenticator(bytes) {
        let _ = attested(rest, flags);
    }
    let _ = attested(bytes, 0);
}
