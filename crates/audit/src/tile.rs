//! C2SP `tlog-tiles`: how a log lies in files. Hash tiles of height 8, entry bundles of 256
//! events, their paths, and the index from which any tile above the leaves can be written.
//!
//! Beside the entries lie bundles of certificates, which C2SP does not know: `certificates/N`
//! holds the certificates of the `certificate.issue` events in `tile/entries/N`, in their order,
//! each behind its length in 32 bits. So both can be checked together in one pass.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::merkle::node_hash;
use crate::proof::{HashReader, Node};
use crate::{Error, Hash};

/// Hashes in a full tile, entries in a full bundle.
pub const WIDTH: u64 = 256;
const HEIGHT: u8 = 8;

/// What lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Hashes of the nodes of height 8 × the number.
    Hashes(u8),
    /// Event bodies.
    Entries,
    /// Certificates of the events.
    Certificates,
}

/// Which file: `width` is 256 for a full one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// What lies in it.
    pub kind: Kind,
    /// Its number from the left.
    pub index: u64,
    /// How many hashes or entries it covers, 1 to 256.
    pub width: u16,
}

impl Path {
    /// The leaves or events that lie in an entry bundle or a tile of level 0.
    pub fn entries(&self) -> Range<u64> {
        let start = self.index * WIDTH;
        start..start + u64::from(self.width)
    }

    /// All files of one kind for a tree of `size` leaves, full ones first, then a partial one.
    pub fn all(kind: Kind, size: u64) -> impl Iterator<Item = Path> {
        let items = match kind {
            Kind::Hashes(level) => size.checked_shr(u32::from(level) * 8).unwrap_or(0),
            Kind::Entries | Kind::Certificates => size,
        };
        (0..items.div_ceil(WIDTH)).map(move |index| Path {
            kind,
            index,
            width: (items - index * WIDTH).min(WIDTH) as u16,
        })
    }

    /// The levels of hash tiles that a tree of `size` leaves has.
    pub fn levels(size: u64) -> Range<u8> {
        let bits = size
            .checked_ilog2()
            .map_or(0, |top| top / u32::from(HEIGHT) + 1);
        0..bits as u8
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Hashes(level) => write!(f, "tile/{level}/")?,
            Kind::Entries => f.write_str("tile/entries/")?,
            Kind::Certificates => f.write_str("certificates/")?,
        }
        let digits = self.index.to_string();
        let groups = digits.len().div_ceil(3);
        let padded = format!("{:0>width$}", digits, width = groups * 3);
        for group in 0..groups {
            let text = &padded[group * 3..group * 3 + 3];
            let last = group + 1 == groups;
            write!(
                f,
                "{}{text}{}",
                if last { "" } else { "x" },
                if last { "" } else { "/" }
            )?;
        }
        match u64::from(self.width) == WIDTH {
            true => Ok(()),
            false => write!(f, ".p/{}", self.width),
        }
    }
}

impl FromStr for Path {
    type Err = Error;

    /// Reads a path and takes no other spelling than the one that is written.
    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = || Error::malformed("tile path", text);
        let (whole, width) = match text.split_once(".p/") {
            Some((whole, width)) => (whole, width.parse().map_err(|_| bad())?),
            None => (text, WIDTH as u16),
        };
        let (kind, number) = if let Some(number) = whole.strip_prefix("certificates/") {
            (Kind::Certificates, number)
        } else {
            let rest = whole.strip_prefix("tile/").ok_or_else(bad)?;
            match rest.split_once('/').ok_or_else(bad)? {
                ("entries", number) => (Kind::Entries, number),
                (level, number) => (Kind::Hashes(level.parse().map_err(|_| bad())?), number),
            }
        };
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let path = Path {
            kind,
            index: digits.parse().map_err(|_| bad())?,
            width,
        };
        let in_range = (1..=WIDTH).contains(&u64::from(width));
        match in_range && path.to_string() == text {
            true => Ok(path),
            false => Err(bad()),
        }
    }
}

/// Appends an event to an entry bundle, behind its length in 16 bits.
pub fn push_entry(bundle: &mut Vec<u8>, body: &[u8]) -> Result<(), Error> {
    let length = u16::try_from(body.len())
        .map_err(|_| Error::malformed("entry", format!("{} bytes", body.len())))?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(body);
    Ok(())
}

/// Appends a certificate to a bundle of certificates, behind its length in 32 bits.
pub fn push_certificate(bundle: &mut Vec<u8>, der: &[u8]) -> Result<(), Error> {
    let length = u32::try_from(der.len())
        .map_err(|_| Error::malformed("certificate", format!("{} bytes", der.len())))?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(der);
    Ok(())
}

/// The events of an entry bundle.
pub fn entries(bundle: &[u8]) -> Result<Vec<&[u8]>, Error> {
    split_prefixed::<2>(bundle, "entry bundle")
}

/// The certificates of a bundle of certificates.
pub fn certificates(bundle: &[u8]) -> Result<Vec<&[u8]>, Error> {
    split_prefixed::<4>(bundle, "certificate bundle")
}

fn split_prefixed<'a, const PREFIX: usize>(
    mut bytes: &'a [u8],
    what: &'static str,
) -> Result<Vec<&'a [u8]>, Error> {
    let mut items = Vec::new();
    while !bytes.is_empty() {
        let cut = || Error::malformed(what, format!("cut short in item {}", items.len()));
        let (prefix, rest) = bytes.split_first_chunk::<PREFIX>().ok_or_else(cut)?;
        let length = prefix
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let (item, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        items.push(item);
        bytes = rest;
    }
    Ok(items)
}

