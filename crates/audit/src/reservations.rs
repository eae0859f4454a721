//! Blocks of serial numbers that were reserved before anything was signed under them. A reservation
//! says how many numbers there are, and a hash over them; what becomes of each names its block. When
//! all of them are accounted for, they must hash to what was reserved.

use std::collections::{BTreeSet, HashMap};

use crate::Event;
use crate::merkle::sha256;

/// More than any Ward reserves at a time.
const MAX_COUNT: u64 = 4096;

/// The blocks that are open.
#[derive(Debug, Default)]
pub(crate) struct Reservations(HashMap<String, Block>);

#[derive(Debug)]
struct Block {
    seq: u64,
    issuer: String,
    count: u64,
    serials_sha256: String,
    /// Those that are accounted for, in hex.
    serials: BTreeSet<String>,
}

impl Reservations {
    /// How many numbers are not accounted for.
    pub(crate) fn open(&self) -> u64 {
        let left = |block: &Block| block.count - block.serials.len() as u64;
        self.0.values().map(left).sum()
    }

    /// A block begins.
    pub(crate) fn reserve(&mut self, seq: u64, event: &Event) -> Result<(), String> {
        let id = &event.object.id;
        let after = event.after.as_ref();
        let text = |name| Some(after?.get(name)?.as_str()?.to_owned());
        let count = after.and_then(|after| after.get("count")?.as_u64());
        let (Some(issuer), Some(serials_sha256), Some(count @ 1..=MAX_COUNT)) =
            (text("issuer"), text("serials_sha256"), count)
        else {
            return Err(format!("block {id} does not say what it reserves"));
        };
        let block = Block {
            seq,
            issuer,
            count,
            serials_sha256,
            serials: BTreeSet::new(),
        };
        match self.0.insert(id.clone(), block) {
            None => Ok(()),
            Some(before) => Err(format!("block {id} was reserved in entry {}", before.seq)),
        }
    }

    /// One of its numbers is a certificate's or void. `None`: there is no such block open.
    pub(crate) fn settle(&mut self, id: &str, event: &Event) -> Option<Result<(), String>> {
        let block = self.0.get_mut(id)?;
        let after = event.after.as_ref();
        let issuer = after.and_then(|after| after.get("issuer")?.as_str());
        if issuer != Some(&block.issuer) {
            return Some(Err(format!(
                "block {id} was reserved for {}, not for {}",
                block.issuer,
                issuer.unwrap_or("nobody")
            )));
        }
        let serial = &event.object.id;
        if !block.serials.insert(serial.clone()) {
            return Some(Err(format!("serial {serial} of block {id} is used twice")));
        }
        match block.serials.len() as u64 == block.count {
            true => Some(self.end(id)),
            false => Some(Ok(())),
        }
    }

    /// A block ends, and some of its numbers are given back unused.
    pub(crate) fn give_back(&mut self, event: &Event) -> Result<(), String> {
        let id = &event.object.id;
        let after = event.after.as_ref();
        let unused = after.and_then(|after| after.get("unused")?.as_array());
        let Some(unused) = unused else {
            return Err(format!("block {id} does not say what was not used"));
        };
        let Some(block) = self.0.get_mut(id) else {
            // Of one that was used up nothing is left to give back.
            return match unused.is_empty() {
                true => Ok(()),
                false => Err(format!("block {id} is not open")),
            };
        };
        for serial in unused.iter().map(|serial| serial.as_str().unwrap_or("?")) {
            if !block.serials.insert(serial.to_owned()) {
                return Err(format!("serial {serial} of block {id} was used"));
            }
        }
        self.end(id)
    }

    /// Every number of a block is known now.
    fn end(&mut self, id: &str) -> Result<(), String> {
        let Some(block) = self.0.remove(id) else {
            return Ok(());
        };
        let bytes: Option<Vec<u8>> = block.serials.iter().try_fold(Vec::new(), |mut all, one| {
            all.extend(hex::decode(one).ok()?);
            Some(all)
        });
        let fits = bytes.is_some_and(|bytes| hex::encode(sha256(&bytes)) == block.serials_sha256);
        let count = block.serials.len() as u64;
        match fits && count == block.count {
            true => Ok(()),
            false => Err(format!(
                "the {count} serial numbers of block {id} are not the {} that entry {} reserved",
                block.count, block.seq
            )),
        }
    }
}
