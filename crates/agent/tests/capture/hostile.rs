//! Captures made to hurt: lost, late, overlapping and contradicting segments, floods, broken files. Every packet and
//! every connection is accounted for in each of them (`made::look`).

use agent::{
    capture::{End, Limits, MAX_PACKET},
    observation::{Outcome, Place, StartTls},
};
use proptest::prelude::*;

use crate::made::*;

const CHAIN: [&[u8]; 2] = [&[0x30; 700], &[0x31; 3000]];

fn chain_of(packets: &Packets) -> Vec<Vec<u8>> {
    let (found, _) = look_at(packets);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].outcome, Outcome::Certificate);
    found[0]
        .chain
        .iter()
        .map(|der| der.bytes().to_vec())
        .collect()
}

#[test]
fn every_format_link_and_tag_is_read() {
    let packets = connection((40_000, 2762), &handshake(&CHAIN), 1_400);
    let wrapped = |head: &[u8], tail: &[u8]| -> Packets {
        let wrap = |p: &Vec<u8>| [head, p, tail].concat();
        packets.iter().map(|(at, p)| (*at, wrap(p))).collect()
    };
    let ethernet = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    let head = |rest: &[u8]| [&ethernet, rest].concat();
    let cases = [
        ("raw", 101, wrapped(b"", b"")),
        ("IPv4", 228, wrapped(b"", b"")),
        ("Ethernet with padding", 1, wrapped(&head(&[8, 0]), &[0; 6])),
        ("VLAN", 1, wrapped(&head(&[0x81, 0, 0, 5, 8, 0]), b"")),
        (
            "QinQ",
            1,
            wrapped(&head(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0]), b""),
        ),
        (
            "PPPoE",
            1,
            wrapped(&head(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 9, 0, 0x21]), b""),
        ),
        ("null, little-endian", 0, wrapped(&[2, 0, 0, 0], b"")),
        ("null, big-endian", 0, wrapped(&[0, 0, 0, 2], b"")),
        ("loop", 108, wrapped(&[0, 0, 0, 2], b"")),
        (
            "SLL",
            113,
            wrapped(&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0], b""),
        ),
        (
            "SLL2",
            276,
            wrapped(
                &[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0],
                b"",
            ),
        ),
    ];
    for (name, link, packets) in cases {
        for (big_endian, nanos) in [(false, false), (true, false), (false, true), (true, true)] {
            let (found, summary) = look(&pcap(link, big_endian, nanos, &packets));
            assert_eq!(found.len(), 1, "{name}: {summary:?}");
            assert_eq!(found[0].chain.len(), 2, "{name}");
            assert_eq!(found[0].at, 3_500, "{name}: when it was complete");
        }
    }
    let (found, summary) = look(&pcap(105, false, false, &packets));
    assert!(found.is_empty());
    assert_eq!(
        summary.not_segments.links.get(&105),
        Some(&(packets.len() as u64))
    );
}

/// draft-ietf-opsawg-pcapng: sections of either byte order, clocks of any resolution, three kinds of packets, and
/// blocks that nobody here reads.
#[test]
fn every_kind_of_pcapng_block_is_read_or_passed() {
    let packets = connection((40_000, 443), &handshake(&CHAIN), 1_400);
    // 10^-6, 10^-9, 2^-10 of a second; one second and a half after 1,000 seconds.
    for (resolution, ticks) in [(6u8, 1_500_000u64), (9, 1_500_000_000), (0x8a, 1_536)] {
        for big_endian in [true, false] {
            let n = |value: u32| match big_endian {
                true => value.to_be_bytes(),
                false => value.to_le_bytes(),
            };
            let mut file = section(!big_endian, 3, 0);
            file.extend(section(big_endian, resolution, 1_000));
            // Decryption secrets, and a type from the future.
            file.extend(block(big_endian, 10, b"CLIENT_RANDOM 00 00"));
            file.extend(block(big_endian, 0x4242, &[7; 33]));
            for (number, (_, packet)) in packets.iter().enumerate() {
                let (high, low) = ((ticks >> 32) as u32, ticks as u32);
                let length = packet.len() as u32;
                let times = [n(high), n(low), n(length), n(length)].concat();
                let (kind, head) = match number % 2 {
                    0 => (6, [n(0).to_vec(), times].concat()),
                    // Interface and drops in two halves: zero either way.
                    _ => (2, [n(0).to_vec(), times].concat()),
                };
                file.extend(block(big_endian, kind, &[&head[..], packet].concat()));
            }
            let (found, summary) = look(&file);
            assert_eq!(summary.end, Some(End::Whole));
            assert_eq!((found.len(), found[0].chain.len()), (1, 2));
            assert_eq!(found[0].at, 1_001_500, "{resolution:#x} {big_endian}");
        }
    }
    let mut simple = section(true, 6, 0);
    for (_, packet) in &packets {
        let body = [&(packet.len() as u32).to_be_bytes()[..], packet].concat();
        simple.extend(block(true, 3, &body));
    }
    assert_eq!(look(&simple).0[0].at, 0, "simple packets have no time");
    let mut wrong = section(true, 6, 0);
    wrong.extend(block(true, 6, &[0, 0, 0, 9, 0, 0, 0, 0]));
    assert!(matches!(look(&wrong).1.end, Some(End::Damaged { .. })));
}

