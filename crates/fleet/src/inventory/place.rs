//! Places: where certificates live. A place has one canonical text, by which it is one row however often and by whomever
//! it is looked at, and columns that it is searched by.

use std::net::IpAddr;

use agent::observation::{FileSeen, How, Observation, Outcome, Place, TlsSeen};
use store::Value;

use super::text::{clean, word};

/// A place as columns; texts are escaped and cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Columns {
    pub(crate) place: String,
    pub(crate) kind: &'static str,
    pub(crate) address: Option<String>,
    /// The address as 16 octets.
    pub(crate) ip: Option<[u8; 16]>,
    pub(crate) port: Option<u16>,
    pub(crate) sni: Option<String>,
    pub(crate) starttls: Option<&'static str>,
    pub(crate) host: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) alias: Option<String>,
}

impl Columns {
    pub(crate) fn of(place: &Place) -> Self {
        match place {
            Place::Network {
                address,
                port,
                sni,
                starttls,
            } => {
                let sni = sni.as_deref().map(|name| clean(&name.to_lowercase()));
                let mut text = std::net::SocketAddr::new(*address, *port).to_string();
                if let Some(name) = &sni {
                    text += &format!(" sni={}", word(name));
                }
                if let Some(protocol) = starttls {
                    text += &format!(" starttls={protocol}");
                }
                Columns {
                    place: text,
                    kind: "network",
                    address: Some(address.to_string()),
                    ip: Some(octets(*address)),
                    port: Some(*port),
                    sni,
                    starttls: starttls.map(|protocol| protocol.name()),
                    ..Columns::default()
                }
            }
            Place::Client {
                address,
                server,
                port,
            } => Columns {
                place: format!(
                    "client {address} of {}",
                    std::net::SocketAddr::new(*server, *port)
                ),
                kind: "client",
                address: Some(address.to_string()),
                ip: Some(octets(*address)),
                port: Some(*port),
                host: Some(server.to_string()),
                ..Columns::default()
            },
            Place::Name { name, port } => {
                let name = clean(&name.to_lowercase());
                Columns {
                    place: format!("name {}:{port}", word(&name)),
                    kind: "name",
                    port: Some(*port),
                    host: Some(name),
                    ..Columns::default()
                }
            }
            Place::File { host, path, alias } => Columns::file(host, path, alias.as_deref()),
            Place::Log { name, index } => {
                let name = clean(name);
                Columns {
                    place: format!("log {} {index}", word(&name)),
                    kind: "log",
                    host: Some(name),
                    path: Some(index.to_string()),
                    ..Columns::default()
                }
            }
        }
    }

    fn file(host: &str, path: &str, alias: Option<&str>) -> Self {
        let (host, path) = (clean(&host.to_lowercase()), clean(path));
        let alias = alias.map(clean);
        let mut text = format!("file {} {}", word(&host), word(&path));
        if let Some(alias) = &alias {
            text += &format!(" alias={}", word(alias));
        }
        Columns {
            place: text,
            kind: "file",
            host: Some(host),
            path: Some(path),
            alias,
            ..Columns::default()
        }
    }

    /// The place that these columns are of, as far as nothing was cut.
    pub(crate) fn place(&self) -> Option<Place> {
        let address = || self.address.as_deref()?.parse().ok();
        let host = || self.host.clone();
        Some(match self.kind {
            "network" => Place::Network {
                address: address()?,
                port: self.port?,
                sni: self.sni.clone(),
                starttls: self
                    .starttls
                    .and_then(agent::observation::StartTls::from_name),
            },
            "client" => Place::Client {
                address: address()?,
                server: host()?.parse().ok()?,
                port: self.port?,
            },
            "name" => Place::Name {
                name: host()?,
                port: self.port?,
            },
            "file" => Place::File {
                host: host()?,
                path: self.path.clone()?,
                alias: self.alias.clone(),
            },
            "log" => Place::Log {
                name: host()?,
                index: self.path.as_deref()?.parse().ok()?,
            },
            _ => return None,
        })
    }

