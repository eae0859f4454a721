//! Kinds of names and what a profile says about each.

use std::fmt;

use access::NamePattern;
use serde::{Deserialize, Serialize};

/// A kind of name that can identify the subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameKind {
    /// dNSName.
    Dns,
    /// iPAddress.
    Ip,
    /// rfc822Name.
    Email,
    /// uniformResourceIdentifier, byte for byte as it came.
    Uri,
    /// otherName userPrincipalName.
    Upn,
    /// otherName hardwareModuleName.
    HardwareModule,
    /// Microsoft's SID extension.
    Sid,
    /// Ward's own extension with the SHA-256 of a workstation's certificate.
    Workstation,
}

impl NameKind {
    /// Every kind.
    pub const ALL: [NameKind; 8] = [
        NameKind::Dns,
        NameKind::Ip,
        NameKind::Email,
        NameKind::Uri,
        NameKind::Upn,
        NameKind::HardwareModule,
        NameKind::Sid,
        NameKind::Workstation,
    ];

    /// How the kind is written before the colon, in scopes and patterns.
    pub const fn prefix(self) -> &'static str {
        match self {
            NameKind::Dns => "dns",
            NameKind::Ip => "ip",
            NameKind::Email => "email",
            NameKind::Uri => "uri",
            NameKind::Upn => "upn",
            NameKind::HardwareModule => "hw",
            NameKind::Sid => "sid",
            NameKind::Workstation => "workstation",
        }
    }

    /// The key of its table in a profile.
    pub const fn key(self) -> &'static str {
        match self {
            NameKind::HardwareModule => "hardware-module",
            other => other.prefix(),
        }
    }
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// How many names of a kind, and which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NameRule {
    /// At least so many.
    pub min: u16,
    /// At most so many.
    pub max: u16,
    /// One of which each must match; empty is any.
    pub patterns: Vec<NamePattern>,
    /// Whether `*.zone` is allowed (dns only).
    pub wildcard: bool,
}

impl NameRule {
    /// Whether `name` (`kind:value`) matches one of the patterns.
    pub fn matches(&self, name: &str) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| pattern.matches(name))
    }
}
