//! Fermat's factorisation, a hundred rounds: finds moduli whose primes were chosen next to each other.
//!
//! CA/Browser Forum BR §6.1.1.3 asks for this since printers and appliances with such keys were found in
//! 2022 (CVE-2022-26320). With `N = a² − b²`, the primes are `a ± b`; when they are close, `b` is small
//! and `a` is just above the square root of `N`, so a few tries find a square.

use std::cmp::Ordering;

/// Rounds the baseline asks for.
const ROUNDS: usize = 100;

/// Whether `modulus` (big-endian) splits within [`ROUNDS`] rounds. Costs about 40 µs for 2048 bits.
pub(super) fn factors(modulus: &[u8]) -> bool {
    let n: Vec<u64> = limbs(modulus);
    let (root, remainder) = square_root(&n);
    if is_zero(&remainder) {
        return true;
    }
    // With a = root + 1: b² = a² − N = 2·root + 1 − remainder, and each next a adds 2a + 1.
    let mut step = double_plus_one(&root);
    let mut b_squared = step.clone();
    subtract(&mut b_squared, &remainder);
    for _ in 0..ROUNDS {
        if is_square(&b_squared) {
            return true;
        }
        add_small(&mut step, 2);
        add(&mut b_squared, &step);
    }
    false
}

/// Least significant first, with two limbs of head-room.
fn limbs(big_endian: &[u8]) -> Vec<u64> {
    let parts = big_endian.rchunks(8);
    let words = parts.map(|c| c.iter().fold(0, |acc, b| (acc << 8) | u64::from(*b)));
    words.chain([0, 0]).collect()
}

/// Digit by digit in base 4: the root, and what is left over it. After `k` digits the root has `k` bits
/// and the rest two more, so only the limbs in use are touched.
fn square_root(n: &[u64]) -> (Vec<u64>, Vec<u64>) {
    let width = n.len() / 2 + 2;
    let (mut root, mut remainder) = (vec![0u64; width], vec![0u64; width]);
    let mut trial = vec![0u64; width];
    let mut digits = 0;
    for limb in n.iter().rev() {
        for shift in (0..32).rev() {
            digits += 1;
            let used = (digits / 64 + 2).min(width);
            let (root, remainder) = (&mut root[..used], &mut remainder[..used]);
            let trial = &mut trial[..used];
            shift_left(remainder, 2, (limb >> (2 * shift)) & 3);
            trial.copy_from_slice(root);
            shift_left(trial, 2, 1);
            let fits = compare(remainder, trial) != Ordering::Less;
            if fits {
                subtract(remainder, trial);
            }
            shift_left(root, 1, u64::from(fits));
        }
    }
    (root, remainder)
}

fn is_square(n: &[u64]) -> bool {
    // Squares are 0, 1, 4, 9, 16, 17, 25, 33, 36, 41, 49 or 57 modulo 64.
    const MODULO_64: u64 = 0x0202_0212_0203_0213;
    const PRODUCT: u64 = 63 * 65 * 11;
    let low = n.first().copied().unwrap_or(0) % 64;
    // Most numbers go no further than this.
    if MODULO_64 >> low & 1 == 0 {
        return false;
    }
    // By halves of limbs, so that no step needs more than 64 bits.
    let residue = n.iter().rev().fold(0, |acc, limb| {
        let upper = ((acc << 32) | (limb >> 32)) % PRODUCT;
        ((upper << 32) | (limb & 0xffff_ffff)) % PRODUCT
    });
    [63, 65, 11].iter().all(|m| is_quadratic(residue % m, *m)) && is_zero(&square_root(n).1)
}

fn is_quadratic(value: u64, modulus: u64) -> bool {
    (0..modulus).any(|x| x * x % modulus == value)
}

fn is_zero(n: &[u64]) -> bool {
    n.iter().all(|limb| *limb == 0)
}

/// Both of the same width.
fn compare(a: &[u64], b: &[u64]) -> Ordering {
    a.iter().rev().cmp(b.iter().rev())
}

fn shift_left(n: &mut [u64], by: u32, mut incoming: u64) {
    for limb in n {
        let outgoing = *limb >> (64 - by);
        *limb = (*limb << by) | incoming;
        incoming = outgoing;
    }
}

fn double_plus_one(n: &[u64]) -> Vec<u64> {
    let mut out = n.to_vec();
    shift_left(&mut out, 1, 1);
    out
}

fn subtract(a: &mut [u64], b: &[u64]) {
    let mut borrow = false;
    for (x, y) in a.iter_mut().zip(b) {
        let (difference, first) = x.overflowing_sub(*y);
        let (difference, second) = difference.overflowing_sub(u64::from(borrow));
        *x = difference;
        borrow = first || second;
    }
}

fn add(a: &mut [u64], b: &[u64]) {
    let mut carry = false;
    for (x, y) in a.iter_mut().zip(b) {
        let (sum, first) = x.overflowing_add(*y);
        let (sum, second) = sum.overflowing_add(u64::from(carry));
        *x = sum;
        carry = first || second;
    }
}

fn add_small(a: &mut [u64], n: u64) {
    let mut carry = n;
    for x in a {
        let (sum, overflow) = x.overflowing_add(carry);
        *x = sum;
        carry = u64::from(overflow);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, with machine integers.
    fn splits(n: u64) -> bool {
        let start = n.isqrt();
        start * start == n
            || (start + 1..=start + ROUNDS as u64).any(|a| {
                let b = a * a - n;
                b.isqrt().pow(2) == b
            })
    }

    #[test]
    fn agrees_with_the_definition_on_small_numbers() {
        let mut found = [0, 0];
        let odd = (1_000_000_007u64..).step_by(2).take(3000);
        for n in odd.chain([25, 35, 10_403, 1_000_003 * 1_000_003]) {
            assert_eq!(factors(&n.to_be_bytes()), splits(n), "{n}");
            found[usize::from(splits(n))] += 1;
        }
        assert!(found.iter().all(|n| *n > 100), "{found:?}");
    }

    #[test]
    fn square_roots_of_wide_numbers() {
        // (2^512 + 12345)² + 7
        let mut root = vec![0u64; 9];
        root[0] = 12_345;
        root[8] = 1;
        let mut n = vec![0u64; 20];
        n[0] = 12_345 * 12_345 + 7;
        n[8] = 2 * 12_345;
        n[16] = 1;
        let (found, remainder) = square_root(&n);
        assert_eq!(&found[..9], root);
        assert_eq!((remainder[0], is_zero(&remainder[1..])), (7, true));
    }
}
