//! What this machine knows about names by itself: its hosts file and its resolvers.

use std::{
    collections::HashMap,
    fs,
    io::Read,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use tokio::time::Instant;

/// How stale the files may be.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Ad-blocking hosts files have a few MiB.
const MAX_FILE: u64 = 8 << 20;
/// As in Rules; the C library reads three.
const MAX_RESOLVERS: usize = 8;

/// The files, read again when they change.
pub(crate) struct System {
    hosts_path: PathBuf,
    resolv_path: PathBuf,
    state: Mutex<State>,
}

struct State {
    looked: Option<Instant>,
    hosts_stamp: Option<Stamp>,
    resolv_stamp: Option<Stamp>,
    known: Arc<Known>,
}

type Stamp = (SystemTime, u64);

/// The files' content.
#[derive(Default, Clone)]
pub(crate) struct Known {
    hosts: HashMap<String, Vec<IpAddr>>,
    pub(crate) resolvers: Vec<SocketAddr>,
}

impl Known {
    /// Addresses of a name in lower case without final dot. `localhost` and names below it are this
    /// machine even where the file does not say so (RFC 6761 §6.3).
    pub(crate) fn addresses(&self, name: &str) -> Option<Vec<IpAddr>> {
        if let Some(found) = self.hosts.get(name) {
            return Some(found.clone());
        }
        let local = name == "localhost" || name.ends_with(".localhost");
        local.then(|| vec![Ipv4Addr::LOCALHOST.into()])
    }
}

impl System {
    pub(crate) fn new(hosts: &Path, resolv_conf: &Path) -> Self {
        Self {
            hosts_path: hosts.to_owned(),
            resolv_path: resolv_conf.to_owned(),
            state: Mutex::new(State {
                looked: None,
                hosts_stamp: None,
                resolv_stamp: None,
                known: Arc::default(),
            }),
        }
    }

    pub(crate) fn known(&self) -> Arc<Known> {
        let mut state = self.state.lock();
        let now = Instant::now();
        if state.looked.is_some_and(|t| now < t + LOOK_AGAIN) {
            return state.known.clone();
        }
        let (hosts, resolv) = (stamp(&self.hosts_path), stamp(&self.resolv_path));
        let first = state.looked.is_none();
        if first || hosts != state.hosts_stamp || resolv != state.resolv_stamp {
            state.known = Arc::new(Known {
                hosts: parse_hosts(&read(&self.hosts_path)),
                resolvers: parse_resolv_conf(&read(&self.resolv_path)),
            });
            state.hosts_stamp = hosts;
            state.resolv_stamp = resolv;
        }
        state.looked = Some(now);
        state.known.clone()
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let meta = fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    let done = fs::File::open(path).and_then(|f| f.take(MAX_FILE).read_to_end(&mut bytes));
    match done {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    }
}

/// hosts(5): an address, then names; `#` starts a comment. Addresses with a zone are left out: they
/// are link-local.
fn parse_hosts(text: &str) -> HashMap<String, Vec<IpAddr>> {
    let mut hosts: HashMap<String, Vec<IpAddr>> = HashMap::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        let Some(address) = words.next().and_then(|a| a.parse().ok()) else {
            continue;
        };
        for name in words {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let of_name = hosts.entry(name).or_default();
            if !of_name.contains(&address) {
                of_name.push(address);
            }
        }
    }
    hosts
}

/// resolv.conf(5). Search lists are not used: identifiers are whole names.
fn parse_resolv_conf(text: &str) -> Vec<SocketAddr> {
    let mut resolvers: Vec<SocketAddr> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let server = (words.next()? == "nameserver").then(|| words.next())??;
            Some(SocketAddr::new(server.parse().ok()?, 53))
        })
        .take(MAX_RESOLVERS)
        .collect();
    if resolvers.is_empty() {
        resolvers.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 53));
    }
    resolvers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_5() {
        let hosts = parse_hosts(
            "127.0.0.1\tlocalhost\n10.1.2.3 PACS.example. pacs # the archive\n#10.9.9.9 no\n\
             fe80::1%eth0 zoned\n10.1.2.4 pacs\n10.1.2.3 pacs\nnonsense\n",
        );
        let of = |name: &str| hosts.get(name).cloned().unwrap_or_default();
        assert_eq!(of("pacs.example"), ["10.1.2.3".parse::<IpAddr>().unwrap()]);
        assert_eq!(of("pacs").len(), 2);
        assert!(of("zoned").is_empty() && of("no").is_empty());
    }

    #[test]
    fn resolv_conf_5() {
        let parsed = parse_resolv_conf(
            "; c\n# c\nsearch example\nnameserver 10.0.0.53\nnameserver fd00::53\nnameserver x\noptions edns0\n",
        );
        let expected: Vec<SocketAddr> = vec![
            "10.0.0.53:53".parse().unwrap(),
            "[fd00::53]:53".parse().unwrap(),
        ];
        assert_eq!(parsed, expected);
        assert_eq!(parse_resolv_conf(""), vec!["127.0.0.1:53".parse().unwrap()]);
    }

    #[test]
    fn rfc_6761_localhost_is_this_machine() {
        let known = Known::default();
        assert!(known.addresses("localhost").is_some());
        assert!(known.addresses("a.localhost").is_some());
        assert!(known.addresses("alocalhost").is_none());
    }

    #[tokio::test]
    async fn a_changed_file_is_seen_within_a_second() {
        let dir = tempfile::tempdir().unwrap();
        let hosts = dir.path().join("hosts");
        fs::write(&hosts, "10.0.0.1 a\n").unwrap();
        let system = System::new(&hosts, &dir.path().join("absent"));
        assert!(system.known().addresses("a").is_some());
        fs::write(&hosts, "10.0.0.1 a b\n").unwrap();
        tokio::time::sleep(LOOK_AGAIN).await;
        assert!(system.known().addresses("b").is_some());
    }
}
