//! Where systems stand: which of them a place belongs to. Looked up, not searched: a map has tens of thousands of ends, an
//! inventory millions of places.

use std::collections::HashMap;
use std::net::IpAddr;

use agent::scan::Range;

use super::System;

/// Systems by everything that says where they stand.
pub(super) struct Ends {
    assets: HashMap<String, Vec<usize>>,
    names: HashMap<String, Vec<usize>>,
    /// `*.example.org` as `example.org`.
    below: HashMap<String, Vec<usize>>,
    single: HashMap<IpAddr, Vec<usize>>,
    /// By first address, with the last address of all up to here: whoever looks backwards knows when to stop.
    ranges: Vec<(Range, IpAddr, usize)>,
}

impl Ends {
    pub(super) fn of(systems: &[System]) -> Self {
        let mut ends = Ends {
            assets: HashMap::new(),
            names: HashMap::new(),
            below: HashMap::new(),
            single: HashMap::new(),
            ranges: Vec::new(),
        };
        for (number, system) in systems.iter().enumerate() {
            for asset in &system.assets {
                ends.assets.entry(asset.clone()).or_default().push(number);
            }
            for host in &system.hosts {
                let (names, name) = match host.strip_prefix("*.") {
                    Some(name) => (&mut ends.below, name),
                    None => (&mut ends.names, host.as_str()),
                };
                names.entry(name.to_owned()).or_default().push(number);
            }
            for range in &system.addresses {
                match range.span() {
                    0 => ends.single.entry(range.first()).or_default().push(number),
                    _ => ends.ranges.push((*range, range.last(), number)),
                }
            }
        }
        ends.ranges.sort_by_key(|(range, ..)| range.first());
        let mut last = None;
        for (range, furthest, _) in &mut ends.ranges {
            *furthest = range.last().max(last.unwrap_or(range.last()));
            last = Some(*furthest);
        }
        ends
    }

    /// The systems at an address, by a name, with an asset; each once.
    pub(super) fn at(
        &self,
        address: Option<IpAddr>,
        name: Option<&str>,
        asset: Option<&str>,
    ) -> Vec<usize> {
        let mut found = Vec::new();
        let mut take = |systems: Option<&Vec<usize>>| found.extend(systems.into_iter().flatten());
        take(asset.and_then(|asset| self.assets.get(asset)));
        take(name.and_then(|name| self.names.get(name)));
        take(address.and_then(|address| self.single.get(&address)));
        if !self.below.is_empty() {
            let mut rest = name;
            while let Some((_, parent)) = rest.and_then(|name| name.split_once('.')) {
                take(self.below.get(parent));
                rest = Some(parent);
            }
        }
        if let Some(address) = address {
            self.within(address, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn within(&self, address: IpAddr, found: &mut Vec<usize>) {
        let begun = self
            .ranges
            .partition_point(|(range, ..)| range.first() <= address);
        for (range, furthest, system) in self.ranges[..begun].iter().rev() {
            if *furthest < address {
                return;
            }
            if range.contains(address) {
                found.push(*system);
            }
        }
    }
}

/// Whether a name is the one of a pattern, or below it.
pub(super) fn is_named(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(suffix) => name.len() > suffix.len() && name.ends_with(suffix),
        None => name == pattern,
    }
}
