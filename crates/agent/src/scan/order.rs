//! In which order: all numbers once, scattered, so that no subnet is hit in a row, and without a list of them.
//!
//! A Feistel network over the next even number of bits is a permutation whatever its round function; numbers
//! beyond the end are walked past (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002).
//! Nothing here has to be secret, only scattered.

/// A permutation of `0..count`.
#[derive(Clone, Debug)]
pub(super) struct Order {
    count: u64,
    half: u32,
    keys: [u64; 4],
}

impl Order {
    pub(super) fn new(count: u64, seed: &[u8; 32]) -> Self {
        let bits = u64::BITS - count.saturating_sub(1).leading_zeros();
        let mut keys = [0; 4];
        for (key, bytes) in keys.iter_mut().zip(seed.as_chunks::<8>().0) {
            *key = u64::from_be_bytes(*bytes);
        }
        Self {
            count,
            half: bits.div_ceil(2).max(1),
            keys,
        }
    }

    /// Which number has this position.
    pub(super) fn at(&self, position: u64) -> Option<u64> {
        if position >= self.count {
            return None;
        }
        let mut number = self.mix(position);
        // The domain is at most four times `count`, and the walk is along a cycle through `position` itself.
        while number >= self.count {
            number = self.mix(number);
        }
        Some(number)
    }

    fn mix(&self, number: u64) -> u64 {
        let mask = (1u64 << self.half) - 1;
        let (mut left, mut right) = (number >> self.half, number & mask);
        for key in self.keys {
            (left, right) = (right, left ^ scatter(right ^ key) & mask);
        }
        left << self.half | right
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
fn scatter(mut number: u64) -> u64 {
    number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_number_comes_once(count in 1u64..5000, seed in any::<[u8; 32]>()) {
            let order = Order::new(count, &seed);
            let mut numbers: Vec<u64> = (0..count).map(|position| order.at(position).unwrap()).collect();
            numbers.sort_unstable();
            prop_assert!(numbers.into_iter().eq(0..count));
            prop_assert_eq!(order.at(count), None);
        }
    }

    #[test]
    fn r17_a_subnet_is_not_hit_in_a_row() {
        // The addresses of a /16, one after the other: neighbours share a /24 about once in 256.
        let order = Order::new(1 << 16, &[3; 32]);
        let subnets: Vec<u64> = (0..1 << 16)
            .map(|position| order.at(position).unwrap() >> 8)
            .collect();
        let in_a_row = subnets.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert!(in_a_row < 400, "{in_a_row}");
        let three = subnets
            .windows(3)
            .filter(|three| three[0] == three[1] && three[1] == three[2]);
        assert!(three.count() < 20);
    }

    #[test]
    fn the_largest_scan_has_an_order_too() {
        let order = Order::new(1 << 40, &[1; 32]);
        assert!(order.at((1 << 40) - 1).unwrap() < 1 << 40);
    }
}
