//! Taking a content key out of an RSA block, without an oracle.
//!
//! Bleichenbacher (1998) decrypts any ciphertext with a thousand to a million answers to one question: was the
//! padding right? Manger (2001) asks the same of OAEP. Here the question has no answer. Where the padding is wrong,
//! or what it holds has not the length that the cipher needs, the result is a pseudo-random key made of a secret of
//! this private key and of the ciphertext: always the same for the same ciphertext, so that asking twice tells
//! nothing either. Both are computed in every case and one is chosen by mask; the length is an argument, so the
//! content key's place in the block is fixed and no position depends on what was decrypted.

use aws_lc_rs::{digest, hmac};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use x509::cms::{DigestAlgorithm, KeyTransport};
use zeroize::Zeroizing;

/// The octets of PKCS #1 v1.5 padding before the content: 00 02, eight or more that are not zero, 00.
const LEAST_PADDING: usize = 11;

/// Where substitutes come from. The secret is known to nobody who does not hold the private key.
pub(crate) struct Rejection(hmac::Key);

impl Rejection {
    pub(crate) fn new(secret: &[u8]) -> Self {
        let key = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, b"ward implicit rejection"),
            secret,
        );
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()))
    }

    /// The key that a ciphertext gives when it gives none.
    fn substitute(&self, ciphertext: &[u8], len: usize) -> Zeroizing<Vec<u8>> {
        let mut key = Zeroizing::new(Vec::with_capacity(len + 32));
        for counter in 0u32.. {
            if key.len() >= len {
                break;
            }
            let mut context = hmac::Context::with_key(&self.0);
            context.update(&counter.to_be_bytes());
            context.update(&(len as u64).to_be_bytes());
            context.update(ciphertext);
            key.extend_from_slice(context.sign().as_ref());
        }
        key.truncate(len);
        key
    }

    /// For a ciphertext that is zero or not below the modulus, which anybody can see.
    pub(crate) fn reject(&self, ciphertext: &[u8], len: usize) -> Zeroizing<Vec<u8>> {
        self.substitute(ciphertext, len)
    }

    /// The content key in a decrypted block as long as the modulus, or its substitute.
    pub(crate) fn open(
        &self,
        transport: &KeyTransport,
        block: &[u8],
        ciphertext: &[u8],
        len: usize,
    ) -> Zeroizing<Vec<u8>> {
        let mut key = self.substitute(ciphertext, len);
        let found = match transport {
            KeyTransport::Pkcs1v15 => pkcs1(block, len),
            KeyTransport::Oaep { hash, mask, label } => oaep(block, len, *hash, *mask, label),
        };
        if let Some((good, content)) = found {
            select(&mut key, &content, good);
        }
        key
    }

    /// As [`Self::open`], where a token has removed the padding or has refused to.
    pub(crate) fn settle(
        &self,
        opened: Option<&[u8]>,
        ciphertext: &[u8],
        len: usize,
    ) -> Zeroizing<Vec<u8>> {
        let mut key = self.substitute(ciphertext, len);
        let mut content = Zeroizing::new(vec![0; len]);
        let mut good = Choice::from(0);
        if let Some(opened) = opened {
            good = (opened.len() as u64).ct_eq(&(len as u64));
            for (to, from) in content.iter_mut().zip(opened) {
                *to = *from;
            }
        }
        select(&mut key, &content, good);
        key
    }
}

fn select(key: &mut [u8], content: &[u8], good: Choice) {
    for (key, content) in key.iter_mut().zip(content) {
        key.conditional_assign(content, good);
    }
}

/// RFC 8017 §7.2.2. `None` only where no block of this size could hold such a key.
fn pkcs1(block: &[u8], len: usize) -> Option<(Choice, Zeroizing<Vec<u8>>)> {
    let separator = block.len().checked_sub(len + 1)?;
    if separator + 1 < LEAST_PADDING {
        return None;
    }
    let (padding, content) = block.split_at_checked(separator)?;
    let ([first, second, filling @ ..], [zero, content @ ..]) = (padding, content) else {
        return None;
    };
    let mut good = first.ct_eq(&0) & second.ct_eq(&2) & zero.ct_eq(&0);
    for octet in filling {
        good &= !octet.ct_eq(&0);
    }
    Some((good, Zeroizing::new(content.to_vec())))
}

