//! What a scan may do: a value that somebody signed off, and that the scan checks before every connection.

use super::range::Range;
use super::target::Target;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// Raw printing (JetDirect and its kin): whatever connects and talks there is printed.
const RAW_PRINT: std::ops::RangeInclusive<u16> = 9100..=9107;

/// The limits of one segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Only addresses in these; none given means any.
    pub ranges: Vec<Range>,
    /// Never these, whatever else allows them.
    pub exclude: Vec<Exclusion>,
    /// Only these ports, first and last; none given means any.
    pub ports: Vec<(u16, u16)>,
    /// Lets 9100 to 9107 be connected to.
    pub raw_print: bool,
    /// Connections a second over all targets. `None`: as fast as it goes.
    pub rate: Option<f64>,
    /// Connections to one device at a time.
    pub per_device: usize,
    /// How much longer the scan may begin new targets: the rest of the hours that are allowed.
    pub window: Option<Duration>,
    /// Which addresses are devices of which model.
    pub models: Vec<ModelAt>,
    /// Models that are never to be touched.
    pub never: BTreeSet<String>,
    /// Devices of no known model that may fall silent before the scan leaves all such alone.
    pub silent: usize,
}

/// Addresses that are left alone, and by whose rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    pub range: Range,
    pub rule: String,
}

/// What stands at an address, by the asset register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelAt {
    pub range: Range,
    pub model: String,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ranges: Vec::new(),
            exclude: Vec::new(),
            ports: Vec::new(),
            raw_print: false,
            rate: Some(100.0),
            per_device: 1,
            window: None,
            models: Vec::new(),
            never: BTreeSet::new(),
            silent: 3,
        }
    }
}

/// The limits, ready to be asked often.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    limits: Limits,
}

impl Rules {
    pub(super) fn new(mut limits: Limits) -> Self {
        limits.models.sort_by_key(|at| at.range.first());
        limits.per_device = limits.per_device.max(1);
        Self { limits }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The rule that keeps a target from being looked at.
    pub(super) fn against(&self, target: &Target) -> Option<String> {
        let limits = &self.limits;
        let address = target.address;
        let no_device = match address {
            IpAddr::V4(address) => address.is_broadcast(),
            IpAddr::V6(_) => false,
        };
        if no_device || address.is_multicast() || address.is_unspecified() {
            return Some("no address of a device".to_owned());
        }
        if let Some(found) = limits
            .exclude
            .iter()
            .find(|out| out.range.contains(address))
        {
            return Some(format!("{}: {}", found.range, found.rule));
        }
        if !limits.ranges.is_empty() && !limits.ranges.iter().any(|range| range.contains(address)) {
            return Some("outside the segment's ranges".to_owned());
        }
        if !limits.raw_print && RAW_PRINT.contains(&target.port) {
            return Some("ports 9100-9107 print what they receive".to_owned());
        }
        let allowed = |&(first, last): &(u16, u16)| (first..=last).contains(&target.port);
        if !limits.ports.is_empty() && !limits.ports.iter().any(allowed) {
            return Some(format!("port {} is not among the segment's", target.port));
        }
        let model = self.model(address)?;
        limits
            .never
            .contains(model)
            .then(|| format!("model {model} is never to be touched"))
    }

    /// What stands at an address.
    pub(super) fn model(&self, address: IpAddr) -> Option<&str> {
        let models = &self.limits.models;
        let after = models.partition_point(|at| at.range.first() <= address);
        let before = models.get(..after)?;
        // The narrowest that begins last; overlapping entries are few.
        let found = before
            .iter()
            .rev()
            .take(64)
            .find(|at| at.range.contains(address))?;
        Some(&found.model)
    }
}
