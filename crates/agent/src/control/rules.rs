//! What a validator may do: where it may connect, how long it waits, how much it reads.

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

use super::Network;
use crate::deadline::Deadline;

/// The rules of one ACME directory. The defaults are those of RFC 8555 and of a hospital: private
/// addresses are where the servers are; loopback, link-local, multicast and the metadata addresses of
/// clouds are never asked, unless `allow` says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Where http-01 connects to. Anything but 80 is outside RFC 8555 §8.3.
    pub http_port: u16,
    /// Where tls-alpn-01 connects to. Anything but 443 is outside RFC 8737 §3. Redirects of http-01 may
    /// lead to 80, 443 and these two.
    pub tls_port: u16,
    /// Resolvers to ask, in order; empty means the system's (`/etc/hosts`, `/etc/resolv.conf`).
    pub resolvers: Vec<SocketAddr>,
    /// Networks that may be connected to although they are refused by default.
    pub allow: Vec<Network>,
    /// Networks that may not be connected to. Goes before `allow`.
    pub deny: Vec<Network>,
    /// For the whole check.
    pub timeout_ms: u32,
    /// For one step of it: one question to the DNS, one connection, one answer.
    pub step_timeout_ms: u32,
    pub max_redirects: u8,
    /// Octets of a response that are read at most. A key authorization has about 90.
    pub max_body: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            http_port: 80,
            tls_port: 443,
            resolvers: Vec::new(),
            allow: Vec::new(),
            deny: Vec::new(),
            timeout_ms: 10_000,
            step_timeout_ms: 5_000,
            max_redirects: 10,
            max_body: 64 * 1024,
        }
    }
}

/// A value that would hurt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} = {found}; {accepted}")]
pub struct BadRules {
    pub field: &'static str,
    pub found: u64,
    pub accepted: &'static str,
}

impl Rules {
    /// The clocks of a check that begins now.
    pub(super) fn deadline(&self) -> Deadline {
        let millis = |n: u32| Duration::from_millis(n.into());
        Deadline::new(millis(self.timeout_ms), millis(self.step_timeout_ms))
    }

    /// Whether the values are within what a validator can bear.
    pub fn validate(&self) -> Result<(), BadRules> {
        let within = |field, found: u64, least: u64, most: u64, accepted| {
            if (least..=most).contains(&found) {
                Ok(())
            } else {
                Err(BadRules {
                    field,
                    found,
                    accepted,
                })
            }
        };
        within("http_port", self.http_port.into(), 1, 65_535, "1 to 65535")?;
        within("tls_port", self.tls_port.into(), 1, 65_535, "1 to 65535")?;
        let times = "100 to 60000 milliseconds";
        within("timeout_ms", self.timeout_ms.into(), 100, 60_000, times)?;
        let step = self.step_timeout_ms.into();
        within("step_timeout_ms", step, 100, 60_000, times)?;
        within("max_redirects", self.max_redirects.into(), 0, 10, "0 to 10")?;
        let sizes = "256 octets to 1 MiB";
        within("max_body", self.max_body.into(), 256, 1 << 20, sizes)?;
        let count = self.resolvers.len() as u64;
        within("resolvers", count, 0, 8, "at most 8")?;
        let count = self.allow.len() as u64;
        within("allow", count, 0, 1000, "at most 1000 networks")?;
        let count = self.deny.len() as u64;
        within("deny", count, 0, 1000, "at most 1000 networks")
    }
}
