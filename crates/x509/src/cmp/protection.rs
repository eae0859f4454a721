//! Protection by a shared secret (RFC 9810 §5.1.3.1, RFC 9481 §6): PasswordBasedMac and PBMAC1. The number of
//! iterations is the sender's choice, so it has a budget.

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use zeroize::Zeroizing;

use std::num::NonZeroU32;

use crate::{
    AlgorithmIdentifier, Error, Oid,
    der::{self, Reader, Tag, Writer},
    oids,
};

/// Fewest iterations (RFC 4211 §4.4: at least 100).
pub const MIN_ITERATIONS: u32 = 100;
/// Most iterations: about 30 ms of work. OpenSSL sets the same limit; clients use 500 to 10,000.
pub const MAX_ITERATIONS: u32 = 100_000;
/// Longest salt (RFC 9810 §5.1.3.1).
const MAX_SALT: usize = 128;
/// Longest key that PBMAC1 may derive.
const MAX_KEY: u64 = 64;

/// A MAC with its parameters, as `protectionAlg` says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mac {
    pub scheme: MacScheme,
    pub salt: Vec<u8>,
    pub iterations: u32,
    /// The identifier of the HMAC, as it was written.
    pub mac: AlgorithmIdentifier,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MacScheme {
    /// PasswordBasedMac: a hash applied over and over.
    PasswordBased { owf: AlgorithmIdentifier },
    /// PBMAC1 (RFC 8018 §7.1): PBKDF2.
    Pbmac1(Pbkdf2),
}

/// The parameters of PBKDF2 beside salt and iterations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pbkdf2 {
    pub key_length: Option<u64>,
    pub prf: Prf,
}

/// The pseudo-random function of PBKDF2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prf {
    HmacSha1,
    HmacSha256,
    HmacSha384,
    HmacSha512,
}

impl Prf {
    fn oid(self) -> Oid {
        match self {
            Prf::HmacSha1 => oids::HMAC_SHA1,
            Prf::HmacSha256 => oids::HMAC_SHA256,
            Prf::HmacSha384 => oids::HMAC_SHA384,
            Prf::HmacSha512 => oids::HMAC_SHA512,
        }
    }

    fn of(oid: Oid) -> Option<Prf> {
        let all = [
            Prf::HmacSha1,
            Prf::HmacSha256,
            Prf::HmacSha384,
            Prf::HmacSha512,
        ];
        all.into_iter().find(|prf| prf.oid() == oid)
    }

    fn algorithm(self) -> pbkdf2::Algorithm {
        match self {
            Prf::HmacSha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Prf::HmacSha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Prf::HmacSha384 => pbkdf2::PBKDF2_HMAC_SHA384,
            Prf::HmacSha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }
}

impl Mac {
    /// PasswordBasedMac with SHA-256 and HMAC-SHA-256, as RFC 9483 §4.1.5 advises.
    pub fn password_based(salt: Vec<u8>, iterations: u32) -> Mac {
        let plain = |oid| AlgorithmIdentifier { oid, params: None };
        Mac {
            scheme: MacScheme::PasswordBased {
                owf: plain(oids::SHA256),
            },
            salt,
            iterations,
            mac: plain(oids::HMAC_SHA256),
        }
    }

    /// PBMAC1 with SHA-256 throughout.
    pub fn pbmac1(salt: Vec<u8>, iterations: u32) -> Mac {
        Mac {
            scheme: MacScheme::Pbmac1(Pbkdf2 {
                key_length: Some(32),
                prf: Prf::HmacSha256,
            }),
            salt,
            iterations,
            mac: AlgorithmIdentifier {
                oid: oids::HMAC_SHA256,
                params: None,
            },
        }
    }

    /// Whether an identifier names a MAC of any kind, supported or not.
    pub fn is_mac(id: &AlgorithmIdentifier) -> bool {
        matches!(
            id.oid,
            oids::PASSWORD_BASED_MAC | oids::PBMAC1 | oids::DH_BASED_MAC | oids::KEM_BASED_MAC
        )
    }

    /// Reads the parameters, and refuses algorithms that are not offered and work beyond the budget.
    pub fn from_identifier(id: &AlgorithmIdentifier) -> Result<Mac, Error> {
        let params = id.params.as_deref().unwrap_or_default();
        let mac = match id.oid {
            oids::PASSWORD_BASED_MAC => read_password_based(params)?,
            oids::PBMAC1 => read_pbmac1(params)?,
            oid => {
                return Err(Error::Unsupported {
                    what: "message protection",
                    oid,
                });
            }
        };
        if mac.salt.len() > MAX_SALT {
            return Err(der::Error::TooLarge(MAX_SALT).into());
        }
        if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&mac.iterations) {
            return Err(Error::invalid(
                "message protection",
                "its iterations must be between 100 and 100,000",
            ));
        }
        mac.hmac()?;
        mac.hash()?;
        Ok(mac)
    }

    pub fn identifier(&self) -> AlgorithmIdentifier {
        let mut w = Writer::new();
        let oid = match &self.scheme {
            MacScheme::PasswordBased { owf } => {
                w.sequence(|w| {
                    w.octet_string(&self.salt);
                    owf.write(w);
                    w.u64(u64::from(self.iterations));
                    self.mac.write(w);
                });
                oids::PASSWORD_BASED_MAC
            }
            MacScheme::Pbmac1(kdf) => {
                w.sequence(|w| {
                    self.write_kdf(kdf, w);
                    self.mac.write(w);
                });
                oids::PBMAC1
            }
        };
        AlgorithmIdentifier {
            oid,
            params: Some(w.finish()),
        }
    }

