//! What a scan is asked to look at, held against what its segment allows. Nothing is cut to fit: whoever asks for more than
//! was signed off is told which limit is in the way, who set it, and what it is.

use std::net::IpAddr;
use std::time::Duration;

use access::Refusal;
use agent::scan::{
    Clock, Config, Depth, Exclusion, Limits, Range, Service, Targets, Timing, resolve,
};
use serde::{Deserialize, Serialize};

use super::{SOURCE, Scan, depth_name};
use crate::segment::{LimitsNow, StoredSegment};
use crate::{Fleet, Result, random};

/// A turn and the packet that it allows are some milliseconds apart on a busy machine: so much slower than the limit, no second
/// on the wire sees more than was signed.
pub const BELOW: f64 = 0.95;

/// What was asked for, and how it comes out: the same targets in the same order whenever it goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub ranges: Vec<Range>,
    /// Names that were asked for, with the addresses that they had then.
    pub hosts: Vec<(String, IpAddr)>,
    pub services: Vec<String>,
    /// Server names asked for at every address of a range, beside none.
    pub names: Vec<String>,
    pub depth: Depth,
    pub rate: f64,
    #[serde(with = "seed")]
    pub seed: [u8; 32],
}

/// What somebody asks for. Empty: what the segment allows.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewScan {
    pub segment: String,
    pub ranges: Vec<Range>,
    pub hosts: Vec<String>,
    pub ports: Vec<String>,
    pub names: Vec<String>,
    pub depth: Option<Depth>,
    pub rate: Option<f64>,
    /// From which the order of targets and every hello follow; random if absent.
    #[serde(skip)]
    pub seed: Option<[u8; 32]>,
    /// The caller itself looks, under this name; absent: the server does, or the segment's agent.
    #[serde(skip)]
    pub here: Option<String>,
}

/// A scan that its segment allows.
pub struct Prepared {
    pub plan: Plan,
    pub targets: Targets,
    pub limits: LimitsNow,
}

impl Fleet {
    /// Holds what is asked for against the limits that are signed, without regard to the hour.
    pub async fn prepare_scan(&self, new: &NewScan) -> Result<Prepared> {
        let limits = self.limits_now(&new.segment).await?;
        prepared(new, limits).await
    }

    /// As [`Fleet::prepare_scan`] for limits that nobody has signed: only to be shown.
    pub async fn preview_scan(&self, new: &NewScan) -> Result<Prepared> {
        prepared(new, self.limits_unsigned(&new.segment).await?).await
    }

    /// What a scan may do now, if its plan still fits the limits.
    pub(crate) async fn ready(&self, scan: &Scan) -> Result<Prepared> {
        let limits = self.limits_now(&scan.segment).await?;
        scan.plan.fits(&limits.stored)?;
        let targets = scan.plan.targets().map_err(no_targets)?;
        Ok(Prepared {
            plan: scan.plan.clone(),
            targets,
            limits,
        })
    }
}

async fn prepared(new: &NewScan, limits: LimitsNow) -> Result<Prepared> {
    let segment = &limits.stored.segment;
    let mut ranges = new.ranges.clone();
    if ranges.is_empty() && new.hosts.is_empty() {
        ranges.clone_from(&segment.ranges);
    }
    let mut services: Vec<String> = new
        .ports
        .iter()
        .flat_map(|text| text.split(','))
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect();
    if services.is_empty() {
        services.clone_from(&segment.ports);
    }
    let mut hosts = Vec::new();
    for (name, found) in resolve(&new.hosts, Duration::from_secs(5)).await {
        match found {
            Ok(addresses) => {
                hosts.extend(addresses.into_iter().map(|address| (name.clone(), address)));
            }
            Err(why) => {
                let message = format!("{name} has no address: {why}");
                return Err(Refusal::new("scan.host", SOURCE, message)
                    .accepted("names that the DNS or the hosts file knows, or addresses as ranges")
                    .into());
            }
        }
    }
    let plan = Plan {
        ranges,
        hosts,
        services,
        names: new.names.clone(),
        depth: new.depth.unwrap_or(segment.depth),
        rate: new.rate.unwrap_or(segment.rate),
        seed: match new.seed {
            Some(seed) => seed,
            None => random()?,
        },
    };
    plan.fits(&limits.stored)?;
    let targets = plan.targets().map_err(no_targets)?;
    Ok(Prepared {
        plan,
        targets,
        limits,
    })
}

