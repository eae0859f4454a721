//! The file in which a private key is carried away: PKCS#8 `ENCRYPTED PRIVATE KEY` under PBES2
//! (RFC 8018 §6.2), PBKDF2-HMAC-SHA-256 with 600,000 rounds and AES-256-CBC, which any OpenSSL
//! since 1.1 reads. Other people's files are read with SHA-1 or SHA-2 PRFs and any AES key size.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use x509::der::{self, Reader, Tag, Writer};
use x509::{Oid, pem};
use zeroize::Zeroizing;

use crate::KeyError;
use crate::software::SoftwareKey;

/// OWASP's figure for PBKDF2-HMAC-SHA-256 (2023).
const ROUNDS: u32 = 600_000;
/// A hostile file may not keep us busy for minutes.
const MOST_ROUNDS: u64 = 10_000_000;
const LARGEST: usize = 64 * 1024;
const SHORTEST_PASSPHRASE: usize = 12;
const LABEL: &str = "ENCRYPTED PRIVATE KEY";
const BLOCK: usize = 16;

/// Encrypts PKCS#8 into a PEM block.
pub fn encrypt(pkcs8: &[u8], passphrase: &str) -> Result<String, KeyError> {
    let found = passphrase.chars().count();
    if found < SHORTEST_PASSPHRASE {
        return Err(KeyError::WeakPassphrase {
            found,
            least: SHORTEST_PASSPHRASE,
        });
    }
    let mut salt = [0; 16];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| KeyError::Crypto("random numbers"))?;
    let scheme = Scheme {
        prf: pbkdf2::PBKDF2_HMAC_SHA256,
        salt: salt.to_vec(),
        rounds: ROUNDS,
        cipher: &AES_256,
    };
    // Room for the padding from the start: a growing vector would leave a copy of the key behind.
    let mut buffer = Zeroizing::new(Vec::with_capacity(pkcs8.len() + BLOCK));
    buffer.extend_from_slice(pkcs8);
    let context = PaddedBlockEncryptingKey::cbc_pkcs7(scheme.key(passphrase)?)
        .and_then(|key| key.encrypt(&mut *buffer))
        .map_err(|_| KeyError::Crypto("AES-256-CBC"))?;
    let iv: &[u8] = (&context)
        .try_into()
        .map_err(|_| KeyError::Crypto("AES-256-CBC"))?;
    Ok(pem::encode(LABEL, &scheme.encode(iv, &buffer)))
}

/// Decrypts such a PEM block, ours or another tool's, and checks that a usable key is inside.
pub fn decrypt(pem: &str, passphrase: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    if pem.len() > LARGEST {
        return Err(KeyError::BadEncryptedKey(
            "larger than any key may be (64 KiB)",
        ));
    }
    let encrypted = pem::decode_first(pem.as_bytes(), &[LABEL])
        .map_err(|_| KeyError::BadEncryptedKey("no ENCRYPTED PRIVATE KEY block"))?;
    let (scheme, iv, ciphertext) = Scheme::decode(&encrypted).map_err(|error| match error {
        Unreadable::Der => {
            KeyError::BadEncryptedKey("not an EncryptedPrivateKeyInfo (RFC 5958 §3)")
        }
        Unreadable::Unsupported(what) => KeyError::BadEncryptedKey(what),
    })?;
    let mut buffer = Zeroizing::new(ciphertext);
    let length = PaddedBlockDecryptingKey::cbc_pkcs7(scheme.key(passphrase)?)
        .and_then(|key| {
            let context = DecryptionContext::Iv128(FixedLength::from(iv));
            key.decrypt(&mut buffer, context).map(|plain| plain.len())
        })
        .map_err(|_| KeyError::WrongPassphrase)?;
    buffer.truncate(length);
    // Padding is right by chance once in 256 wrong passphrases; a SEQUENCE is not.
    let mut reader = Reader::new(&buffer);
    if reader.sequence().is_err() || !reader.is_empty() {
        return Err(KeyError::WrongPassphrase);
    }
    SoftwareKey::from_pkcs8(&buffer)?;
    Ok(buffer)
}

/// `PBES2-params` with PBKDF2 (RFC 8018 appendices A.2 and A.4).
struct Scheme {
    prf: pbkdf2::Algorithm,
    salt: Vec<u8>,
    rounds: u32,
    cipher: &'static Algorithm,
}

