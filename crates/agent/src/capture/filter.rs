//! What the kernel hands over of an interface's packets: a program for its packet filter (`bpf(4)` of the BSDs, "Linux Socket
//! Filtering" in the kernel's documentation) that passes whatever could be TCP, and leaves ARP, UDP and the rest where they are.
//!
//! It looks as far as the protocol's number. Tags and PPPoE are let through for [`super::decode`] to look behind them.

use super::{
    container::{Link, MAX_PACKET},
    decode::{ETHERNET, RAW},
};

/// One instruction: `jt` and `jf` are how many instructions to pass over if a comparison holds, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) code: u16,
    pub(super) yes: u8,
    pub(super) no: u8,
    pub(super) value: u32,
}

const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
const SHIFT_RIGHT: u16 = 0x74;
const EQUALS: u16 = 0x15;
const RETURN: u16 = 0x06;

/// What the kernel knows beside the packet stands at offsets below zero (SKF_AD_OFF of linux/filter.h).
const BESIDE: u32 = -0x1000_i32 as u32;
const PACKET_TYPE: u32 = BESIDE + 4;
const INTERFACE: u32 = BESIDE + 8;

/// PACKET_OUTGOING of packet(7).
const OUTGOING: u32 = 4;

/// Stand for the end of the program until its length is known.
const KEEP: u8 = 254;
const DROP: u8 = 255;

const V4: u32 = 0x0800;
const V6: u32 = 0x86dd;
/// 802.1Q, 802.1ad, what was used before it, PPPoE.
const TAGS: [u32; 4] = [0x8100, 0x88a8, 0x9100, 0x8864];

/// TCP, and the headers of IPv6 behind which it may stand.
const BEFORE_TCP: [u32; 7] = [6, 0, 43, 44, 51, 60, 135];

/// A program for one interface. On loopback every packet passes twice, out and in: `only_in` leaves out the first.
/// None for a link type that is not listened to.
pub(super) fn tcp(interface: u32, link: Link, only_in: bool) -> Option<Vec<Step>> {
    let mut steps = vec![
        step(LOAD_WORD, 0, 0, INTERFACE),
        step(EQUALS, 0, DROP, interface),
    ];
    if only_in {
        steps.push(step(LOAD_WORD, 0, 0, PACKET_TYPE));
        steps.push(step(EQUALS, DROP, 0, OUTGOING));
    }
    let before_v4 = match link {
        ETHERNET => {
            steps.push(step(LOAD_HALF, 0, 0, 12));
            steps.push(step(EQUALS, TAGS.len() as u8 + 1, 0, V4));
            steps.push(step(EQUALS, TAGS.len() as u8 + 2, 0, V6));
            steps.extend(among(&TAGS));
            14
        }
        RAW => {
            steps.push(step(LOAD_BYTE, 0, 0, 0));
            steps.push(step(SHIFT_RIGHT, 0, 0, 4));
            steps.push(step(EQUALS, 1, 0, 4));
            steps.push(step(EQUALS, 2, DROP, 6));
            0
        }
        _ => return None,
    };
    steps.push(step(LOAD_BYTE, 0, 0, before_v4 + 9));
    steps.push(step(EQUALS, KEEP, DROP, 6));
    steps.push(step(LOAD_BYTE, 0, 0, before_v4 + 6));
    steps.extend(among(&BEFORE_TCP));
    let keep = steps.len();
    for (at, step) in steps.iter_mut().enumerate() {
        let far = |to: u8| match to {
            KEEP => (keep - at - 1) as u8,
            DROP => (keep - at) as u8,
            near => near,
        };
        (step.yes, step.no) = (far(step.yes), far(step.no));
    }
    steps.push(step(RETURN, 0, 0, MAX_PACKET as u32));
    steps.push(step(RETURN, 0, 0, 0));
    Some(steps)
}

fn step(code: u16, yes: u8, no: u8, value: u32) -> Step {
    Step {
        code,
        yes,
        no,
        value,
    }
}

