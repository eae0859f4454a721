//! What is to be looked at: ranges, named hosts, services and server names. Millions of targets are a few
//! numbers here; each is made when its turn comes.

#[cfg(test)]
mod tests;

use super::ask;
use super::range::Range;
use crate::deadline::Deadline;
use crate::dns::Resolver;
use crate::observation::{Place, StartTls};
use aws_lc_rs::digest::{SHA256, digest};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Targets of one scan. At 10,000 a second they would take three years: more is a slip of the pen (an IPv6 /64).
const TARGETS_LIMIT: u128 = 1 << 40;

/// Names that are looked up at once: two datagrams and their sockets each.
const LOOKUPS: usize = 128;

/// One place to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub address: IpAddr,
    pub port: u16,
    pub sni: Option<String>,
    pub starttls: Option<StartTls>,
}

impl Target {
    pub fn place(&self) -> Place {
        Place::Network {
            address: self.address,
            port: self.port,
            sni: self.sni.clone(),
            starttls: self.starttls,
        }
    }
}

/// A port, and whether TLS there has to be asked for in another protocol first. As text `443`, `2525/smtp`;
/// a port that is registered for such a protocol means that protocol (`25`), unless it says `25/tls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    pub port: u16,
    pub starttls: Option<StartTls>,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TargetError {
    #[error("`{0}` is no port, no FIRST-LAST and no PORT/PROTOCOL with one of {1}")]
    Service(String, String),
    #[error("`{0}` is no host name")]
    Name(String),
    #[error("{0} targets; a scan has at most {TARGETS_LIMIT}")]
    TooMany(u128),
    #[error("nothing to look at: no address or no port")]
    Nothing,
}

impl Service {
    /// `443,8443,25,2525/smtp,8000-8010`.
    pub fn list(text: &str) -> Result<Vec<Self>, TargetError> {
        let mut services = Vec::new();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            match part.split_once('-') {
                None => services.push(part.parse()?),
                Some((first, last)) => {
                    let number = |text: &str| text.trim().parse::<u16>().ok();
                    let (Some(first), Some(last)) = (number(first), number(last)) else {
                        return Err(no_service(part));
                    };
                    if first == 0 || first > last {
                        return Err(no_service(part));
                    }
                    services.extend((first..=last).map(Self::usual));
                }
            }
        }
        Ok(services)
    }

    /// What is registered for the port.
    pub fn usual(port: u16) -> Self {
        Self {
            port,
            starttls: ask::usual(port),
        }
    }
}

impl FromStr for Service {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (port, protocol) = text
            .split_once('/')
            .map_or((text, None), |(a, b)| (a, Some(b)));
        let port = port.trim().parse().ok().filter(|&port| port != 0);
        let port = port.ok_or_else(|| no_service(text))?;
        match protocol {
            None => Ok(Self::usual(port)),
            Some("tls") => Ok(Self {
                port,
                starttls: None,
            }),
            Some(name) => {
                let starttls = StartTls::from_name(name);
                Ok(Self {
                    port,
                    starttls: Some(starttls.ok_or_else(|| no_service(text))?),
                })
            }
        }
    }
}

fn no_service(text: &str) -> TargetError {
    let names: Vec<&str> = StartTls::ALL.iter().map(|known| known.name()).collect();
    TargetError::Service(text.to_owned(), format!("tls, {}", names.join(", ")))
}

/// Everything that one scan looks at, numbered.
#[derive(Clone, Debug)]
pub struct Targets {
    blocks: Vec<Block>,
    services: Vec<Service>,
    /// Asked for on every address of a range, beside no name at all.
    names: Vec<String>,
    total: u64,
}

/// Addresses that are asked alike.
#[derive(Clone, Debug)]
struct Block {
    range: Range,
    /// The name under which the address was found.
    name: Option<String>,
    /// Number of its first target.
    from: u64,
}

impl Targets {
    /// Ranges, each address without and with each of `names` as server name, and named addresses with their own.
    pub fn new(
        ranges: &[Range],
        named: &[(String, IpAddr)],
        services: Vec<Service>,
        names: Vec<String>,
    ) -> Result<Self, TargetError> {
        if let Some(name) = names
            .iter()
            .chain(named.iter().map(|(name, _)| name))
            .find(|name| !is_name(name))
        {
            return Err(TargetError::Name(name.clone()));
        }
        let mut targets = Self {
            blocks: Vec::new(),
            services,
            names,
            total: 0,
        };
        let mut total = 0u128;
        let ranges = ranges.iter().map(|range| (*range, None));
        let named = named.iter().filter_map(|(name, address)| {
            Some((Range::new(*address, *address)?, Some(name.clone())))
        });
        for (range, name) in ranges.chain(named) {
            let each = targets.per_address(name.as_deref()) as u128;
            let from = u64::try_from(total).map_err(|_| TargetError::TooMany(total))?;
            total = range
                .span()
                .checked_add(1)
                .and_then(|count| count.checked_mul(each)?.checked_add(total))
                .filter(|&total| total <= TARGETS_LIMIT)
                .ok_or_else(|| {
                    let count = range.span().saturating_add(1).saturating_mul(each);
                    TargetError::TooMany(count.saturating_add(total))
                })?;
            targets.blocks.push(Block { range, name, from });
        }
        if total == 0 {
            return Err(TargetError::Nothing);
        }
        targets.total = u64::try_from(total).map_err(|_| TargetError::TooMany(total))?;
        Ok(targets)
    }

