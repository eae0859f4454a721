//! Inclusion and consistency proofs: made per RFC 6962 §2.1.1 and §2.1.2, checked with the
//! algorithms of RFC 9162 §2.1.3.2 and §2.1.4.2 (the tree and its proofs are the same in both).
//!
//! Making a proof has two steps, so that a caller with an asynchronous store can do the reading
//! in between: a [`Plan`] names the nodes that are needed, and their hashes make the proof.

use std::collections::HashMap;
use std::ops::Range;

use crate::merkle::{empty_root, node_hash};
use crate::{Error, Hash};

/// A complete subtree: the leaves `index << level .. (index + 1) << level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// Height above the leaves.
    pub level: u8,
    /// Position among the nodes of that height.
    pub index: u64,
}

/// Gives the hashes of complete subtrees.
pub trait HashReader {
    /// The hash of `node`.
    fn node(&mut self, node: Node) -> Result<Hash, Error>;
}

impl<F: FnMut(Node) -> Result<Hash, Error>> HashReader for F {
    fn node(&mut self, node: Node) -> Result<Hash, Error> {
        self(node)
    }
}

/// What a proof is made from: for each of its hashes, the complete subtrees under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    parts: Vec<Vec<Node>>,
}

impl Plan {
    /// What proves that the leaf at `index` is in the tree of `size` leaves (RFC 6962 §2.1.1).
    pub fn inclusion(index: u64, size: u64) -> Result<Plan, Error> {
        if index >= size {
            return Err(Error::OutOfRange {
                what: "leaf",
                index,
                size,
            });
        }
        let mut parts = Vec::new();
        let mut range = 0..size;
        while range.end - range.start > 1 {
            let (left, right) = split(&range);
            let (inside, beside) = match left.contains(&index) {
                true => (left, right),
                false => (right, left),
            };
            parts.push(complete_subtrees(beside));
            range = inside;
        }
        parts.reverse();
        Ok(Plan { parts })
    }

    /// What proves that the tree of `old` leaves is a prefix of the tree of `new` leaves
    /// (RFC 6962 §2.1.2). Nothing needs proof for equal trees, or for the empty one.
    pub fn consistency(old: u64, new: u64) -> Result<Plan, Error> {
        if old > new {
            return Err(Error::OutOfRange {
                what: "earlier tree",
                index: old,
                size: new,
            });
        }
        let mut parts = Vec::new();
        if old == 0 || old == new {
            return Ok(Plan { parts });
        }
        let mut range = 0..new;
        while range.end != old {
            let (left, right) = split(&range);
            if old <= left.end {
                parts.push(complete_subtrees(right));
                range = left;
            } else {
                parts.push(complete_subtrees(left));
                range = right;
            }
        }
        // The checker knows the old root, so the old tree itself is not part of its own proof.
        if range.start != 0 {
            parts.push(complete_subtrees(range));
        }
        parts.reverse();
        Ok(Plan { parts })
    }

    /// What the root of the tree of `size` leaves is made from.
    pub fn root(size: u64) -> Plan {
        Plan {
            parts: vec![complete_subtrees(0..size)],
        }
    }

    /// Every node whose hash the proof needs.
    pub fn nodes(&self) -> impl Iterator<Item = Node> + '_ {
        self.parts.iter().flatten().copied()
    }

    /// The proof.
    pub fn proof(&self, reader: &mut impl HashReader) -> Result<Vec<Hash>, Error> {
        let mut proof = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let mut hash: Option<Hash> = None;
            for node in part.iter().rev() {
                let left = reader.node(*node)?;
                hash = Some(match hash {
                    None => left,
                    Some(right) => node_hash(&left, &right),
                });
            }
            proof.extend(hash);
        }
        Ok(proof)
    }
}

/// Finds the hashes of chosen nodes in one pass over all leaf hashes, keeping O(log n) others:
/// for a log that stores leaves only.
#[derive(Debug)]
pub struct Gather {
    wanted: HashMap<Node, Option<Hash>>,
    open: Vec<Hash>,
    size: u64,
}

impl Gather {
    /// Will find the nodes that `plan` needs.
    pub fn new(plan: &Plan) -> Self {
        Gather {
            wanted: plan.nodes().map(|node| (node, None)).collect(),
            open: Vec::new(),
            size: 0,
        }
    }

