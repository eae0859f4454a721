//! What may be negotiated: a closed list of suites, so that no configuration opens one without authentication or
//! encryption, whatever the library knows.

use std::fmt;
use std::str::FromStr;

/// A version of TLS that devices here may speak. 1.3 is what the HTTPS listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// RFC 2246; forbidden by RFC 8996.
    Tls10,
    /// RFC 4346; forbidden by RFC 8996.
    Tls11,
    /// RFC 5246.
    Tls12,
}

impl Version {
    pub(crate) const ALL: [Version; 3] = [Version::Tls10, Version::Tls11, Version::Tls12];

    /// As a configuration writes it.
    pub const fn number(self) -> &'static str {
        match self {
            Version::Tls10 => "1.0",
            Version::Tls11 => "1.1",
            Version::Tls12 => "1.2",
        }
    }

    /// As people and OpenSSL call it.
    pub const fn name(self) -> &'static str {
        match self {
            Version::Tls10 => "TLSv1",
            Version::Tls11 => "TLSv1.1",
            Version::Tls12 => "TLSv1.2",
        }
    }

    /// ProtocolVersion (RFC 2246, 4346, 5246 §6.2.1).
    pub(crate) const fn code(self) -> u16 {
        match self {
            Version::Tls10 => 0x0301,
            Version::Tls11 => 0x0302,
            Version::Tls12 => 0x0303,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Version {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut all = Self::ALL.into_iter();
        all.find(|version| version.number() == text).ok_or(())
    }
}

/// A cipher suite.
#[derive(Debug, PartialEq, Eq)]
pub struct Suite {
    /// As OpenSSL calls it.
    pub name: &'static str,
    /// Whether it is offered where nothing is said.
    pub usual: bool,
}

/// All that may be configured, in the order in which they are preferred: forward secrecy first, then authenticated
/// encryption. DHE is of 2048 bits; a device that knows only 1024 (Java 6 and 7) needs a list without it.
pub const SUITES: &[Suite] = &[
    usual("ECDHE-RSA-AES256-GCM-SHA384"),
    usual("ECDHE-RSA-AES128-GCM-SHA256"),
    usual("DHE-RSA-AES256-GCM-SHA384"),
    usual("DHE-RSA-AES128-GCM-SHA256"),
    usual("ECDHE-RSA-AES256-SHA384"),
    usual("ECDHE-RSA-AES128-SHA256"),
    usual("ECDHE-RSA-AES256-SHA"),
    usual("ECDHE-RSA-AES128-SHA"),
    usual("DHE-RSA-AES256-SHA256"),
    usual("DHE-RSA-AES128-SHA256"),
    usual("DHE-RSA-AES256-SHA"),
    usual("DHE-RSA-AES128-SHA"),
    usual("AES256-GCM-SHA384"),
    usual("AES128-GCM-SHA256"),
    usual("AES256-SHA256"),
    usual("AES128-SHA256"),
    usual("AES256-SHA"),
    usual("AES128-SHA"),
    // Blocks of 64 bits (CVE-2016-2183). Debian's OpenSSL has none of these.
    by_name("ECDHE-RSA-DES-CBC3-SHA"),
    by_name("DHE-RSA-DES-CBC3-SHA"),
    by_name("DES-CBC3-SHA"),
];

const fn usual(name: &'static str) -> Suite {
    Suite { name, usual: true }
}

const fn by_name(name: &'static str) -> Suite {
    Suite { name, usual: false }
}

impl Suite {
    /// The one with this name, if it may be configured.
    pub fn find(name: &str) -> Option<&'static Suite> {
        SUITES.iter().find(|suite| suite.name == name)
    }
}

/// What an acceptor agrees to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The oldest version; the newest is 1.2.
    pub min_version: Version,
    /// In order of preference.
    pub suites: Vec<&'static Suite>,
    /// In TLS 1.2: signatures with SHA-1, the client's and our own, and clients that say nothing of signatures, which
    /// means SHA-1 (RFC 5246 §7.4.1.4.1). Older versions know nothing better, so there it changes nothing.
    pub sha1: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            min_version: Version::Tls12,
            suites: SUITES.iter().filter(|suite| suite.usual).collect(),
            sha1: false,
        }
    }
}

impl Options {
    /// As OpenSSL wants to read it.
    pub(crate) fn cipher_list(&self) -> String {
        let names: Vec<_> = self.suites.iter().map(|suite| suite.name).collect();
        names.join(":")
    }

    /// Signatures in TLS 1.2 (RFC 5246 §7.4.1.4.1), of the client and of the key exchange.
    pub(crate) fn signature_algorithms(&self) -> &'static str {
        match self.sha1 {
            false => {
                "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:RSA+SHA256:RSA+SHA384:RSA+SHA512:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512"
            }
            true => {
                "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:RSA+SHA256:RSA+SHA384:RSA+SHA512:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:ECDSA+SHA1:RSA+SHA1"
            }
        }
    }

    /// `SSL_CTX_set_security_level(3)`. At 1 OpenSSL 3 has neither SHA-1 signatures nor, because of them, a version
    /// below 1.2. At 0 the library holds nothing back; the lists above still do.
    pub(crate) fn security_level(&self) -> i32 {
        match self.sha1 || self.min_version < Version::Tls12 {
            true => 0,
            false => 1,
        }
    }
}
