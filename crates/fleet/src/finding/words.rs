//! Findings in words: short, and safe to print whatever a certificate or a host calls itself.

use agent::observation::Place;
use x509::{Certificate, Name};

use crate::inventory::PlaceFacts;

/// Longest text of a finding; names may be as long as a certificate.
const LONGEST: usize = 400;
/// How many of a list are named.
const NAMED: usize = 4;

/// Without control characters (a terminal obeys them), and no longer than a line or three.
pub(super) fn safe(text: &str) -> String {
    let mut safe = x509::describe::escape(text);
    if safe.len() > LONGEST {
        safe.truncate(safe.floor_char_boundary(LONGEST));
        safe.push('…');
    }
    safe
}

/// Where, as a person would say it.
pub(super) fn place(place: &Place) -> String {
    match place {
        Place::Network {
            address, port, sni, ..
        } => {
            let at = std::net::SocketAddr::new(*address, *port);
            match sni {
                Some(name) => format!("{at} ({name})"),
                None => at.to_string(),
            }
        }
        Place::Client {
            address,
            server,
            port,
        } => format!(
            "{address}, calling {}",
            std::net::SocketAddr::new(*server, *port)
        ),
        Place::Name { name, port } => format!("{name}:{port}"),
        Place::File { host, path, alias } => match alias {
            Some(alias) => format!("{host}:{path} ({alias})"),
            None => format!("{host}:{path}"),
        },
        Place::Log { name, index } => format!("{name} entry {index}"),
    }
}

/// The first places of many.
pub(super) fn places<'a>(all: impl Iterator<Item = &'a PlaceFacts>) -> String {
    list(all.map(|one| place(&one.place)))
}

pub(super) fn list(all: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = all.collect();
    match all.get(NAMED..) {
        Some(more) if !more.is_empty() => {
            let named = all.get(..NAMED).unwrap_or_default().join(", ");
            format!("{named} and {} more", more.len())
        }
        _ => all.join(", "),
    }
}

/// Whole days of a number of seconds, as text.
pub(super) fn days(seconds: i64) -> String {
    match seconds / 86_400 {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        many => format!("{many} days"),
    }
}

/// What a certificate is called where there is no room for its whole name.
pub(super) fn called(certificate: &Certificate) -> String {
    name(certificate.subject())
}

pub(super) fn name(name: &Name) -> String {
    match name.common_name() {
        Some(common) => common.into_owned(),
        None if name.is_empty() => "(no subject)".to_owned(),
        None => name.to_string(),
    }
}