#[test]
fn tls_is_found_on_any_port_and_behind_anything() {
    let mut said = handshake(&CHAIN);
    said.insert(0, (From::Server, b"220 printer ready\r\n".to_vec()));
    said.insert(1, (From::Client, b"MAKE IT SO\r\n".to_vec()));
    let (found, _) = look_at(&connection((40_000, 9), &said, 1_400));
    assert_eq!(found[0].chain.len(), 2);
    let place = Place::Network {
        address: SERVER.into(),
        port: 9,
        sni: Some("pacs.example".to_owned()),
        starttls: None,
    };
    assert_eq!(found[0].place, place);
}

#[test]
fn ms_sql_wraps_its_handshake_into_packets() {
    let packet = |kind: u8, body: &[u8]| {
        let mut out = vec![kind, 1];
        out.extend((body.len() as u16 + 8).to_be_bytes());
        out.extend([0, 0, 0, 0]);
        out.extend(body);
        out
    };
    let said = [
        (From::Client, packet(0x12, &[0xff; 30])),
        (From::Server, packet(0x04, &[0xff; 30])),
        (From::Client, packet(0x12, &client_hello(b""))),
        (
            From::Server,
            server_flight(&CHAIN, 4096)
                .chunks(1000)
                .flat_map(|c| packet(0x12, c))
                .collect(),
        ),
        (From::Client, packet(0x12, &client_rest())),
    ];
    let (found, _) = look_at(&connection((40_000, 1433), &said, 1_400));
    assert_eq!(found[0].chain.len(), 2);
    let Place::Network { starttls, .. } = &found[0].place else {
        panic!("{found:?}");
    };
    assert_eq!(*starttls, Some(StartTls::Mssql));
}

#[test]
fn a_hello_of_ssl_2_begins_a_handshake_too() {
    let mut hello = vec![0x80, 9 + 3 + 16, 1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 0x2f];
    hello.extend([7; 16]);
    let mut said = handshake(&CHAIN);
    said[0] = (From::Client, hello);
    assert_eq!(
        look_at(&connection((40_000, 443), &said, 1_400)).0[0]
            .chain
            .len(),
        2
    );
}

#[test]
fn what_is_lost_is_said() {
    let packets = connection((40_000, 443), &handshake(&CHAIN), 600);
    for dropped in 0..packets.len() {
        let mut rest = packets.clone();
        rest.remove(dropped);
        let (found, summary) = look_at(&rest);
        let lost = found.iter().find(|o| o.outcome != Outcome::Certificate);
        match lost {
            None => assert_eq!(found[0].chain.len(), 2, "without packet {dropped}"),
            Some(lost) => {
                let why = "the capture lacks segments of the handshake".to_owned();
                assert_eq!(
                    lost.outcome,
                    Outcome::Failed { why },
                    "without packet {dropped}"
                );
                assert_eq!(summary.ended.tls_incomplete, 1);
            }
        }
    }
    // The hello of the client, and with it everything: then the certificate has no name, and is found all the same.
    let servers_only: Packets = packets
        .iter()
        .filter(|(_, p)| p[12..16] == SERVER)
        .cloned()
        .collect();
    let (found, _) = look_at(&servers_only);
    assert_eq!(found[0].outcome, Outcome::Certificate);
    let clients_only: Packets = packets
        .into_iter()
        .filter(|(_, p)| p[12..16] == CLIENT)
        .collect();
    let (found, _) = look_at(&clients_only);
    let why = "the capture has the client's direction only".to_owned();
    assert_eq!(found[0].outcome, Outcome::Failed { why });
}

