//! Nonces (RFC 8555 §6.5): made so that nothing must be remembered of one until it is used.
//!
//! A nonce is the second of its issue (4 octets), 8 octets that no other has, and 16 octets of HMAC-SHA-256 over both.
//! Some clients give up at the first `badNonce`, so one that is valid is never refused, whatever happened to the server in
//! between; and none is accepted twice. Who remembers the used ones depends on who else is there:
//!
//! - **alone** (SQLite): the 8 octets are a counter, and used ones are bits of a file ([`super::used`]), which outlives
//!   the process. After the machine itself has started anew the file may be older than what was promised with it, so that
//!   the nonces of before are refused (the MAC covers the file's epoch).
//! - **several nodes** (PostgreSQL): the 8 octets are random, and a nonce is claimed in the database.

use std::path::Path;

use audit::Timestamp;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::Store;

use super::AcmeError;
use super::problem::{ErrorType, Problem};
use super::used::Used;
use crate::random::random;

/// How long a nonce of several nodes may be used. Validation by hand with a wait for the DNS stays below it; claims are
/// kept for as long.
const LIFETIME_SECONDS: i64 = 6 * 3600;

/// How far the clocks of two nodes may be apart.
const SKEW_SECONDS: i64 = 300;

/// The kind under which nonces are claimed.
const CLAIM: &str = "acme-nonce";

/// Second, unique part.
const BODY: usize = 4 + 8;
const MAC: usize = 16;

pub(crate) struct Nonces {
    key: hmac::Key,
    memory: Memory,
}

/// Who remembers which nonces were used.
enum Memory {
    Alone(Used),
    Shared(Store),
}

/// A nonce that was made here, and may have been used.
#[derive(Debug)]
pub(crate) struct Genuine {
    second: u32,
    unique: [u8; 8],
}

impl Nonces {
    pub(crate) fn open(ca: &ca::Ca, data_dir: &Path, alone: bool) -> Result<Self, AcmeError> {
        let key = ca.keyring().derive("acme nonce")?;
        let memory = match alone {
            true => Memory::Alone(Used::open(&data_dir.join("acme-nonces"))?),
            false => Memory::Shared(ca.store().clone()),
        };
        Ok(Nonces {
            key: hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()),
            memory,
        })
    }

    /// A nonce that nobody has had.
    pub(crate) fn issue(&self, now: Timestamp) -> Result<String, Problem> {
        let unique = match &self.memory {
            Memory::Alone(used) => used.next().map_err(|error| Problem::internal(&error))?,
            Memory::Shared(_) => {
                let unique = random().map_err(|error| Problem::internal(&error))?;
                u64::from_be_bytes(unique)
            }
        };
        let mut nonce = [0; BODY + MAC];
        let (body, mac) = nonce.split_at_mut(BODY);
        body[..4].copy_from_slice(&second(now).to_be_bytes());
        body[4..].copy_from_slice(&unique.to_be_bytes());
        mac.copy_from_slice(&self.mac(body));
        Ok(URL_SAFE_NO_PAD.encode(nonce))
    }

    /// Reads a nonce and makes sure that it was made here. Free of any look at who used it.
    pub(crate) fn read(&self, text: &str, now: Timestamp) -> Result<Genuine, Problem> {
        let mut nonce = [0; BODY + MAC + 2];
        let length = match URL_SAFE_NO_PAD.decode_slice(text, &mut nonce) {
            Ok(length) => length,
            Err(base64::DecodeSliceError::OutputSliceTooSmall) => return Err(foreign()),
            Err(_) => {
                return Err(Problem::malformed(
                    "`nonce` is not base64url without padding (RFC 8555 §6.5.2)",
                ));
            }
        };
        let Some((body, mac)) = nonce
            .get(..length)
            .and_then(|all| all.split_at_checked(BODY))
        else {
            return Err(foreign());
        };
        if !bool::from(subtle::ConstantTimeEq::ct_eq(&self.mac(body)[..], mac)) {
            return Err(foreign());
        }
        let (second, unique) = body.split_at(4);
        let genuine = Genuine {
            second: second.try_into().map(u32::from_be_bytes).unwrap_or(0),
            unique: unique.try_into().unwrap_or_default(),
        };
        match &self.memory {
            Memory::Shared(_) if genuine.ends() <= now.seconds() => {
                Err(bad("the nonce is too old (RFC 8555 §6.5)"))
            }
            _ => Ok(genuine),
        }
    }

    /// Uses a nonce up.
    pub(crate) async fn claim(&self, nonce: Genuine, now: Timestamp) -> Result<(), Problem> {
        let first = match &self.memory {
            Memory::Alone(used) => used
                .claim(u64::from_be_bytes(nonce.unique))
                .map_err(|error| Problem::internal(&error))?,
            Memory::Shared(store) => {
                let mut key = nonce.second.to_be_bytes().to_vec();
                key.extend_from_slice(&nonce.unique);
                // A claim lasts longer than the nonce on any node's clock.
                let ends = nonce.ends().max(now.seconds()) + SKEW_SECONDS;
                store.claim(CLAIM, key, Timestamp(ends * 1000)).await?
            }
        };
        match first {
            true => Ok(()),
            false => Err(bad("the nonce was used before (RFC 8555 §6.5)")),
        }
    }

    /// Forgets claims on nonces too old to be used.
    pub(crate) async fn prune(&self, now: Timestamp) -> Result<u64, AcmeError> {
        match &self.memory {
            Memory::Alone(_) => Ok(0),
            Memory::Shared(store) => Ok(store.drop_claims(CLAIM, now).await?),
        }
    }

    fn mac(&self, body: &[u8]) -> [u8; MAC] {
        let mut context = hmac::Context::with_key(&self.key);
        if let Memory::Alone(used) = &self.memory {
            context.update(used.epoch());
        }
        context.update(body);
        let mut mac = [0; MAC];
        mac.copy_from_slice(&context.sign().as_ref()[..MAC]);
        mac
    }
}

impl Genuine {
    fn ends(&self) -> i64 {
        i64::from(self.second) + LIFETIME_SECONDS
    }
}

fn second(now: Timestamp) -> u32 {
    u32::try_from(now.seconds()).unwrap_or_default()
}

fn bad(detail: &'static str) -> Problem {
    Problem::new(ErrorType::BadNonce, detail)
}

fn foreign() -> Problem {
    bad("the nonce was not made by this server, or before its machine started (RFC 8555 §6.5)")
}