/// Where a node's hash comes from: a tile of a tree of `size` leaves, and which of the tile's
/// hashes lie under the node (their number is a power of two; [`fold`] them).
pub fn holding(node: Node, size: u64) -> Result<(Path, Range<usize>), Error> {
    let level = node.level / HEIGHT;
    let within = node.level % HEIGHT;
    let outside = || Error::OutOfRange {
        what: "node",
        index: node.index,
        size,
    };
    let first = node
        .index
        .checked_shl(u32::from(within))
        .ok_or_else(outside)?;
    let items = size.checked_shr(u32::from(level) * 8).unwrap_or(0);
    let end = first.checked_add(1 << within).ok_or_else(outside)?;
    if end > items {
        return Err(outside());
    }
    let index = first / WIDTH;
    let path = Path {
        kind: Kind::Hashes(level),
        index,
        width: (items - index * WIDTH).min(WIDTH) as u16,
    };
    let from = (first % WIDTH) as usize;
    Ok((path, from..from + (1 << within)))
}

/// The root over hashes whose number is a power of two.
pub fn fold(hashes: &[Hash]) -> Result<Hash, Error> {
    if !hashes.len().is_power_of_two() {
        return Err(Error::malformed(
            "tile",
            format!("{} hashes to fold", hashes.len()),
        ));
    }
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level
            .chunks_exact(2)
            .map(|pair| node_hash(&pair[0], &pair[1]))
            .collect();
    }
    Ok(level[0])
}

/// The hashes of a tile's bytes.
pub fn hashes(tile: &[u8]) -> Result<&[Hash], Error> {
    match tile.as_chunks::<32>() {
        (hashes, []) => Ok(hashes),
        _ => Err(Error::malformed("tile", format!("{} bytes", tile.len()))),
    }
}

/// Every hash of heights 8, 16, 24, …, and the leaves since the last full tile: 32 bytes for
/// every 256 events. It is what tiles above the leaves are written from.
#[derive(Clone, Debug, Default)]
pub struct Index {
    leaves: Vec<Hash>,
    levels: Vec<Vec<Hash>>,
}

impl Index {
    /// The index of the empty tree.
    pub fn new() -> Self {
        Index::default()
    }

    /// The index of a tree of which the hashes of height 8 and the leaves after them are known.
    pub fn restore(
        height_8: impl IntoIterator<Item = Hash>,
        leaves: impl IntoIterator<Item = Hash>,
    ) -> Result<Self, Error> {
        let mut index = Index::new();
        for hash in height_8 {
            index.push_above(0, hash)?;
        }
        for leaf in leaves {
            index.push(leaf)?;
        }
        Ok(index)
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.height_8().len() as u64 * WIDTH + self.leaves.len() as u64
    }

    /// The leaves since the last full tile.
    pub fn open_leaves(&self) -> &[Hash] {
        &self.leaves
    }

    /// Adds a leaf hash.
    pub fn push(&mut self, leaf: Hash) -> Result<(), Error> {
        self.leaves.push(leaf);
        if self.leaves.len() as u64 == WIDTH {
            let hash = fold(&self.leaves)?;
            self.leaves.clear();
            self.push_above(0, hash)?;
        }
        Ok(())
    }

    /// The bytes of a tile above the leaves, or of the last tile of leaves, if the tree has it.
    pub fn tile(&self, path: Path) -> Option<Vec<u8>> {
        let Kind::Hashes(level) = path.kind else {
            return None;
        };
        let width = usize::from(path.width);
        let hashes = match level.checked_sub(1) {
            None if path.index == self.height_8().len() as u64 => self.leaves.get(..width)?,
            None => return None,
            Some(above) => {
                let start = usize::try_from(path.index.checked_mul(WIDTH)?).ok()?;
                let level = self.levels.get(usize::from(above))?;
                level.get(start..start.checked_add(width)?)?
            }
        };
        Some(hashes.as_flattened().to_vec())
    }

    fn height_8(&self) -> &[Hash] {
        self.levels.first().map_or(&[], Vec::as_slice)
    }

    fn push_above(&mut self, mut level: usize, mut hash: Hash) -> Result<(), Error> {
        loop {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let hashes = &mut self.levels[level];
            hashes.push(hash);
            if !(hashes.len() as u64).is_multiple_of(WIDTH) {
                return Ok(());
            }
            hash = fold(&hashes[hashes.len() - WIDTH as usize..])?;
            level += 1;
        }
    }
}

/// Reads nodes from tiles that `fetch` gives.
pub struct TileReader<F> {
    size: u64,
    fetch: F,
}

impl<F: FnMut(Path) -> Result<Vec<u8>, Error>> TileReader<F> {
    /// A reader of the tree of `size` leaves.
    pub fn new(size: u64, fetch: F) -> Self {
        TileReader { size, fetch }
    }
}

impl<F: FnMut(Path) -> Result<Vec<u8>, Error>> HashReader for TileReader<F> {
    fn node(&mut self, node: Node) -> Result<Hash, Error> {
        let (path, range) = holding(node, self.size)?;
        let tile = (self.fetch)(path)?;
        let under = hashes(&tile)?
            .get(range)
            .ok_or_else(|| Error::malformed("tile", format!("{path} is too short")))?;
        fold(under)
    }
}
