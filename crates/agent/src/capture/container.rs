//! Capture files: pcap as tcpdump writes it, pcapng as Wireshark and dumpcap do, from any stream (a file, a pipe).
//!
//! Written from draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng. A capture is often cut short, because whoever
//! made it was stopped while writing, or ran out of disk: that is an end, not an error, and it is told apart from a
//! whole one ([`End`]). Both byte orders, both time resolutions, several sections and interfaces are read.

use std::io::Read;

use super::{
    CaptureError,
    pcapng::{self, Section},
    window::Window,
};

/// Longest packet read. libpcap's own limit is 256 KiB (MAXIMUM_SNAPLEN); what is longer is passed over and counted.
pub const MAX_PACKET: usize = 256 << 10;

/// A link type of the registry in draft-ietf-opsawg-pcaplinktype.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link(pub u16);

/// One packet as it was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    pub link: Link,
    /// Unix milliseconds. Zero where the format has no time (simple packet blocks).
    pub at: i64,
    /// What was kept of it.
    pub data: &'a [u8],
}

/// How a capture ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case", tag = "end")]
pub enum End {
    /// Behind the last packet, as it should.
    #[default]
    Whole,
    /// Inside a packet: whoever wrote it was stopped.
    CutShort { offset: u64 },
    /// What stands here is no packet, and nothing behind it can be found again.
    Damaged { offset: u64, why: &'static str },
    /// The source failed: a disk, a pipe.
    Unreadable { offset: u64, why: String },
}

enum Format {
    Pcap {
        big_endian: bool,
        /// Units of the fraction in a millisecond: 1,000 or 1,000,000.
        per_milli: u32,
        link: Link,
    },
    Pcapng(Section),
}

/// Packets of a capture, one after the other.
pub struct Packets<R> {
    window: Window<R>,
    format: Format,
    end: Option<End>,
    oversized: u64,
}

/// Where a packet stands in the window.
pub(super) struct Located {
    pub(super) link: Link,
    pub(super) at: i64,
    pub(super) before: usize,
    pub(super) length: usize,
    pub(super) after: usize,
}

/// What came next in the file.
pub(super) enum Next {
    Packet(Located),
    /// Something that is no packet, or is too large to be one: already passed.
    Passed,
    Oversized,
    End(End),
}

impl<R: Read> Packets<R> {
    /// Reads the head of a capture.
    pub fn open(source: R) -> Result<Self, CaptureError> {
        let mut window = Window::new(source);
        if !window.has(4)? {
            return Err(CaptureError::NotACapture);
        }
        let format = match window.peek(4) {
            [0xa1, 0xb2, 0xc3, 0xd4] => pcap(&mut window, true, 1_000)?,
            [0xd4, 0xc3, 0xb2, 0xa1] => pcap(&mut window, false, 1_000)?,
            [0xa1, 0xb2, 0x3c, 0x4d] => pcap(&mut window, true, 1_000_000)?,
            [0x4d, 0x3c, 0xb2, 0xa1] => pcap(&mut window, false, 1_000_000)?,
            [0x0a, 0x0d, 0x0d, 0x0a] => Format::Pcapng(Section::default()),
            [0x1f, 0x8b, ..] => return Err(CaptureError::Compressed("gzip: zcat FILE")),
            [0x28, 0xb5, 0x2f, 0xfd] => return Err(CaptureError::Compressed("zstd: zstdcat FILE")),
            _ => return Err(CaptureError::NotACapture),
        };
        Ok(Self {
            window,
            format,
            end: None,
            oversized: 0,
        })
    }

