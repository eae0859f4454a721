//! What was seen, and where: the one value that every way of looking ends in. A scan, a capture, a
//! folder of files and an import all make [`Observation`]s; the inventory takes nothing else (R16, R17, R53).
//!
//! As text an observation is one line of JSON with its version in front, so that a file of them can be
//! carried out of a segment that no cable leaves. Certificates stay bytes as sent: whoever reads them
//! does so elsewhere, under that reader's own budget.

mod der;
mod file;
#[cfg(test)]
mod tests;

pub use der::Der;
pub use file::{FileFormat, FileSeen, KeySeen, Serves, Use};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use thiserror::Error;

/// The form of a line; a reader refuses any other.
pub const FORM: u8 = 1;

/// Longest line that [`Observation::read`] looks at: the largest chain that a scan accepts (1 MiB and
/// 64 KiB) in base64, the largest staple and list of authorities beside it.
pub const LINE_LIMIT: usize = 4 << 20;

/// One look at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    pub v: Form,
    /// Unix milliseconds, given by whoever ran the scan.
    pub at: i64,
    /// The scanner, the agent or the capture file.
    pub from: String,
    pub how: How,
    pub place: Place,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSeen>,
    /// As sent, leaf first. Not parsed: any of them may be no certificate at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<Der>,
    /// Only with [`Place::File`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileSeen>,
}

impl Observation {
    pub fn new(at: i64, from: &str, how: How, place: Place, outcome: Outcome) -> Self {
        Self {
            v: Form,
            at,
            from: from.to_owned(),
            how,
            place,
            outcome,
            tls: None,
            chain: Vec::new(),
            file: None,
        }
    }

    /// One line of JSON, without the line feed.
    pub fn line(&self) -> Result<String, LineError> {
        serde_json::to_string(self).map_err(|error| LineError::NotObservation(error.to_string()))
    }

    /// Reads what [`Observation::line`] wrote, here or on another machine.
    pub fn read(line: &str) -> Result<Self, LineError> {
        if line.len() > LINE_LIMIT {
            return Err(LineError::TooLong(line.len()));
        }
        serde_json::from_str(line).map_err(|error| LineError::NotObservation(error.to_string()))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LineError {
    #[error("a line of {0} bytes; observations have at most {LINE_LIMIT}")]
    TooLong(usize),
    #[error("not an observation: {0}")]
    NotObservation(String),
}

/// The number [`FORM`] and nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Form;

impl From<Form> for u8 {
    fn from(_: Form) -> Self {
        FORM
    }
}

impl TryFrom<u8> for Form {
    type Error = String;

    fn try_from(found: u8) -> Result<Self, String> {
        if found == FORM {
            Ok(Self)
        } else {
            Err(format!("form {found} is not known here, {FORM} is"))
        }
    }
}

/// By which way of looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    Scan,
    Capture,
    File,
    Import,
    /// Ward's own record of what it issued: known without having been seen anywhere.
    Issued,
}

/// Where somebody looked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Place {
    Network {
        address: IpAddr,
        port: u16,
        /// The name asked for (RFC 6066 §3); the same port may answer each name differently.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sni: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        starttls: Option<StartTls>,
    },
    /// Whoever showed a certificate of its own to a server (mutual TLS), seen on the wire. The port that it
    /// called from means nothing; whom it called is who depends on this certificate.
    Client {
        address: IpAddr,
        server: IpAddr,
        port: u16,
    },
    /// A name of which no address is known: a scan found none ([`Outcome::NoAddress`]), or a table that was imported
    /// says a host's name beside its certificate ([`Outcome::Certificate`]).
    Name { name: String, port: u16 },
    File {
        host: String,
        path: String,
        /// The entry inside a key store, or the server name that a configuration binds the file to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alias: Option<String>,
    },
    /// An entry of a Certificate Transparency log.
    Log { name: String, index: u64 },
}

/// What came of it. Every target ends in exactly one of these; none is dropped silently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    Certificate,
    /// TLS, but nobody showed a certificate: anonymous or pre-shared key suites, or a capture of
    /// TLS 1.3, where it is encrypted.
    NoCertificate {
        why: String,
    },
    /// Something else speaks there. The first bytes in hex, 16 at most.
    NotTls {
        first_bytes: String,
    },
    /// The connection was refused.
    Closed,
    /// Nothing answered the connection within its time.
    Filtered,
    /// The network said that there is no way there.
    Unreachable {
        why: String,
    },
    /// Connected, and then no answer, or none that ended, within the target's time.
    Hung {
        after_ms: u64,
    },
    /// The server declined, in TLS's own words (RFC 8446 §6).
    Alert {
        level: u8,
        description: u8,
    },
    /// Began as TLS and broke its rules, or ended in the middle.
    Garbage {
        what: String,
    },
    /// More than the budget allows.
    TooLarge {
        what: String,
        limit: u64,
    },
    /// Not looked at, because a rule keeps it out. Not one packet was sent.
    Excluded {
        rule: String,
    },
    /// Not looked at, or not to the end, because a rule stopped the scan.
    Stopped {
        rule: String,
    },
    /// A name without an address.
    NoAddress {
        why: String,
    },
    /// The scanner itself could not look: it says nothing about the place.
    Failed {
        why: String,
    },
}