    /// Takes the next leaf hash.
    pub fn append(&mut self, leaf: Hash) {
        let mut node = Node {
            level: 0,
            index: self.size,
        };
        let mut hash = leaf;
        self.note(node, hash);
        while node.index & 1 == 1 {
            let Some(left) = self.open.pop() else { break };
            hash = node_hash(&left, &hash);
            node = Node {
                level: node.level + 1,
                index: node.index >> 1,
            };
            self.note(node, hash);
        }
        self.open.push(hash);
        self.size += 1;
    }

    fn note(&mut self, node: Node, hash: Hash) {
        if let Some(place) = self.wanted.get_mut(&node) {
            *place = Some(hash);
        }
    }
}

impl HashReader for Gather {
    fn node(&mut self, node: Node) -> Result<Hash, Error> {
        let found = self.wanted.get(&node).copied().flatten();
        found.ok_or(Error::OutOfRange {
            what: "node",
            index: node.index,
            size: self.size,
        })
    }
}

/// The largest power of two smaller than the number of leaves goes left (RFC 6962 §2.1).
fn split(range: &Range<u64>) -> (Range<u64>, Range<u64>) {
    let leaves = range.end - range.start;
    let left = 1 << (leaves - 1).ilog2();
    let middle = range.start + left;
    (range.start..middle, middle..range.end)
}

/// The complete subtrees of a range that begins where a subtree of its size may begin.
fn complete_subtrees(range: Range<u64>) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let level = (range.end - start).ilog2();
        nodes.push(Node {
            level: level as u8,
            index: start >> level,
        });
        start += 1 << level;
    }
    nodes
}

/// Checks that `leaf` is at `index` in the tree of `size` leaves with `root`
/// (RFC 9162 §2.1.3.2).
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), Error> {
    const REFUTED: Error = Error::Refuted("the inclusion proof does not hold");
    if index >= size {
        return Err(REFUTED);
    }
    let (mut inner, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for beside in proof {
        if last == 0 {
            return Err(REFUTED);
        }
        if inner & 1 == 1 || inner == last {
            hash = node_hash(beside, &hash);
            while inner & 1 == 0 && inner != 0 {
                inner >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, beside);
        }
        inner >>= 1;
        last >>= 1;
    }
    match last == 0 && hash == *root {
        true => Ok(()),
        false => Err(REFUTED),
    }
}

/// Checks that the tree `old` (leaves, root) is a prefix of the tree `new`
/// (RFC 9162 §2.1.4.2).
pub fn verify_consistency(
    old: (u64, &Hash),
    new: (u64, &Hash),
    proof: &[Hash],
) -> Result<(), Error> {
    match holds_consistency(old, new, proof) {
        true => Ok(()),
        false => Err(Error::Refuted("the consistency proof does not hold")),
    }
}

fn holds_consistency(old: (u64, &Hash), new: (u64, &Hash), proof: &[Hash]) -> bool {
    if old.0 > new.0 {
        return false;
    }
    if old.0 == new.0 {
        return proof.is_empty() && old.1 == new.1;
    }
    if old.0 == 0 {
        return proof.is_empty() && *old.1 == empty_root();
    }
    let mut hashes = proof.iter();
    let first = match old.0.is_power_of_two() {
        true => Some(old.1),
        false => hashes.next(),
    };
    let Some(first) = first else { return false };
    let skip = (old.0 - 1).trailing_ones();
    let (mut inner, mut last) = ((old.0 - 1) >> skip, (new.0 - 1) >> skip);
    let (mut old_root, mut new_root) = (*first, *first);
    for beside in hashes {
        if last == 0 {
            return false;
        }
        if inner & 1 == 1 || inner == last {
            old_root = node_hash(beside, &old_root);
            new_root = node_hash(beside, &new_root);
            while inner & 1 == 0 && inner != 0 {
                inner >>= 1;
                last >>= 1;
            }
        } else {
            new_root = node_hash(&new_root, beside);
        }
        inner >>= 1;
        last >>= 1;
    }
    last == 0 && old_root == *old.1 && new_root == *new.1
}
