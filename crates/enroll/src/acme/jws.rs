//! Signed requests (RFC 8555 §6.2): flattened JWS, as strict as the standard allows.
//!
//! What costs nothing is checked first, the signature before anything is looked up or used up on the client's word:
//! a nonce is claimed only by whoever holds the key.

use std::borrow::Cow;
use std::sync::Arc;

use audit::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::accounts::{Account, AccountStatus};
use super::front::Verified;
use super::json::{self, Object};
use super::jwk::{Algorithm, Jwk, RawJwk};
use super::problem::{ErrorType, Problem};
use super::{Acme, Directory, Request, front};

/// Largest body: an order of 1,000 names, or a CSR of 24 KiB, fits.
pub const MAX_BODY: usize = 64 * 1024;
/// Largest protected header: an RSA key of 4096 bits and two URLs take 2 KiB.
const HEADER: usize = 8 * 1024;
/// What 8 KiB are in base64.
const HEADER_TEXT: usize = HEADER.div_ceil(3) * 4;

/// Who may sign for a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signer {
    /// A key in `jwk`.
    Key,
    /// An account in `kid`.
    Account,
    Either,
}

/// The flattened serialization (RFC 7515 §7.2.2). Members that nobody knows are passed over (§7.2.1).
#[derive(Deserialize)]
pub(crate) struct Flattened<'a> {
    #[serde(borrow)]
    protected: Cow<'a, str>,
    #[serde(borrow)]
    payload: Cow<'a, str>,
    #[serde(borrow)]
    signature: Cow<'a, str>,
    #[serde(default, deserialize_with = "present")]
    header: bool,
    #[serde(default, deserialize_with = "present")]
    signatures: bool,
}

/// A protected header, before anybody asks which members it must have.
#[derive(Deserialize)]
pub(crate) struct Header {
    pub(crate) alg: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) kid: Option<String>,
    pub(crate) jwk: Option<Object<RawJwk>>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
    #[serde(default, deserialize_with = "present")]
    b64: bool,
}

/// Whether a member is there, whatever its value.
fn present<'de, D: Deserializer<'de>>(d: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(d).map(|_| true)
}

/// A message taken apart; nothing of it is believed yet.
pub(crate) struct Message<'a> {
    flattened: Flattened<'a>,
    pub(crate) header: Header,
    signature: Vec<u8>,
}

impl<'a> Message<'a> {
    /// Takes a flattened JWS apart; `what` names it in problems.
    pub(crate) fn read(bytes: &'a [u8], what: &str) -> Result<Self, Problem> {
        let unreadable = |error: serde_json::Error| {
            Problem::malformed(format!(
                "{what} is no flattened JWS: {error} (RFC 8555 §6.2, RFC 7515 §7.2.2)"
            ))
        };
        json::check(bytes).map_err(unreadable)?;
        let Object(flattened): Object<Flattened<'a>> =
            serde_json::from_slice(bytes).map_err(unreadable)?;
        if flattened.header {
            return Err(Problem::malformed(format!(
                "{what} has an unprotected `header` (RFC 8555 §6.2)"
            )));
        }
        if flattened.signatures {
            return Err(Problem::malformed(format!(
                "{what} has `signatures`; there is one (RFC 8555 §6.2)"
            )));
        }
        if flattened.protected.len() > HEADER_TEXT {
            return Err(Problem::malformed(format!(
                "the protected header of {what} is larger than {HEADER} bytes"
            )));
        }
        let header = decode(&flattened.protected, "protected", what)?;
        let signature = decode(&flattened.signature, "signature", what)?;
        let unreadable = |error: serde_json::Error| {
            Problem::malformed(format!(
                "the protected header of {what} cannot be read: {error} (RFC 7515 §4)"
            ))
        };
        json::check(&header).map_err(unreadable)?;
        let Object(header): Object<Header> = serde_json::from_slice(&header).map_err(unreadable)?;
        if header.crit {
            return Err(Problem::malformed(format!(
                "{what} has `crit`, and no extension is understood (RFC 7515 §4.1.11)"
            )));
        }
        if header.b64 {
            return Err(Problem::malformed(format!(
                "{what} has `b64`; payloads are encoded (RFC 8555 §6.2, RFC 7797 §3)"
            )));
        }
        Ok(Message {
            flattened,
            header,
            signature,
        })
    }

    /// What was signed (RFC 7515 §5.1).
    pub(crate) fn signing_input(&self) -> Vec<u8> {
        let Flattened {
            protected, payload, ..
        } = &self.flattened;
        [protected.as_bytes(), b".", payload.as_bytes()].concat()
    }

    pub(crate) fn signature(&self) -> &[u8] {
        &self.signature
    }

    pub(crate) fn algorithm(&self) -> Result<&str, Problem> {
        let missing = || Problem::malformed("the protected header has no `alg` (RFC 8555 §6.2)");
        self.header.alg.as_deref().ok_or_else(missing)
    }

    /// Whether the key signed this.
    pub(crate) fn verify(&self, algorithm: Algorithm, key: &Jwk) -> Result<(), Problem> {
        key.verify(algorithm, &self.signing_input(), &self.signature)
    }

    pub(crate) fn payload(&self) -> Result<Vec<u8>, Problem> {
        decode(&self.flattened.payload, "payload", "the JWS")
    }

