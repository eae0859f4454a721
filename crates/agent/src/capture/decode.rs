//! From a captured packet to a TCP segment: link layer (draft-ietf-opsawg-pcaplinktype), VLAN tags (IEEE 802.1Q),
//! IPv4 (RFC 791), IPv6 (RFC 8200), TCP (RFC 9293).
//!
//! Checksums are not verified: on the machine that sends, the network card fills them in after the capture. So
//! somebody on the path can put packets into a capture that no receiver accepted.

use std::{
    hash::{Hash, Hasher},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::container::Link;

/// Tags on one frame: QinQ has two.
const MAX_TAGS: usize = 4;
/// Extension headers of one IPv6 packet; RFC 8200 §4.1 foresees seven.
const MAX_EXTENSIONS: usize = 8;

/// LINKTYPE_ETHERNET; LINKTYPE_RAW, an IP packet and nothing before it.
pub(super) const ETHERNET: Link = Link(1);
pub(super) const RAW: Link = Link(101);

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Endpoint {
    pub(super) address: IpAddr,
    pub(super) port: u16,
}

/// In one piece: every segment is looked up by both of its ends, and the derived one feeds the hasher in eight.
impl Hash for Endpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let port = u64::from(self.port);
        match self.address {
            IpAddr::V4(address) => state.write_u64(u64::from(address.to_bits()) << 16 | port),
            IpAddr::V6(address) => {
                let mut bytes = [0; 18];
                let (head, tail) = bytes.split_at_mut(16);
                head.copy_from_slice(&address.octets());
                tail.copy_from_slice(&self.port.to_be_bytes());
                state.write(&bytes);
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    pub(super) from: Endpoint,
    pub(super) to: Endpoint,
    pub(super) sequence: u32,
    pub(super) syn: bool,
    pub(super) ack: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) payload: &'a [u8],
    /// The capture did not keep the end of the payload (`tcpdump -s`).
    pub(super) cut: bool,
}

/// Why a packet is not a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTcp {
    /// A link type that is not read here.
    Link(u16),
    /// ARP, UDP, ICMP and whatever else passes by.
    Other,
    /// Part of a fragmented IP packet. TCP sends segments that fit; what is fragmented all the same is lost here.
    Fragment,
    /// Headers that contradict each other, or were cut off.
    Malformed,
}

pub(super) fn segment(link: Link, data: &[u8]) -> Result<Segment<'_>, NotTcp> {
    match link.0 {
        0 => loopback(data, |b| u32::from_le_bytes(b).min(u32::from_be_bytes(b))),
        108 => loopback(data, u32::from_be_bytes),
        1 => tagged(data, 12),
        // Raw IP has had several numbers.
        12 | 14 | 101 | 228 | 229 => ip(data),
        // Linux "any", first and second form: the protocol stands last, or first.
        113 => tagged(data, 14),
        276 => {
            let kind = u16_at(data, 0).ok_or(NotTcp::Malformed)?;
            let payload = data.get(20..).ok_or(NotTcp::Malformed)?;
            by_type(kind, payload)
        }
        other => Err(NotTcp::Link(other)),
    }
}

/// An address family in the byte order of the machine that captured, or of the network.
fn loopback(data: &[u8], read: fn([u8; 4]) -> u32) -> Result<Segment<'_>, NotTcp> {
    let (family, payload) = data.split_first_chunk().ok_or(NotTcp::Malformed)?;
    match read(*family) {
        // AF_INET; AF_INET6 of Linux, the BSDs and macOS.
        2 | 10 | 24 | 28 | 30 => ip(payload),
        _ => Err(NotTcp::Other),
    }
}

/// EtherType at `at`, the payload, or another tag, behind it.
fn tagged(data: &[u8], at: usize) -> Result<Segment<'_>, NotTcp> {
    let kind = u16_at(data, at).ok_or(NotTcp::Malformed)?;
    by_type(kind, data.get(at + 2..).ok_or(NotTcp::Malformed)?)
}

fn by_type(mut kind: u16, mut payload: &[u8]) -> Result<Segment<'_>, NotTcp> {
    for _ in 0..=MAX_TAGS {
        match kind {
            0x0800 | 0x86dd => return ip(payload),
            0x8100 | 0x88a8 | 0x9100 => {
                kind = u16_at(payload, 2).ok_or(NotTcp::Malformed)?;
                payload = payload.get(4..).ok_or(NotTcp::Malformed)?;
            }
            // PPPoE session (RFC 2516 §4): six octets, then PPP's protocol.
            0x8864 => {
                let protocol = u16_at(payload, 6).ok_or(NotTcp::Malformed)?;
                return match protocol {
                    0x0021 | 0x0057 => ip(payload.get(8..).ok_or(NotTcp::Malformed)?),
                    _ => Err(NotTcp::Other),
                };
            }
            _ => return Err(NotTcp::Other),
        }
    }
    Err(NotTcp::Malformed)
}

