//! One direction of a connection, put in order: segments come twice, late, overlapping, or not at all.
//!
//! Where two segments disagree about a byte, the first copy wins. Linux and the BSDs keep what they have as well, so it
//! is what the receiver most likely read; and whoever injects a segment after the true one changes nothing. Somebody
//! who is early can deceive any observer: such streams are counted ([`Stream::contradictions`]).

use std::collections::BTreeMap;

/// Furthest ahead of what is expected that a segment is believed: the largest window (RFC 7323 §2.3).
const WINDOW: i64 = 1 << 30;

#[derive(Default)]
pub(super) struct Stream {
    /// Sequence number of the byte at `position`, once it is known.
    next: Option<u32>,
    /// Bytes delivered.
    position: u64,
    /// What came ahead of its time, by position, without overlaps.
    waiting: BTreeMap<u64, Vec<u8>>,
    waiting_bytes: usize,
    contradictions: u32,
}

/// What may wait for missing segments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) bytes: usize,
    pub(super) pieces: usize,
}

/// More waits for a missing segment than is kept: it will not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lost;

impl Stream {
    /// A SYN says where the numbers start.
    pub(super) fn begin(&mut self, sequence: u32) {
        if self.next.is_none() {
            self.next = Some(sequence.wrapping_add(1));
        }
    }

    /// Takes a segment; `deliver` gets what is now in order, each byte once.
    pub(super) fn push(
        &mut self,
        sequence: u32,
        payload: &[u8],
        limits: Limits,
        mut deliver: impl FnMut(&[u8]),
    ) -> Result<(), Lost> {
        let next = *self.next.get_or_insert(sequence);
        let ahead = i64::from(sequence.wrapping_sub(next) as i32);
        if payload.is_empty() || ahead > WINDOW {
            return Ok(());
        }
        if ahead > 0 {
            return self.keep(self.position + ahead as u64, payload, limits);
        }
        // Repeats something, and may go on behind it.
        let Some(new) = payload.get(ahead.unsigned_abs() as usize..) else {
            return Ok(());
        };
        if self.waiting.is_empty() {
            self.advance(new.len());
            deliver(new);
        } else {
            self.keep(
                self.position,
                new,
                Limits {
                    bytes: usize::MAX,
                    pieces: usize::MAX,
                },
            )?;
        }
        while let Some(first) = self.waiting.first_entry() {
            if *first.key() != self.position {
                break;
            }
            let piece = first.remove();
            self.waiting_bytes -= piece.len();
            self.advance(piece.len());
            deliver(&piece);
        }
        Ok(())
    }

    fn advance(&mut self, length: usize) {
        self.position += length as u64;
        self.next = self.next.map(|n| n.wrapping_add(length as u32));
    }

    /// Stores those parts of a segment that nothing stored covers.
    fn keep(&mut self, mut at: u64, mut bytes: &[u8], limits: Limits) -> Result<(), Lost> {
        while !bytes.is_empty() {
            // The piece that covers `at`, or the next one behind it.
            let before = self.waiting.range(..=at).next_back();
            let covering = before.filter(|(start, piece)| *start + piece.len() as u64 > at);
            let step = match covering {
                Some((start, piece)) => {
                    let old = &piece[(at - start) as usize..];
                    let step = old.len().min(bytes.len());
                    if old[..step] != bytes[..step] {
                        self.contradictions += 1;
                    }
                    step
                }
                None => {
                    let gap = self.waiting.range(at..).next();
                    let gap = gap.map_or(usize::MAX, |(start, _)| (start - at) as usize);
                    let step = gap.min(bytes.len());
                    if self.waiting_bytes + step > limits.bytes
                        || self.waiting.len() >= limits.pieces
                    {
                        return Err(Lost);
                    }
                    self.waiting.insert(at, bytes[..step].to_vec());
                    self.waiting_bytes += step;
                    step
                }
            };
            at += step as u64;
            bytes = &bytes[step..];
        }
        Ok(())
    }

    /// Drops what waits; nothing more will be delivered.
    pub(super) fn abandon(&mut self) {
        self.waiting = BTreeMap::new();
        self.waiting_bytes = 0;
    }

    /// Whether everything before this sequence number was delivered.
    pub(super) fn has_reached(&self, sequence: u32) -> bool {
        let ahead = |next: u32| sequence.wrapping_sub(next) as i32;
        self.next.is_some_and(|next| ahead(next) <= 0)
    }

