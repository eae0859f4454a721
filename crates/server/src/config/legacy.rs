//! `[[listen.legacy]]`: listeners for devices that cannot speak to the HTTPS listener, each for one network segment.

use std::net::SocketAddr;

use enroll::device::Network;
use oldtls::{Options, Suite};
use serde::Deserialize;

/// One network segment whose devices are answered as they can be: over TLS with what is left of old versions and suites,
/// or over plain HTTP: SCEP and CMP then, never EST (RFC 7030 §3.3).
#[derive(Clone, Debug)]
pub struct Legacy {
    pub address: SocketAddr,
    /// Names of the enrolment endpoints that are reached there, and no others.
    pub endpoints: Vec<String>,
    /// What the network calls the segment; the listener's name in the log.
    pub segment: String,
    /// From which addresses it is reached; from any if there is none.
    pub networks: Vec<Network>,
    /// `None`: plain HTTP.
    pub tls: Option<LegacyTls>,
}

/// Old TLS, and the certificate that it shows.
#[derive(Clone, Debug)]
pub struct LegacyTls {
    pub options: Options,
    /// Names in the certificate that Ward issues to the listener.
    pub names: Vec<String>,
    /// Who issues it.
    pub authority: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    address: String,
    endpoints: Vec<String>,
    segment: String,
    #[serde(default)]
    networks: Vec<String>,
    #[serde(default)]
    tls: bool,
    min_version: Option<String>,
    ciphers: Option<Vec<String>>,
    sha1: Option<bool>,
    names: Option<Vec<String>>,
    authority: Option<String>,
}

/// Which key is wrong, what it says, and what it should say.
type Wrong = (&'static str, String, &'static str);

/// Reads all of them; `names` and `authority` are those of the HTTPS listener.
pub(super) fn check(
    raw: Vec<Raw>,
    names: &[String],
    authority: &str,
) -> Result<Vec<Legacy>, Wrong> {
    let mut listeners: Vec<Legacy> = Vec::with_capacity(raw.len());
    for raw in raw {
        let tls = tls(&raw, names, authority)?;
        let address = raw.address.parse().map_err(|_| {
            let expected = "expected ADDRESS:PORT, for example \"10.20.0.5:8444\"";
            ("listen.legacy.address", raw.address, expected)
        })?;
        if raw.endpoints.is_empty() {
            return Err((
                "listen.legacy.endpoints",
                raw.segment,
                "expected the names of the endpoints that devices of this segment may use",
            ));
        }
        let is_known = listeners.iter().any(|known| known.segment == raw.segment);
        if raw.segment.trim().is_empty() || is_known {
            return Err((
                "listen.legacy.segment",
                raw.segment,
                "expected the name of a network segment, each once",
            ));
        }
        let network = |text: String| {
            text.parse().map_err(|_| {
                let expected = "expected networks, for example \"10.20.0.0/16\"";
                ("listen.legacy.networks", text, expected)
            })
        };
        listeners.push(Legacy {
            address,
            endpoints: raw.endpoints,
            segment: raw.segment,
            networks: raw
                .networks
                .into_iter()
                .map(network)
                .collect::<Result<_, _>>()?,
            tls,
        });
    }
    Ok(listeners)
}

fn tls(raw: &Raw, names: &[String], authority: &str) -> Result<Option<LegacyTls>, Wrong> {
    if !raw.tls {
        let for_tls = raw.min_version.is_some()
            || raw.ciphers.is_some()
            || raw.sha1.is_some()
            || raw.names.is_some()
            || raw.authority.is_some();
        return match for_tls {
            false => Ok(None),
            true => Err((
                "listen.legacy.tls",
                "false".to_owned(),
                "min_version, ciphers, sha1, names and authority need tls = true",
            )),
        };
    }
    let mut options = Options::default();
    if let Some(version) = &raw.min_version {
        options.min_version = version.parse().map_err(|()| wrong_version(version))?;
    }
    if let Some(ciphers) = &raw.ciphers {
        options.suites = ciphers
            .iter()
            .map(|name| Suite::find(name).ok_or_else(|| wrong_suite(name)))
            .collect::<Result<_, _>>()?;
        if options.suites.is_empty() {
            return Err(wrong_suite(""));
        }
    }
    options.sha1 = raw.sha1.unwrap_or(false);
    let names = raw.names.clone().unwrap_or_else(|| names.to_vec());
    if names.is_empty() {
        return Err((
            "listen.legacy.names",
            String::new(),
            "expected at least one DNS name or IP address",
        ));
    }
    Ok(Some(LegacyTls {
        options,
        names,
        authority: raw
            .authority
            .clone()
            .unwrap_or_else(|| authority.to_owned()),
    }))
}