    /// Refuses a message whose `url` is not the one it came to (RFC 8555 §6.4).
    pub(crate) fn require_url(&self, url: &str) -> Result<(), Problem> {
        match self.header.url.as_deref() {
            Some(said) if said == url => Ok(()),
            Some(said) => {
                let said: String = said.chars().take(200).collect();
                Err(Problem::unauthorized(format!(
                    "`url` is {said:?}, and the request came to {url:?} (RFC 8555 §6.4)"
                )))
            }
            None => Err(Problem::malformed(
                "the protected header has no `url` (RFC 8555 §6.4)",
            )),
        }
    }
}

/// Base64url without padding, white space or stray bits (RFC 7515 §2, RFC 4648 §3.5).
fn decode(text: &str, member: &str, what: &str) -> Result<Vec<u8>, Problem> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| {
        Problem::malformed(format!(
            "`{member}` of {what} is not base64url without padding (RFC 7515 §2)"
        ))
    })
}

/// Checks everything about a signed request that does not depend on what it asks for.
pub(crate) async fn verify<'a>(
    acme: &Acme,
    request: &'a Request<'a>,
    directory: &Arc<Directory>,
    signer: Signer,
    now: Timestamp,
) -> Result<Verified<'a>, Problem> {
    if !is_jose(request.content_type) {
        return Err(front::unsupported_media());
    }
    if request.body.len() > MAX_BODY {
        return Err(Problem::malformed(
            "the request is larger than 64 KiB, which no lawful one is",
        )
        .status(413));
    }
    let message = Message::read(&request.body, "the request")?;
    let algorithm = Algorithm::parse(message.algorithm()?)?;
    message.require_url(&request.url())?;
    let nonce = message.header.nonce.as_deref();
    let nonce = nonce.ok_or_else(|| {
        // No type is given for this; badNonce makes a client that has none try again with one.
        Problem::new(
            ErrorType::BadNonce,
            "the protected header has no `nonce` (RFC 8555 §6.5.2)",
        )
    })?;
    let nonce = acme.inner.nonces.read(nonce, now)?;
    let (account, key) = match (&message.header.jwk, &message.header.kid) {
        (Some(Object(jwk)), None) => {
            if signer == Signer::Account {
                return Err(Problem::malformed(
                    "this resource wants `kid`, the account's URL, and not `jwk` (RFC 8555 §6.2)",
                ));
            }
            let key = Arc::new(Jwk::read(jwk, Some(algorithm))?);
            message.verify(algorithm, &key)?;
            (None, key)
        }
        (None, Some(kid)) => {
            if signer == Signer::Key {
                return Err(Problem::malformed(
                    "this resource wants `jwk` and not `kid` (RFC 8555 §6.2)",
                ));
            }
            let account = signing_account(acme, request, directory, kid, |account| {
                message.verify(algorithm, &account.key)
            })
            .await?;
            let key = Arc::clone(&account.key);
            (Some(account), key)
        }
        (Some(_), Some(_)) => {
            return Err(Problem::malformed(
                "`jwk` and `kid` exclude each other (RFC 8555 §6.2)",
            ));
        }
        (None, None) => {
            return Err(Problem::malformed(
                "the protected header has neither `jwk` nor `kid` (RFC 8555 §6.2)",
            ));
        }
    };
    acme.inner.nonces.claim(nonce, now).await?;
    if let Some(account) = &account {
        require_valid(account)?;
    }
    let payload = message.payload()?;
    Ok(Verified {
        request,
        directory: Arc::clone(directory),
        account,
        key,
        payload,
    })
}

/// The account that `kid` names and whose key signed.
async fn signing_account(
    acme: &Acme,
    request: &Request<'_>,
    directory: &Directory,
    kid: &str,
    verify: impl Fn(&Account) -> Result<(), Problem>,
) -> Result<Arc<Account>, Problem> {
    let accounts = &acme.inner.accounts;
    let prefix = front::url(request.base, &directory.name, "account/");
    let Some(id) = kid.strip_prefix(&prefix) else {
        return Err(Problem::malformed(format!(
            "`kid` is no account of this directory: those begin with {prefix} (RFC 8555 §6.2)"
        )));
    };
    let unknown = || {
        Problem::new(
            ErrorType::AccountDoesNotExist,
            "`kid` names no account of this directory (RFC 8555 §6.2)",
        )
    };
    let (account, fresh) = accounts
        .find(&acme.inner.store, id)
        .await?
        .ok_or_else(unknown)?;
    if account.directory != directory.name {
        return Err(unknown());
    }
    match verify(&account) {
        Ok(()) => Ok(account),
        Err(problem) if fresh => Err(problem),
        // Another node may have changed the key a moment ago.
        Err(problem) => {
            let again = accounts
                .read(&acme.inner.store, id)
                .await?
                .ok_or_else(unknown)?;
            if again.key.thumbprint == account.key.thumbprint {
                return Err(problem);
            }
            verify(&again).map(|()| again)
        }
    }
}

/// RFC 8555 §7.3.6 asks for 401.
pub(crate) fn require_valid(account: &Account) -> Result<(), Problem> {
    match account.status {
        AccountStatus::Valid => Ok(()),
        AccountStatus::Deactivated => {
            Err(Problem::unauthorized("the account was deactivated (RFC 8555 §7.3.6)").status(401))
        }
        AccountStatus::Revoked => Err(Problem::unauthorized(
            "the account was revoked by the authority (RFC 8555 §7.1.6)",
        )
        .status(401)),
    }
}

/// RFC 8555 §6.2: exactly application/jose+json; a media type has no case and may have parameters (RFC 9110 §8.3.1).
fn is_jose(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/jose+json")
    })
}
