//! Certificates and TLS parameters from captured traffic (R53): for segments that nobody dares to scan. Nothing is
//! sent.
//!
//! [`Packets`] reads a capture, pcap or pcapng, as a stream. [`Monitor`] takes packets, puts TCP connections together
//! within [`Limits`], finds TLS in them by content on whatever port (also behind STARTTLS), and makes an
//! [`Observation`] of each handshake: up to TLS 1.2 the server's chain, the client's too where it shows one, and what was
//! negotiated; of TLS 1.3, which encrypts certificates, the server name, suite and group. [`Summary`] accounts for
//! every packet and connection. [`read`] does it all; [`listen`] does it with what passes an interface.
//!
//! ```no_run
//! let file = std::fs::File::open("icu.pcapng")?;
//! let limits = agent::capture::Limits::default();
//! let summary = agent::capture::read(file, "icu", limits, |observation| println!("{observation:?}"))?;
//! # Ok::<(), agent::capture::CaptureError>(())
//! ```

use std::io::Read;

use crate::observation::Observation;

mod container;
mod decode;
#[doc(hidden)]
pub mod exercise;
mod filter;
mod live;
mod monitor;
mod pcapng;
mod records;
mod report;
mod search;
mod session;
mod stream;
mod summary;
mod table;
mod tds;
mod window;

pub use container::{End, Link, MAX_PACKET, Packet, Packets};
pub use live::{ListenError, Listener, listen};
pub use monitor::Monitor;
pub use summary::{Connections, NotSegments, Summary};

/// What a capture may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections known at once; beyond it the one that was quiet for longest is given up.
    pub connections: usize,
    /// Bytes that connections hold together: incomplete handshakes, segments ahead of their time.
    pub memory: usize,
    /// Bytes of one direction that wait for a missing segment.
    pub waiting_bytes: usize,
    /// Pieces of one direction that wait for a missing segment.
    pub waiting_pieces: usize,
    /// Milliseconds (of the capture's time) of silence after which a connection is given up.
    pub idle_ms: i64,
    /// What was said, remembered so as not to say it again.
    pub remembered: usize,
    /// After so many milliseconds the same is said again: it is still there.
    pub repeat_after_ms: i64,
    /// Server names noted for one address and port.
    pub names_per_server: u32,
    /// Whether servers that do not speak TLS are observations too.
    pub plain_text: bool,
}

impl Default for Limits {
    /// For a relay with 256 MiB: 100,000 connections of 300 bytes that are quiet or done, and 128 MiB for those that
    /// are not.
    fn default() -> Self {
        Self {
            connections: 100_000,
            memory: 128 << 20,
            waiting_bytes: 256 << 10,
            waiting_pieces: 512,
            idle_ms: 5 * 60 * 1_000,
            remembered: 100_000,
            repeat_after_ms: 60 * 60 * 1_000,
            names_per_server: 1_000,
            plain_text: true,
        }
    }
}

/// Why nothing was read at all. Once packets have been read, whatever happens is in [`End`].
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("not a capture: neither pcap nor pcapng")]
    NotACapture,
    #[error("the capture is compressed with {0} decompresses it to standard input")]
    Compressed(&'static str),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Reads a capture to its end. Observations say that they come from `name`.
pub fn read(
    source: impl Read,
    name: &str,
    limits: Limits,
    mut found: impl FnMut(Observation),
) -> Result<Summary, CaptureError> {
    let mut packets = Packets::open(source)?;
    let mut monitor = Monitor::new(name, limits);
    while let Some(packet) = packets.next() {
        monitor.packet(&packet);
        while let Some(observation) = monitor.found() {
            found(observation);
        }
    }
    let (mut summary, rest) = monitor.finish();
    rest.into_iter().for_each(found);
    summary.not_segments.oversized = packets.oversized();
    summary.end = packets.end().cloned();
    Ok(summary)
}