fn wrong_version(found: &str) -> Wrong {
    const EXPECTED: &str = "expected \"1.2\", or where a device knows no better \"1.1\" or \"1.0\"";
    ("listen.legacy.min_version", found.to_owned(), EXPECTED)
}

fn wrong_suite(found: &str) -> Wrong {
    const EXPECTED: &str = "expected OpenSSL's names of suites with RSA certificates, for example \"AES128-SHA\": docs/old-devices.md has them all";
    ("listen.legacy.ciphers", found.to_owned(), EXPECTED)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use oldtls::Version;

    use super::*;
    use crate::config::Config;

    const HEAD: &str =
        "[[listen.legacy]]\naddress = \"127.0.0.1:0\"\nendpoints = [\"old\"]\nsegment = \"lab\"\n";

    fn read(more: &str) -> Result<Vec<Legacy>, String> {
        let text = format!("{HEAD}{more}");
        let read = Config::parse(Path::new("/data"), Path::new("ward.toml"), &text);
        read.map(|config| config.legacy)
            .map_err(|error| error.to_string())
    }

    /// Off is the default everywhere: no listener, no TLS of old, nothing below 1.2, no SHA-1, no 3DES.
    #[test]
    fn r09_nothing_old_unless_it_is_named() {
        let none = Config::parse(Path::new("/data"), Path::new("ward.toml"), "").unwrap();
        assert!(none.legacy.is_empty());
        let plain = read("").unwrap();
        assert!(plain[0].tls.is_none() && plain[0].networks.is_empty());
        let tls = read("tls = true\n").unwrap()[0].tls.clone().unwrap();
        assert_eq!(tls.options.min_version, Version::Tls12);
        assert!(!tls.options.sha1);
        assert!(
            tls.options
                .suites
                .iter()
                .all(|suite| !suite.name.contains("CBC3"))
        );
        assert_eq!((tls.names.len(), tls.authority.as_str()), (2, "servers"));
        let all = read("tls = true\nmin_version = \"1.0\"\nciphers = [\"AES128-SHA\", \"DES-CBC3-SHA\"]\nsha1 = true\nnames = [\"old.example.org\"]\nauthority = \"rsa\"\nnetworks = [\"10.20.0.0/16\"]\n").unwrap();
        let tls = all[0].tls.clone().unwrap();
        assert_eq!(tls.options.min_version, Version::Tls10);
        assert_eq!(tls.options.suites[1].name, "DES-CBC3-SHA");
        assert!(tls.options.sha1);
        assert_eq!(
            (tls.names[0].as_str(), tls.authority.as_str()),
            ("old.example.org", "rsa")
        );
        assert!(all[0].networks[0].contains("10.20.1.1".parse().unwrap()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (more, key) in [
            ("min_version = \"1.0\"", "listen.legacy.tls"),
            ("ciphers = [\"AES128-SHA\"]", "listen.legacy.tls"),
            (
                "tls = true\nmin_version = \"1.3\"",
                "listen.legacy.min_version",
            ),
            (
                "tls = true\nmin_version = \"3.0\"",
                "listen.legacy.min_version",
            ),
            ("tls = true\nciphers = []", "listen.legacy.ciphers"),
            (
                "tls = true\nciphers = [\"NULL-SHA256\"]",
                "listen.legacy.ciphers",
            ),
            (
                "tls = true\nciphers = [\"ADH-AES128-SHA\"]",
                "listen.legacy.ciphers",
            ),
            (
                "tls = true\nciphers = [\"EXP-RC4-MD5\"]",
                "listen.legacy.ciphers",
            ),
            (
                "tls = true\nciphers = [\"ALL:@SECLEVEL=0\"]",
                "listen.legacy.ciphers",
            ),
            ("tls = true\nnames = []", "listen.legacy.names"),
            ("networks = [\"10.20.0.0/33\"]", "listen.legacy.networks"),
        ] {
            let error = read(more).unwrap_err();
            assert!(error.contains(&format!("`{key}` = ")), "{more}: {error}");
        }
        assert!(
            read("tls = true\nversion = \"1.0\"")
                .unwrap_err()
                .contains("unknown field")
        );
    }
}
