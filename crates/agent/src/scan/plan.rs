//! A dry run: what a scan would send, without sending it.

use super::ask::{self, Asker, Style};
use super::limits::Rules;
use super::order::Order;
use super::starttls;
use super::target::{Target, Targets};
use super::{Config, Depth};
use crate::observation::Version;
use crate::tls::KeyShares;

/// What would be done about one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    pub target: Target,
    /// The rule that keeps it out; then nothing is sent, not one packet.
    pub excluded: Option<String>,
    /// What is said before TLS; the rest of that conversation depends on the answers.
    pub opening: Vec<u8>,
    /// The hellos for a certificate, each on a connection of its own. The first is always sent; which of the others
    /// follow, four in all at most, depends on how the server declines the one before. These are the very bytes that a
    /// scan with the same seed sends.
    pub hellos: Vec<Vec<u8>>,
    /// Connections at most, each with a TCP handshake, an alert of 7 bytes (twice 24 under TLS 1.3) and a FIN.
    pub connections: usize,
}

/// Every target in the order of the scan.
pub fn plan<'a>(targets: &'a Targets, config: &'a Config) -> impl Iterator<Item = Planned> + 'a {
    let order = Order::new(targets.len(), &config.seed);
    let rules = Rules::new(config.limits.clone());
    let keys = KeyShares::new(&config.seed);
    let asker = Asker::new(config.seed);
    let connections = connections(&asker, config.depth);
    (0..targets.len()).filter_map(move |position| {
        let target = targets.at(order.at(position)?)?;
        let excluded = rules.against(&target);
        let mut planned = Planned {
            target,
            excluded,
            opening: Vec::new(),
            hellos: Vec::new(),
            connections: 0,
        };
        if planned.excluded.is_none() {
            let target = &planned.target;
            if let Some(protocol) = target.starttls {
                planned.opening = starttls::opening(protocol, &ask::host(target), target.port);
            }
            let hello = |style: &Style| asker.certificate(target, *style).record(&keys);
            planned.hellos = Style::ALL.iter().map(hello).collect();
            let watched = rules.model(target.address).is_some();
            planned.connections = connections + usize::from(watched);
        }
        Some(planned)
    })
}

/// The hellos for a certificate; one for each version, or as many as there are suites, a refusal at the end of each list,
/// and one more for the order and again for merging; one for each group. A knock if the model is known comes on top.
fn connections(asker: &Asker, depth: Depth) -> usize {
    let each = |version: Version| {
        let lists = asker.lists(version);
        let suites: usize = lists.iter().map(Vec::len).sum();
        match depth {
            Depth::Certificate => 0,
            Depth::Versions => lists.len(),
            Depth::Suites => 2 * suites + lists.len() + 2,
        }
    };
    let enumeration: usize = Version::ALL.into_iter().map(each).sum();
    let groups = match ask::groups(depth).len() {
        0 => 0,
        groups => groups + 1,
    };
    ask::HELLOS_LIMIT + enumeration + groups
}
