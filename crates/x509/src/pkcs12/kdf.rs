//! The password-based key derivation of RFC 7292 appendix B, which PKCS#12 uses for its MAC and its legacy ciphers.

use aws_lc_rs::digest::{self, Algorithm};
use zeroize::Zeroizing;

/// What the derived bytes are for (RFC 7292 B.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Key = 1,
    Iv = 2,
    Mac = 3,
}

/// The password as a BMPString with its terminator (RFC 7292 B.1); characters beyond the BMP become surrogate pairs,
/// as OpenSSL and Java do.
pub(super) fn bmp_password(password: &str) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(2 * password.len() + 2));
    for unit in password.encode_utf16() {
        out.extend_from_slice(&unit.to_be_bytes());
    }
    out.extend_from_slice(&[0, 0]);
    out
}

/// The forms a password may have been used in: an empty one also as no octets at all.
pub(super) fn password_forms(password: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let mut forms = vec![bmp_password(password)];
    if password.is_empty() {
        forms.push(Zeroizing::new(Vec::new()));
    }
    forms
}

/// RFC 7292 B.2: `len` bytes from a password (already as BMPString) and a salt.
pub(super) fn derive(
    hash: &'static Algorithm,
    purpose: Purpose,
    password: &[u8],
    salt: &[u8],
    iterations: u32,
    len: usize,
) -> Zeroizing<Vec<u8>> {
    let block = hash.block_len();
    let diversifier = vec![purpose as u8; block];
    let mut input = Zeroizing::new(repeat_to_blocks(salt, block));
    input.extend_from_slice(&Zeroizing::new(repeat_to_blocks(password, block)));

    let mut out = Zeroizing::new(Vec::with_capacity(len + hash.output_len()));
    while out.len() < len {
        let mut context = digest::Context::new(hash);
        context.update(&diversifier);
        context.update(&input);
        let mut chained = context.finish();
        for _ in 1..iterations {
            chained = digest::digest(hash, chained.as_ref());
        }
        out.extend_from_slice(chained.as_ref());
        let addend: Vec<u8> = chained
            .as_ref()
            .iter()
            .copied()
            .cycle()
            .take(block)
            .collect();
        for chunk in input.chunks_mut(block) {
            add_with_one(chunk, &addend);
        }
    }
    out.truncate(len);
    out
}

/// Copies of `value` filling whole blocks; nothing for an empty value.
fn repeat_to_blocks(value: &[u8], block: usize) -> Vec<u8> {
    let len = value.len().div_ceil(block) * block;
    value.iter().copied().cycle().take(len).collect()
}

/// `chunk = chunk + addend + 1` modulo 2^(8·len), big-endian.
fn add_with_one(chunk: &mut [u8], addend: &[u8]) {
    let mut carry = 1u16;
    for (digit, add) in chunk.iter_mut().zip(addend).rev() {
        carry += u16::from(*digit) + u16::from(*add);
        *digit = carry as u8;
        carry >>= 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long-published vectors for SHA-1 ("smeg" and "queeg"), which BouncyCastle and OpenSSL also carry.
    #[test]
    fn matches_published_vectors() {
        let smeg = bmp_password("smeg");
        let queeg = bmp_password("queeg");
        let table: &[(&[u8], Purpose, &str, u32, &str)] = &[
            (
                &smeg,
                Purpose::Key,
                "0a58cf64530d823f",
                1,
                "8aaae6297b6cb04642ab5b077851284eb7128f1a2a7fbca3",
            ),
            (
                &smeg,
                Purpose::Iv,
                "0a58cf64530d823f",
                1,
                "79993dfe048d3b76",
            ),
            (
                &queeg,
                Purpose::Key,
                "05dec959acff72f7",
                1000,
                "ed2034e36328830ff09df1e1a07dd357185dac0d4f9eb3d4",
            ),
            (
                &queeg,
                Purpose::Iv,
                "05dec959acff72f7",
                1000,
                "11dedad7758d4860",
            ),
            (
                &queeg,
                Purpose::Mac,
                "263216fcc2fab31c",
                1000,
                "5ec4c7a80df652294c3925b6489a7ab857c83476",
            ),
        ];
        for (password, purpose, salt, iterations, expected) in table {
            let salt = hex::decode(salt).unwrap();
            let expected = hex::decode(expected).unwrap();
            let derived = derive(
                &digest::SHA1_FOR_LEGACY_USE_ONLY,
                *purpose,
                password,
                &salt,
                *iterations,
                expected.len(),
            );
            assert_eq!(*derived, expected, "{purpose:?} {iterations}");
        }
    }
}
