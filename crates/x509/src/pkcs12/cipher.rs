//! Password-based encryption in PKCS #12: PBES2 (RFC 8018 §6.2) both ways, and reading the old 3DES scheme of
//! RFC 7292 appendix C, which many appliances still export.

use std::num::NonZeroU32;

use aws_lc_rs::{
    cipher::{
        AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey,
        PaddedBlockEncryptingKey, UnboundCipherKey,
    },
    digest,
    iv::FixedLength,
    pbkdf2, rand,
};
use zeroize::Zeroizing;

use super::{
    Pkcs12Error,
    kdf::{self, Purpose},
};
use crate::{
    AlgorithmIdentifier, Oid,
    der::{self, Reader, Tag},
    oids,
};

/// 3DES is read because old exports use it, and never written.
#[allow(deprecated)]
const DES_EDE3: &Algorithm = &aws_lc_rs::cipher::DES_EDE3_FOR_LEGACY_USE_ONLY;

/// Iterations that one file may cost altogether: about three seconds.
pub const MAX_ITERATIONS: u64 = 10_000_000;

/// Octets of salt in what is written (RFC 8018 §4.1 asks for 8 at least).
const SALT: usize = 16;

/// The iterations one file may still cost.
#[derive(Debug)]
pub(super) struct Budget(pub(super) u64);

impl Budget {
    /// Takes `count` iterations for each of `blocks` blocks of output.
    pub(super) fn take(&mut self, count: u64, blocks: u64) -> Result<u32, Pkcs12Error> {
        let left = self.0.checked_sub(count.saturating_mul(blocks));
        self.0 = left.ok_or(Pkcs12Error::Iterations(count))?;
        u32::try_from(count).map_err(|_| Pkcs12Error::Iterations(count))
    }
}

/// Encrypts under PBES2 with PBKDF2-HMAC-SHA256 and AES-256-CBC: the AlgorithmIdentifier and the ciphertext.
pub(super) fn encrypt(
    password: &str,
    iterations: NonZeroU32,
    plaintext: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), Pkcs12Error> {
    let mut salt = [0; SALT];
    rand::fill(&mut salt).map_err(|_| Pkcs12Error::Crypto)?;
    let mut key = Zeroizing::new([0; 32]);
    let secret = password.as_bytes();
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        iterations,
        &salt,
        secret,
        key.as_mut(),
    );

    let cipher = UnboundCipherKey::new(&AES_256, key.as_ref())
        .and_then(PaddedBlockEncryptingKey::cbc_pkcs7)
        .map_err(|_| Pkcs12Error::Crypto)?;
    let mut buffer = Vec::with_capacity(plaintext.len() + 16); // No growing: that would leave plaintext behind.
    buffer.extend_from_slice(plaintext);
    let context = cipher
        .encrypt(&mut buffer)
        .map_err(|_| Pkcs12Error::Crypto)?;
    let iv: &[u8] = (&context).try_into().map_err(|_| Pkcs12Error::Crypto)?;
    Ok((pbes2_identifier(&salt, iterations, iv), buffer))
}

fn pbes2_identifier(salt: &[u8], iterations: NonZeroU32, iv: &[u8]) -> Vec<u8> {
    der::sequence(|w| {
        w.oid(&oids::PBES2).sequence(|w| {
            w.sequence(|w| {
                w.oid(&oids::PBKDF2).sequence(|w| {
                    w.octet_string(salt);
                    w.u64(iterations.get().into());
                    w.sequence(|w| {
                        w.oid(&oids::HMAC_SHA256).null();
                    });
                });
            });
            w.sequence(|w| {
                w.oid(&oids::AES256_CBC).octet_string(iv);
            });
        });
    })
}

