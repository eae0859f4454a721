//! `ward.toml`: read as text, checked once, handed on as values that cannot be wrong.
//!
//! Every key has a default, an unknown key is an error, and relative paths are relative to the data directory.

mod alerts;
mod legacy;
mod mail;
mod sign_in;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use alerts::Alerts;
pub use legacy::{Legacy, LegacyTls};
pub use mail::{Mail, MailTls};
pub(crate) use sign_in::is_provider_url;
pub use sign_in::{CertificateName, CertificateSignIn, Oidc, SignIn};

/// The whole configuration, validated.
#[derive(Clone, Debug)]
pub struct Config {
    /// Directory that everything relative lives in.
    pub data: PathBuf,
    /// `sqlite:PATH` or `postgres://…`.
    pub database: String,
    /// HTTPS listener: REST API.
    pub api: SocketAddr,
    /// Plain HTTP listener: CRL, OCSP, AIA and log, which must be reachable before trust exists (RFC 5280 §8).
    pub status: SocketAddr,
    /// `https://host[:port]` by which clients reach the HTTPS listener; `None`: as each of them addresses it.
    pub url: Option<String>,
    /// Listeners for devices that speak no TLS of today; none unless somebody asks for them.
    pub legacy: Vec<Legacy>,
    /// Names in the certificate that Ward issues to its own listener.
    pub names: Vec<String>,
    /// Authority that issues the listener's certificate.
    pub listener_authority: String,
    pub keys: keys::KeyringConfig,
    /// Who is told at once what cannot wait; `None`: the log and the metrics alone.
    pub alerts: Option<Alerts>,
    /// How people are told of requests; `None`: they look.
    pub mail: Option<Mail>,
    pub sign_in: SignIn,
    pub limits: Limits,
}

