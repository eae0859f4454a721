//! Where a redirect leads: the part of RFC 3986 and RFC 9110 §10.2.2 that a server may need to send an
//! HTTP client to a challenge, and nothing that could mean two things.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// Longest `Location` looked at. RFC 9110 §4.1 recommends 8000 for what one can handle.
const MAX_URL: usize = 2048;

/// A host as it stands in a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// Lower case, no final dot.
    Dns(String),
    Ip(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Dns(name) => f.write_str(name),
            Host::Ip(IpAddr::V4(a)) => a.fmt(f),
            Host::Ip(IpAddr::V6(a)) => write!(f, "[{a}]"),
        }
    }
}

/// An absolute http or https URL without user and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) tls: bool,
    pub(super) host: Host,
    pub(super) port: u16,
    /// Starts with `/`.
    pub(super) target: String,
}

/// Why a redirect is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadUrl {
    #[error("it is longer than {MAX_URL} octets")]
    Long,
    #[error("it has characters that no URL has (RFC 3986 §2)")]
    Characters,
    #[error("its scheme is neither http nor https")]
    Scheme,
    #[error("it names a user")]
    User,
    #[error("its host is no name and no address")]
    Host,
    #[error("its port is no port")]
    Port,
}

impl Url {
    /// Resolves a `Location` against the URL it came from (RFC 3986 §5.2). Dot segments stay as they
    /// are: it is the server that was asked for them.
    pub(super) fn join(&self, location: &[u8]) -> Result<Url, BadUrl> {
        if location.len() > MAX_URL {
            return Err(BadUrl::Long);
        }
        let text = str::from_utf8(location).map_err(|_| BadUrl::Characters)?;
        let text = text.split('#').next().unwrap_or_default();
        if !text.bytes().all(is_url_octet) {
            return Err(BadUrl::Characters);
        }
        let url = match split_scheme(text) {
            Some((scheme, rest)) => {
                let tls = match scheme.to_ascii_lowercase().as_str() {
                    "http" => false,
                    "https" => true,
                    _ => return Err(BadUrl::Scheme),
                };
                Self::parse_hierarchy(tls, rest.strip_prefix("//").ok_or(BadUrl::Host)?)?
            }
            None => match text.strip_prefix("//") {
                Some(rest) => Self::parse_hierarchy(self.tls, rest)?,
                None => Url {
                    target: self.join_target(text),
                    ..self.clone()
                },
            },
        };
        if url.target.len() > MAX_URL {
            return Err(BadUrl::Long);
        }
        Ok(url)
    }

    fn join_target(&self, reference: &str) -> String {
        let path = self.target.split('?').next().unwrap_or_default();
        match reference.as_bytes().first() {
            None => self.target.clone(),
            Some(b'/') => reference.to_owned(),
            Some(b'?') => format!("{path}{reference}"),
            Some(_) => {
                let folder = path.rfind('/').and_then(|i| path.get(..=i)).unwrap_or("/");
                format!("{folder}{reference}")
            }
        }
    }

    fn parse_hierarchy(tls: bool, rest: &str) -> Result<Url, BadUrl> {
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(split).ok_or(BadUrl::Host)?;
        if authority.contains('@') {
            return Err(BadUrl::User);
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(literal) => {
                let (address, after) = literal.split_once(']').ok_or(BadUrl::Host)?;
                let address: Ipv6Addr = address.parse().map_err(|_| BadUrl::Host)?;
                let port = match after {
                    "" => None,
                    _ => Some(after.strip_prefix(':').ok_or(BadUrl::Host)?),
                };
                (Host::Ip(address.into()), port)
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (parse_host(host)?, Some(port)),
                None => (parse_host(authority)?, None),
            },
        };
        let port = match port {
            None | Some("") => default_port(tls),
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| BadUrl::Port)?
            }
            Some(_) => return Err(BadUrl::Port),
        };
        let target = if target.starts_with('/') {
            target.to_owned()
        } else {
            format!("/{target}")
        };
        Ok(Url {
            tls,
            host,
            port,
            target,
        })
    }

    /// For the `Host` header: the port only where it is not the scheme's own (RFC 9110 §7.2).
    pub(super) fn authority(&self) -> String {
        if self.port == default_port(self.tls) {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.target)
    }
}

const fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

/// Octets of RFC 3986 §2: printable ASCII without those it leaves out.
fn is_url_octet(b: u8) -> bool {
    b.is_ascii_graphic()
        && !matches!(
            b,
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
        )
}