    fn write_kdf(&self, kdf: &Pbkdf2, w: &mut Writer) {
        w.sequence(|w| {
            w.oid(&oids::PBKDF2);
            w.sequence(|w| {
                w.octet_string(&self.salt).u64(u64::from(self.iterations));
                if let Some(length) = kdf.key_length {
                    w.u64(length);
                }
                if kdf.prf != Prf::HmacSha1 {
                    w.sequence(|w| {
                        w.oid(&kdf.prf.oid()).null();
                    });
                }
            });
        });
    }

    /// The same algorithms with another salt: how an answer is protected.
    pub fn with_salt(&self, salt: Vec<u8>) -> Mac {
        Mac {
            salt,
            ..self.clone()
        }
    }

    /// The MAC over ProtectedPart.
    pub fn compute(&self, secret: &[u8], message: &[u8]) -> Result<Vec<u8>, Error> {
        let algorithm = self.hmac()?;
        let key = self.key(secret)?;
        let key = hmac::Key::new(algorithm, &key);
        Ok(hmac::sign(&key, message).as_ref().to_vec())
    }

    /// Whether `protection` is the MAC over `message`, compared in constant time.
    pub fn verify(&self, secret: &[u8], message: &[u8], protection: &[u8]) -> Result<(), Error> {
        let expected = self.compute(secret, message)?;
        constant_time::verify_slices_are_equal(&expected, protection)
            .map_err(|_| Error::BadSignature)
    }

    fn key(&self, secret: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        match &self.scheme {
            MacScheme::PasswordBased { .. } => {
                let hash = self.hash()?;
                let mut context = digest::Context::new(hash);
                context.update(secret);
                context.update(&self.salt);
                let mut key = context.finish();
                for _ in 1..self.iterations {
                    key = digest::digest(hash, key.as_ref());
                }
                Ok(Zeroizing::new(key.as_ref().to_vec()))
            }
            MacScheme::Pbmac1(kdf) => {
                let own = self.hmac()?.digest_algorithm().output_len();
                let length = kdf.key_length.and_then(|n| usize::try_from(n).ok());
                let mut key = Zeroizing::new(vec![0; length.unwrap_or(own)]);
                let iterations = NonZeroU32::new(self.iterations).ok_or(der::Error::Integer)?;
                pbkdf2::derive(
                    kdf.prf.algorithm(),
                    iterations,
                    &self.salt,
                    secret,
                    &mut key,
                );
                Ok(key)
            }
        }
    }

    fn hmac(&self) -> Result<hmac::Algorithm, Error> {
        Ok(match self.mac.oid {
            oids::HMAC_SHA1 | oids::PKIX_HMAC_SHA1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            oids::HMAC_SHA256 => hmac::HMAC_SHA256,
            oids::HMAC_SHA384 => hmac::HMAC_SHA384,
            oids::HMAC_SHA512 => hmac::HMAC_SHA512,
            oid => return Err(Error::Unsupported { what: "MAC", oid }),
        })
    }

    fn hash(&self) -> Result<&'static digest::Algorithm, Error> {
        let MacScheme::PasswordBased { owf } = &self.scheme else {
            return Ok(&digest::SHA256);
        };
        Ok(match owf.oid {
            oids::SHA1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            oids::SHA256 => &digest::SHA256,
            oids::SHA384 => &digest::SHA384,
            oids::SHA512 => &digest::SHA512,
            oid => return Err(Error::Unsupported { what: "hash", oid }),
        })
    }
}

/// PBMParameter.
fn read_password_based(params: &[u8]) -> Result<Mac, Error> {
    let mut outer = Reader::new(params).tolerant();
    let mut r = outer.sequence()?;
    outer.finish()?;
    let salt = r.octet_string()?.to_vec();
    let owf = AlgorithmIdentifier::read(&mut r)?;
    let iterations = iterations(&mut r)?;
    let mac = AlgorithmIdentifier::read(&mut r)?;
    r.finish()?;
    Ok(Mac {
        scheme: MacScheme::PasswordBased { owf },
        salt,
        iterations,
        mac,
    })
}

/// PBMAC1-params.
fn read_pbmac1(params: &[u8]) -> Result<Mac, Error> {
    let mut outer = Reader::new(params).tolerant();
    let mut r = outer.sequence()?;
    outer.finish()?;
    let kdf = AlgorithmIdentifier::read(&mut r)?;
    let mac = AlgorithmIdentifier::read(&mut r)?;
    r.finish()?;
    if kdf.oid != oids::PBKDF2 {
        return Err(Error::Unsupported {
            what: "key derivation",
            oid: kdf.oid,
        });
    }
    let kdf = kdf.params.unwrap_or_default();
    let mut outer = Reader::new(&kdf).tolerant();
    let mut r = outer.sequence()?;
    outer.finish()?;
    let salt = r.octet_string()?.to_vec();
    let iterations = iterations(&mut r)?;
    let key_length = match r.peek() {
        Some(Tag::INTEGER) => Some(r.u64()?),
        _ => None,
    };
    if key_length.is_some_and(|n| n == 0 || n > MAX_KEY) {
        return Err(Error::invalid("PBMAC1", "its key must have 1 to 64 octets"));
    }
    let prf = match r.is_empty() {
        true => Prf::HmacSha1,
        false => {
            let id = AlgorithmIdentifier::read(&mut r)?;
            Prf::of(id.oid).ok_or(Error::Unsupported {
                what: "pseudo-random function",
                oid: id.oid,
            })?
        }
    };
    r.finish()?;
    Ok(Mac {
        scheme: MacScheme::Pbmac1(Pbkdf2 { key_length, prf }),
        salt,
        iterations,
        mac,
    })
}

fn iterations(r: &mut Reader<'_>) -> Result<u32, Error> {
    // Too large for the type is beyond the budget too.
    Ok(u32::try_from(r.u64()?).unwrap_or(u32::MAX))
}