    /// The kinds, so that a row's text becomes one of them again.
    pub(crate) fn kind_of(text: &str) -> &'static str {
        ["network", "client", "name", "file", "log"]
            .into_iter()
            .find(|kind| *kind == text)
            .unwrap_or("unknown")
    }
}

/// An address by which ranges compare: IPv4 as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2).
pub(crate) fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// What an observation says about the certificate at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// This one is there.
    Certificate,
    /// None is there, or none that is shown.
    None,
    /// Somebody looked, and does not know: silence is not absence.
    Unclear,
    /// Nobody looked.
    Nothing,
}

impl Says {
    pub(crate) fn of(seen: &Observation) -> Says {
        match &seen.outcome {
            Outcome::Certificate => Says::Certificate,
            // A capture of TLS 1.3 sees that there is TLS, not that there is no certificate.
            Outcome::NoCertificate { .. } if seen.how == How::Capture => Says::Unclear,
            Outcome::NoCertificate { .. } | Outcome::NotTls { .. } | Outcome::Closed => Says::None,
            Outcome::Alert { .. } => Says::None,
            Outcome::Filtered
            | Outcome::Unreachable { .. }
            | Outcome::Hung { .. }
            | Outcome::Garbage { .. }
            | Outcome::TooLarge { .. } => Says::Unclear,
            Outcome::Excluded { .. }
            | Outcome::Stopped { .. }
            | Outcome::NoAddress { .. }
            | Outcome::Failed { .. } => Says::Nothing,
        }
    }
}

/// Whether a place becomes a row by this alone. Of sixty thousand addresses of a segment most answer nothing; that they
/// were looked at is coverage, not inventory.
pub(crate) fn is_kept(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Certificate
            | Outcome::NoCertificate { .. }
            | Outcome::NotTls { .. }
            | Outcome::Alert { .. }
            | Outcome::Garbage { .. }
            | Outcome::TooLarge { .. }
            | Outcome::Hung { .. }
    )
}

/// The word of an outcome, and what it says beside it, as JSON; both together are the outcome again.
pub(crate) fn outcome_columns(outcome: &Outcome) -> (String, String) {
    if *outcome == Outcome::Certificate {
        // Nearly all of them, and nothing to look for: as below it would come out the same.
        return ("certificate".to_owned(), String::new());
    }
    let json = serde_json::to_value(outcome).unwrap_or_default();
    let kind = json
        .get("kind")
        .and_then(serde_json::Value::as_str)
        .unwrap_or("failed");
    let mut fields = json.as_object().cloned().unwrap_or_default();
    let kind = kind.to_owned();
    fields.remove("kind");
    for value in fields.values_mut() {
        if let Some(text) = value.as_str() {
            *value = serde_json::Value::String(clean(text));
        }
    }
    let detail = match fields.is_empty() {
        true => String::new(),
        false => serde_json::Value::Object(fields).to_string(),
    };
    (kind, detail)
}

/// A leaf that could not be read as a certificate: no outcome of a scan, which does not read any.
pub(crate) const UNREADABLE: &str = "unreadable";

/// The outcome that [`outcome_columns`] wrote; an unreadable certificate is garbage to whoever asks.
pub(crate) fn outcome(kind: &str, detail: &str) -> Outcome {
    let mut fields = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(detail)
        .unwrap_or_default();
    if kind == UNREADABLE {
        return Outcome::Garbage {
            what: detail.to_owned(),
        };
    }
    fields.insert("kind".to_owned(), kind.into());
    serde_json::from_value(serde_json::Value::Object(fields)).unwrap_or(Outcome::Failed {
        why: format!("{kind} {detail}"),
    })
}

