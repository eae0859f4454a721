//! Serial numbers: 16 octets, positive, 80 random bits (CA/B Forum BR §7.1 asks for 64), and a time
//! in front so that the index grows at its end.

use audit::Timestamp;

use crate::{CaError, Result};

/// Keeps the INTEGER positive and its length constant.
const PREFIX: u8 = 0x57;

/// A new serial number: INTEGER content octets.
pub(crate) fn new(now: Timestamp) -> Result<Vec<u8>> {
    let mut serial = vec![PREFIX; 16];
    // Hundredths of a second in 40 bits last until the year 2318.
    let hundredths = now.0.div_euclid(10).to_be_bytes();
    let (head, random) = serial.split_at_mut(6);
    if let (Some(time), Some(low)) = (head.get_mut(1..), hundredths.get(3..)) {
        time.copy_from_slice(low);
    }
    aws_lc_rs::rand::fill(random).map_err(|_| CaError::Internal("no random bytes"))?;
    Ok(serial)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_are_positive_short_and_rise_with_time() {
        let early = new(Timestamp(1_700_000_000_000)).unwrap();
        let late = new(Timestamp(1_700_000_000_020)).unwrap();
        assert_eq!(early.len(), 16);
        assert!(early[0] < 0x80 && early[0] != 0);
        assert!(early < late);
        assert_ne!(early, new(Timestamp(1_700_000_000_000)).unwrap());
    }
}