/// Keeps the packet if what was loaded is one of these, and drops it otherwise.
fn among(values: &[u32]) -> impl Iterator<Item = Step> {
    let last = values.len().saturating_sub(1);
    let one = move |(at, value): (usize, &u32)| {
        let no = if at == last { DROP } else { 0 };
        step(EQUALS, KEEP, no, *value)
    };
    values.iter().enumerate().map(one)
}

#[cfg(test)]
mod tests {
    use super::super::{
        Packets,
        decode::{NotTcp, segment},
    };
    use super::*;
    use proptest::prelude::*;

    /// The kernel's machine, as far as the programs here use it. A load from behind the end of a packet drops it.
    fn keeps(steps: &[Step], packet: &[u8], (interface, kind): (u32, u32)) -> bool {
        let (mut at, mut loaded) = (0, 0u32);
        let read = |from: u32, length: usize| {
            let bytes = packet.get(from as usize..from as usize + length)?;
            Some(bytes.iter().fold(0, |sum, b| sum << 8 | u32::from(*b)))
        };
        loop {
            let step = steps[at];
            at += 1;
            loaded = match (step.code, step.value) {
                (LOAD_WORD, INTERFACE) => interface,
                (LOAD_WORD, PACKET_TYPE) => kind,
                (LOAD_HALF, from) => match read(from, 2) {
                    Some(value) => value,
                    None => return false,
                },
                (LOAD_BYTE, from) => match read(from, 1) {
                    Some(value) => value,
                    None => return false,
                },
                (SHIFT_RIGHT, by) => loaded >> by,
                (EQUALS, value) => {
                    at += usize::from(if loaded == value { step.yes } else { step.no });
                    loaded
                }
                (RETURN, length) => return length > 0,
                other => panic!("{other:?}"),
            };
        }
    }

    #[test]
    fn r53_it_passes_the_tcp_of_one_interface_and_nothing_else() {
        let program = tcp(3, ETHERNET, true).unwrap();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures/tls10-rsa.pcap");
        let mut packets = Packets::open(std::fs::File::open(path).unwrap()).unwrap();
        let mut count = 0;
        while let Some(packet) = packets.next() {
            assert_eq!(packet.link, ETHERNET);
            assert!(keeps(&program, packet.data, (3, 0)));
            assert!(
                !keeps(&program, packet.data, (2, 0)),
                "of another interface"
            );
            assert!(
                !keeps(&program, packet.data, (3, OUTGOING)),
                "the second time"
            );
            let mut other = packet.data.to_vec();
            other[23] = 17;
            assert!(!keeps(&program, &other, (3, 0)), "UDP");
            other[12..14].copy_from_slice(&[8, 6]);
            assert!(!keeps(&program, &other, (3, 0)), "ARP");
            count += 1;
        }
        assert!(count > 10);
        assert_eq!(tcp(3, Link(127), false), None, "radio");
    }

    proptest! {
        /// What could be read as a segment is never left in the kernel.
        #[test]
        fn nothing_is_left_out_that_is_tcp(
            mut packet in proptest::collection::vec(any::<u8>(), 0..120),
            kind in prop::sample::select(vec![V4, V6, 0x8100, 0x88a8, 0x8864, 0x0806]),
            inner in prop::sample::select(vec![4u8, 6, 17, 0, 43, 60]),
            raw in any::<bool>(),
        ) {
            let (link, ip) = if raw { (RAW, 0) } else { (ETHERNET, 14) };
            if packet.len() > ip + 10 {
                if !raw {
                    packet[12..14].copy_from_slice(&(kind as u16).to_be_bytes());
                }
                packet[ip] = if kind == V6 { 0x60 } else { 0x45 };
                packet[ip + 6] = if kind == V6 { inner } else { 0 };
                packet[ip + 9] = 6;
            }
            let program = tcp(1, link, false).unwrap();
            let read = segment(link, &packet);
            let kept = keeps(&program, &packet, (1, 0));
            prop_assert!(kept || matches!(read, Err(NotTcp::Other | NotTcp::Malformed)), "{read:?}");
        }
    }
}
