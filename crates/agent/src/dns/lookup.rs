//! Lookups: which resolver is asked, how aliases are followed, what is remembered.

use std::{
    collections::HashMap,
    fmt,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    exchange::{self, ExchangeError},
    message::{Answer, Data, Kind, rcode_name},
    name::{BadName, Name},
    system::System,
};
use crate::deadline::{Deadline, Late};

/// Aliases followed from one name. BIND follows 16, unbound 11.
const MAX_ALIASES: usize = 12;
/// Addresses of one name that are considered.
const MAX_ADDRESSES: usize = 16;
/// Rounds through the resolvers: datagrams get lost.
const ROUNDS: u32 = 2;
/// An address is never believed longer than this, whatever its TTL.
const MAX_TTL: u32 = 300;
/// Names whose addresses are remembered, over all resolvers.
const MAX_REMEMBERED: usize = 8192;

/// Looks names up. Remembers addresses for as long as their TTL says; never TXT or CAA records, which
/// people change and try again.
pub(crate) struct Resolver {
    system: System,
    remembered: Mutex<HashMap<Box<[SocketAddr]>, Names>>,
}

/// What one set of resolvers said.
type Names = HashMap<Box<str>, Remembered>;

struct Remembered {
    until: Instant,
    addresses: Arc<[IpAddr]>,
}

/// Where a name points.
pub(crate) struct Addresses {
    /// IPv6 and IPv4 mixed, IPv6 first where both are there.
    pub(crate) list: Arc<[IpAddr]>,
    /// Who said so: an address, `hosts` or `cache`.
    pub(crate) from: String,
}

/// Records of one kind at one name.
pub(crate) struct Lookup {
    pub(crate) records: Vec<Data>,
    /// The name, and the aliases followed from it.
    pub(crate) names: Vec<String>,
    pub(crate) from: SocketAddr,
    /// The name does not exist (NXDOMAIN), rather than having no such records.
    pub(crate) absent: bool,
    ttl: u32,
}

/// No usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DnsFailure {
    #[error(transparent)]
    Name(#[from] BadName),
    /// Every resolver failed; the text has the last one's words.
    #[error("{0}")]
    Failed(String),
    #[error("{0}: more than {MAX_ALIASES} aliases (CNAME), or aliases in a circle")]
    Aliases(String),
    /// The name has no address.
    #[error("{0}")]
    NoAddress(String),
}

impl Resolver {
    pub(crate) fn new(hosts: &Path, resolv_conf: &Path) -> Self {
        Self {
            system: System::new(hosts, resolv_conf),
            remembered: Mutex::default(),
        }
    }

    /// Addresses of `name`; with `servers` empty the system's hosts file goes first, then its resolvers.
    pub(crate) async fn addresses(
        &self,
        name: &str,
        servers: &[SocketAddr],
        deadline: &Deadline,
    ) -> Result<Addresses, DnsFailure> {
        let known;
        let mut servers = servers;
        if servers.is_empty() {
            known = self.system.known();
            if let Some(found) = known.addresses(name) {
                return Ok(Addresses {
                    list: in_order(found),
                    from: "hosts".to_owned(),
                });
            }
            servers = &known.resolvers;
        }
        if let Some(list) = self.recall(name, servers) {
            return Ok(Addresses {
                list,
                from: "cache".to_owned(),
            });
        }
        self.ask_addresses(name, servers, deadline).await
    }