    pub fn len(&self) -> u64 {
        self.total
    }

    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The target of this number.
    pub fn at(&self, number: u64) -> Option<Target> {
        if number >= self.total {
            return None;
        }
        let after = self.blocks.partition_point(|block| block.from <= number);
        let block = self.blocks.get(after.checked_sub(1)?)?;
        let each = self.per_address(block.name.as_deref()) as u64;
        let within = number - block.from;
        let question = usize::try_from(within % each).ok()?;
        let service = self.services.get(question % self.services.len())?;
        let name = match question / self.services.len() {
            0 => block.name.clone(),
            asked => self.names.get(asked - 1).cloned(),
        };
        Some(Target {
            address: block.range.at(u128::from(within / each))?,
            port: service.port,
            sni: name,
            starttls: service.starttls,
        })
    }

    /// By which a cursor knows its targets again.
    pub(super) fn mark(&self) -> [u8; 32] {
        let mut text = self.to_string();
        for block in &self.blocks {
            text.push_str(&format!(" {} {:?}", block.range, block.name));
        }
        let mut mark = [0; 32];
        mark.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        mark
    }

    fn per_address(&self, name: Option<&str>) -> usize {
        let names = if name.is_some() { 0 } else { self.names.len() };
        self.services.len() * (1 + names)
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports: Vec<String> = self
            .services
            .iter()
            .map(|service| match service.starttls {
                None => service.port.to_string(),
                Some(protocol) => format!("{}/{protocol}", service.port),
            })
            .collect();
        let names = self.names.join(",");
        write!(
            f,
            "{} targets on ports {} names {names}",
            self.total,
            ports.join(",")
        )
    }
}

/// A host name as RFC 6066 §3 wants it in a hello; also what keeps markup and line feeds out of STARTTLS.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        let fits = (1..=63).contains(&label.len());
        fits && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    name.len() <= 253 && name.parse::<IpAddr>().is_err() && name.split('.').all(label)
}

/// Addresses of each name by the system's hosts file and resolvers, or why there are none, in the order of the names.
/// `limit` is for all of them together: where nobody answers, a thousand names take no longer than one.
pub async fn resolve(
    names: &[String],
    limit: Duration,
) -> Vec<(String, Result<Vec<IpAddr>, String>)> {
    resolve_by(names, &[], limit).await
}

/// [`resolve`] by name servers of one's own, if there are any.
async fn resolve_by(
    names: &[String],
    servers: &[SocketAddr],
    limit: Duration,
) -> Vec<(String, Result<Vec<IpAddr>, String>)> {
    let servers: Arc<[SocketAddr]> = servers.into();
    let resolver = Arc::new(Resolver::new(
        Path::new("/etc/hosts"),
        Path::new("/etc/resolv.conf"),
    ));
    let deadline = Deadline::new(limit, limit);
    // A semaphore of tokio's is fair: the names have their turns in their order.
    let turns = Arc::new(Semaphore::new(LOOKUPS));
    let mut lookups = JoinSet::new();
    for (at, name) in names.iter().cloned().enumerate() {
        let (resolver, turns) = (Arc::clone(&resolver), Arc::clone(&turns));
        let servers = Arc::clone(&servers);
        lookups.spawn(async move {
            let lookup = async {
                let _turn = turns.acquire().await;
                resolver.addresses(&name, &servers, &deadline).await
            };
            let answer = match deadline.run(lookup).await {
                Ok(Ok(addresses)) => Ok(addresses.list.to_vec()),
                Ok(Err(failure)) => Err(failure.to_string()),
                Err(late) => Err(late.to_string()),
            };
            (at, answer)
        });
    }
    // What a panic, which does not leave the process alive outside of tests, would leave as it is.
    let mut found: Vec<_> = names
        .iter()
        .map(|name| (name.clone(), Err("was not looked up".to_owned())))
        .collect();
    while let Some(looked) = lookups.join_next().await {
        if let Ok((at, answer)) = looked
            && let Some(slot) = found.get_mut(at)
        {
            slot.1 = answer;
        }
    }
    found
}
