//! Removing the padding of CBC (RFC 5652 §6.3) without telling anybody whether it was right.

use std::hint::black_box;

/// How many octets of `plaintext` are content: all of them where the padding is wrong. The octets of the last block
/// are looked at alike whatever they are.
pub(super) fn content_len(plaintext: &[u8], block: usize) -> usize {
    let Some(last) = plaintext.last() else {
        return 0;
    };
    let claimed = u32::from(*last);
    // 1 for whatever would make it wrong.
    let mut wrong = is_zero(claimed) | is_less(block as u32, claimed);
    for (n, octet) in plaintext.iter().rev().take(block).enumerate() {
        let counts = is_less(n as u32, claimed);
        wrong |= counts & !is_zero(u32::from(*octet) ^ claimed) & 1;
    }
    let mask = black_box(wrong).wrapping_sub(1); // All ones where nothing is wrong.
    plaintext.len() - (claimed & mask) as usize
}

/// 1 if `a < b`; both are far below 2^31.
fn is_less(a: u32, b: u32) -> u32 {
    a.wrapping_sub(b) >> 31
}

/// 1 for zero; below 2^31.
fn is_zero(a: u32) -> u32 {
    a.wrapping_sub(1) >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_removed_where_it_is_right_and_left_where_it_is_not() {
        for block in [8usize, 16] {
            for fill in 1..=block {
                let mut text = vec![7; 3 * block - fill];
                text.resize(3 * block, fill as u8);
                assert_eq!(
                    content_len(&text, block),
                    3 * block - fill,
                    "{block} {fill}"
                );
                let first = 3 * block - fill;
                text[first] ^= 0x80;
                let expected = 3 * block;
                assert_eq!(content_len(&text, block), expected, "{block} {fill} broken");
            }
            for wrong in [0, block as u8 + 1, 0x7f, 0xff] {
                assert_eq!(content_len(&vec![wrong; 2 * block], block), 2 * block);
            }
        }
        assert_eq!(content_len(&[], 16), 0);
    }
}
