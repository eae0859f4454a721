//! The used nonces of a server that is alone: a counter, and a bit for each of the last [`WINDOW`] numbers.
//!
//! The bits are in memory and, octet by octet, in a file. Written without waiting for the disk, they are safe from
//! everything that ends the process (`kill -9` included), because the kernel holds them; they are not safe from what ends
//! the kernel. So the file carries the boot's id, and under another boot begins anew with another epoch.
//!
//! ```text
//! 0      magic, 16 octets         48  numbers below this may have been issued, 8 octets
//! 16     boot id, 16 octets       4096  bits: number n is bit n mod 8 of octet (n / 8) mod (WINDOW / 8)
//! 32     epoch, 16 octets
//! ```

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use parking_lot::Mutex;

use super::AcmeError;
use crate::random::random;

/// How many nonces can be out at once. At 6,000 requests a second the oldest is an hour and a half old.
const WINDOW: u64 = if cfg!(test) { 1 << 10 } else { 1 << 25 };
/// Numbers are reserved in blocks, so that issuing one costs no write.
const BLOCK: u64 = if cfg!(test) { 1 << 6 } else { 1 << 15 };

const MAGIC: &[u8; 16] = b"ward acme nonce1";
const HEADER: usize = 56;
const BITS_AT: u64 = 4096;

/// Who booted: the file of another boot is not believed.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

pub(crate) struct Used {
    epoch: [u8; 16],
    boot: [u8; 16],
    file: File,
    state: Mutex<State>,
}

struct State {
    next: u64,
    reserved: u64,
    bits: Box<[u8]>,
}

impl Used {
    /// Opens the file, or begins one.
    pub(crate) fn open(path: &Path) -> Result<Self, AcmeError> {
        let failed = |source| AcmeError::File {
            path: path.display().to_string(),
            source,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        let boot = boot_id();
        if boot.is_none() {
            tracing::warn!("{BOOT_ID} cannot be read: a restart makes clients ask for new nonces");
        }
        let (epoch, reserved, bits) = match boot.and_then(|boot| read(&file, &boot)) {
            Some(kept) => kept,
            None => {
                let epoch = random()?;
                let bits = vec![0; (WINDOW / 8) as usize].into_boxed_slice();
                // Written out now: later there may be no space for it.
                file.set_len(0).map_err(failed)?;
                file.write_all_at(&bits, BITS_AT).map_err(failed)?;
                (epoch, 0, bits)
            }
        };
        let used = Used {
            epoch,
            boot: boot.unwrap_or_default(),
            file,
            state: Mutex::new(State {
                next: reserved,
                reserved,
                bits,
            }),
        };
        used.reserve(&mut used.state.lock()).map_err(failed)?;
        Ok(used)
    }

    /// What tells this file's numbers from those of any other.
    pub(crate) fn epoch(&self) -> &[u8; 16] {
        &self.epoch
    }

    /// A number that nobody has had.
    pub(crate) fn next(&self) -> io::Result<u64> {
        let mut state = self.state.lock();
        if state.next == state.reserved {
            self.reserve(&mut state)?;
        }
        let number = state.next;
        state.next += 1;
        Ok(number)
    }

    /// Marks a number as used; false if it was, or if it is too far behind to tell. The mark is where a dying process
    /// cannot take it along before this returns.
    pub(crate) fn claim(&self, number: u64) -> io::Result<bool> {
        let mut state = self.state.lock();
        let window = state.reserved.saturating_sub(WINDOW)..state.reserved;
        if !window.contains(&number) {
            return Ok(false);
        }
        let (at, bit) = place(number);
        let Some(octet) = state.bits.get_mut(at) else {
            return Ok(false);
        };
        if *octet & bit != 0 {
            return Ok(false);
        }
        self.file
            .write_all_at(&[*octet | bit], BITS_AT + at as u64)?;
        *octet |= bit;
        Ok(true)
    }

    /// Reserves the next block. The header comes first: it moves the window's end past the numbers whose bits the block
    /// takes over, and a death in between wastes a block and nothing else.
    fn reserve(&self, state: &mut State) -> io::Result<()> {
        let start = state.reserved;
        let mut header = [0; HEADER];
        header[..16].copy_from_slice(MAGIC);
        header[16..32].copy_from_slice(&self.boot);
        header[32..48].copy_from_slice(&self.epoch);
        header[48..].copy_from_slice(&(start + BLOCK).to_be_bytes());
        self.file.write_all_at(&header, 0)?;
        let (at, _) = place(start);
        let clear = [0; (BLOCK / 8) as usize];
        self.file.write_all_at(&clear, BITS_AT + at as u64)?;
        if let Some(bits) = state.bits.get_mut(at..at + clear.len()) {
            bits.copy_from_slice(&clear);
        }
        state.next = start;
        state.reserved = start + BLOCK;
        Ok(())
    }
}

fn place(number: u64) -> (usize, u8) {
    (((number % WINDOW) / 8) as usize, 1 << (number % 8))
}

/// Epoch, end of what is reserved, bits: if the file is whole and of this boot.
fn read(file: &File, boot: &[u8; 16]) -> Option<([u8; 16], u64, Box<[u8]>)> {
    let mut header = [0; HEADER];
    file.read_exact_at(&mut header, 0).ok()?;
    let (magic, rest) = header.split_at(16);
    let (of_boot, rest) = rest.split_at(16);
    let (epoch, reserved) = rest.split_at(16);
    if magic != MAGIC || of_boot != boot {
        return None;
    }
    let reserved = u64::from_be_bytes(reserved.try_into().ok()?);
    if reserved % BLOCK != 0 {
        return None;
    }
    let mut bits = vec![0; (WINDOW / 8) as usize].into_boxed_slice();
    file.read_exact_at(&mut bits, BITS_AT).ok()?;
    Some((epoch.try_into().ok()?, reserved, bits))
}

/// The boot's UUID.
fn boot_id() -> Option<[u8; 16]> {
    let text = std::fs::read_to_string(BOOT_ID).ok()?;
    let mut id = [0; 16];
    hex::decode_to_slice(text.trim().replace('-', ""), &mut id).ok()?;
    Some(id)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    fn place() -> (TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("acme-nonces");
        (directory, path)
    }

    #[derive(Clone, Debug)]
    enum Act {
        Issue(u8),
        /// The n-th number from the newest.
        Claim(usize),
        /// The process ends, by whatever: nothing is said on the way out.
        Restart,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            4 => (1u8..40).prop_map(Act::Issue),
            12 => (0usize..2000).prop_map(Act::Claim),
            1 => Just(Act::Restart),
        ]
    }

