//! Which protocol and which endpoint a path belongs to.
//!
//! - EST: `/.well-known/est/[{name}/]{operation}` (RFC 7030 §3.2.2)
//! - SCEP: `/scep/{name}[/pkiclient.exe]`, and where a Windows server was: `/certsrv/mscep/mscep.dll[/pkiclient.exe]`
//! - CMP: `/.well-known/cmp[/p/{name}][/{operation}]` (RFC 9811 §3.3), `/cmp/{name}[/{operation}]`
//!
//! Whatever is wrong with a path is answered with the same bare 404: who has no business here learns no names.

use std::sync::Arc;

use audit::Timestamp;

use super::endpoint::DEFAULT;
use super::{Devices, Endpoint, Listener, Protocol, Reply, Request, cmp, est, scep};

/// What stands between the well-known prefix and the end of an EST URL (RFC 7030 §3.2.2); no endpoint is called so.
pub(crate) const EST_OPERATIONS: [&str; 6] = [
    "cacerts",
    "simpleenroll",
    "simplereenroll",
    "fullcmc",
    "serverkeygen",
    "csrattrs",
];

/// Which endpoint a path names.
#[derive(Debug, PartialEq, Eq)]
enum Name<'a> {
    Given(&'a str),
    /// The default one.
    None,
    /// The one that took over from a Windows server.
    Ndes,
}

/// A path, read.
#[derive(Debug, PartialEq, Eq)]
struct Route<'a> {
    protocol: Protocol,
    name: Name<'a>,
    /// What follows.
    rest: &'a str,
}

pub(super) fn answers(path: &str) -> bool {
    route(path).is_some()
}

pub(super) async fn handle(devices: &Devices, request: &Request<'_>, now: Timestamp) -> Reply {
    let Some(route) = route(request.path) else {
        return Reply::empty(404);
    };
    let Some(endpoint) = find(devices, &route, request) else {
        return Reply::empty(404);
    };
    match route.protocol {
        Protocol::Est => est::handle(devices, endpoint, route.rest, request, now).await,
        Protocol::Scep => scep::handle(devices, endpoint, route.rest, request, now).await,
        Protocol::Cmp => cmp::handle(devices, endpoint, route.rest, request, now).await,
    }
}

/// The endpoint, if it speaks this protocol, on this listener, with this address.
fn find(devices: &Devices, route: &Route<'_>, request: &Request<'_>) -> Option<Arc<Endpoint>> {
    let here = |endpoint: &Endpoint| match request.listener {
        Listener::Main => true,
        Listener::Legacy { endpoints, .. } => endpoints.contains(&endpoint.name),
    };
    let endpoints = &devices.inner.endpoints;
    let endpoint = match (&route.name, request.listener) {
        (Name::Given(name), _) => endpoints.find(name),
        (Name::Ndes, _) => endpoints.ndes(here),
        // A listener for one endpoint needs no name in the path.
        (
            Name::None,
            Listener::Legacy {
                endpoints: [only], ..
            },
        ) => endpoints.find(only),
        (Name::None, _) => endpoints.find(DEFAULT),
    }?;
    let protocols = endpoint.protocols;
    let speaks = match route.protocol {
        Protocol::Est => protocols.est,
        Protocol::Scep => protocols.scep,
        Protocol::Cmp => protocols.cmp,
    };
    let networks = &endpoint.networks;
    let from_here =
        networks.is_empty() || networks.iter().any(|range| range.contains(request.peer));
    (endpoint.enabled && speaks && from_here && here(&endpoint)).then_some(endpoint)
}

fn route(path: &str) -> Option<Route<'_>> {
    let below = |prefix: &str| -> Option<&str> {
        let head = path.get(..prefix.len())?;
        let rest = path.get(prefix.len()..)?;
        let whole = rest.is_empty() || rest.starts_with('/');
        (head.eq_ignore_ascii_case(prefix) && whole).then(|| rest.trim_start_matches('/'))
    };
    if let Some(rest) = below("/.well-known/est") {
        return est_route(rest);
    }
    if let Some(rest) = below("/certsrv/mscep/mscep.dll") {
        let (protocol, name) = (Protocol::Scep, Name::Ndes);
        return Some(Route {
            protocol,
            name,
            rest,
        });
    }
    if let Some(rest) = below("/scep") {
        return Some(named(Protocol::Scep, rest));
    }
    if let Some(rest) = below("/.well-known/cmp/p").or_else(|| below("/cmp")) {
        return Some(named(Protocol::Cmp, rest));
    }
    let rest = below("/.well-known/cmp")?;
    let (protocol, name) = (Protocol::Cmp, Name::None);
    Some(Route {
        protocol,
        name,
        rest,
    })
}

fn est_route(rest: &str) -> Option<Route<'_>> {
    let protocol = Protocol::Est;
    let rest = rest.trim_end_matches('/');
    match rest.split_once('/') {
        None if EST_OPERATIONS.contains(&rest) => Some(Route {
            protocol,
            name: Name::None,
            rest,
        }),
        None => None,
        Some((name, rest)) => Some(Route {
            protocol,
            name: Name::Given(name),
            rest,
        }),
    }
}

fn named(protocol: Protocol, rest: &str) -> Route<'_> {
    let (name, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let name = match name {
        "" => Name::None,
        // A client that was given no name (`/scep/pkiclient.exe`).
        program if program.eq_ignore_ascii_case("pkiclient.exe") => Name::None,
        name => Name::Given(name),
    };
    Route {
        protocol,
        name,
        rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_protocols_and_endpoints() {
        let given = |name| Name::Given(name);
        let table = [
            (
                "/.well-known/est/cacerts",
                Some((Protocol::Est, Name::None, "cacerts")),
            ),
            (
                "/.well-known/est/pumps/simpleenroll",
                Some((Protocol::Est, given("pumps"), "simpleenroll")),
            ),
            ("/.well-known/est/pumps", None),
            ("/.well-known/est", None),
            ("/.well-known/estimate/cacerts", None),
            ("/scep/pumps", Some((Protocol::Scep, given("pumps"), ""))),
            (
                "/scep/pumps/pkiclient.exe",
                Some((Protocol::Scep, given("pumps"), "pkiclient.exe")),
            ),
            ("/scep", Some((Protocol::Scep, Name::None, ""))),
            (
                "/scep/pkiclient.exe",
                Some((Protocol::Scep, Name::None, "")),
            ),
            (
                "/certsrv/mscep/mscep.dll",
                Some((Protocol::Scep, Name::Ndes, "")),
            ),
            (
                "/CertSrv/mscep/mscep.dll/pkiclient.exe",
                Some((Protocol::Scep, Name::Ndes, "pkiclient.exe")),
            ),
            ("/.well-known/cmp", Some((Protocol::Cmp, Name::None, ""))),
            (
                "/.well-known/cmp/initialization",
                Some((Protocol::Cmp, Name::None, "initialization")),
            ),
            (
                "/.well-known/cmp/p/pumps",
                Some((Protocol::Cmp, given("pumps"), "")),
            ),
            (
                "/.well-known/cmp/p/pumps/keyupdate",
                Some((Protocol::Cmp, given("pumps"), "keyupdate")),
            ),
            ("/cmp/pumps", Some((Protocol::Cmp, given("pumps"), ""))),
            ("/api/v1/certificates", None),
        ];
        for (path, expected) in table {
            let found = route(path).map(|route| (route.protocol, route.name, route.rest));
            assert_eq!(found, expected, "{path}");
        }
    }
}