fn no_targets(error: agent::scan::TargetError) -> Refusal {
    Refusal::new("scan.targets", SOURCE, error.to_string())
        .accepted("addresses of the segment, ports that it allows, names that are names")
}

impl Plan {
    pub fn targets(&self) -> std::result::Result<Targets, agent::scan::TargetError> {
        let services = Service::list(&self.services.join(","))?;
        Targets::new(&self.ranges, &self.hosts, services, self.names.clone())
    }

    /// Refuses what goes beyond the segment's limits.
    pub fn fits(&self, stored: &StoredSegment) -> std::result::Result<(), Refusal> {
        let segment = &stored.segment;
        for range in &self.ranges {
            stored.holds(range)?;
        }
        for (name, address) in &self.hosts {
            if !segment.ranges.iter().any(|own| own.contains(*address)) {
                let message = format!("{name} is at {address}, outside segment {}", segment.name);
                return Err(Refusal::new("segment.ranges", stored.source(), message)
                    .accepted("names within the segment"));
            }
        }
        let wanted = Service::list(&self.services.join(",")).map_err(no_targets)?;
        let allowed = Service::list(&segment.ports.join(",")).unwrap_or_default();
        let not_allowed = wanted
            .iter()
            .find(|wanted| !allowed.iter().any(|one| one.port == wanted.port));
        if let Some(service) = not_allowed {
            let message = format!(
                "port {} is not among those of segment {}",
                service.port, segment.name
            );
            return Err(Refusal::new("segment.ports", stored.source(), message)
                .accepted(segment.ports.join(", ")));
        }
        if self.depth > segment.depth {
            let message = format!(
                "{} is more than segment {} allows",
                depth_name(self.depth),
                segment.name
            );
            return Err(Refusal::new("segment.depth", stored.source(), message)
                .accepted(format!("at most {}", depth_name(segment.depth))));
        }
        if !(self.rate > 0.0 && self.rate <= segment.rate) {
            let message = format!("{} connections a second", self.rate);
            return Err(Refusal::new("segment.rate", stored.source(), message)
                .accepted(format!("at most {}", segment.rate)));
        }
        Ok(())
    }

    /// How the scanner is set for this plan.
    pub fn config(&self, limits: Limits, pause_ms: u32, from: &str, clock: Clock) -> Config {
        Config {
            from: from.to_owned(),
            depth: self.depth,
            timing: Timing {
                pause: Duration::from_millis(pause_ms.into()),
                ..Timing::default()
            },
            concurrency: concurrency(self.rate),
            limits: Limits {
                rate: Some(self.rate * BELOW),
                ..limits
            },
            seed: self.seed,
            clock,
        }
    }

    /// What standing rules keep out.
    pub(crate) fn kept_out(&self, limits: &Limits) -> Vec<Range> {
        let never = limits
            .models
            .iter()
            .filter(|at| limits.never.contains(&at.model))
            .map(|at| at.range);
        let out = limits.exclude.iter().map(|Exclusion { range, .. }| *range);
        out.chain(never).collect()
    }
}

/// Targets at work at once: as many as keep up the rate where nothing answers, and no more than this process may have files
/// open.
pub fn concurrency(rate: f64) -> usize {
    let wanted = (rate * 4.0).ceil().clamp(1.0, 8192.0);
    // Clamped: fits.
    let wanted = wanted as usize;
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    wanted.min(files.unwrap_or(1024).saturating_sub(128)).max(1)
}

/// Hexadecimal, as the dry run shows it.
mod seed {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(seed: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(seed))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(from)?;
        let mut seed = [0; 32];
        hex::decode_to_slice(text, &mut seed).map_err(D::Error::custom)?;
        Ok(seed)
    }
}
