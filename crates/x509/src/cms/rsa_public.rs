//! The RSA public operation for one purpose: verifying MD5 signatures of old devices, which aws-lc-rs does not do.
//! Nothing here is secret, so nothing here is constant-time.

use super::CmsError;
use crate::{PublicKey, PublicKeyKind};

/// Keys of such devices; larger ones could verify something better.
const BITS: std::ops::RangeInclusive<u32> = 1024..=4096;

/// The largest exponent in use, which bounds the work.
const MAX_EXPONENT: u64 = 65_537;

/// Verifies RSASSA-PKCS1-v1_5 (RFC 8017 §8.2.2) over a given DigestInfo.
pub(super) fn verify(
    key: &PublicKey,
    digest_info: &[u8],
    signature: &[u8],
) -> Result<(), CmsError> {
    let PublicKeyKind::Rsa { bits, exponent } = key.kind() else {
        return Err(CmsError::NotRsa);
    };
    let modulus = key.rsa_modulus().unwrap_or_default();
    let usable = BITS.contains(&bits)
        && (3..=MAX_EXPONENT).contains(&exponent)
        && modulus.last().is_some_and(|last| last & 1 == 1);
    if !usable {
        return Err(CmsError::Legacy("an RSA key of this size or exponent"));
    }
    let expected = padded(digest_info, modulus.len()).ok_or(CmsError::BadSignature)?;
    let n = Odd::new(modulus);
    let found = (signature.len() == modulus.len())
        .then(|| n.power(&limbs(signature, n.limbs.len()), exponent))
        .flatten();
    match found {
        Some(found) if found == limbs(&expected, n.limbs.len()) => Ok(()),
        _ => Err(CmsError::BadSignature),
    }
}

/// EMSA-PKCS1-v1_5 (RFC 8017 §9.2).
fn padded(digest_info: &[u8], length: usize) -> Option<Vec<u8>> {
    let fill = length.checked_sub(digest_info.len() + 3)?;
    let mut padded = vec![0, 1];
    padded.resize(2 + fill, 0xff);
    padded.push(0);
    padded.extend_from_slice(digest_info);
    (fill >= 8).then_some(padded)
}

/// Least significant first.
fn limbs(big_endian: &[u8], count: usize) -> Vec<u64> {
    let parts = big_endian.rchunks(8);
    let words = parts.map(|chunk| chunk.iter().fold(0, |acc, b| (acc << 8) | u64::from(*b)));
    let mut limbs: Vec<u64> = words.collect();
    limbs.resize(count, 0);
    limbs
}

/// An odd modulus, with what Montgomery multiplication needs.
struct Odd {
    limbs: Vec<u64>,
    /// -1/n modulo 2^64.
    inverse: u64,
    /// 2^(128·limbs) modulo n, which brings numbers into Montgomery form.
    square: Vec<u64>,
}

impl Odd {
    fn new(modulus: &[u8]) -> Self {
        let limbs = limbs(modulus, modulus.len().div_ceil(8));
        let lowest = limbs.first().copied().unwrap_or(1);
        // Newton's iteration doubles the correct bits each time, from the three of an odd number's own.
        let inverse = (0..5).fold(lowest, |x, _| {
            x.wrapping_mul(2u64.wrapping_sub(lowest.wrapping_mul(x)))
        });
        let mut this = Self {
            inverse: inverse.wrapping_neg(),
            square: Vec::new(),
            limbs,
        };
        let mut square = vec![0; this.limbs.len()];
        if let Some(first) = square.first_mut() {
            *first = 1;
        }
        for _ in 0..128 * this.limbs.len() {
            this.double(&mut square);
        }
        this.square = square;
        this
    }

    /// `base` to the power of `exponent`; `None` when the base is not below the modulus.
    fn power(&self, base: &[u64], exponent: u64) -> Option<Vec<u64>> {
        if !less(base, &self.limbs) {
            return None;
        }
        let base = self.multiply(base, &self.square);
        let mut power = base.clone();
        for bit in (0..exponent.ilog2()).rev() {
            power = self.multiply(&power, &power);
            if exponent >> bit & 1 == 1 {
                power = self.multiply(&power, &base);
            }
        }
        let mut one = vec![0; self.limbs.len()];
        *one.first_mut()? = 1;
        Some(self.multiply(&power, &one))
    }

    /// a·b / 2^(64·limbs) modulo n (Montgomery's product, word by word).
    fn multiply(&self, a: &[u64], b: &[u64]) -> Vec<u64> {
        let n = &self.limbs;
        let mut t = vec![0u64; n.len()];
        let mut top = 0u64;
        for digit in a {
            let carried = add_product(&mut t, b, *digit);
            let (high, over) = top.overflowing_add(carried);
            let factor = t.first().map_or(0, |low| low.wrapping_mul(self.inverse));
            let carried = add_product(&mut t, n, factor);
            t.rotate_left(1); // The lowest limb is zero now; it makes room for the highest.
            let (last, more) = high.overflowing_add(carried);
            if let Some(slot) = t.last_mut() {
                *slot = last;
            }
            top = u64::from(over) + u64::from(more);
        }
        if top != 0 || !less(&t, n) {
            subtract(&mut t, n);
        }
        t
    }

    fn double(&self, value: &mut [u64]) {
        let mut carry = 0;
        for limb in value.iter_mut() {
            (*limb, carry) = (*limb << 1 | carry, *limb >> 63);
        }
        if carry != 0 || !less(value, &self.limbs) {
            subtract(value, &self.limbs);
        }
    }
}

/// t += b·digit; what is carried out.
fn add_product(t: &mut [u64], b: &[u64], digit: u64) -> u64 {
    let mut carry = 0u128;
    for (t, b) in t.iter_mut().zip(b) {
        let sum = u128::from(*t) + u128::from(*b) * u128::from(digit) + carry;
        *t = sum as u64;
        carry = sum >> 64;
    }
    carry as u64
}

fn less(a: &[u64], b: &[u64]) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

fn subtract(a: &mut [u64], b: &[u64]) {
    let mut borrow = false;
    for (a, b) in a.iter_mut().zip(b) {
        let (difference, first) = a.overflowing_sub(*b);
        let (difference, second) = difference.overflowing_sub(u64::from(borrow));
        (*a, borrow) = (difference, first || second);
    }
}
