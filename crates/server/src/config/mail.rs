//! `[mail]`: the relay that brings people word of requests (R07).

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use lettre::message::Mailbox;
use serde::Deserialize;

/// How mail leaves.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Host name or address of the relay.
    pub relay: String,
    pub port: u16,
    pub tls: MailTls,
    pub from: Mailbox,
    /// A user on its first line, a password on its second; read for each round, so that it can be changed.
    pub credentials_file: Option<PathBuf>,
}

/// How the relay is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailTls {
    /// RFC 3207, and nothing is sent if the relay does not offer it.
    Starttls,
    /// TLS from the first byte (RFC 8314 §3.3).
    Tls,
    /// None: a relay on this machine.
    NoneOnLoopbackOnly,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    relay: String,
    port: Option<u16>,
    #[serde(default = "starttls")]
    tls: MailTls,
    from: String,
    credentials_file: Option<PathBuf>,
}

const fn starttls() -> MailTls {
    MailTls::Starttls
}

/// Key, found and expected, if something is not usable.
pub(super) fn check(data: &Path, raw: Raw) -> Result<Mail, (&'static str, String, &'static str)> {
    let address: Option<IpAddr> = raw.relay.parse().ok();
    let is_host = !raw.relay.is_empty()
        && raw.relay.len() <= 253
        && raw
            .relay
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if address.is_none() && !is_host {
        return Err((
            "mail.relay",
            raw.relay,
            "expected a host name or an address, without a port",
        ));
    }
    let is_loopback =
        raw.relay == "localhost" || address.is_some_and(|address| address.is_loopback());
    if raw.tls == MailTls::NoneOnLoopbackOnly && !is_loopback {
        return Err((
            "mail.tls",
            "none-on-loopback-only".to_owned(),
            "expected \"starttls\" or \"tls\" for a relay that is not on this machine",
        ));
    }
    let from = raw.from.parse().map_err(|_| {
        (
            "mail.from",
            raw.from.clone(),
            "expected an address, for example \"Ward <ward@mercy.example>\"",
        )
    })?;
    let usual = match raw.tls {
        MailTls::Starttls => 587,
        MailTls::Tls => 465,
        MailTls::NoneOnLoopbackOnly => 25,
    };
    Ok(Mail {
        port: raw.port.unwrap_or(usual),
        relay: raw.relay,
        tls: raw.tls,
        from,
        credentials_file: raw.credentials_file.map(|file| data.join(file)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Mail, String> {
        let raw: Raw = toml::from_str(text).map_err(|error| error.to_string())?;
        check(Path::new("/data"), raw).map_err(|(key, found, _)| format!("{key} {found}"))
    }

    #[test]
    fn r07_mail_leaves_the_machine_encrypted_or_not_at_all() {
        let with = |relay: &str, tls: &str| {
            read(&format!(
                "relay = \"{relay}\"\ntls = \"{tls}\"\nfrom = \"Ward <ward@mercy.example>\""
            ))
        };
        for relay in ["127.0.0.1", "::1", "localhost"] {
            assert!(with(relay, "none-on-loopback-only").is_ok(), "{relay}");
        }
        for relay in ["mail.mercy.example", "10.0.0.25", "localhost.mercy.example"] {
            assert!(with(relay, "none-on-loopback-only").is_err(), "{relay}");
            assert!(with(relay, "starttls").is_ok(), "{relay}");
        }
        // RFC 6409 §3.1, RFC 8314 §7.3.
        assert_eq!(with("mail.mercy.example", "starttls").unwrap().port, 587);
        assert_eq!(with("mail.mercy.example", "tls").unwrap().port, 465);
        assert!(with("mail.mercy.example", "none").is_err());
        assert!(with("mail.mercy.example:25", "tls").is_err());
    }

    #[test]
    fn r07_a_sender_that_is_no_address_is_refused() {
        for from in [
            "ward",
            "ward@",
            "Ward <ward@mercy.example>\\r\\nBcc: x@evil.example",
        ] {
            let text = format!("relay = \"mail.mercy.example\"\nfrom = \"{from}\"");
            assert!(read(&text).is_err(), "{from}");
        }
    }
}