    proptest! {
        /// Never accepted twice; never refused while it is among the last `WINDOW - 2 * BLOCK`, less a block for each
        /// restart: nobody knows how much of the last one was issued.
        #[test]
        fn each_number_is_good_exactly_once(acts in proptest::collection::vec(act(), 1..200)) {
            let (_directory, path) = place();
            let mut used = Used::open(&path).unwrap();
            let epoch = *used.epoch();
            let (mut issued, mut claimed) = (Vec::new(), HashSet::new());
            let mut wasted = 0;
            for act in acts {
                match act {
                    Act::Issue(count) => {
                        for _ in 0..count {
                            let number = used.next().unwrap();
                            prop_assert!(issued.last().is_none_or(|last| number > *last));
                            issued.push(number);
                        }
                    }
                    Act::Claim(back) => {
                        let Some(number) = issued.len().checked_sub(back + 1).map(|at| issued[at]) else {
                            continue;
                        };
                        let newest = *issued.last().unwrap();
                        let accepted = used.claim(number).unwrap();
                        if accepted {
                            prop_assert!(claimed.insert(number), "{number} twice");
                        } else if newest - number + wasted < WINDOW - 2 * BLOCK {
                            prop_assert!(claimed.contains(&number), "{number} refused at {newest}");
                        }
                    }
                    Act::Restart => {
                        used = Used::open(&path).unwrap();
                        wasted += BLOCK;
                        prop_assert_eq!(&epoch, used.epoch());
                    }
                }
            }
        }
    }

    #[test]
    fn numbers_that_were_never_issued_are_refused() {
        let (_directory, path) = place();
        let used = Used::open(&path).unwrap();
        assert!(!used.claim(BLOCK).unwrap());
        assert!(!used.claim(u64::MAX).unwrap());
        let first = used.next().unwrap();
        for _ in 0..WINDOW + BLOCK {
            used.next().unwrap();
        }
        assert!(!used.claim(first).unwrap(), "too far behind to tell");
    }

    #[test]
    fn of_many_at_once_one_is_first() {
        let (_directory, path) = place();
        let used = Used::open(&path).unwrap();
        let (issued, accepted) = (parking_lot::Mutex::new(HashSet::new()), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        assert!(issued.lock().insert(used.next().unwrap()));
                    }
                });
            }
        });
        assert_eq!(issued.lock().len(), 400);
        let numbers: Vec<u64> = issued.lock().iter().copied().collect();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for number in &numbers {
                        accepted.fetch_add(usize::from(used.claim(*number).unwrap()), Relaxed);
                    }
                });
            }
        });
        assert_eq!(accepted.load(Relaxed), 400);
    }

    /// After the machine itself went down the file may have lost claims: nothing of before is believed.
    #[test]
    fn another_boot_begins_another_epoch() {
        let (_directory, path) = place();
        let before = *Used::open(&path).unwrap().epoch();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&[7; 16], 16).unwrap();
        assert_ne!(&before, Used::open(&path).unwrap().epoch());
        let after = *Used::open(&path).unwrap().epoch();
        assert_eq!(&after, Used::open(&path).unwrap().epoch());
        file.set_len(100).unwrap();
        assert_ne!(&after, Used::open(&path).unwrap().epoch(), "a torn file");
    }
}