#[test]
fn a_segment_that_comes_late_is_waited_for_behind_the_end() {
    let mut packets = connection((40_000, 443), &handshake(&CHAIN), 600);
    let late = packets.remove(4);
    packets.push(late);
    assert_eq!(chain_of(&packets), CHAIN);
}

#[test]
fn the_first_copy_of_a_segment_counts() {
    let packets = connection((40_000, 443), &handshake(&CHAIN), 600);
    let mut twice = packets.clone();
    for (at, (time, packet)) in packets.iter().enumerate().rev() {
        let mut other = packet.clone();
        other[40..].fill(0xee);
        twice.insert(at + 1, (*time, other));
    }
    assert_eq!(chain_of(&twice), CHAIN);
    // Where the true one waits for what is missing, the contradiction is seen.
    let mut late = packets.clone();
    late.swap(3, 4);
    let mut other = late[3].1.clone();
    other[40..].fill(0xee);
    late.insert(4, (3, other));
    let (found, summary) = look_at(&late);
    assert_eq!((found[0].chain.len(), summary.contradictions), (2, 1));
}

#[test]
fn what_breaks_the_rules_is_garbage_and_what_is_too_large_too_large() {
    let end = |server: Vec<u8>| {
        let said = [(From::Client, client_hello(b"a")), (From::Server, server)];
        let (mut found, _) = look_at(&connection((40_000, 443), &said, 60_000));
        assert_eq!(found.len(), 1);
        found.remove(0).outcome
    };
    let garbage = |outcome: &Outcome| matches!(outcome, Outcome::Garbage { .. });
    let mut cut = server_flight(&CHAIN, 4096);
    cut.truncate(2000);
    assert!(garbage(&end(cut)));
    let mut wrong = record(22, &server_hello());
    wrong.extend(b"HTTP/1.1 500 oh no\r\n\r\n");
    assert!(garbage(&end(wrong)));
    let mut short = server_hello();
    short.extend(message(11, &[0, 9, 9, 0, 0, 1, 1]));
    assert!(garbage(&end(record(22, &short))));
    let http = end(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
    let first_bytes = "485454502f312e312034303020426164".to_owned();
    assert_eq!(http, Outcome::NotTls { first_bytes });
    let many = vec![&[0x30, 0][..]; 201];
    let too_large = end(server_flight(&many, 1 << 14));
    assert!(
        matches!(too_large, Outcome::TooLarge { limit: 200, .. }),
        "{too_large:?}"
    );
    let huge = [0x30; 60_000];
    let huge = vec![&huge[..]; 30];
    let too_large = end(server_flight(&huge, 1 << 14));
    assert!(
        matches!(too_large, Outcome::TooLarge { .. }),
        "{too_large:?}"
    );
    let endless: Vec<u8> = (0..100)
        .flat_map(|_| record(22, &message(0, b"")))
        .collect();
    let endless = [record(22, &server_hello()), endless].concat();
    assert!(!matches!(end(endless), Outcome::Certificate));
    let storm: Vec<u8> = (0..5_000).flat_map(|_| record(21, &[1, 112])).collect();
    let storm = end([record(22, &server_hello()), storm].concat());
    assert!(matches!(storm, Outcome::TooLarge { .. }), "{storm:?}");
}

#[test]
fn a_name_with_control_characters_is_no_name() {
    for name in [
        &b"=cmd|' /C calc'!A0"[..],
        b"a\r\nb",
        b"\xff\xfe",
        b"",
        &[b'a'; 300],
    ] {
        let mut said = handshake(&CHAIN);
        said[0] = (From::Client, client_hello(name));
        let (found, _) = look_at(&connection((40_000, 443), &said, 1_400));
        let Place::Network { sni, .. } = &found[0].place else {
            panic!("{found:?}");
        };
        assert_eq!((sni, found[0].chain.len()), (&None, 2));
    }
}

#[test]
fn a_flood_of_names_does_not_become_an_inventory() {
    let limits = Limits {
        names_per_server: 3,
        ..Limits::default()
    };
    let packets: Packets = (0..50u16)
        .flat_map(|n| {
            let mut said = handshake(&CHAIN);
            said[0] = (
                From::Client,
                client_hello(format!("host{}.example", n % 10).as_bytes()),
            );
            connection((30_000 + n, 443), &said, 1_400)
        })
        .collect();
    let (found, summary) = look_within(&pcap(101, false, false, &packets), limits);
    // Three by name, and one without for all the others.
    assert_eq!((found.len(), summary.names_dropped), (4, 35));
}

#[test]
fn connections_and_memory_are_bounded() {
    let limits = Limits {
        connections: 100,
        memory: 200 << 10,
        ..Limits::default()
    };
    // SYNs without end, then connections that each keep a promise of more.
    let mut packets: Packets = (0..1_000u16)
        .map(|n| (1, segment(From::Client, (n, 443), 1, SYN, b"")))
        .collect();
    for n in 0..1_000u16 {
        let hello = record(22, &server_hello());
        packets.push((2, segment(From::Server, (n, 444), 1, ACK, &hello)));
        packets.push((
            2,
            segment(
                From::Server,
                (n, 444),
                1 + hello.len() as u32,
                ACK,
                &[22, 3, 3, 0x40, 0],
            ),
        ));
        let next = 6 + hello.len() as u32;
        packets.push((2, segment(From::Server, (n, 444), next, ACK, &[11; 1_000])));
        packets.push((
            2,
            segment(From::Server, (n, 444), next + 5_000, ACK, &[11; 20_000]),
        ));
    }
    let file = pcap(101, false, false, &packets);
    let mut reader = agent::capture::Packets::open(&file[..]).unwrap();
    let mut monitor = agent::capture::Monitor::new("flood", limits.clone());
    while let Some(packet) = reader.next() {
        monitor.packet(&packet);
        assert!(monitor.held() <= limits.memory, "{}", monitor.held());
    }
    let (summary, rest) = monitor.finish();
    assert_eq!(summary.ended.total(), summary.connections);
    assert!(summary.ended.tls_incomplete > 900, "{summary:?}");
    assert_eq!(summary.ended.empty, 1_000, "{summary:?}");
    assert!(summary.observations + summary.repeated > 900 && !rest.is_empty());
}

#[test]
fn a_stream_with_a_hole_is_given_up_when_too_much_waits() {
    let limits = Limits {
        waiting_bytes: 10_000,
        ..Limits::default()
    };
    let mut packets = connection((40_000, 443), &[(From::Client, client_hello(b"a"))], 1_400);
    packets.truncate(3);
    for n in 0..20u32 {
        packets.push((
            3,
            segment(
                From::Server,
                (40_000, 443),
                8_000 + n * 1_000,
                ACK,
                &[1; 1_000],
            ),
        ));
    }
    let (found, summary) = look_within(&pcap(101, false, false, &packets), limits);
    let why = "the capture lacks segments of the handshake".to_owned();
    assert_eq!(found[0].outcome, Outcome::Failed { why });
    assert_eq!(summary.ended.tls_incomplete, 1);
}

#[test]
fn a_server_that_never_answers_is_seen_to_hang() {
    let mut packets = connection((40_000, 443), &[(From::Client, client_hello(b"a"))], 1_400);
    packets.truncate(3);
    packets.push((10_000, segment(From::Client, (1, 1), 1, SYN, b"")));
    let (found, _) = look_at(&packets);
    assert_eq!(found[0].outcome, Outcome::Hung { after_ms: 300_000 });
}

#[test]
fn a_connection_that_is_reset_in_the_middle_says_so() {
    let mut packets = connection((40_000, 443), &[(From::Client, client_hello(b"a"))], 1_400);
    packets.truncate(3);
    packets.push((4, segment(From::Server, (40_000, 443), 7_001, RST, b"")));
    let (found, _) = look_at(&packets);
    let what = "the connection ends in the middle of the handshake".to_owned();
    assert_eq!(found[0].outcome, Outcome::Garbage { what });
}

#[test]
fn ends_of_files_are_told_apart() {
    let packets = connection((40_000, 443), &handshake(&CHAIN), 1_400);
    let whole = pcap(101, false, false, &packets);
    assert_eq!(look(&whole).1.end, Some(End::Whole));
    let (found, summary) = look(&whole[..whole.len() - 10]);
    assert!(
        matches!(summary.end, Some(End::CutShort { .. })),
        "{summary:?}"
    );
    assert_eq!(found.len(), 1, "what came before is kept");
    let mut wrong = whole.clone();
    wrong.extend([0xff; 100]);
    assert!(matches!(look(&wrong).1.end, Some(End::Damaged { .. })));
    let large = vec![(1, vec![0; MAX_PACKET + 1]), (1, packets[0].1.clone())];
    let (_, summary) = look(&pcap(101, false, false, &large));
    assert_eq!((summary.not_segments.oversized, summary.packets), (1, 1));
    for (text, error) in [
        (&b""[..], "not a capture: neither pcap nor pcapng"),
        (b"GIF89a", "not a capture: neither pcap nor pcapng"),
        (
            b"\x1f\x8b\x08\x00",
            "the capture is compressed with gzip: zcat FILE decompresses it to standard input",
        ),
    ] {
        let read = agent::capture::read(text, "", Limits::default(), |_| {});
        assert_eq!(read.unwrap_err().to_string(), error);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Segments of any size, in any order, any of them twice: the chain is the same.
    #[test]
    fn any_order_shows_the_same(
        mss in 1usize..3_000,
        swaps in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..60),
        again in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut packets = connection((40_000, 443), &handshake(&CHAIN), mss.max(20));
        // The opening stays in front; what comes before it belongs to nobody.
        let opening: Packets = packets.drain(..2).collect();
        // The client's hello stays too: an observer takes what says ServerHello first for the server.
        for (a, b) in swaps {
            let (a, b) = (a.index(packets.len()), b.index(packets.len()));
            packets.swap(a, b);
        }
        for again in again {
            let packet = packets[again.index(packets.len())].clone();
            packets.push(packet);
        }
        let mut all = opening;
        all.extend(packets);
        let limits = Limits { plain_text: false, ..Limits::default() };
        let (found, _) = look_within(&pcap(101, false, false, &all), limits);
        let chains: Vec<_> = found.iter().filter(|o| o.outcome == Outcome::Certificate).collect();
        prop_assert_eq!(chains.len(), 1);
        prop_assert_eq!(chains[0].chain.len(), 2);
    }

    /// Whatever a capture holds, every packet and connection is accounted for.
    #[test]
    fn any_damage_is_survived(
        link in prop_oneof![Just(0u32), Just(1), Just(101), Just(108), Just(113), Just(276), Just(105)],
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..80),
        mss in 50usize..2_000,
    ) {
        let packets = connection((40_000, 443), &handshake(&CHAIN), mss);
        let mut file = pcap(link, false, false, &packets);
        for (at, byte) in damage {
            let at = 24 + at.index(file.len() - 24);
            file[at] = byte;
        }
        look(&file);
    }

    #[test]
    fn any_bytes_are_survived(
        magic in prop_oneof![
            Just([0xa1u8, 0xb2, 0xc3, 0xd4]),
            Just([0x4d, 0x3c, 0xb2, 0xa1]),
            Just([0x0a, 0x0d, 0x0d, 0x0a]),
            any::<[u8; 4]>(),
        ],
        bytes in proptest::collection::vec(any::<u8>(), 0..4_000),
    ) {
        agent::capture::exercise::file(&[&magic[..], &bytes].concat());
    }

    #[test]
    fn any_conversation_is_survived(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..30),
        noise in proptest::collection::vec(any::<u8>(), 0..2_000),
    ) {
        agent::capture::exercise::conversation(&noise);
        let mut data = Vec::new();
        for (from, bytes) in handshake(&CHAIN) {
            for piece in bytes.chunks(8 * 100) {
                data.extend([u8::from(from == From::Server), piece.len().div_ceil(8) as u8]);
                data.extend(piece);
                data.resize(data.len().next_multiple_of(8), 0);
            }
        }
        for (at, byte) in damage {
            let at = at.index(data.len());
            data[at] = byte;
        }
        agent::capture::exercise::conversation(&data);
    }
}