/// RFC 8017 §7.1.2. `None` only where no block of this size could hold such a key.
fn oaep(
    block: &[u8],
    len: usize,
    hash: DigestAlgorithm,
    mask: DigestAlgorithm,
    label: &[u8],
) -> Option<(Choice, Zeroizing<Vec<u8>>)> {
    let label_hash = hash.digest(label);
    let size = label_hash.len();
    let [first, rest @ ..] = block else {
        return None;
    };
    let (seed, data) = rest.split_at_checked(size)?;
    let mut seed = Zeroizing::new(seed.to_vec());
    let mut data = Zeroizing::new(data.to_vec());
    exclusive_or_mask(&mut seed, &data, mask);
    exclusive_or_mask(&mut data, &seed, mask);

    let one = data.len().checked_sub(len + 1).filter(|at| *at >= size)?;
    let (stated, rest) = data.split_at_checked(size)?;
    let (filling, rest) = rest.split_at_checked(one - size)?;
    let [marker, content @ ..] = rest else {
        return None;
    };
    let mut good = first.ct_eq(&0) & stated.ct_eq(&label_hash) & marker.ct_eq(&1);
    for octet in filling {
        good &= octet.ct_eq(&0);
    }
    Some((good, Zeroizing::new(content.to_vec())))
}

/// MGF1 (RFC 8017 §B.2.1) of `seed`, applied to `data`.
fn exclusive_or_mask(data: &mut [u8], seed: &[u8], hash: DigestAlgorithm) {
    let algorithm = match hash {
        DigestAlgorithm::Md5 | DigestAlgorithm::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        DigestAlgorithm::Sha256 => &digest::SHA256,
        DigestAlgorithm::Sha384 => &digest::SHA384,
        DigestAlgorithm::Sha512 => &digest::SHA512,
    };
    for (counter, chunk) in (0u32..).zip(data.chunks_mut(algorithm.output_len())) {
        let mut context = digest::Context::new(algorithm);
        context.update(seed);
        context.update(&counter.to_be_bytes());
        for (octet, mask) in chunk.iter_mut().zip(context.finish().as_ref()) {
            *octet ^= mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn block(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
        let mut block = vec![0, 2];
        block.resize(239, 0xa5);
        block.push(0);
        block.extend_from_slice(&[0x77; 16]);
        change(&mut block);
        block
    }

    fn time(rejection: &Rejection, transport: &KeyTransport, block: &[u8]) -> Duration {
        let start = Instant::now();
        for _ in 0..20 {
            std::hint::black_box(rejection.open(transport, block, &[1; 256], 16));
        }
        start.elapsed()
    }

    /// The step that sees the padding, without the private operation's noise around it.
    #[test]
    fn r09_looking_at_a_padding_takes_one_time() {
        let rejection = Rejection::new(b"secret");
        let right = block(|_| ());
        let wrong = [
            block(|b| b[0] = 1),
            block(|b| b[1] = 1),
            block(|b| b[2] = 0),
            block(|b| b[100] = 0),
            block(|b| b[239] = 1),
            vec![0; 256],
            vec![0xff; 256],
        ];
        for transport in [
            KeyTransport::Pkcs1v15,
            KeyTransport::oaep(DigestAlgorithm::Sha256),
        ] {
            let mut last = (Duration::ZERO, Duration::ZERO);
            let same = (0..10).any(|_| {
                let (mut good, mut bad) = (Vec::new(), Vec::new());
                for n in 0..700 {
                    good.push(time(&rejection, &transport, &right));
                    bad.push(time(&rejection, &transport, &wrong[n % wrong.len()]));
                }
                good.sort();
                bad.sort();
                last = (good[175], bad[175]);
                last.0.abs_diff(last.1) * 50 < last.0
            });
            assert!(same, "{transport:?}: {last:?}");
        }
    }
}
