//! What a file on a host tells beside its certificates: where the key lies, and what is served with it.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSeen {
    pub format: FileFormat,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeySeen>,
    /// Which servers are configured to use this file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub serves: Vec<Serves>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileFormat {
    Pem,
    Der,
    Pkcs7,
    Pkcs12,
    Jks,
    Jceks,
    /// A serialized certificate store of Windows (.sst).
    Sst,
    /// RFC 6962 get-entries.
    CtEntries,
    /// Named by a configuration, and not there or not readable.
    Unknown,
}

/// A private key is here. Its place and its protection are noted; the key itself goes nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySeen {
    pub path: String,
    /// It is the key of this certificate. `None`: encrypted, so nobody can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<bool>,
    pub encrypted: bool,
    /// Permission bits, where the system has them: who else can read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
}

/// A place in a configuration that names the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serves {
    /// nginx, apache, haproxy.
    pub by: String,
    pub config: String,
    pub line: u32,
    pub purpose: Use,
    /// Server names of that part of the configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Where it listens, `address:port`, as written there; `*` for every address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// Shown to clients.
    Server,
    /// Shown to servers behind.
    Client,
    /// Certificates of clients, or of servers behind, are judged by it.
    Trust,
}