fn ip(data: &[u8]) -> Result<Segment<'_>, NotTcp> {
    match data.first().map(|b| b >> 4) {
        Some(4) => v4(data),
        Some(6) => v6(data),
        _ => Err(NotTcp::Malformed),
    }
}

fn v4(data: &[u8]) -> Result<Segment<'_>, NotTcp> {
    let header = data.first_chunk::<20>().ok_or(NotTcp::Malformed)?;
    let length = usize::from(header[0] & 15) * 4;
    if header[9] != 6 {
        return Err(NotTcp::Other);
    }
    // More fragments, or not the first one.
    if u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0 {
        return Err(NotTcp::Fragment);
    }
    let total = match usize::from(u16::from_be_bytes([header[2], header[3]])) {
        // Segmentation is left to the network card, and the packet is longer than the field can say.
        0 => data.len(),
        total => total,
    };
    if length < 20 || total < length {
        return Err(NotTcp::Malformed);
    }
    let address = |at: usize| {
        let octets = [header[at], header[at + 1], header[at + 2], header[at + 3]];
        IpAddr::V4(Ipv4Addr::from(octets))
    };
    let payload = data.get(length..total.min(data.len()));
    let payload = payload.ok_or(NotTcp::Malformed)?;
    tcp(address(12), address(16), payload, total > data.len())
}

fn v6(data: &[u8]) -> Result<Segment<'_>, NotTcp> {
    let header = data.first_chunk::<40>().ok_or(NotTcp::Malformed)?;
    let rest = &data[40..];
    let length = match usize::from(u16::from_be_bytes([header[4], header[5]])) {
        0 => rest.len(),
        length => length,
    };
    let cut = length > rest.len();
    let mut payload = &rest[..length.min(rest.len())];
    let mut next = header[6];
    for _ in 0..=MAX_EXTENSIONS {
        let length = match next {
            6 => {
                let address = |at: usize| {
                    let octets: Option<&[u8; 16]> = header.get(at..).and_then(|b| b.first_chunk());
                    octets.map(|octets| IpAddr::V6(Ipv6Addr::from(*octets)))
                };
                let ends = address(8).zip(address(24)).ok_or(NotTcp::Malformed)?;
                return tcp(ends.0, ends.1, payload, cut);
            }
            // Hop-by-hop, routing, destination, mobility options: length in units of eight octets.
            0 | 43 | 60 | 135 => usize::from(byte(payload, 1)?) * 8 + 8,
            // Authentication header (RFC 4302 §2.2): in units of four, less two.
            51 => usize::from(byte(payload, 1)?) * 4 + 8,
            44 => {
                let offset = u16_at(payload, 2).ok_or(NotTcp::Malformed)?;
                // A fragment that is the whole ("atomic", RFC 6946) is none.
                if offset & 0xfff9 != 0 {
                    return Err(NotTcp::Fragment);
                }
                8
            }
            _ => return Err(NotTcp::Other),
        };
        next = byte(payload, 0)?;
        payload = payload.get(length..).ok_or(NotTcp::Malformed)?;
    }
    Err(NotTcp::Malformed)
}

fn tcp(from: IpAddr, to: IpAddr, data: &[u8], cut: bool) -> Result<Segment<'_>, NotTcp> {
    let header = data.first_chunk::<20>().ok_or(NotTcp::Malformed)?;
    let length = usize::from(header[12] >> 4) * 4;
    if length < 20 {
        return Err(NotTcp::Malformed);
    }
    let payload = match data.get(length..) {
        Some(payload) => payload,
        None if cut => &[],
        None => return Err(NotTcp::Malformed),
    };
    let end = |address, at: usize| Endpoint {
        address,
        port: u16::from_be_bytes([header[at], header[at + 1]]),
    };
    let flag = |bit: u8| header[13] & bit != 0;
    Ok(Segment {
        from: end(from, 0),
        to: end(to, 2),
        sequence: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        fin: flag(1),
        syn: flag(2),
        rst: flag(4),
        ack: flag(16),
        payload,
        cut,
    })
}

fn byte(data: &[u8], at: usize) -> Result<u8, NotTcp> {
    data.get(at).copied().ok_or(NotTcp::Malformed)
}

fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    let bytes = data.get(at..)?.first_chunk()?;
    Some(u16::from_be_bytes(*bytes))
}
