//! Keys that must not be certified, found from the public half alone.
//!
//! Size and exponent after SP 800-89 §5.3.3 and the CA/Browser Forum's baseline §6.1.6; small factors
//! up to 751 as the same section asks; the ROCA fingerprint after Nemec et al., CCS 2017
//! (CVE-2017-15361): Infineon's library made primes of the form `k·M + (65537^a mod M)` with `M` a
//! product of small primes, so for every such small prime the modulus lies in the subgroup that 65537
//! generates. Smart cards and TPMs in hospitals carried that library, so the test is not academic.

use super::fermat;

/// Why a key must not be certified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    #[error("RSA modulus of {0} bits; at least 2048 are needed")]
    Small(u32),
    #[error("RSA modulus of {0} bits; at most 8192 are handled")]
    Large(u32),
    #[error("RSA public exponent must be odd and at least 65537")]
    Exponent,
    #[error("RSA modulus has the small factor {0}")]
    SmallFactor(u32),
    #[error("RSA modulus has the ROCA fingerprint (CVE-2017-15361)")]
    Roca,
    #[error("RSA modulus is the product of two primes that are too close together")]
    ClosePrimes,
    #[error("elliptic curve of {0} bits; at least 256 are needed")]
    SmallCurve(u32),
    #[error("the point is not on its curve, or not in uncompressed form")]
    BadPoint,
}

/// First prime that the baseline's small-factor check need not cover.
const SMALL_FACTOR_LIMIT: u32 = 752;
/// The fingerprint uses the primes up to this one: the divisors of M for the smallest keys.
const ROCA_LIMIT: u32 = 167;
const MIN_EXPONENT: u64 = 65_537;

pub(super) fn rsa(modulus: &[u8], bits: u32, exponent: u64) -> Option<Weakness> {
    if bits < 2048 {
        return Some(Weakness::Small(bits));
    }
    if bits > 8192 {
        return Some(Weakness::Large(bits));
    }
    if exponent < MIN_EXPONENT || exponent.is_multiple_of(2) {
        return Some(Weakness::Exponent);
    }
    let limbs = limbs(modulus);
    let residues: Vec<(u32, u32)> = residues(&limbs);
    if let Some((p, _)) = residues.iter().find(|(_, r)| *r == 0) {
        return Some(Weakness::SmallFactor(*p));
    }
    if has_roca_fingerprint(&residues) {
        return Some(Weakness::Roca);
    }
    fermat::factors(modulus).then_some(Weakness::ClosePrimes)
}

/// Most significant first.
fn limbs(modulus: &[u8]) -> Vec<u32> {
    modulus
        .rchunks(4)
        .rev()
        .map(|c| c.iter().fold(0, |acc, b| (acc << 8) | u32::from(*b)))
        .collect()
}

/// The modulus modulo every small prime. Primes are gathered into products that fit 32 bits, so the
/// long division runs once for about three primes.
fn residues(limbs: &[u32]) -> Vec<(u32, u32)> {
    let mut out = Vec::with_capacity(132);
    let mut group: Vec<u32> = Vec::new();
    let mut product = 1u32;
    for p in small_primes() {
        match product.checked_mul(p) {
            Some(next) => product = next,
            None => {
                reduce(limbs, product, &group, &mut out);
                group.clear();
                product = p;
            }
        }
        group.push(p);
    }
    reduce(limbs, product, &group, &mut out);
    out
}

fn reduce(limbs: &[u32], product: u32, primes: &[u32], out: &mut Vec<(u32, u32)>) {
    let divisor = u64::from(product);
    let remainder = limbs
        .iter()
        .fold(0u64, |acc, limb| ((acc << 32) | u64::from(*limb)) % divisor)
        as u32;
    out.extend(primes.iter().map(|p| (*p, remainder % p)));
}

fn small_primes() -> impl Iterator<Item = u32> {
    (2..SMALL_FACTOR_LIMIT).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0))
}

fn has_roca_fingerprint(residues: &[(u32, u32)]) -> bool {
    residues
        .iter()
        .filter(|(p, _)| (3..=ROCA_LIMIT).contains(p))
        .all(|(p, r)| is_power_of_generator(*r, *p))
}

/// Whether `value` is in the multiplicative subgroup that 65537 generates modulo `p`.
fn is_power_of_generator(value: u32, p: u32) -> bool {
    let generator = 65_537 % p;
    let mut power = 1;
    for _ in 0..p {
        if power == value {
            return true;
        }
        power = power * generator % p;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_primes_are_those_below_752() {
        let all: Vec<u32> = small_primes().collect();
        assert_eq!(all.len(), 133);
        assert_eq!(&all[..5], &[2, 3, 5, 7, 11]);
        assert_eq!(all.last(), Some(&751));
    }

    #[test]
    fn residues_match_direct_reduction() {
        let modulus: Vec<u8> = (0..256).map(|i| (i * 37 + 11) as u8).collect();
        for (p, r) in residues(&limbs(&modulus)) {
            let direct = modulus
                .iter()
                .fold(0u32, |acc, b| (acc * 256 + u32::from(*b)) % p);
            assert_eq!(r, direct, "modulo {p}");
        }
    }

    #[test]
    fn the_generator_of_65537_is_a_proper_subgroup_where_the_paper_says() {
        let proper: Vec<u32> = small_primes()
            .filter(|p| (3..=ROCA_LIMIT).contains(p))
            .filter(|p| (1..*p).any(|v| !is_power_of_generator(v, *p)))
            .collect();
        for p in [
            11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157,
        ] {
            assert!(proper.contains(&p), "{p}");
        }
    }
}
