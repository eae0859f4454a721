//! Blocks of pcapng: sections, interfaces, packets. Everything else is passed over, among it decryption secrets
//! (block type 10): Ward reads what anybody on the wire could read.

use std::io::{self, Read};

use super::{
    container::{End, Fields, Link, Located, MAX_PACKET, Next},
    window::Window,
};

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Type, length, length again at the end.
const FRAME: usize = 12;

/// Options of a packet (comments, hashes) beside its bytes.
const MAX_OPTIONS: usize = 64 << 10;

/// Most interfaces in a section: a machine has a handful, `-i any` one.
const MAX_INTERFACES: usize = 1 << 16;

/// What a section header and its interface descriptions have said so far.
#[derive(Default)]
pub(super) struct Section {
    big_endian: bool,
    interfaces: Vec<Interface>,
}

struct Interface {
    link: Link,
    /// Longest capture length; simple packets are cut to it without saying so.
    snap_length: u32,
    resolution: Resolution,
    offset_seconds: i64,
}

/// Option if_tsresol: units a second.
#[derive(Clone, Copy)]
enum Resolution {
    /// 10^-n
    Decimal(u32),
    /// 2^-n
    Binary(u32),
}

impl Interface {
    /// Unix milliseconds of a timestamp.
    fn millis(&self, stamp: u64) -> i64 {
        let stamp = u128::from(stamp);
        let millis = match self.resolution {
            Resolution::Decimal(n) => stamp * 1_000 / 10u128.pow(n),
            Resolution::Binary(n) => (stamp * 1_000) >> n,
        };
        let millis = i64::try_from(millis).unwrap_or(i64::MAX);
        millis.saturating_add(self.offset_seconds.saturating_mul(1_000))
    }
}

/// The next block of the window.
pub(super) fn block<R: Read>(window: &mut Window<R>, section: &mut Section) -> io::Result<Next> {
    let offset = window.offset();
    if !window.has(FRAME)? {
        return Ok(Next::End(match window.is_at_end()? {
            true => End::Whole,
            false => End::CutShort { offset },
        }));
    }
    let damaged = |why| Ok(Next::End(End::Damaged { offset, why }));
    let head = window.peek(FRAME);
    let kind = Fields::new(head, section.big_endian).u32(0);
    if kind == SECTION {
        section.interfaces.clear();
        section.big_endian = match head[8..] {
            [0x1a, 0x2b, 0x3c, 0x4d] => true,
            [0x4d, 0x3c, 0x2b, 0x1a] => false,
            _ => return damaged("a section header has no byte order"),
        };
    }
    let length = Fields::new(head, section.big_endian).u32(4);
    if length < FRAME as u32 || !length.is_multiple_of(4) {
        return damaged("the length of a block is impossible");
    }
    let read = matches!(
        kind,
        INTERFACE | OLD_PACKET | SIMPLE_PACKET | ENHANCED_PACKET
    );
    if !read || length as usize > MAX_PACKET + MAX_OPTIONS {
        return Ok(match window.skip(u64::from(length))? {
            true if read => Next::Oversized,
            true => Next::Passed,
            false => Next::End(End::CutShort { offset }),
        });
    }
    let length = length as usize;
    if !window.has(length)? {
        return Ok(Next::End(End::CutShort { offset }));
    }
    let whole = window.peek(length);
    let body = Fields::new(&whole[8..length - 4], section.big_endian);
    let located = match kind {
        INTERFACE => {
            if section.interfaces.len() == MAX_INTERFACES {
                return damaged("a section has too many interfaces");
            }
            let interface = describe(&body, &whole[8..length - 4], section.big_endian);
            section.interfaces.push(interface);
            window.take(length);
            return Ok(Next::Passed);
        }
        ENHANCED_PACKET => packet(section, &body, body.u32(0) as usize, length),
        OLD_PACKET => packet(section, &body, usize::from(body.u16(0)), length),
        _ => simple(section, &body, length),
    };
    match located {
        Some(located) => Ok(Next::Packet(located)),
        None => {
            damaged("a packet is longer than its block, or of an interface that was not described")
        }
    }
}

/// Enhanced packets and their predecessors have the same layout from the time on.
fn packet(
    section: &Section,
    body: &Fields<'_>,
    interface: usize,
    length: usize,
) -> Option<Located> {
    const HEAD: usize = 20;
    let interface = section.interfaces.get(interface)?;
    let stamp = u64::from(body.u32(4)) << 32 | u64::from(body.u32(8));
    let captured = body.u32(12) as usize;
    within(interface, interface.millis(stamp), HEAD, captured, length)
}

fn simple(section: &Section, body: &Fields<'_>, length: usize) -> Option<Located> {
    const HEAD: usize = 4;
    let interface = section.interfaces.first()?;
    let mut captured = body.u32(0) as usize;
    if interface.snap_length > 0 {
        captured = captured.min(interface.snap_length as usize);
    }
    within(interface, 0, HEAD, captured, length)
}

fn within(
    interface: &Interface,
    at: i64,
    head: usize,
    captured: usize,
    length: usize,
) -> Option<Located> {
    let before = 8 + head;
    let after = length.checked_sub(before.checked_add(captured)?)?;
    (after >= 4).then_some(Located {
        link: interface.link,
        at,
        before,
        length: captured,
        after,
    })
}

fn describe(body: &Fields<'_>, bytes: &[u8], big_endian: bool) -> Interface {
    const IF_TSRESOL: u16 = 9;
    const IF_TSOFFSET: u16 = 14;
    let mut interface = Interface {
        link: Link(body.u16(0)),
        snap_length: body.u32(4),
        resolution: Resolution::Decimal(6),
        offset_seconds: 0,
    };
    let mut options = bytes.get(8..).unwrap_or_default();
    while options.len() >= 4 {
        let head = Fields::new(options, big_endian);
        let (code, length) = (head.u16(0), usize::from(head.u16(2)));
        let Some(value) = options.get(4..4 + length) else {
            break;
        };
        match (code, value) {
            (0, _) => break,
            // More than 10^-18 or 2^-63 no clock has, and it would not fit.
            (IF_TSRESOL, [n]) if n & 0x80 != 0 => {
                interface.resolution = Resolution::Binary(u32::from(n & 0x7f).min(63));
            }
            (IF_TSRESOL, [n]) => interface.resolution = Resolution::Decimal(u32::from(*n).min(18)),
            (IF_TSOFFSET, value) => {
                interface.offset_seconds = Fields::new(value, big_endian).i64(0)
            }
            _ => {}
        }
        options = options
            .get(4 + length.next_multiple_of(4)..)
            .unwrap_or_default();
    }
    interface
}
