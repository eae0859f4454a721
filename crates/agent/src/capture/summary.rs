//! What a capture came to, in numbers: every packet and every connection is counted once, so that nothing is lost
//! without being said.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{End, decode::NotTcp};

/// Link types that are told apart when they cannot be read; a capture has one or two.
const MAX_LINKS: usize = 16;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub packets: u64,
    /// Bytes of packets that the capture kept.
    pub bytes: u64,
    /// Packets that passed an interface faster than they were read: the kernel had no room left for them. What it dropped behind
    /// the last packet that was read it does not say.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped: u64,
    pub segments: u64,
    pub not_segments: NotSegments,
    /// Segments without an end of their own: no SYN, no bytes, no connection known.
    pub stray_segments: u64,
    /// Segments of which the capture did not keep the end (`tcpdump -s`).
    pub cut_segments: u64,
    pub connections: u64,
    pub ended: Connections,
    /// Segments that said other bytes than an earlier one at the same place. The first copy was read.
    pub contradictions: u64,
    /// Observations made.
    pub observations: u64,
    /// Handshakes that showed what had just been observed at the same place.
    pub repeated: u64,
    /// Handshakes whose server name was not noted, because their server was asked for too many.
    pub names_dropped: u64,
    /// How the capture ended; absent while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
}

/// Packets that were no TCP segments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NotSegments {
    /// ARP, UDP and whatever else passes by.
    pub other: u64,
    pub fragments: u64,
    pub malformed: u64,
    /// Larger than [`super::MAX_PACKET`].
    pub oversized: u64,
    /// By link type, those that cannot be read.
    pub links: BTreeMap<u16, u64>,
}

/// How connections ended: each in one of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Connections {
    /// TLS, with what can be seen of its handshake.
    pub tls: u64,
    /// TLS, with an outcome that is no certificate because the capture, or the limits, did not suffice.
    pub tls_incomplete: u64,
    /// Bytes, and no TLS among the first.
    pub not_tls: u64,
    /// No bytes at all.
    pub empty: u64,
    /// Already under way when the capture began, and no TLS begun since.
    pub joined_late: u64,
    /// Segments missing before TLS began.
    pub lost: u64,
    /// Given up for the limit on connections or memory, before TLS began.
    pub evicted: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Connections {
    pub fn total(&self) -> u64 {
        let tls = self.tls + self.tls_incomplete;
        tls + self.not_tls + self.empty + self.joined_late + self.lost + self.evicted
    }
}

impl NotSegments {
    pub fn total(&self) -> u64 {
        let links: u64 = self.links.values().sum();
        self.other + self.fragments + self.malformed + links
    }

    pub(super) fn count(&mut self, why: NotTcp) {
        match why {
            NotTcp::Other => self.other += 1,
            NotTcp::Fragment => self.fragments += 1,
            NotTcp::Malformed => self.malformed += 1,
            NotTcp::Link(link)
                if self.links.contains_key(&link) || self.links.len() < MAX_LINKS =>
            {
                *self.links.entry(link).or_default() += 1;
            }
            NotTcp::Link(_) => self.other += 1,
        }
    }
}