    async fn ask_addresses(
        &self,
        text: &str,
        servers: &[SocketAddr],
        deadline: &Deadline,
    ) -> Result<Addresses, DnsFailure> {
        let name = Name::parse(text)?;
        let (v6, v4) = tokio::join!(
            follow(&name, Kind::Aaaa, servers, deadline),
            follow(&name, Kind::A, servers, deadline)
        );
        let mut found = Vec::new();
        let mut ttl = MAX_TTL;
        let mut whole = true;
        let mut from = None;
        let mut why = String::new();
        for result in [v6, v4] {
            match result {
                Ok(lookup) => {
                    ttl = ttl.min(lookup.ttl);
                    from.get_or_insert(lookup.from);
                    if lookup.absent {
                        why = format!("{} says {text} does not exist (NXDOMAIN)", lookup.from);
                    }
                    found.extend(lookup.records.into_iter().filter_map(address));
                }
                Err(failure) => {
                    whole = false;
                    why = failure.to_string();
                }
            }
        }
        let Some(from) = from.filter(|_| !found.is_empty()) else {
            return Err(match (why.is_empty(), whole) {
                (_, false) => DnsFailure::Failed(why),
                (true, _) => {
                    DnsFailure::NoAddress(format!("{text} has neither A nor AAAA records"))
                }
                (false, _) => DnsFailure::NoAddress(why),
            });
        };
        let list = in_order(found);
        if whole && ttl > 0 {
            self.remember(text, servers, &list, ttl);
        }
        Ok(Addresses {
            list,
            from: from.to_string(),
        })
    }

    /// Records of `kind` at `name`; there may be none.
    pub(crate) async fn records(
        &self,
        name: &Name,
        kind: Kind,
        servers: &[SocketAddr],
        deadline: &Deadline,
    ) -> Result<Lookup, DnsFailure> {
        if servers.is_empty() {
            let known = self.system.known();
            return follow(name, kind, &known.resolvers, deadline).await;
        }
        follow(name, kind, servers, deadline).await
    }

    fn recall(&self, name: &str, servers: &[SocketAddr]) -> Option<Arc<[IpAddr]>> {
        let remembered = self.remembered.lock();
        let entry = remembered.get(servers)?.get(name)?;
        (Instant::now() < entry.until).then(|| entry.addresses.clone())
    }

    fn remember(&self, name: &str, servers: &[SocketAddr], addresses: &Arc<[IpAddr]>, ttl: u32) {
        let mut remembered = self.remembered.lock();
        let now = Instant::now();
        if remembered.values().map(HashMap::len).sum::<usize>() >= MAX_REMEMBERED {
            remembered
                .values_mut()
                .for_each(|names| names.retain(|_, e| now < e.until));
            remembered.retain(|_, names| !names.is_empty());
        }
        if remembered.values().map(HashMap::len).sum::<usize>() >= MAX_REMEMBERED {
            remembered.clear();
        }
        let entry = Remembered {
            until: now + Duration::from_secs(ttl.into()),
            addresses: addresses.clone(),
        };
        remembered
            .entry(servers.into())
            .or_default()
            .insert(name.into(), entry);
    }
}

/// Asks, and goes where aliases lead. Resolvers follow them themselves and answer with the whole chain;
/// those that only know their own zones answer with its first part.
async fn follow(
    name: &Name,
    kind: Kind,
    servers: &[SocketAddr],
    deadline: &Deadline,
) -> Result<Lookup, DnsFailure> {
    let mut chain = vec![name.clone()];
    let mut ttl = u32::MAX;
    loop {
        let at = chain.last().unwrap_or(name).clone();
        let (answer, from) = ask_in_turn(&at, kind, servers, deadline).await?;
        let asked = chain.len();
        ttl = ttl.min(walk(&answer, &mut chain)?);
        let end = chain.last().unwrap_or(name);
        let records: Vec<Data> = answer
            .records
            .iter()
            .filter(|r| r.owner == *end && !matches!(r.data, Data::Cname(_)))
            .map(|r| {
                ttl = ttl.min(r.ttl);
                r.data.clone()
            })
            .collect();
        let absent = answer.rcode == 3;
        if records.is_empty() && !absent && chain.len() > asked && answer.negative_ttl.is_none() {
            continue;
        }
        if records.is_empty() {
            // Without an SOA the absence may not be remembered (RFC 2308 §5).
            ttl = ttl.min(answer.negative_ttl.unwrap_or(0));
        }
        return Ok(Lookup {
            records,
            names: chain.iter().map(Name::to_string).collect(),
            from,
            absent,
            ttl,
        });
    }
}

