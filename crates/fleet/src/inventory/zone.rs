//! Which segment an address is in: the one with the smallest range around it (R17).

use std::net::IpAddr;

use agent::scan::Range;
use serde::Deserialize;

use crate::{Fleet, Result};

/// The kind under which segments are kept.
const SEGMENT_RECORDS: &str = "segment";

/// Ranges of all segments, the smallest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Zones {
    ranges: Vec<(Range, usize)>,
    zones: Vec<Zone>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Zone {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) site: Option<String>,
    #[serde(default)]
    ranges: Vec<Range>,
}

impl Zones {
    fn new(zones: Vec<Zone>) -> Self {
        let mut ranges: Vec<(Range, usize)> = Vec::new();
        for (at, zone) in zones.iter().enumerate() {
            ranges.extend(zone.ranges.iter().map(|range| (*range, at)));
        }
        ranges.sort_by_key(|(range, at)| (range.span(), *at));
        Zones { ranges, zones }
    }

    pub(crate) fn of(&self, address: IpAddr) -> Option<&Zone> {
        let found = self
            .ranges
            .iter()
            .find(|(range, _)| range.contains(address));
        self.zones.get(found?.1)
    }

    /// One by its name.
    pub(crate) fn named(&self, name: &str) -> Option<&Zone> {
        self.zones.iter().find(|zone| zone.name == name)
    }
}

impl Fleet {
    /// The segments as far as places are put into them. A record that this does not understand puts nothing anywhere.
    pub(crate) async fn zones(&self) -> Result<Zones> {
        let records = self.store().records(SEGMENT_RECORDS).await?;
        let zones = records.iter().filter_map(|record| record.parse().ok());
        Ok(Zones::new(zones.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_range_around_an_address_has_it() {
        let zone = |name: &str, ranges: &[&str]| Zone {
            name: name.to_owned(),
            site: None,
            ranges: ranges.iter().map(|range| range.parse().unwrap()).collect(),
        };
        let zones = Zones::new(vec![
            zone("campus", &["10.0.0.0/8"]),
            zone("icu", &["10.30.0.0/16", "10.9.0.7"]),
        ]);
        let of = |address: &str| {
            zones
                .of(address.parse().unwrap())
                .map(|zone| zone.name.clone())
        };
        assert_eq!(of("10.30.4.4").as_deref(), Some("icu"));
        assert_eq!(of("10.9.0.7").as_deref(), Some("icu"));
        assert_eq!(of("10.9.0.8").as_deref(), Some("campus"));
        assert_eq!(of("192.0.2.1"), None);
    }
}