enum Unreadable {
    Der,
    Unsupported(&'static str),
}

impl From<der::Error> for Unreadable {
    fn from(_: der::Error) -> Self {
        Self::Der
    }
}

impl Scheme {
    fn key(&self, passphrase: &str) -> Result<UnboundCipherKey, KeyError> {
        let rounds =
            NonZeroU32::new(self.rounds).ok_or(KeyError::BadEncryptedKey("zero PBKDF2 rounds"))?;
        let mut key = Zeroizing::new([0; 32]);
        let key = &mut key[..key_length(self.cipher)];
        pbkdf2::derive(self.prf, rounds, &self.salt, passphrase.as_bytes(), key);
        UnboundCipherKey::new(self.cipher, key).map_err(|_| KeyError::Crypto("AES key"))
    }

    /// Always the scheme that we write: SHA-256 and AES-256.
    fn encode(&self, iv: &[u8], ciphertext: &[u8]) -> Vec<u8> {
        use x509::oids::{AES256_CBC, HMAC_SHA256, PBES2, PBKDF2};
        let pbkdf2 = |w: &mut Writer| {
            w.oid(&PBKDF2).sequence(|w| {
                w.octet_string(&self.salt)
                    .u64(self.rounds.into())
                    .sequence(|w| {
                        w.oid(&HMAC_SHA256).null();
                    });
            });
        };
        let algorithm = |w: &mut Writer| {
            w.oid(&PBES2).sequence(|w| {
                w.sequence(pbkdf2).sequence(|w| {
                    w.oid(&AES256_CBC).octet_string(iv);
                });
            });
        };
        der::sequence(|w| {
            w.sequence(algorithm).octet_string(ciphertext);
        })
    }

    fn decode(encrypted: &[u8]) -> Result<(Self, [u8; BLOCK], Vec<u8>), Unreadable> {
        let mut outer = Reader::with_limit(encrypted, LARGEST)?;
        let mut info = outer.sequence()?;
        outer.finish()?;
        let mut algorithm = info.sequence()?;
        let ciphertext = info.octet_string()?.to_vec();
        info.finish()?;
        if algorithm.oid()? != x509::oids::PBES2 {
            return Err(Unreadable::Unsupported(
                "only PBES2 is read; convert with: openssl pkcs8 -topk8 -v2 aes-256-cbc",
            ));
        }
        let mut parameters = algorithm.sequence()?;
        let mut derivation = parameters.sequence()?;
        let mut encryption = parameters.sequence()?;
        if derivation.oid()? != x509::oids::PBKDF2 {
            return Err(Unreadable::Unsupported("only PBKDF2 is read, not scrypt"));
        }
        let mut pbkdf2 = derivation.sequence()?;
        let salt = pbkdf2.octet_string()?.to_vec();
        let rounds = u32::try_from(pbkdf2.u64()?.min(MOST_ROUNDS + 1)).unwrap_or(u32::MAX);
        if rounds == 0 || u64::from(rounds) > MOST_ROUNDS {
            return Err(Unreadable::Unsupported(
                "PBKDF2 rounds are outside 1 to 10,000,000",
            ));
        }
        if pbkdf2.peek() == Some(Tag::INTEGER) {
            pbkdf2.u64()?;
        }
        let prf = match pbkdf2.is_empty() {
            true => pbkdf2::PBKDF2_HMAC_SHA1,
            false => prf(&pbkdf2.sequence()?.oid()?)?,
        };
        let cipher = cipher(&encryption.oid()?)?;
        let iv = encryption
            .octet_string()?
            .try_into()
            .map_err(|_| Unreadable::Der)?;
        let scheme = Self {
            prf,
            salt,
            rounds,
            cipher,
        };
        Ok((scheme, iv, ciphertext))
    }
}

fn prf(oid: &Oid) -> Result<pbkdf2::Algorithm, Unreadable> {
    use x509::oids::{HMAC_SHA1, HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};
    match *oid {
        HMAC_SHA1 => Ok(pbkdf2::PBKDF2_HMAC_SHA1),
        HMAC_SHA256 => Ok(pbkdf2::PBKDF2_HMAC_SHA256),
        HMAC_SHA384 => Ok(pbkdf2::PBKDF2_HMAC_SHA384),
        HMAC_SHA512 => Ok(pbkdf2::PBKDF2_HMAC_SHA512),
        _ => Err(Unreadable::Unsupported(
            "its PBKDF2 hash is neither SHA-1 nor SHA-2",
        )),
    }
}

fn cipher(oid: &Oid) -> Result<&'static Algorithm, Unreadable> {
    use x509::oids::{AES128_CBC, AES192_CBC, AES256_CBC};
    match *oid {
        AES128_CBC => Ok(&AES_128),
        AES192_CBC => Ok(&AES_192),
        AES256_CBC => Ok(&AES_256),
        _ => Err(Unreadable::Unsupported("its cipher is not AES-CBC")),
    }
}

fn key_length(cipher: &Algorithm) -> usize {
    if cipher == &AES_128 {
        16
    } else if cipher == &AES_192 {
        24
    } else {
        32
    }
}
