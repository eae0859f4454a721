//! Captures made here, byte by byte: every link type and file format, TCP in any order, and TLS of one's choice.

use agent::{
    capture::{Limits, Summary, read},
    observation::Observation,
};

pub(crate) const CLIENT: [u8; 4] = [10, 30, 0, 9];
pub(crate) const SERVER: [u8; 4] = [10, 30, 0, 7];

/// A packet of IPv4 in time.
pub(crate) type Packets = Vec<(u32, Vec<u8>)>;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum From {
    Client,
    Server,
}

pub(crate) const SYN: u8 = 2;
pub(crate) const ACK: u8 = 16;
pub(crate) const FIN: u8 = 1;
pub(crate) const RST: u8 = 4;

/// One TCP segment in IPv4.
pub(crate) fn segment(
    from: From,
    ports: (u16, u16),
    sequence: u32,
    flags: u8,
    payload: &[u8],
) -> Vec<u8> {
    let (source, target, ports) = match from {
        From::Client => (CLIENT, SERVER, [ports.0, ports.1]),
        From::Server => (SERVER, CLIENT, [ports.1, ports.0]),
    };
    let mut p = vec![0x45, 0];
    p.extend((40 + payload.len() as u16).to_be_bytes());
    p.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    p.extend(source);
    p.extend(target);
    p.extend(ports.iter().flat_map(|p| p.to_be_bytes()));
    p.extend(sequence.to_be_bytes());
    p.extend([0; 4]);
    p.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    p.extend(payload);
    p
}

/// A whole connection: opened, said, closed. Sequence numbers wrap on the way.
pub(crate) fn connection(ports: (u16, u16), said: &[(From, Vec<u8>)], mss: usize) -> Packets {
    let mut next = [u32::MAX - 100, 7_000];
    let side = |from| if from == From::Client { 0 } else { 1 };
    let mut out = vec![
        (1, segment(From::Client, ports, next[0], SYN, b"")),
        (2, segment(From::Server, ports, next[1], SYN | ACK, b"")),
    ];
    next = next.map(|n: u32| n.wrapping_add(1));
    for (from, bytes) in said {
        for piece in bytes.chunks(mss) {
            let sequence = &mut next[side(*from)];
            out.push((3, segment(*from, ports, *sequence, ACK, piece)));
            *sequence = sequence.wrapping_add(piece.len() as u32);
        }
    }
    out.push((4, segment(From::Client, ports, next[0], FIN | ACK, b"")));
    out.push((5, segment(From::Server, ports, next[1], FIN | ACK, b"")));
    out
}

pub(crate) fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind, 3, 3];
    out.extend((body.len() as u16).to_be_bytes());
    out.extend(body);
    out
}

pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend(&(body.len() as u32).to_be_bytes()[1..]);
    out.extend(body);
    out
}

/// A vector with its length in so many octets.
pub(crate) fn vector(octets: usize, body: &[u8]) -> Vec<u8> {
    let mut out = (body.len() as u32).to_be_bytes()[4 - octets..].to_vec();
    out.extend(body);
    out
}

pub(crate) fn client_hello(name: &[u8]) -> Vec<u8> {
    let mut list = vec![0];
    list.extend(vector(2, name));
    let mut extension = vec![0, 0];
    extension.extend(vector(2, &vector(2, &list)));
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0xc0, 0x2f, 1, 0]);
    body.extend(vector(2, &extension));
    record(22, &message(1, &body))
}

pub(crate) fn server_hello() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([9; 32]);
    body.extend([0, 0, 0x2f, 0]);
    message(2, &body)
}

pub(crate) fn certificate(chain: &[&[u8]]) -> Vec<u8> {
    let list: Vec<u8> = chain.iter().flat_map(|c| vector(3, c)).collect();
    message(11, &vector(3, &list))
}

/// ServerHello, Certificate, ServerHelloDone, in records of at most `size`.
pub(crate) fn server_flight(chain: &[&[u8]], size: usize) -> Vec<u8> {
    let mut messages = server_hello();
    messages.extend(certificate(chain));
    messages.extend(message(14, b""));
    messages
        .chunks(size)
        .flat_map(|part| record(22, part))
        .collect()
}