/// Decrypts what `algorithm` says how.
pub(super) fn decrypt(
    algorithm: &AlgorithmIdentifier,
    password: &str,
    ciphertext: &[u8],
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, Pkcs12Error> {
    let params = algorithm.params.as_deref().unwrap_or_default();
    let mut params = Reader::new(params).tolerant();
    match algorithm.oid {
        oids::PBES2 => {
            let scheme = Pbes2::read(&mut params)?;
            let key = scheme.key(password, budget)?;
            open(scheme.cipher, &key, scheme.iv, ciphertext)
        }
        oids::PBE_SHA1_3DES => {
            let mut fields = params.sequence()?;
            let salt = fields.octet_string()?;
            let count = fields.u64()?;
            fields.finish()?;
            open_legacy(salt, count, password, ciphertext, budget)
        }
        other => Err(Pkcs12Error::Cipher(cipher_name(&other))),
    }
}

/// The parameters of PBES2 with PBKDF2 (RFC 8018 appendix A).
struct Pbes2<'a> {
    prf: pbkdf2::Algorithm,
    salt: &'a [u8],
    iterations: u64,
    cipher: &'static Algorithm,
    iv: &'a [u8],
}

impl<'a> Pbes2<'a> {
    fn read(params: &mut Reader<'a>) -> Result<Self, Pkcs12Error> {
        let mut fields = params.sequence()?;
        let mut derivation = fields.sequence()?;
        let kdf = derivation.oid()?;
        if kdf != oids::PBKDF2 {
            return Err(Pkcs12Error::Cipher(cipher_name(&kdf)));
        }
        let (salt, iterations, prf) = read_pbkdf2(&mut derivation)?;
        let mut encryption = fields.sequence()?;
        let cipher = match encryption.oid()? {
            oids::AES128_CBC => &AES_128,
            oids::AES192_CBC => &AES_192,
            oids::AES256_CBC => &AES_256,
            oids::DES_EDE3_CBC => DES_EDE3,
            other => return Err(Pkcs12Error::Cipher(cipher_name(&other))),
        };
        let iv = encryption.octet_string()?;
        Ok(Self {
            prf,
            salt,
            iterations,
            cipher,
            iv,
        })
    }

    fn key(&self, password: &str, budget: &mut Budget) -> Result<Zeroizing<Vec<u8>>, Pkcs12Error> {
        let mut key = Zeroizing::new(vec![0; key_len(self.cipher)]);
        let count = budget.take(self.iterations, 2)?;
        let count = NonZeroU32::new(count).ok_or(Pkcs12Error::Iterations(0))?;
        pbkdf2::derive(self.prf, count, self.salt, password.as_bytes(), &mut key);
        Ok(key)
    }
}

/// Salt, iteration count and pseudo-random function of PBKDF2.
pub(super) fn read_pbkdf2<'a>(
    identifier: &mut Reader<'a>,
) -> Result<(&'a [u8], u64, pbkdf2::Algorithm), Pkcs12Error> {
    let mut fields = identifier.sequence()?;
    let salt = fields.octet_string()?;
    let iterations = fields.u64()?;
    let _key_length = fields.optional(Tag::INTEGER)?;
    let prf = match fields.is_empty() {
        true => oids::HMAC_SHA1,
        false => AlgorithmIdentifier::read(&mut fields)?.oid,
    };
    let prf = match prf {
        oids::HMAC_SHA1 => pbkdf2::PBKDF2_HMAC_SHA1,
        oids::HMAC_SHA256 => pbkdf2::PBKDF2_HMAC_SHA256,
        oids::HMAC_SHA384 => pbkdf2::PBKDF2_HMAC_SHA384,
        oids::HMAC_SHA512 => pbkdf2::PBKDF2_HMAC_SHA512,
        other => return Err(Pkcs12Error::Cipher(cipher_name(&other))),
    };
    Ok((salt, iterations, prf))
}

