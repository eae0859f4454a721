//! From an identifier to a connected socket: look up, vet every address, connect to exactly one of them.
//!
//! The address that was vetted is the address that is connected to; there is no second lookup in which a
//! name could point elsewhere (DNS rebinding).

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{net::TcpStream, task::JoinSet, time::sleep};

use super::{Failure, FailureKind, Rules, attempt::Attempt, metered::Metered, url::Host};
use crate::dns::DnsFailure;

/// Before the next address is tried beside a slow one (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);
/// Addresses of one name that are tried.
const MAX_TRIED: usize = 6;

/// Addresses that passed the rules.
pub(super) async fn vetted(
    host: &Host,
    rules: &Rules,
    attempt: &mut Attempt<'_>,
) -> Result<Vec<IpAddr>, Failure> {
    let found = match host {
        Host::Ip(address) => {
            return match rules.vet(*address) {
                Ok(()) => Ok(vec![*address]),
                Err(why) => Err(refused(&address.to_string(), &why)),
            };
        }
        Host::Dns(name) => {
            let looked_up = attempt
                .resolver
                .addresses(name, &rules.resolvers, &attempt.deadline);
            looked_up.await.map_err(dns)?
        }
    };
    attempt.proof.resolver.get_or_insert(found.from);
    let mut refusal = None;
    let mut passed = Vec::with_capacity(found.list.len());
    for &address in found.list.iter() {
        match rules.vet(address) {
            Ok(()) => passed.push(address),
            Err(why) => refusal = Some(refused(&format!("{address}, where {host} points,"), &why)),
        }
    }
    match refusal {
        Some(refusal) if passed.is_empty() => Err(refusal),
        _ => {
            passed.truncate(MAX_TRIED);
            Ok(passed)
        }
    }
}

pub(super) fn dns(failure: DnsFailure) -> Failure {
    Failure::new(FailureKind::Dns, failure.to_string())
}

fn refused(what: &str, why: &str) -> Failure {
    Failure::new(
        FailureKind::Connection,
        format!("{what} may not be connected to: {why}"),
    )
    .for_good()
}

/// Connects to the first of `addresses` that answers, and notes it. Of what comes at most `limit` octets
/// are read.
pub(super) async fn connect(
    addresses: &[IpAddr],
    port: u16,
    limit: usize,
    attempt: &mut Attempt<'_>,
) -> Result<Metered, Failure> {
    let sockets: Vec<SocketAddr> = addresses
        .iter()
        .map(|a| SocketAddr::new(*a, port))
        .collect();
    let connecting = async {
        match sockets.as_slice() {
            [one] => TcpStream::connect(*one).await.map_err(|e| (*one, e)),
            several => race(several).await,
        }
    };
    let failed = |tried: &str, why: String| {
        Failure::new(
            FailureKind::Connection,
            format!("connecting to {tried}: {why}"),
        )
    };
    match attempt.deadline.run(connecting).await {
        Ok(Ok(stream)) => {
            attempt.proof.addresses.extend(stream.peer_addr());
            Ok(Metered::new(stream, limit))
        }
        Ok(Err((address, error))) => Err(failed(&address.to_string(), error.to_string())),
        Err(late) => {
            let tried: Vec<String> = sockets.iter().map(SocketAddr::to_string).collect();
            Err(failed(&tried.join(", "), late.to_string()))
        }
    }
}

/// One after the other, the next one as soon as the last has failed or been slow; the first to connect
/// wins (RFC 8305 §5).
async fn race(addresses: &[SocketAddr]) -> Result<TcpStream, (SocketAddr, io::Error)> {
    let mut waiting = addresses.iter();
    let mut trying = JoinSet::new();
    let mut failure = None;
    loop {
        if let Some(&next) = waiting.next() {
            trying.spawn(async move { TcpStream::connect(next).await.map_err(|e| (next, e)) });
        }
        let more = waiting.len() > 0;
        tokio::select! {
            joined = trying.join_next() => match joined {
                Some(Ok(Ok(stream))) => return Ok(stream),
                Some(Ok(Err(failed))) => failure = Some(failed),
                // A task of ours that was cancelled says nothing; none left and none to come is the end.
                Some(Err(_)) => {}
                None if more => {}
                None => {
                    let nobody = || (SocketAddr::from(([0, 0, 0, 0], 0)), io::ErrorKind::NotFound.into());
                    return Err(failure.unwrap_or_else(nobody));
                }
            },
            () = sleep(STAGGER), if more => {}
        }
    }
}