/// ClientKeyExchange, ChangeCipherSpec, Finished.
pub(crate) fn client_rest() -> Vec<u8> {
    let mut out = record(22, &message(16, &[1; 130]));
    out.extend(record(20, &[1]));
    out.extend(record(22, &[5; 40]));
    out
}

/// A handshake that shows these certificates.
pub(crate) fn handshake(chain: &[&[u8]]) -> Vec<(From, Vec<u8>)> {
    let mut rest = record(20, &[1]);
    rest.extend(record(22, &[6; 40]));
    vec![
        (From::Client, client_hello(b"pacs.example")),
        (From::Server, server_flight(chain, 1 << 14)),
        (From::Client, client_rest()),
        (From::Server, rest),
    ]
}

/// A pcap file of a link type.
pub(crate) fn pcap(
    link: u32,
    big_endian: bool,
    nanos: bool,
    packets: &[(u32, Vec<u8>)],
) -> Vec<u8> {
    let n = |value: u32| match big_endian {
        true => value.to_be_bytes(),
        false => value.to_le_bytes(),
    };
    let half = |value: u16| match big_endian {
        true => value.to_be_bytes(),
        false => value.to_le_bytes(),
    };
    let mut out = n(if nanos { 0xa1b2_3c4d } else { 0xa1b2_c3d4 }).to_vec();
    out.extend([half(2), half(4)].concat());
    out.extend([n(0), n(0), n(0x4_0000), n(link)].concat());
    for (at, packet) in packets {
        let length = packet.len() as u32;
        let fraction = if nanos { 500_000_000 } else { 500_000 };
        out.extend([n(*at), n(fraction), n(length), n(length)].concat());
        out.extend(packet);
    }
    out
}

/// A block of pcapng: its type and length in front, its length again behind.
pub(crate) fn block(big_endian: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let n = |value: u32| match big_endian {
        true => value.to_be_bytes(),
        false => value.to_le_bytes(),
    };
    let padded = body.len().next_multiple_of(4);
    let length = n(padded as u32 + 12);
    let mut out = [n(kind), length].concat();
    out.extend(body);
    out.resize(8 + padded, 0);
    out.extend(length);
    out
}

/// A section with one interface of raw IP whose clock ticks as `resolution` says (if_tsresol), and runs from `offset`
/// seconds on (if_tsoffset).
pub(crate) fn section(big_endian: bool, resolution: u8, offset: i64) -> Vec<u8> {
    let order = |bytes: &[u8]| -> Vec<u8> {
        match big_endian {
            true => bytes.to_vec(),
            false => bytes.iter().rev().copied().collect(),
        }
    };
    let half = |value: u16| order(&value.to_be_bytes());
    let magic = order(&[0x1a, 0x2b, 0x3c, 0x4d]);
    let header = [magic, half(1), half(0), vec![0xff; 8]].concat();
    let interface = [
        half(101),
        half(0),
        order(&0x4_0000u32.to_be_bytes()),
        // if_name, padded; if_tsresol; if_tsoffset; the end.
        [half(2), half(3), b"eth\0".to_vec()].concat(),
        [half(9), half(1), vec![resolution, 0, 0, 0]].concat(),
        [half(14), half(8), order(&offset.to_be_bytes())].concat(),
        [half(0), half(0)].concat(),
    ]
    .concat();
    let mut out = block(big_endian, 0x0a0d_0d0a, &header);
    out.extend(block(big_endian, 1, &interface));
    out
}

/// What Ward makes of a file, with every packet and connection accounted for.
pub(crate) fn look_within(file: &[u8], limits: Limits) -> (Vec<Observation>, Summary) {
    let mut found = Vec::new();
    let summary = read(file, "made", limits, |o| found.push(o)).unwrap();
    assert_eq!(summary.connections, summary.ended.total(), "{summary:?}");
    let counted = summary.segments + summary.not_segments.total();
    assert_eq!(summary.packets, counted, "{summary:?}");
    assert_eq!(summary.observations, found.len() as u64);
    assert!(summary.end.is_some());
    (found, summary)
}

pub(crate) fn look(file: &[u8]) -> (Vec<Observation>, Summary) {
    look_within(file, Limits::default())
}

/// The same for packets of IPv4.
pub(crate) fn look_at(packets: &[(u32, Vec<u8>)]) -> (Vec<Observation>, Summary) {
    look(&pcap(101, false, false, packets))
}