/// pbeWithSHAAnd3-KeyTripleDES-CBC. An empty password is taken as two zero octets and as none, for both are written.
fn open_legacy(
    salt: &[u8],
    count: u64,
    password: &str,
    ciphertext: &[u8],
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, Pkcs12Error> {
    let mut last = Err(Pkcs12Error::WrongPassword);
    for password in kdf::password_forms(password) {
        let count = budget.take(count, 3)?;
        let hash = &digest::SHA1_FOR_LEGACY_USE_ONLY;
        let key = kdf::derive(hash, Purpose::Key, &password, salt, count, 24);
        let iv = kdf::derive(hash, Purpose::Iv, &password, salt, count, 8);
        last = open(DES_EDE3, &key, &iv, ciphertext);
        if last.is_ok() {
            break;
        }
    }
    last
}

/// CBC with PKCS #7 padding; wrong padding most often means a wrong password.
fn open(
    cipher: &'static Algorithm,
    key: &[u8],
    iv: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Pkcs12Error> {
    let malformed = |_| Pkcs12Error::Malformed("the initialisation vector has a wrong length");
    let context = if cipher.block_len() == 8 {
        DecryptionContext::Iv64(FixedLength::try_from(iv).map_err(malformed)?)
    } else {
        DecryptionContext::Iv128(FixedLength::try_from(iv).map_err(malformed)?)
    };
    let cipher = UnboundCipherKey::new(cipher, key)
        .and_then(PaddedBlockDecryptingKey::cbc_pkcs7)
        .map_err(|_| Pkcs12Error::Crypto)?;
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    let len = cipher
        .decrypt(&mut buffer, context)
        .map_err(|_| Pkcs12Error::WrongPassword)?
        .len();
    buffer.truncate(len);
    Ok(buffer)
}

fn key_len(cipher: &'static Algorithm) -> usize {
    match cipher {
        c if *c == AES_128 => 16,
        c if *c == AES_256 => 32,
        _ => 24,
    }
}

/// The name under which an encryption scheme is known, for errors and descriptions.
pub(super) fn cipher_name(oid: &Oid) -> String {
    let legacy = |last| Oid::from_arcs(&[1, 2, 840, 113_549, 1, 12, 1, last]).ok() == Some(*oid);
    let name = match (1..=6u128).find(|last| legacy(*last)) {
        Some(1) => Some("128-bit RC4"),
        Some(2) => Some("40-bit RC4"),
        Some(4) => Some("two-key 3DES"),
        Some(5) => Some("128-bit RC2"),
        Some(6) => Some("40-bit RC2"),
        _ => oid.name(),
    };
    name.map_or_else(|| oid.to_string(), str::to_owned)
}

/// The algorithm of an encrypted part in words, such as `PBES2, PBKDF2 with hmacWithSHA256, 2048 iterations,
/// aes256-CBC`.
pub(super) fn describe(algorithm: &AlgorithmIdentifier) -> String {
    fn pbes2(params: &[u8]) -> Option<String> {
        let mut params = Reader::new(params).tolerant();
        let mut fields = params.sequence().ok()?;
        let mut derivation = fields.sequence().ok()?;
        let kdf = cipher_name(&derivation.oid().ok()?);
        let mut kdf_params = derivation.sequence().ok()?;
        kdf_params.octet_string().ok()?;
        let iterations = kdf_params.u64().ok()?;
        kdf_params.optional(Tag::INTEGER).ok()?;
        let prf = match AlgorithmIdentifier::read(&mut kdf_params) {
            Ok(prf) => prf.oid,
            Err(_) => oids::HMAC_SHA1,
        };
        let prf = cipher_name(&prf);
        let cipher = cipher_name(&fields.sequence().ok()?.oid().ok()?);
        Some(format!(
            "PBES2, {kdf} with {prf}, {iterations} iterations, {cipher}"
        ))
    }
    let params = algorithm.params.as_deref().unwrap_or_default();
    let known = match algorithm.oid {
        oids::PBES2 => pbes2(params),
        _ => None,
    };
    known.unwrap_or_else(|| cipher_name(&algorithm.oid))
}
