//! A map that forgets what was not used for longest: connections come without number, memory does not.

use std::{collections::HashMap, hash::Hash};

/// No slot.
const NONE: u32 = u32::MAX;

/// A value's place, for who has several things to do with it and looks for its key once.
#[derive(Clone, Copy)]
pub(super) struct Slot(u32);

pub(super) struct Table<K, V> {
    index: HashMap<K, u32>,
    entries: Vec<Entry<K, V>>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
}

struct Entry<K, V> {
    value: Option<(K, V)>,
    older: u32,
    newer: u32,
}

impl<K: Hash + Eq + Copy, V> Table<K, V> {
    pub(super) fn new() -> Self {
        Self {
            index: HashMap::new(),
            entries: Vec::new(),
            free: Vec::new(),
            oldest: NONE,
            newest: NONE,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// The value of a key, now the one used last.
    pub(super) fn touch(&mut self, key: &K) -> Option<&mut V> {
        let at = self.find(key)?;
        self.at(at)
    }

    /// Where a key's value is, now the one used last; good until something is removed.
    pub(super) fn find(&mut self, key: &K) -> Option<Slot> {
        let at = *self.index.get(key)?;
        if self.newest != at {
            self.unlink(at);
            self.link(at);
        }
        Some(Slot(at))
    }

    /// The value at a place that was found just now.
    pub(super) fn at(&mut self, slot: Slot) -> Option<&mut V> {
        let (_, value) = self.entries.get_mut(slot.0 as usize)?.value.as_mut()?;
        Some(value)
    }

    /// Adds a key that is not there.
    pub(super) fn insert(&mut self, key: K, value: V) -> Slot {
        let entry = Entry {
            value: Some((key, value)),
            older: NONE,
            newer: NONE,
        };
        let at = match self.free.pop() {
            Some(at) => at,
            None => self.entries.len() as u32,
        };
        match self.entries.get_mut(at as usize) {
            Some(place) => *place = entry,
            None => self.entries.push(entry),
        }
        self.index.insert(key, at);
        self.link(at);
        Slot(at)
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.index.remove(key)?;
        self.unlink(at);
        self.free.push(at);
        let (_, value) = self.entries.get_mut(at as usize)?.value.take()?;
        Some(value)
    }

    /// What was not used for longest.
    pub(super) fn oldest(&self) -> Option<(&K, &V)> {
        let (key, value) = self.entries.get(self.oldest as usize)?.value.as_ref()?;
        Some((key, value))
    }

    pub(super) fn pop_oldest(&mut self) -> Option<(K, V)> {
        let key = *self.oldest()?.0;
        let value = self.remove(&key)?;
        Some((key, value))
    }

    fn link(&mut self, at: u32) {
        let newest = self.newest;
        if let Some(slot) = self.entries.get_mut(at as usize) {
            (slot.older, slot.newer) = (newest, NONE);
        }
        match self.entries.get_mut(newest as usize) {
            Some(slot) => slot.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
    }

    fn unlink(&mut self, at: u32) {
        let Some(slot) = self.entries.get(at as usize) else {
            return;
        };
        let (older, newer) = (slot.older, slot.newer);
        match self.entries.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
        match self.entries.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// It behaves as a list in order of use, whatever is done to it.
        #[test]
        fn behaves_as_a_list(actions in proptest::collection::vec((0u8..3, 0u8..12), 0..200)) {
            let mut table = Table::new();
            let mut list: Vec<u8> = Vec::new();
            for (action, key) in actions {
                let at = list.iter().position(|k| *k == key);
                match (action, at) {
                    (0, Some(at)) => {
                        let key = list.remove(at);
                        list.push(key);
                        prop_assert_eq!(table.touch(&key), Some(&mut (key + 1)));
                    }
                    (0, None) => {
                        prop_assert_eq!(table.touch(&key), None);
                        table.insert(key, key + 1);
                        list.push(key);
                    }
                    (1, _) => {
                        let expected = at.map(|at| list.remove(at) + 1);
                        prop_assert_eq!(table.remove(&key), expected);
                    }
                    _ => {
                        let expected = (!list.is_empty()).then(|| list.remove(0));
                        prop_assert_eq!(table.pop_oldest(), expected.map(|k| (k, k + 1)));
                    }
                }
                prop_assert_eq!(table.len(), list.len());
                prop_assert_eq!(table.oldest().map(|(k, _)| *k), list.first().copied());
            }
        }
    }
}