    /// Whether something is missing before what came last.
    pub(super) fn has_hole(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Segments that said other bytes than an earlier one, where the earlier was still waiting to be compared with.
    pub(super) fn contradictions(&self) -> u32 {
        self.contradictions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits {
        bytes: 1 << 16,
        pieces: 64,
    };

    /// What comes out of segments (offset from the first byte, bytes), with the sequence numbers wrapping.
    fn assembled(segments: &[(u32, &[u8])]) -> (Vec<u8>, Stream) {
        const START: u32 = u32::MAX - 3;
        let mut stream = Stream::default();
        stream.begin(START);
        let mut out = Vec::new();
        for (offset, bytes) in segments {
            let sequence = START.wrapping_add(1).wrapping_add(*offset);
            stream
                .push(sequence, bytes, LIMITS, |b| out.extend_from_slice(b))
                .unwrap();
        }
        (out, stream)
    }

    #[test]
    fn segments_in_any_order_become_one_stream() {
        type Segments<'a> = &'a [(u32, &'a [u8])];
        let cases: [(&str, Segments<'_>); 7] = [
            ("in order", &[(0, b"abc"), (3, b"def"), (6, b"ghi")]),
            ("late", &[(3, b"def"), (6, b"ghi"), (0, b"abc")]),
            ("backwards", &[(6, b"ghi"), (3, b"def"), (0, b"abc")]),
            (
                "twice",
                &[(0, b"abc"), (0, b"abc"), (3, b"defghi"), (3, b"def")],
            ),
            (
                "overlapping ahead",
                &[(4, b"efgh"), (2, b"cdefghi"), (0, b"abc")],
            ),
            (
                "a hole filled from both sides",
                &[(2, b"c"), (6, b"g"), (0, b"abcdefghi")],
            ),
            ("an empty one", &[(0, b""), (0, b"abcdefghi")]),
        ];
        for (name, segments) in cases {
            let (out, stream) = assembled(segments);
            assert_eq!(out, b"abcdefghi", "{name}");
            assert!(!stream.has_hole() && stream.contradictions() == 0, "{name}");
            assert_eq!((stream.waiting_bytes(), stream.position), (0, 9), "{name}");
        }
    }

    #[test]
    fn the_first_copy_wins_and_a_contradiction_is_counted() {
        let (out, stream) = assembled(&[(3, b"def"), (3, b"XXX"), (0, b"abcYYY")]);
        assert_eq!(out, b"abcdef");
        assert_eq!(stream.contradictions(), 2);
        let (out, _) = assembled(&[(0, b"abc"), (0, b"XXXdef")]);
        assert_eq!(out, b"abcdef", "delivered bytes stay");
    }

    #[test]
    fn what_waits_is_bounded() {
        let limits = Limits {
            bytes: 10,
            pieces: 2,
        };
        let mut stream = Stream::default();
        stream.begin(0);
        let mut push = |at: u32, bytes: &[u8]| stream.push(at, bytes, limits, |_| {});
        assert_eq!(push(5, b"12345"), Ok(()));
        assert_eq!(push(5, b"12345"), Ok(()), "nothing new is stored");
        assert_eq!(push(20, b"123456"), Err(Lost), "eleven bytes");
        assert_eq!(push(20, b"1"), Ok(()));
        assert_eq!(push(30, b"1"), Err(Lost), "three pieces");
    }

    #[test]
    fn a_segment_from_nowhere_is_not_believed() {
        let (out, stream) = assembled(&[(0, b"abc"), (0x5000_0000, b"far"), (3, b"def")]);
        assert_eq!(out, b"abcdef");
        assert!(!stream.has_hole());
    }

    proptest! {
        /// Any cut of a text, in any order, with any repetition, gives the text again.
        #[test]
        fn any_order_gives_the_text(
            text in proptest::collection::vec(any::<u8>(), 1..200),
            cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..40), 0..40),
        ) {
            let mut segments: Vec<(u32, &[u8])> = cuts
                .iter()
                .map(|(at, length)| {
                    let at = at.index(text.len());
                    (at as u32, &text[at..text.len().min(at + length)])
                })
                .collect();
            segments.push((0, &text));
            let (out, stream) = assembled(&segments);
            prop_assert_eq!(&out, &text);
            prop_assert!(!stream.has_hole() && stream.contradictions() == 0);
        }
    }
}
