//! The binding of an account to an external one (RFC 8555 §7.3.4): a MAC over the account's key.

use audit::Timestamp;
use aws_lc_rs::hmac;

use super::eab::{self, Usable};
use super::front::Verified;
use super::jwk::{Jwk, RawJwk};
use super::jws::Message;
use super::problem::{ErrorType, Problem};
use super::{Acme, json};

/// What a binding may be made with (RFC 7518 §3.2).
const MACS: &[&str] = &["HS256", "HS384", "HS512"];

/// Longest `kid` that is looked up.
const KID: usize = 128;

/// Checks a binding and finds the key that it was made with. Its use is counted by [`Usable::spend`].
pub(crate) async fn verify(
    acme: &Acme,
    call: &Verified<'_>,
    binding: &str,
    now: Timestamp,
) -> Result<Usable, Problem> {
    let message = Message::read(binding.as_bytes(), "externalAccountBinding")?;
    let algorithm = match message.algorithm()? {
        "HS256" => hmac::HMAC_SHA256,
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        _ => {
            let mut problem = Problem::new(
                ErrorType::BadSignatureAlgorithm,
                "externalAccountBinding must be made with HS256, HS384 or HS512 (RFC 8555 §7.3.4)",
            );
            problem.algorithms = MACS;
            return Err(problem);
        }
    };
    if message.header.nonce.is_some() {
        return Err(Problem::malformed(
            "externalAccountBinding has a `nonce` (RFC 8555 §7.3.4)",
        ));
    }
    if message.header.jwk.is_some() {
        return Err(Problem::malformed(
            "externalAccountBinding has a `jwk` (RFC 8555 §7.3.4)",
        ));
    }
    message
        .require_url(&call.url("new-account"))
        .map_err(|problem| {
            Problem::new(
                ErrorType::Malformed,
                format!(
                    "externalAccountBinding: {} (RFC 8555 §7.3.4)",
                    problem.detail
                ),
            )
        })?;
    let Some(kid) = message.header.kid.as_deref().filter(|kid| kid.len() <= KID) else {
        return Err(Problem::malformed(
            "externalAccountBinding has no `kid` that could be a key's (RFC 8555 §7.3.4)",
        ));
    };
    let bound: RawJwk = json::parse(&message.payload()?, "payload of externalAccountBinding")?;
    let bound = Jwk::read(&bound, None)?;
    if bound.thumbprint != call.key.thumbprint {
        return Err(Problem::malformed(
            "externalAccountBinding binds another key than the account's (RFC 8555 §7.3.4)",
        ));
    }
    let usable = eab::usable(acme, &call.directory.name, kid, now).await?;
    let secret = hmac::Key::new(algorithm, &usable.secret);
    hmac::verify(&secret, &message.signing_input(), message.signature()).map_err(|_| {
        Problem::unauthorized(
            "the MAC of externalAccountBinding is not the key's: check kid and secret (RFC 8555 §7.3.4)",
        )
    })?;
    Ok(usable)
}