    /// The next packet, or none at the end; [`Packets::end`] then says which end it was.
    #[allow(clippy::should_implement_trait)] // A packet borrows from here, which an Iterator's items cannot.
    pub fn next(&mut self) -> Option<Packet<'_>> {
        while self.end.is_none() {
            let next = match &mut self.format {
                Format::Pcap {
                    big_endian,
                    per_milli,
                    link,
                } => record(&mut self.window, *big_endian, *per_milli, *link),
                Format::Pcapng(section) => pcapng::block(&mut self.window, section),
            };
            match next {
                Ok(Next::Packet(at)) => {
                    let whole = self.window.take(at.before + at.length + at.after);
                    return Some(Packet {
                        link: at.link,
                        at: at.at,
                        data: &whole[at.before..at.before + at.length],
                    });
                }
                Ok(Next::Passed) => {}
                Ok(Next::Oversized) => self.oversized += 1,
                Ok(Next::End(end)) => self.end = Some(end),
                Err(error) => {
                    self.end = Some(End::Unreadable {
                        offset: self.window.offset(),
                        why: error.to_string(),
                    });
                }
            }
        }
        None
    }

    /// How it ended, once it has.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Packets larger than [`MAX_PACKET`], passed over.
    pub fn oversized(&self) -> u64 {
        self.oversized
    }

    /// Bytes of the source so far.
    pub fn offset(&self) -> u64 {
        self.window.offset()
    }
}

/// The file header of pcap.
fn pcap<R: Read>(
    window: &mut Window<R>,
    big_endian: bool,
    per_milli: u32,
) -> Result<Format, CaptureError> {
    const HEADER: usize = 24;
    if !window.has(HEADER)? {
        return Err(CaptureError::NotACapture);
    }
    let header = Fields::new(window.take(HEADER), big_endian);
    // The upper bits tell of frame check sequences; the type is the lower sixteen.
    let link = Link(header.u32(20) as u16);
    Ok(Format::Pcap {
        big_endian,
        per_milli,
        link,
    })
}

/// A packet record of pcap.
fn record<R: Read>(
    window: &mut Window<R>,
    big_endian: bool,
    per_milli: u32,
    link: Link,
) -> std::io::Result<Next> {
    const HEADER: usize = 16;
    let offset = window.offset();
    if !window.has(HEADER)? {
        return Ok(Next::End(match window.is_at_end()? {
            true => End::Whole,
            false => End::CutShort { offset },
        }));
    }
    let header = Fields::new(window.peek(HEADER), big_endian);
    let captured = header.u32(8);
    let at = i64::from(header.u32(0)) * 1_000 + i64::from(header.u32(4) / per_milli);
    if captured as usize > MAX_PACKET {
        // Nothing marks the start of a record: after a wrong length there is no way back. A length that no
        // interface has (64 MiB) is a wrong one.
        if captured > 64 << 20 {
            let why = "the length of a packet is impossible";
            return Ok(Next::End(End::Damaged { offset, why }));
        }
        return Ok(match window.skip(HEADER as u64 + u64::from(captured))? {
            true => Next::Oversized,
            false => Next::End(End::CutShort { offset }),
        });
    }
    let length = captured as usize;
    if !window.has(HEADER + length)? {
        return Ok(Next::End(End::CutShort { offset }));
    }
    Ok(Next::Packet(Located {
        link,
        at,
        before: HEADER,
        length,
        after: 0,
    }))
}

/// Numbers in a header whose length was checked, in the byte order of the machine that wrote it.
pub(super) struct Fields<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8], big_endian: bool) -> Self {
        Self { bytes, big_endian }
    }

    /// Zero where the header is too short.
    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        self.bytes
            .get(at..)
            .and_then(|b| b.first_chunk())
            .copied()
            .unwrap_or([0; N])
    }

    pub(super) fn u16(&self, at: usize) -> u16 {
        match self.big_endian {
            true => u16::from_be_bytes(self.array(at)),
            false => u16::from_le_bytes(self.array(at)),
        }
    }

    pub(super) fn u32(&self, at: usize) -> u32 {
        match self.big_endian {
            true => u32::from_be_bytes(self.array(at)),
            false => u32::from_le_bytes(self.array(at)),
        }
    }

    pub(super) fn i64(&self, at: usize) -> i64 {
        match self.big_endian {
            true => i64::from_be_bytes(self.array(at)),
            false => i64::from_le_bytes(self.array(at)),
        }
    }
}