/// Scheme and the rest behind the colon (RFC 3986 §3.1).
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let first = scheme.bytes().next()?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    (first.is_ascii_alphabetic() && scheme.bytes().all(fits)).then_some((scheme, rest))
}

/// A name or an IPv4 address. Names whose last label is a number are neither: the C library would read
/// `127.1` or `0x7f000001` as addresses.
fn parse_host(text: &str) -> Result<Host, BadUrl> {
    if let Ok(address) = text.parse::<std::net::Ipv4Addr>() {
        return Ok(Host::Ip(address.into()));
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let digits = last.strip_prefix("0x").unwrap_or(last);
    let number = match digits.len() == last.len() {
        true => digits.bytes().all(|b| b.is_ascii_digit()),
        false => digits.bytes().all(|b| b.is_ascii_hexdigit()),
    };
    if name.len() > 253 || number || !name.split('.').all(label) {
        return Err(BadUrl::Host);
    }
    Ok(Host::Dns(name))
}

/// Reads `data` as a `Location`: for fuzzing.
pub(super) fn exercise(data: &[u8]) {
    let base = Url {
        tls: false,
        host: Host::Dns("a.example".to_owned()),
        port: 80,
        target: "/.well-known/acme-challenge/token".to_owned(),
    };
    let Ok(url) = base.join(data) else {
        return;
    };
    assert!(url.target.starts_with('/'));
    let text = url.to_string();
    if text.len() > MAX_URL {
        return;
    }
    assert_eq!(base.join(text.as_bytes()).as_ref(), Ok(&url), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Url {
        Url {
            tls: false,
            host: Host::Dns("a.example".into()),
            port: 80,
            target: "/.well-known/acme-challenge/token?x=1".into(),
        }
    }

    #[test]
    fn rfc_3986_5_references_lead_where_they_should() {
        for (location, leads_to) in [
            ("https://b.example/", "https://b.example/"),
            ("HTTPS://B.Example.:443/x?y#z", "https://b.example/x?y"),
            ("http://b.example:8080", "http://b.example:8080/"),
            ("http://b.example?q", "http://b.example/?q"),
            ("//b.example/x", "http://b.example/x"),
            ("/x/y", "http://a.example/x/y"),
            ("x", "http://a.example/.well-known/acme-challenge/x"),
            (
                "?y=2",
                "http://a.example/.well-known/acme-challenge/token?y=2",
            ),
            ("", "http://a.example/.well-known/acme-challenge/token?x=1"),
            ("http://10.1.2.3/x", "http://10.1.2.3/x"),
            ("https://[fd00::1]:8443/x", "https://[fd00::1]:8443/x"),
            ("https://[fd00::1]/", "https://[fd00::1]/"),
            ("http://my_host.example:/", "http://my_host.example/"),
        ] {
            let joined = base().join(location.as_bytes());
            assert_eq!(
                joined.map(|u| u.to_string()).as_deref(),
                Ok(leads_to),
                "{location}"
            );
        }
    }

    #[test]
    fn what_could_mean_something_else_is_refused() {
        for (location, why) in [
            ("ftp://b.example/", BadUrl::Scheme),
            ("file:///etc/passwd", BadUrl::Scheme),
            ("gopher://b.example/", BadUrl::Scheme),
            ("http:b.example", BadUrl::Host),
            ("http:///x", BadUrl::Host),
            ("http://a.example@127.0.0.1/", BadUrl::User),
            ("http://127.1/", BadUrl::Host),
            ("http://2130706433/", BadUrl::Host),
            ("http://0x7f000001/", BadUrl::Host),
            ("http://0177.0.0.1/", BadUrl::Host),
            ("http://[::1", BadUrl::Host),
            ("http://[fe80::1%25eth0]/", BadUrl::Host),
            ("http://[v1.x]/", BadUrl::Host),
            ("http://b..example/", BadUrl::Host),
            ("http://b%2eexample/", BadUrl::Host),
            ("http://b.example:80x/", BadUrl::Port),
            ("http://b.example:99999/", BadUrl::Port),
            ("http://b.example:+80/", BadUrl::Port),
            ("http://b.example\\@c.example/", BadUrl::Characters),
            ("http://bücher.example/", BadUrl::Characters),
            ("http://b.example/ x", BadUrl::Characters),
            ("http://b.example/\r\nX: y", BadUrl::Characters),
        ] {
            assert_eq!(base().join(location.as_bytes()), Err(why), "{location}");
        }
        let long = format!("/{}", "x".repeat(MAX_URL));
        assert_eq!(base().join(long.as_bytes()), Err(BadUrl::Long));
    }
}