/// What is known of a service after another look: what was seen now, and what was seen before where nobody looked now.
pub(crate) fn merged(before: Option<TlsSeen>, now: Option<TlsSeen>) -> Option<TlsSeen> {
    let (before, mut now) = match (before, now) {
        (Some(before), Some(now)) => (before, now),
        (before, now) => return now.or(before),
    };
    macro_rules! keep {
        ($($field:ident),+) => { $(if now.$field.is_none() { now.$field = before.$field; })+ };
    }
    if now.versions.is_empty() {
        now.versions = before.versions;
    }
    // A ServerHello says it, or that there is none.
    if now.negotiated.is_none() {
        now.beyond = before.beyond;
    }
    if now.groups.is_empty() {
        now.groups = before.groups;
    }
    keep!(
        negotiated,
        group,
        signature,
        alpn,
        ocsp_staple,
        client_certificate,
        compression,
        renegotiation_info,
        extended_master_secret,
        session_ticket,
        key_exchange_bits
    );
    Some(now)
}

/// Whether two looks found the same service. A staple is another one every few days, and says the same.
pub(crate) fn same_service(one: Option<&TlsSeen>, other: Option<&TlsSeen>) -> bool {
    if one == other {
        return true;
    }
    let bare = |seen: Option<&TlsSeen>| {
        let mut seen = seen.cloned()?;
        let staple = seen.ocsp_staple.take().is_some();
        Some((seen, staple))
    };
    bare(one) == bare(other)
}

/// A file's circumstances, with every text in them escaped.
pub(crate) fn cleaned(file: &FileSeen) -> FileSeen {
    let mut file = file.clone();
    if let Some(key) = &mut file.key {
        key.path = clean(&key.path);
    }
    file.serves.truncate(100);
    for serves in &mut file.serves {
        serves.by = clean(&serves.by);
        serves.config = clean(&serves.config);
        serves.names.truncate(100);
        serves.addresses.truncate(100);
        for text in serves.names.iter_mut().chain(&mut serves.addresses) {
            *text = clean(text);
        }
    }
    file
}

pub(crate) fn json<T: serde::Serialize>(value: Option<&T>) -> Value {
    match value.and_then(|value| serde_json::to_string(value).ok()) {
        Some(text) => Value::Text(text),
        None => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_its_columns_and_its_text_is_its_own() {
        let file = |path: &str, alias: Option<&str>| Place::File {
            host: "engine-1".to_owned(),
            path: path.to_owned(),
            alias: alias.map(str::to_owned),
        };
        let places = [
            Place::Network {
                address: "10.1.2.3".parse().unwrap(),
                port: 443,
                sni: Some("a.example".to_owned()),
                starttls: None,
            },
            Place::Network {
                address: "fd00::1".parse().unwrap(),
                port: 25,
                sni: None,
                starttls: Some(agent::observation::StartTls::Smtp),
            },
            Place::Client {
                address: "10.1.2.3".parse().unwrap(),
                server: "10.1.2.4".parse().unwrap(),
                port: 2762,
            },
            Place::Name {
                name: "a.example".to_owned(),
                port: 443,
            },
            file("/a b", None),
            file("/a", Some("b")),
            file("/a alias=b", None),
            Place::Log {
                name: "argon".to_owned(),
                index: 7,
            },
        ];
        let mut texts = std::collections::HashSet::new();
        for place in places {
            let columns = Columns::of(&place);
            assert_eq!(columns.place().as_ref(), Some(&place));
            assert!(texts.insert(columns.place.clone()), "{}", columns.place);
        }
    }

    #[test]
    fn an_outcome_is_its_columns() {
        let outcomes = [
            Outcome::Certificate,
            Outcome::Closed,
            Outcome::Alert {
                level: 2,
                description: 40,
            },
            Outcome::Hung { after_ms: 3000 },
            Outcome::NotTls {
                first_bytes: "5353482d".to_owned(),
            },
        ];
        for one in outcomes {
            let (kind, detail) = outcome_columns(&one);
            assert_eq!(outcome(&kind, &detail), one);
        }
    }
}