/// Appends to `chain` the aliases that an answer holds from its last name on; returns their least TTL.
fn walk(answer: &Answer, chain: &mut Vec<Name>) -> Result<u32, DnsFailure> {
    let mut ttl = u32::MAX;
    loop {
        let alias = answer.records.iter().find_map(|r| match &r.data {
            Data::Cname(target) if chain.last() == Some(&r.owner) => Some((target, r.ttl)),
            _ => None,
        });
        let Some((target, alias_ttl)) = alias else {
            return Ok(ttl);
        };
        if chain.len() > MAX_ALIASES || chain.contains(target) {
            let first = chain.first().map(Name::to_string).unwrap_or_default();
            return Err(DnsFailure::Aliases(first));
        }
        ttl = ttl.min(alias_ttl);
        chain.push(target.clone());
    }
}

/// Asks one resolver after the other until one of them knows (NXDOMAIN is knowledge).
async fn ask_in_turn(
    name: &Name,
    kind: Kind,
    servers: &[SocketAddr],
    deadline: &Deadline,
) -> Result<(Answer, SocketAddr), DnsFailure> {
    let tries = ROUNDS.saturating_mul(u32::try_from(servers.len()).unwrap_or(u32::MAX));
    let each = deadline.with_step(deadline.step() / tries.max(1));
    let what = Asked { name, kind };
    let mut failure = format!("{what}: there is no resolver to ask");
    for _ in 0..ROUNDS {
        let mut refused = false;
        for &server in servers {
            failure = match each.run(exchange::ask(server, name, kind)).await {
                Ok(Ok(answer)) if matches!(answer.rcode, 0 | 3) => return Ok((answer, server)),
                Ok(Ok(answer)) => {
                    refused = true;
                    said(&what, server, &answer)
                }
                Ok(Err(error)) => could_not(&what, server, &error),
                Err(late) if late.over => return Err(no_time(&what, server, late)),
                Err(late) => format!("{what}: {late} from resolver {server}"),
            };
        }
        if refused {
            break;
        }
    }
    Err(DnsFailure::Failed(failure))
}

struct Asked<'a> {
    name: &'a Name,
    kind: Kind,
}

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "looking up {} of {}", self.kind.as_str(), self.name)
    }
}

fn said(what: &Asked<'_>, server: SocketAddr, answer: &Answer) -> String {
    let code = rcode_name(answer.rcode);
    match &answer.words {
        Some(words) => format!("{what}: resolver {server} answered {code} ({words})"),
        None => format!("{what}: resolver {server} answered {code}"),
    }
}

fn could_not(what: &Asked<'_>, server: SocketAddr, error: &ExchangeError) -> String {
    format!("{what}: resolver {server}: {error}")
}

fn no_time(what: &Asked<'_>, server: SocketAddr, late: Late) -> DnsFailure {
    DnsFailure::Failed(format!("{what}: {late} from resolver {server}"))
}

fn address(data: Data) -> Option<IpAddr> {
    match data {
        Data::A(a) => Some(a.into()),
        Data::Aaaa(a) => Some(a.into()),
        Data::Cname(_) | Data::Txt(_) | Data::Caa(_) => None,
    }
}

/// IPv6 first, then taking turns (RFC 8305 §4), each address once.
fn in_order(found: Vec<IpAddr>) -> Arc<[IpAddr]> {
    let (v6, v4): (Vec<IpAddr>, Vec<IpAddr>) = found.into_iter().partition(IpAddr::is_ipv6);
    let mut ordered: Vec<IpAddr> = Vec::with_capacity(v6.len() + v4.len());
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    loop {
        let pair = [v6.next(), v4.next()];
        if pair == [None, None] {
            break;
        }
        for address in pair.into_iter().flatten() {
            if !ordered.contains(&address) {
                ordered.push(address);
            }
        }
    }
    ordered.truncate(MAX_ADDRESSES);
    ordered.into()
}