impl Outcome {
    /// Whether the place was looked at: what coverage counts (R17).
    pub fn looked(&self) -> bool {
        !matches!(
            self,
            Self::Excluded { .. }
                | Self::Stopped { .. }
                | Self::NoAddress { .. }
                | Self::Failed { .. }
        )
    }

    /// Whether something there speaks TLS.
    pub fn is_tls(&self) -> bool {
        matches!(
            self,
            Self::Certificate | Self::NoCertificate { .. } | Self::Alert { .. }
        )
    }
}

/// Protocols that begin in plain text and change to TLS on request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartTls {
    Smtp,
    Imap,
    Pop3,
    Ldap,
    Ftp,
    Xmpp,
    Postgres,
    Mysql,
    Mssql,
    Rdp,
}

impl StartTls {
    pub const ALL: [Self; 10] = [
        Self::Smtp,
        Self::Imap,
        Self::Pop3,
        Self::Ldap,
        Self::Ftp,
        Self::Xmpp,
        Self::Postgres,
        Self::Mysql,
        Self::Mssql,
        Self::Rdp,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Ldap => "ldap",
            Self::Ftp => "ftp",
            Self::Xmpp => "xmpp",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Mssql => "mssql",
            Self::Rdp => "rdp",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

impl fmt::Display for StartTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Protocol versions, oldest first, so that they compare as one would say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Version {
    #[serde(rename = "ssl3.0")]
    Ssl3,
    #[serde(rename = "tls1.0")]
    Tls10,
    #[serde(rename = "tls1.1")]
    Tls11,
    #[serde(rename = "tls1.2")]
    Tls12,
    #[serde(rename = "tls1.3")]
    Tls13,
}

impl Version {
    pub const ALL: [Self; 5] = [
        Self::Ssl3,
        Self::Tls10,
        Self::Tls11,
        Self::Tls12,
        Self::Tls13,
    ];

    /// The two bytes on the wire.
    pub fn wire(self) -> u16 {
        match self {
            Self::Ssl3 => 0x0300,
            Self::Tls10 => 0x0301,
            Self::Tls11 => 0x0302,
            Self::Tls12 => 0x0303,
            Self::Tls13 => 0x0304,
        }
    }

    pub fn from_wire(wire: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.wire() == wire)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Ssl3 => "SSL 3.0",
            Self::Tls10 => "TLS 1.0",
            Self::Tls11 => "TLS 1.1",
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the handshake told, as far as it was seen. `None` and an empty list mean that nobody looked or
/// that it could not be seen, not that the server lacks it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TlsSeen {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<VersionSeen>,
    /// What the server chose in the handshake that showed the certificate: version and cipher suite.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negotiated: Option<(Version, u16)>,
    /// A newer version that the server says it speaks, with who offers it (RFC 8446 §4.1.3). It was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beyond: Option<Version>,
    /// Named group of the key exchange (IANA "TLS Supported Groups").
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<u16>,
    /// Every group that was found to be accepted in TLS 1.3, in the order of the server's choices. Those with ML-KEM
    /// are asked for by every look at versions, the others by one at suites.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<u16>,
    /// Signature scheme over the key exchange (IANA "TLS SignatureScheme").
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpn: Option<String>,
    /// The OCSPResponse of RFC 6066 §8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ocsp_staple: Option<Der>,
    /// The server asked for a client certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<ClientAuth>,
    /// Compression method; anything but 0 is CRIME.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<u8>,
    /// Secure renegotiation (RFC 5746) was confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renegotiation_info: Option<bool>,
    /// RFC 7627.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended_master_secret: Option<bool>,
    /// RFC 5077.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_ticket: Option<bool>,
    /// Size of the finite-field Diffie-Hellman prime, or of the curve's field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_exchange_bits: Option<u16>,
}

/// One version that the server accepts, and its suites there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionSeen {
    pub version: Version,
    /// In the server's order, if it has one.
    pub suites: Vec<u16>,
    /// The server's order decides, not the client's. `None`: not looked into, or one suite only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_order: Option<bool>,
    /// Every suite was asked for. If not, there may be more.
    #[serde(default)]
    pub complete: bool,
}

/// A request for a client certificate, with the authorities that the server says it accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientAuth {
    /// Distinguished names in DER.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorities: Vec<Der>,
}