/// What one client, or all of them, may ask of this process at once.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections over both listeners.
    pub connections: usize,
    /// Seconds for the TLS handshake, for each request's head, and for its body.
    pub head_seconds: u64,
    /// Largest request body in bytes. The largest lawful body is a CSR of 64 KiB in JSON.
    pub body_bytes: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path}: {message}")]
    Syntax { path: PathBuf, message: String },
    #[error("{path}: `{key}` = {found}: {expected}")]
    Value {
        path: PathBuf,
        key: &'static str,
        found: String,
        expected: &'static str,
    },
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    database: RawDatabase,
    listen: RawListen,
    keys: RawKeys,
    alerts: Option<alerts::Raw>,
    mail: Option<mail::Raw>,
    sign_in: sign_in::Raw,
    limits: RawLimits,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawDatabase {
    url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawListen {
    api: String,
    status: String,
    url: Option<String>,
    names: Vec<String>,
    authority: String,
    legacy: Vec<legacy::Raw>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawKeys {
    passphrase_file: Option<PathBuf>,
    systemd_credential: bool,
    pkcs11: Vec<RawPkcs11>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPkcs11 {
    module: PathBuf,
    token: String,
    pin_file: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLimits {
    connections: usize,
    head_seconds: u64,
    body_bytes: usize,
}

impl Default for RawDatabase {
    fn default() -> Self {
        Self {
            url: "sqlite:ward.db".into(),
        }
    }
}

impl Default for RawListen {
    fn default() -> Self {
        Self {
            api: "127.0.0.1:8443".into(),
            status: "127.0.0.1:8080".into(),
            url: None,
            names: vec!["localhost".into(), "127.0.0.1".into()],
            authority: "servers".into(),
            legacy: Vec::new(),
        }
    }
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            connections: 4096,
            head_seconds: 10,
            body_bytes: 256 * 1024,
        }
    }
}

impl Config {
    /// The HTTPS address of this Ward, as far as this machine knows how it is called outside.
    pub fn public_url(&self) -> String {
        if let Some(url) = &self.url {
            return url.clone();
        }
        let host = self.names.first().map_or("localhost", String::as_str);
        let host = match host.parse::<std::net::Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => host.to_owned(),
        };
        match self.api.port() {
            443 => format!("https://{host}"),
            port => format!("https://{host}:{port}"),
        }
    }

    /// The origin of the pages that people sign in on.
    pub fn sign_in_origin(&self) -> String {
        self.sign_in
            .origin
            .clone()
            .unwrap_or_else(|| self.public_url())
    }

    /// Reads `DATA/ward.toml`; a missing file means all defaults.
    pub fn load(data: &Path) -> Result<Self, ConfigError> {
        let path = data.join("ward.toml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ConfigError::Read { path, source }),
        };
        Self::parse(data, &path, &text)
    }

    fn parse(data: &Path, path: &Path, text: &str) -> Result<Self, ConfigError> {
        let raw: Raw = toml::from_str(text).map_err(|error| ConfigError::Syntax {
            path: path.into(),
            message: error.to_string(),
        })?;
        let value = |key, found: &str, expected| ConfigError::Value {
            path: path.into(),
            key,
            found: format!("{found:?}"),
            expected,
        };
        let address = |key, text: &str| {
            text.parse().map_err(|_| {
                value(
                    key,
                    text,
                    "expected ADDRESS:PORT, for example \"0.0.0.0:8443\"",
                )
            })
        };
        if raw.listen.names.is_empty() {
            return Err(value(
                "listen.names",
                "",
                "expected at least one DNS name or IP address",
            ));
        }
        let legacy = legacy::check(raw.listen.legacy, &raw.listen.names, &raw.listen.authority)
            .map_err(|(key, found, expected)| value(key, &found, expected))?;
        Ok(Self {
            data: data.into(),
            database: database_url(data, &raw.database.url).ok_or_else(|| {
                value(
                    "database.url",
                    &raw.database.url,
                    "expected sqlite:PATH or postgres://…",
                )
            })?,
            api: address("listen.api", &raw.listen.api)?,
            status: address("listen.status", &raw.listen.status)?,
            url: raw
                .listen
                .url
                .map(|url| {
                    origin(&url).ok_or_else(|| {
                        value(
                            "listen.url",
                            &url,
                            "expected https://HOST or https://HOST:PORT without a path",
                        )
                    })
                })
                .transpose()?,
            legacy,
            names: raw.listen.names,
            listener_authority: raw.listen.authority,
            keys: keyring(data, raw.keys),
            alerts: raw
                .alerts
                .map(|raw| alerts::check(data, raw))
                .transpose()
                .map_err(|(found, expected)| value("alerts.url", &found, expected))?,
            mail: raw
                .mail
                .map(|raw| mail::check(data, raw))
                .transpose()
                .map_err(|(key, found, expected)| value(key, &found, expected))?,
            sign_in: sign_in::check(data, raw.sign_in)
                .map_err(|(key, found, expected)| value(key, &found, expected))?,
            limits: Limits {
                connections: raw.limits.connections.max(1),
                head_seconds: raw.limits.head_seconds.max(1),
                body_bytes: raw.limits.body_bytes,
            },
        })
    }
}

fn database_url(data: &Path, url: &str) -> Option<String> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        return Some(format!("sqlite:{}", data.join(path).display()));
    }
    (url.starts_with("postgres://") || url.starts_with("postgresql://")).then(|| url.to_owned())
}

/// `https://HOST[:PORT]`, in lower case and without a final slash.
fn origin(url: &str) -> Option<String> {
    let url = url.strip_suffix('/').unwrap_or(url).to_ascii_lowercase();
    let authority: hyper::http::uri::Authority = url.strip_prefix("https://")?.parse().ok()?;
    (!authority.host().is_empty() && !authority.as_str().contains('@')).then_some(url)
}

fn keyring(data: &Path, raw: RawKeys) -> keys::KeyringConfig {
    let kek = match raw.passphrase_file {
        _ if raw.systemd_credential => keys::KekSource::SystemdCredential {
            name: "ward-kek".into(),
        },
        Some(file) => keys::KekSource::PassphraseFile {
            path: data.join(file),
        },
        None => keys::KekSource::GeneratedFile,
    };
    let pkcs11 = raw.pkcs11.into_iter();
    let pkcs11 = pkcs11
        .map(|token| keys::Pkcs11Config::new(token.module, token.token, data.join(token.pin_file)));
    keys::KeyringConfig {
        kek,
        pkcs11: pkcs11.collect(),
        ..keys::KeyringConfig::new(data)
    }
}
