//! The reader on bytes that may be anything: for the fuzz target and the property tests only.

use super::{Limits, Link, Monitor, Packet, read};

/// A capture file. Every packet and every connection must be accounted for.
pub fn file(data: &[u8]) {
    let limits = Limits {
        connections: 16,
        memory: 64 << 10,
        waiting_bytes: 4 << 10,
        waiting_pieces: 8,
        ..Limits::default()
    };
    let mut found = 0;
    if let Ok(summary) = read(data, "", limits, |_| found += 1) {
        assert_eq!(summary.connections, summary.ended.total());
        let counted = summary.segments + summary.not_segments.total();
        assert_eq!(summary.packets, counted);
        assert_eq!(summary.observations, found);
    }
}

/// Two directions of one connection, cut into segments by their first bytes: deeper into TLS than damaged files come.
pub fn conversation(data: &[u8]) {
    let mut monitor = Monitor::new("", Limits::default());
    let mut next = [1u32, 1];
    let mut rest = data;
    while let Some(([side, length], after)) = rest.split_first_chunk::<2>() {
        let (side, length) = (usize::from(side & 1), usize::from(*length) * 8);
        let (payload, after) = after.split_at(length.min(after.len()));
        rest = after;
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0];
        let (from, to) = if side == 0 { (1, 2) } else { (2, 1) };
        packet.extend([10, 0, 0, from, 10, 0, 0, to, 0, from, 0, to]);
        packet.extend(next[side].to_be_bytes());
        packet.extend([0, 0, 0, 0, 0x50, 16, 0, 0, 0, 0, 0, 0]);
        packet.extend(payload);
        next[side] = next[side].wrapping_add(payload.len() as u32);
        monitor.packet(&Packet {
            link: Link(101),
            at: 0,
            data: &packet,
        });
    }
    let (summary, _) = monitor.finish();
    assert_eq!(summary.connections, summary.ended.total());
}
